//! Which meetings changed: in order, whole, and never nothing for want of an answer.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::{Answered, Error, ErrorKind, Recent, Records, Retry};
use syncline_core::{ids::RecordId, record::Role};
use syncline_sandbox::salesforce::{FaultKind, FaultRule};

use super::{
    super::{
        Salesforce,
        mirror::tests::lab::{Lab, map},
        query::{OVERLAP, ROWS_PER_PAGE},
        recent,
    },
    world::{World, json as answer, now, soql_of},
};
use crate::testing::recent::follow;

const ONE: &str = "00U000000000001EAA";
const TWO: &str = "00U000000000002EAA";

fn event(lab: &Lab, subject: &str) -> String {
    let times = ("2026-05-07T10:00:00Z", "2026-05-07T10:30:00Z");
    lab.seed("Event", json!({ "Subject": subject, "StartDateTime": times.0, "EndDateTime": times.1 }))
}

fn ask(lab: &Lab, since: Timestamp, limit: usize) -> Result<Answered<Recent>, Error> {
    now(recent::recent(&lab.asker.cx(), Role::Meeting, since, limit))
}

fn clock(lab: &Lab) -> Timestamp {
    lab.asker.cx().now
}

#[test]
fn what_changed_comes_in_the_order_of_change() {
    let lab = Lab::new();
    let [_, edited] = ["Old", "Edited"].map(|subject| event(&lab, subject));
    lab.pass(3600);
    let since = clock(&lab);
    let [first, gone] = ["First", "Gone"].map(|subject| event(&lab, subject));
    lab.pass(1);
    lab.org.edit(&edited, &map(json!({ "Subject": "Edited again" }))).unwrap();
    lab.org.delete(&gone).unwrap();
    let answered = ask(&lab, since, ROWS_PER_PAGE).unwrap();
    assert_eq!((answered.calls, answered.value.more), (1, false));
    let later = since + SignedDuration::from_secs(1);
    assert_eq!(answered.value.changed, [(RecordId::new(first), since), (RecordId::new(edited), later)]);
    lab.pass(1);
    assert_eq!(ask(&lab, clock(&lab), ROWS_PER_PAGE).unwrap().value.changed, []);
}

/// An invitation to a user makes a child of the event; the meeting is one all the same.
#[test]
fn a_child_of_an_event_is_no_meeting() {
    let lab = Lab::new();
    let meeting = event(&lab, "With a colleague");
    let colleague =
        lab.seed("User", json!({ "Username": "co@host.example", "LastName": "Co", "Email": "co@host.example" }));
    lab.seed("EventRelation", json!({ "EventId": meeting, "RelationId": colleague, "IsInvitee": true }));
    assert!(lab.org.records("Event").len() > 1, "the invitation made a child");
    let changed = ask(&lab, clock(&lab), ROWS_PER_PAGE).unwrap().value.changed;
    assert_eq!(changed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), [meeting]);
}

#[test]
fn the_query_is_ordered_and_bounded() {
    let page = json!({"compositeResponse": [{"httpStatusCode": 200, "referenceId": "q0", "body": {
        "totalSize": 0, "done": true, "records": []}}]});
    let world = World::with([answer(200, page)]);
    let since = "2026-05-06T12:00:00.123456789Z".parse().unwrap();
    now(Salesforce.recent(&world.cx(), Role::Meeting, since)).unwrap();
    let seen = world.seen();
    insta::assert_snapshot!(
        soql_of(seen[0].json()["compositeRequest"][0]["url"].as_str().unwrap()),
        @"SELECT Id,SystemModstamp FROM Event WHERE SystemModstamp >= 2026-05-06T12:00:00.123Z AND IsChild = false ORDER BY SystemModstamp, Id LIMIT 2000"
    );
}

#[test]
fn other_records_are_refused() {
    let world = World::with([]);
    for role in [Role::Contact, Role::User, Role::Lead, Role::Attendee] {
        let error = now(Salesforce.recent(&world.cx(), role, Timestamp::UNIX_EPOCH)).unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    }
    assert_eq!(Salesforce.recent_lag(), Duration::from_secs(10 * 60));
}

/// More events of one second than a page holds, between others.
#[test]
fn a_moment_that_fills_pages_is_read_whole_and_gone_past() {
    let lab = Lab::new();
    let since = clock(&lab);
    let mut made: Vec<String> = (0..3).map(|n| event(&lab, &format!("Before {n}"))).collect();
    lab.pass(1);
    made.extend((0..250).map(|n| event(&lab, &format!("Import {n}"))));
    lab.pass(1);
    made.push(event(&lab, "After"));
    let followed = follow(since, |from| ask(&lab, from, 100), || ());
    assert_eq!(followed.seen.len(), made.len());
    assert!(made.iter().all(|id| followed.seen.contains_key(&RecordId::new(id))));
    // The first page, and then three of which the last leads past that second.
    assert_eq!(followed.calls, 4);
}

/// Whatever goes wrong with a call, it is an error, whichever call of a page it strikes.
///
/// proves: V2
#[test]
fn a_failure_is_never_nothing_changed() {
    let lab = Lab::new();
    let since = clock(&lab);
    for n in 0..5 {
        event(&lab, &format!("Meeting {n}"));
    }
    let kinds = [
        FaultKind::Status,
        FaultKind::Truncated,
        FaultKind::AppliedAnswerLost,
        FaultKind::LostRequest,
        FaultKind::ExpiredToken,
        FaultKind::DailyLimit,
    ];
    for kind in kinds {
        lab.fault(FaultRule { next: Some(1), ..FaultRule::new(kind) });
        assert!(ask(&lab, since, 2).is_err(), "{kind:?}");
    }
    assert_eq!(follow(since, |from| ask(&lab, from, 2), || ()).seen.len(), 5);
}

