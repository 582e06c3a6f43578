//! What changed is read whole, in few calls, whatever happens meanwhile.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use syncline_connect::{
    ErrorKind,
    mirror::{Ask, Fate, From, Seen},
};
use syncline_core::record::{Field, Value};
use syncline_sandbox::salesforce::{FaultKind, FaultRule, LeadConversion};

use super::lab::{Lab, map, names, text};
use crate::salesforce::{mirror::changes::ROWS_OF_SMALL_PAGE, query::OVERLAP};

/// proves: R22
#[test]
fn an_idle_look_at_four_kinds_is_one_call() {
    let lab = Lab::new();
    lab.contacts(3);
    let fields = names(&["Name"]);
    let kinds = ["Contact", "Lead", "Account", "Opportunity"];
    let start = From::Since(lab.asker.cx().now);
    let asks = kinds.map(|kind| Ask { kind, fields: &fields, start });
    let first = lab.changes(&asks).unwrap();
    assert_eq!(first.value.iter().map(|changes| changes.rows.len()).collect::<Vec<_>>(), [3, 0, 0, 0]);
    lab.pass(OVERLAP.as_secs() + 120);
    let cursors: Vec<String> = first.value.into_iter().map(|changes| changes.cursor).collect();
    let asks: Vec<Ask<'_>> = kinds
        .iter()
        .zip(&cursors)
        .map(|(kind, cursor)| Ask { kind, fields: &fields, start: From::Cursor(cursor) })
        .collect();
    lab.pass(120);
    let (second, calls) = lab.calls(|| lab.changes(&asks).unwrap());
    assert_eq!((calls, second.calls), (1, 1));
    // The clock of the first answer is where the second begins, less the overlap: nothing new there.
    assert!(second.value.iter().all(|changes| !changes.more));
    let cursors: Vec<String> = second.value.into_iter().map(|changes| changes.cursor).collect();
    let asks: Vec<Ask<'_>> = kinds
        .iter()
        .zip(&cursors)
        .map(|(kind, cursor)| Ask { kind, fields: &fields, start: From::Cursor(cursor) })
        .collect();
    let third = lab.changes(&asks).unwrap();
    assert!(third.value.iter().all(|changes| changes.rows.is_empty()));
}

/// proves: P2
#[test]
fn ten_thousand_changed_contacts_are_read_in_six_calls() {
    let lab = Lab::new();
    let ids = lab.contacts(10_000);
    // What changes in the very second in which a round begins belongs to the next one.
    lab.pass(1);
    let fields = names(&["FirstName", "LastName", "Email", "Account.Name"]);
    for start in [From::Since(lab.asker.cx().now), From::Beginning] {
        let ((rows, cursor), calls) = lab.calls(|| lab.read("Contact", &fields, start, 2_000, |_| {}));
        assert!(calls <= 6, "{calls} calls");
        let mut seen: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), rows.len()), (ids.len(), ids.len()));
        assert!(cursor.starts_with("since "), "{cursor}");
    }
}

