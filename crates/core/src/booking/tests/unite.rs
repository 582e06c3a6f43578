//! Several bookings that turn out to be one: whatever the order in which their messages tell so, the CRM ends up as if
//! they had been known as one from the beginning.
//!
//! Left out on purpose: where leads are made and `create_contact` is chosen for people who have an open one, a booking that
//! seems to be the second of somebody makes a contact, which is what that setting is about.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    converge::{attending, desk_in, settings, settled, ties, world},
    story::*,
    world::*,
};
use crate::{
    booking::{
        message::BookingMessage,
        project::{Links, Ties},
        settings::{BookingSettings, OpenLead, PersonMode},
        unite::{Part, leave_surplus, unite},
    },
    ids::{BookingKey, ChainId, ExternalKey, RecordId},
    record::{Field, Fields, Role, Slot, Std, Value},
    step::{Link, Plan, Step, Write},
};

const OWN: [Role; 5] = [Role::Case, Role::Opportunity, Role::Meeting, Role::Attendee, Role::Custom];

/// One chain as the store keeps it.
struct Chain {
    name: ChainId,
    nodes: BTreeSet<BookingKey>,
    messages: Vec<BookingMessage>,
    part: Part,
}

/// Works several chains off in one CRM, and unites those that a message ties together.
struct Office {
    desk: Desk,
    chains: Vec<Chain>,
    begun: usize,
}

/// What becomes of the answer to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// The plan was applied, and nobody knows.
    Lost,
    /// The plan never arrived, and nobody knows.
    NeverArrived,
}

impl Office {
    fn new(desk: Desk) -> Self {
        Self { desk, chains: Vec::new(), begun: 0 }
    }

    fn hear(&mut self, message: &BookingMessage, fate: Fate) {
        let ties: BTreeSet<BookingKey> = message.ties().into_iter().cloned().collect();
        let (tied, rest) =
            std::mem::take(&mut self.chains).into_iter().partition(|chain| !chain.nodes.is_disjoint(&ties));
        self.chains = rest;
        let mut tied: Vec<Chain> = tied;
        let mut chain = if tied.is_empty() {
            self.begun += 1;
            let name = ChainId::from(format!("bk_{}", self.begun).as_str());
            Chain { name, nodes: BTreeSet::new(), messages: Vec::new(), part: Part::default() }
        } else {
            tied.remove(0)
        };
        for other in tied {
            chain.part = unite(chain.part, other.part);
            chain.nodes.extend(other.nodes);
            chain.messages.extend(other.messages);
        }
        chain.nodes.extend(ties);
        chain.messages.push(message.clone());
        self.work(&mut chain, fate);
        // In the order of their age.
        self.chains.push(chain);
        self.chains
            .sort_by_key(|chain| chain.name.as_str().trim_start_matches("bk_").parse::<usize>().expect("a number"));
    }

    fn work(&mut self, chain: &mut Chain, fate: Fate) -> Plan {
        self.desk.chain = chain.name.clone();
        self.desk.links = std::mem::take(&mut chain.part.links);
        let unsettled = chain.part.unsettled.take();
        let decision = self.desk.decide(&chain.messages, unsettled.as_ref());
        let plan = decision.plan.clone();
        let apply =
            |desk: &mut Desk| desk.world.apply(&plan).unwrap_or_else(|refusal| panic!("refused: {refusal}\n{plan:#?}"));
        if fate == Fate::Answered || plan.steps.is_empty() {
            let ids = apply(&mut self.desk);
            self.desk.remember(&decision, &ids);
        } else {
            if fate == Fate::Lost {
                apply(&mut self.desk);
            }
            self.desk.links = decision.kept(&self.desk.links).unwrap_or_else(|| self.desk.links.clone());
            chain.part.unsettled = Some(plan.clone());
        }
        chain.part.links = std::mem::take(&mut self.desk.links);
        plan
    }

