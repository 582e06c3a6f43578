//! `composite` and `composite/graph`: several requests in one, which may refer to each other's answers.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Answer, Asker, Call, Headers, Payload, params, references, segments};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
};

/// Sub-requests in a composite ("Composite", read 2026-11-21).
const MAX_SUBREQUESTS: usize = 25;
/// Of which queries and collections.
const MAX_QUERIES: usize = 5;
/// Sub-requests in a graph, and graphs in a request ("Composite Graph Limits", read 2026-11-21).
const MAX_NODES: usize = 500;
const MAX_GRAPHS: usize = 75;
/// After so many failed graphs the rest is not tried.
const MAX_FAILED_GRAPHS: usize = 14;

const HALTED: &str = "PROCESSING_HALTED";
const ROLLED_BACK: &str = "The transaction was rolled back since another operation in the same transaction failed.";

struct Sub {
    method: String,
    url: String,
    reference: String,
    /// Its own, where it has any.
    headers: Option<Headers>,
    body: Payload,
}

/// The answers so far, found by their reference ids.
#[derive(Default)]
struct Answers {
    list: Vec<(String, Value, Map<String, Value>, u16)>,
    by_reference: HashMap<String, usize>,
}

impl Answers {
    fn find(&self, reference: &str) -> Option<&Value> {
        let (_, body, _, status) = self.list.get(*self.by_reference.get(reference)?)?;
        (*status < 300).then_some(body)
    }

    fn push(&mut self, reference: String, answer: Answer) -> bool {
        let status = answer.status;
        let headers: Map<String, Value> =
            answer.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        self.by_reference.insert(reference.clone(), self.list.len());
        self.list.push((reference, answer.into_value(), headers, status));
        status < 400
    }

    fn into_json(self) -> Value {
        let shown = |(reference, body, headers, status): (String, Value, Map<String, Value>, u16)| {
            let mut out = Map::with_capacity(4);
            out.insert("body".into(), body);
            out.insert("httpHeaders".into(), Value::Object(headers));
            out.insert("httpStatusCode".into(), status.into());
            out.insert("referenceId".into(), reference.into());
            Value::Object(out)
        };
        self.list.into_iter().map(shown).collect()
    }

    /// Everything that had worked is told as rolled back.
    fn halt(&mut self) {
        for (_, body, headers, status) in &mut self.list {
            if *status < 400 {
                *body = json!([{"errorCode": HALTED, "message": ROLLED_BACK}]);
                *headers = Map::new();
                *status = 400;
            }
        }
    }
}

impl SalesforceOrg {
    pub(super) fn composite(&self, state: &mut State, call: &mut Call<'_>) -> Outcome<Answer> {
        let mut body = call.object()?;
        let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
        let subs = subrequests(body.get_mut("compositeRequest").map(Value::take), MAX_SUBREQUESTS)?;
        let queries = subs.iter().filter(|sub| counts_as_query(&sub.url)).count();
        if queries > MAX_QUERIES {
            let message = format!(
                "The number of query and sObject Collections subrequests ({queries}) exceeds the limit of {MAX_QUERIES}"
            );
            return Err(ApiError::request("LIMIT_EXCEEDED", message));
        }
        state.subrequests += subs.len();
        let mark = state.world.mark();
        let (mut answers, worked) = self.run_subs(state, subs, call.asker, all_or_none);
        if all_or_none && !worked {
            state.world.rollback(mark);
            answers.halt();
        }
        Ok(Answer::ok(json!({"compositeResponse": answers.into_json()})))
    }

