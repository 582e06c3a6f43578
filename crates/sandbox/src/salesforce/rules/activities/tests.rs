//! Attendees: relations, the list of related people, and the child events of invited users.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::salesforce::{
    SalesforceConfig,
    testkit::{Kit, code, contact},
};

fn shared() -> Kit {
    Kit::with(SalesforceConfig { shared_activities: true, ..SalesforceConfig::default() })
}

fn event() -> Value {
    json!({"Subject": "Demo", "StartDateTime": "2026-05-07T10:00:00Z", "DurationInMinutes": 30})
}

fn user(kit: &Kit, last: &str) -> String {
    let found = kit.column(&format!("SELECT Id FROM User WHERE LastName = '{last}'"), "Id");
    found[0].as_str().unwrap_or_default().to_owned()
}

/// The live records of an object.
fn live(kit: &Kit, object: &str) -> Vec<Map<String, Value>> {
    kit.records(object).into_iter().filter(|row| row["IsDeleted"] == false).collect()
}

fn with(mut record: Value, name: &str, value: Value) -> Value {
    record[name] = value;
    record
}

#[track_caller]
fn refused(kit: &Kit, object: &str, record: Value, expected: &str) {
    let got = kit.ask("POST", &format!("/sobjects/{object}"), record);
    assert_eq!((got.status, code(&got.body)), (400, expected), "{}", got.text);
}