/// proves: R7, R16
#[test]
fn a_row_says_what_became_of_the_record() {
    let lab = Lab::new();
    let account = lab.seed("Account", json!({ "Name": "Acme" }));
    let [kept, lost, gone] = ["Kept", "Lost", "Gone"].map(|name| lab.seed("Contact", json!({ "LastName": name })));
    let lead = lab.seed("Lead", json!({ "LastName": "Leading", "Company": "Acme", "Status": "Open - Not Contacted" }));
    lab.org.edit(&kept, &map(json!({ "AccountId": account, "Opted_Out__c": true, "MailingCity": "Berlin" }))).unwrap();
    lab.org.merge(&kept, &[&lost], &map(json!({}))).unwrap();
    lab.org.delete(&gone).unwrap();
    let asked = LeadConversion {
        lead_id: lead.clone(),
        converted_status: "Closed - Converted".into(),
        account_id: Some(account),
        contact_id: Some(kept.clone()),
        do_not_create_opportunity: true,
        ..LeadConversion::default()
    };
    lab.org.convert_lead(&asked).unwrap();

    let fields = names(&["LastName", "Opted_Out__c", "Account.Name", "Birthdate", "MailingAddress"]);
    let (contacts, _) = lab.read("Contact", &fields, From::Since(lab.asker.cx().now), 2_000, |_| {});
    let by_id: BTreeMap<&str, &Seen> = contacts.iter().map(|row| (row.id.as_str(), row)).collect();
    assert_eq!(by_id[gone.as_str()].fate, Fate::Deleted);
    assert_eq!(by_id[lost.as_str()].fate, Fate::MergedInto(kept.as_str().into()));
    let row = by_id[kept.as_str()];
    assert_eq!(row.fate, Fate::Live);
    assert_eq!(row.fields["LastName"], text("Kept"));
    assert_eq!(row.fields["Opted_Out__c"], Value::Bool(true));
    assert_eq!(row.fields["Account.Name"], text("Acme"));
    assert_eq!(row.fields["Birthdate"], Value::Null);
    assert!(!row.fields.contains_key("MailingAddress"), "a compound field has no value of its own");
    assert!(row.changed_at.is_some());
    assert_eq!(by_id[gone.as_str()].fields["Account.Name"], Value::Null);
    let (leads, _) = lab.read("Lead", &names(&["Company"]), From::Beginning, 2_000, |_| {});
    assert_eq!(leads[0].fate, Fate::ConvertedTo(kept.as_str().into()));
}

#[test]
fn our_own_changes_are_known_where_the_user_is() {
    let mut lab = Lab::new();
    let id = lab.contacts(1).remove(0);
    let changed = |lab: &Lab| lab.fetch("Contact", &[id.as_str().into()], &["Email"]).value[0].ours;
    assert_eq!(changed(&lab), Some(true), "the administrator of the org is the user who logs in");
    lab.asker.settings.insert("user_id".to_owned(), "005dM0000000001".to_owned());
    assert_eq!(changed(&lab), Some(false));
    lab.asker.settings.clear();
    assert_eq!(changed(&lab), None);
}

#[test]
fn a_field_that_is_not_there_is_named() {
    let lab = Lab::new();
    let ask = |fields: &[&str]| {
        let fields = names(fields);
        let asks = [
            Ask { kind: "Account", fields: &[], start: From::Beginning },
            Ask { kind: "Contact", fields: &fields, start: From::Beginning },
        ];
        lab.changes(&asks).unwrap_err()
    };
    let error = ask(&["LastName", "Lost__c"]);
    assert_eq!((error.kind, error.fields), (ErrorKind::Field, vec![Field::Native("Lost__c".into())]));
    let error = ask(&["Account.Lost__c"]);
    assert_eq!((error.kind, error.fields), (ErrorKind::Field, vec![Field::Native("Account.Lost__c".into())]));
    let error = ask(&["Name FROM Account"]);
    assert_eq!(error.kind, ErrorKind::Configuration);
}

#[test]
fn an_org_without_the_key_field_is_told_so() {
    let mut config = syncline_sandbox::SalesforceConfig::default();
    config.custom_fields.retain(|field| field.object != "Lead");
    let lab = Lab::with(config);
    let asks = [Ask { kind: "Lead", fields: &[], start: From::Beginning }];
    let error = lab.changes(&asks).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("Syncline_Uid__c"), "{error}");
}

