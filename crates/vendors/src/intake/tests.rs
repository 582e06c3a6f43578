//! The bounds that every source relies on: JSON that is refused, text that is cut, values that change their type.

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::booking::message::Attendee;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

/// JSONTestSuite; `testdata/README.md` says whose it is.
const CASES: &str = include_str!("../../../../testdata/json.json");

/// Judges one case of the suite: a scalar or list at the top is fine JSON, though no webhook of ours.
fn check_case(name: &str, bytes: &[u8]) {
    let wrapped = [b"{\"a\":", bytes, b"}"].concat();
    for verdict in [object(bytes).is_ok(), object(&wrapped).is_ok()] {
        if name.starts_with("n_") {
            assert!(!verdict, "{name} must be refused");
        }
    }
    if name.starts_with("y_") {
        assert!(
            depth(bytes) <= MAX_JSON_DEPTH && serde_json::from_slice::<Value>(bytes).is_ok(),
            "{name} must be read"
        );
    }
    for connector in crate::all() {
        if let Some(source) = connector.bookings() {
            crate::testing::check_any(source, bytes);
            crate::testing::check_any(source, &wrapped);
        }
    }
}

/// Wrapped, these become something else; the suite means them to stand alone.
const NOT_WRAPPED: &[&str] = &["n_structure_no_data", "n_single_space"];

/// The whole suite through every source.
/// proves: sec:S30
#[test]
fn bad_json_is_refused_and_odd_json_does_not_panic() {
    let cases: Map<String, Value> = serde_json::from_str(CASES).expect("cases");
    assert_eq!(cases.len(), 316);
    for (name, bytes) in &cases {
        let bytes = base64::prelude::BASE64_STANDARD.decode(bytes.as_str().expect("text")).expect("base64");
        if NOT_WRAPPED.contains(&name.as_str()) {
            assert!(object(&bytes).is_err(), "{name}");
        } else {
            check_case(name, &bytes);
        }
    }
}

/// proves: sec:S30
#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(object(nested(MAX_JSON_DEPTH).as_bytes()).is_ok());
    assert!(object(nested(MAX_JSON_DEPTH + 1).as_bytes()).expect_err("refused").reason.contains("64 levels"));
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "[{\"\":".repeat(50_000)] {
        assert!(object(deep.as_bytes()).is_err());
        for connector in crate::all() {
            connector.bookings().into_iter().for_each(|source| crate::testing::check_any(source, deep.as_bytes()));
        }
    }
    let brackets_in_text = format!("{{\"a\":\"{}\\\"[\"}}", "[".repeat(200));
    assert!(object(brackets_in_text.as_bytes()).is_ok());
}

