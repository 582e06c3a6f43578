//! What connecting accounts has in common, whoever the vendor is: sending the person, asking for tokens, what it means when
//! no answer comes, and what of a refusal is kept (RFC 6749, RFC 7636).
//!
//! What must not live here: any vendor's addresses, names or codes, or what its refusals mean.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use syncline_connect::{
    Error, ErrorKind, Grant, HttpError, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx, form},
    pkce,
};
use url::Url;

/// What is tried here, in the words that errors begin with.
pub const OP: &str = "get token";
const REVOKE: &str = "revoke token";

/// Longest code of a refusal that is kept.
const CODE_CHARS_MAX: usize = 60;

/// Adds to the address to which the person is sent what every vendor wants. `registered` says where the app's callback
/// address has to be known.
pub fn approval(
    url: &mut Url,
    app: &App,
    registered: &str,
    scopes: &[&str],
    state: &str,
    challenge: &str,
) -> Result<(), Error> {
    let redirect_uri = redirect_uri(app, registered)?;
    url.query_pairs_mut()
        .append_pair("client_id", &app.client_id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("scope", &scopes.join(" "))
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", pkce::METHOD);
    Ok(())
}

/// The app's callback address.
pub fn redirect_uri<'a>(app: &'a App, registered: &str) -> Result<&'a Url, Error> {
    let missing = || configuration(format!("the app has no callback address; set it as registered {registered}"));
    app.redirect_uri.as_ref().ok_or_else(missing)
}

/// The fields of a token request where the app has a secret, and people connect in a browser; `otherwise` is what whoever
/// set another grant is told.
pub fn fields<'a>(
    app: &'a App,
    grant: &'a Grant,
    registered: &str,
    otherwise: &str,
) -> Result<Vec<(&'static str, &'a str)>, Error> {
    let secret = app.client_secret.as_ref().ok_or_else(|| configuration("the app needs its client secret"))?;
    let mut fields = vec![("client_id", app.client_id.as_str()), ("client_secret", secret.expose())];
    match grant {
        Grant::Code { code, verifier } => fields.extend([
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect_uri(app, registered)?.as_str()),
            ("code", code.expose()),
            ("code_verifier", verifier.expose()),
        ]),
        Grant::Refresh { token } => {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose())]);
        }
        Grant::JwtBearer { .. } | Grant::ClientCredentials => return Err(configuration(otherwise)),
    }
    Ok(fields)
}

/// A request to the token endpoint, or to the one that takes tokens back.
pub fn post(url: &Url, fields: &[(&str, &str)], authorization: Option<&Secret>) -> Result<Request<Bytes>, Error> {
    let unwritable = || configuration("the token request cannot be written");
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json");
    if let Some(authorization) = authorization {
        let mut value = HeaderValue::from_str(authorization.expose()).map_err(|_| unwritable())?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Bytes::from(form(fields))).map_err(|_| unwritable())
}

/// Asks the token endpoint, once: the answer's status and body, whatever they say.
pub async fn ask(cx: &TokenCx<'_>, grant: &Grant, request: Request<Bytes>) -> Result<(u16, Bytes), Error> {
    match cx.http.send(request).await {
        Ok(response) => Ok((response.status().as_u16(), response.into_body())),
        Err(error @ HttpError::Unanswered { .. }) => Err(lost(grant, error.to_string())),
        Err(error) => Err(not_sent(OP, &error)),
    }
}

/// Takes a token back. `is_done` says which answers mean that it is no longer good: one that is not known is as good as
/// revoked.
pub async fn revoke(
    cx: &TokenCx<'_>,
    request: Request<Bytes>,
    is_done: impl FnOnce(u16, &[u8]) -> bool,
) -> Result<(), Error> {
    let response = cx.http.send(request).await.map_err(|error| not_sent(REVOKE, &error))?;
    let status = response.status().as_u16();
    if is_done(status, response.body()) {
        return Ok(());
    }
    let says = format!("the token was not revoked (status {status})");
    Err(Error::new(ErrorKind::Unavailable, Retry::Backoff, REVOKE, says))
}

