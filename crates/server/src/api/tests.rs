//! The API: its description is current, its answers are what it describes, nobody gets in without the token, and one
//! workspace never sees another.

mod tokens;

use axum::http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::openapi_json;
use crate::tests::world::{ADMIN, HOOK, OTHER_HOOK, World};

/// proves: O4 (the description)
#[test]
fn the_committed_description_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let current = openapi_json();
    if std::env::var_os("SYNCLINE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "docs/openapi.json is out of date: run this test with SYNCLINE_UPDATE_DOCS=1");
}

/// A validator for the answer of an operation, from the description itself.
fn validator(method: &str, path: &str, status: &str) -> jsonschema::Validator {
    let description: Json = serde_json::from_str(&openapi_json()).unwrap();
    let response = &description["paths"][path][method]["responses"][status];
    let content = response["content"].as_object().unwrap_or_else(|| panic!("{method} {path} {status} is described"));
    let schema = content.values().next().unwrap()["schema"].clone();
    // References point into the description, so the whole of it goes along.
    let mut root =
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "components": description["components"]});
    root.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    jsonschema::validator_for(&root).unwrap()
}

#[track_caller]
pub(super) fn valid(method: &str, path: &str, status: &str, body: &Json) {
    let problems: Vec<String> =
        validator(method, path, status).iter_errors(body).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{method} {path}: {problems:?} in {body}");
}

async fn busy_world() -> (World, String) {
    let world = World::new();
    let details = json!({"records": [{"slot": "meeting", "role": "meeting", "id": "00U1", "action": "created", "fields": {"subject": "Demo"}}],
                         "notes": [{"code": "matched", "text": "found by e-mail"}], "calls": 0.5});
    let chain = world.written("b1", "Ada Lovelace", "Demo", details).await;
    world.parked("b2", "Grace Hopper", "the case was refused").await;
    world.hook(crate::tests::world::HOOK, "nonsense").await;
    (world, chain.as_str().to_owned())
}

/// proves: O4
#[tokio::test]
async fn answers_are_what_the_description_says() {
    let (world, chain) = busy_world().await;
    for path in ["/api/v1/status", "/api/v1/activity", "/api/v1/bookings", "/api/v1/connections", "/api/v1/messages"] {
        let answer = world.api(Method::GET, path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"), "{path}");
        valid("get", path, "200", &answer.json());
        let nobody = world.get(path, &[]).await;
        valid("get", path, "4XX", &nobody.json());
    }
    let history = world.api(Method::GET, &format!("/api/v1/bookings/{chain}"), "").await.json();
    valid("get", "/api/v1/bookings/{chain}", "200", &history);
    assert_eq!(history["records"][0]["id"], "00U1");
    assert_eq!(history["activity"][0]["details"]["records"][0]["fields"]["subject"], "Demo");
    assert_eq!(history["messages"][0]["kinds"], json!(["booked"]));
    let receipt = world.api(Method::POST, "/api/v1/bookings?source=web", r#"{"id":"b9"}"#).await.json();
    valid("post", "/api/v1/bookings", "200", &receipt);
    let gone = world.api(Method::POST, "/api/v1/connections/crm/disconnect", "").await.json();
    valid("post", "/api/v1/connections/{id}/disconnect", "200", &gone);
    let link = world.api(Method::POST, "/api/v1/connections/crm/connect-link", "").await.json();
    valid("post", "/api/v1/connections/{id}/connect-link", "200", &link);
    let status = world.api(Method::GET, "/api/v1/status", "").await.json();
    assert_eq!(
        (status["done"].as_u64(), status["parked"].as_u64(), status["messages_parked"].as_u64()),
        (Some(1), Some(1), Some(1))
    );
    let served = world.get("/api/openapi.json", &[]).await;
    assert_eq!(served.text(), openapi_json());
}

/// A validator that accepts everything would prove nothing.
#[test]
fn the_validators_do_refuse() {
    assert!(!validator("get", "/api/v1/status", "200").is_valid(&json!({"workspace": "main"})));
    assert!(
        !validator("get", "/api/v1/bookings", "200").is_valid(&json!({"bookings": [{"id": "x"}], "next_before": null}))
    );
}

#[tokio::test]
async fn nobody_gets_in_without_the_token() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let description: Json = serde_json::from_str(&openapi_json()).unwrap();
    let mut operations = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        let path = path.replace("{chain}", "x").replace("{id}", "crm").replace("{name}", "people");
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for headers in [
                vec![],
                vec![("authorization", "Bearer wrong")],
                vec![("authorization", "Bearer ")],
                vec![("authorization", ADMIN)],
                // A browser's session is none here, so no page can borrow it.
                vec![("cookie", cookie.as_str())],
            ] {
                let answer = world.request(method.clone(), &path, &headers, "").await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (StatusCode::UNAUTHORIZED, "unauthorised"),
                    "{method} {path}"
                );
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }
            operations += 1;
        }
    }
    assert_eq!(operations, 39);
}

