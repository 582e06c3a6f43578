//! What is written is there, in few calls; what cannot be written is refused in words, alone.

use serde_json::json;
use syncline_connect::{
    ErrorKind, Retry,
    mirror::{From, RowOutcome},
};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Value},
};
use syncline_sandbox::{BrevoConfig, FaultKind, FaultRule, brevo::BrevoRates};

use super::world::World;
use crate::testing::{
    mirror::{create, delete, key, names, refused, update, update_seen},
    site::Portal,
};

fn done(id: u64) -> RowOutcome {
    RowOutcome::Done { id: RecordId::new(id.to_string()) }
}

fn is_taken(outcome: &RowOutcome) -> bool {
    matches!(outcome, RowOutcome::Taken { .. })
}

/// proves: fault:N3
#[test]
fn a_new_contact_is_made_once() {
    let world = World::new();
    let row = create(&key(1), &[("EMAIL", Value::text("ada@example.com")), ("SMS", Value::text("491712345678"))]);
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/contacts"));
    let (outcomes, _, _) = world.contacts().write(std::slice::from_ref(&row));
    let [RowOutcome::Unknown(error)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(error.kind, ErrorKind::UnknownOutcome);
    let (outcomes, calls, _) = world.contacts().write(&[row]);
    assert_eq!((outcomes, calls), (vec![done(1)], 2), "its key finds it");
    assert_eq!(world.account.contacts_snapshot().len(), 1);
}

/// proves: R15
#[test]
fn whose_address_it_is_is_told() {
    let world = World::new();
    let known = world.add("ada@example.com", json!({"CITY": "Bonn"}));
    let other = world.add("bob@example.com", json!({}));
    let (outcomes, _, _) = world
        .contacts()
        .write(&[create(&key(1), &[("EMAIL", Value::text("ada@example.com")), ("CITY", Value::text("Mainz"))])]);
    let error = refused(&outcomes[0]);
    assert_eq!((error.kind, error.retry), (ErrorKind::KeyTaken, Retry::Replan));
    assert_eq!(error.matches, [(Role::Contact, RecordId::new(known.to_string()))]);
    assert_eq!(world.shown(known)["attributes"]["CITY"], "Bonn", "nothing of it was written");
    let (outcomes, _, _) = world.contacts().write(&[update(other, &[("EMAIL", Value::text("ada@example.com"))])]);
    let error = refused(&outcomes[0]);
    assert_eq!((error.kind, error.matches.len()), (ErrorKind::KeyTaken, 1));
    assert_eq!(error.fields, [Field::Native("EMAIL".into())]);
}

/// proves: R19
#[test]
fn a_hundred_updates_are_one_batch() {
    let world = World::new();
    let rows: Vec<_> = (0..100)
        .map(|number| {
            let id = world.add(&format!("p{number}@example.com"), json!({"CITY": "Bonn"}));
            update(id, &[("CITY", Value::Null), ("LASTNAME", Value::text("Lovelace")), ("VIP", Value::Bool(true))])
        })
        .collect();
    let (outcomes, calls, _) = world.contacts().write(&rows);
    assert!(outcomes.iter().all(is_taken));
    assert_eq!(calls, 2, "the attributes, and the batch");
    assert_eq!(world.shown(7)["attributes"], json!({"LASTNAME": "Lovelace", "VIP": true}));
    assert_eq!(world.contacts().mirror.carries(&world.asker.settings, "contact", 5_000), 100);
}

#[test]
fn one_bad_row_does_not_spoil_the_batch() {
    let world = World::new();
    let rows: Vec<_> = (0..30)
        .map(|number| {
            let id = world.add(&format!("p{number}@example.com"), json!({}));
            let city = [("CITY", Value::text("Mainz"))];
            let list = [("listIds", Value::text("77"))];
            if number == 13 { update(id, &list) } else { update(id, &city) }
        })
        .collect();
    let (outcomes, calls, _) = world.contacts().write(&rows);
    assert_eq!(refused(&outcomes[13]).kind, ErrorKind::Invalid);
    let written = outcomes.iter().filter(|outcome| !matches!(outcome, RowOutcome::Refused(_))).count();
    assert_eq!(written, 29);
    assert!((1..=30).filter(|id| world.shown(*id)["attributes"]["CITY"] == "Mainz").count() == 29);
    assert!(calls <= 13, "{calls} calls: the row is found by halving");
}

/// proves: R14
#[test]
fn what_would_be_ignored_in_silence_is_refused() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    let cases = [
        ("VIP", Value::text("yes"), ErrorKind::Invalid),
        ("BIRTHDAY", Value::text("10.12.1990"), ErrorKind::Invalid),
        ("REVENUE", Value::text("much"), ErrorKind::Invalid),
        ("STAGE", Value::text("7"), ErrorKind::Invalid),
        ("TOPICS", Value::text("News;Gossip"), ErrorKind::Invalid),
        ("SMS", Value::text("12345"), ErrorKind::Invalid),
        ("EMAIL", Value::Null, ErrorKind::Invalid),
        ("listIds", Value::text("Newsletter"), ErrorKind::Invalid),
        ("NEVER", Value::text("x"), ErrorKind::Field),
        ("createdAt", Value::text("x"), ErrorKind::Field),
    ];
    for (name, value, kind) in cases {
        let (outcomes, _, _) = world.contacts().write(&[update(id, &[(name, value)])]);
        let error = refused(&outcomes[0]);
        assert_eq!((error.kind, &error.fields), (kind, &vec![Field::Native(name.into())]), "{name}");
    }
    assert_eq!(world.account.effects(), 1, "nothing was sent");
}

