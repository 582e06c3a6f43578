//! What queries are read, and what they find.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{like::Like, parser};
use crate::salesforce::testkit::{Kit, code};

const CORPUS: &str = include_str!("../../../testdata/soql_corpus.json");
const ESCAPING: &str = include_str!("../../../testdata/escaping.json");

fn corpus() -> Vec<(String, bool)> {
    let all: Vec<Value> = serde_json::from_str(CORPUS).expect("the corpus is JSON");
    let read = |entry: &Value| Some((entry["soql"].as_str()?.to_owned(), entry["parses"].as_bool()?));
    all.iter().filter_map(read).collect()
}

/// Every query that a grammar's author holds valid is read, every other is refused.
#[test]
fn the_corpus_is_read() {
    let all = corpus();
    assert!(all.len() > 200);
    let wrong: Vec<_> = all.iter().filter(|(soql, valid)| parser::parse(soql).is_ok() != *valid).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Running any of them answers rows or one of Salesforce's errors.
#[test]
fn the_corpus_runs_or_is_refused() {
    let kit = Kit::new();
    for (soql, _) in corpus() {
        let got = kit.query(&soql);
        let known = ["INVALID_TYPE", "INVALID_FIELD", "MALFORMED_QUERY", "INVALID_QUERY_FILTER_OPERATOR"];
        assert!(got.status == 200 || known.contains(&code(&got.body)), "{soql}: {}", got.text);
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,200}") {
        let _ = parser::parse(&text);
    }

    #[test]
    fn no_row_of_words_breaks_the_parser(words in prop::collection::vec(prop_oneof![
        Just("SELECT"), Just("FROM"), Just("WHERE"), Just("("), Just(")"), Just(","), Just("Id"), Just("Account"),
        Just("AND"), Just("OR"), Just("NOT"), Just("="), Just("'x'"), Just("IN"), Just("LIMIT"), Just("1"), Just("."),
        Just("ORDER BY"), Just("COUNT()"), Just("LAST_N_DAYS:"), Just("2020-01-01"), Just("TYPEOF"), Just("GROUP BY"),
    ], 0..60)) {
        let _ = parser::parse(&format!("SELECT {}", words.join(" ")));
    }

    #[test]
    fn broken_corpus_queries_are_refused_or_read(pick in 0usize..200, cut in 0usize..80, odd in "\\PC{0,3}") {
        let all = corpus();
        let soql = &all[pick % all.len()].0;
        let at = soql.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(soql.len());
        let kit_free = format!("{}{odd}{}", &soql[..at], &soql[at..]);
        let _ = parser::parse(&kit_free);
    }

    /// A pattern made of a text with its signs escaped matches that text and no other.
    #[test]
    fn an_escaped_text_is_like_itself_only(text in "[a-z%_\\\\']{0,12}", other in "[a-z%_\\\\']{0,12}") {
        let pattern: String = text.chars().flat_map(|c| match c {
            '%' | '_' | '\\' | '\'' => vec!['\\', c],
            c => vec![c],
        }).collect();
        prop_assert!(Like::new(&pattern).matches(&text));
        prop_assert_eq!(Like::new(&pattern).matches(&other), text == other);
    }

    /// Wildcards against a plain search without any cleverness.
    #[test]
    fn like_agrees_with_a_naive_search(pattern in "[ab%_]{0,8}", text in "[ab]{0,8}") {
        fn naive(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'%', rest)), _) => naive(rest, text) || (!text.is_empty() && naive(pattern, &text[1..])),
                (Some((b'_', rest)), Some((_, after))) => naive(rest, after),
                (Some((p, rest)), Some((t, after))) if p == t => naive(rest, after),
                _ => false,
            }
        }
        prop_assert_eq!(Like::new(&pattern).matches(&text), naive(pattern.as_bytes(), text.as_bytes()));
    }
}

