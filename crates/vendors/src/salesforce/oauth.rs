//! How an org is connected: where to send the person, what the token endpoint is asked, what it answered, and which
//! hosts are believed. The login host comes from the settings alone, never from an answer.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use syncline_connect::{
    Error, ErrorKind, Grant, Retry, Secret, Settings, TokenSet, assertion,
    oauth::{App, TokenCx, basic},
};
use url::Url;

use super::{
    manifest::{ALLOW_HOST, LOGIN_HOST, MANIFEST},
    wire::TokenAnswer,
};
use crate::oauth::{self, OP, Refusal, configuration, lost};

const DEFAULT_LOGIN_HOST: &str = "https://login.salesforce.com";
const SANDBOX_LOGIN_HOST: &str = "https://test.salesforce.com";

/// An assertion may live three to five minutes; the shorter the better.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(180);

const REGISTERED: &str = "in the org";

/// The address to which the person is sent.
pub fn authorize_url(app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
    let mut url = endpoint(settings, "authorize")?;
    url.query_pairs_mut().append_pair("response_type", "code");
    oauth::approval(&mut url, app, REGISTERED, MANIFEST.scopes, state, challenge)?;
    Ok(url)
}

/// Exchanges a grant for tokens, in one call.
pub async fn exchange(cx: &TokenCx<'_>, grant: &Grant) -> Result<TokenSet, Error> {
    match oauth::ask(cx, grant, token_request(cx, grant)?).await? {
        (200, body) => token_set(cx.settings, &body),
        (status, body) => Err(refusal(grant, status, &body)),
    }
}

/// Tells Salesforce that a token is no longer wanted. A token that it does not know is as good as revoked.
pub async fn revoke(cx: &TokenCx<'_>, token: &Secret) -> Result<(), Error> {
    let request = oauth::post(&endpoint(cx.settings, "revoke")?, &[("token", token.expose())], None)?;
    let is_unknown = |body: &[u8]| {
        let code = serde_json::from_slice::<Refusal>(body).unwrap_or_default().error;
        matches!(code.as_str(), "invalid_token" | "unsupported_token_type")
    };
    oauth::revoke(cx, request, |status, body| status == 200 || status == 400 && is_unknown(body)).await
}

fn token_request(cx: &TokenCx<'_>, grant: &Grant) -> Result<Request<Bytes>, Error> {
    let url = endpoint(cx.settings, "token")?;
    let id = cx.app.client_id.as_str();
    let secret = cx.app.client_secret.as_ref();
    let mut fields: Vec<(&str, &str)> = Vec::new();
    let redirect_uri;
    let signed;
    match grant {
        Grant::Code { code, verifier } => {
            redirect_uri = oauth::redirect_uri(cx.app, REGISTERED)?;
            fields.extend([("grant_type", "authorization_code"), ("code", code.expose()), ("client_id", id)]);
            fields.extend(secret.map(|secret| ("client_secret", secret.expose())));
            fields.extend([("redirect_uri", redirect_uri.as_str()), ("code_verifier", verifier.expose())]);
        }
        Grant::Refresh { token } => {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose()), ("client_id", id)]);
            fields.extend(secret.map(|secret| ("client_secret", secret.expose())));
        }
        Grant::JwtBearer { username, key } => {
            let audience = audience(&login_host(cx.settings)?);
            let claims = assertion::Claims { issuer: id, subject: username, audience, lifetime: ASSERTION_LIFETIME };
            signed = assertion::sign_rs256(claims, cx.now, key)?;
            fields.extend([("grant_type", assertion::GRANT_TYPE), ("assertion", signed.expose())]);
        }
        Grant::ClientCredentials => {
            let shared = [DEFAULT_LOGIN_HOST, SANDBOX_LOGIN_HOST].contains(&origin(&url).as_str());
            let secret = secret.filter(|_| !shared).ok_or_else(|| {
                configuration("client credentials need a client secret and your My Domain as `login_host`")
            })?;
            return oauth::post(&url, &[("grant_type", "client_credentials")], Some(&basic(id, secret)));
        }
    }
    oauth::post(&url, &fields, None)
}

/// Reads the token endpoint's answer. When the token ends is not in it: one call at a time finds out, by a 401.
fn token_set(settings: &Settings, body: &[u8]) -> Result<TokenSet, Error> {
    let answer: TokenAnswer = oauth::read(body, "Salesforce")?;
    let account = answer.id.as_deref().and_then(|id| id.split_once("/id/")).map(|(_, account)| account.to_owned());
    Ok(TokenSet {
        access: oauth::bearer(answer.access_token, answer.token_type.as_deref())?,
        refresh: oauth::refresh(answer.refresh_token),
        base_url: trusted_instance(settings, &answer.instance_url)?,
        expires_at: None,
        account,
    })
}

