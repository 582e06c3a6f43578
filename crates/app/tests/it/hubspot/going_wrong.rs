//! What happens where HubSpot refuses, limits, forgets or loses something in the middle of a booking: nothing is made
//! twice, nothing is left half done for good.

use std::{slice::from_ref, time::Duration};

use syncline_sandbox::{FaultKind, FaultRule, hubspot::HubSpotProperty};

use super::{BINARY, Lab, ada, visits};
use crate::{
    crms::{Hub, Told, tied, value},
    lab::{Booking, pause},
    story::post,
};

impl Lab {
    fn goes_wrong(&self, kind: FaultKind, what: &str) {
        let rule = FaultRule::next(kind).on("POST", &format!("/crm/v3/objects/{what}"));
        self.hub.account.faults().add(rule).expect("a fault");
    }
}

/// The account's limit strikes after the company was made: it is waited for, and the company is not made again.
///
/// proves: B24, V2
#[test]
fn a_limit_in_the_middle_is_waited_for() {
    let lab = Lab::new("hub-limit", "");
    lab.goes_wrong(FaultKind::Limited, "contacts/batch/create");
    lab.say(&ada().created());
    let (contact, company) = (lab.hub.only("contacts"), lab.hub.only("companies"));
    assert_eq!(tied(&contact, "companies"), from_ref(&company.id), "{}", lab.log());
    assert_eq!(tied(&lab.meeting(), "contacts"), [contact.id]);
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// A company that HubSpot refuses lays the booking aside with a reason, and nothing of it is written; a replay writes it.
///
/// proves: B24
#[test]
fn a_company_that_is_refused_lays_the_booking_aside() {
    let hub = Hub::with(|config| config.properties.push(("companies".into(), HubSpotProperty::text("vat").unique())));
    let other = hub.account.create("companies", &[("name", "Other"), ("vat", "7")]).expect("a company");
    let vat = "[[integrations.defaults.mapping]]\non = \"account\"\nfield = \"vat\"\nvalue = \"7\"";
    let lab = Lab::with("hub-refused", vat, hub);
    lab.say(&ada().created());
    assert_eq!(lab.parked(), 1, "{}", lab.log());
    assert!(lab.log().contains("a record with the same unique value exists"), "{}", lab.log());
    assert_eq!(lab.hub.account.snapshot().values().map(Vec::len).sum::<usize>(), 1, "nothing hangs in the air");
    lab.hub.account.archive("companies", &other).expect("a deletion");
    let config = lab.installation.folder.join("syncline.toml");
    let replayed = std::process::Command::new(BINARY).args(["replay", "--parked", "--config"]).arg(config).output();
    assert!(replayed.expect("it runs").status.success());
    lab.server.settle(&lab.installation);
    assert_eq!(tied(&lab.meeting(), "companies"), [lab.hub.only("companies").id], "{}", lab.log());
}

/// Neither the invitee nor a guest has an address that can be used: the meeting is written all the same.
///
/// proves: B2, B16
#[test]
fn without_an_address_there_is_a_meeting_without_people() {
    let lab = Lab::new("hub-nameless", "guests = \"create\"");
    let mut booking = Booking::new(1, "by phone", "Ada Lovelace").with_company(&["no address".to_owned()], &[]);
    lab.say(&booking.created());
    lab.say(&booking.moved());
    assert!(tied(&lab.meeting(), "contacts").is_empty());
    assert_eq!(value(&lab.meeting(), "hs_meeting_outcome"), "RESCHEDULED", "{}", lab.log());
    assert!(lab.hub.people().is_empty() && lab.hub.companies().is_empty());
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// The company of somebody who is known was deleted or merged: the next meeting is written without the one, and with the
/// other.
///
/// proves: B25
#[test]
fn a_company_that_is_gone_stops_no_meeting() {
    let lab = Lab::new("hub-company-gone", "opportunity = { stage = \"appointmentscheduled\" }");
    let companies = |number: usize| {
        let meetings = lab.hub.records("meetings");
        let of = meetings.into_iter().find(|met| value(met, "hs_meeting_start_time").contains(&start(number)));
        tied(&of.unwrap_or_else(|| panic!("{}", lab.log())), "companies")
    };
    lab.say(&ada().created());
    let old = lab.hub.only("companies").id;
    let master = lab.hub.account.create("companies", &[("name", "One")]).expect("a company");
    let survivor = lab.hub.account.merge("companies", &master, &old).expect("a merge");
    lab.say(&Booking::new(2, "ada@one.example", "Ada Lovelace").created());
    assert_eq!(companies(2), from_ref(&survivor), "{}", lab.log());
    lab.hub.account.archive("companies", &survivor).expect("a deletion");
    lab.say(&Booking::new(3, "ada@one.example", "Ada Lovelace").created());
    assert!(companies(3).is_empty(), "{}", lab.log());
    assert_eq!(lab.hub.records("contacts").len(), 1);
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

fn start(number: usize) -> String {
    let seconds = 1_893_456_000 + i64::try_from(number).expect("small") * 100 * 60;
    jiff::Timestamp::from_second(seconds).expect("a time").strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Meeting and company are deleted together: the meeting is made again, for the person alone.
///
/// proves: B25
#[test]
fn a_meeting_that_is_deleted_with_its_company_is_made_again() {
    let lab = Lab::new("hub-both-gone", "");
    let mut booking = ada();
    lab.say(&booking.created());
    let contact = lab.hub.only("contacts").id;
    lab.hub.account.archive("companies", &lab.hub.only("companies").id).expect("a deletion");
    lab.hub.account.archive("meetings", &lab.meeting().id).expect("a deletion");
    lab.say(&booking.moved());
    assert_eq!(tied(&lab.meeting(), "contacts"), [contact], "{}", lab.log());
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// The answer to the making of a further record is lost: it is found, and its associations are there.
///
/// proves: B28, V2, fault:N3
#[test]
fn a_further_record_whose_answer_is_lost_keeps_its_associations() {
    let (hub, settings) = visits();
    let lab = Lab::with("hub-lost-visit", settings, hub);
    lab.goes_wrong(FaultKind::LostAnswer, "2-100/batch/create");
    lab.say(&ada().answering(&[("Topic", "Engines")]).created());
    let visit = lab.hub.only("visits");
    let (contact, meeting) = (lab.hub.only("contacts"), lab.meeting());
    let ties = (tied(&visit, "contacts"), tied(&visit, "meetings"));
    assert_eq!(ties, (vec![contact.id], vec![meeting.id]), "{}", lab.log());
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// Between the look and the write somebody else makes the contact: that one is used, and the company that was made
/// already is not made again.
///
/// proves: B15, V2
#[test]
fn somebody_who_is_made_meanwhile_stands_in() {
    let lab = Lab::new("hub-meanwhile", "");
    let slow = FaultRule::next(FaultKind::Slow).late(1_200).on("POST", "/crm/v3/objects/companies/batch/upsert");
    lab.hub.account.faults().add(slow).expect("a fault");
    post(&lab.server, &[ada().created()]);
    while !lab.hub.account.calls().contains_key("POST companies/batch/upsert") {
        pause(Duration::from_millis(5));
    }
    let known = lab.contact("ada@one.example");
    lab.server.settle(&lab.installation);
    assert_eq!(tied(&lab.meeting(), "contacts"), from_ref(&known), "{}", lab.log());
    assert_eq!((lab.hub.people().len(), lab.hub.companies().len()), (1, 1));
    assert!(lab.log().contains("a contact with this e-mail address is there already"), "{}", lab.log());
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}