    pub(super) fn graphs(&self, state: &mut State, call: &mut Call<'_>) -> Outcome<Answer> {
        let mut body = call.object()?;
        let Some(Value::Array(graphs)) = body.get_mut("graphs").map(Value::take) else {
            return Err(ApiError::request("INVALID_ARGUMENT", "The 'graphs' parameter is required"));
        };
        if graphs.len() > MAX_GRAPHS {
            let message = format!("The number of graphs exceeds the limit of {MAX_GRAPHS}");
            return Err(ApiError::request("LIMIT_EXCEEDED", message));
        }
        let mut shown = Vec::with_capacity(graphs.len());
        let mut failed = 0;
        for mut graph in graphs {
            let id = graph["graphId"].as_str().unwrap_or_default().to_owned();
            let mut subs = subrequests(graph.get_mut("compositeRequest").map(Value::take), MAX_NODES)?;
            // The documentation gives a graph's sub-requests no headers of their own (older editions did): what the call
            // bears holds for them. How an org has it is not known.
            for sub in &mut subs {
                sub.headers.get_or_insert_with(|| Headers {
                    auto_assign: call.headers.auto_assign.clone(),
                    duplicates: call.headers.duplicates,
                    ..Headers::default()
                });
            }
            state.subrequests += subs.len();
            let mark = state.world.mark();
            let (mut answers, worked) = if failed < MAX_FAILED_GRAPHS {
                self.run_subs(state, subs, call.asker, true)
            } else {
                (refused(subs), false)
            };
            if !worked {
                failed += 1;
                state.world.rollback(mark);
                answers.halt();
            }
            shown.push(json!({
                "graphId": id,
                "graphResponse": {"compositeResponse": answers.into_json()},
                "isSuccessful": worked,
            }));
        }
        Ok(Answer::ok(json!({"graphs": shown})))
    }

    /// Runs sub-requests in order; when all must work, the first failure stops the rest.
    fn run_subs(&self, state: &mut State, subs: Vec<Sub>, asker: Asker, stop: bool) -> (Answers, bool) {
        let mut answers = Answers::default();
        let mut worked = true;
        for sub in subs {
            let reference = sub.reference.clone();
            let answer = if stop && !worked {
                halted(ROLLED_BACK.to_owned())
            } else {
                self.run_sub(state, sub, &answers, asker, stop)
            };
            let rows_failed = stop && some_row_failed(&answer);
            worked &= answers.push(reference, answer) && !rows_failed;
        }
        (answers, worked)
    }

    fn run_sub(&self, state: &mut State, mut sub: Sub, answers: &Answers, asker: Asker, strict: bool) -> Answer {
        let find = |reference: &str| answers.find(reference);
        let unresolved = |path: String| {
            let reference = path.split(['.', '[']).next().unwrap_or_default().to_owned();
            halted(format!("Invalid reference specified. No value for {path} found in {reference}"))
        };
        if sub.url.contains("@{") {
            match references::resolve_text(&sub.url, &find) {
                Ok(url) => sub.url = url,
                Err(path) => return unresolved(path),
            }
        }
        if let Payload::Json(body) = &mut sub.body
            && references::has_references(body)
            && let Err(path) = references::resolve_value(body, &find)
        {
            return unresolved(path);
        }
        let Some((version, path, query)) = self.split_url(&sub.url) else {
            return Answer::error(&ApiError::not_found());
        };
        let path = segments(path);
        if matches!(path.first().map(AsRef::as_ref), Some("composite"))
            && path.get(1).is_none_or(|part| part != "sobjects")
        {
            let message = "The requested resource is not supported within a composite request";
            return Answer::error(&ApiError::request("INVALID_ARGUMENT", message));
        }
        let mut given = params(query);
        if strict && path.first().is_some_and(|first| first == "composite") {
            // The outer flag overrides that of a collection within.
            given.retain(|(name, _)| name != "allOrNone");
            given.push(("allOrNone".to_owned(), "true".to_owned()));
            if let Payload::Json(Value::Object(body)) = &mut sub.body {
                body.insert("allOrNone".to_owned(), true.into());
            }
        }
        let mut call = Call {
            method: &sub.method,
            version,
            path,
            params: given,
            headers: sub.headers.unwrap_or_default(),
            body: sub.body,
            asker,
        };
        self.rest(state, &mut call)
    }

