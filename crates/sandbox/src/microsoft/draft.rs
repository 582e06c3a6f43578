//! From what a client says to an event: what may be written, what is checked, what is filled in.

use jiff::civil::Time;
use serde_json::{Map, Value, json};

use super::{
    answers::Refused,
    body::as_html,
    item::{Item, NEVER, address},
    pattern::rule,
    when::When,
};

/// Members that are kept as they are said.
const FIELDS: &[&str] = &[
    "subject",
    "location",
    "locations",
    "attendees",
    "sensitivity",
    "showAs",
    "categories",
    "importance",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "responseRequested",
    "hideAttendees",
    "allowNewTimeProposals",
    "isOnlineMeeting",
    "onlineMeetingProvider",
    "singleValueExtendedProperties",
];
const CHOICES: &[(&str, &[&str])] = &[
    ("sensitivity", &["normal", "personal", "private", "confidential"]),
    ("showAs", &["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"]),
    ("importance", &["low", "normal", "high"]),
];
/// Attendees of an event ("Event resource type", read 2026-11).
const ATTENDEES_MAX: usize = 500;
const SUBJECT_MAX: usize = 255;

/// The event that results when `body` is said of `base`.
pub(super) fn drafted(body: &Map<String, Value>, base: &Item, fresh: bool) -> Result<Item, Refused> {
    let mut item = base.clone();
    for (name, value) in body.iter().filter(|(name, _)| FIELDS.contains(&name.as_str())) {
        match value {
            Value::Null => drop(item.fields.remove(name)),
            value => drop(item.fields.insert(name.clone(), value.clone())),
        }
    }
    if fresh && let Some(transaction) = body.get("transactionId").filter(|value| value.is_string()) {
        item.fields.insert("transactionId".into(), transaction.clone());
    }
    for (name, values) in CHOICES {
        let value = item.fields.get(*name);
        if value.is_some_and(|value| !values.iter().any(|known| value == known)) {
            return Err(Refused::property(name));
        }
    }
    if item
        .fields
        .get("subject")
        .is_some_and(|subject| subject.as_str().is_none_or(|text| text.chars().count() > SUBJECT_MAX))
    {
        return Err(Refused::property("subject"));
    }
    write_body(body, &mut item)?;
    write_location(body, &mut item);
    write_attendees(&mut item, base)?;
    write_times(body, &mut item, fresh)?;
    Ok(item)
}

fn write_body(body: &Map<String, Value>, item: &mut Item) -> Result<(), Refused> {
    let Some(said) = body.get("body") else { return Ok(()) };
    let content = said["content"].as_str().unwrap_or_default();
    let kept = match said["contentType"].as_str().unwrap_or("text").to_ascii_lowercase().as_str() {
        "html" => content.to_owned(),
        "text" if content.is_empty() => String::new(),
        "text" => as_html(content),
        _ => return Err(Refused::property("body")),
    };
    item.fields.insert("body".into(), kept.into());
    Ok(())
}

/// One place stands for all.
fn write_location(body: &Map<String, Value>, item: &mut Item) {
    let Some(said) = body.get("location").filter(|said| said.is_object()) else { return };
    let name = said["displayName"].as_str().unwrap_or_default();
    let place = json!({
        "displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private",
    });
    let all = if name.is_empty() { json!([]) } else { json!([place]) };
    item.fields.insert("location".into(), place);
    item.fields.insert("locations".into(), all);
}

/// Attendees have an address, once; what they answered is theirs.
fn write_attendees(item: &mut Item, base: &Item) -> Result<(), Refused> {
    let Some(given) = item.fields.remove("attendees") else { return Ok(()) };
    let rows = given.as_array().ok_or_else(|| Refused::property("attendees"))?;
    let mut out: Vec<Value> = Vec::new();
    for row in rows {
        let mail = address(row).trim().to_lowercase();
        if !mail.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) {
            return Err(Refused::new(400, "ErrorInvalidRecipients", "At least one recipient is not valid."));
        }
        if out.iter().any(|known| address(known) == mail) {
            continue;
        }
        let kind = row["type"].as_str().unwrap_or("required");
        if !["required", "optional", "resource"].contains(&kind) {
            return Err(Refused::property("attendees"));
        }
        let name = row["emailAddress"]["name"].as_str().filter(|name| !name.is_empty()).unwrap_or(&mail);
        let known = base.attendees().iter().find(|known| address(known) == mail).map(|known| known["status"].clone());
        let status = known.unwrap_or_else(|| json!({"response": "none", "time": NEVER}));
        out.push(json!({"type": kind, "status": status, "emailAddress": {"name": name, "address": mail}}));
    }
    if out.len() > ATTENDEES_MAX {
        return Err(Refused::new(400, "ErrorExceededMaxRecipientLimit", "Too many attendees."));
    }
    item.fields.insert("attendees".into(), out.into());
    Ok(())
}

fn write_times(body: &Map<String, Value>, item: &mut Item, fresh: bool) -> Result<(), Refused> {
    for name in ["start", "end"] {
        match body.get(name).filter(|value| !value.is_null()) {
            Some(value) => *(if name == "start" { &mut item.start } else { &mut item.end }) = When::parse(name, value)?,
            None if fresh => return Err(Refused::property(name)),
            None => {}
        }
    }
    item.all_day = body.get("isAllDay").and_then(Value::as_bool).unwrap_or(item.all_day);
    let invalid = |message: &str| Refused::new(400, "ErrorPropertyValidationFailure", message);
    if item.end.at < item.start.at {
        return Err(invalid("The end time must not be before the start time."));
    }
    if item.all_day {
        let midnight = |when: &When| when.local().time() == Time::midnight();
        if !midnight(&item.start)
            || !midnight(&item.end)
            || item.start.zone != item.end.zone
            || item.end.at == item.start.at
        {
            return Err(invalid("An all-day event begins and ends at midnight of the same zone and lasts a day."));
        }
    }
    match body.get("recurrence") {
        None => {}
        Some(Value::Null) => item.recurrence = None,
        Some(recurrence) => {
            if item.original.is_some() {
                return Err(Refused::invalid("An occurrence cannot recur."));
            }
            rule(recurrence)?;
            item.recurrence = Some(recurrence.clone());
            settle_start(item);
        }
    }
    Ok(())
}

/// A series begins with its first occurrence, on the day from which it is to run or after.
fn settle_start(item: &mut Item) {
    let from =
        item.recurrence.as_ref().and_then(|all| all["range"]["startDate"].as_str()?.parse::<jiff::civil::Date>().ok());
    let lasts = item.end.at.duration_since(item.start.at);
    if let Some(from) = from {
        item.start = item.start.moved_to(from.to_datetime(item.start.local().time()));
    }
    let horizon = item.start.at.checked_add(jiff::SignedDuration::from_hours(24 * 366 * 5)).unwrap_or(item.start.at);
    if let Some(first) = item.days(horizon).first() {
        item.start = item.start.moved_to(first.to_datetime(item.start.local().time()));
    }
    item.end.at = item.start.at.checked_add(lasts).unwrap_or(item.start.at);
}
