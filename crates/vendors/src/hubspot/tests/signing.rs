//! Webhooks are HubSpot's or they are not taken. The vectors are those of the vendor's own Python library
//! (`tests/spec/utils/test_signature.py` of HubSpot/hubspot-api-python at a2a528a97f4c, Apache-2.0).

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use syncline_connect::{RawRequest, Refusal, Secret};
use syncline_core::Clock;
use syncline_sandbox::{HubSpotAccount, HubSpotConfig};

use crate::{
    hubspot::signature::{SIGNATURE, TIMESTAMP, verify},
    testing::site::{Hands, raw},
};

const URL: &str = "https://www.example.com/webhook_uri";
const SECRET: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
const BODY: &str = "{'example_field':'example_value'}";
const SIGNED: &str = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=";
const STAMP: &str = "1693657560000";

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn request(headers: &[(&'static str, &str)], body: &str) -> RawRequest {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    RawRequest { headers: map, body: Bytes::copy_from_slice(body.as_bytes()) }
}

/// proves: sec:S20
#[test]
fn the_vendors_own_vectors_are_told_apart() {
    let secrets = [Secret::new("another"), Secret::new(SECRET)];
    let good = request(&[(SIGNATURE, SIGNED), (TIMESTAMP, STAMP)], BODY);
    let check = |raw: &RawRequest, now: i64| verify(raw, URL, &secrets, at(now));
    assert_eq!(check(&good, 1_693_657_560), Ok(()));
    assert_eq!(check(&good, 1_693_657_860), Ok(()));
    assert_eq!(check(&good, 1_693_657_861), Err(Refusal::Stale), "too old");
    assert_eq!(check(&good, 1_693_657_259), Err(Refusal::Stale), "too far ahead");
    assert_eq!(check(&request(&[(SIGNATURE, SIGNED)], BODY), 1_693_657_560), Err(Refusal::Missing));
    assert_eq!(check(&request(&[(TIMESTAMP, STAMP)], BODY), 1_693_657_560), Err(Refusal::Missing));
    let twice = request(&[(SIGNATURE, SIGNED), (SIGNATURE, SIGNED), (TIMESTAMP, STAMP)], BODY);
    assert_eq!(check(&twice, 1_693_657_560), Err(Refusal::Unreadable));
    assert_eq!(verify(&good, "https://www.example.com/other", &secrets, at(1_693_657_560)), Err(Refusal::Mismatch));
    assert_eq!(verify(&good, URL, &[Secret::new("")], at(1_693_657_560)), Err(Refusal::NoSecret));
    assert_eq!(verify(&good, URL, &secrets[..1], at(1_693_657_560)), Err(Refusal::Mismatch));
}

proptest! {
    /// proves: sec:S20
    #[test]
    fn nothing_else_passes(signature in "[ -~é]{0,60}", stamp in "[0-9]{0,16}", body in ".{0,30}") {
        prop_assume!(signature != SIGNED && signature.parse::<http::HeaderValue>().is_ok());
        let raw = request(&[(SIGNATURE, &signature), (TIMESTAMP, &stamp)], &body);
        prop_assert!(verify(&raw, URL, &[Secret::new(SECRET)], at(1_693_657_560)).is_err());
    }

    /// proves: sec:S20
    #[test]
    fn a_changed_body_does_not_pass(body in ".{0,40}") {
        prop_assume!(body != BODY);
        let raw = request(&[(SIGNATURE, SIGNED), (TIMESTAMP, STAMP)], &body);
        prop_assert_eq!(verify(&raw, URL, &[Secret::new(SECRET)], at(1_693_657_560)), Err(Refusal::Mismatch));
    }
}

#[test]
fn what_the_account_sends_is_taken() {
    let hands = Hands::at("2026-05-06T12:00:00Z");
    let config = HubSpotConfig::default();
    let (app, secret) = (config.private_apps[0].app_id, config.private_apps[0].client_secret.clone());
    let account = HubSpotAccount::new(config, hands.clone()).unwrap();
    let url = "https://sync.example/hooks?who=a%2Fb%20c";
    account.subscribe(app, url, "contact.creation", None).unwrap();
    account.create("contacts", &[("email", "ada@example.org")]).unwrap();
    hands.pass(30);
    let deliveries = account.take_deliveries();
    assert!(!deliveries.is_empty());
    for delivery in deliveries {
        assert_eq!(verify(&raw(&delivery.webhook), url, &[Secret::new(secret.clone())], hands.now()), Ok(()));
    }
}
