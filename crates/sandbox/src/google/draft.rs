//! From what a client says to an event: what may be written, what is checked, what is filled in.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{
    answers::{Refused, text},
    event::{Event, Person, is_of},
    when::{When, zone},
};
use crate::recur::Lines;

/// Members that a client cannot write, or that are kept apart from the rest.
const NOT_FIELDS: &[&str] = &[
    "kind",
    "etag",
    "id",
    "status",
    "htmlLink",
    "created",
    "updated",
    "creator",
    "organizer",
    "start",
    "end",
    "recurrence",
    "recurringEventId",
    "originalStartTime",
    "iCalUID",
    "sequence",
    "hangoutLink",
    "locked",
    "attendeesOmitted",
];
/// Members that stay as they were at creation.
const FIXED: &[&str] = &["eventType", "privateCopy"];
/// Guests of an event ("Events", read 2026-11, for events of the API).
const GUESTS_MAX: usize = 200;
const ATTACHMENTS_MAX: usize = 25;
/// Letters of an id that a client chooses: those of base32hex.
const ID_LETTERS: std::ops::RangeInclusive<char> = 'a'..='v';
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 5..=1024;

/// How the body is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Insert,
    Import,
    /// What is not said stays.
    Patch,
    /// What is not said goes.
    Put,
}

/// Whether a client may choose this id.
pub(super) fn valid_id(id: &str) -> bool {
    ID_LENGTHS.contains(&id.len()) && id.chars().all(|letter| letter.is_ascii_digit() || ID_LETTERS.contains(&letter))
}

/// The event that results when `body` is said of `base`.
pub(super) fn drafted(
    body: &Map<String, Value>,
    base: &Event,
    mode: Mode,
    calendar_zone: &str,
) -> Result<Event, Refused> {
    let mut event = base.clone();
    let fresh = matches!(mode, Mode::Insert | Mode::Import);
    if mode == Mode::Put {
        event.fields.retain(|name, _| FIXED.contains(&name.as_str()));
        event.recurrence.clear();
    }
    for (name, value) in body {
        if NOT_FIELDS.contains(&name.as_str()) || (!fresh && FIXED.contains(&name.as_str())) {
            continue;
        }
        write_field(&mut event.fields, name, value);
    }
    if let Some(status) = text(body, "status")? {
        if !["confirmed", "tentative", "cancelled"].contains(&status) {
            return Err(Refused::invalid("Invalid status value."));
        }
        event.status = status.to_owned();
    }
    times(body, &mut event, mode, calendar_zone)?;
    if let Some(sequence) = body.get("sequence").and_then(Value::as_u64).filter(|sequence| *sequence > event.sequence) {
        event.sequence = sequence;
    }
    if mode == Mode::Import
        && let Some(organizer) = body.get("organizer").and_then(Value::as_object)
        && let Some(email) = text(organizer, "email")?
    {
        event.organizer = Person { email: email.to_owned(), name: text(organizer, "displayName")?.map(str::to_owned) };
    }
    // What every event has without saying so is not kept.
    for (name, usual) in [("reminders", json!({"useDefault": true})), ("eventType", json!("default"))] {
        if event.fields.get(name) == Some(&usual) {
            event.fields.remove(name);
        }
    }
    check_fields(&event)?;
    if !fresh && body.get("attendeesOmitted") == Some(&Value::Bool(true)) {
        join_attendees(&mut event, base);
    }
    settle_attendees(&mut event, base)?;
    if !fresh && (&event.start, &event.end, &event.recurrence) != (&base.start, &base.end, &base.recurrence) {
        event.sequence = event.sequence.max(base.sequence + 1);
    }
    Ok(event)
}

/// Sets a field; null clears it, and maps of properties are joined member by member.
fn write_field(fields: &mut Map<String, Value>, name: &str, value: &Value) {
    match (fields.get_mut(name), value) {
        (_, Value::Null) => drop(fields.remove(name)),
        (Some(Value::Object(known)), Value::Object(given)) if name == "extendedProperties" => {
            for (group, given) in given {
                let known = known.entry(group.clone()).or_insert_with(|| json!({}));
                match (known.as_object_mut(), given.as_object()) {
                    (Some(known), Some(given)) => {
                        given.iter().for_each(|(name, value)| write_field(known, name, value));
                    }
                    _ => *known = given.clone(),
                }
            }
        }
        _ => drop(fields.insert(name.to_owned(), value.clone())),
    }
}

