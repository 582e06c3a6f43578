//! Who attends: places in a meeting are made without a key, refused when they are there already, and looked up by the
//! meeting.

use serde_json::{Value as Json, json};
use syncline_connect::{ErrorKind, Find, GraphOutcome, Records, Retry, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Field, Record, Role, Slot, Std, Value},
    step::{Plan, Step},
};

use super::{
    super::{Salesforce, draw, find},
    graphs::{delete, failed, graph, graphs, outcome_of, patch, patched, refusal, saved, send, upsert},
    org,
    world::{Turn, World, json, now, soql_of},
};

const EVENT: &str = "00U000000000001EAA";
const CONTACT: &str = "0034H00002JsInQQAV";
const LEAD: &str = "00Q000000000001EAA";
const USER: &str = "005000000000001AAA";
const PLACE: &str = "0RE000000000001GAA";
const OTHER_PLACE: &str = "0RE000000000002GAA";

fn place(number: u16, attends: Value, invited: bool, related: Option<bool>) -> Step {
    let mut values =
        vec![(Std::Meeting, Value::Slot(Slot::Meeting)), (Std::Attends, attends), (Std::Invited, Value::Bool(invited))];
    values.extend(related.map(|related| (Std::Related, Value::Bool(related))));
    upsert(Slot::Attendee(number), Role::Attendee, &values)
}

fn meeting() -> Step {
    upsert(Slot::Meeting, Role::Meeting, &[(Std::Subject, Value::text("Intro"))])
}

/// A meeting with a guest who is made with it, one who is known, a lead, and a co-host.
fn with_guests() -> Plan {
    Plan {
        steps: vec![
            place(1, Value::Slot(Slot::Guest(1)), true, Some(true)),
            upsert(Slot::Guest(1), Role::Contact, &[(Std::LastName, Value::text("Byron"))]),
            meeting(),
            place(2, Value::Id(CONTACT.into()), false, Some(true)),
            place(3, Value::Id(LEAD.into()), true, Some(false)),
            place(4, Value::Id(USER.into()), true, None),
        ],
    }
}

/// proves: B16
#[test]
fn guests_and_hosts_are_tied_to_the_meeting_that_the_same_graph_makes() {
    let drawn = draw::draw(&org(), &with_guests()).unwrap();
    let requests: Vec<_> = drawn.nodes.iter().map(|node| &node.request).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&requests).unwrap(), @r#"
    [
      {
        "method": "PATCH",
        "url": "/services/data/v64.0/sobjects/Contact/Syncline_Uid__c/sy_guest_1",
        "referenceId": "guest_1",
        "body": {
          "LastName": "Byron"
        }
      },
      {
        "method": "PATCH",
        "url": "/services/data/v64.0/sobjects/Event/Syncline_Uid__c/sy_meeting",
        "referenceId": "meeting",
        "body": {
          "Subject": "Intro"
        }
      },
      {
        "method": "POST",
        "url": "/services/data/v64.0/sobjects/EventRelation",
        "referenceId": "attendee_1",
        "body": {
          "EventId": "@{meeting.id}",
          "RelationId": "@{guest_1.id}",
          "IsInvitee": true,
          "IsParent": true
        }
      },
      {
        "method": "POST",
        "url": "/services/data/v64.0/sobjects/EventRelation",
        "referenceId": "attendee_2",
        "body": {
          "EventId": "@{meeting.id}",
          "RelationId": "0034H00002JsInQQAV",
          "IsInvitee": false,
          "IsParent": true
        }
      },
      {
        "method": "POST",
        "url": "/services/data/v64.0/sobjects/EventRelation",
        "referenceId": "attendee_3",
        "body": {
          "EventId": "@{meeting.id}",
          "RelationId": "00Q000000000001EAA"
        }
      },
      {
        "method": "POST",
        "url": "/services/data/v64.0/sobjects/EventRelation",
        "referenceId": "attendee_4",
        "body": {
          "EventId": "@{meeting.id}",
          "RelationId": "005000000000001AAA"
        }
      }
    ]
    "#);
}

/// proves: B16
#[test]
fn the_ids_of_places_come_back_by_their_slots() {
    let plan = Plan { steps: vec![meeting(), place(1, Value::Id(USER.into()), true, None)] };
    let answer = graph(0, true, &[saved("meeting", EVENT, 201), saved("attendee_1", PLACE, 201)]);
    let ids = [(Slot::Meeting, EVENT), (Slot::Attendee(1), PLACE)].map(|(slot, id)| (slot, RecordId::new(id)));
    assert_eq!(outcome_of(&plan, graphs(&[answer])), GraphOutcome::Done(ids.to_vec()));
    // An id of another object is no place in a meeting.
    let answer = graph(0, true, &[saved("meeting", EVENT, 201), saved("attendee_1", CONTACT, 201)]);
    assert!(matches!(outcome_of(&plan, graphs(&[answer])), GraphOutcome::Unknown(_)));
}

