//! An integration of calendars that is nowhere in the file: an admin writes it over the API, people connect their accounts in
//! the browser, somebody looks at the preview and agrees, and the pages, the API and the command line say the same.

use std::{path::Path, time::Instant};

use serde_json::{Value, json};
use url::form_urlencoded;

use super::office::{Office, ROSA, SAM, agree};
use crate::{
    api::{PAGE, asked, typed},
    commands::cookie,
    kill::postgres,
    lab::{ADMIN_TOKEN, Answer, PATIENCE, Server, pause, postgres_database},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");
const MEETINGS: &str = "/api/v1/calendars/meetings";
const CLIENT: &str = "ada@client.example";

/// Somebody who is signed in at the pages.
struct Browser<'s> {
    server: &'s Server,
    session: String,
}

impl<'s> Browser<'s> {
    fn open(server: &'s Server) -> Self {
        let body = form(&[("token", ADMIN_TOKEN)]);
        let signed = server.connect().exchange("POST", "/sign-in", &[FORM], body.as_bytes()).expect("an answer");
        Self { session: cookie(&signed), server }
    }

    /// By a connection of its own: the server ends those on which nobody speaks for a while.
    fn exchange(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.server.connect().exchange(method, path, headers, body).expect("an answer")
    }

    fn agree(&self, name: &str) {
        let landed = agree(&mut self.server.connect(), &self.session, &format!("/connect/{name}"), name);
        assert_eq!(landed, format!("/connected/{name}"));
    }

    fn page(&self, path: &str) -> String {
        let answer = self.exchange("GET", path, &[("cookie", &self.session)], b"");
        let text = String::from_utf8(answer.body).expect("text");
        assert_eq!(answer.status, 200, "{path}: {text}");
        text
    }

    /// Sends a form of the integration's page.
    fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.page("/integrations/meetings");
        let token = page.split("name=\"form_token\" value=\"").nth(1).expect("a token");
        let token = token.split('"').next().expect("its end").to_owned();
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("form_token", token.as_str())]).collect();
        let headers = [("cookie", self.session.as_str()), FORM];
        self.exchange("POST", path, &headers, form(&fields).as_bytes())
    }
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn person(owner: &str, connection: &str) -> Value {
    json!({ "owner": owner, "connection": connection, "every_seconds": 1 })
}

/// The settings, as the API takes them.
fn settings(people: &[Value]) -> Value {
    json!({ "crm": "salesforce", "own_domains": ["host.example"], "people": people })
}

/// Waits until an answer of the API is as it has to become.
fn until(office: &Office, server: &Server, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let told = server.api(path);
        if is(&told) {
            return told;
        }
        assert!(started.elapsed() < PATIENCE, "{path} stays {told}: {}", office.installation.log());
        pause(std::time::Duration::from_millis(50));
    }
}

