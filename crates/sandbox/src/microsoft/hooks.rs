//! Subscriptions: asked for with a handshake, told of every change, renewed, ended, and what is told of their lives.
//!
//! A handshake is a delivery too, which the caller carries as any other, one for each address: until all were answered with
//! their tokens, the subscription tells nothing, and a wrong answer ends it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    State,
    answers::Refused,
    ids::{Key, id},
    when::stamp,
};
use crate::HookDelivery;

/// The longest and the shortest life of a subscription to events ("subscription resource type", read 2026-11).
const LIVES_MAX: SignedDuration = SignedDuration::from_mins(10_080);
const LIVES_MIN: SignedDuration = SignedDuration::from_mins(45);
const CLIENT_STATE_MAX: usize = 128;
/// What is not taken is tried again for so long, and how long after the try before.
const RETRIES_END: SignedDuration = SignedDuration::from_hours(4);
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What may be told of a subscription itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// It ends soon unless it is renewed or authorised again; until then nothing is told.
    ReauthorizationRequired,
    /// It has ended before its time.
    SubscriptionRemoved,
    /// Something was not told.
    Missed,
}

#[derive(Debug)]
struct Subscription {
    number: u64,
    user: String,
    said: Map<String, Value>,
    expires: Timestamp,
    /// Handshakes that were not answered yet.
    unanswered: usize,
    paused: bool,
}

#[derive(Debug, Default)]
pub(super) struct Hooks {
    known: BTreeMap<String, Subscription>,
    made: u64,
}

impl Subscription {
    fn text(&self, name: &str) -> Option<&str> {
        self.said.get(name).and_then(Value::as_str)
    }

    fn shown(&self, id: &str, app: &str) -> Value {
        let text = |name: &str| self.said.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity", "id": id,
            "resource": text("resource"), "applicationId": app, "changeType": text("changeType"),
            "clientState": text("clientState"), "notificationUrl": text("notificationUrl"),
            "notificationQueryOptions": null, "lifecycleNotificationUrl": text("lifecycleNotificationUrl"),
            "expirationDateTime": stamp(self.expires), "creatorId": self.user, "includeResourceData": null,
            "latestSupportedTlsVersion": "v1_2", "encryptionCertificate": null, "encryptionCertificateId": null,
            "notificationUrlAppId": null,
        })
    }
}

fn invalid(message: &str) -> Refused {
    Refused::new(400, "ValidationError", message)
}