#[test]
fn places_are_changed_and_taken_away_by_their_ids() {
    let plan = Plan {
        steps: vec![
            patch(Slot::Attendee(1), Role::Attendee, PLACE, &[(Std::Response, Value::text("did not come"))]),
            delete(Slot::Attendee(2), Role::Attendee, OTHER_PLACE),
        ],
    };
    let drawn = draw::draw(&org(), &plan).unwrap();
    let lines: Vec<String> = drawn
        .nodes
        .iter()
        .map(|node| format!("{} {} {:?}", node.request.method, node.request.url, node.request.body))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    PATCH /services/data/v64.0/sobjects/EventRelation/0RE000000000001GAA Some({"Response": String("did not come")})
    DELETE /services/data/v64.0/sobjects/EventRelation/0RE000000000002GAA None
    "#);
    let answer = graph(0, true, &[patched("attendee_1"), patched("attendee_2_1")]);
    let done = GraphOutcome::Done(vec![(Slot::Attendee(1), RecordId::new(PLACE))]);
    assert_eq!(outcome_of(&plan, graphs(&[answer])), done);
}

#[test]
fn whom_a_place_ties_to_which_meeting_is_never_changed() {
    for std in [Std::Meeting, Std::Attends] {
        let step = patch(Slot::Attendee(1), Role::Attendee, PLACE, &[(std, Value::Id(CONTACT.into()))]);
        let error = draw::draw(&org(), &Plan { steps: vec![step] }).unwrap_err();
        assert_eq!((error.kind, error.slot), (ErrorKind::Configuration, Some(Slot::Attendee(1))));
        assert_eq!(error.fields, [Field::Std(std)]);
    }
    let step = patch(Slot::Attendee(1), Role::Attendee, CONTACT, &[]);
    assert!(draw::draw(&org(), &Plan { steps: vec![step] }).is_err(), "a contact is no place in a meeting");
}

/// proves: B16
#[test]
fn somebody_who_attends_already_is_looked_up_and_not_doubled() {
    let plan = Plan { steps: vec![meeting(), place(7, Value::Id(CONTACT.into()), true, Some(true))] };
    let answer = graph(
        0,
        false,
        &[failed("meeting", 400, "PROCESSING_HALTED", &[]), failed("attendee_7", 400, "DUPLICATE_VALUE", &[])],
    );
    let error = refusal(outcome_of(&plan, graphs(&[answer])));
    assert_eq!((error.kind, error.retry, error.slot), (ErrorKind::KeyTaken, Retry::Replan, Some(Slot::Attendee(7))));
    assert_eq!(error.message, "they are an attendee of the meeting already");
}

