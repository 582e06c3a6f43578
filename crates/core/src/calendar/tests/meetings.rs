//! One meeting, several reps' calendars and a CRM, whatever happens to them.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    cases,
    engine::{CONTACTS, Calendar, World},
    world::{PEOPLE, attendee, contents, event, instant, meeting, party},
};
use crate::{
    calendar::{
        eligible::Verdict,
        event::{Body, Content, Event, Moment, Reply, Status},
        meeting::{
            AttendeeRules, CalendarDelete, Clash, Copy, CrmDelete, DeleteSettings, FieldRules, OnRecordDeleted,
            Standing, Sweep, merge_attendees, merge_fields, on_calendar_delete, on_crm_delete, sweep, unite,
        },
        privacy::{OnPrivate, Privacy, PrivacyOptions},
        recur::Window,
    },
    ids::RecordId,
    record::{Field, Fields, Std, Value},
};

/// The organiser's calendar and a colleague's, with the same meeting.
fn two(content: &Content) -> Vec<Calendar> {
    let calendar = |n: usize, organizes| Calendar {
        link: format!("cal{n}"),
        rep: PEOPLE[n].to_owned(),
        organizes,
        event: event(content.clone()),
    };
    vec![calendar(0, true), calendar(1, false)]
}

fn open(world: &mut World, calendar: usize) -> Option<&mut Content> {
    match &mut world.calendars[calendar].event.body {
        Body::Open(content) => Some(content),
        _ => None,
    }
}

fn text(fields: &Fields, field: Std) -> Option<&str> {
    fields.get(&field.into()).and_then(Value::as_text)
}

