//! Integrations over the API: what is shown is what is stored, what cannot be understood is refused, and nothing starts
//! without somebody's agreement.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;
use syncline_core::{
    Clock,
    ids::{IntegrationId, RecordId},
    merge::{Base, Fate, HoldKind, Images, RuleKey, Side},
    record::Value,
};
use syncline_store::{
    EntryChange, Held, LinkRef, NewLink, PullPhase, PullState, SaveRows, SeenRow, StoredHold, TakeRows, WorkerId,
};

use crate::{
    api::tests::valid,
    tests::world::{World, ws},
};

const PEOPLE: &str = "/api/v1/records/people";

async fn post(world: &World, act: &str, body: &str) -> crate::tests::world::Answer {
    world.api(Method::POST, &format!("{PEOPLE}/{act}"), body).await
}

/// Three people on the left: one is tied and its last name waits for a person, one is held back as a whole.
async fn with_holds(world: &World) -> [i64; 2] {
    let (flow, now) = (IntegrationId::new("people"), world.clock.now());
    let (name, holder) = ("records:people", WorkerId("w".to_owned()));
    let until = now.saturating_add(SignedDuration::from_mins(1)).unwrap();
    let fence = world.store.acquire_lease(&ws(), name, &holder, now, until).await.unwrap().unwrap();
    let held = Held { name: name.to_owned(), holder: holder.clone(), fence };
    let pull = PullState {
        side: Side::Left,
        kind: "Contact".to_owned(),
        phase: PullPhase::Changes,
        cursor: Some("1".to_owned()),
        next_at: until,
        failures: 0,
        problem: None,
        read_at: Some(now),
        sweep: 1,
        changes_cursor: None,
        swept_at: None,
        fields: None,
    };
    let row = |record: &str| SeenRow {
        side: Side::Left,
        kind: "Contact".to_owned(),
        record: RecordId::new(record),
        match_key: None,
        row: BTreeMap::new(),
        changed_at: None,
        fate: Fate::Live,
    };
    let rows = vec![row("003A"), row("003B"), row("003C")];
    let integration = flow.clone();
    let take = TakeRows { workspace: ws(), integration, held: held.clone(), now, rows, pulls: vec![pull] };
    world.store.take_rows(take).await.unwrap().unwrap();
    let works = world.store.due_rows(&ws(), &flow, now, 10).await.unwrap();
    let hold = |rule| StoredHold {
        rule,
        kind: HoldKind::Conflict,
        to: None,
        reason: "both sides changed".to_owned(),
        fix: "decide which is right".to_owned(),
        refused: Vec::new(),
    };
    let rule = RuleKey::of("LastName", "SURNAME");
    let images = Images::from([(rule, Base::new(Value::text("King"), Value::text("King")))]);
    let entry = |at: usize, link| EntryChange {
        id: works[at].entry.id,
        revision: works[at].entry.revision,
        link,
        seen: None,
        due_at: None,
        note: None,
        tries: 0,
        fate: Fate::Live,
        let_go: false,
        written: false,
    };
    let ids = [works[0].entry.id, works[1].entry.id];
    let save = SaveRows {
        new_links: vec![NewLink { pair: "contacts".to_owned(), left: Some(ids[0]), right: None, images }],
        entries: vec![entry(0, Some(LinkRef::New(0))), entry(1, None)],
        holds: vec![(ids[0], vec![hold(Some(rule))]), (ids[1], vec![hold(None)])],
        ..SaveRows::default()
    };
    world.store.save_rows(&ws(), &flow, &held, now, save).await.unwrap().unwrap();
    world.store.release_lease(&ws(), name, &holder, fence).await.unwrap();
    ids
}

