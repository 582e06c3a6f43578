//! Thousands of rows cost a few calls, and no import writes what a row did not ask for.

use serde_json::json;
use syncline_connect::{
    ErrorKind,
    mirror::{From, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::record::Value;
use syncline_sandbox::{FaultKind, FaultRule};

use super::world::World;
use crate::testing::mirror::{create, delete, key, names, refused, update_seen};

const FIELDS: &[&str] = &["EMAIL", "FIRSTNAME", "CITY", "listIds", "emailBlacklisted"];

fn is_taken(outcome: &RowOutcome) -> bool {
    matches!(outcome, RowOutcome::Taken { .. })
}

fn made(world: &World, number: usize) -> Vec<Seen> {
    let rows: Vec<RowWrite> = (0..number)
        .map(|number| {
            let email = Value::text(format!("p{number}@example.com"));
            create(&key(number), &[("EMAIL", email), ("FIRSTNAME", Value::text("Ada")), ("CITY", Value::text("Bonn"))])
        })
        .collect();
    let (outcomes, calls, asked) = world.contacts().write(&rows);
    assert!(outcomes.iter().all(is_taken));
    assert!(calls <= 4 && asked <= 2, "{calls} calls, then {asked}");
    let (seen, _, _) = world.contacts().drain(&names(FIELDS), From::Beginning);
    assert_eq!(seen.len(), number);
    assert!(seen.iter().all(|seen| seen.key.is_some() && seen.fields["listIds"] == Value::Null));
    seen
}

/// proves: R19
#[test]
fn ten_thousand_rows_cost_four_calls() {
    let world = World::importing();
    let seen = made(&world, 10_000);
    assert_eq!(world.contacts().mirror.carries(&world.asker.settings, "contact", 12_000), 10_000);
    // Every tenth is blanked.
    let rows: Vec<RowWrite> = seen
        .iter()
        .enumerate()
        .map(|(number, seen)| {
            let city = if number % 10 == 0 { Value::Null } else { Value::text("Mainz") };
            update_seen(seen, &[("CITY", city)])
        })
        .collect();
    let (outcomes, calls, asked) = world.contacts().write(&rows);
    assert!(outcomes.iter().all(is_taken));
    assert!(calls <= 4 && asked <= 2, "{calls} calls, then {asked}");
    let (after, _, _) = world.contacts().drain(&names(FIELDS), From::Beginning);
    for (number, seen) in after.iter().enumerate() {
        let city = if number % 10 == 0 { Value::Null } else { Value::text("Mainz") };
        assert_eq!((&seen.fields["CITY"], &seen.fields["FIRSTNAME"]), (&city, &Value::text("Ada")));
    }
}

/// proves: R17
#[test]
fn what_an_import_cannot_say_goes_another_way() {
    let world = World::importing();
    let seen = made(&world, 1_200);
    let news = world.list("Newsletter");
    world.account.unsubscribe(3);
    let rows: Vec<RowWrite> = seen
        .iter()
        .enumerate()
        .map(|(number, seen)| match number {
            0 => update_seen(seen, &[("EMAIL", Value::text("new@example.com"))]),
            1 => update_seen(seen, &[("listIds", Value::text(news.to_string()))]),
            2 => update_seen(seen, &[("emailBlacklisted", Value::Bool(false))]),
            3 => update_seen(seen, &[("CITY", Value::Null), ("FIRSTNAME", Value::text("Eva"))]),
            4 => update_seen(seen, &[("VIP", Value::text("yes"))]),
            5 => delete(6),
            6 => RowWrite { seen: None, ..update_seen(seen, &[("CITY", Value::text("Köln"))]) },
            7 => update_seen(seen, &[("emailBlacklisted", Value::Bool(true))]),
            _ => update_seen(seen, &[("CITY", Value::text("Mainz"))]),
        })
        .collect();
    let (outcomes, _, _) = world.contacts().write(&rows);
    let shown = |number: u64| world.shown(number + 1);
    assert_eq!(shown(0)["email"], "new@example.com");
    assert_eq!(shown(1)["listIds"], json!([news, world.list("Syncline")]));
    assert_eq!(shown(2)["emailBlacklisted"], false);
    assert_eq!((&shown(3)["attributes"]["CITY"], &shown(3)["attributes"]["FIRSTNAME"]), (&json!(null), &json!("Eva")));
    assert_eq!(refused(&outcomes[4]).kind, ErrorKind::Invalid);
    assert_eq!(refused(&outcomes[5]).kind, ErrorKind::RateLimited, "deletions are left to a smaller write");
    assert_eq!(shown(6)["attributes"]["CITY"], "Köln");
    assert_eq!(shown(7)["emailBlacklisted"], true);
    assert!((9..1_200).all(|number| shown(number)["attributes"]["CITY"] == "Mainz"));
    assert!(outcomes.iter().enumerate().all(|(number, outcome)| number == 4 || number == 5 || is_taken(outcome)));
}

/// An address that changed meanwhile makes no second contact, and a contact that nobody knew is not overwritten.
///
/// proves: R15
#[test]
fn an_import_makes_nothing_up() {
    let world = World::importing();
    let seen = made(&world, 1_500);
    world.edit(1, json!({"EMAIL": "other@example.com"}));
    let stranger = world.add("p2000@example.com", json!({"CITY": "Ulm"}));
    let mut rows: Vec<RowWrite> =
        seen.iter().map(|seen| update_seen(seen, &[("CITY", Value::text("Mainz"))])).collect();
    rows.push(create(&key(2_000), &[("EMAIL", Value::text("p2000@example.com")), ("CITY", Value::text("Köln"))]));
    world.contacts().write(&rows);
    assert_eq!(world.account.contacts_snapshot().len(), 1_501);
    assert_eq!(world.shown(1)["email"], "other@example.com");
    assert_eq!(world.shown(stranger)["attributes"]["CITY"], "Ulm");
    assert_eq!(world.shown(2)["attributes"]["CITY"], "Mainz");
}

/// proves: fault:N3
#[test]
fn an_import_without_an_answer_is_open() {
    let world = World::importing();
    let seen = made(&world, 1_000);
    let rows: Vec<RowWrite> = seen.iter().map(|seen| update_seen(seen, &[("CITY", Value::text("Mainz"))])).collect();
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/contacts/import"));
    let (written, _) = world.contacts().send(&rows).unwrap();
    let Written::Rows(outcomes) = written else { panic!("nothing to wait for") };
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Unknown(_))));
    world.asker.hands.pass(60);
    assert_eq!(world.shown(5)["attributes"]["CITY"], "Mainz");
}
