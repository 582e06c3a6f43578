//! Plans against the sandbox: order, calls, what is told of a plan that stops half-way.

use std::collections::BTreeSet;

use syncline_connect::{ErrorKind, GraphOutcome, Retry};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};
use syncline_sandbox::{FaultKind, FaultRule};

use super::{
    super::{draw, id},
    lab::{Lab, OBJECT, booked, make, text},
};

fn tied(lab: &Lab, object: &str, to: &str) -> usize {
    lab.only(object).links.iter().filter(|link| link.object == to).count()
}

/// A company, two contacts, a meeting, and who attends it: three calls, however many bookings go along.
///
/// proves: B2, P1
#[test]
fn a_graph_takes_three_calls() {
    let lab = Lab::new();
    let answered = lab.write(&[&booked()]).unwrap();
    assert_eq!(answered.calls, 3);
    let GraphOutcome::Done(ids) = &answered.value[0] else { panic!("{answered:?}") };
    let slots: Vec<Slot> = ids.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, [Slot::Account, Slot::Person, Slot::Guest(1), Slot::Meeting, Slot::Attendee(1)]);
    assert_eq!((tied(&lab, "meetings", "contacts"), tied(&lab, "meetings", "companies")), (2, 1));
    assert_eq!(lab.only("meetings").properties["hs_timestamp"], "2026-06-01T10:00:00Z");
    assert_eq!(lab.account.count("contacts"), 2);
}

/// The same plan sent twice makes everything once: what bears the key already is brought up to date.
///
/// proves: V2, fault:N3
#[test]
fn sent_twice_it_is_made_once() {
    let lab = Lab::new();
    let first = lab.done(&booked());
    assert_eq!(lab.done(&booked()), first);
    for (object, count) in [("companies", 1), ("contacts", 2), ("meetings", 1)] {
        assert_eq!(lab.account.count(object), count, "{object}");
    }
    assert_eq!(tied(&lab, "meetings", "contacts"), 2);
}

/// A plan that stops half-way says so, and what the rest of the batch needs goes on.
///
/// proves: V2
#[test]
fn what_stops_half_way_is_told_as_open() {
    let lab = Lab::new();
    let mut broken = booked();
    if let Write::Upsert { fields, .. } = &mut broken.steps[3].write {
        fields.insert(Field::Native("no_such_property".into()), text("x"));
    }
    let alone = Plan { steps: vec![make(Slot::Opportunity, Role::Opportunity, &[(Std::Name, text("Deal"))])] };
    let answered = lab.write(&[&broken, &alone]).unwrap();
    let GraphOutcome::Unknown(error) = &answered.value[0] else { panic!("{answered:?}") };
    assert_eq!((error.kind, error.slot), (ErrorKind::Field, Some(Slot::Meeting)));
    assert_eq!(error.fields, [Field::Native("no_such_property".into())]);
    assert!(matches!(answered.value[1], GraphOutcome::Done(_)), "{answered:?}");
    assert_eq!((lab.account.count("companies"), lab.account.count("meetings")), (1, 0));
}

/// Where nothing at all was done, nothing is open.
#[test]
fn a_plan_of_which_nothing_was_done_is_refused() {
    let lab = Lab::new();
    let owner = Value::Id(RecordId::new("owners/1"));
    let plan =
        Plan { steps: vec![make(Slot::Account, Role::Account, &[(Std::Name, text("One")), (Std::Owner, owner)])] };
    let answered = lab.write(&[&plan]).unwrap();
    let GraphOutcome::Refused(error) = &answered.value[0] else { panic!("{answered:?}") };
    assert_eq!((error.kind, error.retry), (ErrorKind::Owner, Retry::Replan));
    assert_eq!(error.fields, [Field::Std(Std::Owner)]);
}

