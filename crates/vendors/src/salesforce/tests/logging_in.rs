//! Logging in: the exact scopes, PKCE always, and no host that an answer could slip in.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::{
    Error, ErrorKind, Grant, OAuth, Retry, Secret, Settings, TokenSet,
    oauth::{App, TokenCx},
    pkce,
};
use url::Url;

use super::{
    super::Salesforce,
    world::{Turn, World, json, now, raw},
};

fn app() -> App {
    App {
        client_id: "the-app".into(),
        client_secret: Some(Secret::new("app secret")),
        redirect_uri: Some(Url::parse("https://sync.example.org/oauth/salesforce").unwrap()),
    }
}

fn code() -> Grant {
    Grant::Code { code: Secret::new("the code"), verifier: Secret::new("the-verifier") }
}

fn refresh() -> Grant {
    Grant::Refresh { token: Secret::new("old") }
}

fn tokens() -> Json {
    json!({
        "access_token": "00Dxx!access", "refresh_token": "5Aep", "signature": "s", "scope": "refresh_token api", "token_type": "Bearer",
        "instance_url": "https://acme.my.salesforce.com", "id": "https://login.salesforce.com/id/00Dxx0000001gPL/005xx000001SwiU",
        "issued_at": "1309974610026"
    })
}

fn exchange(world: &World, grant: &Grant) -> Result<TokenSet, Error> {
    let app = app();
    let cx = TokenCx { http: world, now: jiff::Timestamp::UNIX_EPOCH, app: &app, settings: &world.settings };
    now(Salesforce.exchange(&cx, grant))
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// proves: sec:S2, sec:S3 (the callback is the registered one, to the letter), sec:S7
#[test]
fn the_person_is_sent_with_exact_scopes_state_and_challenge() {
    let challenge = pkce::challenge(&Secret::new("the-verifier"));
    let url = Salesforce.authorize_url(&app(), &Settings::new(), "st-1", &challenge).unwrap();
    insta::assert_snapshot!(url.as_str().replace('&', "\n&"), @r"
    https://login.salesforce.com/services/oauth2/authorize?response_type=code
    &client_id=the-app
    &redirect_uri=https%3A%2F%2Fsync.example.org%2Foauth%2Fsalesforce
    &scope=api+refresh_token
    &state=st-1
    &code_challenge=sP6XQ2T7IHwj7eBkdcI9xyC8WxEik0RMQk0tVGDKZPI
    &code_challenge_method=S256
    ");
    let bare = App { redirect_uri: None, ..app() };
    assert_eq!(Salesforce.authorize_url(&bare, &Settings::new(), "s", "c").unwrap_err().kind, ErrorKind::Configuration);
}

/// proves: sec:S2
#[test]
fn a_code_is_exchanged_with_its_verifier() {
    let world = World::with([json(200, tokens())]);
    let set = exchange(&world, &code()).unwrap();
    assert_eq!((set.access.expose(), set.refresh.unwrap().expose()), ("00Dxx!access", "5Aep"));
    assert_eq!(set.base_url.as_str(), "https://acme.my.salesforce.com/");
    assert_eq!((set.expires_at, set.account.as_deref()), (None, Some("00Dxx0000001gPL/005xx000001SwiU")));
    let seen = world.seen();
    assert_eq!(seen[0].line, "POST https://login.salesforce.com/services/oauth2/token");
    assert_eq!(seen[0].headers["content-type"], "application/x-www-form-urlencoded");
    insta::assert_snapshot!(seen[0].body, @"grant_type=authorization_code&code=the+code&client_id=the-app&client_secret=app+secret&redirect_uri=https%3A%2F%2Fsync.example.org%2Foauth%2Fsalesforce&code_verifier=the-verifier");
}

#[test]
fn a_refresh_without_a_new_refresh_token_says_so() {
    let mut answer = tokens();
    answer.as_object_mut().unwrap().remove("refresh_token");
    let world = World::with([json(200, answer)]);
    let old = Secret::new("old");
    let set = exchange(&world, &refresh()).unwrap();
    assert!(set.refresh.is_none());
    assert_eq!(set.keeping(&old).refresh.unwrap().expose(), "old");
    assert_eq!(
        world.seen()[0].body,
        "grant_type=refresh_token&refresh_token=old&client_id=the-app&client_secret=app+secret"
    );
}

#[test]
fn client_credentials_go_by_basic_to_the_own_domain_alone() {
    let world = World::with([json(200, tokens())]).set("login_host", "https://acme--uat.sandbox.my.salesforce.com");
    exchange(&world, &Grant::ClientCredentials).unwrap();
    let seen = world.seen();
    assert_eq!(seen[0].line, "POST https://acme--uat.sandbox.my.salesforce.com/services/oauth2/token");
    assert_eq!(
        (seen[0].body.as_str(), &seen[0].headers["authorization"]),
        ("grant_type=client_credentials", &http::HeaderValue::from_static("Basic dGhlLWFwcDphcHArc2VjcmV0"))
    );
    assert!(seen[0].headers["authorization"].is_sensitive());
    assert_eq!(exchange(&World::with([]), &Grant::ClientCredentials).unwrap_err().kind, ErrorKind::Configuration);
}

/// The key is the published one of RFC 7520; see the assertion's own tests in `connect`.
#[test]
fn an_assertion_names_the_server_of_the_login_host() {
    use base64_url::payload;
    let kind = "RSA PRIVATE KEY";
    let key = include_str!("../../../../connect/src/assertion/fixtures/rfc7520-rsa.base64");
    let grant = Grant::JwtBearer {
        username: "ada@example.org".into(),
        key: Secret::new(format!("-----BEGIN {kind}-----\n{key}-----END {kind}-----\n")),
    };
    for (host, audience) in [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
    ] {
        let world = World::with([json(200, tokens())]).set("login_host", host);
        exchange(&world, &grant).unwrap();
        let seen = world.seen();
        let form: Vec<(String, String)> = url::form_urlencoded::parse(seen[0].body.as_bytes()).into_owned().collect();
        assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert_eq!(
            payload(&form[1].1),
            json!({"iss": "the-app", "sub": "ada@example.org", "aud": audience, "exp": 180})
        );
    }
}

/// Just enough to look into an assertion.
mod base64_url {
    pub fn payload(token: &str) -> serde_json::Value {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
        for char in token.split('.').nth(1).unwrap().bytes() {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|known| *known == char).unwrap()).unwrap();
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count & 0xff) as u8);
            }
        }
        serde_json::from_slice(&bytes).unwrap()
    }
}