/// Orgs in which an event has one person do not know the marks.
#[test]
fn a_mark_that_the_org_does_not_know_is_named() {
    let plan = Plan { steps: vec![meeting(), place(1, Value::Id(CONTACT.into()), true, Some(true))] };
    let body = json!([{"errorCode": "INVALID_FIELD", "message": "No such column 'IsParent' on sobject of type EventRelation"}]);
    let answer = json!({"body": body, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": "attendee_1"});
    let error = refusal(outcome_of(&plan, graphs(&[graph(0, false, &[answer])])));
    assert_eq!((error.kind, error.fields), (ErrorKind::Field, vec![Std::Related.into()]));
    let mut named = upsert(Slot::Meeting, Role::Meeting, &[]);
    if let syncline_core::step::Write::Upsert { fields, .. } = &mut named.write {
        fields.insert(Field::Native("EventWhoIds".into()), Value::text(CONTACT));
    }
    let body =
        json!([{"errorCode": "INVALID_FIELD", "message": "No such column 'EventWhoIds' on sobject of type Event"}]);
    let answer = json!({"body": body, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": "meeting"});
    let error = refusal(outcome_of(&Plan { steps: vec![named] }, graphs(&[graph(0, false, &[answer])])));
    assert_eq!((error.kind, error.fields), (ErrorKind::Field, vec![Field::Native("EventWhoIds".into())]));
}

/// proves: B16 (sixty guests)
#[test]
fn a_booking_with_sixty_guests_is_one_graph_of_one_call() {
    let mut steps = vec![meeting()];
    for number in 0..60 {
        steps.push(place(number, Value::Slot(Slot::Guest(number)), true, Some(number < 50)));
        steps.push(upsert(
            Slot::Guest(number),
            Role::Contact,
            &[(Std::Account, Value::Slot(Slot::GuestAccount(number)))],
        ));
        steps.push(upsert(Slot::GuestAccount(number), Role::Account, &[]));
    }
    let plan = Plan { steps };
    assert_eq!(draw::fits(&[&plan, &plan, &plan]), 2, "181 nodes each");
    let answer = graph(0, false, &[failed("guest_3", 400, "UNABLE_TO_LOCK_ROW", &[])]);
    let world = World::with([graphs(&[answer])]);
    let outcomes = send(&world, &[&plan]).unwrap();
    assert_eq!(outcomes.calls, 1);
    assert_eq!(refusal(outcomes.value[0].clone()).slot, Some(Slot::Guest(3)));
    let sent = world.seen()[0].json();
    assert_eq!(sent["graphs"].as_array().unwrap().len(), 1);
    assert_eq!(sent["graphs"][0]["compositeRequest"].as_array().unwrap().len(), 181);
}

fn asked() -> Find {
    let fields = [Std::Meeting, Std::Attends, Std::Invited, Std::Related, Std::Response].map(Field::Std).to_vec();
    Find::new(Role::Attendee, vec![Wanted::Is(Std::Meeting, vec![EVENT.to_owned()])], fields)
}

fn row(id: &str, whom: &str, marks: Json) -> Json {
    let mut row = json!({"attributes": {"type": "EventRelation"}, "Id": id, "CreatedDate": "2026-05-06T00:00:00.000+0000",
        "EventId": EVENT, "RelationId": whom, "Response": null});
    row.as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
    row
}

fn answered(status: u16, body: Json) -> Turn {
    let sub = json!({"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": "q0"});
    json(200, json!({"compositeResponse": [sub]}))
}

fn page(rows: &[Json]) -> Json {
    json!({"totalSize": rows.len(), "done": true, "records": rows})
}

fn told(records: &[Record]) -> Vec<(&str, &str, bool, bool)> {
    let told = |record| -> (&str, &str, bool, bool) {
        let record: &Record = record;
        (record.id.as_str(), record.text(Std::Attends).unwrap(), record.is(Std::Invited), record.is(Std::Related))
    };
    records.iter().map(told).collect()
}

/// proves: B16
#[test]
fn attendees_are_looked_up_by_their_meeting_and_only_people_attend() {
    let marks = |invited, related, what| json!({"IsInvitee": invited, "IsParent": related, "IsWhat": what});
    let rows = [
        row(PLACE, CONTACT, marks(true, true, false)),
        row("0RE000000000003GAA", "500000000000001AAA", marks(false, true, true)),
        row("0RE000000000004GAA", "023000000000001AAA", marks(true, false, false)),
        row(OTHER_PLACE, USER, marks(true, false, false)),
    ];
    let world = World::with([answered(200, page(&rows))]);
    let found = now(Salesforce.find(&world.cx(), &[asked()])).unwrap().value;
    assert_eq!(told(&found[0]), [(PLACE, CONTACT, true, true), (OTHER_PLACE, USER, true, false)]);
    let sent = world.seen()[0].json();
    insta::assert_snapshot!(soql_of(sent["compositeRequest"][0]["url"].as_str().unwrap()), @"SELECT Id, CreatedDate, EventId, RelationId, IsInvitee, IsParent, Response FROM EventRelation WHERE (EventId IN ('00U000000000001EAA')) ORDER BY CreatedDate, Id");
    assert_eq!(Salesforce.identify(PLACE), Some((Role::Attendee, PLACE.into())));
    // Whom a place is for comes along even when nobody asks: without it nobody can tell the rows apart.
    let bare = Find::new(Role::Attendee, vec![Wanted::Ids(vec![PLACE.into(), CONTACT.into()])], vec![]);
    insta::assert_snapshot!(soql_of(&find::asks(&org(), &[bare]).unwrap()[0].url), @"SELECT Id, CreatedDate, RelationId FROM EventRelation WHERE (Id IN ('0RE000000000001GAA')) ORDER BY CreatedDate, Id");
}

/// proves: B16 (without "relate multiple contacts")
#[test]
fn where_an_event_has_one_person_everyone_else_who_attends_is_invited() {
    let refused =
        json!([{"errorCode": "INVALID_FIELD", "message": "No such column 'IsParent' on entity 'EventRelation'."}]);
    let world = World::with([answered(400, refused.clone()), answered(200, page(&[row(PLACE, LEAD, json!({}))]))]);
    let found = now(Salesforce.find(&world.cx(), &[asked()])).unwrap();
    assert_eq!(told(&found.value[0]), [(PLACE, LEAD, true, false)]);
    assert_eq!(found.calls, 2);
    let seen = world.seen();
    let again = soql_of(seen[1].json()["compositeRequest"][0]["url"].as_str().unwrap());
    assert!(!again.contains("IsParent") && !again.contains("IsInvitee"), "{again}");
    // Once more the same refusal is an error, and so is one of a question without marks.
    let world = World::with([answered(400, refused.clone()), answered(400, refused.clone())]);
    assert_eq!(now(Salesforce.find(&world.cx(), &[asked()])).unwrap_err().kind, ErrorKind::Field);
    let unmarked = Find { fields: vec![Std::Response.into()], ..asked() };
    let world = World::with([answered(400, refused)]);
    assert_eq!(now(Salesforce.find(&world.cx(), &[unmarked])).unwrap_err().kind, ErrorKind::Field);
}
