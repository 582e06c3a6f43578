//! What a program outside may have done to the org: the same as [`SalesforceOrg`]'s own methods, as JSON.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::salesforce::{LeadConversion, RuleSet, SalesforceOrg, SchemaChange, reply};

/// The paths of these actions.
const ACTIONS: [&str; 11] =
    ["rules", "schema", "convert-lead", "merge", "edit", "delete", "undelete", "purge", "hide", "show", "events"];

pub(super) fn is_one(path: &str) -> bool {
    ACTIONS.contains(&path)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    id: String,
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    master: String,
    losers: Vec<String>,
    #[serde(default)]
    fields: Map<String, Value>,
}

/// What happens to change events; exactly one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Events {
    Gap { object: String, change: String, ids: Vec<String> },
    Forget {},
    Break {},
    SignOfLife {},
}

impl SalesforceOrg {
    /// Does it, and answers what came of it; 400 with a sentence when it could not be done.
    pub(super) fn act(&self, action: &str, body: &Bytes) -> Response<Bytes> {
        match self.done(action, body) {
            Ok(Value::Null) => reply::empty(204),
            Ok(value) => reply::json(200, &value),
            Err(error) => reply::json(400, &json!({"error": error})),
        }
    }

    fn done(&self, action: &str, body: &Bytes) -> Result<Value, String> {
        let nothing = |()| Value::Null;
        match action {
            "rules" => self.set_rules(read::<RuleSet>(body)?).map(nothing),
            "schema" => self.change_schema(&read::<SchemaChange>(body)?).map(nothing),
            "convert-lead" => self.convert_lead(&read::<LeadConversion>(body)?).map(|became| json!(became)),
            "merge" => {
                let asked: Merge = read(body)?;
                let losers: Vec<&str> = asked.losers.iter().map(String::as_str).collect();
                self.merge(&asked.master, &losers, &asked.fields).map(nothing)
            }
            "edit" => {
                let asked: Edit = read(body)?;
                self.edit(&asked.id, &asked.fields).map(nothing)
            }
            "delete" => self.delete(&read::<One>(body)?.id).map(nothing),
            "undelete" => self.undelete(&read::<One>(body)?.id).map(nothing),
            "events" => {
                let done = match read::<Events>(body)? {
                    Events::Gap { object, change, ids } => {
                        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                        self.announce_gap(&object, &change, &ids)
                    }
                    Events::Forget {} => self.forget_events(),
                    Events::Break {} => self.break_streams(),
                    Events::SignOfLife {} => self.sign_of_life(),
                };
                done.map(nothing)
            }
            "purge" => self.purge(&read::<One>(body)?.id).map(nothing),
            "hide" => self.hide(&read::<One>(body)?.id, true).map(nothing),
            _ => self.hide(&read::<One>(body)?.id, false).map(nothing),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
