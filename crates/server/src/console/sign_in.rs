//! Signing in and out: the form with the admin token, the printed link, and where to go afterwards.

use std::{net::IpAddr, sync::Arc};

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::Asked;
use crate::{
    page::{self, Frame, Sent},
    problem::{Code, Problem},
    session::with_cookie,
    shared::Shared,
};

/// The address that a connection came from; set by the accept loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sign-in", get(form).post(sign_in))
        .route("/sign-in/{key}", get(link))
        .route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Form {
    frame: Frame,
    next: String,
    refused: Option<&'static str>,
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn form(Asked(asked): Asked<Next>) -> Response {
    let next = return_target(asked.next.as_deref().unwrap_or_default());
    page::html(StatusCode::OK, &Form { frame: Frame::bare("Sign in"), next, refused: None })
}

/// `POST /sign-in`. A foreign page that sends this form would have to know the admin token, and then signs people in as
/// the one admin there is; so it needs no token of a session, which does not exist yet.
async fn sign_in(State(shared): State<Arc<Shared>>, peer: Option<Extension<Peer>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if page::cross_site(&head.headers) {
        return page::problem(Problem::new(Code::CrossSite));
    }
    let fields = match page::fields(&shared, body).await {
        Ok(fields) => fields,
        Err(problem) => return page::problem(problem),
    };
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let next = return_target(field("next"));
    admit(&shared, peer, shared.is_admin_token(field("token").trim()), &next)
}

/// `GET /sign-in/{key}`: the printed link, which may name the page to go on to. It changes nothing but who the browser
/// is.
async fn link(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    Path(key): Path<String>,
    Asked(asked): Asked<Next>,
) -> Response {
    if shared.options.sign_in_key.is_none() {
        return super::not_found();
    }
    let next = return_target(asked.next.as_deref().unwrap_or_default());
    admit(&shared, peer, shared.is_sign_in_key(&key), &next)
}

fn admit(shared: &Shared, peer: Option<Extension<Peer>>, known: bool, next: &str) -> Response {
    let (address, now) = (peer.map(|Extension(Peer(address))| address), shared.now());
    if !shared.sign_ins.allows(address, now) {
        metrics::counter!("syncline_sign_ins_total", "outcome" => "throttled").increment(1);
        return page::problem(Problem::new(Code::TooManyAttempts).detail("wait a minute, then try again"));
    }
    if !known {
        shared.sign_ins.failed(address, now);
        metrics::counter!("syncline_sign_ins_total", "outcome" => "refused").increment(1);
        tracing::warn!("Refused a sign-in");
        let refused = Some("That is not the admin token. You find it in the server's configuration.");
        return page::html(
            StatusCode::UNAUTHORIZED,
            &Form { frame: Frame::bare("Sign in"), next: next.to_owned(), refused },
        );
    }
    metrics::counter!("syncline_sign_ins_total", "outcome" => "let in").increment(1);
    let (_, cookie) = shared.sessions.begin(now, &*shared.engine.world().entropy);
    with_cookie(page::redirect(next), cookie)
}

/// `POST /sign-out`: ends this session, or with `everywhere` all of them.
async fn sign_out(State(shared): State<Arc<Shared>>, sent: Sent) -> Response {
    let cookie = shared.sessions.end(&sent.signed.session, shared.now());
    if sent.field("everywhere").is_some() {
        shared.sessions.end_all();
    }
    with_cookie(page::redirect("/sign-in"), cookie)
}

/// Where a sign-in may lead: one of our own pages, named as we name it. Anything else leads to the first page.
pub(crate) fn return_target(next: &str) -> String {
    const PAGES: [&str; 4] = ["/", "/activity", "/bookings", "/integrations"];
    const WITH_NAME: [&str; 3] = ["/bookings/", "/connect/", "/integrations/"];
    let name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !text.is_empty() && text.bytes().all(plain)
    };
    let named = next.strip_suffix("/events").filter(|next| next.starts_with("/integrations/")).unwrap_or(next);
    let known = PAGES.contains(&next) || WITH_NAME.iter().any(|page| named.strip_prefix(page).is_some_and(name));
    if known { next.to_owned() } else { "/".to_owned() }
}
