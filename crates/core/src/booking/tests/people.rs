//! Guests, co-hosts and seats: who comes to the meeting, as whom, and who leaves again.

use proptest::prelude::*;

use super::{
    converge::{record, user},
    story::*,
    world::*,
};
use crate::{
    booking::{
        message::{Attendee, Booking, BookingMessage, MessageKind},
        settings::{BookingSettings, CaseSettings, GuestPolicy, OpportunitySettings, PersonMode},
    },
    record::{Record, Role, Slot, Std, Value},
};

fn guest(email: &str, name: &str) -> Attendee {
    Attendee { email: email.into(), full_name: Some(name.into()), ..Attendee::default() }
}

fn with(change: impl FnOnce(&mut Booking)) -> BookingMessage {
    let mut content = booking(time(6000));
    change(&mut content);
    message("a", 0, MessageKind::Booked, Some(content))
}

fn updated(at: i64, change: impl FnOnce(&mut Booking)) -> BookingMessage {
    let mut content = booking(time(6000));
    change(&mut content);
    message("a", at, MessageKind::Updated, Some(content))
}

fn person(role: Role, number: usize, email: &str) -> Record {
    let fields =
        [(Std::Email, Value::text(email)), (Std::LastName, Value::text("P")), (Std::Company, Value::text("C"))];
    record(role, number, &fields[..if role == Role::Lead { 3 } else { 2 }])
}

fn settings(guests: GuestPolicy) -> BookingSettings {
    BookingSettings { guests, own_domains: vec!["own.example".into()], ..BookingSettings::default() }
}

/// Who attends the meeting in the CRM: contacts, leads and users by their id.
fn attending(desk: &Desk) -> Vec<String> {
    let meeting = &desk.links[&Slot::Meeting].id;
    let mut all: Vec<String> =
        desk.world.attendees(meeting).into_iter().map(|(id, _)| id.as_str().to_owned()).collect();
    all.sort();
    all
}

fn notes(decision: &crate::booking::diff::Decision, code: &str) -> usize {
    decision.notes.iter().filter(|note| note.code == code).count()
}

/// proves: B16: a contact and a lead come, a stranger is named only.
#[test]
fn guests_who_are_known_attend_and_all_are_named() {
    let known = [person(Role::Contact, 5, GUEST), person(Role::Lead, 6, "lead@beta.example")];
    let mut desk = Desk::new(World::with(&known), settings(GuestPolicy::MatchOnly));
    let said = with(|content| {
        content.guests =
            vec![guest("Grace@ACME.example", "Grace"), guest("lead@beta.example", "Lee"), guest(STRANGER, "Alan")];
    });
    let decision = desk.work(&[said]);
    assert_eq!(attending(&desk), ["contact-5", "lead-6"]);
    assert_eq!((desk.count(Role::Contact), desk.count(Role::Lead)), (2, 1), "no stranger is made a contact");
    for name in ["Grace", "Lee", "Alan"] {
        assert!(desk.text(Slot::Meeting, Std::Description).contains(name));
    }
    assert_eq!((notes(&decision, "not_created"), notes(&decision, "matched")), (1, 2));
}

/// proves: B16: those who are not known are created, with the account of their company; guests of one company share it.
#[test]
fn guests_are_created_where_the_settings_say_so() {
    let mut desk = Desk::new(World::default(), settings(GuestPolicy::Create));
    let guests = vec![
        guest(GUEST, "Grace Hopper"),
        guest(STRANGER, "Alan Turing"),
        guest("joan@beta.example", "Joan Clarke"),
        guest("someone@gmail.com", "Some One"),
        guest(COLLEAGUE, "Col League"),
    ];
    desk.work(&[with(|content| content.guests = guests)]);
    assert_eq!(attending(&desk).len(), 4, "a colleague is no contact");
    assert_eq!((desk.count(Role::Contact), desk.count(Role::Account)), (5, 3), "acme, beta, and one for the free mail");
    let account = |email: &str| {
        let contact = desk.world.records.values().find(|record| record.text(Std::Email) == Some(email));
        contact.and_then(|contact| contact.fields.get(&Std::Account.into())).cloned()
    };
    assert_eq!(account(GUEST), account(INVITEE));
    assert_eq!(account(STRANGER), account("joan@beta.example"));
    assert_ne!(account(STRANGER), account(INVITEE));
}