/// A contact with the same address stands in the way: it is named, and can stand in.
///
/// proves: B15
#[test]
fn an_address_that_is_taken_names_its_contact() {
    let lab = Lab::new();
    let known = lab.account.create("contacts", &[("email", "ada@one.example")]).unwrap();
    let answered = lab.write(&[&booked()]).unwrap();
    let GraphOutcome::Unknown(error) = &answered.value[0] else { panic!("{answered:?}") };
    assert_eq!((error.kind, error.slot), (ErrorKind::DuplicateRule, Some(Slot::Person)));
    assert_eq!(error.matches, [(Role::Contact, id::of("contacts", &known))]);
}

/// A record that is to be associated was deleted: its link is doubted, and no meeting is left without it.
///
/// proves: B25
#[test]
fn a_reference_that_is_gone_is_told() {
    let lab = Lab::new();
    let gone = lab.account.create("contacts", &[("email", "ada@one.example")]).unwrap();
    lab.account.archive("contacts", &gone).unwrap();
    let who = Value::Id(id::of("contacts", &gone));
    let start = super::lab::time("2026-06-01T10:00:00Z");
    let meeting =
        make(Slot::Meeting, Role::Meeting, &[(Std::Subject, text("x")), (Std::Start, start), (Std::Who, who)]);
    let answered = lab.write(&[&Plan { steps: vec![meeting] }]).unwrap();
    let GraphOutcome::Refused(error) = &answered.value[0] else { panic!("{answered:?}") };
    assert_eq!((error.kind, error.retry), (ErrorKind::Reference, Retry::Replan));
    assert_eq!(lab.account.count("meetings"), 0);
}

/// An answer that never came leaves its own plans open, and nothing is sent for them any more.
///
/// proves: V2, fault:N3
#[test]
fn a_lost_answer_leaves_the_plan_open() {
    let lab = Lab::new();
    let lost = FaultRule::next(FaultKind::LostAnswer).on("POST", "/crm/v3/objects/contacts/batch/create");
    lab.account.faults().add(lost).unwrap();
    let answered = lab.write(&[&booked()]).unwrap();
    let GraphOutcome::Unknown(error) = &answered.value[0] else { panic!("{answered:?}") };
    assert_eq!(error.kind, ErrorKind::UnknownOutcome);
    assert_eq!((answered.calls, lab.account.count("meetings")), (2, 0));
    lab.done(&booked());
    assert_eq!((lab.account.count("contacts"), tied(&lab, "meetings", "contacts")), (2, 2));
}

/// The first call refused as a whole refuses everything: a token is renewed, a limit waited for.
///
/// proves: sec:S15, B24
#[test]
fn a_call_that_is_refused_as_a_whole_is_no_plans_fault() {
    let lab = Lab::new();
    lab.account.faults().add(FaultRule::next(FaultKind::Unauthorized).on("POST", "/crm")).unwrap();
    let error = lab.write(&[&booked()]).unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unauthorised, Retry::Reauthorise));
    // Later in the same write, it is: what was made before is found again.
    lab.account.faults().add(FaultRule::next(FaultKind::Limited).on("POST", "/crm/v3/objects/meetings")).unwrap();
    let answered = lab.write(&[&booked()]).unwrap();
    let GraphOutcome::Unknown(error) = &answered.value[0] else { panic!("{answered:?}") };
    assert_eq!(error.kind, ErrorKind::RateLimited);
}

/// A record of an object of the account's own is made together with its associations, whose types are asked for: where the
/// answer is lost, nothing of it is left undone.
///
/// proves: B28, V2
#[test]
fn a_further_record_is_made_with_its_associations() {
    let lab = Lab::new();
    let ada = id::of("contacts", &lab.account.create("contacts", &[("email", "ada@one.example")]).unwrap());
    let fields = [("purpose", text("tea")), ("associations.contacts", Value::Id(ada))];
    let fields = fields.into_iter().map(|(name, value)| (Field::Native(name.into()), value)).collect();
    let mut visit = Step::new(Slot::Record(7), Role::Custom, Write::Upsert { key: "key-visit".into(), fields });
    visit.object = Some(OBJECT.into());
    let plan = Plan { steps: vec![visit] };
    let lost = FaultRule::next(FaultKind::LostAnswer).on("POST", "/crm/v3/objects/2-100/batch/create");
    lab.account.faults().add(lost).unwrap();
    let before = lab.account.call_count();
    assert!(matches!(lab.write(&[&plan]).unwrap().value[0], GraphOutcome::Unknown(_)));
    assert_eq!(lab.account.call_count() - before, 2, "the types, and the record");
    assert_eq!(tied(&lab, "visits", "contacts"), 1);
    lab.done(&plan);
    assert_eq!((lab.account.count("visits"), tied(&lab, "visits", "contacts")), (1, 1));
}

