//! One `VEVENT` read: who, when, and which occurrence. Of one that is private only its identity is looked at.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use syncline_core::calendar::{
    event::{
        Attendee, Availability, Body, Content, Etag, Event, EventId, Moment, Part, Party, Reply, Status, Unreadable,
    },
    identity::{Rid, Uid},
    recur::Recurrence,
    zone::UnknownZone,
};

use super::{
    Origin, PART,
    lines::{Component, Line, param_value},
    occurrence,
    when::{self, Told, told},
    zones::{Compared, Zones, year},
};

/// The lines that make a recurrence.
pub const RECURRENCE: [&str; 4] = ["RRULE", "EXRULE", "RDATE", "EXDATE"];

/// Who may look: the standard's property, and that of a server which had it earlier.
const CLASSES: [&str; 2] = ["CLASS", "X-CALENDARSERVER-ACCESS"];

/// Reading the events of one address.
pub struct Reading<'a> {
    pub origin: Origin<'a>,
    pub zones: Zones<'a>,
    pub compared: &'a mut Compared,
    /// The whole text is a cancellation.
    pub cancelled: bool,
}

/// The name of the meeting that an event belongs to.
pub fn uid(part: &Component) -> Option<Uid> {
    part.text("UID").and_then(|text| Uid::read(&text))
}

/// Whether an event says who may look, and that it is not everybody. A word that is not known is a no.
fn private(part: &Component) -> Option<bool> {
    let told: Vec<bool> = part
        .lines
        .iter()
        .filter(|line| CLASSES.contains(&line.name.as_str()))
        .map(|line| !line.value.trim().eq_ignore_ascii_case("PUBLIC"))
        .collect();
    (!told.is_empty()).then(|| told.contains(&true))
}

