//! Answers that are made up: refusals, servers that point elsewhere, and those that leave things out.

use std::sync::Mutex;

use bytes::Bytes;
use syncline_connect::{
    BoxFuture, ErrorKind, Http, HttpError, Retry,
    calendar::{CalendarId, Changes, From, Reading},
};
use syncline_core::calendar::event::{Body, EventId};

use super::{
    super::changes::{MULTIGET_MAX, PAGE_MEMBERS},
    world::Account,
};

/// Stands for an answer that never comes.
pub const LOST: u16 = 999;

/// Answers in their order; what was asked is kept.
pub struct Script {
    answers: Mutex<Vec<http::Response<Bytes>>>,
    pub asked: Mutex<Vec<String>>,
}

impl Http for Script {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        // How far a question reaches, or what a write is bound to.
        let said = ["depth", "if-match", "if-none-match"].iter().find_map(|name| request.headers().get(*name));
        let said = said.map_or("-", |value| value.to_str().expect("a header of text"));
        self.asked.lock().expect("no panic").push(format!("{} {} {said}", request.method(), request.uri()));
        let mut answers = self.answers.lock().expect("no panic");
        let answer = (!answers.is_empty()).then(|| answers.remove(0));
        let lost = || HttpError::Unanswered { host: "dav.example".to_owned(), reason: "the answer is lost".to_owned() };
        let nobody = || HttpError::NotSent { host: "dav.example".to_owned(), reason: "nobody is there".to_owned() };
        Box::pin(std::future::ready(match answer {
            Some(answer) if answer.status() == LOST => Err(lost()),
            answer => answer.ok_or_else(nobody),
        }))
    }
}

pub fn scripted(answers: Vec<http::Response<Bytes>>) -> Account<Script> {
    let script = Script { answers: Mutex::new(answers), asked: Mutex::default() };
    Account::new("https://dav.example/start", script)
}

pub fn plain(status: u16, body: &str) -> http::Response<Bytes> {
    http::Response::builder().status(status).body(Bytes::from(body.to_owned())).expect("an answer")
}

fn moved(to: &str) -> http::Response<Bytes> {
    http::Response::builder().status(301).header("location", to).body(Bytes::new()).expect("an answer")
}

pub fn parts(rows: &str) -> http::Response<Bytes> {
    let space = "xmlns=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"";
    plain(207, &format!("<multistatus {space}>{rows}</multistatus>"))
}

pub fn row(href: &str, props: &str) -> String {
    let status = "<status>HTTP/1.1 200 OK</status>";
    format!("<response><href>{href}</href><propstat><prop>{props}</prop>{status}</propstat></response>")
}

pub fn asked(account: &Account<Script>) -> Vec<String> {
    account.http.asked.lock().expect("no panic").clone()
}

const CALENDAR: &str = "<resourcetype><collection/><c:calendar/></resourcetype>";

pub fn work() -> CalendarId {
    CalendarId("/office/".to_owned())
}

fn token(text: &str) -> String {
    format!("{{\"mark\":{{\"token\":\"{text}\"}}}}")
}

/// proves: sec:S33
#[test]
fn discovery_stays_on_the_server_that_it_was_given() {
    let elsewhere = "https://evil.example/dav/";
    // A redirection is followed on the same server only.
    let account = scripted(vec![moved(elsewhere), moved("/dav/"), plain(404, ""), moved("http://dav.example/")]);
    let error = account.list().expect_err("there is nothing");
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    assert_eq!(
        asked(&account),
        [
            "PROPFIND https://dav.example/start 0",
            "PROPFIND https://dav.example/.well-known/caldav 0",
            "PROPFIND https://dav.example/dav/ 0",
            "PROPFIND https://dav.example/ 0",
        ]
    );
    // Nor is an address in an answer: it is told to whoever set the connection up.
    let principal = format!("<current-user-principal><href>{elsewhere}</href></current-user-principal>");
    let account = scripted(vec![parts(&row("/start", &principal))]);
    let error = account.list().expect_err("it is elsewhere");
    assert!(error.message.ends_with("set `url` to https://evil.example"), "{error}");
    let home = format!("<c:calendar-home-set><href>{elsewhere}</href></c:calendar-home-set>");
    let account = scripted(vec![parts(&row("/start", &home))]);
    assert_eq!(account.list().expect_err("it is elsewhere").kind, ErrorKind::Configuration);
    let account = scripted(vec![parts(&row("//evil.example/office/a.ics", "<getetag>1</getetag>"))]);
    assert!(account.changes(&work(), From::Cursor(&token("1"))).is_err());
    assert!(scripted(Vec::new()).changes(&CalendarId(elsewhere.to_owned()), From::Beginning).is_err());
}

