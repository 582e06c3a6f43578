//! Webhooks: subscriptions over HTTP, and the forms that tell of events. Nothing is signed, nothing is tried again, and
//! mass operations tell nobody.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, ActiveCampaignAccount, Source, State,
    answers::{Answer, Asked, Refused, id_of, text_of, unknown},
    book::Contact,
};
use crate::{deliveries::HookDelivery, web::json as answer};

/// What may be subscribed to ("Webhooks", read 2026-11); only those about contacts, tags and lists are ever sent here.
const EVENTS: &[&str] = &[
    "bounce",
    "click",
    "contact_tag_added",
    "contact_tag_removed",
    "deal_add",
    "deal_note_add",
    "deal_pipeline_add",
    "deal_stage_add",
    "deal_task_add",
    "deal_task_complete",
    "deal_tasktype_add",
    "deal_update",
    "forward",
    "list_add",
    "open",
    "reply",
    "sent",
    "share",
    "sms_reply",
    "sms_sent",
    "sms_unsub",
    "subscribe",
    "subscriber_note",
    "unsubscribe",
    "update",
];
const SOURCES: &[&str] = &["public", "admin", "api", "system"];
/// Subscriptions of an account; far above what is usual.
const MAX_HOOKS: usize = 1000;

#[derive(Debug, Clone)]
struct Hook {
    name: String,
    url: String,
    events: Vec<String>,
    sources: Vec<String>,
    list: u64,
    created: Timestamp,
    is_active: bool,
}

#[derive(Debug, Default)]
pub(super) struct Hooks(BTreeMap<u64, Hook>);

/// `/webhooks…` and `/webhook/events`
pub(super) fn answer_to(
    account: &ActiveCampaignAccount,
    state: &mut State,
    act: &Act,
    method: &Method,
    parts: &[&str],
    asked: &Asked,
) -> Answer {
    let shown = |id: u64, hook: &Hook| {
        json!({"cdate": account.shapes().stamp(hook.created), "listid": hook.list.to_string(), "name": hook.name,
               "url": hook.url, "events": hook.events, "sources": hook.sources, "links": [], "id": id.to_string(),
               "state": if hook.is_active { "1" } else { "0" }})
    };
    match (method, parts) {
        (&Method::GET, ["webhook", "events"]) => Ok(answer(200, &json!({"webhookEvents": EVENTS}))),
        (&Method::GET, ["webhooks"]) => {
            let (name, url) = (asked.param("filters[name]"), asked.param("filters[url]"));
            let fits = |hook: &Hook| name.is_none_or(|name| hook.name == name) && url.is_none_or(|url| hook.url == url);
            let found = state.hooks.0.iter().filter(|(_, hook)| fits(hook));
            Ok(asked.page("webhooks", found, |(id, hook)| shown(*id, hook)))
        }
        (&Method::POST, ["webhooks"]) => {
            let blank = Hook {
                name: String::new(),
                url: String::new(),
                events: Vec::new(),
                sources: Vec::new(),
                list: 0,
                created: act.now,
                is_active: true,
            };
            let hook = told(blank, asked.object("webhook")?, account.config.plain_hooks)?;
            if state.hooks.0.len() >= MAX_HOOKS {
                return Err(Refused::attribute("There are too many webhooks", "limit", "webhook"));
            }
            let id = state.number("webhook");
            let body = json!({"webhook": shown(id, &hook)});
            state.hooks.0.insert(id, hook);
            Ok(answer(201, &body))
        }
        (_, ["webhooks", id]) => {
            let known = id.parse().ok().filter(|id| state.hooks.0.contains_key(id));
            let id: u64 = known.ok_or_else(|| Refused::no_result("Webhook", id))?;
            if method == Method::DELETE {
                state.hooks.0.remove(&id);
                state.waiting.forget(id);
                return Ok(answer(200, &json!({})));
            }
            if method == Method::PUT {
                let new = told(state.hooks.0[&id].clone(), asked.object("webhook")?, account.config.plain_hooks)?;
                state.hooks.0.insert(id, new);
            } else if method != Method::GET {
                return Err(unknown());
            }
            Ok(answer(200, &json!({"webhook": shown(id, &state.hooks.0[&id])})))
        }
        _ => Err(unknown()),
    }
}

