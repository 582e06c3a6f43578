//! Which occurrences of a series the CRM is to know. What a series' occurrences are is [`super::recur`]'s matter.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    event::Content,
    identity::Rid,
    recur::{Cap, Fault, Occurrence, Override, Window, expand},
};

const HOURS_A_DAY: i64 = 24;

/// How far back meetings that took place are looked for: what was not seen in that time is history.
const TAKEN_PLACE_DAYS: u16 = 31;

/// How far ahead it is looked when the next meeting of a series ends.
const NEXT_END_DAYS: u16 = 400;

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
}

/// Which occurrences the CRM is to know. Those that it knows already stay, whatever the policy.
///
/// # Errors
/// The recurrence cannot be read.
pub fn wanted(
    policy: SeriesPolicy,
    series: &Series<'_>,
    logged: &LoggedSeries,
    now: Timestamp,
) -> Result<Wanted, Fault> {
    let mut out = Wanted { first: logged.first, ..Wanted::default() };
    let mut chosen: BTreeMap<Rid, Occurrence> = BTreeMap::new();
    let mut add = |found: Vec<Occurrence>| chosen.extend(found.into_iter().map(|one| (one.rid, one)));
    match policy {
        SeriesPolicy::FirstAndChanged => {
            if out.first.is_none() {
                let first = look(series, Window::ALL, &mut out)?.into_iter().next();
                // A list of all that is cut short says nothing about what is asked here.
                out.capped = None;
                out.first = first.as_ref().map(|first| first.rid);
                add(first.into_iter().collect());
            }
            add(these(series, series.changed, &mut out)?);
        }
        SeriesPolicy::Materialise { past_days, future_days } => {
            let window = Window { from: earlier(now, past_days), to: later(now, future_days) };
            add(look(series, window, &mut out)?);
            // The window moves on by itself.
            out.look_again = Some(later(now, 1));
        }
        SeriesPolicy::WhenTakenPlace => {
            let window = Window { from: earlier(now, TAKEN_PLACE_DAYS), to: later(now, NEXT_END_DAYS) };
            let (over, coming): (Vec<_>, Vec<_>) = look(series, window, &mut out)?
                .into_iter()
                .partition(|one| one.end.instant(series.home).max(one.start.instant(series.home)) <= now);
            out.look_again = coming.iter().map(|one| one.end.instant(series.home)).filter(|end| *end > now).min();
            add(over);
        }
        SeriesPolicy::Series => {
            let mut whole = series.content.clone();
            whole.recurrence.clear();
            add(expand(&whole, &BTreeMap::new(), Window::ALL, series.home)?.occurrences);
        }
    }
    let known = these(series, &logged.rids, &mut out)?;
    let there: BTreeSet<Rid> = known.iter().map(|one| one.rid).collect();
    out.called_off = logged.rids.iter().filter(|rid| **rid != Rid::Single && !there.contains(rid)).copied().collect();
    add(known);
    out.occurrences = chosen.into_values().collect();
    out.occurrences.sort_by_cached_key(|one| (one.start.instant(series.home), one.rid));
    Ok(out)
}

fn look(series: &Series<'_>, window: Window, out: &mut Wanted) -> Result<Vec<Occurrence>, Fault> {
    let found = expand(series.content, series.overrides, window, series.home)?;
    out.capped = out.capped.or(found.capped);
    Ok(found.occurrences)
}

/// Those of the named occurrences that the series has. Each is looked for where its rule put it and where it was moved to.
fn these(series: &Series<'_>, rids: &BTreeSet<Rid>, out: &mut Wanted) -> Result<Vec<Occurrence>, Fault> {
    let mut found = Vec::new();
    let farthest = series.overrides.iter().filter(|(_, own)| own.and_following).filter_map(|(rid, own)| {
        let (start, _) = own.times.as_ref()?;
        Some(instant(*rid, series.home)?.duration_since(start.instant(series.home)).abs())
    });
    let room = farthest.max().unwrap_or_default().saturating_add(SignedDuration::from_hours(2 * HOURS_A_DAY));
    for rid in rids {
        let moved = series.overrides.get(rid).and_then(|own| own.times.as_ref()).map(|(start, _)| start);
        let Some(at) = moved.map(|start| start.instant(series.home)).or_else(|| instant(*rid, series.home)) else {
            continue;
        };
        let window = Window {
            from: at.saturating_sub(room).unwrap_or(Timestamp::MIN),
            to: at.saturating_add(room).unwrap_or(Timestamp::MAX),
        };
        found.extend(look(series, window, out)?.into_iter().filter(|one| one.rid == *rid));
    }
    Ok(found)
}

fn instant(rid: Rid, home: &TimeZone) -> Option<Timestamp> {
    match rid {
        Rid::Single => None,
        Rid::At(at) => Some(at),
        Rid::On(day) => home.to_timestamp(day.at(0, 0, 0, 0)).ok(),
    }
}

fn earlier(now: Timestamp, days: u16) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(HOURS_A_DAY * i64::from(days))).unwrap_or(Timestamp::MIN)
}

fn later(now: Timestamp, days: u16) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(HOURS_A_DAY * i64::from(days))).unwrap_or(Timestamp::MAX)
}