/// proves: B16: in lead mode a guest who is not known becomes a lead, and a lead as main person is related to nobody else.
#[test]
fn leads_and_contacts_come_together() {
    let base = settings(GuestPolicy::Create);
    let mut desk = Desk::new(
        World::with(&[person(Role::Contact, 5, GUEST)]),
        BookingSettings { person: PersonMode::Lead, ..base },
    );
    desk.relates_many = true;
    desk.work(&[with(|content| content.guests = vec![guest(GUEST, "Grace"), guest(STRANGER, "Alan")])]);
    assert_eq!((desk.count(Role::Lead), attending(&desk).len()), (2, 2));
    let meeting = &desk.links[&Slot::Meeting].id;
    assert!(desk.world.attendees(meeting).iter().all(|(_, attendee)| !attendee.is(Std::Related)));
}

/// proves: B16: sixty guests, leads and contacts mixed; where the CRM relates a meeting to several people, fifty contacts
/// are related, the invitee among them, and all are invited.
#[test]
fn sixty_guests_come() {
    for relates_many in [false, true] {
        let email = |number: usize| format!("guest{number}@beta.example");
        let known: Vec<Record> = (0..60)
            .map(|number| {
                person(if number % 10 == 0 { Role::Lead } else { Role::Contact }, 100 + number, &email(number))
            })
            .collect();
        let mut desk = Desk::new(World::with(&known), settings(GuestPolicy::MatchOnly));
        desk.relates_many = relates_many;
        let said = with(|content| content.guests = (0..60).map(|number| guest(&email(number), "G")).collect());
        let decision = desk.work(std::slice::from_ref(&said));
        assert_eq!(decision.plan.steps.len(), 3 + 60, "account, contact, meeting, and each guest's place");
        let meeting = &desk.links[&Slot::Meeting].id;
        let attendees = desk.world.attendees(meeting);
        assert!(attendees.iter().all(|(_, attendee)| attendee.is(Std::Invited)));
        let related = attendees.iter().filter(|(_, attendee)| attendee.is(Std::Related)).count();
        assert_eq!(related, if relates_many { 49 } else { 0 });
        assert_eq!(desk.work(&[said]).plan.steps, vec![]);
    }
}

/// proves: B17: users attend by their address; the owner does not, nor does an inactive user, nor anybody twice.
#[test]
fn co_hosts_attend_and_the_owner_does_not() {
    let mut inactive = user(3, "left@own.example");
    inactive.fields.insert(Std::Active.into(), Value::Bool(false));
    let users = [user(1, "host@own.example"), user(2, CO_HOST), inactive];
    let mut desk = Desk::new(World::with(&users), settings(GuestPolicy::Create));
    let said = with(|content| {
        bring(content, 0b110_0000);
        content.hosts.push(content.hosts[1].clone());
        content.hosts.push(content.hosts[0].clone());
        content.guests = vec![guest(CO_HOST, "Co"), guest("left@own.example", "Left")];
    });
    let decision = desk.work(&[said]);
    assert_eq!(attending(&desk), ["user-2"]);
    assert_eq!(notes(&decision, "co_host_unknown"), 1, "{:?}", decision.notes);
}

/// proves: B17: where somebody else owns the meeting, its host attends.
#[test]
fn a_host_who_does_not_own_the_meeting_attends() {
    let users = [user(1, "host@own.example"), user(2, CO_HOST), user(5, "routed@own.example")];
    let routes = [("https://meet.example/abc".to_owned(), "user-5".to_owned())].into();
    let base = settings(GuestPolicy::MatchOnly);
    let mut desk = Desk::new(World::with(&users), BookingSettings { owner_routes: routes, ..base });
    desk.work(&[with(|content| bring(content, 0b010_0000))]);
    assert_eq!(attending(&desk), ["user-1", "user-2"]);
}

