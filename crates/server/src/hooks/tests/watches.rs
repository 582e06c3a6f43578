//! What vendors tell of calendars: who is believed, what becomes of it, and what everybody else hears.

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::watch::Mark;
use syncline_core::{
    Clock,
    ids::{ConnectionId, IntegrationId},
};
use syncline_store::{CalendarRef, CalendarState, Held, StoredWatch, WorkerId};

use crate::{
    HintSetup,
    tests::{
        vendor::CALENDARS,
        world::{ADMIN, Answer, World, XSS, strings, ws},
    },
};

const HOOK: &str = "/hooks/rosa/k1-0123456789abcdef0123456789abcdef";
const SAMS_HOOK: &str = "/hooks/sam/k2-0123456789abcdef0123456789abcdef";
const SECRET: &str = "a secret that the vendor sends back";
const NOTED: &str = r#"{"status":"noted"}"#;

fn rosa() -> CalendarRef {
    CalendarRef { workspace: ws(), integration: IntegrationId::new("meetings"), calendar: "rosa".to_owned() }
}

/// Rosa's calendar is read and watched; nothing is due for an hour. So is Sam's account, without a watch.
async fn watched() -> World {
    let world = World::with(|options| {
        options.body_limit = 10_000;
        let hint = |id: &str, path: &str| HintSetup {
            workspace: ws(),
            id: ConnectionId::new(id),
            connector: &CALENDARS,
            path_key: path.rsplit('/').next().unwrap().to_owned(),
            url: format!("https://sync.example{path}"),
            secrets: Vec::new(),
        };
        options.hints = vec![hint("rosa", HOOK), hint("sam", SAMS_HOOK)];
    });
    let (store, now) = (&world.store, world.clock.now());
    let later = now + SignedDuration::from_hours(1);
    store.begin_calendar(&rosa(), now).await.unwrap();
    let (name, holder) = ("watch:rosa".to_owned(), WorkerId("w".to_owned()));
    let fence = store.acquire_lease(&ws(), &name, &holder, now, later).await.unwrap().unwrap();
    let watch = StoredWatch {
        name: "n1".to_owned(),
        of: rosa(),
        connection: ConnectionId::new("rosa"),
        watch: "w1".to_owned(),
        resource: None,
        secret: Mark::of(SECRET).0,
        address: [0; 32],
        until: None,
        works: false,
        heard_at: None,
    };
    let held = Held { name, holder, fence };
    assert!(store.begin_watch(watch.clone(), &held, now).await.unwrap());
    let begun = StoredWatch { until: Some(later), works: true, ..watch };
    assert!(store.keep_watch(begun, later, later).await.unwrap());
    // It was due from the beginning, and is no longer.
    assert!(store.calendar_failed(&rosa(), &held, now, later, "tried").await.unwrap());
    world
}

async fn state(world: &World) -> CalendarState {
    world.store.begin_calendar(&rosa(), world.clock.now()).await.unwrap()
}

async fn wake_at(world: &World) -> Option<Timestamp> {
    state(world).await.wake_at
}

async fn tell(world: &World, path: &str, rows: &[(&str, &str, &str)]) -> Answer {
    world.request(Method::POST, path, &[], json!(rows).to_string()).await
}

/// proves: C10, sec:S31: a word makes its calendar due and does nothing else; said again, and many times in one request, it
/// is the same word.
#[tokio::test]
async fn a_word_makes_its_calendar_due() {
    let world = watched().await;
    let two = SignedDuration::from_secs(2);
    let before = wake_at(&world).await;
    let told_at = world.clock.now();
    for rows in [vec![("w1", SECRET, "changed")], vec![("w1", SECRET, "changed"); 50]] {
        let answer = tell(&world, HOOK, &rows).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, NOTED));
        assert_ne!(wake_at(&world).await, before);
        assert_eq!(wake_at(&world).await, Some(told_at + two));
        world.clock.advance(SignedDuration::from_millis(400));
    }
    world.clock.advance(SignedDuration::from_secs(1));
    tell(&world, HOOK, &[("w1", SECRET, "changed")]).await;
    assert_eq!(wake_at(&world).await, Some(world.clock.now() + two), "later it is another word");
    assert!(world.http.calls().is_empty(), "no vendor is called");
    assert_eq!(world.store.counts(&ws()).await.unwrap().inbox_new, 0);
    tell(&world, HOOK, &[("w1", SECRET, "renew")]).await;
    assert_eq!(state(&world).await.watch.next_at, Some(world.clock.now()));
    tell(&world, HOOK, &[("w1", SECRET, "ended")]).await;
    assert_eq!(world.store.watches(&ws()).await.unwrap(), []);
}

/// proves: sec:S22, sec:S26, sec:S27, sec:S29: who does not know the watch's secret, or says it of another account, hears
/// what everybody hears, and changes nothing.
#[tokio::test]
async fn whoever_is_not_the_vendor_changes_nothing_and_learns_nothing() {
    let world = watched().await;
    let before = (state(&world).await, world.store.watches(&ws()).await.unwrap());
    let longer = format!("{SECRET} ");
    let deep = "[".repeat(5_000);
    let forged = [
        (HOOK, json!([["w1", "another secret", "ended"]]).to_string()),
        (HOOK, json!([["w1", "", "changed"], ["w1", longer, "changed"], ["w1", &SECRET[1..], "renew"]]).to_string()),
        (HOOK, json!([["n1", SECRET, "changed"], ["w2", SECRET, "changed"], ["", SECRET, "ended"]]).to_string()),
        (HOOK, json!([["w1", ADMIN, "changed"]]).to_string()),
        (SAMS_HOOK, json!([["w1", SECRET, "ended"]]).to_string()),
        (HOOK, String::new()),
        (HOOK, "no JSON".to_owned()),
        (HOOK, deep),
    ];
    for (path, body) in forged {
        let answer = world.request(Method::POST, path, &[], body.clone()).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, NOTED), "{body}");
        assert_eq!((state(&world).await, world.store.watches(&ws()).await.unwrap()), before, "{body}");
    }
    let (known, unknown) =
        (tell(&world, HOOK, &[("w1", SECRET, "begun")]).await, tell(&world, HOOK, &[("w9", SECRET, "begun")]).await);
    assert_eq!((known.status, known.headers, known.body), (unknown.status, unknown.headers, unknown.body));
    for path in [format!("{HOOK}x"), "/hooks/rosa/wrong".to_owned(), SAMS_HOOK.replace("sam", "rosa")] {
        let answer = tell(&world, &path, &[("w1", SECRET, "changed")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        let answer = world.request(Method::POST, &format!("{path}?challenge=x"), &[], "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} answers no handshake, either");
    }
    let answer = world.request(Method::POST, HOOK, &[], "x".repeat(10_001)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// proves: sec:S28: a handshake is answered with plain text that no browser takes for anything else, whatever it is.
#[tokio::test]
async fn a_handshake_is_answered_in_plain_text() {
    let world = watched().await;
    let before = state(&world).await;
    let mut tried = 0;
    for text in strings(XSS).into_iter().chain(["a-token".to_owned()]) {
        let Ok(path) = format!("{HOOK}?challenge={text}").parse::<axum::http::Uri>() else { continue };
        let query = path.query().unwrap_or_default().to_owned();
        let answer = world.request(Method::POST, &path.to_string(), &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.text(), query.strip_prefix("challenge=").unwrap());
        tried += 1;
    }
    assert!(tried > 3, "{tried} of them can be part of an address");
    assert_eq!(state(&world).await, before);
    let answer = world.get(&format!("{HOOK}?challenge=x"), &[]).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}
