//! How an account is connected: where to send the person, what the token endpoint is asked, what it answered. Every
//! account has the same hosts, so no answer chooses one.
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>, read 2026-11.

use syncline_connect::{
    Error, ErrorKind, Grant, Retry, Settings, TokenSet,
    oauth::{App, TokenCx},
};
use url::Url;

use super::{
    manifest::{ALLOW_HOST, API, LOGIN, MANIFEST, suffices},
    settings::tenant,
    wire::TokenRefusal,
};
use crate::oauth::{self, Token, lost};

const REGISTERED: &str = "with Microsoft";
const OTHERWISE: &str = "people connect their calendars in a browser; set no other `grant`";

/// Refusals by their number, which is what they are to be told apart by.
/// <https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes>, read 2026-11.
const SINGLE_PAGE: u64 = 700_084;
const CONSENT: u64 = 65_001;
const MALFORMED: u64 = 9_002_313;

/// The address to which the person is sent.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let mut url = endpoint(settings, "authorize")?;
    url.query_pairs_mut().append_pair("response_type", "code").append_pair("response_mode", "query");
    oauth::approval(&mut url, app, REGISTERED, MANIFEST.scopes, state, challenge)?;
    Ok(url)
}

/// Exchanges a grant for tokens, in one call. What comes back of a refresh has a new refresh token.
pub async fn exchange(cx: &TokenCx<'_>, grant: &Grant) -> Result<TokenSet, Error> {
    let scope = MANIFEST.scopes.join(" ");
    let mut fields = oauth::fields(cx.app, grant, REGISTERED, OTHERWISE)?;
    fields.push(("scope", &scope));
    let request = oauth::post(&endpoint(cx.settings, "token")?, &fields, None)?;
    match oauth::ask(cx, grant, request).await? {
        (200, body) => token_set(cx, grant, &body),
        (status, body) => Err(refusal(grant, status, &body)),
    }
}

fn endpoint(settings: &Settings, name: &str) -> Result<Url, Error> {
    let mut url = origin(settings, LOGIN)?;
    url.set_path(&format!("/{}/oauth2/v2.0/{name}", tenant(settings, oauth::OP)?));
    Ok(url)
}

/// One of Microsoft's own origins, or what stands in for it.
fn origin(settings: &Settings, own: &'static str) -> Result<Url, Error> {
    oauth::origin(settings, ALLOW_HOST, "https://graph.example:8443", own)
}

/// Reads the token endpoint's answer.
fn token_set(cx: &TokenCx<'_>, grant: &Grant, body: &[u8]) -> Result<TokenSet, Error> {
    let forbidden = |what: &str| Error::new(ErrorKind::Forbidden, Retry::Never, oauth::OP, what);
    let answer: Token = oauth::read(body, "Microsoft")?;
    let is_enough = answer.scope.as_deref().is_none_or(suffices);
    let set = answer.set(cx.now, origin(cx.settings, API)?)?;
    if !is_enough {
        return Err(forbidden("the approval lacks the permission for calendars; connect the account again"));
    }
    if set.refresh.is_none() && matches!(grant, Grant::Code { .. }) {
        return Err(forbidden("the approval is only for an hour; allow the app to keep access, and connect again"));
    }
    Ok(set)
}

/// What the token endpoint's refusal means: by its number where that tells, else as RFC 6749, section 5.2.
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let told = serde_json::from_slice::<TokenRefusal>(body).unwrap_or_default();
    let number = told.error_codes.first().copied();
    let code = number.map_or_else(|| told.error.clone(), |number| format!("AADSTS{number}"));
    let error = |kind, retry, message: &str| oauth::refused(&code, kind, retry, message);
    let never = |kind, message: &str| error(kind, Retry::Never, message);
    match (status, number, told.error.as_str()) {
        (_, Some(SINGLE_PAGE), _) => never(
            ErrorKind::Configuration,
            "the app is registered as a single-page application, whose approvals end after a day; register it as `Web`",
        ),
        (_, Some(MALFORMED), _) => never(ErrorKind::Configuration, "Microsoft could not read the token request"),
        (_, Some(CONSENT), _) | (_, _, "consent_required") => never(
            ErrorKind::Revoked,
            "nobody has agreed to what the app asks for; connect the account again, or have the tenant's administrator agree",
        ),
        (_, _, "invalid_grant" | "interaction_required" | "login_required") => never(
            ErrorKind::Revoked,
            "Microsoft no longer accepts this approval: it was taken back, unused for 90 days, or the password or the rules \
             for signing in have changed; connect the account again",
        ),
        (_, _, "invalid_client" | "unauthorized_client") | (401 | 403, _, _) => never(
            ErrorKind::Configuration,
            "the app's client id or secret is not accepted; set those of the app's registration, and mind that secrets end",
        ),
        (429, ..) => error(ErrorKind::RateLimited, Retry::Backoff, "too many logins in a short time"),
        (_, _, "temporarily_unavailable") | (500..=599, ..) => lost(grant, format!("status {status}")),
        _ => never(ErrorKind::Configuration, "Microsoft refused the login; look at the app's settings"),
    }
}
