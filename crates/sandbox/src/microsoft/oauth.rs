//! Who calls: the authorize page, which agrees at once, and tokens that rotate.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{MicrosoftConfig, State};
use crate::{
    grants::{Access, Code},
    web::{empty, json as answer, query, set},
};

/// A refresh token ends when it was not used for so long ("Refresh tokens", read 2026-11).
const UNUSED_LIVES: SignedDuration = SignedDuration::from_hours(90 * 24);

impl State {
    /// `/{tenant}/oauth2/v2.0/…`; `None` for any other path.
    pub(super) fn oauth(
        &mut self,
        request: &Request<Bytes>,
        config: &MicrosoftConfig,
        now: Timestamp,
    ) -> Option<Response<Bytes>> {
        let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, [_, "oauth2", "v2.0", "authorize"]) => Some(self.authorize(&query(request), config, now)),
            (&Method::POST, [_, "oauth2", "v2.0", "token"]) => Some(
                self.token(&form, config, now).unwrap_or_else(|(error, code, told)| refused(now, error, code, told)),
            ),
            _ => None,
        }
    }

    fn authorize(
        &mut self,
        asked: &BTreeMap<String, String>,
        config: &MicrosoftConfig,
        now: Timestamp,
    ) -> Response<Bytes> {
        let given = |name: &str| asked.get(name).map(String::as_str).filter(|value| !value.is_empty());
        if given("client_id") != Some(&config.client_id) {
            return refused(now, "unauthorized_client", 700_016, "The application was not found in the directory.");
        }
        let known =
            |uri: &&str| config.redirect_uris.is_empty() || config.redirect_uris.iter().any(|known| known == uri);
        let redirect = given("redirect_uri").filter(known);
        let Some(mut to) = redirect.and_then(|uri| url::Url::parse(uri).ok()) else {
            return refused(now, "invalid_request", 50_011, "The redirect URI is not one of the application's.");
        };
        let hinted = given("login_hint").and_then(|hint| config.users.iter().find(|user| user.email == hint));
        let Some(user) = hinted.or(config.users.first()) else {
            return refused(now, "access_denied", 50_034, "The user account does not exist.");
        };
        let scopes: Vec<String> = given("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        let offline = scopes.iter().any(|scope| scope == "offline_access");
        let challenge = given("code_challenge").map(str::to_owned);
        let redirect = redirect.unwrap_or_default().to_owned();
        let code =
            self.grants.code(Code { user: user.email.clone(), scopes, redirect, challenge, asked: now, offline });
        to.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = given("state") {
            to.query_pairs_mut().append_pair("state", state);
        }
        let mut response = empty(302);
        set(&mut response, header::LOCATION, to.as_str());
        response
    }

    fn token(
        &mut self,
        form: &BTreeMap<String, String>,
        config: &MicrosoftConfig,
        now: Timestamp,
    ) -> Result<Response<Bytes>, (&'static str, u64, &'static str)> {
        if form.get("client_id") != Some(&config.client_id) || form.get("client_secret") != Some(&config.client_secret)
        {
            return Err(("invalid_client", 7_000_215, "Invalid client secret provided."));
        }
        if form.get("scope").is_some_and(|scope| scope.contains(',')) {
            return Err(("invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid."));
        }
        let (user, scopes, offline) = match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => {
                let wrong = ("invalid_grant", 54_005, "The code was already redeemed or is not valid.");
                let code = self.grants.exchange(form, now).ok_or(wrong)?;
                (code.user, code.scopes, code.offline)
            }
            Some("refresh_token") => {
                let given = form.get("refresh_token").map_or("", String::as_str);
                let known = self.grants.refresh_mut(given).ok_or((
                    "invalid_grant",
                    50_173,
                    "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
                ))?;
                if now.duration_since(known.used) > UNUSED_LIVES {
                    return Err(("invalid_grant", 700_082, "The refresh token has expired due to inactivity."));
                }
                known.used = now;
                let (user, scopes) = (known.user.clone(), known.scopes.clone());
                if config.old_refresh_ends {
                    self.grants.drop_refresh(given);
                }
                (user, scopes, true)
            }
            _ => return Err(("unsupported_grant_type", 70_003, "The grant type is not supported.")),
        };
        Ok(answer(200, &self.granted(config, now, &user, &scopes, offline)))
    }

    /// An access token, and a refresh token where it was asked for.
    pub(super) fn granted(
        &mut self,
        config: &MicrosoftConfig,
        now: Timestamp,
        user: &str,
        scopes: &[String],
        offline: bool,
    ) -> Value {
        let access = Access { user: user.to_owned(), scopes: scopes.to_vec(), expires: now + config.access_lives };
        let lives = config.access_lives.as_secs();
        let told: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| *scope != "offline_access").collect();
        let mut out = json!({
            "token_type": "Bearer", "scope": told.join(" "), "expires_in": lives, "ext_expires_in": lives,
            "access_token": self.grants.give_access(access),
        });
        if offline {
            out["refresh_token"] = self.grants.give_refresh(user, scopes, now).into();
        }
        out
    }
}

fn refused(now: Timestamp, error: &str, code: u64, told: &str) -> Response<Bytes> {
    let status = if error == "invalid_client" { 401 } else { 400 };
    let id = "cccccccc-0000-4000-8000-000000000000";
    answer(
        status,
        &json!({
            "error": error, "error_description": format!("AADSTS{code}: {told}"), "error_codes": [code],
            "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(), "trace_id": id, "correlation_id": id,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        }),
    )
}
