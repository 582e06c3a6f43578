//! Intake: who is let in, what is kept, and what a sender hears.

mod watches;

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use futures::future::join_all;
use jiff::SignedDuration;
use proptest::prelude::*;
use syncline_core::{Clock, merge::Side};
use syncline_store::{Held, PullPhase, PullState, TakeRows, WorkerId};

use crate::tests::{
    vendor::signature,
    world::{ADMIN, HOOK, OTHER_HOOK, PATH_KEY, SECRET, World, ws},
};
use syncline_engine::depth;

const BOOKING: &[u8] = br#"{"id":"b1","name":"Ada","title":"Demo"}"#;

async fn stored(world: &World) -> u64 {
    world.store.counts(&ws()).await.unwrap().inbox_new
}

/// proves: B1
/// proves: B2
#[tokio::test]
async fn a_signed_webhook_is_stored_before_it_is_answered_and_no_vendor_is_called() {
    let world = World::new();
    let answer = world.hook(HOOK, BOOKING).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, r#"{"status":"stored"}"#));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(stored(&world).await, 1);
    assert!(world.http.calls().is_empty());
    let other = world.store.counts(&"other".into()).await.unwrap();
    assert_eq!(other.inbox_new, 0, "the address decides whose it is");
}

/// proves: B1
#[tokio::test]
async fn a_webhook_that_is_not_signed_right_is_refused_and_leaves_nothing() {
    let world = World::new();
    let now = world.clock.now();
    let hour = SignedDuration::from_hours(1);
    let refused = [
        (None, "the signature header is missing"),
        (Some("nonsense".to_owned()), "the signature header cannot be read"),
        (Some(signature("another-secret", now, BOOKING)), "the signature does not match"),
        (Some(signature("", now, BOOKING)), "the signature does not match"),
        (Some(signature(SECRET, now, b"{}")), "the signature does not match"),
        (Some(signature(SECRET, now - hour, BOOKING)), "the time stamp is outside the tolerance"),
        (Some(signature(SECRET, now + hour, BOOKING)), "the time stamp is outside the tolerance"),
    ];
    for (header, why) in refused {
        let headers: Vec<_> = header.iter().map(|value| ("x-acme-signature", value.as_str())).collect();
        let answer = world.request(Method::POST, HOOK, &headers, BOOKING).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "bad-signature"));
        assert_eq!(answer.json()["detail"], why);
    }
    assert_eq!(stored(&world).await, 0);
}

/// proves: sec:S21
#[tokio::test]
async fn the_bytes_are_checked_as_they_came() {
    let world = World::new();
    let signature = signature(SECRET, world.clock.now(), BOOKING);
    let value: serde_json::Value = serde_json::from_slice(BOOKING).unwrap();
    let again = serde_json::to_string_pretty(&value).unwrap();
    let answer = world.request(Method::POST, HOOK, &[("x-acme-signature", &signature)], again).await;
    assert_eq!(answer.code(), "bad-signature");
}

