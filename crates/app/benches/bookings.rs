//! What a booking costs: `cargo bench -p syncline --bench bookings`.
//!
//! The real executable as a process of its own, on SQLite, against the sandbox org in this process. Beside it, in the
//! same run, a client that makes the same calls without any engine: no signature, no journal, no durability. Under
//! `cargo test` the same code runs with a few bookings, so that it cannot rot.

#[path = "../tests/it/lab.rs"]
mod lab;

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use lab::{Booking, Connection, Hook, Installation, Sandbox, Server, pause};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Connections of the load, as the goal names them.
const CONNECTIONS: usize = 16;

struct Sizes {
    one_at_a_time: usize,
    throughput: usize,
    waiting: usize,
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--bench");
    let sizes = if full {
        Sizes { one_at_a_time: 400, throughput: 16_000, waiting: 1_000 }
    } else {
        Sizes { one_at_a_time: 5, throughput: 40, waiting: 20 }
    };
    if !full {
        println!("A few bookings, to see that the benchmark works; these are no figures.");
    }
    println!("{:<58} {:>12}   goal", "figure", "measured");
    // A word behind `--` runs that part alone: `cargo bench -p syncline --bench bookings -- throughput`.
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("idle") {
        idle(full);
    }
    if wanted("single") {
        one_at_a_time(&sizes);
    }
    if wanted("throughput") {
        throughput(&sizes);
    }
    if wanted("waiting") {
        waiting(&sizes);
    }
    if wanted("company") {
        company(&sizes);
    }
    if wanted("at-once") {
        at_once();
    }
}

fn row(figure: &str, measured: impl std::fmt::Display, goal: &str) {
    println!("{figure:<58} {measured:>12}   {goal}");
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn lab(name: &str) -> (Sandbox, Installation) {
    let sandbox = Sandbox::start();
    let installation = Installation::new(name, &sandbox, "sqlite:syncline.db", "");
    (sandbox, installation)
}

/// Bookings by people that nobody has seen; four share a company.
fn strangers(from: usize, count: usize) -> Vec<Hook> {
    let one =
        |n: usize| Booking::new(n, &format!("person{n}@company{}.example", n / 4), &format!("Some Body{n}")).created();
    (from..from + count).map(one).collect()
}

fn post(server: &Server, connection: &mut Connection, hook: &Hook) {
    let (status, _) = hook.post(connection, &server.hook).expect("an answer");
    assert_eq!(status, 200);
}

fn done(server: &Server) -> u64 {
    server.api("/api/v1/status")["done"].as_u64().expect("a count")
}

/// Bookings written since the server's start, by its own metric.
fn written(connection: &mut Connection) -> u64 {
    let (_, body) = connection.request("GET", "/metrics", &[], b"").expect("an answer");
    let text = String::from_utf8_lossy(&body);
    let line = text.lines().find_map(|line| line.strip_prefix("syncline_bookings_written_total "));
    line.map_or(0, |count| count.trim().parse().expect("a count"))
}

/// The sum of a duration metric over the bookings.
fn average(server: &Server, metric: &str, bookings: usize) -> String {
    let (_, body) = server.connect().request("GET", "/metrics", &[], b"").expect("an answer");
    let text = String::from_utf8_lossy(&body);
    let sums = text.lines().filter(|line| line.starts_with(&format!("{metric}_sum")));
    let sum: f64 = sums.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    format!("{:.2} ms", sum * 1e3 / bookings as f64)
}

fn wait_for(server: &Server, bookings: u64, look_every: Duration) {
    let started = Instant::now();
    while done(server) < bookings {
        assert!(started.elapsed() < lab::PATIENCE * 3, "{}", server.api("/api/v1/status"));
        if !look_every.is_zero() {
            pause(look_every);
        }
    }
}

fn idle(full: bool) {
    let (_sandbox, installation) = lab("bench-idle");
    let mut starts: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        let server = installation.start(Path::new(BINARY), &[]);
        starts.push(server.started_in);
        if starts.len() == 5 {
            pause(Duration::from_millis(if full { 2_000 } else { 10 }));
            row("idle: resident memory", megabytes(&server, "VmRSS:"), "at most 15 MB");
        }
        assert!(server.terminate().success());
    }
    starts.sort();
    row("start of the process to its first answer", ms(starts[2]), "100 ms");
}