proptest! {
    // Each case makes an org of its own, which costs more than what it checks.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A condition that an index answers finds what the same condition finds when every row is looked at.
    #[test]
    fn an_index_finds_what_a_scan_finds(
        people in prop::collection::vec(("[ab]{1,2}", 0i64..4, any::<bool>()), 1..12),
        wanted in "[abAB]{1,2}",
        second in 0i64..4,
        pick in 0usize..5,
    ) {
        let kit = Kit::new();
        let account = kit.create("Account", json!({"Name": "Acme"}));
        for (n, (mail, later, related)) in people.iter().enumerate() {
            kit.advance(*later);
            kit.create("Contact", json!({"LastName": format!("n{n}"), "Email": format!("{mail}@x.example"),
                "AccountId": if *related { json!(account) } else { Value::Null }}));
        }
        let condition = [
            format!("Email = '{wanted}@x.example'"),
            format!("Email IN ('{wanted}@x.example', 'a@x.example') AND LastName != 'n0'"),
            format!("AccountId = '{account}' AND Email LIKE '{wanted}%'"),
            format!("SystemModstamp >= 2026-05-06T12:00:0{second}Z AND SystemModstamp < 2026-05-06T12:00:07Z"),
            format!("Email = '{wanted}@x.example' OR AccountId = '{}'", &account[..15]),
        ][pick].clone();
        let find = |condition: &str| {
            kit.column(&format!("SELECT LastName FROM Contact WHERE {condition} ORDER BY LastName"), "LastName")
        };
        prop_assert_eq!(find(&condition), find(&format!("NOT (NOT ({condition}))")));
    }
}

#[test]
fn deep_nesting_is_refused_with_an_error() {
    for open in ["(", "NOT ", "NOT ("] {
        let text = format!("SELECT Id FROM Account WHERE {}Name = 'x'", open.repeat(10_000));
        assert_eq!(parser::parse(&text).expect_err("too deep").code, "MALFORMED_QUERY");
    }
}

/// Text escaped as a widely used client escapes it is found again, whatever is in it.
#[test]
fn texts_escaped_by_clients_are_found() {
    let table: Value = serde_json::from_str(ESCAPING).expect("the table is JSON");
    let escape = |text: &str, like: bool| -> String {
        text.chars()
            .map(|c| {
                let key = c.to_string();
                let extra = if like { table["like_extra"][&key].as_str() } else { None };
                table["escape_map"][&key].as_str().or(extra).map_or(key.clone(), str::to_owned)
            })
            .collect()
    };
    let kit = Kit::new();
    let texts = ["val'ue1\nx", "back\\slash", "50%_off", "tab\there", "\"quoted\"", "snow ☃ man", "form\u{c}feed"];
    for text in texts {
        kit.create("Account", json!({"Name": text}));
    }
    for text in texts {
        let found = kit.column(&format!("SELECT Name FROM Account WHERE Name = '{}'", escape(text, false)), "Name");
        assert_eq!(found, [text]);
        let found = kit.column(&format!("SELECT Name FROM Account WHERE Name LIKE '{}'", escape(text, true)), "Name");
        assert_eq!(found, [text]);
    }
}

fn people() -> Kit {
    let kit = Kit::new();
    let acme = kit.create("Account", json!({"Name": "Acme", "Industry": "Banking", "NumberOfEmployees": 7}));
    kit.create("Account", json!({"Name": "Beta", "NumberOfEmployees": 40}));
    for (first, last, source) in [("Zoe", "Ant", "Web"), ("yan", "Bee", "Web"), ("Xi", "Cat", "Other")] {
        kit.create(
            "Contact",
            json!({"FirstName": first, "LastName": last, "LeadSource": source, "AccountId": acme,
            "Email": format!("{first}@acme.example")}),
        );
    }
    kit.create("Contact", json!({"LastName": "Dog"}));
    kit
}

#[track_caller]
fn check(kit: &Kit, soql: &str, expected: &[&str]) {
    assert_eq!(kit.column(soql, "LastName"), expected, "{soql}");
}

#[test]
fn conditions_find_what_they_say() {
    let kit = people();
    let find = |condition: &str, expected: &[&str]| {
        check(&kit, &format!("SELECT LastName FROM Contact WHERE {condition} ORDER BY LastName"), expected);
    };
    find("LastName = 'ANT'", &["Ant"]);
    find("LastName != 'ant'", &["Bee", "Cat", "Dog"]);
    find("Email = null", &["Dog"]);
    find("Email != null AND (NOT LeadSource = 'Web')", &["Cat"]);
    find("LeadSource IN ('Web', 'Nothing')", &["Ant", "Bee"]);
    find("LeadSource NOT IN ('Web')", &["Cat", "Dog"]);
    find("FirstName LIKE 'Y%' OR FirstName LIKE '_i'", &["Bee", "Cat"]);
    find("Account.Industry = 'banking'", &["Ant", "Bee", "Cat"]);
    find("AccountId IN (SELECT Id FROM Account WHERE NumberOfEmployees < 10)", &["Ant", "Bee", "Cat"]);
    find("AccountId NOT IN (SELECT Id FROM Account)", &["Dog"]);
    find("CreatedDate = TODAY", &["Ant", "Bee", "Cat", "Dog"]);
    find("CreatedDate < TODAY", &[]);
    find("CreatedDate >= LAST_N_DAYS:3 AND CreatedDate <= 2026-05-06T12:00:00Z", &["Ant", "Bee", "Cat", "Dog"]);
    find("Owner.Email = 'admin@imitation.example' AND LastName > 'B'", &["Bee", "Cat", "Dog"]);
}

