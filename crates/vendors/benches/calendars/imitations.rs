//! The same number of events at the imitation Google and Microsoft accounts, which answer over a socket from this process
//! while ours reads in one of its own: calls, bytes, the time that is ours and not the imitation's, and memory.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::Clock;
use syncline_sandbox::{GoogleConfig, GoogleWorkspace, MicrosoftConfig, MicrosoftTenant, Reply, Site, serve};
use tokio_util::sync::CancellationToken;

use super::{
    beside::{Folder, median, watched},
    collection::Tally,
    events::{self, Shape},
    reading::{Said, Task, Today},
    row,
};

const ROSA: &str = "rosa@host.example";
const MIA: &str = "mia@firm.example";

/// Both accounts.
pub fn both(size: usize, times: usize) {
    let site = GoogleWorkspace::new(GoogleConfig::default(), Arc::new(Today));
    let token = site.install(ROSA).expect("she has a calendar");
    for number in 0..size {
        site.create(ROSA, &google(number)).expect("an event");
    }
    report("google", site, &token, size, times);

    let clock = Hands::new();
    let site = MicrosoftTenant::new(MicrosoftConfig::default(), clock.clone());
    for number in 0..size {
        site.create(MIA, &microsoft(number)).expect("an event");
    }
    // They were there long before anybody reads them.
    clock.pass(SignedDuration::from_hours(24));
    let token = site.install(MIA).expect("there is a mailbox");
    report("microsoft", site, &token, size, times);
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

/// The time of an account, moved by hand until it is today.
struct Hands(Mutex<Timestamp>);

impl Hands {
    /// A day ago.
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Today.now() - SignedDuration::from_hours(24))))
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

/// An account on a socket.
struct Way<S> {
    site: Arc<S>,
    said: Mutex<Tally>,
}

impl<S: Site> Site for Way<S> {
    fn handle(&self, base: &str, request: http::Request<Bytes>) -> Reply {
        let asked = request.body().len();
        let began = Instant::now();
        let reply = self.site.handle(base, request);
        let mut said = self.said.lock().expect("nothing panicked");
        said.busy += began.elapsed();
        said.requests += 1;
        said.bytes += asked + reply.response.body().len();
        reply
    }
}

/// What readings of one kind came to.
#[derive(Default)]
struct Runs {
    events: usize,
    tally: Tally,
    /// From the first question to the last event, without the imitation.
    seconds: Vec<f64>,
    /// Of those the imitation's.
    busy: Vec<f64>,
    peak_kb: Vec<f64>,
}

/// Reads everything and then nothing new, so many times.
fn report<S: Site>(vendor: &str, site: Arc<S>, token: &Value, size: usize, times: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let way = Arc::new(Way { site, said: Mutex::default() });
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let base = format!("http://{}/", listener.local_addr().expect("a bound port has an address"));
    runtime.spawn(serve(listener, Arc::clone(&way), CancellationToken::new()));
    let bearer = token["access_token"].as_str().expect("a token");
    let (mut first, mut idle) = (Runs::default(), Runs::default());
    for _ in 0..times {
        let folder = Folder::new();
        let cursor = folder.0.join("cursor");
        for runs in [&mut first, &mut idle] {
            *way.said.lock().expect("nothing panicked") = Tally::default();
            let (_, _, told) = watched(Task { vendor, base: &base, bearer, cursor: &cursor }.command());
            let said: Said = serde_json::from_str(&told).expect("it says what it read");
            runs.tally = *way.said.lock().expect("nothing panicked");
            runs.events = said.events;
            let busy = runs.tally.busy.as_secs_f64();
            runs.seconds.push(said.seconds - busy);
            runs.busy.push(busy);
            runs.peak_kb.push(f64::from(u32::try_from(said.peak_kb).unwrap_or(u32::MAX)));
        }
    }
    assert!(first.events >= size && idle.events == 0, "{vendor}: {} and {} of {size}", first.events, idle.events);
    for (what, runs, goal) in [("first reading", first, ""), ("nothing changed", idle, "1 call")] {
        row(&format!("{vendor}, {what}: calls"), runs.tally.requests, goal);
        row(&format!("{vendor}, {what}: bytes of bodies"), runs.tally.bytes, "");
        let (seconds, busy) = (median(runs.seconds.into_iter()), median(runs.busy.into_iter()));
        let times = format!("{seconds:.4} s, {busy:.4} s");
        row(&format!("{vendor}, {what}: ours for {} events, and the imitation's", runs.events), times, "");
        let peak = median(runs.peak_kb.into_iter()) / 1024.0;
        row(&format!("{vendor}, {what}: peak, resident"), format!("{peak:.1} MB"), "");
    }
}
