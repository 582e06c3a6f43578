//! `composite/sobjects`: up to 200 records in one request, each with a result of its own.

use serde_json::{Map, Value, json};

use super::{Answer, Call, Payload, rows};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rules::{self, Op, Writer, missing_attributes},
    schema::FieldNo,
    soql::Node,
};

/// Records in one write ("SObject Collections", read 2026-11-21).
const MAX_RECORDS: usize = 200;
/// Records in one read.
const MAX_READ: usize = 2_000;
/// Runs of records of one type in one request.
const MAX_CHUNKS: usize = 10;

/// What to do with each record.
#[derive(Clone, Copy)]
enum Verb {
    Create,
    Update,
    Upsert(usize, FieldNo),
}

impl SalesforceOrg {
    pub(super) fn collections(&self, state: &mut State, call: &mut Call<'_>, rest: &[&str]) -> Outcome<Answer> {
        match (rest, call.method) {
            ([], "POST") => self.write_all(state, call, Verb::Create),
            ([], "PATCH") => self.write_all(state, call, Verb::Update),
            ([], "DELETE") => self.delete_all(state, call),
            ([object], "GET" | "POST") => self.read_all(state, call, object),
            ([object, field], "PATCH") => {
                let object = self.schema().find(object).ok_or_else(ApiError::not_found)?;
                let field = self.key_field(object, field)?;
                self.write_all(state, call, Verb::Upsert(object, field))
            }
            ([] | [_] | [_, _], method) => Err(ApiError::method_not_allowed(method, "GET,POST,PATCH,DELETE")),
            _ => Err(ApiError::not_found()),
        }
    }

    fn write_all(&self, state: &mut State, call: &mut Call<'_>, verb: Verb) -> Outcome<Answer> {
        let mut body = call.object()?;
        let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
        let Some(Value::Array(records)) = body.get_mut("records").map(Value::take) else {
            return Err(ApiError::request("INVALID_ARGUMENT", "The 'records' parameter is required"));
        };
        too_many(records.len(), MAX_RECORDS)?;
        chunks(&records)?;
        let writer = self.writer(state, call);
        let mark = state.world.mark();
        let mut results = Vec::with_capacity(records.len());
        let mut failed = false;
        for record in records {
            let result = self.write_one(state, record, verb, writer);
            failed |= result.is_err();
            results.push(result);
        }
        if failed && all_or_none {
            state.world.rollback(mark);
            for result in &mut results {
                if result.is_ok() {
                    *result = Err(rolled_back());
                }
            }
        }
        let upsert = matches!(verb, Verb::Upsert(..));
        Ok(Answer::ok(results.into_iter().map(|result| row_result(result, upsert)).collect()))
    }

