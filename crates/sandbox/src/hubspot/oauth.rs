//! Who calls: codes with PKCE, access and refresh tokens of the public app, tokens of private apps.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{config::HubSpotConfig, error::Failure, time::stamp};
use crate::web::{empty, json as answer, set};

/// Seconds that an access token lives.
const ACCESS_SECONDS: i64 = 1800;
/// Milliseconds after which an ended access token is forgotten.
const FORGOTTEN_MS: i64 = 24 * 60 * 60 * 1000;
/// Milliseconds that a code may be exchanged.
const CODE_MS: i64 = 60_000;
/// Access tokens have grown; clients must not assume that they are short.
const ACCESS_CHARS: usize = 320;

type Form = BTreeMap<String, String>;

/// Who made a call.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) app_id: u64,
    pub(super) token: String,
    pub(super) private: bool,
    pub(super) scopes: Vec<String>,
}

#[derive(Debug)]
struct Access {
    scopes: Vec<String>,
    expires: i64,
}

#[derive(Debug)]
struct Code {
    redirect: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    expires: i64,
}

#[derive(Debug, Default)]
pub(super) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Vec<String>>,
    codes: HashMap<String, Code>,
    made: u64,
}

impl Tokens {
    /// Tokens only have to differ: no secret is behind them.
    fn fresh(&mut self, kind: &str, config: &HubSpotConfig, chars: usize) -> String {
        self.made += 1;
        let mut text = format!("{kind}-");
        for part in 0.. {
            if text.len() >= chars {
                break;
            }
            let seed = format!("{kind}:{}:{}:{part}", config.app.client_secret, self.made);
            text.push_str(&URL_SAFE_NO_PAD.encode(Sha256::digest(seed.as_bytes())));
        }
        text.truncate(chars);
        text
    }

    /// Whose token this is.
    pub(super) fn caller(&self, token: Option<&str>, now: i64, config: &HubSpotConfig) -> Result<Caller, Failure> {
        let unknown = || {
            Failure::new(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found or not valid for this API",
            )
        };
        let token = token.ok_or_else(unknown)?;
        if let Some(app) = config.private_apps.iter().find(|app| app.token == token) {
            return Ok(Caller { app_id: app.app_id, token: token.into(), private: true, scopes: app.scopes.clone() });
        }
        let known = self.access.get(token).ok_or_else(unknown)?;
        if now >= known.expires {
            let seconds = (now - known.expires) / 1000;
            let message = format!("The OAuth token used to make this call expired {seconds} second(s) ago.");
            return Err(
                Failure::new(401, "EXPIRED_AUTHENTICATION", message).with("expire time", vec![stamp(known.expires)])
            );
        }
        Ok(Caller { app_id: config.app.app_id, token: token.to_owned(), private: false, scopes: known.scopes.clone() })
    }

    fn grant(&mut self, config: &HubSpotConfig, scopes: Vec<String>, refresh: Option<String>, now: i64) -> Value {
        let access = self.fresh("access", config, ACCESS_CHARS);
        let expires = now + ACCESS_SECONDS * 1000;
        // One that ended long ago is as good as unknown.
        self.access.retain(|_, known| now - known.expires < FORGOTTEN_MS);
        self.access.insert(access.clone(), Access { scopes: scopes.clone(), expires });
        let refresh = refresh.unwrap_or_else(|| self.fresh("refresh", config, 48));
        self.refresh.insert(refresh.clone(), scopes.clone());
        json!({"access_token": access, "refresh_token": refresh, "expires_in": ACCESS_SECONDS, "token_type": "bearer",
               "token_use": "access_token", "hub_id": config.portal_id, "user_id": user(config).0, "scopes": scopes})
    }

    /// An access and a refresh token, as if somebody had installed the app.
    pub(super) fn install(&mut self, config: &HubSpotConfig, now: i64) -> Value {
        self.grant(config, config.app.scopes.clone(), None, now)
    }

    pub(super) fn expire_access(&mut self, now: i64) {
        for access in self.access.values_mut() {
            access.expires = access.expires.min(now);
        }
    }

