//! Contacts over HTTP: list, read with what belongs to them, create, upsert by address, update, delete.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Act, State,
    answers::{Answer, Asked, Refused, id_of, text_of, unknown},
    book::{Contact, email},
    fields, hooks, marks,
    shapes::Shapes,
};
use crate::{journal::EffectKind, web::json as answer_json};

/// `/contacts…`
pub(super) fn answer(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    let id = |text: &str| text.parse::<u64>().ok().unwrap_or_default();
    match (method, rest) {
        (&Method::GET, []) => list(state, shapes, asked),
        (&Method::POST, []) => create(state, act, shapes, asked),
        (&Method::GET, [one]) => read(state, shapes, id(one)),
        (&Method::PUT | &Method::PATCH, [one]) => {
            let given = asked.object("contact")?;
            let contact = id(one);
            update(state, act, contact, given)?;
            answered(state, shapes, 200, contact, given.contains_key("fieldValues"), |shapes, contact| {
                Value::Object(shapes.contact(contact))
            })
        }
        (&Method::DELETE, [one]) => {
            let contact = id(one);
            if !delete(state, act, contact) {
                // This one call says it in other words.
                let message = format!("No result found for contact with id {contact}");
                return Err(Refused::new(404, json!({"message": message})));
            }
            Ok(answer_json(200, &json!({})))
        }
        (&Method::GET, [one, part]) => belongings(state, shapes, id(one), part),
        _ => Err(unknown()),
    }
}

/// `POST /contact/sync`: 201 for a new contact, 200 for one that was there.
pub(super) fn upsert(state: &mut State, act: &Act, shapes: &Shapes, asked: &Asked) -> Answer {
    let given = asked.object("contact")?;
    let address = address_of(given)?;
    let (status, id) = match state.book.find(&address) {
        Some(id) => {
            update(state, act, id, given)?;
            (200, id)
        }
        None => (201, insert(state, act, address, given)),
    };
    answered(state, shapes, status, id, given.contains_key("fieldValues"), |shapes, contact| {
        Value::Object(shapes.contact(contact))
    })
}

fn create(state: &mut State, act: &Act, shapes: &Shapes, asked: &Asked) -> Answer {
    let given = asked.object("contact")?;
    let address = address_of(given)?;
    if state.book.find(&address).is_some() {
        return Err(Refused::duplicate_email());
    }
    let id = insert(state, act, address, given);
    answered(state, shapes, 201, id, given.contains_key("fieldValues"), Shapes::created)
}

fn answered(
    state: &State,
    shapes: &Shapes,
    status: u16,
    id: u64,
    with_values: bool,
    shown: impl Fn(&Shapes, &Contact) -> Value,
) -> Answer {
    let contact = state.book.get(id).ok_or_else(|| no_contact(id))?;
    let mut body = Map::new();
    if with_values {
        body.insert("fieldValues".into(), fields::of_contact(shapes, contact).into());
    }
    body.insert("contact".into(), shown(shapes, contact));
    Ok(answer_json(status, &Value::Object(body)))
}

fn address_of(given: &Map<String, Value>) -> Result<String, Refused> {
    let text = given.get("email").and_then(Value::as_str).unwrap_or_default();
    email(text).ok_or_else(|| Refused::attribute("Contact Email Address is not valid.", "email_invalid", "email"))
}

/// A new contact, whose address is free.
pub(super) fn insert(state: &mut State, act: &Act, address: String, given: &Map<String, Value>) -> u64 {
    let id = state.number("contact");
    state.book.create(id, address.clone(), act.now);
    let mut changed = Map::from_iter([("email".to_owned(), Value::from(address))]);
    set(state, act, id, given, &mut changed);
    state.journal.note(act.now, &act.actor, EffectKind::Created, "contact", id, changed);
    id
}

/// Changes a contact, and tells the subscribers even where nothing is other than before.
pub(super) fn update(state: &mut State, act: &Act, id: u64, given: &Map<String, Value>) -> Result<(), Refused> {
    let held = state.book.get(id).ok_or_else(|| no_contact(id))?.email.clone();
    let mut changed = Map::new();
    if given.contains_key("email") {
        let address = address_of(given)?;
        match state.book.find(&address) {
            Some(holder) if holder != id => return Err(Refused::duplicate_email()),
            _ if address != held => {
                state.book.readdress(id, address.clone());
                changed.insert("email".into(), address.into());
            }
            _ => {}
        }
    }
    set(state, act, id, given, &mut changed);
    state.book.touch(id, act.now);
    state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", id, changed);
    hooks::tell(state, act, "update", id, &[]);
    Ok(())
}

