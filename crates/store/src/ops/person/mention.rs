//! Whether and where stored JSON speaks of a person, and the same without. Pure.

use serde_json::Value;
use syncline_core::person::normal_email;

/// What stands where an address stood.
const ERASED: &str = "(erased)";
/// Parts of the names of fields that hold what is personal beside an address.
const PERSONAL: &[&str] = &["name", "phone", "address", "email"];

/// A text that holds JSON itself, as a message that was kept or written somewhere does.
enum Within {
    Nothing,
    Read(Value),
    /// It begins like JSON and cannot be read, as one that was cut.
    Broken,
}

fn within(text: &str) -> Within {
    if !text.trim_start().starts_with(['{', '[']) {
        return Within::Nothing;
    }
    serde_json::from_str(text).map_or(Within::Broken, Within::Read)
}

/// Whether a text holds the address, or is JSON that does, however that spells it.
pub(super) fn said(text: &str, address: &str) -> bool {
    in_text(text, address)
        || match within(text) {
            Within::Nothing => false,
            Within::Read(value) => anywhere(&value, address),
            // A line's end is spelt with a letter there, which would belong to the address.
            Within::Broken => text.to_lowercase().contains(address),
        }
}

/// Whether a text holds the address by itself, not as a part of a longer one. The address is in its normal form.
pub(super) fn in_text(text: &str, address: &str) -> bool {
    places(&text.to_lowercase(), address).next().is_some()
}

