//! Which zone a `TZID` means: by its name; by another name that its `VTIMEZONE` gives; or, where a program made the zone
//! up, by comparing its rules with those of every zone there is.
//!
//! A name that means nothing keeps its event from being read. A guess would put the meeting at a wrong hour.

use std::collections::HashMap;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};
use syncline_core::calendar::{
    recur::{Rule, Times, Until},
    zone::{UnknownZone, canonical},
};

use super::{
    lines::Component,
    when::{Told, offset, plain, told},
};

/// Years over which rules are compared, from the one before the event's on. Rules change, and a zone that somebody made up
/// knows those of its day at best.
const YEARS: i16 = 3;

/// Most changes of a zone's clock in these years that are looked at: two a year, and room for a summer with a pause.
const CHANGES_MAX: usize = 24;

/// Most distinct zones that one answer may have compared; a calendar has a handful.
const COMPARED_MAX: usize = 64;

/// How far two changes may lie apart and be one, in seconds: some write midnight as the second before it.
const APART_MAX: u64 = 60;

/// Other names that a `VTIMEZONE` may give: libical's own, and an alias (RFC 7808, section 7.2).
const OTHER_NAMES: [&str; 2] = ["X-LIC-LOCATION", "TZID-ALIAS-OF"];

/// Where among zones of the same rules the name is looked for first.
const REGIONS: [&str; 8] =
    ["Europe/", "America/", "Asia/", "Australia/", "Pacific/", "Africa/", "Atlantic/", "Indian/"];

/// Zones that were compared already, by their rules.
#[derive(Debug, Default)]
pub struct Compared(HashMap<Shape, Option<String>>);

/// The zones of one calendar text.
pub struct Zones<'a> {
    calendar: &'a Component,
    /// The zone that times without one are in (`X-WR-TIMEZONE`).
    pub default: Option<String>,
}

/// How a zone's clock goes in some years.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    year: i16,
    /// At the beginning.
    first: i32,
    /// When it changes, and to what.
    changes: Vec<(i64, i32)>,
}

impl<'a> Zones<'a> {
    pub fn of(calendar: &'a Component) -> Self {
        let default = calendar.text("X-WR-TIMEZONE").and_then(|name| Some(canonical(&name).ok()?.1));
        Self { calendar, default }
    }

    /// The name under which a zone is kept.
    ///
    /// # Errors
    /// Neither the name nor its rules are those of a zone.
    pub fn name(&self, tzid: &str, year: i16, compared: &mut Compared) -> Result<String, UnknownZone> {
        let unknown = match canonical(tzid) {
            Ok((_, name)) => return Ok(name),
            Err(unknown) => unknown,
        };
        let is_it = |part: &&Component| part.line("TZID").is_some_and(|line| line.value.trim() == tzid);
        let zone = self.calendar.parts("VTIMEZONE").find(is_it).ok_or_else(|| unknown.clone())?;
        let other = OTHER_NAMES.iter().find_map(|name| Some(canonical(&zone.text(name)?).ok()?.1));
        other.or_else(|| compared.name(shape(zone, year)?)).ok_or(unknown)
    }
}

impl Compared {
    fn name(&mut self, shape: Shape) -> Option<String> {
        if let Some(known) = self.0.get(&shape) {
            return known.clone();
        }
        if self.0.len() >= COMPARED_MAX {
            return None;
        }
        let found = same(&shape);
        self.0.insert(shape, found.clone());
        found
    }
}

impl Shape {
    fn is(&self, other: &Self) -> bool {
        let is_one = |((at, to), (other_at, other_to)): (&(i64, i32), &(i64, i32))| {
            to == other_to && at.abs_diff(*other_at) <= APART_MAX
        };
        self.first == other.first
            && self.changes.len() == other.changes.len()
            && self.changes.iter().zip(&other.changes).all(is_one)
    }
}

/// The zone of this shape.
fn same(shape: &Shape) -> Option<String> {
    if shape.changes.is_empty() {
        return canonical(&format!("UTC{}", Offset::from_seconds(shape.first).ok()?)).ok().map(|(_, name)| name);
    }
    let mut names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let rank = |name: &str| REGIONS.iter().position(|region| name.starts_with(region)).unwrap_or(REGIONS.len());
    names.sort_by(|one, other| (rank(one), one).cmp(&(rank(other), other)));
    names.into_iter().find_map(|name| {
        let (zone, kept) = canonical(&name).ok()?;
        shape_of(&zone, shape.year)?.is(shape).then_some(kept)
    })
}

