//! Series and single meetings in two reps' calendars, looked at again and again, with answers of the CRM that get lost.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    cases,
    engine::{CONTACTS, Records},
    world::{HOME, PEOPLE, attendee, event, instant, meeting, policy},
};
use crate::{
    booking::{facts::Facts, project::Links},
    calendar::{
        eligible::{Reason, Verdict},
        event::{Body, Event, EventId, Shortened, Status},
        identity::{MeetingKey, Rid, Uid},
        look::{self, Calendar, Decision, Kept, LOOKS_MAX, Rules, SeenCopy},
        privacy::Privacy,
        series::SeriesPolicy,
    },
    ids::{RecordId, WorkspaceId},
    record::{Fields, Record, Role, Slot, Std, Value},
    step::Write,
};

/// What the CRM does with a plan, and what is heard of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Done,
    DoneUnheard,
    LostUnheard,
    Refused,
}

#[derive(Clone, Debug)]
enum Act {
    /// Weekly, or once.
    Recur(bool),
    Rename(u8),
    Move(i64),
    Invite(usize),
    Uninvite(usize),
    /// An occurrence is special: in the organiser's calendar, and in the guest's where that has the series.
    Rewrite(i64, u8),
    Shift(i64, i64),
    CallOff(i64),
    /// The guest takes it off the guest's own calendar.
    Leave(Option<i64>),
    Private(bool),
    Cancel,
    /// Everything is looked at once.
    Look(Vec<Fate>),
}

fn acts(fates: Vec<Fate>) -> impl Strategy<Value = Vec<Act>> {
    let fates = prop::collection::vec(prop::sample::select(fates), 1..4);
    let act = prop_oneof![
        1 => any::<bool>().prop_map(Act::Recur),
        2 => (0..4u8).prop_map(Act::Rename),
        2 => (-3..4i64).prop_map(Act::Move),
        2 => (3..6usize).prop_map(Act::Invite),
        1 => (3..6usize).prop_map(Act::Uninvite),
        3 => (0..4i64, 0..4u8).prop_map(|(week, name)| Act::Rewrite(week, name)),
        2 => (0..4i64, -3..4i64).prop_map(|(week, hours)| Act::Shift(week, hours)),
        2 => (0..4i64).prop_map(Act::CallOff),
        1 => prop::option::of(0..4i64).prop_map(Act::Leave),
        2 => any::<bool>().prop_map(Act::Private),
        1 => Just(Act::Cancel),
        6 => fates.prop_map(Act::Look),
    ];
    prop::collection::vec(act, 0..24)
}

fn policies() -> impl Strategy<Value = SeriesPolicy> {
    prop::sample::select(vec![
        SeriesPolicy::FirstAndChanged,
        SeriesPolicy::Materialise { past_days: 3, future_days: 30 },
        SeriesPolicy::WhenTakenPlace,
        SeriesPolicy::Series,
    ])
}

const START: &str = "2026-03-16T08:00:00Z";

fn rid(week: i64) -> Rid {
    Rid::At(instant(START) + SignedDuration::from_hours(168 * week))
}

