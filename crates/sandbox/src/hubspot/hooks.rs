//! Webhooks: settings, subscriptions, and deliveries that the caller sends, loses or repeats. An event tells that
//! something changed, and hardly what.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    api::{Ask, Done, Outcome},
    config::HubSpotConfig,
    error::Failure,
    schema::TypeNo,
    time::stamp,
    world::{Happened, Happening, HubSpotWho, World},
};
use crate::Webhook;

/// Events of a delivery, at most.
const MAX_EVENTS: usize = 100;
/// Waits before the tries after the first one: ten of them, over about a day. How they are spread is assumed.
const WAITS_MINUTES: [i64; 10] = [1, 5, 15, 30, 60, 120, 180, 240, 360, 420];
/// Answers after which nothing is tried again.
const FINAL: [u16; 5] = [400, 401, 403, 404, 405];
const MINUTE: i64 = 60_000;

#[derive(Debug, Clone)]
struct Settings {
    url: String,
    most_at_once: u64,
    created: i64,
    updated: i64,
}

#[derive(Debug, Clone)]
struct Subscription {
    id: u64,
    app: u64,
    event_type: String,
    object: Option<TypeNo>,
    property: Option<String>,
    active: bool,
    created: i64,
    updated: i64,
}

#[derive(Debug, Clone)]
struct Batch {
    app: u64,
    events: Vec<Value>,
    attempt: u32,
    due: i64,
}

/// One POST on its way, signed with the time at which it was taken.
#[derive(Debug, Clone)]
pub struct HubSpotDelivery {
    pub webhook: Webhook,
    /// 0 for the first try.
    pub attempt: u32,
    batch: Batch,
}

#[derive(Debug, Default)]
pub(super) struct Hooks {
    settings: BTreeMap<u64, Settings>,
    subscriptions: Vec<Subscription>,
    fresh: Vec<(u64, Value)>,
    waiting: Vec<Batch>,
    made: u64,
    events: u64,
}

impl Hooks {
    pub(super) fn watched(&self) -> bool {
        self.subscriptions.iter().any(|known| known.active)
    }

    /// Makes events of what happened, for those who subscribed to it.
    pub(super) fn note(&mut self, happened: Vec<Happened>, world: &World, config: &HubSpotConfig) {
        for one in happened {
            let kind = &world.schema.types[one.object];
            let (action, name) = match &one.what {
                Happening::Creation => ("creation", None),
                Happening::Deletion => ("deletion", None),
                Happening::PrivacyDeletion => ("privacyDeletion", None),
                Happening::Restore => ("restore", None),
                Happening::Change { name, .. } => ("propertyChange", Some(name)),
                Happening::Merge { .. } => ("merge", None),
                Happening::Association { .. } => ("associationChange", None),
            };
            let named = format!("{}.{action}", kind.singular);
            let general = format!("object.{action}");
            for known in &self.subscriptions {
                let meant =
                    known.event_type == named || (known.event_type == general && known.object == Some(one.object));
                if known.active && meant && known.property.as_ref() == name {
                    self.events += 1;
                    self.fresh.push((known.app, event(&one, known, world, config, self.events)));
                }
            }
        }
    }

    /// What is to be sent now.
    pub(super) fn take(&mut self, now: i64, config: &HubSpotConfig) -> Vec<HubSpotDelivery> {
        let mut by_app: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for (app, event) in std::mem::take(&mut self.fresh) {
            by_app.entry(app).or_default().push(event);
        }
        for (app, events) in by_app {
            let batches =
                events.chunks(MAX_EVENTS).map(|events| Batch { app, events: events.to_vec(), attempt: 0, due: now });
            self.waiting.extend(batches);
        }
        let (due, later) = std::mem::take(&mut self.waiting).into_iter().partition(|batch| batch.due <= now);
        self.waiting = later;
        let due: Vec<Batch> = due;
        due.into_iter().filter_map(|batch| self.send(batch, now, config)).collect()
    }