    pub(super) fn uninstall(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    /// `/oauth/…`
    pub(super) fn answer(
        &mut self,
        request: &Request<Bytes>,
        config: &HubSpotConfig,
        now: i64,
        correlation: &str,
    ) -> Response<Bytes> {
        let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let query = crate::web::query(request);
        let form: Form = url::form_urlencoded::parse(request.body()).into_owned().collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["oauth", "authorize"] | ["oauth", _, "authorize"]) => {
                self.authorize(&query, config, now, correlation)
            }
            (&Method::POST, ["oauth", "v1" | "v3", "token"]) => {
                self.token(&form, config, now).unwrap_or_else(|(status, message)| refused(status, message, correlation))
            }
            (&Method::POST, ["oauth", "v3", "token", "introspect"]) => match is_app(&form, config) {
                true => answer(200, &self.introspect(form.get("token").map_or("", String::as_str), config, now)),
                false => refused("BAD_CLIENT_ID", "missing or invalid client credentials", correlation),
            },
            (&Method::POST, ["oauth", "v3", "token", "revoke"]) => {
                // The access tokens that came of a refresh token go on until their end.
                if let Some(token) = form.get("token") {
                    self.refresh.remove(token);
                    self.access.remove(token);
                }
                empty(200)
            }
            (&Method::GET, ["oauth", "v1", "access-tokens", token]) => match self.access.get(*token) {
                Some(_) => {
                    let mut told = self.introspect(token, config, now);
                    told["token"] = (*token).into();
                    told["token_type"] = "access".into();
                    answer(200, &told)
                }
                None => Failure::not_found().response(correlation),
            },
            (&Method::DELETE, ["oauth", "v1", "refresh-tokens", token]) => {
                self.refresh.remove(*token);
                empty(204)
            }
            _ => empty(404),
        }
    }

    /// The person always agrees.
    fn authorize(&mut self, form: &Form, config: &HubSpotConfig, now: i64, correlation: &str) -> Response<Bytes> {
        let asked = |name: &str| given(form, name);
        if asked("client_id") != Some(&config.app.client_id) {
            return refused("BAD_CLIENT_ID", "unknown client id", correlation);
        }
        let Some(redirect) = asked("redirect_uri").filter(|uri| {
            config.app.redirect_uris.is_empty() || config.app.redirect_uris.iter().any(|known| known == uri)
        }) else {
            return refused("BAD_REDIRECT_URI", "the redirect URI is not one of the app's", correlation);
        };
        let Ok(mut to) = url::Url::parse(redirect) else {
            return refused("BAD_REDIRECT_URI", "the redirect URI cannot be read", correlation);
        };
        let known = |scope: &&str| config.app.scopes.iter().any(|have| have == scope);
        let scopes = [asked("scope"), asked("optional_scope"), asked("optional_scopes")];
        let scopes: Vec<String> =
            scopes.into_iter().flatten().flat_map(str::split_whitespace).filter(known).map(str::to_owned).collect();
        let code = self.fresh("code", config, 40);
        let challenge = asked("code_challenge").map(str::to_owned);
        self.codes
            .insert(code.clone(), Code { redirect: redirect.to_owned(), challenge, scopes, expires: now + CODE_MS });
        to.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = asked("state") {
            to.query_pairs_mut().append_pair("state", state);
        }
        let mut response = empty(302);
        set(&mut response, header::LOCATION, to.as_str());
        response
    }

    fn token(
        &mut self,
        form: &Form,
        config: &HubSpotConfig,
        now: i64,
    ) -> Result<Response<Bytes>, (&'static str, &'static str)> {
        let asked = |name: &str| given(form, name);
        if asked("client_id") != Some(&config.app.client_id)
            || asked("client_secret") != Some(&config.app.client_secret)
        {
            return Err(("BAD_CLIENT_ID", "missing or invalid client credentials"));
        }
        match asked("grant_type") {
            Some("authorization_code") => {
                let code = asked("code").and_then(|code| self.codes.remove(code)).filter(|code| now < code.expires);
                let code = code.ok_or(("BAD_AUTH_CODE", "missing or unknown auth code"))?;
                if asked("redirect_uri") != Some(&code.redirect) {
                    return Err(("MISMATCH_REDIRECT_URI_AUTH_CODE", "the redirect URI is not the one of the code"));
                }
                let proof = asked("code_verifier").map(|text| URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())));
                if code.challenge.is_some() && proof != code.challenge {
                    return Err(("BAD_CODE_VERIFIER", "missing or invalid code verifier"));
                }
                Ok(answer(200, &self.grant(config, code.scopes, None, now)))
            }
            Some("refresh_token") => {
                let unknown = ("BAD_REFRESH_TOKEN", "missing or invalid refresh token");
                let given = asked("refresh_token").ok_or(unknown)?.to_owned();
                let scopes = self.refresh.get(&given).cloned().ok_or(unknown)?;
                let kept = if config.app.rotates_refresh_tokens {
                    self.refresh.remove(&given);
                    None
                } else {
                    Some(given)
                };
                Ok(answer(200, &self.grant(config, scopes, kept, now)))
            }
            _ => Err(("BAD_GRANT_TYPE", "missing or unknown grant type")),
        }
    }

    fn introspect(&self, token: &str, config: &HubSpotConfig, now: i64) -> Value {
        let (user_id, email) = user(config);
        let told = |scopes: &[String], expires_in: i64, token_use: &str| {
            json!({"active": true, "hub_id": config.portal_id, "hub_domain": "host.example", "app_id": config.app.app_id,
                   "client_id": config.app.client_id, "scopes": scopes, "expires_in": expires_in,
                   "token_use": token_use, "user": email, "user_id": user_id, "is_private_distribution": false})
        };
        if let Some(access) = self.access.get(token).filter(|access| now < access.expires) {
            return told(&access.scopes, (access.expires - now) / 1000, "access_token");
        }
        match self.refresh.get(token) {
            Some(scopes) => told(scopes, 0, "refresh_token"),
            None => json!({"active": false}),
        }
    }
}

/// A member of a form or query that is there and not empty.
fn given<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn is_app(form: &Form, config: &HubSpotConfig) -> bool {
    form.get("client_id") == Some(&config.app.client_id) && form.get("client_secret") == Some(&config.app.client_secret)
}

fn user(config: &HubSpotConfig) -> (u64, &str) {
    config.users.first().map_or((0, ""), |user| (user.user_id, user.email.as_str()))
}

/// Errors of the token resources have a shape of their own.
fn refused(status: &str, message: &str, correlation: &str) -> Response<Bytes> {
    answer(400, &json!({"status": status, "message": message, "correlationId": correlation}))
}
