//! Addresses, names and numbers, as people type them.

use proptest::prelude::*;

use super::*;
use crate::cases::cases;

#[test]
fn addresses_are_compared_in_one_form() {
    let check = |typed: &str, expected: Option<&str>| assert_eq!(normal_email(typed).as_deref(), expected, "{typed:?}");
    check(" Ada@ACME.Example ", Some("ada@acme.example"));
    check("ada+demo@acme.example", Some("ada+demo@acme.example"));
    check("ada@bücher.example", Some("ada@xn--bcher-kva.example"));
    check("ada@xn--bcher-kva.example", Some("ada@xn--bcher-kva.example"));
    check("ADA@BÜCHER.example", Some("ada@xn--bcher-kva.example"));
    check("ada@acme。example", Some("ada@acme.example"));
    check("ada@acme.example.", Some("ada@acme.example"));
    // The same letters, composed and decomposed.
    check("jose\u{301}@acme.example", Some("jos\u{e9}@acme.example"));
    for none in [
        "",
        "ada",
        "@acme.example",
        "ada@",
        "ada@localhost",
        "ada@.example",
        "ada@acme..example",
        "a da@acme.example",
        "ada@acme_x.example",
        "ada@b@acme.example",
        "ada\0@acme.example",
        "ada@acme.example>",
    ] {
        check(none, None);
    }
    check(&format!("{}@acme.example", "a".repeat(241)), Some(&format!("{}@acme.example", "a".repeat(241))));
    check(&format!("{}@acme.example", "a".repeat(242)), None);
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn the_normal_form_is_its_own(typed in prop_oneof![".{0,30}", ".{1,10}@[a-zA-ZäÖßİ。.-]{1,12}\\.[a-z]{2}", "\\PC{1,10}@\\PC{1,10}\\.com"]) {
        if let Some(email) = normal_email(&typed) {
            let again = normal_email(&email);
            prop_assert_eq!(again.as_deref(), Some(&*email));
            prop_assert!(domain_of(&email).is_some_and(|domain| domain.is_ascii() && !domain.is_empty()));
            prop_assert_eq!(normal_email(&format!("  {typed}\n")), Some(email));
        }
    }

    #[test]
    fn no_word_of_a_name_is_lost(first in proptest::option::of("\\PC{0,12}"), last in proptest::option::of("\\PC{0,12}"), full in proptest::option::of("[\\PC ]{0,30}"), email in ".{0,20}") {
        let (given, family) = split_name(first.as_deref(), last.as_deref(), full.as_deref(), &email);
        prop_assert!(!family.trim().is_empty());
        let whole = squeeze(&format!("{} {family}", given.clone().unwrap_or_default()));
        let typed = |text: &Option<String>| text.as_deref().map(squeeze).filter(|text| !text.is_empty());
        match (typed(&first), typed(&last), typed(&full)) {
            (first, Some(last), _) => {
                prop_assert_eq!(given, first);
                prop_assert_eq!(family, last);
            }
            (_, None, Some(full)) => prop_assert_eq!(whole, full),
            (Some(first), None, None) => prop_assert_eq!(whole, first),
            (None, None, None) => prop_assert_eq!(given, None),
        }
    }

    #[test]
    fn what_has_its_form_is_not_copied(text in prop_oneof!["\\PC{0,20}", "[a ]{0,6}", "[a\u{a0}\u{85}\u{0} \t]{0,4}"]) {
        let squeezed = squeezed(&text);
        prop_assert_eq!(matches!(squeezed, Cow::Borrowed(_)), squeeze(&text) == text);
        prop_assert_eq!(squeezed.into_owned(), squeeze(&text));
    }

    #[test]
    fn squeezing_twice_is_squeezing_once(text in ".{0,40}") {
        let once = squeeze(&text);
        prop_assert_eq!(squeeze(&once), once.clone());
        prop_assert!(!once.contains("  ") && !once.chars().any(char::is_control));
    }

    #[test]
    fn numbers_compare_by_their_digits(typed in ".{0,24}") {
        if let Some(digits) = phone_digits(&typed) {
            prop_assert_eq!(phone_digits(&digits), Some(digits.clone()));
            prop_assert!(PHONE_DIGITS.contains(&digits.trim_start_matches('+').len()));
        }
    }
}

#[test]
fn names_are_split_as_far_as_they_tell() {
    let check = |parts: [Option<&str>; 3], expected: (Option<&str>, &str)| {
        let (first, last) = split_name(parts[0], parts[1], parts[2], "ada.l@acme.example");
        assert_eq!((first.as_deref(), &*last), expected, "{parts:?}");
    };
    check([Some(" Ada "), Some("King  Lovelace"), Some("ignored")], (Some("Ada"), "King Lovelace"));
    check([None, Some("Lovelace"), None], (None, "Lovelace"));
    check([None, None, Some("Ada King\tLovelace")], (Some("Ada"), "King Lovelace"));
    check([None, None, Some("Ada")], (None, "Ada"));
    check([Some("Ada"), None, None], (None, "Ada"));
    check([Some(""), Some(" "), Some("")], (None, "ada.l"));
    assert_eq!(split_name(None, None, None, "\n@x"), (None, "Unknown".to_owned()));
}

#[test]
fn phone_numbers_are_told_apart_by_digits_and_country() {
    let check = |typed: &str, expected: Option<&str>| assert_eq!(phone_digits(typed).as_deref(), expected, "{typed:?}");
    check("+49 151 / 234-5678", Some("+491512345678"));
    check("0049 151 2345678", Some("+491512345678"));
    check(" +49 (0)151 2345678", Some("+491512345678"));
    check("(0151) 2345678", Some("01512345678"));
    check("Tel.: +49 151 2345678", Some("+491512345678"));
    check("mobil 0049 151 2345678", Some("+491512345678"));
    check("0 049 151 2345678", Some("+491512345678"));
    check("12345", None);
    check("000000", None);
    check("+0", None);
    check("1234567890123456", Some("1234567890123456"));
    check("12345678901234567", None);
}

#[test]
fn the_list_of_free_mail_is_in_order_and_searched() {
    assert!(FREE_MAIL.is_sorted());
    assert!(FREE_MAIL.iter().all(|domain| is_free_mail(domain, &[])));
    assert!(!is_free_mail("acme.example", &[]));
    assert!(is_free_mail("acme.example", &["ACME.example".to_owned()]));
    assert!(!is_free_mail("sub.gmail.com", &[]));
}