    fn send(&self, mut batch: Batch, now: i64, config: &HubSpotConfig) -> Option<HubSpotDelivery> {
        let url = self.settings.get(&batch.app)?.url.clone();
        let attempt = batch.attempt;
        for event in &mut batch.events {
            event["attemptNumber"] = attempt.into();
        }
        let body = Value::from(batch.events.clone()).to_string();
        let private = config.private_apps.iter().find(|app| app.app_id == batch.app);
        let secret = private.map_or(&config.app.client_secret, |app| &app.client_secret);
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-hubspot-request-timestamp", now.to_string()),
            ("x-hubspot-signature-v3", signature_v3(secret, &url, &body, now)),
            // The older signature is announced and sent as well.
            ("x-hubspot-signature-version", "v1".to_owned()),
            ("x-hubspot-signature", hex(&Sha256::digest(format!("{secret}{body}").as_bytes()))),
        ];
        Some(HubSpotDelivery { webhook: Webhook { url, headers, body: body.into_bytes() }, attempt, batch })
    }

    /// What became of a delivery; no status: nothing was answered.
    pub(super) fn report(
        &mut self,
        sent: &HubSpotDelivery,
        status: Option<u16>,
        retry_after: Option<Duration>,
        now: i64,
    ) {
        if status.is_some_and(|status| (200..300).contains(&status) || FINAL.contains(&status)) {
            return;
        }
        let Some(minutes) = WAITS_MINUTES.get(sent.attempt as usize) else { return };
        let wait = match (status, retry_after) {
            (Some(429), Some(wait)) => i64::try_from(wait.as_millis()).unwrap_or(i64::MAX),
            _ => minutes * MINUTE,
        };
        self.waiting.push(Batch { attempt: sent.attempt + 1, due: now.saturating_add(wait), ..sent.batch.clone() });
    }

    /// Sets where an app's events go.
    pub(super) fn set_target(&mut self, app: u64, url: &str, most_at_once: u64, now: i64) {
        let created = self.settings.get(&app).map_or(now, |known| known.created);
        self.settings.insert(app, Settings { url: url.to_owned(), most_at_once, created, updated: now });
    }

    /// Subscribes an app to one kind of event.
    pub(super) fn subscribe(
        &mut self,
        world: &World,
        app: u64,
        event_type: &str,
        object: Option<&str>,
        property: Option<&str>,
        now: i64,
    ) -> Result<u64, Failure> {
        let (subject, action) = event_type.split_once('.').unwrap_or_default();
        let subjects = ["contact", "company", "deal", "ticket"];
        let actions = ["creation", "deletion", "merge", "propertyChange", "restore", "associationChange"];
        let known = (subjects.contains(&subject) || subject == "object") && actions.contains(&action);
        if !known && event_type != "contact.privacyDeletion" {
            return Err(Failure::invalid(format!("{event_type} is not an event type")));
        }
        if (action == "propertyChange") != property.is_some() {
            return Err(Failure::invalid("propertyName belongs to propertyChange, and to nothing else"));
        }
        let object = match (subject, object) {
            ("object", Some(id)) => Some(world.schema.named(id)?),
            ("object", None) => return Err(Failure::invalid("objectTypeId is missing")),
            _ => None,
        };
        self.made += 1;
        self.subscriptions.push(Subscription {
            id: self.made,
            app,
            event_type: event_type.to_owned(),
            object,
            property: property.map(str::to_owned),
            active: false,
            created: now,
            updated: now,
        });
        Ok(self.made)
    }

    pub(super) fn activate(&mut self, id: u64, active: bool, now: i64) {
        if let Some(known) = self.subscriptions.iter_mut().find(|known| known.id == id) {
            known.active = active;
            known.updated = now;
        }
    }

    /// `/webhooks/v3/{appId}/…`
    pub(super) fn answer(&mut self, world: &World, ask: &Ask<'_>) -> Outcome {
        let now = ask.by.at;
        let app: u64 = ask.path.get(1).and_then(|id| id.parse().ok()).ok_or_else(Failure::not_found)?;
        // Those of a private app are set in the browser only.
        if app != ask.config.app.app_id {
            return Err(Failure::not_found());
        }
        match (ask.method, &ask.path[2..]) {
            (&Method::PUT, ["settings"]) => {
                let most =
                    ask.body()?.get("throttling").and_then(|one| one["maxConcurrentRequests"].as_u64()).unwrap_or(10);
                let url = ask.body()?.get("targetUrl").and_then(Value::as_str);
                let url = url.ok_or_else(|| Failure::invalid("targetUrl is missing"))?;
                self.set_target(app, url, most, now);
                self.shown_settings(app)
            }
            (&Method::GET, ["settings"]) => self.shown_settings(app),
            (&Method::DELETE, ["settings"]) => {
                self.settings.remove(&app);
                Ok(Done::Empty(204))
            }
            (&Method::GET, ["subscriptions"]) => {
                let all = self.subscriptions.iter().filter(|known| known.app == app);
                let all: Vec<Value> = all.map(|known| shown(known, world)).collect();
                Ok(Done::Json(200, json!({"results": all})))
            }
            (&Method::POST, ["subscriptions"]) => {
                let body = ask.body()?;
                let text = |name: &str| body.get(name).and_then(Value::as_str);
                let event_type = text("eventType").unwrap_or_default();
                let id = self.subscribe(world, app, event_type, text("objectTypeId"), text("propertyName"), now)?;
                self.activate(id, body.get("active").and_then(Value::as_bool).unwrap_or(false), now);
                self.one(world, id, 201)
            }
            (method, ["subscriptions", id]) => {
                let id: u64 = id.parse().map_err(|_| Failure::not_found())?;
                match *method {
                    Method::GET => self.one(world, id, 200),
                    Method::PATCH => {
                        let active = ask.body()?.get("active").and_then(Value::as_bool).unwrap_or(false);
                        self.activate(id, active, now);
                        self.one(world, id, 200)
                    }
                    Method::DELETE => {
                        self.subscriptions.retain(|known| known.id != id);
                        Ok(Done::Empty(204))
                    }
                    _ => Ok(Done::Nowhere(405)),
                }
            }
            _ => Ok(Done::Nowhere(404)),
        }
    }

    fn shown_settings(&self, app: u64) -> Outcome {
        let known = self.settings.get(&app).ok_or_else(Failure::not_found)?;
        Ok(Done::Json(
            200,
            json!({"targetUrl": known.url, "createdAt": stamp(known.created),
            "updatedAt": stamp(known.updated), "throttling": {"maxConcurrentRequests": known.most_at_once}}),
        ))
    }

    fn one(&self, world: &World, id: u64, status: u16) -> Outcome {
        let known = self.subscriptions.iter().find(|known| known.id == id).ok_or_else(Failure::not_found)?;
        Ok(Done::Json(status, shown(known, world)))
    }
}

