//! Connect links: addresses by which somebody who has no part in the console connects one account, which is theirs.
//!
//! Nothing is stored of a link. It is signed, names one connection of one workspace, and works until it runs out or that
//! connection has a grant, whoever gave it.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use subtle::ConstantTimeEq;
use syncline_core::ids::{ConnectionId, WorkspaceId};
use syncline_engine::ConnectionSetup;
use syncline_store::{ConnectionStatus, JournalEntry, JournalKind};
use url::Url;

use super::{Holder, authorise, in_browser};
use crate::{
    page::{self, Frame, time},
    problem::{Code, Problem},
    session::with_cookie,
    shared::Shared,
    shown::Shown,
};

/// How long a link works, unless its account is connected before.
const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A link for one account.
#[derive(Debug, Clone)]
pub struct ConnectLink {
    /// What is sent to the account's owner.
    pub url: Url,
    pub expires_at: Timestamp,
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/connect-link/{workspace}/{connection}/{seal}", get(show))
        .route("/connect-link/{workspace}/{connection}/{seal}/begin", get(begin))
        .route("/connect-link/used", get(used))
}

/// Makes a link for an account that is not connected.
pub(crate) async fn make(shared: &Shared, setup: &ConnectionSetup) -> Result<ConnectLink, Problem> {
    in_browser(setup)?;
    let refused = |detail: &str| Problem::new(Code::NotConnectable).detail(detail);
    let Some(version) = awaited(shared, setup).await? else {
        return Err(refused("it is connected; disconnect it first if another account is meant"));
    };
    let expires_at = shared.now().saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
    let seal = seal(shared, setup, version, expires_at.as_second());
    let (workspace, id) = (setup.workspace.as_str(), setup.id.as_str());
    let mut url = shared.options.public_url.clone();
    let mut path = url.path_segments_mut().map_err(|()| refused("`public_url` is no address of a server"))?;
    path.pop_if_empty().extend(["connect-link", workspace, id, &seal]);
    drop(path);
    Ok(ConnectLink { url, expires_at })
}

/// How often the grant of an account has changed; `None` while it is connected.
async fn awaited(shared: &Shared, setup: &ConnectionSetup) -> Result<Option<i64>, Problem> {
    let row = shared.store().connection(&setup.workspace, &setup.id).await;
    let row = row.map_err(|error| Problem::store(shared, &error))?;
    Ok(match row {
        Some(row) if row.status == ConnectionStatus::Connected => None,
        row => Some(row.map_or(0, |row| row.version)),
    })
}

fn seal(shared: &Shared, setup: &ConnectionSetup, version: i64, end: i64) -> String {
    let (version, end) = (version.to_string(), end.to_string());
    let signature =
        shared.sessions.sign(&["connect link", setup.workspace.as_str(), setup.id.as_str(), &version, &end]);
    format!("{end}.{signature}")
}

type Parts = Path<(String, String, String)>;

/// The connection that a link is for, if it works.
async fn check<'a>(shared: &'a Shared, Path((workspace, id, given)): &Parts) -> Result<&'a ConnectionSetup, Problem> {
    let refused = || {
        let detail = "the address is not whole, has run out, or its account is connected by now; ask whoever sent it for a new one";
        Problem::new(Code::OauthState).detail(detail)
    };
    let (workspace, id) = (WorkspaceId::new(workspace.as_str()), ConnectionId::new(id.as_str()));
    let setup = shared.engine.setup().connection(&workspace, &id).ok_or_else(refused)?;
    let end = given.split_once('.').and_then(|(end, _)| end.parse().ok()).ok_or_else(refused)?;
    let version = awaited(shared, setup).await?.ok_or_else(refused)?;
    let is_ours = bool::from(seal(shared, setup, version, end).as_bytes().ct_eq(given.as_bytes()));
    if is_ours && shared.now().as_second() < end { Ok(setup) } else { Err(refused()) }
}

#[derive(Template)]
#[template(path = "connect_link.html")]
struct Shows {
    frame: Frame,
    vendor: &'static str,
    id: Shown,
    until: String,
    begin: String,
    /// Whether calendars are read of it.
    calendars: bool,
}

/// `GET /connect-link/{workspace}/{connection}/{seal}`: what the account is wanted for. It changes nothing, whoever fetches it.
async fn show(State(shared): State<Arc<Shared>>, parts: Parts) -> Response {
    let setup = match check(&shared, &parts).await {
        Ok(setup) => setup,
        Err(problem) => return page::problem(problem),
    };
    let Path((workspace, id, seal)) = &parts;
    let end = seal.split_once('.').and_then(|(end, _)| end.parse().ok());
    let until = end.and_then(|end| Timestamp::from_second(end).ok()).unwrap_or(Timestamp::MAX);
    let vendor = setup.connector.manifest().display_name;
    let page = Shows {
        frame: Frame::bare(&format!("Connect your {vendor} account")),
        vendor,
        id: Shown::new(setup.id.as_str()),
        until: time(until),
        begin: format!("/connect-link/{workspace}/{id}/{seal}/begin"),
        calendars: setup.connector.calendars().is_some(),
    };
    page::html(StatusCode::OK, &page)
}

/// `GET /connect-link/{workspace}/{connection}/{seal}/begin`: off to the vendor.
async fn begin(State(shared): State<Arc<Shared>>, parts: Parts, headers: HeaderMap) -> Response {
    if page::cross_site(&headers) {
        return page::problem(Problem::new(Code::CrossSite));
    }
    let setup = match check(&shared, &parts).await {
        Ok(setup) => setup,
        Err(problem) => return page::problem(problem),
    };
    let (hash, cookie) = shared.sessions.visit(&*shared.engine.world().entropy);
    match authorise(&shared, setup, Holder::WithLink(hash)).await {
        Ok(url) => with_cookie(page::redirect(url.as_str()), cookie),
        Err(problem) => page::problem(problem),
    }
}

/// Whoever had a link has connected the account.
pub(super) async fn connected(shared: &Shared, setup: &ConnectionSetup) -> Response {
    let entry = JournalEntry {
        at: shared.now(),
        kind: JournalKind::Connection,
        text: format!("{} was connected with a link", setup.id),
        details: json!({ "connection": setup.id.as_str(), "by": "link" }),
    };
    match shared.store().note(&setup.workspace, entry).await {
        Ok(()) => page::redirect("/connect-link/used"),
        Err(error) => page::problem(Problem::store(shared, &error)),
    }
}

#[derive(Template)]
#[template(path = "connect_link_used.html")]
struct Used {
    frame: Frame,
}

/// `GET /connect-link/used`: where a link leads in the end.
async fn used() -> Response {
    page::html(StatusCode::OK, &Used { frame: Frame::bare("Your account is connected") })
}

#[cfg(test)]
mod tests;
