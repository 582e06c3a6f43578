//! Connecting an account: only the browser that began it, once, in time, for the connection and workspace it was for.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use syncline_core::ids::ConnectionId;
use url::Url;

use crate::tests::world::{Answer, World, ws};

/// Begins a flow and returns its state and challenge.
async fn begin(world: &World, path: &str, cookie: &str) -> (String, String) {
    let answer = world.page(path, cookie).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let url = Url::parse(answer.header("location")).unwrap();
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    (value("state"), value("code_challenge"))
}

async fn back(world: &World, connection: &str, query: &str, cookie: &str) -> Answer {
    world.page(&format!("/oauth/callback/{connection}?{query}"), cookie).await
}

async fn grant(world: &World) -> Option<String> {
    world.store.connection(&ws(), &"crm".into()).await.unwrap()?.tokens?.refresh
}

/// proves: sec:S1
/// proves: sec:S2
#[tokio::test]
async fn an_account_is_connected_with_state_and_verifier() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let (state, challenge) = begin(&world, "/connect/crm", &cookie).await;
    assert!(state.len() >= 22, "128 bits in base64");
    let answer =
        back(&world, "crm", &format!("code=c0de&state={state}&iss=https%3A%2F%2Feu1.acme.example"), &cookie).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/connected/crm?workspace=main"));

    let calls = world.http.calls();
    assert_eq!(calls.len(), 1);
    let (code, verifier) = calls[0].1.split_once("&verifier=").unwrap();
    assert_eq!((calls[0].0.as_str(), code), ("https://login.acme.example/token", "code=c0de"));
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), challenge);
    assert_eq!(grant(&world).await.as_deref(), Some("canary-refresh"));

    let page = world.page("/connected/crm", &cookie).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text().contains("acme &#60;main&#62;")
            && page.text().contains("syncline doctor")
            && !page.text().contains("canary")
    );
}

/// proves: sec:S1
#[tokio::test]
async fn a_state_of_another_session_is_refused_before_any_token_call() {
    let world = World::new();
    let (mine, theirs) = (world.sign_in().await, world.sign_in().await);
    let (state, _) = begin(&world, "/connect/crm", &theirs).await;
    let query = format!("code=stolen&state={state}");
    for cookie in [mine.as_str(), "", "__Host-syncline_session=made.1.up"] {
        let answer = back(&world, "crm", &query, cookie).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert!(world.http.calls().is_empty());
    assert_eq!(grant(&world).await, None);
    // Who began it can still finish it.
    assert_eq!(back(&world, "crm", &query, &theirs).await.status, StatusCode::SEE_OTHER);
}

/// proves: sec:S1 (the workspace)
#[tokio::test]
async fn a_flow_of_one_workspace_connects_nothing_in_another() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let (state, _) = begin(&world, "/connect/crm?workspace=other", &cookie).await;
    let answer = back(&world, "crm", &format!("code=c&state={state}&workspace=main"), &cookie).await;
    assert_eq!(answer.header("location"), "/connected/crm?workspace=other", "the flow decides, not the address");
    assert_eq!(grant(&world).await, None);
    assert!(world.store.connection(&"other".into(), &"crm".into()).await.unwrap().unwrap().tokens.is_some());
}

/// proves: sec:S1 (single use)
/// proves: sec:S8
#[tokio::test]
async fn a_callback_works_once_and_not_for_ever() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let (state, _) = begin(&world, "/connect/crm", &cookie).await;
    let query = format!("code=c&state={state}");
    assert_eq!(back(&world, "crm", &query, &cookie).await.status, StatusCode::SEE_OTHER);
    assert_eq!(back(&world, "crm", &query, &cookie).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.http.calls().len(), 1);

    let (late, _) = begin(&world, "/connect/crm", &cookie).await;
    world.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(back(&world, "crm", &format!("code=c&state={late}"), &cookie).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.http.calls().len(), 1);
}