    /// Looks once more when nothing is waited for any longer; then there is nothing left to write.
    fn close(mut self) -> Desk {
        let account = |desk: &Desk| match desk.record(Slot::Meeting).fields.get(&Std::Account.into()) {
            Some(Value::Id(id)) => Some(id.clone()),
            _ => None,
        };
        self.desk.now = time(24 * 60);
        assert_eq!(self.chains.len(), 1, "all of it is one booking");
        let mut chain = self.chains.remove(0);
        self.work(&mut chain, Fate::Answered);
        assert_eq!(self.work(&mut chain, Fate::Answered).steps, vec![], "a second look writes nothing");
        self.desk.links = chain.part.links;
        // Whether the account is known as the booking's own or as that of its person makes no difference.
        if let Some(id) = account(&self.desk) {
            let link = || Link::new(Role::Account, id, None, Fields::new());
            self.desk.links.entry(Slot::Account).or_insert_with(link);
        }
        self.desk
    }
}

fn told_to(desk: &Desk, messages: &[BookingMessage], fates: &[Fate]) -> Desk {
    let mut office = Office::new(desk.clone());
    for (at, message) in messages.iter().enumerate() {
        office.hear(message, fates.get(at).copied().unwrap_or(Fate::Answered));
    }
    office.close()
}

fn people_settings() -> impl Strategy<Value = BookingSettings> {
    settings().prop_filter("a second booking makes a contact of a lead", |settings| {
        settings.person != PersonMode::Lead || settings.open_lead != OpenLead::CreateContact
    })
}

/// A meeting that is moved two or three times, each time as a new booking that names the one before; guests come and go
/// on the way, and it may be called off.
fn chain() -> impl Strategy<Value = Story> {
    let act = prop_oneof![2 => Just(Act::Reschedule), 1 => (0_u8..128).prop_map(Act::Bring)];
    let manner = prop_oneof![2 => Just(Manner::NewBooking), 1 => Just(Manner::Pair)];
    (manner, prop::collection::vec(act, 0..2), 2..4_usize, any::<bool>()).prop_map(|(manner, first, moves, off)| {
        let mut acts: Vec<(Act, i64)> = first.into_iter().map(|act| (act, 3)).collect();
        acts.extend(std::iter::repeat_n((Act::Reschedule, 7), moves));
        acts.extend(off.then_some((Act::Cancel, 5)));
        tell(manner, false, &acts)
    })
}

fn fates(lost: u32) -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![4 => Just(Fate::Answered), lost => Just(Fate::Lost), lost => Just(Fate::NeverArrived)];
    prop::collection::vec(fate, 12)
}

fn check(desk: &Desk, story: &Story, other: &[BookingMessage], fates: &[Fate]) -> Result<(), TestCaseError> {
    let natural = told_to(desk, &story.messages, &[]);
    let found = told_to(desk, other, fates);
    prop_assert_eq!(found.count(Role::Meeting), 1);
    for role in OWN {
        prop_assert_eq!(found.count(role), natural.count(role), "{:?}", role);
    }
    for slot in [Slot::Person, Slot::Case, Slot::Opportunity, Slot::Meeting] {
        prop_assert_eq!(settled(&found, slot), settled(&natural, slot), "{:?}", slot);
    }
    prop_assert_eq!(attending(&found), attending(&natural));
    prop_assert!(found.links.keys().all(|slot| !matches!(slot, Slot::Surplus(_))));
    Ok(())
}

proptest! {
    #![proptest_config(super::cases(200))]

    /// proves: B4, B21: any order and any repetition of what three or four linked bookings say ends as the order in which
    /// it happened, in one meeting.
    #[test]
    fn every_order_of_linked_bookings_ends_in_one_meeting(
        (story, other) in told(chain()),
        settings in people_settings(),
        world in world(),
        ties in ties(),
    ) {
        check(&desk_in(world, settings, ties), &story, &other, &[])?;
    }

    /// proves: B4, V2: the same where answers are lost on the way, whether the CRM did as told or not.
    #[test]
    fn lost_answers_leave_no_second_meeting(
        (story, other) in told(chain()),
        settings in people_settings(),
        world in world(),
        ties in ties(),
        fates in fates(2),
    ) {
        check(&desk_in(world, settings, ties), &story, &other, &fates)?;
    }
}

