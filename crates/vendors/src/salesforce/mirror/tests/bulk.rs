//! Rows written by jobs: few calls however many rows, and every row told for itself.

use serde_json::{Value as Json, json};
use syncline_connect::{
    ErrorKind, Retry,
    mirror::{RowOutcome, RowWrite, Written},
};
use syncline_core::record::Value;
use syncline_sandbox::salesforce::{FaultKind, FaultRule};

use super::lab::{Lab, create, delete, refusal, text, update};

/// Hands over, waits, collects; the outcomes and how many calls it took.
fn by_job(lab: &Lab, kind: &str, rows: &[RowWrite]) -> (Vec<RowOutcome>, u64) {
    lab.calls(|| {
        let written = lab.write(kind, rows).expect("the org answers");
        let mut calls = u64::from(written.calls);
        let mut value = written.value;
        for _ in 0..5 {
            match value {
                Written::Rows(outcomes) => {
                    assert_eq!(lab.org.calls().total, lab.org.request_count());
                    assert!(calls > 0);
                    return outcomes;
                }
                Written::Later { ticket, ask_in } => {
                    lab.pass(i64::try_from(ask_in.as_secs()).unwrap());
                    let next = lab.collect(kind, &ticket, rows).expect("the org answers");
                    calls += u64::from(next.calls);
                    value = next.value;
                }
            }
        }
        panic!("the job does not end");
    })
}

/// proves: P2
#[test]
fn ten_thousand_changes_are_ten_calls() {
    let lab = Lab::new();
    let ids = lab.contacts(10_000);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Title", text("Boss, \"the\""))])).collect();
    let (outcomes, calls) = by_job(&lab, "Contact", &rows);
    assert!(calls <= 10, "{calls} calls");
    for (outcome, id) in outcomes.iter().zip(&ids) {
        assert_eq!(outcome, &RowOutcome::Done { id: id.as_str().into() });
    }
    assert!(lab.org.records("Contact").iter().all(|record| record["Title"] == "Boss, \"the\""));
}

#[test]
fn rows_of_every_sort_find_their_places_again() {
    let lab = Lab::new();
    let ids = lab.contacts(2_100);
    lab.org.delete(&ids[7]).unwrap();
    let rows: Vec<RowWrite> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| match n % 3 {
            0 => update(id, &[("Email", Value::Null), ("Title", text("a\nb"))]),
            1 if n == 7 => update(id, &[("Title", text("too late"))]),
            1 => create(&format!("sy_{n}"), &[("LastName", text("New")), ("Opted_Out__c", Value::Bool(n % 2 == 0))]),
            _ if n == 2 => update(id, &[("Account.Name", text("never"))]),
            _ if n == 5 => create("sy_five", &[("FirstName", text("Nameless"))]),
            _ => delete(id),
        })
        .collect();
    let (outcomes, _) = by_job(&lab, "Contact", &rows);
    assert_eq!(outcomes.len(), rows.len());
    let done = |at: usize| match &outcomes[at] {
        RowOutcome::Done { id } => id.as_str(),
        other => panic!("row {at}: {other:?}"),
    };
    for (n, id) in ids.iter().enumerate() {
        match n {
            2 => assert_eq!(refusal(&outcomes[n]).kind, ErrorKind::Configuration),
            5 => assert_eq!(refusal(&outcomes[n]).kind, ErrorKind::Invalid),
            7 => assert_eq!(refusal(&outcomes[n]).kind, ErrorKind::Gone),
            _ if n % 3 == 1 => assert_ne!(done(n), id),
            _ => assert_eq!(done(n), id),
        }
    }
    let record = lab.record("Contact", &ids[0]);
    assert_eq!((&record["Email"], &record["Title"]), (&Json::Null, &json!("a\nb")));
    assert_eq!(lab.record("Contact", &ids[8])["IsDeleted"], true);
    let made = lab.record("Contact", done(4));
    assert_eq!((&made["Syncline_Uid__c"], &made["Opted_Out__c"]), (&json!("sy_4"), &json!(true)));
}

#[test]
fn a_value_that_a_cell_cannot_hold_goes_another_way() {
    let lab = Lab::new();
    let ids = lab.contacts(2_000);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Title", text("#N/A"))])).collect();
    let outcomes = lab.rows("Contact", &rows);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Done { .. })));
    assert_eq!(lab.record("Contact", &ids[1_999])["Title"], "#N/A");
}

#[test]
fn nothing_is_begun_unless_all_is_handed_over_and_what_was_lost_is_begun_later() {
    let lab = Lab::new();
    let ids = lab.contacts(2_000);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Title", text("Boss"))])).collect();
    lab.fault(FaultRule { method: Some("PUT".into()), next: Some(1), ..FaultRule::new(FaultKind::LostRequest) });
    let error = lab.write("Contact", &rows).unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Backoff));
    lab.pass(600);
    assert!(lab.org.records("Contact").iter().all(|record| record["Title"] != "Boss"), "nothing was done");
    lab.fault(FaultRule { method: Some("PATCH".into()), next: Some(1), ..FaultRule::new(FaultKind::LostRequest) });
    let (outcomes, _) = by_job(&lab, "Contact", &rows);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Done { .. })));
}

#[test]
fn a_job_that_fails_whole_says_so_of_every_row() {
    let lab = Lab::new();
    let ids = lab.contacts(2_000);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("Nowhere__c", text("x"))])).collect();
    let (outcomes, _) = by_job(&lab, "Contact", &rows);
    assert!(outcomes.iter().all(|outcome| refusal(outcome).kind == ErrorKind::Field));
    assert_eq!(refusal(&outcomes[0]).fields[0].to_string(), "@Nowhere__c");
    let lost = lab.collect("Contact", "update:750dM0000009999:2000", &rows).unwrap().value;
    let Written::Rows(outcomes) = lost else { panic!("the job is not there") };
    assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Unknown(_))));
    let error = lab.collect("Contact", "update:../../x:3", &rows).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
}

#[test]
fn rows_that_no_job_can_carry_are_refused_without_a_call() {
    let lab = Lab::new();
    let rows: Vec<RowWrite> = (0..2_000).map(|_| update("nonsense", &[])).collect();
    let (outcomes, calls) = lab.calls(|| lab.rows("Contact", &rows));
    assert_eq!((outcomes.len(), calls), (2_000, 0));
    assert_eq!(refusal(&outcomes[1_999]).kind, ErrorKind::Configuration);
}