fn megabytes(server: &Server, line: &str) -> String {
    format!("{:.1} MB", server.memory_kib(line) as f64 / 1024.0)
}

/// One booking after the other: each waits until the one before is done. The looking itself is part of the time.
fn one_at_a_time(sizes: &Sizes) {
    let (sandbox, installation) = lab("bench-single");
    let server = installation.start(Path::new(BINARY), &[]);
    let mut connection = server.connect();
    post(&server, &mut connection, &strangers(1_000_000, 1)[0]);
    wait_for(&server, 1, Duration::ZERO);

    let calls = sandbox.org.calls().total;
    let hooks = strangers(0, sizes.one_at_a_time);
    let mut times: Vec<Duration> = Vec::new();
    for (number, hook) in hooks.iter().enumerate() {
        let started = Instant::now();
        post(&server, &mut connection, hook);
        while written(&mut connection) < number as u64 + 2 {
            pause(Duration::from_micros(50));
        }
        times.push(started.elapsed());
    }
    times.sort();
    row("one at a time, new person: webhook to done, p50", ms(times[times.len() / 2]), "1.5 ms");
    row("one at a time, new person: webhook to done, p95", ms(times[times.len() * 95 / 100]), "4 ms");
    row(
        "… of which in calls to the org, on the average",
        average(&server, "syncline_vendor_call_seconds", hooks.len()),
        "",
    );
    row(
        "… from receipt to the settled answer, on the average",
        average(&server, "syncline_booking_seconds", hooks.len()),
        "",
    );
    row("API calls for a booking by a new person", per(sandbox.org.calls().total - calls, hooks.len()), "2");

    let calls = sandbox.org.calls().total;
    let before = done(&server);
    let again =
        |n: usize| Booking::new(500_000 + n, &format!("person{n}@company{}.example", n / 4), "Some Body").created();
    for number in 0..hooks.len() {
        post(&server, &mut connection, &again(number));
        wait_for(&server, before + number as u64 + 1, Duration::ZERO);
    }
    row("API calls for a booking by a person already linked", per(sandbox.org.calls().total - calls, hooks.len()), "1");
    assert!(server.terminate().success());
}

fn per(calls: u64, bookings: usize) -> String {
    format!("{:.3}", calls as f64 / bookings as f64)
}

/// As fast as 16 connections deliver, beside the same calls without any engine.
///
/// proves: P5: both leave the same behind, so that the ratio compares like with like.
fn throughput(sizes: &Sizes) {
    let (sandbox, installation) = lab("bench-throughput");
    let server = installation.start(Path::new(BINARY), &[]);
    post(&server, &mut server.connect(), &strangers(1_000_000, 1)[0]);
    wait_for(&server, 1, Duration::from_millis(1));
    let hooks = strangers(0, sizes.throughput);
    let (cpu, calls, started) = (server.cpu(), sandbox.org.calls().total, Instant::now());
    deliver(&server, &hooks);
    let taken_in = started.elapsed();
    // The counter costs next to nothing to read, unlike the overview.
    let mut connection = server.connect();
    while written(&mut connection) < hooks.len() as u64 + 1 {
        pause(Duration::from_millis(10));
    }
    let (elapsed, cpu) = (started.elapsed(), server.cpu() - cpu);
    let count = hooks.len() as f64;
    row("16 connections: bookings per second to done", format!("{:.0}/s", count / elapsed.as_secs_f64()), "4,000/s");
    row("16 connections: bookings per second taken in", format!("{:.0}/s", count / taken_in.as_secs_f64()), "");
    row("CPU per booking, intake to done", ms(cpu / u32::try_from(hooks.len()).expect("small")), "at most 0.25 ms");
    row("API calls per booking under this load", per(sandbox.org.calls().total - calls, hooks.len()), "");
    row("peak resident memory", megabytes(&server, "VmHWM:"), "at most 50 MB");
    assert_eq!(sandbox.records("Event").len(), hooks.len() + 1);
    assert!(server.terminate().success());
    let (twin, bookings) = (Sandbox::start(), sizes.throughput.min(8_000));
    let bare = bare_calls(&twin, bookings);
    for object in ["Event", "Contact", "Account"] {
        let engine = sandbox.records(object).len() as f64 / (hooks.len() + 1) as f64;
        let client = twin.records(object).len() as f64 / bookings as f64;
        assert!((engine - client).abs() < 0.1, "{object}: {engine} a booking beside {client}");
    }
    row("the same calls without any engine: bookings per second", format!("{bare:.0}/s"), "");
    row("ratio of the two", format!("{:.2}", count / elapsed.as_secs_f64() / bare), "");
}

