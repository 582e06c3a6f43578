//! Webhook signatures: HMAC-SHA256 over the raw bytes, compared in constant time, against every active secret.
//!
//! Nothing here parses a body, keeps state or reads a clock. What must not live here: any vendor's name for its
//! header beyond the scheme that defines it, and any way to let a request in without a secret.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::{RawRequest, Refusal, Secret};

/// How far a Standard Webhooks time stamp may lie from now, either way (the reference libraries' five minutes).
pub const STANDARD_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Signatures looked at in one Standard Webhooks header: enough for any key rotation, few enough to be cheap.
pub const MAX_SIGNATURES: usize = 16;

/// What a sender writes into its signature header when its webhook has no secret.
const UNSIGNED: &str = "no-secret-provided";

/// How Standard Webhooks secrets are marked; what follows is base64.
const SECRET_PREFIX: &str = "whsec_";

/// Base64 as secrets and signatures come in practice: with or without padding, spare bits ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A hexadecimal HMAC of the body alone, in the named header. The scheme has no time stamp, so freshness is the
/// inbox's business. A header that says that the sender has no secret counts as no signature at all.
pub fn hex_body(raw: &RawRequest, header: &str, secrets: &[Secret]) -> Result<(), Refusal> {
    let keys = text_keys(secrets)?;
    let text = only(&raw.headers, header)?.trim();
    if text.is_empty() || text == UNSIGNED {
        return Err(Refusal::Missing);
    }
    let given = hex::decode(text).map_err(|_| Refusal::Unreadable)?;
    settle(keys.iter().map(|key| mac(key, &[&raw.body]).ct_eq(&given)))
}

/// A stamped signature in one header: `t=<unix seconds>,v1=<hex>` over `<t>.<body>`. Unknown parts are skipped; a repeated or empty
/// one is refused, because a second value could be the one that somebody else checks.
pub fn stamped_hex(
    raw: &RawRequest,
    header: &str,
    secrets: &[Secret],
    now: Timestamp,
    tolerance: SignedDuration,
) -> Result<(), Refusal> {
    let keys = text_keys(secrets)?;
    let header = only(&raw.headers, header)?;
    if header.trim().is_empty() {
        return Err(Refusal::Missing);
    }
    let (mut time, mut digest) = (None, None);
    for part in header.split(',') {
        let (name, value) = part.split_once('=').ok_or(Refusal::Unreadable)?;
        let slot = match name.trim() {
            "t" => &mut time,
            "v1" => &mut digest,
            _ => continue,
        };
        let value = value.trim();
        if value.is_empty() || slot.replace(value).is_some() {
            return Err(Refusal::Unreadable);
        }
    }
    let (Some(time), Some(digest)) = (time, digest) else { return Err(Refusal::Unreadable) };
    let given = hex::decode(digest).map_err(|_| Refusal::Unreadable)?;
    fresh(time, now, tolerance)?;
    settle(keys.iter().map(|key| mac(key, &[time.as_bytes(), b".", &raw.body]).ct_eq(&given)))
}

/// Standard Webhooks: `<prefix>-id`, `-timestamp` and `-signature` headers, base64 HMAC over `<id>.<timestamp>.<body>`,
/// several `v1,` signatures parted by spaces. The prefix is `webhook`, or a sender's own such as `svix`.
pub fn standard_webhooks(raw: &RawRequest, prefix: &str, secrets: &[Secret], now: Timestamp) -> Result<(), Refusal> {
    let keys: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| standard_keys(secret.expose())).collect();
    if keys.is_empty() {
        return Err(Refusal::NoSecret);
    }
    let id = only(&raw.headers, &format!("{prefix}-id"))?;
    let time = only(&raw.headers, &format!("{prefix}-timestamp"))?;
    let signatures = only(&raw.headers, &format!("{prefix}-signature"))?;
    // A full stop within the id would let the border between id, time and body be moved.
    if id.is_empty() || id.contains('.') {
        return Err(Refusal::Unreadable);
    }
    fresh(time, now, STANDARD_TOLERANCE)?;
    let wanted: Vec<[u8; 32]> =
        keys.iter().map(|key| mac(key, &[id.as_bytes(), b".", time.as_bytes(), b".", &raw.body])).collect();
    let given = signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|text| BASE64.decode(text).ok())
        .take(MAX_SIGNATURES);
    settle(given.flat_map(|given| wanted.iter().map(|mac| mac.ct_eq(&given)).collect::<Vec<_>>()))
}

/// The signature of a message of our own, as [`standard_webhooks`] verifies it; nothing where the secret is no key.
pub fn standard_signature(secret: &Secret, id: &str, at: Timestamp, body: &[u8]) -> Option<String> {
    let key = standard_keys(secret.expose()).pop()?;
    let time = at.as_second().to_string();
    let mac = mac(&key, &[id.as_bytes(), b".", time.as_bytes(), b".", body]);
    Some(format!("v1,{}", BASE64.encode(mac)))
}

/// A secret of ours that the sender returns as `Authorization: Bearer …`. Digests are compared, so that neither length nor
/// content shows in the time.
pub fn bearer(raw: &RawRequest, secrets: &[Secret]) -> Result<(), Refusal> {
    let keys = text_keys(secrets)?;
    let header = only(&raw.headers, "authorization")?;
    let (scheme, given) = header.trim().split_once(' ').ok_or(Refusal::Unreadable)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::Unreadable);
    }
    let given = Sha256::digest(given.trim().as_bytes());
    settle(keys.iter().map(|key| Sha256::digest(key).ct_eq(&given)))
}

/// HMAC-SHA256 of the parts, one behind the other.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Looks at every comparison before saying yes or no, so that the time taken does not tell which secret was near.
fn settle(matches: impl Iterator<Item = Choice>) -> Result<(), Refusal> {
    let any = matches.fold(Choice::from(0), |any, this| any | this);
    if bool::from(any) { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// The secrets' own bytes; an empty secret is none.
fn text_keys(secrets: &[Secret]) -> Result<Vec<&[u8]>, Refusal> {
    let keys: Vec<&[u8]> =
        secrets.iter().map(|secret| secret.expose().as_bytes()).filter(|key| !key.is_empty()).collect();
    if keys.is_empty() { Err(Refusal::NoSecret) } else { Ok(keys) }
}

/// Every key that the configured text can mean: with the prefix it is base64; without, base64 or the bytes themselves.
fn standard_keys(secret: &str) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => keys.extend(BASE64.decode(encoded).ok()),
        None => {
            keys.extend(BASE64.decode(secret).ok());
            keys.push(secret.as_bytes().to_vec());
        }
    }
    keys.retain(|key| !key.is_empty());
    keys
}

/// The header's one value. A header that comes twice is refused: two readers could take different ones.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Unreadable);
    }
    value.to_str().map_err(|_| Refusal::Unreadable)
}

/// Whether the time stamp, in whole seconds since 1970, lies within the tolerance before or after now.
fn fresh(time: &str, now: Timestamp, tolerance: SignedDuration) -> Result<(), Refusal> {
    if time.is_empty() || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Unreadable);
    }
    let seconds: i64 = time.parse().map_err(|_| Refusal::Unreadable)?;
    let distance = now.as_second().abs_diff(seconds);
    if distance <= tolerance.unsigned_abs().as_secs() { Ok(()) } else { Err(Refusal::Stale) }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;
