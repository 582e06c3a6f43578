//! Many rows cost one call for each 250 and one to ask what became of them.

use serde_json::json;
use syncline_connect::{
    ErrorKind,
    mirror::{RowOutcome, RowWrite, Written},
};
use syncline_core::record::Value;
use syncline_sandbox::{FaultKind, FaultRule};

use super::world::World;
use crate::testing::mirror::{create, delete, key, refused, update_seen};

const FIELDS: &[&str] = &["email", "firstName", "field:1", "tags", "lists", "unsubscribed"];

fn is_done(outcome: &RowOutcome) -> bool {
    matches!(outcome, RowOutcome::Done { .. })
}

fn creates(number: usize) -> Vec<RowWrite> {
    (0..number)
        .map(|number| {
            let email = Value::text(format!("p{number}@example.com"));
            create(&key(number), &[("email", email), ("firstName", Value::text("Ada")), ("lists", Value::text("1"))])
        })
        .collect()
}

/// Writes as an engine does, as many a call as the connector says.
fn write_all(world: &World, rows: &[RowWrite]) -> (Vec<RowOutcome>, u32, u32) {
    let contacts = world.contacts();
    let (mut outcomes, mut calls, mut asked) = (Vec::new(), 0, 0);
    let mut rest = rows;
    while !rest.is_empty() {
        let carries = contacts.mirror.carries(&world.asker.settings, "contact", rest.len()).min(rest.len());
        let (some, made, later) = contacts.write(&rest[..carries]);
        outcomes.extend(some);
        (calls, asked) = (calls + made, asked + later);
        rest = &rest[carries..];
    }
    (outcomes, calls, asked)
}

/// proves: R19
#[test]
fn ten_thousand_rows_would_cost_forty_imports() {
    let world = World::new();
    let (outcomes, calls, asked) = write_all(&world, &creates(2_500));
    assert!(outcomes.iter().all(is_done));
    // Of new contacts it is asked whose is which, a hundred a call.
    assert_eq!((calls, asked), (10, 40));
    let seen = world.all(FIELDS);
    for (number, outcome) in outcomes.iter().enumerate() {
        let RowOutcome::Done { id } = outcome else { panic!("{outcome:?}") };
        let seen = seen.iter().find(|seen| seen.id == *id).expect("it is there");
        assert_eq!(seen.fields["email"], Value::text(format!("p{number}@example.com")));
    }
    assert_eq!(seen.len(), 2_500);
    let rows: Vec<RowWrite> = seen
        .iter()
        .map(|seen| {
            update_seen(
                seen,
                &[("field:1", Value::text("Bonn")), ("tags", Value::text("vip")), ("lists", Value::text("1;2"))],
            )
        })
        .collect();
    let (outcomes, calls, asked) = write_all(&world, &rows);
    assert!(outcomes.iter().all(is_done));
    assert_eq!((calls, asked), (10, 10));
    for seen in world.all(FIELDS) {
        assert_eq!((&seen.fields["field:1"], &seen.fields["firstName"]), (&Value::text("Bonn"), &Value::text("Ada")));
        assert_eq!((&seen.fields["tags"], &seen.fields["lists"]), (&Value::text("vip"), &Value::text("1;2")));
    }
}

/// Rows that an import cannot carry come first, one by one; a next write takes the others.
#[test]
fn what_an_import_cannot_do_goes_another_way() {
    let world = World::new();
    write_all(&world, &creates(40));
    world.account.set_tag(2, "old", true);
    let seen = world.all(FIELDS);
    let mut rows: Vec<RowWrite> = seen
        .iter()
        .enumerate()
        .map(|(number, seen)| match number {
            0 => update_seen(seen, &[("firstName", Value::Null)]),
            1 => update_seen(seen, &[("tags", Value::Null)]),
            2 => update_seen(seen, &[("email", Value::text("new@example.com"))]),
            3 => delete(4),
            4 => RowWrite { seen: None, ..update_seen(seen, &[("field:1", Value::text("Köln"))]) },
            5 => update_seen(seen, &[("phone", Value::text("1"))]),
            6 => update_seen(seen, &[("unsubscribed", Value::Bool(true))]),
            _ => update_seen(seen, &[("field:1", Value::text("Bonn"))]),
        })
        .collect();
    let (outcomes, _, asked) = world.contacts().write(&rows);
    assert_eq!(asked, 0);
    assert!(outcomes[..5].iter().all(is_done));
    assert_eq!(refused(&outcomes[5]).kind, ErrorKind::Invalid);
    assert!(outcomes[6..].iter().all(|outcome| refused(outcome).kind == ErrorKind::RateLimited));
    let (outcomes, calls, asked) = world.contacts().write(&rows.split_off(6));
    assert!(outcomes.iter().all(is_done));
    assert_eq!((calls, asked), (1, 1));
    assert_eq!((&world.shown(1)["firstName"], &world.shown(2)["tags"]), (&json!(""), &json!([])));
    assert_eq!(world.shown(7)["lists"], json!({"1": 2}));
    assert_eq!(world.shown(40)["fields"]["CITY"], "Bonn");
}

/// proves: R17
#[test]
fn an_import_subscribes_nobody_who_unsubscribed() {
    let world = World::new();
    for number in 0..20 {
        world.add(&format!("p{number}@example.com"), json!({}));
    }
    let rows: Vec<RowWrite> =
        world.all(FIELDS).iter().map(|seen| update_seen(seen, &[("lists", Value::text("1"))])).collect();
    // After the row was decided, and before it is written.
    world.account.subscribe(5, 1);
    world.account.unsubscribe(5, 1);
    let (outcomes, _, _) = world.contacts().write(&rows);
    assert!(outcomes.iter().all(is_done));
    assert_eq!((&world.shown(5)["lists"], &world.shown(6)["lists"]), (&json!({"1": 2}), &json!({"1": 1})));
}

#[test]
fn one_bad_row_does_not_spoil_the_import() {
    let world = World::new();
    let mut rows = creates(30);
    rows[7].fields[0].1 = Value::text("no address");
    world.account.fail_imports_of("p9@example.com");
    let (outcomes, calls, asked) = world.contacts().write(&rows);
    assert_eq!((calls, asked), (2, 2));
    assert!([7, 9].into_iter().all(|place| refused(&outcomes[place]).kind == ErrorKind::Invalid));
    assert_eq!(outcomes.iter().filter(|outcome| is_done(outcome)).count(), 28);
    assert_eq!(world.account.contacts_snapshot().len(), 28);
}

/// proves: fault:N3
#[test]
fn an_import_without_an_answer_is_open() {
    let world = World::new();
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/api/3/import"));
    let (written, _) = world.contacts().send(&creates(20)).unwrap();
    let Written::Rows(outcomes) = written else { panic!("nothing to wait for") };
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Unknown(_))));
    world.account.faults().add(FaultRule::next(FaultKind::Limited).on("POST", "/api/3/import"));
    assert_eq!(world.contacts().send(&creates(20)).unwrap_err().kind, ErrorKind::RateLimited);
}
