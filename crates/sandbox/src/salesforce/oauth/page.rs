//! The page on which a person logs in and allows the app. Plain HTML, works without script.

use std::fmt::Write;

use bytes::Bytes;
use http::Response;

use super::{Form, tokens::Code};
use crate::salesforce::{SalesforceOrg, State, console::escape, reply};

/// What the page hands on to itself.
const CARRIED: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"];

impl SalesforceOrg {
    /// Checks what must be right before anything is sent to the redirect address.
    fn vet(&self, form: &Form<'_>) -> Result<String, Box<Response<Bytes>>> {
        let wrong =
            |error: &str, why: &str| Err(Box::new(reply::text(400, &format!("error={error}&error_description={why}"))));
        if form.get("client_id") != Some(self.config.app.client_id.as_str()) {
            return wrong("invalid_client_id", "client%20identifier%20invalid");
        }
        let redirect = form.get("redirect_uri").unwrap_or_default();
        let registered = &self.config.app.redirect_uris;
        let known =
            if registered.is_empty() { loopback(redirect) } else { registered.iter().any(|uri| uri == redirect) };
        if !known {
            return wrong("redirect_uri_mismatch", "redirect_uri%20must%20match%20configuration");
        }
        Ok(redirect.to_owned())
    }

    pub(super) fn authorize_page(&self, form: &Form<'_>, problem: Option<&str>) -> Response<Bytes> {
        let redirect = match self.vet(form) {
            Ok(redirect) => redirect,
            Err(response) => return *response,
        };
        if form.get("response_type") != Some("code") {
            return back(
                &redirect,
                form,
                &[("error", "unsupported_response_type"), ("error_description", "response type not supported")],
            );
        }
        if form.get("code_challenge").is_some() && form.get("code_challenge_method").unwrap_or("S256") != "S256" {
            return back(
                &redirect,
                form,
                &[("error", "invalid_request"), ("error_description", "invalid code challenge method")],
            );
        }
        let mut page = String::from(
            "<!doctype html><html lang=en><meta charset=utf-8>\
            <meta name=viewport content=\"width=device-width,initial-scale=1\"><title>Log in</title>\
            <style>body{font:1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:2rem auto;padding:0 1rem}\
            input,button{font:inherit;width:100%;padding:.5rem;margin:.25rem 0 1rem;box-sizing:border-box}</style>",
        );
        let app = escape(&self.config.app.name);
        let org = escape(&self.config.org_name);
        let _ = write!(page, "<h1>{org}</h1><p>{app} asks to use your data at any time.</p>");
        if let Some(problem) = problem {
            let _ = write!(page, "<p role=alert><strong>{}</strong></p>", escape(problem));
        }
        page.push_str("<form method=post action=\"/services/oauth2/authorize\">");
        for name in CARRIED {
            if let Some(value) = form.get(name) {
                let _ = write!(page, "<input type=hidden name=\"{name}\" value=\"{}\">", escape(value));
            }
        }
        page.push_str(
            "<label>Username <input name=username autocomplete=username required></label>\
            <label>Password <input name=password type=password autocomplete=current-password required></label>\
            <button name=decision value=allow>Log in and allow</button>\
            <button name=decision value=deny formnovalidate>Deny</button></form></html>",
        );
        reply::html(200, page)
    }

    pub(super) fn authorize(&self, state: &mut State, form: &Form<'_>) -> Response<Bytes> {
        let redirect = match self.vet(form) {
            Ok(redirect) => redirect,
            Err(response) => return *response,
        };
        if form.get("decision") == Some("deny") {
            return back(
                &redirect,
                form,
                &[("error", "access_denied"), ("error_description", "end-user denied authorization")],
            );
        }
        let (name, password) = (form.get("username").unwrap_or_default(), form.get("password").unwrap_or_default());
        let Some(user) = self.log_in(state, name, password) else {
            return self.authorize_page(form, Some("Please check your username and password."));
        };
        let challenge = form.get("code_challenge").map(str::to_owned);
        let code = Code { user, redirect_uri: redirect.clone(), challenge, expires: 0 };
        let code = state.tokens.new_code(&*self.entropy, code, form.now);
        back(&redirect, form, &[("code", &code)])
    }
}

/// Sends the browser back to the app, with the state it came with.
fn back(redirect: &str, form: &Form<'_>, pairs: &[(&str, &str)]) -> Response<Bytes> {
    let Ok(mut target) = url::Url::parse(redirect) else {
        return reply::text(400, "error=redirect_uri_mismatch");
    };
    for (key, value) in pairs {
        target.query_pairs_mut().append_pair(key, value);
    }
    if let Some(state) = form.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    reply::redirect(target.as_str())
}

/// Any address of this machine itself, as the default app accepts.
fn loopback(uri: &str) -> bool {
    let Ok(uri) = url::Url::parse(uri) else { return false };
    let local = match uri.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    local && matches!(uri.scheme(), "http" | "https")
}