fn row(id: &str, stamp: &str) -> Json {
    json!({ "Id": id, "SystemModstamp": stamp })
}

fn told(status: u16, body: Json) -> Json {
    json!({ "compositeResponse": [{ "httpStatusCode": status, "referenceId": "q0", "body": body }] })
}

fn page(rows: &[Json], total: usize, done: bool) -> Json {
    told(200, json!({ "totalSize": total, "done": done, "nextRecordsUrl": "/x", "records": rows }))
}

/// What the org never answers: pages that cannot be taken for what they are, also behind a sound one.
///
/// proves: V2
#[test]
fn a_page_that_is_not_sound_is_an_error() {
    let (one, two) = (row(ONE, "2026-05-06T12:00:00.000+0000"), row(TWO, "2026-05-06T12:00:01.000+0000"));
    let ask = |bodies: &[Json]| {
        let world = World::with(bodies.iter().map(|body| answer(200, body.clone())));
        now(Salesforce.recent(&world.cx(), Role::Meeting, Timestamp::UNIX_EPOCH))
    };
    let first = page(std::slice::from_ref(&one), 2, false);
    assert_eq!(ask(&[first.clone(), page(std::slice::from_ref(&two), 1, true)]).unwrap().value.changed.len(), 2);
    for body in [
        page(&[two.clone(), one.clone()], 2, true),
        page(std::slice::from_ref(&one), 2, true),
        page(&[], 2, false),
        page(&[json!({ "Id": ONE })], 1, true),
        page(&[row("x", "2026-05-06T12:00:00.000+0000")], 1, true),
        told(200, json!([])),
        json!({ "compositeResponse": [] }),
    ] {
        assert_eq!(ask(std::slice::from_ref(&body)).unwrap_err().kind, ErrorKind::Protocol, "{body}");
        assert_eq!(ask(&[first.clone(), body.clone()]).unwrap_err().kind, ErrorKind::Protocol, "{body}");
    }
    let refused = told(400, json!([{ "errorCode": "INVALID_FIELD", "message": "No such column 'IsChild'" }]));
    assert!(ask(std::slice::from_ref(&refused)).is_err());
    assert!(ask(&[first, refused]).is_err());
}

/// One thing that happens in the org.
#[derive(Debug, Clone)]
enum Act {
    /// Several at the same moment.
    Log(usize),
    Edit(prop::sample::Index),
    Delete(prop::sample::Index),
    /// A change that was under way for so many seconds before it shows.
    Late(i64),
    Pass(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..7usize).prop_map(Act::Log),
        4 => any::<prop::sample::Index>().prop_map(Act::Edit),
        1 => any::<prop::sample::Index>().prop_map(Act::Delete),
        1 => (1..OVERLAP.as_secs()).prop_map(Act::Late),
        2 => (0..200i64).prop_map(Act::Pass),
    ]
}

fn happen(act: &Act, lab: &Lab, made: &mut Vec<String>, turn: usize) {
    let subject = format!("Turn {turn}");
    match act {
        Act::Log(count) => made.extend((0..*count).map(|_| event(lab, &subject))),
        Act::Edit(which) if !made.is_empty() => {
            lab.org.edit(&made[which.index(made.len())], &map(json!({ "Subject": subject }))).unwrap();
        }
        Act::Delete(which) if !made.is_empty() => {
            let id = made.remove(which.index(made.len()));
            lab.org.delete(&id).unwrap();
        }
        Act::Edit(_) | Act::Delete(_) => {}
        Act::Late(seconds) => {
            let began = clock(lab) - SignedDuration::from_secs(*seconds);
            let times = ("2026-05-07T10:00:00Z", "2026-05-07T10:30:00Z");
            made.push(lab.seed(
                "Event",
                json!({ "Subject": "Late", "StartDateTime": times.0, "EndDateTime": times.1,
                        "SystemModstamp": began.to_string() }),
            ));
        }
        Act::Pass(seconds) => lab.pass(*seconds),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever changes between two pages, and however late it shows: who looks back by the lag sees every meeting's last
    /// change.
    #[test]
    fn no_change_is_lost(acts in prop::collection::vec(act(), 1..40), size in 10..20usize) {
        let lab = Lab::new();
        let (mut made, mut seen) = (Vec::new(), BTreeMap::new());
        let mut turns = acts.iter().enumerate();
        let mut watermark = clock(&lab);
        loop {
            let (mut moved, began) = (false, clock(&lab));
            let look_from = watermark - Salesforce.recent_lag();
            let followed = follow(look_from, |from| ask(&lab, from, size), || {
                for (turn, act) in turns.by_ref().take(2) {
                    happen(act, &lab, &mut made, turn);
                    moved = true;
                }
            });
            seen.extend(followed.seen);
            watermark = began;
            for (turn, act) in turns.by_ref().take(2) {
                happen(act, &lab, &mut made, turn);
                moved = true;
            }
            if !moved {
                break;
            }
        }
        seen.extend(follow(watermark - Salesforce.recent_lag(), |from| ask(&lab, from, size), || ()).seen);
        for record in lab.org.records("Event").iter().filter(|record| record["IsDeleted"] != true) {
            let at: Timestamp = record["SystemModstamp"].as_str().unwrap().parse().unwrap();
            let id = RecordId::new(record["Id"].as_str().unwrap());
            prop_assert_eq!(seen.get(&id), Some(&at), "{}", id);
        }
    }
}
