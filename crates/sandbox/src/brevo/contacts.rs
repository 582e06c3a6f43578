//! Contacts over HTTP: list, read, create, update, delete, and a batch of updates.

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, BrevoAccount, State,
    answers::{Answer, Asked, Refused, created, no_content, unknown_path, wrong_method},
    attributes::{AttributeKind, Typed},
    book::{Book, Change, Contact, Key},
};
use crate::{journal::EffectKind, web::json as answer};

/// Contacts a page, unless asked otherwise and at the most (API description, read 2026-11).
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1000;
/// Numbers that a list may be narrowed to ("maximum of 20 IDs", Brevo's own Node.js client 6.0.3).
const IDS_MAX: usize = 20;
/// Rows of one batch; not documented, and far above what is usual with Brevo's other lists.
const BATCH_MAX: usize = 100;

impl BrevoAccount {
    pub(super) fn contacts(
        &self,
        state: &mut State,
        act: &Act,
        method: &Method,
        rest: &[&str],
        asked: &Asked,
    ) -> Answer {
        match (method, rest) {
            (&Method::GET, []) => list(state, asked),
            (&Method::POST, []) => self.create(state, act, &asked.body),
            (&Method::POST, ["batch"]) => self.batch(state, act, &asked.body),
            (&Method::POST, ["import"]) => self.import(state, act, asked),
            (_, ["export" | "doubleOptinConfirmation" | "batch" | "import"]) => Err(unknown_path()),
            (&Method::GET, [identifier]) => {
                let id = identified(&state.book, identifier, asked, true)?;
                let contact = state.book.get(id).ok_or_else(gone)?;
                let mut shown = contact.shown();
                shown["statistics"] = json!({});
                Ok(answer(200, &shown))
            }
            (&Method::PUT, [identifier]) => {
                let id = identified(&state.book, identifier, asked, false)?;
                // An address is changed by the attribute EMAIL; the member `email` is only known to POST.
                let mut body = asked.body.clone();
                body.remove("email");
                let change = self.change(state, &body, Blanks::Clear)?;
                self.update(state, act, id, &change)?;
                Ok(no_content())
            }
            (&Method::DELETE, [identifier]) => {
                let id = identified(&state.book, identifier, asked, false)?;
                self.delete_contact(state, act, id)?;
                Ok(no_content())
            }
            _ => Err(wrong_method(method)),
        }
    }

    fn create(&self, state: &mut State, act: &Act, body: &Map<String, Value>) -> Answer {
        let change = self.change(state, body, Blanks::Clear)?;
        // The first of these that is given says which contact is meant.
        let meant = [Key::Ext, Key::Email, Key::Sms, Key::Whatsapp, Key::Landline];
        let meant = meant.into_iter().find_map(|key| Some((key, change.key(key)?)));
        let Some((key, value)) = meant else {
            return Err(Refused::missing("One of email, ext_id or SMS is missing"));
        };
        let is_upsert = body.get("updateEnabled").and_then(Value::as_bool).unwrap_or(false);
        match state.book.find(key, value).filter(|_| is_upsert) {
            Some(known) => {
                self.update(state, act, known, &change)?;
                Ok(no_content())
            }
            None => {
                let held = state.book.held_by_others(None, &change);
                if !held.is_empty() {
                    return Err(duplicate("duplicate_parameter", "create", &held));
                }
                let id = self.insert(state, act, &change);
                Ok(created(&json!({"id": id})))
            }
        }
    }

    /// Puts in a contact whose keys are free.
    pub(super) fn insert(&self, state: &mut State, act: &Act, change: &Change) -> u64 {
        let (id, done) = state.book.create(change, act.now);
        state.journal.note(act.now, &act.actor, EffectKind::Created, "contact", id, done.fields);
        self.tell_joined(state, act, id, &done.joined);
        id
    }

    /// Changes a contact, or says who holds what it was to get.
    pub(super) fn update(&self, state: &mut State, act: &Act, id: u64, change: &Change) -> Result<(), Refused> {
        let held = state.book.held_by_others(Some(id), change);
        if !held.is_empty() {
            return Err(duplicate(self.config.duplicate_on_update, "update", &held));
        }
        self.apply(state, act, id, change);
        Ok(())
    }

