//! What is the same for all vendors; what each makes of it is tested beside it.

use syncline_connect::{ErrorKind, Grant, Retry, Secret, Settings};

use super::{bearer, lost, refused, stand_in};

const SETTING: &str = "allow_host";

fn stands_in(text: &str) -> Option<String> {
    let settings = Settings::from([(SETTING.to_owned(), text.to_owned())]);
    stand_in(&settings, SETTING, "https://stand.example").expect("an origin or nothing").map(|url| url.to_string())
}

/// proves: sec:S5: only an exact origin stands in for a vendor, and only where the operator names one.
#[test]
fn only_an_origin_stands_in() {
    assert_eq!(stand_in(&Settings::new(), SETTING, "x").expect("nothing is set"), None);
    assert_eq!(stands_in("  "), None);
    assert_eq!(stands_in(" https://stand.example:8443 ").as_deref(), Some("https://stand.example:8443/"));
    for wrong in [
        "elsewhere.example",
        "ftp://stand.example",
        "https://a@stand.example",
        "https://stand.example/?x",
        "http://x/y",
    ] {
        let settings = Settings::from([(SETTING.to_owned(), wrong.to_owned())]);
        let error = stand_in(&settings, SETTING, "https://stand.example").expect_err("no origin");
        assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never), "{wrong}");
        assert!(!error.to_string().contains(wrong), "what was set may be a secret");
    }
}

/// A code is spent; what can be asked again is.
#[test]
fn a_lost_answer_means_what_its_grant_allows() {
    let secret = || Secret::new("x".to_owned());
    for (grant, kind, retry) in [
        (Grant::Code { code: secret(), verifier: secret() }, ErrorKind::UnknownOutcome, Retry::Never),
        (Grant::Refresh { token: secret() }, ErrorKind::UnknownOutcome, Retry::Backoff),
        (Grant::ClientCredentials, ErrorKind::Unavailable, Retry::Backoff),
    ] {
        let error = lost(&grant, "status 502".to_owned());
        assert_eq!((error.kind, error.retry), (kind, retry), "{grant:?}");
    }
}

/// proves: sec:S53: of a refusal a word is kept as its code, and no sentence.
#[test]
fn only_words_are_codes() {
    let code = |code: &str| refused(code, ErrorKind::Revoked, Retry::Never, "it is gone").code;
    assert_eq!(code("invalid_grant").as_deref(), Some("invalid_grant"));
    for sentence in ["", "ada@acme.example", "no such user", &"x".repeat(61)] {
        assert_eq!(code(sentence), None, "{sentence}");
    }
}

#[test]
fn a_token_of_another_kind_is_none() {
    assert!(bearer("x".to_owned(), Some("BEARER")).is_ok() && bearer("x".to_owned(), None).is_ok());
    assert!(bearer("x".to_owned(), Some("mac")).is_err() && bearer(String::new(), None).is_err());
}
