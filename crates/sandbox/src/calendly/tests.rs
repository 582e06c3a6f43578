//! The organization answers as Calendly documents it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::Clock;

use super::{CalendlyConfig, CalendlyOrg, NewInvitee};
use crate::Site;

struct Hands(Mutex<Timestamp>);

impl Hands {
    fn pass(&self, hours: i64) {
        let mut now = self.0.lock().unwrap();
        *now += SignedDuration::from_hours(hours);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn org() -> (Arc<CalendlyOrg>, Arc<Hands>) {
    let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().unwrap())));
    (CalendlyOrg::new(CalendlyConfig::default(), hands.clone()), hands)
}

fn call(org: &CalendlyOrg, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", "Bearer sandbox-personal-token-0123456789")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let response = org.handle("http://here", request).response;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn new(event_type: &str, email: &str, start: &str) -> NewInvitee {
    NewInvitee {
        event_type: event_type.into(),
        start: start.parse().unwrap(),
        name: "Ada".into(),
        email: email.into(),
        guests: Vec::new(),
        answers: vec![("Why?".into(), "Because".into())],
    }
}

fn subscription() -> Value {
    json!({"url": "https://s.example/h", "events": ["invitee.created", "invitee.canceled"], "scope": "organization",
           "organization": "https://api.calendly.com/organizations/ORG1", "signing_key": "s"})
}

const HOOKS: &str =
    "/webhook_subscriptions?scope=organization&organization=https%3A%2F%2Fapi.calendly.com%2Forganizations%2FORG1";
const EVENTS: &str = "/scheduled_events?organization=https%3A%2F%2Fapi.calendly.com%2Forganizations%2FORG1";

/// fault:W4: a subscription that nobody answers for a day is silent for good.
#[test]
fn a_subscription_that_fails_for_a_day_is_disabled() {
    let (org, hands) = org();
    assert_eq!(call(&org, "POST", "/webhook_subscriptions", subscription()).0, 201);
    assert_eq!(call(&org, "POST", "/webhook_subscriptions", subscription()).0, 409);
    org.book(&new("TYPE1", "ada@example.org", "2026-06-01T10:00:00Z"));
    let state = || call(&org, "GET", HOOKS, Value::Null).1["collection"][0].clone();
    let [first] = <[_; 1]>::try_from(org.take_webhooks()).unwrap();
    assert!(first.webhook.headers[1].1.starts_with("t=1777885200,v1="));
    org.report(&first, false);
    assert_eq!(state()["retry_started_at"], "2026-05-04T09:00:00.000000Z");
    hands.pass(23);
    let [again] = <[_; 1]>::try_from(org.take_webhooks()).unwrap();
    assert_eq!(again.webhook.body, first.webhook.body);
    org.report(&again, false);
    assert_eq!(state()["state"], "active");
    hands.pass(1);
    let [last] = <[_; 1]>::try_from(org.take_webhooks()).unwrap();
    org.report(&last, false);
    assert_eq!(state()["state"], "disabled");
    org.book(&new("TYPE1", "ada@example.org", "2026-06-01T12:00:00Z"));
    assert!(org.take_webhooks().is_empty(), "nothing is sent any more");
    let uri = state()["uri"].as_str().unwrap().replace("https://api.calendly.com", "");
    assert_eq!(call(&org, "DELETE", &uri, Value::Null).0, 204);
    assert_eq!(call(&org, "POST", "/webhook_subscriptions", subscription()).0, 201);
}

#[test]
fn events_are_listed_by_their_start_and_paged() {
    let (org, _) = org();
    for day in 1..=5 {
        org.book(&new("TYPE1", "ada@example.org", &format!("2026-06-0{day}T10:00:00Z")));
    }
    let (_, first) =
        call(&org, "GET", &format!("{EVENTS}&count=2&min_start_time=2026-06-02T00:00:00.000000Z"), Value::Null);
    assert_eq!(first["pagination"]["count"], 2);
    let token = first["pagination"]["next_page_token"].as_str().unwrap();
    let next = format!("{EVENTS}&count=2&min_start_time=2026-06-02T00:00:00.000000Z&page_token={token}");
    let (_, second) = call(&org, "GET", &next, Value::Null);
    assert_eq!(second["collection"][1]["start_time"], "2026-06-05T10:00:00.000000Z");
    assert!(second["pagination"]["next_page_token"].is_null());
    assert_eq!(call(&org, "GET", &format!("{EVENTS}&count=101"), Value::Null).0, 400);
    assert_eq!(call(&org, "GET", "/scheduled_events", Value::Null).0, 400);
}

#[test]
fn a_shared_event_stands_until_the_last_has_left() {
    let (org, _) = org();
    let one = org.book(&new("TYPE2", "a@example.org", "2026-06-01T10:00:00Z")).unwrap();
    let two = org.book(&new("TYPE2", "b@example.org", "2026-06-01T10:00:00Z")).unwrap();
    let event = || call(&org, "GET", EVENTS, Value::Null).1["collection"][0].clone();
    assert_eq!(event()["invitees_counter"], json!({"total": 2, "active": 2, "limit": 20}));
    assert!(org.cancel(&one, "Ada", "ill"));
    assert_eq!(event()["status"], "active");
    assert!(org.cancel(&two, "Bob", "ill") && !org.cancel(&two, "Bob", "ill"));
    assert_eq!(event()["status"], "canceled");
    let path = event()["uri"].as_str().unwrap().replace("https://api.calendly.com", "");
    let (_, invitees) = call(&org, "GET", &format!("{path}/invitees?status=canceled"), Value::Null);
    assert_eq!(invitees["collection"].as_array().unwrap().len(), 2);
}

#[test]
fn a_reschedule_is_a_pair_that_knows_itself() {
    let (org, _) = org();
    call(&org, "POST", "/webhook_subscriptions", subscription());
    let old = org.book(&new("TYPE1", "ada@example.org", "2026-06-01T10:00:00Z")).unwrap();
    org.reschedule(&old, "2026-06-02T10:00:00Z".parse().unwrap(), "Ada", "later").unwrap();
    let bodies: Vec<Value> =
        org.take_webhooks().iter().map(|sent| serde_json::from_slice(&sent.webhook.body).unwrap()).collect();
    assert_eq!(bodies.len(), 3);
    assert_eq!(bodies[1]["payload"]["new_invitee"], bodies[2]["payload"]["uri"]);
    assert_eq!(bodies[2]["payload"]["old_invitee"], bodies[1]["payload"]["uri"]);
    assert_eq!((&bodies[1]["event"], &bodies[1]["payload"]["rescheduled"]), (&json!("invitee.canceled"), &json!(true)));
}

#[test]
fn strangers_and_those_without_the_role_are_refused() {
    let hands = Arc::new(Hands(Mutex::new("2026-05-04T09:00:00Z".parse().unwrap())));
    let config = CalendlyConfig { is_admin: false, calls_per_minute: 4, ..CalendlyConfig::default() };
    let org = CalendlyOrg::new(config, hands);
    let request = Request::get("/users/me").body(Bytes::new()).unwrap();
    assert_eq!(org.handle("http://here", request).response.status(), 401);
    assert_eq!(call(&org, "GET", EVENTS, Value::Null).0, 403);
    assert_eq!(call(&org, "POST", "/webhook_subscriptions", subscription()).0, 403);
    assert_eq!(call(&org, "GET", "/nowhere", Value::Null).0, 404);
    assert_eq!(call(&org, "GET", "/users/me", Value::Null).0, 429);
}