fn story(name: &str, database: &str) {
    let office = Office::over(name, database, "");
    let server = office.installation.start(Path::new(BINARY), &[]);
    let put = |path: &str, body: &Value| asked(&server, "PUT", path, body);
    for (bad, word) in [
        (settings(&[person(ROSA, "nowhere")]), "no such [[connections]] entry"),
        (settings(&[person("Rosa", "rosa")]), "no e-mail address"),
        (settings(&[person(ROSA, "salesforce")]), "shows no calendars"),
        (settings(&[]), "it needs 1 to"),
        (json!({ "crm": "rosa", "people": [person(ROSA, "rosa")] }), "keeps no meetings"),
        (json!({ "crm": "salesforce", "people": [], "sice": "touched" }), "sice"),
    ] {
        let (status, told) = put(MEETINGS, &bad);
        assert_eq!((status, &told["code"]), (422, &json!("unusable-integration")), "{bad}: {told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(word)), "{word}: {told}");
    }
    let (status, told) = put("/api/v1/calendars/bookings", &settings(&[person(ROSA, "rosa")]));
    assert!(status == 422 && told["detail"].as_str().is_some_and(|detail| detail.contains("of bookings")), "{told}");

    let (status, written) = put(MEETINGS, &settings(&[person(ROSA, "rosa")]));
    assert_eq!(status, 200, "{written}");
    let shown = server.api(MEETINGS);
    let account = &shown["calendars"][0]["account"];
    assert_eq!((&shown["standing"], &account["health"]), (&json!("draft"), &json!("not_connected")));
    assert!(account["connect"].as_str().is_some_and(|page| page.ends_with("/connect/rosa")), "{account}");
    let (status, told) = asked(&server, "POST", &format!("{MEETINGS}/preview"), &json!({}));
    assert_eq!((status, &told["code"]), (502, &json!("account-unavailable")), "{told}");

    office.meet("Before", 24, &[CLIENT]);
    let browser = Browser::open(&server);
    assert!(browser.page("/integrations").contains("<a href=\"/integrations/meetings\">meetings</a>"));
    assert!(browser.page("/integrations/meetings").contains("<a href=\"/connect/rosa\">Connect</a>"));
    browser.agree("rosa");
    assert!(browser.page("/connected/rosa").contains("shows in a preview what it would log"));
    let (_, checked) = asked(&server, "POST", &format!("{MEETINGS}/check"), &json!({}));
    assert_eq!(checked["works"], json!(true), "{checked}");
    let (status, preview) = asked(&server, "POST", &format!("{MEETINGS}/preview"), &json!({}));
    assert_eq!((status, &preview["as_they_are"]["reasons"][0]["reason"]), (200, &json!("before_connection")));
    assert_eq!((&preview["if_new"]["logged"], &preview["samples"][0]["title"]), (&json!(1), &json!("Before")));
    let page = browser.send("/integrations/meetings/preview", &[]);
    let page = String::from_utf8(page.body).expect("text");
    for part in ["0 upcoming events would be logged, 1 not:", "1 of them would be logged if", "Before", "Activate"] {
        assert!(page.contains(part), "`{part}` is missing in:\n{page}");
    }
    assert!(office.timeline().is_empty(), "a preview writes nothing");

    let activated = browser.send("/integrations/meetings", &[("act", "activate"), ("agreed_by", "Rosa")]);
    assert_eq!((activated.status, activated.header("location")), (303, Some("/integrations/meetings")));
    until(&office, &server, MEETINGS, |told| told["counts"]["reasons"]["before_connection"] == json!(1));
    office.meet("Demo", 25, &[CLIENT]);
    office.meet("Team", 26, &[SAM]);
    until(&office, &server, MEETINGS, |told| {
        told["counts"]["logged"] == json!(1) && told["counts"]["left_out"] == json!(2)
    });
    // It counts as soon as it is decided, and has its record a moment later.
    let has_records = |told: &Value| {
        let all = told["events"].as_array().expect("a list");
        all.iter().all(|event| !event["record"].is_null())
    };
    let logged_events = format!("{MEETINGS}/events?show=logged");
    let logged = until(&office, &server, &logged_events, has_records)["events"][0].clone();
    let event = office.sandbox.records("Event").remove(0);
    assert_eq!((&logged["title"], &logged["record"]), (&json!("Demo"), &event["Id"]));
    let url = logged["record_url"].as_str().expect("an address");
    let page = browser.page("/integrations/meetings/events");
    assert!(page.contains(&format!("<a href=\"{url}\"")) && page.contains("Nobody from outside takes part."), "{page}");
    let of_one_reason = browser.page("/integrations/meetings/events?show=internal_only");
    assert!(of_one_reason.contains("Team") && !of_one_reason.contains("Demo"), "{of_one_reason}");
    assert!(browser.page("/").contains("1 event logged · 2 left out"));
    let mut told = server.api(&format!("{MEETINGS}/events"))["events"].as_array().expect("a list").clone();
    told.reverse();
    for event in &mut told {
        event.as_object_mut().expect("an object").remove("record_url");
    }
    assert_eq!(office.lines(&["calendars", "events", "meetings", "--json"]), told, "the command line says the same");

    let people = [person(ROSA, "rosa"), person(SAM, "sam")];
    let (status, told) = put(MEETINGS, &settings(&people));
    assert_eq!((status, &told["code"]), (409, &json!("not-paused")));
    assert_eq!(browser.send("/integrations/meetings", &[("act", "pause")]).status, 303);
    let version = written["version"].as_i64().expect("a version");
    let (status, told) = put(&format!("{MEETINGS}?version={version}"), &settings(&people));
    assert_eq!(status, 200, "{told}");
    office.google.create(SAM, &office.event("Sam's old one", 27, &[CLIENT])).expect("a meeting");
    let said = office.run(&["connect", "sam", "--link"]);
    let link = &said[said.find("/connect-link/").unwrap_or_else(|| panic!("{said}"))..];
    let link = link.split_whitespace().next().expect("its end");
    let page = server.connect().exchange("GET", link, &[], b"").expect("an answer");
    let page = String::from_utf8(page.body).expect("text");
    assert!(page.contains("Its calendar is read") && page.contains(&format!("href=\"{link}/begin\"")), "{page}");
    assert_eq!(agree(&mut server.connect(), "", &format!("{link}/begin"), "sam"), "/connect-link/used");
    assert!(office.refused(&["connect", "sam", "--link"]).contains("it is connected"));
    assert_eq!(asked(&server, "POST", &format!("{MEETINGS}/activate"), &json!({})).0, 204, "Rosa agreed before");
    until(&office, &server, MEETINGS, |told| told["calendars"][1]["whole"] == json!(true));
    office.google.create(SAM, &office.event("Sam's new one", 28, &[CLIENT])).expect("a meeting");
    until(&office, &server, MEETINGS, |told| told["counts"]["logged"] == json!(2));
    until(&office, &server, &logged_events, has_records);
    let looks = || browser.send("/integrations/meetings", &[("act", "run"), ("confirm_deletes", "yes")]).status;
    // While the server itself looks, it says that it is busy.
    let refused: Vec<u16> = std::iter::repeat_with(looks).take(100).take_while(|status| *status != 303).collect();
    assert!(refused.len() < 100 && refused.iter().all(|status| *status == 409), "{refused:?}");
    server.kill();
    let server = office.installation.start(Path::new(BINARY), &[]);
    let shown = server.api(MEETINGS);
    assert_eq!((&shown["standing"], &shown["counts"]["logged"]), (&json!("active"), &json!(2)), "it is still there");
    assert!(office.run(&["calendars", "pause", "meetings"]).contains("meetings is paused"));
    assert_eq!(asked(&server, "DELETE", MEETINGS, &json!({})).0, 204);
    assert_eq!(asked(&server, "GET", MEETINGS, &json!({})).0, 404);
    let titles: Vec<String> = office.timeline().into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles, ["Demo", "Sam's new one"], "what was logged stays");
}