/// proves: B17: a colleague among the guests who is a user comes as one.
#[test]
fn a_colleague_comes_as_a_user() {
    let mut desk = Desk::new(World::with(&[user(2, COLLEAGUE)]), settings(GuestPolicy::Create));
    desk.work(&[with(|content| content.guests = vec![guest(COLLEAGUE, "Col")])]);
    assert_eq!(attending(&desk), ["user-2"]);
}

/// proves: B17, B18
#[test]
fn whoever_is_added_comes_and_whoever_is_removed_leaves() {
    let known = [person(Role::Contact, 5, GUEST), person(Role::Contact, 6, STRANGER), user(2, CO_HOST)];
    let mut desk = Desk::new(World::with(&known), settings(GuestPolicy::MatchOnly));
    let messages = [
        with(|content| bring(content, 0b000_0001)),
        updated(1, |content| bring(content, 0b010_0010)),
        updated(2, |content| bring(content, 0b000_0011)),
        updated(3, |content| bring(content, 0)),
    ];
    let expected: [&[&str]; 4] = [&["contact-5"], &["contact-6", "user-2"], &["contact-5", "contact-6"], &[]];
    for (known, expected) in expected.iter().enumerate() {
        desk.work(&messages[..=known]);
        assert_eq!(attending(&desk), *expected);
        assert_eq!(desk.work(&messages[..=known]).plan.steps, vec![]);
    }
}

/// proves: B18: what people of the CRM did to the attendees is no obstacle.
#[test]
fn somebody_else_invites_and_uninvites() {
    let known = [person(Role::Contact, 5, GUEST), person(Role::Contact, 6, STRANGER)];
    let mut desk = Desk::new(World::with(&known), settings(GuestPolicy::MatchOnly));
    let messages = [with(|content| bring(content, 0b01)), updated(1, |content| bring(content, 0b10))];
    desk.work(&messages[..1]);
    let meeting = desk.links[&Slot::Meeting].id.clone();
    // Grace is taken off by hand, and Alan was put on by hand.
    let mut attendee = desk.world.attendees(&meeting)[0].1.clone();
    desk.world.records.remove(&attendee.id);
    attendee.id = "attendee-7".into();
    attendee.fields.insert(Std::Attends.into(), Value::Id("contact-6".into()));
    desk.world.records.insert(attendee.id.clone(), attendee);
    desk.work(&messages);
    assert_eq!(attending(&desk), ["contact-6"]);
}

/// proves: B23: marked per attendee, and taken back.
#[test]
fn not_coming_is_marked_per_attendee() {
    let mut desk = Desk::new(World::with(&[person(Role::Contact, 5, GUEST)]), settings(GuestPolicy::MatchOnly));
    let mark = |at, absent| message("a", at, MessageKind::NoShow { attendees: vec![(GUEST.into(), absent)] }, None);
    let messages = [with(|content| bring(content, 1)), mark(1, true), mark(2, false)];
    let response = |desk: &Desk| {
        let meeting = desk.links[&Slot::Meeting].id.clone();
        desk.world.attendees(&meeting)[0].1.text(Std::Response).map(str::to_owned)
    };
    for (known, expected) in [None, Some("did not come"), None].into_iter().enumerate() {
        desk.work(&messages[..=known]);
        assert_eq!(response(&desk).as_deref(), expected);
    }
}

