//! Change events on the bus, without a socket. That other people's clients can read them is shown in the crate's
//! `client_tests`.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::{Bus, avro::CHANGE_TYPES};
use crate::salesforce::{
    SalesforceConfig,
    testkit::{Kit, NOON},
};

const KEPT_SECONDS: i64 = 72 * 3_600;

fn kit() -> Kit {
    let selected = vec!["Contact".to_owned()];
    Kit::with(SalesforceConfig { change_events: Some(selected), ..SalesforceConfig::default() })
}

fn bus(kit: &Kit) -> &Arc<Bus> {
    kit.org.bus.as_ref().expect("changes are announced")
}

fn announced(kit: &Kit) -> usize {
    bus(kit).after(0, &["Contact".to_owned(), "Account".to_owned()], 1_000).0.len()
}

fn contact(kit: &Kit, name: &str) -> String {
    let record = json!({ "LastName": name });
    kit.org.seed("Contact", record.as_object().expect("an object")).expect("the contact is sound")
}

/// One event for each record and transaction, of the objects that are selected; what is taken back is not told.
#[test]
fn a_transaction_is_told_record_by_record() {
    let kit = kit();
    let account = json!({ "Name": "None of ours" });
    kit.org.seed("Account", account.as_object().expect("an object")).expect("the account is sound");
    assert_eq!(announced(&kit), 0, "founding the org and other objects are not told");
    let id = contact(&kit, "Hopper");
    assert_eq!(announced(&kit), 1);
    let both = json!({ "LastName": "Byron", "Phone": "1" });
    kit.org.edit(&id, both.as_object().expect("an object")).expect("it can be edited");
    assert_eq!(announced(&kit), 2, "two fields are one change");
    let wrong = json!({ "LastName": "King", "Nothing__c": "1" });
    kit.org.edit(&id, wrong.as_object().expect("an object")).expect_err("there is no such field");
    assert_eq!(announced(&kit), 2, "nothing happened");
}

/// Events are kept for 72 hours, and a replay id of before is none any more.
#[test]
fn events_grow_old() {
    let kit = kit();
    contact(&kit, "Hopper");
    assert_eq!(bus(&kit).earliest(NOON + KEPT_SECONDS), 0);
    assert_eq!(bus(&kit).earliest(NOON + KEPT_SECONDS + 1), 1);
    assert_eq!(announced(&kit), 0);
}

#[test]
fn gaps_are_named_as_the_platform_names_them() {
    let kit = kit();
    for change in CHANGE_TYPES {
        kit.org.announce_gap("Contact", change, &[]).expect("there is such a change");
    }
    kit.org.announce_gap("Contact", "GAP", &[]).expect_err("there is no such change");
    kit.org.announce_gap("Nobody", "GAP_UPDATE", &[]).expect_err("there is no such object");
    assert_eq!(announced(&kit), CHANGE_TYPES.len());
}

/// Without Change Data Capture there is nothing to steer.
#[test]
fn an_edition_without_it_has_none() {
    let kit = Kit::new();
    assert!(kit.org.announce_gap("Contact", "GAP_UPDATE", &[]).is_err() && kit.org.break_streams().is_err());
}

proptest! {
    /// A replay id is good on its own bus only.
    #[test]
    fn replay_ids_come_back(number in any::<u64>(), mark in any::<[u8; 4]>(), other in any::<[u8; 4]>(), bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let bus = Bus::new(Vec::new(), mark);
        let id = bus.replay_id(number);
        prop_assert_eq!(bus.number_of(&id), Some(number));
        prop_assert!(mark == other || Bus::new(Vec::new(), other).number_of(&id).is_none());
        prop_assert!(bus.number_of(&bytes).is_none() || bytes.len() == id.len());
    }
}
