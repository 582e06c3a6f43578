//! The text of one address, changed where that is wanted and nowhere else: properties that nobody here knows, alarms, other
//! events and the answers of guests stay as they were written.

use jiff::Timestamp;
use syncline_core::calendar::{
    assemble::assemble,
    canon::canonical,
    event::{Availability, Body, Content, Event, EventId, Part},
    identity::Rid,
    meeting::is_significant,
    recur::{Prepared, Source},
};

use super::{
    EVENTS_MAX, Origin,
    emit::{self, Unwritable, utc},
    event::{RECURRENCE, party},
    in_order,
    lines::{self, Line, escaped, param_value, with_param},
    occurrence_of,
    raw::{Edit, Raw},
    timezone::Named,
    zones::{Compared, Zones},
};
use crate::guests::Guests;

/// Other forms of the description, which a new text makes wrong: the one of programs, and that of RFC 9073 (section 6.5).
const DESCRIBED_TOO: [&str; 2] = ["X-ALT-DESC", "STYLED-DESCRIPTION"];

/// Year by whose rules zones are told apart that a text made up, where no event says one.
const YEAR_ABOUT: i16 = 2026;

/// What stands at one address.
pub struct Resource<'a> {
    origin: Origin<'a>,
    raw: Raw,
    /// One for each `VEVENT`, in their order.
    events: Vec<Event>,
    /// The zones that the text describes: as they are kept, and as they are called in it.
    zones: Vec<(String, String)>,
}

/// Whether there is anything to be changed in an event.
pub fn differs(from: &Content, to: &Content) -> bool {
    (&from.summary, &from.location, &from.description) != (&to.summary, &to.location, &to.description)
        || (&from.start, &from.end, &from.recurrence) != (&to.start, &to.end, &to.recurrence)
        || from.availability != to.availability
        || !Guests::between(from, to).is_empty()
}

/// What came of answering for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    Done,
    /// He had said so before.
    Already,
    NotInvited,
}

impl<'a> Resource<'a> {
    /// Reads a text that can be changed: one calendar, and well formed.
    pub fn read(text: &str, origin: Origin<'a>) -> Option<Self> {
        let (raw, calendar) = (Raw::read(text)?, lines::read(text).ok()?);
        let mut compared = Compared::default();
        if calendar.parts("VEVENT").count() > EVENTS_MAX {
            return None;
        }
        let events = in_order(&calendar, origin, &mut compared);
        let year = events
            .iter()
            .filter_map(Event::content)
            .map(|content| content.start.instant(origin.home).to_zoned(jiff::tz::TimeZone::UTC).year());
        let year = year.max().unwrap_or(YEAR_ABOUT);
        let names = Zones::of(&calendar);
        let tzids = calendar.parts("VTIMEZONE").filter_map(|zone| Some(zone.line("TZID")?.value.trim().to_owned()));
        let zones = tzids.filter_map(|tzid| Some((names.name(&tzid, year, &mut compared).ok()?, tzid)));
        let zones = zones.collect();
        Some(Self { origin, raw, events, zones })
    }

    /// The text as it is now.
    pub fn text(&self) -> String {
        self.raw.text()
    }

    /// The event of this name: of several copies of one occurrence the one that holds.
    pub fn event(&self, id: &EventId) -> Option<&Event> {
        self.place(id).map(|place| &self.events[place])
    }

    /// The event of this name, or an occurrence of a series that does not differ from it yet: that has a part of its own from
    /// then on, which says what the series says. `None` where there is none, or where it differs together with others.
    pub fn meant(&mut self, id: &EventId) -> Option<&Event> {
        let place = self.place(id).or_else(|| self.set_apart(id))?;
        self.events.get(place)
    }

    /// Gives an occurrence a part of its own.
    fn set_apart(&mut self, id: &EventId) -> Option<usize> {
        let (series, rid) = occurrence_of(id)?;
        let place = self.place(&series)?;
        let own = self.events.iter().filter(|event| event.id == series || event.series.as_ref() == Some(&series));
        let whole = assemble(own, self.origin.home);
        let (content, overrides) = (whole.master?.content()?, whole.overrides());
        let found = Prepared::new(content, &overrides, self.origin.home).ok()?.find(rid).ok()??;
        if found.source != Source::Series {
            return None;
        }
        let event = Event { id: id.clone(), ..whole.event(&found)? };
        let event = Event { series: Some(series), ..event };
        let mut part = self.part(place)?.clone();
        let mut named = Named::knowing(self.zones.iter().cloned());
        part.edit(|line, _| if RECURRENCE.contains(&line.name.as_str()) { Edit::Drop } else { Edit::Keep });
        let (start, is_told) = (emit::when(&found.start, &mut named), part.line("DTEND").is_some());
        part.set("RECURRENCE-ID", Some(format!("RECURRENCE-ID{start}")));
        part.set("DTSTART", Some(format!("DTSTART{start}")));
        if is_told {
            part.set("DTEND", Some(format!("DTEND{}", emit::when(&found.end, &mut named))));
        }
        for zone in named.descriptions() {
            self.raw.push_part(zone);
        }
        self.raw.append(part);
        self.events.push(event);
        Some(self.events.len() - 1)
    }