/// Sets names, phone and custom values; what is now other is noted.
fn set(state: &mut State, act: &Act, id: u64, given: &Map<String, Value>, changed: &mut Map<String, Value>) {
    if let Some(contact) = state.book.get_mut(id) {
        let parts = [
            ("firstName", &mut contact.first_name),
            ("lastName", &mut contact.last_name),
            ("phone", &mut contact.phone),
        ];
        for (name, held) in parts {
            if let Some(value) = text_of(given.get(name)).filter(|value| value != held) {
                held.clone_from(&value);
                changed.insert(name.to_owned(), value.into());
            }
        }
    }
    for row in given.get("fieldValues").and_then(Value::as_array).into_iter().flatten() {
        let Some(field) = id_of(row.get("field")) else { continue };
        if let Some(value) = row.get("value").and_then(fields::written)
            && fields::set(state, act.now, id, field, &value)
        {
            changed.insert(format!("field:{field}"), value.into());
        }
    }
}

/// Whether there was one to delete.
pub(super) fn delete(state: &mut State, act: &Act, id: u64) -> bool {
    let Some(contact) = state.book.delete(id) else { return false };
    state.tags.uncount(contact.tags.keys());
    state.crm.forget_contact(id);
    state.journal.note(act.now, &act.actor, EffectKind::Deleted, "contact", id, Map::new());
    true
}

pub(super) fn no_contact(id: u64) -> Refused {
    Refused::no_result("Subscriber", id)
}

fn read(state: &State, shapes: &Shapes, id: u64) -> Answer {
    let contact = state.book.get(id).ok_or_else(|| no_contact(id))?;
    let values = fields::of_contact(shapes, contact);
    let lists = marks::lists_of(shapes, contact);
    let (accounts, deals) = state.crm.of_contact(shapes, id);
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    let mut shown = shapes.contact(contact);
    for (name, rows) in
        [("contactLists", &lists), ("fieldValues", &values), ("deals", &deals), ("accountContacts", &accounts)]
    {
        shown.insert(name.to_owned(), ids(rows).into());
    }
    shown.insert("contactAutomations".to_owned(), json!([]));
    shown.insert("geoIps".to_owned(), json!([]));
    let body = json!({"contactAutomations": [], "contactLists": lists, "deals": deals, "fieldValues": values,
                      "geoIps": [], "accountContacts": accounts, "contact": shown});
    Ok(answer_json(200, &body))
}

fn belongings(state: &State, shapes: &Shapes, id: u64, part: &str) -> Answer {
    let contact = state.book.get(id).ok_or_else(|| no_contact(id))?;
    let rows = match part {
        "fieldValues" => fields::of_contact(shapes, contact),
        "contactLists" => marks::lists_of(shapes, contact),
        "contactTags" => marks::tags_of(shapes, contact),
        "accountContacts" => state.crm.of_contact(shapes, id).0,
        "deals" => state.crm.of_contact(shapes, id).1,
        _ => return Err(unknown()),
    };
    let body = Map::from_iter([(part.to_owned(), Value::from(rows))]);
    Ok(answer_json(200, &Value::Object(body)))
}

/// What a list is narrowed to.
struct Filter {
    ids: Vec<u64>,
    email: Option<String>,
    email_like: Option<String>,
    phone: Option<String>,
    search: Option<String>,
    list: Option<u64>,
    tag: Option<u64>,
    status: Option<u8>,
    below: Option<u64>,
    created_after: Option<i64>,
    created_before: Option<i64>,
    updated_before: Option<i64>,
}

impl Filter {
    fn read(shapes: &Shapes, asked: &Asked) -> Result<Self, Refused> {
        let text = |name: &str| asked.param(name).map(str::to_lowercase);
        let second = |name: &str| moment(shapes, asked, name);
        Ok(Self {
            ids: asked.numbers("ids"),
            email: text("email"),
            email_like: text("email_like"),
            phone: asked.param("phone").map(str::to_owned),
            search: text("search"),
            list: asked.number("listid").filter(|id| *id != 0),
            tag: asked.number("tagid").filter(|id| *id != 0),
            // -1, the default, is any.
            status: asked.param("status").and_then(|status| status.parse().ok()),
            below: asked.number("id_less"),
            created_after: second("filters[created_after]")?,
            created_before: second("filters[created_before]")?,
            updated_before: second("filters[updated_before]")?,
        })
    }

    fn fits(&self, contact: &Contact) -> bool {
        let whole = |part: &str| {
            contact.email.contains(part)
                || contact.first_name.to_lowercase().contains(part)
                || contact.last_name.to_lowercase().contains(part)
                || contact.phone.contains(part)
        };
        let (created, updated) = (contact.created.as_second(), contact.updated.as_second());
        let on_list = |list: u64| contact.lists.get(&list);
        let status = match (self.status, self.list) {
            (None, None) => true,
            (None, Some(list)) => on_list(list).is_some(),
            (Some(status), Some(list)) => on_list(list).is_some_and(|held| held.status == status),
            (Some(status), None) => contact.lists.values().any(|held| held.status == status),
        };
        status
            && (self.ids.is_empty() || self.ids.contains(&contact.id))
            && self.email.as_ref().is_none_or(|email| contact.email == *email)
            && self.email_like.as_ref().is_none_or(|part| contact.email.contains(part))
            && self.phone.as_ref().is_none_or(|phone| contact.phone == *phone)
            && self.search.as_ref().is_none_or(|part| whole(part))
            && self.tag.is_none_or(|tag| contact.tags.contains_key(&tag))
            && self.below.is_none_or(|below| contact.id < below)
            && self.created_after.is_none_or(|after| created > after)
            && self.created_before.is_none_or(|before| created < before)
            && self.updated_before.is_none_or(|before| updated < before)
    }
}

