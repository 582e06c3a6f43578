//! Bulk imports: refused as a whole or taken in as a whole, carried out later, and told of only by their batch. They
//! send no webhooks, and subscribe nobody who has unsubscribed.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, ActiveCampaignAccount, State,
    answers::{Answer, Asked, Refused, id_of, text_of, unknown},
    book::email,
    contacts, crm, marks,
};
use crate::{deliveries::HookDelivery, web::json as answer};

/// Contacts of one import ("Bulk import", API description, read 2026-11).
const MAX_CONTACTS: usize = 250;
/// Imports a minute.
const MAX_A_MINUTE: usize = 100;
/// Batches that are remembered.
const MAX_KEPT: usize = 20_000;
/// A minute in seconds.
const MINUTE: i64 = 60;

#[derive(Debug)]
struct Batch {
    begun: Timestamp,
    due: Timestamp,
    /// What remains to be done, and who asked for it; `None` when it is done.
    work: Option<(Act, Vec<Value>)>,
    callback: Option<Value>,
    success: Vec<u64>,
    failure: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Batches {
    known: BTreeMap<u64, Batch>,
    /// Addresses that are taken in and then fail.
    pub(super) failing: BTreeSet<String>,
}

/// `/import…`
pub(super) fn answer_to(
    account: &ActiveCampaignAccount,
    state: &mut State,
    act: &Act,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::POST, ["bulk_import"]) => begin(account, state, act, asked),
        (&Method::GET, ["bulk_import"]) => Ok(answer(200, &overview(account, state))),
        (&Method::GET, ["info"]) => {
            let asked_for = asked.param("batchId").ok_or_else(|| refused("'batchId' is a required field."))?;
            let found = state.batches.known.iter().find(|(number, _)| batch_id(**number) == asked_for);
            let (_, batch) = found.ok_or_else(|| refused("The batchId is not known."))?;
            let status = if batch.work.is_none() { "completed" } else { "waiting" };
            let success: Vec<String> = batch.success.iter().map(u64::to_string).collect();
            Ok(answer(200, &json!({"status": status, "success": success, "failure": batch.failure})))
        }
        _ => Err(unknown()),
    }
}

fn refused(message: &str) -> Refused {
    Refused::new(400, json!({"success": 0, "message": message}))
}

/// Batches are named as UUIDs are written.
fn batch_id(number: u64) -> String {
    format!("{:08x}-0000-4000-8000-{number:012x}", number.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF)
}

fn begin(account: &ActiveCampaignAccount, state: &mut State, act: &Act, asked: &Asked) -> Answer {
    let recent = state.batches.known.values().rev().take(MAX_A_MINUTE);
    let recent = recent.filter(|batch| act.now.duration_since(batch.begun).as_secs() < MINUTE).count();
    if recent >= MAX_A_MINUTE {
        let reason = "Up to 100 imports may be requested per minute. Please batch contacts into larger requests, or \
                      retry this request in a minute.";
        let body = json!({"success": 0, "message": "Rate limit exceeded.", "failureReasons": [reason]});
        return Err(Refused::new(400, body));
    }
    let rows = asked.body.get("contacts").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut reasons: Vec<Value> = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        reasons.extend(complaint(row).map(|reason| json!({"contact": number, "failureReason": reason})));
    }
    if rows.is_empty() || rows.len() > MAX_CONTACTS {
        reasons.push(json!({"contact": null, "failureReason": format!("Pass from 1 to {MAX_CONTACTS} contacts")}));
    }
    if !reasons.is_empty() {
        let message = "JSON payload did not pass validation. Please fix failure Reasons and retry. The import was not \
                       queued for processing.";
        return Err(Refused::new(400, json!({"success": 0, "message": message, "failureReasons": reasons})));
    }
    let number = state.number("batch");
    let due = act.now.checked_add(account.config.import_takes).unwrap_or(act.now);
    let quiet = Act { now: due, quiet: true, ..act.clone() };
    let queued = rows.len();
    let callback = asked.body.get("callback").filter(|callback| callback.get("url").is_some()).cloned();
    if state.batches.known.len() >= MAX_KEPT {
        state.batches.known.pop_first();
    }
    let batch =
        Batch { begun: act.now, due, work: Some((quiet, rows)), callback, success: Vec::new(), failure: Vec::new() };
    state.batches.known.insert(number, batch);
    let message = "Contact import queued";
    Ok(answer(200, &json!({"Success": 1, "queued_contacts": queued, "batchId": batch_id(number), "message": message})))
}

/// What is wrong with a row.
fn complaint(row: &Value) -> Option<&'static str> {
    let Some(row) = row.as_object() else { return Some("A contact must be an object") };
    if row.get("email").and_then(Value::as_str).and_then(email).is_none() {
        return Some("Field 'email' incorrect format");
    }
    let of_texts = |name: &str| row.get(name).is_none_or(|value| value.is_string() || value.is_null());
    if !["first_name", "last_name", "phone", "customer_acct_name"].into_iter().all(of_texts) {
        return Some("A field has an incorrect format");
    }
    let fields = row.get("fields").and_then(Value::as_array).into_iter().flatten();
    let valued = |field: &Value| id_of(field.get("id")).is_some() && text_of(field.get("value")).is_some();
    (!fields.into_iter().all(valued)).then_some("Field 'fields' incorrect format")
}