/// A draft stays one until somebody agrees; it is paused and goes on without asking again.
///
/// proves: O4, R1 (agreement), R21
#[tokio::test]
async fn nothing_starts_without_agreement() {
    let world = World::new();
    let shown = world.api(Method::GET, PEOPLE, "").await.json();
    valid("get", "/api/v1/records/{name}", "200", &shown);
    assert_eq!(
        (&shown["standing"], &shown["agreed"], &shown["last_run"]),
        (&json!("draft"), &json!(null), &json!(null))
    );
    assert_eq!((&shown["left"]["connection"], &shown["left"]["vendor"]), (&json!("crm"), &json!("acme")));
    assert_eq!(shown["quota"]["limit"], json!(100_000));
    for body in ["", "{}", r#"{"agreed_by":" "}"#] {
        let refused = post(&world, "activate", body).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::CONFLICT, "agreement-missing"), "{body}");
    }
    assert_eq!(post(&world, "activate", r#"{"agreed_by":"Ada"}"#).await.status, StatusCode::NO_CONTENT);
    let active = world.api(Method::GET, PEOPLE, "").await.json();
    assert_eq!((&active["standing"], &active["agreed"]["by"]), (&json!("active"), &json!("Ada")));
    assert_eq!(post(&world, "pause", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(post(&world, "run", "").await.code(), "not-active");
    assert_eq!(post(&world, "activate", "").await.status, StatusCode::NO_CONTENT, "who agreed once need not again");
    let list = world.api(Method::GET, "/api/v1/records", "").await.json();
    valid("get", "/api/v1/records", "200", &list);
    assert_eq!(list["integrations"].as_array().unwrap().len(), 1);
    assert_eq!(list["integrations"][0]["agreed"]["by"], json!("Ada"));
}

/// What is held back is listed page by page, tried again, and decided by the field's name on either side.
///
/// proves: O4, R21
#[tokio::test]
async fn what_is_held_back_is_shown_retried_and_decided() {
    let world = World::new();
    let [tied, whole] = with_holds(&world).await;
    let shown = world.api(Method::GET, PEOPLE, "").await.json();
    assert_eq!((&shown["counts"]["held"], &shown["counts"]["waiting"]), (&json!(2), &json!(1)));
    assert!(shown["last_run"].is_string() && shown["next_run"].is_string(), "{shown}");
    let first = world.api(Method::GET, &format!("{PEOPLE}/holds?limit=1"), "").await.json();
    valid("get", "/api/v1/records/{name}/holds", "200", &first);
    assert_eq!((&first["holds"][0]["entry"], &first["next_after"]), (&json!(tied), &json!(tied)));
    assert_eq!(first["holds"][0]["field"], json!({"left": "LastName", "right": "SURNAME"}));
    let next = world.api(Method::GET, &format!("{PEOPLE}/holds?after={tied}"), "").await.json();
    assert_eq!((&next["holds"][0]["record"], &next["next_after"]), (&json!("003B"), &json!(null)));
    assert_eq!(next["holds"][0]["field"], json!(null));
    let decision = |entry: i64, field: &str| format!(r#"{{"entry":{entry},"field":"{field}","winner":"right"}}"#);
    assert_eq!(post(&world, "resolve", &decision(tied, "City")).await.code(), "not-found");
    assert_eq!(post(&world, "resolve", &decision(whole, "SURNAME")).await.code(), "not-found");
    assert_eq!(post(&world, "resolve", &decision(tied, "SURNAME")).await.status, StatusCode::NO_CONTENT);
    let again = post(&world, "retry", &format!(r#"{{"entries":[{whole}]}}"#)).await.json();
    valid("post", "/api/v1/records/{name}/retry", "200", &again);
    assert_eq!(again["records"], json!(1));
    assert_eq!(post(&world, "retry", "").await.json()["records"], json!(2));
    let shown = world.api(Method::GET, PEOPLE, "").await.json();
    assert_eq!(shown["counts"]["waiting"], json!(3), "all of them are decided about anew");
}

/// A body that cannot be understood does nothing and says why; a side that cannot be asked is named.
///
/// proves: O4
#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let world = World::new();
    for (act, body) in [
        ("activate", "nonsense"),
        ("activate", "[]"),
        ("activate", r#"{"agreed":"Ada"}"#),
        ("activate", r#"{"agreed_by":7}"#),
        ("run", r#"{"confirm_deletes":"yes"}"#),
        ("retry", r#"{"entries":["x"]}"#),
        ("resolve", r#"{"entry":1}"#),
        ("resolve", r#"{"entry":1,"field":"LastName","winner":"both"}"#),
    ] {
        let answer = post(&world, act, body).await;
        assert_eq!(answer.code(), "unreadable-request", "{act} {body}");
        assert!(answer.json()["detail"].is_string(), "{act} {body}");
    }
    let long = format!(r#"{{"agreed_by":"{}"}}"#, "a".repeat(201));
    assert_eq!(post(&world, "activate", &long).await.code(), "unreadable-request");
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(post(&world, "retry", &deep).await.code(), "unreadable-request");
    let many: Vec<i64> = (0..1_001).collect();
    assert_eq!(post(&world, "retry", &json!({ "entries": many }).to_string()).await.code(), "unreadable-request");
    for act in ["check", "preview"] {
        let answer = post(&world, act, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_GATEWAY, "account-unavailable"), "{act}");
    }
    let shown = world.api(Method::GET, PEOPLE, "").await.json();
    assert_eq!(shown["standing"], json!("draft"), "nothing of all this did anything");
}

/// Another workspace's integration is not there: neither shown nor acted upon.
///
/// proves: sec:S38
#[tokio::test]
async fn another_workspaces_integration_is_not_there() {
    let world = World::new();
    let theirs = "/api/v1/records/theirs";
    for (method, path) in [
        (Method::GET, theirs.to_owned()),
        (Method::GET, format!("{theirs}/holds")),
        (Method::GET, format!("{theirs}?workspace=main")),
    ]
    .into_iter()
    .chain(
        ["check", "preview", "activate", "pause", "run", "retry"].map(|act| (Method::POST, format!("{theirs}/{act}"))),
    ) {
        let answer = world.api(method, &path, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
    }
    let list = world.api(Method::GET, "/api/v1/records?workspace=other", "").await.json();
    assert_eq!(
        (&list["integrations"][0]["name"], &list["integrations"][1]["name"]),
        (&json!("people"), &json!("theirs"))
    );
    post(&world, "activate", r#"{"agreed_by":"Ada"}"#).await;
    let list = world.api(Method::GET, "/api/v1/records?workspace=other", "").await.json();
    assert_eq!(list["integrations"][0]["standing"], json!("draft"), "of the same name, and another one");
}
