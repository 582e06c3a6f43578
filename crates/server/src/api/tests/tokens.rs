//! Tokens of programs: as far as their scope, workspace and time reach, and no further; what they do is on record.

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use syncline_core::{Clock, ids::WorkspaceId};
use syncline_store::{ActivityFilter, ApiToken, JournalKind, TokenScope};

use crate::tests::world::{Answer, World};

/// A token of a program, good for an hour.
async fn made(world: &World, workspace: &str, scope: TokenScope) -> String {
    let token = format!("syt_{workspace}-{}", scope.as_str());
    let now = now(world);
    let row = ApiToken {
        workspace: WorkspaceId::new(workspace),
        id: format!("tok_{workspace}_{}", scope.as_str()),
        name: "reporting".to_owned(),
        scope,
        created_at: now,
        expires_at: now + SignedDuration::from_hours(1),
    };
    world.store.add_api_token(row, Sha256::digest(token.as_bytes()).into()).await.unwrap();
    token
}

fn now(world: &World) -> Timestamp {
    world.clock.now()
}

async fn ask(world: &World, token: &str, method: Method, path: &str) -> Answer {
    world.request(method, path, &[("authorization", &format!("Bearer {token}"))], r#"{"id":"b9"}"#).await
}

/// What the journal holds of what people and programs asked for, the newest first.
async fn asked_for(world: &World, workspace: &str) -> Vec<String> {
    let filter = ActivityFilter { kind: Some(JournalKind::Operator), limit: 50, ..ActivityFilter::default() };
    let rows = world.store.activity(&WorkspaceId::new(workspace), filter).await.unwrap();
    rows.into_iter().map(|row| row.entry.text).filter(|text| text.starts_with("Asked for")).collect()
}

/// proves: sec:S49
#[tokio::test]
async fn a_token_reaches_as_far_as_its_scope_and_time() {
    let world = World::new();
    let (read, write) = (made(&world, "main", TokenScope::Read).await, made(&world, "main", TokenScope::Write).await);
    for token in [&read, &write] {
        for path in ["status", "bookings", "connections", "activity", "messages"] {
            let answer = ask(&world, token, Method::GET, &format!("/api/v1/{path}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
        }
    }
    for path in ["bookings?source=web", "connections/crm/disconnect", "bookings/x/replay"] {
        let answer = ask(&world, &read, Method::POST, &format!("/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "out-of-scope"), "{path}");
    }
    assert_eq!(ask(&world, &write, Method::POST, "/api/v1/bookings?source=web").await.status, StatusCode::OK);
    let guessed = ask(&world, "syt_main-Write", Method::GET, "/api/v1/status").await;
    assert_eq!((guessed.status, guessed.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthorised"));
    assert!(world.store.revoke_api_token(&WorkspaceId::new("main"), "tok_main_read", now(&world)).await.unwrap());
    assert_eq!(ask(&world, &read, Method::GET, "/api/v1/status").await.status, StatusCode::UNAUTHORIZED, "taken back");
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(ask(&world, &write, Method::GET, "/api/v1/status").await.status, StatusCode::UNAUTHORIZED, "run out");
    let left: Vec<String> =
        world.store.api_tokens(&WorkspaceId::new("main")).await.unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!(left, ["tok_main_write"], "what has run out is still listed");
}

/// proves: sec:S38, sec:S49
#[tokio::test]
async fn a_token_knows_no_other_workspace() {
    let world = World::new();
    let token = made(&world, "other", TokenScope::Write).await;
    assert_eq!(ask(&world, &token, Method::GET, "/api/v1/status?workspace=other").await.status, StatusCode::OK);
    for (method, path) in [
        (Method::GET, "status"),
        (Method::GET, "status?workspace=main"),
        (Method::GET, "bookings?workspace=nobody"),
        (Method::POST, "bookings?source=web&workspace=main"),
        (Method::POST, "connections/crm/disconnect"),
    ] {
        let answer = ask(&world, &token, method, &format!("/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
    }
    assert!(!world.store.revoke_api_token(&WorkspaceId::new("main"), "tok_other_write", now(&world)).await.unwrap());
}

/// Whoever disconnects an account or replays a booking stands in the journal, the person at the console as well.
///
/// proves: sec:S49
#[tokio::test]
async fn what_is_asked_for_is_on_record() {
    let world = World::new();
    let token = made(&world, "main", TokenScope::Write).await;
    let chain = world.written("b1", "Ada Lovelace", "Demo", json!({})).await;
    ask(&world, &token, Method::GET, "/api/v1/bookings").await;
    assert_eq!(asked_for(&world, "main").await, [""; 0], "looking is nothing to record");
    let replay = format!("/api/v1/bookings/{}/replay", chain.as_str());
    assert_eq!(ask(&world, &token, Method::POST, &replay).await.status, StatusCode::NO_CONTENT);
    world.api(Method::POST, "/api/v1/connections/crm/disconnect", "").await;
    let cookie = world.sign_in().await;
    let ours = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin"), ("origin", "https://sync.example")];
    world.form(&replay.replace("/api/v1", ""), &ours, &[]).await;
    assert_eq!(
        asked_for(&world, "main").await,
        [
            format!("Asked for by somebody who is signed in: {}", replay.replace("/api/v1", "")),
            "Asked for by the admin token: POST /api/v1/connections/crm/disconnect".to_owned(),
            format!("Asked for by the token of reporting (tok_main_write): POST {replay}"),
        ]
    );
    assert_eq!(asked_for(&world, "other").await, [""; 0]);
}
