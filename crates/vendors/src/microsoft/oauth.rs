//! How an account is connected: where to send the person, what the token endpoint is asked, what it answered. Every
//! account has the same hosts, so no answer chooses one.
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>, read 2026-11.

use bytes::Bytes;
use http::{Method, Request, header};
use jiff::SignedDuration;
use syncline_connect::{
    Error, ErrorKind, Grant, HttpError, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx, form},
    pkce,
};
use url::Url;

use super::{
    manifest::{API, LOGIN, MANIFEST, suffices},
    settings::{origin, tenant},
    wire::{Token, TokenRefusal},
};

const OP: &str = "get token";

/// Longest code of a refusal that is kept.
const CODE_CHARS_MAX: usize = 60;

/// Refusals by their number, which is what they are to be told apart by.
/// <https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes>, read 2026-11.
const SINGLE_PAGE: u64 = 700_084;
const CONSENT: u64 = 65_001;
const MALFORMED: u64 = 9_002_313;

/// The address to which the person is sent.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let redirect_uri = redirect_uri(app)?;
    let mut url = endpoint(settings, "authorize")?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("response_mode", "query")
        .append_pair("client_id", &app.client_id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("scope", &MANIFEST.scopes.join(" "))
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", pkce::METHOD);
    Ok(url)
}

/// Exchanges a grant for tokens, in one call. What comes back of a refresh has a new refresh token.
pub async fn exchange(cx: &TokenCx<'_>, grant: &Grant) -> Result<TokenSet, Error> {
    let secret = cx.app.client_secret.as_ref();
    let secret = secret.ok_or_else(|| configuration("the app needs its client secret"))?;
    let scope = MANIFEST.scopes.join(" ");
    let mut fields: Vec<(&str, &str)> =
        vec![("client_id", &cx.app.client_id), ("client_secret", secret.expose()), ("scope", &scope)];
    match grant {
        Grant::Code { code, verifier } => fields.extend([
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect_uri(cx.app)?.as_str()),
            ("code", code.expose()),
            ("code_verifier", verifier.expose()),
        ]),
        Grant::Refresh { token } => {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose())]);
        }
        Grant::JwtBearer { .. } | Grant::ClientCredentials => {
            return Err(configuration("people connect their calendars in a browser; set no other `grant`"));
        }
    }
    let request = Request::builder()
        .method(Method::POST)
        .uri(endpoint(cx.settings, "token")?.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(Bytes::from(form(&fields)))
        .map_err(|_| configuration("the token request cannot be written"))?;
    let (parts, body) = match cx.http.send(request).await {
        Ok(response) => response.into_parts(),
        Err(HttpError::Unanswered { host, reason }) => {
            return Err(lost(grant, format!("no answer from {host}: {reason}")));
        }
        Err(error @ HttpError::Forbidden { .. }) => return Err(configuration(error.to_string())),
        Err(error) => return Err(Error::new(ErrorKind::Unreachable, Retry::Backoff, OP, error.to_string())),
    };
    match parts.status.as_u16() {
        200 => token_set(cx, grant, &body),
        status => Err(refusal(grant, status, &body)),
    }
}

fn endpoint(settings: &Settings, name: &str) -> Result<Url, Error> {
    let mut url = origin(settings, LOGIN, OP)?;
    url.set_path(&format!("/{}/oauth2/v2.0/{name}", tenant(settings, OP)?));
    Ok(url)
}

/// Reads the token endpoint's answer.
fn token_set(cx: &TokenCx<'_>, grant: &Grant, body: &[u8]) -> Result<TokenSet, Error> {
    let protocol = |what: &str| Error::new(ErrorKind::Protocol, Retry::Never, OP, what);
    let forbidden = |what: &str| Error::new(ErrorKind::Forbidden, Retry::Never, OP, what);
    let answer: Token =
        serde_json::from_slice(body).map_err(|_| protocol("the token answer is not what Microsoft documents"))?;
    if answer.access_token.is_empty() || answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(protocol("the token answer has no bearer token"));
    }
    if !answer.scope.as_deref().is_none_or(suffices) {
        return Err(forbidden("the approval lacks the permission for calendars; connect the account again"));
    }
    let refresh = answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new);
    if refresh.is_none() && matches!(grant, Grant::Code { .. }) {
        return Err(forbidden("the approval is only for an hour; allow the app to keep access, and connect again"));
    }
    let lifetime = answer.expires_in.filter(|seconds| *seconds > 0).map(SignedDuration::from_secs);
    Ok(TokenSet {
        access: Secret::new(answer.access_token),
        refresh,
        base_url: origin(cx.settings, API, OP)?,
        expires_at: lifetime.and_then(|lifetime| cx.now.checked_add(lifetime).ok()),
        account: None,
    })
}

fn redirect_uri(app: &App) -> Result<&Url, Error> {
    let message = "the app has no callback address; set it as registered with Microsoft";
    app.redirect_uri.as_ref().ok_or_else(|| configuration(message))
}

/// The answer is lost. A code is spent by one use; a refresh token that was used normally stays good for a while.
fn lost(grant: &Grant, message: String) -> Error {
    let retry = if matches!(grant, Grant::Code { .. }) { Retry::Never } else { Retry::Backoff };
    Error::new(ErrorKind::UnknownOutcome, retry, OP, message)
}

/// What the token endpoint's refusal means: by its number where that tells, else as RFC 6749, section 5.2.
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let told = serde_json::from_slice::<TokenRefusal>(body).unwrap_or_default();
    let number = told.error_codes.first().copied();
    let error = |kind, retry, message: &str| {
        let mut error = Error::new(kind, retry, OP, message);
        let is_word = !told.error.is_empty()
            && told.error.len() <= CODE_CHARS_MAX
            && told.error.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        error.code = match number {
            Some(number) => Some(format!("AADSTS{number}")),
            None => is_word.then(|| told.error.clone()),
        };
        error
    };
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

fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}