/// proves: B23: one invitee's cancellation takes one attendee away.
#[test]
fn seats_attend_and_leave_one_by_one() {
    let seat = |key: &str, at| in_group(booked(key, at, 6000), "event", &format!("{key}@beta.example"));
    let gone = |key: &str, at| in_group(cancelled(key, at), "event", "");
    let mut desk = Desk::new(World::default(), settings(GuestPolicy::Ignore));
    let messages = [seat("a", 0), seat("b", 1), seat("c", 2), gone("b", 3), gone("a", 4)];
    let mut counts = Vec::new();
    for known in 1..=messages.len() {
        desk.work(&messages[..known]);
        counts.push(attending(&desk).len());
    }
    assert_eq!(counts, [0, 1, 2, 1, 0]);
    assert_eq!((desk.count(Role::Contact), desk.count(Role::Meeting)), (3, 1));
}

/// proves: B16: the guests of other seats are named as the invitee's own are, each once.
#[test]
fn guests_of_other_seats_are_named() {
    let seat = |key: &str, at: i64, guests: &[&str]| {
        let mut said = booked(key, at, 6000);
        let content = said.booked.as_mut().expect("a booking");
        content.guests = guests.iter().map(|email| guest(email, email)).collect();
        in_group(said, "event", &format!("{key}@beta.example"))
    };
    let mut desk = Desk::new(World::default(), settings(GuestPolicy::MatchOnly));
    desk.work(&[seat("a", 0, &["x@far.example"]), seat("b", 1, &["X@far.example", "y@far.example"])]);
    let description = desk.text(Slot::Meeting, Std::Description);
    for email in ["b@beta.example", "x@far.example", "y@far.example"] {
        assert_eq!(description.to_lowercase().matches(&format!("<{email}>")).count(), 1, "{email}: {description}");
    }
}

/// proves: B16: a guest without a usable address is named in the description and in the journal, and drops nobody else.
#[test]
fn a_guest_without_an_address_is_named() {
    let mut desk = Desk::new(World::with(&[person(Role::Contact, 5, GUEST)]), settings(GuestPolicy::Create));
    let decision = desk.work(&[with(|content| bring(content, 0b01001))]);
    let told = decision.notes.iter().find(|note| note.code == "guest_without_address").expect("a note");
    assert!(told.text.contains("No Address"));
    assert!(desk.text(Slot::Meeting, Std::Description).contains("No Address"));
    assert_eq!(attending(&desk), ["contact-5"]);
}

/// The booking of the promised figure: one look, one plan.
#[test]
fn a_full_booking_is_one_look_and_one_plan() {
    let base = settings(GuestPolicy::Create);
    let full = BookingSettings {
        case: Some(CaseSettings { status: "New".into(), origin: None }),
        opportunity: Some(OpportunitySettings { stage: "Open".into(), close_after_days: 1, amount: None }),
        ..base
    };
    let users = [user(1, "host@own.example"), user(2, CO_HOST), user(3, "second@own.example")];
    let mut desk = Desk::new(World::with(&users), full);
    let said = with(|content| {
        bring(content, 0b010_0000);
        content.hosts.push(crate::booking::message::Host { email: "second@own.example".into(), ..Default::default() });
        content.guests = ["x", "y", "z"].map(|name| guest(&format!("{name}@beta.example"), name)).into();
    });
    let decision = desk.work(&[said]);
    // Accounts of two companies, four people, case, opportunity, meeting, five attendees.
    assert_eq!(decision.plan.steps.len(), 2 + 4 + 3 + 5);
    assert_eq!(attending(&desk).len(), 5);
}