/// The middle one of three comes last: the older meeting stays, and the journal names the one that goes.
///
/// proves: B4, B21
#[test]
fn the_middle_one_comes_last() {
    let mut office = Office::new(Desk::new(World::default(), BookingSettings::default()));
    let [first, middle, last] =
        [booked("a", 0, 6000), replacing(booked("b", 5, 7000), "a"), replacing(booked("c", 9, 8000), "b")];
    office.hear(&first, Fate::Answered);
    let older = office.chains[0].part.links[&Slot::Meeting].id.clone();
    office.hear(&last, Fate::Answered);
    assert_eq!((office.chains.len(), office.desk.count(Role::Meeting)), (2, 2));
    let newer = office.chains[1].part.links[&Slot::Meeting].id.clone();
    let tied: BTreeSet<BookingKey> = middle.ties().into_iter().cloned().collect();
    assert!(office.chains.iter().all(|chain| !chain.nodes.is_disjoint(&tied)));
    office.hear(&middle, Fate::Answered);
    let desk = office.close();
    assert_eq!((desk.count(Role::Meeting), desk.count(Role::Contact)), (1, 1));
    assert_eq!(desk.links[&Slot::Meeting].id, older);
    assert!(!desk.world.records.contains_key(&newer));
    assert_eq!(desk.text(Slot::Meeting, Std::Description).matches("Rescheduled:").count(), 2);
}

/// Both halves were to make the person, one of them did, and nobody heard of it: the meeting that the other half makes
/// hangs on the person's account all the same.
///
/// proves: B4, V2
#[test]
fn the_account_is_known_after_two_plans_for_one_person() {
    let desk = Desk { ties: Ties::All, ..Desk::new(World::default(), BookingSettings::default()) };
    let mut office = Office::new(desk);
    let [first, middle, last] =
        [booked("a", 0, 6000), replacing(booked("b", 5, 7000), "a"), replacing(booked("c", 9, 8000), "b")];
    office.hear(&last, Fate::NeverArrived);
    office.hear(&first, Fate::NeverArrived);
    office.hear(&first, Fate::Lost);
    office.hear(&last, Fate::NeverArrived);
    assert_eq!((office.chains.len(), office.desk.count(Role::Contact), office.desk.count(Role::Account)), (2, 1, 1));
    office.hear(&middle, Fate::Answered);
    let desk = office.close();
    assert_eq!((desk.count(Role::Meeting), desk.count(Role::Contact)), (1, 1));
    let account = desk.only_account();
    assert_eq!(desk.record(Slot::Meeting).fields.get(&Std::Account.into()), Some(&Value::Id(account)));
}

/// The earlier booking changed the person last, and nobody heard of any of it: the value of the booking that counts is
/// written again.
///
/// proves: B4, B12, V2
#[test]
fn what_lost_plans_wrote_of_a_person_is_put_right() {
    let known = [(Std::Email, Value::text(INVITEE)), (Std::LastName, Value::text("L"))];
    let world = World::with(&[super::converge::record(Role::Contact, 1, &known)]);
    let mut office = Office::new(Desk::new(world, super::mapped::steady()));
    let day = 24 * 60;
    let names = ["a", "b", "c", "d", "e"];
    let starts = [3 * day, 3 * day + 60, 3 * day + 120, 3 * day + 180, 4 * day];
    let mut said: Vec<BookingMessage> = Vec::new();
    for (at, (name, start)) in (0_i64..).zip(names.into_iter().zip(starts)) {
        let message = booked(name, at, start);
        said.push(match said.last() {
            Some(before) => replacing(message, before.booking.as_str()),
            None => message,
        });
    }
    let [first, second, third, fourth, last] = &said[..] else { unreachable!("five were said") };
    office.hear(last, Fate::Answered);
    for lost in [first, second, third] {
        office.hear(lost, Fate::Lost);
    }
    office.hear(fourth, Fate::Answered);
    let desk = office.close();
    let start = time(4 * day).to_zoned(jiff::tz::TimeZone::UTC).date();
    let written = desk.record(Slot::Person).fields.get(&Field::Native("Last__c".into()));
    assert_eq!(written, Some(&Value::Date(start)));
}