fn deliver(server: &Server, hooks: &[Hook]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = server.connect();
                while let Some(hook) = hooks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    post(server, &mut connection, hook);
                }
            });
        }
    });
}

/// A backlog: taken in while nobody worked, then worked off.
fn waiting(sizes: &Sizes) {
    let (sandbox, installation) = lab("bench-waiting");
    let intake = installation.start(Path::new(BINARY), &["--workers", "0"]);
    deliver(&intake, &strangers(0, sizes.waiting));
    assert!(intake.terminate().success());
    let (calls, started) = (sandbox.org.calls().total, Instant::now());
    let server = installation.start(Path::new(BINARY), &[]);
    wait_for(&server, sizes.waiting as u64, Duration::from_millis(5));
    row("the backlog is done, start of the process included", ms(started.elapsed()), "");
    row(
        "API calls per booking with a thousand waiting",
        per(sandbox.org.calls().total - calls, sizes.waiting),
        "at most 0.1",
    );
    assert!(server.terminate().success());
}

/// The settings under which a booking makes everything that it can make.
const FULL: &str = "[integrations.defaults]
guests = \"create\"
own_domains = [\"host.example\"]
case = { status = \"New\" }
opportunity = { stage = \"Prospecting\" }
";

/// A booking with case, opportunity, three guests and two co-hosts.
fn full_booking(n: usize) -> Hook {
    let guests: Vec<String> = (0..3).map(|guest| format!("guest{n}.{guest}@partner{n}.example")).collect();
    let booking = Booking::new(n, &format!("person{n}@company{n}.example"), &format!("Some Body{n}"));
    booking.with_company(&guests, &["carl@host.example", "cora@host.example"]).created()
}

/// Bookings with everything: alone, and many waiting.
fn company(sizes: &Sizes) {
    let sandbox = Sandbox::start();
    let installation = Installation::new("bench-company", &sandbox, "sqlite:syncline.db", FULL);
    let server = installation.start(Path::new(BINARY), &[]);
    let mut connection = server.connect();
    // The first one has the hosts looked up and the objects described, which are then known.
    post(&server, &mut connection, &full_booking(1_000_000));
    wait_for(&server, 1, Duration::ZERO);
    let calls = sandbox.org.calls().total;
    for n in 0..sizes.one_at_a_time {
        post(&server, &mut connection, &full_booking(n));
        wait_for(&server, n as u64 + 2, Duration::ZERO);
    }
    let alone = per(sandbox.org.calls().total - calls, sizes.one_at_a_time);
    row("API calls: case, opportunity, three guests, two co-hosts", alone, "2");
    let bookings = sizes.one_at_a_time + 1;
    assert_eq!(sandbox.records("Event").iter().filter(|event| event["IsChild"] == false).count(), bookings);
    assert_eq!(sandbox.records("EventRelation").len(), bookings * 5);
    assert_eq!(sandbox.records("Contact").len(), bookings * 4);
    assert!(server.terminate().success());

    let intake = installation.start(Path::new(BINARY), &["--workers", "0"]);
    let waiting: Vec<Hook> = (0..sizes.waiting).map(|n| full_booking(2_000_000 + n)).collect();
    deliver(&intake, &waiting);
    assert!(intake.terminate().success());
    let calls = sandbox.org.calls().total;
    let server = installation.start(Path::new(BINARY), &[]);
    wait_for(&server, (bookings + sizes.waiting) as u64, Duration::from_millis(5));
    let per_booking = per(sandbox.org.calls().total - calls, sizes.waiting);
    row("… and with a thousand such bookings waiting", per_booking, "at most 0.3");
    assert_eq!(sandbox.records("EventRelation").len(), (bookings + sizes.waiting) * 5);
    assert!(server.terminate().success());
}

/// Ten at once, and what they leave.
fn at_once() {
    let (sandbox, installation) = lab("bench-at-once");
    let server = installation.start(Path::new(BINARY), &[]);
    let ten: Vec<Hook> =
        (0..10).map(|n| Booking::new(n, &format!("p{n}@many{n}.example"), "Some Body").created()).collect();
    deliver(&server, &ten);
    server.settle(&installation);
    let people = sandbox.records("Contact").len();
    row("ten messages at once for ten people: contacts", people, "10");
    let one: Vec<Hook> = (10..20).map(|n| Booking::new(n, "one@single.example", "One Person").created()).collect();
    deliver(&server, &one);
    server.settle(&installation);
    row("ten messages at once for one person: contacts", sandbox.records("Contact").len() - people, "1");
    assert!(server.terminate().success());
}

/// A booking's look-up and its graph, straight to the org: what any client must send.
fn bare_calls(sandbox: &Sandbox, bookings: usize) -> f64 {
    let credentials = sandbox.org.credentials(&sandbox.url);
    let text = |name: &str| credentials[name].as_str().expect("a text").to_owned();
    let address = sandbox.url.trim_start_matches("http://").parse().expect("an address");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        text("client_id"),
        text("client_secret")
    );
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let (status, body) =
        Connection::open(address).request("POST", "/services/oauth2/token", &kind, form.as_bytes()).expect("an answer");
    assert_eq!(status, 200);
    let token: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let bearer = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= bookings {
                        return;
                    }
                    for (path, body) in [("/composite", look(n)), ("/composite/graph", graph(n))] {
                        let path = format!("/services/data/v64.0{path}");
                        let (status, answer) = connection
                            .request("POST", &path, &headers, body.to_string().as_bytes())
                            .expect("an answer");
                        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
                    }
                }
            });
        }
    });
    let elapsed = started.elapsed();
    assert_eq!(sandbox.records("Event").len(), bookings);
    bookings as f64 / elapsed.as_secs_f64()
}