#[test]
fn order_limit_and_offset() {
    let kit = people();
    check(&kit, "SELECT LastName FROM Contact ORDER BY FirstName DESC", &["Dog", "Ant", "Bee", "Cat"]);
    check(&kit, "SELECT LastName FROM Contact ORDER BY FirstName NULLS LAST", &["Cat", "Bee", "Ant", "Dog"]);
    check(&kit, "SELECT LastName FROM Contact ORDER BY LastName LIMIT 2 OFFSET 1", &["Bee", "Cat"]);
}

#[test]
fn parents_children_and_groups_are_nested_as_salesforce_nests_them() {
    let kit = people();
    let got = kit.query(
        "SELECT Name, (SELECT LastName, Owner.Name FROM Contacts WHERE LastName > 'B' ORDER BY LastName \
        DESC LIMIT 1) FROM Account ORDER BY Name",
    );
    let rows = &got.body["records"];
    assert_eq!(rows[0]["Contacts"]["totalSize"], 1);
    assert_eq!(rows[0]["Contacts"]["records"][0]["LastName"], "Cat");
    assert_eq!(rows[0]["Contacts"]["records"][0]["Owner"]["Name"], "Ada Admin");
    assert_eq!(rows[1]["Contacts"], Value::Null);
    let got = kit.query(
        "SELECT LeadSource, COUNT(Id), MAX(LastName) newest FROM Contact GROUP BY LeadSource \
        HAVING COUNT(Id) > 1 ORDER BY LeadSource",
    );
    let row = &got.body["records"][0];
    assert_eq!(
        *row,
        json!({"attributes": {"type": "AggregateResult"}, "LeadSource": "Web", "expr0": 2, "newest": "Bee"})
    );
    let got = kit.query("SELECT COUNT() FROM Contact WHERE LeadSource = 'Web'");
    assert_eq!(got.body, json!({"totalSize": 2, "done": true, "records": []}));
    let got = kit.query("SELECT SUM(NumberOfEmployees) FROM Account");
    assert_eq!(got.body["records"][0]["expr0"], 47.0);
}

#[test]
fn refusals_say_where() {
    let kit = people();
    let got = kit.query("select count() from XYZZY");
    assert_eq!(got.status, 400);
    assert_eq!(code(&got.body), "INVALID_TYPE");
    let message = got.body[0]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with(
        "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported."
    ), "{message}");
    let refused = |soql: &str, expected: &str| {
        let got = kit.query(soql);
        assert_eq!((got.status, code(&got.body)), (400, expected), "{soql}: {}", got.text);
    };
    refused("SELECT Nope FROM Contact", "INVALID_FIELD");
    refused("SELECT Nope.Name FROM Contact", "INVALID_FIELD");
    refused("SELECT Id FROM Contact WHERE AccountId = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR");
    refused("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD");
    refused("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD");
    refused("SELECT Id, Id FROM Contact", "INVALID_FIELD");
    refused("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY");
    refused("SELECT Id FROM Contact WHERE LastName = 'a' AND FirstName = 'b' OR FirstName = 'c'", "MALFORMED_QUERY");
    refused("SELECT LastName, COUNT(Id) FROM Contact", "MALFORMED_QUERY");
    refused("SELECT TYPEOF Who WHEN Contact THEN Name END FROM Event", "MALFORMED_QUERY");
    refused("", "MALFORMED_QUERY");
}

#[test]
fn fields_all_shows_every_field() {
    let kit = people();
    let got = kit.query("SELECT FIELDS(ALL) FROM Contact LIMIT 200");
    let row = got.body["records"][0].as_object().cloned().unwrap_or_default();
    assert!(row.contains_key("Syncline_Uid__c") && row.contains_key("MailingAddress"), "{row:?}");
    let got = kit.query("SELECT FIELDS(CUSTOM) FROM Event LIMIT 1");
    assert_eq!(got.status, 200, "{}", got.text);
}