/// Where the address stands in a text of small letters.
fn places<'a>(text: &'a str, address: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '+' | '%' | '@');
    text.match_indices(address).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let mut after = text[at + address.len()..].chars();
        // A full stop behind an address may end a sentence.
        let after = after.next().filter(|letter| *letter != '.' || after.next().is_some_and(char::is_alphanumeric));
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Whether any text of the value, names of fields included, holds the address.
pub(super) fn anywhere(value: &Value, address: &str) -> bool {
    match value {
        Value::String(text) => said(text, address),
        Value::Array(values) => values.iter().any(|value| anywhere(value, address)),
        Value::Object(fields) => fields.iter().any(|(name, value)| in_text(name, address) || anywhere(value, address)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether it is a booking of this person, of nobody else.
pub(super) fn is_own(value: &Value, address: &str) -> bool {
    let mut invitees = Vec::new();
    collect_invitees(value, &mut invitees);
    !invitees.is_empty() && invitees.iter().all(|email| normal_email(email).as_deref() == Some(address))
}

fn collect_invitees<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect_invitees(value, found)),
        Value::Object(fields) => {
            found.extend(fields.get("invitee").and_then(|invitee| invitee.get("email")).and_then(Value::as_str));
            fields.values().for_each(|value| collect_invitees(value, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes the person out: whoever has the address loses name and number with it, and no other text holds it.
pub(super) fn take_out(value: &mut Value, address: &str) {
    match value {
        Value::String(text) if said(text, address) => match within(text) {
            Within::Nothing => *text = without(text, address),
            Within::Read(mut inner) => {
                take_out(&mut inner, address);
                *text = inner.to_string();
            }
            // Rather too much than too little.
            Within::Broken => *text = ERASED.to_owned(),
        },
        Value::Array(values) => values.iter_mut().for_each(|value| take_out(value, address)),
        Value::Object(fields) => {
            let is_address = |value: &Value| value.as_str().and_then(normal_email).as_deref() == Some(address);
            if fields.values().any(is_address) {
                for (name, value) in fields.iter_mut() {
                    if value.is_string() && PERSONAL.iter().any(|part| name.to_lowercase().contains(part)) {
                        *value = Value::String(String::new());
                    }
                }
            }
            if fields.keys().any(|name| in_text(name, address)) {
                let renamed = std::mem::take(fields).into_iter().map(|(name, value)| (without(&name, address), value));
                *fields = renamed.collect();
            }
            fields.values_mut().for_each(|value| take_out(value, address));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The text without the address. Where small letters take another room than the text's own, all of it goes.
fn without(text: &str, address: &str) -> String {
    let small = text.to_lowercase();
    if small.len() != text.len() {
        return if in_text(text, address) { ERASED.to_owned() } else { text.to_owned() };
    }
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for at in places(&small, address) {
        let (Some(before), Some(rest)) = (text.get(end..at), text.get(at + address.len()..)) else {
            return ERASED.to_owned();
        };
        out.push_str(before);
        out.push_str(ERASED);
        end = text.len() - rest.len();
    }
    out.push_str(&text[end..]);
    out
}

#[cfg(test)]
mod tests {
    //! What counts as a mention, and what is left without it.

    use serde_json::json;

    use super::*;

    const ADA: &str = "ada@example.org";

    #[test]
    fn an_address_is_found_by_itself_alone() {
        for text in [
            ADA,
            "Ada <ADA@Example.org>",
            "write to ada@example.org.",
            "mailto:ada@example.org?x",
            "contact:ada@example.org",
        ] {
            assert!(in_text(text, ADA), "{text}");
        }
        for text in ["", "ada", "bada@example.org", "ada@example.org.uk", "ada@example.organic", "x+ada@example.org"] {
            assert!(!in_text(text, ADA), "{text}");
        }
        assert!(anywhere(&json!({"a": [{"b": "to ada@example.org"}]}), ADA));
        assert!(anywhere(&json!({"ada@example.org": 1}), ADA));
    }

    #[test]
    fn a_booking_is_its_invitees_own() {
        let booked = |emails: &[&str]| json!({"nodes": emails.iter().map(|email| json!({"invitee": {"email": email}})).collect::<Vec<_>>()});
        assert!(is_own(&booked(&["Ada@example.org"]), ADA));
        assert!(!is_own(&booked(&["ada@example.org", "bob@example.org"]), ADA), "a meeting of several");
        assert!(!is_own(&json!({"guests": [{"email": ADA}]}), ADA));
    }

    #[test]
    fn what_is_left_does_not_name_the_person() {
        let mut value = json!({
            "guests": [{"email": "Ada@Example.org", "full_name": "Ada Lovelace", "phone": "+44", "time_zone": "UTC"},
                       {"email": "bob@example.org", "full_name": "Bob"}],
            "notes": "ada@example.org comes with bada@example.org",
            "no_shows": {"ada@example.org": true},
        });
        take_out(&mut value, ADA);
        let left = json!({
            "guests": [{"email": "", "full_name": "", "phone": "", "time_zone": "UTC"},
                       {"email": "bob@example.org", "full_name": "Bob"}],
            "notes": "(erased) comes with bada@example.org",
            "no_shows": {"(erased)": true},
        });
        assert_eq!(value, left);
        assert!(!anywhere(&value, ADA));
        assert_eq!(without("İ ada@example.org", ADA), ERASED, "rather too much than too little");
    }

    /// A message that was written into a field whole is remembered with the record, and names the person in its own way.
    ///
    /// proves: sec:G1, B27
    #[test]
    fn a_message_within_a_text_is_left_without_the_person() {
        let message =
            r#"{"also":"with:\nada@example.org","guests":[{"email":"ada@example.org","name":"Ada"},{"name":"Bob"}]}"#;
        let mut image = json!({ "Raw__c": message, "Cut__c": &message[..40], "Subject": "Intro" });
        assert!(anywhere(&json!(&message[..40]), ADA), "behind a line's end that is spelt with a letter");
        take_out(&mut image, ADA);
        let left = r#"{"also":"with:\n(erased)","guests":[{"email":"","name":""},{"name":"Bob"}]}"#;
        assert_eq!(image, json!({ "Raw__c": left, "Cut__c": ERASED, "Subject": "Intro" }));
        assert!(!anywhere(&image, ADA));
    }
}
