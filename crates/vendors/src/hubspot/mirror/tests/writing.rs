//! Rows written by batches, each by itself.

use proptest::prelude::*;
use syncline_connect::{
    ErrorKind, Mirror, Retry, Settings,
    mirror::{RowOutcome, RowWrite},
};
use syncline_core::record::{Role, Value};
use syncline_sandbox::{Fault, FaultKind, FaultRule, HubSpotConfig};

use super::lab::{Lab, create, delete, refusal, text, update};
use crate::hubspot::HubSpot;

fn is_done(outcome: &RowOutcome) -> bool {
    matches!(outcome, RowOutcome::Done { .. })
}

fn once(kind: FaultKind, status: u16) -> FaultRule {
    FaultRule { fault: Fault { kind, status, delay_ms: 0 }, method: None, path: None, after: 0, times: Some(1) }
}

/// proves: P2
#[test]
fn ten_thousand_changes_are_a_hundred_calls() {
    let lab = Lab::new();
    let ids = lab.contacts(10_000);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("jobtitle", text("Boss"))])).collect();
    let carries = HubSpot.carries(&Settings::new(), "contacts", rows.len());
    let (outcomes, calls) =
        lab.calls(|| rows.chunks(carries).flat_map(|rows| lab.rows("contacts", rows)).collect::<Vec<_>>());
    assert_eq!(calls, 100);
    for (outcome, id) in outcomes.iter().zip(&ids) {
        assert_eq!(outcome, &RowOutcome::Done { id: id.as_str().into() });
    }
}

#[test]
fn rows_of_every_sort_find_their_places_again() {
    let lab = Lab::new();
    let ids = lab.contacts(3);
    let rows = [
        delete(&ids[2]),
        create("sy_1", &[("email", text("new@example.org")), ("hs_email_optout", Value::Bool(true))]),
        update(
            &ids[0],
            &[
                ("email", Value::Null),
                ("closedate", Value::Time("2026-05-06T12:00:00Z".parse().unwrap())),
                ("hs_buying_role", text("BLOCKER;OTHER")),
            ],
        ),
        update(&ids[1], &[("lastname", text("Person; with \"quotes\""))]),
    ];
    let (outcomes, calls) = lab.calls(|| lab.rows("contacts", &rows));
    assert_eq!(calls, 3);
    assert!(outcomes.iter().all(is_done), "{outcomes:?}");
    assert!(lab.account.record("contacts", &ids[2]).unwrap().archived);
    assert_eq!(lab.property("contacts", &ids[0], "email"), None);
    assert_eq!(lab.property("contacts", &ids[0], "closedate").as_deref(), Some("2026-05-06T12:00:00Z"));
    assert_eq!(lab.property("contacts", &ids[0], "hs_buying_role").as_deref(), Some("BLOCKER;OTHER"));
    assert_eq!(lab.property("contacts", &ids[1], "lastname").as_deref(), Some("Person; with \"quotes\""));
    let RowOutcome::Done { id } = &outcomes[1] else { panic!("it was made") };
    assert_eq!(lab.property("contacts", id.as_str(), "syncline_key").as_deref(), Some("sy_1"));
    assert_eq!(lab.property("contacts", id.as_str(), "hs_email_optout").as_deref(), Some("true"));
    // The same once more makes nothing twice.
    assert_eq!(lab.rows("contacts", &rows[..2]), outcomes[..2]);
}

