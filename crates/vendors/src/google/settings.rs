//! What the operator set for a connection, read once and checked. No network, no secrets.

use syncline_connect::{Error, ErrorKind, Retry, Settings};
use url::Url;

use super::manifest::ALLOW_HOST;

/// One of Google's own origins, or what stands in for it.
pub fn origin(settings: &Settings, own: &'static str, op: &'static str) -> Result<Url, Error> {
    let wrong = |message: &str| Error::new(ErrorKind::Configuration, Retry::Never, op, message);
    let Some(text) = settings.get(ALLOW_HOST).map(|text| text.trim()).filter(|text| !text.is_empty()) else {
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
    url.ok_or_else(|| wrong("the setting `allow_host` must be an exact origin, such as https://calendar.example:8443"))
}
