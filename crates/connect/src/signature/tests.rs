//! Signature vectors of public suites, then the properties that no vector covers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../testdata/webhook-signatures/vectors.json");
const NOW: i64 = 1_700_000_000;
/// The header and the tolerance of the vectors with a stamped signature.
const STAMPED: &str = "calendly-webhook-signature";
const TOLERANCE: SignedDuration = SignedDuration::from_mins(3);

fn request(headers: &[(&str, &str)], body: &[u8]) -> RawRequest {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.to_lowercase().as_bytes()).expect("header name"),
            HeaderValue::from_str(value).expect("header value"),
        );
    }
    RawRequest { headers: map, body: Bytes::copy_from_slice(body) }
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::new(*text)).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("time stamp")
}

fn hex_mac(key: &str, parts: &[&[u8]]) -> String {
    hex::encode(mac(key.as_bytes(), parts))
}

fn judge(scheme: &str, raw: &RawRequest, secret: &str, now: i64, tolerance: Option<i64>) -> Result<(), Refusal> {
    let secrets = secrets(&[secret]);
    match scheme {
        "standard-webhooks" => standard_webhooks(raw, "webhook", &secrets, at(now)),
        "svix" => standard_webhooks(raw, "svix", &secrets, at(now)),
        "calendly" => {
            let tolerance = tolerance.map_or(TOLERANCE, SignedDuration::from_secs);
            stamped_hex(raw, STAMPED, &secrets, at(now), tolerance)
        }
        other => panic!("no verifier for the scheme {other}"),
    }
}

/// proves: sec:S20, B1
#[test]
fn every_vector_gives_its_verdict() {
    let file: Value = serde_json::from_str(VECTORS).expect("vectors");
    let vectors = file["vectors"].as_array().expect("a list");
    assert_eq!(vectors.len(), 21);
    for vector in vectors {
        let id = vector["id"].as_str().expect("id");
        let body =
            vector["body"].as_str().or_else(|| file["bodies"][vector["body_ref"].as_str()?].as_str()).expect("body");
        let headers: Vec<(&str, &str)> = vector["headers"]
            .as_object()
            .expect("headers")
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().expect("text")))
            .collect();
        let verdict = judge(
            vector["scheme"].as_str().expect("scheme"),
            &request(&headers, body.as_bytes()),
            vector["secret"].as_str().expect("secret"),
            vector["now_unix"].as_i64().expect("clock"),
            vector["tolerance_s"].as_i64(),
        );
        assert_eq!(verdict.is_ok(), vector["expect"] == "accept", "{id}: {verdict:?}");
    }
}

/// Without a secret there is nothing to check against, and nothing is let in.
/// proves: sec:S20
#[test]
fn an_empty_secret_is_no_secret() {
    let signed = request(&[("x-cal-signature-256", &hex_mac("", &[b"{}"]))], b"{}");
    for none in [secrets(&[]), secrets(&[""]), secrets(&["", ""])] {
        assert_eq!(hex_body(&signed, "x-cal-signature-256", &none), Err(Refusal::NoSecret));
        assert_eq!(stamped_hex(&signed, STAMPED, &none, at(NOW), TOLERANCE), Err(Refusal::NoSecret));
        assert_eq!(standard_webhooks(&signed, "webhook", &none, at(NOW)), Err(Refusal::NoSecret));
    }
    assert_eq!(standard_webhooks(&signed, "webhook", &secrets(&["whsec_"]), at(NOW)), Err(Refusal::NoSecret));
    assert_eq!(standard_webhooks(&signed, "webhook", &secrets(&["whsec_%%"]), at(NOW)), Err(Refusal::NoSecret));
}

/// proves: sec:S20, sec:S22
#[test]
fn a_hex_header_is_read_strictly() {
    let check = |header: &str, expected| {
        let raw = request(&[("x-cal-signature-256", header)], b"{}");
        assert_eq!(hex_body(&raw, "x-cal-signature-256", &secrets(&["key"])), expected, "{header}");
    };
    let good = hex_mac("key", &[b"{}"]);
    check(&good, Ok(()));
    check(&good.to_uppercase(), Ok(()));
    check(&good[..62], Err(Refusal::Mismatch));
    check(&format!("{good}00"), Err(Refusal::Mismatch));
    check("00", Err(Refusal::Mismatch));
    check("no-secret-provided", Err(Refusal::Missing));
    check("", Err(Refusal::Missing));
    check("sha256", Err(Refusal::Unreadable));
    let twice = request(&[("x-cal-signature-256", &good), ("x-cal-signature-256", &good)], b"{}");
    assert_eq!(hex_body(&twice, "x-cal-signature-256", &secrets(&["key"])), Err(Refusal::Unreadable));
    assert_eq!(hex_body(&request(&[], b"{}"), "x-cal-signature-256", &secrets(&["key"])), Err(Refusal::Missing));
}

