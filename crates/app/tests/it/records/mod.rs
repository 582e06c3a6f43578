//! Records in step, from two accounts through engine and store and back, under a clock that is moved by hand.

mod accounts;
mod alerts;
mod apart;
mod asks;
mod company;
mod damaged;
mod deals;
mod deletions;
pub mod desk;
mod fields;
mod found;
mod kill;
mod listening;
mod marks;
mod paces;
mod selection;

use jiff::SignedDuration;
use serde_json::json;
use syncline_core::merge::{OptIn, Policy, Side, WhenDeleted};
use syncline_sandbox::brevo::AttributeKind;

use self::desk::{Desk, add, both_ways, edit, pair, people};

/// A batch that a tool takes without saying what became of each row is looked after, and then every write is counted and told
/// as if it had been answered at once.
///
/// proves: R18, R21
#[tokio::test]
async fn what_was_taken_for_later_is_told_as_well() {
    let desk = Desk::new(vec![pair()]).await;
    let ids: Vec<u64> = (0..3).map(|n| add(&desk.left, &format!("p{n}@example.org"), json!({}))).collect();
    desk.activate().await;
    desk.calm().await;
    for id in &ids {
        edit(&desk.left, *id, &json!({ "CITY": "London" }));
    }
    assert_eq!(desk.calm().await.updated, 3);
    let told = desk.told().await;
    let lines = told.iter().filter(|line| line.contains(": CITY taken over from contact ")).count();
    assert_eq!(lines, 3, "{told:?}");
    assert_eq!(desk.status().await.quota.used, 6, "three were made and three changed");
}

/// Everybody who is on both sides is tied, everybody who is only on the left is made on the right, and what differed is
/// the same; after that nothing is written, and a round costs one look a side.
///
/// proves: R5, R11, R22
#[tokio::test]
async fn a_first_load_ties_makes_and_comes_to_rest() {
    let desk = Desk::new(vec![pair()]).await;
    for n in 0..300 {
        let row = json!({ "FIRSTNAME": format!("First{n}"), "LASTNAME": format!("Last{n}"), "REVENUE": n });
        add(&desk.left, &format!("p{n}@example.org"), row);
    }
    for n in 200..400 {
        add(&desk.right, &format!("P{n}@example.org"), json!({ "CITY": format!("City{n}"), "LASTNAME": "Other" }));
    }
    let preview = desk.engine.records_preview(desk.flow()).await.expect("the database answers").expect("both answer");
    assert_eq!((preview.tied, preview.created_right, preview.created_left), (100, 200, 0));
    assert_eq!((desk.left.effects(), desk.right.effects()), (300, 200), "a preview writes nothing");
    desk.activate().await;
    let done = desk.calm().await;
    assert_eq!((done.adopted, done.created, done.deleted), (100, 200, 0), "{:?}", desk.told().await);
    let (left, right) = (people(&desk.left), people(&desk.right));
    assert_eq!((left.len(), right.len()), (300, 400));
    for (email, row) in &left {
        assert_eq!(right.get(email), Some(row), "{email}");
    }
    assert_eq!(left["p250@example.org"]["CITY"], json!("City250"));
    assert_eq!(left["p250@example.org"]["LASTNAME"], json!("Last250"), "the left side wins at first");
    // What changed last lies behind the overlap by then, so that it does not come again.
    desk.hands.pass(SignedDuration::from_mins(30));
    desk.round().await;
    desk.hands.pass(SignedDuration::from_mins(3));
    let before = (desk.left.effects(), desk.right.effects());
    let idle = desk.round().await;
    assert!(idle.idle(), "{idle:?}");
    assert_eq!(idle.calls, 2, "one look a side");
    assert_eq!((desk.left.effects(), desk.right.effects()), before);
}

/// A phone number that changes on one side and a city that changes on the other travel at once, an address that changes
/// takes nobody apart, and where both changed one thing the left side wins and the activity log keeps both values.
///
/// proves: R11, R12, R15
#[tokio::test]
async fn edits_travel_both_ways_field_by_field() {
    let desk = Desk::new(vec![pair()]).await;
    let left = add(&desk.left, "ada@example.org", json!({ "FIRSTNAME": "Ada", "CITY": "London" }));
    let right = add(&desk.right, "ada@example.org", json!({ "FIRSTNAME": "Ada", "CITY": "London" }));
    desk.activate().await;
    desk.calm().await;
    edit(&desk.left, left, &json!({ "SMS": "+4915112345678", "LASTNAME": "King" }));
    edit(&desk.right, right, &json!({ "CITY": "Paris", "LASTNAME": "Lovelace" }));
    let done = desk.calm().await;
    assert_eq!(done.updated, 2);
    for account in [&desk.left, &desk.right] {
        let row = &people(account)["ada@example.org"];
        assert_eq!(row["CITY"], json!("Paris"));
        assert_eq!(row["LASTNAME"], json!("King"));
        assert_eq!(row["SMS"], json!("4915112345678"));
    }
    assert!(desk.told().await.iter().any(|line| line.contains("LASTNAME and LASTNAME differed; the left side won")));
    edit(&desk.right, right, &json!({ "EMAIL": "countess@example.org" }));
    desk.calm().await;
    assert_eq!(people(&desk.left).keys().collect::<Vec<_>>(), ["countess@example.org"]);
    assert_eq!(people(&desk.right).keys().collect::<Vec<_>>(), ["countess@example.org"]);
}

