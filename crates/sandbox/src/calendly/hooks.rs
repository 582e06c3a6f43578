//! Webhook subscriptions and their deliveries. One whose deliveries have failed for a day is disabled for good.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CalendlyOrg, State, stamp};
use crate::web::{Webhook, hmac_hex};

/// How long deliveries are tried again before the subscription is disabled.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) uuid: String,
    pub(super) url: String,
    pub(super) events: Vec<String>,
    pub(super) scope: String,
    pub(super) user: Option<String>,
    pub(super) signing_key: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) retry_started: Option<Timestamp>,
    pub(super) disabled: bool,
}

/// A webhook under way. It is signed anew for each try.
#[derive(Debug, Clone)]
pub struct Sent {
    pub webhook: Webhook,
    subscription: String,
    body: String,
}

impl CalendlyOrg {
    pub(super) fn send(&self, state: &mut State, event: &str, payload: &Value, now: Timestamp) {
        let body = json!({"created_at": stamp(now), "created_by": self.user(), "event": event, "payload": payload});
        let wanted = |known: &&Subscription| !known.disabled && known.events.iter().any(|one| one == event);
        let body = body.to_string();
        let sent: Vec<(String, String)> =
            state.subscriptions.iter().filter(wanted).map(|known| (known.uuid.clone(), body.clone())).collect();
        state.pending.extend(sent);
    }

    /// The webhooks that are to be delivered now, signed with the present time. What is taken must be reported, with
    /// [`CalendlyOrg::report`], else it is as if it were still on its way.
    pub fn take_webhooks(&self) -> Vec<Sent> {
        let now = self.now().as_second();
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        let subscription = |uuid: &str| state.subscriptions.iter().find(|known| known.uuid == uuid);
        pending
            .into_iter()
            .filter_map(|(uuid, body)| {
                let known = subscription(&uuid).filter(|known| !known.disabled)?;
                let mut headers = vec![("content-type", "application/json".to_owned())];
                if let Some(key) = &known.signing_key {
                    let digest = hmac_hex(key, &[format!("{now}.").as_bytes(), body.as_bytes()]);
                    headers.push(("calendly-webhook-signature", format!("t={now},v1={digest}")));
                }
                let webhook = Webhook { url: known.url.clone(), headers, body: body.clone().into_bytes() };
                Some(Sent { webhook, subscription: uuid, body })
            })
            .collect()
    }

    /// How a delivery went: what did not arrive is tried again, until a day has passed since the first failure.
    pub fn report(&self, sent: &Sent, arrived: bool) {
        let now = self.now();
        let mut state = self.state();
        let Some(known) = state.subscriptions.iter_mut().find(|known| known.uuid == sent.subscription) else { return };
        if arrived {
            known.retry_started = None;
            return;
        }
        let since = *known.retry_started.get_or_insert(now);
        if now.duration_since(since) >= PATIENCE {
            known.disabled = true;
            known.updated = now;
            state.pending.retain(|(uuid, _)| *uuid != sent.subscription);
        } else {
            state.pending.push((sent.subscription.clone(), sent.body.clone()));
        }
    }
}