#[test]
fn calendars_are_found_in_every_home() {
    let homes = "<c:calendar-home-set><href>/u/</href><href>https://dav.example/shared/</href></c:calendar-home-set>";
    let account = scripted(vec![
        parts(&row("/start", "<current-user-principal><href>/p/</href></current-user-principal>")),
        parts(&row("/p/", homes)),
        parts(&[
            row("/u/", "<resourcetype><collection/></resourcetype>"),
            row("/u/%62lue%20one/", &format!("{CALENDAR}<c:calendar-timezone-id>Asia/Tokyo</c:calendar-timezone-id><current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>")),
            row("/u/tasks/", &format!("{CALENDAR}<c:supported-calendar-component-set><c:comp name=\"VTODO\"/></c:supported-calendar-component-set>")),
            row("/u/office/", &format!("{CALENDAR}<displayname>Work</displayname><c:supported-calendar-component-set><c:comp name=\"VTODO\"/><c:comp name=\"VEVENT\"/></c:supported-calendar-component-set>")),
            row("/u/inbox/", "<resourcetype><collection/></resourcetype><c:schedule-default-calendar-URL><href>/shared/team/</href></c:schedule-default-calendar-URL>"),
        ].concat()),
        parts(&row("/shared/team/", CALENDAR)),
    ]);
    let told: Vec<String> = account
        .list()
        .expect("a list")
        .value
        .into_iter()
        .map(|entry| format!("{} {} {} {} {:?}", entry.id.0, entry.name, entry.primary, entry.writable, entry.zone))
        .collect();
    insta::assert_debug_snapshot!(told, @r#"
    [
        "/shared/team/ team true true None",
        "/u/blue%20one/ blue one false false Some(\"Asia/Tokyo\")",
        "/u/office/ Work false true None",
    ]
    "#);
}

#[test]
fn a_calendars_own_address_is_that_calendar() {
    let list = scripted(vec![parts(&row("/start", CALENDAR))]).list().expect("a list");
    assert_eq!((list.calls, list.value.len(), list.value[0].primary), (1, 1, true));
}

#[test]
fn a_wrong_password_is_tried_once() {
    let account = scripted(vec![plain(401, "")]);
    let error = account.list().expect_err("it is refused");
    assert_eq!((error.kind, error.retry, asked(&account).len()), (ErrorKind::Unauthorised, Retry::Never, 1));
}

/// proves: C10
#[test]
fn a_token_that_is_not_known_is_told_apart_from_trouble() {
    let asks =
        |status: u16, body: &str| scripted(vec![plain(status, body)]).changes(&work(), From::Cursor(&token("1")));
    let unknown = "<?xml version=\"1.0\"?><D:error xmlns:D=\"DAV:\"><D:valid-sync-token/></D:error>";
    for (status, body) in [(403, unknown), (409, unknown), (412, unknown), (400, ""), (410, ""), (501, "no")] {
        assert_eq!(asks(status, body).expect("an answer").0, Changes::Expired, "{status}");
    }
    let denied = "<error xmlns=\"DAV:\"><need-privileges/></error>";
    let troubles = [
        (401, "", ErrorKind::Unauthorised),
        (403, denied, ErrorKind::Forbidden),
        (404, "", ErrorKind::Gone),
        (429, "", ErrorKind::RateLimited),
        (503, "", ErrorKind::Unavailable),
        (302, "", ErrorKind::Configuration),
    ];
    for (status, body, kind) in troubles {
        assert_eq!(asks(status, body).expect_err("an error").kind, kind, "{status}");
    }
    assert_eq!(asks(207, "<html/>").expect_err("an error").kind, ErrorKind::Protocol);
    assert_eq!(scripted(Vec::new()).changes(&work(), From::Cursor("?")).expect("an answer").0, Changes::Expired);
    assert_eq!(
        scripted(Vec::new()).changes(&work(), From::Cursor(&token("1"))).expect_err("an error").kind,
        ErrorKind::Unreachable
    );
}

/// proves: fault:N3
#[test]
fn what_is_not_told_is_not_gone() {
    let changed = || {
        parts(&format!(
            "{}{}<sync-token>2</sync-token>",
            row("/office/a.ics", "<getetag>1</getetag>"),
            row("/office/b.ics", "<getetag>1</getetag>")
        ))
    };
    let text = "<c:calendar-data>BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20270101T000000Z\nEND:VEVENT\nEND:VCALENDAR</c:calendar-data>";
    let one = row("/office/a.ics", text);
    let asks = |second: &str| {
        scripted(vec![changed(), parts(&format!("{one}{second}"))]).changes(&work(), From::Cursor(&token("1")))
    };
    assert_eq!(asks("").expect_err("an error").kind, ErrorKind::Protocol);
    assert!(asks("<response><href>/office/b.ics</href><status>HTTP/1.1 500 Oops</status></response>").is_err());
    let gone = "<response><href>/office/b.ics</href><status>HTTP/1.1 404 Not Found</status></response>";
    let (Changes::Page(page), 2) = asks(gone).expect("an answer") else { panic!("no page") };
    assert_eq!(page.events.iter().filter(|event| event.body == Body::Bare).count(), 1);
    // One that may not be looked at is there.
    let hidden = "<response><href>/office/b.ics</href><status>HTTP/1.1 403 Forbidden</status></response>";
    let (Changes::Page(page), _) = asks(hidden).expect("an answer") else { panic!("no page") };
    assert!(matches!(page.events[1].body, Body::Unreadable(_)));
    let fetched = scripted(vec![parts(&row("/office/", CALENDAR)), parts(&one)])
        .fetch(&work(), &[EventId("/office/b.ics".to_owned())]);
    assert_eq!(fetched.expect_err("an error").kind, ErrorKind::Protocol);
}

fn listed(names: &[&str]) -> http::Response<Bytes> {
    parts(&names.iter().map(|name| row(&format!("/office/{name}.ics"), "<getetag>1</getetag>")).collect::<String>())
}

/// Where a server knows no tokens, a list that lacks a member says nothing about it: the member is asked for. Where a list
/// lacks much or everything, all is read anew; one that was cut off is none.
///
/// proves: C10, fault:N3
#[test]
fn what_a_list_lacks_is_not_gone() {
    let names: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let versions =
        names.iter().map(|name| format!("\"{name}.ics\":\"6b86b273ff34fce1\"")).collect::<Vec<_>>().join(",");
    let cursor = format!("{{\"mark\":{{\"members\":{{\"tag\":null,\"versions\":{{{versions}}}}}}}}}");
    let asks = |answers: Vec<http::Response<Bytes>>| scripted(answers).changes(&work(), From::Cursor(&cursor));
    let (Changes::Page(page), 1) = asks(vec![listed(&names)]).expect("an answer") else { panic!("no page") };
    assert_eq!(page.events, []);
    let answer = |status: &str| {
        parts(&format!("<response><href>/office/29.ics</href><status>HTTP/1.1 {status}</status></response>"))
    };
    for (status, gone) in [("404 Not Found", 1), ("403 Forbidden", 0)] {
        let (changes, calls) = asks(vec![listed(&names[..29]), answer(status)]).expect("an answer");
        let Changes::Page(page) = changes else { panic!("no page") };
        assert_eq!((page.events.iter().filter(|event| event.body == Body::Bare).count(), calls), (gone, 2), "{status}");
    }
    assert_eq!(asks(vec![listed(&names[..29]), parts("")]).expect_err("an error").kind, ErrorKind::Protocol);
    for few in [&names[..19], &names[..0]] {
        assert_eq!(asks(vec![listed(few)]).expect("an answer"), (Changes::Expired, 1));
    }
    let cut = "<response><href>/office/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>";
    assert_eq!(asks(vec![parts(cut)]).expect_err("an error").kind, ErrorKind::Protocol);
}

/// Where a server tells at once that many are gone, all is read anew, and so whoever keeps them can ask first.
///
/// proves: C10
#[test]
fn many_that_are_gone_have_all_read_anew() {
    let gone = |count: usize| {
        let row =
            |n: usize| format!("<response><href>/office/{n}.ics</href><status>HTTP/1.1 404 Gone</status></response>");
        let rows: String = (0..count).map(row).collect();
        scripted(vec![parts(&format!("{rows}<sync-token>2</sync-token>"))]).changes(&work(), From::Cursor(&token("1")))
    };
    let (Changes::Page(page), 1) = gone(10).expect("an answer") else { panic!("no page") };
    assert_eq!(page.events.len(), 10);
    assert_eq!(gone(11).expect("an answer"), (Changes::Expired, 1));
}

/// The same holds where so much has changed that it is read page by page, and a server knows nothing of many of those: on one
/// page or on several.
///
/// proves: C10, fault:N3
#[test]
fn many_that_are_gone_among_many_changes_have_all_read_anew() {
    let names: Vec<String> = (0..PAGE_MEMBERS * 2).map(|n| format!("{n:04}")).collect();
    let all = names.iter().map(|name| row(&format!("/office/{name}.ics"), "<getetag>1</getetag>")).collect::<String>();
    let text = |name: &str| {
        format!(
            "<c:calendar-data>BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:{name}\nDTSTART:20270101T000000Z\nEND:VEVENT\nEND:VCALENDAR</c:calendar-data>"
        )
    };
    // Where every so many of them are not there any more.
    let reads = |every: usize| {
        let member = |name: &String| match name.parse::<usize>().expect("a number") % every {
            0 => format!("<response><href>/office/{name}.ics</href><status>HTTP/1.1 404 Gone</status></response>"),
            _ => row(&format!("/office/{name}.ics"), &text(name)),
        };
        let pages = names.chunks(PAGE_MEMBERS).flat_map(|page| {
            let listing = parts(&format!("{all}<sync-token>2</sync-token>"));
            let members = page.chunks(MULTIGET_MAX).map(|some| parts(&some.iter().map(member).collect::<String>()));
            std::iter::once(listing).chain(members.collect::<Vec<_>>())
        });
        let account = scripted(pages.collect());
        let mut read = Vec::new();
        let mut cursor = token("1");
        loop {
            let (changes, _) = account.changes(&work(), From::Cursor(&cursor)).expect("an answer");
            let Changes::Page(page) = changes else { return (read, Reading::More) };
            read.push(page.events.iter().filter(|event| event.body == Body::Bare).count());
            if page.reading != Reading::More {
                return (read, page.reading);
            }
            cursor = page.cursor;
        }
    };
    assert_eq!(reads(100), (vec![5, 5], Reading::Changes));
    assert_eq!(reads(83), (vec![7], Reading::More), "six more are too many");
    assert_eq!(reads(40), (vec![], Reading::More), "thirteen are too many at once");
}

/// A token that came with a part of the changes only goes on with the rest.
#[test]
fn changes_that_were_cut_off_go_on() {
    let cut = "<response><href>/office/</href><status>HTTP/1.1 507 Insufficient Storage</status></response><sync-token>2</sync-token>";
    let (page, _) = scripted(vec![parts(cut)]).page(&work(), From::Cursor(&token("1")));
    assert_eq!((page.reading, page.cursor), (Reading::More, token("2")));
}
