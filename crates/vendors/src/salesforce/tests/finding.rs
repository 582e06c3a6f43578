//! Look-ups: few calls, rows back to their question, and no failure that looks like "nobody".

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::{Error, ErrorKind, Find, Records, Retry, Usage, Wanted};
use syncline_core::record::{Field, Record, Role, Std};

use super::{
    super::{Salesforce, find},
    org,
    world::{Turn, World, json, now, raw, soql_of},
};

const ADA: &str = "0034H00002JsInQQAV";
const ACCOUNT: &str = "001dM00003kS3tNQAS";

fn contacts_by_email(emails: &[&str]) -> Find {
    Find {
        role: Role::Contact,
        object: None,
        any: vec![Wanted::Is(Std::Email, emails.iter().map(|&email| email.to_owned()).collect())],
        fields: vec![Std::Email.into(), Std::Account.into()],
    }
}

fn row(id: &str, created: &str, email: &str) -> Json {
    json!({"attributes": {"type": "Contact"}, "Id": id, "CreatedDate": format!("{created}T00:00:00.000+0000"), "Email": email, "AccountId": null})
}

fn page(rows: &[Json]) -> Json {
    json!({"totalSize": rows.len(), "done": true, "records": rows})
}

fn sub(at: usize, status: u16, body: Json) -> Json {
    json!({"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": format!("q{at}")})
}

fn composite(answers: &[Json]) -> Turn {
    json(200, json!({"compositeResponse": answers}))
}

