//! All of a large kind by a job: the same as by pages, in fewer calls, and by pages after all where there is no job.

use futures::FutureExt;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::{
    Error, ErrorKind, Mirror,
    mirror::{Ask, Changes, From, Seen},
};
use syncline_sandbox::{
    SalesforceConfig,
    salesforce::{FaultKind, FaultRule},
};

use super::lab::{Lab, map, names};
use crate::salesforce::{
    Salesforce,
    mirror::changes::{Pace, changes},
    settings::Org,
};

/// Pages of ten, and a job from twenty rows on.
const PACE: Pace = Pace { page: 10, job_from: 20 };

/// Where jobs that read are asked for.
fn jobs(lab: &Lab) -> Option<String> {
    Some(format!("{}/jobs/query", Org::read(&lab.asker.settings, "test").expect("sound").root()))
}

fn sorted(mut rows: Vec<Seen>, lab: &Lab, kind: &str) -> Vec<Seen> {
    let cx = lab.asker.cx();
    let described = Salesforce.describe(&cx, &[kind]).now_or_never().expect("the org answers at once").unwrap();
    let described = described.value[0].as_ref().expect("the kind is there");
    rows.iter_mut().for_each(|row| row.in_kinds(described));
    rows.sort_by(|one, two| one.id.cmp(&two.id));
    rows
}

/// The next part of the contacts.
fn next(lab: &Lab, fields: &[String], start: From<'_>) -> Result<Changes, Error> {
    let asks = [Ask { kind: "Contact", fields, start }];
    let answered = changes(&lab.asker.cx(), &asks, PACE).now_or_never().expect("the org answers at once");
    answered.map(|mut answered| answered.value.remove(0))
}

