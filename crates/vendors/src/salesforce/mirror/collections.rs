//! Writing up to a thousand rows with one call: five collections of two hundred rows in a composite, each row done or
//! refused by itself.

use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error,
    mirror::{KindSpec, RowOutcome, RowWrite, Written},
};

use super::{
    known,
    refusal::{Drawn, OP, draw, unknown},
};
use crate::salesforce::{
    api::{self, jobs::Operation},
    classify,
    find::QUERIES_PER_CALL,
    settings::{Assignment, Org},
    wire::{CompositeAnswer, SubRequest, error_rows},
};

/// Rows of one collection.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm>,
/// read 2026-11.
const ROWS_PER_COLLECTION: usize = 200;

/// Of a composite's sub-requests five may be collections, as five may be queries.
pub const ROWS_PER_CALL: usize = ROWS_PER_COLLECTION * QUERIES_PER_CALL;

/// Writes the rows, in one call where they are no more than [`ROWS_PER_CALL`] of one sort.
pub async fn write(cx: &Cx<'_>, kind: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let kind = known(OP, kind)?;
    let mut outcomes: Vec<Option<RowOutcome>> = vec![None; rows.len()];
    let mut drawn = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        match draw(&org, kind, at, row) {
            Ok(row) => drawn.push(row),
            Err(error) => outcomes[at] = Some(RowOutcome::Refused(error)),
        }
    }
    let collections = collections(drawn);
    let (mut calls, mut usage) = (0, None);
    for part in collections.chunks(QUERIES_PER_CALL) {
        let requests = part.iter().enumerate().map(|(at, rows)| request(&org, kind, at, rows));
        let answer = match api::composite_write(cx, &org, requests.collect()).await {
            // Nothing was sent before: nothing of the whole was done.
            Err(error) if calls == 0 => return Err(error),
            answer => answer,
        };
        calls += 1;
        let told: Vec<(usize, RowOutcome)> = match answer {
            Ok(api::Written::Answer { answer, usage: used }) => {
                usage = used.or(usage);
                part.iter().enumerate().flat_map(|(at, rows)| outcomes_of(&org, at, rows, &answer)).collect()
            }
            Ok(api::Written::Unknown { reason, usage: used }) => {
                usage = used.or(usage);
                let outcome = unknown(format!("whether it was applied is unknown: {reason}"));
                part.iter().flatten().map(|row| (row.at, outcome.clone())).collect()
            }
            Err(error) => part.iter().flatten().map(|row| (row.at, RowOutcome::Refused(error.clone()))).collect(),
        };
        for (at, outcome) in told {
            outcomes[at] = Some(outcome);
        }
    }
    let rows = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| unknown("the answer lacks the row")));
    Ok(Answered { value: Written::Rows(rows.collect()), calls, usage })
}

/// Rows of one operation together, and within it those that hang on the same record: two that are written at the same
/// time wait for each other's lock on it.
fn collections(mut rows: Vec<Drawn>) -> Vec<Vec<Drawn>> {
    rows.sort_by(|one, two| (one.operation, one.parent(), one.at).cmp(&(two.operation, two.parent(), two.at)));
    let mut collections: Vec<Vec<Drawn>> = Vec::new();
    for row in rows {
        match collections.last_mut() {
            Some(open) if open.len() < ROWS_PER_COLLECTION && open[0].operation == row.operation => open.push(row),
            _ => collections.push(vec![row]),
        }
    }
    collections
}

fn request(org: &Org, kind: &KindSpec, at: usize, rows: &[Drawn]) -> SubRequest {
    let resource = format!("{}/composite/sobjects", org.root());
    let operation = rows.first().map_or(Operation::Update, |row| row.operation);
    let (method, url) = match operation {
        Operation::Update => ("PATCH", resource),
        Operation::Upsert => ("PATCH", format!("{resource}/{}/{}", kind.name, org.key_field)),
        Operation::Delete => {
            let ids: Vec<&str> = rows.iter().map(|row| row.identity.as_str()).collect();
            ("DELETE", format!("{resource}?ids={}&allOrNone=false", ids.join(",")))
        }
    };
    let body = (operation != Operation::Delete).then(|| {
        let records: Vec<Json> = rows.iter().map(|row| record(org, kind, row)).collect();
        let mut body = Map::new();
        body.insert("allOrNone".to_owned(), false.into());
        body.insert("records".to_owned(), records.into());
        body
    });
    let assigned = operation == Operation::Upsert && org.assignment != Assignment::Off;
    let http_headers = Some(api::sub_headers(org, assigned));
    SubRequest { method, url, reference_id: reference(at), http_headers, body }
}

fn record(org: &Org, kind: &KindSpec, row: &Drawn) -> Json {
    let mut record = Map::new();
    record.insert("attributes".to_owned(), json!({ "type": kind.name }));
    let name = if row.operation == Operation::Upsert { org.key_field.as_str() } else { "id" };
    record.insert(name.to_owned(), row.identity.as_str().into());
    record.extend(row.body().clone());
    record.into()
}

/// What became of one collection's rows.
fn outcomes_of(org: &Org, at: usize, rows: &[Drawn], answer: &CompositeAnswer) -> Vec<(usize, RowOutcome)> {
    let reference = reference(at);
    let of_all = |outcome: &dyn Fn(&Drawn) -> RowOutcome| rows.iter().map(|row| (row.at, outcome(row))).collect();
    let Some(answer) = answer.composite_response.iter().find(|answer| answer.reference_id == reference) else {
        return of_all(&|_| unknown("the answer does not say what became of the rows"));
    };
    match (answer.http_status_code, &answer.body) {
        (200, Json::Array(results)) if results.len() == rows.len() => {
            rows.iter().zip(results).map(|(row, result)| (row.at, outcome(org, row, result))).collect()
        }
        (200..=299, _) => of_all(&|_| unknown("the answer does not say what became of each row")),
        (500 | 502 | 504.., _) => of_all(&|_| unknown("the server failed while it wrote the rows")),
        // The collection as a whole was not taken up.
        (status, body) if error_rows(body).is_empty() => {
            let error = classify::error(OP, classify::class_of_status(status), None);
            of_all(&|_| RowOutcome::Refused(error.clone()))
        }
        (_, body) => of_all(&|row| row.refused(org, body.clone())),
    }
}

fn outcome(org: &Org, row: &Drawn, result: &Json) -> RowOutcome {
    match (result.get("success").and_then(Json::as_bool), result.get("errors")) {
        (Some(true), _) => row.done(result.get("id").and_then(Json::as_str)),
        (Some(false), Some(errors)) if !error_rows(errors).is_empty() => row.refused(org, errors.clone()),
        _ => unknown("the answer does not say what became of the row"),
    }
}

fn reference(at: usize) -> String {
    format!("c{at}")
}
