//! How an account is connected: where to send the person, what the token endpoint is asked, what it answered. Every
//! account has the same hosts, so no answer chooses one.
//! <https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/oauth/>, read 2026-11.

use bytes::Bytes;
use http::{Method, Request, header};
use jiff::SignedDuration;
use serde_json::Value;
use syncline_connect::{
    Error, ErrorKind, Grant, HttpError, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx, form},
    pkce,
};
use url::Url;

use super::{
    manifest::{API, LOGIN, MANIFEST},
    settings,
    wire::{TokenAnswer, TokenRefusal},
};

const OP: &str = "get token";

/// The address to which the person is sent.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let redirect_uri = redirect_uri(app)?;
    let mut url = origin(settings, LOGIN)?;
    url.set_path("/oauth/authorize");
    url.query_pairs_mut()
        .append_pair("client_id", &app.client_id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("scope", &MANIFEST.scopes.join(" "))
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", pkce::METHOD);
    Ok(url)
}

/// Exchanges a grant for tokens, in one call.
pub async fn exchange(cx: &TokenCx<'_>, grant: &Grant) -> Result<TokenSet, Error> {
    let secret = cx.app.client_secret.as_ref();
    let secret = secret.ok_or_else(|| configuration("the app needs its client secret"))?;
    let mut fields: Vec<(&str, &str)> = vec![("client_id", &cx.app.client_id), ("client_secret", secret.expose())];
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
            return Err(configuration(
                "HubSpot connects accounts in a browser, or by the token of a private app; set no other `grant`",
            ));
        }
    }
    let (parts, body) = match cx.http.send(post(cx.settings, "/oauth/v3/token", &fields)?).await {
        Ok(response) => response.into_parts(),
        Err(error) => return Err(unanswered(grant, &error)),
    };
    match parts.status.as_u16() {
        200 => token_set(cx, &body),
        status => Err(refusal(grant, status, &body)),
    }
}

/// Tells HubSpot that a refresh token is no longer wanted. An access token lives on until its half hour is over.
pub async fn revoke(cx: &TokenCx<'_>, token: &Secret) -> Result<(), Error> {
    const OP: &str = "revoke token";
    let mut fields = vec![("token", token.expose()), ("client_id", cx.app.client_id.as_str())];
    fields.extend(cx.app.client_secret.as_ref().map(|secret| ("client_secret", secret.expose())));
    let request = post(cx.settings, "/oauth/v3/token/revoke", &fields)?;
    let response = cx.http.send(request).await.map_err(|error| match error {
        HttpError::Forbidden { .. } => Error::new(ErrorKind::Configuration, Retry::Never, OP, error.to_string()),
        _ => Error::new(ErrorKind::Unreachable, Retry::Backoff, OP, error.to_string()),
    })?;
    match response.status().as_u16() {
        // A token that is not known is as good as revoked.
        200..=299 | 400 | 404 => Ok(()),
        status => Err(Error::new(
            ErrorKind::Unavailable,
            Retry::Backoff,
            OP,
            format!("the token was not revoked (status {status})"),
        )),
    }
}

fn post(settings: &Settings, path: &str, fields: &[(&str, &str)]) -> Result<Request<Bytes>, Error> {
    let mut url = origin(settings, API)?;
    url.set_path(path);
    Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(Bytes::from(form(fields)))
        .map_err(|_| configuration("the token request cannot be written"))
}

/// One of HubSpot's own origins, or what stands in for it.
fn origin(settings: &Settings, own: &'static str) -> Result<Url, Error> {
    let own = || Url::parse(own).map_err(|_| configuration("the address of the vendor cannot be read"));
    settings::stand_in(settings, OP)?.map_or_else(own, Ok)
}

/// Reads the token endpoint's answer. Access tokens live half an hour; the answer says so.
fn token_set(cx: &TokenCx<'_>, body: &[u8]) -> Result<TokenSet, Error> {
    let protocol = |what: &str| Error::new(ErrorKind::Protocol, Retry::Never, OP, what);
    let answer: TokenAnswer =
        serde_json::from_slice(body).map_err(|_| protocol("the token answer is not what HubSpot documents"))?;
    if answer.access_token.is_empty() || answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(protocol("the token answer has no bearer token"));
    }
    let lifetime = answer.expires_in.filter(|seconds| *seconds > 0).map(SignedDuration::from_secs);
    Ok(TokenSet {
        access: Secret::new(answer.access_token),
        refresh: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        base_url: origin(cx.settings, API)?,
        expires_at: lifetime.and_then(|lifetime| cx.now.checked_add(lifetime).ok()),
        account: answer.hub_id.map(|id| match id {
            Value::String(text) => text,
            other => other.to_string(),
        }),
    })
}

fn redirect_uri(app: &App) -> Result<&Url, Error> {
    let message = "the app has no callback address; set it as registered with HubSpot";
    app.redirect_uri.as_ref().ok_or_else(|| configuration(message))
}

fn unanswered(grant: &Grant, error: &HttpError) -> Error {
    match error {
        HttpError::Forbidden { .. } => configuration(error.to_string()),
        HttpError::NotSent { .. } => Error::new(ErrorKind::Unreachable, Retry::Backoff, OP, error.to_string()),
        HttpError::Unanswered { .. } => lost(grant, error.to_string()),
    }
}

/// The answer is lost. A code is spent by one use; a refresh token may have been exchanged for another, in which case
/// the next call says so.
fn lost(grant: &Grant, message: String) -> Error {
    let retry = if matches!(grant, Grant::Code { .. }) { Retry::Never } else { Retry::Backoff };
    Error::new(ErrorKind::UnknownOutcome, retry, OP, message)
}

/// What the token endpoint's refusal means. Of a refresh every refusal that is not about the app means that the
/// approval is gone.
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let code = serde_json::from_slice::<TokenRefusal>(body).unwrap_or_default().status;
    let error = |kind, retry, message: &str| {
        let mut error = Error::new(kind, retry, OP, message);
        let is_word = !code.is_empty()
            && code.len() <= CODE_CHARS_MAX
            && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        error.code = is_word.then(|| code.clone());
        error
    };
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

/// Longest code of a refusal that is kept.
const CODE_CHARS_MAX: usize = 60;

fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}
