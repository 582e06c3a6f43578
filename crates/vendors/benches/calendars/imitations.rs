//! The same number of events at the imitation Google and Microsoft accounts, which are called as functions: calls, bytes,
//! and the time that is ours and not the imitation's.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_connect::{
    BoxFuture, Calendars, Cx, Http, HttpError, Secret, Settings,
    calendar::{CalendarId, Changes, From, Reading},
};
use syncline_core::Clock;
use syncline_sandbox::{GoogleConfig, GoogleWorkspace, MicrosoftConfig, MicrosoftTenant, Site};
use syncline_vendors::{google::Google, microsoft::Microsoft};

use super::{
    events::{self, Shape},
    row,
};

const ROSA: &str = "rosa@host.example";
const MIA: &str = "mia@firm.example";

/// Both accounts.
pub fn both(size: usize) {
    let clock = Hands::new();
    let site = GoogleWorkspace::new(GoogleConfig::default(), clock.clone());
    let token = site.install(ROSA).expect("she has a calendar");
    for number in 0..size {
        site.create(ROSA, &google(number)).expect("an event");
    }
    Desk::new(site, clock, &token).report("Google", &Google, size);

    let clock = Hands::new();
    let site = MicrosoftTenant::new(MicrosoftConfig::default(), clock.clone());
    for number in 0..size {
        site.create(MIA, &microsoft(number)).expect("an event");
    }
    // They were there long before anybody reads them.
    clock.pass(SignedDuration::from_hours(24));
    let token = site.install(MIA).expect("there is a mailbox");
    Desk::new(site, clock, &token).report("Microsoft", &Microsoft, size);
}

fn times(number: usize) -> (String, String) {
    let (month, day, hour) = events::when(number);
    let at = |hour: usize| format!("2026-{month:02}-{day:02}T{hour:02}:00:00");
    (at(hour), at(hour + 1))
}

/// Every tenth is a series.
fn is_series(number: usize) -> bool {
    events::shape(number) == Shape::Moved
}

fn google(number: usize) -> Value {
    let (start, end) = times(number);
    let guests: Vec<Value> =
        events::guests(number).map(|(name, email)| json!({"email": email, "displayName": name})).collect();
    let mut event = json!({
        "summary": format!("Meeting {number}"),
        "description": "Agenda:\n1. What was done\n2. What is next",
        "location": format!("Room {}", number % 30),
        "start": {"dateTime": start, "timeZone": "Europe/Berlin"},
        "end": {"dateTime": end, "timeZone": "Europe/Berlin"},
        "attendees": guests,
    });
    if is_series(number) {
        event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=4"]);
    }
    event
}

fn microsoft(number: usize) -> Value {
    let (start, end) = times(number);
    let guest =
        |(name, email): (String, String)| json!({"type": "required", "emailAddress": {"address": email, "name": name}});
    let mut event = json!({
        "subject": format!("Meeting {number}"),
        "body": {"contentType": "text", "content": "Agenda:\n1. What was done\n2. What is next"},
        "location": {"displayName": format!("Room {}", number % 30)},
        "start": {"dateTime": start, "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": end, "timeZone": "W. Europe Standard Time"},
        "attendees": events::guests(number).map(guest).collect::<Vec<_>>(),
    });
    if is_series(number) {
        event["recurrence"] = json!({
            "pattern": {"type": "daily", "interval": 7},
            "range": {"type": "numbered", "startDate": &start[..10], "numberOfOccurrences": 4},
        });
    }
    event
}

/// The time, moved by hand.
struct Hands(Mutex<Timestamp>);

impl Hands {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-03-12T08:00:00Z".parse().expect("a time"))))
    }

    fn pass(&self, span: SignedDuration) {
        *self.0.lock().expect("nothing panicked") += span;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nothing panicked")
    }
}

/// What was said to an account, and how long its imitation worked.
#[derive(Clone, Copy, Default)]
struct Said {
    calls: usize,
    bytes: usize,
    busy: Duration,
}

/// Carries requests to an imitation, as a function.
struct Way<S> {
    site: Arc<S>,
    said: Mutex<Said>,
}

impl<S: Site> Http for Way<S> {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let asked = request.body().len();
        let began = Instant::now();
        let response = self.site.handle("http://sandbox", request).response;
        let mut said = self.said.lock().expect("nothing panicked");
        said.busy += began.elapsed();
        said.calls += 1;
        said.bytes += asked + response.body().len();
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// Somebody's calendar.
struct Desk<S> {
    way: Way<S>,
    clock: Arc<Hands>,
    bearer: Secret,
}

/// What a reading came to.
struct Read {
    events: usize,
    said: Said,
    /// Without the imitation.
    seconds: f64,
}

impl<S: Site> Desk<S> {
    fn new(site: Arc<S>, clock: Arc<Hands>, token: &Value) -> Self {
        let token = token["access_token"].as_str().expect("a token").to_owned();
        Self { way: Way { site, said: Mutex::default() }, clock, bearer: Secret::new(token) }
    }

    fn report(&self, name: &str, calendars: &dyn Calendars, size: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut cursor = None;
        let first = runtime.block_on(self.read(calendars, &mut cursor));
        assert!(first.events >= size, "{name}: {} of {size} events", first.events);
        let idle = runtime.block_on(self.read(calendars, &mut cursor));
        assert_eq!(idle.events, 0, "{name}: nothing changed");
        for (what, read, goal) in [("first reading", first, ""), ("nothing changed", idle, "1 call")] {
            let said = read.said;
            row(&format!("{name}, {what}: calls"), said.calls, goal);
            row(&format!("{name}, {what}: bytes of bodies"), said.bytes, "");
            let times = format!("{:.4} s, {:.4} s", read.seconds, said.busy.as_secs_f64());
            row(&format!("{name}, {what}: ours for {} events, and the imitation's", read.events), times, "");
        }
    }

    /// Reads to the end, and goes on from there the next time.
    async fn read(&self, calendars: &dyn Calendars, cursor: &mut Option<String>) -> Read {
        let base_url = "http://sandbox".parse().expect("an address");
        let settings = Settings::new();
        *self.way.said.lock().expect("nothing panicked") = Said::default();
        let began = Instant::now();
        let mut events = Vec::new();
        loop {
            self.clock.pass(SignedDuration::from_secs(1));
            let now = self.clock.now();
            let cx = Cx { http: &self.way, now, base_url: &base_url, bearer: &self.bearer, settings: &settings };
            let from = cursor.as_deref().map_or(From::Beginning, From::Cursor);
            let calendar = CalendarId("primary".into());
            let answered = calendars.changes(&cx, &calendar, from).await.expect("the imitation answers");
            let Changes::Page(page) = answered.value else { panic!("the cursor is known") };
            events.extend(page.events);
            *cursor = Some(page.cursor);
            if page.reading != Reading::More {
                break;
            }
        }
        let said = *self.way.said.lock().expect("nothing panicked");
        Read { events: events.len(), said, seconds: (began.elapsed() - said.busy).as_secs_f64() }
    }
}
