//! The flow as the generic source tells it, which says everything that any source can: who is found by which rule, a form
//! without a booking, marks for not coming, and the seats of a shared meeting.

use std::path::Path;

use serde_json::{Map, Value, json};
use syncline_sandbox::salesforce::LeadConversion;

use crate::lab::{ADMIN_TOKEN, Installation, Sandbox, Server, secret};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

struct Lab {
    sandbox: Sandbox,
    installation: Installation,
    server: Server,
}

impl Lab {
    fn new(name: &str, defaults: &str) -> Self {
        let sandbox = Sandbox::start();
        let more = format!(
            "[integrations.defaults]\n{defaults}\n[[sources]]\nname = \"web\"\nvendor = \"generic\"\n\
             integration = \"bookings\"\nsecrets = [\"file:web.key\"]\n"
        );
        let installation = Installation::new(name, &sandbox, "sqlite:syncline.db", &more);
        secret(&installation.folder, "web.key", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
        let server = installation.start(Path::new(BINARY), &[]);
        Self { sandbox, installation, server }
    }

    /// Tells of something, and waits until everything is done.
    fn tell(&self, message: &Value) {
        let authorization = format!("Bearer {ADMIN_TOKEN}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = message.to_string();
        let answer = self.server.connect().request("POST", "/api/v1/bookings?source=web", &headers, body.as_bytes());
        let (status, body) = answer.expect("an answer");
        assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&body));
        self.server.settle(&self.installation);
    }

    fn seed(&self, object: &str, fields: Value) -> String {
        self.sandbox.org.seed(object, fields.as_object().expect("fields")).expect("a record")
    }

    /// The one live record of an object.
    fn only(&self, object: &str) -> Map<String, Value> {
        let mut records = self.sandbox.records(object);
        assert_eq!(records.len(), 1, "{object}: {}", self.log());
        records.remove(0)
    }

    fn log(&self) -> String {
        self.server.api("/api/v1/activity?limit=20").to_string()
    }

    /// Why the last booking was taken to be whose it is.
    fn reason(&self) -> String {
        let lines = self.server.api("/api/v1/activity?limit=1&kind=written");
        let notes = lines["activity"][0]["details"]["notes"].as_array().cloned().unwrap_or_default();
        let told = notes.iter().find(|note| note["code"] == "matched" || note["code"] == "created");
        told.unwrap_or_else(|| panic!("no reason in {lines}"))["text"].as_str().expect("a text").to_owned()
    }
}

fn booked(id: &str, minute: u32, email: &str, more: Value) -> Value {
    let mut message = json!({
        "id": id, "kind": "booked", "occurred_at": format!("2026-05-04T09:{minute:02}:00Z"),
        "meeting": {"type": "intro", "type_name": "Intro", "title": "Intro", "start": "2030-05-11T11:00:00Z",
                    "end": "2030-05-11T11:30:00Z"},
        "invitee": {"email": email, "name": "Some Body"},
        "hosts": [{"email": "rosa@host.example", "name": "Rosa Rep"}],
    });
    merge(&mut message, more);
    message
}

/// Lays an object over another, object by object.
fn merge(onto: &mut Value, more: Value) {
    match (onto, more) {
        (Value::Object(onto), Value::Object(more)) => {
            more.into_iter().for_each(|(name, value)| merge(onto.entry(name).or_insert(Value::Null), value));
        }
        (onto, more) => *onto = more,
    }
}

/// Every rule of the order finds its person in a real org, the first that matches wins, and the log says which it was.
///
/// proves: B6
#[test]
fn each_rule_finds_its_person_and_the_log_says_which() {
    let lab = Lab::new("rules", "");
    let contact = |name: &str, more: Value| {
        let mut fields = json!({"LastName": name});
        merge(&mut fields, more);
        lab.seed("Contact", fields)
    };
    let tell = |id: &str, email: &str, more: Value| {
        lab.tell(&booked(id, 0, email, more));
        let mut events = lab.sandbox.records("Event");
        events.sort_by_key(|event| event["Id"].as_str().expect("an id").to_owned());
        let event = events.pop().expect("an event");
        (event["WhoId"].as_str().expect("a person").to_owned(), lab.reason())
    };
    let named = contact("Named", json!({}));
    contact("Same", json!({"Email": "named@one.example"}));
    let found = tell("1", "named@one.example", json!({"record_hint": named}));
    assert_eq!(found, (named, "the booking link names the contact".into()));

    let reason = |text: &str| format!("a contact has the invitee's {text}");
    let alone = contact("Alone", json!({"Email": "alone@one.example"}));
    assert_eq!(tell("2", "Alone@one.example", json!({})), (alone.clone(), reason("e-mail address")));
    assert_eq!(
        tell("3", "alone@one.example", json!({})),
        (alone, "the contact is known from an earlier booking".into())
    );

    let company = lab.seed("Account", json!({"Name": "Beta", "Website": "https://www.beta.example"}));
    contact("Second", json!({"Email": "two@two.example"}));
    let first = contact("First", json!({"Email": "two@two.example", "AccountId": company}));
    let (who, why) = tell("4", "two@two.example", json!({}));
    assert_eq!(who, first, "the one with an account goes first");
    assert!(why.starts_with(&reason("e-mail address; 1 more matched, and the ranking")), "{why}");

    let lead = lab.seed("Lead", json!({"LastName": "Lead", "Company": "L", "Email": "lead@one.example"}));
    let asked =
        LeadConversion { lead_id: lead, converted_status: "Closed - Converted".into(), ..LeadConversion::default() };
    let converted = lab.sandbox.org.convert_lead(&asked).expect("a conversion").contact_id;
    let elsewhere = json!({"Email": "moved@far.example"});
    lab.sandbox.org.edit(&converted, elsewhere.as_object().expect("fields")).expect("an edit");
    let (who, why) = tell("5", "lead@one.example", json!({}));
    assert_eq!(
        (who, why.as_str()),
        (converted, "a lead with the invitee's e-mail address was converted into this contact")
    );

    let by_phone = contact("Phone", json!({"Phone": "+493012345678"}));
    let found = tell("6", "unknown@one.example", json!({"invitee": {"phone": "+49 30 12345678"}}));
    assert_eq!(found, (by_phone, reason("phone number")));

    let (who, why) = tell("7", "new@beta.example", json!({}));
    assert_eq!(why, "nobody matched: a contact is created");
    let made = lab.sandbox.records("Contact").into_iter().find(|contact| contact["Id"] == who.as_str()).expect("it");
    assert_eq!(made["AccountId"], company.as_str(), "the account is found by its domain");

    let lab = Lab::new("rules-lead", "person = \"contact_first\"");
    let lead = lab.seed("Lead", json!({"LastName": "Lead", "Company": "L", "Email": "lead@one.example"}));
    lab.tell(&booked("1", 0, "lead@one.example", json!({})));
    assert_eq!(
        (lab.only("Event")["WhoId"].as_str(), lab.reason().as_str()),
        (Some(lead.as_str()), "an open lead has the invitee's e-mail address")
    );
}

