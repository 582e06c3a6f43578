//! Single records: create, read, change, delete; by id.

use serde_json::{Value, json};

use super::{Answer, Call};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rules::{self, Op},
    schema::ObjectDef,
    soql::Node,
    time,
    world::{Row, Slot, Val},
};

impl SalesforceOrg {
    pub(super) fn create(&self, state: &mut State, call: &mut Call<'_>, object: usize) -> Outcome<Answer> {
        let body = call.object()?;
        let schema = self.schema();
        let def = schema.def(object);
        self.faults.row(&def.name)?;
        if let Some(key) = body.keys().find(|key| key.eq_ignore_ascii_case("id")) {
            let message = "cannot specify Id in an insert call";
            return Err(ApiError::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[key]));
        }
        let writer = self.writer(state, call);
        let id = rules::insert(&mut state.world, object, &body, None, writer, Op::Create)?;
        Ok(created(call.version, def, id, None))
    }

    /// The row behind an id in the URL.
    pub(super) fn locate(&self, state: &State, object: usize, text: &str) -> Outcome<(usize, Slot)> {
        let Some(id) = Id::parse(text) else { return Err(ApiError::no_external_id(text)) };
        let found = state.world.find(id).filter(|(found, _)| *found == object);
        let (object, slot) = found.ok_or_else(ApiError::not_found)?;
        match state.world.row(object, slot) {
            Some(row) if state.world.is_hidden(row.id) => Err(ApiError::not_found()),
            Some(row) if row.deleted => Err(ApiError::deleted()),
            Some(_) => Ok((object, slot)),
            None => Err(ApiError::not_found()),
        }
    }

    pub(super) fn row(&self, state: &mut State, call: &mut Call<'_>, object: usize, id: &str) -> Outcome<Answer> {
        let place = self.locate(state, object, id)?;
        self.row_at(state, call, place)
    }

    pub(super) fn row_at(&self, state: &mut State, call: &mut Call<'_>, place: (usize, Slot)) -> Outcome<Answer> {
        let (object, slot) = place;
        let schema = self.schema();
        let def = schema.def(object);
        match call.method {
            "DELETE" => {
                self.faults.row(&def.name)?;
                let writer = self.writer(state, call);
                rules::delete(&mut state.world, place, writer)?;
                Ok(Answer::empty(204))
            }
            "PATCH" => {
                self.guard(state, call, place)?;
                let body = call.object()?;
                self.faults.row(&def.name)?;
                if let Some(key) = body.keys().find(|key| key.eq_ignore_ascii_case("id")) {
                    let message = "The Id field should not be specified in the sobject data.";
                    return Err(ApiError::record("INVALID_FIELD", message, &[key]));
                }
                let writer = self.writer(state, call);
                rules::update(&mut state.world, place, &body, writer, Op::Update)?;
                Ok(Answer::empty(204))
            }
            _ => {
                let Some(row) = state.world.row(object, slot) else { return Err(ApiError::not_found()) };
                let modified = modified(def, row);
                if call.headers.if_modified_since.is_some_and(|since| modified <= since) {
                    return Ok(Answer::empty(304).with("Last-Modified", time::http_date(modified)));
                }
                let node = self.selection(call, def)?;
                let shown = node.show(&state.world, object, row, call.version);
                let answer = Answer::ok(shown).with("Last-Modified", time::http_date(modified));
                Ok(if def.name == "Account" { answer.with("ETag", etag(row, modified)) } else { answer })
            }
        }
    }

    /// The fields to show: those asked for, or all.
    fn selection(&self, call: &Call<'_>, def: &ObjectDef) -> Outcome<Node> {
        let Some(fields) = call.param("fields") else {
            return Ok(Node::of_fields((0..def.fields.len()).filter_map(|no| u16::try_from(no).ok())));
        };
        let mut numbers = Vec::new();
        for name in fields.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let no = def.field_no(name).ok_or_else(|| no_such_field(name, def))?;
            if !numbers.contains(&no) {
                numbers.push(no);
            }
        }
        if let Some(id) = def.field_no("Id").filter(|id| !numbers.contains(id)) {
            numbers.push(id);
        }
        Ok(Node::of_fields(numbers.into_iter()))
    }

    /// Refuses a change that the request's conditions forbid.
    pub(super) fn guard(&self, state: &State, call: &Call<'_>, (object, slot): (usize, Slot)) -> Outcome<()> {
        let schema = self.schema();
        let def = schema.def(object);
        let Some(row) = state.world.row(object, slot) else { return Ok(()) };
        let modified = modified(def, row);
        let stale = call.headers.if_unmodified_since.is_some_and(|since| modified > since);
        let unchanged = call.headers.if_modified_since.is_some_and(|since| modified <= since);
        let other = def.name == "Account"
            && call.headers.if_match.as_deref().is_some_and(|tag| tag != "*" && tag != etag(row, modified));
        if stale || unchanged || other {
            let message = "The record has been modified since the given time, or does not match the given tag";
            return Err(ApiError::request("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", message).with_status(412));
        }
        Ok(())
    }
}

pub(super) fn no_such_field(name: &str, def: &ObjectDef) -> ApiError {
    let message = format!("No such column '{name}' on sobject of type {}", def.name);
    ApiError::request("INVALID_FIELD", message)
}

/// `201 {"id", "success", "errors"[, "created"]}` with a `Location`.
pub(super) fn created(version: u32, def: &ObjectDef, id: Id, created: Option<bool>) -> Answer {
    let location = format!("/services/data/v{version}.0/sobjects/{}/{}", def.name, id.as_str());
    Answer::status(201, saved(id, created)).with("Location", location)
}

pub(super) fn saved(id: Id, created: Option<bool>) -> Value {
    let mut body = json!({"id": id.as_str(), "success": true, "errors": []});
    if let Some(created) = created {
        body["created"] = created.into();
    }
    body
}

pub(super) fn modified(def: &ObjectDef, row: &Row) -> i64 {
    match def.system.modified.or(def.system.stamp).and_then(|no| row.stored(no)) {
        Some(Val::Stamp(seconds)) => *seconds,
        _ => 0,
    }
}

fn etag(row: &Row, modified: i64) -> String {
    use base64::Engine;
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("{}{modified}", row.id.as_str()));
    format!("\"{}--gzip\"", base64::engine::general_purpose::STANDARD.encode(digest))
}
