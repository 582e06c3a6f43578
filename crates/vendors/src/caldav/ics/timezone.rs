//! Zones described (RFC 5545, section 3.6.5): which of them a text names, and the `VTIMEZONE` of each that the text does not
//! describe already. A server, or somebody to whom the text is mailed, may know no zone by its name.

use std::collections::BTreeMap;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::{Offset, TimeZone},
};
use syncline_core::calendar::zone;

use super::raw::Raw;

/// Years over which changes of a clock must follow a rule to be told as one: in so many, each weekday falls on each day.
const RULE_YEARS: i16 = 28;

/// Years that are told one by one where no rule is found: how far a series without an end is told.
const TOLD_YEARS: i16 = 10;

/// Most changes of a clock that are looked at: two or three a year over all these years, and four where a fast is kept.
const CHANGES_MAX: usize = 4 * (RULE_YEARS + TOLD_YEARS + 4) as usize;

/// The zones that a text names.
#[derive(Debug, Default)]
pub struct Named {
    /// How the text calls the zones that it describes, by the names under which we keep them.
    known: BTreeMap<String, String>,
    /// Those that it does not, with the first year in which each is told.
    new: BTreeMap<String, i16>,
}

impl Named {
    /// For a text that describes these: the zone as it is kept, and as it is called there.
    pub fn knowing(known: impl Iterator<Item = (String, String)>) -> Self {
        Self { known: known.collect(), new: BTreeMap::new() }
    }

    /// What the zone is called in the text; `at`: a time that is told in it.
    pub fn tzid<'a>(&'a mut self, zone: &'a str, at: DateTime) -> &'a str {
        if let Some(tzid) = self.known.get(zone) {
            return tzid;
        }
        let year = self.new.entry(zone.to_owned()).or_insert(at.year());
        *year = at.year().min(*year);
        zone
    }

    /// What the text is still to describe.
    pub fn descriptions(&self) -> Vec<Raw> {
        self.new.iter().filter_map(|(name, year)| Some(described(name, &zone::zone(name).ok()?, *year))).collect()
    }
}

/// One change of a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    /// By the clock as it went before.
    local: DateTime,
    kind: Kind,
}

/// From where to where a clock changes, and what the time is called then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    from: Offset,
    to: Offset,
    is_summer: bool,
    name: String,
}

/// A yearly day: the first of this weekday on or after a day of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Yearly {
    month: i8,
    weekday: Weekday,
    /// The earliest and the latest day that it may be.
    days: (i8, i8),
}

/// A zone from the year before this one on.
pub fn described(tzid: &str, zone: &TimeZone, year: i16) -> Raw {
    let first = year.saturating_sub(1);
    let mut raw = Raw::new("VTIMEZONE");
    raw.push(format!("TZID:{tzid}"));
    raw.append(held(zone, first));
    let changes = changes(zone, first);
    let ruled = (first..=first + TOLD_YEARS).find_map(|since| Some((since, rules(&changes, since)?)));
    let (until, rules) = ruled.unwrap_or((first + TOLD_YEARS + 1, Vec::new()));
    let mut told: BTreeMap<&Kind, Vec<DateTime>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.local.year() < until) {
        told.entry(&change.kind).or_default().push(change.local);
    }
    for (kind, times) in told {
        raw.append(observance(kind, &times, None));
    }
    for (kind, onset, yearly) in rules {
        raw.append(observance(&kind, &[onset], Some(yearly)));
    }
    raw
}

/// What the clock showed when the first year began.
fn held(zone: &TimeZone, first: i16) -> Raw {
    let begins = begin(first);
    if let Some(last) = zone.preceding(begins).next() {
        let change = change(zone, last.timestamp());
        return observance(&change.kind, &[change.local], None);
    }
    let info = zone.to_offset_info(begins);
    let kind = Kind { from: info.offset(), to: info.offset(), is_summer: false, name: info.abbreviation().to_owned() };
    observance(&kind, &[Date::constant(1970, 1, 1).at(0, 0, 0, 0)], None)
}

fn begin(year: i16) -> Timestamp {
    let day = Date::new(year, 1, 1).ok().and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    day.unwrap_or(Timestamp::MIN)
}

