//! Which occurrences of a series the CRM is to know. What a series' occurrences are is [`super::recur`]'s matter.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    event::Content,
    identity::Rid,
    recur::{Cap, Fault, Occurrence, Override, Prepared, Source, Window},
};

const HOURS_A_DAY: i64 = 24;

/// How far back meetings that took place are looked for: what was not seen in that time is history.
const TAKEN_PLACE_DAYS: u16 = 31;

/// How far ahead it is looked when the next meeting of a series ends.
const NEXT_END_DAYS: u16 = 400;

/// Most meetings of one series within a day that are logged one by one: a rule that means more is no series of meetings, and none
/// of them is.
pub const A_DAY_MAX: usize = 4;

/// Which occurrences an admin wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum SeriesPolicy {
    /// The first one, and then whichever changes or is replied to.
    #[default]
    FirstAndChanged,
    /// All in a window around the present.
    Materialise { past_days: u16, future_days: u16 },
    /// Each as soon as it is over.
    WhenTakenPlace,
    /// The series as one record.
    Series,
}

/// What was logged of a series before.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LoggedSeries {
    /// The occurrence that was logged as the first one.
    pub first: Option<Rid>,
    pub rids: BTreeSet<Rid>,
}

/// What is to be logged, or kept in step, of a series.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wanted {
    /// By start. A series as one record is [`Rid::Single`].
    pub occurrences: Vec<Occurrence>,
    /// The one among them that is logged as the first.
    pub first: Option<Rid>,
    /// Logged ones that the series no longer has: called off.
    pub called_off: BTreeSet<Rid>,
    /// When the answer changes without a change of the series.
    pub look_again: Option<Timestamp>,
    pub capped: Option<Cap>,
}

/// A series as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    pub content: &'a Content,
    pub overrides: &'a BTreeMap<Rid, Override>,
    /// The occurrences that were changed or replied to while the calendar was connected.
    pub changed: &'a BTreeSet<Rid>,
    pub home: &'a TimeZone,
    /// From when on meetings count.
    pub from: Timestamp,
}

/// Which occurrences the CRM is to know. Those that it knows already stay, whatever the policy.
///
/// # Errors
/// The recurrence cannot be read, or means more than [`A_DAY_MAX`] meetings a day where each is to be logged.
pub fn wanted(
    policy: SeriesPolicy,
    series: &Series<'_>,
    logged: &LoggedSeries,
    now: Timestamp,
) -> Result<Wanted, Fault> {
    let mut out = Wanted { first: logged.first, ..Wanted::default() };
    let read = Prepared::new(series.content, series.overrides, series.home)?;
    let mut chosen: BTreeMap<Rid, Occurrence> = BTreeMap::new();
    let mut add = |found: Vec<Occurrence>| chosen.extend(found.into_iter().map(|one| (one.rid, one)));
    match policy {
        SeriesPolicy::FirstAndChanged => {
            if out.first.is_none() {
                let first = look(&read, Window { from: series.from, ..Window::ALL }, &mut out).into_iter().next();
                // A list of all that is cut short says nothing about what is asked here.
                out.capped = None;
                out.first = first.as_ref().map(|first| first.rid);
                add(first.into_iter().collect());
            }
            add(series.changed.iter().filter_map(|rid| read.find(*rid).ok().flatten()).collect());
        }
        SeriesPolicy::Materialise { past_days, future_days } => {
            let window = Window { from: earlier(now, past_days), to: later(now, future_days) };
            let all = look(&read, window, &mut out);
            not_too_often(&all, series.home)?;
            add(all);
            // The window moves on by itself.
            out.look_again = Some(later(now, 1));
        }
        SeriesPolicy::WhenTakenPlace => {
            let window = Window { from: earlier(now, TAKEN_PLACE_DAYS), to: later(now, NEXT_END_DAYS) };
            let all = look(&read, window, &mut out);
            not_too_often(&all, series.home)?;
            let (over, coming): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|one| one.end.instant(series.home).max(one.start.instant(series.home)) <= now);
            out.look_again = coming.iter().map(|one| one.end.instant(series.home)).filter(|end| *end > now).min();
            add(over);
        }
        SeriesPolicy::Series => {
            let mut whole = series.content.clone();
            whole.recurrence.clear();
            add(Prepared::new(&whole, &BTreeMap::new(), series.home)?.expand(Window::ALL).occurrences);
        }
    }
    let rids: BTreeSet<Rid> = logged.rids.iter().filter(|rid| **rid != Rid::Single).copied().collect();
    for rid in rids {
        match read.find(rid) {
            Ok(Some(known)) => add(vec![known]),
            Ok(None) => drop(out.called_off.insert(rid)),
            // What cannot be told is not called off.
            Err(cap) => out.capped = out.capped.or(Some(cap)),
        }
    }
    out.occurrences = chosen.into_values().collect();
    out.occurrences.sort_by_cached_key(|one| (one.start.instant(series.home), one.rid));
    Ok(out)
}

fn look(read: &Prepared<'_>, window: Window, out: &mut Wanted) -> Vec<Occurrence> {
    let found = read.expand(window);
    out.capped = out.capped.or(found.capped);
    found.occurrences
}

/// What people moved onto one day is their own doing.
fn not_too_often(all: &[Occurrence], home: &TimeZone) -> Result<(), Fault> {
    let by_rule = all.iter().filter(|one| one.source == Source::Series);
    let starts: Vec<Timestamp> = by_rule.map(|one| one.start.instant(home)).collect();
    let is_within_a_day = |some: &[Timestamp]| some[A_DAY_MAX].duration_since(some[0]).as_hours() < HOURS_A_DAY;
    if starts.windows(A_DAY_MAX + 1).any(is_within_a_day) { Err(Fault::TooOften) } else { Ok(()) }
}

fn earlier(now: Timestamp, days: u16) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(HOURS_A_DAY * i64::from(days))).unwrap_or(Timestamp::MIN)
}

fn later(now: Timestamp, days: u16) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(HOURS_A_DAY * i64::from(days))).unwrap_or(Timestamp::MAX)
}