#[test]
fn a_relation_is_written_read_changed_and_deleted_in_every_way() {
    let kit = Kit::new();
    let guests: Vec<String> = ["A", "B", "C", "D"].iter().map(|name| kit.create("Contact", contact(name))).collect();
    let id = kit.create("Event", event());
    let relation = kit.create("EventRelation", json!({"EventId": id, "RelationId": guests[0]}));
    assert!(relation.starts_with("0RE"));
    let row = kit.get(&format!("/sobjects/EventRelation/{relation}")).body;
    assert_eq!((&row["Status"], &row["IsInvitee"]), (&json!("New"), &json!(true)));
    let graph = json!({"graphs": [{"graphId": "g", "compositeRequest": [
        {"method": "POST", "url": "/services/data/v64.0/sobjects/EventRelation", "referenceId": "r",
            "body": {"EventId": id, "RelationId": guests[1], "Status": "Accepted"}},
        {"method": "PATCH", "url": "/services/data/v64.0/sobjects/EventRelation/@{r.id}", "referenceId": "p",
            "body": {"Status": "Declined", "Response": "ill"}}]}]});
    assert_eq!(kit.ask("POST", "/composite/graph", graph).body["graphs"][0]["isSuccessful"], true);
    let rows: Vec<Value> = guests[1..]
        .iter()
        .map(|guest| json!({"attributes": {"type": "EventRelation"}, "EventId": id, "RelationId": guest}))
        .collect();
    let got = kit.ask("POST", "/composite/sobjects", json!({"allOrNone": false, "records": rows}));
    assert_eq!(got.body[0]["errors"][0]["statusCode"], "DUPLICATE_VALUE", "{}", got.text);
    assert_eq!((&got.body[1]["success"], &got.body[2]["success"]), (&json!(true), &json!(true)));
    let soql =
        format!("SELECT Status FROM EventRelation WHERE EventId IN ('{id}') AND RelationId IN ('{}')", guests[1]);
    assert_eq!(kit.column(&soql, "Status"), ["Declined"]);
    let nested = kit
        .query(&format!("SELECT (SELECT RelationId, Relation.Name FROM EventRelations) FROM Event WHERE Id = '{id}'"));
    assert_eq!(nested.body["records"][0]["EventRelations"]["totalSize"], 4, "{}", nested.text);
    let got = kit.ask("PATCH", &format!("/sobjects/EventRelation/{relation}"), json!({"EventId": id}));
    assert_eq!(code(&got.body), "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(kit.ask("DELETE", &format!("/sobjects/EventRelation/{relation}"), Value::Null).status, 204);
    assert_eq!(kit.ask("DELETE", &format!("/sobjects/Event/{id}"), Value::Null).status, 204);
    assert!(live(&kit, "EventRelation").is_empty());
}

#[test]
fn without_shared_activities_relations_only_invite() {
    let kit = Kit::new();
    let guest = kit.create("Contact", contact("Guest"));
    let account = kit.create("Account", json!({"Name": "A"}));
    let id = kit.create("Event", with(event(), "WhoId", json!(guest)));
    assert!(live(&kit, "EventRelation").is_empty());
    let relation = json!({"EventId": id, "RelationId": guest});
    refused(&kit, "EventRelation", with(relation.clone(), "IsInvitee", json!(false)), "FIELD_INTEGRITY_EXCEPTION");
    refused(&kit, "EventRelation", with(relation.clone(), "IsParent", json!(true)), "INVALID_FIELD");
    refused(&kit, "EventRelation", json!({"EventId": id, "RelationId": account}), "FIELD_INTEGRITY_EXCEPTION");
    refused(&kit, "Event", with(event(), "EventWhoIds", json!([guest])), "INVALID_FIELD");
    kit.create("EventRelation", relation);
    let row = &live(&kit, "Event")[0];
    assert_eq!(
        (&row["IsGroupEvent"], &row["GroupEventType"], &row["WhoId"]),
        (&json!(true), &json!("1"), &json!(guest))
    );
}

#[test]
fn an_invited_user_gets_a_copy_that_follows_and_goes() {
    let kit = Kit::new();
    let (owner, host) = (user(&kit, "Admin"), user(&kit, "Broker"));
    let body = with(with(event(), "Syncline_Uid__c", json!("e-1")), "OwnerId", json!(owner));
    let id = kit.create("Event", with(body, "Meeting_Status__c", json!("Scheduled")));
    let invitation = kit.create("EventRelation", json!({"EventId": id, "RelationId": host}));
    let copies =
        |kit: &Kit| -> Vec<_> { live(kit, "Event").into_iter().filter(|row| row["IsChild"] == true).collect() };
    let copy = copies(&kit)[0].clone();
    assert_eq!(
        (&copy["OwnerId"], &copy["Subject"], &copy["Syncline_Uid__c"]),
        (&json!(host), &json!("Demo"), &Value::Null)
    );
    assert_eq!(
        (&copy["StartDateTime"], &copy["Meeting_Status__c"]),
        (&json!("2026-05-07T10:00:00.000+0000"), &json!("Scheduled"))
    );
    assert_eq!(kit.column("SELECT Id FROM Event WHERE IsChild = false", "Id"), [json!(id)]);
    kit.advance(60);
    let moved = json!({"Subject": "Moved", "StartDateTime": "2026-05-08T10:00:00Z"});
    assert_eq!(kit.ask("PATCH", &format!("/sobjects/Event/{id}"), moved).status, 204);
    let copy = copies(&kit)[0].clone();
    assert_eq!((&copy["Subject"], &copy["EndDateTime"]), (&json!("Moved"), &json!("2026-05-08T10:30:00.000+0000")));
    assert_eq!(copy["SystemModstamp"], "2026-05-06T12:01:00.000+0000");
    let path = format!("/sobjects/Event/{}", copy["Id"].as_str().unwrap_or_default());
    assert_eq!(code(&kit.ask("PATCH", &path, json!({"Subject": "mine"})).body), "INSUFFICIENT_ACCESS_OR_READONLY");
    assert_eq!(kit.ask("PATCH", &path, json!({"IsReminderSet": true})).status, 204);
    refused(&kit, "EventRelation", json!({"EventId": copy["Id"], "RelationId": owner}), "FIELD_INTEGRITY_EXCEPTION");
    // The trap: the owner's own invitation makes a copy for the owner.
    kit.create("EventRelation", json!({"EventId": id, "RelationId": owner}));
    assert_eq!(copies(&kit).len(), 2);
    kit.ask("DELETE", &format!("/sobjects/EventRelation/{invitation}"), Value::Null);
    assert_eq!(copies(&kit).len(), 1);
    kit.ask("DELETE", &format!("/sobjects/Event/{id}"), Value::Null);
    assert!(live(&kit, "Event").is_empty());
    kit.org.undelete(&id).expect("it lies in the recycle bin");
    assert_eq!((live(&kit, "Event").len(), live(&kit, "EventRelation").len(), copies(&kit).len()), (2, 1, 1));
}

#[test]
fn an_event_has_a_thousand_invitees_and_no_more() {
    let kit = Kit::new();
    let id = kit.create("Event", event());
    let mut rows = Vec::new();
    for n in 0..=1_000 {
        let guest = kit.org.seed("Contact", json!({"LastName": format!("G{n}")}).as_object().expect("an object"));
        rows.push(
            json!({"attributes": {"type": "EventRelation"}, "EventId": id, "RelationId": guest.expect("seeded")}),
        );
    }
    let mut made = 0;
    for chunk in rows.chunks(200) {
        let got = kit.ask("POST", "/composite/sobjects", json!({"allOrNone": false, "records": chunk}));
        made += got.body.as_array().into_iter().flatten().filter(|row| row["success"] == true).count();
        if chunk.len() == 1 {
            assert_eq!(got.body[0]["errors"][0]["statusCode"], "LIMIT_EXCEEDED");
        }
    }
    assert_eq!(made, 1_000);
}

#[test]
fn the_list_of_people_and_the_relations_say_the_same() {
    let kit = shared();
    let whos: Vec<String> = ["A", "B", "C"].iter().map(|name| kit.create("Contact", contact(name))).collect();
    let account = kit.create("Account", json!({"Name": "Acme"}));
    let body = with(with(event(), "EventWhoIds", json!(whos[..2])), "WhatId", json!(account));
    let id = kit.create("Event", body);
    let path = format!("/sobjects/Event/{id}");
    let read = |kit: &Kit| {
        let row = kit.get(&path).body;
        (row["WhoId"].clone(), row["EventWhoIds"].clone(), row["WhatId"].clone())
    };
    assert_eq!(read(&kit), (json!(whos[0]), json!(whos[..2]), json!(account)));
    assert_eq!(kit.column("SELECT Id FROM EventRelation WHERE IsParent = true AND IsWhat = true", "Id").len(), 1);
    assert_eq!(live(&kit, "Event")[0]["IsGroupEvent"], false);
    let people = format!("SELECT RelationId FROM EventWhoRelation WHERE EventId = '{id}' ORDER BY Id");
    assert_eq!(kit.column(&people, "RelationId"), [json!(whos[0]), json!(whos[1])]);
    assert_eq!(kit.query("SELECT COUNT() FROM EventWhoRelation").body["totalSize"], 2);
    assert_eq!(code(&Kit::new().query("SELECT Id FROM EventWhoRelation").body), "INVALID_TYPE");
    // Another primary person comes in front; clearing the list leaves that one.
    assert_eq!(kit.ask("PATCH", &path, json!({"WhoId": whos[2]})).status, 204);
    assert_eq!(read(&kit).1, json!([whos[2], whos[0], whos[1]]));
    assert_eq!(kit.ask("PATCH", &path, json!({"EventWhoIds": null})).status, 204);
    assert_eq!((read(&kit).0, read(&kit).1), (json!(whos[2]), json!([whos[2]])));
    assert_eq!(kit.ask("PATCH", &path, json!({"EventWhoIds": whos})).status, 204);
    // Deleting the relation of the primary person promotes another.
    let soql = format!("SELECT Id FROM EventRelation WHERE RelationId = '{}'", whos[2]);
    let relation = kit.column(&soql, "Id")[0].as_str().unwrap_or_default().to_owned();
    assert_eq!(kit.ask("DELETE", &format!("/sobjects/EventRelation/{relation}"), Value::Null).status, 204);
    assert_eq!((read(&kit).0, read(&kit).1), (json!(whos[0]), json!(whos[..2])));
    // Deleting a person does not take an event along that is about others too.
    assert_eq!(kit.ask("DELETE", &format!("/sobjects/Contact/{}", whos[0]), Value::Null).status, 204);
    assert_eq!((read(&kit).0, read(&kit).1), (json!(whos[1]), json!([whos[1]])));
}

#[test]
fn who_is_related_may_be_invited_too_in_one_row() {
    let kit = shared();
    let guest = kit.create("Contact", contact("Guest"));
    let id = kit.create("Event", with(event(), "WhoId", json!(guest)));
    refused(&kit, "EventRelation", json!({"EventId": id, "RelationId": guest}), "DUPLICATE_VALUE");
    let relation = live(&kit, "EventRelation")[0]["Id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        kit.ask("PATCH", &format!("/sobjects/EventRelation/{relation}"), json!({"IsInvitee": true})).status,
        204
    );
    assert_eq!(live(&kit, "Event")[0]["IsGroupEvent"], true);
    kit.ask("PATCH", &format!("/sobjects/Event/{id}"), json!({"WhoId": null}));
    let row = &live(&kit, "EventRelation")[0];
    assert_eq!((&row["IsParent"], &row["IsInvitee"]), (&json!(false), &json!(true)));
}

#[test]
fn a_list_is_fifty_contacts_or_one_lead() {
    let kit = shared();
    let lead = kit.create("Lead", json!({"LastName": "L", "Company": "C"}));
    let many: Vec<String> = (0..51).map(|n| kit.create("Contact", contact(&format!("P{n}")))).collect();
    let listed = |ids: &[String]| with(event(), "EventWhoIds", json!(ids));
    refused(&kit, "Event", listed(&many), "INVALID_EVENTWHOIDS");
    refused(&kit, "Event", listed(&[many[0].clone(), lead.clone()]), "INVALID_EVENTWHOIDS");
    refused(&kit, "Event", listed(&[user(&kit, "Admin")]), "INVALID_EVENTWHOIDS");
    refused(&kit, "Event", listed(&["003dM0000009999".to_owned()]), "INVALID_EVENTWHOIDS");
    let id = kit.create("Event", listed(&many[..50]));
    refused(
        &kit,
        "EventRelation",
        json!({"EventId": id, "RelationId": many[50], "IsParent": true}),
        "FIELD_INTEGRITY_EXCEPTION",
    );
    kit.create("EventRelation", json!({"EventId": id, "RelationId": many[50]}));
    kit.create("Event", listed(&[lead]));
}

/// Within a graph the people may be made by the same graph.
#[test]
fn the_list_takes_references() {
    let kit = shared();
    let post = |object: &str, reference: &str, body: Value| json!({"method": "POST", "url": format!("/services/data/v64.0/sobjects/{object}"), "referenceId": reference, "body": body});
    let parts = [
        post("Contact", "a", contact("A")),
        post("Contact", "b", contact("B")),
        post("Event", "e", with(event(), "EventWhoIds", json!(["@{a.id}", "@{b.id}"]))),
    ];
    let got = kit.ask("POST", "/composite/graph", json!({"graphs": [{"graphId": "g", "compositeRequest": parts}]}));
    assert_eq!(got.body["graphs"][0]["isSuccessful"], true, "{}", got.text);
    let got = kit.ask("POST", "/composite", json!({"allOrNone": true, "compositeRequest": parts}));
    assert_eq!(got.body["compositeResponse"][2]["httpStatusCode"], 201, "{}", got.text);
    assert_eq!(live(&kit, "EventRelation").len(), 4);
}

#[test]
fn shared_activities_are_switched_while_the_org_runs() {
    let kit = Kit::new();
    let (a, b) = (kit.create("Contact", contact("A")), kit.create("Contact", contact("B")));
    let id = kit.create("Event", with(event(), "WhoId", json!(a)));
    kit.create("EventRelation", json!({"EventId": id, "RelationId": b}));
    let described = |kit: &Kit| kit.get("/sobjects/Event/describe").text.contains("EventWhoIds");
    assert!(!described(&kit));
    kit.org.set_shared_activities(true).expect("it can be switched");
    assert!(described(&kit));
    assert_eq!(kit.get(&format!("/sobjects/Event/{id}")).body["EventWhoIds"], json!([a]));
    assert_eq!(live(&kit, "EventRelation").len(), 2);
    kit.org.set_shared_activities(false).expect("it can be switched");
    assert!(!described(&kit));
    let left = live(&kit, "EventRelation");
    assert_eq!((left.len(), &left[0]["RelationId"]), (1, &json!(b)));
    assert_eq!(live(&kit, "Event")[0]["WhoId"], a);
}

#[derive(Debug, Clone)]
enum Act {
    Who(Option<usize>),
    Whos(Vec<usize>),
    Invite(usize),
    Relate(usize),
    Drop(usize),
    RemovePerson(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        prop::option::of(0usize..4).prop_map(Act::Who),
        prop::collection::vec(0usize..4, 0..4).prop_map(Act::Whos),
        (0usize..6).prop_map(Act::Invite),
        (0usize..4).prop_map(Act::Relate),
        (0usize..6).prop_map(Act::Drop),
        (0usize..4).prop_map(Act::RemovePerson),
    ]
}

/// What must hold of every event at any time.
fn consistent(kit: &Kit) -> Result<(), TestCaseError> {
    let relations = live(kit, "EventRelation");
    let events: BTreeMap<String, Map<String, Value>> =
        live(kit, "Event").into_iter().map(|row| (row["Id"].as_str().unwrap_or_default().to_owned(), row)).collect();
    let pairs: BTreeSet<(String, String)> =
        relations.iter().map(|row| (row["EventId"].to_string(), row["RelationId"].to_string())).collect();
    prop_assert_eq!(pairs.len(), relations.len(), "a pair stands twice");
    let mut copies = 0;
    for (id, event) in events.iter().filter(|(_, event)| event["IsChild"] == false) {
        let mine: Vec<_> = relations.iter().filter(|row| row["EventId"] == json!(id)).collect();
        let parents: BTreeSet<String> = mine
            .iter()
            .filter(|row| row["IsParent"] == true && row["IsWhat"] == false)
            .map(|row| row["RelationId"].as_str().unwrap_or_default().to_owned())
            .collect();
        let shown = kit.get(&format!("/sobjects/Event/{id}")).body;
        let listed: Vec<String> = serde_json::from_value(shown["EventWhoIds"].clone()).unwrap_or_default();
        prop_assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), parents);
        prop_assert_eq!(listed.first().map(String::as_str), event["WhoId"].as_str());
        prop_assert_eq!(event["IsGroupEvent"] == true, mine.iter().any(|row| row["IsInvitee"] == true));
        let hosts = mine.iter().filter(|row| row["RelationId"].as_str().is_some_and(|id| id.starts_with("005")));
        copies += hosts.count();
    }
    prop_assert_eq!(events.values().filter(|event| event["IsChild"] == true).count(), copies);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is done in whichever order: fields, relations and copies agree.
    #[test]
    fn fields_relations_and_copies_always_agree(acts in prop::collection::vec(act(), 1..14)) {
        let kit = shared();
        let mut people: Vec<String> = ["A", "B", "C", "D"].iter().map(|name| kit.create("Contact", contact(name))).collect();
        people.extend([user(&kit, "Admin"), user(&kit, "Broker")]);
        let id = kit.create("Event", event());
        let path = format!("/sobjects/Event/{id}");
        for act in acts {
            match act {
                Act::Who(who) => { kit.ask("PATCH", &path, json!({"WhoId": who.map(|n| people[n].clone())})); }
                Act::Whos(list) => {
                    let ids: Vec<&String> = list.iter().map(|n| &people[*n]).collect();
                    kit.ask("PATCH", &path, json!({"EventWhoIds": ids}));
                }
                Act::Invite(n) => { kit.ask("POST", "/sobjects/EventRelation", json!({"EventId": id, "RelationId": people[n]})); }
                Act::Relate(n) => {
                    kit.ask("POST", "/sobjects/EventRelation", json!({"EventId": id, "RelationId": people[n], "IsParent": true}));
                }
                Act::Drop(n) => {
                    let found = kit.column(&format!("SELECT Id FROM EventRelation WHERE RelationId = '{}'", people[n]), "Id");
                    if let Some(relation) = found.first().and_then(Value::as_str) {
                        kit.ask("DELETE", &format!("/sobjects/EventRelation/{relation}"), Value::Null);
                    }
                }
                Act::RemovePerson(n) => { kit.ask("DELETE", &format!("/sobjects/Contact/{}", people[n]), Value::Null); }
            }
            consistent(&kit)?;
        }
    }
}
