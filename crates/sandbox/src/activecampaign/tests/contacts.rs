//! Contacts: nearly all text, times in local time, one address each.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Kit, map};
use crate::{
    FaultKind, FaultRule,
    journal::{Actor, EffectKind},
};

#[test]
fn a_contact_is_created_read_changed_and_deleted() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "Ada@Example.org", "firstName": "Ada", "fieldValues": [
        {"field": "1", "value": "Bonn"}, {"field": 4, "value": ["News", "Events"]}, {"field": "99", "value": "x"}]}));
    kit.hands.pass(60);
    let change = json!({"contact": {"lastName": "Lovelace", "fieldValues": [{"field": "1", "value": "Ulm"}]}});
    let got = kit.ask("PATCH", "/contacts/1", change);
    assert_eq!((got.status, &got.body["contact"]["lastName"]), (200, &json!("Lovelace")));
    assert_eq!(got.body["fieldValues"][1]["value"], "||News||Events||");
    let whole = kit.get("/contacts/1").body;
    assert_eq!(whole["contact"]["email"], "ada@example.org");
    let times = |n: usize| {
        (whole["fieldValues"][n]["cdate"].as_str().unwrap(), whole["fieldValues"][n]["udate"].as_str().unwrap())
    };
    assert_eq!(times(0), ("2026-05-28T05:07:18-05:00", "2026-05-28T05:08:18-05:00"));
    assert_eq!(times(1), ("2026-05-28T05:07:18-05:00", "2026-05-28T05:07:18-05:00"));
    // Named UTC, and the account's local time all the same.
    assert_eq!(whole["contact"]["udate"], "2026-05-28T05:08:18-05:00");
    assert_eq!(whole["contact"]["updated_utc_timestamp"], "2026-05-28 05:08:18");
    assert_eq!(kit.contact(id)["fields"], json!({"CITY": "Ulm", "TOPICS": "||News||Events||"}));
    assert_eq!(kit.ask("DELETE", "/contacts/1", Value::Null).body, json!({}));
    let got = kit.get("/contacts/1");
    assert_eq!((got.status, got.body), (404, json!({"message": "No Result found for Subscriber with id 1"})));
    let kinds: Vec<EffectKind> = kit.account.effects_since(0).iter().map(|effect| effect.kind).collect();
    assert_eq!(kinds, [EffectKind::Created, EffectKind::Updated, EffectKind::Deleted]);
}

#[test]
fn an_address_is_one_contacts() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org"}));
    kit.create(json!({"email": "b@example.org"}));
    let documented = json!({"errors": [{"title": "Email address already exists in the system", "detail": "",
        "code": "duplicate", "source": {"pointer": "/data/attributes/email"}}]});
    let got = kit.ask("POST", "/contacts", json!({"contact": {"email": "A@example.org"}}));
    assert_eq!((got.status, got.body), (422, documented.clone()));
    let got = kit.ask("PUT", "/contacts/2", json!({"contact": {"email": "a@example.org"}}));
    assert_eq!((got.status, got.body), (422, documented));
    assert_eq!(kit.ask("POST", "/contacts", json!({"contact": {"email": "nobody"}})).status, 422);
    assert_eq!(kit.ask("PUT", "/contacts/2", json!({"contact": {"email": "c@example.org"}})).status, 200);
    let sync = |email: &str| {
        let got = kit.ask("POST", "/contact/sync", json!({"contact": {"email": email, "firstName": "S"}}));
        (got.status, got.body["contact"]["id"].clone())
    };
    assert_eq!((sync("c@example.org"), sync("b@example.org")), ((200, json!("2")), (201, json!("3"))));
}

