//! How an account is connected: where to send the person, what the token endpoint is asked, what it answered. Every
//! account has the same hosts, so no answer chooses one.
//! <https://developers.google.com/identity/protocols/oauth2/web-server>, read 2026-11.

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
    manifest::{API, LOGIN, MANIFEST, TOKENS, suffices},
    settings::origin,
    wire::{Token, TokenRefusal},
};

const OP: &str = "get token";

/// Longest code of a refusal that is kept.
const CODE_CHARS_MAX: usize = 60;

/// The address to which the person is sent. Without `prompt` a second approval brings no refresh token.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let redirect_uri = redirect_uri(app)?;
    let mut url = origin(settings, LOGIN, OP)?;
    url.set_path("/o/oauth2/v2/auth");
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("access_type", "offline")
        .append_pair("prompt", "consent")
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
            return Err(configuration("people connect their calendars in a browser; set no other `grant`"));
        }
    }
    let (parts, body) = match cx.http.send(post(cx.settings, "/token", &fields, OP)?).await {
        Ok(response) => response.into_parts(),
        Err(HttpError::Unanswered { host, reason }) => {
            return Err(lost(grant, format!("no answer from {host}: {reason}")));
        }
        Err(error) => return Err(not_sent(OP, &error)),
    };
    match parts.status.as_u16() {
        200 => token_set(cx, &body),
        status => Err(refusal(grant, status, &body)),
    }
}

/// Takes an approval back, with all tokens that came of it.
pub async fn revoke(cx: &TokenCx<'_>, token: &Secret) -> Result<(), Error> {
    const OP: &str = "revoke token";
    let request = post(cx.settings, "/revoke", &[("token", token.expose())], OP)?;
    let response = cx.http.send(request).await.map_err(|error| not_sent(OP, &error))?;
    match response.status().as_u16() {
        // A token that is not known is as good as revoked.
        200..=299 | 400 | 404 => Ok(()),
        status => {
            let says = format!("the token was not revoked (status {status})");
            Err(Error::new(ErrorKind::Unavailable, Retry::Backoff, OP, says))
        }
    }
}

fn post(settings: &Settings, path: &str, fields: &[(&str, &str)], op: &'static str) -> Result<Request<Bytes>, Error> {
    let mut url = origin(settings, TOKENS, op)?;
    url.set_path(path);
    Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(Bytes::from(form(fields)))
        .map_err(|_| configuration("the token request cannot be written"))
}

/// Reads the token endpoint's answer. People can take single permissions out of an approval; one that lacks what is
/// needed is none.
fn token_set(cx: &TokenCx<'_>, body: &[u8]) -> Result<TokenSet, Error> {
    let protocol = |what: &str| Error::new(ErrorKind::Protocol, Retry::Never, OP, what);
    let answer: Token =
        serde_json::from_slice(body).map_err(|_| protocol("the token answer is not what Google documents"))?;
    if answer.access_token.is_empty() || answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(protocol("the token answer has no bearer token"));
    }
    if !answer.scope.as_deref().is_none_or(suffices) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            Retry::Never,
            OP,
            "a permission was left out of the approval; connect the account again and leave all boxes ticked",
        ));
    }
    let lifetime = answer.expires_in.filter(|seconds| *seconds > 0).map(SignedDuration::from_secs);
    Ok(TokenSet {
        access: Secret::new(answer.access_token),
        refresh: answer.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        base_url: origin(cx.settings, API, OP)?,
        expires_at: lifetime.and_then(|lifetime| cx.now.checked_add(lifetime).ok()),
        account: None,
    })
}

fn redirect_uri(app: &App) -> Result<&Url, Error> {
    let message = "the app has no callback address; set it as registered with Google";
    app.redirect_uri.as_ref().ok_or_else(|| configuration(message))
}

fn not_sent(op: &'static str, error: &HttpError) -> Error {
    match error {
        HttpError::Forbidden { .. } => Error::new(ErrorKind::Configuration, Retry::Never, op, error.to_string()),
        _ => Error::new(ErrorKind::Unreachable, Retry::Backoff, op, error.to_string()),
    }
}

/// The answer is lost. A code is spent by one use; a refresh token stays as it is.
fn lost(grant: &Grant, message: String) -> Error {
    let retry = if matches!(grant, Grant::Code { .. }) { Retry::Never } else { Retry::Backoff };
    Error::new(ErrorKind::UnknownOutcome, retry, OP, message)
}

/// What the token endpoint's refusal means (RFC 6749 §5.2).
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let code = serde_json::from_slice::<TokenRefusal>(body).unwrap_or_default().error;
    let error = |kind, retry, message: &str| {
        let mut error = Error::new(kind, retry, OP, message);
        let is_word = !code.is_empty()
            && code.len() <= CODE_CHARS_MAX
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        error.code = is_word.then(|| code.clone());
        error
    };
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

fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}
