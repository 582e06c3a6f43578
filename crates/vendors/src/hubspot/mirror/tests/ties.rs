//! Whom deals belong to.

use syncline_connect::{
    ErrorKind,
    mirror::{Op, RowOutcome, RowWrite, Seen},
};
use syncline_core::{
    ids::RecordId,
    record::{Field, Value},
};
use syncline_sandbox::{Fault, FaultKind, FaultRule};

use super::lab::{Lab, create, refusal, text, update};

const PERSON: &str = "associations.contacts";
const COMPANY: &str = "associations.companies";

fn id(id: &str) -> Value {
    Value::Id(RecordId::new(id))
}

fn made(lab: &Lab, rows: &[RowWrite]) -> Vec<String> {
    let done = |outcome: RowOutcome| match outcome {
        RowOutcome::Done { id } => id.as_str().to_owned(),
        other => panic!("not done: {other:?}"),
    };
    lab.rows("deals", rows).into_iter().map(done).collect()
}

/// The update of a deal that was told before whom it belongs to.
fn moved(deal: &str, before: &str, now: Value) -> RowWrite {
    let seen = Seen::live(deal.into(), [(PERSON.to_owned(), id(before))].into());
    RowWrite { op: Op::Update { id: deal.into() }, fields: vec![(PERSON.to_owned(), now)], seen: Some(seen) }
}

/// A hundred deals with person and company take three calls, and one who belongs to somebody else by now is parted from
/// whom he belonged to; what people associate besides stays.
///
/// proves: R7, P2
#[test]
fn deals_belong_to_people_and_companies_in_few_calls() {
    let lab = Lab::new();
    let people = lab.contacts(102);
    let company = lab.account.create("companies", &[("name", "Engines")]).unwrap();
    let rows: Vec<RowWrite> = (0..100)
        .map(|n| {
            let fields = [("dealname", text("Engine")), (PERSON, id(&people[n])), (COMPANY, id(&company))];
            create(&format!("sy_{n}"), &fields)
        })
        .collect();
    let (deals, calls) = lab.calls(|| made(&lab, &rows));
    assert_eq!(calls, 3, "one for the deals and one for each kind of whom they belong to");
    for (deal, person) in deals.iter().zip(&people) {
        assert_eq!(lab.associated("deals", deal, "contacts"), std::slice::from_ref(person));
        assert_eq!(lab.associated("deals", deal, "companies"), std::slice::from_ref(&company));
    }
    lab.account.associate(("deals", &deals[0]), ("contacts", &people[101]), None).unwrap();
    let (_, calls) = lab.calls(|| made(&lab, &[moved(&deals[0], &people[0], id(&people[100]))]));
    assert_eq!(calls, 2, "one that joins and one that parts");
    assert_eq!(lab.associated("deals", &deals[0], "contacts"), [people[100].clone(), people[101].clone()]);
    made(&lab, &[moved(&deals[0], &people[100], Value::Null)]);
    assert_eq!(lab.associated("deals", &deals[0], "contacts"), [people[101].clone()]);
    let (_, calls) = lab.calls(|| made(&lab, &[moved(&deals[1], &people[1], id(&people[1]))]));
    assert_eq!(calls, 0, "nothing is to be done");
}

/// One whose person is gone is refused by the field's name, and no other with it; a deal that was made all the same is
/// looked for, and not made again.
///
/// proves: R7, V2
#[test]
fn a_person_who_is_gone_stops_no_other_deal() {
    let lab = Lab::new();
    let people = lab.contacts(1);
    let new = |key: &str, person: &str| create(key, &[("dealname", text("Engine")), (PERSON, id(person))]);
    let outcomes = lab.rows("deals", &[new("sy_1", "999"), new("sy_2", &people[0])]);
    assert!(matches!(outcomes[0], RowOutcome::Unknown(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1], RowOutcome::Done { .. }), "{outcomes:?}");
    assert_eq!(lab.account.snapshot()["deals"].len(), 2);
    let deal = made(&lab, &[create("sy_3", &[("dealname", text("Engine"))])]).remove(0);
    let outcomes = lab.rows("deals", &[update(&deal, &[("dealname", text("Other")), (PERSON, id("999"))])]);
    let error = refusal(&outcomes[0]);
    assert_eq!((error.kind, &error.fields[..]), (ErrorKind::Invalid, &[Field::Native(PERSON.to_owned())][..]));
}

/// An answer that is lost between a deal and its person leaves nobody believing that it belongs to somebody.
///
/// proves: R7, V2
#[test]
fn a_lost_answer_about_a_person_is_looked_after() {
    let lab = Lab::new();
    let people = lab.contacts(1);
    let fault = Fault { kind: FaultKind::LostAnswer, status: 0, delay_ms: 0 };
    let path = Some("/crm/v4/associations/".to_owned());
    lab.account.faults().add(FaultRule { fault, method: None, path, after: 0, times: Some(1) });
    let rows = [create("sy_1", &[("dealname", text("Engine")), (PERSON, id(&people[0]))])];
    assert!(matches!(lab.rows("deals", &rows)[0], RowOutcome::Unknown(_)));
    let again = made(&lab, &rows);
    assert_eq!(lab.associated("deals", &again[0], "contacts"), people);
    assert_eq!(lab.account.snapshot()["deals"].len(), 1, "it was made once");
}