/// A body that says the same in other bytes was not signed.
/// proves: sec:S21
#[test]
fn a_reserialised_body_fails() {
    let sent = b"{\"b\": 1,\"a\":2}";
    let raw = request(&[("x-cal-signature-256", &hex_mac("key", &[sent]))], b"{\"a\":2,\"b\":1}");
    assert_eq!(hex_body(&raw, "x-cal-signature-256", &secrets(&["key"])), Err(Refusal::Mismatch));
}

fn stamped_request(key: &str, time: i64) -> RawRequest {
    let time = time.to_string();
    let header = format!("t={time},v1={}", hex_mac(key, &[time.as_bytes(), b".", b"{}"]));
    request(&[(STAMPED, &header)], b"{}")
}

fn standard_request(key: &[u8], time: i64) -> RawRequest {
    let time = time.to_string();
    let digest = BASE64.encode(mac(key, &[b"msg_1", b".", time.as_bytes(), b".", b"{}"]));
    request(
        &[("webhook-id", "msg_1"), ("webhook-timestamp", &time), ("webhook-signature", &format!("v1,{digest}"))],
        b"{}",
    )
}

/// proves: sec:S23, B1
#[test]
fn a_time_stamp_counts_within_its_window_on_both_sides() {
    for (distance, fits) in [(0, true), (179, true), (180, true), (-180, true), (181, false), (-181, false)] {
        let verdict =
            stamped_hex(&stamped_request("key", NOW - distance), STAMPED, &secrets(&["key"]), at(NOW), TOLERANCE);
        assert_eq!(verdict, if fits { Ok(()) } else { Err(Refusal::Stale) }, "{distance}");
    }
    for (distance, fits) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        let verdict = standard_webhooks(
            &standard_request(b"a raw key!", NOW - distance),
            "webhook",
            &secrets(&["a raw key!"]),
            at(NOW),
        );
        assert_eq!(verdict, if fits { Ok(()) } else { Err(Refusal::Stale) }, "{distance}");
    }
}

/// proves: sec:S23
#[test]
fn a_missing_or_odd_time_stamp_is_refused() {
    for time in ["", "hello", "-1", "+1700000000", "1.7e9", "99999999999999999999999", " 1700000000"] {
        let raw = request(&[("webhook-id", "m"), ("webhook-timestamp", time), ("webhook-signature", "v1,AAAA")], b"{}");
        let verdict = standard_webhooks(&raw, "webhook", &secrets(&["key"]), at(NOW));
        assert!(matches!(verdict, Err(Refusal::Unreadable | Refusal::Stale)), "{time}: {verdict:?}");
    }
    let none = request(&[("webhook-id", "m"), ("webhook-signature", "v1,AAAA")], b"{}");
    assert_eq!(standard_webhooks(&none, "webhook", &secrets(&["key"]), at(NOW)), Err(Refusal::Missing));
    let only_digest = request(&[(STAMPED, "v1=00")], b"{}");
    assert_eq!(stamped_hex(&only_digest, STAMPED, &secrets(&["key"]), at(NOW), TOLERANCE), Err(Refusal::Unreadable));
}

/// Id, time and body are parted by full stops, so a full stop in the id could move the border.
#[test]
fn an_id_with_a_full_stop_is_refused() {
    let digest = BASE64.encode(mac(b"a raw key!", &[b"a.1700000000.5.{}"]));
    let raw = request(
        &[("webhook-id", "a.1700000000"), ("webhook-timestamp", "5"), ("webhook-signature", &format!("v1,{digest}"))],
        b"{}",
    );
    assert_eq!(standard_webhooks(&raw, "webhook", &secrets(&["a raw key!"]), at(5)), Err(Refusal::Unreadable));
}

/// Old and new secret are both good during the overlap; afterwards the old one is not.
/// proves: sec:S25, B1
#[test]
fn secrets_can_be_rotated() {
    let hex_signed = |key: &str| request(&[("x-cal-signature-256", &hex_mac(key, &[b"{}"]))], b"{}");
    let judge_all = |key: &str, active: &[&str]| {
        let active = secrets(active);
        let verdicts = [
            hex_body(&hex_signed(key), "x-cal-signature-256", &active),
            stamped_hex(&stamped_request(key, NOW), STAMPED, &active, at(NOW), TOLERANCE),
            standard_webhooks(&standard_request(key.as_bytes(), NOW), "webhook", &active, at(NOW)),
        ];
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        verdicts[0]
    };
    assert_eq!(judge_all("old-key!", &["old-key!", "new-key!"]), Ok(()));
    assert_eq!(judge_all("new-key!", &["old-key!", "new-key!"]), Ok(()));
    assert_eq!(judge_all("new-key!", &["", "new-key!"]), Ok(()));
    assert_eq!(judge_all("old-key!", &["new-key!"]), Err(Refusal::Mismatch));
}