#[test]
fn lists_are_narrowed_sorted_and_cut() {
    let kit = Kit::new();
    for n in 0..150 {
        kit.create(json!({"email": format!("c{n:03}@example.org"), "phone": n.to_string()}));
        kit.hands.pass(1);
    }
    let ids = |path: &str| -> Vec<u64> {
        let got = kit.get(path);
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        let rows = got.body["contacts"].as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(ids("/contacts?limit=500&orders[id]=ASC"), (1..=100).collect::<Vec<_>>(), "never more than 100");
    assert_eq!(ids("/contacts").len(), 20);
    assert_eq!(ids("/contacts?orders[id]=ASC&id_greater=148"), [149, 150]);
    assert_eq!(ids("/contacts?orders[id]=ASC&id_greater=10&id_less=13"), [11, 12]);
    assert_eq!(ids("/contacts?ids[]=3&ids[]=7&orders[id]=ASC"), [3, 7]);
    assert_eq!(ids("/contacts?ids=3,7&orders[id]=DESC"), [7, 3]);
    assert_eq!(ids("/contacts?email=C007%40example.org"), [8]);
    assert_eq!(ids("/contacts?search=c14&limit=100").len(), 10);
    let got = kit.get("/contacts?limit=1");
    assert_eq!((&got.body["meta"]["total"], &got.body["meta"]["page_input"]["status"]), (&json!("150"), &json!(-1)));
    kit.hands.pass(100);
    kit.account.edit(5, &map(json!({"phone": "new"}))).unwrap();
    let since = "2026-05-28T10:09:58.000Z";
    assert_eq!(ids(&format!("/contacts?filters[updated_after]={since}&orders[id]=ASC&limit=1")), [5]);
    assert_eq!(ids("/contacts?filters[updated_after]=2026-05-28T05%3A10%3A30-05%3A00"), [5]);
    assert_eq!(kit.get("/contacts?filters[updated_after]=soon").status, 400);
}

#[test]
fn a_value_has_a_time_of_its_own_and_moves_the_contacts() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "a@example.org"}));
    kit.hands.pass(10);
    let write = |value: &str| {
        let body = json!({"fieldValue": {"contact": id, "field": 2, "value": value}, "useDefaults": true});
        kit.ask("POST", "/fieldValues", body)
    };
    let first = write("1990-05-04");
    assert_eq!((first.status, &first.body["fieldValue"]["id"]), (200, &json!("1")));
    kit.hands.pass(10);
    assert_eq!(write("1990-05-04").body["fieldValue"]["udate"], "2026-05-28T05:07:28-05:00", "the same value again");
    assert_eq!(kit.contact(id)["udate"], "2026-05-28T05:07:28-05:00");
    let got = kit.ask("PUT", "/fieldValues/1", json!({"fieldValue": {"value": "1991-01-01"}}));
    assert_eq!(got.body["fieldValue"]["udate"], "2026-05-28T05:07:38-05:00");
    assert_eq!(kit.get("/contacts/1/fieldValues").body["fieldValues"][0]["value"], "1991-01-01");
    assert_eq!(kit.get("/fieldValues?filters[fieldid]=2&filters[val]=1991-01-01").body["meta"]["total"], "1");
    assert_eq!(kit.ask("DELETE", "/fieldValues/1", Value::Null).status, 200);
    assert_eq!(kit.get("/fieldValues/1").status, 404);
    assert_eq!(
        kit.ask("POST", "/fieldValues", json!({"fieldValue": {"contact": 9, "field": 2, "value": "x"}})).status,
        404
    );
}

/// Tags move the contact's time, so a program that tags will meet its own writing.
#[test]
fn a_tag_moves_the_contacts_time() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "a@example.org"}));
    let tag = kit.ask("POST", "/tags", json!({"tag": {"tag": "added", "tagType": "contact"}}));
    assert_eq!((tag.status, &tag.body["tag"]["id"]), (201, &json!("1")));
    kit.hands.pass(30);
    let pair = json!({"contactTag": {"contact": "1", "tag": 1}});
    let got = kit.ask("POST", "/contactTags", pair.clone());
    assert_eq!((got.status, &got.body["contactTag"]["id"]), (201, &json!("1")));
    assert_eq!(kit.contact(id)["udate"], "2026-05-28T05:07:48-05:00");
    kit.hands.pass(30);
    let again = kit.ask("POST", "/contactTags", pair);
    assert_eq!((again.status, &again.body["contactTag"]["id"]), (200, &json!("1")));
    assert_eq!(kit.contact(id)["udate"], "2026-05-28T05:07:48-05:00");
    assert_eq!(kit.get("/contacts/1/contactTags").body["contactTags"][0]["tag"], "1");
    assert_eq!(kit.get("/contacts?tagid=1").body["meta"]["total"], "1");
    assert_eq!(kit.get("/tags?filters[search][eq]=added").body["tags"][0]["subscriber_count"], "1");
    assert_eq!(kit.ask("DELETE", "/contactTags/1", Value::Null).status, 200);
    let gone = json!({"message": "No Result found for SubscriberTag with id 1"});
    assert_eq!(kit.ask("DELETE", "/contactTags/1", Value::Null).body, gone);
    assert_eq!(kit.ask("POST", "/contactTags", json!({"contactTag": {"contact": 9, "tag": 1}})).status, 404);
    assert_eq!(kit.ask("POST", "/contactTags", json!({"contactTag": {"tag": 1}})).status, 422);
    assert!(kit.account.set_tag(id, "vip", true) && kit.account.set_tag(id, "vip", false));
    assert!(!kit.account.set_tag(id, "vip", false));
    assert_eq!(kit.account.effects_since(0).last().unwrap().actor, Actor::Person);
}

