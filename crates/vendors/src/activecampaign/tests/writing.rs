//! What is written is there; what cannot be written is refused in words, alone; nobody is subscribed against their will.

use std::time::Duration;

use serde_json::json;
use syncline_connect::{ErrorKind, Retry, mirror::RowOutcome};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Value},
};
use syncline_sandbox::{ActiveCampaignConfig, FaultKind, FaultRule};

use super::world::World;
use crate::testing::{
    mirror::{create, delete, key, refused, update, update_seen},
    site::Portal,
};

fn done(id: u64) -> RowOutcome {
    RowOutcome::Done { id: RecordId::new(id.to_string()) }
}

#[test]
fn one_contact_is_written_to_its_end() {
    let world = World::new();
    let row = create(
        &key(1),
        &[
            ("email", Value::text("ada@example.com")),
            ("firstName", Value::text("Ada")),
            ("field:4[]", Value::text("News;Offers")),
            ("tags", Value::text("lead;vip")),
            ("lists", Value::text("1")),
        ],
    );
    assert_eq!(world.contacts().write(&[row]).0, [done(1)]);
    let shown = world.shown(1);
    assert_eq!((&shown["firstName"], &shown["fields"]["TOPICS"]), (&json!("Ada"), &json!("||News||Offers||")));
    assert_eq!((&shown["tags"], &shown["lists"]), (&json!(["lead", "vip"]), &json!({"1": 1})));
    let seen = world.seen(1, &["tags", "lists"]);
    let row = update_seen(
        &seen,
        &[
            ("firstName", Value::Null),
            ("field:4[]", Value::Null),
            ("tags", Value::text("customer;vip")),
            ("lists", Value::text("2")),
        ],
    );
    world.account.set_tag(1, "by-others", true);
    let (outcomes, calls, _) = world.contacts().write(&[row]);
    assert_eq!(outcomes, [done(1)]);
    assert!(calls <= 8, "{calls} calls");
    let shown = world.shown(1);
    assert_eq!((&shown["firstName"], &shown["fields"]["TOPICS"]), (&json!(""), &json!("")));
    assert_eq!(shown["tags"], json!(["vip", "by-others", "customer"]), "what others did meanwhile stays");
    assert_eq!(shown["lists"], json!({"1": 2, "2": 1}));
}

/// proves: R17
#[test]
fn nobody_is_subscribed_again() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    world.account.subscribe(id, 1);
    let seen = world.seen(id, &["lists"]);
    world.account.unsubscribe(id, 1);
    // The write was decided before the contact unsubscribed.
    for row in [update_seen(&seen, &[("lists", Value::text("1;2"))]), update(id, &[("lists", Value::text("1"))])] {
        let (outcomes, _, _) = world.contacts().write(&[row]);
        assert_eq!(refused(&outcomes[0]).fields, [Field::Native("lists".into())]);
        assert_eq!(world.shown(id)["lists"], json!({"1": 2}));
    }
    let (outcomes, _, _) = world.contacts().write(&[update(id, &[("unsubscribed", Value::Bool(false))])]);
    assert_eq!(refused(&outcomes[0]).kind, ErrorKind::Invalid);
    world.account.subscribe(id, 1);
    world.account.subscribe(id, 2);
    let (outcomes, _, _) = world.contacts().write(&[update(id, &[("unsubscribed", Value::Bool(true))])]);
    assert_eq!((outcomes, &world.shown(id)["lists"]), (vec![done(id)], &json!({"1": 2, "2": 2})));
}

/// proves: R15
#[test]
fn whose_address_it_is_is_told() {
    let world = World::new();
    let (known, other) = (world.add("ada@example.com", json!({})), world.add("bob@example.com", json!({})));
    for row in [
        create(&key(1), &[("email", Value::text("ada@example.com"))]),
        update(other, &[("email", Value::text("ada@example.com"))]),
    ] {
        let (outcomes, _, _) = world.contacts().write(&[row]);
        let error = refused(&outcomes[0]);
        assert_eq!((error.kind, error.retry), (ErrorKind::KeyTaken, Retry::Replan));
        assert_eq!(error.matches, [(Role::Contact, RecordId::new(known.to_string()))]);
        assert_eq!(error.fields, [Field::Native("email".into())]);
    }
    let (outcomes, _, _) = world.contacts().write(&[update(other, &[("email", Value::text("eve@example.com"))])]);
    assert_eq!((outcomes, &world.shown(other)["email"]), (vec![done(other)], &json!("eve@example.com")));
}

