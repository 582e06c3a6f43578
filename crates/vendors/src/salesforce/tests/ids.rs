//! Ids are told by form alone, and damaged ones are refused.

use proptest::prelude::*;
use syncline_connect::Records;
use syncline_core::record::Role;

use super::super::{MANIFEST, Salesforce, convert, id, manifest::PREFIXES, soql::ApiName};

/// The two ids stand in recorded answers of a developer org.
#[test]
fn fifteen_characters_become_the_eighteen_that_salesforce_answers() {
    for (whole, role) in [
        ("001dM00003kS3tNQAS", Role::Account),
        ("005dM00000awSFJQA2", Role::User),
        ("0034H00002JsInQQAV", Role::Contact),
    ] {
        let (found, canonical) = Salesforce.identify(&whole[..15]).unwrap();
        assert_eq!((found, canonical.as_str()), (role, whole));
        assert_eq!(Salesforce.identify(whole), Some((role, canonical)));
    }
}

#[test]
fn what_cannot_be_an_id_of_ours_is_none() {
    let damaged = "001dM00003kS3tNQAS".to_lowercase();
    for bad in [
        "",
        "001",
        "001dM00003kS3tNQAT",
        "001dM00003kS3tNQA",
        &damaged,
        "a01dM00003kS3tN",
        "001dM00003kS3t'",
        "001dM00003kS3té",
        "0051230000000000000",
    ] {
        assert_eq!(Salesforce.identify(bad), None, "{bad}");
    }
}

#[test]
fn the_manifest_is_sound() {
    for role in [Role::Account, Role::Contact, Role::Lead, Role::Case, Role::Opportunity, Role::Meeting, Role::User] {
        let spec = convert::spec(role);
        assert!(PREFIXES.iter().any(|(_, known)| *known == role));
        assert!(ApiName::parse(spec.object).is_some());
        for field in spec.fields {
            assert!(ApiName::parse(field.name).is_some(), "{}", field.name);
            assert_eq!(spec.fields.iter().filter(|other| other.field == field.field).count(), 1, "{}", field.name);
        }
    }
}

/// proves: sec:S7
#[test]
fn the_scopes_are_exactly_these() {
    assert_eq!(MANIFEST.scopes, ["api", "refresh_token"]);
}

proptest! {
    #[test]
    fn the_canonical_form_is_stable(text in "[0-9A-Za-z]{15}") {
        let canonical = id::canonical(&text).unwrap();
        prop_assert_eq!(id::canonical(canonical.as_str()), Some(canonical.clone()));
        prop_assert!(canonical.as_str().starts_with(&text));
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = Salesforce.identify(&text);
    }
}
