//! What changed is read whole, whatever happens meanwhile and however late a search knows of it.

use std::{collections::BTreeMap, time::Duration};

use futures::FutureExt;
use jiff::SignedDuration;
use proptest::prelude::*;
use syncline_connect::{
    ErrorKind, Mirror,
    mirror::{Ask, Fate, From, Seen},
};
use syncline_core::record::Value;

use super::lab::{Lab, names, text};
use crate::hubspot::{HubSpot, mirror::cursor::Cursor, span::OVERLAP};

/// proves: R22
#[test]
fn an_idle_look_is_a_call_a_kind() {
    let lab = Lab::new();
    let cx = lab.asker.cx();
    let start = From::Since(cx.now);
    let asks = ["contacts", "companies", "deals", "tickets"].map(|kind| Ask { kind, fields: &[], start });
    let answered = HubSpot.changes(&cx, &asks).now_or_never().unwrap().unwrap();
    assert_eq!((answered.calls, answered.value.len()), (4, 4));
    assert!(answered.value.iter().all(|changes| !changes.more && changes.rows.is_empty()));
}

#[test]
fn ten_thousand_changed_contacts_are_read_in_some_fifty_calls() {
    let lab = Lab::new();
    for n in 0..10_000 {
        lab.account.create("contacts", &[("email", &format!("person{n}@example.org"))]).unwrap();
        if n % 150 == 0 {
            lab.pass(1);
        }
    }
    let fields = names(&["email"]);
    let since = lab.asker.cx().now - SignedDuration::from_hours(1);
    let ((rows, cursor), calls) = lab.calls(|| lab.read("contacts", &fields, From::Since(since), 200, |_| {}));
    let mut seen: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10_000);
    // 50 are the least; moments that stand on the border of two pages are read twice.
    assert!(calls <= 220, "{calls} calls");
    assert!(cursor.starts_with("since "));
    let ((rows, _), calls) = lab.calls(|| lab.read("contacts", &fields, From::Beginning, 200, |_| {}));
    assert_eq!((rows.len(), calls), (10_000, 100));
}

#[test]
fn more_records_of_one_moment_than_a_page_are_read_whole() {
    let lab = Lab::new();
    let ids = lab.contacts(23);
    lab.pass(5);
    let since = lab.asker.cx().now - SignedDuration::from_hours(1);
    let (rows, cursor) = lab.read("contacts", &[], From::Since(since), 5, |_| {});
    for id in ids {
        assert!(rows.iter().any(|row| row.id.as_str() == id), "{id}");
    }
    assert!(cursor.starts_with("since "), "{cursor}");
}

/// proves: R16
#[test]
fn a_merged_record_says_into_which() {
    let lab = Lab::new();
    let ids = lab.contacts(3);
    let since = lab.asker.cx().now;
    let survivor = lab.account.merge("contacts", &ids[0], &ids[1]).unwrap();
    let (rows, _) = lab.read("contacts", &names(&["email"]), From::Since(since), 200, |_| {});
    let fates: BTreeMap<&str, &Fate> = rows.iter().map(|row| (row.id.as_str(), &row.fate)).collect();
    assert_eq!(fates[survivor.as_str()], &Fate::Live);
    for lost in &ids[..2] {
        assert_eq!(fates[lost.as_str()], &Fate::MergedInto(survivor.as_str().into()));
    }
    assert_eq!(fates[ids[2].as_str()], &Fate::Live);
}

#[test]
fn a_value_comes_in_the_kind_that_is_described() {
    let lab = Lab::new();
    let id = lab.contacts(1).remove(0);
    lab.account
        .edit(
            "contacts",
            &id,
            &[("hs_email_optout", "true"), ("hs_buying_role", "OTHER;BLOCKER"), ("closedate", "1778068800000")],
        )
        .unwrap();
    let described = HubSpot.describe(&lab.asker.cx(), &["contacts"]).now_or_never().unwrap().unwrap();
    let described = described.value[0].clone().unwrap();
    let fields = names(&["hs_email_optout", "hs_buying_role", "closedate", "phone", "nowhere", "num_notes"]);
    let (mut rows, _) = lab.read("contacts", &fields, From::Beginning, 100, |_| {});
    rows[0].in_kinds(&described);
    let shown = &rows[0].fields;
    assert_eq!(shown["hs_email_optout"], Value::Bool(true));
    assert_eq!(shown["hs_buying_role"], text("BLOCKER;OTHER"));
    assert_eq!(shown["closedate"], Value::Time("2026-05-06T12:00:00Z".parse().unwrap()));
    assert_eq!(shown["phone"], Value::Null);
    assert!(!shown.contains_key("nowhere"), "what is not shown is not blank");
    assert!(rows[0].changed_at.is_some());
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let lab = Lab::new();
    let cx = lab.asker.cx();
    let ask = |kind, start| HubSpot.changes(&cx, &[Ask { kind, fields: &[], start }]).now_or_never().unwrap();
    assert_eq!(ask("meetings", From::Beginning).unwrap_err().kind, ErrorKind::Configuration);
    assert_eq!(ask("contacts", From::Cursor("page 3")).unwrap_err().kind, ErrorKind::Configuration);
}

