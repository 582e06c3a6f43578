//! Where to listen, and as whom: read from the settings and checked. The access token goes to this address alone.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use syncline_connect::{Cx, Error, Settings};
use url::{Host, Url};

use super::configuration;
use crate::salesforce::{
    id,
    manifest::{CHANGE_EVENTS, EVENT_ENDPOINT, MANIFEST},
    oauth::is_under,
};

/// Every object that is selected for Change Data Capture in the org's set-up.
const ALL_CHANGES: &str = "/data/ChangeEvents";

/// The vendor's endpoint for all orgs.
/// <https://developer.salesforce.com/docs/platform/pub-sub-api/guide/pub-sub-endpoints.html>, read 2026-11.
const ENDPOINT: &str = "https://api.pubsub.salesforce.com:7443";

/// Longest name of a channel: an API name of 40 characters with what the platform puts around it.
const CHANNEL_CHARS_MAX: usize = 100;

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Channel {
    pub endpoint: Url,
    pub topic: String,
}

/// Whether the settings ask for it.
pub fn wanted(settings: &Settings) -> bool {
    !matches!(text(settings, CHANGE_EVENTS), "" | "off")
}

impl Channel {
    /// Reads the settings; one that cannot work is an error in words.
    pub fn read(settings: &Settings) -> Result<Self, Error> {
        let topic = match text(settings, CHANGE_EVENTS) {
            "on" => ALL_CHANGES.to_owned(),
            named => topic(named).ok_or_else(|| {
                configuration(format!(
                    "the setting `{CHANGE_EVENTS}` must be `off`, `on`, or the name of a channel such as `/data/Syncline__chn`"
                ))
            })?,
        };
        let endpoint = match text(settings, EVENT_ENDPOINT) {
            "" => ENDPOINT,
            named => named,
        };
        let endpoint = Url::parse(endpoint).ok().filter(is_trusted).ok_or_else(|| {
            configuration(format!(
                "the setting `{EVENT_ENDPOINT}` must be one of Salesforce's own addresses, such as {ENDPOINT}, or a sandbox on this machine"
            ))
        })?;
        Ok(Self { endpoint, topic })
    }

    /// The headers by which every call says on whose behalf it is.
    pub fn authority(&self, cx: &Cx<'_>, account: Option<&str>) -> Result<HeaderMap, Error> {
        let org = account.and_then(|account| account.split('/').next()).or_else(|| {
            // A session id begins with the org's own id.
            cx.bearer.expose().split_once('!').map(|(org, _)| org)
        });
        let org = org.and_then(id::canonical).filter(|org| org.as_str().starts_with("00D")).ok_or_else(|| {
            configuration("it is not known which org the account belongs to; connect the account again")
        })?;
        let unwritable = || configuration("the access token has characters that no token has; reconnect the account");
        let mut token = HeaderValue::from_str(cx.bearer.expose()).map_err(|_| unwritable())?;
        token.set_sensitive(true);
        let instance = cx.base_url.as_str().trim_end_matches('/');
        let mut headers = HeaderMap::new();
        headers.insert("accesstoken", token);
        headers.insert("instanceurl", HeaderValue::from_str(instance).map_err(|_| unwritable())?);
        headers.insert("tenantid", HeaderValue::from_str(org.as_str()).map_err(|_| unwritable())?);
        Ok(headers)
    }
}

fn text<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// A channel's name, where it can be one.
fn topic(text: &str) -> Option<String> {
    let name = text.strip_prefix("/data/")?;
    let sound = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (sound && text.len() <= CHANNEL_CHARS_MAX).then(|| text.to_owned())
}

/// Only Salesforce's own hosts by TLS, or this very machine.
fn is_trusted(url: &Url) -> bool {
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.path() == "/";
    let theirs = url.scheme() == "https"
        && url.host_str().is_some_and(|host| MANIFEST.trusted_domains.iter().any(|domain| is_under(host, domain)));
    let here = matches!(url.scheme(), "http" | "https")
        && match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
    bare && (theirs || here)
}
