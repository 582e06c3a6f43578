//! From a series and its overrides to the occurrences in a window.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    Fault,
    dates::Times,
    lines::{Recurrence, utc_instant},
    rule::{Rule, Until},
};
use crate::{
    calendar::{
        event::{Content, Moment, instant_of},
        identity::{Rid, whole_second},
    },
    mutant::{self, Mutant},
};

/// Most occurrences of one look at a series: about two years of a meeting on every day. What lies beyond is reported,
/// and a later window shows it.
pub const OCCURRENCES_MAX: usize = 720;

/// Most occurrences that a rule of exceptions takes away.
const EXCEPTED_MAX: usize = 10_000;

/// Plain times are looked at so far beyond a window: no zone is farther from UTC, and no clock change longer.
const SLACK: SignedDuration = SignedDuration::from_hours(48);

/// No clock change that anybody has to live with is longer.
const GAP_MAX: SignedDuration = SignedDuration::from_hours(3);

/// From the one instant on and until before the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Window {
    /// Everything.
    pub const ALL: Window = Window { from: Timestamp::MIN, to: Timestamp::MAX };

    /// Whether an instant lies within.
    pub fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// What is special about one occurrence, or about it and all that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub and_following: bool,
    pub cancelled: bool,
    /// Start and end; `None` where they are not known, and are then as the rule has them.
    pub times: Option<(Moment, Moment)>,
}

/// Where an occurrence's content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Series,
    /// With the override of this occurrence.
    Override(Rid),
}

/// One meeting of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub rid: Rid,
    pub start: Moment,
    pub end: Moment,
    pub source: Source,
}

/// Why there may be more than was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// More than [`OCCURRENCES_MAX`].
    Occurrences,
    /// The rule took more than [`super::WORK_MAX`] steps.
    Work,
}

/// The occurrences in a window.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Expansion {
    /// By start.
    pub occurrences: Vec<Occurrence>,
    /// Why later ones may be missing.
    pub capped: Option<Cap>,
    /// The rule does not mean its own start. Calendars differ about such a series; its start counts here.
    pub out_of_step: bool,
}

/// The occurrences that start in the window. Overrides are told by the occurrence that they replace; one that replaces
/// nothing stands for itself. What has no zone is read in `home`.
///
/// # Errors
/// The recurrence cannot be read.
pub fn expand(
    content: &Content,
    overrides: &BTreeMap<Rid, Override>,
    window: Window,
    home: &TimeZone,
) -> Result<Expansion, Fault> {
    Ok(Prepared::new(content, overrides, home)?.expand(window))
}

/// A series that was read once and can be looked at in many windows.
pub struct Prepared<'a> {
    content: &'a Content,
    home: &'a TimeZone,
    /// `None`: it happens once.
    series: Option<Series<'a>>,
}

impl<'a> Prepared<'a> {
    /// Reads the recurrence.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(
        content: &'a Content,
        overrides: &'a BTreeMap<Rid, Override>,
        home: &'a TimeZone,
    ) -> Result<Self, Fault> {
        let series = match content.recurrence.is_empty() {
            true => None,
            false => Some(Series::new(content, Recurrence::read(&content.recurrence)?, overrides, home)?),
        };
        Ok(Self { content, home, series })
    }

    /// The occurrence of this name, wherever it was moved to; `None` where the series has none.
    ///
    /// # Errors
    /// The rule took too much work to tell.
    pub fn find(&self, rid: Rid) -> Result<Option<Occurrence>, Cap> {
        match &self.series {
            Some(series) => series.find(rid),
            None => Ok(self.expand(Window::ALL).occurrences.into_iter().find(|one| one.rid == rid)),
        }
    }

    /// As [`expand`].
    pub fn expand(&self, window: Window) -> Expansion {
        if let Some(series) = &self.series {
            return series.expand(window);
        }
        let once = Occurrence {
            rid: Rid::Single,
            start: self.content.start.clone(),
            end: self.content.end.clone(),
            source: Source::Series,
        };
        let occurrences = Some(once).filter(|once| window.has(once.start.instant(self.home))).into_iter().collect();
        Expansion { occurrences, ..Expansion::default() }
    }
}

