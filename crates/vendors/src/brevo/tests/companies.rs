//! Companies: described, read, found by our key, written once; and the contacts that belong to them.

use std::collections::BTreeSet;

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
use syncline_sandbox::{BrevoConfig, FaultKind, FaultRule, brevo::BrevoRates};

use super::world::World;
use crate::{
    brevo::Brevo,
    testing::mirror::{Mirrored, create, key, names, refused},
};

const COMPANY: &str = "linkedCompaniesIds";

fn companies(world: &World) -> Mirrored<'_> {
    world.account.add_company_attribute("Syncline key", "text");
    let mirror = Brevo.mirror().expect("it keeps records in step");
    Mirrored { asker: &world.asker, mirror, kind: "company", pace_secs: 0 }
}

fn id(id: &str) -> Value {
    Value::Id(RecordId::new(id))
}

fn update(company: &str, fields: &[(&str, Value)]) -> RowWrite {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    RowWrite { op: Op::Update { id: company.into() }, fields, seen: None }
}

fn done(outcome: &RowOutcome) -> String {
    match outcome {
        RowOutcome::Done { id } => id.as_str().to_owned(),
        other => panic!("not done: {other:?}"),
    }
}

/// Companies of these names.
fn made(world: &World, names: &[&str]) -> Vec<String> {
    let row = |(n, name): (usize, &&str)| create(&key(1_000 + n), &[("name", Value::text(*name))]);
    let rows: Vec<RowWrite> = names.iter().enumerate().map(row).collect();
    companies(world).write(&rows).0.iter().map(done).collect()
}

fn members(world: &World, company: &str) -> Json {
    let all = world.account.companies_snapshot();
    all.into_iter().find(|one| one["id"] == company).expect("the company is there")["linkedContactsIds"].clone()
}

/// The update of a contact that was told before whom it belongs to.
fn moved(contact: u64, before: Option<&str>, now: Value) -> RowWrite {
    let before = before.map_or(Value::Null, id);
    let seen = Seen::live(contact.to_string().as_str().into(), [(COMPANY.to_owned(), before)].into());
    RowWrite { seen: Some(seen), ..update(&contact.to_string(), &[(COMPANY, now)]) }
}

/// The account's attributes are the fields; what Brevo keeps by itself, and a number that takes a country's code beside it,
/// are not written. Without an attribute for our key nothing goes, and the reason says what to make.
///
/// proves: R2, R7
#[test]
fn companies_are_described() {
    let world = World::new();
    let mirror = Brevo.mirror().expect("it keeps records in step");
    let cx = world.asker.cx();
    let asked = futures::FutureExt::now_or_never(mirror.describe(&cx, &["company"])).expect("at once");
    let error = asked.expect_err("there is no place for our key");
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("companies have no text attribute `syncline_key`"), "{}", error.message);

    let fields = companies(&world).describe().fields;
    assert!(!fields.contains_key("syncline_key"), "our own key is nobody's to map");
    assert!(fields["name"].required && !fields["name"].nillable);
    assert_eq!((fields["revenue"].kind, fields["domain"].kind), (FieldKind::Number, FieldKind::Text));
    for kept in ["created_at", "last_updated_at", "number_of_contacts", "phone_number", "owner"] {
        assert!(!fields[kept].createable && !fields[kept].updateable, "{kept}");
    }
    let contact = world.contacts().describe().fields;
    assert_eq!(
        (contact[COMPANY].kind, &contact[COMPANY].refers_to),
        (FieldKind::Reference, &vec!["company".to_owned()])
    );
}

/// A company is made by one call; a lost answer leaves it to be found by our key, and nothing further is sent into the dark.
///
/// proves: R7, fault:N3
#[test]
fn a_new_company_is_made_once_and_found_by_our_key() {
    let world = World::new();
    let companies = companies(&world);
    let fields = [("name", Value::text("Engines")), ("revenue", Value::Decimal("1500.5".to_owned()))];
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/companies"));
    let (outcomes, calls, _) = companies.write(&[create(&key(1), &fields), create(&key(2), &fields)]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    assert_eq!(refused(&outcomes[1]).kind, ErrorKind::Unavailable);
    assert_eq!(calls, 1);
    let found = companies.find(Lookup::Key(&[key(1), key(2)]), &names(&["name", "revenue"]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].key.as_ref(), &found[0].fields["name"]), (Some(&key(1)), &Value::text("Engines")));
    let company = found[0].id.as_str().to_owned();
    let (outcomes, calls, _) = companies.write(&[update(&company, &[("name", Value::text("Looms"))])]);
    assert_eq!((done(&outcomes[0]), calls), (company.clone(), 1));
    let (fetched, calls) = companies.fetch(&[company.as_str().into(), "61a5".into()], &names(&["name"]));
    assert_eq!((fetched.len(), calls, &fetched[0].fields["name"]), (1, 2, &Value::text("Looms")));
    let gone = RowWrite { op: Op::Delete { id: company.as_str().into() }, fields: Vec::new(), seen: None };
    assert_eq!(done(&companies.write(std::slice::from_ref(&gone)).0[0]), company);
    assert_eq!(done(&companies.write(&[gone]).0[0]), company, "one that is gone is as good as deleted");
    assert!(world.account.companies_snapshot().is_empty());
}

