//! OAuth on the org's own host: authorize, token, revoke, introspect, userinfo.

mod grants;
mod page;
#[cfg(test)]
mod tests;
mod tokens;

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};

pub use tokens::Tokens;

use super::{SalesforceOrg, State, id::Id, reply, rest, time, world::Val};

/// A refused token request: status, `error`, `error_description`.
#[derive(Debug)]
pub(super) struct Refused(u16, &'static str, &'static str);

impl Refused {
    fn grant(description: &'static str) -> Self {
        Self(400, "invalid_grant", description)
    }

    fn client() -> Self {
        Self(400, "invalid_client", "invalid client credentials")
    }

    fn response(&self) -> Response<Bytes> {
        reply::json(self.0, &json!({"error": self.1, "error_description": self.2}))
    }
}

/// A request to one of these endpoints, with its form or query read.
pub(super) struct Form<'a> {
    pub base: &'a str,
    pub now: i64,
    pub fields: Vec<(String, String)>,
    /// From HTTP Basic.
    pub basic: Option<(String, String)>,
}

impl Form<'_> {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn client(&self) -> (Option<&str>, Option<&str>) {
        match &self.basic {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (self.get("client_id"), self.get("client_secret")),
        }
    }
}

impl SalesforceOrg {
    /// Answers everything under `/services/oauth2`, `/services/Soap` and `/id`.
    pub(super) fn identity(
        &self,
        state: &mut State,
        base: &str,
        request: &http::Request<Bytes>,
        now: i64,
    ) -> Option<Response<Bytes>> {
        let path = request.uri().path();
        if let Some(version) = path.strip_prefix("/services/Soap/u/") {
            return Some(self.soap(state, base, request, version, now));
        }
        if let Some(rest) = path.strip_prefix("/id/") {
            return Some(self.identity_url(state, base, request, rest, now));
        }
        let endpoint = path.strip_prefix("/services/oauth2/")?;
        let mut fields = rest::params(request.uri().query().unwrap_or_default());
        if request.method() == Method::POST {
            fields.extend(url::form_urlencoded::parse(request.body()).into_owned());
        }
        let form = Form { base, now, fields, basic: basic(request) };
        Some(match (endpoint, request.method() == Method::POST) {
            ("authorize", false) => self.authorize_page(&form, None),
            ("authorize", true) => self.authorize(state, &form),
            ("token", true) => self.token(state, &form).unwrap_or_else(|refused| refused.response()),
            ("token", false) => Refused(400, "invalid_request", "must use HTTP POST").response(),
            ("revoke", _) => revoke(state, &form),
            ("introspect", true) => self.introspect(state, &form),
            ("userinfo", _) => self.userinfo(state, base, request, now),
            _ => reply::json(404, &json!({"error": "not_found"})),
        })
    }

    /// The session behind a request's bearer.
    pub(super) fn session(&self, state: &State, request: &http::Request<Bytes>, now: i64) -> Option<Id> {
        let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = header.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("OAuth");
        state.tokens.user_of(token.trim(), now).filter(|_| known)
    }

    fn introspect(&self, state: &State, form: &Form<'_>) -> Response<Bytes> {
        let app = &self.config.app;
        if form.client() != (Some(app.client_id.as_str()), Some(app.client_secret.as_str())) {
            return Refused(401, "invalid_client", "invalid client credentials").response();
        }
        let token = form.get("token").unwrap_or_default();
        let Some(session) = state.tokens.access(token, form.now) else {
            return match state.tokens.refresh_user(token) {
                Some(user) => reply::json(
                    200,
                    &json!({"active": true, "scope": "api refresh_token",
                    "client_id": app.client_id, "username": self.user_text(state, user, "Username"),
                    "sub": self.identity_of(form.base, user), "token_type": "refresh_token"}),
                ),
                None => reply::json(200, &json!({"active": false})),
            };
        };
        reply::json(
            200,
            &json!({
                "active": true,
                "scope": "api refresh_token",
                "client_id": app.client_id,
                "username": self.user_text(state, session.user, "Username"),
                "sub": self.identity_of(form.base, session.user),
                "token_type": "access_token",
                "exp": session.expires,
                "iat": session.issued,
                "nbf": session.issued,
            }),
        )
    }

    /// `https://{host}/id/{org}/{user}`
    pub(super) fn identity_of(&self, base: &str, user: Id) -> String {
        format!("{base}/id/{}/{}", self.org_id.as_str(), user.as_str())
    }

    pub(in crate::salesforce) fn user_text(&self, state: &State, user: Id, field: &str) -> String {
        let world = &state.world;
        let value = world.find(user).and_then(|(object, slot)| {
            let no = world.def(object).field_no(field)?;
            world.row(object, slot)?.stored(no)?.as_text().map(str::to_owned)
        });
        value.unwrap_or_default()
    }

