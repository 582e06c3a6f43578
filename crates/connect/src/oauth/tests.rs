//! Bodies and headers of token requests, and the rule about refresh tokens.

use super::*;

fn set(refresh: Option<&str>) -> TokenSet {
    TokenSet {
        access: Secret::new("access"),
        refresh: refresh.map(Secret::new),
        base_url: Url::parse("https://acme.my.salesforce.com").unwrap(),
        expires_at: None,
        account: None,
    }
}

/// proves: fault:T3 (the part that can be held here: a rotated token replaces the old, an absent one does not)
#[test]
fn a_refresh_without_a_new_token_keeps_the_old_one() {
    let old = Secret::new("old");
    assert_eq!(set(None).keeping(&old).refresh.unwrap().expose(), "old");
    assert_eq!(set(Some("new")).keeping(&old).refresh.unwrap().expose(), "new");
}

#[test]
fn a_form_escapes_what_would_end_a_field() {
    assert_eq!(form(&[("code", "a b&c=d+e"), ("x", "ü")]), "code=a+b%26c%3Dd%2Be&x=%C3%BC");
}

#[test]
fn basic_credentials_survive_a_colon_and_are_never_printed() {
    let header = basic("id:1", &Secret::new("s p"));
    assert_eq!(header.expose(), format!("Basic {}", STANDARD.encode("id%3A1:s+p")));
    assert_eq!(format!("{header:?}"), "***");
}
