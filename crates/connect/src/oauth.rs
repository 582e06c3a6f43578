//! OAuth 2.0 as values: where to send the person, what to exchange, what came back. No state is kept here.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use url::Url;

use crate::{BoxFuture, Error, Http, Secret, Settings};

/// The registered application.
#[derive(Debug, Clone)]
pub struct App {
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// The exact registered callback address.
    pub redirect_uri: Option<Url>,
}

/// What a token call sees of the world.
pub struct TokenCx<'a> {
    pub http: &'a dyn Http,
    pub now: Timestamp,
    pub app: &'a App,
    pub settings: &'a Settings,
}

/// What is exchanged for a token.
#[derive(Debug, Clone)]
pub enum Grant {
    Code {
        code: Secret,
        verifier: Secret,
    },
    Refresh {
        token: Secret,
    },
    /// A signed assertion for this user; the key is PEM.
    JwtBearer {
        username: String,
        key: Secret,
    },
    ClientCredentials,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct TokenSet {
    pub access: Secret,
    /// Absent where the grant has none, or where the old one stays good.
    pub refresh: Option<Secret>,
    /// Where the account's API lives; checked against the manifest's trusted domains and the settings.
    pub base_url: Url,
    pub expires_at: Option<Timestamp>,
    /// The account, as the vendor names it.
    pub account: Option<String>,
}

impl TokenSet {
    /// The set to store after a refresh: where no new refresh token came back, the old one stays good. A new one
    /// replaces the old, which is then dead.
    pub fn keeping(mut self, old_refresh: &Secret) -> Self {
        self.refresh.get_or_insert_with(|| old_refresh.clone());
        self
    }
}

/// How accounts of a vendor are connected.
pub trait OAuth: Send + Sync {
    /// Where the person is sent: `state` and the S256 `challenge` are in it.
    fn authorize_url(&self, app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error>;

    /// One call to the token endpoint (and, where needed for the expiry, one to introspection).
    fn exchange<'a>(&'a self, cx: &'a TokenCx<'a>, grant: &'a Grant) -> BoxFuture<'a, Result<TokenSet, Error>>;

    /// Tells the vendor that a token is no longer wanted.
    fn revoke<'a>(&'a self, cx: &'a TokenCx<'a>, token: &'a Secret) -> BoxFuture<'a, Result<(), Error>>;
}

/// A token request's body: `application/x-www-form-urlencoded`, as RFC 6749 §4 asks for.
pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The value of a Basic `Authorization` header; id and secret are form-encoded first (RFC 6749 §2.3.1).
pub fn basic(client_id: &str, client_secret: &Secret) -> Secret {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(client_secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests;
