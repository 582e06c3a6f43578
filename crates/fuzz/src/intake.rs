//! Webhooks: their signatures, and their bodies up to the state of a booking.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use syncline_connect::{Bookings, RawRequest, Secret, watch::NOTICES_MAX};
use syncline_core::booking::chain::ChainState;

use crate::world::{connector, now};

/// Longest delivery key, as the inbox indexes it.
const MAX_DELIVERY_CHARS: usize = 512;

/// Longest reason for a refusal that a person should have to read.
const MAX_REASON_CHARS: usize = 8_000;

fn source(name: &str) -> &'static dyn Bookings {
    connector(name).bookings().expect("the target names booking sources")
}

/// Any body is read or refused, the same way twice, and what is read can be folded, stored and looked at.
pub fn read(name: &str, bytes: &[u8]) {
    let raw = RawRequest { headers: HeaderMap::new(), body: Bytes::copy_from_slice(bytes) };
    let first = source(name).read(&raw, now());
    assert_eq!(first, source(name).read(&raw, now()), "the same body, read twice");
    let reading = match first {
        Ok(reading) => reading,
        Err(malformed) => {
            assert!(malformed.reason.chars().count() <= MAX_REASON_CHARS, "a reason without end");
            assert!(!malformed.reason.contains(|c: char| c.is_control()), "a control character in a reason");
            return;
        }
    };
    assert_eq!(reading.messages.is_empty(), reading.ignored.is_some(), "either messages or a reason");
    assert!(reading.delivery.len() <= MAX_DELIVERY_CHARS && reading.delivery.is_ascii(), "an odd delivery key");
    let (mut state, mut backwards) = (ChainState::default(), ChainState::default());
    reading.messages.iter().for_each(|message| state.absorb(message));
    reading.messages.iter().rev().for_each(|message| backwards.absorb(message));
    assert_eq!(state, backwards, "the order of messages changed the booking");
    let _ = state.view();
    let stored = serde_json::to_vec(&state).expect("a state can be stored");
    let loaded: ChainState = serde_json::from_slice(&stored).expect("what was stored can be loaded");
    assert_eq!(loaded, state, "a state changed by being stored");
}

/// The headers in which the known schemes carry a signature and what belongs to it.
const SIGNED_HEADERS: &[&str] = &["x-cal-signature-256", "calendly-webhook-signature", "webhook-signature"];

/// No header that was made without the secret lets a body in. The first line is the signature, the second the id, the
/// third the time stamp; the rest is the body.
pub fn signatures(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let [signature, id, time] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &[u8]| {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    };
    SIGNED_HEADERS.iter().for_each(|name| put(name, signature));
    put("webhook-id", id);
    put("webhook-timestamp", time);
    let raw = RawRequest { headers, body };
    let secrets = [Secret::new("a-secret-that-no-corpus-has"), Secret::new("")];
    for connector in syncline_vendors::all() {
        if let Some(source) = connector.bookings().filter(|source| source.signed()) {
            assert!(source.verify(&raw, &secrets, now()).is_err(), "a forged signature was let in");
            assert!(source.verify(&raw, &[], now()).is_err(), "let in without any secret");
        }
    }
}

/// Longest name and secret of a watch that any vendor has.
const MAX_WATCH_CHARS: usize = 256;

/// The headers in which a watch, its secret and what it says may come.
const TOLD_HEADERS: [&str; 3] = ["x-goog-channel-id", "x-goog-channel-token", "x-goog-resource-state"];

/// Whatever is told of calendars is read, the same way twice and within bounds, and what is echoed is no markup. The first
/// three lines are headers, the fourth the query; the rest is the body.
pub fn told(bytes: &[u8]) {
    let mut parts = bytes.splitn(5, |byte| *byte == b'\n');
    let [id, secret, state, query] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for (name, value) in TOLD_HEADERS.into_iter().zip([id, secret, state]) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let raw = RawRequest { headers, body };
    for watches in syncline_vendors::all().iter().filter_map(|connector| connector.watches()) {
        let read = || {
            let notices = watches.notices(&raw).into_iter();
            notices.map(|notice| (notice.watch, notice.secret.expose().to_owned(), notice.says)).collect::<Vec<_>>()
        };
        let notices = read();
        assert_eq!(notices, read(), "the same request, read twice");
        assert!(notices.len() <= NOTICES_MAX);
        let fits = |text: &str| (1..=MAX_WATCH_CHARS).contains(&text.len());
        assert!(notices.iter().all(|(watch, secret, _)| fits(watch) && fits(secret)), "an odd watch or secret");
        let query = String::from_utf8_lossy(query);
        let echoed = watches.challenge(&query).unwrap_or_default();
        assert!(!echoed.contains(['<', '>', '"', '\'']) && !echoed.contains(char::is_control), "{echoed:?}");
    }
}