    fn place(&self, id: &EventId) -> Option<usize> {
        let all = self.events.iter().enumerate().filter(|(_, event)| event.id == *id);
        // The first of those that are equally new, as when reading.
        all.reduce(|one, other| if other.1.newer(one.1).is_gt() { other } else { one }).map(|(place, _)| place)
    }

    fn part(&mut self, place: usize) -> Option<&mut Raw> {
        self.raw.parts_mut("VEVENT").nth(place)
    }

    /// Changes what differs between two contents of an event. `quiet`: the server is not to tell new guests; those whom it
    /// told before it goes on telling. Whether there is such an event.
    pub fn update(&mut self, id: &EventId, from: &Content, to: &Content, quiet: bool, now: Timestamp) -> bool {
        let Some(place) = self.place(id) else { return false };
        let mut named = Named::knowing(self.zones.iter().cloned());
        let sequence = significant(&self.events[place], from, to, self.origin).then(|| self.events[place].sequence + 1);
        let Some(part) = self.part(place) else { return false };
        texts(part, from, to);
        times(part, from, to, &mut named);
        guests(part, from, to, quiet);
        if from.availability != to.availability {
            let word = if to.availability == Availability::Free { "TRANSPARENT" } else { "OPAQUE" };
            part.set("TRANSP", Some(format!("TRANSP:{word}")));
        }
        stamp(part, sequence, now);
        for zone in named.descriptions() {
            self.raw.push_part(zone);
        }
        true
    }

    /// Answers for this guest that he does not come; to a series, and to what differs from it.
    pub fn decline(&mut self, id: &EventId, rep: &str, now: Timestamp) -> Declined {
        let is_meant = |event: &Event| event.id == *id || event.series.as_ref() == Some(id);
        let places: Vec<usize> = (0..self.events.len()).filter(|place| is_meant(&self.events[*place])).collect();
        let mut out = Declined::NotInvited;
        for place in places {
            let Some(part) = self.part(place) else { continue };
            let (mut is_there, mut says) = (false, false);
            part.edit(|line, raw| {
                let is_own = line.name == "ATTENDEE" && party(line).is_some_and(|who| who.email == rep);
                is_there |= is_own;
                if !is_own || line.says("PARTSTAT", "DECLINED") {
                    return Edit::Keep;
                }
                says = true;
                Edit::Put(with_param(raw, "PARTSTAT", Some("DECLINED")))
            });
            match (is_there, says) {
                (_, true) => {
                    stamp(part, None, now);
                    out = Declined::Done;
                }
                (true, false) if out == Declined::NotInvited => out = Declined::Already,
                _ => {}
            }
        }
        out
    }

    /// Takes an event away, with all that differs from it where it is a series; an occurrence by saying in its series that
    /// it does not take place. Whether any event is left.
    pub fn remove(&mut self, id: &EventId, now: Timestamp) -> bool {
        let gone = |event: &Event| event.id == *id || event.series.as_ref() == Some(id);
        let series = self.event(id).filter(|event| event.rid != Rid::Single).and_then(|event| event.series.clone());
        let left = series.and_then(|series| self.place(&series)).zip(self.place(id));
        if let Some((series, occurrence)) = left {
            let sequence = self.events[series].sequence + 1;
            let original = self.part(occurrence).and_then(|part| left_out(part));
            if let (Some(part), Some(line)) = (self.part(series), original) {
                part.push(line);
                stamp(part, Some(sequence), now);
            }
        }
        let stays: Vec<bool> = self.events.iter().map(|event| !gone(event)).collect();
        self.raw.retain_parts("VEVENT", |place| stays.get(place).copied().unwrap_or(true));
        self.events.retain(|event| !gone(event));
        !self.events.is_empty()
    }
}

