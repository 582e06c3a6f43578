//! Search: `parameterizedSearch` by names and addresses. SOSL's own language is refused.
//!
//! The real index lags behind writes; this one does not, which is why nobody should use it to look for duplicates.

use serde_json::{Map, Value, json};

use super::{Answer, Call, Payload};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    schema::Kind,
    world::Val,
};

/// Rows in a search answer ("Search Result", read 2026-11-21).
const MAX_FOUND: usize = 2_000;
/// The shortest term that is searched for.
const MIN_TERM: usize = 2;

impl SalesforceOrg {
    pub(super) fn search(&self, _state: &State, call: &Call<'_>) -> Outcome<Answer> {
        let text = call.param("q").unwrap_or_default();
        if !text.contains('{') {
            let message = "No search term found. The search term must be enclosed in braces.";
            return Err(ApiError::request("MALFORMED_SEARCH", message));
        }
        Err(ApiError::request("MALFORMED_SEARCH", "SOSL is not supported by this sandbox; use parameterizedSearch"))
    }

    pub(super) fn parameterized_search(&self, state: &State, call: &Call<'_>) -> Outcome<Answer> {
        let (term, objects) = match &call.body {
            Payload::Json(Value::Object(body)) => {
                let named = body.get("sobjects").and_then(Value::as_array).into_iter().flatten();
                let names = named.filter_map(|one| one["name"].as_str().or(one.as_str())).map(str::to_owned).collect();
                (body.get("q").and_then(Value::as_str).unwrap_or_default().to_owned(), names)
            }
            _ => {
                let names: Vec<String> = call
                    .params
                    .iter()
                    .filter(|(key, _)| key == "sObject" || key == "sobject")
                    .map(|(_, name)| name.clone())
                    .collect();
                (call.param("q").unwrap_or_default().to_owned(), names)
            }
        };
        let term = term.trim().trim_matches('*').to_lowercase();
        if term.chars().count() < MIN_TERM {
            return Err(ApiError::request("INVALID_SEARCH", "search term must be longer than one character"));
        }
        let mut found = Vec::new();
        for name in objects {
            let object = self
                .schema()
                .find(&name)
                .ok_or_else(|| ApiError::request("INVALID_TYPE", format!("sObject type '{name}' is not supported.")))?;
            self.search_object(state, call.version, object, &term, &mut found);
        }
        Ok(Answer::ok(json!({"searchRecords": found})))
    }

    fn search_object(&self, state: &State, version: u32, object: usize, term: &str, found: &mut Vec<Value>) {
        let schema = self.schema();
        let def = schema.def(object);
        let searched = |no: &u16| {
            let field = def.field(*no);
            field.kind == Kind::Email || Some(*no) == def.name_field || field.name.ends_with("Phone")
        };
        let fields: Vec<u16> = (0..).take(def.fields.len()).filter(searched).collect();
        for (_, row) in state.world.table(object).rows().filter(|(_, row)| !row.deleted) {
            if found.len() >= MAX_FOUND {
                return;
            }
            let hit = |no: &u16| {
                row.stored(*no).and_then(Val::as_text).is_some_and(|text| text.to_lowercase().contains(term))
            };
            if fields.iter().any(hit) {
                let url = format!("/services/data/v{version}.0/sobjects/{}/{}", def.name, row.id.as_str());
                let mut out = Map::new();
                out.insert("attributes".into(), json!({"type": def.name, "url": url}));
                out.insert("Id".into(), row.id.as_str().into());
                found.push(Value::Object(out));
            }
        }
    }
}
