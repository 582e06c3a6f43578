//! The token endpoint: one function per grant.

use base64::Engine;
use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use sha2::Digest;

use super::{Form, Refused, token_body};
use crate::salesforce::{SalesforceOrg, State, id::Id, reply};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Audiences of the JWT flow, besides the org's own address.
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
/// How far ahead an assertion may expire, in seconds; the documents say three minutes, orgs grant a little more.
const MAX_ASSERTION_AGE: i64 = 5 * 60;

impl SalesforceOrg {
    pub(super) fn token(&self, state: &mut State, form: &Form<'_>) -> Result<Response<Bytes>, Refused> {
        let (user, refresh) = match form.get("grant_type").unwrap_or_default() {
            "authorization_code" => self.by_code(state, form)?,
            "refresh_token" => self.by_refresh(state, form)?,
            "client_credentials" => (self.by_client(state, form)?, None),
            "password" => (self.by_password(state, form)?, None),
            JWT_BEARER => (self.by_assertion(state, form)?, None),
            _ => return Err(Refused(400, "unsupported_grant_type", "grant type not supported")),
        };
        let lifetime = self.config.access_token_seconds;
        let access = state.tokens.new_access(&*self.entropy, self.org_id, user, form.now, lifetime);
        Ok(reply::json(200, &token_body(self, form, user, &access, refresh.as_deref())))
    }

    fn check_client(&self, form: &Form<'_>, secret_needed: bool) -> Result<(), Refused> {
        let (id, secret) = form.client();
        if id != Some(self.config.app.client_id.as_str()) {
            return Err(Refused(400, "invalid_client_id", "client identifier invalid"));
        }
        match secret {
            Some(secret) if secret == self.config.app.client_secret => Ok(()),
            None if !secret_needed => Ok(()),
            _ => Err(Refused::client()),
        }
    }

    fn by_code(&self, state: &mut State, form: &Form<'_>) -> Result<(Id, Option<String>), Refused> {
        let name = form.get("code").unwrap_or_default();
        let Some(code) = state.tokens.take_code(name, form.now) else {
            return Err(Refused::grant("expired authorization code"));
        };
        // A public client proves itself by its code verifier instead of a secret.
        self.check_client(form, code.challenge.is_none())?;
        if form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
            return Err(Refused(400, "redirect_uri_mismatch", "redirect_uri must match configuration"));
        }
        if let Some(challenge) = &code.challenge {
            let verifier = form.get("code_verifier").unwrap_or_default();
            let digest = sha2::Sha256::digest(verifier.as_bytes());
            if base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest) != *challenge {
                return Err(Refused::grant("invalid code verifier"));
            }
        }
        let refresh = state.tokens.new_refresh(&*self.entropy, code.user);
        Ok((code.user, Some(refresh)))
    }

    fn by_refresh(&self, state: &mut State, form: &Form<'_>) -> Result<(Id, Option<String>), Refused> {
        self.check_client(form, false)?;
        let old = form.get("refresh_token").unwrap_or_default();
        let Some(user) = state.tokens.refresh_user(old) else {
            return Err(Refused::grant("expired access/refresh token"));
        };
        if self.user_named(state, &self.user_text(state, user, "Username")).is_none() {
            return Err(Refused::grant("inactive user"));
        }
        if !self.config.rotate_refresh_tokens {
            return Ok((user, None));
        }
        state.tokens.retire(old);
        Ok((user, Some(state.tokens.new_refresh(&*self.entropy, user))))
    }

    fn by_client(&self, state: &State, form: &Form<'_>) -> Result<Id, Refused> {
        self.check_client(form, true)?;
        let run_as = self.config.app.run_as.as_deref().and_then(|name| self.user_named(state, name));
        run_as.ok_or(Refused::grant("no client credentials user enabled"))
    }

    fn by_password(&self, state: &State, form: &Form<'_>) -> Result<Id, Refused> {
        self.check_client(form, true)?;
        let (name, password) = (form.get("username").unwrap_or_default(), form.get("password").unwrap_or_default());
        self.log_in(state, name, password).ok_or(Refused::grant("authentication failure"))
    }

    /// Checks a password, with or without the security token after it.
    pub(in crate::salesforce) fn log_in(&self, state: &State, username: &str, password: &str) -> Option<Id> {
        let user = self.config.users.iter().find(|user| user.username.eq_ignore_ascii_case(username))?;
        let rest = password.strip_prefix(user.password.as_str())?;
        (rest.is_empty() || rest == user.security_token).then(|| self.user_named(state, username)).flatten()
    }

    fn by_assertion(&self, state: &State, form: &Form<'_>) -> Result<Id, Refused> {
        #[derive(Deserialize)]
        struct Claims {
            iss: String,
            sub: String,
            /// A number, which some clients write as a text.
            exp: serde_json::Value,
        }
        let Some(pem) = &self.config.app.jwt_public_key_pem else {
            return Err(Refused::grant("user hasn't approved this consumer"));
        };
        let key =
            jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| Refused::grant("invalid assertion"))?;
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        // The expiry is checked below, against this world's clock.
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        let base = form.base.to_owned();
        let audiences: Vec<String> = AUDIENCES.iter().map(ToString::to_string).chain([base]).collect();
        rules.set_audience(&audiences);
        let assertion = form.get("assertion").unwrap_or_default();
        let claims = match jsonwebtoken::decode::<Claims>(assertion, &key, &rules) {
            Ok(token) => token.claims,
            Err(error) => {
                return Err(match error.kind() {
                    jsonwebtoken::errors::ErrorKind::InvalidAudience => Refused::grant("audience is invalid"),
                    _ => Refused::grant("invalid assertion"),
                });
            }
        };
        if claims.iss != self.config.app.client_id {
            return Err(Refused(400, "invalid_client_id", "client identifier invalid"));
        }
        let expires = claims.exp.as_f64().or_else(|| claims.exp.as_str()?.parse().ok()).map_or(0, |at: f64| at as i64);
        if expires <= form.now || expires > form.now + MAX_ASSERTION_AGE {
            return Err(Refused::grant("assertion is not within the valid timeframe"));
        }
        self.user_named(state, &claims.sub).ok_or(Refused::grant("user hasn't approved this consumer"))
    }
}