/// The occurrence that a copy means, in the form in which the series names its own: a day may be told as a time, and a
/// time by its day alone.
pub fn named_by_series(rid: Rid, start: &Moment, home: &TimeZone) -> Rid {
    match (rid, start) {
        (Rid::At(at), Moment::Day(_)) => {
            let in_utc = at.to_zoned(TimeZone::UTC).datetime();
            // Midnight in UTC is a day that was written as a time; else it is a time in the calendar's zone.
            let is_midnight = in_utc.time() == jiff::civil::Time::midnight();
            Rid::On(if is_midnight { in_utc.date() } else { at.to_zoned(home.clone()).date() })
        }
        (Rid::On(day), Moment::At { .. } | Moment::Floating(_)) => {
            let zone = start.zone(home).unwrap_or_else(|_| home.clone());
            let time = start.instant(home).to_zoned(zone.clone()).time();
            Rid::At(whole_second(instant_of(day.to_datetime(time), &zone)))
        }
        (rid, _) => rid,
    }
}

struct Series<'a> {
    recurrence: Recurrence,
    overrides: &'a BTreeMap<Rid, Override>,
    /// Those that stand for all that follow them, too; in order.
    following: Vec<(Rid, &'a Override)>,
    home: &'a TimeZone,
    zone: TimeZone,
    zone_name: Option<&'a str>,
    is_day: bool,
    /// The start on the clock of its zone.
    start: DateTime,
    /// The start itself: where the clock shows the same time twice on that day, it knows which is meant.
    begins: Timestamp,
    lasts: SignedDuration,
    excepted: BTreeSet<Rid>,
    excepted_days: BTreeSet<Date>,
}

impl<'a> Series<'a> {
    fn new(
        content: &'a Content,
        mut recurrence: Recurrence,
        overrides: &'a BTreeMap<Rid, Override>,
        home: &'a TimeZone,
    ) -> Result<Self, Fault> {
        let zone = content.start.zone(home)?;
        let (start, zone_name) = match &content.start {
            Moment::At { at, zone: name } => (whole_second(*at).to_zoned(zone.clone()).datetime(), Some(name.as_str())),
            Moment::Floating(local) => (*local, None),
            Moment::Day(day) => (day.at(0, 0, 0, 0), None),
        };
        let is_day = content.start.is_day();
        if is_day {
            // A day has no hours that a rule could name (RFC 5545, section 3.3.10).
            for rule in recurrence.rules.iter_mut().chain(&mut recurrence.excepted_rules) {
                rule.hours.clear();
                rule.minutes.clear();
                rule.seconds.clear();
            }
        }
        let (excepted, excepted_days) = (BTreeSet::new(), BTreeSet::new());
        let mut series = Self {
            recurrence,
            overrides,
            following: overrides.iter().filter(|(_, own)| own.and_following).map(|(rid, own)| (*rid, own)).collect(),
            home,
            lasts: if is_day { whole_days(content) } else { content.duration(home) },
            zone,
            zone_name,
            is_day,
            start,
            begins: whole_second(content.start.instant(home)),
            excepted,
            excepted_days,
        };
        series.except();
        Ok(series)
    }

    /// Takes in the dates that are excepted. Whatever their form, they mean the same instant or day.
    fn except(&mut self) {
        for at in std::mem::take(&mut self.recurrence.excepted) {
            match at {
                Moment::Day(day) => {
                    self.excepted_days.insert(day);
                }
                at if self.is_day => {
                    // A day told in UTC is that day, wherever the calendar is.
                    let zone = if is_utc(&at) { TimeZone::UTC } else { self.zone.clone() };
                    self.excepted_days.insert(at.instant(&self.zone).to_zoned(zone).date());
                }
                at => {
                    self.excepted.insert(Rid::of(&at, &self.zone));
                }
            }
        }
    }