fn times(body: &Map<String, Value>, event: &mut Event, mode: Mode, calendar_zone: &str) -> Result<(), Refused> {
    let missing = |name: &str| Refused::new(400, "required", format!("Missing {name} time."));
    let all = mode != Mode::Patch;
    for name in ["start", "end"] {
        match body.get(name).filter(|value| !value.is_null()) {
            Some(value) => {
                let when = When::parse(name, value, calendar_zone)?;
                *(if name == "start" { &mut event.start } else { &mut event.end }) = when;
            }
            // A cancellation needs no times.
            None if all && event.status != "cancelled" => return Err(missing(name)),
            None => {}
        }
    }
    match body.get("recurrence") {
        None => {}
        Some(Value::Null) => event.recurrence.clear(),
        Some(value) => {
            let lines: Vec<String> =
                serde_json::from_value(value.clone()).map_err(|_| Refused::invalid("Invalid value for: recurrence"))?;
            if event.part.is_some() && !lines.is_empty() {
                return Err(Refused::invalid("An instance of a series cannot repeat."));
            }
            let timed = body.get("start").filter(|start| start.get("dateTime").is_some());
            if timed.is_some_and(|start| start.get("timeZone").is_none()) && !lines.is_empty() {
                let message = "Missing time zone definition for start time.";
                return Err(Refused::new(400, "required", message).of("calendar"));
            }
            event.recurrence = lines;
        }
    }
    let own = event.start.zone_of();
    Lines::parse(event.recurrence.iter().map(String::as_str), &own)
        .map_err(|_| Refused::invalid("Invalid recurrence rule."))?;
    if event.start.is_day() != event.end.is_day() {
        return Err(Refused::invalid("Start and end times must either both be date or both be dateTime."));
    }
    let home: TimeZone = zone(calendar_zone);
    let (start, end) = (event.start.at(&home), event.end.at(&home));
    if end < start || (event.start.is_day() && end <= start) {
        let message = "The specified time range is empty.";
        return Err(Refused::new(400, "timeRangeEmpty", message).of("calendar"));
    }
    Ok(())
}

fn check_fields(event: &Event) -> Result<(), Refused> {
    let allowed: [(&str, &[&str]); 3] = [
        ("transparency", &["opaque", "transparent"]),
        ("visibility", &["default", "public", "private", "confidential"]),
        ("eventType", &["default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation"]),
    ];
    for (name, values) in allowed {
        if text(&event.fields, name)?.is_some_and(|value| !values.contains(&value)) {
            return Err(Refused::invalid(format!("Invalid value for: {name}")));
        }
    }
    for name in ["summary", "description", "location"] {
        text(&event.fields, name)?;
    }
    let attachments = event.fields.get("attachments").and_then(Value::as_array).map_or(0, Vec::len);
    if attachments > ATTACHMENTS_MAX {
        return Err(Refused::invalid("Too many attachments."));
    }
    Ok(())
}

/// Where some are said to be left out, those who are not named stay.
fn join_attendees(event: &mut Event, base: &Event) {
    let named = event.guests();
    let others = base.attendees().iter().filter(|row| !named.iter().any(|named| row["email"] == named.as_str()));
    let others: Vec<Value> = others.cloned().collect();
    if let Some(rows) = event.fields.get_mut("attendees").and_then(Value::as_array_mut) {
        rows.extend(others);
    }
}

/// Attendees have an address that could be one, once, and an answer; what was known of one stays.
fn settle_attendees(event: &mut Event, base: &Event) -> Result<(), Refused> {
    let Some(given) = event.fields.remove("attendees") else { return Ok(()) };
    let rows = given.as_array().ok_or_else(|| Refused::invalid("Invalid value for: attendees"))?;
    let mut out: Vec<Map<String, Value>> = Vec::new();
    for row in rows {
        let mut row = row.as_object().cloned().ok_or_else(|| Refused::invalid("Invalid value for: attendees"))?;
        let email = text(&row, "email")?.unwrap_or_default().trim().to_lowercase();
        let good = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        if !good || email.contains(char::is_whitespace) {
            return Err(Refused::invalid("Invalid attendee email."));
        }
        if out.iter().any(|known| is_of(known, &email)) {
            continue;
        }
        for name in ["self", "organizer", "id"] {
            row.remove(name);
        }
        row.insert("email".into(), email.as_str().into());
        let before = base.attendees().iter().filter_map(Value::as_object).find(|known| is_of(known, &email));
        let answer = before.and_then(|known| known.get("responseStatus").cloned());
        row.entry("responseStatus").or_insert_with(|| answer.unwrap_or_else(|| "needsAction".into()));
        let answer = text(&row, "responseStatus")?.unwrap_or_default();
        if !["needsAction", "declined", "tentative", "accepted"].contains(&answer) {
            return Err(Refused::invalid("Invalid attendee response status."));
        }
        out.push(row);
    }
    if out.len() > GUESTS_MAX {
        return Err(Refused::new(400, "tooManyAttendees", "Too many attendees.").of("calendar"));
    }
    if !out.is_empty() {
        event.fields.insert("attendees".into(), out.into());
    }
    Ok(())
}
