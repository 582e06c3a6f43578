//! Imports: taken in at once, carried out when the account's clock has come to it, row by row, and told of by their
//! process and by a call to the address that was left.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, BrevoAccount, State,
    answers::{Answer, Asked, Refused, wrong_method},
    book::{Change, Key},
    contacts::{Blanks, Given, known_lists, read_attribute},
    lists::add_list,
    stamp,
};
use crate::{deliveries::HookDelivery, journal::Actor, web::json as answer};

/// Largest body of an import ("Maximum allowed json body size is 10MB", API description, read 2026-11).
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Processes a page, unless asked otherwise and at the most.
const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 50;
/// Processes that are remembered.
const MAX_KEPT: usize = 10_000;

/// One import, from its beginning to its end.
#[derive(Debug)]
struct Import {
    begun: Timestamp,
    due: Timestamp,
    /// What remains to be done; `None` when it is done.
    work: Option<Work>,
    report: Report,
    notify: Option<String>,
}

#[derive(Debug)]
struct Work {
    rows: Rows,
    lists: Vec<u64>,
    updates: bool,
    blanks: Blanks,
    email_blacklist: bool,
    sms_blacklist: bool,
    actor: Actor,
}

#[derive(Debug)]
enum Rows {
    Json(Vec<Value>),
    Csv { names: Vec<String>, lines: Vec<Vec<String>> },
}

/// What went wrong, counted.
#[derive(Debug, Default)]
struct Report {
    invalid_emails: u64,
    duplicates: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Processes {
    known: BTreeMap<u64, Import>,
    /// Those that are not done, in the order in which they began.
    open: Vec<u64>,
}

impl Processes {
    pub(super) fn answer(&self, now: Timestamp, method: &Method, rest: &[&str], asked: &Asked) -> Answer {
        match (method, rest) {
            (&Method::GET, []) => {
                let (limit, offset) = asked.window(PAGE_DEFAULT, PAGE_MAX)?;
                let mut all: Vec<(&u64, &Import)> = self.known.iter().collect();
                if asked.newest_first()? {
                    all.reverse();
                }
                let page: Vec<Value> =
                    all.into_iter().skip(offset).take(limit).map(|(id, import)| import.shown(*id, now)).collect();
                Ok(answer(200, &json!({"processes": page, "count": self.known.len()})))
            }
            (&Method::GET, [id]) => {
                let found = id.parse().ok().and_then(|id| Some((id, self.known.get(&id)?)));
                let (id, import) =
                    found.ok_or_else(|| Refused::new(404, "invalid_parameter", "processId is invalid"))?;
                Ok(answer(200, &import.shown(id, now)))
            }
            _ => Err(wrong_method(method)),
        }
    }
}

impl Import {
    fn shown(&self, id: u64, now: Timestamp) -> Value {
        let half = self.begun.as_millisecond() + (self.due.as_millisecond() - self.begun.as_millisecond()) / 2;
        let status = match &self.work {
            None => "completed",
            Some(_) if now.as_millisecond() < half => "queued",
            Some(_) => "processing",
        };
        let mut out = json!({"id": id, "name": "IMPORTUSER", "status": status, "created_at": stamp(self.begun)});
        if self.work.is_none() {
            let count = |n: u64| if n == 0 { Value::Null } else { n.into() };
            let held = |name: &str| count(self.report.duplicates.get(name).copied().unwrap_or_default());
            out["completed_at"] = stamp(self.due).into();
            out["info"] = json!({"import": {
                "invalid_emails": count(self.report.invalid_emails),
                "duplicate_contact_id": null,
                "duplicate_ext_id": held("ext_id"),
                "duplicate_email_id": held("email"),
                "duplicate_phone_id": held("SMS"),
                "duplicate_whatsapp_id": held("WHATSAPP"),
                "duplicate_landline_number_id": held("LANDLINE_NUMBER"),
            }});
        }
        out
    }
}

impl BrevoAccount {
    /// `POST /contacts/import`
    pub(super) fn import(&self, state: &mut State, act: &Act, asked: &Asked) -> Answer {
        if asked.size > MAX_BYTES {
            return Err(Refused::new(400, "out_of_range", "The body of an import may have 10MB"));
        }
        let body = &asked.body;
        let rows = rows(body)?;
        let lists = import_lists(state, act, body)?;
        let flag = |name: &str, default: bool| body.get(name).and_then(Value::as_bool).unwrap_or(default);
        let updates = flag("updateExistingContacts", true);
        let blanks = if flag("emptyContactsAttributes", false) && updates { Blanks::Clear } else { Blanks::Keep };
        let work = Work {
            rows,
            lists,
            updates,
            blanks,
            email_blacklist: flag("emailBlacklist", false),
            sms_blacklist: flag("smsBlacklist", false),
            actor: act.actor.clone(),
        };
        let id = state.number();
        let due = act.now.checked_add(self.config.import_takes).unwrap_or(act.now);
        let notify = body.get("notifyUrl").and_then(Value::as_str).map(str::to_owned);
        if state.processes.known.len() >= MAX_KEPT {
            state.processes.known.pop_first();
        }
        let import = Import { begun: act.now, due, work: Some(work), report: Report::default(), notify };
        state.processes.known.insert(id, import);
        state.processes.open.push(id);
        Ok(answer(202, &json!({"processId": id})))
    }

