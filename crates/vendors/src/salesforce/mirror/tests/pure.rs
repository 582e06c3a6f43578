//! The parts without any world: cursors, comma-separated values, queries, a job's words.

use proptest::prelude::*;
use serde_json::json;
use syncline_core::ids::RecordId;

use crate::salesforce::{
    id,
    mirror::{csv, cursor::Cursor, refusal::errors_of_job},
    query::{Query, Which},
    soql::{ApiName, Path},
};

fn sound_id() -> impl Strategy<Value = RecordId> {
    "[0-9A-Za-z]{15}".prop_map(|short| id::canonical(&short).expect("fifteen letters and digits"))
}

fn moment() -> impl Strategy<Value = jiff::Timestamp> {
    (0..4_000_000_000i64).prop_map(|second| jiff::Timestamp::from_second(second).expect("within the calendar"))
}

proptest! {
    #[test]
    fn a_cursor_is_read_as_it_was_written(
        id in sound_id(), one in moment(), two in moment(), read: u64, locator in "[!-~]{1,40}",
    ) {
        let job = |locator| Cursor::Job { began: one, after: id.clone(), id: id.as_str().to_owned(), locator };
        let cursors = [
            Cursor::All { began: one, after: id.clone(), read: None },
            Cursor::All { began: one, after: id.clone(), read: Some(read) },
            job(None),
            job(Some(locator)),
            Cursor::Round { until: one, stamp: two, after: id },
            Cursor::Since(one),
        ];
        for cursor in cursors {
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
    }

    #[test]
    fn any_text_is_a_cursor_or_none(text in "(all|job|round|since)?[ 0-9A-Za-z:.'-]{0,60}") {
        if let Some(cursor) = Cursor::parse(&text) {
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
    }

    #[test]
    fn lines_come_back_as_they_were_written(
        lines in prop::collection::vec(prop::collection::vec("[a-z\",;\r\n #é]{0,8}", 1..5), 0..6),
    ) {
        let mut text = String::new();
        lines.iter().for_each(|line| csv::push_line(&mut text, line.iter().map(String::as_str)));
        prop_assert_eq!(csv::parse(&text), lines);
    }

    #[test]
    fn any_text_can_be_read_as_lines(text in ".{0,80}") {
        let lines = csv::parse(&text);
        prop_assert!(lines.iter().map(Vec::len).sum::<usize>() <= text.chars().count() + 1);
    }
}

#[test]
fn lines_without_quotes_are_read_too() {
    assert_eq!(csv::parse("\u{feff}a,b\r\n1,\n\n,\"\"\n"), [["a", "b"], ["1", ""], ["", ""]]);
}

#[test]
fn queries_read_as_they_are_meant() {
    let object = ApiName::parse("Contact").unwrap();
    let columns = ["Id", "Account.Name"].map(|name| Path::parse(name).unwrap());
    let id = RecordId::new("003dM0000000001AAA");
    let [stamp, until] = ["2026-05-06T12:00:00Z", "2026-05-06T12:30:00Z"].map(|time| time.parse().unwrap());
    let text = |which| Query { object: &object, columns: &columns, which, all: &[], limit: Some(2_000) }.to_string();
    insta::assert_snapshot!(
        [
            text(Which::All { after: None }),
            text(Which::All { after: Some(id.clone()) }),
            text(Which::Since(stamp)),
            text(Which::Behind { stamp, after: id, until: Some(until) }),
        ]
        .join("\n"),
        @r"
    SELECT Id,Account.Name FROM Contact ORDER BY Id LIMIT 2000
    SELECT Id,Account.Name FROM Contact WHERE Id > '003dM0000000001AAA' ORDER BY Id LIMIT 2000
    SELECT Id,Account.Name FROM Contact WHERE SystemModstamp >= 2026-05-06T12:00:00Z ORDER BY SystemModstamp, Id LIMIT 2000
    SELECT Id,Account.Name FROM Contact WHERE SystemModstamp >= 2026-05-06T12:00:00Z AND SystemModstamp < 2026-05-06T12:30:00Z AND (SystemModstamp > 2026-05-06T12:00:00Z OR Id > '003dM0000000001AAA') ORDER BY SystemModstamp, Id LIMIT 2000
    "
    );
}

#[test]
fn paths_are_names_with_full_stops_between() {
    for wrong in ["", ".", "Account.", ".Name", "Account..Name", "Account.Na me", "A.B.C.D.E.F.G", "Name'"] {
        assert_eq!(Path::parse(wrong), None, "{wrong}");
    }
    assert_eq!(Path::parse("Account.Owner.Name").unwrap().to_string(), "Account.Owner.Name");
}

#[test]
fn a_jobs_words_are_read_as_errors() {
    assert_eq!(
        errors_of_job("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"),
        json!([{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]}])
    );
    assert_eq!(
        errors_of_job("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access: --"),
        json!([{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []}])
    );
    assert_eq!(errors_of_job(""), json!([{"statusCode": "", "message": "", "fields": []}]));
}
