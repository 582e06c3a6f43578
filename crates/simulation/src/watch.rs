//! What passes on one line, and the promises that can be checked on it: who writes what, in which order, under which
//! plan, and whether anybody looked before repeating.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use syncline_connect::HttpError;
use syncline_sandbox::SalesforceOrg;

use crate::{
    checks,
    faults::Fault,
    sim::{Reached, Sim},
    story::{Customer, Story, TAINT},
};

/// Faults by which a process may lose what came, before it is stored.
const LOSERS: [Fault; 8] = [Fault::C1, Fault::C2, Fault::C3, Fault::N9, Fault::D1, Fault::D3, Fault::D6, Fault::L2];

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Token,
    Find,
    Write,
    Other,
}

impl Kind {
    pub fn of(request: &Request<Bytes>) -> Self {
        let path = request.uri().path();
        match path {
            _ if path.ends_with("/composite/graph") => Kind::Write,
            _ if path.ends_with("/composite") => Kind::Find,
            _ if path.ends_with("/oauth2/token") => Kind::Token,
            _ => Kind::Other,
        }
    }
}

/// A call that somebody waits for.
struct Sent {
    process: usize,
    kind: Kind,
    /// What a write names: keys of records, or their ids.
    names: BTreeSet<String>,
    /// Of a look-up, the whole question.
    question: String,
    refresh: Option<String>,
}

/// The traffic of one line.
pub struct Watch {
    customer: usize,
    next: u64,
    open: BTreeMap<u64, Sent>,
    /// Records that somebody wrote to without learning the outcome.
    uncertain: BTreeSet<String>,
    /// Writes under way, by number, and what of them another process has looked at since.
    overtaken: BTreeSet<(u64, String)>,
    looked: BTreeSet<String>,
    /// Refresh tokens whose successors came.
    spent: BTreeSet<String>,
    starts: BTreeMap<Timestamp, (usize, usize)>,
    /// Per booking, the newest version that the org has held.
    versions: BTreeMap<usize, usize>,
    /// Per event, what a person wrote into its location.
    pub edits: BTreeMap<String, String>,
    pub calls: u64,
    pub writes: u64,
    /// Times that an older version came after a newer one.
    pub regressed: u64,
}

impl Watch {
    pub fn new(story: &Story, customer: usize) -> Self {
        let mut starts = BTreeMap::new();
        for (number, booking) in story.bookings.iter().enumerate().filter(|(_, one)| one.customer == customer) {
            for (version, start) in booking.starts.iter().enumerate() {
                starts.insert(*start, (number, version));
            }
        }
        Self {
            customer,
            next: 0,
            open: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            overtaken: BTreeSet::new(),
            looked: BTreeSet::new(),
            spent: BTreeSet::new(),
            starts,
            versions: BTreeMap::new(),
            edits: BTreeMap::new(),
            calls: 0,
            writes: 0,
            regressed: 0,
        }
    }

    /// A request leaves; yields its number.
    pub fn departs(&mut self, sim: &Sim, process: usize, kind: Kind, request: &Request<Bytes>) -> u64 {
        self.calls += 1;
        self.next += 1;
        let text = String::from_utf8_lossy(request.body()).into_owned();
        self.check_taint(sim, &text);
        if matches!(kind, Kind::Find | Kind::Write) {
            sim.note(|| format!("sends {text}"));
        }
        let mut sent = Sent { process, kind, names: BTreeSet::new(), question: String::new(), refresh: None };
        match kind {
            Kind::Write => {
                let body: Value = serde_json::from_str(&text).unwrap_or_default();
                sent.names = names(&body);
                self.check_write(sim, &sent, body["graphs"].as_array().map_or(0, Vec::len));
                self.writes += 1;
            }
            Kind::Find => sent.question = text,
            Kind::Token => {
                sent.refresh = url::form_urlencoded::parse(text.as_bytes())
                    .find(|(name, _)| name == "refresh_token")
                    .map(|(_, value)| value.into_owned());
                self.check_token(sim, &sent);
            }
            Kind::Other => {}
        }
        self.open.insert(self.next, sent);
        self.next
    }

