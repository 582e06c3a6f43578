//! What is said to Google of an event that is made or changed: only what is wanted, so that whatever else is in the event
//! stays. Pure.
//! <https://developers.google.com/workspace/calendar/api/v3/reference/events>, read 2026-11.

use serde_json::{Map, Value, json};
use syncline_core::calendar::{
    event::{Attendee, Availability, Content, Moment, Part, Party, Reply},
    zone,
};

use super::convert;
use crate::{guests::Guests, markup};

/// Letters of an id that a client chooses, five bits each (RFC 4648, section 7, in lower case).
const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Why something cannot be said to Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsayable {
    /// A time of day without a zone.
    Floating,
    /// A series by the clock of a zone that has no name.
    NamelessZone,
    /// Google keeps some of the guests to itself, and takes the list as a whole.
    HiddenGuests,
}

impl Unsayable {
    /// The reason as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Unsayable::Floating => "a time without a zone cannot be written to this calendar",
            Unsayable::NamelessZone => "a series cannot follow the clock of a zone that has no name",
            Unsayable::HiddenGuests => {
                "the calendar does not show all guests, and a list without them would send them off"
            }
        }
    }
}

/// The id of the event that is called after a seed.
pub fn id(seed: &[u8; 32]) -> String {
    let mut id = String::with_capacity(52);
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut letter = |five: u32| id.push(char::from(LETTERS[(five & 31) as usize]));
    for byte in seed {
        held = (held & 31) << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            letter(held >> bits);
        }
    }
    if bits > 0 {
        letter(held << (5 - bits));
    }
    id
}

/// All of an event that is made.
pub fn made(id: &str, content: &Content) -> Result<Value, Unsayable> {
    let nothing = Content::new(content.start.clone(), content.end.clone());
    let mut body = changed(&nothing, content)?;
    body.insert("id".into(), id.into());
    let recurs = !content.recurrence.is_empty();
    body.insert("start".into(), when(&content.start, None, recurs)?);
    body.insert("end".into(), when(&content.end, None, recurs)?);
    let own = content.organizer.as_ref().map(|who| who.email.as_str());
    let guests = content.attendees.iter().map(|guest| {
        let mut row = row(guest);
        // Who invites may say that he comes; everybody else is asked.
        if Some(guest.who.email.as_str()) == own && guest.reply != Reply::Awaited {
            row["responseStatus"] = word(guest.reply).into();
        }
        row
    });
    let guests: Vec<Value> = guests.collect();
    if !guests.is_empty() {
        body.insert("attendees".into(), guests.into());
    }
    Ok(body.into())
}

/// What differs between two contents but for the guests; empty where nothing does.
pub fn changed(from: &Content, to: &Content) -> Result<Map<String, Value>, Unsayable> {
    let mut body = Map::new();
    let texts = [("summary", &from.summary, &to.summary), ("location", &from.location, &to.location)];
    for (name, from, to) in texts {
        if from != to {
            body.insert(name.into(), said(to));
        }
    }
    if from.description != to.description {
        body.insert("description".into(), described(&to.description));
    }
    let recurs = !to.recurrence.is_empty();
    for (name, from, to) in [("start", &from.start, &to.start), ("end", &from.end, &to.end)] {
        if from != to {
            body.insert(name.into(), when(to, Some(from), recurs)?);
        }
    }
    if from.recurrence != to.recurrence {
        body.insert("recurrence".into(), if recurs { json!(to.recurrence) } else { Value::Null });
    }
    if from.availability != to.availability {
        let word = if to.availability == Availability::Free { "transparent" } else { "opaque" };
        body.insert("transparency".into(), word.into());
    }
    Ok(body)
}

/// A description. What would be taken for markup is written as markup, and told to be some by a tag that shows nothing.
fn described(text: &str) -> Value {
    if convert::is_markup(text) { format!("<span>{}</span>", markup::from_text(text)).into() } else { said(text) }
}

/// A text, or that there is none any more.
fn said(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// A time. What an earlier one of another kind would leave behind is taken away: what is not said stays.
fn when(moment: &Moment, before: Option<&Moment>, recurs: bool) -> Result<Value, Unsayable> {
    let turns = before.is_some_and(|before| before.is_day() != moment.is_day());
    let mut out = match moment {
        Moment::Floating(_) => return Err(Unsayable::Floating),
        Moment::Day(day) => json!({"date": day.to_string()}),
        Moment::At { at, zone } => {
            let mut out = json!({"dateTime": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
            match zone_name(zone) {
                Some(name) => out["timeZone"] = name.into(),
                // The instant is said all the same.
                None if !recurs => {}
                None => return Err(Unsayable::NamelessZone),
            }
            out
        }
    };
    if turns {
        let others: &[&str] = if moment.is_day() { &["dateTime", "timeZone"] } else { &["date"] };
        others.iter().for_each(|name| out[*name] = Value::Null);
    }
    Ok(out)
}

/// The zone as the tz database calls it; whole hours from UTC have names there, whose sign is the other way round.
fn zone_name(name: &str) -> Option<String> {
    let zone = zone::zone(name).ok()?;
    if let Some(name) = zone.iana_name() {
        return Some(name.to_owned());
    }
    let seconds = zone.to_fixed_offset().ok()?.seconds();
    let hours = (seconds % 3_600 == 0).then_some(-seconds / 3_600)?;
    Some(format!("Etc/GMT{hours:+}")).filter(|name| zone::zone(name).is_ok_and(|zone| zone.iana_name().is_some()))
}

/// The list of guests as a whole, out of the rows of the event as it is: they keep all that they hold.
pub fn seated(guests: &Guests<'_>, rows: &[Value]) -> Vec<Value> {
    let stays = |row: &&Value| email(row).is_none_or(|email| !guests.go.contains(&email.as_str()));
    let mut all: Vec<Value> = rows.iter().filter(stays).cloned().collect();
    for row in &mut all {
        if let Some(part) = email(row).and_then(|email| guests.part_of(&email)) {
            row["optional"] = (part == Part::Optional).into();
        }
    }
    let is_there = |guest: &&&Attendee| rows.iter().any(|row| email(row).as_ref() == Some(&guest.who.email));
    all.extend(guests.come.iter().filter(|guest| !is_there(guest)).map(|guest| row(guest)));
    all
}

/// The row of the person whose calendar it is, answered with a no; `None` where there is none.
pub fn declined(rows: &[Value], rep: &str) -> Option<Value> {
    let own = rows.iter().find(|row| row["self"] == true);
    let mut row = own.or_else(|| rows.iter().find(|row| email(row).as_deref() == Some(rep)))?.clone();
    row["responseStatus"] = word(Reply::Declined).into();
    Some(row)
}

fn email(row: &Value) -> Option<String> {
    Party::read(row["email"].as_str()?, None).map(|who| who.email)
}

fn row(guest: &Attendee) -> Value {
    let mut row = json!({"email": guest.who.email});
    if let Some(name) = &guest.who.name {
        row["displayName"] = name.as_str().into();
    }
    match guest.part {
        Part::Required => {}
        Part::Optional => row["optional"] = true.into(),
        Part::Resource => row["resource"] = true.into(),
    }
    row
}

fn word(reply: Reply) -> &'static str {
    match reply {
        Reply::Awaited => "needsAction",
        Reply::Tentative => "tentative",
        Reply::Accepted => "accepted",
        Reply::Declined => "declined",
    }
}
