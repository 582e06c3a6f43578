//! What HubSpot makes of bookings in its own way: associations, outcomes, owners who attend, tickets and deals, further
//! addresses, merges.

mod going_wrong;

use std::{path::Path, slice::from_ref};

use serde_json::Value;
use syncline_sandbox::hubspot::{HubSpotObject, HubSpotProperty, HubSpotRecord};

use crate::{
    crms::{Hub, Told, tied, value},
    lab::{Booking, Hook, Installation, Server},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

struct Lab {
    hub: Hub,
    installation: Installation,
    server: Server,
}

impl Lab {
    fn new(name: &str, defaults: &str) -> Self {
        Self::with(name, defaults, Hub::start())
    }

    fn with(name: &str, defaults: &str, hub: Hub) -> Self {
        let more = format!("[integrations.defaults]\nown_domains = [\"host.example\"]\n{defaults}\n");
        let installation = Installation::new(name, &hub, "sqlite:syncline.db", &more);
        let server = installation.start(Path::new(BINARY), &[]);
        Self { hub, installation, server }
    }

    /// Delivers, and waits until everything is done.
    fn say(&self, hook: &Hook) {
        let (status, body) = hook.post(&mut self.server.connect(), &self.server.hook).expect("an answer");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        self.server.settle(&self.installation);
    }

    /// The same, and the calls that it took.
    fn cost(&self, hook: &Hook) -> u64 {
        let before = self.hub.calls();
        self.say(hook);
        self.hub.calls() - before
    }

    fn contact(&self, email: &str) -> String {
        let known = [("email", email), ("lastname", "Known")];
        self.hub.account.create("contacts", &known).expect("a contact")
    }

    fn meeting(&self) -> HubSpotRecord {
        self.hub.only("meetings")
    }

    fn log(&self) -> String {
        self.server.api("/api/v1/activity?limit=50").to_string()
    }

    fn parked(&self) -> Value {
        self.server.api("/api/v1/status")["parked"].clone()
    }
}

fn ada() -> Booking {
    Booking::new(1, "ada@one.example", "Ada Lovelace")
}

fn set(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// A meeting is made with its associations, on the timeline at its start; its outcome follows the booking.
///
/// proves: B2, B7, B11, B21, B22
#[test]
fn a_meeting_stands_on_the_timelines_and_tells_its_outcome() {
    let lab = Lab::new("hub-meeting", "");
    let mut booking = ada();
    lab.say(&booking.created());
    let (contact, company) = (lab.hub.only("contacts"), lab.hub.only("companies"));
    assert_eq!((value(&contact, "firstname"), value(&contact, "lastname")), ("Ada", "Lovelace"));
    assert_eq!(value(&contact, "associatedcompanyid"), company.id, "it is the contact's primary company");
    assert_eq!((value(&company, "name"), value(&company, "domain")), ("one.example", "one.example"));
    let meeting = lab.meeting();
    assert_eq!(tied(&meeting, "contacts"), from_ref(&contact.id));
    assert_eq!(tied(&meeting, "companies"), [company.id]);
    assert_eq!(value(&meeting, "hs_meeting_outcome"), "SCHEDULED");
    assert_eq!(value(&meeting, "hs_timestamp"), value(&meeting, "hs_meeting_start_time"));
    assert_eq!(value(&meeting, "hs_meeting_location"), "https://meet.example/x");
    assert!(value(&meeting, "hs_meeting_body").contains("<br>"), "lines are kept: {meeting:?}");
    lab.say(&booking.moved());
    let moved = lab.meeting();
    assert_eq!(value(&moved, "hs_meeting_outcome"), "RESCHEDULED");
    assert_eq!(value(&moved, "hs_timestamp"), value(&moved, "hs_meeting_start_time"));
    assert_ne!(value(&moved, "hs_timestamp"), value(&meeting, "hs_timestamp"));
    lab.say(&booking.cancelled());
    assert_eq!(value(&lab.meeting(), "hs_meeting_outcome"), "CANCELED");
    assert!(value(&lab.meeting(), "hs_meeting_title").starts_with("[CANCELLED] "));
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// A ticket and a deal for every booking, each associated with contact and company, and the meeting with all of them.
///
/// proves: B9, B12, B13
#[test]
fn a_deal_and_a_ticket_are_associated_with_everything() {
    let lab = Lab::new(
        "hub-deal",
        "case = { status = \"1\", origin = \"FORM\" }\nopportunity = { stage = \"appointmentscheduled\", amount = \"1500.50\" }",
    );
    let mut booking = ada();
    assert_eq!(lab.cost(&booking.created()), Hub::CALLS_NEW + 2, "a batch each: {:?}", lab.hub.account.calls());
    let (contact, company) = (lab.hub.only("contacts"), lab.hub.only("companies"));
    let (ticket, deal, meeting) = (lab.hub.only("tickets"), lab.hub.only("deals"), lab.meeting());
    for record in [&ticket, &deal, &meeting] {
        assert_eq!(tied(record, "contacts"), from_ref(&contact.id), "{record:?}");
        assert_eq!(tied(record, "companies"), from_ref(&company.id), "{record:?}");
        assert_eq!(value(record, "hubspot_owner_id"), lab.hub.rosa(), "{record:?}");
    }
    assert_eq!(tied(&meeting, "tickets"), from_ref(&ticket.id));
    assert_eq!(tied(&meeting, "deals"), from_ref(&deal.id));
    assert_eq!((value(&ticket, "hs_pipeline_stage"), value(&ticket, "source_type")), ("1", "FORM"));
    assert_eq!((value(&deal, "dealname"), value(&deal, "amount")), ("Introduction", "1500.5"));
    assert!(value(&ticket, "content").contains("please call"), "{ticket:?}");
    lab.say(&booking.moved());
    assert_eq!((lab.hub.records("tickets").len(), lab.hub.records("deals").len()), (1, 1));
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// Guests who are contacts are associated with the meeting, co-hosts who are owners are named by it, everybody else is
/// named in the description; whoever leaves is taken off.
///
/// proves: B16, B17, B18
#[test]
fn guests_and_co_hosts_attend_the_meeting() {
    let lab = Lab::new("hub-guests", "");
    let grace = lab.contact("grace@navy.example");
    let guests = ["Grace@Navy.example", "stranger@far.example"].map(str::to_owned);
    let mut booking = ada().with_company(&guests, &["ola@host.example", "gone@host.example"]);
    lab.say(&booking.created());
    let ada = lab.hub.people().into_iter().find(|person| person.email == "ada@one.example").expect("ada").id;
    let meeting = lab.meeting();
    assert_eq!(set(tied(&meeting, "contacts")), set(vec![ada.clone(), grace.clone()]), "{}", lab.log());
    assert_eq!(value(&meeting, "hs_attendee_owner_ids"), "88842095");
    assert!(value(&meeting, "hs_meeting_body").contains("stranger@far.example"));
    assert!(lab.log().contains("gone@host.example is no active user"));
    let mut alone = booking.with_company(&[], &[]);
    assert_eq!(lab.cost(&alone.moved()), Hub::CALLS_MOVED + 5, "{:?}", lab.hub.account.calls());
    assert_eq!(tied(&lab.meeting(), "contacts"), from_ref(&ada), "the others left: {}", lab.log());
    assert_eq!(value(&lab.meeting(), "hs_attendee_owner_ids"), "");
    booking = alone.with_company(&guests, &["ola@host.example"]);
    assert_eq!(lab.cost(&booking.moved()), Hub::CALLS_MOVED + 5, "{:?}", lab.hub.account.calls());
    assert_eq!(set(tied(&lab.meeting(), "contacts")), set(vec![ada, grace]), "{}", lab.log());
    assert_eq!(value(&lab.meeting(), "hs_attendee_owner_ids"), "88842095");
    assert_eq!(lab.hub.records("contacts").len(), 2, "nobody was made");
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// Guests who are not known are made with their companies, and a colleague is not; sixty of them are three batches more.
///
/// proves: B16
#[test]
fn guests_become_contacts_where_the_settings_say_so() {
    let lab = Lab::new("hub-guests-made", "guests = \"create\"");
    let guests: Vec<String> = (0..60).map(|n| format!("guest{n}@company{}.example", n % 7)).collect();
    let mut company = guests;
    company.push("colleague@host.example".to_owned());
    lab.say(&ada().with_company(&company, &[]).created());
    assert_eq!(lab.hub.records("contacts").len(), 61, "{}", lab.log());
    assert_eq!(lab.hub.records("companies").len(), 8);
    assert_eq!(tied(&lab.meeting(), "contacts").len(), 61);
    let calls = lab.hub.account.calls();
    let writes: u64 =
        calls.iter().filter(|(path, _)| path.ends_with("/create") || path.ends_with("/upsert")).map(|(_, n)| n).sum();
    assert_eq!(writes, 3, "companies, contacts, the meeting: {calls:?}");
}

/// A contact is found by a further address, too, and nobody is made beside it.
///
/// proves: B6
#[test]
fn a_further_address_leads_to_the_contact() {
    let lab = Lab::new("hub-further", "");
    let (first, second) = (lab.contact("countess@home.example"), lab.contact("ada@one.example"));
    let known = lab.hub.account.merge("contacts", &first, &second).expect("a merge");
    assert_eq!(value(&lab.hub.only("contacts"), "email"), "countess@home.example");
    lab.say(&ada().created());
    assert_eq!(tied(&lab.meeting(), "contacts"), [known], "{}", lab.log());
    assert_eq!(lab.hub.records("contacts").len(), 1);
}

/// Merged records are followed, and deleted ones are made again or found.
///
/// proves: B25
#[test]
fn merged_and_deleted_records_are_followed() {
    let lab = Lab::new("hub-merged", "");
    let mut booking = ada();
    lab.say(&booking.created());
    let old = lab.hub.only("contacts").id;
    let master = lab.contact("countess@two.example");
    let survivor = lab.hub.account.merge("contacts", &master, &old).expect("a merge");
    // The meeting is taken away, so that the next message has to name the person again.
    lab.hub.account.archive("meetings", &lab.meeting().id).expect("a deletion");
    lab.say(&booking.moved());
    assert_eq!(tied(&lab.meeting(), "contacts"), from_ref(&survivor), "{}", lab.log());
    assert_eq!(lab.hub.records("contacts").len(), 1, "nobody is made again: {}", lab.log());
    lab.say(&Booking::new(2, "ada@one.example", "Ada Lovelace").created());
    assert_eq!(lab.hub.records("contacts").len(), 1, "{}", lab.log());
    // A contact that is deleted is made again for the next booking.
    lab.hub.account.archive("contacts", &survivor).expect("a deletion");
    lab.say(&Booking::new(3, "ada@one.example", "Ada Lovelace").created());
    assert_eq!(lab.hub.people().len(), 1, "{}", lab.log());
    assert_eq!(lab.hub.records("meetings").len(), 3);
    assert_eq!(lab.parked(), 0, "{}", lab.log());
}

/// Lead mode: a contact stands for the lead, and its lead status says so.
///
/// proves: B6, B8
#[test]
fn a_lead_is_a_contact_with_a_lead_status() {
    let lab = Lab::new("hub-lead", "person = \"lead\"\nlead_status = \"NEW\"");
    lab.say(&ada().created());
    let contact = lab.hub.only("contacts");
    assert_eq!((value(&contact, "hs_lead_status"), value(&contact, "lifecyclestage")), ("NEW", "lead"));
    assert_eq!(tied(&lab.meeting(), "contacts"), [contact.id]);
    lab.say(&Booking::new(2, "ada@one.example", "Ada Lovelace").created());
    assert_eq!(lab.hub.records("contacts").len(), 1, "{}", lab.log());
}

/// An account with an object of its own, and settings that make a record of it.
fn visits() -> (Hub, &'static str) {
    let hub = Hub::with(|config| {
        config.properties.push(("contacts".into(), HubSpotProperty::text("topic")));
        config.custom_objects.push(HubSpotObject {
            type_id: "2-100".into(),
            name: "visit".into(),
            singular: "visit".into(),
            plural: "visits".into(),
            required: vec!["purpose".into()],
            properties: vec![HubSpotProperty::text("purpose"), HubSpotProperty::text("syncline_key").unique()],
        });
    });
    let settings = r#"
        [[integrations.defaults.mapping]]
        on = "contact"
        field = "topic"
        value = "{{ answer(\"Topic\") }}"
        when = "always"
        [[integrations.defaults.record]]
        name = "visit"
        object = "2-100"
        fields = [
            { field = "purpose", value = "{{ answer(\"Topic\") }}" },
            { field = "associations.contacts", value = "{{ person.id }}" },
            { field = "associations.meetings", value = "{{ meeting.id }}" },
        ]
    "#;
    (hub, settings)
}

/// Answers are mapped into properties of the account's own, and into a further record that is associated.
///
/// proves: B12, B13
#[test]
fn answers_are_mapped_into_any_property_and_a_further_object() {
    let (hub, settings) = visits();
    let lab = Lab::with("hub-mapped", settings, hub);
    let mut booking = ada().answering(&[("Topic", "Engines")]);
    lab.say(&booking.created());
    let (contact, meeting) = (lab.hub.only("contacts"), lab.meeting());
    assert_eq!(value(&contact, "topic"), "Engines", "{}", lab.log());
    let visit = lab.hub.only("visits");
    assert_eq!(value(&visit, "purpose"), "Engines");
    assert_eq!((tied(&visit, "contacts"), tied(&visit, "meetings")), (vec![contact.id], vec![meeting.id]));
    let calls = lab.hub.account.calls();
    let types: u64 = calls.iter().filter(|(path, _)| path.contains("/labels")).map(|(_, count)| count).sum();
    assert_eq!(types, 2, "how it is associated is asked for once for each kind: {calls:?}");
    booking = booking.answering(&[("Topic", "Looms")]);
    lab.say(&booking.moved());
    assert_eq!(value(&lab.hub.only("contacts"), "topic"), "Looms", "{}", lab.log());
    assert_eq!(value(&lab.hub.only("visits"), "purpose"), "Looms");
}

/// The doctor says what the account lacks, and what to do about it. What was laid aside for want of it is written by a
/// replay, and what was made before the booking stopped is used.
///
/// proves: O5, B24, V2
#[test]
fn a_missing_property_is_named_and_a_replay_goes_on() {
    let bare = Hub::with(|config| config.properties.retain(|(object, _)| object != "meetings"));
    let lab = Lab::with("hub-doctor", "", bare);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(BINARY);
        command.args(arguments).arg("--config").arg(lab.installation.folder.join("syncline.toml"));
        let out = command.output().expect("it runs");
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let (well, text) = run(&["doctor"]);
    assert!(!well && text.contains("meetings have no property syncline_key"), "{text}");
    assert!(text.contains("create syncline_key on meetings"), "{text}");
    lab.say(&ada().created());
    assert_eq!(lab.parked(), 1, "{}", lab.log());
    assert!(lab.log().contains("syncline_key"), "{}", lab.log());
    assert!(lab.hub.records("meetings").is_empty());
    lab.hub.account.add_property("meetings", &HubSpotProperty::text("syncline_key").unique()).expect("a property");
    let (well, text) = run(&["doctor"]);
    assert!(well && text.contains("meetings can be written, and made only once by syncline_key"), "{text}");
    assert!(run(&["replay", "--parked"]).0);
    lab.server.settle(&lab.installation);
    let contact = lab.hub.only("contacts");
    assert_eq!(tied(&lab.meeting(), "contacts"), [contact.id], "{}", lab.log());
    assert_eq!(tied(&lab.meeting(), "companies"), [lab.hub.only("companies").id]);
    assert_eq!(lab.parked(), 0);
}

/// A dry run shows each record and field, looks as a booking does, and writes nothing.
///
/// proves: B28
#[test]
fn a_dry_run_writes_nothing() {
    let lab = Lab::new("hub-dry", "opportunity = { stage = \"appointmentscheduled\" }");
    let message = lab.installation.folder.join("message.json");
    std::fs::write(&message, &ada().created().body).expect("a file");
    let out = std::process::Command::new(BINARY)
        .arg("dry-run")
        .arg(&message)
        .arg("--config")
        .arg(lab.installation.folder.join("syncline.toml"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    for expected in
        ["create account", "create contact", "create opportunity", "create meeting", "opportunity: (opportunity)"]
    {
        assert!(text.contains(expected), "`{expected}` is missing in:\n{text}{}", String::from_utf8_lossy(&out.stderr));
    }
    assert!(!text.contains("show_as"), "what HubSpot has not is not shown: {text}");
    assert!(lab.hub.account.snapshot().is_empty(), "nothing was written");
}