/// All changes from a year on, as far as they may matter.
fn changes(zone: &TimeZone, first: i16) -> Vec<Change> {
    let end = begin(first.saturating_add(TOLD_YEARS + RULE_YEARS + 2));
    let times = zone.following(begin(first)).map(|next| next.timestamp()).take_while(|at| *at < end);
    // Some changes are of the name alone; a clock that goes on says nothing.
    times.take(CHANGES_MAX).map(|at| change(zone, at)).filter(|change| change.kind.from != change.kind.to).collect()
}

fn change(zone: &TimeZone, at: Timestamp) -> Change {
    let before = at.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(at);
    let (from, info) = (zone.to_offset(before), zone.to_offset_info(at));
    let kind = Kind { from, to: info.offset(), is_summer: info.dst().is_dst(), name: info.abbreviation().to_owned() };
    Change { local: from.to_datetime(at), kind }
}

/// The rules that all changes follow from a year on, each with its first onset; `None` where they follow none.
fn rules(changes: &[Change], since: i16) -> Option<Vec<(Kind, DateTime, Yearly)>> {
    let years = since..since + RULE_YEARS;
    let mut kinds: BTreeMap<(&Kind, i8), Vec<DateTime>> = BTreeMap::new();
    for change in changes.iter().filter(|change| years.contains(&change.local.year())) {
        kinds.entry((&change.kind, change.local.month())).or_default().push(change.local);
    }
    let ruled = kinds.into_iter().map(|((kind, _), times)| Some((kind.clone(), times[0], yearly(&times, since)?)));
    ruled.collect()
}

/// The rule that these times follow, one in each year.
fn yearly(times: &[DateTime], since: i16) -> Option<Yearly> {
    let first = times.first()?;
    let is_each_year = times.iter().map(|time| time.year()).eq(since..since + RULE_YEARS);
    let is_alike =
        |time: &DateTime| (time.month(), time.weekday(), time.time()) == (first.month(), first.weekday(), first.time());
    if !is_each_year || !times.iter().all(is_alike) {
        return None;
    }
    let days = || times.iter().map(|time| time.day());
    let days = (days().min()?, days().max()?);
    (days.1 - days.0 == 6).then_some(Yearly { month: first.month(), weekday: first.weekday(), days })
}

/// `STANDARD` or `DAYLIGHT`, from the first of these times on.
fn observance(kind: &Kind, times: &[DateTime], yearly: Option<Yearly>) -> Raw {
    let mut raw = Raw::new(if kind.is_summer { "DAYLIGHT" } else { "STANDARD" });
    let time = |time: &DateTime| time.strftime("%Y%m%dT%H%M%S").to_string();
    if let Some(first) = times.first() {
        raw.push(format!("DTSTART:{}", time(first)));
    }
    raw.push(format!("TZOFFSETFROM:{}", distance(kind.from)));
    raw.push(format!("TZOFFSETTO:{}", distance(kind.to)));
    raw.push(format!("TZNAME:{}", kind.name));
    for later in times.iter().skip(1) {
        raw.push(format!("RDATE:{}", time(later)));
    }
    if let Some(yearly) = yearly {
        raw.push(format!("RRULE:FREQ=YEARLY;BYMONTH={};{}", yearly.month, yearly.day()));
    }
    raw
}

impl Yearly {
    /// The last, or the second Sunday of a month; else the Friday within these days.
    fn day(self) -> String {
        let name = match self.weekday {
            Weekday::Monday => "MO",
            Weekday::Tuesday => "TU",
            Weekday::Wednesday => "WE",
            Weekday::Thursday => "TH",
            Weekday::Friday => "FR",
            Weekday::Saturday => "SA",
            Weekday::Sunday => "SU",
        };
        let (first, last) = self.days;
        // February has no last day that is always the same.
        let length = if self.month == 2 { 0 } else { Date::constant(2026, self.month, 1).days_in_month() };
        match () {
            () if last == length => format!("BYDAY=-1{name}"),
            () if first % 7 == 1 => format!("BYDAY={}{name}", first / 7 + 1),
            () => {
                let days: Vec<String> = (first..=last).map(|day| day.to_string()).collect();
                format!("BYDAY={name};BYMONTHDAY={}", days.join(","))
            }
        }
    }
}

/// `+0100`, `-033000`
fn distance(offset: Offset) -> String {
    let seconds = offset.seconds();
    let (sign, all) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (hours, minutes, rest) = (all / 3_600, all / 60 % 60, all % 60);
    if rest == 0 { format!("{sign}{hours:02}{minutes:02}") } else { format!("{sign}{hours:02}{minutes:02}{rest:02}") }
}