/// One row that is refused stops no other.
///
/// proves: R21
#[test]
fn a_refused_company_stops_no_other() {
    let world = World::new();
    let companies = companies(&world);
    let rows = [
        create(&key(1), &[("revenue", Value::Decimal("1".to_owned()))]),
        create(&key(2), &[("name", Value::text("Engines"))]),
        update("61a5", &[("name", Value::text("Looms"))]),
    ];
    let (outcomes, calls, _) = companies.write(&rows);
    assert_eq!(refused(&outcomes[0]).kind, ErrorKind::Invalid);
    done(&outcomes[1]);
    assert_eq!(refused(&outcomes[2]).kind, ErrorKind::Gone);
    assert_eq!(calls, 3);
}

/// All companies are read in the order of their making, whatever goes away meanwhile and however many were made in one
/// moment; changed ones come again, and an idle look is one call.
///
/// proves: R16, R22
#[test]
fn companies_are_read_to_the_last_one() {
    let world = World::new();
    let companies = companies(&world);
    let fields = names(&["name", "created_at"]);
    let write = |from: usize, to: usize| {
        let row = |n| create(&key(n), &[("name", Value::text(format!("Company {n}")))]);
        let rows: Vec<_> = (from..to).map(row).collect();
        companies.write(&rows).0.iter().map(done).collect::<Vec<_>>()
    };
    // More than two pages in one millisecond, then one at a time.
    let mut all = write(0, 230);
    for n in 230..300 {
        world.asker.hands.pass(1);
        all.extend(write(n, n + 1));
    }
    let (page, _) = companies.page(&fields, From::Beginning).expect("a page");
    assert_eq!((page.rows.len(), page.more), (100, true));
    let gone = RowWrite { op: Op::Delete { id: all[0].as_str().into() }, fields: Vec::new(), seen: None };
    done(&companies.write(&[gone]).0[0]);
    let (rest, _, cursor) = companies.drain(&fields, From::Cursor(&page.cursor));
    let read: BTreeSet<String> = page.rows.iter().chain(&rest).map(|seen| seen.id.as_str().to_owned()).collect();
    let missed: Vec<&String> = all.iter().filter(|id| !read.contains(*id)).collect();
    assert!(missed.len() <= 1, "within one moment at the most the one that moved up: {missed:?}");
    world.asker.hands.pass(3_600);
    let (_, _, cursor) = companies.drain(&fields, From::Cursor(&cursor));
    world.asker.hands.pass(3_600);
    let (rows, calls, cursor) = companies.drain(&fields, From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (0, 1), "an idle look is one call");
    done(&companies.write(&[update(&all[7], &[("name", Value::text("Other"))])]).0[0]);
    let (rows, _, cursor) = companies.drain(&fields, From::Cursor(&cursor));
    assert_eq!(rows.iter().map(|seen| seen.id.as_str()).collect::<Vec<_>>(), [all[7].as_str()]);
    assert!(rows[0].changed_at.is_some() && rows[0].key.is_some());
    // What an index shows late is covered by an overlap.
    world.asker.hands.pass(300);
    let (rows, _, _) = companies.drain(&fields, From::Cursor(&cursor));
    assert_eq!(rows.len(), 1, "it comes again within a quarter of an hour");
}

/// New contacts and moved ones are told to their companies by a call for each company, whatever the number of contacts;
/// whom people link besides stays.
///
/// proves: R7, P2
#[test]
fn contacts_belong_to_companies_in_a_call_for_each() {
    let world = World::new();
    let made = made(&world, &["Engines", "Looms"]);
    let others = world.add("other@example.com", json!({}));
    world.account.edit_company(&made[0], &super::world::object(json!({"linkedContactsIds": [others]}))).expect("there");
    let row = |n: usize| {
        let email = Value::text(format!("p{n}@example.com"));
        create(&key(n), &[("EMAIL", email), (COMPANY, id(&made[n % 2]))])
    };
    let rows: Vec<RowWrite> = (0..20).map(row).collect();
    let (outcomes, calls, _) = world.contacts().write(&rows);
    assert_eq!(calls, 22, "each contact, and each company");
    let people: Vec<u64> = outcomes.iter().map(|outcome| done(outcome).parse().expect("a number")).collect();
    let of = |rest: usize| people.iter().enumerate().filter(move |(n, _)| n % 2 == rest).map(|(_, id)| *id);
    assert_eq!(members(&world, &made[0]), json!([others].into_iter().chain(of(0)).collect::<Vec<_>>()));
    assert_eq!(members(&world, &made[1]), json!(of(1).collect::<Vec<_>>()));

    let all: Vec<RowWrite> = of(0).map(|person| moved(person, Some(&made[0]), id(&made[1]))).collect();
    let (outcomes, calls, _) = world.contacts().write(&all);
    outcomes.iter().map(done).for_each(drop);
    assert_eq!(calls, 2, "one call parts, one joins, whatever their number");
    assert_eq!(members(&world, &made[0]), json!([others]));
    let (_, calls, _) = world.contacts().write(&[moved(people[0], Some(&made[1]), id(&made[1]))]);
    assert_eq!(calls, 0, "nothing is to be done");
    let (outcomes, calls, _) = world.contacts().write(&[moved(people[0], Some(&made[1]), Value::Null)]);
    assert_eq!((done(&outcomes[0]), calls), (people[0].to_string(), 1));
    assert!(!members(&world, &made[1]).as_array().expect("a list").contains(&json!(people[0])));
    let seen = world.contacts().fetch(&[people[1].to_string().as_str().into()], &names(&[COMPANY])).0;
    assert!(!seen[0].fields.contains_key(COMPANY), "whom it belongs to is not shown");
}

