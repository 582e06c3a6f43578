//! What changed is read, in few calls, as what it is.

use serde_json::json;
use syncline_connect::{
    ErrorKind,
    mirror::{From, Lookup, Seen},
};
use syncline_core::{ids::RecordId, record::Value};
use syncline_sandbox::{FaultKind, FaultRule};

use super::world::World;
use crate::testing::mirror::{key, names};

fn of(rows: &[Seen], id: u64) -> &Seen {
    let id = RecordId::new(id.to_string());
    rows.iter().find(|row| row.id == id).expect("it was read")
}

/// Ten pages of a thousand, of which each shows the last contact of the one before.
///
/// proves: R19, R22
#[test]
fn ten_thousand_changes_cost_eleven_calls() {
    let world = World::new();
    for number in 0..10_000 {
        world.add(&format!("p{number}@example.com"), json!({"CITY": "Bonn", "VIP": true}));
    }
    let contacts = world.contacts();
    let fields = names(&["EMAIL", "CITY", "VIP", "emailBlacklisted"]);
    let (rows, calls, cursor) = contacts.drain(&fields, From::Beginning);
    assert_eq!((rows.len(), calls), (10_000, 11));
    world.asker.hands.pass(3_600);
    for id in 1..=10_000 {
        world.edit(id, json!({"CITY": "Mainz"}));
    }
    world.asker.hands.pass(3_600);
    let (rows, calls, cursor) = contacts.drain(&fields, From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (10_000, 11));
    assert_eq!(of(&rows, 77).fields["CITY"], Value::text("Mainz"));
    world.asker.hands.pass(3_600);
    let (rows, calls, _) = contacts.drain(&fields, From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (0, 1), "an idle look is one call");
}

#[test]
fn a_contact_is_read_as_what_it_is() {
    let world = World::new();
    let id = world.add(
        "Ada@Example.com",
        json!({"FIRSTNAME": "Ada", "SMS": "+49 171 2345678", "BIRTHDAY": "1990-12-10", "REVENUE": 12.50,
               "VIP": false, "STAGE": "Customer", "TOPICS": ["Offers", "News"], "EXT_ID": key(1).as_str()}),
    );
    world.account.set_on_list(id, world.list("Newsletter"), true).unwrap();
    world.account.set_blacklisted(id, Some(true), None);
    let contacts = world.contacts();
    let fields = names(&[
        "EMAIL",
        "FIRSTNAME",
        "LASTNAME",
        "SMS",
        "BIRTHDAY",
        "REVENUE",
        "VIP",
        "STAGE",
        "TOPICS",
        "listIds",
        "emailBlacklisted",
        "smsBlacklisted",
        "createdAt",
    ]);
    let (mut rows, _, _) = contacts.drain(&fields, From::Beginning);
    rows[0].in_kinds(&contacts.describe());
    assert_eq!(rows[0].key, Some(key(1)));
    assert_eq!(rows[0].changed_at, Some("2026-05-01T10:00:00Z".parse().unwrap()));
    let shown: Vec<String> = rows[0].fields.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    BIRTHDAY: Date(1990-12-10)
    EMAIL: Text("ada@example.com")
    FIRSTNAME: Text("Ada")
    LASTNAME: Null
    REVENUE: Decimal("12.5")
    SMS: Text("491712345678")
    STAGE: Text("2")
    TOPICS: Text("News;Offers")
    VIP: Bool(false)
    createdAt: Time(2026-05-01T10:00:00Z)
    emailBlacklisted: Bool(true)
    listIds: Text("2")
    listUnsubscribed: Null
    smsBlacklisted: Bool(false)
    "#);
    let (fetched, calls) = contacts.fetch(&[rows[0].id.clone(), RecordId::new("99")], &fields);
    assert_eq!(calls, 3, "two contacts, and the attributes, since one stands in no row");
    let mut fetched = fetched;
    fetched[0].in_kinds(&contacts.describe());
    assert_eq!(fetched, rows);
    assert_eq!(contacts.find(Lookup::Email(&["ada@example.com".into(), "bob@example.com".into()]), &fields).len(), 1);
    assert_eq!(contacts.find(Lookup::Key(&[key(1), key(2)]), &fields).len(), 1);
}

