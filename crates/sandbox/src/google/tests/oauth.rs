//! Who may call.

use bytes::Bytes;
use http::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EVENTS, Kit, SAM, kit, kit_with};
use crate::{Site, google::GoogleConfig};

fn form(kit: &Kit, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let config = GoogleConfig::default();
    let client = [("client_id", config.client_id.as_str()), ("client_secret", config.client_secret.as_str())];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(client.iter().chain(fields)).finish();
    let response = kit.site.handle("http://here", Request::post(path).body(Bytes::from(body)).unwrap()).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn get(kit: &Kit, path: &str, token: &str) -> (u16, Value) {
    let request = Request::get(path).header("authorization", format!("Bearer {token}")).body(Bytes::new()).unwrap();
    let response = kit.site.handle("http://here", request).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

/// Agrees, exchanges the code and answers the tokens.
fn consent(kit: &Kit, more: &str) -> Value {
    let scope = "https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcalendar.events+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcalendar.readonly";
    let path = format!(
        "/o/oauth2/v2/auth?client_id={}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&response_type=code&state=s1&scope={scope}{more}",
        GoogleConfig::default().client_id
    );
    let response = kit.site.handle("http://here", Request::get(path).body(Bytes::new()).unwrap()).response;
    assert_eq!(response.status().as_u16(), 302);
    let to = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let value = |name: &str| to.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!(value("state"), "s1");
    let fields =
        [("grant_type", "authorization_code"), ("code", &value("code")), ("redirect_uri", "https://app.example/cb")];
    let (status, tokens) = form(kit, "/token", &fields);
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(form(kit, "/token", &fields).1["error"], "invalid_grant", "a code is worth something once");
    tokens
}

#[test]
fn a_refresh_token_comes_with_the_first_consent_or_a_renewed_one() {
    let kit = kit();
    assert!(consent(&kit, "").get("refresh_token").is_none());
    assert!(consent(&kit, "&access_type=offline").get("refresh_token").is_none(), "he had agreed before");
    let tokens = consent(&kit, "&access_type=offline&prompt=consent");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(get(&kit, EVENTS, access).0, 200);
    kit.hands.pass(SignedDuration::from_secs(3_599));
    let (status, body) = get(&kit, EVENTS, access);
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (401, &json!("authError")));
    let again = |token: &str| form(&kit, "/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let (status, renewed) = again(refresh);
    assert_eq!((status, renewed.get("refresh_token")), (200, None), "it does not rotate");
    assert_eq!(get(&kit, EVENTS, renewed["access_token"].as_str().unwrap()).0, 200);
    kit.site.revoke("rosa@host.example");
    assert_eq!(
        again(refresh),
        (400, json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}))
    );
}

#[test]
fn refresh_tokens_die_in_testing_and_of_disuse() {
    for (testing, days, alive) in [(true, 6, true), (true, 8, false), (false, 8, true), (false, 184, false)] {
        let kit = kit_with(GoogleConfig { testing, ..GoogleConfig::default() });
        let refresh = kit.site.install(SAM).unwrap()["refresh_token"].as_str().unwrap().to_owned();
        kit.hands.pass(SignedDuration::from_hours(24 * days));
        let status = form(&kit, "/token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).0;
        assert_eq!(status == 200, alive, "testing {testing}, {days} days");
    }
}

#[test]
fn a_scope_that_was_unticked_is_missing() {
    let kit = kit();
    kit.site.set_scope_ticked("https://www.googleapis.com/auth/calendar.events", false);
    let tokens = consent(&kit, &format!("&login_hint={SAM}"));
    assert_eq!(tokens["scope"], "https://www.googleapis.com/auth/calendar.readonly");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(get(&kit, EVENTS, token).0, 200);
    let request = Request::post(EVENTS).header("authorization", format!("Bearer {token}"));
    let refused = kit.site.handle("http://here", request.body(Bytes::from("{}")).unwrap()).response;
    assert_eq!(refused.status().as_u16(), 403);
    let (status, who) = get(&kit, "/oauth2/v2/userinfo", token);
    assert_eq!(
        (status, &who["email"], &who["name"], &who["hd"]),
        (200, &json!(SAM), &json!("Sam Seller"), &json!("host.example"))
    );
    assert_eq!(form(&kit, "/revoke", &[("token", token)]).0, 200);
    assert_eq!(get(&kit, EVENTS, token).0, 401);
    assert_eq!(form(&kit, "/revoke", &[("token", token)]).0, 400);
}
