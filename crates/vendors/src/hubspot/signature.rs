//! Whether a webhook is HubSpot's: the third version of its signature, over method, address, body and time. The older
//! two, which have no time, are not taken. Pure.
//! <https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>, read 2026-11.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use syncline_connect::{RawRequest, Refusal, Secret};

pub const SIGNATURE: &str = "x-hubspot-signature-v3";
pub const TIMESTAMP: &str = "x-hubspot-request-timestamp";

/// How far the time may lie from now, either way. The documents say it of the past only; a time far ahead would let one
/// signature be good for as long.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Characters of an address that are signed as themselves, however they are written in it.
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// Whether one of the secrets signed this request, which came by `POST` to the address that the app names, now.
pub fn verify(raw: &RawRequest, url: &str, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
    let keys: Vec<&[u8]> =
        secrets.iter().map(|secret| secret.expose().as_bytes()).filter(|key| !key.is_empty()).collect();
    if keys.is_empty() {
        return Err(Refusal::NoSecret);
    }
    let signature = only(raw, SIGNATURE)?;
    let time = only(raw, TIMESTAMP)?;
    let given = STANDARD.decode(signature.trim()).map_err(|_| Refusal::Unreadable)?;
    if time.is_empty() || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Unreadable);
    }
    let stamped = time.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).ok_or(Refusal::Unreadable)?;
    if now.duration_since(stamped).abs() > TOLERANCE {
        return Err(Refusal::Stale);
    }
    let url = signed_form(url);
    // Every secret is tried, so that the time taken does not tell which was near.
    let right = keys.iter().fold(false, |right, key| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        for part in [b"POST", url.as_bytes(), &raw.body, time.as_bytes()] {
            mac.update(part);
        }
        mac.verify_slice(&given).is_ok() | right
    });
    if right { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// The address as it is signed.
fn signed_form(url: &str) -> String {
    DECODED.iter().fold(url.to_owned(), |url, (written, meant)| {
        url.replace(written, meant).replace(&written.to_lowercase(), meant)
    })
}

/// The header's one value: of two, two readers could take different ones.
fn only<'r>(raw: &'r RawRequest, name: &str) -> Result<&'r str, Refusal> {
    let mut values = raw.headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Unreadable);
    }
    value.to_str().map_err(|_| Refusal::Unreadable)
}
