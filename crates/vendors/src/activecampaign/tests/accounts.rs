//! Accounts: described, read, found by our key, written once; and the contacts that belong to them.

use std::collections::BTreeSet;

use serde_json::json;
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

use super::world::{World, object};
use crate::{
    activecampaign::ActiveCampaign,
    testing::mirror::{Mirrored, create, key, names, refused},
};

const ACCOUNT: &str = "account";

/// An account with the custom field for our key.
fn world() -> World {
    let mut world = World::new();
    let key = world.account.add_account_field("Syncline key", "text");
    world.asker.settings.insert("account_key".to_owned(), key.to_string());
    world
}

fn accounts(world: &World) -> Mirrored<'_> {
    let mirror = ActiveCampaign.mirror().expect("it keeps records in step");
    Mirrored { asker: &world.asker, mirror, kind: "account", pace_secs: 0 }
}

fn id(id: impl ToString) -> Value {
    Value::Id(RecordId::new(id.to_string()))
}

fn update(account: impl ToString, fields: &[(&str, Value)]) -> RowWrite {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    RowWrite { op: Op::Update { id: RecordId::new(account.to_string()) }, fields, seen: None }
}

fn done(outcome: &RowOutcome) -> String {
    match outcome {
        RowOutcome::Done { id } => id.as_str().to_owned(),
        other => panic!("not done: {other:?}"),
    }
}

fn named(n: usize, name: &str) -> RowWrite {
    create(&key(n), &[("name", Value::text(name))])
}

/// The update of a contact that was told before whom it belongs to.
fn moved(contact: u64, before: Option<u64>, now: Value) -> RowWrite {
    let before = before.map_or(Value::Null, id);
    let seen = Seen::live(RecordId::new(contact.to_string()), [(ACCOUNT.to_owned(), before)].into());
    RowWrite { seen: Some(seen), ..update(contact, &[(ACCOUNT, now)]) }
}

/// Without a field for our key nothing goes, and the reason says what to make. Custom fields are told by their numbers, our
/// own is nobody's to map, and contacts and deals name their account.
///
/// proves: R2, R7
#[test]
fn accounts_are_described_with_their_fields() {
    let mut bare = World::new();
    let mirror = ActiveCampaign.mirror().expect("it keeps records in step");
    for (setting, says) in [(None, "accounts need a custom field of type text"), (Some("7"), "no custom field 7")] {
        bare.asker.settings.extend(setting.map(|number| ("account_key".to_owned(), number.to_owned())));
        let cx = bare.asker.cx();
        let asked = futures::FutureExt::now_or_never(mirror.describe(&cx, &["account"])).expect("at once");
        let error = asked.expect_err("there is no place for our key");
        assert_eq!(error.kind, ErrorKind::Configuration);
        assert!(error.message.contains(says), "{}", error.message);
    }
    let world = world();
    let industry = world.account.add_account_field("Industry", "text");
    let fields = accounts(&world).describe().fields;
    assert!(!fields.contains_key("field:1"), "our own key is nobody's to map");
    assert_eq!((fields["name"].required, fields["name"].unique), (true, true));
    assert_eq!((fields["accountUrl"].kind, fields["createdTimestamp"].updateable), (FieldKind::Url, false));
    assert!(fields[&format!("field:{industry}")].habits.untold, "custom fields are written, and not read");
    assert_eq!(world.contacts().describe().fields[ACCOUNT].refers_to, ["account"]);
}

