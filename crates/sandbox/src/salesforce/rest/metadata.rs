//! Describes, basic information and lists of resources. Tags change with the schema.

use serde_json::{Map, Value, json};

use super::{Answer, Call, Content};
use crate::salesforce::{SalesforceOrg, Shape, State, error::Outcome, schema::basic, time};

/// Releases by their REST version: three a year, v31.0 was Summer '14.
const FIRST_KNOWN: u32 = 31;
const FIRST_YEAR: u32 = 14;
/// Recently used records in the basic information of an object.
const RECENT: usize = 5;

/// `Summer '14` for 31, and so on.
fn release(version: u32) -> String {
    let since = version.saturating_sub(FIRST_KNOWN);
    let (season, year) = match since % 3 {
        0 => ("Summer", FIRST_YEAR + since / 3),
        1 => ("Winter", FIRST_YEAR + since / 3 + 1),
        _ => ("Spring", FIRST_YEAR + since / 3 + 1),
    };
    format!("{season} '{year:02}")
}

impl SalesforceOrg {
    /// `GET /services/data`, which needs no session.
    pub(in crate::salesforce) fn versions(&self) -> Value {
        let known = self.config.oldest_version..=self.config.newest_version;
        let version =
            |v: u32| json!({"label": release(v), "url": format!("/services/data/v{v}.0"), "version": format!("{v}.0")});
        known.map(version).collect()
    }

    pub(super) fn describe_global(&self, call: &Call<'_>) -> Outcome<Answer> {
        let shape = self.shape();
        Ok(unchanged(&shape, call)
            .unwrap_or_else(|| tagged(&shape, Answer::ok(shape.describes.global(&shape.schema, call.version)))))
    }

    pub(super) fn describe(&self, call: &Call<'_>, object: usize) -> Answer {
        let shape = self.shape();
        unchanged(&shape, call).unwrap_or_else(|| {
            let shown = shape.describes.full(&shape.schema, object, call.version, &self.base());
            tagged(&shape, Answer { status: 200, body: Content::Shared(shown), headers: Vec::new() })
        })
    }

    pub(super) fn basic(&self, state: &State, call: &Call<'_>, object: usize) -> Outcome<Answer> {
        let schema = self.schema();
        let def = schema.def(object);
        let recent = recent(state, call.version, object, RECENT);
        Ok(Answer::ok(json!({"objectDescribe": basic(def, call.version), "recentItems": recent})))
    }

    pub(super) fn recent(&self, state: &State, call: &Call<'_>) -> Answer {
        const SHOWN: usize = 200;
        let limit = call.param("limit").and_then(|limit| limit.parse().ok()).unwrap_or(SHOWN).min(SHOWN);
        let objects = ["Account", "Contact", "Lead", "Opportunity", "Case", "User"];
        let mut all: Vec<Value> = Vec::new();
        for object in objects.iter().filter_map(|name| self.schema().find(name)) {
            all.extend(recent(state, call.version, object, limit.saturating_sub(all.len())));
        }
        Answer::ok(Value::Array(all))
    }
}

fn tagged(shape: &Shape, answer: Answer) -> Answer {
    answer.with("ETag", shape.tag.clone()).with("Last-Modified", time::http_date(shape.since))
}

/// `304`, when the client's copy is still good.
fn unchanged(shape: &Shape, call: &Call<'_>) -> Option<Answer> {
    let headers = &call.headers;
    let same = headers.if_none_match.as_deref().is_some_and(|tags| tags.contains(shape.tag.trim_matches('"')));
    let fresh = headers.if_modified_since.is_some_and(|since| shape.since <= since);
    (same || (headers.if_none_match.is_none() && fresh)).then(|| tagged(shape, Answer::empty(304)))
}

/// The records changed last.
fn recent(state: &State, version: u32, object: usize, limit: usize) -> Vec<Value> {
    let def = state.world.def(object);
    let latest = state.world.table(object).stamped(i64::MIN, i64::MAX).rev();
    let shown = latest.filter_map(|(_, slot)| {
        let row = state.world.row(object, slot).filter(|row| !row.deleted)?;
        let mut out = Map::new();
        let url = format!("/services/data/v{version}.0/sobjects/{}/{}", def.name, row.id.as_str());
        out.insert("attributes".into(), json!({"type": def.name, "url": url}));
        out.insert("Id".into(), row.id.as_str().into());
        if let Some(no) = def.name_field {
            let name = row.read(def, no).map_or(Value::Null, |value| value.to_json());
            out.insert(def.field(no).name.clone(), name);
        }
        Some(Value::Object(out))
    });
    shown.take(limit).collect()
}

/// `GET /services/data/vNN.0`
pub(super) fn resources(version: u32, identity: String) -> Answer {
    let base = format!("/services/data/v{version}.0");
    let mut out = Map::new();
    for name in ["sobjects", "query", "queryAll", "composite", "limits", "recent", "search", "parameterizedSearch"] {
        out.insert(name.into(), format!("{base}/{name}").into());
    }
    out.insert("identity".into(), identity.into());
    Answer::ok(Value::Object(out))
}

/// `GET …/composite`
pub(super) fn composite_resources(version: u32) -> Answer {
    let base = format!("/services/data/v{version}.0/composite");
    Answer::ok(json!({"tree": format!("{base}/tree"), "batch": format!("{base}/batch"),
        "sobjects": format!("{base}/sobjects"), "graph": format!("{base}/graph")}))
}
