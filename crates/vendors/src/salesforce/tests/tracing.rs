//! What became of records that are gone is asked for with the deleted ones, and told in our words.

use serde_json::{Value as Json, json};
use syncline_connect::{ErrorKind, Find, Records, Wanted};
use syncline_core::record::{Field, Role, Std, Value};

use super::{
    super::{Salesforce, find},
    org,
    world::{World, json, now, soql_of},
};

const LOSER: &str = "0034H00002JsInQQAV";
const WINNER: &str = "003000000000001AAA";
const LEAD: &str = "00Q000000000001EAA";

fn traces(role: Role, ids: &[&str]) -> Find {
    Find::new(role, vec![Wanted::Traces(ids.iter().map(|&id| id.into()).collect())], vec![])
}

/// proves: B25
#[test]
fn traces_are_asked_with_what_lies_in_the_bin() {
    let asked = [
        traces(Role::Contact, &[LOSER]),
        traces(Role::Lead, &[LEAD]),
        traces(Role::Account, &["001dM00003kS3tNQAS"]),
        traces(Role::Meeting, &["00U000000000001EAA"]),
        traces(Role::User, &["005000000000001AAA"]),
        Find { object: Some("Visit__c".into()), ..traces(Role::Custom, &["a0B000000000001EAA"]) },
    ];
    let asks = find::asks(&org(), &asked).unwrap();
    let lines: Vec<String> =
        asks.iter().map(|ask| format!("{}: {}", ask.url.split_once('?').unwrap().0, soql_of(&ask.url))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    /services/data/v64.0/queryAll: SELECT Id, CreatedDate, IsDeleted, MasterRecordId FROM Contact WHERE (Id IN ('0034H00002JsInQQAV')) ORDER BY CreatedDate, Id
    /services/data/v64.0/queryAll: SELECT Id, CreatedDate, IsDeleted, MasterRecordId, IsConverted, ConvertedContactId, ConvertedAccountId FROM Lead WHERE (Id IN ('00Q000000000001EAA')) ORDER BY CreatedDate, Id
    /services/data/v64.0/queryAll: SELECT Id, CreatedDate, IsDeleted, MasterRecordId FROM Account WHERE (Id IN ('001dM00003kS3tNQAS')) ORDER BY CreatedDate, Id
    /services/data/v64.0/queryAll: SELECT Id, CreatedDate, IsDeleted FROM Event WHERE (Id IN ('00U000000000001EAA')) AND IsChild = false ORDER BY CreatedDate, Id
    /services/data/v64.0/queryAll: SELECT Id, CreatedDate FROM User WHERE (Id IN ('005000000000001AAA')) ORDER BY CreatedDate, Id
    /services/data/v64.0/queryAll: SELECT Id, CreatedDate, IsDeleted FROM Visit__c WHERE (Id IN ('a0B000000000001EAA')) ORDER BY CreatedDate, Id
    ");
}

fn sub(at: usize, rows: &[Json]) -> Json {
    json!({"body": {"totalSize": rows.len(), "done": true, "records": rows}, "httpHeaders": {}, "httpStatusCode": 200, "referenceId": format!("q{at}")})
}

/// proves: B25
#[test]
fn merged_deleted_and_converted_are_told_apart() {
    let created = "2026-05-06T00:00:00.000+0000";
    let contacts = [
        json!({"Id": LOSER, "CreatedDate": created, "IsDeleted": true, "MasterRecordId": WINNER}),
        json!({"Id": WINNER, "CreatedDate": created, "IsDeleted": false, "MasterRecordId": null}),
    ];
    let leads =
        [json!({"Id": LEAD, "CreatedDate": created, "IsDeleted": false, "MasterRecordId": null, "IsConverted": true,
        "ConvertedContactId": WINNER, "ConvertedAccountId": "001dM00003kS3tNQAS"})];
    let world = World::with([json(200, json!({"compositeResponse": [sub(0, &contacts), sub(1, &leads)]}))]);
    let asked = [traces(Role::Contact, &[LOSER, WINNER]), traces(Role::Lead, &[LEAD])];
    let found = now(Salesforce.find(&world.cx(), &asked)).unwrap().value;
    let merged = |record: &syncline_core::record::Record| record.fields[&Field::Std(Std::MergedInto)].clone();
    let [winner, loser] = found[0].as_slice() else { panic!("{found:?}") };
    assert_eq!((loser.id.as_str(), loser.is(Std::Deleted), merged(loser)), (LOSER, true, Value::Id(WINNER.into())));
    assert_eq!((winner.is(Std::Deleted), merged(winner)), (false, Value::Null));
    let lead = &found[1][0];
    assert!(lead.is(Std::Converted) && !lead.is(Std::Deleted));
    assert_eq!(lead.text(Std::ConvertedContact), Some(WINNER));
    assert!(world.seen()[0].body.contains("/queryAll?q="));
}

#[test]
fn traces_stand_alone() {
    let mut find = traces(Role::Contact, &[LOSER]);
    find.any.push(Wanted::Is(Std::Email, vec!["ada@example.org".into()]));
    assert_eq!(find::asks(&org(), &[find]).unwrap_err().kind, ErrorKind::Configuration);
}

/// proves: B19 (owners by id beside those by address)
#[test]
fn users_are_found_by_address_and_by_id_in_one_question() {
    let any = vec![
        Wanted::Is(Std::Email, vec!["rosa@example.org".into()]),
        Wanted::Ids(vec!["005000000000001AAA".into(), "00G000000000001EAA".into()]),
    ];
    let find = Find::new(Role::User, any, vec![Std::Email.into(), Std::Active.into()]);
    insta::assert_snapshot!(soql_of(&find::asks(&org(), &[find]).unwrap()[0].url), @"SELECT Id, CreatedDate, Email, IsActive FROM User WHERE (Email IN ('rosa@example.org') OR Id IN ('005000000000001AAA')) ORDER BY CreatedDate, Id");
}
