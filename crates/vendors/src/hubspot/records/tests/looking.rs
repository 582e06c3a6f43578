//! Look-ups against the sandbox.

use std::slice::from_ref;

use syncline_connect::{ErrorKind, Retry, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Role, Std, Value},
};
use syncline_sandbox::{FaultKind, FaultRule};

use super::{
    super::id,
    lab::{Lab, booked},
};

/// A further address leads to the contact, who tells it.
///
/// proves: B6
#[test]
fn people_are_found_by_every_address() {
    let lab = Lab::new();
    let hub = &lab.account;
    let one = hub.create("contacts", &[("email", "ada@one.example")]).unwrap();
    let two = hub.create("contacts", &[("email", "ada@two.example")]).unwrap();
    let survivor = hub.merge("contacts", &one, &two).unwrap();
    let asked = vec![Wanted::Is(Std::Email, vec!["ADA@two.example".into(), "nobody@far.example".into()])];
    let found = lab.find(Role::Contact, asked, &[Std::Email, Std::OtherEmails]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, id::of("contacts", &survivor));
    assert_eq!(found[0].text(Std::Email), Some("ada@one.example"));
    assert!(found[0].text(Std::OtherEmails).unwrap().contains("ada@two.example"));
}

/// A batch that ended without having been read says of nobody that he is not there.
///
/// proves: V2
#[test]
fn a_batch_that_was_called_off_is_no_absence() {
    let lab = Lab::new();
    let ada = lab.account.create("contacts", &[("email", "ada@one.example")]).unwrap();
    let asked = || vec![Wanted::Ids(vec![id::of("contacts", &ada)])];
    lab.account.faults().add(FaultRule::next(FaultKind::FailedInBody).on("POST", "/crm/v3/objects/contacts")).unwrap();
    let error = lab.try_find(Role::Contact, asked(), &[Std::Email]).unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Backoff), "{error}");
    assert_eq!(lab.find(Role::Contact, asked(), &[Std::Email]).len(), 1);
}

/// A company is found by its domain, however the website is spelt; a lead never is, because there are none.
#[test]
fn companies_are_found_by_domain() {
    let lab = Lab::new();
    let company = lab.account.create("companies", &[("name", "One"), ("domain", "one.example")]).unwrap();
    let asked = vec![Wanted::Is(Std::Website, vec!["https://www.one.example/".into(), "one.example".into()])];
    let found = lab.find(Role::Account, asked, &[Std::Name, Std::Website]);
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, found[0].text(Std::Website)), (&id::of("companies", &company), Some("one.example")));
    let before = lab.account.call_count();
    assert!(lab.find(Role::Lead, vec![Wanted::Is(Std::Email, vec!["a@b.example".into()])], &[]).is_empty());
    assert_eq!(lab.account.call_count(), before, "nobody is asked for what there is none of");
}

/// Hosts are found by address and by id; who was deactivated is nobody.
///
/// proves: B19
#[test]
fn owners_are_found_while_they_are_active() {
    let lab = Lab::new();
    let emails = |all: &[&str]| Wanted::Is(Std::Email, all.iter().map(|email| (*email).to_owned()).collect());
    let ids =
        |any| lab.find(Role::User, any, &[Std::Email, Std::Active]).into_iter().map(|user| user.id).collect::<Vec<_>>();
    let rosa = id::of_owner("88842096");
    assert_eq!(ids(vec![emails(&["Rosa@host.example"])]), from_ref(&rosa));
    assert!(ids(vec![emails(&["gone@host.example"])]).is_empty());
    assert_eq!(ids(vec![emails(&["rosa@host.example", "ola@host.example", "x@y.example"])]).len(), 2);
    assert_eq!(ids(vec![Wanted::Ids(vec![rosa.clone(), RecordId::new("owners/1"), RecordId::new("rosa")])]), [rosa]);
}

/// What became of records: alive, merged into another, in the bin, gone for good.
///
/// proves: B25
#[test]
fn traces_tell_what_became_of_records() {
    let lab = Lab::new();
    let hub = &lab.account;
    let make = |email| hub.create("contacts", &[("email", email)]).unwrap();
    let [alive, lost, master, binned, erased] =
        ["a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"].map(make);
    let survivor = hub.merge("contacts", &master, &lost).unwrap();
    hub.archive("contacts", &binned).unwrap();
    hub.erase("contacts", &erased).unwrap();
    let ids = [&alive, &lost, &binned, &erased].map(|number| id::of("contacts", number));
    let traced = lab.find(Role::Contact, vec![Wanted::Traces(ids.to_vec())], &[Std::Email]);
    let of = |id: &RecordId| traced.iter().find(|record| record.id == *id);
    assert!(!of(&ids[0]).unwrap().is(Std::Deleted));
    let merged = of(&ids[1]).unwrap();
    assert_eq!(merged.fields.get(&Std::MergedInto.into()), Some(&Value::Id(id::of("contacts", &survivor))));
    assert!(of(&ids[2]).unwrap().is(Std::Deleted));
    assert!(of(&ids[3]).is_none());
    // By its id alone, a merged record is answered with the values of the one that it is in.
    let found = lab.find(Role::Contact, vec![Wanted::Ids(vec![ids[1].clone()])], &[Std::Email]);
    assert!(found.iter().any(|record| record.id == ids[1] && record.text(Std::Email) == Some("c@x.example")));
}

/// Whoever is associated with a meeting attends it, and so do the owners whom it names.
///
/// proves: B16, B18
#[test]
fn attendees_are_contacts_and_owners() {
    let lab = Lab::new();
    lab.done(&booked());
    let meeting = id::of("meetings", &lab.only("meetings").id);
    lab.account.edit("meetings", id::number(&meeting).unwrap(), &[("hs_attendee_owner_ids", "88842095")]).unwrap();
    let asked = vec![Wanted::Is(Std::Meeting, vec![meeting.as_str().to_owned()])];
    let attendees = lab.find(Role::Attendee, asked, &[Std::Meeting, Std::Attends]);
    assert_eq!(attendees.len(), 3);
    assert!(attendees.iter().all(|attendee| attendee.fields[&Std::Meeting.into()] == Value::Id(meeting.clone())));
    let owner = Value::Id(id::of_owner("88842095"));
    assert!(attendees.iter().any(|attendee| attendee.fields[&Std::Attends.into()] == owner));
}