/// proves: sec:S3
#[tokio::test]
async fn only_the_registered_address_of_the_same_connection_takes_an_answer() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let (state, _) = begin(&world, "/connect/crm", &cookie).await;
    for (path, status) in [
        ("/oauth/callback/crm/", StatusCode::NOT_FOUND),
        ("/oauth/callback/%63rm", StatusCode::NOT_FOUND),
        ("/oauth/callback", StatusCode::NOT_FOUND),
        ("/oauth//callback/crm", StatusCode::NOT_FOUND),
        ("/OAuth/callback/crm", StatusCode::NOT_FOUND),
    ] {
        let answer = world.page(&format!("{path}?code=c&state={state}"), &cookie).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let foreign = begin(&world, "/connect/crm", &cookie).await.0;
    let answer =
        back(&world, "crm", &format!("code=c&state={foreign}&iss=https%3A%2F%2Facme.example.evil.example"), &cookie)
            .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "another issuer");
    let mixed = back(&world, "spare", &format!("code=c&state={state}"), &cookie).await;
    assert_eq!(mixed.status, StatusCode::BAD_REQUEST, "a code for one connection, sent to another");
    for query in ["", "code=c", "state=", "code=c&state=%00", &format!("state={state}")] {
        assert_eq!(back(&world, "crm", query, &cookie).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert!(world.http.calls().is_empty());
}

#[tokio::test]
async fn what_the_vendor_says_no_with_is_shown_without_harm() {
    let world = World::new();
    let cookie = world.sign_in().await;
    let (state, _) = begin(&world, "/connect/crm", &cookie).await;
    let words = "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E%E2%80%AE";
    let answer = back(&world, "crm", &format!("{words}&state={state}"), &cookie).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("&#60;script&#62;alert(1)") && answer.text().contains("[U+202E]"));
    assert!(!answer.text().contains("<script"));
    assert!(world.http.calls().is_empty());

    world.http.refuses.store(true, Ordering::Relaxed);
    let (state, _) = begin(&world, "/connect/crm", &cookie).await;
    let answer = back(&world, "crm", &format!("code=c0de&state={state}"), &cookie).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.text().contains("the vendor said no") && !answer.text().contains("c0de"));
    assert_eq!(grant(&world).await, None);
}

#[tokio::test]
async fn only_signed_in_people_begin_and_only_from_here() {
    let world = World::new();
    let answer = world.get("/connect/crm", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/sign-in?next=%2Fconnect%2Fcrm"));
    let cookie = world.sign_in().await;
    let foreign = world.get("/connect/crm", &[("cookie", &cookie), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert_eq!(world.page("/connect/nobody", &cookie).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.page("/connect/machine", &cookie).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.page("/connect/crm?workspace=nobody", &cookie).await.status, StatusCode::NOT_FOUND);
}

/// proves: sec:S9
#[tokio::test]
async fn disconnecting_withdraws_the_grant_and_destroys_our_copy_even_if_the_vendor_is_silent() {
    for (refuses, revoked) in [(false, true), (true, false)] {
        let world = World::new();
        let cookie = world.sign_in().await;
        let (state, _) = begin(&world, "/connect/crm", &cookie).await;
        back(&world, "crm", &format!("code=c&state={state}"), &cookie).await;
        world.http.refuses.store(refuses, Ordering::Relaxed);
        let answer = world.api(Method::POST, "/api/v1/connections/crm/disconnect", "").await;
        assert_eq!((answer.status, answer.json()["revoked"].as_bool()), (StatusCode::OK, Some(revoked)));
        let call = world.http.calls().pop().unwrap();
        assert_eq!(call, ("https://login.acme.example/revoke".to_owned(), "token=canary-refresh".to_owned()));
        assert_eq!(grant(&world).await, None);
        let row = world.store.connection(&ws(), &ConnectionId::new("crm")).await.unwrap().unwrap();
        assert_eq!(row.status, syncline_store::ConnectionStatus::NotConnected);
    }
    let world = World::new();
    assert_eq!(world.api(Method::POST, "/api/v1/connections/nobody/disconnect", "").await.code(), "not-found");
}

/// A listener on the operator's own machine has what connects an account, and nothing else.
#[tokio::test]
async fn the_connect_router_has_only_what_it_needs() {
    let world = World::new();
    let world = World { router: world.server.connect_router(), ..world };
    let cookie = world.sign_in().await;
    let (state, _) = begin(&world, "/connect/crm", &cookie).await;
    assert_eq!(back(&world, "crm", &format!("code=c&state={state}"), &cookie).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.page("/connected/crm", &cookie).await.status, StatusCode::OK);
    for path in ["/", "/activity", "/api/v1/status", "/metrics"] {
        assert_eq!(world.page(path, &cookie).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