/// A subscription with what was said of it.
fn told(mut hook: Hook, given: &Map<String, Value>, plain_allowed: bool) -> Result<Hook, Refused> {
    let texts = |name: &str, allowed: &[&str]| -> Result<Option<Vec<String>>, Refused> {
        let Some(rows) = given.get(name).and_then(Value::as_array) else { return Ok(None) };
        let rows: Option<Vec<String>> =
            rows.iter().map(|row| row.as_str().filter(|row| allowed.contains(row)).map(str::to_owned)).collect();
        rows.map(Some).ok_or_else(|| Refused::attribute(&format!("The {name} are not valid"), "invalid", name))
    };
    hook.events = texts("events", EVENTS)?.unwrap_or(hook.events);
    hook.sources = texts("sources", SOURCES)?.unwrap_or(hook.sources);
    hook.name = text_of(given.get("name")).unwrap_or(hook.name);
    hook.url = text_of(given.get("url")).unwrap_or(hook.url);
    hook.list = id_of(given.get("listid")).unwrap_or(hook.list);
    for (name, is_missing) in [
        ("name", hook.name.is_empty()),
        ("url", hook.url.is_empty()),
        ("events", hook.events.is_empty()),
        ("sources", hook.sources.is_empty()),
    ] {
        if is_missing {
            return Err(Refused::attribute(&format!("The {name} was not provided."), "field_missing", name));
        }
    }
    let url = url::Url::parse(&hook.url).ok();
    let fits = |url: &url::Url| plain_allowed || url.scheme() == "https" && url.port_or_known_default() == Some(443);
    if !url.as_ref().is_some_and(fits) {
        return Err(Refused::attribute("The url must be https on port 443", "invalid", "url"));
    }
    Ok(hook)
}

/// Tells the subscribers of what happened to a contact.
pub(super) fn tell(state: &mut State, act: &Act, event: &str, contact: u64, more: &[(&str, String)]) {
    if act.quiet || state.hooks.0.is_empty() {
        return;
    }
    let Some(contact) = state.book.get(contact) else { return };
    let source = match act.source {
        Source::Public => "public",
        Source::Admin => "admin",
        Source::Api => "api",
    };
    let list = more.iter().find(|(name, _)| *name == "list").and_then(|(_, list)| list.parse().ok()).unwrap_or(0);
    let wanted = |hook: &Hook| {
        hook.is_active
            && hook.events.iter().any(|known| known == event)
            && hook.sources.iter().any(|known| known == source)
            && (hook.list == 0 || list == 0 || hook.list == list)
    };
    let subscribers = state.hooks.0.iter().filter(|(_, hook)| wanted(hook));
    let subscribers: Vec<(u64, String)> = subscribers.map(|(id, hook)| (*id, hook.url.clone())).collect();
    if subscribers.is_empty() {
        return;
    }
    let body = form(state, act, event, source, contact, more).into_bytes();
    for (hook, url) in subscribers {
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        state.waiting.push(act.now, HookDelivery { hook, url, headers, body: body.clone(), attempt: 1 });
    }
}

/// The form that tells of an event; members of a record stand in brackets.
fn form(state: &State, act: &Act, event: &str, source: &str, contact: &Contact, more: &[(&str, String)]) -> String {
    let tags: Vec<&str> = contact.tags.keys().filter_map(|tag| state.tags.name(*tag)).collect();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("type", event);
    form.append_pair("date_time", &act.now.to_string());
    form.append_pair("initiated_from", source);
    form.append_pair("initiated_by", source);
    if !more.iter().any(|(name, _)| *name == "list") {
        form.append_pair("list", "0");
    }
    for (name, value) in more {
        form.append_pair(name, value);
    }
    for (name, value) in [
        ("id", contact.id.to_string()),
        ("email", contact.email.clone()),
        ("first_name", contact.first_name.clone()),
        ("last_name", contact.last_name.clone()),
        ("phone", contact.phone.clone()),
        ("ip", "0.0.0.0".to_owned()),
        ("tags", tags.join(", ")),
        ("orgname", String::new()),
        ("customer_acct_name", state.crm.account_of(contact.id).unwrap_or_default().to_owned()),
    ] {
        form.append_pair(&format!("contact[{name}]"), &value);
    }
    for (field, value) in &contact.values {
        if let Some(perstag) = state.fields.perstag(*field) {
            form.append_pair(&format!("contact[fields][{}]", perstag.to_lowercase()), &value.value);
        }
    }
    form.finish()
}

impl ActiveCampaignAccount {
    /// The webhooks that are to be delivered now. None is ever sent a second time.
    pub fn take_deliveries(&self) -> Vec<HookDelivery> {
        let now = self.now();
        self.state().waiting.take(now)
    }

    /// How a delivery was answered: 410 ends the subscription, anything else is of no account.
    pub fn report(&self, delivery: &HookDelivery, status: Option<u16>) {
        const GONE: u16 = 410;
        if status == Some(GONE) {
            let mut state = self.state();
            if let Some(hook) = state.hooks.0.get_mut(&delivery.hook) {
                hook.is_active = false;
            }
        }
    }
}