proptest! {
    #![proptest_config(super::cases(60))]

    /// proves: V4: whichever new guests the CRM refuses, whether their company, their record or their place, the meeting goes
    /// without these and with all others, and each is named once in the journal and in the description.
    #[test]
    fn whom_the_crm_refuses_keeps_nobody_else_away(refused in 0_u8..8, known in 0_u8..8) {
        let guests = ["x@beta.example", "y@beta.example", "z@gamma.example"];
        let is = |bits: u8, at: usize| bits & (1 << at) != 0;
        let there: Vec<Record> = (0..3).filter(|at| is(known, *at)).map(|at| person(Role::Contact, 10 + at, guests[at])).collect();
        let mut desk = Desk::new(World::with(&there), settings(GuestPolicy::Create));
        let said = [with(|content| content.guests = guests.map(|email| guest(email, email)).into())];
        let planned = desk.decide(&said, None);
        let made: Vec<&str> = planned.new_guests().collect();
        let strangers: Vec<&str> = (0..3).filter(|at| !is(known, *at)).map(|at| guests[at]).collect();
        prop_assert_eq!(&made, &strangers, "only those who are made may be left out");
        for step in &planned.plan.steps {
            let of_guest = matches!(step.slot, Slot::Guest(_) | Slot::GuestAccount(_) | Slot::Attendee(_));
            prop_assert_eq!(planned.new_guest(step.slot).is_some(), of_guest);
        }
        let left_out: Vec<&str> = (0..3).filter(|at| is(refused, *at) && !is(known, *at)).map(|at| guests[at]).collect();
        desk.refused.guests = left_out.iter().map(|email| ((*email).to_owned(), "no such address".to_owned())).collect();
        let decision = desk.work(&said);
        let emails: Vec<String> = attending(&desk)
            .iter()
            .map(|id| desk.world.records[&id.as_str().into()].text(Std::Email).unwrap_or_default().to_owned())
            .collect();
        prop_assert_eq!(emails.len(), 3 - left_out.len());
        prop_assert!(left_out.iter().all(|email| !emails.iter().any(|other| other == email)));
        prop_assert_eq!(notes(&decision, "guest_refused"), left_out.len());
        prop_assert_eq!(desk.count(Role::Contact), 1 + 3 - left_out.len());
        let description = desk.text(Slot::Meeting, Std::Description);
        prop_assert!(guests.iter().all(|email| description.contains(email)), "{}", description);
    }

    /// proves: B16, B17, B18: whatever guests come and go, every attendee is somebody who is invited now, once, and
    /// never the owner.
    #[test]
    fn the_attendees_are_those_who_are_invited(
        turns in prop::collection::vec(0_u8..128, 1..6),
        policy in prop_oneof![Just(GuestPolicy::MatchOnly), Just(GuestPolicy::Create), Just(GuestPolicy::Ignore)],
        known in 0_u8..32,
        relates_many in any::<bool>(),
    ) {
        let all = [
            person(Role::Contact, 5, GUEST),
            person(Role::Lead, 6, STRANGER),
            user(1, "host@own.example"),
            user(2, CO_HOST),
            user(3, COLLEAGUE),
        ];
        let there: Vec<Record> =
            all.into_iter().enumerate().filter(|(at, _)| known & (1 << at) != 0).map(|(_, record)| record).collect();
        let mut desk = Desk::new(World::with(&there), settings(policy));
        desk.relates_many = relates_many;
        let mut messages = vec![booked("a", 0, 6000)];
        for (at, who) in (1..).zip(&turns) {
            messages.push(updated(at, |content| bring(content, *who)));
            desk.work(&messages);
            let emails: Vec<String> = attending(&desk)
                .iter()
                .map(|id| desk.world.records[&id.as_str().into()].text(Std::Email).unwrap_or_default().to_lowercase())
                .collect();
            let comes = |bit: usize, needs: bool| who & (1 << bit) != 0 && needs;
            let is_there = |at: usize| known & (1 << at) != 0;
            let guests = policy != GuestPolicy::Ignore;
            let created = policy == GuestPolicy::Create;
            let mut expected: Vec<&str> = [
                (GUEST, comes(0, guests && (is_there(0) || created))),
                (STRANGER, comes(1, guests && (is_there(1) || created))),
                (COLLEAGUE, comes(2, is_there(4))),
                (CO_HOST, comes(5, is_there(3))),
            ]
            .into_iter()
            .filter_map(|(email, comes)| comes.then_some(email))
            .collect();
            let mut emails: Vec<&str> = emails.iter().map(String::as_str).collect();
            emails.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(emails, expected);
        }
    }
}