/// proves: B2
/// proves: sec:S24
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_ten_times_at_once_is_stored_once() {
    let world = World::threaded().await;
    let answers = join_all((0..10).map(|_| world.hook(HOOK, BOOKING))).await;
    let mut said: Vec<&str> = answers.iter().map(|answer| answer.text()).collect();
    said.sort_unstable();
    assert_eq!(said[..9], [r#"{"status":"duplicate"}"#; 9]);
    assert_eq!(said[9], r#"{"status":"stored"}"#);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(stored(&world).await, 1);
}

#[tokio::test]
async fn what_is_not_ours_or_not_readable_is_kept_for_a_person() {
    let world = World::new();
    let ping = world.hook(HOOK, r#"{"id":"p","ignored":"a test message"}"#).await;
    assert_eq!((ping.status, ping.text()), (StatusCode::OK, r#"{"status":"ignored"}"#));
    for body in ["", "{", "[]", "null", "\u{0}", "{\"id\":7}"] {
        let answer = world.hook(HOOK, body).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, r#"{"status":"parked"}"#), "{body}");
        assert_eq!(world.hook(HOOK, body).await.text(), r#"{"status":"duplicate"}"#, "{body}");
    }
    assert_eq!(world.store.counts(&ws()).await.unwrap().messages_parked, 6);
    assert_eq!(stored(&world).await, 0);
}

/// proves: sec:S26
/// proves: sec:S27
#[tokio::test]
async fn an_unknown_address_tells_nothing() {
    let world = World::new();
    let mut answers = Vec::new();
    for path in [
        "/hooks/web/wrong",
        "/hooks/nobody/wrong",
        &format!("/hooks/nobody/{PATH_KEY}"),
        &format!("{HOOK}x"),
        &HOOK[..HOOK.len() - 1],
        "/hooks/web/%FF",
        "/hooks/web/",
        "/hooks/web",
        // Its secret is empty: the address does not exist, whatever is sent.
        "/hooks/silent/k9-0123456789abcdef0123456789abcdef",
    ] {
        let answer = world.hook(path, BOOKING).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answers.push((answer.body, answer.headers));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one shape for all");
    // The same source name in another workspace: the key alone decides.
    assert_eq!(world.hook(OTHER_HOOK, BOOKING).await.status, StatusCode::OK);
    assert_eq!(stored(&world).await, 0);
    assert_eq!(world.store.counts(&"other".into()).await.unwrap().inbox_new, 1);
}

/// proves: sec:S29
#[tokio::test]
async fn too_much_too_deep_or_too_often_is_answered_as_the_sender_understands() {
    let world = World::with(|options| options.body_limit = 1000);
    let long = format!(r#"{{"id":"b","name":"{}"}}"#, "x".repeat(1000));
    let answer = world.hook(HOOK, &long).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"));
    let chunks = futures::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100])));
    let answer = world.request(Method::POST, HOOK, &[], Body::from_stream(chunks)).await;
    assert_eq!(answer.code(), "body-too-large", "without a length, too");

    for (levels, status) in [(63, "stored"), (64, "parked")] {
        let deep = format!(r#"{{"id":"d{levels}","more":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert_eq!(world.hook(HOOK, &deep).await.text(), format!(r#"{{"status":"{status}"}}"#));
    }

    let world = World::with(|options| (options.limits.hooks_per_second, options.limits.hooks_burst) = (1, 2));
    for number in 0..2 {
        assert_eq!(world.hook(HOOK, format!(r#"{{"id":"{number}"}}"#)).await.status, StatusCode::OK);
    }
    let answer = world.hook(HOOK, BOOKING).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "overloaded"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(world.hook(OTHER_HOOK, BOOKING).await.status, StatusCode::OK, "others do not wait");
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.hook(HOOK, BOOKING).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_database_that_is_down_is_told_in_the_senders_own_way() {
    let world = World::new();
    world.store.clone().close().await;
    let answer = world.hook(HOOK, BOOKING).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "unavailable"));
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let world = World::with(|options| options.limits.body_timeout = Duration::from_secs(10));
    let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let answer = world.request(Method::POST, HOOK, &[], never).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::REQUEST_TIMEOUT, "body-timeout"));
}

#[tokio::test]
async fn only_posts_are_webhooks() {
    let world = World::new();
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
        let answer = world.request(method, HOOK, &[], Body::empty()).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    }
}

/// proves: B1
#[tokio::test]
async fn a_booking_comes_in_through_the_api_as_well() {
    let world = World::new();
    let path = "/api/v1/bookings?source=web";
    let answer = world.api(Method::POST, path, BOOKING).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (StatusCode::OK, Some("stored")));
    assert_eq!(world.api(Method::POST, path, BOOKING).await.json()["status"], "duplicate");
    assert_eq!(stored(&world).await, 1);
    let unread = world.api(Method::POST, path, "{}").await;
    assert_eq!((unread.status, unread.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "unreadable-booking"));
    assert_eq!(world.api(Method::POST, "/api/v1/bookings?source=nobody", BOOKING).await.code(), "not-found");
    assert_eq!(world.api(Method::POST, "/api/v1/bookings", BOOKING).await.code(), "bad-parameter");
    // The webhook's signature is no admin token, and the other way round.
    assert_eq!(world.hook(path, BOOKING).await.code(), "unauthorised");
    let bearer = format!("Bearer {ADMIN}");
    assert_eq!(world.request(Method::POST, HOOK, &[("authorization", &bearer)], BOOKING).await.code(), "bad-signature");
}

/// proves: sec:S30
#[tokio::test]
async fn hostile_json_is_never_more_than_a_parked_message() {
    let world = World::new();
    for nested in [100_000, 500_000] {
        for bracket in ["[", "{\"a\":"] {
            let body = bracket.repeat(nested / bracket.len());
            assert_eq!(world.hook(HOOK, &body).await.text(), r#"{"status":"parked"}"#);
        }
    }
    let cases: std::collections::BTreeMap<String, String> =
        serde_json::from_str(include_str!("../../../../testdata/json.json")).unwrap();
    for (name, body) in &cases {
        let answer = world.hook(HOOK, STANDARD.decode(body).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        let said = [r#"{"status":"parked"}"#, r#"{"status":"duplicate"}"#];
        assert!(!name.starts_with("n_") || said.contains(&answer.text()), "{name}: {}", answer.text());
    }
    assert_eq!(cases.len(), 316);
}

proptest! {
    /// The depth is what a parser that keeps a stack would say.
    #[test]
    fn depth_is_counted_outside_of_texts(levels in 0_usize..200, limit in 1_usize..100, text in "[\\[\\]{}\"\\\\ a]{0,20}") {
        let inner = serde_json::to_string(&text).unwrap();
        let body = format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        prop_assert_eq!(depth::exceeds(body.as_bytes(), limit), levels > limit);
        let wide = format!("[{}]", vec!["[[]]"; levels + 1].join(","));
        prop_assert!(!depth::exceeds(wide.as_bytes(), 3));
    }

    #[test]
    fn any_bytes_have_a_depth(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!depth::exceeds(&body, body.len()));
    }
}

/// When the left side of the integration between the accounts is read next.
async fn next_read(world: &World) -> jiff::Timestamp {
    world.store.pulls(&ws(), &"people".into()).await.unwrap()[0].next_at
}

async fn read_in_an_hour(world: &World) -> jiff::Timestamp {
    let (now, name, holder) = (world.clock.now(), "records:people", WorkerId("w".to_owned()));
    let later = now.saturating_add(SignedDuration::from_hours(1)).unwrap();
    let fence = world.store.acquire_lease(&ws(), name, &holder, now, later).await.unwrap().unwrap();
    let held = Held { name: name.to_owned(), holder: holder.clone(), fence };
    let pull = PullState {
        side: Side::Left,
        kind: "Contact".to_owned(),
        phase: PullPhase::Changes,
        cursor: None,
        next_at: later,
        failures: 0,
        problem: None,
        read_at: Some(now),
        sweep: 1,
        changes_cursor: None,
        swept_at: None,
        fields: None,
    };
    let take =
        TakeRows { workspace: ws(), integration: "people".into(), held, now, rows: Vec::new(), pulls: vec![pull] };
    world.store.take_rows(take).await.unwrap().unwrap();
    world.store.release_lease(&ws(), name, &holder, fence).await.unwrap();
    later
}

/// A vendor's word that something has changed has the account asked within seconds; a burst of them costs no more; one that
/// is forged, late or sent elsewhere does nothing.
///
/// proves: sec:S20, sec:S23, sec:S26, sec:S31
#[tokio::test]
async fn a_vendors_word_has_its_account_asked_sooner_and_does_nothing_else() {
    let world = World::new();
    let hook = format!("/hooks/crm/{PATH_KEY}");
    let later = read_in_an_hour(&world).await;
    let forged = signature("another secret", world.clock.now(), b"{}");
    for (path, signature, status) in [
        (hook.as_str(), forged.as_str(), StatusCode::UNAUTHORIZED),
        (hook.as_str(), "nonsense", StatusCode::UNAUTHORIZED),
        ("/hooks/crm/k7-00000000000000000000000000000000", forged.as_str(), StatusCode::NOT_FOUND),
        ("/hooks/machine/k7-0123456789abcdef0123456789abcdef", forged.as_str(), StatusCode::NOT_FOUND),
        // It has no secret, so it has no address.
        ("/hooks/spare/k7-0123456789abcdef0123456789abcdef", forged.as_str(), StatusCode::NOT_FOUND),
    ] {
        let answer = world.request(Method::POST, path, &[("x-acme-signature", signature)], "{}").await;
        assert_eq!(answer.status, status, "{path} {signature}");
    }
    let stale = signature(SECRET, world.clock.now().saturating_sub(SignedDuration::from_mins(6)).unwrap(), b"{}");
    let answer = world.request(Method::POST, &hook, &[("x-acme-signature", &stale)], "{}").await;
    assert_eq!(answer.code(), "bad-signature");
    assert_eq!(next_read(&world).await, later, "nothing of that did anything");

    let now = world.clock.now();
    // Not even JSON: what it says is not read.
    for body in ["nonsense", "[[[[", r#"{"id":"1"}"#] {
        let answer = world.hook(&hook, body).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, r#"{"status":"noted"}"#));
    }
    let soon = next_read(&world).await;
    assert!(now < soon && soon.duration_since(now) <= SignedDuration::from_secs(2), "{soon}");
    world.clock.advance(SignedDuration::from_millis(900));
    world.hook(&hook, "again").await;
    assert_eq!(next_read(&world).await, soon, "it is read after this one, too");
}