/// A call whose answer, if one came, would have changed nothing.
fn not_sent(op: &'static str, error: &HttpError) -> Error {
    let (kind, retry) = match error {
        HttpError::Forbidden { .. } => (ErrorKind::Configuration, Retry::Never),
        HttpError::Paced { wait, .. } => (ErrorKind::RateLimited, Retry::After(*wait)),
        HttpError::NotSent { .. } | HttpError::Unanswered { .. } => (ErrorKind::Unreachable, Retry::Backoff),
    };
    Error::new(kind, retry, op, error.to_string())
}

/// The answer is lost. A code is spent by one use; a refresh token stays good, or was exchanged for another, in which case
/// the next call says so; the other two grants can be repeated at will.
pub fn lost(grant: &Grant, message: String) -> Error {
    let (kind, retry) = match grant {
        Grant::Code { .. } => (ErrorKind::UnknownOutcome, Retry::Never),
        Grant::Refresh { .. } => (ErrorKind::UnknownOutcome, Retry::Backoff),
        Grant::JwtBearer { .. } | Grant::ClientCredentials => (ErrorKind::Unavailable, Retry::Backoff),
    };
    Error::new(kind, retry, OP, message)
}

/// The token endpoint's answer (RFC 6749, section 5.1).
#[derive(Deserialize)]
pub struct Token {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub token_type: Option<String>,
    pub expires_in: Option<i64>,
    pub scope: Option<String>,
}

impl Token {
    /// The tokens, for an account whose API is there.
    pub fn set(self, now: Timestamp, base_url: Url) -> Result<TokenSet, Error> {
        Ok(TokenSet {
            access: bearer(self.access_token, self.token_type.as_deref())?,
            refresh: refresh(self.refresh_token),
            base_url,
            expires_at: ends(now, self.expires_in),
            account: None,
        })
    }
}

/// Reads the token endpoint's answer.
pub fn read<T: DeserializeOwned>(body: &[u8], vendor: &str) -> Result<T, Error> {
    let wrong = |_| protocol(format!("the token answer is not what {vendor} documents"));
    serde_json::from_slice(body).map_err(wrong)
}

/// An access token, if it is one of the kind that is used here.
pub fn bearer(token: String, kind: Option<&str>) -> Result<Secret, Error> {
    if token.is_empty() || kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(protocol("the token answer has no bearer token"));
    }
    Ok(Secret::new(token))
}

/// A refresh token, where one came.
pub fn refresh(token: Option<String>) -> Option<Secret> {
    token.filter(|token| !token.is_empty()).map(Secret::new)
}

/// When an access token ends, where its answer says how long it lives.
pub fn ends(now: Timestamp, seconds: Option<i64>) -> Option<Timestamp> {
    let lifetime = seconds.filter(|seconds| *seconds > 0).map(SignedDuration::from_secs)?;
    now.checked_add(lifetime).ok()
}

/// What the token endpoint says where it gives none (RFC 6749, section 5.2). Its description is left out: it is translated,
/// and may repeat what was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    pub error: String,
}

/// A refusal, with its code if that can be one.
pub fn refused(code: &str, kind: ErrorKind, retry: Retry, message: &str) -> Error {
    let mut error = Error::new(kind, retry, OP, message);
    let is_code = !code.is_empty()
        && code.len() <= CODE_CHARS_MAX
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    error.code = is_code.then(|| code.to_owned());
    error
}

/// The one origin that the operator lets stand in for the vendor. `such_as` shows what is meant.
pub fn stand_in(settings: &Settings, setting: &str, such_as: &str) -> Result<Option<Url>, Error> {
    let Some(text) = settings.get(setting).map(|text| text.trim()).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let is_origin = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let wrong = || configuration(format!("the setting `{setting}` must be an exact origin, such as {such_as}"));
    Url::parse(text).ok().filter(is_origin).map(Some).ok_or_else(wrong)
}

/// One of the vendor's own origins, or what stands in for it.
pub fn origin(settings: &Settings, setting: &str, such_as: &str, own: &'static str) -> Result<Url, Error> {
    let own = || Url::parse(own).map_err(|_| configuration("the address of the vendor cannot be read"));
    stand_in(settings, setting, such_as)?.map_or_else(own, Ok)
}

/// Our own settings, or the app's, cannot work.
pub fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}

fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Never, OP, message)
}