/// proves: C4, C9
#[test]
fn a_meeting_of_two_reps_is_one_record() {
    let mut world = World::new(two(&meeting(&[PEOPLE[1], PEOPLE[3], PEOPLE[5], PEOPLE[4]])));
    let plan = world.round();
    insta::assert_debug_snapshot!(plan.steps.iter().map(|step| step.slot.to_string()).collect::<Vec<_>>(), @r#"
    [
        "meeting",
        "attendee_1",
        "attendee_2",
    ]
    "#);
    let meetings = world.crm.meetings();
    assert_eq!(meetings.len(), 1);
    assert_eq!(text(meetings[0], Std::Subject), Some("Plan"));
    assert_eq!(text(meetings[0], Std::Owner), Some("u0"));
    assert_eq!(text(meetings[0], Std::Who), Some("c0"));
    // A reply, a move, and everything is in step again.
    open(&mut world, 0).unwrap().attendees[2].reply = Reply::Declined;
    open(&mut world, 0).unwrap().end = Moment::utc(instant("2026-03-16T10:00:00Z"));
    assert_eq!(world.round().steps.len(), 2);
    assert_eq!(world.round().steps, []);
}

/// proves: C4
#[test]
fn the_organisers_word_cancels_and_no_guest_does() {
    let fresh = || {
        let mut world = World::new(two(&meeting(&[PEOPLE[1], PEOPLE[3]])));
        world.round();
        world
    };
    // A colleague throws the copy away.
    let mut world = fresh();
    world.calendars[1].event.body = Body::Bare;
    world.calendars[1].event.status = Status::Cancelled;
    world.round();
    assert_eq!(text(world.crm.meetings()[0], Std::Subject), Some("Plan"));
    // The organiser calls it off, and the calendar still tells what it was.
    let mut world = fresh();
    world.calendars[0].event.status = Status::Cancelled;
    world.round();
    assert_eq!(text(world.crm.meetings()[0], Std::Subject), Some("[CANCELLED] Plan"));
    assert_eq!(world.round().steps, []);
    // The organiser's copy is gone, and so is every other.
    let mut world = fresh();
    for calendar in &mut world.calendars {
        calendar.event.body = Body::Bare;
    }
    world.round();
    assert_eq!(text(world.crm.meetings()[0], Std::Subject), Some("[CANCELLED] Plan"));
    assert_eq!(world.round().steps, []);
}

/// Some calendars call the copy cancelled that a guest took away, and keep what it said.
///
/// proves: C4
#[test]
fn a_guest_who_declined_and_left_cancels_nothing() {
    let mut world = World::new(two(&meeting(&[PEOPLE[1], PEOPLE[3]])));
    world.calendars.remove(0);
    world.round();
    world.calendars[0].event.status = Status::Cancelled;
    open(&mut world, 0).unwrap().attendees[0].reply = Reply::Declined;
    world.round();
    assert_eq!(text(world.crm.meetings()[0], Std::Subject), Some("Plan"));
    // The same copy without the reply is the organiser's word.
    open(&mut world, 0).unwrap().attendees[0].reply = Reply::Accepted;
    world.round();
    assert_eq!(text(world.crm.meetings()[0], Std::Subject), Some("[CANCELLED] Plan"));
}

/// proves: C8
#[test]
fn a_record_is_frozen_while_its_meeting_is_private() {
    let mut world = World::new(two(&meeting(&[PEOPLE[3]])));
    world.round();
    let before = world.crm.clone();
    let content = world.calendars[0].event.content().unwrap().clone();
    for calendar in &mut world.calendars {
        calendar.event = calendar.event.clone().hidden();
    }
    assert_eq!((world.round().steps, world.kept.privacy), (vec![], Privacy::Frozen));
    assert_eq!(world.crm, before);
    // Open again, it is brought up to date.
    world.calendars[0].event.body = Body::Open(Box::new(Content { summary: "New".into(), ..content }));
    world.round();
    assert_eq!(text(world.crm.meetings()[0], Std::Subject), Some("New"));
}

/// proves: C8
#[test]
fn an_admin_may_have_the_texts_taken_back() {
    let mut world = World::new(two(&Content { description: "secret".into(), ..meeting(&[PEOPLE[3]]) }));
    world.options = PrivacyOptions { on_private: OnPrivate::Redact, ..PrivacyOptions::default() };
    world.round();
    for calendar in &mut world.calendars {
        calendar.event = calendar.event.clone().hidden();
    }
    world.round();
    let record = world.crm.meetings()[0];
    assert_eq!((text(record, Std::Subject), text(record, Std::Description)), (Some("Meeting"), None));
}

/// What may happen.
#[derive(Clone, Debug)]
enum Act {
    Edit(usize, Box<Content>),
    Private(usize),
    Public(usize, Box<Content>),
    Gone(usize),
    CallOff,
    EditCrm(Std, String),
    Round,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = prop_oneof![
        3 => (0..2usize, contents()).prop_map(|(n, content)| Act::Edit(n, Box::new(content))),
        2 => (0..2usize).prop_map(Act::Private),
        2 => (0..2usize, contents()).prop_map(|(n, content)| Act::Public(n, Box::new(content))),
        1 => (0..2usize).prop_map(Act::Gone),
        1 => Just(Act::CallOff),
        2 => (prop::sample::select(vec![Std::Subject, Std::Location, Std::Owner]), "[x-z]{0,2}").prop_map(|(field, text)| Act::EditCrm(field, text)),
        4 => Just(Act::Round),
    ];
    prop::collection::vec(one, 1..14)
}

fn apply(world: &mut World, act: &Act) {
    match act {
        Act::Edit(n, content) => {
            let calendar = &mut world.calendars[*n];
            if calendar.event.content().is_some() {
                calendar.event.body = Body::Open(content.clone());
                calendar.event.sequence += 1;
            }
        }
        Act::Private(n) => world.calendars[*n].event = world.calendars[*n].event.clone().hidden(),
        Act::Public(n, content) => world.calendars[*n].event.body = Body::Open(content.clone()),
        Act::Gone(n) => world.calendars[*n].event.body = Body::Bare,
        Act::CallOff => world.calendars[0].event.status = Status::Cancelled,
        Act::EditCrm(field, text) => {
            let records = world.crm.records.values_mut();
            for (_, fields) in records.filter(|(role, _)| *role == crate::record::Role::Meeting) {
                fields.insert((*field).into(), Value::text(text));
            }
        }
        Act::Round => drop(world.round()),
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Two rounds after whatever happened, a third finds nothing to do: there is one record of the meeting at the most, and
    /// no more than one place for anybody.
    ///
    /// proves: C4, C9
    #[test]
    fn everything_comes_to_rest(content in contents(), acts in acts(), back: bool, crm_wins: bool) {
        let mut world = World::new(two(&content));
        world.rules = FieldRules { back, clash: if crm_wins { Clash::Crm } else { Clash::Calendar } };
        for act in &acts {
            apply(&mut world, act);
            prop_assert!(world.crm.meetings().len() <= 1);
        }
        world.round();
        // A calendar may lack what it was told, as a CRM wants a subject where an event needs none.
        world.round();
        prop_assert_eq!(world.round().steps, vec![]);
        let seats: Vec<_> = world.crm.records.values().filter_map(|(_, fields)| fields.get(&Std::Attends.into())).collect();
        let different: BTreeSet<String> = seats.iter().map(|who| format!("{who:?}")).collect();
        prop_assert_eq!(different.len(), seats.len());
    }

    /// Whoever does not come any more has no place, whether or not the meeting was with them, and where a CRM seats whom it
    /// is with like everybody else. Where nobody comes who is in the CRM, it stays with whom it was.
    ///
    /// proves: C9
    #[test]
    fn whoever_left_has_no_place(all in prop::collection::vec(contents(), 1..4), seats_everybody: bool) {
        let mut world = World::new(two(&all[0]));
        world.crm.seats_everybody = seats_everybody;
        for content in &all {
            for n in 0..2 {
                apply(&mut world, &Act::Edit(n, Box::new(content.clone())));
            }
            world.round();
        }
        world.round();
        prop_assume!(world.kept.verdict == Verdict::Log);
        let people = all.last().map(Content::people).unwrap_or_default();
        let comes = |email: &&str| people.iter().any(|who| who.email == **email);
        let contacts = (0..).map(|n| Value::Id(RecordId::new(format!("c{n}")))).zip(CONTACTS);
        let has_place = |who: &Value| world.crm.records.values().any(|(_, fields)| fields.get(&Std::Attends.into()) == Some(who));
        let who = world.crm.meetings()[0].get(&Std::Who.into()).cloned();
        let left: Vec<_> = contacts.filter(|(_, email)| !comes(email)).collect();
        let nobody = left.len() == CONTACTS.len();
        let idle: Vec<_> = left.iter().filter(|(id, _)| has_place(id) && !(nobody && who.as_ref() == Some(id))).collect();
        prop_assert!(idle.is_empty(), "{:?} of {:?}", idle, people);
    }

    /// Two worlds that differ in nothing but what private events say are told apart by nobody: not by the CRM, not by what
    /// is stored, not by a log.
    ///
    /// proves: C8
    #[test]
    fn private_texts_are_told_to_nobody(content in contents(), secrets in prop::collection::vec(contents(), 2), acts in acts(), redact: bool) {
        let run = |secret: &Content| {
            let mut world = World::new(two(&content));
            world.options.on_private = if redact { OnPrivate::Redact } else { OnPrivate::Keep };
            for act in &acts {
                // The reader of a calendar hides what is private, whatever is in it.
                if let Act::Private(n) = act {
                    world.calendars[*n].event.body = Body::Open(Box::new(secret.clone()));
                    world.calendars[*n].event.sequence = secret.summary.len() as u32;
                }
                apply(&mut world, act);
            }
            world.round();
            let stored: Vec<String> = world.calendars.iter().map(|one| serde_json::to_string(&one.event).unwrap()).collect();
            (world.crm, world.log, stored, world.kept.privacy)
        };
        prop_assert_eq!(run(&secrets[0]), run(&secrets[1]));
    }

    /// As long as the meeting is private, its record stays as it is.
    ///
    /// proves: C8
    #[test]
    fn nothing_is_written_while_frozen(content in contents(), acts in acts(), more in acts()) {
        let mut world = World::new(two(&content));
        acts.iter().for_each(|act| apply(&mut world, act));
        for calendar in &mut world.calendars {
            calendar.event = calendar.event.clone().hidden();
        }
        world.round();
        let before = world.log.len();
        for act in more.iter().filter(|act| matches!(act, Act::Private(_) | Act::Gone(1) | Act::CallOff | Act::EditCrm(..) | Act::Round)) {
            apply(&mut world, act);
        }
        prop_assert_eq!(world.log.len(), before);
    }

    /// Events from before the connection, and those among ourselves, make no record, whatever happens to them.
    ///
    /// proves: C5, C6
    #[test]
    fn what_is_not_to_be_known_never_is(content in contents(), acts in acts(), baseline: bool) {
        let ours = |content: &Content| {
            let mut content = content.clone();
            content.attendees.retain(|one| one.who.email.ends_with("ours.example"));
            content.organizer = content.organizer.filter(|who| who.email.ends_with("ours.example"));
            content
        };
        let inside = |content: &Content| if baseline { content.clone() } else { ours(content) };
        let mut world = World::new(two(&inside(&content)));
        world.known.baseline = baseline;
        for act in &acts {
            let act = match act {
                Act::Edit(n, content) => Act::Edit(*n, Box::new(inside(content))),
                Act::Public(n, content) => Act::Public(*n, Box::new(inside(content))),
                other => other.clone(),
            };
            apply(&mut world, &act);
        }
        world.round();
        prop_assert!(world.crm.records.is_empty());
    }

    /// Neither the order of the copies nor that of their people means anything.
    ///
    /// proves: C9
    #[test]
    fn the_order_of_copies_means_nothing(
        contents in prop::collection::vec(contents(), 3),
        states in prop::collection::vec((0..5u8, 0..3u32, any::<bool>()), 3),
        turn in 0..3usize,
    ) {
        let events: Vec<Event> = contents.into_iter().zip(&states).map(|(content, (state, sequence, _))| {
            let event = Event { sequence: *sequence, ..event(content) };
            match state {
                0 => event.hidden(),
                1 => Event { body: Body::Bare, ..event },
                2 => Event { status: Status::Cancelled, ..event },
                _ => event,
            }
        }).collect();
        let mut copies: Vec<Copy<'_>> = events.iter().zip(&states).enumerate().map(|(n, (event, (.., organizes)))| Copy {
            link: ["a", "b", "c"][n], linked: n as u32 % 2, rep: PEOPLE[n % 2], event, organizes: *organizes,
        }).collect();
        let one = unite(&copies);
        copies.rotate_left(turn);
        copies.reverse();
        prop_assert_eq!(&unite(&copies), &one);
        // With the private ones away, everything is the same.
        copies.retain(|copy| copy.event.body != Body::Private);
        prop_assert_eq!(unite(&copies), one);
    }

    /// A guest's copy that is gone cancels nothing.
    ///
    /// proves: C4
    #[test]
    fn a_guests_copy_that_is_gone_cancels_nothing(contents in prop::collection::vec(contents(), 3), gone in 0..4usize) {
        let events: Vec<Event> = contents.into_iter().enumerate().map(|(n, content)| {
            let body = if n > 0 && n <= gone { Body::Bare } else { Body::Open(Box::new(content.clone())) };
            Event { body, status: if n > 0 && n <= gone { Status::Cancelled } else { Status::Confirmed }, ..event(content) }
        }).collect();
        let copies: Vec<Copy<'_>> = events.iter().enumerate().map(|(n, event)| Copy {
            link: ["a", "b", "c"][n], linked: n as u32, rep: PEOPLE[n], event, organizes: false,
        }).collect();
        prop_assert_eq!(unite(&copies).standing, Standing::On);
        prop_assert_eq!(unite(&copies[1..]).standing, if gone >= 2 { Standing::Unseen } else { Standing::On });
    }
}

