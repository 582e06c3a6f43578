//! How an account is connected: where to send the person, what the token endpoint is asked, what it answered. Every
//! account has the same hosts, so no answer chooses one.
//! <https://developers.google.com/identity/protocols/oauth2/web-server>, read 2026-11.

use syncline_connect::{
    Error, ErrorKind, Grant, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx},
};
use url::Url;

use super::manifest::{ALLOW_HOST, API, LOGIN, MANIFEST, TOKENS, suffices};
use crate::oauth::{self, Refusal, Token, lost};

const VENDOR: &str = "Google";
const REGISTERED: &str = "with Google";
const OTHERWISE: &str = "people connect their calendars in a browser; set no other `grant`";

/// The address to which the person is sent. Without `prompt` a second approval brings no refresh token.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let mut url = origin(settings, LOGIN)?;
    url.set_path("/o/oauth2/v2/auth");
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("access_type", "offline")
        .append_pair("prompt", "consent");
    oauth::approval(&mut url, app, REGISTERED, MANIFEST.scopes, state, challenge)?;
    Ok(url)
}

/// Exchanges a grant for tokens, in one call.
pub async fn exchange(cx: &TokenCx<'_>, grant: &Grant) -> Result<TokenSet, Error> {
    let fields = oauth::fields(cx.app, grant, REGISTERED, OTHERWISE)?;
    let request = oauth::post(&endpoint(cx.settings, "/token")?, &fields, None)?;
    match oauth::ask(cx, grant, request).await? {
        (200, body) => token_set(cx, &body),
        (status, body) => Err(refusal(grant, status, &body)),
    }
}

/// Takes an approval back, with all tokens that came of it.
pub async fn revoke(cx: &TokenCx<'_>, token: &Secret) -> Result<(), Error> {
    let request = oauth::post(&endpoint(cx.settings, "/revoke")?, &[("token", token.expose())], None)?;
    oauth::revoke(cx, request, |status, _| matches!(status, 200..=299 | 400 | 404)).await
}

fn endpoint(settings: &Settings, path: &str) -> Result<Url, Error> {
    let mut url = origin(settings, TOKENS)?;
    url.set_path(path);
    Ok(url)
}

/// One of Google's own origins, or what stands in for it.
fn origin(settings: &Settings, own: &'static str) -> Result<Url, Error> {
    oauth::origin(settings, ALLOW_HOST, "https://calendar.example:8443", own)
}

/// Reads the token endpoint's answer. People can take single permissions out of an approval; one that lacks what is
/// needed is none.
fn token_set(cx: &TokenCx<'_>, body: &[u8]) -> Result<TokenSet, Error> {
    let answer: Token = oauth::read(body, VENDOR)?;
    let is_enough = answer.scope.as_deref().is_none_or(suffices);
    let set = answer.set(cx.now, origin(cx.settings, API)?)?;
    if !is_enough {
        return Err(Error::new(
            ErrorKind::Forbidden,
            Retry::Never,
            oauth::OP,
            "a permission was left out of the approval; connect the account again and leave all boxes ticked",
        ));
    }
    Ok(set)
}

/// What the token endpoint's refusal means (RFC 6749 §5.2).
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let code = serde_json::from_slice::<Refusal>(body).unwrap_or_default().error;
    let error = |kind, retry, message: &str| oauth::refused(&code, kind, retry, message);
    match (status, code.as_str()) {
        (_, "invalid_grant") => error(
            ErrorKind::Revoked,
            Retry::Never,
            "Google no longer accepts this approval: it was taken back, unused for half a year, or made while the app's \
             consent screen is in testing, where it ends after seven days; connect the account again",
        ),
        (_, "invalid_client" | "unauthorized_client") | (401 | 403, _) => error(
            ErrorKind::Configuration,
            Retry::Never,
            "the app's client id or secret is not accepted; set those of the Google Cloud project",
        ),
        (_, "redirect_uri_mismatch") => error(
            ErrorKind::Configuration,
            Retry::Never,
            "the callback address differs from the one registered with Google",
        ),
        (429, _) => error(ErrorKind::RateLimited, Retry::Backoff, "too many logins in a short time"),
        (500..=599, _) => lost(grant, format!("status {status}")),
        _ => error(ErrorKind::Configuration, Retry::Never, "Google refused the login; look at the app's settings"),
    }
}