/// Where many are looked for, reading through all contacts costs less than asking for each.
///
/// proves: R19
#[test]
fn many_are_found_in_few_calls() {
    let world = World::new();
    for number in 0..2_500 {
        world.add(&format!("P{number}@example.com"), json!({"EXT_ID": key(number).as_str()}));
    }
    let emails: Vec<String> = (2_000..3_000).map(|number| format!("p{number}@example.com")).collect();
    let before = world.account.calls();
    let found = world.contacts().find(Lookup::Email(&emails), &names(&["EMAIL"]));
    assert_eq!((found.len(), world.account.calls() - before), (500, 3));
    let keys: Vec<_> = (2_480..2_510).map(key).collect();
    let found = world.contacts().find(Lookup::Key(&keys), &names(&["EMAIL"]));
    assert_eq!((found.len(), world.account.calls() - before), (20, 6));
    let found = world.contacts().find(Lookup::Key(&keys[..3]), &names(&["EMAIL"]));
    assert_eq!((found.len(), world.account.calls() - before), (3, 9));
    // What was just written is among what changed lately.
    world.asker.hands.pass(7_200);
    for id in 1..=300 {
        world.edit(id, json!({"CITY": "Mainz"}));
    }
    let ids = |range: std::ops::Range<u64>| range.map(|id| RecordId::new(id.to_string())).collect::<Vec<_>>();
    let (rows, calls) = world.contacts().fetch(&ids(1..301), &names(&["EMAIL"]));
    assert_eq!((rows.len(), calls), (300, 1));
    let (rows, calls) = world.contacts().fetch(&ids(250..2_600), &names(&["EMAIL"]));
    assert_eq!((rows.len(), calls), (2_251, 4));
}

/// proves: R13
#[test]
fn an_attribute_that_was_deleted_is_not_taken_for_blank() {
    let world = World::new();
    world.add("ada@example.com", json!({"CITY": "Bonn"}));
    let contacts = world.contacts();
    let fields = names(&["CITY", "COMPANY", "NEVER"]);
    let (rows, _, _) = contacts.drain(&fields, From::Beginning);
    assert_eq!(rows[0].fields.get("COMPANY"), Some(&Value::Null));
    assert_eq!(rows[0].fields.get("NEVER"), None);
    world.account.remove_attribute("CITY");
    let (rows, _, _) = contacts.drain(&fields, From::Beginning);
    assert_eq!(rows[0].fields.get("CITY"), None);
}

#[test]
fn a_change_during_the_run_comes_with_the_next() {
    let world = World::new();
    for number in 0..1_500 {
        world.add(&format!("p{number}@example.com"), json!({"CITY": "Bonn"}));
    }
    let contacts = world.contacts();
    let fields = names(&["CITY"]);
    let (page, _) = contacts.page(&fields, From::Beginning).unwrap();
    assert!(page.more && page.rows.len() == 1_000);
    world.asker.hands.pass(60);
    world.edit(3, json!({"CITY": "Mainz"}));
    world.account.delete(5).unwrap();
    world.account.delete(6).unwrap();
    let (rest, calls, cursor) = contacts.drain(&fields, From::Cursor(&page.cursor));
    assert_eq!((rest.len(), calls), (500, 3), "one page back, and nobody passed over");
    world.asker.hands.pass(3_600);
    let (rows, _, _) = contacts.drain(&fields, From::Cursor(&cursor));
    assert_eq!(of(&rows, 3).fields["CITY"], Value::text("Mainz"));
}

#[test]
fn the_list_for_imports_is_nobodys_business() {
    let world = World::importing();
    let id = world.add("ada@example.com", json!({}));
    for list in ["Newsletter", "Syncline"] {
        world.account.set_on_list(id, world.list(list), true).unwrap();
    }
    let (rows, _, _) = world.contacts().drain(&names(&["listIds"]), From::Beginning);
    assert_eq!(rows[0].fields["listIds"], Value::text("2"));
}

#[test]
fn a_question_without_an_answer_can_be_asked_again() {
    let world = World::new();
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer));
    let error = world.contacts().page(&names(&["CITY"]), From::Beginning).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(world.contacts().page(&[], From::Cursor("{}x")).unwrap_err().kind, ErrorKind::Configuration);
}

#[test]
fn the_account_is_described() {
    let world = World::new();
    let description = world.contacts().describe();
    let shown: Vec<String> = description
        .fields
        .iter()
        .map(|(name, field)| {
            let writes = if field.updateable { "" } else { " read-only" };
            format!("{name}: {} {:?}{writes} {}", field.label, field.kind, field.values.join("|")).trim().to_owned()
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    BIRTHDAY: BIRTHDAY Date
    CITY: CITY Text
    COMPANY: COMPANY Text
    EMAIL: E-mail Email
    FIRSTNAME: FIRSTNAME Text
    JOB_TITLE: JOB_TITLE Text
    LANDLINE_NUMBER: Landline number Phone
    LASTNAME: LASTNAME Text
    REVENUE: REVENUE Number
    SMS: Mobile number Phone
    STAGE: STAGE (1 Lead, 2 Customer, 3 Former customer) Picklist 1|2|3
    TOPICS: TOPICS MultiPicklist News|Offers|Events
    VIP: VIP Boolean
    WHATSAPP: WhatsApp number Phone
    createdAt: Created DateTime read-only
    emailBlacklisted: Opted out of e-mail Boolean
    linkedCompaniesIds: The company that they belong to Reference
    listIds: Lists (2 Newsletter, 3 Syncline) MultiPicklist 2|3
    listUnsubscribed: Lists unsubscribed from MultiPicklist read-only 2|3
    smsBlacklisted: Opted out of SMS Boolean
    ");
}
