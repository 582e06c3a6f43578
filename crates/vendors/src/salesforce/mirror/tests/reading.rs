//! Records by id, address and key; descriptions.

use futures::FutureExt;
use serde_json::json;
use syncline_connect::{
    ErrorKind, Mirror,
    mirror::{Fate, Lookup},
};
use syncline_core::{
    description::FieldKind,
    ids::{ExternalKey, RecordId},
    record::Value,
};

use super::lab::{Lab, text};
use crate::salesforce::{Salesforce, mirror::reading::READS_AT_ONCE};

/// proves: P2
#[test]
fn as_many_as_it_says_are_fetched_with_one_call() {
    let lab = Lab::new();
    let ids: Vec<RecordId> = lab.contacts(READS_AT_ONCE).into_iter().map(RecordId::new).collect();
    let (answered, calls) = lab.calls(|| lab.fetch("Contact", &ids, &["Email", "LastName"]));
    assert_eq!((answered.value.len(), calls), (READS_AT_ONCE, 1));
    let email = text(&format!("person{}@example.org", READS_AT_ONCE - 1));
    assert!(answered.value.iter().any(|row| row.fields["Email"] == email));
}

#[test]
fn what_is_not_there_is_left_out_and_what_is_in_the_bin_says_so() {
    let lab = Lab::new();
    let ids = lab.contacts(3);
    lab.org.delete(&ids[1]).unwrap();
    lab.org.delete(&ids[2]).unwrap();
    lab.org.purge(&ids[2]).unwrap();
    let mut asked: Vec<RecordId> = ids.iter().map(|id| id.as_str().into()).collect();
    asked.extend(["0".into(), "001dM0000000001AAA".into(), "' OR Name != '".into()]);
    let mut rows = lab.fetch("Contact", &asked, &[]).value;
    rows.sort_by(|one, two| one.id.cmp(&two.id));
    let told: Vec<_> = rows.iter().map(|row| (row.id.as_str(), &row.fate)).collect();
    assert_eq!(told, [(ids[0].as_str(), &Fate::Live), (ids[1].as_str(), &Fate::Deleted)]);
    let (nothing, calls) = lab.calls(|| lab.fetch("Contact", &asked[3..4], &[]));
    assert_eq!((nothing.value.len(), calls), (0, 0));
}

#[test]
fn records_are_found_by_address_and_by_key() {
    let lab = Lab::new();
    let ids = lab.contacts(3);
    let odd = lab.seed("Contact", json!({ "LastName": "Odd", "Syncline_Uid__c": "sy_'\\1" }));
    let emails = ["PERSON1@example.org", "nobody@example.org", " ", "o'x@example.org"].map(str::to_owned);
    let found = lab.find("Contact", Lookup::Email(&emails), &["Email"]).unwrap();
    assert_eq!(found.value.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [ids[1].as_str()]);
    let keys = [ExternalKey::new("sy_'\\1"), ExternalKey::new("sy_none")];
    let found = lab.find("Contact", Lookup::Key(&keys), &[]).unwrap();
    assert_eq!(found.value.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [odd.as_str()]);
    assert_eq!(found.value[0].key, Some(ExternalKey::new("sy_'\\1")));
    let many: Vec<String> = (0..900).map(|n| format!("person{n}@example.org")).collect();
    let (found, calls) = lab.calls(|| lab.find("Contact", Lookup::Email(&many), &[]).unwrap());
    assert_eq!((found.value.len(), calls), (3, 1));
    let error = lab.find("Account", Lookup::Email(&emails), &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
}

#[test]
fn a_kind_is_described_with_what_can_be_read_along() {
    let lab = Lab::new();
    let answered =
        Salesforce.describe(&lab.asker.cx(), &["Contact", "Opportunity"]).now_or_never().expect("at once").unwrap();
    let [Some(contact), Some(opportunity)] = answered.value.as_slice() else { panic!("both are there") };
    let name = &contact.fields["Account.Name"];
    assert!(!name.createable && !name.updateable && !name.required && name.calculated);
    assert_eq!(name.kind, FieldKind::Text);
    assert_eq!(contact.fields["Owner.Email"].kind, FieldKind::Email);
    assert!(opportunity.fields.contains_key("Account.Website"));
    assert!(contact.fields["LastName"].required && contact.fields["Opted_Out__c"].updateable);
    assert!(contact.fields["Birthdate"].kind == FieldKind::Date);
    // Every field that is described can be asked for, and is in the kind that is described.
    let parents: Vec<String> = contact.fields.keys().filter(|name| name.contains('.')).cloned().collect();
    let account = lab.seed("Account", json!({ "Name": "Acme", "NumberOfEmployees": 7 }));
    let id = lab.seed("Contact", json!({ "LastName": "Child", "AccountId": account, "Birthdate": "1990-01-02" }));
    let asked: Vec<&str> = parents.iter().map(String::as_str).chain(["Birthdate", "AccountId"]).collect();
    let mut rows = lab.fetch("Contact", &[id.as_str().into()], &asked).value;
    rows[0].in_kinds(contact);
    assert_eq!(rows[0].fields["Account.NumberOfEmployees"], Value::Decimal("7".into()));
    assert_eq!(rows[0].fields["Birthdate"], Value::Date("1990-01-02".parse().unwrap()));
    assert_eq!(rows[0].fields["AccountId"], Value::Id(account.as_str().into()));
    let none = Salesforce.describe(&lab.asker.cx(), &["Case"]).now_or_never().expect("at once").unwrap_err();
    assert_eq!(none.kind, ErrorKind::Configuration);
}