    fn expand(&self, window: Window) -> Expansion {
        let mut found = Found::default();
        let (from, to) = self.plain(window);
        let excepted = self.excepted_by_rule(from, to, &mut found);
        let mut times: BTreeMap<Rid, Occurrence> = BTreeMap::new();
        let mut take = |series: &Self, local: DateTime, lasts: Option<SignedDuration>| {
            let rid = series.rid(local);
            let is_out = excepted.contains(&local) || series.is_excepted(rid, local.date()) || times.contains_key(&rid);
            if is_out || series.overrides.get(&rid).is_some_and(|own| own.cancelled || own.times.is_some()) {
                return 0;
            }
            let Some(occurrence) = series.place(rid, local, lasts) else { return 0 };
            if !window.has(occurrence.start.instant(series.home)) {
                return 0;
            }
            times.insert(rid, occurrence);
            1
        };
        take(self, self.start, None);
        for added in &self.recurrence.added {
            let local = self.local(&added.start);
            take(self, local, added.lasts);
        }
        for rule in &self.recurrence.rules {
            let mut count = 0;
            let mut all = Times::new(rule, self.start, from, self.last(rule, to));
            for local in all.by_ref().filter(|local| *local >= from && self.within(rule, *local)) {
                count += take(self, local, None);
                if count > OCCURRENCES_MAX {
                    found.more_after(Cap::Occurrences, self.instant(local));
                    break;
                }
            }
            if all.exhausted() {
                found.capped = found.capped.or(Some(Cap::Work));
            }
        }
        found.out_of_step = self.out_of_step();
        for (rid, own) in self.overrides.iter().filter(|(rid, own)| !own.cancelled && !self.is_rid_excepted(**rid)) {
            let Some((start, end)) = &own.times else { continue };
            if window.has(start.instant(self.home)) {
                let source = Source::Override(*rid);
                times.insert(*rid, Occurrence { rid: *rid, start: start.clone(), end: end.clone(), source });
            }
        }
        found.close(times, self.home)
    }

    fn find(&self, rid: Rid) -> Result<Option<Occurrence>, Cap> {
        if let Some(own) = self.overrides.get(&rid)
            && (own.cancelled || own.times.is_some())
        {
            let there = own.times.clone().filter(|_| !own.cancelled && !self.is_rid_excepted(rid));
            let source = Source::Override(rid);
            return Ok(there.map(|(start, end)| Occurrence { rid, start, end, source }));
        }
        let near = match rid {
            Rid::Single => return Ok(None),
            Rid::On(day) => day.at(0, 0, 0, 0),
            Rid::At(at) => at.to_zoned(self.zone.clone()).datetime(),
        };
        // A time that the clock left out was moved by the rule's reader, and is not the plain time of its instant.
        let (from, to) = (near.checked_sub(GAP_MAX).unwrap_or(near), near.checked_add(GAP_MAX).unwrap_or(near));
        let is_it = |local: &DateTime| self.rid(*local) == rid;
        let added = self.recurrence.added.iter().map(|added| (self.local(&added.start), added.lasts));
        let mut found = std::iter::once((self.start, None)).chain(added).find(|(local, _)| is_it(local));
        for rule in &self.recurrence.rules {
            if found.is_some() {
                break;
            }
            let mut all = Times::new(rule, self.start, from, self.last(rule, to));
            let local = all.by_ref().find(|local| *local >= from && is_it(local) && self.within(rule, *local));
            if local.is_none() && all.exhausted() {
                return Err(Cap::Work);
            }
            found = local.map(|local| (local, None));
        }
        let excepted = self.excepted_by_rule(from, to, &mut Found::default());
        let found = found.filter(|(local, _)| !excepted.contains(local) && !self.is_excepted(rid, local.date()));
        Ok(found.and_then(|(local, lasts)| self.place(rid, local, lasts)))
    }

    /// The window on the clock of the series, with room for zones and for all that a moved series was moved by.
    fn plain(&self, window: Window) -> (DateTime, DateTime) {
        let moved = self.following.iter().filter_map(|(rid, own)| self.shift(*rid, own));
        let farthest = moved.map(SignedDuration::abs).max();
        let room = farthest.unwrap_or_default().saturating_add(SLACK);
        let local = |at: Timestamp| at.to_zoned(self.zone.clone()).datetime();
        let from = local(window.from).checked_sub(room).unwrap_or(DateTime::MIN);
        (from, local(window.to).checked_add(room).unwrap_or(DateTime::MAX))
    }

