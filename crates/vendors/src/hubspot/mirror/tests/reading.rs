//! Records by id, address and key; descriptions.

use futures::FutureExt;
use syncline_connect::{
    ErrorKind, Mirror,
    mirror::{Fate, Lookup},
};
use syncline_core::{
    description::FieldKind,
    ids::{ExternalKey, RecordId},
};
use syncline_sandbox::HubSpotConfig;

use super::lab::{Lab, text};
use crate::hubspot::HubSpot;

#[test]
fn a_hundred_are_fetched_with_one_call() {
    let lab = Lab::new();
    let ids: Vec<RecordId> = lab.contacts(250).into_iter().map(RecordId::new).collect();
    let (answered, calls) = lab.calls(|| lab.fetch("contacts", &ids[..100], &["email"]));
    assert_eq!((answered.value.len(), calls), (100, 1));
    let (answered, calls) = lab.calls(|| lab.fetch("contacts", &ids, &["email"]));
    assert_eq!((answered.value.len(), calls, answered.calls), (250, 3, 3));
    assert!(answered.value.iter().any(|row| row.fields["email"] == text("person249@example.org")));
}

#[test]
fn what_was_archived_or_merged_says_so_and_what_is_gone_is_left_out() {
    let lab = Lab::new();
    let ids = lab.contacts(5);
    lab.account.archive("contacts", &ids[1]).unwrap();
    let survivor = lab.account.merge("contacts", &ids[2], &ids[3]).unwrap();
    lab.account.erase("contacts", &ids[4]).unwrap();
    let mut asked: Vec<RecordId> = ids.iter().map(|id| id.as_str().into()).collect();
    asked.push("nonsense".into());
    let told = lab.fetch("contacts", &asked, &["email"]).value;
    let fate = |id: &str| told.iter().find(|row| row.id.as_str() == id).map(|row| row.fate.clone());
    assert_eq!(fate(&ids[0]), Some(Fate::Live));
    assert_eq!(fate(&ids[1]), Some(Fate::Deleted));
    assert_eq!(fate(&ids[2]), Some(Fate::MergedInto(survivor.as_str().into())));
    assert_eq!(fate(&ids[3]), Some(Fate::MergedInto(survivor.as_str().into())));
    assert_eq!(fate(&ids[4]), None);
    assert_eq!(fate(&survivor), Some(Fate::Live));
}

#[test]
fn records_are_found_by_address_and_by_key() {
    let lab = Lab::new();
    let ids = lab.contacts(2);
    lab.account.edit("contacts", &ids[1], &[("syncline_key", "sy_1")]).unwrap();
    let emails = ["person0@example.org", "nobody@example.org", ""].map(str::to_owned);
    let (found, calls) = lab.calls(|| lab.find("contacts", Lookup::Email(&emails), &["email"]).unwrap());
    assert_eq!((found.value.len(), found.value[0].id.as_str(), calls), (1, ids[0].as_str(), 1));
    let keys = [ExternalKey::new("sy_1"), ExternalKey::new("sy_2")];
    let found = lab.find("contacts", Lookup::Key(&keys), &[]).unwrap();
    assert_eq!(found.value[0].key, Some(ExternalKey::new("sy_1")));
    assert_eq!(lab.find("contacts", Lookup::Key(&keys[1..]), &[]).unwrap().value, []);
    assert_eq!(lab.find("deals", Lookup::Email(&emails), &[]).unwrap_err().kind, ErrorKind::Configuration);
}

#[test]
fn an_account_without_the_key_property_is_told_so() {
    let lab = Lab::with(HubSpotConfig::default());
    let error = lab.find("contacts", Lookup::Key(&[ExternalKey::new("sy_1")]), &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("syncline_key"), "{error}");
}

#[test]
fn properties_are_described() {
    let lab = Lab::new();
    let cx = lab.asker.cx();
    let (answered, calls) =
        lab.calls(|| HubSpot.describe(&cx, &["contacts", "deals"]).now_or_never().unwrap().unwrap());
    assert_eq!((calls, answered.calls), (3, 3), "one for each kind, and one for the pipelines of deals");
    let [Some(contact), Some(deal)] = answered.value.as_slice() else { panic!("both are there") };
    let kind = |name: &str| contact.fields[name].kind;
    assert_eq!(kind("email"), FieldKind::Email);
    assert_eq!(kind("phone"), FieldKind::Phone);
    assert_eq!(kind("message"), FieldKind::TextArea);
    assert_eq!(kind("hs_buying_role"), FieldKind::MultiPicklist);
    assert_eq!(kind("lifecyclestage"), FieldKind::Picklist);
    assert_eq!(kind("hs_email_optout"), FieldKind::Boolean);
    assert_eq!(kind("closedate"), FieldKind::DateTime);
    assert!(contact.fields["lifecyclestage"].values.contains(&"customer".to_owned()));
    assert!(contact.fields["lifecyclestage"].restricted && !contact.fields["hubspot_owner_id"].restricted);
    assert!(!contact.fields["lastmodifieddate"].updateable && contact.fields["hs_is_contact"].calculated);
    assert!(contact.fields["syncline_key"].unique && contact.fields["email"].unique);
    assert!(deal.fields["dealname"].required && !contact.fields["email"].required);
    let stage = &deal.fields["dealstage"];
    assert!(stage.restricted && stage.values.contains(&"closedwon".to_owned()), "{stage:?}");
    assert!(stage.label.contains("closedwon Closed Won"), "{}", stage.label);
    assert_eq!(deal.fields["associations.contacts"].refers_to, ["contacts"]);
    assert!(deal.fields["amount"].kind == FieldKind::Number && deal.fields["amount"].scale > 2);
}