/// Opting out wins on both sides at once; opting in again on one side alone waits for a person, who can decide.
///
/// proves: R17, sec:G3
#[tokio::test]
async fn opting_out_travels_and_opting_in_waits() {
    let desk = Desk::new(vec![pair()]).await;
    add(&desk.left, "ada@example.org", json!({}));
    let right = add(&desk.right, "ada@example.org", json!({}));
    desk.activate().await;
    desk.calm().await;
    desk.right.unsubscribe(right);
    desk.calm().await;
    assert_eq!(people(&desk.left)["ada@example.org"]["out"], json!(true));
    desk.right.set_blacklisted(right, Some(false), None);
    desk.calm().await;
    assert_eq!(people(&desk.left)["ada@example.org"]["out"], json!(true), "nothing is loosened");
    let holds = desk.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    let (entry, rule) = (holds[0].entry, holds[0].hold.rule.expect("a field"));
    let flow = desk.flow();
    let decided = desk.store.decide_hold(&flow.workspace, &flow.id, entry, rule, Side::Right, desk.now()).await;
    assert!(decided.expect("the database answers"));
    desk.calm().await;
    assert_eq!(people(&desk.left)["ada@example.org"]["out"], json!(false), "a person said so");
    assert!(desk.holds().await.is_empty());
}

/// Somebody who opted in again by an act of their own is opted in on the other side, too, once the account says when and by
/// what, and the activity log says what showed it.
///
/// proves: R17, R21, sec:G3
#[tokio::test]
async fn an_opt_in_travels_with_its_evidence() {
    let mut pair = pair();
    for row in pair.rows.iter_mut().filter(|row| row.left.field == "emailBlacklisted") {
        row.right.opted_in = Some(OptIn { at: "OPT_IN".to_owned(), source: Some("OPT_IN_BY".to_owned()) });
    }
    let desk = Desk::new(vec![pair]).await;
    desk.right.set_attribute("OPT_IN", AttributeKind::Date);
    desk.right.set_attribute("OPT_IN_BY", AttributeKind::Text);
    add(&desk.left, "ada@example.org", json!({}));
    let right = add(&desk.right, "ada@example.org", json!({ "OPT_IN": "2026-05-01", "OPT_IN_BY": "a form" }));
    desk.activate().await;
    desk.calm().await;
    desk.right.unsubscribe(right);
    desk.calm().await;
    assert_eq!(people(&desk.left)["ada@example.org"]["out"], json!(true));
    desk.hands.pass(SignedDuration::from_hours(72));
    desk.right.set_blacklisted(right, Some(false), None);
    for (evidence, lacks) in [
        (json!({}), "OPT_IN is not later for certain than when they opted out"),
        (json!({ "OPT_IN": "" }), "OPT_IN does not say when the person asked for it"),
        (json!({ "OPT_IN": "2026-05-06", "OPT_IN_BY": "" }), "OPT_IN_BY does not say by what the person asked for it"),
    ] {
        edit(&desk.right, right, &evidence);
        desk.calm().await;
        let holds = desk.holds().await;
        assert!(holds.len() == 1 && holds[0].hold.reason.contains(lacks), "{lacks}: {holds:?}");
        assert_eq!(people(&desk.left)["ada@example.org"]["out"], json!(true), "nothing is loosened");
    }
    edit(&desk.right, right, &json!({ "OPT_IN_BY": "the newsletter's form" }));
    desk.calm().await;
    assert_eq!(people(&desk.left)["ada@example.org"]["out"], json!(false));
    assert!(desk.holds().await.is_empty());
    let told = desk.told().await;
    let shown = told.iter().filter(|line| line.contains("opted in again, which OPT_IN shows")).count();
    assert_eq!(shown, 1, "{told:?}");
}

