//! Sessions: what a cookie is made of and what ends it.

use axum::http::StatusCode;
use proptest::prelude::*;
use syncline_core::Clock;

use super::*;
use crate::tests::world::{ADMIN, LINK_KEY, World};

fn headers(cookie: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::try_from(cookie).unwrap());
    headers
}

/// proves: sec:S42
#[tokio::test]
async fn a_cookie_is_bound_to_the_host_and_out_of_reach_for_scripts() {
    let world = World::new();
    let cookie = world.form("/sign-in", &[], &[("token", ADMIN)]).await.header("set-cookie").to_owned();
    let (value, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure");
    let id = value.strip_prefix("__Host-syncline_session=").unwrap().split('.').next().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 24, "192 random bits");

    let plain = World::with(|options| options.secure_cookies = false);
    let cookie = plain.form("/sign-in", &[], &[("token", ADMIN)]).await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("syncline_session=") && !cookie.contains("Secure"));
}

/// proves: sec:S42
#[tokio::test]
async fn every_sign_in_is_a_new_session_and_each_can_be_ended() {
    let world = World::new();
    let (one, two) = (world.sign_in().await, world.sign_in().await);
    assert_ne!(one, two);
    let token = world
        .server
        .shared()
        .sessions
        .form_token(&world.server.shared().sessions.read(&headers(&one), world.clock.now()).unwrap());
    let answer = world.form("/sign-out", &[("cookie", &one)], &[("form_token", &token)]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(world.page("/", &one).await.status, StatusCode::SEE_OTHER, "the old cookie is dead on the server, too");
    assert_eq!(world.page("/", &two).await.status, StatusCode::OK);
    world.server.end_sessions();
    assert_eq!(world.page("/", &two).await.status, StatusCode::SEE_OTHER);
}

/// proves: sec:S42
#[tokio::test]
async fn a_session_ends_with_its_time_and_with_the_process() {
    let world = World::new();
    let cookie = world.sign_in().await;
    world.clock.advance(LIFETIME - SignedDuration::from_secs(1));
    assert_eq!(world.page("/", &cookie).await.status, StatusCode::OK);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.page("/", &cookie).await.status, StatusCode::SEE_OTHER);

    let entropy = &world.server.shared().engine.world().entropy;
    let (before, after) = (Sessions::new([1; 32], true, &**entropy), Sessions::new([1; 32], true, &**entropy));
    let (_, cookie) = before.begin(world.clock.now(), &**entropy);
    let cookie = headers(cookie.to_str().unwrap().split(';').next().unwrap());
    assert!(before.read(&cookie, world.clock.now()).is_some());
    assert!(after.read(&cookie, world.clock.now()).is_none());
}

#[tokio::test]
async fn the_printed_link_lets_in_only_with_its_key() {
    let world = World::new();
    let answer = world.get(&format!("/sign-in/{LINK_KEY}"), &[]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(world.page("/", &answer.cookie()).await.status, StatusCode::OK);
    let on = world.get(&format!("/sign-in/{LINK_KEY}?next=/connect/crm"), &[]).await;
    assert_eq!(on.header("location"), "/connect/crm");
    let away = world.get(&format!("/sign-in/{LINK_KEY}?next=//evil.example"), &[]).await;
    assert_eq!(away.header("location"), "/");
    let wrong = world.get("/sign-in/wrong", &[]).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (StatusCode::UNAUTHORIZED, ""));
    let without = World::with(|options| options.sign_in_key = None);
    assert_eq!(without.get("/sign-in/", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(without.get(&format!("/sign-in/{LINK_KEY}"), &[]).await.status, StatusCode::NOT_FOUND);
    let empty = World::with(|options| options.admin_token = syncline_connect::Secret::new(""));
    assert_eq!(
        empty.form("/sign-in", &[], &[("token", "")]).await.status,
        StatusCode::UNAUTHORIZED,
        "never open by default"
    );
}

/// proves: sec:S48 (the throttle)
#[tokio::test]
async fn guessing_is_slowed_down() {
    let world = World::with(|options| options.limits.sign_ins_per_minute = 3);
    for _ in 0..3 {
        assert_eq!(world.form("/sign-in", &[], &[("token", "guess")]).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(world.form("/sign-in", &[], &[("token", ADMIN)]).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.get("/sign-in/guess", &[]).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(world.form("/sign-in", &[], &[("token", ADMIN)]).await.status, StatusCode::SEE_OTHER);
}

proptest! {
    /// Whatever is changed in a cookie, it is nobody's.
    #[test]
    fn a_cookie_that_was_tampered_with_opens_nothing(place in 0_usize..200, byte in 0x21_u8..0x7e) {
        let entropy = crate::tests::world::Seeded::default();
        let sessions = Sessions::new([3; 32], false, &entropy);
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (session, cookie) = sessions.begin(now, &entropy);
        let mut value = cookie.to_str().unwrap().split(';').next().unwrap().to_owned().into_bytes();
        let place = "syncline_session=".len() + place % (value.len() - "syncline_session=".len());
        prop_assume!(value[place] != byte && byte != b';');
        value[place] = byte;
        let value = String::from_utf8(value).unwrap();
        prop_assert_eq!(sessions.read(&headers(&value), now), None);
        prop_assert_eq!(sessions.read(&headers(cookie.to_str().unwrap()), now), Some(session));
    }

    /// Cookies of all kinds are read without harm.
    #[test]
    fn any_cookie_is_read(value in "[ -~]{0,80}") {
        let sessions = Sessions::new([3; 32], false, &crate::tests::world::Seeded::default());
        prop_assert_eq!(sessions.read(&headers(&format!("syncline_session={value}")), Timestamp::UNIX_EPOCH), None);
    }
}