impl Reading<'_> {
    /// A series and its overrides, or one meeting. `named`: the meeting's name, where another one has the address.
    pub fn series(&mut self, parts: &[&Component], named: Option<&str>) -> Vec<Event> {
        let address = match named {
            Some(name) => format!("{}{PART}{name}", self.origin.resource),
            None => self.origin.resource.to_owned(),
        };
        let master = parts.iter().find(|part| part.line("RECURRENCE-ID").is_none());
        let start = master.and_then(|part| self.moment_of(part.line("DTSTART")?).ok());
        // Who hides a series hides its occurrences, unless they say otherwise.
        let hidden = master.and_then(|part| private(part)).unwrap_or(false);
        parts.iter().map(|part| self.event(part, &address, start.as_ref(), hidden)).collect()
    }

    fn event(&mut self, part: &Component, address: &str, series_start: Option<&Moment>, hidden: bool) -> Event {
        let original = part.line("RECURRENCE-ID");
        let rid = match original {
            None => Ok(Rid::Single),
            Some(line) => self.rid(line, series_start),
        };
        let body = match (&rid, part.whole) {
            (Err(why), _) => Err(why.clone()),
            (_, false) => Err(Unreadable::Broken("it is cut off".to_owned())),
            (Ok(rid), true) => self.content(part, *rid == Rid::Single),
        };
        // Where it cannot be told which occurrence is meant, it is still not the series as a whole.
        let rid = rid.unwrap_or(Rid::At(jiff::Timestamp::UNIX_EPOCH));
        let at = |name: &str| part.line(name).and_then(|line| when::instant(&line.value));
        let is_cancelled = || self.cancelled || says(part, "STATUS", "CANCELLED");
        let event = Event {
            id: match original {
                Some(_) => occurrence(&EventId(address.to_owned()), rid),
                None => EventId(address.to_owned()),
            },
            etag: self.origin.etag.map(|etag| Etag(etag.to_owned())),
            uid: uid(part),
            series: original.map(|_| EventId(address.to_owned())),
            rid,
            and_following: original.is_some_and(|line| line.says("RANGE", "THISANDFUTURE")),
            status: match () {
                () if is_cancelled() => Status::Cancelled,
                () if says(part, "STATUS", "TENTATIVE") => Status::Tentative,
                () => Status::Confirmed,
            },
            created: at("CREATED"),
            modified: at("LAST-MODIFIED").or_else(|| at("DTSTAMP")),
            sequence: part.text("SEQUENCE").and_then(|text| text.trim().parse().ok()).unwrap_or(0),
            body: match body {
                Ok(content) => Body::Open(Box::new(content)),
                Err(why) => Body::Unreadable(why),
            },
        };
        if private(part).unwrap_or(hidden) { event.hidden() } else { event }
    }

    fn content(&mut self, part: &Component, is_series: bool) -> Result<Content, Unreadable> {
        let start = part.line("DTSTART").ok_or(Unreadable::NoStart)?;
        let start = self.moment_of(start)?;
        let end = self.end(part, &start)?;
        let mut content = Content::new(start, end);
        let text = |name: &str| part.text(name).unwrap_or_default();
        content.summary = text("SUMMARY");
        content.description = text("DESCRIPTION");
        content.location = text("LOCATION");
        if is_series {
            content.recurrence = self.recurrence(part)?;
        }
        let attendees = part.lines.iter().filter(|line| line.name == "ATTENDEE").filter_map(attendee);
        // Servers keep properties in an order of their own, and some write a person twice.
        content.attendees = attendees.collect::<BTreeSet<_>>().into_iter().collect();
        content.attendees.dedup_by(|one, other| one.who.email == other.who.email);
        content.organizer = part.line("ORGANIZER").and_then(party);
        if says(part, "TRANSP", "TRANSPARENT") {
            content.availability = Availability::Free;
        }
        Ok(content)
    }

    fn moment_of(&mut self, line: &Line) -> Result<Moment, Unreadable> {
        let told = told_by(line).ok_or_else(|| Unreadable::Broken("one of its times cannot be read".to_owned()))?;
        let zone = self.zone_of(line)?;
        Ok(moment(told, zone.as_deref())?)
    }

    /// The zone of a property's times, as it is kept.
    fn zone_of(&mut self, line: &Line) -> Result<Option<String>, UnknownZone> {
        let Some(tzid) = line.param("TZID").filter(|tzid| !tzid.is_empty()) else {
            return Ok(self.zones.default.clone());
        };
        // A time that says that it is UTC is so, whatever stands beside it.
        let only_utc = line.value.split(',').all(|text| !matches!(told(text, false), Some(Told::Local(_))));
        if only_utc {
            return Ok(None);
        }
        self.zones.name(tzid, year(&line.value), self.compared).map(Some)
    }

    fn end(&mut self, part: &Component, start: &Moment) -> Result<Moment, Unreadable> {
        let next = |start: &Moment| match start {
            Moment::Day(day) => Moment::Day(day.tomorrow().unwrap_or(*day)),
            other => other.clone(),
        };
        let end = match (part.line("DTEND"), part.line("DURATION")) {
            (Some(line), _) => self.moment_of(line)?,
            (None, Some(line)) => when::end(start, &line.value)
                .ok_or_else(|| Unreadable::Broken("it cannot be read how long it lasts".to_owned()))?,
            (None, None) => next(start),
        };
        Ok(match (start, end) {
            // Whole days end with one: that of the clock time, where somebody wrote one.
            (Moment::Day(first), end) => {
                let last = match end {
                    Moment::Day(last) => last,
                    Moment::Floating(local) => local.date(),
                    Moment::At { at, .. } => at.to_zoned(self.origin.home.clone()).date(),
                };
                if last > *first { Moment::Day(last) } else { next(start) }
            }
            (_, end) => end,
        })
    }

    fn rid(&mut self, line: &Line, series_start: Option<&Moment>) -> Result<Rid, Unreadable> {
        let unread = || Unreadable::Broken("it cannot be read which occurrence it is".to_owned());
        let home = self.origin.home;
        let told = told_by(line).ok_or_else(unread)?;
        Ok(match (told, series_start) {
            // Of a series at a time of day a mere date means the occurrence of that day.
            (Told::Day(day), Some(start @ (Moment::At { .. } | Moment::Floating(_)))) => {
                let (time, zone) = match start {
                    Moment::At { at, zone } => (at.to_zoned(start.zone(home)?).time(), Some(zone.as_str())),
                    Moment::Floating(local) => (local.time(), None),
                    Moment::Day(_) => (jiff::civil::Time::midnight(), None),
                };
                Rid::of(&moment(Told::Local(DateTime::from_parts(day, time)), zone)?, home)
            }
            // And of a series of whole days a time means the day that it lies in.
            (Told::Local(local), Some(Moment::Day(_))) => Rid::On(local.date()),
            (Told::Utc(at), Some(Moment::Day(_))) => {
                let utc = jiff::tz::Offset::UTC.to_datetime(at);
                let is_midnight = utc.time() == jiff::civil::Time::midnight();
                Rid::On(if is_midnight { utc.date() } else { at.to_zoned(home.clone()).date() })
            }
            (told, _) => {
                let zone = self.zone_of(line)?;
                Rid::of(&moment(told, zone.as_deref())?, home)
            }
        })
    }

    /// The lines of the recurrence, in one order and with names of zones that everybody knows.
    fn recurrence(&mut self, part: &Component) -> Result<Vec<String>, Unreadable> {
        let mut lines = Vec::new();
        for line in part.lines.iter().filter(|line| RECURRENCE.contains(&line.name.as_str())) {
            let value: String = line.value.chars().filter(|char| !char.is_whitespace() && !char.is_control()).collect();
            let has_times = matches!(line.name.as_str(), "RDATE" | "EXDATE");
            let zone = if has_times { self.zone_of(line)? } else { None };
            lines.push(match zone {
                Some(zone) => format!("{};TZID={}:{value}", line.name, param_value(&zone)),
                None => format!("{}:{value}", line.name),
            });
        }
        lines.sort();
        lines.dedup();
        Recurrence::read(&lines)?;
        Ok(lines)
    }
}