    /// Whether the first thing that a rule means is another than its start.
    fn out_of_step(&self) -> bool {
        let first = |rule: &Rule| Times::new(rule, self.start, self.start, self.start).next();
        let rules = &self.recurrence.rules;
        !rules.is_empty() && rules.iter().all(|rule| first(rule) != Some(self.start))
    }

    fn excepted_by_rule(&self, from: DateTime, to: DateTime, found: &mut Found) -> BTreeSet<DateTime> {
        let mut excepted = BTreeSet::new();
        for rule in &self.recurrence.excepted_rules {
            let mut all = Times::new(rule, self.start, from, self.last(rule, to));
            for local in all.by_ref().filter(|local| self.within(rule, *local) && *local >= from) {
                excepted.insert(local);
                if excepted.len() >= EXCEPTED_MAX {
                    found.more_after(Cap::Work, self.instant(local));
                    break;
                }
            }
        }
        excepted
    }

    /// Where an occurrence is to be looked for on the clock of the series.
    fn local(&self, at: &Moment) -> DateTime {
        match at {
            Moment::Day(day) => day.to_datetime(self.start.time()),
            Moment::Floating(local) if !self.is_day => *local,
            Moment::Floating(local) => local.date().at(0, 0, 0, 0),
            Moment::At { at, .. } if !self.is_day => whole_second(*at).to_zoned(self.zone.clone()).datetime(),
            Moment::At { at, .. } => at.to_zoned(self.zone.clone()).date().at(0, 0, 0, 0),
        }
    }

    fn instant(&self, local: DateTime) -> Timestamp {
        if mutant::on(Mutant::ClockUnchanged) {
            return self.begins.saturating_add(local.duration_since(self.start)).unwrap_or(self.begins);
        }
        if local == self.start { self.begins } else { instant_of(local, &self.zone) }
    }

    fn rid(&self, local: DateTime) -> Rid {
        if self.is_day { Rid::On(local.date()) } else { Rid::At(self.instant(local)) }
    }

    fn is_excepted(&self, rid: Rid, day: Date) -> bool {
        self.excepted.contains(&rid) || self.excepted_days.contains(&day)
    }

    fn is_rid_excepted(&self, rid: Rid) -> bool {
        match rid {
            Rid::Single => false,
            Rid::On(day) => self.is_excepted(rid, day),
            Rid::At(at) => self.is_excepted(rid, at.to_zoned(self.zone.clone()).date()),
        }
    }

    /// The last plain time at which a rule needs to be looked at; what is behind its end by a little is dropped by
    /// [`Self::within`].
    fn last(&self, rule: &Rule, to: DateTime) -> DateTime {
        let until = match rule.until {
            None => return to,
            Some(Until::Utc(at) | Until::Local(at)) => at,
            Some(Until::Day(day)) => day.at(0, 0, 0, 0),
        };
        until.checked_add(SLACK).map_or(to, |until| until.min(to))
    }

    /// Whether a rule still means this time. Its end is written in many forms, and counts as the writer meant it.
    fn within(&self, rule: &Rule, local: DateTime) -> bool {
        match rule.until {
            None => true,
            Some(Until::Day(day)) => local.date() <= day,
            Some(Until::Local(at)) if self.is_day => local.date() <= at.date(),
            Some(Until::Local(at)) => local <= at,
            Some(Until::Utc(at)) if self.is_day => {
                // Midnight in UTC is a day that was written as a time; else it is a time in the calendar's zone.
                let is_midnight = at.time() == jiff::civil::Time::midnight();
                let here = || utc_instant(at).map(|at| at.to_zoned(self.home.clone()).date());
                local.date() <= if is_midnight { at.date() } else { here().unwrap_or(at.date()) }
            }
            Some(Until::Utc(at)) if self.zone_name.is_none() => local <= at,
            Some(Until::Utc(at)) => utc_instant(at).is_none_or(|at| self.instant(local) <= at),
        }
    }