    fn userinfo(&self, state: &State, base: &str, request: &http::Request<Bytes>, now: i64) -> Response<Bytes> {
        let Some(user) = self.session(state, request, now) else {
            return reply::text(403, "Bad_OAuth_Token");
        };
        let text = |field: &str| self.user_text(state, user, field);
        let api = |kind: &str| format!("{base}/services/Soap/{kind}/{{version}}/{}", &self.org_id.as_str()[..15]);
        let rest = format!("{base}/services/data/v{{version}}/");
        reply::json(
            200,
            &json!({
                "sub": self.identity_of(base, user),
                "user_id": user.as_str(),
                "organization_id": self.org_id.as_str(),
                "preferred_username": text("Username"),
                "nickname": text("CommunityNickname"),
                "name": text("Name"),
                "email": text("Email"),
                "email_verified": true,
                "given_name": text("FirstName"),
                "family_name": text("LastName"),
                "zoneinfo": "GMT",
                "photos": {"picture": format!("{base}/profilephoto/005/F"), "thumbnail": format!("{base}/profilephoto/005/T")},
                "profile": format!("{base}/{}", user.as_str()),
                "picture": format!("{base}/profilephoto/005/F"),
                "address": {},
                "is_salesforce_integration_user": false,
                "urls": {
                    "enterprise": api("c"), "metadata": api("m"), "partner": api("u"), "rest": rest,
                    "sobjects": format!("{rest}sobjects/"), "search": format!("{rest}search/"),
                    "query": format!("{rest}query/"), "recent": format!("{rest}recent/"),
                    "tooling_soap": api("T"), "tooling_rest": format!("{rest}tooling/"),
                    "profile": format!("{base}/{}", user.as_str()), "feeds": format!("{rest}chatter/feeds"),
                    "groups": format!("{rest}chatter/groups"), "users": format!("{rest}chatter/users"),
                    "feed_items": format!("{rest}chatter/feed-items"),
                    "feed_elements": format!("{rest}chatter/feed-elements"), "custom_domain": base,
                },
                "active": true,
                "user_type": "STANDARD",
                "language": "en_US",
                "locale": "en_US",
                "utcOffset": 0,
                "updated_at": time::stamp(self.born),
            }),
        )
    }

    fn identity_url(
        &self,
        state: &State,
        base: &str,
        request: &http::Request<Bytes>,
        rest: &str,
        now: i64,
    ) -> Response<Bytes> {
        let Some(user) = self.session(state, request, now) else {
            return reply::text(403, "Bad_OAuth_Token");
        };
        let named = rest.split_once('/').and_then(|(org, user)| Some((Id::parse(org)?, Id::parse(user)?)));
        if named != Some((self.org_id, user)) {
            return reply::text(404, "Not found");
        }
        let text = |field: &str| self.user_text(state, user, field);
        reply::json(
            200,
            &json!({
                "id": self.identity_of(base, user), "asserted_user": true, "user_id": user.as_str(),
                "organization_id": self.org_id.as_str(), "username": text("Username"), "nick_name": text("CommunityNickname"),
                "display_name": text("Name"), "email": text("Email"), "email_verified": true,
                "first_name": text("FirstName"), "last_name": text("LastName"), "timezone": "GMT", "active": true,
                "user_type": "STANDARD", "language": "en_US", "locale": "en_US", "utcOffset": 0,
                "urls": {"rest": format!("{base}/services/data/v{{version}}/")}, "is_app_installed": true,
            }),
        )
    }

    /// The active user with this name.
    pub(super) fn user_named(&self, state: &State, username: &str) -> Option<Id> {
        let world = &state.world;
        let object = world.schema.find("User")?;
        let def = world.def(object);
        let (name, active) = (def.field_no("Username")?, def.field_no("IsActive")?);
        let slots = world.table(object).lookup(def, name, &Val::text(username))?;
        let rows = slots.iter().filter_map(|slot| world.row(object, *slot));
        rows.filter(|row| row.stored(active) == Some(&Val::Bool(true))).map(|row| row.id).next()
    }
}

fn revoke(state: &mut State, form: &Form<'_>) -> Response<Bytes> {
    if state.tokens.revoke(form.get("token").unwrap_or_default()) {
        reply::empty(200)
    } else {
        Refused(400, "invalid_token", "invalid token").response()
    }
}

/// Name and secret of an HTTP Basic header.
fn basic(request: &http::Request<Bytes>) -> Option<(String, String)> {
    use base64::Engine;
    let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = header.split_once(' ')?;
    let plain = base64::engine::general_purpose::STANDARD.decode(coded.trim()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (name, secret) = plain.split_once(':')?;
    scheme.eq_ignore_ascii_case("Basic").then(|| (name.to_owned(), secret.to_owned()))
}

/// A value of the token answer that clients may check: HMAC of identity and time with the app's secret.
pub(super) fn signature(secret: &str, identity: &str, issued_at: &str) -> String {
    use base64::Engine;
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(identity.as_bytes());
    mac.update(issued_at.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub(super) fn token_body(org: &SalesforceOrg, form: &Form<'_>, user: Id, access: &str, refresh: Option<&str>) -> Value {
    let identity = org.identity_of(form.base, user);
    let issued_at = (form.now * 1_000).to_string();
    let mut body = json!({
        "access_token": access,
        "signature": signature(&org.config.app.client_secret, &identity, &issued_at),
        "scope": "api refresh_token",
        "instance_url": form.base,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    body
}
