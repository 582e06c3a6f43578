//! The list of bookings.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use syncline_store::{BookingFilter, BookingRow, WorkState};

use super::Asked;
use crate::{
    api::{PAGE_DEFAULT, next_before, search},
    page::{self, Frame, Signed, time},
    problem::Problem,
    shared::Shared,
    shown::Shown,
};

/// Characters of a title in a list.
const TITLE_MAX: usize = 120;

/// A booking in a list.
pub(super) struct Line {
    pub(super) href: String,
    pub(super) replay: String,
    pub(super) person: Shown,
    pub(super) title: Shown,
    pub(super) start: Option<String>,
    pub(super) standing: Shown,
    pub(super) work: &'static str,
    pub(super) attempts: u32,
    pub(super) reason: Option<Shown>,
    pub(super) fix: Option<Shown>,
    pub(super) due: Option<String>,
}

impl Line {
    pub(super) fn new(frame: &Frame, row: &BookingRow) -> Self {
        let summary = row.summary.clone().unwrap_or_default();
        let or = |text: &str, otherwise: &str| Shown::short(if text.is_empty() { otherwise } else { text }, TITLE_MAX);
        let path = format!("/bookings/{}", row.chain);
        Self {
            href: frame.href(&path),
            replay: frame.href(&format!("{path}/replay")),
            person: or(&summary.person, "nobody yet"),
            title: or(&summary.title, "without a title"),
            start: summary.start.map(time),
            standing: or(&summary.standing.replace('_', " "), "new"),
            work: match row.work {
                WorkState::Waiting => "waiting",
                WorkState::Leased => "being worked on",
                WorkState::Parked => "parked",
                WorkState::Done => "done",
            },
            attempts: row.attempts,
            reason: row.parked_reason.as_deref().map(Shown::value),
            fix: row.parked_fix.as_deref().map(Shown::value),
            due: row.due_at.filter(|_| row.work == WorkState::Waiting).map(time),
        }
    }
}

#[derive(Template)]
#[template(path = "bookings.html")]
struct List {
    frame: Frame,
    text: Shown,
    parked: bool,
    /// Not everything was asked for.
    sought: bool,
    bookings: Vec<Line>,
    older: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    text: Option<String>,
    parked: Option<String>,
    before: Option<i64>,
}

/// `GET /bookings`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, signed: Signed, Asked(wanted): Asked<Wanted>) -> Response {
    match list(&shared, &signed, wanted).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(problem) => page::problem(problem),
    }
}

async fn list(shared: &Shared, signed: &Signed, wanted: Wanted) -> Result<List, Problem> {
    let text = search(wanted.text)?;
    let parked = wanted.parked.is_some_and(|parked| !parked.is_empty());
    let filter = BookingFilter { parked_only: parked, text: text.clone(), before: wanted.before, limit: PAGE_DEFAULT };
    let rows =
        shared.store().bookings(&signed.workspace, filter).await.map_err(|error| Problem::store(shared, &error))?;
    let frame = signed.frame(shared, "Bookings");
    let text = text.unwrap_or_default();
    let sought = parked || !text.is_empty() || wanted.before.is_some();
    let older = next_before(&rows, PAGE_DEFAULT, |row| row.id).map(|before| {
        frame.href_with(
            "/bookings",
            &[("text", &text), ("parked", if parked { "yes" } else { "" }), ("before", &before.to_string())],
        )
    });
    Ok(List {
        bookings: rows.iter().map(|row| Line::new(&frame, row)).collect(),
        text: Shown::new(&text),
        parked,
        sought,
        older,
        frame,
    })
}