fn look(n: usize) -> serde_json::Value {
    let query = |name: &str, soql: String| {
        let url = format!("/services/data/v64.0/query?q={}", soql.replace(' ', "+"));
        json!({"method": "GET", "url": url, "referenceId": name})
    };
    json!({"allOrNone": false, "compositeRequest": [
        query("contact", format!("SELECT Id, Email, AccountId FROM Contact WHERE Email IN ('person{n}@bare.example')")),
        query("lead", format!("SELECT Id, Email, IsConverted FROM Lead WHERE Email IN ('person{n}@bare.example')")),
    ]})
}

fn graph(n: usize) -> serde_json::Value {
    let step = |object: &str, name: &str, body: serde_json::Value| {
        // Four share a company, as with the engine.
        let number = if object == "Account" { n / 4 } else { n };
        let url = format!("/services/data/v64.0/sobjects/{object}/Syncline_Uid__c/bare-{name}-{number}");
        json!({"method": "PATCH", "url": url, "referenceId": name, "body": body})
    };
    json!({"graphs": [{"graphId": "g0", "compositeRequest": [
        step("Account", "account", json!({"Name": format!("Company {}", n / 4)})),
        step("Contact", "person", json!({"LastName": "Body", "Email": format!("person{n}@bare.example"), "AccountId": "@{account.id}"})),
        step("Event", "meeting", json!({"Subject": "Introduction", "StartDateTime": "2030-01-01T09:00:00Z",
             "EndDateTime": "2030-01-01T09:30:00Z", "WhoId": "@{person.id}", "Description": "a meeting"})),
    ]}]})
}