fn contact() -> impl Strategy<Value = Json> {
    let text = || prop_oneof!["[a-z]{1,8}", "[ -~\u{e4}\u{4e2d}]{1,20}", "[a-z]\"[,;\r\n]{1,3}[a-z]"];
    let optional = |made: BoxedStrategy<String>| proptest::option::of(made).prop_map(|text| json!(text));
    (
        text(),
        optional(text().boxed()),
        optional("(19|20)[0-9]{2}-0[1-9]-(1[0-9]|2[0-8])".boxed()),
        any::<bool>(),
        optional((0..90_i32, 0..999_u32).prop_map(|(whole, part)| format!("{whole}.{part:03}")).boxed()),
        0..4_u8,
    )
        .prop_map(|(last, description, birthday, out, latitude, account)| {
            json!({
                "LastName": format!("x{}", last.trim()), "Description": description, "Birthdate": birthday,
                "Opted_Out__c": out, "MailingLatitude": latitude.as_str().and_then(|n| n.parse::<f64>().ok()),
                "account": account,
            })
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever stands in the records, and whatever became of them.
    ///
    /// proves: R22, V1
    #[test]
    fn a_job_shows_what_pages_show(contacts in prop::collection::vec(contact(), 25..45), gone in 0..25_usize, lost in 0..25_usize) {
        let lab = Lab::new();
        let account = lab.seed("Account", json!({ "Name": "Acme, \"Ltd\"", "NumberOfEmployees": 7 }));
        let ids: Vec<String> = contacts.into_iter().map(|mut contact| {
            let with = contact.as_object_mut().unwrap().remove("account").unwrap() == json!(0);
            if with {
                contact["AccountId"] = json!(account);
            }
            lab.seed("Contact", contact)
        }).collect();
        if gone != lost {
            lab.org.merge(&ids[(lost + 1) % 25], &[&ids[lost]], &map(json!({}))).unwrap();
            // The winner may be the one.
            drop(lab.org.delete(&ids[gone]));
        }
        let fields = names(&[
            "LastName", "Description", "Birthdate", "Opted_Out__c", "MailingLatitude", "Account.Name", "Account.NumberOfEmployees",
            "CreatedDate", "AccountId",
        ]);
        let (pages, _) = lab.read("Contact", &fields, From::Beginning, 10, |_| {});
        let (whole, cursor) = lab.read_at("Contact", &fields, From::Beginning, PACE, |_| {});
        prop_assert!(cursor.starts_with("since "), "{}", cursor);
        prop_assert_eq!(sorted(whole, &lab, "Contact"), sorted(pages, &lab, "Contact"));
    }
}

/// proves: R22, P2
#[test]
fn a_large_kind_is_read_in_few_calls() {
    let lab = Lab::new();
    lab.contacts(12_000);
    lab.pass(1);
    let fields = names(&["FirstName", "LastName", "Email", "Account.Name"]);
    let pace = Pace { page: 2_000, job_from: 2_000 };
    let ((rows, _), calls) = lab.calls(|| lab.read_at("Contact", &fields, From::Beginning, pace, |_| {}));
    // A page, the job, two looks at it, and its results.
    assert!(rows.len() == 12_000 && calls <= 5, "{} rows, {calls} calls", rows.len());
}

/// What changes while the job is at work is read after it, and nobody is passed over.
///
/// proves: V1
#[test]
fn what_changes_meanwhile_comes_after() {
    let lab = Lab::with(SalesforceConfig { bulk_job_seconds: 300, ..SalesforceConfig::default() });
    let ids = lab.contacts(40);
    let fields = names(&["LastName"]);
    let mut made = None;
    let (rows, cursor) = lab.read_at("Contact", &fields, From::Beginning, PACE, |round| {
        if round == 4 {
            lab.org.edit(&ids[3], &map(json!({ "LastName": "Late" }))).unwrap();
            made = Some(lab.seed("Contact", json!({ "LastName": "New" })));
        }
    });
    assert!(rows.len() >= 40);
    let (after, _) = lab.read_at("Contact", &fields, From::Cursor(&cursor), PACE, |_| {});
    let named = |id: &str| after.iter().filter(|row| row.id.as_str() == id).count();
    assert_eq!((named(&ids[3]), named(&made.expect("the job took that long"))), (1, 1));
}

/// An org without jobs, one that gives them up, one that loses them, and one that is not done in time.
///
/// proves: R22, V1
#[test]
fn where_there_is_no_job_pages_go_on() {
    type Spoil = fn(&Lab);
    let refuse: Spoil = |lab| {
        let rule = FaultRule::new(FaultKind::Status);
        lab.fault(FaultRule { method: Some("POST".into()), path: jobs(lab), status: Some(404), ..rule });
    };
    let lose: Spoil = |lab| {
        let rule = FaultRule::new(FaultKind::Status);
        lab.fault(FaultRule { method: Some("GET".into()), path: jobs(lab), status: Some(404), ..rule });
    };
    for (spoil, takes) in [(refuse, 0), (lose, 0), ((|_| {}) as Spoil, 100_000)] {
        let lab = Lab::with(SalesforceConfig { bulk_job_seconds: takes, ..SalesforceConfig::default() });
        lab.contacts(40);
        spoil(&lab);
        let fields = names(&["LastName"]);
        let (rows, cursors) = walk(&lab, &fields, &mut 0);
        assert_eq!(rows, 40);
        let way: Vec<&str> = cursors.iter().filter_map(|cursor| cursor.split(' ').next()).collect();
        assert_eq!(way[..2], ["all", "all"]);
        assert_eq!(way[way.len() - 3..], ["all", "all", "since"], "{cursors:?}");
    }
}

/// A part that is cut is asked for again, smaller; it never counts as the whole.
///
/// proves: V1
#[test]
fn a_part_that_is_cut_is_no_part() {
    let lab = Lab::new();
    lab.contacts(40);
    let fields = names(&["LastName"]);
    let cut = FaultRule { method: Some("GET".into()), path: jobs(&lab), ..FaultRule::new(FaultKind::Truncated) };
    lab.fault(FaultRule { next: Some(4), ..cut });
    let mut failures = 0;
    let (rows, cursors) = walk(&lab, &fields, &mut failures);
    assert!(rows == 40 && failures > 0 && cursors.iter().any(|cursor| cursor.starts_with("job ")), "{cursors:?}");
}

/// Reads all contacts, however often a call fails: how many came, and the cursors in between.
fn walk(lab: &Lab, fields: &[String], failures: &mut usize) -> (usize, Vec<String>) {
    let (mut rows, mut cursors) = (0, Vec::<String>::new());
    for _ in 0..200 {
        match next(lab, fields, cursors.last().map_or(From::Beginning, |cursor| From::Cursor(cursor))) {
            Ok(changes) => {
                rows += changes.rows.len();
                lab.pass(i64::try_from(changes.ask_in.as_secs()).unwrap());
                cursors.push(changes.cursor);
                if !changes.more {
                    return (rows, cursors);
                }
            }
            Err(error) => {
                assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Protocol), "{error}");
                *failures += 1;
            }
        }
    }
    panic!("the reading does not end: {cursors:?}");
}
