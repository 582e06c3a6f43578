//! How an account is connected: where to send the person, what the token endpoint is asked, what it answered. Every
//! account has the same hosts, so no answer chooses one.
//! <https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/oauth/>, read 2026-11.

use serde_json::Value;
use syncline_connect::{
    Error, ErrorKind, Grant, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx},
};
use url::Url;

use super::{
    manifest::{ALLOW_HOST, API, LOGIN, MANIFEST},
    wire::{TokenAnswer, TokenRefusal},
};
use crate::oauth::{self, lost};

const REGISTERED: &str = "with HubSpot";
const OTHERWISE: &str =
    "HubSpot connects accounts in a browser, or by the token of a private app; set no other `grant`";

/// The address to which the person is sent.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let mut url = origin(settings, LOGIN)?;
    url.set_path("/oauth/authorize");
    oauth::approval(&mut url, app, REGISTERED, MANIFEST.scopes, state, challenge)?;
    Ok(url)
}

/// Exchanges a grant for tokens, in one call.
pub async fn exchange(cx: &TokenCx<'_>, grant: &Grant) -> Result<TokenSet, Error> {
    let fields = oauth::fields(cx.app, grant, REGISTERED, OTHERWISE)?;
    let request = oauth::post(&endpoint(cx.settings, "/oauth/v3/token")?, &fields, None)?;
    match oauth::ask(cx, grant, request).await? {
        (200, body) => token_set(cx, &body),
        (status, body) => Err(refusal(grant, status, &body)),
    }
}

/// Tells HubSpot that a refresh token is no longer wanted. An access token lives on until its half hour is over.
pub async fn revoke(cx: &TokenCx<'_>, token: &Secret) -> Result<(), Error> {
    let mut fields = vec![("token", token.expose()), ("client_id", cx.app.client_id.as_str())];
    fields.extend(cx.app.client_secret.as_ref().map(|secret| ("client_secret", secret.expose())));
    let request = oauth::post(&endpoint(cx.settings, "/oauth/v3/token/revoke")?, &fields, None)?;
    oauth::revoke(cx, request, |status, _| matches!(status, 200..=299 | 400 | 404)).await
}

fn endpoint(settings: &Settings, path: &str) -> Result<Url, Error> {
    let mut url = origin(settings, API)?;
    url.set_path(path);
    Ok(url)
}

/// One of HubSpot's own origins, or what stands in for it.
fn origin(settings: &Settings, own: &'static str) -> Result<Url, Error> {
    oauth::origin(settings, ALLOW_HOST, "https://crm.example:8443", own)
}

/// Reads the token endpoint's answer. Access tokens live half an hour; the answer says so.
fn token_set(cx: &TokenCx<'_>, body: &[u8]) -> Result<TokenSet, Error> {
    let answer: TokenAnswer = oauth::read(body, "HubSpot")?;
    Ok(TokenSet {
        access: oauth::bearer(answer.access_token, answer.token_type.as_deref())?,
        refresh: oauth::refresh(answer.refresh_token),
        base_url: origin(cx.settings, API)?,
        expires_at: oauth::ends(cx.now, answer.expires_in),
        account: answer.hub_id.map(|id| match id {
            Value::String(text) => text,
            other => other.to_string(),
        }),
    })
}

/// What the token endpoint's refusal means. Of a refresh every refusal that is not about the app means that the
/// approval is gone.
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let code = serde_json::from_slice::<TokenRefusal>(body).unwrap_or_default().status;
    let error = |kind, retry, message: &str| oauth::refused(&code, kind, retry, message);
    match (status, code.as_str()) {
        (500 | 502 | 504 | 522 | 524, _) => lost(grant, format!("status {status}")),
        (429, _) => error(ErrorKind::RateLimited, Retry::Backoff, "too many logins in a short time"),
        (408 | 423 | 477 | 500..=599, _) => {
            error(ErrorKind::Unavailable, Retry::Backoff, "HubSpot cannot answer just now")
        }
        (_, "BAD_CLIENT_ID" | "BAD_CLIENT_SECRET") | (401 | 403, _) => error(
            ErrorKind::Configuration,
            Retry::Never,
            "the app's client id or secret is not accepted; set those of the app's Auth page",
        ),
        (_, "BAD_REDIRECT_URI" | "MISMATCH_REDIRECT_URI_AUTH_CODE") => error(
            ErrorKind::Configuration,
            Retry::Never,
            "the callback address differs from the one registered in the app",
        ),
        (400 | 404, _) => error(
            ErrorKind::Revoked,
            Retry::Never,
            "HubSpot no longer accepts this approval; connect the account again",
        ),
        _ => error(ErrorKind::Configuration, Retry::Never, "HubSpot refused the login; look at the app's settings"),
    }
}