    /// `/services/data/vNN.0/rest?query` into version, rest and query.
    pub(super) fn split_url<'u>(&self, url: &'u str) -> Option<(u32, &'u str, &'u str)> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = path.strip_prefix("/services/data/v").or_else(|| path.strip_prefix("services/data/v"))?;
        let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
        Some((self.version(version)?, rest, query))
    }

    /// `64.0` as a number, if the org speaks it.
    pub(in crate::salesforce) fn version(&self, text: &str) -> Option<u32> {
        let number: u32 = text.strip_suffix(".0")?.parse().ok()?;
        (self.config.oldest_version..=self.config.newest_version).contains(&number).then_some(number)
    }
}

/// Whether a collection's answer tells of a row that failed.
fn some_row_failed(answer: &Answer) -> bool {
    match &answer.body {
        super::Content::Json(Value::Array(rows)) => {
            rows.iter().any(|row| row.get("success") == Some(&Value::Bool(false)))
        }
        _ => false,
    }
}

fn halted(message: String) -> Answer {
    Answer::status(400, json!([{"errorCode": HALTED, "message": message}]))
}

fn refused(subs: Vec<Sub>) -> Answers {
    let mut answers = Answers::default();
    for sub in subs {
        answers.push(sub.reference, halted("Too many graphs have failed; this one was not tried.".into()));
    }
    answers
}

fn counts_as_query(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').skip_while(|part| !part.starts_with('v') || !part.ends_with(".0")).skip(1);
    match parts.next() {
        Some("query" | "queryAll") => true,
        Some("composite") => parts.next() == Some("sobjects"),
        _ => false,
    }
}

fn subrequests(list: Option<Value>, limit: usize) -> Outcome<Vec<Sub>> {
    let Some(Value::Array(list)) = list else {
        return Err(ApiError::request("INVALID_ARGUMENT", "The 'compositeRequest' parameter is required"));
    };
    if list.len() > limit {
        let message = format!("The number of subrequests ({}) exceeds the limit of {limit}", list.len());
        return Err(ApiError::request("LIMIT_EXCEEDED", message));
    }
    let mut seen: Vec<String> = Vec::with_capacity(list.len());
    let mut subs = Vec::with_capacity(list.len());
    for entry in list {
        let sub = subrequest(entry)?;
        if seen.iter().any(|known| known.eq_ignore_ascii_case(&sub.reference)) {
            let message = format!("Duplicate ReferenceId provided: {}", sub.reference);
            return Err(ApiError::request("INVALID_ARGUMENT", message));
        }
        seen.push(sub.reference.clone());
        subs.push(sub);
    }
    Ok(subs)
}

fn subrequest(entry: Value) -> Outcome<Sub> {
    let Value::Object(mut entry) = entry else {
        return Err(ApiError::request("JSON_PARSER_ERROR", "a sub-request must be an object"));
    };
    let mut text = |name: &str| match entry.get_mut(name).map(Value::take) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let missing = |name: &str| ApiError::request("INVALID_ARGUMENT", format!("{name} is required on each sub-request"));
    let method = text("method").ok_or_else(|| missing("method"))?.to_ascii_uppercase();
    let url = text("url").ok_or_else(|| missing("url"))?;
    let reference = text("referenceId").ok_or_else(|| missing("referenceId"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if reference.is_empty() || !reference.chars().all(plain) {
        let message = format!(
            "Provided referenceId ('{reference}') must start with a letter or a number, and it can contain only letters, \
             numbers and underscores ('_')."
        );
        return Err(ApiError::request("INVALID_ARGUMENT", message));
    }
    let mut headers = None;
    if let Some(Value::Object(given)) = entry.get("httpHeaders") {
        let headers = headers.insert(Headers::default());
        for (name, value) in given {
            if let Some(value) = value.as_str() {
                headers.note(name, value);
            }
        }
    }
    let body = match entry.get_mut("body").map(Value::take) {
        None | Some(Value::Null) => Payload::None,
        Some(body) => Payload::Json(body),
    };
    Ok(Sub { method, url, reference, headers, body })
}