proptest! {
    /// proves: sec:S22
    #[test]
    fn no_header_and_no_body_makes_a_verifier_panic_or_let_in(
        value in "[ -~]{0,120}",
        id in "[ -~]{0,20}",
        time in "[0-9]{0,22}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let raw = request(
            &[
                ("x-cal-signature-256", &value),
                (STAMPED, &value),
                ("webhook-id", &id),
                ("webhook-timestamp", &time),
                ("webhook-signature", &value),
            ],
            &body,
        );
        let keys = secrets(&["key", "whsec_a2V5"]);
        prop_assert!(hex_body(&raw, "x-cal-signature-256", &keys).is_err());
        prop_assert!(stamped_hex(&raw, STAMPED, &keys, at(NOW), TOLERANCE).is_err());
        prop_assert!(standard_webhooks(&raw, "webhook", &keys, at(NOW)).is_err());
    }

    /// One changed bit anywhere in the body, and the signature no longer fits.
    /// proves: sec:S21
    #[test]
    fn a_changed_body_fails(mut body in proptest::collection::vec(any::<u8>(), 1..64), place in any::<prop::sample::Index>(), bit in 0..8u8) {
        let good = hex_mac("key", &[&body]);
        let raw = request(&[("x-cal-signature-256", &good)], &body);
        prop_assert_eq!(hex_body(&raw, "x-cal-signature-256", &secrets(&["key"])), Ok(()));
        let place = place.index(body.len());
        body[place] ^= 1 << bit;
        let raw = request(&[("x-cal-signature-256", &good)], &body);
        prop_assert_eq!(hex_body(&raw, "x-cal-signature-256", &secrets(&["key"])), Err(Refusal::Mismatch));
    }
}

/// What we sign, those who take Standard Webhooks let in; with another body, id, time or secret they do not.
///
/// proves: O7, sec:S21
#[test]
fn our_own_signature_is_one_that_the_scheme_takes() {
    for secret in ["whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==", "a plain text of some length"] {
        let secret = Secret::new(secret);
        let signature = standard_signature(&secret, "alert_1", at(NOW), b"{}").expect("it is a key");
        let verified = |id: &str, time: i64, body: &[u8], secret: &Secret| {
            let time = time.to_string();
            let headers = [("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", &signature)];
            standard_webhooks(&request(&headers, body), "webhook", std::slice::from_ref(secret), at(NOW))
        };
        assert_eq!(verified("alert_1", NOW, b"{}", &secret), Ok(()));
        assert_eq!(verified("alert_2", NOW, b"{}", &secret), Err(Refusal::Mismatch));
        assert_eq!(verified("alert_1", NOW + 1, b"{}", &secret), Err(Refusal::Mismatch));
        assert_eq!(verified("alert_1", NOW, b"[]", &secret), Err(Refusal::Mismatch));
        assert_eq!(verified("alert_1", NOW, b"{}", &Secret::new("another secret")), Err(Refusal::Mismatch));
    }
    assert_eq!(standard_signature(&Secret::new("whsec_"), "alert_1", at(NOW), b"{}"), None);
}

/// proves: sec:S22, sec:S25, sec:S26
#[test]
fn a_bearer_is_one_of_the_secrets_and_nothing_else() {
    let keys = secrets(&["the old token of the tests", "the new token of the tests"]);
    for (header, verdict) in [
        ("Bearer the old token of the tests", Ok(())),
        ("bearer  the new token of the tests ", Ok(())),
        ("Bearer the new token of the test", Err(Refusal::Mismatch)),
        ("Bearer ", Err(Refusal::Unreadable)),
        ("Basic the old token of the tests", Err(Refusal::Unreadable)),
        ("the old token of the tests", Err(Refusal::Unreadable)),
        ("", Err(Refusal::Unreadable)),
    ] {
        assert_eq!(bearer(&request(&[("authorization", header)], b""), &keys), verdict, "{header}");
    }
    assert_eq!(bearer(&request(&[], b""), &keys), Err(Refusal::Missing));
    assert_eq!(bearer(&request(&[("authorization", "Bearer x")], b""), &[]), Err(Refusal::NoSecret));
}
