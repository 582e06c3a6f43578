//! Each way of logging in, and each way it is refused.

use base64::Engine;
use http::Request;
use serde_json::Value;
use sha2::Digest;

use crate::salesforce::{
    AppConfig, SalesforceConfig,
    testkit::{BASE, Got, Kit, code},
};

const BACK: &str = "http://localhost:8080/callback";

fn app() -> AppConfig {
    AppConfig::default()
}

/// Goes through the consent page and answers where the browser is sent.
fn consent(kit: &Kit, password: &str, extra: &[(&str, &str)]) -> Got {
    let client = app().client_id;
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", client.as_str()),
        ("redirect_uri", BACK),
        ("state", "st & 1"),
        ("username", "admin@imitation.example"),
        ("password", password),
    ];
    fields.extend(extra);
    kit.form("/services/oauth2/authorize", &fields)
}

fn landed(got: &Got, name: &str) -> Option<String> {
    let target = url::Url::parse(got.headers.get("location")?.to_str().ok()?).ok()?;
    target.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn trade(kit: &Kit, fields: &[(&str, &str)]) -> Got {
    let app = app();
    let mut all = vec![("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    all.extend(fields);
    kit.form("/services/oauth2/token", &all)
}

#[test]
fn the_web_flow_with_a_code_verifier() {
    let kit = Kit::new();
    let page = kit.raw(
        Request::get(format!(
            "/services/oauth2/authorize?response_type=code&client_id={}&redirect_uri={BACK}&state=%22%3E%3Cb%3E",
            app().client_id
        ))
        .body(Default::default())
        .expect("valid"),
    );
    assert_eq!(page.status, 200);
    assert!(page.text.contains("name=password") && !page.text.contains("<b>"), "{}", page.text);
    let verifier = "a-verifier-of-at-least-forty-three-characters-in-all";
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier));
    let pkce = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let got = consent(&kit, "correct-horse", &pkce);
    assert_eq!((got.status, landed(&got, "state").as_deref()), (302, Some("st & 1")));
    let code = landed(&got, "code").expect("a code");
    let grant =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("code_verifier", verifier)];
    let got = trade(&kit, &grant);
    assert_eq!(got.status, 200, "{}", got.text);
    let keys: Vec<&str> = got.body.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
    assert_eq!(
        keys,
        ["access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at", "refresh_token"]
    );
    assert_eq!(
        (got.body["instance_url"].as_str(), got.body["issued_at"].as_str()),
        (Some(BASE), Some("1778068800000"))
    );
    // A code works once.
    assert_eq!(trade(&kit, &grant).body["error"], "invalid_grant");
    let got = consent(&kit, "correct-horse", &pkce);
    let code = landed(&got, "code").expect("a code");
    let wrong =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("code_verifier", "other")];
    assert_eq!(trade(&kit, &wrong).body["error_description"], "invalid code verifier");
}

#[test]
fn consent_is_refused_to_the_wrong_person_app_or_address() {
    let kit = Kit::new();
    assert!(consent(&kit, "wrong", &[]).text.contains("check your username"));
    assert_eq!(landed(&consent(&kit, "", &[("decision", "deny")]), "error").as_deref(), Some("access_denied"));
    let client = app().client_id;
    let away = kit.form(
        "/services/oauth2/authorize",
        &[
            ("response_type", "code"),
            ("client_id", &client),
            ("redirect_uri", "https://elsewhere.example/"),
            ("username", "x"),
            ("password", "y"),
        ],
    );
    assert_eq!((away.status, away.headers.get("location")), (400, None));
    let other = kit.form("/services/oauth2/authorize", &[("client_id", "nobody"), ("redirect_uri", BACK)]);
    assert!(other.text.contains("invalid_client_id"));
}

fn refresh_token(kit: &Kit) -> String {
    kit.org.credentials(BASE)["refresh_token"].as_str().expect("a refresh token").to_owned()
}

#[test]
fn refreshing_keeps_the_token_or_rotates_it() {
    let kit = Kit::new();
    let token = refresh_token(&kit);
    for _ in 0..2 {
        let got = trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", &token)]);
        assert_eq!((got.status, &got.body["refresh_token"]), (200, &Value::Null));
    }
    let kit = Kit::with(SalesforceConfig { rotate_refresh_tokens: true, ..SalesforceConfig::default() });
    let token = refresh_token(&kit);
    let got = trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    let next = got.body["refresh_token"].as_str().expect("a new refresh token").to_owned();
    let dead = trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    assert_eq!((dead.status, dead.body["error_description"].as_str()), (400, Some("expired access/refresh token")));
    assert_eq!(trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", &next)]).status, 200);
}

#[test]
fn a_sixth_approval_ends_the_first() {
    let kit = Kit::new();
    let tokens: Vec<String> = (0..6).map(|_| refresh_token(&kit)).collect();
    let status = |token: &String| trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", token)]).status;
    assert_eq!(tokens.iter().map(status).collect::<Vec<_>>(), [400, 200, 200, 200, 200, 200]);
}

#[test]
fn other_grants_and_their_errors() {
    let kit = Kit::new();
    let error = |fields: &[(&str, &str)]| trade(&kit, fields).body["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!(error(&[("grant_type", "made_up")]), "unsupported_grant_type");
    assert_eq!(
        error(&[("grant_type", "password"), ("username", "admin@imitation.example"), ("password", "no")]),
        "invalid_grant"
    );
    assert_eq!(
        trade(
            &kit,
            &[
                ("grant_type", "password"),
                ("username", "admin@imitation.example"),
                ("password", "correct-horseToken1234")
            ]
        )
        .status,
        200
    );
    assert_eq!(
        error(&[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "a.b.c")]),
        "invalid_grant"
    );
    let got = kit.form(
        "/services/oauth2/token",
        &[("grant_type", "client_credentials"), ("client_id", &app().client_id), ("client_secret", "wrong")],
    );
    assert_eq!((got.status, got.body["error"].as_str()), (400, Some("invalid_client")));
}

#[test]
fn sessions_expire_and_are_revoked() {
    let kit = Kit::new();
    assert_eq!(kit.get("/limits").status, 200);
    kit.advance(7_200);
    let got = kit.get("/limits");
    assert_eq!((got.status, code(&got.body)), (401, "INVALID_SESSION_ID"));
    let token = refresh_token(&kit);
    let got = trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    let access = got.body["access_token"].as_str().unwrap_or_default().to_owned();
    let told = trade_introspect(&kit, &access);
    assert_eq!(
        (told.body["active"].as_bool(), told.body["exp"].as_i64()),
        (Some(true), Some(1_778_068_800 + 2 * 7_200))
    );
    assert_eq!(kit.form("/services/oauth2/revoke", &[("token", &token)]).status, 200);
    assert_eq!(trade_introspect(&kit, &access).body["active"], false);
    assert_eq!(trade(&kit, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).status, 400);
}

fn trade_introspect(kit: &Kit, token: &str) -> Got {
    let app = app();
    kit.form(
        "/services/oauth2/introspect",
        &[("token", token), ("client_id", &app.client_id), ("client_secret", &app.client_secret)],
    )
}