/// proves: sec:S5
#[test]
fn only_trusted_hosts_become_the_api_address() {
    let answer = |instance: &str| {
        let mut answer = tokens();
        answer["instance_url"] = json!(instance);
        answer
    };
    for good in [
        "https://acme.my.salesforce.com",
        "https://na1.salesforce.com/",
        "https://acme--uat.sandbox.my.salesforce.com",
        "https://x.force.com",
    ] {
        assert!(exchange(&World::with([json(200, answer(good))]), &code()).is_ok(), "{good}");
    }
    for bad in [
        "https://evil.example",
        "https://salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://u@acme.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://acme.my.salesforce.com/x",
        "https://acme.my.salesforce.com?x",
        "https://acme.my.salesforce.com.",
        "//acme.my.salesforce.com",
        "https://127.0.0.1",
        "https://.salesforce.com",
        "",
        "javascript:0",
        "https://acme.my.salesforce.com\\@evil.example",
        "http://sandbox.test:8080",
    ] {
        let error = exchange(&World::with([json(200, answer(bad))]), &code()).unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Protocol, Retry::Never), "{bad}");
        assert!(!error.message.contains("evil"));
    }
    let world = World::with([json(200, answer("http://sandbox.test:8080"))])
        .set("allow_host", "http://sandbox.test:8080")
        .set("login_host", "http://sandbox.test:8080");
    assert_eq!(exchange(&world, &code()).unwrap().base_url.as_str(), "http://sandbox.test:8080/");
}

/// proves: sec:S5
#[test]
fn the_login_host_is_one_of_salesforces_unless_the_operator_names_another() {
    let to = |settings: &Settings| {
        Salesforce.authorize_url(&app(), settings, "s", "c").map(|url| url.origin().ascii_serialization())
    };
    for good in [
        "https://login.salesforce.com",
        "https://test.salesforce.com/",
        "https://acme.my.salesforce.com",
        "https://acme--uat.sandbox.my.salesforce.com",
    ] {
        assert_eq!(to(&settings(&[("login_host", good)])).unwrap(), good.trim_end_matches('/'));
    }
    for bad in [
        "https://evil.example",
        "http://login.salesforce.com",
        "https://login.salesforce.com:444",
        "https://my.salesforce.com",
        "https://acme.my.salesforce.com/x",
        "https://login.salesforce.com@evil.example",
        "login.salesforce.com",
    ] {
        assert_eq!(to(&settings(&[("login_host", bad)])).unwrap_err().kind, ErrorKind::Configuration, "{bad}");
    }
    let own = "http://127.0.0.1:9999";
    assert_eq!(to(&settings(&[("login_host", own), ("allow_host", own)])).unwrap(), own);
    for other in ["http://127.0.0.1:9998", "https://127.0.0.1:9999", "http://localhost:9999"] {
        assert!(to(&settings(&[("login_host", own), ("allow_host", other)])).is_err(), "{other}");
    }
}

