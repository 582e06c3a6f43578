//! `composite/tree`: records with the records that belong to them, all or none.

use serde_json::{Map, Value, json};

use super::{Answer, Call};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rules::{self, Op, Writer, missing_attributes},
};

/// Records and levels in a tree ("sObject Tree", read 2026-11-21).
const MAX_RECORDS: usize = 200;
const MAX_LEVELS: usize = 5;

#[derive(Default)]
struct Planted {
    results: Vec<Value>,
    errors: Vec<Value>,
}

impl SalesforceOrg {
    pub(super) fn tree(&self, state: &mut State, call: &mut Call<'_>, name: &str) -> Outcome<Answer> {
        let object = self.schema().find(name).ok_or_else(ApiError::not_found)?;
        let mut body = call.object()?;
        let Some(Value::Array(records)) = body.get_mut("records").map(Value::take) else {
            return Err(ApiError::request("INVALID_ARGUMENT", "The 'records' parameter is required"));
        };
        let writer = self.writer(state, call);
        let mark = state.world.mark();
        let mut planted = Planted::default();
        self.plant(state, object, records, None, writer, 1, &mut planted)?;
        if planted.errors.is_empty() {
            return Ok(Answer::status(201, json!({"hasErrors": false, "results": planted.results})));
        }
        state.world.rollback(mark);
        Ok(Answer::status(400, json!({"hasErrors": true, "results": planted.errors})))
    }

    #[expect(clippy::too_many_arguments, reason = "a recursive walk carries its whole situation")]
    fn plant(
        &self,
        state: &mut State,
        object: usize,
        records: Vec<Value>,
        parent: Option<(&str, Id)>,
        writer: Writer,
        level: usize,
        planted: &mut Planted,
    ) -> Outcome<()> {
        if level > MAX_LEVELS {
            return Err(ApiError::request("INVALID_INPUT", format!("a tree has at most {MAX_LEVELS} levels")));
        }
        for record in records {
            let Value::Object(mut record) = record else { return Err(missing_attributes()) };
            let reference =
                record.get("attributes").and_then(|a| a["referenceId"].as_str()).unwrap_or_default().to_owned();
            if planted.results.len() + planted.errors.len() >= MAX_RECORDS {
                return Err(ApiError::request("INVALID_INPUT", format!("a tree has at most {MAX_RECORDS} records")));
            }
            let children = self.take_children(object, &mut record);
            if let Some((field, id)) = parent {
                record.insert(field.to_owned(), id.as_str().into());
            }
            match rules::insert(&mut state.world, object, &record, None, writer, Op::Create) {
                Ok(id) => {
                    planted.results.push(json!({"referenceId": reference, "id": id.as_str()}));
                    for (child, field, records) in children {
                        self.plant(state, child, records, Some((&field, id)), writer, level + 1, planted)?;
                    }
                }
                Err(error) => planted.errors.push(json!({"referenceId": reference, "errors": [error.row()]})),
            }
        }
        Ok(())
    }

    /// Takes the lists of children out of a record.
    fn take_children(&self, object: usize, record: &mut Map<String, Value>) -> Vec<(usize, String, Vec<Value>)> {
        let schema = self.schema();
        let def = schema.def(object);
        let names: Vec<String> = record.keys().filter(|name| def.child(name).is_some()).cloned().collect();
        let mut out = Vec::new();
        for name in names {
            let Some(child) = def.child(&name) else { continue };
            let Some(no) = self.schema().find(&child.object) else { continue };
            if let Some(Value::Object(mut list)) = record.shift_remove(&name)
                && let Some(Value::Array(records)) = list.get_mut("records").map(Value::take)
            {
                out.push((no, child.field.clone(), records));
            }
        }
        out
    }
}
