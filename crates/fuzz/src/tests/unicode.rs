//! The Unicode Consortium's own test data: characters as people count them, composed forms, domains in other scripts.

use syncline_core::person::normal_email;
use syncline_vendors::intake::text;

use super::testdata;

/// Text is cut between what people take for characters, never within one.
///
/// proves: sec:S47
#[test]
fn text_is_cut_between_graphemes() {
    for case in testdata("unicode/graphemes.json").as_array().expect("a list") {
        let graphemes: Vec<&str> = case.as_array().expect("a list").iter().filter_map(|part| part.as_str()).collect();
        let whole = graphemes.concat();
        let mut borders = vec![0];
        for grapheme in &graphemes {
            borders.push(borders[borders.len() - 1] + grapheme.len());
        }
        for max in 1..=whole.chars().count() {
            let kept = text::cut(&whole, max);
            assert!(whole.starts_with(kept) && kept.chars().count() <= max, "{whole:?} cut at {max}");
            let within_first = borders[1] > text::cut(&whole, max).len();
            assert!(borders.contains(&kept.len()) || within_first, "{whole:?} cut at {max} gave {kept:?}");
        }
    }
}

/// Composed and decomposed spellings of one address are one address.
#[test]
fn addresses_compare_in_composed_form() {
    let mut compared = 0;
    for case in testdata("unicode/normal_forms.json").as_array().expect("a list") {
        let [typed, composed] = [0, 1].map(|at| case[at].as_str().expect("a text"));
        let email = |local: &str| normal_email(&format!("x{local}@acme.example"));
        assert_eq!(email(typed), email(composed), "{typed:?}");
        compared += usize::from(email(typed).is_some());
    }
    assert!(compared > 300, "{compared}");
}

/// A domain has one ASCII form, the one that UTS 46 gives. What UTS 46 refuses is refused, too, except for dashes in odd
/// places and a full stop at the end, which are as harmless here as in ASCII domains.
///
/// proves: B6
#[test]
fn domains_have_the_ascii_form_of_the_standard() {
    let mut same = 0;
    for case in testdata("unicode/idna.json").as_array().expect("a list") {
        let domain = case[0].as_str().expect("a domain");
        let email = normal_email(&format!("a@{domain}"));
        let expected = case[1].as_str().map(|ascii| ascii.trim_end_matches('.')).filter(|ascii| {
            let host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            ascii.contains('.') && ascii.chars().all(host) && ascii.split('.').all(|label| !label.is_empty())
        });
        match (email, expected) {
            (Some(email), Some(ascii)) => {
                assert_eq!(email, format!("a@{ascii}"), "{domain:?}");
                same += 1;
            }
            (None, Some(ascii)) => assert!(ascii.len() > 250, "{domain:?} was refused"),
            (Some(email), None) => assert!(email.contains('-') || domain.ends_with('.'), "{domain:?} gave {email}"),
            (None, None) => {}
        }
    }
    assert!(same > 40, "{same} domains were compared");
}
