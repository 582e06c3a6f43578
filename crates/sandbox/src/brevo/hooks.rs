//! Webhooks: subscriptions over HTTP, events told to them, and what becomes of a delivery. Nothing is signed; who shows
//! that a call is genuine does it with the token or the headers of the subscription.

use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Act, BrevoAccount, State,
    answers::{Answer, Asked, Refused, created, no_content, wrong_method},
    book::Key,
    stamp,
};
use crate::{deliveries::HookDelivery, journal::Actor, web::json as answer};

/// When a delivery is tried again, each counted from the try before ("webhook retries", read 2026-11).
const RETRIES: [SignedDuration; 4] = [
    SignedDuration::from_mins(10),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(8),
];
/// Subscriptions of an account; Brevo's own limit is 40.
const MAX_HOOKS: usize = 40;
/// What marketing subscriptions may ask for.
const MARKETING: &[&str] = &[
    "spam",
    "opened",
    "click",
    "hardBounce",
    "softBounce",
    "unsubscribed",
    "listAddition",
    "delivered",
    "contactUpdated",
    "contactDeleted",
];
/// What transactional ones may ask for.
const TRANSACTIONAL: &[&str] = &[
    "sent",
    "hardBounce",
    "softBounce",
    "blocked",
    "spam",
    "delivered",
    "request",
    "click",
    "invalid",
    "deferred",
    "opened",
    "uniqueOpened",
    "unsubscribed",
    "reply",
];

#[derive(Debug)]
struct Hook {
    /// What the subscriber said, as it is shown again.
    said: Map<String, Value>,
    created: Timestamp,
    modified: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Hooks {
    known: BTreeMap<u64, Hook>,
    /// Set while changes are made that nobody is told of.
    pub(super) quiet: bool,
}

impl Hook {
    fn text(&self, name: &str) -> Option<&str> {
        self.said.get(name)?.as_str()
    }

    fn wants(&self, event: &str) -> bool {
        let events = self.said.get("events").and_then(Value::as_array);
        self.text("type") == Some("marketing") && events.into_iter().flatten().any(|known| known == event)
    }

    fn shown(&self, id: u64) -> Value {
        let mut out = self.said.clone();
        out.insert("id".into(), id.into());
        out.insert("createdAt".into(), stamp(self.created).into());
        out.insert("modifiedAt".into(), stamp(self.modified).into());
        Value::Object(out)
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut out = vec![("content-type".to_owned(), "application/json".to_owned())];
        let auth = self.said.get("auth").and_then(|auth| auth.get("token")?.as_str());
        out.extend(auth.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        let rows = self.said.get("headers").and_then(Value::as_array).into_iter().flatten();
        let own = rows
            .filter_map(|row| Some((row.get("key")?.as_str()?.to_lowercase(), row.get("value")?.as_str()?.to_owned())));
        out.extend(own);
        out
    }
}

impl BrevoAccount {
    pub(super) fn webhooks(
        &self,
        state: &mut State,
        act: &Act,
        method: &Method,
        rest: &[&str],
        asked: &Asked,
    ) -> Answer {
        let known = |state: &State, id: &str| {
            let id = id.parse().ok().filter(|id| state.hooks.known.contains_key(id));
            id.ok_or_else(|| Refused::not_found("Webhook record not found"))
        };
        match (method, rest) {
            (&Method::GET, []) => {
                let wanted = asked.param("type").unwrap_or("transactional");
                let of_type = state.hooks.known.iter().filter(|(_, hook)| hook.text("type") == Some(wanted));
                let mut shown: Vec<Value> = of_type.map(|(id, hook)| hook.shown(*id)).collect();
                if asked.newest_first()? {
                    shown.reverse();
                }
                Ok(answer(200, &json!({"webhooks": shown})))
            }
            (&Method::POST, []) => {
                if state.hooks.known.len() >= MAX_HOOKS {
                    return Err(Refused::new(400, "out_of_range", "Webhook limit reached"));
                }
                let mut said = said(&asked.body);
                said.entry("type").or_insert_with(|| "transactional".into());
                said.entry("channel").or_insert_with(|| "email".into());
                said.entry("description").or_insert_with(|| "".into());
                valid(&said)?;
                let taken =
                    |hook: &Hook| hook.said.get("url") == said.get("url") && hook.said.get("type") == said.get("type");
                if state.hooks.known.values().any(taken) {
                    return Err(Refused::new(400, "duplicate_parameter", "Webhook already exists"));
                }
                let id = state.number();
                state.hooks.known.insert(id, Hook { said, created: act.now, modified: act.now });
                Ok(created(&json!({"id": id})))
            }
            (&Method::GET, [id]) => {
                let id: u64 = known(state, id)?;
                Ok(answer(200, &state.hooks.known[&id].shown(id)))
            }
            (&Method::PUT, [id]) => {
                let id: u64 = known(state, id)?;
                let mut merged = state.hooks.known[&id].said.clone();
                merged.extend(said(&asked.body).into_iter().filter(|(name, _)| name != "type"));
                valid(&merged)?;
                if let Some(hook) = state.hooks.known.get_mut(&id) {
                    hook.said = merged;
                    hook.modified = act.now;
                }
                Ok(no_content())
            }
            (&Method::DELETE, [id]) => {
                let id: u64 = known(state, id)?;
                state.hooks.known.remove(&id);
                state.waiting.forget(id);
                Ok(no_content())
            }
            _ => Err(wrong_method(method)),
        }
    }

