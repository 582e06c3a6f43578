//! Where the reps have their calendars: what a scenario needs of either vendor's imitation.

use serde_json::{Value, json};
use syncline_sandbox::{FaultKind, FaultRule};

use super::desk::Desk;

/// Whose calendars they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum House {
    Google,
    Microsoft,
}

pub const HOUSES: [House; 2] = [House::Google, House::Microsoft];

/// An event as a scenario looks at it.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: String,
    pub title: String,
    /// Addresses, in order.
    pub guests: Vec<String>,
}

impl Desk {
    /// A calendar's events that stand, as its vendor shows them.
    pub fn shown(&self, owner: &str) -> Vec<Value> {
        let all = match self.house {
            House::Google => self.google.snapshot().remove(owner),
            House::Microsoft => self.microsoft.snapshot().remove(owner),
        };
        let all = all.unwrap_or_default().into_iter();
        all.filter(|event| event["status"] != "cancelled" && event["isCancelled"] != true).collect()
    }

    /// The same as scenarios look at them.
    pub fn in_calendar(&self, owner: &str) -> Vec<Seen> {
        self.shown(owner).iter().map(seen).collect()
    }

    /// Somebody renames an event.
    pub fn rename(&self, owner: &str, id: &str, title: &str) {
        let done = match self.house {
            House::Google => self.google.edit(owner, id, &json!({ "summary": title })),
            House::Microsoft => self.microsoft.edit(owner, id, &json!({ "subject": title })),
        };
        done.expect("the owner may");
    }

    /// How many mails the calendars have sent.
    pub fn mails(&self) -> usize {
        match self.house {
            House::Google => self.google.mails_since(0).len(),
            House::Microsoft => self.microsoft.mails_since(0).len(),
        }
    }

    /// The next event that is made meets this, or, with `changed`, the next that is changed.
    pub fn trouble_writing(&self, kind: FaultKind, changed: bool) {
        let method = if changed { "PATCH" } else { "POST" };
        let (faults, path) = match self.house {
            House::Google => (self.google.faults(), "/calendar/v3/calendars"),
            House::Microsoft => (self.microsoft.faults(), "/v1.0/me/events"),
        };
        faults.add(FaultRule::next(kind).on(method, path));
    }

    /// Rosa's calendar does not show its changes the next time.
    pub fn trouble_reading(&self, kind: FaultKind) {
        let (faults, path) = match self.house {
            House::Google => (self.google.faults(), "/calendar/v3/calendars/rosa"),
            House::Microsoft => (self.microsoft.faults(), "/v1.0/me/calendarView/delta"),
        };
        faults.add(FaultRule::next(kind).on("GET", path));
    }
}

fn seen(event: &Value) -> Seen {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let guest =
        |one: &Value| text(if one["email"].is_string() { &one["email"] } else { &one["emailAddress"]["address"] });
    let mut guests: Vec<String> = event["attendees"].as_array().into_iter().flatten().map(guest).collect();
    guests.sort();
    let title = if event["summary"].is_string() { &event["summary"] } else { &event["subject"] };
    Seen { id: text(&event["id"]), title: text(title), guests }
}
