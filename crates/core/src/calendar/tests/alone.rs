//! Which event a record stands for: one that can be written alone, or the reason why there is none.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, event, instant, meeting},
};
use crate::calendar::{
    assemble::assemble,
    event::{Body, Content, Event, EventId, Moment, Status},
    identity::Rid,
    meeting::{Alone, NotAlone, alone},
    recur::{Source, Window, expand},
};

/// What is special about an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Nothing,
    Moved,
    Following,
    Cancelled,
    Bare,
    Private,
}

fn start(day: usize) -> Timestamp {
    instant("2026-03-16T08:00:00Z") + SignedDuration::from_hours(24 * i64::try_from(day).unwrap())
}

fn series(days: usize) -> Event {
    event(Content { recurrence: vec![format!("RRULE:FREQ=DAILY;COUNT={days}")], ..meeting(&[]) })
}

fn special(day: usize, what: Special) -> Option<Event> {
    let later = Moment::utc(start(day) + SignedDuration::from_hours(2));
    let content = Content::new(later.clone(), later);
    let own = Event {
        id: EventId(format!("e1_{day}")),
        series: Some(EventId("e1".to_owned())),
        rid: Rid::At(start(day)),
        and_following: what == Special::Following,
        status: if matches!(what, Special::Cancelled | Special::Bare) { Status::Cancelled } else { Status::Confirmed },
        ..event(content)
    };
    match what {
        Special::Nothing => None,
        Special::Moved | Special::Following | Special::Cancelled => Some(own),
        Special::Bare => Some(Event { body: Body::Bare, ..own }),
        Special::Private => Some(own.hidden()),
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever is special about the meetings of a series: each that takes place is its own event or one of the series', never
    /// another's; what is not expanded is gone; what others hang on is left alone, and what is private says nothing.
    #[test]
    fn each_meeting_is_its_own_event(
        specials in prop::collection::vec(prop::sample::select(vec![
            Special::Nothing, Special::Nothing, Special::Moved, Special::Following, Special::Cancelled, Special::Bare, Special::Private,
        ]), 1..6),
        beyond in 0..3_usize,
    ) {
        let master = series(specials.len());
        let owns: BTreeMap<usize, Event> =
            specials.iter().enumerate().filter_map(|(day, what)| Some((day, special(day, *what)?))).collect();
        let events: Vec<&Event> = owns.values().chain([&master]).collect();
        let whole = assemble(events.iter().copied(), &HOME);
        let all = expand(master.content().unwrap(), &whole.overrides(), Window::ALL, &HOME).unwrap().occurrences;
        for day in 0..specials.len() + beyond {
            let rid = Rid::At(start(day));
            let found = alone(rid, events.iter().copied(), &HOME);
            let what = specials.get(day).copied();
            let taking_place = all.iter().find(|one| one.rid == rid);
            let expected = match (what, taking_place) {
                (Some(Special::Private), _) => Alone::No(NotAlone::Unknown),
                (Some(Special::Following), _) => Alone::No(NotAlone::Together),
                (Some(Special::Moved), _) => Alone::Event(&owns[&day]),
                (_, None) => Alone::No(NotAlone::Gone),
                (_, Some(one)) if one.source == Source::Series => Alone::Of(&master),
                (_, Some(_)) => Alone::No(NotAlone::Together),
            };
            prop_assert_eq!(found, expected, "day {}", day);
        }
        prop_assert_eq!(alone(Rid::Single, events.iter().copied(), &HOME), Alone::No(NotAlone::Whole));
        let off = Event { status: Status::Cancelled, ..master.clone() };
        let events = owns.values().chain([&off]);
        prop_assert_eq!(alone(Rid::At(start(0)), events, &HOME), Alone::No(NotAlone::Gone));
    }
}

/// A meeting that happens once is its event, and so is the first one of a series that recurs no more; of what is private
/// nothing is said, and what a calendar does not have is gone.
#[test]
fn a_meeting_that_happens_once_is_its_event() {
    let once = event(meeting(&[]));
    assert_eq!(alone(Rid::Single, [&once], &HOME), Alone::Event(&once));
    assert_eq!(alone(Rid::At(start(0)), [&once], &HOME), Alone::Event(&once));
    assert_eq!(alone(Rid::At(start(1)), [&once], &HOME), Alone::No(NotAlone::Gone));
    let hidden = once.clone().hidden();
    assert_eq!(alone(Rid::Single, [&hidden], &HOME), Alone::No(NotAlone::Unknown));
    assert_eq!(alone(Rid::Single, [], &HOME), Alone::No(NotAlone::Gone));
    let told = [NotAlone::Gone, NotAlone::Whole, NotAlone::Together, NotAlone::Unknown].map(NotAlone::sentence);
    assert_eq!(told.iter().filter(|said| said.is_none()).count(), 1, "only of what may not be known nothing is said");
}