impl ActiveCampaignAccount {
    /// Carries out the imports whose time has come, as of that time.
    pub(super) fn settle_batches(&self, state: &mut State) {
        let now = self.now();
        let is_due = |batch: &Batch| batch.work.is_some() && batch.due <= now;
        // The latest are the only ones that can be open.
        let open = state.batches.known.iter().rev().take_while(|(_, batch)| batch.work.is_some());
        let mut due: Vec<u64> = open.filter(|(_, batch)| is_due(batch)).map(|(number, _)| *number).collect();
        due.reverse();
        for number in due {
            let Some((act, rows)) = state.batches.known.get_mut(&number).and_then(|batch| batch.work.take()) else {
                continue;
            };
            let (mut success, mut failure) = (Vec::new(), Vec::new());
            for row in rows.iter().filter_map(Value::as_object) {
                match import(state, &act, row) {
                    Ok(id) => success.push(id),
                    Err(address) => failure.push(address),
                }
            }
            let Some(batch) = state.batches.known.get_mut(&number) else { continue };
            batch.success = success;
            batch.failure = failure;
            if let Some(callback) = &batch.callback {
                let delivery = called_back(callback, number, batch);
                state.waiting.push(act.now, delivery);
            }
        }
    }
}

/// One row; the address of one that fails.
fn import(state: &mut State, act: &Act, row: &Map<String, Value>) -> Result<u64, String> {
    let given = row.get("email").and_then(Value::as_str).unwrap_or_default();
    let address =
        email(given).filter(|address| !state.batches.failing.contains(address)).ok_or_else(|| given.to_owned())?;
    let mut contact = Map::new();
    for (theirs, ours) in [("first_name", "firstName"), ("last_name", "lastName"), ("phone", "phone")] {
        if let Some(value) = row.get(theirs).filter(|value| !value.is_null()) {
            contact.insert(ours.to_owned(), value.clone());
        }
    }
    let fields = row.get("fields").and_then(Value::as_array).into_iter().flatten();
    let fields: Vec<Value> = fields.map(|field| json!({"field": field["id"], "value": field["value"]})).collect();
    contact.insert("fieldValues".to_owned(), fields.into());
    let id = match state.book.find(&address) {
        Some(id) => {
            contacts::update(state, act, id, &contact).map_err(|_| given.to_owned())?;
            id
        }
        None => contacts::insert(state, act, address, &contact),
    };
    for name in row.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let tag = marks::tag_named(state, name, act.now);
        marks::tag(state, act, id, tag);
    }
    for (part, status) in [("subscribe", 1), ("unsubscribe", 2)] {
        for list in row.get(part).and_then(Value::as_array).into_iter().flatten() {
            let list = id_of(list.get("listid")).filter(|list| state.lists.contains(*list));
            let held = list.and_then(|list| state.book.get(id)?.lists.get(&list)).map(|held| held.status);
            if let Some(list) = list.filter(|_| held != Some(status) && !(status == 1 && held == Some(2))) {
                marks::subscribe(state, act, id, list, status);
            }
        }
    }
    if let Some(name) = row.get("customer_acct_name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        crm::link_account(state, act, id, name);
    }
    Ok(id)
}

fn called_back(callback: &Value, number: u64, batch: &Batch) -> HookDelivery {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = |name: &str| callback.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(rows("headers").iter().map(|row| (text(&row["key"]).to_lowercase(), text(&row["value"]))));
    let params: Map<String, Value> =
        rows("params").iter().map(|row| (text(&row["key"]), row["value"].clone())).collect();
    let reasons: Vec<Value> = batch
        .failure
        .iter()
        .map(|address| json!({"email": address, "failureReason": "The address was refused"}))
        .collect();
    let mut body = json!({"batchId": batch_id(number), "success": batch.success, "failure": reasons});
    params.into_iter().for_each(|(name, value)| body[name] = value);
    // No subscription has the number 0.
    HookDelivery { hook: 0, url: text(&callback["url"]), headers, body: body.to_string().into_bytes(), attempt: 1 }
}

fn overview(account: &ActiveCampaignAccount, state: &State) -> Value {
    let shapes = account.shapes();
    let mut days: BTreeMap<(bool, String), (u64, usize)> = BTreeMap::new();
    for batch in state.batches.known.values() {
        let day = shapes.plain(batch.begun).chars().take(10).collect();
        let rows = batch.work.as_ref().map_or(batch.success.len() + batch.failure.len(), |(_, rows)| rows.len());
        let sum = days.entry((batch.work.is_none(), day)).or_default();
        *sum = (sum.0 + 1, sum.1 + rows);
    }
    let shown = |done: bool| -> Vec<Value> {
        let of = days.iter().filter(|((is_done, _), _)| *is_done == done);
        of.map(|((_, day), (batches, contacts))| {
            json!({"forDate": day, "batches": batches.to_string(), "contacts": contacts.to_string()})
        })
        .collect()
    };
    json!({"outstanding": shown(false), "recentlyCompleted": shown(true)})
}