    /// Changes a contact whose new keys are free.
    pub(super) fn apply(&self, state: &mut State, act: &Act, id: u64, change: &Change) {
        let done = state.book.update(id, change, act.now);
        state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", id, done.fields);
        if change.touches_contact() {
            self.tell(state, act, "contactUpdated", id, None);
        }
        self.tell_joined(state, act, id, &done.joined);
    }

    pub(super) fn delete_contact(&self, state: &mut State, act: &Act, id: u64) -> Result<(), Refused> {
        let contact = state.book.get(id).ok_or_else(gone)?;
        let email = contact.key(Key::Email).unwrap_or_default();
        if self.config.users.iter().any(|user| user.eq_ignore_ascii_case(email)) {
            let message = "You are not allowed to delete registered email contact with Brevo";
            return Err(Refused::new(405, "method_not_allowed", message));
        }
        self.tell(state, act, "contactDeleted", id, None);
        state.book.delete(id);
        state.crm.forget_contact(id);
        state.journal.note(act.now, &act.actor, EffectKind::Deleted, "contact", id, Map::new());
        Ok(())
    }

    /// No row tells how it went: rows without a contact and rows whose new keys are taken change nothing.
    fn batch(&self, state: &mut State, act: &Act, body: &Map<String, Value>) -> Answer {
        let rows =
            body.get("contacts").and_then(Value::as_array).ok_or_else(|| Refused::missing("contacts is missing"))?;
        if rows.len() > BATCH_MAX {
            return Err(Refused::new(400, "out_of_range", "contacts has too many rows"));
        }
        let mut planned = Vec::with_capacity(rows.len());
        for row in rows {
            let row = row.as_object().ok_or_else(|| Refused::invalid("contacts is invalid"))?;
            let found = row_contact(&state.book, row)?;
            let bare = row.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "email" | "sms"));
            let bare: Map<String, Value> = bare.map(|(name, value)| (name.clone(), value.clone())).collect();
            planned.push((found, self.change(state, &bare, Blanks::Clear)?));
        }
        for (id, change) in planned {
            if let Some(id) = id.filter(|id| state.book.held_by_others(Some(*id), &change).is_empty()) {
                self.apply(state, act, id, &change);
            }
        }
        Ok(no_content())
    }

    /// Reads what a body wants of a contact.
    pub(super) fn change(&self, state: &State, body: &Map<String, Value>, blanks: Blanks) -> Result<Change, Refused> {
        if body.get("forceMerge").and_then(Value::as_bool) == Some(true) {
            return Err(Refused::invalid("forceMerge is not imitated"));
        }
        let mut change = Change::default();
        if let Some(email) = body.get("email").and_then(Value::as_str) {
            let email = Key::Email.normal(email).ok_or_else(|| Refused::invalid("Invalid email address"))?;
            change.keys.push((Key::Email, Some(email)));
        }
        if let Some(ext_id) = body.get("ext_id").and_then(Value::as_str) {
            change.keys.push((Key::Ext, Key::Ext.normal(ext_id)));
        }
        let attributes = match body.get("attributes") {
            None | Some(Value::Null) => None,
            Some(Value::Object(attributes)) => Some(attributes),
            Some(_) => return Err(Refused::invalid("attributes is invalid")),
        };
        for (name, value) in attributes.into_iter().flatten() {
            read_attribute(&mut change, state, name, Given::Json(value), blanks)?;
        }
        change.email_blacklisted = body.get("emailBlacklisted").and_then(Value::as_bool);
        change.sms_blacklisted = body.get("smsBlacklisted").and_then(Value::as_bool);
        change.join = known_lists(&state.book, body, "listIds")?;
        change.leave = known_lists(&state.book, body, "unlinkListIds")?;
        Ok(change)
    }
}

/// What an empty value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    Clear,
    Keep,
}

