//! A rep's calendar at Google, at Microsoft or on a CalDAV server, as people use it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};
use syncline_sandbox::{CalendarMail, GoogleWorkspace, MicrosoftTenant};

use super::dav::Radicale;

/// How long every meeting is.
const LASTS: SignedDuration = SignedDuration::from_mins(30);

/// Where a rep's calendar is.
#[derive(Clone)]
pub enum Suite {
    Google(Arc<GoogleWorkspace>),
    Microsoft(Arc<MicrosoftTenant>),
    /// Which tells nobody anything.
    Dav(Arc<Radicale>),
}

/// What a calendar or the CRM says of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub name: String,
    pub start: Timestamp,
    pub off: bool,
}

impl Suite {
    /// The rep makes a meeting; its id.
    pub fn meet(&self, rep: &str, name: &str, start: Timestamp, guests: &[&str]) -> String {
        match self {
            Self::Google(google) => {
                let guests: Vec<Value> = guests.iter().map(|email| json!({ "email": email })).collect();
                let (start, end) = self.times(start);
                let event = json!({ "summary": name, "start": start, "end": end, "attendees": guests });
                google.create(rep, &event).expect("a meeting")
            }
            Self::Microsoft(microsoft) => {
                let guest = |email: &&str| json!({ "emailAddress": { "address": email }, "type": "required" });
                let guests: Vec<Value> = guests.iter().map(guest).collect();
                let (start, end) = self.times(start);
                let event = json!({ "subject": name, "start": start, "end": end, "attendees": guests });
                microsoft.create(rep, &event).expect("a meeting")
            }
            Self::Dav(server) => {
                let id = name.to_lowercase().replace(' ', "-");
                let guests: String = guests.iter().map(|email| format!("ATTENDEE:mailto:{email}\r\n")).collect();
                let (start, end) = (stamp(start), stamp(start + LASTS));
                server.put(
                    &id,
                    &format!(
                        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//person//EN\r\nBEGIN:VEVENT\r\nUID:{id}\r\n\
                         DTSTAMP:20260504T090000Z\r\nDTSTART:{start}\r\nDTEND:{end}\r\nSUMMARY:{name}\r\n\
                         ORGANIZER:mailto:{rep}\r\n{guests}END:VEVENT\r\nEND:VCALENDAR\r\n"
                    ),
                );
                id
            }
        }
    }

    pub fn rename(&self, rep: &str, id: &str, name: &str) {
        match self {
            Self::Google(google) => google.edit(rep, id, &json!({ "summary": name })).expect("a rep may"),
            Self::Microsoft(microsoft) => microsoft.edit(rep, id, &json!({ "subject": name })).expect("a rep may"),
            Self::Dav(server) => server.rewrite(id, &[("SUMMARY", name)]),
        }
    }

    pub fn shift(&self, rep: &str, id: &str, start: Timestamp) {
        let (from, to) = self.times(start);
        let times = json!({ "start": from, "end": to });
        match self {
            Self::Google(google) => google.edit(rep, id, &times).expect("a rep may"),
            Self::Microsoft(microsoft) => microsoft.edit(rep, id, &times).expect("a rep may"),
            Self::Dav(server) => {
                server.rewrite(id, &[("DTSTART", &stamp(start)), ("DTEND", &stamp(start + LASTS))]);
            }
        }
    }

    pub fn call_off(&self, rep: &str, id: &str) {
        match self {
            Self::Google(google) => google.delete(rep, id).expect("a rep may"),
            Self::Microsoft(microsoft) => microsoft.delete(rep, id).expect("a rep may"),
            Self::Dav(server) => server.remove(id),
        }
    }

    fn times(&self, start: Timestamp) -> (Value, Value) {
        let at = |at: Timestamp| match self {
            Self::Google(_) | Self::Dav(_) => at.to_string(),
            Self::Microsoft(_) => at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        };
        let at = |moment| json!({ "dateTime": at(moment), "timeZone": "UTC" });
        (at(start), at(start + LASTS))
    }

    /// The meetings that the rep organises. Google alone keeps something of one that was called off.
    pub fn organised(&self, rep: &str) -> Vec<Said> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self {
            Self::Google(google) => {
                let all = google.snapshot().into_iter().filter(|(user, _)| user.as_str() == rep);
                let all = all.flat_map(|(_, events)| events).filter(|event| event["organizer"]["email"] == rep);
                let said = |event: Value| Said {
                    name: text(&event["summary"]),
                    start: text(&event["start"]["dateTime"]).parse().expect("a time"),
                    off: event["status"] == "cancelled",
                };
                all.map(said).collect()
            }
            Self::Microsoft(microsoft) => {
                let all = microsoft.snapshot().into_iter().filter(|(user, _)| user == rep);
                let all = all.flat_map(|(_, events)| events).filter(|event| event["isOrganizer"] == true);
                let said = |event: Value| {
                    let start: DateTime = text(&event["start"]["dateTime"]).parse().expect("a time");
                    let start = start.to_zoned(TimeZone::UTC).expect("a time that there is").timestamp();
                    Said { name: text(&event["subject"]), start, off: event["isCancelled"] == true }
                };
                all.map(said).collect()
            }
            Self::Dav(server) => server.events().iter().map(|event| of_text(event)).collect(),
        }
    }

    pub fn calls(&self) -> u64 {
        match self {
            Self::Google(google) => google.call_count(),
            Self::Microsoft(microsoft) => microsoft.call_count(),
            // Nobody stands between the process and the server who could count.
            Self::Dav(_) => 0,
        }
    }

    /// Whatever moves when anything is written.
    pub fn marks(&self) -> Vec<String> {
        match self {
            Self::Google(google) => vec![google.effects_since(0).len().to_string()],
            Self::Microsoft(microsoft) => vec![microsoft.effects_since(0).len().to_string()],
            Self::Dav(server) => {
                let mut all = server.events();
                all.sort();
                all
            }
        }
    }

    pub fn mails(&self) -> Vec<CalendarMail> {
        match self {
            Self::Google(google) => google.mails_since(0),
            Self::Microsoft(microsoft) => microsoft.mails_since(0),
            Self::Dav(_) => Vec::new(),
        }
    }
}

/// A time as iCalendar writes it.
fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// What an iCalendar text says; its times are in UTC.
fn of_text(text: &str) -> Said {
    let line = |name: &str| {
        let of_event = text.lines().skip_while(|line| *line != "BEGIN:VEVENT");
        let mut found = of_event.filter(|line| line.starts_with(name));
        found.next().and_then(|line| line.split_once(':')).map(|(_, value)| value.trim_end_matches('Z').to_owned())
    };
    let start = line("DTSTART").and_then(|value| DateTime::strptime("%Y%m%dT%H%M%S", value).ok()).expect("a time");
    let start = start.to_zoned(TimeZone::UTC).expect("a time that there is").timestamp();
    Said {
        name: line("SUMMARY").unwrap_or_default(),
        start,
        off: line("STATUS").is_some_and(|word| word == "CANCELLED"),
    }
}