    fn check_taint(&self, sim: &Sim, text: &str) {
        let others = sim.story.customers.iter().map(|customer| customer.number).filter(|other| *other != self.customer);
        for other in others {
            if text.contains(&format!("{TAINT}{other}")) {
                sim.violation("I7", format!("customer {other}'s words go to customer {}'s org", self.customer));
            }
        }
    }

    fn check_write(&mut self, sim: &Sim, sent: &Sent, graphs: usize) {
        for open in self.open.values().filter(|open| open.kind == Kind::Write && !sim.story.faults.has(Fault::K1)) {
            if let Some(name) = open.names.intersection(&sent.names).next() {
                let who = (open.process, sent.process);
                sim.violation("I6", format!("two write to {name} at the same time, of processes {who:?}"));
            }
        }
        if let Some(name) = sent.names.iter().find(|name| self.uncertain.contains(*name)) {
            sim.violation("look", format!("{name} is written again although nobody knows what became of it before"));
        }
        if sent.names.iter().any(|name| self.looked.contains(name)) {
            sim.reach(Reached::LookedBeforeRepeating);
        }
        let workspace = sim.story.customers[self.customer].workspace();
        let counts = sim.store.counts(&workspace).now_or_never().and_then(Result::ok).unwrap_or_default();
        if counts.uncertain < graphs as u64 {
            sim.violation("I5", format!("{graphs} plans leave, and {} are written down", counts.uncertain));
        }
    }

    fn check_token(&mut self, sim: &Sim, sent: &Sent) {
        // A clock that jumps ends a lease early; nothing at the CRM could tell.
        if self.open.values().any(|open| open.kind == Kind::Token) && !sim.story.faults.has(Fault::K1) {
            sim.violation("I12", "two token calls of one connection at the same time".to_owned());
        }
        if sent.refresh.is_some() && sent.refresh != self.stored_refresh(sim) {
            sim.violation("I12", "a refresh token is used although its successor is stored".to_owned());
        }
        // A successor that came can only be lost with the process or the database.
        let struck = sim.fired_so_far();
        let may_be_lost = LOSERS.iter().any(|fault| struck.of(*fault) > 0);
        if !may_be_lost && sent.refresh.as_ref().is_some_and(|token| self.spent.contains(token)) {
            sim.violation("I12", "a refresh token is used again although its successor came".to_owned());
        }
    }

    fn stored_refresh(&self, sim: &Sim) -> Option<String> {
        let workspace = sim.story.customers[self.customer].workspace();
        let row = sim.store.connection(&workspace, &Customer::crm()).now_or_never();
        row?.ok()??.tokens?.refresh
    }

    /// Whether somebody waits for a token at this moment.
    pub fn token_under_way(&self) -> bool {
        self.open.values().any(|open| open.kind == Kind::Token)
    }

