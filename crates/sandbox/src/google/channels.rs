//! Push channels: asked for, told of every change of a calendar without saying what it was, and ended.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    State,
    answers::{Refused, text},
};
use crate::HookDelivery;

const ID_MAX: usize = 64;
const TOKEN_MAX: usize = 256;
/// Tries of one delivery, and how long after the try before (assumed: the documents say exponential).
const TRIES_MAX: u32 = 4;
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(30);

#[derive(Debug)]
struct Channel {
    number: u64,
    address: String,
    token: Option<String>,
    /// The calendar whose events are watched; none: the user's list of calendars.
    calendar: Option<String>,
    user: String,
    resource: String,
    uri: String,
    expires: Timestamp,
    messages: u64,
}

#[derive(Debug)]
pub(super) struct Channels {
    known: BTreeMap<String, Channel>,
    made: u64,
    /// How long one lives at most.
    live: SignedDuration,
}

impl Channels {
    pub(super) fn new(live: SignedDuration) -> Self {
        Self { known: BTreeMap::new(), made: 0, live }
    }
}

impl State {
    pub(super) fn watch(
        &mut self,
        now: Timestamp,
        user: &str,
        calendar: Option<&str>,
        uri: String,
        body: &Map<String, Value>,
    ) -> Result<Value, Refused> {
        let id = text(body, "id")?.filter(|id| !id.is_empty() && id.len() <= ID_MAX);
        let id = id.ok_or_else(|| Refused::invalid("Invalid channel id."))?;
        if !matches!(text(body, "type")?, Some("web_hook" | "webhook")) {
            return Err(Refused::invalid("Invalid channel type."));
        }
        let address = text(body, "address")?.unwrap_or_default();
        if !reachable(address) {
            let message = "WebHook callback must be HTTPS.";
            return Err(Refused::new(400, "push.webhookUrlNotHttps", message));
        }
        let token = text(body, "token")?;
        if token.is_some_and(|token| token.len() > TOKEN_MAX) {
            return Err(Refused::invalid("The channel token is too long."));
        }
        if self.channels.known.contains_key(id) {
            return Err(Refused::new(400, "channelIdNotUnique", format!("Channel id {id} not unique")));
        }
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let asked = body.get("expiration").and_then(number).and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let ttl = body.get("params").and_then(|params| number(params.get("ttl")?));
        let asked = asked.or_else(|| Some(now + SignedDuration::from_secs(ttl?)));
        let last = now + self.channels.live;
        let expires = asked.unwrap_or(last).min(last);
        let digest = Sha256::digest(format!("{user}:{}", calendar.unwrap_or("list")));
        let resource = URL_SAFE_NO_PAD.encode(&digest[..20]);
        self.channels.made += 1;
        let channel = Channel {
            number: self.channels.made,
            address: address.to_owned(),
            token: token.map(str::to_owned),
            calendar: calendar.map(str::to_owned),
            user: user.to_owned(),
            resource: resource.clone(),
            uri: uri.clone(),
            expires,
            messages: 0,
        };
        self.channels.known.insert(id.to_owned(), channel);
        self.tell_channel(now, id, "sync");
        // To the second, as recorded.
        let mut out = json!({
            "kind": "api#channel", "id": id, "resourceId": resource, "resourceUri": uri,
            "expiration": (expires.as_second() * 1000).to_string(),
        });
        if let Some(token) = token {
            out["token"] = token.into();
        }
        Ok(out)
    }

    pub(super) fn stop_channel(&mut self, user: &str, body: &Map<String, Value>) -> Result<(), Refused> {
        let (id, resource) = (text(body, "id")?.unwrap_or_default(), text(body, "resourceId")?.unwrap_or_default());
        let known = self.channels.known.get(id).filter(|known| known.resource == resource && known.user == user);
        let Some(known) = known else {
            return Err(Refused::new(404, "notFound", format!("Channel '{id}' not found")));
        };
        self.waiting.forget(known.number);
        self.channels.known.remove(id);
        Ok(())
    }

    /// Tells those who watch the calendar that something has changed.
    pub(super) fn tell_channels(&mut self, now: Timestamp, calendar: &str) {
        let watching = |channel: &&Channel| channel.calendar.as_deref() == Some(calendar);
        let ids: Vec<String> =
            self.channels.known.iter().filter(|(_, channel)| watching(channel)).map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.tell_channel(now, id, "exists"));
    }

    /// Tells those who watch the list of calendars of its people.
    pub(super) fn tell_list_channels(&mut self, now: Timestamp, users: &[String]) {
        let watching = |channel: &Channel| channel.calendar.is_none() && users.contains(&channel.user);
        let ids: Vec<String> =
            self.channels.known.iter().filter(|(_, channel)| watching(channel)).map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.tell_channel(now, id, "exists"));
    }

    fn tell_channel(&mut self, now: Timestamp, id: &str, state: &str) {
        self.channels.known.retain(|_, channel| now < channel.expires);
        let Some(channel) = self.channels.known.get_mut(id) else { return };
        channel.messages += 1;
        let mut headers = vec![
            ("x-goog-channel-id", id.to_owned()),
            ("x-goog-channel-expiration", channel.expires.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            ("x-goog-resource-id", channel.resource.clone()),
            ("x-goog-resource-uri", channel.uri.clone()),
            ("x-goog-resource-state", state.to_owned()),
            ("x-goog-message-number", channel.messages.to_string()),
        ];
        headers.extend(channel.token.clone().map(|token| ("x-goog-channel-token", token)));
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let delivery =
            HookDelivery { hook: channel.number, url: channel.address.clone(), headers, body: Vec::new(), attempt: 1 };
        self.waiting.push(now, delivery);
    }

    /// A delivery that was answered with one of these is tried again.
    pub(super) fn delivered(&mut self, now: Timestamp, sent: &HookDelivery, status: Option<u16>) {
        let again = matches!(status, Some(500 | 502 | 503 | 504)) && sent.attempt < TRIES_MAX;
        if again && self.channels.known.values().any(|channel| channel.number == sent.hook) {
            let wait = RETRY_AFTER * i32::try_from(sent.attempt).unwrap_or(1);
            self.waiting.push(now + wait, HookDelivery { attempt: sent.attempt + 1, ..sent.clone() });
        }
    }
}

/// Only by TLS; within the machine it goes without.
fn reachable(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else { return false };
    url.scheme() == "https"
        || (url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")))
}