/// proves: fault:T4
#[test]
fn refusals_say_what_to_do() {
    let refusal = |error: &str| json(400, json!({"error": error, "error_description": "beschreibung: geheim"}));
    let jwt_free = Grant::ClientCredentials;
    let cases = [
        (refresh(), "invalid_grant", ErrorKind::Revoked),
        (code(), "invalid_grant", ErrorKind::Revoked),
        (jwt_free, "invalid_grant", ErrorKind::Configuration),
        (refresh(), "inactive_user", ErrorKind::Revoked),
        (refresh(), "invalid_client", ErrorKind::Configuration),
        (code(), "redirect_uri_mismatch", ErrorKind::Configuration),
        (code(), "invalid_scope", ErrorKind::Configuration),
        (code(), "unsupported_grant_type", ErrorKind::Configuration),
        (code(), "something_new", ErrorKind::Configuration),
    ];
    let mut sentences = Vec::new();
    for (grant, code, kind) in cases {
        let world = World::with([refusal(code)]).set("login_host", "https://acme.my.salesforce.com");
        let error = exchange(&world, &grant).unwrap_err();
        assert_eq!((error.kind, error.retry, error.code.as_deref()), (kind, Retry::Never, Some(code)));
        assert!(!error.to_string().contains("geheim"));
        sentences.push(format!("{code}: {}", error.message));
    }
    insta::assert_snapshot!(sentences.join("\n"), @r"
    invalid_grant: the org no longer accepts this approval; connect the account again
    invalid_grant: the org no longer accepts this approval; connect the account again
    invalid_grant: the org has no run-as user for client credentials; set one in the app's policies
    inactive_user: the user or the org is inactive; connect another account
    invalid_client: the app's client id or secret is not accepted; set those of the External Client App
    redirect_uri_mismatch: the callback address differs from the one registered in the app
    invalid_scope: the app does not offer the scopes `api` and `refresh_token`; add them
    unsupported_grant_type: the app or its policies do not allow this way to log in; enable it in the app's settings
    something_new: the org refused the login; look at the app's settings and the user's login history
    ");
    assert_eq!(
        exchange(&World::with([refusal("rate_limit_exceeded")]), &refresh()).unwrap_err().kind,
        ErrorKind::RateLimited
    );
}

/// proves: fault:T3 (a lost answer after a rotation is never taken for a refusal)
#[test]
fn a_lost_answer_is_not_a_refusal() {
    let kinds = |grant: &Grant, turn: Turn| {
        let error =
            exchange(&World::with([turn]).set("login_host", "https://acme.my.salesforce.com"), grant).unwrap_err();
        (error.kind, error.retry)
    };
    assert_eq!(kinds(&refresh(), Turn::Lost), (ErrorKind::UnknownOutcome, Retry::Backoff));
    assert_eq!(kinds(&refresh(), raw(502, "")), (ErrorKind::UnknownOutcome, Retry::Backoff));
    assert_eq!(kinds(&code(), Turn::Lost), (ErrorKind::UnknownOutcome, Retry::Never));
    assert_eq!(kinds(&Grant::ClientCredentials, Turn::Lost), (ErrorKind::Unavailable, Retry::Backoff));
    assert_eq!(kinds(&refresh(), Turn::NotSent), (ErrorKind::Unreachable, Retry::Backoff));
    assert_eq!(kinds(&refresh(), raw(503, "")), (ErrorKind::Unavailable, Retry::Backoff));
}

/// proves: sec:S9 (the vendor's half)
#[test]
fn revoking_what_is_revoked_is_done() {
    let revoke = |turn: Turn| {
        let (world, app) = (World::with([turn]), app());
        let cx = TokenCx { http: &world, now: jiff::Timestamp::UNIX_EPOCH, app: &app, settings: &world.settings };
        let outcome = now(Salesforce.revoke(&cx, &Secret::new("t&k")));
        let seen = world.seen();
        assert_eq!(
            (seen[0].line.as_str(), seen[0].body.as_str()),
            ("POST https://login.salesforce.com/services/oauth2/revoke", "token=t%26k")
        );
        outcome.map_err(|error| error.kind)
    };
    assert_eq!(revoke(raw(200, "")), Ok(()));
    assert_eq!(revoke(json(400, json!({"error": "invalid_token"}))), Ok(()));
    assert_eq!(revoke(json(400, json!({"error": "other"}))), Err(ErrorKind::Unavailable));
    assert_eq!(revoke(Turn::Lost), Err(ErrorKind::Unreachable));
}

proptest! {
    /// proves: sec:S5
    #[test]
    fn no_bytes_make_a_token(body in any::<Vec<u8>>(), status in 200u16..600) {
        prop_assert!(exchange(&World::with([raw(status, body)]), &refresh()).is_err());
    }

    /// proves: sec:S5
    #[test]
    fn whatever_host_is_named_the_address_is_salesforces(instance in "(https?://)?[a-z.@:/\\\\?#%]{0,12}(salesforce\\.com|force\\.com)?[a-z.@:/\\\\]{0,6}") {
        let mut answer = tokens();
        answer["instance_url"] = json!(instance);
        if let Ok(set) = exchange(&World::with([json(200, answer)]), &refresh()) {
            let host = set.base_url.host_str().unwrap();
            prop_assert!(host.ends_with(".salesforce.com") || host.ends_with(".force.com"));
            prop_assert_eq!((set.base_url.scheme(), set.base_url.path()), ("https", "/"));
        }
    }
}
