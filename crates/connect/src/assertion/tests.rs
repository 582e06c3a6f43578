//! An assertion is signed as the other side will check it.

use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;

use super::*;

const KEY: &str = include_str!("fixtures/rfc7520-rsa.base64");
const MODULUS: &str = include_str!("fixtures/rfc7520-rsa.modulus");
/// 65537, as every RSA key of that document has it.
const EXPONENT: &str = "AQAB";

#[derive(Deserialize)]
struct Read {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
}

fn key() -> Secret {
    let kind = "RSA PRIVATE KEY";
    Secret::new(format!("-----BEGIN {kind}-----\n{KEY}-----END {kind}-----\n"))
}

fn claims() -> Claims<'static> {
    Claims {
        issuer: "app",
        subject: "ada@example.org",
        audience: "https://login.example",
        lifetime: Duration::from_secs(180),
    }
}

#[test]
fn the_assertion_verifies_with_the_public_key_and_lives_as_long_as_said() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let signed = sign_rs256(claims(), now, &key()).unwrap();
    let mut expected = Validation::new(Algorithm::RS256);
    expected.set_audience(&["https://login.example"]);
    expected.validate_exp = false;
    let public = DecodingKey::from_rsa_components(MODULUS.trim(), EXPONENT).unwrap();
    let read = jsonwebtoken::decode::<Read>(signed.expose(), &public, &expected).unwrap().claims;
    assert_eq!((read.iss.as_str(), read.sub.as_str()), ("app", "ada@example.org"));
    assert_eq!((read.aud.as_str(), read.exp), ("https://login.example", 1_800_000_180));
}

#[test]
fn a_key_that_is_none_is_a_matter_of_configuration_and_is_not_repeated_in_the_message() {
    for bad in ["", "not a key", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
        let error = sign_rs256(claims(), Timestamp::UNIX_EPOCH, &Secret::new(bad)).unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
        assert!(bad.is_empty() || !error.to_string().contains(bad));
    }
}