/// The API address of an answer, where we may call it: under Salesforce's own domains, or the very origin that the
/// operator configured.
fn trusted_instance(settings: &Settings, text: &str) -> Result<Url, Error> {
    let refuse =
        || Error::new(ErrorKind::Protocol, Retry::Never, OP, "the token answer names an API host that is not trusted");
    let url = Url::parse(text).map_err(|_| refuse())?;
    let configured = origin(&login_host(settings)?) == origin(&url)
        || allowed_origin(settings)?.is_some_and(|allowed| allowed == origin(&url));
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().unwrap_or_default();
    let theirs = url.scheme() == "https"
        && url.port().is_none()
        && MANIFEST.trusted_domains.iter().any(|domain| is_under(host, domain));
    if !(plain && url.path() == "/" && (theirs || configured)) {
        return Err(refuse());
    }
    Ok(url)
}

/// Where to log in, by the settings.
pub fn login_host(settings: &Settings) -> Result<Url, Error> {
    let text =
        settings.get(LOGIN_HOST).map(|text| text.trim()).filter(|text| !text.is_empty()).unwrap_or(DEFAULT_LOGIN_HOST);
    let wrong = || {
        configuration(
            "`login_host` must be https://login.salesforce.com, https://test.salesforce.com or https://{your My Domain}.my.salesforce.com",
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let theirs = [DEFAULT_LOGIN_HOST, SANDBOX_LOGIN_HOST].contains(&origin(&url).as_str()) || is_my_domain(&url);
    let allowed = allowed_origin(settings)?.is_some_and(|allowed| allowed == origin(&url));
    if bare && (theirs || allowed) { Ok(url) } else { Err(wrong()) }
}

/// The one further origin that the operator lets stand in for Salesforce.
fn allowed_origin(settings: &Settings) -> Result<Option<String>, Error> {
    let allowed = oauth::stand_in(settings, ALLOW_HOST, "https://crm.example:8443")?;
    Ok(allowed.as_ref().map(origin))
}

/// `{name}.my.salesforce.com`, with whatever stands between for sandboxes and other editions.
fn is_my_domain(url: &Url) -> bool {
    url.scheme() == "https"
        && url.port().is_none()
        && url.host_str().is_some_and(|host| is_under(host, ".my.salesforce.com"))
}

/// Whether a host is a sound name below the domain; `domain` begins with a dot.
pub(super) fn is_under(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|labels| {
        labels.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
    })
}

/// The `aud` of an assertion: production and sandboxes are two authorisation servers, whatever the host is called.
fn audience(login_host: &Url) -> &'static str {
    let host = login_host.host_str().unwrap_or_default();
    if host == "test.salesforce.com" || is_under(host, ".sandbox.my.salesforce.com") {
        SANDBOX_LOGIN_HOST
    } else {
        DEFAULT_LOGIN_HOST
    }
}

fn endpoint(settings: &Settings, name: &str) -> Result<Url, Error> {
    let mut url = login_host(settings)?;
    url.set_path(&format!("/services/oauth2/{name}"));
    Ok(url)
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// What the token endpoint's refusal means, by its code and the grant; the description is translated and left out.
fn refusal(grant: &Grant, status: u16, body: &[u8]) -> Error {
    let code = serde_json::from_slice::<Refusal>(body).unwrap_or_default().error;
    let with_code = |kind, retry, message: &str| oauth::refused(&code, kind, retry, message);
    let configuration = |message| with_code(ErrorKind::Configuration, Retry::Never, message);
    match (status, code.as_str(), grant) {
        (500 | 502 | 504, ..) => lost(grant, format!("status {status}")),
        (503 | 408, ..) => with_code(ErrorKind::Unavailable, Retry::Backoff, "Salesforce cannot answer just now"),
        (429 | 420, ..) | (_, "rate_limit_exceeded", _) => {
            with_code(ErrorKind::RateLimited, Retry::Backoff, "too many logins in a short time")
        }
        (_, "invalid_grant", Grant::Code { .. } | Grant::Refresh { .. }) => with_code(
            ErrorKind::Revoked,
            Retry::Never,
            "the org no longer accepts this approval; connect the account again",
        ),
        (_, "invalid_grant", Grant::JwtBearer { .. }) => configuration(
            "the org does not accept the assertion; pre-authorise the app for the user, and check its certificate and the clock",
        ),
        (_, "invalid_grant", Grant::ClientCredentials) => {
            configuration("the org has no run-as user for client credentials; set one in the app's policies")
        }
        (_, "inactive_user" | "inactive_org", _) => {
            with_code(ErrorKind::Revoked, Retry::Never, "the user or the org is inactive; connect another account")
        }
        (_, "invalid_client" | "invalid_client_id" | "invalid_client_credentials" | "unauthorized_client", _) => {
            configuration("the app's client id or secret is not accepted; set those of the External Client App")
        }
        (_, "redirect_uri_mismatch", _) => {
            configuration("the callback address differs from the one registered in the app")
        }
        (_, "invalid_scope", _) => {
            configuration("the app does not offer the scopes `api` and `refresh_token`; add them")
        }
        (_, "unsupported_grant_type" | "invalid_app_access", _) => {
            configuration("the app or its policies do not allow this way to log in; enable it in the app's settings")
        }
        _ => configuration("the org refused the login; look at the app's settings and the user's login history"),
    }
}
