//! No text can leave its literal.

use proptest::prelude::*;

use super::super::soql::{ApiName, Condition, Literal, Select, percent_encoded};

fn name(text: &str) -> ApiName {
    ApiName::parse(text).unwrap()
}

fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

/// Reads a literal as Salesforce does; `None` where it does not span the whole text.
fn parse_literal(soql: &str, like: bool) -> Option<String> {
    let inner = soql.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut chars = inner.chars();
    let mut read = String::new();
    while let Some(char) = chars.next() {
        match char {
            '\'' => return None,
            '%' | '_' if like => return None,
            '\\' => read.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other @ ('\\' | '\'' | '"') => other,
                other @ ('%' | '_') if like => other,
                _ => return None,
            }),
            other => read.push(other),
        }
    }
    Some(read)
}

/// The cases of the common Python client's own tests (see `fixtures/README.md`); a time is written in UTC, which is the
/// same moment in another form.
///
/// proves: sec:S51
#[test]
fn literals_are_escaped_as_the_field_does_it() {
    let is = |field: &str, literal| Condition::Is(name(field), literal).to_string();
    assert_eq!(is("x", text("val'ue1\n")), r"x = 'val\'ue1\n'");
    assert_eq!(is("x", text("value1")), "x = 'value1'");
    let list = Condition::In(name("x"), vec![text("value1"), text("val'ue1\n")]);
    assert_eq!(list.to_string(), r"x IN ('value1','val\'ue1\n')");
    assert_eq!(is("x", Literal::Int(1)), "x = 1");
    assert_eq!(is("x", Literal::Float(2.37)), "x = 2.37");
    assert_eq!(is("truth", Literal::Bool(false)), "truth = false");
    assert_eq!(is("truth", Literal::Bool(true)), "truth = true");
    assert_eq!(Condition::IsNot(name("name"), Literal::Null).to_string(), "name != null");
    assert_eq!(is("date", Literal::Date("1987-02-01".parse().unwrap())), "date = 1987-02-01");
    assert_eq!(is("date", Literal::Time("1987-02-01T01:02:03+00:00".parse().unwrap())), "date = 1987-02-01T01:02:03Z");
    let like = Condition::Contains(name("name"), "foo'%bar_".into());
    assert_eq!(like.to_string(), r"name LIKE '%foo\'\%bar\_%'");
    assert_eq!(percent_encoded("some/other'type value"), "some%2Fother%27type%20value");
    assert_eq!(text("\\ \" \r \t \u{8} \u{c}").to_string(), r#"'\\ \" \r \t \b \f'"#);
}

/// The same, read from the shared set itself where it lies beside the project.
///
/// proves: sec:S51
#[test]
fn literals_are_escaped_as_in_the_shared_set() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/testdata/reliability/soql/escaping_simple_salesforce.json"
    );
    let Ok(set) = std::fs::read_to_string(path) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "the shared test set is missing: ../shared/testdata/reliability/soql"
        );
        eprintln!("left out: the shared test set is not here");
        return;
    };
    let set: serde_json::Value = serde_json::from_str(&set).unwrap();
    let strings = set["cases"].as_array().unwrap().iter().filter_map(|case| Some((case, case["value"].as_str()?)));
    let mut count = 0;
    for (case, value) in strings {
        let expected = case["expect"].as_str().unwrap();
        let template = case["template"].as_str().unwrap();
        let built = match template {
            "(external id path segment)" => percent_encoded(value),
            template if template.contains("{:like}") => {
                let mut escaped = String::new();
                super::super::soql::escape_like(value, &mut escaped).unwrap();
                template.replace("{:like}", &escaped)
            }
            template => template.replace("{}", &text(value).to_string()),
        };
        assert_eq!(built, expected);
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn a_query_is_ordered_and_reads_as_one_would_write_it() {
    let select = Select {
        object: name("Event"),
        fields: vec![name("Id"), name("Subject")],
        any: vec![
            Condition::In(name("Key__c"), vec![text("a"), text("b")]),
            Condition::EndsWith(name("Email"), "@x_y.org".into()),
        ],
        all: vec![Condition::Is(name("IsChild"), Literal::Bool(false))],
    };
    insta::assert_snapshot!(select, @r"SELECT Id, Subject FROM Event WHERE (Key__c IN ('a','b') OR Email LIKE '%@x\_y.org') AND IsChild = false ORDER BY CreatedDate, Id");
}

/// proves: sec:S51
#[test]
fn names_are_identifiers_or_refused() {
    for good in ["Id", "Syncline_Uid__c", "ns__Field2__c"] {
        assert!(ApiName::parse(good).is_some(), "{good}");
    }
    let long = "a".repeat(81);
    for bad in ["", "_a", "1a", "a b", "a,b", "a'b", "Account.Name", "a--", "é", "a\n", "a)", &long] {
        assert!(ApiName::parse(bad).is_none(), "{bad}");
    }
}

proptest! {
    /// proves: sec:S51
    #[test]
    fn a_literal_reads_back_as_what_it_was_built_from(value in any::<String>()) {
        prop_assert_eq!(parse_literal(&text(&value).to_string(), false), Some(value));
    }

    /// proves: sec:S51
    #[test]
    fn quotes_and_backslashes_in_any_order_stay_inside(value in r#"['"\\%_n\n\r]{0,12}"#) {
        prop_assert_eq!(parse_literal(&text(&value).to_string(), false), Some(value));
    }

    /// proves: sec:S51
    #[test]
    fn wildcards_stand_for_themselves(value in r#"(['\\%_a]|\PC){0,12}"#) {
        let soql = Condition::EndsWith(name("Email"), value.clone()).to_string();
        let literal = soql.strip_prefix("Email LIKE '%").map(|rest| format!("'{rest}")).unwrap();
        prop_assert_eq!(parse_literal(&literal, true), Some(value));
    }

    /// proves: sec:S51
    #[test]
    fn a_path_segment_stays_one_segment_and_decodes_to_itself(value in any::<String>()) {
        let encoded = percent_encoded(&value);
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        let query = format!("v={}", encoded);
        let (_, decoded) = url::form_urlencoded::parse(query.as_bytes()).next().unwrap();
        prop_assert_eq!(decoded.into_owned(), value);
    }
}