/// proves: C1, C4, C5, C6, C8, O4, V1
#[test]
fn calendars_are_set_up_connected_and_watched_without_the_file() {
    story("calendars-admin", "sqlite:syncline.db");
}

/// proves: C1, C6, O2, O4
#[test]
fn calendars_are_set_up_connected_and_watched_on_postgresql() {
    story("calendars-admin-postgres", &postgres_database(&postgres(), "calendars_admin"));
}

/// The examples about calendars of docs/api.md work as they are written, in the order of the page.
///
/// proves: C1, O4
#[test]
fn the_examples_about_calendars_work_as_they_are_written() {
    let office = Office::over("calendars-page", "sqlite:syncline.db", "");
    office.connect();
    office.meet("Before", 24, &[CLIENT]);
    // Nothing runs by itself, so that no round is under way when one is asked for.
    let server = office.installation.start(Path::new(BINARY), &["--workers", "0"]);
    let lines: Vec<&str> =
        PAGE.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|line| line.contains("/calendars")).collect();
    assert!(lines.len() >= 10, "the page has examples");
    for line in lines {
        let answer = typed(line, &server);
        if line.ends_with("/check") {
            assert_eq!(answer["works"], json!(true), "{answer}");
        } else if line.ends_with("/preview") {
            assert_eq!(answer["as_they_are"]["left_out"], json!(1), "{answer}");
        } else if line.contains("/events") {
            assert_eq!(answer["events"][0]["title"], json!("Before"), "{answer}");
        }
    }
    assert_eq!(server.api("/api/v1/calendars")["integrations"], json!([]), "it was dropped again");
}
