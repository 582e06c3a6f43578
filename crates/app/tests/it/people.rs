//! Guests, co-hosts and owners, duplicate rules, and records that people of the CRM merge, convert or delete.

use std::path::Path;

use serde_json::{Map, Value, json};
use syncline_sandbox::salesforce::{
    AssignmentEntry, AssignmentRule, Comparison, Condition, DuplicateRule, LeadConversion, OnDuplicate, RuleSet,
    ValidationRule,
};

use crate::{
    before::run,
    lab::{Booking, Hook, Installation, Sandbox, Server},
};

const BINARY: &str = env!("CARGO_BIN_EXE_syncline");

/// Bookings that wait together where their calls are counted.
const WAITING: usize = 200;

struct Lab {
    sandbox: Sandbox,
    installation: Installation,
    server: Server,
}

impl Lab {
    fn new(name: &str, defaults: &str) -> Self {
        let sandbox = Sandbox::start();
        let more = format!("[integrations.defaults]\nown_domains = [\"host.example\"]\n{defaults}\n");
        let installation = Installation::new(name, &sandbox, "sqlite:syncline.db", &more);
        let server = installation.start(Path::new(BINARY), &[]);
        Self { sandbox, installation, server }
    }

    /// Delivers, and waits until everything is done.
    fn say(&self, hook: &Hook) {
        let (status, body) = hook.post(&mut self.server.connect(), &self.server.hook).expect("an answer");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        self.server.settle(&self.installation);
    }

    fn seed(&self, object: &str, fields: Value) -> String {
        let fields = fields.as_object().expect("fields").clone();
        self.sandbox.org.seed(object, &fields).expect("a record")
    }

