//! Every hostile string goes the whole way: webhook, inbox, booking, look-up, records in the imitation org, API, page and
//! log. In the end it is the same string, everywhere only a string, and in the log not at all.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value as Json, json};
use syncline_core::{
    person::{split_name, squeeze},
    record::{Role, Std, Value},
};
use syncline_engine::GrantKind;
use syncline_vendors::intake::text;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    house::{CRM, House, email, workspace},
    strings,
};
use crate::{
    server::{api, send, sign_in, signed_hook},
    world::connector,
};

/// The strings that may stand in a name: those with something to see in them, as long as a name may be.
fn hostile() -> Vec<String> {
    let sets = ["xss", "blns", "unicode", "crlf", "csv"];
    let all = sets.iter().flat_map(|set| strings(&format!("strings/{set}.json")));
    all.filter(|words| text::line(words).is_some() && words.chars().count() <= text::MAX_LINE_CHARS).collect()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics while it holds this").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Takes down everything that this thread logs, as the product's JSON lines.
fn listen() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

/// What the org holds of a field, as text.
fn held(record: &serde_json::Map<String, Json>, field: &str) -> String {
    record.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// What the CRM is to hold of a text.
fn kept(role: Role, field: Std, words: &str) -> String {
    let records = connector(CRM).records().expect("the CRM has records");
    records.normalise(role, &field.into(), Value::text(words)).as_text().unwrap_or_default().to_owned()
}

/// proves: sec:S45, sec:S51, sec:S52, sec:S53
#[tokio::test]
async fn hostile_strings_arrive_as_strings_and_are_not_logged() {
    let (lines, guard) = listen();
    let house = House::new(GrantKind::ClientCredentials, |_| ()).await;
    let hostile = hostile();
    assert!(hostile.len() > 1_000, "{} strings", hostile.len());
    for (number, words) in hostile.iter().enumerate() {
        house.book(number, words).await;
    }
    house.work().await;
    let counts = house.store.counts(&workspace()).await.expect("the database answers");
    let done = u64::try_from(hostile.len()).expect("a small number");
    assert_eq!((counts.done, counts.parked, counts.due, counts.messages_parked), (done, 0, 0, 0));
    drop(guard);

    check_records(&house, &hostile);
    check_pages(&house, &hostile).await;
    check_log(&house, &lines, 1);
}

/// What is refused is logged more than what goes well: forged webhooks, odd bodies, wrong tokens, searches, and an org
/// that says no and quotes what was sent.
///
/// proves: sec:S37, sec:S52, sec:S53
#[tokio::test]
async fn refusals_are_logged_without_what_was_refused() {
    let (lines, guard) = listen();
    let house = House::new(GrantKind::ClientCredentials, |_| ()).await;
    let hostile: Vec<String> = hostile().into_iter().step_by(7).collect();
    for (number, words) in hostile.iter().enumerate() {
        let said = format!("canary {words}");
        let (mut head, _) = signed_hook("forged", b"another body").into_parts();
        send(&house.router, Request::from_parts(head.clone(), Body::from(said.clone()))).await;
        head.headers.insert("webhook-signature", header::HeaderValue::from_static("canary"));
        send(&house.router, Request::from_parts(head, Body::from(said.clone()))).await;
        send(&house.router, signed_hook(&format!("odd{number}"), said.as_bytes())).await;
        let form = |name: &str| url::form_urlencoded::Serializer::new(String::new()).append_pair(name, &said).finish();
        let guess = Request::post("/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        send(&house.router, guess.body(Body::from(form("token"))).expect("a sound request")).await;
        for path in
            ["/api/v1/bookings", "/api/v1/activity", "/api/v1/status", "/bookings/canary", "/oauth/callback/crm"]
        {
            send(&house.router, api(&format!("{path}?{}", form("text"))).expect("a sound path")).await;
        }
        house.book(number, words).await;
        let status = [400, 403, 404, 429, 500, 503][number % 6];
        let code = ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "SOMETHING_NEW", &said][number % 3];
        let rows = json!([{"message": said, "errorCode": code, "fields": [said]}]).to_string();
        let body = if number % 4 == 3 { format!("<html>{said}</html>") } else { rows };
        house.line.say_instead(Some((status, body)));
        house.work().await;
    }
    drop(guard);
    check_log(&house, &lines, hostile.len());
}

/// Each string made one contact and one meeting, and is what it was.
fn check_records(house: &House, hostile: &[String]) {
    let contacts = house.line.org.records("Contact");
    let meetings = house.line.org.records("Event");
    assert_eq!((contacts.len(), meetings.len()), (hostile.len(), hostile.len()), "one of each for every booking");
    for (number, words) in hostile.iter().enumerate() {
        let line = text::line(words).expect("only such strings are sent");
        let of_person = |record: &&serde_json::Map<String, Json>| held(record, "Email") == email(number);
        let contact = contacts.iter().find(of_person).unwrap_or_else(|| panic!("no contact for {words:?}"));
        let (first, last) = split_name(None, None, Some(&line), &email(number));
        assert_eq!(held(contact, "LastName"), kept(Role::Contact, Std::LastName, &last), "{words:?}");
        let first = kept(Role::Contact, Std::FirstName, &first.unwrap_or_default());
        assert_eq!(held(contact, "FirstName"), first, "{words:?}");
        let of_contact = |record: &&serde_json::Map<String, Json>| held(record, "WhoId") == held(contact, "Id");
        let meeting = meetings.iter().find(of_contact).unwrap_or_else(|| panic!("no meeting for {words:?}"));
        assert_eq!(held(meeting, "Subject"), kept(Role::Meeting, Std::Subject, &squeeze(&line)), "{words:?}");
    }
}

/// The API gives each string back as it was, and no page holds one that begins an element.
async fn check_pages(house: &House, hostile: &[String]) {
    let cookie = sign_in(&house.router).await;
    let (mut before, mut seen) = (String::new(), 0);
    loop {
        let page = house.json(&format!("/api/v1/bookings?limit=100{before}")).await;
        for booking in page["bookings"].as_array().expect("a list") {
            let title = booking["title"].as_str().unwrap_or_default();
            let path = format!("/bookings/{}", booking["booking"].as_str().expect("a name"));
            let request = Request::get(path).header(header::COOKIE, &cookie).body(Body::empty()).expect("a request");
            let answer = send(&house.router, request).await;
            assert_eq!(answer.status, StatusCode::OK);
            let begins_element = title.contains('<') && title.len() > 3;
            assert!(!begins_element || !answer.text.contains(title), "{title:?} stands in its page as it is");
            assert!(!answer.text.to_lowercase().contains("<script"), "{title:?} became a script");
            assert!(!answer.text.contains('\u{202e}'), "{title:?} turns its page around");
            seen += 1;
        }
        match page["next_before"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, hostile.len());
}

/// The log of it all says what happened, a line each, without a word of what anybody typed and without a token.
fn check_log(house: &House, lines: &Lines, lines_min: usize) {
    let logged = String::from_utf8(lines.0.lock().expect("nothing panicked").clone()).expect("logs are text");
    assert!(logged.lines().count() >= lines_min, "{logged}");
    for line in logged.lines() {
        let _: Json = serde_json::from_str(line).expect("every line is one record");
        assert!(!line.contains("canary") && !line.contains("firma"), "{line}");
        assert!(!line.contains("<script") && !line.contains("alert("), "{line}");
    }
    let bearers = house.line.bearers();
    assert!(!bearers.is_empty());
    bearers.iter().for_each(|bearer| assert!(!logged.contains(bearer.as_str()), "a token in the log"));
}
