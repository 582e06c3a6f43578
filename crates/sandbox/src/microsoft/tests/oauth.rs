//! Who may call.

use bytes::Bytes;
use http::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EVENTS, Kit, MIA, NOAH, kit, kit_with};
use crate::{Site, microsoft::MicrosoftConfig};

fn form(kit: &Kit, fields: &[(&str, &str)]) -> (u16, Value) {
    let config = MicrosoftConfig::default();
    let client = [("client_id", config.client_id.as_str()), ("client_secret", config.client_secret.as_str())];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(client.iter().chain(fields)).finish();
    let request = Request::post("/common/oauth2/v2.0/token").body(Bytes::from(body)).unwrap();
    let response = kit.site.handle("http://here", request).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn get(kit: &Kit, path: &str, token: &str) -> (u16, Value) {
    let request = Request::get(path).header("authorization", format!("Bearer {token}")).body(Bytes::new()).unwrap();
    let response = kit.site.handle("http://here", request).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn consent(kit: &Kit, scope: &str) -> Value {
    let path = format!(
        "/common/oauth2/v2.0/authorize?client_id={}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&response_type=code&state=s1&login_hint={NOAH}&scope={scope}",
        MicrosoftConfig::default().client_id
    );
    let response = kit.site.handle("http://here", Request::get(path).body(Bytes::new()).unwrap()).response;
    assert_eq!(response.status().as_u16(), 302);
    let to = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let code = to.query_pairs().find(|(key, _)| key == "code").unwrap().1.into_owned();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "https://app.example/cb")];
    let (status, tokens) = form(kit, &fields);
    assert_eq!(status, 200, "{tokens}");
    tokens
}

#[test]
fn tokens_are_of_who_agreed_and_for_what() {
    let kit = kit();
    let tokens = consent(&kit, "Calendars.Read+User.Read");
    assert!(tokens.get("refresh_token").is_none(), "only with offline_access");
    let token = tokens["access_token"].as_str().unwrap();
    let (_, who) = get(&kit, "/v1.0/me", token);
    assert_eq!((&who["mail"], &who["givenName"], &who["surname"]), (&json!(NOAH), &json!("Noah"), &json!("North")));
    assert_eq!(get(&kit, EVENTS, token).0, 200);
    let write =
        Request::post(EVENTS).header("authorization", format!("Bearer {token}")).body(Bytes::from("{}")).unwrap();
    assert_eq!(kit.site.handle("http://here", write).response.status().as_u16(), 403);
    assert_eq!(get(&kit, "/v1.0/users/mia@firm.example/events", token).0, 403, "of nobody else");
    kit.hands.pass(SignedDuration::from_mins(75));
    let (status, body) = get(&kit, EVENTS, token);
    assert_eq!((status, &body["error"]["code"]), (401, &json!("InvalidAuthenticationToken")));
}

#[test]
fn refreshes_rotate_and_end() {
    for old_refresh_ends in [false, true] {
        let kit = kit_with(MicrosoftConfig { old_refresh_ends, ..MicrosoftConfig::default() });
        let first = consent(&kit, "Calendars.ReadWrite+offline_access")["refresh_token"].as_str().unwrap().to_owned();
        let refresh = |token: &str| form(&kit, &[("grant_type", "refresh_token"), ("refresh_token", token)]);
        let (status, renewed) = refresh(&first);
        let second = renewed["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!((status, second == first), (200, false));
        assert_eq!(refresh(&first).0, if old_refresh_ends { 400 } else { 200 });
        kit.hands.pass(SignedDuration::from_hours(91 * 24));
        let (status, dead) = refresh(&second);
        assert_eq!((status, &dead["error"], &dead["error_codes"]), (400, &json!("invalid_grant"), &json!([700_082])));
    }
    let kit = kit();
    let token = kit.site.install(MIA).unwrap()["refresh_token"].as_str().unwrap().to_owned();
    let commas =
        [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "User.Read,Calendars.Read")];
    assert_eq!(form(&kit, &commas).1["error_codes"], json!([9_002_313]));
    kit.site.revoke(MIA);
    assert_eq!(form(&kit, &commas[..2]).1["error_codes"], json!([50_173]));
}