/// proves: R17, sec:G3
#[test]
fn who_left_a_list_is_not_put_on_it_again() {
    let world = World::new();
    let (id, news) = (world.add("ada@example.com", json!({})), world.list("Newsletter"));
    world.account.set_on_list(id, news, true).unwrap();
    world.account.unsubscribe_from(id, news);
    let (rows, _, _) = world.contacts().drain(&names(&["listIds"]), From::Beginning);
    for row in [update(id, &[("listIds", Value::text("2"))]), update_seen(&rows[0], &[("listIds", Value::text("2"))])] {
        let (outcomes, _, _) = world.contacts().write(&[row]);
        assert_eq!(refused(&outcomes[0]).fields, [Field::Native("listIds".into())]);
    }
    assert_eq!(world.shown(id)["listIds"], json!([]));
    let (outcomes, _, _) = world.contacts().write(&[update(id, &[("listIds", Value::text("3"))])]);
    assert_eq!(outcomes, [done(id)]);
    let (outcomes, _, _) = world.contacts().write(&[update(id, &[("listIds", Value::Null)])]);
    assert_eq!((outcomes, &world.shown(id)["listIds"]), (vec![done(id)], &json!([])));
}

/// proves: R17
#[test]
fn consent_is_only_touched_where_the_write_says_so() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    world.account.unsubscribe(id);
    world.contacts().write(&[update(id, &[("CITY", Value::text("Bonn"))])]);
    assert_eq!(world.shown(id)["emailBlacklisted"], true);
    world.contacts().write(&[update(id, &[("smsBlacklisted", Value::Bool(true))])]);
    assert_eq!(
        (&world.shown(id)["emailBlacklisted"], &world.shown(id)["smsBlacklisted"]),
        (&json!(true), &json!(true))
    );
    world.contacts().write(&[update(id, &[("emailBlacklisted", Value::Bool(false))])]);
    assert_eq!(world.shown(id)["emailBlacklisted"], false);
}