/// A value as it came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    Json(&'a Value),
    Text(&'a str),
}

/// Reads one attribute into a change. Unknown ones, and values that do not fit, are left out without a word; only an
/// identifier that is not valid is refused.
pub(super) fn read_attribute(
    change: &mut Change,
    state: &State,
    name: &str,
    given: Given<'_>,
    blanks: Blanks,
) -> Result<(), Refused> {
    if let Some(key) = Key::ALL.into_iter().find(|key| key.attribute() == name) {
        let text = match given {
            Given::Text(text) => text.to_owned(),
            Given::Json(Value::String(text)) => text.clone(),
            Given::Json(Value::Number(number)) => number.to_string(),
            Given::Json(_) => String::new(),
        };
        if text.trim().is_empty() {
            // An address cannot be blanked.
            if blanks == Blanks::Clear && key != Key::Email {
                change.keys.push((key, None));
            }
            return Ok(());
        }
        let message = if key == Key::Email { "Invalid email address" } else { "Invalid phone number" };
        let kept = key.normal(&text).ok_or_else(|| Refused::invalid(message))?;
        change.keys.retain(|(known, _)| *known != key);
        change.keys.push((key, Some(kept)));
        return Ok(());
    }
    let Some((name, kind)) = state.schema.find(name) else { return Ok(()) };
    match typed(kind, given) {
        Typed::Set(value) => change.attributes.push((name.clone(), Some(value))),
        Typed::Clear if blanks == Blanks::Clear => change.attributes.push((name.clone(), None)),
        Typed::Clear | Typed::Ignored => {}
    }
    Ok(())
}

fn typed(kind: &AttributeKind, given: Given<'_>) -> Typed {
    match given {
        Given::Json(value) => kind.typed(value),
        Given::Text(text) => kind.typed_text(text),
    }
}

pub(super) fn known_lists(book: &Book, body: &Map<String, Value>, name: &str) -> Result<Vec<u64>, Refused> {
    let Some(given) = body.get(name).and_then(Value::as_array) else { return Ok(Vec::new()) };
    let known = |id: &Value| id.as_u64().filter(|id| book.lists.contains_key(id));
    let lists: Option<Vec<u64>> = given.iter().map(known).collect();
    lists.ok_or_else(|| Refused::invalid("List id does not exist"))
}

/// The contact a batch row is about: exactly one of three identifiers.
fn row_contact(book: &Book, row: &Map<String, Value>) -> Result<Option<u64>, Refused> {
    let given: Vec<&str> = ["id", "email", "sms"].into_iter().filter(|name| row.contains_key(*name)).collect();
    let [name] = given.as_slice() else {
        return Err(Refused::invalid("Pass exactly one of id, email and sms for each contact"));
    };
    let value = &row[*name];
    Ok(match *name {
        "id" => value.as_u64().filter(|id| book.get(*id).is_some()),
        "email" => value.as_str().and_then(|email| book.find(Key::Email, email)),
        _ => value.as_str().and_then(|sms| book.find(Key::Sms, sms)),
    })
}

pub(super) fn gone() -> Refused {
    Refused::not_found("Contact does not exist")
}