#[test]
fn a_cursor_of_another_make_is_refused() {
    let lab = Lab::new();
    let asks = [Ask { kind: "Contact", fields: &[], start: From::Cursor("{\"page\":3}") }];
    assert_eq!(lab.changes(&asks).unwrap_err().kind, ErrorKind::Configuration);
    let asks = [Ask { kind: "Case", fields: &[], start: From::Beginning }];
    assert_eq!(lab.changes(&asks).unwrap_err().kind, ErrorKind::Configuration);
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_in_smaller_pages() {
    let lab = Lab::new();
    lab.contacts(ROWS_OF_SMALL_PAGE + 1);
    lab.fault(FaultRule { next: Some(1), ..FaultRule::new(FaultKind::Truncated) });
    let asks = [Ask { kind: "Contact", fields: &[], start: From::Beginning }];
    let answered = lab.changes(&asks).unwrap();
    assert_eq!((answered.calls, answered.value[0].rows.len(), answered.value[0].more), (2, ROWS_OF_SMALL_PAGE, true));
    lab.fault(FaultRule { next: Some(2), ..FaultRule::new(FaultKind::Truncated) });
    assert_eq!(lab.changes(&asks).unwrap_err().kind, ErrorKind::Unavailable);
}

/// One thing that happens in the org.
#[derive(Debug, Clone)]
enum Act {
    Create,
    Edit(prop::sample::Index),
    Delete(prop::sample::Index),
    /// A change that was under way for so many seconds before it shows.
    Late(i64),
    Pass(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Create),
        4 => any::<prop::sample::Index>().prop_map(Act::Edit),
        1 => any::<prop::sample::Index>().prop_map(Act::Delete),
        1 => (1..OVERLAP.as_secs()).prop_map(Act::Late),
        2 => (0..300i64).prop_map(Act::Pass),
    ]
}

impl Act {
    fn happen(&self, lab: &Lab, made: &mut Vec<String>, turn: usize) {
        let name = json!({ "LastName": format!("Turn {turn}") });
        match self {
            Act::Create => made.push(lab.seed("Contact", name)),
            Act::Edit(which) if !made.is_empty() => drop(lab.org.edit(&made[which.index(made.len())], &map(name))),
            Act::Delete(which) if !made.is_empty() => drop(lab.org.delete(&made[which.index(made.len())])),
            Act::Edit(_) | Act::Delete(_) => {}
            Act::Late(seconds) => {
                let began = lab.asker.cx().now - jiff::SignedDuration::from_secs(*seconds);
                made.push(lab.seed("Contact", json!({ "LastName": "Late", "SystemModstamp": began.to_string() })));
            }
            Act::Pass(seconds) => lab.pass(*seconds),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever changes between two pages, after a round past the last change everything was seen as it is.
    #[test]
    fn no_change_is_lost(
        acts in prop::collection::vec(act(), 1..40),
        page in 1..5usize,
        whole in any::<bool>(),
    ) {
        let lab = Lab::new();
        let fields = names(&["LastName"]);
        let mut made = Vec::new();
        for (turn, act) in acts.iter().take(8).enumerate() {
            act.happen(&lab, &mut made, turn);
        }
        let mut image: BTreeMap<String, (Fate, Value)> = BTreeMap::new();
        let mut note = |rows: Vec<Seen>| {
            for row in rows {
                image.insert(row.id.as_str().to_owned(), (row.fate, row.fields["LastName"].clone()));
            }
        };
        let mut turns = acts.iter().enumerate().skip(8);
        let began = lab.asker.cx().now - jiff::SignedDuration::from_hours(2);
        let start = if whole { From::Beginning } else { From::Since(began) };
        let (rows, mut cursor) = lab.read("Contact", &fields, start, page, |_| {
            for (turn, act) in turns.by_ref().take(2) {
                act.happen(&lab, &mut made, turn);
            }
        });
        note(rows);
        for _ in 0..40 {
            let mut moved = false;
            for (turn, act) in turns.by_ref().take(2) {
                act.happen(&lab, &mut made, turn);
                moved = true;
            }
            lab.pass(60);
            let (rows, next) = lab.read("Contact", &fields, From::Cursor(&cursor), page, |_| {});
            note(rows);
            cursor = next;
            if !moved {
                break;
            }
        }
        for record in lab.org.records("Contact") {
            let id = record["Id"].as_str().unwrap();
            let fate = if record["IsDeleted"] == true { Fate::Deleted } else { Fate::Live };
            let name = text(record["LastName"].as_str().unwrap());
            prop_assert_eq!(image.get(id), Some(&(fate, name)), "{}", id);
        }
    }
}