/// A conflict that is kept for a person holds one field and nothing else.
///
/// proves: R12, R21
#[tokio::test]
async fn a_conflict_holds_its_field_and_lets_the_rest_through() {
    let mut pair = pair();
    for row in pair.rows.iter_mut().filter(|row| row.left.field == "LASTNAME") {
        row.policy = Policy::Manual;
    }
    let desk = Desk::new(vec![pair]).await;
    let left = add(&desk.left, "ada@example.org", json!({ "LASTNAME": "Byron" }));
    let right = add(&desk.right, "ada@example.org", json!({ "LASTNAME": "Byron" }));
    desk.activate().await;
    desk.calm().await;
    edit(&desk.left, left, &json!({ "LASTNAME": "King", "CITY": "London" }));
    edit(&desk.right, right, &json!({ "LASTNAME": "Lovelace" }));
    desk.calm().await;
    assert_eq!(people(&desk.right)["ada@example.org"]["CITY"], json!("London"));
    assert_eq!(people(&desk.left)["ada@example.org"]["LASTNAME"], json!("King"));
    assert_eq!(people(&desk.right)["ada@example.org"]["LASTNAME"], json!("Lovelace"));
    let holds = desk.holds().await;
    let rule = holds[0].hold.rule.expect("a field");
    let flow = desk.flow();
    desk.store
        .decide_hold(&flow.workspace, &flow.id, holds[0].entry, rule, Side::Right, desk.now())
        .await
        .expect("kept");
    desk.calm().await;
    assert_eq!(people(&desk.left)["ada@example.org"]["LASTNAME"], json!("Lovelace"));
    edit(&desk.left, left, &json!({ "LASTNAME": "King" }));
    desk.calm().await;
    assert_eq!(people(&desk.right)["ada@example.org"]["LASTNAME"], json!("King"), "a decision counts once");
}

/// An answer that is lost after the vendor had acted doubles nobody and loses nothing.
///
/// proves: V1, V2, fault:N3
#[tokio::test]
async fn a_lost_answer_doubles_nobody() {
    use syncline_sandbox::{FaultKind, FaultRule};
    let desk = Desk::new(vec![pair()]).await;
    for n in 0..5 {
        add(&desk.left, &format!("p{n}@example.org"), json!({ "FIRSTNAME": "First" }));
    }
    desk.activate().await;
    desk.right
        .faults()
        .add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/contacts").times(3))
        .expect("a fault");
    for _ in 0..10 {
        // A side that does not answer ends the round; the next one goes on.
        desk.engine.records_round(desk.flow(), false).await.expect("the database answers");
        desk.hands.pass(SignedDuration::from_mins(3));
    }
    assert!(desk.right.faults().tallies().iter().any(|tally| tally.fired == 3), "the answers were lost");
    desk.calm().await;
    assert_eq!(people(&desk.left), people(&desk.right));
}

/// What was deleted on one side is deleted on the other where the settings say so, found by reading everything; and
/// nothing comes back to life.
///
/// proves: R16
#[tokio::test]
async fn deletions_are_found_and_followed() {
    let mut pair = pair();
    pair.left.deleted = WhenDeleted::Delete;
    pair.right.deleted = WhenDeleted::Delete;
    let desk = Desk::new(vec![pair]).await;
    for n in 0..10 {
        add(&desk.left, &format!("p{n}@example.org"), json!({ "FIRSTNAME": "First" }));
    }
    desk.activate().await;
    desk.calm().await;
    let gone = desk.right.contact_with_email("p3@example.org").expect("it was made");
    desk.right.delete(gone).expect("it is there");
    desk.hands.pass(SignedDuration::from_hours(25));
    let done = desk.calm().await;
    assert_eq!(done.deleted, 1, "{:?}", desk.told().await);
    assert_eq!((people(&desk.left).len(), people(&desk.right).len()), (9, 9));
    desk.hands.pass(SignedDuration::from_hours(25));
    desk.calm().await;
    assert_eq!((people(&desk.left).len(), people(&desk.right).len()), (9, 9));
}

/// A side that suddenly looks empty stops the integration, and nothing is deleted until a person says so.
///
/// proves: R16
#[tokio::test]
async fn a_side_that_looks_empty_stops_everything() {
    use syncline_engine::records::RoundEnd;
    use syncline_store::FlowStanding;
    let mut pair = pair();
    pair.right.deleted = WhenDeleted::Delete;
    let desk = Desk::new(vec![pair]).await;
    let ids: Vec<u64> = (0..120).map(|n| add(&desk.left, &format!("p{n}@example.org"), json!({}))).collect();
    desk.activate().await;
    desk.calm().await;
    for id in ids {
        desk.left.delete(id).expect("it is there");
    }
    desk.hands.pass(SignedDuration::from_hours(25));
    for _ in 0..2 {
        let end = desk.engine.records_round(desk.flow(), false).await.expect("the database answers");
        assert_eq!(end, RoundEnd::NotActive(FlowStanding::Stopped));
    }
    assert_eq!(people(&desk.right).len(), 120);
    let state = desk.status().await.state.expect("it has a state");
    assert!(state.reason.expect("it says why").contains("120 of 120 records"), "");
    desk.activate().await;
    let end = desk.engine.records_round(desk.flow(), true).await.expect("the database answers");
    assert!(matches!(end, RoundEnd::Done(_)), "{end:?}");
    desk.calm().await;
    assert_eq!(people(&desk.right).len(), 0);
}

