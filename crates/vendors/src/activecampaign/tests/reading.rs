//! What changed is read, in few calls, as what it is.

use serde_json::json;
use syncline_connect::{
    ErrorKind,
    mirror::{From, Lookup},
};
use syncline_core::{ids::RecordId, record::Value};
use syncline_sandbox::{FaultKind, FaultRule};

use super::world::{World, object};
use crate::testing::mirror::{key, names};

const FIELDS: &[&str] = &["email", "firstName", "field:1", "field:4[]", "tags", "lists", "unsubscribed"];

/// proves: R19, R22
#[test]
fn ten_thousand_changes_cost_a_hundred_calls() {
    let world = World::new();
    for number in 0..10_000 {
        world.add(&format!("p{number}@example.com"), json!({"fieldValues": [{"field": "1", "value": "Bonn"}]}));
    }
    world.asker.hands.pass(3_600);
    let contacts = world.contacts();
    let (rows, calls, cursor) = contacts.drain(&names(FIELDS), From::Beginning);
    assert_eq!((rows.len(), calls), (10_000, 100));
    assert!(rows.iter().all(|row| row.fields["field:1"] == Value::text("Bonn")));
    let (rows, calls, _) = contacts.drain(&names(FIELDS), From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (0, 1), "an idle look is one call");
    let ids: Vec<RecordId> = (1..=1_000).map(|id: u64| RecordId::new(id.to_string())).collect();
    let (rows, calls) = contacts.fetch(&ids, &names(FIELDS));
    assert_eq!((rows.len(), calls), (1_000, 10));
}

/// Where many are looked for, reading through all contacts costs less than asking for each.
///
/// proves: R19
#[test]
fn many_are_found_in_few_calls() {
    let world = World::new();
    for number in 0..450 {
        world.add(&format!("p{number}@example.com"), json!({}));
    }
    let emails: Vec<String> = (400..500).map(|number| format!("p{number}@example.com")).collect();
    let found = world.contacts().find(Lookup::Email(&emails), &names(FIELDS));
    assert_eq!((found.len(), world.account.calls()), (50, 5));
    let found = world.contacts().find(Lookup::Email(&emails[49..52]), &names(FIELDS));
    assert_eq!((found.len(), world.account.calls()), (1, 8));
}

#[test]
fn a_contact_is_read_as_what_it_is() {
    let world = World::new();
    let id = world.add(
        "Ada@Example.com",
        json!({"firstName": "Ada", "phone": "+49 171 2345678", "fieldValues": [
            {"field": "2", "value": "1990-12-10"}, {"field": "3", "value": "Customer"},
            {"field": "4", "value": "||Offers||News||"}, {"field": "5", "value": "12.50"}]}),
    );
    world.account.set_tag(id, "vip", true);
    world.account.set_tag(id, "a;b", true);
    world.account.subscribe(id, 1);
    world.account.unsubscribe(id, 2);
    let contacts = world.contacts();
    let fields = names(&[
        "email",
        "firstName",
        "lastName",
        "phone",
        "cdate",
        "field:1",
        "field:2",
        "field:3",
        "field:4[]",
        "field:5",
        "field:6[]",
        "tags",
        "lists",
        "unsubscribed",
    ]);
    let (mut rows, _, _) = contacts.drain(&fields, From::Beginning);
    rows[0].in_kinds(&contacts.describe());
    assert_eq!(rows[0].changed_at, Some("2026-05-01T10:00:00Z".parse().unwrap()));
    assert_eq!(rows[0].field_times["field:2"], "2026-05-01T10:00:00Z".parse().unwrap());
    let shown: Vec<String> = rows[0].fields.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    cdate: Time(2026-05-01T10:00:00Z)
    email: Text("ada@example.com")
    field:1: Null
    field:2: Date(1990-12-10)
    field:3: Text("Customer")
    field:4[]: Text("News;Offers")
    field:5: Text("12.50")
    field:6[]: Null
    firstName: Text("Ada")
    lastName: Null
    lists: Text("1")
    phone: Text("+49 171 2345678")
    tags: Text("vip")
    unsubscribed: Bool(false)
    unsubscribedLists: Text("2")
    "#);
    let (mut fetched, calls) = contacts.fetch(&[rows[0].id.clone(), RecordId::new("99")], &fields);
    fetched[0].in_kinds(&contacts.describe());
    assert_eq!((fetched, calls), (rows, 1));
    assert_eq!(contacts.find(Lookup::Email(&["ada@example.com".into(), "bob@example.com".into()]), &fields).len(), 1);
    assert_eq!(contacts.find(Lookup::Key(&[key(1)]), &fields).len(), 0);
}