/// proves: sec:S38 (the routes: another workspace's things are not there)
#[tokio::test]
async fn one_workspace_never_sees_another() {
    let (world, chain) = busy_world().await;
    world.hook(OTHER_HOOK, r#"{"id":"theirs"}"#).await;
    for (method, path) in [
        (Method::GET, format!("/api/v1/bookings/{chain}")),
        (Method::POST, format!("/api/v1/bookings/{chain}/replay")),
        (Method::POST, "/api/v1/connections/spare/disconnect".to_owned()),
        (Method::POST, "/api/v1/messages/1/replay".to_owned()),
    ] {
        let answer = world.api(method, &format!("{path}?workspace=other"), "").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
    }
    for path in ["activity", "bookings", "messages"] {
        let answer = world.api(Method::GET, &format!("/api/v1/{path}?workspace=other"), "").await;
        assert_eq!(answer.json()[path], json!([]), "{path}");
    }
    assert_eq!(world.api(Method::GET, "/api/v1/status?workspace=nobody", "").await.code(), "not-found");
    let cookie = world.sign_in().await;
    assert_eq!(world.page(&format!("/bookings/{chain}?workspace=other"), &cookie).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lists_are_paged_without_gaps_or_doubles() {
    let world = World::new();
    for number in 0..5 {
        world.written(&format!("b{number}"), &format!("Person {number}"), "Demo", Json::Null).await;
    }
    for list in ["bookings", "activity"] {
        let mut seen = Vec::new();
        let mut next = String::new();
        loop {
            let page = world.api(Method::GET, &format!("/api/v1/{list}?limit=2{next}"), "").await.json();
            seen.extend(page[list].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
            let Some(before) = page["next_before"].as_i64() else { break };
            next = format!("&before={before}");
        }
        assert_eq!(seen.len(), 5, "{list}");
        assert!(seen.is_sorted_by(|a, b| a > b), "{list}: {seen:?}");
    }
    for query in ["limit=0", "limit=201", "limit=x", "before=x", "limit=-1"] {
        assert_eq!(
            world.api(Method::GET, &format!("/api/v1/bookings?{query}"), "").await.code(),
            "bad-parameter",
            "{query}"
        );
    }
    assert_eq!(world.api(Method::GET, "/api/v1/activity?kind=nonsense", "").await.code(), "bad-parameter");
    let found = world.api(Method::GET, "/api/v1/bookings?text=person%203", "").await.json();
    assert_eq!(found["bookings"].as_array().unwrap().len(), 1);
    let found = world.api(Method::GET, "/api/v1/activity?text=MEETING&limit=2", "").await.json();
    assert_eq!(found["activity"].as_array().unwrap().len(), 2);
    let found = world.api(Method::GET, "/api/v1/activity?text=nothing%20like%20this", "").await.json();
    assert_eq!((&found["activity"], &found["next_before"]), (&json!([]), &Json::Null));
    let long = "x".repeat(201);
    assert_eq!(world.api(Method::GET, &format!("/api/v1/bookings?text={long}"), "").await.code(), "bad-parameter");
}

#[tokio::test]
async fn a_parked_booking_is_due_again_after_a_replay() {
    let world = World::new();
    let chain = world.parked("b2", "Grace Hopper", "refused").await;
    let parked = world.api(Method::GET, "/api/v1/bookings?parked=true", "").await.json();
    assert_eq!(parked["bookings"][0]["parked_reason"], "refused");
    let answer = world.api(Method::POST, &format!("/api/v1/bookings/{chain}/replay"), "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let status = world.api(Method::GET, "/api/v1/status", "").await.json();
    assert_eq!((status["parked"].as_u64(), status["waiting"].as_u64()), (Some(0), Some(1)));
    assert_eq!(world.api(Method::POST, "/api/v1/bookings/none/replay", "").await.code(), "not-found");
}

/// A message that could not be read is read again over the API and from the page, and says again why it cannot be; one that
/// is not kept, or was read, is not there.
///
/// proves: B24, O4
#[tokio::test]
async fn a_message_that_could_not_be_read_is_read_again() {
    let world = World::new();
    world.hook(HOOK, "{").await;
    world.hook(HOOK, r#"{"id":"b1","title":"Demo"}"#).await;
    let listed = world.api(Method::GET, "/api/v1/messages", "").await.json();
    let id = listed["messages"][0]["id"].as_i64().unwrap();
    let replay = format!("/api/v1/messages/{id}/replay");
    let answer = world.api(Method::POST, &replay, "").await.json();
    assert_eq!((&answer["status"], answer["reason"].is_string()), (&json!("parked"), true), "{answer}");
    assert_eq!(world.api(Method::POST, &format!("/api/v1/messages/{}/replay", id + 1), "").await.code(), "not-found");
    assert_eq!(world.api(Method::POST, "/api/v1/messages/x/replay", "").await.status, StatusCode::BAD_REQUEST);

    let cookie = world.sign_in().await;
    let page = world.page("/", &cookie).await;
    let form = format!("<form method=\"post\" action=\"/messages/{id}/replay?workspace=main\">");
    assert!(page.text().contains(&form), "{}", page.text());
    let token = page.text().split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let read = world.form(&format!("/messages/{id}/replay"), &[("cookie", &cookie)], &[("form_token", &token)]).await;
    assert_eq!(read.header("location"), "/activity?workspace=main&kind=message");
    let lines = world.api(Method::GET, "/api/v1/activity?kind=message", "").await.json();
    let again = lines["lines"].as_array().map_or(0, Vec::len);
    assert!(lines.to_string().matches("A message was kept for a person").count() == 3, "{again}: {lines}");
}

/// proves: B28: a dry run over the API: nothing is kept, what cannot be read is refused, and a CRM that is not there is
/// said to be so.
#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let world = World::new();
    let ask = |query: &'static str, body: &'static str| world.api(Method::POST, query, body);
    let body = r#"{"id":"b1","title":"Demo"}"#;
    assert_eq!(ask("/api/v1/dry-run?source=none", body).await.code(), "not-found");
    let unreadable = ask("/api/v1/dry-run?source=web", "{").await;
    assert_eq!(unreadable.code(), "unreadable-booking");
    let answer = ask("/api/v1/dry-run?source=web", body).await;
    assert_eq!(answer.code(), "dry-run-failed", "the CRM of the tests is none");
    let counts = world.api(Method::GET, "/api/v1/status", "").await.json();
    assert_eq!((&counts["messages_new"], &counts["done"], &counts["waiting"]), (&json!(0), &json!(0), &json!(0)));
}