fn duplicate(code: &'static str, doing: &str, held: &[Key]) -> Refused {
    let names: Vec<&str> = held.iter().map(|key| key.in_metadata()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let message =
        format!("Unable to {doing} contact, {} {verb} already associated with another Contact", names.join(", "));
    Refused::new(400, code, message).with_metadata(json!({"duplicate_identifiers": names}))
}

/// The contact that a path means. Without a type, only numbers of contacts and addresses are understood; for reading,
/// phone numbers too.
fn identified(book: &Book, identifier: &str, asked: &Asked, reading: bool) -> Result<u64, Refused> {
    let by_id = |text: &str| text.parse().ok().filter(|id| book.get(*id).is_some());
    let found = match asked.param("identifierType") {
        Some("contact_id") => by_id(identifier),
        Some(name) => {
            let key = Key::of_identifier_type(name).ok_or_else(|| Refused::invalid("identifierType is invalid"))?;
            book.find(key, identifier)
        }
        None if identifier.contains('@') => book.find(Key::Email, identifier),
        None => by_id(identifier).or_else(|| book.find(Key::Sms, identifier).filter(|_| reading)),
    };
    found.ok_or_else(gone)
}

fn list(state: &State, asked: &Asked) -> Answer {
    let (limit, offset) = asked.window(PAGE_DEFAULT, PAGE_MAX)?;
    let newest_first = asked.newest_first()?;
    let (modified, created) = (moment(asked, "modifiedSince")?, moment(asked, "createdSince")?);
    let (lists, ids) = (asked.numbers("listIds"), asked.numbers("ids"));
    if ids.len() > IDS_MAX {
        return Err(Refused::new(400, "out_of_range", "ids has too many values"));
    }
    if asked.param("segmentId").is_some() {
        return Err(Refused::invalid("Segment id does not exist"));
    }
    let filter = asked.param("filter").map(Filter::parse).transpose()?;
    let book = &state.book;
    let all = modified.is_none() && created.is_none() && lists.is_empty() && ids.is_empty() && filter.is_none();
    let fits = |contact: &&Contact| {
        created.is_none_or(|after| contact.created > after)
            && (ids.is_empty() || ids.contains(&contact.id))
            && (lists.is_empty() || lists.iter().any(|list| contact.lists.contains(list)))
            && filter.as_ref().is_none_or(|filter| filter.fits(contact, state))
    };
    let (count, page) = match modified {
        _ if all => (book.len(), cut(book.all(), newest_first, offset, limit)),
        Some(after) => {
            let found: Vec<&Contact> =
                book.modified_after(after).into_iter().filter_map(|id| book.get(id)).filter(fits).collect();
            (found.len(), cut(found.into_iter(), newest_first, offset, limit))
        }
        None => {
            let found: Vec<&Contact> = book.all().filter(fits).collect();
            (found.len(), cut(found.into_iter(), newest_first, offset, limit))
        }
    };
    Ok(answer(200, &json!({"contacts": page, "count": count})))
}

/// One page of contacts as they are shown.
pub(super) fn cut<'a>(
    contacts: impl DoubleEndedIterator<Item = &'a Contact>,
    newest_first: bool,
    offset: usize,
    limit: usize,
) -> Vec<Value> {
    match newest_first {
        true => contacts.rev().skip(offset).take(limit).map(Contact::shown).collect(),
        false => contacts.skip(offset).take(limit).map(Contact::shown).collect(),
    }
}

pub(super) fn moment(asked: &Asked, name: &str) -> Result<Option<Timestamp>, Refused> {
    let parse = |text: &str| text.parse().map_err(|_| Refused::invalid(format!("{name} is not a valid date-time")));
    asked.param(name).map(parse).transpose()
}

/// `equals(NAME,"value")`
struct Filter {
    name: String,
    value: String,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, Refused> {
        let inner = text.trim().strip_prefix("equals(").and_then(|rest| rest.strip_suffix(')'));
        let (name, value) =
            inner.and_then(|inner| inner.split_once(',')).ok_or_else(|| Refused::invalid("filter is invalid"))?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().trim_matches('"').to_owned() })
    }

    fn fits(&self, contact: &Contact, state: &State) -> bool {
        if let Some(key) = Key::ALL.into_iter().find(|key| key.attribute() == self.name) {
            return contact.key(key).is_some_and(|held| Some(held) == key.normal(&self.value).as_deref());
        }
        let Some((name, kind)) = state.schema.find(&self.name) else { return false };
        let Some(held) = contact.attributes.get(name) else { return false };
        match (kind.typed_text(&self.value), held) {
            // All options that are asked for, and perhaps others.
            (Typed::Set(Value::Array(asked)), Value::Array(held)) => asked.iter().all(|one| held.contains(one)),
            (Typed::Set(Value::Number(asked)), Value::Number(held)) => asked.as_f64() == held.as_f64(),
            (Typed::Set(asked), held) => asked == *held,
            _ => false,
        }
    }
}