    /// An answer reached its caller; says whether the outcome is known now.
    pub fn answered(&mut self, number: u64, answer: &Result<Response<Bytes>, HttpError>) -> bool {
        let Some(sent) = self.open.get(&number) else { return true };
        let ok = answer.as_ref().ok().filter(|answer| answer.status() == 200);
        // Only of these it makes a difference what the answer says.
        let counts = match sent.kind {
            Kind::Find => !self.uncertain.is_empty() || self.open.values().any(|open| open.kind == Kind::Write),
            Kind::Write | Kind::Token => true,
            Kind::Other => false,
        };
        let told = ok.filter(|_| counts);
        let json: Option<Value> = told.and_then(|answer| serde_json::from_slice(answer.body()).ok());
        match (sent.kind, &json) {
            (Kind::Find, Some(json)) if json["compositeResponse"].is_array() => {
                // Asked for by name, or shown: invitations are asked for by their meeting.
                let (question, shown) = (&sent.question, json.to_string());
                let is_looked_at = |name: &&String| question.contains(name.as_str()) || shown.contains(name.as_str());
                let others =
                    self.open.iter().filter(|(_, open)| open.kind == Kind::Write && open.process != sent.process);
                let written = others.flat_map(|(number, open)| open.names.iter().map(|name| (*number, name)));
                let overtaken = written.filter(|(_, name)| is_looked_at(name));
                self.overtaken.extend(overtaken.map(|(number, name)| (number, name.clone())));
                let known: Vec<String> = self.uncertain.iter().filter(is_looked_at).cloned().collect();
                for name in known {
                    self.uncertain.remove(&name);
                    self.looked.insert(name);
                }
                true
            }
            (Kind::Write, Some(json)) => json["graphs"].is_array(),
            (Kind::Write, None) => match answer {
                Err(HttpError::Unanswered { .. }) => false,
                Err(_) => true,
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    status == 503 || (300..500).contains(&status) && status != 408
                }
            },
            (Kind::Token, Some(json)) if json["refresh_token"].is_string() => {
                self.spent.extend(sent.refresh.clone());
                true
            }
            _ => true,
        }
    }

    /// Nobody waits for the answer any more.
    pub fn over(&mut self, sim: &Sim, number: u64, definite: bool) {
        let Some(sent) = self.open.remove(&number) else { return };
        if sent.kind == Kind::Write && !definite {
            sim.note(|| format!("#{number}: its outcome is unknown"));
            // A clock that jumps ends a lease early: what another process has looked at by then is that one's.
            let mut names = sent.names;
            if sim.story.faults.has(Fault::K1) {
                names.retain(|name| !self.overtaken.contains(&(number, name.clone())));
            }
            self.uncertain.extend(names);
        }
    }

    /// The org has done what a write asked for, or has not.
    pub fn written(&mut self, sim: &Sim, org: &SalesforceOrg, request: &Bytes, response: &Response<Bytes>) {
        let request: Value = serde_json::from_slice(request).unwrap_or_default();
        let response: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let answers = response["graphs"].as_array().cloned().unwrap_or_default();
        for graph in request["graphs"].as_array().into_iter().flatten() {
            let answer = answers.iter().find(|answer| answer["graphId"] == graph["graphId"]);
            if answer.is_none_or(|answer| answer["isSuccessful"] != true) {
                if answer.is_some() && sim.may(Fault::H5) {
                    sim.fired(Fault::H5);
                }
                continue;
            }
            for node in graph["compositeRequest"].as_array().into_iter().flatten() {
                self.check_node(sim, node);
            }
        }
        checks::after_write(sim, self.customer, org);
    }

    fn check_node(&mut self, sim: &Sim, node: &Value) {
        let url = node["url"].as_str().unwrap_or_default();
        sim.note(|| format!("ws{} {} {url}", self.customer, node["method"].as_str().unwrap_or_default()));
        // Somebody who no longer attends leaves the meeting; that is no record of its own to anybody.
        if node["method"] == "DELETE" && !url.contains("/sobjects/EventRelation/") {
            sim.violation("I10", "a record is deleted".to_owned());
        }
        if !url.contains("/sobjects/Event/") {
            return;
        }
        let Some(start) = node["body"]["StartDateTime"].as_str() else { return };
        let Some((booking, version)) = parse_time(start).and_then(|start| self.starts.get(&start)).copied() else {
            sim.violation("I5", format!("a meeting at {start} is written that nobody booked"));
            return;
        };
        let newest = self.versions.entry(booking).or_insert(version);
        if version < *newest {
            self.regressed += 1;
            let newest = *newest;
            // Only a clock that jumps lets it happen, for a while: no lease holds then. It must not last, which the end shows.
            if !sim.story.faults.has(Fault::K1) && checks::is_complete(&sim.story, booking) {
                sim.violation("I4", format!("booking {booking}: version {version} comes after version {newest}"));
            }
        }
        *newest = version.max(*newest);
    }

    /// The booking and version that take place at this time.
    pub fn at(&self, start: &str) -> Option<(usize, usize)> {
        parse_time(start).and_then(|start| self.starts.get(&start)).copied()
    }
}

/// Reads a time as the org spells it: `2026-11-26T08:00:00.000+0000` or `…Z`.
fn parse_time(text: &str) -> Option<Timestamp> {
    text.replace("+0000", "Z").parse().ok()
}

/// The records that a write names: by key or by id. What is made without a key, as attendees are, has no name yet.
fn names(body: &Value) -> BTreeSet<String> {
    let graphs = body["graphs"].as_array().into_iter().flatten();
    let nodes = graphs.flat_map(|graph| graph["compositeRequest"].as_array().into_iter().flatten());
    let named = nodes.filter(|node| node["method"] != "POST");
    named.filter_map(|node| node["url"].as_str()?.rsplit('/').next().map(str::to_owned)).collect()
}