/// proves: R14
#[test]
fn what_cannot_be_written_is_refused() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    let cases = [
        ("email", Value::Null, ErrorKind::Invalid),
        ("phone", Value::text("12345"), ErrorKind::Invalid),
        ("lists", Value::text("Newsletter"), ErrorKind::Invalid),
        ("field:x", Value::text("x"), ErrorKind::Field),
        ("CITY", Value::text("x"), ErrorKind::Field),
        ("cdate", Value::text("x"), ErrorKind::Field),
    ];
    for (name, value, kind) in cases {
        let (outcomes, calls, _) = world.contacts().write(&[update(id, &[(name, value)])]);
        let error = refused(&outcomes[0]);
        assert_eq!((error.kind, &error.fields, calls), (kind, &vec![Field::Native(name.into())], 0), "{name}");
    }
}

#[test]
fn what_is_gone_is_told_and_deleted_once() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    assert_eq!(world.contacts().write(&[delete(id), delete(id)]).0, [done(id), done(id)]);
    for field in [("firstName", Value::text("Ada")), ("tags", Value::text("vip"))] {
        let (outcomes, _, _) = world.contacts().write(&[update(id, &[field])]);
        assert_eq!(refused(&outcomes[0]).kind, ErrorKind::Gone);
    }
}

/// Rows behind the limit were not sent, and can be sent again.
#[test]
fn the_limit_stops_a_write_between_its_rows() {
    let world = World::with(ActiveCampaignConfig::default());
    let rows: Vec<_> = (0..8).map(|number| delete(world.add(&format!("p{number}@example.com"), json!({})))).collect();
    let (outcomes, _, _) = world.contacts().write(&rows);
    assert!(outcomes[..5].iter().all(|outcome| matches!(outcome, RowOutcome::Done { .. })));
    let error = refused(&outcomes[7]);
    assert_eq!((error.kind, error.retry), (ErrorKind::RateLimited, Retry::After(Duration::from_secs(1))));
    assert_eq!(world.contacts().send(&rows[5..]).unwrap_err().kind, ErrorKind::RateLimited, "nothing was sent");
    world.asker.hands.pass(1);
    assert_eq!(world.contacts().write(&rows[5..]).0.len(), 3);
    assert!(world.account.contacts_snapshot().is_empty());
}

/// proves: fault:N3
#[test]
fn a_write_without_an_answer_is_open() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    let rows = [update(id, &[("firstName", Value::text("Ada")), ("tags", Value::text("vip"))])];
    for (rule, unsure) in [
        (FaultRule::next(FaultKind::LostAnswer).on("PUT", "/api/3/contacts"), true),
        (FaultRule::next(FaultKind::StatusAfter).status(502).on("PUT", "/api/3/contacts"), true),
        (FaultRule::next(FaultKind::Status).status(503).on("PUT", "/api/3/contacts"), false),
        (FaultRule::next(FaultKind::FailedInBody).on("PUT", "/api/3/contacts"), false),
        // The name is written, the tag is not.
        (FaultRule::next(FaultKind::Status).status(503).on("POST", "/api/3/contactTags"), true),
    ] {
        world.account.faults().add(rule.clone());
        let written = world.contacts().send(&rows);
        let is_unsure = written.is_ok_and(|(written, _)| format!("{written:?}").contains("Unknown("));
        assert_eq!(is_unsure, unsure, "{rule:?}");
    }
    assert_eq!(world.contacts().write(&rows).0, [done(id)]);
    assert_eq!(world.shown(id)["tags"], json!(["vip"]));
}

/// A page of somebody on the way says nothing about what became of a write, whatever its status.
///
/// proves: fault:H6
#[test]
fn a_foreign_page_is_no_answer() {
    let mut world = World::new();
    let ids: Vec<u64> = (0..3).map(|n| world.add(&format!("p{n}@example.com"), json!({}))).collect();
    world.asker.http = Box::new(Portal(world.account.clone()));
    let change = |id: u64| update(id, &[("firstName", Value::text("Ada"))]);
    let made = create(&key(1), &[("email", Value::text("new@example.com"))]);
    for rows in [vec![made], vec![change(ids[0])], vec![change(ids[1]), change(ids[2])], vec![delete(ids[0])]] {
        let (outcomes, _, _) = world.contacts().write(&rows);
        let RowOutcome::Unknown(error) = &outcomes[0] else { panic!("{rows:?}: {outcomes:?}") };
        assert_eq!(error.kind, ErrorKind::UnknownOutcome);
        assert!(outcomes[1..].iter().all(|outcome| matches!(outcome, RowOutcome::Refused(_))), "no more is sent");
    }
}