/// A contact whose company cannot be told is refused for that field alone, and only that contact; one that was made or
/// changed as well is looked at, since that was done.
///
/// proves: R7, R21, fault:N3
#[test]
fn a_company_that_is_gone_is_refused_alone() {
    let world = World::new();
    let made = made(&world, &["Engines"]);
    let ada = world.add("ada@example.com", json!({}));
    let rows = [
        create(&key(1), &[("EMAIL", Value::text("new@example.com")), (COMPANY, id("61a5"))]),
        moved(ada, None, id("61a5")),
        moved(ada, None, Value::text(" ")),
    ];
    let (outcomes, _, _) = world.contacts().write(&rows);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "it was made: {outcomes:?}");
    for outcome in &outcomes[1..] {
        let error = refused(outcome);
        assert_eq!((error.kind, error.fields.as_slice()), (ErrorKind::Invalid, &[Field::Native(COMPANY.into())][..]));
    }
    // One contact that is gone does not keep the others from their company.
    let (outcomes, calls, _) = world.contacts().write(&[moved(99, None, id(&made[0])), moved(ada, None, id(&made[0]))]);
    assert_eq!((refused(&outcomes[0]).kind, calls), (ErrorKind::Invalid, 3));
    done(&outcomes[1]);
    assert_eq!(members(&world, &made[0]), json!([ada]));
    // Whoever leaves a company that is gone has left it.
    done(&world.contacts().write(&[moved(ada, Some("61a5"), Value::Null)]).0[0]);

    let path = format!("/v3/companies/link-unlink/{}", made[0]);
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("PATCH", &path));
    let (outcomes, _, _) = world.contacts().write(&[moved(ada, Some(&made[0]), Value::Null)]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    done(&world.contacts().write(&[moved(ada, Some(&made[0]), Value::Null)]).0[0]);
    assert_eq!(members(&world, &made[0]), json!([]));
}

/// The hundred calls an hour that companies share are waited for, and nothing is lost over it.
///
/// proves: R19, fault:H1
#[test]
fn a_used_up_allowance_is_waited_for() {
    let rates = BrevoRates { others_per_hour: 3, ..BrevoRates::NONE };
    let world = World::with(BrevoConfig { rates, ..BrevoConfig::default() });
    let companies = companies(&world);
    let rows: Vec<_> = (0..5).map(|n| create(&key(n), &[("name", Value::text(format!("Company {n}")))])).collect();
    let (outcomes, _, _) = companies.write(&rows);
    outcomes[..3].iter().map(done).for_each(drop);
    assert_eq!(refused(&outcomes[4]).kind, ErrorKind::RateLimited);
    let company = world.account.companies_snapshot()[0]["id"].as_str().expect("an id").to_owned();
    let ada = world.add("ada@example.com", json!({}));
    let error = world.contacts().send(&[moved(ada, None, id(&company))]).expect_err("nothing was sent");
    assert_eq!(error.kind, ErrorKind::RateLimited);
    world.asker.hands.pass(3_600);
    done(&world.contacts().write(&[moved(ada, None, id(&company))]).0[0]);
    assert_eq!(members(&world, &company), json!([ada]));
}

/// Many contacts are imported and batched as ever; whom they belong to is told once they are seen to be there.
///
/// proves: P2
#[test]
fn imported_contacts_are_told_to_their_company_afterwards() {
    let world = World::importing();
    let made = made(&world, &["Engines"]);
    let row = |n: usize| {
        let email = Value::text(format!("p{n}@example.com"));
        create(&key(n), &[("EMAIL", email), (COMPANY, id(&made[0]))])
    };
    let rows: Vec<RowWrite> = (0..1_000).map(row).collect();
    let (outcomes, calls, _) = world.contacts().write(&rows);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Taken { .. })), "they are looked at");
    assert_eq!((calls, members(&world, &made[0])), (1, json!([])));
    let ties: Vec<RowWrite> = (1..=1_000).map(|contact| moved(contact, None, id(&made[0]))).collect();
    let (outcomes, calls, _) = world.contacts().write(&ties);
    outcomes.iter().map(done).for_each(drop);
    assert_eq!(calls, 10, "a hundred a call");
    assert_eq!(members(&world, &made[0]).as_array().map(Vec::len), Some(1_000));
}