/// The text of an event that is made. `quiet`: whoever writes tells the guests, and not the server.
pub fn made(event: &Event, quiet: bool, now: Timestamp) -> Result<String, Unwritable> {
    let mut calendar = emit::calendar(std::slice::from_ref(event), now, None)?;
    for part in calendar.parts_mut("VEVENT").filter(|_| quiet) {
        part.edit(|line, raw| if line.name == "ATTENDEE" { Edit::Put(hushed(raw)) } else { Edit::Keep });
    }
    Ok(calendar.text())
}

/// A guest whom the server is not to tell (RFC 6638, section 7.1).
fn hushed(line: &str) -> String {
    with_param(line, "SCHEDULE-AGENT", Some("CLIENT"))
}

/// Whether guests have to answer anew.
fn significant(event: &Event, from: &Content, to: &Content, origin: Origin<'_>) -> bool {
    let fields = |content: &Content| {
        canonical(&Event { body: Body::Open(Box::new(content.clone())), ..event.clone() }, origin.home)
    };
    is_significant(&fields(from), &fields(to))
}

fn stamp(part: &mut Raw, sequence: Option<u32>, now: Timestamp) {
    if let Some(sequence) = sequence {
        part.set("SEQUENCE", Some(format!("SEQUENCE:{sequence}")));
    }
    for name in ["DTSTAMP", "LAST-MODIFIED"] {
        part.set(name, Some(format!("{name}:{}", utc(now))));
    }
}

fn texts(part: &mut Raw, from: &Content, to: &Content) {
    let all = [
        ("SUMMARY", &from.summary, &to.summary),
        ("LOCATION", &from.location, &to.location),
        ("DESCRIPTION", &from.description, &to.description),
    ];
    for (name, _, to) in all.into_iter().filter(|(_, from, to)| from != to) {
        // In which language it is stays; another form of the text that a parameter leads to does not.
        let language = part.line(name).and_then(|line| line.param("LANGUAGE").map(param_value));
        let language = language.map(|language| format!(";LANGUAGE={language}")).unwrap_or_default();
        part.set(name, (!to.is_empty()).then(|| format!("{name}{language}:{}", escaped(to))));
        if name == "DESCRIPTION" {
            DESCRIBED_TOO.iter().for_each(|other| part.set(other, None));
        }
    }
}

fn times(part: &mut Raw, from: &Content, to: &Content, named: &mut Named) {
    let is_told = part.line("DTEND").is_some();
    if from.start != to.start {
        part.set("DTSTART", Some(format!("DTSTART{}", emit::when(&to.start, named))));
    }
    // What is told by how long it lasts would move along with its start.
    if from.end != to.end || (from.start != to.start && !is_told) {
        part.set("DURATION", None);
        part.set("DTEND", Some(format!("DTEND{}", emit::when(&to.end, named))));
    }
    if from.recurrence != to.recurrence {
        let is_rule = |line: &Line| RECURRENCE.contains(&line.name.as_str());
        part.edit(|line, _| if is_rule(line) { Edit::Drop } else { Edit::Keep });
        for line in &to.recurrence {
            part.push(emit::rule(line, named));
        }
    }
}

fn guests(part: &mut Raw, from: &Content, to: &Content, quiet: bool) {
    let guests = Guests::between(from, to);
    let mut there = Vec::new();
    part.edit(|line, raw| {
        let Some(who) = (line.name == "ATTENDEE").then(|| party(line)).flatten() else { return Edit::Keep };
        if guests.go.contains(&who.email.as_str()) {
            return Edit::Drop;
        }
        let role = guests.part_of(&who.email).map(|part| match part {
            Part::Optional => "OPT-PARTICIPANT",
            Part::Required | Part::Resource => "REQ-PARTICIPANT",
        });
        there.push(who.email);
        role.map_or(Edit::Keep, |role| Edit::Put(with_param(raw, "ROLE", Some(role))))
    });
    for guest in guests.come.iter().filter(|guest| !there.contains(&guest.who.email)) {
        let line = emit::attendee(guest);
        part.push(if quiet { hushed(&line) } else { line });
    }
    // Nobody is invited by nobody (RFC 5545, section 3.8.4.3).
    let is_alone = guests.come.is_empty() || part.line("ORGANIZER").is_some();
    if let Some(who) = to.organizer.as_ref().filter(|_| !is_alone) {
        part.push(emit::organizer(who));
    }
}

/// The line by which a series leaves out an occurrence: when that was to be, as it says itself.
fn left_out(occurrence: &Raw) -> Option<String> {
    let is_it = |line: &&str| Line::read(line).is_some_and(|line| line.name == "RECURRENCE-ID");
    let line = with_param(occurrence.lines().find(is_it)?, "RANGE", None);
    let at = line.find([';', ':'])?;
    Some(format!("EXDATE{}", &line[at..]))
}
