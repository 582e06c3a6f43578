//! Deals: described, read, found by our key, written once, and tied to whom they belong to.

use serde_json::{Value as Json, json};
use syncline_connect::{
    Connector, ErrorKind,
    mirror::{From, Lookup, Op, RowOutcome, RowWrite, Seen},
};
use syncline_core::{
    description::FieldKind,
    ids::RecordId,
    record::{Field, Value},
};
use syncline_sandbox::{FaultKind, FaultRule};

use super::world::World;
use crate::{
    brevo::Brevo,
    testing::mirror::{Mirrored, create, key, names, refused},
};

const PERSON: &str = "linkedContactsIds";

fn deals(world: &World) -> Mirrored<'_> {
    world.account.add_deal_attribute("Syncline key", "text");
    let mirror = Brevo.mirror().expect("it keeps records in step");
    Mirrored { asker: &world.asker, mirror, kind: "deal", pace_secs: 0 }
}

fn id(id: impl ToString) -> Value {
    Value::Id(RecordId::new(id.to_string()))
}

fn update(deal: &str, fields: &[(&str, Value)]) -> RowWrite {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    RowWrite { op: Op::Update { id: deal.into() }, fields, seen: None }
}

fn delete(deal: &str) -> RowWrite {
    RowWrite { op: Op::Delete { id: deal.into() }, fields: Vec::new(), seen: None }
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

/// Stages are told by their ids, with names and pipelines that people know; without an attribute for our key nothing goes,
/// and the reason says what to make.
///
/// proves: R2, R7
#[test]
fn deals_are_described_with_their_stages() {
    let world = World::new();
    let mirror = Brevo.mirror().expect("it keeps records in step");
    let cx = world.asker.cx();
    let asked = futures::FutureExt::now_or_never(mirror.describe(&cx, &["deal"])).expect("at once");
    let error = asked.expect_err("there is no place for our key");
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("no text attribute `syncline_key`"), "{}", error.message);

    let fields = deals(&world).describe().fields;
    assert!(!fields.contains_key("syncline_key"), "our own key is nobody's to map");
    let stage = &fields["deal_stage"];
    assert_eq!((stage.kind, stage.restricted, stage.values.len()), (FieldKind::Picklist, true, 5));
    assert!(stage.label.contains("9e577ff7-8e42-4ab3-be26-2b5e01b42518 New of Sales Pipeline"), "{}", stage.label);
    assert_eq!(fields[PERSON].refers_to, ["contact"]);
    assert_eq!((fields["amount"].kind, fields["close_date"].kind), (FieldKind::Number, FieldKind::DateTime));
    assert!(fields["deal_name"].required);
}

