//! Against the imitation Google Calendar: a first reading, what changed, tokens that end, pages that break.

use std::sync::Arc;

use futures::FutureExt;
use serde_json::{Value, json};
use syncline_connect::{
    Answered, Calendars, Connector, Error, ErrorKind, Grant, Retry, Secret, Settings,
    calendar::{CalendarId, Changes, From, Page, Reading},
    oauth::{App, TokenCx},
};
use syncline_core::calendar::{
    event::{Body, EventId, Status},
    identity::Rid,
};
use syncline_sandbox::{FaultKind, FaultRule, GoogleConfig, GoogleWorkspace};

use super::super::{Google, MANIFEST, manifest::ALLOW_HOST};
use crate::testing::site::{Asker, Calls, Hands};

pub(super) const ROSA: &str = "rosa@host.example";

pub(super) struct Desk {
    pub(super) site: Arc<GoogleWorkspace>,
    pub(super) asker: Asker,
    cursor: Option<String>,
}

pub(super) fn primary() -> CalendarId {
    CalendarId("primary".into())
}

impl Desk {
    pub(super) fn new() -> Self {
        let hands = Hands::at("2026-03-12T08:00:00Z");
        let site = GoogleWorkspace::new(GoogleConfig::default(), hands.clone());
        let token =
            site.install(ROSA).expect("she has a calendar")["access_token"].as_str().expect("a token").to_owned();
        let asker = Asker {
            http: Box::new(Calls(site.clone())),
            hands,
            base_url: "http://sandbox".parse().expect("an address"),
            bearer: Secret::new(token),
            settings: Settings::new(),
        };
        Self { site, asker, cursor: None }
    }

    fn try_page(&self) -> Result<Answered<Changes>, Error> {
        let from = self.cursor.as_deref().map_or(From::Beginning, From::Cursor);
        let (cx, calendar) = (self.asker.cx(), primary());
        let answered = Google.changes(&cx, &calendar, from).now_or_never().expect("a sandbox answers at once")?;
        assert_eq!(answered.calls, Google.calls_per_page());
        Ok(answered)
    }

    fn page(&mut self) -> Page {
        self.asker.hands.pass(1);
        match self.try_page().expect("the sandbox answers").value {
            Changes::Page(page) => {
                self.cursor = Some(page.cursor.clone());
                page
            }
            Changes::Expired => panic!("the token is good"),
        }
    }

    /// Reads to the end: the names of what came, and how the reading ended.
    fn read(&mut self) -> (Vec<String>, Reading) {
        let mut names = Vec::new();
        loop {
            let page = self.page();
            names.extend(page.events.iter().map(|event| match event.content() {
                Some(content) => content.summary.clone(),
                None => format!("{:?}", event.body),
            }));
            if page.reading != Reading::More {
                return (names, page.reading);
            }
        }
    }

    fn create(&self, summary: &str) -> String {
        self.site.create(ROSA, &meeting(summary)).expect("a meeting")
    }
}

pub(super) fn meeting(summary: &str) -> Value {
    json!({
        "summary": summary,
        "start": {"dateTime": "2026-03-20T14:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-03-20T15:00:00+01:00", "timeZone": "Europe/Berlin"},
        "attendees": [{"email": "ada@acme.example"}],
    })
}

/// proves: C4, C10, P2: all once, then what changed; a look without news is one call that brings nothing.
#[test]
fn a_calendar_is_read_once_and_then_what_changes() {
    let mut desk = Desk::new();
    let first = desk.create("First");
    desk.create("Second");
    assert_eq!(desk.read(), (vec!["First".into(), "Second".into()], Reading::EVERYTHING));
    assert_eq!(desk.read(), (vec![], Reading::Changes));
    desk.asker.hands.pass(60);
    desk.site.edit(ROSA, &first, &json!({"summary": "Moved"})).expect("an edit");
    assert_eq!(desk.read(), (vec!["Moved".into()], Reading::Changes));
    desk.site.delete(ROSA, &first).expect("a deletion");
    let page = desk.page();
    assert_eq!(page.events.iter().map(|event| event.status).collect::<Vec<_>>(), [Status::Cancelled]);
    let before = desk.site.call_count();
    desk.read();
    assert_eq!(desk.site.call_count() - before, 1);
}

/// proves: C10: a token that ended is told, and reading anew brings what is there.
#[test]
fn an_ended_sync_token_is_told() {
    let mut desk = Desk::new();
    desk.create("First");
    desk.read();
    desk.site.expire_sync_tokens();
    assert_eq!(desk.try_page().expect("an answer").value, Changes::Expired);
    desk.cursor = None;
    assert_eq!(desk.read(), (vec!["First".into()], Reading::EVERYTHING));
}

/// proves: C10: more than a page, broken in between and read again from the same place.
#[test]
fn a_broken_page_is_read_again() {
    let mut desk = Desk::new();
    for number in 0..2_600 {
        desk.create(&format!("Meeting {number}"));
    }
    let first = desk.page();
    assert_eq!(first.reading, Reading::More);
    for kind in [FaultKind::LostAnswer, FaultKind::Truncated] {
        desk.site.faults().add(FaultRule::next(kind).on("GET", "/calendar/v3/calendars/"));
        let error = desk.try_page().expect_err("it broke");
        assert_eq!(error.retry, Retry::Backoff, "{error}");
    }
    let (rest, reading) = desk.read();
    assert_eq!((first.events.len() + rest.len(), reading), (2_600, Reading::EVERYTHING));
}

