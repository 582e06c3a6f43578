//! Which occurrences of a series the CRM knows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, PEOPLE, instant, meeting},
};
use crate::calendar::{
    event::{Content, Moment},
    identity::Rid,
    recur::{Cap, Fault, Override},
    series::{LoggedSeries, Series, SeriesPolicy, Wanted, wanted},
};

fn weekly() -> Content {
    let mut content = meeting(&[PEOPLE[3]]);
    content.recurrence = vec!["RRULE:FREQ=WEEKLY;COUNT=10".into()];
    content
}

fn rid(week: i64) -> Rid {
    Rid::At(instant("2026-03-16T08:00:00Z") + SignedDuration::from_hours(168 * week))
}

fn moved(to: &str) -> Override {
    let start = instant(to);
    let times = Some((Moment::utc(start), Moment::utc(start + SignedDuration::from_hours(1))));
    Override { and_following: false, cancelled: false, times }
}

const CANCELLED: Override = Override { and_following: false, cancelled: true, times: None };

struct Case {
    overrides: BTreeMap<Rid, Override>,
    changed: BTreeSet<Rid>,
    logged: LoggedSeries,
    from: Timestamp,
}

impl Default for Case {
    fn default() -> Self {
        let (overrides, changed) = (BTreeMap::new(), BTreeSet::new());
        Self { overrides, changed, logged: LoggedSeries::default(), from: Timestamp::MIN }
    }
}

impl Case {
    fn at(&self, policy: SeriesPolicy, now: &str) -> Wanted {
        let content = weekly();
        let series = Series {
            content: &content,
            overrides: &self.overrides,
            changed: &self.changed,
            home: &HOME,
            from: self.from,
        };
        wanted(policy, &series, &self.logged, now.parse::<Timestamp>().unwrap()).unwrap()
    }
}

fn rids(wanted: &Wanted) -> Vec<Rid> {
    wanted.occurrences.iter().map(|one| one.rid).collect()
}

/// proves: C7
#[test]
fn the_first_and_then_whichever_changes() {
    let mut case = Case::default();
    let now = "2026-03-10T00:00:00Z";
    let first = case.at(SeriesPolicy::FirstAndChanged, now);
    assert_eq!((rids(&first), first.first), (vec![rid(0)], Some(rid(0))));
    // A reply on the fourth, and the fifth is moved.
    case.changed = BTreeSet::from([rid(3), rid(4)]);
    case.overrides.insert(rid(4), moved("2026-04-14T10:00:00Z"));
    assert_eq!(rids(&case.at(SeriesPolicy::FirstAndChanged, now)), [rid(0), rid(3), rid(4)]);
}

/// Calling the first one off makes no other the first.
///
/// proves: C7
#[test]
fn the_first_is_the_first_once_and_for_all() {
    let logged = LoggedSeries { first: Some(rid(0)), rids: BTreeSet::from([rid(0)]) };
    let mut case = Case { logged, ..Case::default() };
    case.overrides.insert(rid(0), CANCELLED);
    let now = case.at(SeriesPolicy::FirstAndChanged, "2026-03-10T00:00:00Z");
    assert_eq!((rids(&now), now.called_off), (vec![], BTreeSet::from([rid(0)])));
    // Before it was ever logged, the first that there is counts.
    case.logged = LoggedSeries::default();
    assert_eq!(rids(&case.at(SeriesPolicy::FirstAndChanged, "2026-03-10T00:00:00Z")), [rid(1)]);
}

/// Of a series that began before the day from which on meetings count, the first that counts is the first.
///
/// proves: C6, C7
#[test]
fn the_first_that_counts_is_the_first() {
    let case = Case { from: instant("2026-04-01T00:00:00Z"), ..Case::default() };
    let first = case.at(SeriesPolicy::FirstAndChanged, "2026-03-10T00:00:00Z");
    assert_eq!((rids(&first), first.first), (vec![rid(3)], Some(rid(3))));
    let over = Case { from: instant("2027-01-01T00:00:00Z"), ..Case::default() };
    assert_eq!(rids(&over.at(SeriesPolicy::FirstAndChanged, "2026-03-10T00:00:00Z")), []);
}

/// A rule that means many meetings a day is none of meetings, where each of them would be logged; whatever people move onto one
/// day is.
///
/// proves: C7
#[test]
fn what_recurs_many_times_a_day_is_left_out() {
    let (overrides, changed) = (BTreeMap::new(), BTreeSet::new());
    let window = SeriesPolicy::Materialise { past_days: 7, future_days: 30 };
    let look = |policy: SeriesPolicy, rule: &str| {
        let content = Content { recurrence: vec![rule.to_owned()], ..weekly() };
        let from = Timestamp::MIN;
        let series = Series { content: &content, overrides: &overrides, changed: &changed, home: &HOME, from };
        wanted(policy, &series, &LoggedSeries::default(), instant("2026-03-20T00:00:00Z"))
            .map(|all| all.occurrences.len())
    };
    for policy in [window, SeriesPolicy::WhenTakenPlace] {
        for rule in ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=8,10,12,14,16"] {
            assert_eq!(look(policy, &format!("RRULE:{rule}")), Err(Fault::TooOften), "{rule}");
        }
    }
    assert_eq!(look(window, "RRULE:FREQ=DAILY;BYHOUR=8,11,14,16;COUNT=12"), Ok(12));
    for policy in [SeriesPolicy::FirstAndChanged, SeriesPolicy::Series] {
        assert_eq!(look(policy, "RRULE:FREQ=SECONDLY"), Ok(1));
    }
    let overrides = (0..10).map(|week| (rid(week), moved("2026-03-17T10:00:00Z"))).collect();
    let case = Case { overrides, ..Case::default() };
    assert_eq!(case.at(window, "2026-03-16T00:00:00Z").occurrences.len(), 10);
}

