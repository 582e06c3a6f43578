//! What the operator set for a connection, read once and checked. No network, no secrets.

use syncline_connect::{Error, ErrorKind, Retry, Settings};

use super::manifest::{DEFAULT_KEY_PROPERTY, KEY_PROPERTY};

/// Longest name of a property that is taken (HubSpot says nothing of a limit; names are made of labels).
const NAME_CHARS_MAX: usize = 100;

/// The name of the property that bears our key.
pub fn key_property(settings: &Settings, op: &'static str) -> Result<String, Error> {
    match text(settings, KEY_PROPERTY) {
        None => Ok(DEFAULT_KEY_PROPERTY.to_owned()),
        Some(name) if is_name(name) => Ok(name.to_owned()),
        Some(_) => Err(wrong(op, KEY_PROPERTY, "the name of a property, such as `syncline_key`")),
    }
}

/// Whether it can be the name of a property: small letters, digits and underscores.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn text<'s>(settings: &'s Settings, name: &str) -> Option<&'s str> {
    settings.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn wrong(op: &'static str, name: &str, must: &str) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, op, format!("the setting `{name}` must be {must}"))
}