/// Guests and owners come to a meeting that is there, and leave it.
///
/// proves: B16, B18
#[test]
fn attendees_come_and_go() {
    let lab = Lab::new();
    lab.done(&booked());
    let meeting = id::of("meetings", &lab.only("meetings").id);
    let carl = id::of("contacts", &lab.account.create("contacts", &[("email", "carl@x.example")]).unwrap());
    let attends = |slot, who: &RecordId| {
        let fields = [(Std::Meeting, Value::Id(meeting.clone())), (Std::Attends, Value::Id(who.clone()))];
        make(slot, Role::Attendee, &fields)
    };
    let owners = ["88842095", "88842096"].map(id::of_owner);
    let come = Plan {
        steps: vec![
            attends(Slot::Attendee(2), &carl),
            attends(Slot::Attendee(3), &owners[0]),
            attends(Slot::Attendee(4), &owners[1]),
        ],
    };
    let ids = lab.done(&come);
    assert_eq!(ids.len(), 3);
    assert_eq!(tied(&lab, "meetings", "contacts"), 3);
    assert_eq!(lab.only("meetings").properties["hs_attendee_owner_ids"], "88842095;88842096");
    let leave = |at: usize| Step::new(ids[at].0, Role::Attendee, Write::Delete { id: ids[at].1.clone() });
    lab.done(&Plan { steps: vec![leave(0), leave(1)] });
    assert_eq!(tied(&lab, "meetings", "contacts"), 2);
    assert_eq!(lab.only("meetings").properties["hs_attendee_owner_ids"], "88842096");
}

/// Whom the meeting was with leaves by their own id when it is with somebody else, and nobody else does.
///
/// proves: C9
#[test]
fn whom_the_meeting_was_with_leaves() {
    let lab = Lab::new();
    let ids = lab.done(&booked());
    let of = |wanted: Slot| ids.iter().find(|(slot, _)| *slot == wanted).map(|(_, id)| id.clone()).unwrap();
    let carl = id::of("contacts", &lab.account.create("contacts", &[("email", "carl@x.example")]).unwrap());
    let change = Write::Patch { id: of(Slot::Meeting), fields: [(Std::Who.into(), Value::Id(carl.clone()))].into() };
    let leave = Step::new(Slot::Attendee(2), Role::Attendee, Write::Delete { id: of(Slot::Person) });
    let plan = Plan { steps: vec![leave, Step::new(Slot::Meeting, Role::Meeting, change)] };
    for _ in 0..2 {
        lab.done(&plan);
        let contacts: BTreeSet<_> = lab
            .only("meetings")
            .links
            .into_iter()
            .filter(|link| link.object == "contacts")
            .map(|link| id::of("contacts", &link.id))
            .collect();
        assert_eq!(contacts, BTreeSet::from([carl.clone(), of(Slot::Guest(1))]));
    }
}

/// As many plans share a batch as it has rows.
#[test]
fn plans_share_batches() {
    let plan = booked();
    let plans = vec![&plan; 80];
    // Two contacts a plan, a hundred rows a batch.
    assert_eq!(draw::fits(&plans), 50);
    let large = Plan { steps: (0..150).map(|n| make(Slot::Guest(n), Role::Contact, &[])).collect() };
    assert_eq!(draw::fits(&[&large, &plan]), 1, "a plan that needs more goes alone");
}