fn ask(world: &World, finds: &[Find]) -> Result<Vec<Vec<Record>>, Error> {
    now(Salesforce.find(&world.cx(), finds)).map(|answered| answered.value)
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

fn soql(find: Find) -> String {
    let asks = find::asks(&org(), &[find]).unwrap();
    asks.iter().map(|ask| soql_of(&ask.url)).collect::<Vec<_>>().join("\n")
}

/// proves: sec:S51
#[test]
fn questions_become_ordered_queries() {
    let lead = Find {
        role: Role::Lead,
        object: None,
        any: vec![
            Wanted::Is(Std::Email, vec!["o'hara@example.org".into(), " ".into()]),
            Wanted::EmailDomain(vec!["a_b.org".into()]),
            Wanted::Is(Std::Email, vec!["bo@example.org".into()]),
        ],
        fields: vec![Std::Converted.into(), Std::CreatedAt.into(), Field::Native("Score__c".into())],
    };
    let meeting = Find::new(Role::Meeting, vec![Wanted::Is(Std::Key, vec!["sy_1".into()])], vec![]);
    let account = Find {
        role: Role::Account,
        object: None,
        any: vec![Wanted::Ids(vec![ACCOUNT[..15].into(), ADA.into(), "x' OR 1".into()])],
        fields: vec![Std::Name.into()],
    };
    let soql = [lead, meeting, account].map(soql).join("\n");
    insta::assert_snapshot!(soql, @r"
    SELECT Id, CreatedDate, IsConverted, Score__c FROM Lead WHERE (Email IN ('o\'hara@example.org','bo@example.org') OR Email LIKE '%@a\_b.org') ORDER BY CreatedDate, Id
    SELECT Id, CreatedDate FROM Event WHERE (Syncline_Uid__c IN ('sy_1')) AND IsChild = false ORDER BY CreatedDate, Id
    SELECT Id, CreatedDate, Name FROM Account WHERE (Id IN ('001dM00003kS3tNQAS')) ORDER BY CreatedDate, Id
    ");
}

#[test]
fn what_cannot_be_asked_is_a_matter_of_configuration() {
    let with = |any, fields| Find::new(Role::Contact, any, fields);
    for find in [
        with(vec![Wanted::Is(Std::Description, vec!["x".into()])], vec![]),
        with(vec![Wanted::Is(Std::Company, vec!["x".into()])], vec![]),
        with(vec![], vec![Field::Native("Id FROM User".into())]),
    ] {
        assert_eq!(find::asks(&org(), &[find]).unwrap_err().kind, ErrorKind::Configuration);
    }
}

#[test]
fn a_question_without_values_costs_nothing_and_finds_nobody() {
    let world = World::with([]);
    assert_eq!(ask(&world, &[contacts_by_email(&[]), contacts_by_email(&["", " "])]).unwrap(), [vec![], vec![]]);
    assert!(world.seen().is_empty());
}

/// proves: P1 (five questions share a call)
#[test]
fn five_questions_share_a_call_and_rows_go_back_to_theirs() {
    let finds: Vec<Find> = (0..6).map(|_| contacts_by_email(&["ada@example.org"])).collect();
    let mut first: Vec<Json> = (0..5).map(|at| sub(at, 200, page(&[]))).collect();
    first[3] = sub(3, 200, page(&[row(ADA, "2026-01-02", "ada@example.org")]));
    first.swap(0, 3);
    let headers = vec![("Sforce-Limit-Info", "api-usage=18/5000; per-app-api-usage=17/250(appName=x)".to_owned())];
    let body = json!({"compositeResponse": first}).to_string().into_bytes();
    let world = World::with([Turn::Answer { status: 200, headers, body }, composite(&[sub(0, 200, page(&[]))])]);
    let answered = now(Salesforce.find(&world.cx(), &finds)).unwrap();
    assert_eq!(answered.value.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 0, 1, 0, 0]);
    assert_eq!((answered.calls, answered.usage), (2, Some(Usage { used: 17, max: 250 })));
    let seen = world.seen();
    assert_eq!(seen[0].line, "POST https://acme.my.salesforce.com/services/data/v64.0/composite");
    assert_eq!(seen[0].headers["authorization"], "Bearer the-token");
    let sent = seen[0].json();
    assert_eq!((&sent["allOrNone"], &sent["collateSubrequests"]), (&json!(false), &json!(false)));
    assert_eq!(sent["compositeRequest"].as_array().unwrap().len(), 5);
    assert_eq!(seen[1].json()["compositeRequest"].as_array().unwrap().len(), 1);
}

#[test]
fn many_values_are_spread_over_queries_and_merged_oldest_first() {
    let emails: Vec<String> = (0..find::VALUES_PER_QUERY + 1).map(|at| format!("p{at}@example.org")).collect();
    let find = contacts_by_email(&emails.iter().map(String::as_str).collect::<Vec<_>>());
    let young = row("003000000000001AAA", "2026-03-01", "p1@example.org");
    let old = row(ADA, "2026-01-01", "p400@example.org");
    let world = World::with([composite(&[sub(0, 200, page(&[young])), sub(1, 200, page(&[old]))])]);
    assert_eq!(ids(&ask(&world, &[find]).unwrap()[0]), [ADA, "003000000000001AAA"]);
}

#[test]
fn pages_are_followed_to_the_end() {
    let next = "/services/data/v64.0/query/0r8xx5R2yF2gs3VASQ-2000";
    let first =
        json!({"totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [row(ADA, "2026-01-01", "a@x.org")]});
    let last = json!({"totalSize": 2, "done": true, "records": [row("003000000000001AAA", "2026-01-01", "a@x.org")]});
    let world = World::with([composite(&[sub(0, 200, first)]), composite(&[sub(0, 200, last)])]);
    assert_eq!(ids(&ask(&world, &[contacts_by_email(&["a@x.org"])]).unwrap()[0]), ["003000000000001AAA", ADA]);
    assert_eq!(world.seen()[1].json()["compositeRequest"][0]["url"], next);
}

fn endless(next: &str) -> Json {
    json!({"totalSize": 9, "done": false, "nextRecordsUrl": next, "records": []})
}

/// proves: fault:B3
#[test]
fn a_page_that_leads_elsewhere_or_on_for_ever_is_an_error() {
    for elsewhere in [
        "https://evil.example/query/1",
        "/services/data/v64.0/query/../limits",
        "/services/data/v64.0/query/",
        "//evil.example",
    ] {
        let world = World::with([composite(&[sub(0, 200, endless(elsewhere))])]);
        assert_eq!(ask(&world, &[contacts_by_email(&["a@x.org"])]).unwrap_err().kind, ErrorKind::Protocol);
    }
    let pages = (0..find::PAGES_MAX).map(|_| composite(&[sub(0, 200, endless("/services/data/v64.0/query/01g-1"))]));
    let world = World::with(pages);
    assert_eq!(ask(&world, &[contacts_by_email(&["a@x.org"])]).unwrap_err().kind, ErrorKind::Protocol);
    assert_eq!(world.seen().len(), find::PAGES_MAX);
}

/// proves: B14
#[test]
fn one_failed_query_fails_the_whole_look_up() {
    let found = sub(0, 200, page(&[row(ADA, "2026-01-01", "a@x.org")]));
    let failures = [
        (sub(1, 400, json!([{"errorCode": "QUERY_TIMEOUT", "message": "m"}])), ErrorKind::Unavailable),
        (sub(1, 400, json!([{"errorCode": "NEW_CODE", "message": "m"}])), ErrorKind::Invalid),
        (sub(1, 500, Json::Null), ErrorKind::Unavailable),
        (sub(1, 304, Json::Null), ErrorKind::Invalid),
        (sub(1, 200, Json::Null), ErrorKind::Protocol),
        (sub(1, 200, json!({"totalSize": 1, "done": true, "records": []})), ErrorKind::Protocol),
        (
            sub(1, 200, page(&[json!({"Id": "short", "CreatedDate": "2026-01-01T00:00:00.000+0000"})])),
            ErrorKind::Protocol,
        ),
        (sub(7, 200, page(&[])), ErrorKind::Protocol),
    ];
    for (failure, kind) in failures {
        let world = World::with([composite(&[found.clone(), failure])]);
        let finds = [contacts_by_email(&["a@x.org"]), contacts_by_email(&["b@x.org"])];
        assert_eq!(ask(&world, &finds).unwrap_err().kind, kind);
    }
}

/// proves: B14, fault:N3, fault:H2, fault:H4, fault:H6
#[test]
fn a_look_up_without_a_good_answer_is_an_error() {
    let rows = |code: &str| json!([{"errorCode": code, "message": "m"}]);
    let turns = [
        (Turn::NotSent, ErrorKind::Unreachable, Retry::Backoff),
        (Turn::Lost, ErrorKind::Unavailable, Retry::Backoff),
        (raw(200, "<html>maintenance</html>"), ErrorKind::Protocol, Retry::Backoff),
        (raw(200, ""), ErrorKind::Protocol, Retry::Backoff),
        (raw(500, ""), ErrorKind::Unavailable, Retry::Backoff),
        (json(500, rows("STRANGE")), ErrorKind::Unavailable, Retry::Backoff),
        (raw(503, "busy"), ErrorKind::Unavailable, Retry::Backoff),
        (raw(429, ""), ErrorKind::RateLimited, Retry::Backoff),
        (raw(302, ""), ErrorKind::Configuration, Retry::Never),
        (json(404, rows("NOT_FOUND")), ErrorKind::Configuration, Retry::Never),
        (json(401, rows("INVALID_SESSION_ID")), ErrorKind::Unauthorised, Retry::Reauthorise),
        (raw(401, "?"), ErrorKind::Unauthorised, Retry::Reauthorise),
        (json(403, rows("REQUEST_LIMIT_EXCEEDED")), ErrorKind::DailyLimit, Retry::Backoff),
        (json(403, rows("API_DISABLED_FOR_ORG")), ErrorKind::Forbidden, Retry::Never),
        (json(400, rows("MALFORMED_QUERY")), ErrorKind::Protocol, Retry::Never),
    ];
    for (turn, kind, retry) in turns {
        let world = World::with([turn]);
        let error = ask(&world, &[contacts_by_email(&["a@x.org"])]).unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, retry));
    }
}

/// proves: fault:H1
#[test]
fn a_wait_that_an_edge_asks_for_is_kept_and_capped() {
    for (asked, waits) in [("7", Some(7)), ("999999999", Some(3600)), ("soon", None)] {
        let world =
            World::with([Turn::Answer { status: 503, headers: vec![("retry-after", asked.into())], body: vec![] }]);
        let error = ask(&world, &[contacts_by_email(&["a@x.org"])]).unwrap_err();
        let expected = waits.map_or(Retry::Backoff, |seconds| Retry::After(std::time::Duration::from_secs(seconds)));
        assert_eq!(error.retry, expected);
    }
}

/// proves: fault:S1
#[test]
fn a_field_that_was_deleted_in_the_org_is_named() {
    let find = Find {
        fields: vec![Std::Email.into(), Field::Native("Old__c".into()), Field::Native("New__c".into())],
        ..contacts_by_email(&["a@x.org"])
    };
    let body = json!([{"errorCode": "INVALID_FIELD", "message": "No such column 'Old__c' on entity 'Contact'."}]);
    let world = World::with([composite(&[sub(0, 400, body)])]);
    let error = ask(&world, &[find]).unwrap_err();
    assert_eq!((error.kind, error.fields), (ErrorKind::Field, vec![Field::Native("Old__c".into())]));
}

#[test]
fn settings_change_names_and_versions_and_wrong_ones_are_refused_unsent() {
    let find = Find::new(Role::Account, vec![Wanted::Is(Std::Key, vec!["sy_1".into()])], vec![]);
    let world = World::with([composite(&[sub(0, 200, page(&[]))])])
        .set("external_id_field", "Uid__c")
        .set("api_version", "66.0");
    ask(&world, std::slice::from_ref(&find)).unwrap();
    let seen = world.seen();
    assert!(seen[0].line.ends_with("/services/data/v66.0/composite"));
    assert!(seen[0].body.contains("v66.0/query?q=") && seen[0].body.contains("Uid__c%20IN"));
    for (name, value) in
        [("external_id_field", "x' OR"), ("api_version", "51.0"), ("api_version", "+64"), ("duplicate_rules", "maybe")]
    {
        let world = World::with([]).set(name, value);
        assert_eq!(ask(&world, std::slice::from_ref(&find)).unwrap_err().kind, ErrorKind::Configuration);
    }
}

/// Answers that Salesforce really gave have the shapes that are read here, where the recordings lie beside the project.
#[test]
fn recorded_answers_are_read() {
    use super::super::wire::{CompositeAnswer, GraphsAnswer, QueryPage, error_rows};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/specs/salesforce/recorded");
    let Ok(files) = std::fs::read_dir(folder) else {
        assert!(std::env::var_os("CI").is_none(), "the recordings are missing: ../shared/specs/salesforce/recorded");
        eprintln!("left out: the recordings are not here");
        return;
    };
    let (mut composites, mut graphs, mut pages, mut errors) = (0, 0, 0, 0);
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let mut open: Vec<Json> = vec![serde_json::from_str(&text).unwrap()];
        while let Some(value) = open.pop() {
            let has = |name: &str| value.get(name).is_some();
            if has("compositeResponse") {
                let answer: CompositeAnswer = serde_json::from_value(value.clone()).unwrap();
                composites += answer.composite_response.len();
            } else if has("graphs") && value["graphs"][0].get("graphResponse").is_some() {
                graphs += serde_json::from_value::<GraphsAnswer>(value.clone()).unwrap().graphs.len();
            } else if has("records") && has("totalSize") && has("done") {
                pages += usize::from(serde_json::from_value::<QueryPage>(value.clone()).is_ok());
            } else if has("errorCode") {
                errors += error_rows(&value).len();
            }
            match value {
                Json::Array(values) => open.extend(values),
                Json::Object(values) => open.extend(values.into_iter().map(|(_, value)| value)),
                _ => {}
            }
        }
    }
    assert!(composites >= 10 && graphs >= 2 && pages >= 10 && errors >= 5, "{composites} {graphs} {pages} {errors}");
}

proptest! {
    /// proves: B14
    #[test]
    fn no_bytes_make_a_look_up_panic_or_find_nobody(body in any::<Vec<u8>>(), status in 200u16..600) {
        let world = World::with([raw(status, body)]);
        prop_assert!(ask(&world, &[contacts_by_email(&["a@x.org"])]).is_err());
    }

    /// proves: B14
    #[test]
    fn no_cut_answer_is_taken_for_a_whole_one(cut in 0usize..1000) {
        let body = json!({"compositeResponse": [sub(0, 200, page(&[row(ADA, "2026-01-01", "a@x.org")]))]}).to_string();
        let cut = cut % body.len();
        let world = World::with([raw(200, &body.as_bytes()[..cut])]);
        prop_assert!(ask(&world, &[contacts_by_email(&["a@x.org"])]).is_err());
    }
}
