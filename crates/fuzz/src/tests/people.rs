//! Other people's addresses and numbers: where our normal forms differ from their verdicts, and why.

use syncline_core::person::{normal_email, phone_digits};

use super::{strings, testdata};

/// What we take although isemail refuses it. We compare what people typed into a form; whether mail would be delivered
/// is for mail servers to say, and a booking must not be lost over it:
///
/// - white space and line breaks around the address, which are trimmed;
/// - dots, quotes, brackets and backslashes in the local part, which some providers do hand out;
/// - dashes at the border of a domain's label, and one full stop behind the domain.
fn is_forgiven(address: &str) -> bool {
    let trimmed = address.trim();
    let (local, domain) = trimmed.rsplit_once('@').unwrap_or_default();
    let labels = domain.trim_end_matches('.').split('.').any(|label| label.starts_with('-') || label.ends_with('-'));
    trimmed != address
        || local.starts_with('.')
        || local.ends_with('.')
        || local.contains(['"', '(', '\\'])
        || labels
        || domain.ends_with('.')
}

/// isemail's verdicts by category, with how many of each we take. Comments, folded lines and domains in brackets
/// (`CFWS`, `DEPREC`, `RFC5321`, `RFC5322`) are mail syntax that no form lets through, so most of it is refused.
///
/// proves: B6
#[test]
fn addresses_differ_from_isemail_only_where_we_mean_it() {
    const TAKEN: &[(&str, usize, usize)] = &[
        ("VALID_CATEGORY", 14, 13),
        ("DNSWARN", 8, 8),
        ("RFC5321", 16, 7),
        ("CFWS", 10, 9),
        ("DEPREC", 20, 5),
        ("RFC5322", 30, 2),
        ("ERR", 66, 36),
    ];
    let cases = testdata("email.json");
    let cases: Vec<[&str; 2]> = cases
        .as_array()
        .expect("a list")
        .iter()
        .map(|case| [0, 1].map(|at| case[at].as_str().expect("a text")))
        .collect();
    for (category, all, taken) in TAKEN {
        let of: Vec<&str> = cases.iter().filter(|case| case[1] == *category).map(|case| case[0]).collect();
        let count = of.iter().filter(|address| normal_email(address).is_some()).count();
        assert_eq!((of.len(), count), (*all, *taken), "{category}");
    }
    for [address, category] in cases {
        match (normal_email(address), category) {
            // The one valid address that is none for us: no public mailbox lies right below a top-level domain.
            (None, "VALID_CATEGORY") => assert_eq!(address, "test@io"),
            (Some(_), "ERR") => assert!(is_forgiven(address), "{address:?}"),
            (Some(email), _) => assert_eq!(normal_email(&email).as_deref(), Some(&*email)),
            (None, _) => {}
        }
    }
}

/// A valid number is known again in its national and international forms, however it is set.
///
/// proves: B6
#[test]
fn example_numbers_are_compared_by_their_digits() {
    let mut short = 0;
    for case in testdata("phone.json").as_array().expect("a list") {
        let [region, kind, national, e164] = [0, 1, 2, 3].map(|at| case[at].as_str().expect("a text"));
        let digits = e164.len() - 1;
        let expected = (6..=16).contains(&digits).then(|| e164.to_owned());
        assert_eq!(phone_digits(e164), expected, "{region} {kind}");
        short += usize::from(expected.is_none());
        let Some(expected) = expected else { continue };
        let code = &e164[..e164.len() - national.len()];
        let spaced: String = national.chars().flat_map(|digit| [digit, ' ']).collect();
        for typed in [
            format!("{code} {national}"),
            format!("{code} (0){national}"),
            format!("{code}-{spaced}"),
            format!("00{}/{national}", &code[1..]),
            format!("  {code}.{national}  "),
        ] {
            assert_eq!(phone_digits(&typed).as_deref(), Some(&*expected), "{typed:?}");
        }
    }
    assert_eq!(short, 0, "every example of the set has six digits or more with its country's code");
}

/// Hostile strings are no addresses and no numbers, or ones that are their own normal form.
#[test]
fn hostile_strings_are_normal_or_refused() {
    for set in
        ["strings/xss.json", "strings/blns.json", "strings/crlf.json", "strings/csv.json", "strings/unicode.json"]
    {
        for text in strings(set) {
            crate::person::normalise(text.as_bytes());
            crate::person::normalise(format!("{text}@x.example").as_bytes());
            crate::person::normalise(format!("a@{text}.example").as_bytes());
        }
    }
}