proptest! {
    #[test]
    fn a_cursor_is_read_as_it_was_written(one in 0..4_000_000_000_000i64, two in 0..4_000_000_000_000i64, id in 1..u32::MAX) {
        let time = |ms| jiff::Timestamp::from_millisecond(ms).unwrap();
        let cursors = [
            Cursor::All { began: time(one), after: format!("{id}%3D") },
            Cursor::Round { until: time(one), from: time(two) },
            Cursor::Tie { until: time(one), at: time(two), after: id.to_string() },
            Cursor::Since(time(two)),
        ];
        for cursor in cursors {
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
    }
}

/// One thing that happens in the account.
#[derive(Debug, Clone)]
enum Act {
    Create(usize),
    Edit(prop::sample::Index),
    Pass(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..5usize).prop_map(Act::Create),
        4 => any::<prop::sample::Index>().prop_map(Act::Edit),
        2 => (0..200i64).prop_map(Act::Pass),
    ]
}

fn happen(act: &Act, lab: &Lab, made: &mut Vec<String>, turn: usize) {
    let name = format!("turn {turn}");
    match act {
        // Several at the same moment.
        Act::Create(count) => {
            made.extend((0..*count).map(|_| lab.account.create("contacts", &[("lastname", &name)]).unwrap()));
        }
        Act::Edit(which) if !made.is_empty() => {
            lab.account.edit("contacts", &made[which.index(made.len())], &[("lastname", &name)]).unwrap();
        }
        Act::Edit(_) => {}
        Act::Pass(seconds) => lab.pass(*seconds),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever changes between two pages, and although a search knows of it only later: once everything rests, all was
    /// seen as it is.
    #[test]
    fn no_change_is_lost(
        acts in prop::collection::vec(act(), 1..40),
        page in 1..5usize,
        lag in 0..600u64,
        whole in any::<bool>(),
    ) {
        let lab = Lab::new();
        lab.account.set_search_lag(Duration::from_secs(lag));
        let fields = names(&["lastname"]);
        let began = lab.asker.cx().now;
        let mut made = Vec::new();
        let mut image: BTreeMap<String, Value> = BTreeMap::new();
        let mut note = |rows: Vec<Seen>| {
            for row in rows {
                image.insert(row.id.as_str().to_owned(), row.fields["lastname"].clone());
            }
        };
        let mut turns = acts.iter().enumerate();
        for (turn, act) in turns.by_ref().take(8) {
            happen(act, &lab, &mut made, turn);
        }
        let start = if whole { From::Beginning } else { From::Since(began) };
        let (rows, mut cursor) = lab.read("contacts", &fields, start, page, |_| {
            for (turn, act) in turns.by_ref().take(2) {
                happen(act, &lab, &mut made, turn);
            }
        });
        note(rows);
        loop {
            let mut moved = false;
            for (turn, act) in turns.by_ref().take(2) {
                happen(act, &lab, &mut made, turn);
                moved = true;
            }
            if !moved {
                lab.pass(OVERLAP.as_secs() - 1);
            }
            let (rows, next) = lab.read("contacts", &fields, From::Cursor(&cursor), page, |_| {});
            note(rows);
            cursor = next;
            if !moved {
                break;
            }
            lab.pass(60);
        }
        for record in lab.account.snapshot().remove("contacts").unwrap_or_default() {
            let name = text(&record.properties["lastname"]);
            prop_assert_eq!(image.get(&record.id), Some(&name), "{}", record.id);
        }
    }
}
