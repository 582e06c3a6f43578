//! What the imitation org never answers: answers that are short of something, as scripts.

use serde_json::{Value as Json, json};
use syncline_connect::{
    ErrorKind, Mirror, Retry,
    mirror::{Ask, From, Op, RowOutcome, RowWrite, Written},
};
use syncline_core::record::{Field, Role, Value};

use super::lab::{create, text, update};
use crate::salesforce::{
    Salesforce,
    tests::world::{Turn, World, json, now, raw, soql_of},
};

const ONE: &str = "003000000000001AAA";
const TWO: &str = "003000000000002AAA";

fn dated(body: Json) -> Turn {
    let date = ("date", "Wed, 06 May 2026 12:30:00 GMT".to_owned());
    Turn::Answer { status: 200, headers: vec![date], body: body.to_string().into_bytes() }
}

fn page(rows: Json, done: bool) -> Json {
    json!({"compositeResponse": [{"httpStatusCode": 200, "referenceId": "q0", "body": {
        "totalSize": 2, "done": done, "nextRecordsUrl": "/services/data/v64.0/query/01g-2000", "records": rows,
    }}]})
}

fn row(id: &str, stamp: &str) -> Json {
    json!({"Id": id, "SystemModstamp": stamp, "IsDeleted": false, "MasterRecordId": null, "LastName": "L"})
}

#[test]
fn a_page_that_is_cut_short_goes_on_behind_its_last_row() {
    let rows = json!([row(ONE, "2026-05-06T12:00:00.000+0000"), row(TWO, "2026-05-06T12:00:01.000+0000")]);
    let world = World::with([dated(page(rows, false)), dated(page(json!([]), true))]);
    let fields = vec!["LastName".to_owned()];
    let since = "2026-05-06T12:10:00Z".parse().unwrap();
    let ask = |start| [Ask { kind: "Contact", fields: &fields, start }];
    let first = now(Salesforce.changes(&world.cx(), &ask(From::Since(since)))).unwrap().value.remove(0);
    assert!(first.more);
    assert_eq!(first.cursor, format!("round 2026-05-06T12:30:00Z 2026-05-06T12:00:01Z {TWO}"));
    let second = now(Salesforce.changes(&world.cx(), &ask(From::Cursor(&first.cursor)))).unwrap().value.remove(0);
    assert_eq!((second.more, second.cursor.as_str()), (false, "since 2026-05-06T12:30:00Z"));
    let asked: Vec<String> =
        world.seen().iter().map(|call| soql_of(call.json()["compositeRequest"][0]["url"].as_str().unwrap())).collect();
    assert!(asked[0].contains("SystemModstamp >= 2026-05-06T12:00:00Z ORDER BY"), "{}", asked[0]);
    assert!(asked[1].contains("SystemModstamp < 2026-05-06T12:30:00Z"), "{}", asked[1]);
}

#[test]
fn an_answer_that_lacks_something_moves_no_cursor() {
    let since = From::Since("2026-05-06T12:10:00Z".parse().unwrap());
    let missing = json!({"compositeResponse": []});
    let turns = [
        json(200, page(json!([]), true)),
        dated(missing),
        dated(page(json!([]), false)),
        dated(page(json!([{"Id": "x"}]), true)),
        raw(200, "{\"compositeResponse\": [{"),
    ];
    for turn in turns {
        let world = World::with([turn]);
        let asks = [Ask { kind: "Contact", fields: &[], start: since }];
        let error = now(Salesforce.changes(&world.cx(), &asks)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol);
    }
}