    /// Carries out the imports whose time has come, as of that time.
    pub(super) fn settle_imports(&self, state: &mut State) {
        if state.processes.open.is_empty() {
            return;
        }
        let now = self.now();
        let is_due = |id: &u64| state.processes.known.get(id).is_none_or(|import| import.due <= now);
        let (due, later): (Vec<u64>, Vec<u64>) = state.processes.open.iter().partition(|id| is_due(id));
        state.processes.open = later;
        for id in due {
            let import = state.processes.known.get_mut(&id);
            let Some((at, work)) = import.and_then(|import| Some((import.due, import.work.take()?))) else { continue };
            let report = self.carry_out(state, at, work);
            let Some(import) = state.processes.known.get_mut(&id) else { continue };
            import.report = report;
            if let Some(url) = import.notify.take() {
                let body = json!({"proc_id": id, "proc_success": true}).to_string().into_bytes();
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                // No subscription has the number 0.
                state.waiting.push(at, HookDelivery { hook: 0, url, headers, body, attempt: 1 });
            }
        }
    }

    fn carry_out(&self, state: &mut State, at: Timestamp, mut work: Work) -> Report {
        let act = Act { now: at, actor: work.actor.clone() };
        let mut report = Report::default();
        // Lists that were deleted meanwhile are passed over.
        work.lists.retain(|list| state.book.lists.contains_key(list));
        match std::mem::replace(&mut work.rows, Rows::Json(Vec::new())) {
            Rows::Json(rows) => {
                for row in &rows {
                    let change = json_row(state, row, work.blanks);
                    self.import_row(state, &act, &work, change, &mut report);
                }
            }
            Rows::Csv { names, lines } => {
                for line in &lines {
                    let change = csv_row(state, &names, line, work.blanks);
                    self.import_row(state, &act, &work, change, &mut report);
                }
            }
        }
        report
    }

    fn import_row(&self, state: &mut State, act: &Act, work: &Work, change: Option<Change>, report: &mut Report) {
        let meant = [Key::Email, Key::Ext, Key::Sms, Key::Whatsapp, Key::Landline];
        let named = change.and_then(|change| {
            let (key, value) = meant.into_iter().find_map(|key| Some((key, change.key(key)?.to_owned())))?;
            Some((change, key, value))
        });
        let Some((mut change, key, value)) = named else {
            report.invalid_emails += 1;
            return;
        };
        let known = state.book.find(key, &value);
        if known.is_some() && !work.updates {
            change = Change::default();
        }
        change.join.clone_from(&work.lists);
        change.email_blacklisted = work.email_blacklist.then_some(true);
        change.sms_blacklisted = work.sms_blacklist.then_some(true);
        let held = state.book.held_by_others(known, &change);
        if !held.is_empty() {
            held.iter().for_each(|key| *report.duplicates.entry(key.in_metadata()).or_insert(0) += 1);
            return;
        }
        let quiet = !self.config.imports_send_webhooks;
        state.hooks.quiet = quiet;
        match known {
            Some(id) => self.apply(state, act, id, &change),
            None => {
                self.insert(state, act, &change);
            }
        }
        state.hooks.quiet = false;
    }
}

fn rows(body: &Map<String, Value>) -> Result<Rows, Refused> {
    if let Some(rows) = body.get("jsonBody") {
        let rows = rows.as_array().ok_or_else(|| Refused::invalid("jsonBody is invalid"))?;
        return Ok(Rows::Json(rows.clone()));
    }
    if let Some(text) = body.get("fileBody").and_then(Value::as_str) {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).map(fields);
        let names = lines.next().ok_or_else(|| Refused::invalid("fileBody is invalid"))?;
        let names = names.iter().map(|name| name.trim().to_uppercase()).collect();
        return Ok(Rows::Csv { names, lines: lines.collect() });
    }
    if body.contains_key("fileUrl") {
        return Err(Refused::invalid("fileUrl is not imitated: the sandbox calls nobody"));
    }
    Err(Refused::missing("One of fileUrl, fileBody or jsonBody is missing"))
}

/// The fields of one line, divided by semicolons; a quoted field may hold one.
fn fields(line: &str) -> Vec<String> {
    let (mut out, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ';' if !quoted => out.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    out.push(field);
    out
}

fn import_lists(state: &mut State, act: &Act, body: &Map<String, Value>) -> Result<Vec<u64>, Refused> {
    let lists = known_lists(&state.book, body, "listIds")?;
    if !lists.is_empty() {
        return Ok(lists);
    }
    let Some(new) = body.get("newList").and_then(Value::as_object) else {
        return Err(Refused::missing("listIds or newList is missing"));
    };
    let name = new.get("listName").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refused::missing("listName is missing"))?.to_owned();
    let folder = new.get("folderId").and_then(Value::as_u64).ok_or_else(|| Refused::missing("folderId is missing"))?;
    if !state.book.folders.contains_key(&folder) {
        return Err(Refused::invalid("Folder ID does not exist"));
    }
    Ok(vec![add_list(state, act, name, folder)?])
}

/// `None` where the address, or another identifier, is not valid.
fn json_row(state: &State, row: &Value, blanks: Blanks) -> Option<Change> {
    let mut change = Change::default();
    if let Some(email) = row.get("email").and_then(Value::as_str).filter(|email| !email.is_empty()) {
        change.keys.push((Key::Email, Some(Key::Email.normal(email)?)));
    }
    if let Some(ext_id) = row.get("ext_id").and_then(Value::as_str) {
        change.keys.push((Key::Ext, Key::Ext.normal(ext_id)));
    }
    for (name, value) in row.get("attributes").and_then(Value::as_object).into_iter().flatten() {
        read_attribute(&mut change, state, name, Given::Json(value), blanks).ok()?;
    }
    Some(change)
}

fn csv_row(state: &State, names: &[String], line: &[String], blanks: Blanks) -> Option<Change> {
    let mut change = Change::default();
    for (name, text) in names.iter().zip(line) {
        read_attribute(&mut change, state, name, Given::Text(text), blanks).ok()?;
    }
    Some(change)
}
