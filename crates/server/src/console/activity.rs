//! The activity log, line by line.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::Value as Json;
use syncline_core::ids::IntegrationId;
use syncline_store::{ActivityFilter, ActivityRow, JournalKind};

use super::Asked;
use crate::{
    api::{
        KINDS, PAGE_DEFAULT,
        activity::{Sought, find},
        kind, search,
    },
    page::{self, Frame, Signed, time},
    problem::Problem,
    shared::Shared,
    shown::{Shown, link},
};

/// A line of the log with all that is behind it.
pub(super) struct Entry {
    pub(super) at: String,
    pub(super) kind: &'static str,
    pub(super) text: Shown,
    pub(super) href: Option<String>,
    pub(super) records: Vec<Written>,
    /// Fields of records in step: what they hold now, and what stood there before.
    pub(super) changes: Vec<Changed>,
    /// Reasons: which rule matched, what was left out.
    pub(super) notes: Vec<Shown>,
    pub(super) error: Option<Shown>,
    pub(super) calls: Option<String>,
}

/// A record that was written.
pub(super) struct Written {
    pub(super) role: Shown,
    pub(super) id: Shown,
    pub(super) action: Shown,
    pub(super) fields: Vec<(Shown, FieldValue)>,
}

/// A field that was told something, or over which two sides differed.
pub(super) struct Changed {
    pub(super) field: Shown,
    pub(super) value: Shown,
    /// What stood there, or what the other side held and lost.
    pub(super) before: Option<Shown>,
}

/// A value, with a link where it is a safe one.
pub(super) struct FieldValue {
    pub(super) text: Shown,
    pub(super) link: Option<String>,
}

impl Entry {
    pub(super) fn new(frame: &Frame, row: &ActivityRow) -> Self {
        let details = &row.entry.details;
        let list = |name: &str| details[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let notes = list("notes").iter().filter_map(|note| note["text"].as_str().or(note.as_str()));
        Self {
            at: time(row.entry.at),
            kind: row.entry.kind.as_str(),
            text: Shown::value(&row.entry.text),
            href: row.chain.as_ref().map(|chain| frame.href(&format!("/bookings/{chain}"))),
            records: list("records").iter().map(written).collect(),
            changes: list("fields").iter().filter_map(changed).chain(conflict(details)).collect(),
            notes: notes.map(Shown::value).collect(),
            error: error(details),
            calls: details["calls"].as_f64().map(calls),
        }
    }
}

fn changed(field: &Json) -> Option<Changed> {
    let name = Shown::value(field["field"].as_str()?);
    let before = field.get("from").filter(|before| !before.is_null());
    Some(Changed {
        field: name,
        value: Shown::value(&plain(&field["to"])),
        before: before.map(|text| Shown::value(&plain(text))),
    })
}

/// The field over which two sides differed, as the side names it that won.
fn conflict(details: &Json) -> Option<Changed> {
    let (won, lost) = match details["winner"].as_str()? {
        "left" => (&details["left"], &details["right"]),
        _ => (&details["right"], &details["left"]),
    };
    Some(Changed {
        field: Shown::value(won["field"].as_str()?),
        value: Shown::value(&plain(&won["value"])),
        before: Some(Shown::value(&plain(&lost["value"]))),
    })
}

/// A value as text.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "(empty)".to_owned(),
        other => other.to_string(),
    }
}

fn written(record: &Json) -> Written {
    let word = |name: &str| Shown::value(record[name].as_str().unwrap_or_default());
    let fields = record["fields"].as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| {
        let text = plain(value);
        // The mark of a vendor's own field is ours, not the reader's.
        (Shown::value(name.trim_start_matches('@')), FieldValue { link: link(&text), text: Shown::value(&text) })
    });
    Written { role: word("role"), id: word("id"), action: word("action"), fields: fields.collect() }
}

fn error(details: &Json) -> Option<Shown> {
    let text = |name: &str| details[name].as_str().map(str::to_owned);
    let mut error = text("error")?;
    if let Some(code) = text("code") {
        error = format!("{code}: {error}");
    }
    if let Some(record) = text("record") {
        error = format!("{error} (record: {record})");
    }
    let fields: Vec<&str> = details["fields"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if !fields.is_empty() {
        error = format!("{error} (fields: {})", fields.join(", "));
    }
    Some(Shown::value(&error))
}

/// Calls are shared between bookings, so that one may cost a part of a call.
fn calls(count: f64) -> String {
    let text = format!("{count:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[derive(Template)]
#[template(path = "activity.html")]
struct Log {
    frame: Frame,
    kinds: Vec<(&'static str, bool)>,
    text: Shown,
    /// The only one whose lines are shown.
    integration: Option<Shown>,
    /// Not everything was asked for.
    sought: bool,
    entries: Vec<Entry>,
    older: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    kind: Option<String>,
    text: Option<String>,
    integration: Option<String>,
    before: Option<i64>,
}

/// `GET /activity`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, signed: Signed, Asked(wanted): Asked<Wanted>) -> Response {
    match log(&shared, &signed, wanted).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(problem) => page::problem(problem),
    }
}

async fn log(shared: &Shared, signed: &Signed, wanted: Wanted) -> Result<Log, Problem> {
    let chosen = kind(wanted.kind.as_deref())?;
    let text = search(wanted.text)?;
    let integration = wanted.integration.filter(|name| !name.is_empty());
    let filter = ActivityFilter {
        kind: chosen,
        integration: integration.clone().map(IntegrationId::new),
        before: wanted.before,
        limit: PAGE_DEFAULT,
        ..ActivityFilter::default()
    };
    let sought = Sought { text: text.as_deref().map(str::to_lowercase), record: None };
    let (found, before) = find(shared, &signed.workspace, filter, &sought).await?;
    let frame = signed.frame(shared, "Activity");
    let (kind, text) = (chosen.map(JournalKind::as_str).unwrap_or_default(), text.unwrap_or_default());
    let sought = !kind.is_empty() || !text.is_empty() || integration.is_some() || wanted.before.is_some();
    let only = integration.as_deref().map(Shown::new);
    let integration = integration.unwrap_or_default();
    let older = before.map(|before| {
        let before = before.to_string();
        frame.href_with(
            "/activity",
            &[("kind", kind), ("text", &text), ("integration", &integration), ("before", &before)],
        )
    });
    Ok(Log {
        kinds: KINDS.into_iter().map(|kind| (kind.as_str(), Some(kind) == chosen)).collect(),
        text: Shown::new(&text),
        integration: only,
        sought,
        entries: found.iter().map(|row| Entry::new(&frame, row)).collect(),
        older,
        frame,
    })
}