/// A part of a job's results that does not say whether there is more is never the last one: who is behind it would count as
/// missing. Pages go on instead.
///
/// proves: V1, R16
#[test]
fn a_part_of_unknown_end_is_not_the_last() {
    let began = "2026-05-06T12:30:00Z";
    let (job, pages, all) =
        (format!("job {began} {ONE} {TWO}"), format!("all {began} {ONE}"), format!("since {began}"));
    let part = |headers: &[(&'static str, &str)]| Turn::Answer {
        status: 200,
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        body: format!("\"Id\",\"IsDeleted\"\n\"{TWO}\",\"false\"\n").into_bytes(),
    };
    let look = |turn| {
        let world = World::with([turn]);
        let cursor = format!("{job} abc");
        let asks = [Ask { kind: "Contact", fields: &[], start: From::Cursor(&cursor) }];
        let changes = now(Salesforce.changes(&world.cx(), &asks));
        changes.map(|mut changes| changes.value.remove(0)).map(|one| (one.rows.len(), one.more, one.cursor))
    };
    let last = [("sforce-locator", "null"), ("sforce-numberofrecords", "1")];
    assert_eq!(look(part(&last)).unwrap(), (1, false, all));
    assert_eq!(look(part(&[("sforce-locator", "def")])).unwrap(), (1, true, format!("{job} def")));
    for unknown in [&[][..], &[("sforce-locator", "d ef")][..]] {
        assert_eq!(look(part(unknown)).unwrap(), (0, true, pages.clone()));
    }
    for wrong in [[("sforce-locator", "null"), ("sforce-numberofrecords", "2")], [("sforce-locator", "abc"), ("x", "")]]
    {
        assert_eq!(look(part(&wrong)).unwrap_err().kind, ErrorKind::Protocol);
    }
}

fn outcomes(answer: Json, rows: &[RowWrite]) -> Vec<RowOutcome> {
    let world = World::with([json(200, json!({ "compositeResponse": answer }))]);
    let written = now(Salesforce.write(&world.cx(), "Contact", rows)).unwrap().value;
    match written {
        Written::Rows(outcomes) => outcomes,
        Written::Later { .. } => panic!("not at once"),
    }
}

fn updates() -> [RowWrite; 2] {
    [ONE, TWO].map(|id| update(id, &[("AccountId", Value::Id("001000000000001AAA".into()))]))
}

#[test]
fn what_an_answer_does_not_say_is_unknown() {
    let done = json!({"id": ONE, "success": true, "errors": []});
    for answer in [
        json!([]),
        json!([{"httpStatusCode": 500, "referenceId": "c0", "body": null}]),
        json!([{"httpStatusCode": 200, "referenceId": "c0", "body": [done]}]),
        json!([{"httpStatusCode": 200, "referenceId": "c0", "body": {}}]),
        json!([{"httpStatusCode": 200, "referenceId": "c0", "body": [{}, {"success": false}]}]),
    ] {
        let outcomes = outcomes(answer.clone(), &updates());
        assert!(outcomes.iter().all(|outcome| matches!(outcome, RowOutcome::Unknown(_))), "{answer}");
    }
    let rows = [create("sy_1", &[("LastName", text("L"))])];
    let nameless = json!([{"httpStatusCode": 200, "referenceId": "c0", "body": [{"success": true, "created": true}]}]);
    assert!(matches!(outcomes(nameless, &rows)[0], RowOutcome::Unknown(_)), "a record without an id");
}

#[test]
fn a_collection_that_is_refused_as_a_whole_refuses_every_row() {
    let busy = json!([{"httpStatusCode": 503, "referenceId": "c0", "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}]);
    for outcome in outcomes(busy, &updates()) {
        let RowOutcome::Refused(error) = outcome else { panic!("refused") };
        assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::Backoff));
    }
    let silent = json!([{"httpStatusCode": 403, "referenceId": "c0", "body": null}]);
    assert!(outcomes(silent, &updates()).iter().all(|outcome| matches!(outcome, RowOutcome::Refused(_))));
}

#[test]
fn a_rows_own_end_is_told_from_that_of_what_it_refers_to() {
    let failed = |code: &str, message: &str, fields: Json| json!({"success": false, "errors": [{"statusCode": code, "message": message, "fields": fields}]});
    let answer = json!([{"httpStatusCode": 200, "referenceId": "c0", "body": [
        failed("ENTITY_IS_DELETED", "entity is deleted", json!([])),
        failed("ENTITY_IS_DELETED", "entity is deleted", json!(["AccountId"])),
    ]}]);
    let told = outcomes(answer, &updates());
    let [RowOutcome::Refused(gone), RowOutcome::Refused(reference)] = told.as_slice() else { panic!("both refused") };
    assert_eq!(gone.kind, ErrorKind::Gone);
    assert_eq!((reference.kind, &reference.fields), (ErrorKind::Reference, &vec![Field::Native("AccountId".into())]));
    let taken = format!("duplicate value found: Code__c duplicates value on record with id: {TWO}");
    let answer = json!([{"httpStatusCode": 200, "referenceId": "c0", "body": [
        failed("DUPLICATE_VALUE", &taken, json!([])),
    ]}]);
    let told = outcomes(answer, &updates()[..1]);
    let [RowOutcome::Refused(taken)] = told.as_slice() else { panic!("refused") };
    assert_eq!((taken.kind, &taken.matches), (ErrorKind::KeyTaken, &vec![(Role::Contact, TWO.into())]));
}

#[test]
fn headers_stand_on_each_part_of_a_call() {
    let done =
        json!([{"httpStatusCode": 200, "referenceId": "c0", "body": [{"id": ONE, "success": true, "errors": []}]}]);
    let world = World::with([json(200, json!({ "compositeResponse": done }))])
        .set("assignment_rules", "on")
        .set("duplicate_rules", "save");
    let row = RowWrite { op: Op::Update { id: ONE.into() }, fields: vec![("Title".into(), text("x"))], seen: None };
    now(Salesforce.write(&world.cx(), "Contact", &[row])).unwrap();
    let headers = world.seen()[0].json()["compositeRequest"][0]["httpHeaders"].clone();
    // What is only changed keeps its owner, whatever the rules say.
    assert_eq!(headers, json!({"Sforce-Auto-Assign": "FALSE", "Sforce-Duplicate-Rule-Header": "allowSave=true"}));
}