/// A text that its sender cut within an emoji is still a text.
#[test]
fn half_a_surrogate_pair_is_mended() {
    let check = |body: &str, expected: Option<&str>| {
        let found = object(body.as_bytes()).ok().and_then(|object| Some(object.get("a")?.as_str()?.to_owned()));
        assert_eq!(found.as_deref(), expected, "{body}");
    };
    check(r#"{"a":"x\ud83d"}"#, Some("x\u{fffd}"));
    check(r#"{"a":"\ude00x"}"#, Some("\u{fffd}x"));
    check(r#"{"a":"\ud83d\ud83d\ude00"}"#, Some("\u{fffd}😀"));
    check(r#"{"a":"\\\ud83d"}"#, Some("\\\u{fffd}"));
    check(r#"{"a":"\\ud83d"}"#, Some("\\ud83d"));
    check(r#"{"a":"\ud83d\u"}"#, None);
    check(r#"{"a":"\ud8"#, None);
}

#[test]
fn the_same_bytes_give_the_same_key_and_others_another() {
    let key = |parts: &[&str], body: &str| delivery(parts, body.as_bytes());
    assert_eq!(key(&["a", "b"], "{}"), key(&["a", "b"], "{}"));
    assert_ne!(key(&["a", "b"], "{}"), key(&["a", "b"], "{ }"));
    assert!(key(&["ü\n| ", &"x".repeat(1_000)], "{}").len() < 200);
    assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
}

#[test]
fn guests_are_neither_the_booker_nor_a_host_nor_there_twice() {
    let person = |email: &str| Attendee { email: email.to_owned(), ..Attendee::default() };
    let host = |email: &str| Host { email: email.to_owned(), ..Host::default() };
    let hosts = only_hosts(vec![host("H@example.org"), host(""), host("h@EXAMPLE.org")]);
    assert_eq!(hosts.len(), 1);
    let candidates = ["A@example.org", "b@example.org", "B@Example.org", "h@example.org", ""].map(person).to_vec();
    assert_eq!(only_guests(candidates, &person("a@example.org"), &hosts), [person("b@example.org")]);
}

#[test]
fn a_text_is_cleaned_by_its_kind() {
    let check = |found: Option<String>, expected: Option<&str>| assert_eq!(found.as_deref(), expected);
    check(text::line(" a\nb\u{0}c "), Some("a b c"));
    check(text::line(" \u{0}\n"), None);
    check(text::block("a\r\nb\u{0}\tc\n"), Some("a\nb\tc"));
    check(text::web_url(" https://example.org/a b"), Some("https://example.org/a%20b"));
    check(text::web_url("javascript:alert(1)"), None);
    check(text::web_url("data:text/html,x"), None);
    check(text::web_url("/relative"), None);
    check(text::web_url(&format!("https://example.org/{}", "a".repeat(text::MAX_URL_CHARS))), None);
    check(text::time_zone("Europe/Berlin"), Some("Europe/Berlin"));
    check(text::time_zone("../../etc/passwd"), None);
    check(text::language("de-AT"), Some("de-AT"));
    check(text::language("d e"), None);
}

#[test]
fn a_value_is_spelled_as_people_would() {
    let check =
        |value: Value, expected: Option<&str>| assert_eq!(value::spelled(&value).as_deref(), expected, "{value}");
    check(json!("a"), Some("a"));
    check(json!(2.5), Some("2.5"));
    check(json!(true), Some("true"));
    check(json!(null), None);
    check(json!([]), None);
    check(json!(["a", null, "b", 3]), Some("a, b, 3"));
    check(json!({"optionValue": "", "value": "inPerson"}), Some("inPerson"));
    check(json!({"optionValue": "+49 30 1", "value": "phone"}), Some("phone: +49 30 1"));
    check(json!({"label": "CRM suite", "id": "crm"}), Some("CRM suite"));
    check(json!({"firstName": "Ada", "lastName": "Lovelace"}), Some("Ada Lovelace"));
}

proptest! {
    /// A cut never tears a grapheme, never exceeds the limit, and leaves short texts alone.
    #[test]
    fn a_cut_falls_between_graphemes(text in "(a|é|e\u{301}|🏳️‍🌈|👩‍👩‍👧|日|\r\n){0,40}", max in 0..60_usize) {
        let cut = text::cut(&text, max);
        prop_assert!(text.starts_with(cut));
        prop_assert!(cut.chars().count() <= max);
        let whole: Vec<&str> = text.graphemes(true).collect();
        let kept: Vec<&str> = cut.graphemes(true).collect();
        if whole.first().is_some_and(|first| first.chars().count() <= max) {
            prop_assert_eq!(&whole[..kept.len()], &kept[..]);
            let next = whole.get(kept.len()).map_or(usize::MAX, |next| next.chars().count());
            prop_assert!(kept.len() == whole.len() || cut.chars().count() + next > max, "it could be longer");
        }
    }

    #[test]
    fn depth_is_that_of_the_value(levels in 1..40_usize, text in "[\\[\\]{}\"\\\\a]{0,8}") {
        let mut value = json!(text);
        for level in 0..levels {
            value = if level % 2 == 0 { json!([value]) } else { json!({ "k]": value }) };
        }
        prop_assert_eq!(depth(value.to_string().as_bytes()), levels);
    }
}
