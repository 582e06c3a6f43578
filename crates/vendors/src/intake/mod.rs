//! What the reading of every booking source shares: bounded JSON, bounded text, values that tolerate a change of type,
//! and the key by which a repeated delivery is known.
//!
//! What must not live here: any vendor's field names, and anything that decides what a message means.

pub mod ask;
pub mod text;
pub mod value;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use syncline_connect::{Reading, bookings::Malformed};
use syncline_core::{
    booking::message::{Attendee, Host},
    ids::BookingKey,
    person::normal_email,
};

/// Deepest nesting of a body that is parsed (security checklist S29). Known payloads have fewer than ten levels.
pub const MAX_JSON_DEPTH: usize = 64;

/// Most attendees of one message. The largest meetings that sources offer hold a thousand people.
pub const MAX_PEOPLE: usize = 1_000;

/// Most hosts of one message. Every seat of a group meeting repeats its hosts, so this also bounds what one small body
/// can grow to.
pub const MAX_HOSTS: usize = 200;

/// Most answers of one message; no known booking form has more questions.
pub const MAX_ANSWERS: usize = 500;

/// Longest name of a booking that is taken in. The longest known one, a pair of URIs, has about 150.
pub const MAX_KEY_CHARS: usize = 512;

/// Hex digits of the body's digest in a delivery key: 128 bits.
const DIGEST_HEX_DIGITS: usize = 32;

/// Characters kept of each readable part of a delivery key.
const MAX_LABEL_CHARS: usize = 128;

/// A refusal to read, as one sentence without values.
pub fn malformed(reason: impl Into<String>) -> Malformed {
    Malformed { reason: reason.into() }
}

/// Parses a body that must be a JSON object. The depth is checked before parsing, because the parser recurses.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    if depth(body) > MAX_JSON_DEPTH {
        return Err(malformed(format!("the body is nested deeper than {MAX_JSON_DEPTH} levels")));
    }
    let parsed = serde_json::from_slice(body).or_else(|error| match mended(body) {
        Some(mended) => serde_json::from_slice(&mended),
        None => Err(error),
    });
    match parsed {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(malformed("the body is JSON, but not an object")),
        Err(error) => {
            Err(malformed(format!("the body is not JSON (line {}, column {})", error.line(), error.column())))
        }
    }
}

/// Reads an object into a wire type whose fields all tolerate what they do not know.
pub fn wire<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Malformed> {
    serde_json::from_value(Value::Object(object)).map_err(|_| malformed("the body does not have the documented shape"))
}

/// The body with halves of surrogate pairs replaced by U+FFFD, if there are any. JavaScript senders that cut a text in
/// the middle of an emoji write such a half, which is not JSON; a booking must not be lost over it.
fn mended(body: &[u8]) -> Option<Vec<u8>> {
    const ESCAPE_BYTES: usize = 6;
    let unit = |at: usize| {
        let escape = body.get(at..at + ESCAPE_BYTES)?.strip_prefix(br"\u")?;
        u32::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let mut mended = body.to_vec();
    let (mut at, mut changed) = (0, false);
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        at += match (unit(at), unit(at + ESCAPE_BYTES)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE_BYTES,
            (Some(0xD800..=0xDFFF), _) => {
                mended[at + 2..at + ESCAPE_BYTES].copy_from_slice(b"fffd");
                changed = true;
                ESCAPE_BYTES
            }
            // Any other escape: past the backslash and what it escapes, which may be a backslash itself.
            _ => 2,
        };
    }
    changed.then_some(mended)
}

/// How deep brackets nest outside strings. Counting needs no valid JSON; what is invalid fails in the parser.
fn depth(body: &[u8]) -> usize {
    let (mut deepest, mut open, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in body {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The key of a delivery: readable parts for people, the body's digest for the machine. The same bytes always give the
/// same key; different messages never do.
pub fn delivery(parts: &[&str], body: &[u8]) -> String {
    let mut key = String::new();
    for part in parts {
        key.extend(part.chars().filter(|c| c.is_ascii_graphic()).take(MAX_LABEL_CHARS));
        key.push('|');
    }
    let mut digest = hex::encode(Sha256::digest(body));
    digest.truncate(DIGEST_HEX_DIGITS);
    key.push_str(&digest);
    key
}

/// A name made of what something holds: the same parts always give the same name, each preceded by its length so that
/// parts cannot run together.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut digest = hex::encode(hasher.finalize());
    digest.truncate(DIGEST_HEX_DIGITS);
    digest
}

/// A reading without messages.
pub fn ignored(delivery: String, reason: impl Into<String>) -> Reading {
    Reading { delivery, messages: Vec::new(), ignored: Some(reason.into()) }
}

/// A booking's name, if it can be one: not empty, not overlong, without control characters.
pub fn booking_key(text: &str) -> Option<BookingKey> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= MAX_KEY_CHARS && !text.chars().any(|c| c.is_control());
    fits.then(|| BookingKey::new(text))
}

/// Refuses lists of people beyond the limit: cutting them would silently drop somebody.
pub fn limit_people(attendees: usize, hosts: usize) -> Result<(), Malformed> {
    for (count, max, what) in [(attendees, MAX_PEOPLE, "attendees"), (hosts, MAX_HOSTS, "hosts")] {
        if count > max {
            return Err(malformed(format!("the message names more than {max} {what}")));
        }
    }
    Ok(())
}

/// The form in which two spellings of an address are held to be the same.
pub fn same_form(email: &str) -> String {
    normal_email(email).unwrap_or_else(|| email.trim().to_lowercase())
}

/// Whether two spellings mean the same address. An empty one means nobody.
pub fn same_email(one: &str, other: &str) -> bool {
    !one.trim().is_empty() && same_form(one) == same_form(other)
}

/// Guests as a CRM should see them: with an address, each once, neither the booker nor a host.
pub fn only_guests(candidates: Vec<Attendee>, invitee: &Attendee, hosts: &[Host]) -> Vec<Attendee> {
    let mut known: std::collections::BTreeSet<String> = hosts.iter().map(|host| same_form(&host.email)).collect();
    known.insert(same_form(&invitee.email));
    candidates.into_iter().filter(|guest| !guest.email.is_empty() && known.insert(same_form(&guest.email))).collect()
}

/// Hosts with an address, each once, in their order.
pub fn only_hosts(candidates: Vec<Host>) -> Vec<Host> {
    let mut known = std::collections::BTreeSet::new();
    candidates.into_iter().filter(|host| !host.email.is_empty() && known.insert(same_form(&host.email))).collect()
}

#[cfg(test)]
mod tests;