#[test]
fn a_refused_row_stops_no_other() {
    let lab = Lab::new();
    let ids = lab.contacts(4);
    lab.account.archive("contacts", &ids[3]).unwrap();
    let rows = [
        update(&ids[0], &[("lastname", text("fine"))]),
        update(&ids[1], &[("email", text("no address"))]),
        update(&ids[2], &[("nowhere", text("x"))]),
        update(&ids[3], &[("lastname", text("gone"))]),
        create("sy_1", &[("email", text("person0@example.org"))]),
        update("nonsense", &[]),
        update(&ids[2], &[("Bad Name", text("x"))]),
        update(&ids[1], &[("lifecyclestage", text("none such"))]),
        update(&ids[2], &[("lastmodifieddate", text("1778068800000"))]),
    ];
    let outcomes = lab.rows("contacts", &rows);
    let told = |at: usize| {
        let error = refusal(&outcomes[at]);
        (error.kind, error.fields.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert!(is_done(&outcomes[0]));
    assert_eq!(told(1), (ErrorKind::Invalid, vec!["@email".to_owned()]));
    assert_eq!(told(2), (ErrorKind::Field, vec!["@nowhere".to_owned()]));
    assert_eq!(told(3).0, ErrorKind::Gone);
    assert_eq!(told(4).0, ErrorKind::KeyTaken);
    assert_eq!(refusal(&outcomes[4]).matches, [(Role::Contact, ids[0].as_str().into())]);
    assert_eq!(told(5).0, ErrorKind::Configuration);
    assert_eq!(told(6), (ErrorKind::Configuration, vec!["@Bad Name".to_owned()]));
    assert_eq!(told(7), (ErrorKind::Invalid, vec!["@lifecyclestage".to_owned()]));
    assert_eq!(told(8), (ErrorKind::Field, vec!["@lastmodifieddate".to_owned()]));
}

#[test]
fn an_account_without_the_key_property_is_told_so() {
    let lab = Lab::with(HubSpotConfig::default());
    let outcomes = lab.rows("contacts", &[create("sy_1", &[("email", text("a@example.org"))])]);
    let error = refusal(&outcomes[0]);
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("syncline_key"), "{error}");
}

#[test]
fn a_record_that_was_merged_meanwhile_is_written_where_it_is_now() {
    let lab = Lab::new();
    let ids = lab.contacts(2);
    let survivor = lab.account.merge("contacts", &ids[0], &ids[1]).unwrap();
    let outcomes = lab.rows("contacts", &[update(&ids[1], &[("lastname", text("One"))])]);
    assert_eq!(outcomes, [RowOutcome::Done { id: survivor.as_str().into() }]);
}

#[test]
fn refusals_of_whole_calls_and_lost_answers() {
    let lab = Lab::new();
    let ids = lab.contacts(2);
    let rows: Vec<RowWrite> = ids.iter().map(|id| update(id, &[("lastname", text("x"))])).collect();
    let refused = |rule| {
        lab.account.faults().add(rule);
        let error = lab.write("contacts", &rows).unwrap_err();
        (error.kind, error.retry)
    };
    assert_eq!(refused(once(FaultKind::Unauthorized, 401)), (ErrorKind::Unauthorised, Retry::Reauthorise));
    assert_eq!(refused(once(FaultKind::Limited, 429)).0, ErrorKind::RateLimited);
    assert_eq!(refused(once(FaultKind::Status, 423)).0, ErrorKind::Locked);
    assert_eq!(refused(once(FaultKind::Status, 477)).0, ErrorKind::Unavailable);
    assert_eq!(refused(once(FaultKind::Status, 503)).0, ErrorKind::Unavailable);
    for rule in [once(FaultKind::LostAnswer, 500), once(FaultKind::Status, 502), once(FaultKind::FailedInBody, 500)] {
        lab.account.faults().add(rule);
        let outcomes = lab.rows("contacts", &rows);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Unknown(_))), "{outcomes:?}");
    }
}

#[test]
fn nothing_to_write_is_no_call() {
    let lab = Lab::new();
    let (outcomes, calls) = lab.calls(|| lab.rows("contacts", &[]));
    assert_eq!((outcomes.len(), calls), (0, 0));
    assert_eq!(lab.write("meetings", &[]).unwrap_err().kind, ErrorKind::Configuration);
    for waiting in [0, 1, 99, 100, 101, 10_000] {
        assert!((1..=100).contains(&HubSpot.carries(&Settings::new(), "contacts", waiting)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any mixture of rows, the same record several times among them: as many outcomes as rows, and no more calls than
    /// rows.
    #[test]
    fn every_row_has_an_outcome(kinds in prop::collection::vec((0..3u8, 0..6usize), 0..40)) {
        let lab = Lab::new();
        let ids = lab.contacts(6);
        let rows: Vec<RowWrite> = kinds
            .iter()
            .map(|(kind, which)| match kind {
                0 => update(&ids[*which], &[("lastname", text("x"))]),
                1 => create(&format!("sy_{which}"), &[("lastname", text("y"))]),
                _ => delete(&ids[*which]),
            })
            .collect();
        let (outcomes, calls) = lab.calls(|| lab.rows("contacts", &rows));
        prop_assert_eq!(outcomes.len(), rows.len());
        prop_assert!(calls <= rows.len() as u64);
        prop_assert!(outcomes.iter().all(is_done), "{:?}", outcomes);
    }
}