/// A form without a booking becomes its person, once, and no event; the booking that follows takes that person.
///
/// proves: B3
#[test]
fn a_form_without_a_booking_becomes_its_person() {
    let lab = Lab::new("form", "case = { status = \"New\" }");
    let form = |minute: u32| {
        json!({"id": "F-1", "kind": "form_submitted", "occurred_at": format!("2026-05-04T09:{minute:02}:00Z"),
               "form": {"type": "routing", "name": "Which product?"},
               "invitee": {"email": "dora@one.example", "name": "Dora Form"}, "answers": []})
    };
    lab.tell(&form(0));
    lab.tell(&form(15));
    let person = lab.only("Contact");
    assert_eq!((person["LastName"].as_str(), person["Email"].as_str()), (Some("Form"), Some("dora@one.example")));
    assert!(lab.sandbox.records("Event").is_empty() && lab.sandbox.records("Case").is_empty());
    assert!(lab.log().contains("a form without a booking: only the person is written"), "{}", lab.log());
    lab.tell(&booked("B-1", 30, "dora@one.example", json!({})));
    lab.only("Contact");
    assert_eq!(lab.only("Event")["WhoId"], person["Id"]);
}

/// Who did not come is marked on the invitation, each for themselves, and the mark is taken back.
///
/// proves: B23
#[test]
fn who_did_not_come_is_marked_and_unmarked() {
    let lab =
        Lab::new("no-show", "status = { field = \"Meeting_Status__c\", booked = \"gebucht\", no_show = \"fehlte\" }");
    let guests = ["grace@navy.example", "joan@bp.example"].map(|email| {
        lab.seed("Contact", json!({"LastName": "Guest", "Email": email}));
        json!({"email": email})
    });
    lab.tell(&booked("B-1", 0, "ada@one.example", json!({"guests": guests})));
    let mark = |minute: u32, email: &str, absent: bool| {
        lab.tell(&json!({"id": "B-1", "kind": "no_show", "occurred_at": format!("2026-05-04T09:{minute:02}:00Z"),
                         "no_show": [{"email": email, "absent": absent}]}));
    };
    let marked = || {
        let rows = lab.sandbox.records("EventRelation").into_iter();
        rows.filter(|row| row["Response"].as_str().is_some_and(|response| response.contains("did not come"))).count()
    };
    assert_eq!((marked(), lab.sandbox.records("EventRelation").len()), (0, 2));
    mark(10, "Grace@navy.example", true);
    assert_eq!(marked(), 1, "{}", lab.log());
    mark(20, "joan@bp.example", true);
    mark(30, "grace@navy.example", false);
    assert_eq!(marked(), 1, "one came after all: {}", lab.log());
    mark(40, "joan@bp.example", false);
    assert_eq!(marked(), 0);
    mark(50, "ada@one.example", true);
    let event = lab.only("Event");
    assert_eq!(event["Meeting_Status__c"], "fehlte", "the invitee did not come");
    assert!(event["Description"].as_str().expect("a text").contains("ada@one.example"));
}

/// Seats of a shared meeting are one event: each invitee attends, leaves alone, and with the last one it is called off.
///
/// proves: B23
#[test]
fn seats_come_and_go_and_the_last_one_ends_the_meeting() {
    let lab = Lab::new("seats", "");
    let seats = ["ada", "grace", "joan"].map(|name| (name, format!("{name}@one.example")));
    for ((name, email), minute) in seats.iter().zip(0..) {
        lab.tell(&booked(name, minute, email, json!({"group": "webinar"})));
    }
    let people = || {
        let rows = lab.sandbox.records("EventRelation").into_iter();
        rows.filter(|row| row["IsInvitee"] != false).count() + 1
    };
    assert_eq!((lab.sandbox.records("Contact").len(), people()), (3, 3), "{}", lab.log());
    for ((name, _), minute) in seats.iter().zip(10..) {
        let left = 12 - minute;
        lab.tell(&json!({"id": name, "group": "webinar", "kind": "cancelled",
                         "occurred_at": format!("2026-05-04T09:{minute:02}:00Z")}));
        let subject = lab.only("Event")["Subject"].as_str().expect("a text").to_owned();
        assert_eq!(subject.starts_with("[CANCELLED] "), left == 0, "{subject}: {}", lab.log());
        if left > 0 {
            assert_eq!(people(), left, "{}", lab.log());
        }
    }
}