#[test]
fn status_1_subscribes_those_who_had_left() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "a@example.org"}));
    assert!(kit.account.subscribe(id, 1) && kit.account.unsubscribe(id, 1) && !kit.account.unsubscribe(id, 7));
    assert_eq!(kit.contact(id)["lists"], json!({"1": 2}));
    assert_eq!(kit.get("/contacts?listid=1&status=2").body["meta"]["total"], "1");
    assert_eq!(kit.get("/contacts?listid=1&status=1").body["meta"]["total"], "0");
    let got = kit.ask("POST", "/contactLists", json!({"contactList": {"list": 1, "contact": "1", "status": 1}}));
    assert_eq!((got.status, &got.body["contactList"]["sourceid"]), (200, &json!("4")));
    assert_eq!(kit.contact(id)["lists"], json!({"1": 1}));
    assert_eq!(kit.get("/contacts/1/contactLists").body["contactLists"][0]["status"], "1");
    assert_eq!(
        kit.ask("POST", "/contactLists", json!({"contactList": {"list": 9, "contact": 1, "status": 1}})).status,
        404
    );
}

/// proves: fault:N3, fault:H3
#[test]
fn faults_speak_the_words_of_the_account() {
    let kit = Kit::new();
    let faults = kit.account.faults();
    faults.add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/api/3/contact"));
    kit.reply("POST", "/contact/sync", &json!({"contact": {"email": "a@example.org"}}));
    assert_eq!(kit.account.contacts_snapshot().len(), 1, "applied, though nobody heard of it");
    faults.add(FaultRule::next(FaultKind::FailedInBody).on("POST", "/api/3/contactTags"));
    let got = kit.ask("POST", "/contactTags", json!({"contactTag": {"contact": 1, "tag": 1}}));
    assert_eq!((got.status, &got.body["succeeded"]), (200, &json!(0)));
    faults.add(FaultRule::next(FaultKind::StatusAfter).status(500));
    assert_eq!(kit.ask("PUT", "/contacts/1", json!({"contact": {"firstName": "A"}})).status, 500);
    assert_eq!(kit.contact(1)["firstName"], "A");
    faults.add(FaultRule::next(FaultKind::Unauthorized));
    let got = kit.get("/contacts");
    assert_eq!((got.status, got.body), (403, json!({"message": ""})));
    faults.add(FaultRule::next(FaultKind::Limited));
    assert_eq!(kit.get("/contacts").headers["retry-after"], "1");
}

proptest! {
    /// Whatever is written, each address leads to the one contact that shows it, and pages over numbers miss nobody.
    #[test]
    fn indexes_and_contacts_agree(steps in prop::collection::vec((0u8..4, 0u8..6, 0u8..6), 1..60)) {
        let kit = Kit::new();
        let mail = |n: u8| format!("c{n}@example.org");
        for (what, who, whom) in steps {
            let id = kit.account.contact_with_email(&mail(who)).unwrap_or(0);
            match what {
                0 => drop(kit.ask("POST", "/contact/sync", json!({"contact": {"email": mail(who)}}))),
                1 => drop(kit.ask("PUT", &format!("/contacts/{id}"), json!({"contact": {"email": mail(whom)}}))),
                2 => drop(kit.ask("DELETE", &format!("/contacts/{id}"), Value::Null)),
                _ => drop(kit.ask("POST", "/contacts", json!({"contact": {"email": mail(whom)}}))),
            }
            kit.hands.pass(1);
        }
        let all = kit.account.contacts_snapshot();
        for row in &all {
            let found = kit.account.contact_with_email(row["email"].as_str().unwrap()).map(|id| json!(id.to_string()));
            prop_assert_eq!(found.as_ref(), Some(&row["id"]));
        }
        let found = (0..6).filter(|n| kit.account.contact_with_email(&mail(*n)).is_some()).count();
        prop_assert_eq!(found, all.len());
        let changed = kit.get("/contacts?filters[updated_after]=1970-01-01T00:00:00.000Z&limit=100").body;
        prop_assert_eq!(changed["contacts"].as_array().unwrap().len(), all.len());
        let (mut after, mut seen) = ("0".to_owned(), 0);
        loop {
            let page = kit.get(&format!("/contacts?orders[id]=ASC&limit=2&id_greater={after}")).body;
            let Some(last) = page["contacts"].as_array().unwrap().last() else { break };
            seen += page["contacts"].as_array().unwrap().len();
            after = last["id"].as_str().unwrap().to_owned();
        }
        prop_assert_eq!(seen, all.len());
    }
}
