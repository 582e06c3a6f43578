//! However the messages come and however often is looked, the CRM ends up the same.
//!
//! Left out on purpose, because they are written only when a record is made and then belong to the CRM's people: the
//! fields of person and account, a case's status, origin, owner and person, an opportunity's stage, amount, owner and
//! account. They tell what was known when the record was made. And where leads are made and `create_contact` is chosen
//! for people who have an open one, an invitee of a group meeting who is taken up a second time has one by then, which
//! is what that setting is about. Where cancelled meetings are deleted, a case or opportunity that was made before the
//! cancellation stays; of a booking that was first seen cancelled none is made.

use proptest::prelude::*;

use super::{story::*, world::*};
use crate::{
    booking::{
        message::{BookingMessage, MessageKind},
        project::Ties,
        settings::{
            About, BookingSettings, CancelSettings, CaseSettings, GuestPolicy, OpenLead, OpportunitySettings,
            PersonMode, StatusValues,
        },
    },
    record::{Field, Fields, Record, Role, Slot, Std, Value},
};

pub fn status_values() -> StatusValues {
    StatusValues {
        booked: Some("booked".into()),
        rescheduled: Some("rescheduled".into()),
        reschedule_requested: Some("asked".into()),
        cancelled: Some("Termin storniert".into()),
        no_show: Some("no show".into()),
    }
}

pub fn settings() -> impl Strategy<Value = BookingSettings> {
    let person = prop_oneof![Just(PersonMode::Contact), Just(PersonMode::Lead), Just(PersonMode::ContactFirst)];
    let open_lead = prop_oneof![Just(OpenLead::CreateContact), Just(OpenLead::UseLead), Just(OpenLead::ContactFirst)];
    let about = prop_oneof![Just(About::Case), Just(About::Opportunity)];
    let guests = prop_oneof![Just(GuestPolicy::MatchOnly), Just(GuestPolicy::Create), Just(GuestPolicy::Ignore)];
    let switches =
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.8));
    (person, open_lead, about, guests, switches).prop_map(|(person, open_lead, about, guests, switches)| {
        let (case, opportunity, unconfirmed, show_as_free, status, create_person) = switches;
        BookingSettings {
            person,
            open_lead,
            about,
            unconfirmed,
            create_person,
            guests,
            own_domains: vec!["own.example".into()],
            case: case.then(|| CaseSettings { status: "New".into(), origin: Some("Web".into()) }),
            opportunity: opportunity.then(|| OpportunitySettings {
                stage: "Open".into(),
                close_after_days: 30,
                amount: None,
            }),
            cancel: CancelSettings { prefix: "[STORNIERT] ".into(), show_as_free, delete: false },
            status_field: status.then(|| "Status__c".into()),
            status_values: status_values(),
            // The same for all: what is mapped must converge like everything else.
            mappings: if show_as_free { super::mapped::steady().mappings } else { Vec::new() },
            records: if show_as_free { super::mapped::steady().records } else { Vec::new() },
            ..BookingSettings::default()
        }
    })
}

pub fn record(role: Role, number: usize, fields: &[(Std, Value)]) -> Record {
    let fields = fields.iter().map(|(field, value)| (Field::Std(*field), value.clone())).collect();
    Record { role, id: format!("{}-{number}", role.as_str()).as_str().into(), fields }
}

pub fn user(number: usize, email: &str) -> Record {
    record(Role::User, number, &[(Std::Email, Value::text(email)), (Std::Active, Value::Bool(true))])
}

fn host() -> Record {
    user(1, "host@own.example")
}

pub fn world() -> impl Strategy<Value = World> {
    let contact =
        record(Role::Contact, 1, &[(Std::Email, Value::text("Ada@Acme.example")), (Std::LastName, Value::text("L"))]);
    let lead = record(
        Role::Lead,
        1,
        &[(Std::Email, Value::text(INVITEE)), (Std::LastName, Value::text("L")), (Std::Company, Value::text("A"))],
    );
    let account = record(
        Role::Account,
        1,
        &[(Std::Website, Value::text("https://www.acme.example/")), (Std::Name, Value::text("A"))],
    );
    let stranger = record(Role::Contact, 2, &[(Std::Email, Value::text(STRANGER)), (Std::LastName, Value::text("T"))]);
    let grace = record(
        Role::Lead,
        2,
        &[(Std::Email, Value::text(GUEST)), (Std::LastName, Value::text("H")), (Std::Company, Value::text("A"))],
    );
    let all = vec![contact, lead, account, host(), stranger, grace, user(2, CO_HOST), user(3, COLLEAGUE)];
    prop::sample::subsequence(all, 0..=8).prop_map(|records| World::with(&records))
}

