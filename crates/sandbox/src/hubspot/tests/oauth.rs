//! Who may call.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Kit, kit, kit_with};
use crate::{Site, hubspot::HubSpotConfig};

const CLIENT: [(&str, &str); 2] =
    [("client_id", "11111111-2222-3333-4444-555555555555"), ("client_secret", "sandbox-client-secret-0123456789")];

fn form(kit: &Kit, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(CLIENT.iter().chain(fields)).finish();
    let response = kit.account.handle("http://here", Request::post(path).body(Bytes::from(body)).unwrap()).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

/// Asks for a code and answers it with the state that came back.
fn code(kit: &Kit, challenge: &str) -> (String, String) {
    let path = format!(
        "/oauth/authorize?client_id={}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=oauth%20crm.objects.contacts.read&state=s1&code_challenge={challenge}&code_challenge_method=S256",
        CLIENT[0].1
    );
    let response = kit.account.handle("http://here", Request::get(path).body(Bytes::new()).unwrap()).response;
    assert_eq!(response.status().as_u16(), 302);
    let to = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let value = |name: &str| to.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    (value("code"), value("state"))
}

#[test]
fn a_code_is_worth_one_token_to_who_asked_for_it() {
    let kit = kit();
    let verifier = "v".repeat(64);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let (given, state) = code(&kit, &challenge);
    assert_eq!(state, "s1");
    let exchange = |code: &str, verifier: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "https://app.example/cb"),
            ("code_verifier", verifier),
        ];
        form(&kit, "/oauth/v3/token", &fields)
    };
    let (status, token) = exchange(&given, &verifier);
    assert_eq!((status, &token["expires_in"], &token["hub_id"]), (200, &json!(1800), &json!(147_893_286)));
    assert_eq!(token["scopes"], json!(["oauth", "crm.objects.contacts.read"]));
    assert!(token["access_token"].as_str().unwrap().len() >= 300);
    assert_eq!(exchange(&given, &verifier).1["status"], "BAD_AUTH_CODE", "once only");
    let (other, _) = code(&kit, &challenge);
    assert_eq!(exchange(&other, "wrong").1["status"], "BAD_CODE_VERIFIER");
    let access = token["access_token"].as_str().unwrap();
    let list =
        |token: &str| kit.send(token, "GET", "/crm/v3/objects/contacts", &Value::Null).response.status().as_u16();
    assert_eq!((list(access), list("nonsense")), (200, 401));
    let create = kit.send(access, "POST", "/crm/v3/objects/contacts", &json!({"properties": {}})).response;
    let body: Value = serde_json::from_slice(create.body()).unwrap();
    assert_eq!((create.status().as_u16(), &body["category"]), (403, &json!("MISSING_SCOPES")));
    assert_eq!(body["errors"][0]["context"]["requiredGranularScopes"], json!(["crm.objects.contacts.write"]));
    kit.hands.pass(SignedDuration::from_secs(1800));
    let late = kit.send(access, "GET", "/crm/v3/objects/contacts", &Value::Null).response;
    let body: Value = serde_json::from_slice(late.body()).unwrap();
    assert_eq!((late.status().as_u16(), &body["category"]), (401, &json!("EXPIRED_AUTHENTICATION")));
}

#[test]
fn refresh_tokens_stay_or_rotate_and_end_when_revoked() {
    for rotates in [false, true] {
        let mut config = HubSpotConfig::default();
        config.app.rotates_refresh_tokens = rotates;
        let kit = kit_with(config);
        let first = kit.account.install()["refresh_token"].as_str().unwrap().to_owned();
        let refresh =
            |token: &str| form(&kit, "/oauth/v3/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]);
        let (status, answer) = refresh(&first);
        let second = answer["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!((status, second != first, refresh(&first).0), (200, rotates, if rotates { 400 } else { 200 }));
        let told = form(&kit, "/oauth/v3/token/introspect", &[("token", &second)]).1;
        assert_eq!((&told["active"], &told["token_use"]), (&json!(true), &json!("refresh_token")));
        assert_eq!(form(&kit, "/oauth/v3/token/revoke", &[("token", &second)]).0, 200);
        let (status, answer) = refresh(&second);
        assert_eq!((status, &answer["status"]), (400, &json!("BAD_REFRESH_TOKEN")));
        // The access token that is out lives on.
        let told = form(&kit, "/oauth/v3/token/introspect", &[("token", answer_token(&kit).as_str())]).1;
        assert_eq!(told["active"], true);
        kit.account.uninstall();
        assert_eq!(form(&kit, "/oauth/v3/token/introspect", &[("token", "x")]).1, json!({"active": false}));
    }
}

fn answer_token(kit: &Kit) -> String {
    kit.account.install()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn strangers_get_no_token() {
    let kit = kit();
    let body = "grant_type=refresh_token&client_id=x&client_secret=y&refresh_token=z";
    let request = Request::post("/oauth/v3/token").body(Bytes::from(body)).unwrap();
    assert_eq!(kit.account.handle("http://here", request).response.status().as_u16(), 400);
    let request =
        Request::get("/oauth/authorize?client_id=x&redirect_uri=https://a.example").body(Bytes::new()).unwrap();
    assert_eq!(kit.account.handle("http://here", request).response.status().as_u16(), 400);
    let token = kit.account.install()["access_token"].as_str().unwrap().to_owned();
    kit.account.expire_tokens();
    assert_eq!(kit.send(&token, "GET", "/crm/v3/owners", &Value::Null).response.status().as_u16(), 401);
}
