//! Integrations of calendars over the API: what is shown is what is stored, private events stay private, what cannot be
//! understood is refused, and nothing starts without somebody's agreement.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use syncline_core::{
    Clock,
    calendar::{
        eligible::{REASONS, Reason, Verdict},
        privacy::Privacy,
    },
};
use syncline_store::{ApiToken, SetupKind, TokenScope};

use crate::{
    api::tests::valid,
    tests::world::{Answer, World, meeting, ws},
};

const MEETINGS: &str = "/api/v1/calendars/meetings";

async fn get(world: &World, path: &str) -> Value {
    let answer = world.api(Method::GET, path, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.json()
}

async fn post(world: &World, act: &str, body: &str) -> Answer {
    world.api(Method::POST, &format!("{MEETINGS}/{act}"), body).await
}

/// One event of each sort; of two of them nothing may be told.
async fn with_events() -> World {
    let world = World::new();
    let left_out = |reason| Verdict::LeftOut(reason);
    let mut refused = meeting("e5", Some("Refused"), Verdict::Log, Privacy::Synced);
    refused.state.problem = Some("the CRM wants a company".to_owned());
    world
        .meetings(vec![
            meeting("e1", Some("Demo"), Verdict::Log, Privacy::Synced),
            meeting("e2", Some("Team"), left_out(Reason::InternalOnly), Privacy::Eligible),
            meeting("e3", Some("Canary"), left_out(Reason::Private), Privacy::Ignored),
            meeting("e4", Some("Canary"), Verdict::Log, Privacy::Frozen),
            refused,
            meeting("e6", None, left_out(Reason::InternalOnly), Privacy::Eligible),
        ])
        .await;
    world
}

/// A draft stays one until somebody agrees; it is paused and goes on without asking again.
///
/// proves: C1, O4, R1 (agreement)
#[tokio::test]
async fn nothing_starts_without_agreement() {
    let world = World::new();
    let shown = get(&world, MEETINGS).await;
    valid("get", "/api/v1/calendars/{name}", "200", &shown);
    assert_eq!((&shown["standing"], &shown["agreed"]), (&json!("draft"), &json!(null)));
    let rosa = &shown["calendars"][0];
    assert_eq!((&rosa["owner"], &rosa["last_look"]), (&json!("rosa@acme.example"), &json!(null)));
    assert_eq!(rosa["account"]["health"], json!("not_connected"));
    assert_eq!(rosa["account"]["connect"], json!("https://sync.example/connect/spare"));
    for body in ["", "{}", r#"{"agreed_by":" "}"#, r#"{"agreed_by":"Ada","agreement":"0"}"#] {
        let refused = post(&world, "activate", body).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "agreement-missing"), "{body}");
    }
    assert_eq!(post(&world, "run", "").await.code(), "not-active");
    assert_eq!(post(&world, "activate", r#"{"agreed_by":"Ada"}"#).await.status, StatusCode::NO_CONTENT);
    let active = get(&world, MEETINGS).await;
    assert_eq!((&active["standing"], &active["agreed"]["by"]), (&json!("active"), &json!("Ada")));
    assert_eq!(post(&world, "pause", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(post(&world, "activate", "").await.status, StatusCode::NO_CONTENT, "who agreed once need not again");
    let list = get(&world, "/api/v1/calendars").await;
    valid("get", "/api/v1/calendars", "200", &list);
    assert_eq!((list["integrations"].as_array().unwrap().len(), &list["unusable"]), (1, &json!([])));
    let told = get(&world, "/api/v1/activity?kind=operator").await.to_string();
    for line in ["POST /api/v1/calendars/meetings/activate", "POST /api/v1/calendars/meetings/pause"] {
        assert!(told.contains(&format!("Asked for by the admin token: {line}")), "{told}");
    }
}

/// Every event says what became of it, of a private one nothing else is told, and a page leads to the next.
///
/// proves: C6, C8
#[tokio::test]
async fn events_are_listed_by_what_became_of_them() {
    let world = with_events().await;
    let events = async |asked: &str| {
        let page = get(&world, &format!("{MEETINGS}/events?{asked}")).await;
        valid("get", "/api/v1/calendars/{name}/events", "200", &page);
        page
    };
    let uids = |page: &Value| {
        let all = page["events"].as_array().unwrap();
        all.iter().map(|event| event["uid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = events("").await;
    assert_eq!(uids(&all), ["e6", "e5", "e4", "e3", "e2", "e1"], "the newest first");
    assert!(!all.to_string().contains("Canary"), "{all}");
    let [.., frozen, private, team, demo] = all["events"].as_array().unwrap().as_slice() else { panic!("{all}") };
    for event in [frozen, private] {
        assert_eq!((&event["private"], &event["title"], &event["start"]), (&json!(true), &json!(null), &json!(null)));
    }
    assert_eq!((&demo["logged"], &demo["title"], &demo["record"]), (&json!(true), &json!("Demo"), &json!("00U_e1")));
    assert_eq!((&team["logged"], &team["reason"]), (&json!(false), &json!("internal_only")));
    assert_eq!(team["sentence"], json!(Reason::InternalOnly.sentence()));
    assert_eq!(team["next_step"], json!(Reason::InternalOnly.next_step()));
    for (asked, expected) in [
        ("show=logged", vec!["e5", "e4", "e1"]),
        ("show=left_out", vec!["e6", "e3", "e2"]),
        ("show=held", vec!["e5"]),
        ("reason=internal_only", vec!["e6", "e2"]),
        ("show=left_out&reason=private", vec!["e3"]),
        ("reason=booked", vec![]),
        ("workspace=other", vec![]),
    ] {
        assert_eq!(uids(&events(asked).await), expected, "{asked}");
    }
    let first = events("limit=4").await;
    let next = events(&format!("limit=4&before={}", first["next_before"])).await;
    assert_eq!((uids(&next), &next["next_before"]), (vec!["e2".to_owned(), "e1".to_owned()], &json!(null)));
    let counts = &get(&world, MEETINGS).await["counts"];
    let known = json!({ "logged": 3, "left_out": 3, "held": 1, "reasons": { "internal_only": 2, "private": 1 } });
    assert_eq!(*counts, known);
    let retried = post(&world, "retry", "").await.json();
    valid("post", "/api/v1/calendars/{name}/retry", "200", &retried);
    assert_eq!(retried, json!({ "meetings": 1 }));
}

/// What cannot be understood does nothing and says why; an account that cannot be asked is named.
///
/// proves: O4
#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let world = World::new();
    for (act, body) in
        [("activate", "nonsense"), ("activate", "[]"), ("activate", r#"{"agreed_by":7}"#), ("run", r#"{"x":1}"#)]
    {
        let answer = post(&world, act, body).await;
        assert_eq!(answer.code(), "unreadable-request", "{act} {body}");
        assert!(answer.json()["detail"].is_string(), "{act} {body}");
    }
    for asked in
        ["show=some", "reason=weather", "show=held&reason=private", "show=logged&reason=private", "before=x", "limit=0"]
    {
        let answer = world.api(Method::GET, &format!("{MEETINGS}/events?{asked}"), "").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "bad-parameter"), "{asked}");
    }
    let unknown = world.api(Method::GET, &format!("{MEETINGS}/events?reason=weather"), "").await.json();
    assert!(REASONS.iter().all(|code| unknown["detail"].as_str().unwrap().contains(code)), "{unknown}");
    let previewed = post(&world, "preview", "").await;
    assert_eq!((previewed.status, previewed.code().as_str()), (StatusCode::BAD_GATEWAY, "account-unavailable"));
    assert!(previewed.json()["detail"].as_str().unwrap().starts_with("rosa could not be asked"));
    let checked = post(&world, "check", "").await.json();
    valid("post", "/api/v1/calendars/{name}/check", "200", &checked);
    assert_eq!((&checked["works"], &checked["remarks"][0]["about"]), (&json!(false), &json!("rosa")));
    assert_eq!(get(&world, MEETINGS).await["standing"], json!("draft"), "nothing of all this did anything");
}

/// What is written is a draft beside those of the file, is changed with its version, and never while it is active.
///
/// proves: C1, O4
#[tokio::test]
async fn an_integration_is_written_changed_and_dropped() {
    let world = World::new();
    let path = "/api/v1/calendars/visits";
    let put = async |asked: &str, body: &str| world.api(Method::PUT, &format!("{path}{asked}"), body).await;
    let first = put("?version=0", "{}").await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    valid("put", "/api/v1/calendars/{name}", "200", &first.json());
    assert_eq!(first.json(), json!({ "name": "visits", "version": 1 }));
    assert_eq!(get(&world, path).await["standing"], json!("draft"));
    let names = get(&world, "/api/v1/calendars").await;
    assert_eq!(
        (&names["integrations"][0]["name"], &names["integrations"][1]["name"]),
        (&json!("meetings"), &json!("visits"))
    );
    let setup = get(&world, &format!("{path}/setup")).await;
    valid("get", "/api/v1/calendars/{name}/setup", "200", &setup);
    assert_eq!((&setup["version"], &setup["integration"]), (&json!(1), &json!({ "name": "visits" })));
    for (asked, body, code) in [
        ("?version=0", "{}", "outdated"),
        ("", r#"{"wrong":1}"#, "unusable-integration"),
        ("", r#"{"name":"others"}"#, "unreadable-request"),
        ("", "[]", "unreadable-request"),
    ] {
        assert_eq!(put(asked, body).await.code(), code, "{asked} {body}");
    }
    assert_eq!(put("?version=1", r#"{"more":1}"#).await.json()["version"], json!(2));
    let of_file = world.api(Method::PUT, MEETINGS, "{}").await;
    assert_eq!(of_file.code(), "configured-in-file");
    assert_eq!(world.api(Method::DELETE, MEETINGS, "").await.code(), "configured-in-file");
    assert_eq!(world.api(Method::PUT, "/api/v1/records/leads", "{}").await.status, StatusCode::OK);
    let taken = world.api(Method::PUT, "/api/v1/calendars/leads", "{}").await;
    assert_eq!(taken.code(), "unusable-integration", "kinds share their names");
    let activate = world.api(Method::POST, &format!("{path}/activate"), r#"{"agreed_by":"Ada"}"#).await;
    assert_eq!(activate.status, StatusCode::NO_CONTENT);
    assert_eq!(put("", "{}").await.code(), "not-paused");
    assert_eq!(world.api(Method::DELETE, path, "").await.code(), "not-paused");
    world.api(Method::POST, &format!("{path}/pause"), "").await;
    assert_eq!(world.api(Method::DELETE, &format!("{path}?version=1"), "").await.code(), "outdated");
    assert_eq!(world.api(Method::DELETE, path, "").await.status, StatusCode::NO_CONTENT);
    for gone in [path.to_owned(), format!("{path}/setup")] {
        assert_eq!(world.api(Method::GET, &gone, "").await.code(), "not-found", "{gone}");
    }
    let told = get(&world, "/api/v1/activity?kind=operator&integration=visits").await.to_string();
    assert!(told.contains("Integration visits was written") && told.contains("Integration visits was dropped"));
}

/// What was written and does not fit the configuration any more is named with the reason, over the API and on the page.
///
/// proves: O4
#[tokio::test]
async fn what_does_not_fit_any_more_is_named() {
    let world = World::new();
    let line = world.entry(syncline_store::JournalKind::Operator, "written", json!({}));
    let setup = (SetupKind::Calendars, &"visits".into());
    world.store.save_setup(&ws(), setup, br#"{"wrong":"<b>"}"#.to_vec(), None, "ada", line).await.unwrap();
    let list = get(&world, "/api/v1/calendars").await;
    assert_eq!(list["unusable"], json!([{ "name": "visits", "reason": "it cannot be so" }]));
    assert_eq!(world.api(Method::GET, "/api/v1/calendars/visits", "").await.code(), "not-found");
    let page = world.page("/integrations", &world.sign_in().await).await;
    assert!(page.text().contains("It cannot be used as it is written: it cannot be so"), "{}", page.text());
}

/// Another workspace's integration is not there, and a token that may only read changes nothing.
///
/// proves: sec:S38, sec:S49
#[tokio::test]
async fn who_may_not_sees_and_does_nothing() {
    let world = with_events().await;
    let acts = ["check", "preview", "activate", "pause", "run", "retry"];
    let theirs = "/api/v1/calendars/visits";
    let reads = ["", "/events", "/setup", "?workspace=main"].map(|more| (Method::GET, format!("{theirs}{more}")));
    let posts = acts.map(|act| (Method::POST, format!("{theirs}/{act}")));
    for (method, path) in reads.into_iter().chain(posts).chain([(Method::DELETE, theirs.to_owned())]) {
        let answer = world.api(method, &path, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
    }
    assert_eq!(get(&world, "/api/v1/calendars/meetings?workspace=other").await["counts"]["logged"], json!(0));

    let (token, now) = ("syt_reads-calendars", world.clock.now());
    let row = ApiToken {
        workspace: ws(),
        id: "tok_reads".to_owned(),
        name: "reporting".to_owned(),
        scope: TokenScope::Read,
        created_at: now,
        expires_at: now + jiff::SignedDuration::from_hours(1),
    };
    world.store.add_api_token(row, Sha256::digest(token.as_bytes()).into()).await.unwrap();
    let bearer = format!("Bearer {token}");
    let ask = async |method: Method, path: &str| world.request(method, path, &[("authorization", &bearer)], "{}").await;
    for path in ["", "/events"] {
        assert_eq!(ask(Method::GET, &format!("{MEETINGS}{path}")).await.status, StatusCode::OK, "{path}");
    }
    for (method, path) in acts
        .map(|act| (Method::POST, format!("{MEETINGS}/{act}")))
        .into_iter()
        .chain([Method::PUT, Method::DELETE].map(|method| (method, "/api/v1/calendars/own".to_owned())))
    {
        let answer = ask(method, &path).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "out-of-scope"), "{path}");
    }
    let unknown = world.request(Method::GET, MEETINGS, &[], "").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
}