fn moment(shapes: &Shapes, asked: &Asked, name: &str) -> Result<Option<i64>, Refused> {
    let invalid = || Refused::new(400, json!({"message": format!("{name} is not a valid date")}));
    let read = |text: &str| shapes.parse(text).map(|at| at.as_second()).ok_or_else(invalid);
    asked.param(name).map(read).transpose()
}

fn list(state: &State, shapes: &Shapes, asked: &Asked) -> Answer {
    let filter = Filter::read(shapes, asked)?;
    let after = asked.number("id_greater").unwrap_or_default();
    let found: Vec<&Contact> = match moment(shapes, asked, "filters[updated_after]")? {
        None => match &filter.email {
            Some(email) => state
                .book
                .find(email)
                .and_then(|id| state.book.get(id))
                .into_iter()
                .filter(|c| filter.fits(c))
                .collect(),
            None => state.book.after(after).filter(|contact| filter.fits(contact)).collect(),
        },
        Some(second) => {
            let changed = state.book.updated_after(second).into_iter().filter(|id| *id > after);
            changed.filter_map(|id| state.book.get(id)).filter(|contact| filter.fits(contact)).collect()
        }
    };
    let found = sorted(found, asked);
    let (limit, offset) = asked.window();
    let found_here: Vec<&Contact> = found.iter().skip(offset).take(limit).copied().collect();
    let mut page: Vec<Value> = found_here.iter().map(|contact| shapes.listed(contact)).collect();
    let beside = side_loads(state, shapes, asked, &found_here, &mut page);
    let input = json!({
        "segmentid": null, "formid": 0, "listid": filter.list.unwrap_or(0), "tagid": filter.tag.unwrap_or(0),
        "limit": limit, "offset": offset, "search": filter.search, "sort": null, "seriesid": 0, "waitid": 0,
        "status": filter.status.map_or(-1, i64::from), "forceQuery": 0, "cacheid": "0",
    });
    let meta = json!({"page_input": input, "total": found.len().to_string(), "sortable": true});
    let mut body = Map::from_iter([("scoreValues".to_owned(), json!([])), ("contacts".to_owned(), page.into())]);
    body.extend(beside);
    body.insert("meta".to_owned(), meta);
    Ok(answer_json(200, &Value::Object(body)))
}

/// What `include` asks for beside a page: the rows in lists of their own, and their numbers with each contact. Not in the
/// API description; as public programs use it (read 2026-11).
fn side_loads(
    state: &State,
    shapes: &Shapes,
    asked: &Asked,
    contacts: &[&Contact],
    page: &mut [Value],
) -> Map<String, Value> {
    let mut beside = Map::new();
    for part in asked.param("include").into_iter().flat_map(|parts| parts.split(',')) {
        let (name, further) = part.split_once('.').unwrap_or((part, ""));
        let of = |contact: &Contact| match name {
            "fieldValues" => Some(fields::of_contact(shapes, contact)),
            "contactTags" => Some(marks::tags_of(shapes, contact)),
            "contactLists" => Some(marks::lists_of(shapes, contact)),
            _ => None,
        };
        let mut all = Vec::new();
        for (contact, shown) in contacts.iter().zip(page.iter_mut()) {
            let Some(rows) = of(contact) else { continue };
            shown[name] = rows.iter().map(|row| row["id"].clone()).collect();
            all.extend(rows);
        }
        if name == "contactTags" && further == "tag" {
            beside.insert("tags".to_owned(), marks::on_contacts(state, shapes, contacts).into());
        }
        if matches!(name, "fieldValues" | "contactTags" | "contactLists") {
            beside.insert(name.to_owned(), all.into());
        }
    }
    beside
}

/// By the one order that is asked for; without one, the newest first by number.
fn sorted<'a>(mut found: Vec<&'a Contact>, asked: &Asked) -> Vec<&'a Contact> {
    let order = |name: &str| asked.param(&format!("orders[{name}]")).map(|way| way.eq_ignore_ascii_case("desc"));
    if let Some(descending) = order("id") {
        if descending {
            found.reverse();
        }
    } else if let Some(descending) = order("cdate") {
        found.sort_by_key(|contact| (contact.created, contact.id));
        if descending {
            found.reverse();
        }
    } else if let Some(descending) = order("email") {
        found.sort_by(|one, other| one.email.cmp(&other.email));
        if descending {
            found.reverse();
        }
    } else {
        found.reverse();
    }
    found
}