fn fields(values: &[(Std, &str)]) -> Fields {
    values.iter().map(|(field, text)| ((*field).into(), Value::text(*text))).collect()
}

/// proves: C2, C9
#[test]
fn edits_travel_as_chosen() {
    let base = fields(&[(Std::Subject, "a"), (Std::Start, "1"), (Std::End, "2"), (Std::Owner, "u")]);
    let crm = fields(&[(Std::Subject, "b"), (Std::Start, "1"), (Std::End, "3"), (Std::Owner, "v")]);
    let back = FieldRules { back: true, clash: Clash::Calendar };
    let merged = merge_fields(&base, Some(&crm), &base, back);
    assert_eq!(merged.to_calendar, fields(&[(Std::Subject, "b"), (Std::Start, "1"), (Std::End, "3")]));
    assert_eq!((merged.to_crm, merged.kept), (Fields::new(), vec![Field::Std(Std::Owner)]));
    // Nobody wants them back: they stay, and the calendar's own change goes over them.
    let stays = merge_fields(&base, Some(&crm), &base, FieldRules::default());
    assert_eq!((stays.to_crm, stays.to_calendar, stays.agreed), (Fields::new(), Fields::new(), base.clone()));
    let moved = fields(&[(Std::Subject, "a"), (Std::Start, "5"), (Std::End, "6"), (Std::Owner, "u")]);
    let over = merge_fields(&base, Some(&crm), &moved, FieldRules::default());
    assert_eq!(over.to_crm, fields(&[(Std::Start, "5"), (Std::End, "6")]));
    let crm_wins = merge_fields(&base, Some(&crm), &moved, FieldRules { clash: Clash::Crm, ..back });
    assert_eq!(crm_wins.to_calendar, fields(&[(Std::Subject, "b"), (Std::Start, "1"), (Std::End, "3")]));
}