fn span(year: i16) -> Option<(Timestamp, Timestamp)> {
    let first = |year| TimeZone::UTC.to_timestamp(Date::new(year, 1, 1).ok()?.at(0, 0, 0, 0)).ok();
    Some((first(year.checked_sub(1)?)?, first(year.checked_add(YEARS - 1)?)?))
}

/// How a zone that is known goes.
pub fn shape_of(zone: &TimeZone, year: i16) -> Option<Shape> {
    let (from, to) = span(year)?;
    let first = zone.to_offset(from).seconds();
    let changes = zone.following(from).take_while(|change| change.timestamp() < to).take(CHANGES_MAX);
    Some(shaped(year, first, changes.map(|change| (change.timestamp().as_second(), change.offset().seconds()))))
}

/// Without changes to what was already.
fn shaped(year: i16, first: i32, changes: impl Iterator<Item = (i64, i32)>) -> Shape {
    let mut now = first;
    let changes = changes.filter(|(_, to)| std::mem::replace(&mut now, *to) != *to).collect();
    Shape { year, first, changes }
}

/// How a zone that a program wrote down goes. `None` where it cannot be read to the end.
pub fn shape(zone: &Component, year: i16) -> Option<Shape> {
    let (from, to) = span(year)?;
    let mut onsets: Vec<(i64, i32)> = Vec::new();
    // What was before the first of all changes.
    let mut before: Option<(i64, i32)> = None;
    for part in zone.parts.iter().filter(|part| matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT")) {
        let offset_of = |name: &str| offset(&part.line(name)?.value);
        let (old, new) = (offset_of("TZOFFSETFROM")?, offset_of("TZOFFSETTO")?);
        let instant = |local: DateTime| old.to_timestamp(local).ok().map(|at| at.as_second());
        let start = plain(&part.line("DTSTART")?.value)?;
        let first = instant(start)?;
        if before.is_none_or(|(known, _)| first < known) {
            before = Some((first, old.seconds()));
        }
        onsets.push((first, new.seconds()));
        for line in part.lines.iter().filter(|line| line.name == "RDATE") {
            for text in line.value.split(',') {
                onsets.push((instant(plain(text)?)?, new.seconds()));
            }
        }
        for line in part.lines.iter().filter(|line| line.name == "RRULE") {
            let rule = Rule::read(&line.value).ok()?;
            // The change that holds when the years begin lies in the year before them at the earliest.
            let since = old.to_datetime(from).checked_sub(1.year()).ok()?;
            let times = Times::new(&rule, start, since, old.to_datetime(to)).take(CHANGES_MAX);
            for local in times.filter(|local| is_before(rule.until, *local, old)) {
                onsets.push((instant(local)?, new.seconds()));
            }
        }
    }
    onsets.sort_unstable();
    onsets.dedup();
    let held = onsets.iter().rev().find(|(at, _)| *at <= from.as_second()).or(before.as_ref())?.1;
    let within = onsets.into_iter().filter(|(at, _)| (from.as_second() + 1..to.as_second()).contains(at));
    Some(shaped(year, held, within))
}

fn is_before(until: Option<Until>, local: DateTime, old: Offset) -> bool {
    match until {
        None => true,
        Some(Until::Utc(until)) => {
            old.to_timestamp(local).is_ok_and(|at| at <= Offset::UTC.to_timestamp(until).unwrap_or(Timestamp::MAX))
        }
        Some(Until::Local(until)) => local <= until,
        Some(Until::Day(day)) => local.date() <= day,
    }
}

/// The year that a time lies in, as near as it matters here.
pub fn year(text: &str) -> i16 {
    match told(text, false) {
        Some(Told::Day(day)) => day.year(),
        Some(Told::Local(local)) => local.year(),
        Some(Told::Utc(at)) => Offset::UTC.to_datetime(at).year(),
        None => 0,
    }
}
