//! Records by an external id: read, change, delete, and create-or-change.

use serde_json::{Map, Value};

use super::{Answer, Call, rows};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rules::{self, Op, Writer},
    schema::{FieldNo, Kind},
    world::{Slot, Val},
};

/// From this version on an upsert that changes a record answers 200 with a body, before it 204.
const UPSERT_BODY_SINCE: u32 = 46;

impl SalesforceOrg {
    /// The field that may name records in a URL or an upsert.
    pub(super) fn key_field(&self, object: usize, name: &str) -> Outcome<FieldNo> {
        let schema = self.schema();
        let def = schema.def(object);
        let no = def.field_no(name).filter(|no| {
            let field = def.field(*no);
            field.external_id || field.id_lookup || field.kind == Kind::Id
        });
        no.ok_or_else(|| ApiError::no_external_id(name))
    }

    /// Live rows with this key.
    pub(super) fn matches(&self, state: &State, object: usize, no: FieldNo, value: &Val) -> Vec<Slot> {
        let schema = self.schema();
        let def = schema.def(object);
        let world = &state.world;
        if let Val::Ref(id) = value
            && def.field(no).kind == Kind::Id
        {
            let place = world.find(*id).filter(|(found, _)| *found == object);
            return place
                .map(|(_, slot)| slot)
                .filter(|slot| world.row(object, *slot).is_some_and(|r| !r.deleted && !world.is_hidden(r.id)))
                .into_iter()
                .collect();
        }
        let slots = world.table(object).lookup(def, no, value).unwrap_or_default();
        let seen = |slot: &Slot| world.row(object, *slot).is_some_and(|row| !row.deleted && !world.is_hidden(row.id));
        slots.iter().copied().filter(seen).collect()
    }

    /// A key from a URL or a row, as the field keeps it.
    pub(super) fn key_value(&self, state: &State, object: usize, no: FieldNo, value: &Value) -> Outcome<Val> {
        let schema = self.schema();
        let field = schema.def(object).field(no);
        let wanted = if field.kind == Kind::Id {
            let id = value.as_str().and_then(Id::parse).map(Val::Ref);
            Some(id.ok_or_else(|| ApiError::no_external_id(value.as_str().unwrap_or_default()))?)
        } else {
            rules::value_of(&state.world, field, value)?
        };
        wanted.ok_or_else(|| {
            let message = format!("{} not specified", field.name);
            ApiError::record("MISSING_ARGUMENT", message, &[])
        })
    }

    pub(super) fn by_key(
        &self,
        state: &mut State,
        call: &mut Call<'_>,
        object: usize,
        field: &str,
        value: &str,
    ) -> Outcome<Answer> {
        let no = self.key_field(object, field)?;
        // A dot and a known suffix at the end of a URL is taken for a format, as the real resource does.
        if value.ends_with(".inc") {
            return Err(ApiError::not_found());
        }
        let key = self.key_value(state, object, no, &Value::from(value))?;
        let slots = self.matches(state, object, no, &key);
        if slots.len() > 1 {
            return Ok(self.choices(state, call.version, object, &slots));
        }
        let found = slots.first().map(|slot| (object, *slot));
        match (call.method, found) {
            ("PATCH", _) => self.upsert(state, call, object, (no, key), found),
            ("POST", _) => Err(ApiError::method_not_allowed("POST", "GET,PATCH,DELETE")),
            (_, None) => Err(ApiError::not_found()),
            (_, Some(place)) => self.row_at(state, call, place),
        }
    }

    fn upsert(
        &self,
        state: &mut State,
        call: &mut Call<'_>,
        object: usize,
        (no, key): (FieldNo, Val),
        found: Option<(usize, Slot)>,
    ) -> Outcome<Answer> {
        let schema = self.schema();
        let def = schema.def(object);
        let field = def.field(no);
        let body = call.object()?;
        if body.keys().any(|name| name.eq_ignore_ascii_case(&field.name)) {
            let message = format!("The {} field should not be specified in the sobject data.", field.name);
            return Err(ApiError::request("INVALID_FIELD", message));
        }
        self.faults.row(&def.name)?;
        let writer = self.writer(state, call);
        let Some(place) = found else {
            if field.kind == Kind::Id || call.flag("updateOnly") {
                return Err(ApiError::not_found());
            }
            let id = rules::insert(&mut state.world, object, &body, Some((no, Some(key))), writer, Op::Create)?;
            return Ok(rows::created(call.version, def, id, Some(true)));
        };
        self.guard(state, call, place)?;
        let Some(id) = state.world.row(place.0, place.1).map(|row| row.id) else { return Err(ApiError::not_found()) };
        rules::update(&mut state.world, place, &body, writer, Op::Update)?;
        if call.version < UPSERT_BODY_SINCE {
            return Ok(Answer::empty(204));
        }
        let location = format!("/services/data/v{}.0/sobjects/{}/{}", call.version, def.name, id.as_str());
        Ok(Answer::ok(rows::saved(id, Some(false))).with("Location", location))
    }

    /// `300`: the paths of all records with this key.
    fn choices(&self, state: &State, version: u32, object: usize, slots: &[Slot]) -> Answer {
        let schema = self.schema();
        let name = &schema.def(object).name;
        let paths = slots.iter().filter_map(|slot| {
            let row = state.world.row(object, *slot)?;
            Some(Value::from(format!("/services/data/v{version}.0/sobjects/{name}/{}", row.id.as_str())))
        });
        Answer::status(300, paths.collect())
    }

    /// One row of a collection upsert: whether it was made, and which record it is.
    pub(super) fn upsert_row(
        &self,
        state: &mut State,
        object: usize,
        no: FieldNo,
        mut body: Map<String, Value>,
        writer: Writer,
    ) -> Outcome<(Id, bool)> {
        let schema = self.schema();
        let def = schema.def(object);
        let field = def.field(no);
        let name = body.keys().find(|name| name.eq_ignore_ascii_case(&field.name)).cloned();
        let given = name.and_then(|name| body.shift_remove(&name)).unwrap_or(Value::Null);
        if field.kind == Kind::Id && given.is_null() {
            return rules::insert(&mut state.world, object, &body, None, writer, Op::Create).map(|id| (id, true));
        }
        let key = self.key_value(state, object, no, &given).map_err(|error| match field.kind {
            Kind::Id => ApiError::record("MALFORMED_ID", format!("malformed id {given}"), &["Id"]),
            _ => error,
        })?;
        let slots = self.matches(state, object, no, &key);
        match slots.as_slice() {
            [] if field.kind == Kind::Id => Err(ApiError::bad_reference()),
            [] => rules::insert(&mut state.world, object, &body, Some((no, Some(key))), writer, Op::Create)
                .map(|id| (id, true)),
            [slot] => {
                let id = state.world.row(object, *slot).map(|row| row.id).ok_or_else(ApiError::bad_reference)?;
                rules::update(&mut state.world, (object, *slot), &body, writer, Op::Update).map(|()| (id, false))
            }
            many => {
                let ids =
                    many.iter().filter_map(|slot| Some(state.world.row(object, *slot)?.id.as_str()[..15].to_owned()));
                let ids: Vec<String> = ids.collect();
                let message =
                    format!("{}: more than one record found for external id field: [{}]", field.name, ids.join(", "));
                Err(ApiError::record("DUPLICATE_EXTERNAL_ID", message, &[]))
            }
        }
    }
}
