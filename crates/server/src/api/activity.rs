//! `GET /api/v1/activity`, and the search through the log that the pages use as well.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value as Json;
use syncline_core::ids::{ChainId, IntegrationId, WorkspaceId};
use syncline_store::{ActivityFilter, ActivityRow};
use utoipa::IntoParams;

use super::{
    Answer, Asked,
    access::Admin,
    kind,
    model::{Activity, ActivityPage},
    next_before, page_size, search, workspace,
};
use crate::{
    problem::{Problem, ProblemBody},
    shared::Shared,
};

/// Which lines are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// Only lines about this booking.
    booking: Option<String>,
    integration: Option<String>,
    /// Only lines of this kind.
    kind: Option<String>,
    /// Only lines that have this text, in their sentence or behind it.
    #[param(max_length = 200)]
    text: Option<String>,
    /// Only lines that name this record by the vendor's id of it.
    #[param(max_length = 200)]
    record: Option<String>,
    /// Only lines older than this one.
    before: Option<i64>,
    /// Lines of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// The activity log: what was written where, and why.
#[utoipa::path(get, path = "/api/v1/activity", tag = "activity", params(Wanted), security(("admin" = [])), responses(
    (status = 200, body = ActivityPage),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(wanted): Asked<Wanted>,
) -> Answer<ActivityPage> {
    let workspace = workspace(&shared, wanted.workspace.as_deref())?;
    let limit = page_size(wanted.limit)?;
    let filter = ActivityFilter {
        chain: wanted.booking.map(ChainId::new),
        integration: wanted.integration.map(IntegrationId::new),
        kind: kind(wanted.kind.as_deref())?,
        before: wanted.before,
        limit,
    };
    let (text, record) = (search(wanted.text)?, search(wanted.record)?);
    let sought = Sought { text: text.map(|text| text.to_lowercase()), record };
    let (rows, next_before) = find(&shared, workspace, filter, &sought).await?;
    Ok(axum::Json(ActivityPage { activity: rows.into_iter().map(Activity::from).collect(), next_before }))
}

/// Stored pages that one search looks through before it stops and lets the caller go on.
const SEARCH_PAGES_MAX: usize = 10;

/// What lines are searched for.
#[derive(Debug, Default)]
pub(crate) struct Sought {
    /// In lower case.
    pub(crate) text: Option<String>,
    /// A record, by its name as a word of its own.
    pub(crate) record: Option<String>,
}

impl Sought {
    fn is_all(&self) -> bool {
        self.text.is_none() && self.record.is_none()
    }

    fn is_met(&self, row: &ActivityRow) -> bool {
        self.text.as_deref().is_none_or(|text| mentions(row, text))
            && self.record.as_deref().is_none_or(|record| names(row, record))
    }
}

/// The lines that pass the filter and are sought, and where to go on.
pub(crate) async fn find(
    shared: &Shared,
    workspace: &WorkspaceId,
    mut filter: ActivityFilter,
    sought: &Sought,
) -> Result<(Vec<ActivityRow>, Option<i64>), Problem> {
    let limit = filter.limit;
    let mut found: Vec<ActivityRow> = Vec::new();
    for _ in 0..SEARCH_PAGES_MAX {
        let rows =
            shared.store().activity(workspace, filter.clone()).await.map_err(|error| Problem::store(shared, &error))?;
        filter.before = next_before(&rows, limit, |row| row.id);
        for row in rows {
            if found.len() >= limit {
                // The page is full; the next one begins behind its last line.
                let last = found.last().map(|row| row.id);
                return Ok((found, last));
            }
            if sought.is_met(&row) {
                found.push(row);
            }
        }
        if filter.before.is_none() || sought.is_all() {
            break;
        }
    }
    Ok((found, filter.before))
}

/// Whether the line or anything behind it has the text; `text` is in lower case.
fn mentions(row: &ActivityRow, text: &str) -> bool {
    row.entry.text.to_lowercase().contains(text)
        || row.chain.as_ref().is_some_and(|chain| chain.as_str() == text)
        || says(&row.entry.details, text)
}

/// Whether the line names the record: as a word of its sentence, or as a value behind it.
fn names(row: &ActivityRow, record: &str) -> bool {
    let mut words = row.entry.text.split(|c: char| c.is_whitespace() || ",;:()".contains(c));
    words.any(|word| word == record) || holds(&row.entry.details, record)
}

fn holds(details: &Json, record: &str) -> bool {
    match details {
        Json::String(said) => said == record,
        Json::Array(list) => list.iter().any(|one| holds(one, record)),
        Json::Object(map) => map.values().any(|one| holds(one, record)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn says(details: &Json, text: &str) -> bool {
    match details {
        Json::String(said) => said.to_lowercase().contains(text),
        Json::Array(list) => list.iter().any(|one| says(one, text)),
        Json::Object(map) => map.values().any(|one| says(one, text)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