/// When it ends: what was asked for, within its bounds.
fn expiry(said: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, Refused> {
    let asked = said.get("expirationDateTime").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let asked = asked.ok_or_else(|| invalid("expirationDateTime is missing or cannot be read."))?;
    if asked.duration_since(now) > LIVES_MAX {
        return Err(invalid("Subscription expiration can only be 10080 minutes in the future."));
    }
    Ok(asked.max(now + LIVES_MIN))
}

impl State {
    pub(super) fn subscribe(
        &mut self,
        now: Timestamp,
        user: &str,
        app: &str,
        said: Map<String, Value>,
    ) -> Result<Value, Refused> {
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let resource = text("resource").trim_start_matches('/').to_ascii_lowercase();
        if !(resource.ends_with("events") && (resource.starts_with("me/") || resource.starts_with("users/"))) {
            return Err(invalid("The resource is not one that can be subscribed to here."));
        }
        let kinds = text("changeType");
        if kinds.is_empty() || !kinds.split(',').all(|kind| ["created", "updated", "deleted"].contains(&kind.trim())) {
            return Err(invalid("changeType is missing or unknown."));
        }
        let life = said.get("lifecycleNotificationUrl").and_then(Value::as_str);
        if !reachable(text("notificationUrl")) || life.is_some_and(|address| !reachable(address)) {
            return Err(invalid("The notification URL must be absolute and use HTTPS."));
        }
        if text("clientState").len() > CLIENT_STATE_MAX {
            return Err(invalid("clientState is too long."));
        }
        let expires = expiry(&said, now)?;
        self.hooks.made += 1;
        let number = self.hooks.made;
        let id = format!("bbbbbbbb-0000-4000-8000-{number:012}");
        // The address for what is told of its life is tried, too.
        let addresses: Vec<String> = ["notificationUrl", "lifecycleNotificationUrl"]
            .into_iter()
            .filter_map(|name| said.get(name)?.as_str().map(str::to_owned))
            .collect();
        for address in &addresses {
            self.try_address(now, number, &id, address)?;
        }
        let unanswered = addresses.len();
        let subscription = Subscription { number, user: user.to_owned(), said, expires, unanswered, paused: false };
        let shown = subscription.shown(&id, app);
        self.hooks.known.insert(id, subscription);
        Ok(shown)
    }

    fn try_address(&mut self, now: Timestamp, number: u64, id: &str, address: &str) -> Result<(), Refused> {
        let token = format!("Validation: Testing client application reachability for subscription Request-Id: {id}");
        let mut url = url::Url::parse(address).map_err(|_| invalid("A notification URL cannot be read."))?;
        url.query_pairs_mut().append_pair("validationToken", &token);
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        self.waiting.push(now, HookDelivery { hook: number, url: url.into(), headers, body: Vec::new(), attempt: 1 });
        Ok(())
    }

    /// Forgets those that have ended.
    pub(super) fn end_subscriptions(&mut self, now: Timestamp) {
        self.hooks.known.retain(|_, known| now < known.expires);
    }

    fn own_subscription(&mut self, user: &str, id: &str) -> Result<&mut Subscription, Refused> {
        let known = self.hooks.known.get_mut(id).filter(|known| known.user == user);
        known.ok_or_else(|| Refused::new(404, "ResourceNotFound", "The object was not found."))
    }

    pub(super) fn renew(
        &mut self,
        now: Timestamp,
        user: &str,
        app: &str,
        id: &str,
        said: &Map<String, Value>,
    ) -> Result<Value, Refused> {
        let expires = expiry(said, now)?;
        let known = self.own_subscription(user, id)?;
        known.expires = expires;
        known.paused = false;
        Ok(known.shown(id, app))
    }

    pub(super) fn reauthorize(&mut self, user: &str, id: &str) -> Result<(), Refused> {
        self.own_subscription(user, id)?.paused = false;
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, user: &str, id: &str) -> Result<(), Refused> {
        let number = self.own_subscription(user, id)?.number;
        self.hooks.known.remove(id);
        self.waiting.forget(number);
        Ok(())
    }

    /// All of a person's, or the one of that id.
    pub(super) fn subscriptions(&self, user: &str, app: &str, id: Option<&str>) -> Vec<Value> {
        let own =
            self.hooks.known.iter().filter(|(known, one)| one.user == user && id.is_none_or(|id| id == known.as_str()));
        own.map(|(id, one)| one.shown(id, app)).collect()
    }

    /// Tells subscribers that an event of this mailbox was created, updated or deleted.
    pub(super) fn notify(&mut self, now: Timestamp, user: &str, number: u64, change: &str) {
        self.end_subscriptions(now);
        let Some(mailbox) = self.mailboxes.get(user) else { return };
        let Some(item) = mailbox.items.get(&number) else { return };
        let event = id(&mailbox.plainly(), Key { number, day: None }, item.moves);
        let path = format!("Users/{}/Events/{event}", mailbox.user_id);
        let (tag, tenant) = (item.etag(), self.tenant.clone());
        let wants = |one: &&Subscription| {
            let kinds = one.text("changeType").unwrap_or_default();
            one.user == user && one.unanswered == 0 && !one.paused && kinds.split(',').any(|kind| kind.trim() == change)
        };
        for (known, one) in self.hooks.known.iter().filter(|(_, one)| wants(one)) {
            let body = json!({"value": [{
                "subscriptionId": known, "subscriptionExpirationDateTime": stamp(one.expires), "changeType": change,
                "resource": path, "clientState": one.text("clientState"), "tenantId": tenant,
                "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "@odata.id": path, "@odata.etag": tag, "id": event},
            }]});
            self.waiting.push(now, delivery(one.number, one.text("notificationUrl").unwrap_or_default(), &body));
        }
    }

    /// Tells of the life of every subscription of this person.
    pub(super) fn tell_lifecycle(&mut self, now: Timestamp, user: &str, event: Lifecycle) {
        let tenant = self.tenant.clone();
        let name = match event {
            Lifecycle::ReauthorizationRequired => "reauthorizationRequired",
            Lifecycle::SubscriptionRemoved => "subscriptionRemoved",
            Lifecycle::Missed => "missed",
        };
        for (id, one) in self.hooks.known.iter_mut().filter(|(_, one)| one.user == user) {
            one.paused |= event == Lifecycle::ReauthorizationRequired;
            let Some(url) = one.text("lifecycleNotificationUrl") else { continue };
            let body = json!({"value": [{
                "subscriptionId": id, "subscriptionExpirationDateTime": stamp(one.expires), "tenantId": tenant,
                "clientState": one.text("clientState"), "lifecycleEvent": name,
            }]});
            self.waiting.push(now, delivery(one.number, url, &body));
        }
        if event == Lifecycle::SubscriptionRemoved {
            self.hooks.known.retain(|_, one| one.user != user);
        }
    }

    /// What a delivery was answered: a handshake with its token, anything else with a 2xx, or it is tried again.
    pub(super) fn delivered(&mut self, now: Timestamp, sent: &HookDelivery, status: Option<u16>, body: &[u8]) {
        let good = status.is_some_and(|status| (200..300).contains(&status));
        let url = url::Url::parse(&sent.url).ok();
        let token = url.and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "validationToken").map(|(_, token)| token.into_owned())
        });
        if let Some(token) = token {
            if status == Some(200) && body == token.as_bytes() {
                self.hooks
                    .known
                    .values_mut()
                    .filter(|one| one.number == sent.hook)
                    .for_each(|one| one.unanswered = one.unanswered.saturating_sub(1));
            } else {
                self.hooks.known.retain(|_, one| one.number != sent.hook);
            }
            return;
        }
        let tried = RETRY_AFTER * i32::try_from(sent.attempt).unwrap_or(i32::MAX);
        let alive = self.hooks.known.values().any(|one| one.number == sent.hook);
        if !good && alive && tried < RETRIES_END {
            self.waiting.push(now + RETRY_AFTER, HookDelivery { attempt: sent.attempt + 1, ..sent.clone() });
        }
    }
}

fn delivery(hook: u64, url: &str, body: &Value) -> HookDelivery {
    let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    HookDelivery { hook, url: url.to_owned(), headers, body: body.to_string().into_bytes(), attempt: 1 }
}

/// Only by TLS; within the machine it goes without.
fn reachable(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else { return false };
    url.scheme() == "https"
        || (url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")))
}
