//! What the operator set for a connection, read once and checked. No network, no secrets.

use syncline_connect::{Error, ErrorKind, Retry, Settings};
use url::Url;

use super::manifest::{ALLOW_HOST, TENANT, TENANT_DEFAULT};

/// Longest name of a tenant: that of a domain (RFC 1035, section 2.3.4).
const TENANT_CHARS_MAX: usize = 253;

/// One of Microsoft's own origins, or what stands in for it.
pub fn origin(settings: &Settings, own: &'static str, op: &'static str) -> Result<Url, Error> {
    let wrong = |message: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, message);
    let Some(text) = given(settings, ALLOW_HOST) else {
        return Url::parse(own).map_err(|_| wrong("the address of the vendor cannot be read"));
    };
    let is_origin = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text).ok().filter(is_origin);
    url.ok_or_else(|| wrong("the setting `allow_host` must be an exact origin, such as https://graph.example:8443"))
}

/// The tenant whose people may connect, as it stands in addresses.
pub fn tenant<'a>(settings: &'a Settings, op: &'static str) -> Result<&'a str, Error> {
    let name = given(settings, TENANT).unwrap_or(TENANT_DEFAULT);
    let is_name = name.len() <= TENANT_CHARS_MAX
        && name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let message = "the setting `tenant` must be a tenant's id or domain, or `organizations`";
    is_name.then_some(name).ok_or_else(|| Error::new(ErrorKind::Configuration, Retry::Never, op, message))
}

fn given<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    settings.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}
