//! The account answers as Cal.com documents it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::Clock;

use super::{CalcomAccount, CalcomConfig, NewBooking};
use crate::Site;

struct Hands(Mutex<Timestamp>);

impl Hands {
    fn pass(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn account() -> (Arc<CalcomAccount>, Arc<Hands>) {
    let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().unwrap())));
    (CalcomAccount::new(CalcomConfig::default(), hands.clone()), hands)
}

fn call(account: &CalcomAccount, method: &str, path: &str, version: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", "Bearer cal_sandbox_0123456789abcdef")
        .header("cal-api-version", version)
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let response = account.handle("http://here", request).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn list(account: &CalcomAccount, query: &str) -> Value {
    let (status, body) = call(account, "GET", &format!("/v2/bookings?{query}"), "2024-08-13", Value::Null);
    assert_eq!(status, 200, "{body}");
    body
}

fn new(start: &str) -> NewBooking {
    NewBooking {
        event_type: 1,
        start: start.parse().unwrap(),
        name: "Ada Lovelace".into(),
        email: "ada@example.org".into(),
        guests: vec!["bob@example.net".into()],
        responses: serde_json::Map::from_iter([("team_size".to_owned(), json!("25"))]),
    }
}

#[test]
fn bookings_are_listed_by_their_last_change_and_paged() {
    let (account, hands) = account();
    let uids: Vec<String> = (0..3)
        .map(|_| {
            hands.pass(60);
            account.book(&new("2026-06-01T10:00:00Z")).unwrap()
        })
        .collect();
    hands.pass(60);
    assert!(account.cancel(&uids[0], "ada@example.org", "ill"));
    let all = list(&account, "sortUpdatedAt=asc&take=2");
    assert_eq!(all["pagination"]["totalItems"], 3);
    assert_eq!(all["pagination"]["remainingItems"], 1);
    assert_eq!(all["data"][0]["uid"], uids[1]);
    let late = list(&account, "sortUpdatedAt=asc&afterUpdatedAt=2026-05-04T09:03:00.001Z");
    assert_eq!(late["data"].as_array().unwrap().len(), 1);
    assert_eq!(late["data"][0]["status"], "cancelled");
    assert_eq!(late["data"][0]["cancelledByEmail"], "ada@example.org");
    assert_eq!(late["data"][0]["bookingFieldsResponses"]["team_size"], "25");
    let (_, older) = call(&account, "GET", "/v2/bookings", "2024-04-15", Value::Null);
    assert!(older["data"]["bookings"].is_array(), "the older shape");
}

#[test]
fn webhooks_are_made_changed_and_signed() {
    let (account, _) = account();
    let hook =
        json!({"subscriberUrl": "https://s.example/h", "triggers": ["BOOKING_CREATED"], "active": true, "secret": "s"});
    let (status, made) = call(&account, "POST", "/v2/webhooks", "", hook.clone());
    assert_eq!(status, 201);
    assert_eq!(call(&account, "POST", "/v2/webhooks", "", hook).0, 409);
    let uid = account.book(&new("2026-06-01T10:00:00Z")).unwrap();
    account.cancel(&uid, "ada@example.org", "ill");
    let sent = account.take_webhooks();
    assert_eq!(sent.len(), 1, "only what was asked for");
    let body: Value = serde_json::from_slice(&sent[0].body).unwrap();
    assert_eq!((&body["triggerEvent"], &body["payload"]["uid"]), (&json!("BOOKING_CREATED"), &json!(uid)));
    assert_eq!(body["createdAt"], "2026-05-04T09:00:00.350Z", "a moment after the change");
    assert_eq!(sent[0].headers[1], ("x-cal-signature-256", crate::web::hmac_hex("s", &[&sent[0].body])));
    let id = made["data"]["id"].as_str().unwrap();
    let path = format!("/v2/webhooks/{id}");
    assert_eq!(call(&account, "PATCH", &path, "", json!({"active": false})).1["data"]["active"], false);
    account.book(&new("2026-06-02T10:00:00Z"));
    assert!(account.take_webhooks().is_empty());
    assert_eq!(call(&account, "DELETE", &path, "", Value::Null).0, 200);
    assert_eq!(call(&account, "GET", &path, "", Value::Null).0, 404);
}

#[test]
fn a_reschedule_makes_a_new_booking_that_knows_the_old_one() {
    let (account, _) = account();
    let uid = account.book(&new("2026-06-01T10:00:00Z")).unwrap();
    let moved = account.reschedule(&uid, "2026-06-03T10:00:00Z".parse().unwrap(), "ada@example.org", "later").unwrap();
    let one =
        |uid: &str| call(&account, "GET", &format!("/v2/bookings/{uid}"), "2024-08-13", Value::Null).1["data"].clone();
    assert_eq!((&one(&uid)["rescheduledToUid"], &one(&uid)["status"]), (&json!(moved), &json!("cancelled")));
    assert_eq!((&one(&moved)["rescheduledFromUid"], &one(&moved)["status"]), (&json!(uid), &json!("accepted")));
    assert_eq!(account.reschedule(&uid, "2026-06-04T10:00:00Z".parse().unwrap(), "x", "y"), None);
}

#[test]
fn strangers_and_the_hasty_are_refused() {
    let (account, hands) = account();
    let request = Request::get("/v2/bookings").body(Bytes::new()).unwrap();
    assert_eq!(account.handle("http://here", request).response.status(), 401);
    for _ in 0..119 {
        call(&account, "GET", "/v2/me", "", Value::Null);
    }
    let request = Request::get("/v2/me").body(Bytes::new()).unwrap();
    let refused = account.handle("http://here", request).response;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-ratelimit-reset-default"]),
        (429, &"60".parse::<http::HeaderValue>().unwrap())
    );
    hands.pass(60);
    assert_eq!(call(&account, "GET", "/v2/me", "", Value::Null).0, 200);
}
