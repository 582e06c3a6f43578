//! What the operator set for a connection, read once and checked. No network, no secrets.

use syncline_connect::{Error, ErrorKind, Retry, Settings};

use super::manifest::{TENANT, TENANT_DEFAULT};

/// Longest name of a tenant: that of a domain (RFC 1035, section 2.3.4).
const TENANT_CHARS_MAX: usize = 253;

/// The tenant whose people may connect, as it stands in addresses.
pub fn tenant<'a>(settings: &'a Settings, op: &'static str) -> Result<&'a str, Error> {
    let name = settings.get(TENANT).map(|text| text.trim()).filter(|text| !text.is_empty()).unwrap_or(TENANT_DEFAULT);
    let is_name = name.len() <= TENANT_CHARS_MAX
        && name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let message = "the setting `tenant` must be a tenant's id or domain, or `organizations`";
    is_name.then_some(name).ok_or_else(|| Error::new(ErrorKind::Configuration, Retry::Never, op, message))
}
