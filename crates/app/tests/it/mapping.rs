//! Values of an admin's own in the CRM's fields, further records, and what happens where the org does not take them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use syncline_sandbox::{
    SalesforceConfig,
    salesforce::{Comparison, Condition, CustomField, CustomObject, RuleSet, SchemaChange, ValidationRule},
};

use crate::{
    before::run,
    lab::{Booking, Hook, Installation, PATIENCE, Sandbox, Server, pause},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// How long between two looks at a server's activity log.
const LOOK: Duration = Duration::from_millis(20);

fn field(object: &str, name: &str, kind: &str, more: Value) -> CustomField {
    let mut whole = json!({"object": object, "name": name, "label": name, "type": kind});
    let more = more.as_object().expect("facts").clone();
    whole.as_object_mut().expect("an object").extend(more);
    serde_json::from_value(whole).expect("a field")
}

/// An org with fields of its own, and an object for a log of bookings.
fn own_fields(org: &mut SalesforceConfig) {
    org.custom_objects.push(CustomObject {
        name: "Booking_Log__c".into(),
        label: "Booking Log".into(),
        label_plural: "Booking Logs".into(),
    });
    let key = json!({"length": 64, "unique": true, "external_id": true, "case_sensitive": true});
    org.custom_fields.extend([
        field("Contact", "First_Topic__c", "string", json!({"length": 40})),
        field("Contact", "Open_Topic__c", "string", json!({"length": 40})),
        field("Contact", "Latest_Topic__c", "string", json!({"length": 40})),
        field(
            "Contact",
            "Region__c",
            "picklist",
            json!({"length": 40, "picklist": ["EMEA", "APAC"], "restricted": true}),
        ),
        field("Contact", "Team_Size__c", "double", json!({})),
        field("Event", "First_Topic__c", "string", json!({"length": 40})),
        field("Event", "Open_Topic__c", "string", json!({"length": 40})),
        field("Event", "Latest_Topic__c", "string", json!({"length": 12})),
        field("Booking_Log__c", "Syncline_Uid__c", "string", key),
        field("Booking_Log__c", "Contact__c", "reference", json!({"reference_to": ["Contact"]})),
        field("Booking_Log__c", "Event_Id__c", "string", json!({"length": 18})),
        field("Booking_Log__c", "Status__c", "string", json!({"length": 40})),
        field("Booking_Log__c", "Raw__c", "textarea", json!({"length": 131_072})),
        field("Booking_Log__c", "Raw_Begins__c", "textarea", json!({"length": 255})),
    ]);
}

/// One mapping as it stands in the configuration.
fn map(on: &str, field: &str, value: &str, when: &str) -> String {
    format!(
        "[[integrations.defaults.mapping]]\non = \"{on}\"\nfield = \"{field}\"\nvalue = '''{value}'''\nwhen = \"{when}\"\n"
    )
}

const TOPIC: &str = "{{ answer(\"topic\") }}";

fn topics(on: &str) -> String {
    [("First_Topic__c", "never"), ("Open_Topic__c", "if_empty"), ("Latest_Topic__c", "always")]
        .map(|(field, when)| map(on, field, TOPIC, when))
        .concat()
}

struct Lab {
    sandbox: Sandbox,
    installation: Installation,
    server: Server,
}

impl Lab {
    fn new(name: &str, mappings: &str) -> Self {
        let (sandbox, installation) = installed(name, mappings);
        let server = installation.start(Path::new(BINARY), &[]);
        Self { sandbox, installation, server }
    }

    /// Delivers, and waits until everything is done.
    fn say(&self, hook: &Hook) {
        let (status, body) = hook.post(&mut self.server.connect(), &self.server.hook).expect("an answer");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        self.server.settle(&self.installation);
    }

    fn only(&self, object: &str) -> Map<String, Value> {
        let mut found = self.sandbox.records(object);
        assert_eq!(found.len(), 1, "{object}: {found:?}; {}", self.log());
        found.remove(0)
    }

    fn topics(&self, object: &str) -> [Value; 3] {
        let record = self.only(object);
        ["First_Topic__c", "Open_Topic__c", "Latest_Topic__c"].map(|field| record[field].clone())
    }

    fn log(&self) -> String {
        self.server.api("/api/v1/activity?limit=50").to_string()
    }

    /// The lines of the activity log about one booking, with their details.
    fn log_of(&self, title: &str) -> String {
        let bookings = self.server.api("/api/v1/bookings");
        let rows = bookings["bookings"].as_array().expect("bookings");
        let row = rows.iter().find(|row| row["title"] == title).unwrap_or_else(|| panic!("{title} in {bookings}"));
        self.server.api(&format!("/api/v1/bookings/{}", row["booking"].as_str().expect("its name"))).to_string()
    }

    fn change(&self, change: SchemaChange) {
        self.sandbox.org.change_schema(&change).expect("a change of the schema");
    }
}

fn installed(name: &str, mappings: &str) -> (Sandbox, Installation) {
    let sandbox = Sandbox::with(own_fields);
    let more = format!("[integrations.defaults]\nown_domains = [\"host.example\"]\n{mappings}\n");
    let installation = Installation::new(name, &sandbox, "sqlite:syncline.db", &more);
    (sandbox, installation)
}

fn ada(number: usize, topic: &str) -> Booking {
    Booking::new(number, "ada@one.example", "Ada Lovelace").answering(&[("topic", topic)])
}

fn lost(object: &str, field: &str) -> SchemaChange {
    SchemaChange::RemoveField { object: object.to_owned(), field: field.to_owned() }
}

/// An answer lands in fields of contact and event; what stands there already is left alone, filled or overwritten, as
/// each mapping says.
///
/// proves: B13
#[test]
fn answers_land_in_fields_as_each_mapping_says() {
    let lab = Lab::new("mapped", &(topics("contact") + &topics("meeting")));
    let mut booking = ada(1, "Looms");
    lab.say(&booking.created());
    let same = |topic: &str| [json!(topic), json!(topic), json!(topic)];
    assert_eq!((lab.topics("Contact"), lab.topics("Event")), (same("Looms"), same("Looms")), "{}", lab.log());

    booking = booking.answering(&[("topic", "Engines")]);
    lab.say(&booking.moved());
    let kept = [json!("Looms"), json!("Looms"), json!("Engines")];
    assert_eq!((lab.topics("Contact"), lab.topics("Event")), (kept.clone(), kept), "{}", lab.log());

    // What people do is an edit like any other, except where a mapping claims the field.
    let by_hand = json!({"Open_Topic__c": null, "Latest_Topic__c": "by hand"});
    for object in ["Contact", "Event"] {
        let id = lab.only(object)["Id"].as_str().expect("an id").to_owned();
        lab.sandbox.org.edit(&id, by_hand.as_object().expect("fields")).expect("an edit");
    }
    booking = booking.answering(&[("topic", "Poetry")]);
    lab.say(&booking.moved());
    let edited = [json!("Looms"), Value::Null, json!("Poetry")];
    assert_eq!((lab.topics("Contact"), lab.topics("Event")), (edited.clone(), edited), "{}", lab.log());
}

/// The fields of somebody whom the CRM knew before: never written, filled where empty, overwritten.
///
/// proves: B13
#[test]
fn fields_of_a_known_contact_are_filled_with_care() {
    let lab = Lab::new("mapped-known", &topics("contact"));
    let seeded = [("grace@one.example", Value::Null), ("joan@two.example", json!("theirs"))];
    for (number, (email, topic)) in seeded.into_iter().enumerate() {
        let contact = json!({"LastName": email, "Email": email, "Open_Topic__c": topic, "Latest_Topic__c": topic});
        let id = lab.sandbox.org.seed("Contact", contact.as_object().expect("fields")).expect("a contact");
        let open = if topic.is_null() { json!("Looms") } else { topic };
        lab.say(&Booking::new(number, email, "Somebody").answering(&[("topic", "Looms")]).created());
        let contact =
            lab.sandbox.records("Contact").into_iter().find(|one| one["Id"] == id.as_str()).expect("a contact");
        let topics = ["First_Topic__c", "Open_Topic__c", "Latest_Topic__c"].map(|field| contact[field].clone());
        assert_eq!(topics, [Value::Null, open, json!("Looms")], "{}", lab.log());
    }
}

/// A booking has a record of an object of the org's own, related to contact and event, with the very bytes of its message
/// in it, which a field that is too short holds the beginning of; it is made once, kept in step, and not made for a booking
/// that its condition excludes.
///
/// proves: B12, B27
#[test]
fn a_booking_has_a_record_of_the_orgs_own() {
    let record = r#"
        [[integrations.defaults.record]]
        name = "log"
        object = "Booking_Log__c"
        when = 'answer("topic") != "private"'
        fields = [
            { field = "Contact__c", value = "{{ person.id }}" },
            { field = "Event_Id__c", value = "{{ meeting.id }}" },
            { field = "Status__c", value = "{{ booking.status }}, {{ booking.reschedules }}" },
            { field = "Raw__c", value = "{{ booking.raw }}" },
            { field = "Raw_Begins__c", value = "{{ booking.raw }}" },
        ]
    "#;
    let lab = Lab::new("further", record);
    let mut booking = ada(1, "Looms");
    let created = booking.created();
    lab.say(&created);
    let (log, contact, event) = (lab.only("Booking_Log__c"), lab.only("Contact"), lab.only("Event"));
    assert_eq!((&log["Contact__c"], &log["Event_Id__c"]), (&contact["Id"], &event["Id"]), "{}", lab.log());
    assert_eq!(log["Status__c"], "active, 0");
    let sent = |hook: &Hook| String::from_utf8(hook.body.clone()).expect("JSON");
    assert_eq!(log["Raw__c"].as_str(), Some(sent(&created).as_str()), "exactly as it came, and nothing beside it");
    let begins = log["Raw_Begins__c"].as_str().expect("a text");
    assert!(sent(&created).starts_with(begins) && begins.len() == 255, "{begins}");
    let told = "the field Raw_Begins__c of the log was cut to the length that it can hold";
    assert!(lab.log_of("Introduction with Ada Lovelace").contains(told));

    let now = booking.moved();
    let dry = lab.server.ask("POST", "/api/v1/dry-run?source=calcom", &now.body);
    let records = dry["bookings"][0]["records"].as_array().expect("records");
    let logged = records.iter().find(|record| record["role"] == "Booking_Log__c").unwrap_or_else(|| panic!("{dry}"));
    assert_eq!(logged["fields"]["@Raw__c"]["then"].as_str(), Some(sent(&now).as_str()), "{dry}");
    lab.say(&now);
    let moved = lab.only("Booking_Log__c");
    assert_eq!((&moved["Id"], &moved["Status__c"]), (&log["Id"], &json!("active, 1")), "{}", lab.log());
    assert_eq!((&moved["Contact__c"], &moved["Event_Id__c"]), (&contact["Id"], &event["Id"]));
    assert_eq!(moved["Raw__c"].as_str(), Some(sent(&now).as_str()));
    lab.say(&booking.cancelled());
    assert_eq!(lab.only("Booking_Log__c")["Status__c"], "cancelled, 1", "{}", lab.log());

    lab.say(&ada(2, "private").created());
    assert_eq!(lab.sandbox.records("Event").len(), 2, "{}", lab.log());
    lab.only("Booking_Log__c");
    assert_eq!(lab.server.api("/api/v1/status")["parked"], 0);
}

/// A field is taken away while everything runs, after its description was learned: the next booking is written without
/// it, with the warning on that booking.
///
/// proves: B13
#[test]
fn a_field_that_the_org_loses_drops_only_itself() {
    let lab = Lab::new("lost-field", &(topics("contact") + &topics("meeting")));
    lab.say(&ada(1, "Looms").created());
    lab.change(lost("Contact", "Latest_Topic__c"));
    lab.change(lost("Event", "Open_Topic__c"));
    let bob = Booking::new(2, "bob@two.example", "Bob Babbage").answering(&[("topic", "Engines")]).created();
    lab.say(&bob);
    let contact = lab
        .sandbox
        .records("Contact")
        .into_iter()
        .find(|one| one["LastName"] == "Babbage")
        .unwrap_or_else(|| panic!("{}", lab.log()));
    assert_eq!((&contact["First_Topic__c"], &contact["Open_Topic__c"]), (&json!("Engines"), &json!("Engines")));
    let events = lab.sandbox.records("Event");
    let event = events.iter().find(|event| event["WhoId"] == contact["Id"]).expect("his meeting");
    assert_eq!((&event["First_Topic__c"], &event["Latest_Topic__c"]), (&json!("Engines"), &json!("Engines")));
    let told = lab.log_of("Introduction with Bob Babbage");
    for words in [
        "the field Latest_Topic__c of the contact was left out: Contact has no such field; create it in the CRM",
        "the field Open_Topic__c of the meeting was left out: Event has no such field",
    ] {
        assert!(told.contains(words), "`{words}` is missing in: {told}");
    }
    assert!(!lab.log_of("Introduction with Ada Lovelace").contains("left out"));
    assert_eq!(lab.server.api("/api/v1/status")["parked"], 0);

    // A field that may no longer be written is the same.
    let locked = SchemaChange::LockField { object: "Contact".into(), field: "First_Topic__c".into(), locked: true };
    lab.change(locked);
    lab.say(&Booking::new(3, "cleo@three.example", "Cleo Clarke").answering(&[("topic", "Maps")]).created());
    let contact = lab
        .sandbox
        .records("Contact")
        .into_iter()
        .find(|one| one["LastName"] == "Clarke")
        .unwrap_or_else(|| panic!("{}", lab.log()));
    assert_eq!((&contact["First_Topic__c"], &contact["Open_Topic__c"]), (&Value::Null, &json!("Maps")));
    let told = lab.log_of("Introduction with Cleo Clarke");
    assert!(told.contains("the field First_Topic__c of the contact was left out: it cannot be set"), "{told}");
}

/// A value that a field cannot hold leaves that field alone (a picklist value that is not active, a word for a number)
/// or is cut to its length, each with its reason on the booking.
///
/// proves: B13
#[test]
fn a_value_that_does_not_fit_drops_only_its_field() {
    let mappings = [
        map("contact", "Region__c", "{{ answer(\"region\") }}", "always"),
        map("contact", "Team_Size__c", "{{ answer(\"size\") }}", "always"),
        map("contact", "Open_Topic__c", TOPIC, "always"),
        map("meeting", "Latest_Topic__c", TOPIC, "always"),
    ];
    let lab = Lab::new("misfits", &mappings.concat());
    let booking = |number: usize, region: &str, size: &str| {
        let answers = [("region", region), ("size", size), ("topic", "Analytical Engines")];
        ada(number, "").answering(&answers).created()
    };
    lab.say(&booking(1, "emea", "25"));
    let contact = lab.only("Contact");
    assert_eq!(
        (&contact["Region__c"], contact["Team_Size__c"].as_f64()),
        (&json!("EMEA"), Some(25.0)),
        "{}",
        lab.log()
    );
    assert_eq!(lab.only("Event")["Latest_Topic__c"], "Analytical E");
    assert!(lab.log().contains("the field Latest_Topic__c of the meeting was cut to the length that it can hold"));

    let change = SchemaChange::Picklist {
        object: "Contact".into(),
        field: "Region__c".into(),
        values: vec!["APAC".into(), "Americas".into()],
        restricted: true,
    };
    lab.change(change);
    let other = Booking::new(2, "bob@two.example", "Bob Babbage");
    let answers = [("region", "EMEA"), ("size", "a few"), ("topic", "Looms")];
    lab.say(&other.answering(&answers).created());
    let contact = lab
        .sandbox
        .records("Contact")
        .into_iter()
        .find(|one| one["LastName"] == "Babbage")
        .unwrap_or_else(|| panic!("{}", lab.log()));
    assert_eq!((&contact["Region__c"], &contact["Team_Size__c"]), (&Value::Null, &Value::Null), "{}", lab.log());
    assert_eq!(contact["Open_Topic__c"], "Looms");
    let told = lab.log_of("Introduction with Bob Babbage");
    for words in ["none of the picklist's active ones (APAC, Americas)", "its value is no number"] {
        assert!(told.contains(words), "`{words}` is missing in: {told}");
    }
    assert_eq!((lab.sandbox.records("Event").len(), lab.server.api("/api/v1/status")["parked"].clone()), (2, json!(0)));
}

/// The CRM itself refuses a mapped value, by a rule of the org or because it is no record's id: the field is left out,
/// the journal says why, and everything else is written.
///
/// proves: B13
#[test]
fn a_value_that_the_crm_refuses_drops_only_its_field() {
    let mappings = [
        map("contact", "Team_Size__c", "{{ answer(\"size\") }}", "always"),
        map("contact", "Open_Topic__c", TOPIC, "always"),
        "[[integrations.defaults.record]]\nname = \"log\"\nobject = \"Booking_Log__c\"\nfields = [\n\
         { field = \"Contact__c\", value = '{{ answer(\"friend\") }}' },\n\
         { field = \"Status__c\", value = \"{{ booking.status }}\" },\n]\n"
            .to_owned(),
    ];
    let lab = Lab::new("refused-values", &mappings.concat());
    let rule = ValidationRule {
        name: "Sane_Teams".to_owned(),
        object: "Contact".to_owned(),
        active: true,
        refuse_when: vec![Condition { field: "Team_Size__c".into(), op: Comparison::Greater, value: json!(500) }],
        message: "no team is that large".to_owned(),
        error_field: Some("Team_Size__c".to_owned()),
    };
    lab.sandbox.org.set_rules(RuleSet { validation_rules: vec![rule], ..RuleSet::default() }).expect("rules");
    let answers = [("size", "1000"), ("topic", "Looms"), ("friend", "Charles")];
    lab.say(&ada(1, "").answering(&answers).created());
    assert_eq!(lab.server.api("/api/v1/status")["parked"], 0, "{}", lab.log());
    let (contact, entry) = (lab.only("Contact"), lab.only("Booking_Log__c"));
    assert_eq!((&contact["Team_Size__c"], &contact["Open_Topic__c"]), (&Value::Null, &json!("Looms")));
    assert_eq!((&entry["Contact__c"], &entry["Status__c"]), (&Value::Null, &json!("active")));
    lab.only("Event");
    let log = lab.log();
    for field in ["Team_Size__c of the contact was left out", "Contact__c of the log was left out"] {
        assert!(log.contains(field), "`{field}` is missing in: {log}");
    }
}

/// The doctor names each mapped field that the org does not have, with the fix and an example, and does not fail for
/// it; an object of further records that lacks its key is found without being named in the settings, and blocks.
///
/// proves: B13, O5
#[test]
fn the_doctor_holds_mappings_against_the_org() {
    let mappings = [
        map("contact", "Gone__c", TOPIC, "always"),
        map("contact", "region__c", TOPIC, "always"),
        map("meeting", "First_Topic__c", TOPIC, "always"),
        "[[integrations.defaults.record]]\nname = \"log\"\nobject = \"Booking_Log__c\"\n\
         fields = [{ field = \"Nowhere__c\", value = \"x\" }]\n"
            .to_owned(),
    ];
    let (sandbox, installation) = installed("doctor-mappings", &mappings.concat());
    let out = run(&installation, &["doctor"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    for words in [
        "! contact.Gone__c (bookings): Contact has no such field\n    create it in the CRM, let Syncline's user see it, or take it out of the mapping; for example: ",
        "! contact.region__c (bookings): Contact has no such field\n    it is spelled Region__c",
        "! log.Nowhere__c (bookings): Booking_Log__c has no such field",
        "✓ Booking_Log__c can be written, and made only once by Syncline_Uid__c",
    ] {
        assert!(text.contains(words), "`{words}` is missing in:\n{text}");
    }
    assert!(!text.contains("First_Topic__c"), "{text}");

    let out = run(&installation, &["doctor", "--json"]);
    let lines = String::from_utf8_lossy(&out.stdout).into_owned();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let gone = lines.iter().find(|line| line["field"] == "contact.Gone__c").expect("the missing field");
    assert_eq!((&gone["integration"], &gone["meeting_type"]), (&json!("bookings"), &Value::Null));
    assert_eq!((&gone["problem"], &gone["blocking"]), (&json!("Contact has no such field"), &json!(false)));
    assert!(["fix", "example"].iter().all(|part| gone[part].as_str().is_some_and(|text| !text.is_empty())), "{gone}");
    let connected = run(&installation, &["connect", "salesforce"]);
    assert!(String::from_utf8_lossy(&connected.stdout).contains("contact.Gone__c (bookings)"));

    sandbox.org.change_schema(&lost("Booking_Log__c", "Syncline_Uid__c")).expect("a change");
    let out = run(&installation, &["doctor"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!out.status.success() && text.contains("✗ Booking_Log__c has no field Syncline_Uid__c"), "{text}");
}

/// A mapping that cannot be compiled is refused at start, with its place, the line, the reason and an example.
///
/// proves: B13
#[test]
fn a_mapping_that_does_not_compile_is_refused_at_start() {
    let value = "Topic:\n{{ anwser(\"topic\") }}";
    let (_sandbox, installation) = installed("no-mapping", &map("contact", "Open_Topic__c", value, "always"));
    let out = run(&installation, &["serve"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success(), "{said}");
    let file = std::fs::read_to_string(installation.folder.join("syncline.toml")).expect("the configuration");
    let line = 1 + file.lines().position(|line| line.starts_with("{{ anwser(")).expect("the mistake");
    let place = format!("line {line}, column 4");
    for words in ["in integration `bookings`", "contact.Open_Topic__c", place.as_str(), "anwser", "{{ answer("] {
        assert!(said.contains(words), "`{words}` is missing in: {said}");
    }
    assert!(!installation.folder.join("syncline.db").exists(), "nothing was opened or changed");
}

/// The server tells in the activity log of mappings that the org does not fit, without a booking and without being
/// asked, and names nobody.
///
/// proves: B13
#[test]
fn the_activity_log_tells_of_mappings_that_do_not_fit() {
    let lab = Lab::new("checked", &(map("contact", "Gone__c", TOPIC, "always") + &topics("meeting")));
    let started = Instant::now();
    let told = loop {
        let log = lab.server.api("/api/v1/activity?limit=50&kind=connection");
        if log.to_string().contains("mappings into salesforce") {
            break log;
        }
        assert!(started.elapsed() < PATIENCE, "{log} {}", lab.installation.log());
        pause(LOOK);
    };
    let words = "contact.Gone__c (bookings): Contact has no such field; create it in the CRM";
    assert!(told.to_string().contains(words), "{told}");
}