/// The month's quota stops the transfers, says so at 80 and at 100 %, once each, and goes on when the month turns.
///
/// proves: R18
#[tokio::test]
async fn the_quota_stops_and_goes_on() {
    let desk = Desk::with(|flow| flow.tasks_per_month = Some(10)).await;
    for n in 0..15 {
        add(&desk.left, &format!("p{n:02}@example.org"), json!({}));
    }
    desk.activate().await;
    for _ in 0..4 {
        desk.round().await;
        desk.hands.pass(SignedDuration::from_mins(3));
    }
    assert_eq!(people(&desk.right).len(), 10);
    let told = desk.told().await;
    assert_eq!(told.iter().filter(|line| line.contains("transfers of this month")).count(), 2, "{told:?}");
    desk.hands.pass(SignedDuration::from_hours(24 * 31));
    desk.calm().await;
    assert_eq!(people(&desk.right).len(), 15);
}

/// With one transfer left, and only records of which both sides are to be told, the month's quota counts as used up, and
/// that is told; when the month turns they go on.
///
/// proves: R18
#[tokio::test]
async fn a_quota_that_is_too_small_for_the_next_record_is_told() {
    let desk = Desk::with(|flow| flow.tasks_per_month = Some(3)).await;
    let both = ["p0@example.org", "p1@example.org"];
    for email in both {
        add(&desk.left, email, json!({ "FIRSTNAME": "Ada" }));
        add(&desk.right, email, json!({ "LASTNAME": "King" }));
    }
    desk.activate().await;
    for _ in 0..4 {
        desk.round().await;
        desk.hands.pass(SignedDuration::from_mins(3));
    }
    let done = || people(&desk.right).values().filter(|row| row.contains_key("FIRSTNAME")).count();
    assert_eq!((done(), desk.status().await.quota.used), (1, 2));
    let told = desk.told().await;
    assert_eq!(told.iter().filter(|line| line.contains("goes on when the limit is raised")).count(), 1, "{told:?}");
    desk.hands.pass(SignedDuration::from_hours(24 * 31));
    desk.calm().await;
    assert_eq!(done(), 2);
}

/// A row of the mapping whose field is not there is named and left out; the others work.
///
/// proves: R2
#[tokio::test]
async fn a_row_that_cannot_work_is_named() {
    let mut pair = pair();
    pair.rows.push(both_ways("FIRSTNAME", "Nickname"));
    let desk = Desk::new(vec![pair]).await;
    let checked = desk.engine.records_check(desk.flow()).await.expect("the database answers").expect("both answer");
    assert_eq!(checked.refused.len(), 1, "{checked:?}");
    assert!(checked.refused[0].contains("Nickname"), "{checked:?}");
    add(&desk.left, "ada@example.org", json!({ "CITY": "London" }));
    desk.activate().await;
    desk.calm().await;
    assert_eq!(people(&desk.right)["ada@example.org"]["CITY"], json!("London"));
}

/// A row that the check refuses is left out as well, wherever it was saved, and the check and the preview say so.
///
/// proves: R2
#[tokio::test]
async fn a_row_that_is_refused_does_not_run() {
    let mut pair = pair();
    pair.rows.retain(|row| !["VIP", "BIRTHDAY"].contains(&row.left.field.as_str()));
    pair.rows.push(both_ways("VIP", "BIRTHDAY"));
    let desk = Desk::new(vec![pair]).await;
    let checked = desk.engine.records_check(desk.flow()).await.expect("the database answers").expect("both answer");
    assert!(checked.refused.iter().any(|line| line.contains("VIP <-> BIRTHDAY")), "{checked:?}");
    add(&desk.left, "ada@example.org", json!({ "CITY": "London", "VIP": true }));
    let preview = desk.engine.records_preview(desk.flow()).await.expect("the database answers").expect("both answer");
    assert_eq!(preview.dropped, checked.refused);
    desk.activate().await;
    desk.calm().await;
    assert_eq!(people(&desk.right)["ada@example.org"]["CITY"], json!("London"));
    assert!(desk.holds().await.is_empty(), "{:?}", desk.holds().await);
}