    fn write_one(&self, state: &mut State, record: Value, verb: Verb, writer: Writer) -> Outcome<(Id, bool)> {
        let Value::Object(mut record) = record else { return Err(missing_attributes()) };
        let named = record.get("attributes").and_then(|a| a.get("type")).and_then(Value::as_str);
        let object = match named {
            None => return Err(missing_attributes()),
            Some(name) => self.schema().find(name).ok_or_else(|| unknown_type(name))?,
        };
        self.faults.row(&self.schema().def(object).name)?;
        match verb {
            Verb::Create => {
                if take_id(&mut record).is_some() {
                    let message = "cannot specify Id in an insert call";
                    return Err(ApiError::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &["Id"]));
                }
                rules::insert(&mut state.world, object, &record, None, writer, Op::Create).map(|id| (id, true))
            }
            Verb::Update => {
                let Some(text) = take_id(&mut record) else {
                    return Err(ApiError::record("MISSING_ARGUMENT", "Id not specified in an update call", &["Id"]));
                };
                let id = Id::parse(&text)
                    .ok_or_else(|| ApiError::record("MALFORMED_ID", format!("malformed id {text}"), &["Id"]))?;
                let place = state.world.find(id).filter(|(found, _)| *found == object && !state.world.is_hidden(id));
                let place = place.ok_or_else(ApiError::bad_reference)?;
                rules::update(&mut state.world, place, &record, writer, Op::Update).map(|()| (id, false))
            }
            Verb::Upsert(expected, field) => {
                if object != expected {
                    let message = "all records of an upsert must be of the type in the URL";
                    return Err(ApiError::record("INVALID_TYPE", message, &[]));
                }
                self.upsert_row(state, object, field, record, writer)
            }
        }
    }

    fn delete_all(&self, state: &mut State, call: &mut Call<'_>) -> Outcome<Answer> {
        let ids: Vec<String> =
            call.param("ids").unwrap_or_default().split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        if ids.is_empty() {
            return Err(ApiError::request("INVALID_ARGUMENT", "The 'ids' parameter is required"));
        }
        too_many(ids.len(), MAX_RECORDS)?;
        let writer = self.writer(state, call);
        let mark = state.world.mark();
        let mut results = Vec::with_capacity(ids.len());
        for text in &ids {
            results.push(self.delete_one(state, text.trim(), writer));
        }
        if call.flag("allOrNone") && results.iter().any(Result::is_err) {
            state.world.rollback(mark);
            for result in &mut results {
                if result.is_ok() {
                    *result = Err(rolled_back());
                }
            }
        }
        Ok(Answer::ok(results.into_iter().map(|result| row_result(result, false)).collect()))
    }

    fn delete_one(&self, state: &mut State, text: &str, writer: Writer) -> Outcome<(Id, bool)> {
        let malformed = || ApiError::record("MALFORMED_ID", format!("malformed id {text}"), &[]);
        let id = Id::parse(text).ok_or_else(malformed)?;
        let place = state.world.find(id).ok_or_else(ApiError::bad_reference)?;
        self.faults.row(&self.schema().def(place.0).name)?;
        rules::delete(&mut state.world, place, writer).map(|()| (id, false))
    }

    fn read_all(&self, state: &mut State, call: &mut Call<'_>, name: &str) -> Outcome<Answer> {
        let object = self.schema().find(name).ok_or_else(ApiError::not_found)?;
        let list = |value: Option<&Value>| -> Vec<String> {
            let all = value.and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let split = |name: &str| -> Vec<String> {
            call.param(name)
                .unwrap_or_default()
                .split(',')
                .map(|one| one.trim().to_owned())
                .filter(|one| !one.is_empty())
                .collect()
        };
        let (ids, fields) = match &call.body {
            Payload::Json(Value::Object(body)) => (list(body.get("ids")), list(body.get("fields"))),
            _ => (split("ids"), split("fields")),
        };
        too_many(ids.len(), MAX_READ)?;
        let schema = self.schema();
        let def = schema.def(object);
        let mut numbers = Vec::new();
        for name in &fields {
            numbers.push(def.field_no(name).ok_or_else(|| rows::no_such_field(name, def))?);
        }
        let node = Node::of_fields(numbers.into_iter());
        let shown = ids.iter().map(|id| {
            let place = Id::parse(id).and_then(|id| state.world.find(id)).filter(|(found, _)| *found == object);
            let row = place
                .and_then(|(object, slot)| state.world.row(object, slot))
                .filter(|row| !row.deleted && !state.world.is_hidden(row.id));
            row.map_or(Value::Null, |row| node.show(&state.world, object, row, call.version))
        });
        Ok(Answer::ok(shown.collect()))
    }
}

fn take_id(record: &mut Map<String, Value>) -> Option<String> {
    let key = record.keys().find(|key| key.eq_ignore_ascii_case("id"))?.clone();
    record.shift_remove(&key)?.as_str().map(str::to_owned)
}

fn too_many(count: usize, limit: usize) -> Outcome<()> {
    if count <= limit {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {limit} records in this operation");
    Err(ApiError::request("EXCEEDED_ID_LIMIT", message))
}

/// Records of one type should stand together.
fn chunks(records: &[Value]) -> Outcome<()> {
    let kinds = records.iter().map(|record| record["attributes"]["type"].as_str());
    let mut runs = 0;
    let mut last = None;
    for kind in kinds {
        if Some(kind) != last {
            runs += 1;
            last = Some(kind);
        }
    }
    if runs <= MAX_CHUNKS {
        return Ok(());
    }
    let message = format!("Cannot have more than {MAX_CHUNKS} chunks in a single operation.");
    Err(ApiError::request("INVALID_ARGUMENT", message))
}

pub(super) fn unknown_type(name: &str) -> ApiError {
    let message = format!("sObject type '{name}' is not supported.");
    ApiError::record("INVALID_TYPE", message, &[])
}

/// What a record says whose neighbour failed.
fn rolled_back() -> ApiError {
    let message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
    ApiError::record("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, &[])
}

fn row_result(result: Outcome<(Id, bool)>, upsert: bool) -> Value {
    match result {
        Ok((id, created)) => rows::saved(id, upsert.then_some(created)),
        Err(error) => {
            let mut row = json!({"success": false, "errors": [error.row()]});
            if upsert {
                row["created"] = false.into();
            }
            row
        }
    }
}