/// Salesforce deletes a case with its events: whatever is to go goes before what it hangs on.
#[test]
fn what_hangs_on_the_rest_goes_first() {
    let mut desk = Desk::new(World::default(), BookingSettings::default());
    desk.work(&[booked("a", 0, 6000)]);
    let going = [(Role::Case, "case-1"), (Role::Meeting, "meeting-1"), (Role::Opportunity, "opportunity-1")];
    for ((role, id), number) in going.into_iter().zip(1..) {
        desk.links.insert(Slot::Surplus(number), link(role, id));
    }
    let decision = desk.decide(&[booked("a", 0, 6000), booked("a", 5, 7000)], None);
    let deleted = |step: &Step| matches!(step.write, Write::Delete { .. }).then_some(step.role);
    let roles: Vec<Option<Role>> = decision.plan.steps.iter().map(deleted).collect();
    assert_eq!(roles, [None, Some(Role::Meeting), Some(Role::Opportunity), Some(Role::Case)]);
    assert_eq!(decision.notes.iter().filter(|note| note.code == "surplus").count(), 3);
}

fn link(role: Role, id: &str) -> Link {
    Link::new(role, RecordId::from(id), Some(ExternalKey::derive(&[id])), Fields::new())
}

fn upsert(slot: Slot, role: Role, key: &str) -> Step {
    Step::new(slot, role, Write::Upsert { key: ExternalKey::derive(&[key]), fields: Fields::new() })
}

/// A meeting that is there goes before one that may have been made, on whichever side; a record that both know is no
/// second one; and what was to go already still is.
#[test]
fn what_is_there_goes_before_what_may_be() {
    let linked = |links: &[(Slot, Link)]| Part { links: links.iter().cloned().collect(), unsettled: None };
    let sent = |steps: Vec<Step>| Part { links: Links::new(), unsettled: Some(Plan { steps }) };
    let meeting =
        || sent(vec![upsert(Slot::Meeting, Role::Meeting, "m"), upsert(Slot::Attendee(1), Role::Attendee, "a")]);
    let known = || linked(&[(Slot::Meeting, link(Role::Meeting, "m-1"))]);
    for united in [unite(meeting(), known()), unite(known(), meeting())] {
        assert_eq!(united.links, known().links);
        let plan = united.unsettled.expect("somebody has to look for it");
        assert_eq!(plan.steps, [upsert(Slot::Surplus(1), Role::Meeting, "m")], "who attended it goes with it");
    }
    let other = linked(&[(Slot::Meeting, link(Role::Meeting, "m-2")), (Slot::Surplus(1), link(Role::Meeting, "m-3"))]);
    let united = unite(known(), unite(known(), other));
    let going: Vec<&str> = crate::booking::unite::surplus(&united.links).map(|link| link.id.as_str()).collect();
    assert_eq!(going, ["m-2", "m-3"]);
    let (slot, _) = united.links.iter().find(|(_, link)| link.id.as_str() == "m-3").expect("it is to go");
    let left = leave_surplus(&united.links, *slot).expect("it is one");
    assert_eq!(left, known().links, "all of the role are left");
    assert_eq!(leave_surplus(&united.links, Slot::Meeting), None);
}