    /// Tells the subscribers of what happened to a contact.
    pub(super) fn tell(&self, state: &mut State, act: &Act, event: &str, contact: u64, list: Option<u64>) {
        if state.hooks.quiet || state.hooks.known.is_empty() {
            return;
        }
        let email = state.book.get(contact).and_then(|contact| contact.key(Key::Email)).unwrap_or_default().to_owned();
        let subscribers = state.hooks.known.iter().filter(|(_, hook)| hook.wants(event));
        for (id, hook) in subscribers {
            let mut body = json!({
                "event": if self.config.snake_case_events { snake(event) } else { event.to_owned() },
                "email": email,
                "id": id,
                "date": act.now.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                "ts": act.now.as_second(),
            });
            if let Some(list) = list {
                // A list of one, as the older of the two spellings has it.
                body["list_id"] = json!([list]);
            }
            if matches!(event, "contactUpdated" | "listAddition") {
                let name = if let Actor::Key(name) = &act.actor { name.as_str() } else { "" };
                body["api_key_name"] = name.into();
            }
            let batched = hook.said.get("batched").and_then(Value::as_bool) == Some(true);
            let body = if batched { json!([body]) } else { body }.to_string().into_bytes();
            let url = hook.text("url").unwrap_or_default().to_owned();
            state.waiting.push(act.now, HookDelivery { hook: *id, url, headers: hook.headers(), body, attempt: 1 });
        }
    }

    pub(super) fn tell_joined(&self, state: &mut State, act: &Act, contact: u64, lists: &[u64]) {
        for list in lists {
            self.tell(state, act, "listAddition", contact, Some(*list));
        }
    }

    /// The webhooks that are to be delivered now. Each is to be reported with [`BrevoAccount::report`]; one that is not
    /// counts as arrived.
    pub fn take_deliveries(&self) -> Vec<HookDelivery> {
        let now = self.now();
        self.state().waiting.take(now)
    }

    /// How a delivery was answered; `None`: not at all. Only no answer and 429 are tried again; any other refusal means
    /// that the event is lost.
    pub fn report(&self, delivery: &HookDelivery, status: Option<u16>) {
        if !matches!(status, None | Some(429)) {
            return;
        }
        let next = usize::try_from(delivery.attempt).ok().and_then(|attempt| RETRIES.get(attempt.checked_sub(1)?));
        let due = next.and_then(|wait| self.now().checked_add(*wait).ok());
        let mut state = self.state();
        let live = delivery.hook == 0 || state.hooks.known.contains_key(&delivery.hook);
        if let Some(due) = due.filter(|_| live) {
            state.waiting.push(due, HookDelivery { attempt: delivery.attempt + 1, ..delivery.clone() });
        }
    }
}

fn said(body: &Map<String, Value>) -> Map<String, Value> {
    const KNOWN: &[&str] = &["url", "events", "type", "description", "auth", "headers", "batched", "domain", "channel"];
    let known = body.iter().filter(|(name, _)| KNOWN.contains(&name.as_str()));
    known.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn valid(said: &Map<String, Value>) -> Result<(), Refused> {
    let url = said.get("url").and_then(Value::as_str).ok_or_else(|| Refused::missing("url is missing"))?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Refused::invalid("url is invalid"));
    }
    let allowed = match said.get("type").and_then(Value::as_str) {
        Some("marketing") => MARKETING,
        Some("transactional") => TRANSACTIONAL,
        Some("inbound") => &["inboundEmailProcessed"],
        _ => return Err(Refused::invalid("type is invalid")),
    };
    let events = said.get("events").and_then(Value::as_array).ok_or_else(|| Refused::missing("events is missing"))?;
    let fits = |event: &Value| event.as_str().is_some_and(|event| allowed.contains(&event));
    if events.is_empty() || !events.iter().all(fits) {
        return Err(Refused::invalid("Event(s) should be valid for the type of the webhook"));
    }
    Ok(())
}

/// `contact_updated` for `contactUpdated`
fn snake(event: &str) -> String {
    let mut out = String::new();
    for c in event.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
