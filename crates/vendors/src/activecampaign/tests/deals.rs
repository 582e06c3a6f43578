//! Deals: described, read, found by our mark, written once, and of the contact that they belong to.

use serde_json::{Value as Json, json};
use syncline_connect::{
    Connector, ErrorKind,
    mirror::{From, Lookup, Op, RowOutcome, RowWrite},
};
use syncline_core::{description::FieldKind, ids::RecordId, record::Value};
use syncline_sandbox::{FaultKind, FaultRule};

use super::world::World;
use crate::{
    activecampaign::ActiveCampaign,
    testing::mirror::{Mirrored, create, key, names, refused},
};

fn deals(world: &World) -> Mirrored<'_> {
    let mirror = ActiveCampaign.mirror().expect("it keeps records in step");
    Mirrored { asker: &world.asker, mirror, kind: "deal", pace_secs: 0 }
}

fn update(deal: &str, fields: &[(&str, Value)]) -> RowWrite {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    RowWrite { op: Op::Update { id: deal.into() }, fields, seen: None }
}

fn done(outcome: &RowOutcome) -> String {
    match outcome {
        RowOutcome::Done { id } => id.as_str().to_owned(),
        other => panic!("not done: {other:?}"),
    }
}

fn shown(world: &World, deal: &str) -> Json {
    let all = world.account.deals_snapshot();
    all.into_iter().find(|one| one["id"] == deal).expect("the deal is there")
}

fn engine(person: u64, more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("title", Value::text("Engine")),
        ("value", Value::Decimal("1500.5".to_owned())),
        ("currency", Value::text("eur")),
        ("stage", Value::text("2")),
        ("contact", Value::Id(RecordId::new(person.to_string()))),
    ];
    fields.extend(more.iter().cloned());
    fields
}

/// Stages are told by their numbers, with names and pipelines that people know; a deal cannot be without its contact.
///
/// proves: R2, R7
#[test]
fn deals_are_described_with_their_stages_and_fields() {
    let world = World::new();
    let close = world.account.add_deal_field("Close date", "date");
    let fields = deals(&world).describe().fields;
    let stage = &fields["stage"];
    assert_eq!(
        (stage.kind, stage.restricted, &stage.values[..]),
        (FieldKind::Picklist, true, &["1".to_owned(), "2".to_owned(), "3".to_owned()][..])
    );
    assert!(stage.label.contains("2 In Contact of Pipeline"), "{}", stage.label);
    let person = &fields["contact"];
    assert_eq!(
        (person.kind, person.required, &person.refers_to[..]),
        (FieldKind::Reference, true, &["contact".to_owned()][..])
    );
    let close = &fields[&format!("field:{close}")];
    assert_eq!((close.kind, close.label.as_str(), close.habits.untold), (FieldKind::Date, "Close date", true));
    assert!(!fields.contains_key("description"), "where our key stands is nobody's to map");
}

/// Money is in hundredths there and an amount here; a lost answer leaves the deal to be found by our mark.
///
/// proves: R7, fault:N3
#[test]
fn a_new_deal_is_made_once_and_found_by_our_mark() {
    let world = World::new();
    let close = world.account.add_deal_field("Close date", "date");
    let ada = world.add("ada@example.com", json!({}));
    let deals = deals(&world);
    let closes = Value::Date("2026-09-30".parse().expect("a day"));
    let field = "field:1";
    let fields = engine(ada, &[(field, closes)]);
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/api/3/deals"));
    let (outcomes, calls, _) = deals.write(&[create(&key(1), &fields), create(&key(2), &fields)]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    assert_eq!(refused(&outcomes[1]).kind, ErrorKind::Unavailable, "nothing further is sent into the dark");
    assert_eq!(calls, 1);
    let asked = names(&["title", "value", "stage", "contact", field]);
    let found = deals.find(Lookup::Key(&[key(1), key(2)]), &asked);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, Some(key(1)));
    assert_eq!(found[0].fields["value"], Value::text("1500.50"));
    assert_eq!(found[0].fields["contact"], Value::Id(RecordId::new(ada.to_string())));
    assert!(!found[0].fields.contains_key(field), "custom fields are written and not read");
    let deal = shown(&world, found[0].id.as_str());
    assert_eq!((&deal["value"], &deal["stage"], &deal["currency"]), (&json!("150050"), &json!("2"), &json!("eur")));
    assert_eq!(world.account.deal_values(1), [json!({"customFieldId": close, "fieldValue": "2026-09-30"})]);
    // After days it is not looked for any more, because nobody has asked in vain for so long.
    world.asker.hands.pass(10 * 86_400);
    assert!(deals.find(Lookup::Key(&[key(1)]), &asked).is_empty());
}

