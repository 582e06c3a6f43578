//! One booking: what it is in the CRM now, and how it came to be that, record by record.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use syncline_core::ids::ChainId;
use syncline_store::{BookingDetail, InboxRow, InboxState};

use super::{activity::Entry, bookings::Line};
use crate::{
    page::{self, Frame, Signed, time},
    problem::{Code, Problem},
    shared::Shared,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "booking.html")]
struct History {
    frame: Frame,
    chain: Shown,
    line: Line,
    integration: Shown,
    source: Shown,
    records: Vec<Record>,
    entries: Vec<Entry>,
    messages: Vec<Message>,
}

struct Record {
    slot: String,
    role: &'static str,
    id: Shown,
    ours: bool,
}

struct Message {
    at: String,
    kinds: Shown,
    state: &'static str,
    reason: Option<Shown>,
}

/// `GET /bookings/{chain}`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, signed: Signed, Path(chain): Path<String>) -> Response {
    match shared.store().booking(&signed.workspace, &ChainId::new(chain)).await {
        Ok(Some(detail)) => page::html(StatusCode::OK, &history(&shared, &signed, &detail)),
        Ok(None) => page::problem(Problem::new(Code::NotFound)),
        Err(error) => page::problem(Problem::store(&shared, &error)),
    }
}

fn history(shared: &Shared, signed: &Signed, detail: &BookingDetail) -> History {
    let mut frame = signed.frame(shared, "");
    let line = Line::new(&frame, &detail.row);
    frame.title = format!("{}: {}", line.person, line.title);
    let records = detail.links.iter().map(|(slot, link)| Record {
        slot: slot.to_string(),
        role: link.role.as_str(),
        id: Shown::value(link.id.as_str()),
        ours: link.key.is_some(),
    });
    History {
        chain: Shown::new(detail.row.chain.as_str()),
        integration: Shown::new(detail.row.integration.as_str()),
        source: Shown::new(detail.row.source.as_str()),
        records: records.collect(),
        // All of them are about this booking: none leads away.
        entries: detail.journal.iter().map(|row| Entry { href: None, ..Entry::new(&frame, row) }).collect(),
        messages: detail.messages.iter().map(message).collect(),
        line,
        frame,
    }
}

fn message(row: &InboxRow) -> Message {
    Message {
        at: time(row.received),
        kinds: Shown::value(&row.kinds.join(", ").replace('_', " ")),
        state: match row.state {
            InboxState::New => "new",
            InboxState::Folded => "read",
            InboxState::Ignored => "ignored",
            InboxState::Parked => "could not be read",
        },
        reason: row.reason.as_deref().map(Shown::value),
    }
}