#[test]
fn what_is_gone_is_told_and_deleted_once() {
    let world = World::with(BrevoConfig {
        rates: BrevoRates::NONE,
        users: vec!["me@example.com".into()],
        ..BrevoConfig::default()
    });
    let (id, me) = (world.add("ada@example.com", json!({})), world.add("me@example.com", json!({})));
    let (outcomes, _, _) = world.contacts().write(&[delete(id), delete(id), delete(me)]);
    assert_eq!(outcomes[..2], [done(id), done(id)]);
    assert_eq!(refused(&outcomes[2]).kind, ErrorKind::Invalid);
    let (outcomes, _, _) = world.contacts().write(&[update(id, &[("CITY", Value::text("Bonn"))])]);
    assert_eq!((refused(&outcomes[0]).kind, refused(&outcomes[0]).retry), (ErrorKind::Gone, Retry::Replan));
}

/// Rows behind the limit were not sent, and can be sent again.
#[test]
fn the_limit_stops_a_write_between_its_rows() {
    let world = World::with(BrevoConfig::default());
    let rows: Vec<_> = (0..15)
        .map(|number| create(&key(number), &[("EMAIL", Value::text(format!("p{number}@example.com")))]))
        .collect();
    let (outcomes, _, _) = world.contacts().write(&rows);
    let made = outcomes.iter().filter(|outcome| matches!(outcome, RowOutcome::Done { .. })).count();
    assert_eq!(made, 10);
    let error = refused(&outcomes[14]);
    assert_eq!((error.kind, error.retry), (ErrorKind::RateLimited, Retry::After(std::time::Duration::from_secs(1))));
    let refusal = world.contacts().send(&rows[10..]).unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::RateLimited, "nothing was sent at all");
    world.asker.hands.pass(1);
    let (outcomes, _, _) = world.contacts().write(&rows[10..]);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Done { .. })));
    assert_eq!(world.account.contacts_snapshot().len(), 15);
}

/// Contacts whose lists are not known are read first, and a write gets on even where the allowance ends meanwhile.
///
/// proves: R17
#[test]
fn changes_of_lists_get_on_under_the_limit() {
    let world = World::with(BrevoConfig::default());
    let rows: Vec<_> = (0..40)
        .map(|number| update(world.add(&format!("p{number}@example.com"), json!({})), &[("listIds", Value::text("2"))]))
        .collect();
    world.contacts().write_to_the_end(&rows);
    assert!((1..=40).all(|id| world.shown(id)["listIds"] == json!([2])));
}

/// proves: fault:N3
#[test]
fn a_server_that_gives_up_half_way_leaves_it_open() {
    let world = World::new();
    let id = world.add("ada@example.com", json!({}));
    for (fault, unsure) in [
        (FaultRule::next(FaultKind::StatusAfter).status(504), true),
        (FaultRule::next(FaultKind::Status).status(503), false),
        (FaultRule::next(FaultKind::Status).status(425), false),
    ] {
        world.account.faults().add(fault.on("PUT", "/v3/contacts"));
        let written = world.contacts().send(&[update(id, &[("smsBlacklisted", Value::Bool(true))])]);
        let is_unsure = written.is_ok_and(|(written, _)| format!("{written:?}").contains("Unknown"));
        assert_eq!(is_unsure, unsure);
    }
}

/// A page of somebody on the way says nothing about what became of a write, whatever its status.
///
/// proves: fault:H6
#[test]
fn a_foreign_page_is_no_answer() {
    let mut world = World::new();
    let ids: Vec<u64> = (0..3).map(|n| world.add(&format!("p{n}@example.com"), json!({}))).collect();
    world.asker.http = Box::new(Portal(world.account.clone()));
    let change = |id: u64| update(id, &[("CITY", Value::text("Ada"))]);
    let made = create(&key(1), &[("EMAIL", Value::text("new@example.com"))]);
    for rows in [vec![made], vec![change(ids[0])], vec![change(ids[1]), change(ids[2])], vec![delete(ids[0])]] {
        let (outcomes, _, _) = world.contacts().write(&rows);
        for outcome in outcomes {
            let RowOutcome::Unknown(error) = outcome else { panic!("{rows:?}: {outcome:?}") };
            assert_eq!(error.kind, ErrorKind::UnknownOutcome);
        }
    }
}
