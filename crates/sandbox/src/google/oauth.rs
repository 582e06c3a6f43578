//! Who calls: the authorize page, which agrees at once, tokens, and who somebody is.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{GoogleConfig, State, answers::Refused};
use crate::{
    grants::{Access, Code},
    web::{bearer, empty, json as answer, query, set},
};

/// Refresh tokens end after this while the consent screen is in testing, and unused ("Using OAuth 2.0", read 2026-11).
const TESTING_LIVES: SignedDuration = SignedDuration::from_hours(7 * 24);
const UNUSED_LIVES: SignedDuration = SignedDuration::from_hours(183 * 24);

impl State {
    /// The paths of OAuth; `None` for any other.
    pub(super) fn oauth(
        &mut self,
        request: &Request<Bytes>,
        config: &GoogleConfig,
        now: Timestamp,
    ) -> Option<Response<Bytes>> {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        Some(match (request.method(), request.uri().path()) {
            (&Method::GET, "/o/oauth2/v2/auth" | "/o/oauth2/auth") => self.authorize(&query(request), config, now),
            (&Method::POST, "/token" | "/o/oauth2/token" | "/oauth2/v4/token") => {
                self.token(&form, config, now).unwrap_or_else(|(status, error, told)| {
                    answer(status, &json!({"error": error, "error_description": told}))
                })
            }
            (&Method::POST, "/revoke") => {
                let given = query(request).get("token").or(form.get("token")).cloned().unwrap_or_default();
                match self.grants.revoke(&given) {
                    true => answer(200, &json!({})),
                    false => {
                        answer(400, &json!({"error": "invalid_token", "error_description": "Token expired or revoked"}))
                    }
                }
            }
            (&Method::GET, path @ ("/oauth2/v2/userinfo" | "/oauth2/v3/userinfo")) => {
                let who = bearer(request).and_then(|token| self.grants.who(token, now));
                let Some(who) = who else { return Some(Refused::unauthorized().response()) };
                let user = config.users.iter().find(|user| user.email == who.user);
                let name = user.map_or("", |user| user.name.as_str());
                let id = if path.contains("v3") { "sub" } else { "id" };
                let verified = if path.contains("v3") { "email_verified" } else { "verified_email" };
                let host = who.user.split_once('@').map_or("", |(_, host)| host);
                answer(
                    200,
                    &json!({id: number_of(&who.user), "email": who.user, verified: true, "name": name, "hd": host}),
                )
            }
            _ => return None,
        })
    }

    fn authorize(
        &mut self,
        asked: &BTreeMap<String, String>,
        config: &GoogleConfig,
        now: Timestamp,
    ) -> Response<Bytes> {
        let given = |name: &str| asked.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let refused = |error: &str| answer(400, &json!({"error": error}));
        if given("client_id") != Some(&config.client_id) {
            return refused("invalid_client");
        }
        let known =
            |uri: &&str| config.redirect_uris.is_empty() || config.redirect_uris.iter().any(|known| known == uri);
        let Some(redirect) = given("redirect_uri").filter(known) else { return refused("redirect_uri_mismatch") };
        let Ok(mut to) = url::Url::parse(redirect) else { return refused("redirect_uri_mismatch") };
        let hinted = given("login_hint").and_then(|hint| config.users.iter().find(|user| user.email == hint));
        let Some(user) = hinted.or(config.users.first()) else { return refused("access_denied") };
        let scopes = given("scope").unwrap_or_default().split_whitespace().map(str::to_owned);
        let scopes: Vec<String> = scopes.filter(|scope| !self.unticked.contains(scope)).collect();
        // A second consent brings another refresh token only where it is asked for.
        let first = self.consented.insert(user.email.clone());
        let offline = given("access_type") == Some("offline") && (first || given("prompt") == Some("consent"));
        let challenge = given("code_challenge").map(str::to_owned);
        let told = scopes.join(" ");
        let code =
            Code { user: user.email.clone(), scopes, redirect: redirect.to_owned(), challenge, asked: now, offline };
        let code = self.grants.code(code);
        to.query_pairs_mut().append_pair("code", &code).append_pair("scope", &told);
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
        config: &GoogleConfig,
        now: Timestamp,
    ) -> Result<Response<Bytes>, (u16, &'static str, &'static str)> {
        if form.get("client_id") != Some(&config.client_id) || form.get("client_secret") != Some(&config.client_secret)
        {
            return Err((401, "invalid_client", "Unauthorized"));
        }
        let (user, scopes, refresh) = match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => {
                let code = self.grants.exchange(form, now).ok_or((400, "invalid_grant", "Malformed auth code."))?;
                let refresh = code.offline.then(|| self.grants.give_refresh(&code.user, &code.scopes, now));
                (code.user, code.scopes, refresh)
            }
            Some("refresh_token") => {
                let given = form.get("refresh_token").map_or("", String::as_str);
                let dead = (400, "invalid_grant", "Token has been expired or revoked.");
                let known = self.grants.refresh_mut(given).ok_or(dead)?;
                let unused = now.duration_since(known.used) > UNUSED_LIVES;
                let tested = config.testing && now.duration_since(known.given) > TESTING_LIVES;
                if unused || tested {
                    return Err(dead);
                }
                known.used = now;
                (known.user.clone(), known.scopes.clone(), None)
            }
            _ => return Err((400, "unsupported_grant_type", "Invalid grant_type")),
        };
        let access = Access { user, scopes: scopes.clone(), expires: now + config.access_lives };
        let mut out = json!({
            "access_token": self.grants.give_access(access), "expires_in": config.access_lives.as_secs(),
            "scope": scopes.join(" "), "token_type": "Bearer",
        });
        if let Some(refresh) = refresh {
            out["refresh_token"] = refresh.into();
        }
        Ok(answer(200, &out))
    }
}

/// A number that always belongs to the same address.
fn number_of(email: &str) -> String {
    let sum = email.bytes().fold(1u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    format!("1{:020}", sum)
}
