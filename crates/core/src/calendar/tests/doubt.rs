//! A guest takes a meeting off the own calendar, which then says the same as if the organiser had called it off: that is
//! believed once the organiser's calendar was heard, and not before.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    cases,
    look::{Fate, World},
    world::{PEOPLE, attendee, event, meeting},
};
use crate::calendar::{
    event::{Body, Event, Status},
    identity::Rid,
    look::DOUBT_MAX,
    series::SeriesPolicy,
};

#[derive(Clone, Debug)]
enum Act {
    /// A reading of the organiser's calendar begins, and it ends.
    Begin,
    End,
    Make,
    Leave,
    CallOff,
    Look,
    Wait(i64),
}

/// An organiser whose calendar is read now and then, and a guest whose calendar is known at once.
struct Office {
    world: World,
    made: bool,
    off: bool,
    /// What the reading under way will show.
    reading: Option<Option<Event>>,
}

impl Office {
    fn new() -> Self {
        let mut world = World::new(SeriesPolicy::FirstAndChanged);
        world.events.clear();
        Self { world, made: false, off: false, reading: None }
    }

    fn event() -> Event {
        event(meeting(&[PEOPLE[1], PEOPLE[3]]))
    }

    /// What the organiser's calendar shows. Of what it never showed it does not say that it is gone.
    fn shows(&self) -> Option<Event> {
        match (self.made, self.off) {
            (false, _) => None,
            (true, false) => Some(Self::event()),
            (true, true) => {
                let known = self.world.events.contains_key(&(0, Rid::Single));
                known.then(|| Event { status: Status::Cancelled, body: Body::Bare, ..Self::event() })
            }
        }
    }

    fn guest(&mut self) -> Option<&mut Event> {
        self.world.events.get_mut(&(1, Rid::Single))
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Begin => self.reading = Some(self.shows()),
            Act::End => {
                let Some(shown) = self.reading.take() else { return };
                self.world.calendars[0].readings += 1;
                if let Some(event) = shown {
                    self.world.events.insert((0, Rid::Single), event);
                }
            }
            Act::Make if self.made => {}
            Act::Make => {
                self.made = true;
                self.world.events.insert((1, Rid::Single), Self::event());
            }
            Act::Leave => {
                if let Some(copy) = self.guest() {
                    copy.status = Status::Cancelled;
                }
            }
            Act::CallOff if !self.made => {}
            Act::CallOff => {
                self.off = true;
                self.act(&Act::Leave);
            }
            Act::Look => drop(self.world.look(&[Fate::Done])),
            Act::Wait(minutes) => self.world.now += SignedDuration::from_mins(*minutes),
        }
    }

    fn is_marked(&self) -> bool {
        self.world.said().iter().any(|(_, subject)| {
            subject.as_ref().and_then(|subject| subject.as_text()).is_some_and(|text| text.starts_with("[CANCELLED]"))
        })
    }

    /// The organiser's calendar is read once more.
    fn read(&mut self) {
        [Act::Begin, Act::End, Act::Wait(1), Act::Look].iter().for_each(|act| self.act(act));
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => Just(Act::Begin),
        2 => Just(Act::End),
        1 => Just(Act::Make),
        2 => Just(Act::Leave),
        1 => Just(Act::CallOff),
        4 => Just(Act::Look),
        1 => (0..90i64).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..24)
}

proptest! {
    #![proptest_config(cases(512))]

    /// Whenever the organiser's calendar is read: what only a guest took off is never marked as called off, and what the
    /// organiser called off is, once that calendar was read.
    ///
    /// proves: C3, C4
    #[test]
    fn only_the_organiser_calls_off_whenever_that_calendar_is_read(acts in acts()) {
        let mut office = Office::new();
        for act in &acts {
            office.act(act);
            prop_assert!(office.off || !office.is_marked(), "nobody called it off");
        }
        let is_logged = office.world.said().iter().any(|(_, subject)| subject.is_some());
        for _ in 0..3 {
            office.read();
        }
        prop_assert_eq!(office.is_marked(), office.off && is_logged);
        let kept = office.world.kept.clone();
        prop_assert_eq!(office.world.look(&[Fate::Done]), vec![]);
        prop_assert_eq!(office.world.kept, kept);
    }
}

/// The meeting as the guest's calendar has it, logged, and then taken off there.
fn left() -> Office {
    let mut office = Office::new();
    [Act::Make, Act::Look, Act::Leave, Act::Look].iter().for_each(|act| office.act(act));
    office
}

fn look_again(office: &Office) -> Option<Timestamp> {
    let World { calendars, events, kept, rules, now, .. } = &office.world;
    let copies: Vec<_> = events
        .iter()
        .map(|((calendar, _), event)| crate::calendar::look::SeenCopy {
            calendar: &calendars[*calendar],
            event,
            baseline: false,
            touched: false,
            organizes: *calendar == 0,
        })
        .collect();
    crate::calendar::look::look(&copies, calendars, kept, rules, *now).look_again
}

/// An organiser's calendar that cannot be read is waited for with growing pauses, and not for ever.
///
/// proves: C4
#[test]
fn an_organiser_who_cannot_be_heard_is_waited_for_no_longer_than_that() {
    let mut office = left();
    let (began, mut looks) = (office.world.now, 0);
    while let Some(again) = look_again(&office) {
        assert!(!office.is_marked());
        assert!(again > office.world.now, "it is looked at later, and not over and over");
        office.world.now = again;
        office.act(&Act::Look);
        looks += 1;
    }
    let waited = office.world.now.duration_since(began);
    assert!(waited >= DOUBT_MAX && waited <= DOUBT_MAX + SignedDuration::from_hours(1), "{waited}");
    assert!(looks < 90, "{looks} looks");
    assert!(office.is_marked());
    office.read();
    assert!(!office.is_marked(), "the organiser's copy counts as soon as it is read");
}

/// Where nobody reads the organiser's calendar, there is nothing to wait for.
///
/// proves: C4
#[test]
fn a_guests_word_counts_where_the_organiser_has_no_calendar_here() {
    let mut office = Office::new();
    let mut event = Office::event();
    let Body::Open(content) = &mut event.body else { unreachable!("it is open") };
    content.organizer = Some(super::world::party(PEOPLE[3]));
    content.attendees.push(attendee(PEOPLE[1]));
    office.world.events.insert((1, Rid::Single), event);
    [Act::Look, Act::Leave, Act::Look].iter().for_each(|act| office.act(act));
    assert!(office.is_marked());
    assert_eq!(look_again(&office), None);
}

/// A reading that had begun before the meeting was made says nothing about it.
///
/// proves: C4
#[test]
fn a_reading_that_was_under_way_is_not_enough() {
    let mut office = Office::new();
    let acts = [Act::Begin, Act::Make, Act::Look, Act::Leave, Act::Look, Act::End, Act::Look];
    acts.iter().for_each(|act| office.act(act));
    assert!(!office.is_marked());
    assert!(look_again(&office).is_some());
    office.read();
    assert!(!office.is_marked());
    assert_eq!(look_again(&office), None, "by now the organiser's copy is known");
}