    /// By how much a series was moved from an occurrence on.
    fn shift(&self, rid: Rid, own: &Override) -> Option<SignedDuration> {
        let (start, _) = own.times.as_ref()?;
        let before = match rid {
            Rid::Single => return None,
            Rid::On(day) => day.at(0, 0, 0, 0),
            Rid::At(at) => at.to_zoned(self.zone.clone()).datetime(),
        };
        Some(before.duration_until(self.local(start)))
    }

    /// The occurrence with its times, moved along where the series was moved before it. `None`: it was called off from an
    /// earlier one on.
    fn place(&self, rid: Rid, local: DateTime, lasts: Option<SignedDuration>) -> Option<Occurrence> {
        let before = self.following[..self.following.partition_point(|(from, _)| *from <= rid)].last();
        let own_lasts = |own: &Override| {
            let (start, end) = own.times.as_ref()?;
            Some(end.instant(self.home).duration_since(start.instant(self.home)).max(SignedDuration::ZERO))
        };
        let (source, local, lasts) = match before {
            Some((_, own)) if own.cancelled => return None,
            Some((from, own)) => {
                let shift = self.shift(*from, own).unwrap_or_default();
                let moved = local.checked_add(shift).unwrap_or(local);
                (Source::Override(*from), moved, own_lasts(own).or(lasts))
            }
            None => (Source::Series, local, lasts),
        };
        let source = if self.overrides.contains_key(&rid) { Source::Override(rid) } else { source };
        let lasts = lasts.unwrap_or(self.lasts);
        let (start, end) = self.span(local, lasts);
        Some(Occurrence { rid, start, end, source })
    }

    fn span(&self, local: DateTime, lasts: SignedDuration) -> (Moment, Moment) {
        if self.is_day {
            let days = (lasts.as_hours() / 24).max(1);
            let end = Span::new().try_days(days).ok().and_then(|days| local.date().checked_add(days).ok());
            return (Moment::Day(local.date()), Moment::Day(end.unwrap_or(local.date())));
        }
        match self.zone_name {
            Some(name) => {
                let start = self.instant(local);
                let end = start.checked_add(lasts).unwrap_or(start);
                let at = |at| Moment::At { at, zone: name.to_owned() };
                (at(start), at(end))
            }
            None => (Moment::Floating(local), Moment::Floating(local.checked_add(lasts).unwrap_or(local))),
        }
    }
}

fn is_utc(at: &Moment) -> bool {
    matches!(at, Moment::At { zone, .. } if zone == "UTC")
}

/// How many days a series of whole days lasts, as hours: clock changes do not count.
fn whole_days(content: &Content) -> SignedDuration {
    match (&content.start, &content.end) {
        (Moment::Day(start), Moment::Day(end)) => start.duration_until(*end).max(SignedDuration::ZERO),
        _ => SignedDuration::from_hours(24),
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    capped: Option<Cap>,
    out_of_step: bool,
    /// Behind this instant something may be missing.
    complete_to: Option<Timestamp>,
}

impl Found {
    fn more_after(&mut self, cap: Cap, at: Timestamp) {
        self.capped = self.capped.or(Some(cap));
        self.complete_to = Some(self.complete_to.map_or(at, |known| known.min(at)));
    }

    /// Occurrences by start. Where one rule was cut short, those of another behind the cut are left out, too: a list with
    /// holes would look like cancellations.
    fn close(mut self, times: BTreeMap<Rid, Occurrence>, home: &TimeZone) -> Expansion {
        let mut occurrences: Vec<Occurrence> = times.into_values().collect();
        occurrences.sort_by_cached_key(|one| (one.start.instant(home), one.rid));
        if let Some(to) = self.complete_to {
            occurrences.retain(|one| one.start.instant(home) < to || matches!(one.source, Source::Override(_)));
        }
        if occurrences.len() > OCCURRENCES_MAX {
            occurrences.truncate(OCCURRENCES_MAX);
            self.capped = self.capped.or(Some(Cap::Occurrences));
        }
        Expansion { occurrences, capped: self.capped, out_of_step: self.out_of_step }
    }
}
