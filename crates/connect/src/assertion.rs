//! Signed assertions for the JWT bearer grant (RFC 7523): RS256, short-lived. The time is handed in.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::{Error, ErrorKind, Retry, Secret};

/// The `grant_type` of RFC 7523 §2.1.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Who claims what towards whom.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// The application: its client id.
    pub issuer: &'a str,
    /// The user on whose behalf the application acts.
    pub subject: &'a str,
    /// The authorisation server, as it names itself.
    pub audience: &'a str,
    pub lifetime: Duration,
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

/// Signs the claims with an RSA private key in PEM form.
pub fn sign_rs256(claims: Claims<'_>, now: Timestamp, key_pem: &Secret) -> Result<Secret, Error> {
    let unusable = |_| {
        Error::new(
            ErrorKind::Configuration,
            Retry::Never,
            "sign assertion",
            "the private key cannot be used: set an RSA key in PEM form, at least 2048 bits, that matches the \
             certificate of the app",
        )
    };
    let lifetime_seconds = i64::try_from(claims.lifetime.as_secs()).unwrap_or(i64::MAX);
    let payload = Payload {
        iss: claims.issuer,
        sub: claims.subject,
        aud: claims.audience,
        exp: now.as_second().saturating_add(lifetime_seconds),
    };
    let key = EncodingKey::from_rsa_pem(key_pem.expose().as_bytes()).map_err(unusable)?;
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &payload, &key).map(Secret::new).map_err(unusable)
}

#[cfg(test)]
mod tests;