fn shown(known: &Subscription, world: &World) -> Value {
    let mut shown = json!({"id": known.id.to_string(), "eventType": known.event_type, "active": known.active,
                           "createdAt": stamp(known.created), "updatedAt": stamp(known.updated)});
    if let Some(property) = &known.property {
        shown["propertyName"] = property.as_str().into();
    }
    if let Some(object) = known.object {
        shown["objectTypeId"] = world.schema.types[object].id.as_str().into();
    }
    shown
}

fn event(one: &Happened, known: &Subscription, world: &World, config: &HubSpotConfig, number: u64) -> Value {
    /// Event ids look like chance, and are not promised to differ.
    const ODD: u64 = 2_654_435_761;
    let (source, source_id) = match one.by.who {
        HubSpotWho::App(app) => ("INTEGRATION", app.to_string()),
        HubSpotWho::Person(user) => ("CRM_UI", format!("userId:{user}")),
        HubSpotWho::Vendor => ("CALCULATED", String::new()),
    };
    let mut event = json!({
        "eventId": number.wrapping_mul(ODD) % u64::from(u32::MAX), "subscriptionId": known.id,
        "portalId": config.portal_id, "appId": known.app, "occurredAt": one.by.at,
        "subscriptionType": known.event_type, "attemptNumber": 0, "objectId": one.id,
        "changeSource": source, "sourceId": source_id,
    });
    if let Some(object) = known.object {
        event["objectTypeId"] = world.schema.types[object].id.as_str().into();
    }
    match &one.what {
        Happening::Creation => event["changeFlag"] = "NEW".into(),
        Happening::Deletion | Happening::PrivacyDeletion => event["changeFlag"] = "DELETED".into(),
        Happening::Restore => {}
        Happening::Change { name, value } => {
            event["propertyName"] = name.as_str().into();
            event["propertyValue"] = value.as_str().into();
        }
        Happening::Merge { primary, merged, survivor, moved } => {
            event["primaryObjectId"] = (*primary).into();
            event["mergedObjectIds"] = json!(merged);
            event["newObjectId"] = (*survivor).into();
            event["numberOfPropertiesMoved"] = (*moved).into();
        }
        Happening::Association { to, to_id, type_id, removed } => {
            let (from, to) = (&world.schema.types[one.object].singular, &world.schema.types[*to].singular);
            event["associationType"] = format!("{from}_to_{to}").to_uppercase().into();
            event["associationTypeId"] = (*type_id).into();
            event["fromObjectId"] = one.id.into();
            event["toObjectId"] = (*to_id).into();
            event["associationRemoved"] = (*removed).into();
        }
    }
    event
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The third signature: of method, address, body and time. These characters of the address are signed as themselves,
/// however they are written in it.
pub(super) fn signature_v3(secret: &str, url: &str, body: &str, at: i64) -> String {
    const DECODED: [(&str, &str); 12] = [
        ("%3A", ":"),
        ("%2F", "/"),
        ("%3F", "?"),
        ("%40", "@"),
        ("%21", "!"),
        ("%24", "$"),
        ("%27", "'"),
        ("%28", "("),
        ("%29", ")"),
        ("%2A", "*"),
        ("%2C", ","),
        ("%3B", ";"),
    ];
    let mut plain = url.to_owned();
    for (written, meant) in DECODED {
        plain = plain.replace(written, meant).replace(&written.to_lowercase(), meant);
    }
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    for part in ["POST", &plain, body, &at.to_string()] {
        mac.update(part.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}