/// What changes is changed by one call each; a deal of a contact who is gone, or in a stage that is gone, is refused alone.
///
/// proves: R7
#[test]
fn deals_are_changed_and_refused_one_by_one() {
    let world = World::new();
    let (ada, grace) = (world.add("ada@example.com", json!({})), world.add("grace@example.com", json!({})));
    let deals = deals(&world);
    let nobody = engine(999, &[]);
    let (outcomes, _, _) = deals.write(&[create(&key(1), &nobody), create(&key(2), &engine(ada, &[]))]);
    let error = refused(&outcomes[0]);
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("the contact or the stage that the deal names is not there"), "{}", error.message);
    let deal = done(&outcomes[1]);
    let person = Value::Id(RecordId::new(grace.to_string()));
    let row =
        update(&deal, &[("contact", person), ("status", Value::text("1")), ("value", Value::Decimal("7".to_owned()))]);
    let (outcomes, calls, _) = deals.write(&[row]);
    assert_eq!((done(&outcomes[0]), calls), (deal.clone(), 1));
    let held = shown(&world, &deal);
    assert_eq!(
        (&held["contact"], &held["status"], &held["value"]),
        (&json!(grace.to_string()), &json!("1"), &json!("700"))
    );
    let (outcomes, _, _) = deals.write(&[update(&deal, &[("value", Value::text("much"))])]);
    assert_eq!(refused(&outcomes[0]).kind, ErrorKind::Invalid);
}

/// All deals are read, changed ones again, and one that goes away while they are read takes no other with it.
///
/// proves: R16
#[test]
fn deals_are_read_to_the_last_one() {
    let world = World::new();
    let ada = world.add("ada@example.com", json!({}));
    let deals = deals(&world);
    let rows: Vec<_> = (0..250).map(|n| create(&key(n), &engine(ada, &[]))).collect();
    let made: Vec<String> = deals.write(&rows).0.iter().map(done).collect();
    let fields = names(&["title", "value", "cdate"]);
    let (page, _) = deals.page(&fields, From::Beginning).expect("a page");
    assert_eq!((page.rows.len(), page.more), (100, true));
    let gone = RowWrite { op: Op::Delete { id: made[0].as_str().into() }, fields: Vec::new(), seen: None };
    done(&deals.write(&[gone]).0[0]);
    let (rest, _, cursor) = deals.drain(&fields, From::Cursor(&page.cursor));
    let read: std::collections::BTreeSet<&str> = page.rows.iter().chain(&rest).map(|seen| seen.id.as_str()).collect();
    assert_eq!(read.len(), 250, "none is passed over");
    world.asker.hands.pass(10 * 86_400);
    let (_, _, cursor) = deals.drain(&fields, From::Cursor(&cursor));
    world.asker.hands.pass(10 * 86_400);
    let (rows, calls, cursor) = deals.drain(&fields, From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (0, 1), "an idle look is one call");
    done(&deals.write(&[update(&made[7], &[("title", Value::text("Other"))])]).0[0]);
    let (rows, _, _) = deals.drain(&fields, From::Cursor(&cursor));
    assert_eq!(rows.iter().map(|seen| seen.id.as_str()).collect::<Vec<_>>(), [made[7].as_str()]);
    assert!(rows[0].changed_at.is_some() && rows[0].key.is_some());
}