    /// The one meeting that is nobody's copy.
    fn event(&self) -> Map<String, Value> {
        let mut events = self.sandbox.records("Event");
        events.retain(|event| event["IsChild"] != true);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    fn one(&self, object: &str, field: &str, value: &str) -> Map<String, Value> {
        let mut found = self.sandbox.records(object);
        found.retain(|record| record[field] == value);
        assert_eq!(found.len(), 1, "{object} with {field} {value}: {found:?}");
        found.remove(0)
    }

    /// Who is invited to the meeting, by id.
    fn invited(&self) -> Vec<String> {
        let rows = self.sandbox.records("EventRelation").into_iter().filter(|row| row["IsInvitee"] != false);
        let mut ids: Vec<String> = rows.map(|row| row["RelationId"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    }

    fn log(&self) -> String {
        self.server.api("/api/v1/activity?limit=50").to_string()
    }
}

fn ada() -> Booking {
    Booking::new(1, "ada@one.example", "Ada Lovelace")
}

/// Guests who are contacts or leads and the co-hosts who are users are invited, everybody else is named; whoever leaves
/// is taken off. With "relate multiple contacts" on, contacts are related as well.
///
/// proves: B16, B17, B18
#[test]
fn guests_and_co_hosts_attend_the_event() {
    for shared in [false, true] {
        let lab = Lab::new(if shared { "guests-related" } else { "guests" }, "");
        lab.sandbox.org.set_shared_activities(shared).expect("a switch");
        let contact = lab.seed("Contact", json!({"LastName": "Hopper", "Email": "grace@navy.example"}));
        let lead = lab.seed("Lead", json!({"LastName": "Clarke", "Company": "BP", "Email": "joan@bp.example"}));
        let guests = ["Grace@Navy.example", "joan@bp.example", "stranger@far.example"].map(str::to_owned);
        let mut booking = ada().with_company(&guests, &["carl@host.example", "gone@host.example"]);
        lab.say(&booking.created());
        let carl = lab.one("User", "Email", "carl@host.example");
        let mut expected = vec![contact.clone(), lead, carl["Id"].as_str().expect("an id").to_owned()];
        expected.sort();
        assert_eq!(lab.invited(), expected, "shared activities {shared}: {}", lab.log());
        let description = lab.event()["Description"].as_str().expect("a text").to_owned();
        assert!(description.contains("stranger@far.example"), "{description}");
        assert!(lab.log().contains("gone@host.example is no active user"));
        let related =
            lab.sandbox.records("EventRelation").into_iter().find(|row| row["RelationId"] == contact.as_str());
        assert_eq!(related.expect("a row").get("IsParent").and_then(Value::as_bool).unwrap_or(false), shared);

        let mut without = booking.with_company(&guests[..1], &[]);
        lab.say(&without.moved());
        assert_eq!(lab.invited(), [contact], "the others left: {}", lab.log());
        lab.event();
        booking = without;
        lab.say(&booking.cancelled());
        assert!(lab.event()["Subject"].as_str().expect("a subject").starts_with("[CANCELLED] "));
    }
}

/// Guests who are not known are created with their account, and a colleague is not.
///
/// proves: B16
#[test]
fn guests_become_contacts_where_the_settings_say_so() {
    let lab = Lab::new("guests-created", "guests = \"create\"");
    let guests: Vec<String> = (0..60).map(|n| format!("guest{n}@company{}.example", n % 7)).collect();
    let mut company = guests.clone();
    company.push("colleague@host.example".to_owned());
    lab.say(&ada().with_company(&company, &[]).created());
    assert_eq!(lab.sandbox.records("Contact").len(), 61, "{}", lab.log());
    assert_eq!(lab.sandbox.records("Account").len(), 8);
    assert_eq!(lab.invited().len(), 60);
}

/// Sixty guests, contacts and leads mixed, all attend, whether events relate to several contacts or to one.
///
/// proves: B16
#[test]
fn sixty_contacts_and_leads_attend() {
    for shared in [false, true] {
        let lab = Lab::new(if shared { "sixty-related" } else { "sixty" }, "");
        lab.sandbox.org.set_shared_activities(shared).expect("a switch");
        let guests: Vec<String> = (0..60).map(|n| format!("guest{n}@company.example")).collect();
        let seed = |(n, email): (usize, &String)| match n % 2 {
            0 => lab.seed("Contact", json!({"LastName": "Guest", "Email": email})),
            _ => lab.seed("Lead", json!({"LastName": "Guest", "Company": "C", "Email": email})),
        };
        let mut expected: Vec<String> = guests.iter().enumerate().map(seed).collect();
        expected.sort();
        lab.say(&ada().with_company(&guests, &[]).created());
        assert_eq!(lab.invited(), expected, "shared activities {shared}: {}", lab.log());
        lab.event();
    }
}

/// A guest without an address that can be used is named in the description and in the log, and stops nobody.
///
/// proves: B16
#[test]
fn a_guest_without_an_address_is_named() {
    let lab = Lab::new("no-address", "guests = \"create\"");
    lab.say(&ada().with_company(&["by phone".to_owned(), "grace@navy.example".to_owned()], &[]).created());
    assert_eq!((lab.sandbox.records("Contact").len(), lab.invited().len()), (2, 1), "{}", lab.log());
    let description = lab.event()["Description"].as_str().expect("a text").to_owned();
    assert!(description.contains("by phone"), "{description}");
    assert!(lab.log().contains("by phone has no usable e-mail address"), "{}", lab.log());
}

/// An inactive user owns nothing; the next in the waterfall does, and assignment rules do not interfere.
///
/// proves: B19
#[test]
fn an_inactive_owner_falls_through_and_rules_stay_out() {
    let routed = "owner_routes = { \"https://meet.example/x\" = \"carl@host.example\" }\ncase = { status = \"New\" }";
    let lab = Lab::new("owner", routed);
    let [carl, rosa, cora] =
        ["carl", "rosa", "cora"].map(|name| lab.one("User", "Email", &format!("{name}@host.example")));
    let entry = AssignmentEntry { when: Vec::new(), owner: cora["Id"].as_str().expect("an id").to_owned() };
    let rule = AssignmentRule { name: "All to Cora".into(), object: "Case".into(), active: true, entries: vec![entry] };
    lab.sandbox.org.set_rules(RuleSet { assignment_rules: vec![rule], ..RuleSet::default() }).expect("rules");
    lab.say(&ada().created());
    assert_eq!(lab.event()["OwnerId"], carl["Id"]);
    assert_eq!(lab.sandbox.records("Case")[0]["OwnerId"], carl["Id"], "no assignment rule was asked for");
    let inactive = Map::from_iter([("IsActive".to_owned(), json!(false))]);
    lab.sandbox.org.edit(carl["Id"].as_str().expect("an id"), &inactive).expect("an edit");
    // What was learned of Carl ten minutes ago does not outlive the org's refusal.
    lab.say(&Booking::new(2, "bob@two.example", "Bob").created());
    let events = lab.sandbox.records("Event");
    assert_eq!(events[1]["OwnerId"], rosa["Id"], "{}", lab.log());
}

fn same_name(on_create: OnDuplicate) -> RuleSet {
    let rule = json!({
        "name": "No namesakes", "object": "Contact", "on_create": on_create,
        "matching": [{"name": "Names", "object": "Contact", "fields": [{"field": "LastName"}]}]
    });
    let rule: DuplicateRule = serde_json::from_value(rule).expect("a rule");
    RuleSet { duplicate_rules: vec![rule], ..RuleSet::default() }
}

/// A duplicate rule stops a new contact: the record that it names is used, whether the key is spelt right or not.
///
/// proves: B15
#[test]
fn a_duplicate_rules_match_is_used() {
    for (name, misspelt) in [("duplicate", true), ("duplicate-spelt", false)] {
        let sandbox = Sandbox::with(|org| org.misspelt_duplicate_result = misspelt);
        let installation = Installation::new(name, &sandbox, "sqlite:syncline.db", "");
        let server = installation.start(Path::new(BINARY), &[]);
        let lab = Lab { sandbox, installation, server };
        let known = lab.seed("Contact", json!({"LastName": "Lovelace", "Email": "private@home.example"}));
        lab.sandbox.org.set_rules(same_name(OnDuplicate::Block)).expect("rules");
        let mut booking = ada();
        lab.say(&booking.created());
        assert_eq!(lab.sandbox.records("Contact").len(), 1, "{}", lab.log());
        assert_eq!(lab.event()["WhoId"], known.as_str());
        assert!(lab.log().contains("the record that the rule names is used"), "{}", lab.log());
        lab.say(&booking.moved());
        assert_eq!(lab.event()["WhoId"], known.as_str());
    }
}

/// Or the booking is laid aside, visibly, and nothing of it is written; once the rule is gone, a replay writes it.
///
/// proves: B15
#[test]
fn a_duplicate_rule_stops_the_booking_where_the_settings_say_so() {
    let lab = Lab::new("duplicate-fail", "duplicates = \"fail\"");
    lab.seed("Contact", json!({"LastName": "Lovelace", "Email": "private@home.example"}));
    lab.sandbox.org.set_rules(same_name(OnDuplicate::Block)).expect("rules");
    lab.say(&ada().created());
    assert_eq!(lab.server.api("/api/v1/status")["parked"], 1);
    assert!(lab.sandbox.records("Event").is_empty() && lab.sandbox.records("Account").is_empty());
    lab.sandbox.org.set_rules(RuleSet::default()).expect("no rules");
    assert!(run(&lab.installation, &["replay", "--parked"]).status.success());
    lab.server.settle(&lab.installation);
    assert_eq!(lab.server.api("/api/v1/status")["parked"], 0, "{}", lab.log());
    assert_eq!(lab.event()["WhoId"], lab.one("Contact", "Email", "ada@one.example")["Id"]);
}

/// The CRM does not take one guest's record, or none of a stranger: the meeting is written with all others, those who are
/// left out stand in its description, and the journal says why. Nobody is asked for again and again.
///
/// proves: V4, B16
#[test]
fn a_refused_guest_keeps_nobody_else_away() {
    for (name, refuses) in [("one-guest", "Nameless"), ("all-guests", "")] {
        let lab = Lab::new(name, "guests = \"create\"\n");
        lab.seed("Contact", json!({"LastName": "Lovelace", "Email": "ada@one.example"}));
        let hopper = lab.seed("Contact", json!({"LastName": "Hopper", "Email": "grace@navy.example"}));
        let refused = match refuses {
            "" => Condition { field: "Phone".to_owned(), op: Comparison::Blank, value: Value::Null },
            local => Condition {
                field: "Email".to_owned(),
                op: Comparison::Equals,
                value: json!(format!("{}@beta.example", local.to_lowercase())),
            },
        };
        let rule = ValidationRule {
            name: "Complete".to_owned(),
            object: "Contact".to_owned(),
            active: true,
            refuse_when: vec![refused],
            message: "this contact is not complete".to_owned(),
            error_field: None,
        };
        lab.sandbox.org.set_rules(RuleSet { validation_rules: vec![rule], ..RuleSet::default() }).expect("rules");
        let guests =
            ["grace@navy.example", "nameless@beta.example", "b@beta.example", "c@gamma.example", "d@gamma.example"];
        let mut booking = ada().with_company(&guests.map(str::to_owned), &[]);
        lab.say(&booking.created());
        assert_eq!(lab.server.api("/api/v1/status")["parked"], 0, "{}", lab.log());
        let made = if refuses.is_empty() { 0 } else { 3 };
        assert_eq!(lab.sandbox.records("Contact").len(), 2 + made, "{}", lab.log());
        assert_eq!(lab.invited().len(), 1 + made, "{}", lab.log());
        assert!(lab.invited().contains(&hopper));
        let event = lab.event();
        let description = event["Description"].as_str().expect("a description");
        assert!(guests.iter().all(|guest| description.contains(guest)), "{description}");
        let log = lab.log();
        assert!(log.contains("nameless@beta.example is only named in the description"), "{log}");
        assert!(log.contains("a validation rule or trigger of the org refused the record"), "the reason: {log}");
        lab.say(&booking.moved());
        assert_eq!(lab.server.api("/api/v1/status")["parked"], 0, "{}", lab.log());
        assert_eq!(lab.invited().len(), 1 + made, "{}", lab.log());
    }
}

/// The CRM does not take what changes about a guest who is there already, and names no field: the meeting goes through with
/// everybody, that guest stays as the CRM has them, and the warning stands with the booking. So it is for the invitee.
///
/// proves: V4, B16
#[test]
fn a_refused_change_of_a_guest_leaves_out_that_change_alone() {
    let mapping = |on: &str| {
        format!(
            "[[integrations.defaults.mapping]]\non = \"{on}\"\nfield = \"Description\"\nvalue = \"{{{{ booking.title }}}}\"\nwhen = \"always\"\n"
        )
    };
    let people = ["grace", "frozen", "mary", "stiff", "cold"].map(|name| format!("{name}@navy.example"));
    for (name, on, frozen) in [
        ("frozen-one", mapping("guest"), &people[1..2]),
        ("frozen-all", mapping("guest"), &people[..]),
        ("frozen-invitee", mapping("contact") + &mapping("guest"), &["ada@one.example".to_owned()][..]),
    ] {
        let lab = Lab::new(name, &on);
        let ada_id = lab.seed("Contact", json!({"LastName": "Lovelace", "Email": "ada@one.example"}));
        for email in &people {
            lab.seed("Contact", json!({"LastName": "Guest", "Email": email}));
        }
        let rules = frozen.iter().enumerate().map(|(at, email)| ValidationRule {
            name: format!("Frozen{at}"),
            object: "Contact".to_owned(),
            active: true,
            refuse_when: vec![Condition { field: "Email".to_owned(), op: Comparison::Equals, value: json!(email) }],
            message: "this contact is frozen".to_owned(),
            error_field: None,
        });
        lab.sandbox.org.set_rules(RuleSet { validation_rules: rules.collect(), ..RuleSet::default() }).expect("rules");
        lab.say(&ada().with_company(&people, &[]).created());
        assert_eq!(lab.server.api("/api/v1/status")["parked"], 0, "{}", lab.log());
        assert_eq!((lab.invited().len(), &lab.event()["WhoId"]), (people.len(), &json!(ada_id)), "{}", lab.log());
        for email in &people {
            let said = !lab.one("Contact", "Email", email)["Description"].is_null();
            assert_eq!(said, !frozen.contains(email), "{email}: {}", lab.log());
        }
        let log = lab.log();
        let whom = if frozen[0].starts_with("ada") { "contact".to_owned() } else { format!("guest {}", frozen[0]) };
        assert!(log.contains(&format!("the field description of the {whom} was left out: ")), "{log}");
        assert!(log.contains("a validation rule or trigger of the org refused the record"), "the reason: {log}");
    }
}

/// The promised calls: two for somebody new, also with case, opportunity, three guests and two co-hosts; and shared ones for
/// many that wait.
///
/// proves: P1
#[test]
fn a_booking_takes_two_calls_and_many_share_theirs() {
    let full = "guests = \"create\"\ncase = { status = \"New\" }\nopportunity = { stage = \"Prospecting\" }";
    for (name, defaults, per_hundred) in [("calls-plain", "", 10), ("calls-full", full, 30)] {
        let lab = Lab::new(name, defaults);
        let booking = |number: usize| {
            let mut booking = Booking::new(number, &format!("person{number}@company{number}.example"), "Some Body");
            if defaults.is_empty() {
                return booking.created();
            }
            let guests: Vec<String> = (0..3).map(|guest| format!("g{guest}@partner{number}.example")).collect();
            booking.with_company(&guests, &["carl@host.example", "cora@host.example"]).created()
        };
        // The first one has the hosts looked up and the objects described, which are then known.
        lab.say(&booking(0));
        let calls = |before: u64| lab.sandbox.org.calls().total - before;
        let before = calls(0);
        lab.say(&booking(1));
        assert_eq!(calls(before), 2, "{name}: {}", lab.log());
        let Lab { sandbox, installation, server } = lab;
        assert!(server.terminate().success());
        let intake = installation.start(Path::new(BINARY), &["--workers", "0"]);
        let mut connection = intake.connect();
        for number in 0..WAITING {
            let (status, _) = booking(2 + number).post(&mut connection, &intake.hook).expect("an answer");
            assert_eq!(status, 200);
        }
        drop(connection);
        assert!(intake.terminate().success());
        let before = sandbox.org.calls().total;
        let server = installation.start(Path::new(BINARY), &[]);
        server.settle(&installation);
        let taken = sandbox.org.calls().total - before;
        assert_eq!(sandbox.records("Event").iter().filter(|event| event["IsChild"] != true).count(), 2 + WAITING);
        let most = (WAITING * per_hundred / 100) as u64;
        assert!(taken <= most, "{name}: {taken} calls for {WAITING} bookings, and at most {most} are promised");
    }
}

/// A contact is merged into another: later messages go on with the one that is left.
///
/// proves: B25
#[test]
fn a_merged_contact_is_followed() {
    let lab = Lab::new("merged", "");
    let mut booking = ada();
    lab.say(&booking.created());
    let old = lab.sandbox.records("Contact").remove(0);
    let master = lab.seed("Contact", json!({"LastName": "King", "Email": "countess@two.example"}));
    lab.sandbox.org.merge(&master, &[old["Id"].as_str().expect("an id")], &Map::new()).expect("a merge");
    // The meeting is taken away, so that the next message has to name the person again.
    lab.sandbox.org.delete(lab.event()["Id"].as_str().expect("an id")).expect("a deletion");
    lab.say(&booking.moved());
    assert_eq!(lab.event()["WhoId"], master.as_str(), "{}", lab.log());
    assert_eq!(lab.sandbox.records("Contact").len(), 1, "nobody is made again: {}", lab.log());
    assert!(lab.log().contains("merged or converted"), "{}", lab.log());
    // A new booking by the old address: nobody has it any longer, save those who remember.
    lab.say(&Booking::new(2, "ada@one.example", "Ada Lovelace").created());
    assert_eq!(lab.sandbox.records("Contact").len(), 1, "{}", lab.log());
}

/// A lead is converted: the contact that it became takes its place.
///
/// proves: B25, B6
#[test]
fn a_converted_lead_is_followed() {
    let lab = Lab::new("converted", "person = \"lead\"\nopen_lead = \"use_lead\"");
    let mut booking = ada();
    lab.say(&booking.created());
    let lead = lab.sandbox.records("Lead").remove(0);
    assert_eq!(lab.event()["WhoId"], lead["Id"]);
    let asked = LeadConversion {
        lead_id: lead["Id"].as_str().expect("an id").to_owned(),
        converted_status: "Closed - Converted".into(),
        ..LeadConversion::default()
    };
    lab.sandbox.org.convert_lead(&asked).expect("a conversion");
    let contact = lab.sandbox.records("Contact").remove(0);
    lab.say(&booking.moved());
    assert_eq!(lab.event()["WhoId"], contact["Id"]);
    // Another booking by the same person names the lead that is none any longer.
    lab.say(&Booking::new(2, "ada@one.example", "Ada Lovelace").created());
    let events = lab.sandbox.records("Event");
    assert!(events.iter().all(|event| event["WhoId"] == contact["Id"]), "{}", lab.log());
    assert_eq!((lab.sandbox.records("Lead").len(), lab.sandbox.records("Contact").len()), (1, 1));
}

/// Somebody deletes the event: it is made again, with its attendees, or stays away, as configured.
///
/// proves: B25
#[test]
fn a_deleted_event_is_made_again_or_stays_away() {
    for (name, setting, left) in [("recreate", "", 1), ("leave", "deleted = \"leave\"", 0)] {
        let lab = Lab::new(name, setting);
        let contact = lab.seed("Contact", json!({"LastName": "Hopper", "Email": "grace@navy.example"}));
        let mut booking = ada().with_company(&["grace@navy.example".to_owned()], &[]);
        lab.say(&booking.created());
        lab.sandbox.org.delete(lab.event()["Id"].as_str().expect("an id")).expect("a deletion");
        for hook in [booking.moved(), booking.moved(), booking.cancelled()] {
            lab.say(&hook);
            assert_eq!(lab.sandbox.records("Event").len(), left, "{}", lab.log());
        }
        assert_eq!(lab.server.api("/api/v1/status")["parked"], 0, "{}", lab.log());
        assert_eq!(lab.invited(), if left == 1 { vec![contact] } else { vec![] });
    }
}

/// The doctor says of each switch and rule what it will do to bookings.
///
/// proves: O5
#[test]
fn the_doctor_speaks_of_rules_and_switches() {
    let sandbox = Sandbox::start();
    sandbox.org.set_rules(same_name(OnDuplicate::Block)).expect("rules");
    let installation = Installation::new("doctor-rules", &sandbox, "sqlite:syncline.db", "");
    let config = installation.folder.join("syncline.toml");
    let ask = || {
        let out =
            std::process::Command::new(BINARY).args(["doctor", "--config"]).arg(&config).output().expect("it runs");
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let text = ask();
    let rule = text.lines().find(|line| line.contains("No namesakes")).unwrap_or_else(|| panic!("{text}"));
    assert!(rule.contains("active duplicate rules: Contact (No namesakes)"), "{rule}");
    assert!(rule.contains("each of them stops the record"), "what follows for bookings: {rule}");
    assert!(text.contains("no assignment rule is active"), "{text}");
    sandbox.org.set_rules(RuleSet::default()).expect("no rules");
    let text = ask();
    assert!(text.contains("no duplicate rule is active"), "{text}");
}
