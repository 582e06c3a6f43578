//! What is said to Microsoft Graph of an event that is made or changed: only what is wanted, so that whatever else is in the
//! event stays. Pure.
//! <https://learn.microsoft.com/en-us/graph/api/event-update>, read 2026-11.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use syncline_core::calendar::{
    event::{Attendee, Availability, Content, Moment, Part, Party},
    zone,
};

use super::{pattern, text};
use crate::{guests::Guests, markup};

/// The property that an event of ours is found by: a name within a set of properties that nobody else has.
pub const MARK: &str = "String {6f1d0c52-7c0e-4f0b-9a57-3b1f2c9d84e1} Name SynclineSeed";

/// Why something cannot be said to Microsoft Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsayable {
    /// A time of day without a zone.
    Floating,
    /// A series that begins at a time that its zone has no name or no clock for.
    Clock,
    /// A recurrence that no pattern means.
    Recurrence,
    /// The text of an online meeting, in which its link cannot be told from the rest.
    OnlineText,
    /// Guests hear of it, and are not to.
    Silence,
}

impl Unsayable {
    /// The reason as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Unsayable::Floating => "a time without a zone cannot be written to this calendar",
            Unsayable::Clock => "a series cannot begin by a clock that this calendar has no name for",
            Unsayable::Recurrence => "this calendar has no pattern that means these days",
            Unsayable::OnlineText => "the text of the online meeting holds its link, and cannot be written without it",
            Unsayable::Silence => "this calendar tells guests of whatever changes, and they are not to be told",
        }
    }
}

/// What a seed is called in [`MARK`].
pub fn mark(seed: &[u8; 32]) -> String {
    hex::encode(seed)
}

/// What the call that makes the event of a seed is called: a UUID as the seed makes it (RFC 9562, version 8).
pub fn transaction(seed: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&seed[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

/// All of an event that is made.
pub fn made(seed: &[u8; 32], content: &Content) -> Result<Value, Unsayable> {
    let nothing = Content::new(content.start.clone(), content.end.clone());
    let mut body = changed(&nothing, content, None)?;
    let recurs = !content.recurrence.is_empty();
    body.insert("start".into(), when(&content.start, recurs)?);
    body.insert("end".into(), when(&content.end, recurs)?);
    if content.start.is_day() {
        body.insert("isAllDay".into(), true.into());
    }
    body.insert("transactionId".into(), transaction(seed).into());
    body.insert("singleValueExtendedProperties".into(), json!([{"id": MARK, "value": mark(seed)}]));
    if !content.attendees.is_empty() {
        body.insert("attendees".into(), content.attendees.iter().map(row).collect());
    }
    Ok(body.into())
}

/// What differs between two contents but for the guests; empty where nothing does. `now`: the event as it is there.
pub fn changed(from: &Content, to: &Content, now: Option<&Value>) -> Result<Map<String, Value>, Unsayable> {
    let mut body = Map::new();
    if from.summary != to.summary {
        body.insert("subject".into(), to.summary.as_str().into());
    }
    if from.location != to.location {
        body.insert("location".into(), json!({"displayName": to.location}));
    }
    if from.description != to.description {
        body.insert("body".into(), described(&to.description, now)?);
    }
    let recurs = !to.recurrence.is_empty();
    let turns = from.start.is_day() != to.start.is_day();
    if turns {
        body.insert("isAllDay".into(), to.start.is_day().into());
    }
    // Whole days are said in one zone, both or neither.
    let both = to.start.is_day() && (&from.start, &from.end) != (&to.start, &to.end);
    for (name, from, to) in [("start", &from.start, &to.start), ("end", &from.end, &to.end)] {
        if from != to || turns || both {
            body.insert(name.into(), when(to, recurs)?);
        }
    }
    if from.recurrence != to.recurrence || recurs && from.start != to.start {
        let said = if recurs { pattern::said(to).ok_or(Unsayable::Recurrence)? } else { Value::Null };
        body.insert("recurrence".into(), said);
    }
    if from.availability != to.availability {
        let word = if to.availability == Availability::Free { "free" } else { "busy" };
        body.insert("showAs".into(), word.into());
    }
    Ok(body)
}

/// Whether an organiser is answered: one who asked for no answers is not, and takes none.
pub fn is_answered(event: &Value, tell: bool) -> bool {
    tell && event["responseRequested"] != false
}

/// A text. That of an online meeting holds the link, and is nothing without it.
fn described(text: &str, now: Option<&Value>) -> Result<Value, Unsayable> {
    let online = now.filter(|now| now["isOnlineMeeting"] == true);
    let Some(online) = online else { return Ok(json!({"contentType": "text", "content": text})) };
    let page = online["body"]["content"].as_str().unwrap_or_default();
    let link = text::link(page).ok_or(Unsayable::OnlineText)?;
    let page = format!("<html><body><div>{}</div>{link}</body></html>", markup::from_text(text::own(text)));
    Ok(json!({"contentType": "html", "content": page}))
}

/// A time. One that its zone's clock shows twice, and one of a zone without a name, is said in UTC; the instant is the same.
fn when(moment: &Moment, recurs: bool) -> Result<Value, Unsayable> {
    let local = match moment {
        Moment::Floating(_) => return Err(Unsayable::Floating),
        Moment::Day(day) => return Ok(json!({"dateTime": format!("{day}T00:00:00"), "timeZone": "UTC"})),
        Moment::At { at, zone } => named(zone).filter(|(_, zone)| {
            let local = zone.to_datetime(*at);
            zone.to_ambiguous_timestamp(local).compatible().is_ok_and(|told| told == *at)
        }),
    };
    let (name, zone) = match local {
        Some(found) => found,
        None if !recurs => ("UTC".to_owned(), TimeZone::UTC),
        None => return Err(Unsayable::Clock),
    };
    let local = zone.to_datetime(moment.instant(&zone));
    Ok(json!({"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": name}))
}

/// A zone, and what it is called here: as Windows does, which is always understood, or as the tz database does.
fn named(name: &str) -> Option<(String, TimeZone)> {
    let zone = zone::zone(name).ok()?;
    let name = zone.iana_name()?;
    let name = zone::windows(name).unwrap_or(name).to_owned();
    Some((name, zone))
}

/// The list of guests as a whole, out of the rows of the event as it is: they keep all that they hold.
pub fn seated(guests: &Guests<'_>, rows: &[Value]) -> Vec<Value> {
    let stays = |row: &&Value| email(row).is_none_or(|email| !guests.go.contains(&email.as_str()));
    let mut all: Vec<Value> = rows.iter().filter(stays).cloned().collect();
    for row in &mut all {
        if let Some(part) = email(row).and_then(|email| guests.part_of(&email)) {
            row["type"] = word(part).into();
        }
    }
    let is_there = |guest: &&&Attendee| rows.iter().any(|row| email(row).as_ref() == Some(&guest.who.email));
    all.extend(guests.come.iter().filter(|guest| !is_there(guest)).map(|guest| row(guest)));
    all
}

fn email(row: &Value) -> Option<String> {
    Party::read(row["emailAddress"]["address"].as_str()?, None).map(|who| who.email)
}

fn row(guest: &Attendee) -> Value {
    let mut row = json!({"type": word(guest.part), "emailAddress": {"address": guest.who.email}});
    if let Some(name) = &guest.who.name {
        row["emailAddress"]["name"] = name.as_str().into();
    }
    row
}

fn word(part: Part) -> &'static str {
    match part {
        Part::Required => "required",
        Part::Optional => "optional",
        Part::Resource => "resource",
    }
}