/// An account is made with all that it says by one call. Of one whose answer was lost, our key tells that it is ours: it is
/// found, and to send it once more makes no second one. A name that somebody else's account bears is refused alone.
///
/// proves: R7, R21, fault:N3
#[test]
fn a_new_account_is_made_once() {
    let world = world();
    let accounts = accounts(&world);
    let industry = world.account.add_account_field("Industry", "text");
    let field = format!("field:{industry}");
    let fields = [
        ("name", Value::text("Engines")),
        ("accountUrl", Value::text("https://engines.example")),
        (field.as_str(), Value::text("Computing")),
    ];
    world.account.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/api/3/accounts"));
    let (outcomes, calls, _) = accounts.write(&[create(&key(1), &fields), named(2, "Looms")]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    assert_eq!(refused(&outcomes[1]).kind, ErrorKind::Unavailable, "nothing further is sent into the dark");
    assert_eq!(calls, 1);
    let found = accounts.find(Lookup::Key(&[key(1), key(2)]), &names(&["name", "accountUrl"]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].key.as_ref(), &found[0].fields["name"]), (Some(&key(1)), &Value::text("Engines")));
    let written = json!([{ "customFieldId": industry, "fieldValue": "Computing" },
                         { "customFieldId": 1, "fieldValue": key(1).as_str() }]);
    assert_eq!(json!(world.account.account_values(1)), written);

    let rows = [
        create(&key(1), &fields),
        named(3, "Engines"),
        named(2, "Looms"),
        update(2, &[("name", Value::text("Engines"))]),
    ];
    let (outcomes, calls, _) = accounts.write(&rows);
    assert_eq!(done(&outcomes[0]), "1", "it is ours");
    for other in [&outcomes[1], &outcomes[3]] {
        let error = refused(other);
        assert_eq!((error.kind, error.fields.as_slice()), (ErrorKind::Invalid, &[Field::Native("name".into())][..]));
    }
    assert_eq!(done(&outcomes[2]), "2");
    assert_eq!(calls, 8, "three for each new one whose name is taken, one for each other row");
    assert_eq!(world.account.accounts_snapshot().len(), 2);
    let gone = RowWrite { op: Op::Delete { id: "1".into() }, fields: Vec::new(), seen: None };
    assert_eq!(done(&accounts.write(std::slice::from_ref(&gone)).0[0]), "1");
    assert_eq!(done(&accounts.write(&[gone]).0[0]), "1", "one that is gone is as good as deleted");
    let (fetched, calls) = accounts.fetch(&["1".into(), "2".into()], &names(&["name"]));
    assert_eq!((fetched.len(), calls), (1, 2));
}

/// All accounts are read at every look, and only those that changed are told; one that goes away while they are read takes no
/// other with it.
///
/// proves: R16, R22
#[test]
fn accounts_are_read_to_the_last_one() {
    let world = world();
    let accounts = accounts(&world);
    let fields = names(&["name", "createdTimestamp"]);
    let rows: Vec<RowWrite> = (0..250).map(|n| named(n, &format!("Account {n}"))).collect();
    let made: Vec<String> = accounts.write(&rows).0.iter().map(done).collect();
    let (page, _) = accounts.page(&fields, From::Beginning).expect("a page");
    assert_eq!((page.rows.len(), page.more), (100, true));
    let gone = RowWrite { op: Op::Delete { id: made[0].as_str().into() }, fields: Vec::new(), seen: None };
    done(&accounts.write(&[gone]).0[0]);
    let (rest, _, cursor) = accounts.drain(&fields, From::Cursor(&page.cursor));
    let read: BTreeSet<String> = page.rows.iter().chain(&rest).map(|seen| seen.id.as_str().to_owned()).collect();
    assert_eq!(read.len(), 250, "none is passed over");
    world.asker.hands.pass(3_600);
    let (_, _, cursor) = accounts.drain(&fields, From::Cursor(&cursor));
    world.asker.hands.pass(3_600);
    let (rows, calls, cursor) = accounts.drain(&fields, From::Cursor(&cursor));
    assert_eq!((rows.len(), calls), (0, 3), "a call for a hundred accounts");
    done(&accounts.write(&[update(&made[7], &[("name", Value::text("Other"))])]).0[0]);
    let (rows, _, cursor) = accounts.drain(&fields, From::Cursor(&cursor));
    assert_eq!(rows.iter().map(|seen| seen.id.as_str()).collect::<Vec<_>>(), [made[7].as_str()]);
    // What is shown late is covered by an overlap.
    world.asker.hands.pass(300);
    let (rows, _, _) = accounts.drain(&fields, From::Cursor(&cursor));
    assert_eq!(rows.len(), 1, "it comes again within a quarter of an hour");
}