/// What of a slot's record must not depend on the order, with references to the booking's own records by their slot.
pub fn settled(desk: &Desk, slot: Slot) -> Option<Fields> {
    let kept: &[Std] = match slot {
        Slot::Account | Slot::GuestAccount(_) => &[Std::Name, Std::Website],
        Slot::Person | Slot::Guest(_) => &[Std::Email],
        Slot::Attendee(_) => &[Std::Meeting, Std::Attends, Std::Invited, Std::Related, Std::Response],
        // All of a further record is its own.
        Slot::Record(_) | Slot::Surplus(_) => &[Std::Key],
        Slot::Case => &[Std::Subject, Std::Description],
        Slot::Opportunity => &[Std::Name, Std::CloseDate],
        Slot::Meeting => &[
            Std::Subject,
            Std::Description,
            Std::Location,
            Std::Start,
            Std::End,
            Std::ShowAs,
            Std::Who,
            Std::What,
            Std::Account,
            Std::Case,
            Std::Opportunity,
            Std::Owner,
        ],
    };
    let fields = desk.clone().at(slot)?;
    let counts = |field: &Field| match field {
        Field::Std(field) => kept.contains(field),
        Field::Native(_) => true,
    };
    let by_slot = |value: Value| {
        let own = desk.links.iter().find(|(_, link)| value == Value::Id(link.id.clone()));
        own.map_or(value, |(slot, _)| Value::Slot(*slot))
    };
    // A field of the org's own that was cleared is as one that was never written.
    let blank = |field: &Field, value: &Value| matches!(field, Field::Native(_)) && *value == Value::Null;
    let fields = fields.into_iter().filter(|(field, value)| counts(field) && !blank(field, value));
    Some(fields.map(|(field, value)| (field, by_slot(value))).collect())
}

