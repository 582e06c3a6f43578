//! Query jobs: what a query finds, as lines, page by page.

use base64::Engine;
use serde_json::Value;

use super::{Job, JobState, Work, csv::write, wrong_state};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rest::{Answer, Call},
    soql::{self, Found},
};

/// Lines of a page when nobody says how many.
const PAGE: usize = 50_000;

impl SalesforceOrg {
    /// The object that a query is about, if it is one that can be asked in bulk.
    pub(super) fn bulk_object(&self, state: &State, call: &Call<'_>, soql: &str, deleted: bool) -> Outcome<String> {
        let found = ask(state, soql, call.asker.user, call.asker.now, deleted)?;
        let unsupported = |what: &str| {
            let message = format!("{what} not supported in Bulk V2 Query with CSV content type");
            Err(ApiError::request("API_ERROR", message))
        };
        let Found::Rows(rows, _) = found else { return unsupported("Aggregate Relationships") };
        if rows.node.columns(&state.world, rows.object).is_none() {
            return unsupported("Child Relationships");
        }
        Ok(state.world.def(rows.object).name.clone())
    }

    pub(super) fn run_query(&self, state: &mut State, job: &mut Job, at: i64) {
        let Work::Query { soql, deleted } = &job.work else { return };
        let found = match ask(state, soql, job.user, at, *deleted) {
            Ok(Found::Rows(rows, slots)) => Some((rows, slots)),
            _ => None,
        };
        let columns = found.as_ref().and_then(|(rows, _)| rows.node.columns(&state.world, rows.object));
        let (Some((rows, slots)), Some(columns)) = (found, columns) else {
            // The schema changed since the job was made.
            job.state = JobState::Failed;
            job.error = Some("the query failed".into());
            return;
        };
        for slot in slots {
            let Some(row) = state.world.row(rows.object, slot) else { continue };
            let shown = rows.node.show(&state.world, rows.object, row, job.version);
            job.rows.push(columns.iter().map(|path| cell(&shown, path)).collect());
        }
        job.columns = columns;
        job.processed = job.rows.len();
        job.state = JobState::JobComplete;
    }
}

fn ask(state: &State, soql: &str, user: Id, now: i64, deleted: bool) -> Outcome<Found> {
    soql::query(&state.world, soql, soql::Asker { user, now, all_rows: deleted, tooling: false })
}

/// The value at a path such as `Account.Name`; times end in Z here.
fn cell(record: &Value, path: &str) -> String {
    let value = path.split('.').try_fold(record, |value, name| value.get(name));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => match text.strip_suffix(".000+0000") {
            Some(time) if time.len() == "2026-05-06T12:00:00".len() => format!("{time}.000Z"),
            _ => text.clone(),
        },
        Some(other) => other.to_string(),
    }
}

/// A page of lines; `Sforce-Locator` says where the next one begins.
pub(super) fn results(job: &Job, call: &Call<'_>) -> Outcome<Answer> {
    if job.state != JobState::JobComplete {
        return Err(wrong_state(job, "it has no results"));
    }
    let from = match call.param("locator") {
        None => 0,
        Some(locator) => {
            place(locator).ok_or_else(|| ApiError::request("INVALID_QUERY_LOCATOR", "invalid query locator"))?
        }
    };
    let page = call.param("maxRecords").and_then(|count| count.parse().ok()).unwrap_or(PAGE).max(1);
    let until = from.saturating_add(page).min(job.rows.len());
    let rows = job.rows.get(from..until).unwrap_or_default();
    let mut out = String::new();
    write(&mut out, job.columns.iter().map(String::as_str), job.delimiter, job.ending);
    for row in rows {
        write(&mut out, row.iter().map(String::as_str), job.delimiter, job.ending);
    }
    let next = if until < job.rows.len() { locator(until) } else { "null".to_owned() };
    Ok(super::csv(out).with("Sforce-Locator", next).with("Sforce-NumberOfRecords", rows.len().to_string()))
}

fn locator(place: usize) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(place.to_string())
}

fn place(locator: &str) -> Option<usize> {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(locator).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}
