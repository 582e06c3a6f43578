//! A CRM that ties a meeting to all that is around it, and has no leads.

use super::{converge::record, story::*, world::*};
use crate::{
    booking::{
        duplicates::doubt,
        message::BookingMessage,
        project::{Links, Ties},
        settings::{BookingSettings, CaseSettings, OpportunitySettings, PersonMode},
    },
    record::{Record, Role, Slot, Std, Value},
};

fn settings() -> BookingSettings {
    BookingSettings {
        leads: false,
        case: Some(CaseSettings { status: "1".into(), origin: None }),
        opportunity: Some(OpportunitySettings { stage: "1".into(), close_after_days: 30, amount: None }),
        ..BookingSettings::default()
    }
}

fn desk(records: &[Record], settings: BookingSettings) -> Desk {
    Desk { ties: Ties::All, ..Desk::new(World::with(records), settings) }
}

fn moved() -> [BookingMessage; 2] {
    [booked("a", 0, 6000), booked("a", 1, 7000)]
}

fn own(desk: &Desk, slot: Slot) -> Option<Value> {
    desk.links.get(&slot).map(|link| Value::Id(link.id.clone()))
}

fn tie(desk: &Desk, field: Std) -> Option<Value> {
    desk.record(Slot::Meeting).fields.get(&field.into()).cloned()
}

const ALL: [(Std, Slot); 3] =
    [(Std::Account, Slot::Account), (Std::Case, Slot::Case), (Std::Opportunity, Slot::Opportunity)];

/// proves: B11: the meeting is tied to the person, the account, the case and the opportunity, and to no one record.
#[test]
fn a_meeting_is_tied_to_all_around_it() {
    let mut desk = desk(&[], settings());
    desk.work(&moved());
    for (field, slot) in ALL {
        assert!(own(&desk, slot).is_some() && tie(&desk, field) == own(&desk, slot), "{slot}");
    }
    assert_eq!((tie(&desk, Std::Who), tie(&desk, Std::What)), (own(&desk, Slot::Person), None));
    assert!(!desk.text(Slot::Meeting, Std::Description).contains("Case:"), "what it is tied to is not named as well");
}

/// proves: B6, B11: of one kind the meeting is tied to the record that the booking link names, and stays so.
#[test]
fn a_record_named_by_the_link_goes_before_the_own() {
    for (field, slot) in ALL {
        let role = [Role::Account, Role::Case, Role::Opportunity][ALL.iter().position(|one| one.1 == slot).unwrap()];
        let texts = [(Std::Name, Value::text("N")), (Std::Stage, Value::text("1"))];
        let known = record(role, 7, &texts);
        let messages = moved().map(|mut message| {
            message.booked.as_mut().expect("it has content").record_hint = Some(known.id.as_str().into());
            message
        });
        let mut desk = desk(std::slice::from_ref(&known), settings());
        desk.work_one_by_one(&messages);
        for (other, slot) in ALL {
            let expected = if other == field { Some(Value::Id(known.id.clone())) } else { own(&desk, slot) };
            assert_eq!(tie(&desk, other), expected, "{slot}");
        }
        assert_eq!(desk.work(&messages).plan.steps, vec![], "{slot}");
    }
}

/// proves: B25: a case that was deleted with its meeting, and its company, too, is made again, and tied to the new one.
#[test]
fn what_is_deleted_with_the_meeting_is_not_tied_to_the_next() {
    let mut desk = desk(&[], BookingSettings { opportunity: None, ..settings() });
    let messages = moved();
    desk.work(&messages[..1]);
    for slot in [Slot::Meeting, Slot::Case, Slot::Account] {
        desk.world.delete(&desk.links[&slot].id.clone());
    }
    for slot in [Slot::Meeting, Slot::Case] {
        desk.links = doubt(&desk.links, Some(slot), true);
    }
    desk.links = doubt(&desk.links, Some(Slot::Meeting), false);
    desk.shared.clear();
    desk.work(&messages);
    assert_eq!((tie(&desk, Std::Case), tie(&desk, Std::Account)), (own(&desk, Slot::Case), None));
    assert_eq!((desk.count(Role::Meeting), desk.count(Role::Case)), (1, 1));
    assert_eq!(desk.work(&messages).plan.steps, vec![], "the account that is gone is not gone back to");
}

/// proves: B25: the account of somebody who is known was deleted: the next meeting is tied to the person alone, whether
/// the person still names the account or not.
#[test]
fn an_account_that_is_gone_is_forgotten() {
    for names_it in [true, false] {
        account_is_gone(names_it);
    }
}

fn account_is_gone(names_it: bool) {
    let mut desk = desk(&[], BookingSettings { case: None, opportunity: None, ..settings() });
    desk.work(&moved());
    let (contact, account) = (desk.links[&Slot::Person].id.clone(), desk.links[&Slot::Account].id.clone());
    desk.world.delete(&account);
    if !names_it {
        desk.world.records.get_mut(&contact).expect("it is there").fields.insert(Std::Account.into(), Value::Null);
    }
    (desk.chain, desk.links) = ("bk_2".into(), Links::new());
    let other = [booked("b", 0, 8000)];
    let stale = desk.decide(&other, None);
    assert!(desk.world.apply(&stale.plan).is_err(), "the account is gone");
    desk.links = doubt(&stale.relied_on(&desk.links), Some(Slot::Meeting), false);
    desk.shared.clear();
    desk.work(&other);
    assert_eq!((tie(&desk, Std::Who), tie(&desk, Std::Account)), (Some(Value::Id(contact)), None));
    assert_eq!(desk.work(&other).plan.steps, vec![]);
}

/// proves: B8: where there are no leads, a contact takes the place of one and bears the status.
#[test]
fn a_contact_takes_the_place_of_a_lead() {
    for person in [PersonMode::Lead, PersonMode::ContactFirst] {
        let settings = BookingSettings { person, lead_status: Some("NEW".into()), ..settings() };
        let mut desk = desk(&[], settings);
        desk.work(&moved());
        assert_eq!((desk.count(Role::Lead), desk.count(Role::Contact)), (0, 1));
        assert_eq!(desk.text(Slot::Person, Std::Status), "NEW");
        assert_eq!(tie(&desk, Std::Account), own(&desk, Slot::Account));
    }
}