fn says(part: &Component, name: &str, value: &str) -> bool {
    part.line(name).is_some_and(|line| line.value.trim().eq_ignore_ascii_case(value))
}

fn told_by(line: &Line) -> Option<Told> {
    told(&line.value, line.says("VALUE", "DATE"))
}

fn moment(told: Told, zone: Option<&str>) -> Result<Moment, UnknownZone> {
    match (told, zone) {
        (Told::Day(day), _) => Ok(Moment::Day(day)),
        (Told::Utc(at), _) => Ok(Moment::utc(at)),
        (Told::Local(local), None) => Ok(Moment::Floating(local)),
        (Told::Local(local), Some(zone)) => Moment::local(local, zone),
    }
}

/// Somebody by address. Where the address is a name for programs, a parameter may have that for mails.
pub fn party(line: &Line) -> Option<Party> {
    let name = line.param("CN");
    Party::read(&line.value, name).or_else(|| Party::read(line.param("EMAIL")?, name))
}

fn attendee(line: &Line) -> Option<Attendee> {
    let who = party(line)?;
    let part = match () {
        () if line.says("CUTYPE", "ROOM") || line.says("CUTYPE", "RESOURCE") => Part::Resource,
        () if line.says("ROLE", "OPT-PARTICIPANT") || line.says("ROLE", "NON-PARTICIPANT") => Part::Optional,
        () => Part::Required,
    };
    let reply = match line.param("PARTSTAT").unwrap_or_default().to_ascii_uppercase().as_str() {
        "ACCEPTED" => Reply::Accepted,
        "TENTATIVE" => Reply::Tentative,
        // Who sent somebody else does not come; the other one is an attendee too.
        "DECLINED" | "DELEGATED" => Reply::Declined,
        _ => Reply::Awaited,
    };
    Some(Attendee { who, part, reply })
}