/// A contact belongs to one account: it is told by one call where it belonged to none, and goes over by two.
///
/// proves: R7
#[test]
fn a_contact_belongs_to_one_account() {
    let world = world();
    let made: Vec<u64> = accounts(&world)
        .write(&[named(1, "Engines"), named(2, "Looms")])
        .0
        .iter()
        .map(|outcome| done(outcome).parse().expect("a number"))
        .collect();
    let row = create(&key(3), &[("email", Value::text("ada@example.com")), (ACCOUNT, id(made[0]))]);
    let (outcomes, calls, _) = world.contacts().write(&[row]);
    let ada: u64 = done(&outcomes[0]).parse().expect("a number");
    assert_eq!((calls, world.account.account_of(ada)), (2, Some(made[0])));
    let (outcomes, calls, _) = world.contacts().write(&[moved(ada, Some(made[0]), id(made[1]))]);
    done(&outcomes[0]);
    assert_eq!((calls, world.account.account_of(ada)), (2, Some(made[1])));
    // Whoever was put into an account by people goes over as well: there is room for one.
    let (outcomes, calls, _) = world.contacts().write(&[moved(ada, None, id(made[0]))]);
    done(&outcomes[0]);
    assert_eq!((calls, world.account.account_of(ada)), (3, Some(made[0])));
    done(&world.contacts().write(&[moved(ada, Some(made[1]), Value::Null)]).0[0]);
    assert_eq!(world.account.account_of(ada), Some(made[0]), "where people put it meanwhile, it stays");
    done(&world.contacts().write(&[moved(ada, Some(made[0]), Value::Null)]).0[0]);
    assert_eq!(world.account.account_of(ada), None);

    let rows = [moved(ada, None, id(99)), moved(ada, None, Value::text("nobody")), moved(ada, None, id(made[1]))];
    let (outcomes, _, _) = world.contacts().write(&rows);
    for outcome in &outcomes[..2] {
        let error = refused(outcome);
        assert_eq!((error.kind, error.fields.as_slice()), (ErrorKind::Invalid, &[Field::Native(ACCOUNT.into())][..]));
    }
    done(&outcomes[2]);
    let seen = world.seen(ada, &["firstName", ACCOUNT]);
    assert!(!seen.fields.contains_key(ACCOUNT), "whom it belongs to is not shown");
}

/// Whose contact was written and whose account could not be told is looked at, because that was done.
///
/// proves: R21, fault:N3
#[test]
fn a_lost_answer_about_the_account_leaves_the_contact_to_be_looked_at() {
    let world = world();
    accounts(&world).write(&[named(1, "Engines")]);
    world.account.faults().add(FaultRule::next(FaultKind::LostRequest).on("POST", "/api/3/accountContacts"));
    let row = |n: usize| {
        let email = Value::text(format!("p{n}@example.com"));
        create(&key(n), &[("email", email), (ACCOUNT, id(1))])
    };
    let (outcomes, _, _) = world.contacts().write(&[row(2), row(3)]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    assert_eq!(refused(&outcomes[1]).kind, ErrorKind::Unavailable);
    assert_eq!(world.account.contacts_snapshot().len(), 1);
}

/// Many contacts are imported as ever; whom they belong to is told once they are seen to be there.
///
/// proves: P2
#[test]
fn imported_contacts_are_told_their_account_afterwards() {
    let world = world();
    accounts(&world).write(&[named(1, "Engines")]);
    let row = |n: usize| {
        let email = Value::text(format!("p{n}@example.com"));
        create(&key(n), &[("email", email), (ACCOUNT, id(1))])
    };
    let rows: Vec<RowWrite> = (0..50).map(row).collect();
    let (outcomes, calls, _) = world.contacts().write(&rows);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Taken { .. })), "they are looked at");
    assert_eq!(calls, 1);
    let ties: Vec<RowWrite> = (1..=50).map(|contact| moved(contact, None, id(1))).collect();
    let (outcomes, calls, _) = world.contacts().write(&ties);
    outcomes.iter().map(done).for_each(drop);
    assert_eq!((calls, world.account.account_of(50)), (50, Some(1)), "one call each");
    world.account.edit_account(1, &object(json!({"name": "Looms"}))).expect("it is there");
}

/// A deal names its account beside its contact.
///
/// proves: R7
#[test]
fn a_deal_belongs_to_its_account() {
    let world = world();
    accounts(&world).write(&[named(1, "Engines")]);
    let ada = world.add("ada@example.com", json!({}));
    let fields = [
        ("title", Value::text("Engine")),
        ("currency", Value::text("eur")),
        ("stage", Value::text("2")),
        ("contact", id(ada)),
        (ACCOUNT, id(1)),
    ];
    let mirror = ActiveCampaign.mirror().expect("it keeps records in step");
    let deals = Mirrored { asker: &world.asker, mirror, kind: "deal", pace_secs: 0 };
    let (outcomes, calls, _) = deals.write(&[create(&key(2), &fields)]);
    assert_eq!((done(&outcomes[0]).as_str(), calls), ("1", 1));
    assert_eq!(world.account.deals_snapshot()[0]["account"], "1");
    assert_eq!(deals.describe().fields[ACCOUNT].refers_to, ["account"]);
}
