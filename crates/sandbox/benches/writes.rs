//! What a booking costs the sandbox: one graph of five upserts, and an indexed look-up, by function call.
//!
//! Run with `cargo bench -p syncline-sandbox`. It prints microseconds per record; the aim is 15 at most, so that the
//! sandbox can stand beside the program that is measured.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use syncline_core::{Clock, Entropy};
use syncline_sandbox::{SalesforceConfig, SalesforceOrg};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_778_068_800).expect("a second of 2026")
    }
}

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

const RECORDS_PER_GRAPH: usize = 5;

fn graph(n: usize) -> Bytes {
    let up = |object: &str, reference: &str, body: Value| {
        json!({"method": "PATCH", "url": format!("/services/data/v64.0/sobjects/{object}/Syncline_Uid__c/{object}-{n}"),
            "referenceId": reference, "body": body})
    };
    let body = json!({"graphs": [{"graphId": "g", "compositeRequest": [
        up("Account", "a", json!({"Name": format!("Company {n}"), "Website": "https://company.example"})),
        up("Contact", "c", json!({"FirstName": "Guest", "LastName": format!("Number {n}"), "AccountId": "@{a.id}",
            "Email": format!("guest{n}@company.example"), "Phone": "+49 30 123456"})),
        up("Lead", "l", json!({"LastName": format!("Number {n}"), "Company": "Company", "Status": "Open - Not Contacted"})),
        up("Case", "k", json!({"Subject": "Support", "ContactId": "@{c.id}", "Status": "New", "Origin": "Web"})),
        up("Event", "e", json!({"Subject": "Demo with a guest", "StartDateTime": "2026-05-07T10:00:00Z",
            "EndDateTime": "2026-05-07T10:30:00Z", "WhoId": "@{c.id}", "Description": "Agenda\nLink: https://meet.example",
            "Meeting_Status__c": "Scheduled"})),
    ]}]});
    Bytes::from(body.to_string())
}

/// Time on the processor where the system tells it, for a machine that does other things too; else time on the wall.
fn spent(began: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

fn main() {
    let start = Instant::now();
    // `cargo test` runs benches too, with `--test` or without arguments to measure; it gets a small run.
    let small = !std::env::args().any(|argument| argument == "--bench");
    let graphs = if small { 50 } else { 20_000 };
    let config = SalesforceConfig { daily_call_limit: u64::MAX, ..SalesforceConfig::default() };
    let (app, clock) = (config.app.clone(), Arc::new(Fixed));
    let org = SalesforceOrg::new(config, clock.clone(), clock);
    let base = "http://org.example";
    let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", app.client_id, app.client_secret);
    let login = Request::post("/services/oauth2/token").body(Bytes::from(form)).expect("a valid request");
    let token: Value = serde_json::from_slice(org.handle(base, login).response.body()).expect("a token answer");
    let bearer = format!("Bearer {}", token["access_token"].as_str().expect("an access token"));
    let ask = |method: &str, path: &str, body: Bytes| {
        let request = Request::builder().method(method).uri(path).header("authorization", &bearer);
        let reply = org.handle(base, request.body(body).expect("a valid request"));
        assert_eq!(reply.response.status(), 200);
        reply
    };
    let bodies: Vec<Bytes> = (0..graphs).map(graph).collect();
    for round in ["create", "update"] {
        let began = spent(start);
        for body in &bodies {
            ask("POST", "/services/data/v64.0/composite/graph", body.clone());
        }
        let micros = (spent(start) - began) * 1e6 / (graphs * RECORDS_PER_GRAPH) as f64;
        println!("{round}: {micros:.2} µs a record");
    }
    assert_eq!(org.records("Event").len(), graphs);
    let began = spent(start);
    for n in 0..graphs {
        let path = format!(
            "/services/data/v64.0/query?q=SELECT+Id,Name,AccountId+FROM+Contact+WHERE+Email='guest{n}@company.example'"
        );
        ask("GET", &path, Bytes::new());
    }
    println!("look-up by e-mail: {:.2} µs", (spent(start) - began) * 1e6 / graphs as f64);
    let orgs = if small { 5 } else { 500 };
    let began = spent(start);
    for _ in 0..orgs {
        SalesforceOrg::new(SalesforceConfig::default(), Arc::new(Fixed), Arc::new(Fixed));
    }
    println!("a new org: {:.2} µs", (spent(start) - began) * 1e6 / f64::from(orgs));
    let began = spent(start);
    for _ in 0..orgs {
        org.another(Arc::new(Fixed), Arc::new(Fixed));
    }
    println!("another org: {:.2} µs", (spent(start) - began) * 1e6 / f64::from(orgs));
}