/// A deal is made with all that it says and whom it belongs to by one call; a lost answer leaves it to be found by our key.
///
/// proves: R7, fault:N3
#[test]
fn a_new_deal_is_made_once_and_found_by_our_key() {
    let world = World::new();
    let deals = deals(&world);
    let ada = world.add("ada@example.com", json!({}));
    let fields = [
        ("deal_name", Value::text("Engine")),
        ("amount", Value::Decimal("1500.5".to_owned())),
        ("close_date", Value::Time("2026-09-30T00:00:00Z".parse().expect("a time"))),
        (PERSON, id(ada)),
    ];
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/crm/deals"));
    let (outcomes, calls, _) = deals.write(&[create(&key(1), &fields), create(&key(2), &fields)]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    assert_eq!(refused(&outcomes[1]).kind, ErrorKind::Unavailable, "nothing further is sent into the dark");
    assert_eq!(calls, 1);
    let found = deals.find(Lookup::Key(&[key(1), key(2)]), &names(&["deal_name", "amount", PERSON]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, Some(key(1)));
    assert_eq!(found[0].fields["deal_name"], Value::text("Engine"));
    assert!(!found[0].fields.contains_key(PERSON), "whom it belongs to is not shown");
    let deal = shown(&world, found[0].id.as_str());
    assert_eq!((&deal["linkedContactsIds"], &deal["attributes"]["amount"]), (&json!([ada]), &json!(1500.5)));
    let missing = deals.find(Lookup::Key(&[key(3)]), &names(&["deal_name"]));
    assert!(missing.is_empty());
}

/// Whom a deal belonged to gives way to whom it belongs to, and whom people link besides stays.
///
/// proves: R7
#[test]
fn an_update_moves_only_our_own_link() {
    let world = World::new();
    let deals = deals(&world);
    let people: Vec<u64> = (0..3).map(|n| world.add(&format!("p{n}@example.com"), json!({}))).collect();
    let first = create(&key(1), &[("deal_name", Value::text("Engine")), (PERSON, id(people[0]))]);
    let deal = done(&deals.write(&[first]).0[0]);
    // Somebody links another one.
    let both = update(&deal, &[(PERSON, id(people[1]))]);
    done(&deals.write(&[both]).0[0]);
    let moved = |before: u64, now: Value| {
        let seen = Seen::live(deal.as_str().into(), [(PERSON.to_owned(), id(before))].into());
        RowWrite {
            op: Op::Update { id: deal.as_str().into() },
            fields: vec![(PERSON.to_owned(), now)],
            seen: Some(seen),
        }
    };
    let (outcomes, calls, _) = deals.write(&[moved(people[0], id(people[2]))]);
    assert_eq!((done(&outcomes[0]), calls), (deal.clone(), 1), "one call links and unlinks");
    assert_eq!(shown(&world, &deal)["linkedContactsIds"], json!([people[1], people[2]]));
    done(&deals.write(&[moved(people[2], Value::Null)]).0[0]);
    assert_eq!(shown(&world, &deal)["linkedContactsIds"], json!([people[1]]));
    let (_, calls, _) = deals.write(&[moved(people[1], id(people[1]))]);
    assert_eq!(calls, 0, "nothing is to be done");
    let (outcomes, _, _) = deals.write(&[update(&deal, &[(PERSON, Value::text("nobody"))])]);
    assert_eq!(refused(&outcomes[0]).fields, [Field::Native(PERSON.to_owned())]);
}

/// All deals are read in the order of their making, changed ones again, and one that goes away while they are read takes no
/// other with it.
///
/// proves: R16
#[test]
fn deals_are_read_to_the_last_one() {
    let world = World::new();
    let deals = deals(&world);
    let fields = names(&["deal_name", "created_at"]);
    let rows: Vec<_> = (0..250).map(|n| create(&key(n), &[("deal_name", Value::text(format!("Deal {n}")))])).collect();
    let made: Vec<String> = deals.write(&rows).0.iter().map(done).collect();
    let (page, _) = deals.page(&fields, From::Beginning).expect("a page");
    assert_eq!((page.rows.len(), page.more), (100, true));
    done(&deals.write(&[delete(&made[0])]).0[0]);
    let (rest, _, cursor) = deals.drain(&fields, From::Cursor(&page.cursor));
    let read: std::collections::BTreeSet<String> =
        page.rows.iter().chain(&rest).map(|seen| seen.id.as_str().to_owned()).collect();
    assert_eq!(read.len(), 250, "none is passed over");
    world.asker.hands.pass(3_600);
    let (_, _, cursor) = deals.drain(&fields, From::Cursor(&cursor));
    world.asker.hands.pass(3_600);
    let (rows, calls, cursor) = deals.drain(&fields, From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (0, 1), "an idle look is one call");
    done(&deals.write(&[update(&made[7], &[("deal_name", Value::text("Other"))])]).0[0]);
    let (rows, _, _) = deals.drain(&fields, From::Cursor(&cursor));
    assert_eq!(rows.iter().map(|seen| seen.id.as_str()).collect::<Vec<_>>(), [made[7].as_str()]);
    assert!(rows[0].changed_at.is_some() && rows[0].key.is_some());
}