/// proves: R17
#[test]
fn opting_out_is_leaving_every_list() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    let out = || world.seen(id, &["unsubscribed"]).fields.get("unsubscribed").cloned();
    assert_eq!(out(), None, "who never was on a list has said nothing");
    world.account.subscribe(id, 1);
    world.account.subscribe(id, 2);
    assert_eq!(out(), Some(Value::Bool(false)));
    world.account.unsubscribe(id, 1);
    assert_eq!(out(), Some(Value::Bool(false)));
    world.account.unsubscribe(id, 2);
    assert_eq!(out(), Some(Value::Bool(true)));
}

/// Pages go by number, so whatever happens meanwhile, nobody is passed over.
#[test]
fn nobody_is_lost_between_the_pages() {
    let world = World::new();
    for number in 0..350 {
        world.add(&format!("p{number}@example.com"), json!({}));
    }
    let contacts = world.contacts();
    let (mut cursor, mut read) = (None::<String>, Vec::new());
    for turn in 0_u64.. {
        let start = cursor.as_deref().map_or(From::Beginning, From::Cursor);
        let (page, _) = contacts.page(&names(&["firstName"]), start).unwrap();
        read.extend(page.rows.iter().map(|row| row.id.as_str().parse::<u64>().unwrap()));
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
        for id in 1..=5 {
            assert!(world.account.delete(turn * 7 + id));
        }
        world.account.edit(300 + turn, &object(json!({"firstName": "Eva"}))).unwrap();
        world.add(&format!("new{turn}@example.com"), json!({}));
    }
    for id in (1..=350).filter(|id| world.account.contact(*id).is_some()) {
        assert!(read.contains(&id), "{id} was passed over");
    }
}

#[test]
fn a_page_that_loads_nothing_beside_shows_nothing() {
    let page = json!({"contacts": [{"id": "7", "email": "ada@example.com", "firstName": "Ada"}], "meta": {"total": 1}});
    let page = serde_json::from_value(page).unwrap();
    let seen = crate::activecampaign::convert::seen(&page, &names(FIELDS));
    assert_eq!(seen[0].fields.keys().collect::<Vec<_>>(), ["email", "firstName"]);
}

#[test]
fn a_question_without_an_answer_can_be_asked_again() {
    let world = World::new();
    for (kind, expected) in
        [(FaultKind::LostAnswer, ErrorKind::Unavailable), (FaultKind::FailedInBody, ErrorKind::Unavailable)]
    {
        world.account.faults().add(FaultRule::next(kind));
        assert_eq!(world.contacts().page(&names(FIELDS), From::Beginning).unwrap_err().kind, expected);
    }
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
    insta::assert_snapshot!(shown.join("\n"), @"
    account: The account that they belong to Reference
    cdate: Created DateTime read-only
    email: E-mail Email
    field:1: City (%CITY%) Text
    field:2: Birthday (%BIRTHDAY%) Date
    field:3: Stage (%STAGE%) Picklist Lead|Customer|Former customer
    field:4[]: Topics (%TOPICS%) MultiPicklist News|Offers|Events
    field:5: Revenue (%REVENUE%) Text
    field:6[]: VIP (%VIP%) MultiPicklist Yes
    firstName: First name Text
    lastName: Last name Text
    lists: Lists (1 Newsletter, 2 Offers) MultiPicklist 1|2
    phone: Phone Phone
    tags: Tags MultiPicklist
    unsubscribed: Unsubscribed from all lists Boolean
    unsubscribedLists: Lists unsubscribed from MultiPicklist read-only 1|2
    ");
}