fn values() -> impl Strategy<Value = Fields> {
    let field = prop::sample::select(vec![Std::Subject, Std::Location, Std::Start, Std::End, Std::Owner]);
    prop::collection::btree_map(field.prop_map(Field::from), "[ab]?".prop_map(Value::Text), 0..5)
}

proptest! {
    #![proptest_config(cases(500))]

    /// What is done once is not done twice, and no value comes from nowhere.
    ///
    /// proves: C9
    #[test]
    fn a_merge_settles(base in values(), mut crm in values(), mut calendar in values(), back: bool, crm_wins: bool) {
        let rules = FieldRules { back, clash: if crm_wins { Clash::Crm } else { Clash::Calendar } };
        let one = merge_fields(&base, Some(&crm), &calendar, rules);
        for (field, value) in &one.to_crm {
            prop_assert_eq!(calendar.get(field).unwrap_or(&Value::Null), value);
        }
        for (field, value) in &one.to_calendar {
            let known = crm.get(field).or(base.get(field)).unwrap_or(&Value::Null);
            prop_assert_eq!(known, value);
        }
        crm.extend(one.to_crm);
        calendar.extend(one.to_calendar);
        let two = merge_fields(&one.agreed, Some(&crm), &calendar, rules);
        prop_assert!(two.to_crm.is_empty() && two.to_calendar.is_empty());
        prop_assert_eq!(two.kept, one.kept);
    }

    /// Everybody added anywhere comes to both, nobody leaves the event unless chosen so, and what others replied stays.
    ///
    /// proves: C2, C9
    #[test]
    fn attendees_are_added_and_never_lost(
        content in contents(),
        base in prop::collection::btree_set(0..PEOPLE.len(), 0..5),
        crm in prop::collection::btree_set(0..PEOPLE.len(), 0..5),
        uninvite in prop::collection::btree_set(0..PEOPLE.len(), 0..5),
        (invite, whole, may_write) in any::<(bool, bool, bool)>(),
    ) {
        let name = |all: BTreeSet<usize>| -> BTreeSet<String> { all.into_iter().map(|n| PEOPLE[n].to_owned()).collect() };
        let (base, mut crm) = (name(base), name(crm));
        let mut content = Content { attendees_whole: whole, ..content };
        // Those whom the CRM had invited: whom the calendar's owner did is not among them.
        let uninvite = name(uninvite);
        let rules = AttendeeRules { invite, uninvite: &uninvite };
        let one = merge_attendees(&base, &crm, &content, may_write, rules);
        if let Some(send) = &one.send {
            prop_assert!(may_write && whole);
            for before in &content.attendees {
                prop_assert!(send.contains(before) || one.uninvited.contains(&before.who.email));
            }
            for added in send.iter().filter(|added| !content.attendees.contains(added)) {
                prop_assert!(invite && added.reply == Reply::Awaited && crm.contains(&added.who.email));
            }
            content.attendees = send.clone();
        }
        prop_assert!(one.uninvited.is_subset(&uninvite) && (may_write || one.uninvited.is_empty()));
        crm.extend(one.add_to_crm.iter().cloned());
        crm.retain(|email| !one.remove_from_crm.contains(email));
        let two = merge_attendees(&one.agreed, &crm, &content, may_write, rules);
        prop_assert!(two.send.is_none() && two.add_to_crm.is_empty() && two.remove_from_crm.is_empty());
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// Nothing outside what was read with authority is ever asked for, and never are many taken for gone at once.
    ///
    /// proves: C10
    #[test]
    fn a_sweep_stays_within_what_was_read(starts in prop::collection::vec(0..100i64, 0..60), shown in prop::collection::vec(any::<bool>(), 60), from in 0..100i64, days in 0..60i64, whole: bool) {
        let at = |day: i64| instant("2026-01-01T00:00:00Z") + SignedDuration::from_hours(24 * day);
        let known: Vec<_> = starts.iter().enumerate().map(|(n, day)| (crate::calendar::event::EventId(format!("e{n:02}")), at(*day))).collect();
        let seen: BTreeSet<_> = known.iter().zip(&shown).filter(|(_, shown)| **shown).map(|((id, _), _)| id.clone()).collect();
        let window = Window { from: at(from), to: at(from + days) };
        let within: Vec<_> = known.iter().filter(|(_, start)| window.has(*start)).collect();
        let missing: Vec<_> = within.iter().map(|(id, _)| id.clone()).filter(|id| !seen.contains(id)).collect();
        match sweep(&known, &seen, whole.then_some(window)) {
            Sweep::Nothing => prop_assert!(!whole || missing.is_empty()),
            Sweep::Confirm(ids) => {
                prop_assert!(whole && !seen.is_empty());
                prop_assert!(ids.len() <= 10.max(within.len() / 5));
                prop_assert_eq!(ids, missing);
            }
            Sweep::Ask(ids) => {
                prop_assert!(whole && (ids.len() > 10.max(within.len() / 5) || seen.is_empty()));
                prop_assert_eq!(ids, missing);
            }
        }
    }
}

/// proves: C3
#[test]
fn a_deleted_record_leaves_the_event_unless_chosen_otherwise() {
    let with = |on_record_deleted| DeleteSettings { on_record_deleted, ..DeleteSettings::default() };
    for organizes in [true, false] {
        assert_eq!(on_crm_delete(organizes, false, DeleteSettings::default()), CrmDelete::Nothing);
    }
    let tell = with(OnRecordDeleted::DeleteAndTell);
    assert_eq!(on_crm_delete(true, false, tell), CrmDelete::DeleteForAll { tell: true });
    assert_eq!(on_crm_delete(false, false, tell), CrmDelete::Decline);
    assert_eq!(on_crm_delete(true, true, tell), CrmDelete::Nothing);
    let quiet = with(OnRecordDeleted::DeleteQuietly);
    assert_eq!(on_crm_delete(true, false, quiet), CrmDelete::DeleteForAll { tell: false });
}

/// proves: C4
#[test]
fn a_deleted_event_is_marked_once_it_is_known_to_be_gone() {
    let settings = DeleteSettings::default();
    let of = |confirmed, standing, privacy| on_calendar_delete(confirmed, standing, privacy, settings);
    assert_eq!(of(false, Standing::Cancelled, Privacy::Synced), CalendarDelete::Confirm);
    assert_eq!(of(true, Standing::Cancelled, Privacy::Synced), CalendarDelete::MarkCancelled);
    assert_eq!(of(true, Standing::On, Privacy::Synced), CalendarDelete::DropRep);
    assert_eq!(of(true, Standing::Unseen, Privacy::Synced), CalendarDelete::Nothing);
    assert_eq!(of(true, Standing::Cancelled, Privacy::Frozen), CalendarDelete::Nothing);
    let delete = DeleteSettings { delete_record: true, ..settings };
    let deleted = on_calendar_delete(true, Standing::Cancelled, Privacy::Synced, delete);
    assert_eq!(deleted, CalendarDelete::DeleteRecord);
}

#[test]
fn the_world_has_a_room_that_is_nobody() {
    let mut content = meeting(&[PEOPLE[2]]);
    content.organizer = Some(party(PEOPLE[2]));
    assert_eq!(attendee(PEOPLE[2]).who, party(PEOPLE[2]));
    let mut world = World::new(two(&content));
    assert_eq!(world.round().steps, []);
}