/// proves: C7: a series is one event, and an occurrence that differs another, with its original start.
#[test]
fn a_series_and_its_exception() {
    let mut desk = Desk::new();
    let mut series = meeting("Weekly");
    series["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=4"]);
    let id = desk.site.create(ROSA, &series).expect("a series");
    desk.site.edit(ROSA, &format!("{id}_20260327T130000Z"), &json!({"summary": "Third place"})).expect("an edit");
    let page = desk.page();
    assert_eq!(page.events.len(), 2);
    let whole = page.events.iter().find(|event| event.rid == Rid::Single).expect("the series");
    let one = page.events.iter().find(|event| event.rid != Rid::Single).expect("the occurrence");
    assert!(whole.is_series());
    assert_eq!(one.series.as_ref(), Some(&whole.id));
    assert_eq!(one.uid, whole.uid, "all occurrences share the name of their series");
    assert_eq!(one.rid, Rid::At("2026-03-27T13:00:00Z".parse().expect("a time")));
}

/// proves: C8
#[test]
fn a_private_event_comes_without_content() {
    let mut desk = Desk::new();
    let mut secret = meeting("Doctor");
    secret["visibility"] = json!("private");
    desk.site.create(ROSA, &secret).expect("a meeting");
    let page = desk.page();
    assert_eq!(page.events.iter().map(|event| event.body.clone()).collect::<Vec<_>>(), [Body::Private]);
    assert!(!format!("{page:?}").contains("Doctor"));
}

/// A failed look at a single event is never "gone".
#[test]
fn single_events_are_read_or_gone_or_nobody_knows() {
    let desk = Desk::new();
    let id = desk.create("First");
    let ids = [EventId(id), EventId("nothere12345".into())];
    let (cx, calendar) = (desk.asker.cx(), primary());
    let fetch = || Google.fetch(&cx, &calendar, &ids).now_or_never().expect("a sandbox answers at once");
    let found = fetch().expect("an answer");
    assert_eq!(found.calls, 2);
    assert_eq!(found.value.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    desk.site.faults().add(FaultRule::next(FaultKind::Status).status(500).on("GET", "/calendar/v3/calendars/"));
    assert_eq!(fetch().expect_err("it failed").kind, ErrorKind::Unavailable);
}

/// proves: C1
#[test]
fn calendars_are_listed_with_the_one_to_begin_with() {
    let desk = Desk::new();
    desk.site.add_calendar(ROSA, "Side projects", "Europe/Madrid").expect("a calendar");
    let cx = desk.asker.cx();
    let listed = Google.list(&cx).now_or_never().expect("at once").expect("an answer").value;
    let mut shown: Vec<_> =
        listed.iter().map(|entry| (entry.primary, entry.writable, entry.zone.as_deref().is_some())).collect();
    shown.sort_unstable();
    assert_eq!(shown, [(false, true, true), (true, true, true)]);
    assert!(listed.iter().any(|entry| entry.name == "Side projects"));
}

/// An access token that ended is refreshed; an approval that was taken back asks for a person.
#[test]
fn tokens_end_and_approvals_too() {
    let desk = Desk::new();
    desk.site.expire_tokens();
    let error = desk.try_page().expect_err("the token ended");
    assert_eq!((error.kind, error.retry), (ErrorKind::Unauthorised, Retry::Reauthorise));

    let credentials = desk.site.credentials("http://sandbox");
    let text = |name: &str| credentials[name].as_str().unwrap_or_else(|| panic!("{name} in {credentials}")).to_owned();
    let app = App {
        client_id: text("client_id"),
        client_secret: Some(Secret::new(text("client_secret"))),
        redirect_uri: None,
    };
    let refresh = desk.site.install(ROSA).expect("tokens")["refresh_token"].as_str().expect("a token").to_owned();
    let settings = Settings::from([(ALLOW_HOST.to_owned(), "http://sandbox".to_owned())]);
    let cx = TokenCx { http: &*desk.asker.http, now: desk.asker.cx().now, app: &app, settings: &settings };
    let grant = Grant::Refresh { token: Secret::new(refresh) };
    let oauth = Google.oauth().expect("it has one");
    let set = oauth.exchange(&cx, &grant).now_or_never().expect("at once").expect("tokens");
    assert!(set.refresh.is_none(), "the old one stays good");
    assert!(set.expires_at.is_some_and(|at| at > cx.now));
    for lacking in
        ["https://www.googleapis.com/auth/calendar.events", "", "https://www.googleapis.com/auth/calendar.readonly"]
    {
        assert!(!super::super::manifest::suffices(lacking), "{lacking}");
    }
    assert!(super::super::manifest::suffices(&MANIFEST.scopes.join(" ")));
    desk.site.revoke(ROSA);
    let error = oauth.exchange(&cx, &grant).now_or_never().expect("at once").expect_err("it is gone");
    assert_eq!((error.kind, error.retry), (ErrorKind::Revoked, Retry::Never));
}

/// proves: sec:S53: nothing that Google says in a refusal is repeated but its reason.
#[test]
fn refusals_are_told_apart_by_their_reason() {
    use super::super::{classify::of_call, wire::Refusal};
    let refusal = |reason: &str| -> Refusal {
        serde_json::from_value(json!({"error": {"message": "ada@acme.example", "errors": [{"reason": reason}]}}))
            .expect("a refusal")
    };
    for (status, reason, kind) in [
        (403, "rateLimitExceeded", ErrorKind::RateLimited),
        (403, "quotaExceeded", ErrorKind::DailyLimit),
        (403, "accessNotConfigured", ErrorKind::Configuration),
        (403, "insufficientPermissions", ErrorKind::Forbidden),
        (401, "authError", ErrorKind::Unauthorised),
        (404, "notFound", ErrorKind::Gone),
        (503, "backendError", ErrorKind::Unavailable),
        (400, "invalid", ErrorKind::Invalid),
    ] {
        let error = of_call("read", status, &refusal(reason), None);
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(reason)));
        assert!(!error.to_string().contains("ada"));
    }
}