/// Two calendars, a CRM, and what is kept.
#[derive(Clone)]
pub(super) struct World {
    pub(super) calendars: [Calendar; 2],
    /// By calendar and by occurrence.
    pub(super) events: BTreeMap<(usize, Rid), Event>,
    private: bool,
    /// The record of the booking that it was booked by.
    booked: Option<RecordId>,
    pub(super) crm: Records,
    pub(super) kept: BTreeMap<Rid, Kept>,
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) fn new(series: SeriesPolicy) -> Self {
        let calendar = |n: u32| Calendar {
            name: format!("cal{n}"),
            linked: n,
            owner: PEOPLE[n as usize].to_owned(),
            home: HOME,
            blocked: Vec::new(),
            readings: 1,
        };
        let rules = Rules {
            policy: crate::calendar::eligible::Policy { series, ..policy() },
            relates_many: true,
            keeps_replies: true,
            ..Rules::default()
        };
        let master = event(meeting(&[PEOPLE[1], PEOPLE[3]]));
        let events = BTreeMap::from([((0, Rid::Single), master.clone()), ((1, Rid::Single), master)]);
        let now = instant("2026-03-25T00:00:00Z");
        let (crm, kept) = (Records::default(), BTreeMap::new());
        Self { calendars: [calendar(0), calendar(1)], events, private: false, booked: None, crm, kept, rules, now }
    }

    fn edit(&mut self, rid: Rid, change: impl Fn(&mut crate::calendar::event::Content)) {
        for calendar in [0, 1] {
            if let Some(Event { body: Body::Open(content), .. }) = self.events.get_mut(&(calendar, rid)) {
                change(content);
            }
        }
    }

    /// The occurrence as an event of its own, in both calendars that have the series.
    fn except(&mut self, week: i64) -> Rid {
        let rid = rid(week);
        for calendar in [0, 1] {
            let Some(master) = self.events.get(&(calendar, Rid::Single)).cloned() else { continue };
            let known = self.events.get(&(calendar, rid)).is_some_and(|known| known.content().is_some());
            let Some(content) = master.content().filter(|_| !known) else { continue };
            let mut content = content.clone();
            let lasts = content.duration(&HOME);
            content.recurrence.clear();
            let Rid::At(at) = rid else { unreachable!("it is a time") };
            content.start = crate::calendar::event::Moment::utc(at);
            content.end = crate::calendar::event::Moment::utc(at + lasts);
            let id = EventId(format!("e1_{week}"));
            let own = Event { id, series: Some(master.id.clone()), rid, body: Body::Open(Box::new(content)), ..master };
            self.events.insert((calendar, rid), own);
        }
        rid
    }

    fn act(&mut self, act: &Act) {
        let named = |n: u8| ["Plan", "Review", "", "Talk"][usize::from(n)].to_owned();
        let by = |hours: i64| {
            move |content: &mut crate::calendar::event::Content| {
                for at in [&mut content.start, &mut content.end] {
                    *at = crate::calendar::event::Moment::utc(at.instant(&HOME) + SignedDuration::from_hours(hours));
                }
            }
        };
        match act {
            Act::Recur(weekly) => self.edit(Rid::Single, |content| {
                content.recurrence = if *weekly { vec!["RRULE:FREQ=WEEKLY;COUNT=4".into()] } else { Vec::new() };
            }),
            Act::Rename(name) => self.edit(Rid::Single, |content| content.summary = named(*name)),
            Act::Move(hours) => self.edit(Rid::Single, by(*hours)),
            Act::Invite(who) => self.edit(Rid::Single, |content| {
                if content.attendees.iter().all(|one| one.who.email != PEOPLE[*who]) {
                    content.attendees.push(attendee(PEOPLE[*who]));
                }
            }),
            Act::Uninvite(who) => {
                self.edit(Rid::Single, |content| content.attendees.retain(|one| one.who.email != PEOPLE[*who]));
            }
            Act::Rewrite(week, name) => {
                let rid = self.except(*week);
                self.edit(rid, |content| content.summary = named(*name));
            }
            Act::Shift(week, hours) => {
                let rid = self.except(*week);
                self.edit(rid, by(*hours));
            }
            Act::CallOff(week) => {
                let rid = self.except(*week);
                if let Some(own) = self.events.get_mut(&(0, rid)) {
                    (own.status, own.body) = (Status::Cancelled, Body::Bare);
                }
            }
            Act::Leave(week) => {
                let rid = week.map_or(Rid::Single, |week| self.except(week));
                if let Some(own) = self.events.get_mut(&(1, rid)) {
                    (own.status, own.body) = (Status::Cancelled, Body::Bare);
                }
            }
            Act::Private(private) => self.private = *private,
            Act::Cancel => {
                if let Some(master) = self.events.get_mut(&(0, Rid::Single)) {
                    master.status = Status::Cancelled;
                }
            }
            Act::Look(fates) => drop(self.look(fates)),
        }
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for (n, email) in CONTACTS.iter().enumerate() {
            let fields = Fields::from([(Std::Email.into(), Value::text(*email))]);
            facts.add([Record { role: Role::Contact, id: RecordId::new(format!("c{n}")), fields }]);
        }
        for n in [0, 1] {
            facts.add_user(PEOPLE[n], Some(RecordId::new(format!("u{n}"))));
        }
        facts.add(self.crm.with_keys());
        for (id, (role, _)) in &self.crm.records {
            if *role == Role::Meeting {
                facts.add_attendees(id.clone(), self.crm.attendees(id));
            }
        }
        facts
    }

    /// One look; the decisions that had something to send.
    pub(super) fn look(&mut self, fates: &[Fate]) -> Vec<Decision> {
        let mut events = self.events.clone();
        if self.private {
            events.values_mut().for_each(|event| *event = event.clone().hidden());
        }
        let copies: Vec<SeenCopy<'_>> = events
            .iter()
            .map(|((calendar, _), event)| {
                let organizes = *calendar == 0;
                let calendar = &self.calendars[*calendar];
                SeenCopy { calendar, event, baseline: false, touched: false, organizes }
            })
            .collect();
        let before = self.kept.clone();
        let mut look = look::look(&copies, &self.calendars, &before, &self.rules, self.now);
        self.booked.iter().for_each(|record| look.is_booked(record));
        let facts = self.facts();
        for _ in 0..LOOKS_MAX {
            look.meetings.iter().for_each(|meeting| drop(meeting.questions(&facts)));
        }
        let mut sent = Vec::new();
        let mut fates = fates.iter().copied().cycle();
        for meeting in &look.meetings {
            let key = MeetingKey { uid: Uid::read("u1").unwrap(), rid: meeting.rid };
            let workspace = WorkspaceId::from("w");
            let decision = meeting.decide(key, &workspace, &facts, &self.rules, &|_, _, value| value);
            let fate = if decision.is_idle() { Fate::Done } else { fates.next().unwrap() };
            let plan = decision.decided.as_ref().map(|decided| decided.plan.clone()).unwrap_or_default();
            let mut ids = Vec::new();
            if matches!(fate, Fate::Done | Fate::DoneUnheard) {
                ids = self.crm.apply(&plan);
            }
            let kept = match fate {
                Fate::Done => Kept {
                    verdict: decision.verdict.clone(),
                    privacy: decision.privacy,
                    title: decision.title.clone(),
                    start: decision.start,
                    first: decision.first,
                    links: decision.links(&ids),
                    carried: Fields::new(),
                    plan: None,
                    doubt: decision.doubt.clone(),
                },
                Fate::DoneUnheard | Fate::LostUnheard | Fate::Refused => Kept {
                    verdict: decision.verdict.clone(),
                    privacy: decision.privacy_before,
                    title: decision.title.clone(),
                    start: decision.start,
                    first: decision.first,
                    links: decision.before.clone(),
                    carried: Fields::new(),
                    plan: Some(plan).filter(|_| fate != Fate::Refused),
                    doubt: decision.doubt.clone(),
                },
            };
            self.kept.insert(meeting.rid, kept);
            if !decision.is_idle() {
                sent.push(decision);
            }
        }
        sent
    }

    /// Looks until nothing is sent; nothing is changed by the last look.
    fn rest(&mut self) {
        for _ in 0..6 {
            let is_unsettled = self.kept.values().any(|kept| kept.plan.is_some());
            if self.look(&[Fate::Done]).is_empty() && !is_unsettled {
                let before = self.kept.clone();
                assert_eq!(self.look(&[Fate::Done]), []);
                assert_eq!(self.kept, before);
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// What is agreed on stands in the CRM, and nothing else does.
    fn check(&self) {
        let of = |role: Role| self.crm.records.iter().filter(move |(_, (of, _))| *of == role);
        let links = || self.kept.values().flat_map(|kept| kept.links.values());
        let linked = |role: Role| links().filter(|link| link.role == role).count();
        assert_eq!(
            (of(Role::Meeting).count(), of(Role::Attendee).count()),
            (linked(Role::Meeting), linked(Role::Attendee))
        );
        for link in links() {
            let (_, fields) = &self.crm.records[&link.id];
            for field in [Std::Subject, Std::Description, Std::Start, Std::End, Std::Who, Std::Attends].map(Into::into)
            {
                if let Some(agreed) = link.image.get(&field) {
                    let there = fields.get(&field).unwrap_or(&Value::Null);
                    assert_eq!(there, agreed, "{field} of {}", link.id);
                }
            }
        }
    }

    /// The CRM's meetings by their keys, without ids.
    pub(super) fn said(&self) -> Vec<(String, Option<Value>)> {
        let subject = |kept: &Kept| {
            let link = kept.links.get(&Slot::Meeting)?;
            self.crm.records[&link.id].1.get(&Std::Subject.into()).cloned()
        };
        self.kept.iter().map(|(rid, kept)| (rid.to_string(), subject(kept))).collect()
    }
}

const ALL: [Fate; 4] = [Fate::Done, Fate::DoneUnheard, Fate::LostUnheard, Fate::Refused];

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever is lost or refused on the way: in the end every meeting has one record, which says what is agreed on.
    ///
    /// proves: C4, C7, C9, V1, V2
    #[test]
    fn lost_answers_leave_one_record_of_each_meeting(series in policies(), acts in acts(ALL.to_vec())) {
        let mut world = World::new(series);
        acts.iter().for_each(|act| world.act(act));
        world.rest();
        world.check();
    }

    /// That nobody heard of what was done changes nothing about what is there.
    ///
    /// proves: V2
    #[test]
    fn an_answer_that_is_lost_changes_nothing(series in policies(), acts in acts(vec![Fate::Done, Fate::DoneUnheard])) {
        let mut world = World::new(series);
        let mut heard = world.clone();
        for act in &acts {
            world.act(act);
            match act {
                Act::Look(_) => drop(heard.look(&[Fate::Done])),
                act => heard.act(act),
            }
        }
        world.rest();
        heard.rest();
        prop_assert_eq!(world.said(), heard.said());
    }
}

/// A meeting that became a series is not logged once more for its first day, and goes on as what it was when it no longer
/// recurs.
///
/// proves: C7
#[test]
fn a_meeting_that_begins_to_recur_is_not_doubled() {
    let mut world = World::new(SeriesPolicy::FirstAndChanged);
    world.rest();
    assert_eq!(world.said().len(), 1);
    world.act(&Act::Recur(true));
    world.rest();
    world.act(&Act::Recur(false));
    world.rest();
    let logged = world.kept.values().filter(|kept| !kept.links.is_empty()).count();
    assert_eq!((logged, world.crm.meetings().len()), (1, 1));
}

/// What was to stand for its series and never came to be leaves that to the next, at the first look.
///
/// proves: C7
#[test]
fn a_first_meeting_that_never_came_to_be_makes_way_for_the_next() {
    let mut world = World::new(SeriesPolicy::FirstAndChanged);
    world.act(&Act::Recur(true));
    world.look(&[Fate::LostUnheard]);
    world.look(&[Fate::Refused]);
    world.act(&Act::CallOff(0));
    world.rest();
    assert_eq!(world.crm.meetings().len(), 1);
    assert!(world.kept[&rid(1)].first);
}

/// A record that a person deleted is not made again.
///
/// proves: C3
#[test]
fn what_a_person_deleted_stays_deleted() {
    let mut world = World::new(SeriesPolicy::FirstAndChanged);
    world.rest();
    world.crm.records.clear();
    world.act(&Act::Rename(1));
    world.rest();
    assert_eq!(world.crm.meetings(), Vec::<&Fields>::new());
    assert_eq!(world.kept[&Rid::Single].verdict, Verdict::LeftOut(Reason::RemovedInCrm));
    assert_eq!((&world.kept[&Rid::Single].links, world.kept[&Rid::Single].privacy), (&Links::new(), Privacy::Synced));
}

/// Of a series of more meetings than are looked at each says that some are missing; of one that is short none does.
///
/// proves: C7, C8
#[test]
fn a_series_that_is_cut_short_says_so() {
    for (rule, is_cut) in [("FREQ=DAILY;BYHOUR=8,11,14,16", true), ("FREQ=WEEKLY", false)] {
        let mut world = World::new(SeriesPolicy::Materialise { past_days: 3, future_days: 400 });
        world.edit(Rid::Single, |content| content.recurrence = vec![format!("RRULE:{rule}")]);
        let sent = world.look(&[Fate::Done]);
        assert!(!sent.is_empty());
        assert!(sent.iter().all(|decision| decision.shortened.contains(&Shortened::Series) == is_cut), "{rule}");
    }
}

/// What was booked has its record from the booking, and no second one.
///
/// proves: B26
#[test]
fn what_was_booked_is_not_logged_once_more() {
    let mut world = World::new(SeriesPolicy::FirstAndChanged);
    world.booked = Some(RecordId::from("booked"));
    world.rest();
    assert_eq!(world.crm.meetings(), Vec::<&Fields>::new());
    assert_eq!(world.kept[&Rid::Single].verdict, Verdict::LeftOut(Reason::Booked));
}

/// A booking may tell of itself after its meeting was logged: what was logged goes, unless people have written on it.
///
/// proves: B26
#[test]
fn what_was_logged_gives_way_to_a_booking_that_tells_later() {
    for edited in [false, true] {
        let mut world = World::new(SeriesPolicy::FirstAndChanged);
        world.rest();
        assert_eq!(world.crm.meetings().len(), 1);
        if edited {
            let meeting = world.crm.records.values_mut().find(|(role, _)| *role == Role::Meeting);
            meeting.expect("it was logged").1.insert(Std::Subject.into(), Value::Text("Our own words".to_owned()));
        }
        world.booked = Some(RecordId::from("booked"));
        world.rest();
        assert_eq!(world.crm.meetings().len(), usize::from(edited));
        let verdict = if edited { Verdict::Log } else { Verdict::LeftOut(Reason::Booked) };
        assert_eq!(world.kept[&Rid::Single].verdict, verdict);
        world.rest();
        assert_eq!(world.kept[&Rid::Single].verdict, verdict, "it is so for good");
    }
}

/// Who becomes the one that the meeting is with keeps the seat of before: some CRMs know but one tie between the two, and
/// would lose it.
///
/// proves: C4
#[test]
fn who_becomes_the_main_person_is_not_parted_from_the_meeting() {
    let mut world = World::new(SeriesPolicy::FirstAndChanged);
    world.act(&Act::Invite(5));
    world.rest();
    world.act(&Act::Uninvite(3));
    let sent = world.look(&[Fate::Done]);
    let deletes = |decision: &Decision| {
        let steps = decision.decided.iter().flat_map(|decided| &decided.plan.steps);
        steps.filter(|step| matches!(step.write, Write::Delete { .. })).count()
    };
    assert_eq!(sent.iter().map(deletes).sum::<usize>(), 0, "{sent:?}");
    world.rest();
    world.check();
}