/// proves: C7
#[test]
fn a_window_moves_along_and_what_is_logged_stays() {
    let policy = SeriesPolicy::Materialise { past_days: 1, future_days: 14 };
    let mut case = Case::default();
    assert_eq!(rids(&case.at(policy, "2026-03-16T00:00:00Z")), [rid(0), rid(1)]);
    case.logged.rids = BTreeSet::from([rid(0), rid(1)]);
    let later = case.at(policy, "2026-03-24T00:00:00Z");
    assert_eq!(rids(&later), [rid(0), rid(1), rid(2), rid(3)]);
    assert_eq!(later.look_again, Some(instant("2026-03-25T00:00:00Z")));
}

/// proves: C7
#[test]
fn a_meeting_is_logged_when_it_is_over() {
    let case = Case::default();
    let before = case.at(SeriesPolicy::WhenTakenPlace, "2026-03-16T08:30:00Z");
    assert_eq!((rids(&before), before.look_again), (vec![], Some(instant("2026-03-16T09:00:00Z"))));
    let after = case.at(SeriesPolicy::WhenTakenPlace, "2026-03-16T09:00:00Z");
    assert_eq!((rids(&after), after.look_again), (vec![rid(0)], Some(instant("2026-03-23T09:00:00Z"))));
}

/// proves: C7
#[test]
fn a_series_may_be_one_record() {
    let now = Case::default().at(SeriesPolicy::Series, "2026-03-16T09:00:00Z");
    assert_eq!((rids(&now), now.called_off), (vec![Rid::Single], BTreeSet::new()));
}

/// Of a series of far too many occurrences none is called off because it was not among the first.
///
/// proves: C7
#[test]
fn what_cannot_be_told_is_not_called_off() {
    let look = |rule: &str, rid: Rid| {
        let mut content = weekly();
        content.recurrence = vec![rule.to_owned()];
        let (overrides, changed) = (BTreeMap::new(), BTreeSet::new());
        let series =
            Series { content: &content, overrides: &overrides, changed: &changed, home: &HOME, from: Timestamp::MIN };
        let logged = LoggedSeries { first: Some(rid), rids: BTreeSet::from([rid]) };
        wanted(SeriesPolicy::FirstAndChanged, &series, &logged, instant("2026-03-10T00:00:00Z")).unwrap()
    };
    let later = Rid::At(instant("2026-05-01T12:00:30Z"));
    assert_eq!(rids(&look("RRULE:FREQ=SECONDLY", later)), [later]);
    assert_eq!(look("RRULE:FREQ=MINUTELY", later).called_off, BTreeSet::from([later]));
    let counted = look("RRULE:FREQ=SECONDLY;COUNT=4000000000", later);
    assert_eq!((counted.called_off, counted.capped), (BTreeSet::new(), Some(Cap::Work)));
}

proptest! {
    #![proptest_config(cases(120))]

    /// Whatever is logged is in step or called off, nothing is both, and asking again says the same.
    ///
    /// proves: C7
    #[test]
    fn what_was_logged_is_never_lost(
        policy in prop::sample::select(vec![
            SeriesPolicy::FirstAndChanged,
            SeriesPolicy::Materialise { past_days: 7, future_days: 20 },
            SeriesPolicy::WhenTakenPlace,
        ]),
        logged in prop::collection::btree_set(0..10i64, 0..4),
        cancelled in prop::collection::btree_set(0..10i64, 0..4),
        shifted in prop::collection::btree_map(0..10i64, -300..300i64, 0..3),
        days in 0..90i64,
    ) {
        let mut case = Case::default();
        case.logged.rids = logged.into_iter().map(rid).collect();
        case.logged.first = case.logged.rids.first().copied();
        for (week, hours) in shifted {
            let Rid::At(at) = rid(week) else { unreachable!() };
            case.overrides.insert(rid(week), moved(&(at + SignedDuration::from_hours(hours)).to_string()));
            case.changed.insert(rid(week));
        }
        for week in cancelled {
            case.overrides.insert(rid(week), CANCELLED);
        }
        let now = (instant("2026-03-10T00:00:00Z") + SignedDuration::from_hours(24 * days)).to_string();
        let one = case.at(policy, &now);
        let there: BTreeSet<Rid> = rids(&one).into_iter().collect();
        prop_assert_eq!(there.len(), one.occurrences.len());
        for rid in &case.logged.rids {
            prop_assert!(there.contains(rid) != one.called_off.contains(rid));
        }
        for rid in &there {
            prop_assert!(!case.overrides.get(rid).is_some_and(|own| own.cancelled));
        }
        // Once that is logged, nothing more is wanted.
        case.logged = LoggedSeries { first: one.first, rids: there.union(&one.called_off).copied().collect() };
        let again = case.at(policy, &now);
        prop_assert_eq!(rids(&again), rids(&one));
        prop_assert_eq!(again.called_off, one.called_off);
    }
}