/// Who attends, by address, and what became of the invitation. Which number each has may depend on the order.
pub fn attending(desk: &Desk) -> Vec<(String, Option<Value>)> {
    let ours = desk.links.iter().filter(|(slot, _)| matches!(slot, Slot::Attendee(_)));
    let mut all: Vec<_> = ours
        .map(|(_, link)| {
            let email = link.image[&Std::Email.into()].as_text().expect("an address").to_owned();
            let response = desk.world.records.get(&link.id).expect("it is there").fields.get(&Std::Response.into());
            (email, response.filter(|response| **response != Value::Null).cloned())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// A desk in a CRM that ties a meeting to one record beside its person; or in one that ties it to all, and has no leads.
pub fn desk_in(mut world: World, mut settings: BookingSettings, ties: Ties) -> Desk {
    if ties == Ties::All {
        settings.leads = false;
        world.records.retain(|_, record| record.role != Role::Lead);
    }
    Desk { ties, ..Desk::new(world, settings) }
}

pub fn ties() -> impl Strategy<Value = Ties> {
    prop_oneof![Just(Ties::One), Just(Ties::All)]
}

const SLOTS: [Slot; 5] = [Slot::Account, Slot::Person, Slot::Case, Slot::Opportunity, Slot::Meeting];

fn all_at_once(desk: &Desk, messages: &[BookingMessage]) -> Desk {
    let mut desk = desk.clone();
    desk.work(messages);
    at_last(desk, messages)
}

fn one_by_one(desk: &Desk, messages: &[BookingMessage]) -> Desk {
    let mut desk = desk.clone();
    desk.work_one_by_one(messages);
    at_last(desk, messages)
}

/// Looks once more when nothing is waited for any longer.
fn at_last(mut desk: Desk, messages: &[BookingMessage]) -> Desk {
    desk.now = time(24 * 60);
    desk.work(messages);
    desk
}

proptest! {
    #![proptest_config(super::cases(100))]

    /// proves: B4
    #[test]
    fn every_order_ends_in_the_same_records(
        (story, other) in told(prop_oneof![story(), story_with_ties()]),
        settings in settings(),
        world in world(),
        waits in any::<bool>(),
        ties in ties(),
    ) {
        let settings_create_guests = settings.guests == GuestPolicy::Create;
        let mut desk = desk_in(world, settings, ties);
        if waits {
            // Every half of a reschedule is still waited for when it is first looked at.
            desk.now = time(0);
        }
        let once = all_at_once(&desk, &story.messages);
        for other in [one_by_one(&desk, &story.messages), one_by_one(&desk, &other), all_at_once(&desk, &other)] {
            for slot in SLOTS {
                prop_assert_eq!(settled(&other, slot), settled(&once, slot), "{:?}", slot);
            }
            for role in [Role::Case, Role::Opportunity, Role::Meeting, Role::Attendee] {
                prop_assert_eq!(other.count(role), once.count(role), "{:?}", role);
            }
            // Guests who came and left again stay known where they were seen.
            for role in [Role::Account, Role::Contact, Role::Lead] {
                prop_assert!(settings_create_guests || other.count(role) == once.count(role), "{:?}", role);
            }
            prop_assert_eq!(attending(&other), attending(&once));
        }
        prop_assert!(once.count(Role::Meeting) <= 1);
    }

    /// proves: B23, B4
    #[test]
    fn every_order_of_a_group_ends_in_the_same_meeting(
        (messages, other) in group_story().prop_flat_map(|(messages, _)| (Just(messages.clone()), shuffled(messages))),
        settings in settings(),
        ties in ties(),
    ) {
        prop_assume!(settings.person != PersonMode::Lead || settings.open_lead != OpenLead::CreateContact);
        let desk = desk_in(World::with(&[host()]), settings, ties);
        let once = all_at_once(&desk, &messages);
        let piecemeal = one_by_one(&desk, &other);
        for slot in [Slot::Meeting, Slot::Person] {
            prop_assert_eq!(settled(&piecemeal, slot), settled(&once, slot));
        }
        prop_assert!(piecemeal.count(Role::Meeting) <= 1);
    }

    /// proves: B2, B21: a look without news writes nothing, and there is one meeting whatever happened.
    #[test]
    fn a_second_look_writes_nothing(
        (_, other) in told(story_with_ties()),
        settings in settings(),
        world in world(),
        ties in ties(),
    ) {
        let mut desk = desk_in(world, settings, ties);
        for known in 1..=other.len() {
            desk.work(&other[..known]);
            let links = desk.links.clone();
            let again = desk.work(&other[..known]);
            prop_assert_eq!(again.plan.steps, vec![]);
            prop_assert_eq!(again.creates, vec![]);
            prop_assert_eq!(&desk.links, &links);
        }
        prop_assert!(desk.count(Role::Meeting) <= 1);
    }

    /// proves: B22: what is called off never looks as if it took place, and the prefix stands there once.
    #[test]
    fn what_is_called_off_shows_it_once((story, other) in told(story()), settings in settings()) {
        let mut desk = Desk::new(World::default(), settings);
        desk.work_one_by_one(&other);
        if desk.links.contains_key(&Slot::Meeting) {
            let subject = desk.text(Slot::Meeting, Std::Subject);
            let called_off = matches!(story.end, End::Cancelled | End::Rejected);
            prop_assert_eq!(subject.matches("[STORNIERT]").count(), usize::from(called_off));
            prop_assert_eq!(subject.starts_with("[STORNIERT] "), called_off);
            let free = called_off && desk.settings.cancel.show_as_free;
            prop_assert_eq!(desk.text(Slot::Meeting, Std::ShowAs), if free { "free" } else { "busy" });
            prop_assert_eq!(desk.record(Slot::Meeting).fields.get(&Std::Start.into()), Some(&Value::Time(story.start)));
            if desk.settings.status_field.is_some() {
                let status = desk.record(Slot::Meeting).fields.get(&Field::Native("Status__c".into()));
                prop_assert_eq!(status == Some(&Value::text("Termin storniert")), called_off);
            }
        } else {
            prop_assert!(matches!(story.end, End::Unconfirmed | End::Rejected));
        }
    }
}

/// proves: B21
#[test]
fn five_reschedules_leave_one_meeting_in_every_manner() {
    for manner in [Manner::NewBooking, Manner::Pair, Manner::BlindPair, Manner::SameBooking] {
        let story = tell(manner, false, &[(Act::Reschedule, 7); 5]);
        let mut desk = Desk::new(World::default(), BookingSettings::default());
        desk.work_one_by_one(&story.messages);
        assert_eq!((desk.count(Role::Meeting), desk.count(Role::Contact), desk.count(Role::Account)), (1, 1, 1));
        assert_eq!(desk.text(Slot::Meeting, Std::Description).matches("Rescheduled:").count(), 5);
        assert_eq!(desk.record(Slot::Meeting).fields[&Std::Start.into()], Value::Time(story.start));
    }
}

/// Somebody asks anew for what was called off, where requests are not written: the meeting is there, whether or not its
/// first booking was looked at before the rest came.
///
/// proves: B4
#[test]
fn a_request_after_a_cancellation_hides_nothing() {
    let again = message("b", 6, MessageKind::Requested, Some(booking(time(900))));
    let messages = [booked("a", 0, 600), cancelled("a", 5), replacing(again, "a")];
    let desk = Desk::new(World::default(), BookingSettings { unconfirmed: false, ..BookingSettings::default() });
    let [once, piecemeal] = [all_at_once(&desk, &messages), one_by_one(&desk, &messages)];
    assert_eq!(once.count(Role::Meeting), 1);
    for slot in SLOTS {
        assert_eq!(settled(&once, slot), settled(&piecemeal, slot), "{slot:?}");
    }
}

/// proves: B22: the meeting goes where the settings say so, and a new booking of the chain makes it anew.
#[test]
fn a_cancelled_meeting_can_be_deleted_and_comes_back() {
    let cancel = CancelSettings { delete: true, ..BookingSettings::default().cancel };
    let mut desk = Desk::new(World::default(), BookingSettings { cancel, ..BookingSettings::default() });
    let messages = [booked("a", 0, 600), cancelled("a", 1), booked("a", 2, 700)];
    desk.work(&messages[..1]);
    desk.work(&messages[..2]);
    assert_eq!((desk.count(Role::Meeting), desk.count(Role::Contact)), (0, 1));
    desk.work(&messages);
    assert_eq!(desk.count(Role::Meeting), 1);
    assert_eq!(desk.text(Slot::Meeting, Std::Subject), "Demo with Ada");
}

/// proves: B4: half a reschedule is waited for, then shown as what it looks like, then made good.
#[test]
fn half_a_reschedule_is_waited_for() {
    let mut settings = BookingSettings { status_field: Some("Status__c".into()), ..BookingSettings::default() };
    settings.status_values = status_values();
    let mut desk = Desk::new(World::default(), settings);
    desk.now = time(6);
    let messages = [booked("a", 0, 600), rescheduled_away("a", 5, Some("b")), replacing(booked("b", 5, 900), "a")];
    desk.work(&messages[..1]);
    let waits = desk.work(&messages[..2]);
    assert_eq!((waits.plan.steps.len(), waits.look_again), (0, Some(time(20))));
    let status = |desk: &Desk| desk.record(Slot::Meeting).fields[&Field::Native("Status__c".into())].clone();
    desk.now = time(20);
    desk.work(&messages[..2]);
    assert_eq!(status(&desk), Value::text("asked"));
    desk.work(&messages);
    assert_eq!(status(&desk), Value::text("rescheduled"));
}

/// proves: B4: a cancellation that comes before its booking never leaves an active meeting behind.
#[test]
fn a_tombstone_writes_nothing_until_the_booking_comes() {
    let mut desk = Desk::new(World::default(), BookingSettings::default());
    let gone = message("a", 5, cancelled("a", 5).kind, Some(booking(time(600))));
    desk.work(std::slice::from_ref(&gone));
    assert_eq!(desk.world.records.len(), 0);
    desk.work(&[gone, booked("a", 0, 600)]);
    assert_eq!(desk.text(Slot::Meeting, Std::Subject), "[CANCELLED] Demo with Ada");
}
