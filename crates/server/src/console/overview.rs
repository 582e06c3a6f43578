//! The first page: how much waits, which connections work, what needs a person.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use syncline_engine::GrantKind;
use syncline_store::{BookingFilter, ConnectionRow, Counts, InboxRow};

use super::{bookings::Line, calendars, integrations};
use crate::{
    api::model::Health,
    page::{self, Frame, Signed, time},
    problem::Problem,
    shared::Shared,
    shown::Shown,
};

/// Parked bookings and messages on the first page; the lists have the rest.
const PARKED_SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    counts: Counts,
    oldest: Option<String>,
    connections: Vec<Account>,
    sources: Vec<Source>,
    parked: Vec<Line>,
    more_parked: bool,
    messages: Vec<Unread>,
    /// Integrations that hold something back: their names, their pages, and of how much.
    held: Vec<(Shown, String, u64)>,
    records: Vec<integrations::Standing>,
    calendars: Vec<calendars::Standing>,
}

struct Account {
    id: Shown,
    vendor: &'static str,
    health: &'static str,
    well: bool,
    reason: Option<Shown>,
    account: Option<Shown>,
    /// Calls used and allowed, and how many of a hundred.
    api: Option<(i64, i64, i64)>,
    connect: Option<String>,
    disconnect: Option<String>,
}

struct Source {
    id: Shown,
    vendor: &'static str,
}

struct Unread {
    at: String,
    source: Shown,
    reason: Shown,
    replay: String,
}

/// `GET /`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, signed: Signed) -> Response {
    match overview(&shared, &signed).await {
        Ok(page) => page::html(StatusCode::OK, &page),
        Err(error) => page::problem(Problem::store(&shared, &error)),
    }
}

async fn overview(shared: &Shared, signed: &Signed) -> syncline_store::Result<Overview> {
    let (store, workspace) = (shared.store(), &signed.workspace);
    let frame = signed.frame(shared, "Overview");
    let counts = store.counts(workspace).await?;
    let rows = store.connections(workspace).await?;
    let filter = BookingFilter { parked_only: true, limit: PARKED_SHOWN, ..BookingFilter::default() };
    let parked = store.bookings(workspace, filter).await?;
    let messages = store.parked_messages(workspace, None, PARKED_SHOWN).await?;
    let setups = shared.engine.setup().connections.iter().filter(|setup| setup.workspace == *workspace);
    let connections = setups.map(|setup| {
        let row = rows.iter().find(|row| row.connection == setup.id);
        let in_browser = matches!(setup.grant, GrantKind::Browser) && setup.connector.oauth().is_some();
        account(shared, &frame, setup.id.as_str(), setup.connector.manifest().display_name, in_browser, row)
    });
    let connections = connections.collect();
    let records = integrations::standings(shared, &frame, workspace).await?;
    let calendars = calendars::standings(shared, &frame, workspace).await?;
    let of_records = records.iter().map(|flow| (flow.name.clone(), flow.href.clone(), flow.held));
    let of_calendars = calendars.iter().map(|flow| (flow.name.clone(), flow.href.clone(), flow.held));
    let held = of_records.chain(of_calendars).filter(|(_, _, held)| *held > 0).collect();
    let sources = shared.sources(workspace).into_iter();
    Ok(Overview {
        oldest: counts.oldest_waiting.map(time),
        more_parked: counts.parked > PARKED_SHOWN as u64,
        counts,
        connections,
        sources: sources.map(|source| Source { id: Shown::new(source.id.as_str()), vendor: source.vendor }).collect(),
        parked: parked.iter().map(|row| Line::new(&frame, row)).collect(),
        messages: messages.iter().map(|row| unread(&frame, row)).collect(),
        held,
        records,
        calendars,
        frame,
    })
}

fn account(
    shared: &Shared,
    frame: &Frame,
    id: &str,
    vendor: &'static str,
    in_browser: bool,
    row: Option<&ConnectionRow>,
) -> Account {
    let health = Health::of(row, shared.now());
    let has_grant = row.is_some_and(|row| row.tokens.is_some());
    let (word, well) = how_it_is(health, in_browser);
    let api = row.and_then(|row| row.api_used.zip(row.api_max)).filter(|(_, max)| *max > 0);
    Account {
        id: Shown::new(id),
        vendor,
        well,
        health: word,
        reason: row.and_then(|row| row.reason.as_deref()).map(Shown::value),
        account: row.and_then(|row| row.tokens.as_ref()?.account.as_deref()).map(Shown::value),
        api: api.map(|(used, max)| (used, max, used.saturating_mul(100) / max)),
        connect: in_browser.then(|| frame.href(&format!("/connect/{id}"))),
        disconnect: has_grant.then(|| frame.href(&format!("/connections/{id}/disconnect"))),
    }
}

/// An account's health in words, and whether it is well.
pub(super) fn how_it_is(health: Health, in_browser: bool) -> (&'static str, bool) {
    match health {
        // Such a connection gets its token by itself when it is first needed.
        Health::NotConnected if !in_browser => ("connects by itself", true),
        Health::NotConnected => ("not connected", false),
        Health::Connected => ("connected", true),
        Health::Receiving => ("connected", false),
        Health::NeedsReconnect => ("needs to be connected again", false),
        Health::Paused => ("paused", false),
    }
}

fn unread(frame: &Frame, row: &InboxRow) -> Unread {
    Unread {
        at: time(row.received),
        source: Shown::new(row.source.as_str()),
        reason: Shown::value(row.reason.as_deref().unwrap_or_default()),
        replay: frame.href(&format!("/messages/{}/replay", row.id)),
    }
}
