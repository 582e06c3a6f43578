//! Tags and lists, and which contact has which. A tag moves the contact's time; a list's status 1 subscribes whoever is
//! named, those who had unsubscribed too.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Act, State,
    answers::{Answer, Asked, Refused, id_of, text_of, unknown},
    book::{Contact, Subscription, Tagging},
    contacts::no_contact,
    hooks,
    shapes::Shapes,
};
use crate::{journal::EffectKind, web::json as answer};

/// Where a subscription came from when it was set by the API (recorded 2026-05).
const BY_API: u8 = 4;

#[derive(Debug)]
struct Tag {
    name: String,
    description: String,
    contacts: u64,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Tags(BTreeMap<u64, Tag>);

#[derive(Debug)]
struct List {
    name: String,
    stringid: String,
    sender_url: String,
    sender_reminder: String,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<u64, List>);

impl Tags {
    pub(super) fn named(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(_, tag)| tag.name == name).map(|(id, _)| *id)
    }

    pub(super) fn name(&self, id: u64) -> Option<&str> {
        self.0.get(&id).map(|tag| tag.name.as_str())
    }

    /// A contact with these tags is gone.
    pub(super) fn uncount<'a>(&mut self, tags: impl Iterator<Item = &'a u64>) {
        for tag in tags {
            if let Some(tag) = self.0.get_mut(tag) {
                tag.contacts = tag.contacts.saturating_sub(1);
            }
        }
    }
}

impl Lists {
    pub(super) fn contains(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }
}

/// The tag of this name, made where there is none.
pub(super) fn tag_named(state: &mut State, name: &str, now: Timestamp) -> u64 {
    state.tags.named(name).unwrap_or_else(|| add_tag(state, name, "", now))
}

fn add_tag(state: &mut State, name: &str, description: &str, now: Timestamp) -> u64 {
    let id = state.number("tag");
    let tag = Tag { name: name.into(), description: description.into(), contacts: 0, created: now, updated: now };
    state.tags.0.insert(id, tag);
    id
}

pub(super) fn add_list(state: &mut State, name: &str, now: Timestamp) -> u64 {
    let id = state.number("list");
    let stringid = name.to_lowercase().replace(' ', "-");
    let list = List {
        name: name.into(),
        stringid,
        sender_url: "https://sandbox.example".into(),
        sender_reminder: "You signed up.".into(),
        created: now,
        updated: now,
    };
    state.lists.0.insert(id, list);
    id
}

/// Puts a tag on a contact and answers its number; a pair that is there stays what it was.
pub(super) fn tag(state: &mut State, act: &Act, contact: u64, tag: u64) -> Option<u64> {
    let held = state.book.get(contact)?.tags.get(&tag).map(|held| held.id);
    if held.is_some() {
        return held;
    }
    let id = state.number("contactTag");
    state.book.get_mut(contact)?.tags.insert(tag, Tagging { id, at: act.now });
    state.book.taggings.insert(id, (contact, tag));
    if let Some(known) = state.tags.0.get_mut(&tag) {
        known.contacts += 1;
    }
    tagged(state, act, contact, tag, "contact_tag_added");
    Some(id)
}

/// Takes a tag off a contact and answers whether it was there.
pub(super) fn untag(state: &mut State, act: &Act, contact: u64, tag: u64) -> bool {
    let Some(held) = state.book.get_mut(contact).and_then(|contact| contact.tags.remove(&tag)) else { return false };
    state.book.taggings.remove(&held.id);
    state.tags.uncount([tag].iter());
    tagged(state, act, contact, tag, "contact_tag_removed");
    true
}

fn tagged(state: &mut State, act: &Act, contact: u64, tag: u64, event: &str) {
    state.book.touch(contact, act.now);
    let name = state.tags.name(tag).unwrap_or_default().to_owned();
    let value = if event == "contact_tag_added" { Value::from(true) } else { Value::Null };
    let fields = Map::from_iter([(format!("tag:{name}"), value)]);
    state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", contact, fields);
    hooks::tell(state, act, event, contact, &[("tag", name)]);
}

/// Sets how a contact stands to a list. Status 1 subscribes, whatever was before.
pub(super) fn subscribe(state: &mut State, act: &Act, contact: u64, list: u64, status: u8) -> Option<()> {
    let held = state.book.get(contact)?.lists.get(&list).copied();
    let id = held.map_or_else(|| state.number("contactList"), |held| held.id);
    let since = held.filter(|held| held.status == status).map_or(act.now, |held| held.since);
    let left = (status == 2).then_some(act.now);
    let new = Subscription { id, status, source: BY_API, since, left };
    state.book.get_mut(contact)?.lists.insert(list, new);
    state.book.touch(contact, act.now);
    let fields = Map::from_iter([(format!("list:{list}"), Value::from(status))]);
    state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", contact, fields);
    if held.is_none_or(|held| held.status != status) {
        let event = if status == 2 { "unsubscribe" } else { "subscribe" };
        hooks::tell(state, act, event, contact, &[("list", list.to_string())]);
    }
    Some(())
}

pub(super) fn lists_of(shapes: &Shapes, contact: &Contact) -> Vec<Value> {
    contact.lists.iter().map(|(list, held)| shapes.subscription(contact, *list, held)).collect()
}

pub(super) fn tags_of(shapes: &Shapes, contact: &Contact) -> Vec<Value> {
    contact.tags.iter().map(|(tag, held)| shapes.tagging(contact.id, *tag, held)).collect()
}

/// The tags that any of the contacts has, each once.
pub(super) fn on_contacts(state: &State, shapes: &Shapes, contacts: &[&Contact]) -> Vec<Value> {
    let held = |id: &u64| contacts.iter().any(|contact| contact.tags.contains_key(id));
    state.tags.0.iter().filter(|(id, _)| held(id)).map(|(id, tag)| shown_tag(shapes, *id, tag)).collect()
}

/// `/tags…`, `/contactTags…`, `/lists…` and `/contactLists`
pub(super) fn answer_to(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    parts: &[&str],
    asked: &Asked,
) -> Answer {
    match parts {
        ["tags", rest @ ..] => tags(state, act, shapes, method, rest, asked),
        ["contactTags", rest @ ..] => contact_tags(state, act, shapes, method, rest, asked),
        ["lists", rest @ ..] => lists(state, act, shapes, method, rest, asked),
        ["contactLists"] if method == Method::POST => contact_list(state, act, shapes, asked),
        _ => Err(unknown()),
    }
}

fn tags(state: &mut State, act: &Act, shapes: &Shapes, method: &Method, rest: &[&str], asked: &Asked) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => {
            let whole = asked.param("filters[search][eq]");
            let part = asked.param("search").or_else(|| asked.param("filters[search][contains]"));
            let fits = |tag: &Tag| {
                whole.is_none_or(|whole| tag.name == whole) && part.is_none_or(|part| tag.name.contains(part))
            };
            let found = state.tags.0.iter().filter(|(_, tag)| fits(tag));
            Ok(asked.page("tags", found, |(id, tag)| shown_tag(shapes, *id, tag)))
        }
        (&Method::POST, []) => {
            let given = asked.object("tag")?;
            let name = text_of(given.get("tag")).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Refused::attribute("The tag was not provided.", "field_missing", "tag"))?;
            if state.tags.named(&name).is_some() {
                return Err(Refused::attribute("Tag already exists", "duplicate", "tag"));
            }
            let id = add_tag(state, &name, &text_of(given.get("description")).unwrap_or_default(), act.now);
            Ok(answer(201, &json!({"tag": shown_tag(shapes, id, &state.tags.0[&id])})))
        }
        (_, [id]) => {
            let known = id.parse().ok().filter(|id| state.tags.0.contains_key(id));
            let id: u64 = known.ok_or_else(|| Refused::no_result("Tag", id))?;
            match *method {
                Method::DELETE => {
                    let quiet = Act { quiet: true, ..act.clone() };
                    let with: Vec<u64> =
                        state.book.after(0).filter(|contact| contact.tags.contains_key(&id)).map(|c| c.id).collect();
                    with.into_iter().for_each(|contact| {
                        untag(state, &quiet, contact, id);
                    });
                    state.tags.0.remove(&id);
                    return Ok(answer(200, &json!({})));
                }
                Method::PUT | Method::PATCH => {
                    let given = asked.object("tag")?;
                    if let Some(tag) = state.tags.0.get_mut(&id) {
                        tag.name = text_of(given.get("tag")).unwrap_or_else(|| tag.name.clone());
                        tag.description = text_of(given.get("description")).unwrap_or_else(|| tag.description.clone());
                        tag.updated = act.now;
                    }
                }
                Method::GET => {}
                _ => return Err(unknown()),
            }
            Ok(answer(200, &json!({"tag": shown_tag(shapes, id, &state.tags.0[&id])})))
        }
        _ => Err(unknown()),
    }
}

fn contact_tags(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    rest: &[&str],
    asked: &Asked,
) -> Answer {
    match (method, rest) {
        (&Method::POST, []) => {
            let given = asked.object("contactTag")?;
            let missing = |name: &str| {
                let source = json!({"pointer": format!("/data/attributes/{name}")});
                let error = json!({"status": 422, "title": "Missing attribute", "source": source});
                Refused::new(422, json!({"errors": [error]}))
            };
            let not_found = |what: &str| {
                let error = json!({"status": 404, "title": "Not Found", "detail": format!("{what} not found")});
                Refused::new(404, json!({"errors": [error]}))
            };
            let contact = id_of(given.get("contact")).ok_or_else(|| missing("contact"))?;
            let wanted = id_of(given.get("tag")).ok_or_else(|| missing("tag"))?;
            state.book.get(contact).ok_or_else(|| not_found("Contact"))?;
            state.tags.0.get(&wanted).ok_or_else(|| not_found("Tag"))?;
            let was_there = state.book.get(contact).is_some_and(|contact| contact.tags.contains_key(&wanted));
            tag(state, act, contact, wanted);
            let owner = state.book.get(contact).ok_or_else(|| no_contact(contact))?;
            let held = owner.tags.get(&wanted).ok_or_else(|| not_found("Tag"))?;
            let body =
                json!({"contacts": [shapes.contact(owner)], "contactTag": shapes.tagging(contact, wanted, held)});
            Ok(answer(if was_there { 200 } else { 201 }, &body))
        }
        (&Method::DELETE, [id]) => {
            let place = id.parse().ok().and_then(|id: u64| state.book.taggings.get(&id).copied());
            let (contact, tag) = place.ok_or_else(|| Refused::no_result("SubscriberTag", id))?;
            untag(state, act, contact, tag);
            Ok(answer(200, &json!({})))
        }
        _ => Err(unknown()),
    }
}

fn lists(state: &mut State, act: &Act, shapes: &Shapes, method: &Method, rest: &[&str], asked: &Asked) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => {
            let name = asked.param("filters[name]").or_else(|| asked.param("filters[name][eq]"));
            let found = state.lists.0.iter().filter(|(_, list)| name.is_none_or(|name| list.name == name));
            Ok(asked.page("lists", found, |(id, list)| shown_list(shapes, *id, list)))
        }
        (&Method::POST, []) => {
            let given = asked.object("list")?;
            let name = text_of(given.get("name")).filter(|name| !name.is_empty());
            let name =
                name.ok_or_else(|| Refused::attribute("The list name was not provided.", "field_missing", "name"))?;
            let id = add_list(state, &name, act.now);
            set_list(state, act, id, given);
            Ok(answer(201, &json!({"list": created_list(shapes, id, &state.lists.0[&id])})))
        }
        (_, [id]) => {
            let known = id.parse().ok().filter(|id| state.lists.contains(*id));
            let id: u64 = known.ok_or_else(|| Refused::no_result("List", id))?;
            match *method {
                Method::DELETE => {
                    state.lists.0.remove(&id);
                    let members: Vec<u64> =
                        state.book.after(0).filter(|c| c.lists.contains_key(&id)).map(|c| c.id).collect();
                    for member in members {
                        state.book.get_mut(member).map(|member| member.lists.remove(&id));
                    }
                    return Ok(answer(200, &json!({})));
                }
                Method::PUT | Method::PATCH => {
                    let given = asked.object("list")?;
                    set_list(state, act, id, given);
                }
                Method::GET => {}
                _ => return Err(unknown()),
            }
            Ok(answer(200, &json!({"list": shown_list(shapes, id, &state.lists.0[&id])})))
        }
        _ => Err(unknown()),
    }
}

fn set_list(state: &mut State, act: &Act, id: u64, given: &Map<String, Value>) {
    if let Some(list) = state.lists.0.get_mut(&id) {
        let parts = [
            ("name", &mut list.name),
            ("stringid", &mut list.stringid),
            ("sender_url", &mut list.sender_url),
            ("sender_reminder", &mut list.sender_reminder),
        ];
        for (name, held) in parts {
            if let Some(value) = text_of(given.get(name)) {
                *held = value;
            }
        }
        list.updated = act.now;
    }
}

fn contact_list(state: &mut State, act: &Act, shapes: &Shapes, asked: &Asked) -> Answer {
    let given = asked.object("contactList")?;
    let (contact, list) = (id_of(given.get("contact")), id_of(given.get("list")));
    let contact = contact.filter(|id| state.book.get(*id).is_some()).ok_or_else(|| no_contact(contact.unwrap_or(0)))?;
    let list =
        list.filter(|id| state.lists.contains(*id)).ok_or_else(|| Refused::no_result("List", list.unwrap_or(0)))?;
    let status = id_of(given.get("status")).and_then(|status| u8::try_from(status).ok()).filter(|status| *status <= 3);
    let status = status.ok_or_else(|| Refused::attribute("The status is not valid", "invalid", "status"))?;
    subscribe(state, act, contact, list, status).ok_or_else(|| no_contact(contact))?;
    let owner = state.book.get(contact).ok_or_else(|| no_contact(contact))?;
    let mut shown = shapes.subscription(owner, list, &owner.lists[&list]);
    // The one member that comes as a number here and as text elsewhere.
    shown["status"] = status.into();
    Ok(answer(200, &json!({"contactList": shown})))
}

fn shown_tag(shapes: &Shapes, id: u64, tag: &Tag) -> Value {
    json!({
        "tagType": "contact", "tag": tag.name, "description": tag.description,
        "subscriber_count": tag.contacts.to_string(), "cdate": shapes.stamp(tag.created),
        "created_timestamp": shapes.plain(tag.created), "updated_timestamp": shapes.plain(tag.updated),
        "created_by": null, "updated_by": null, "deleted": "0",
        "links": shapes.links("tags", id, &["contactGoalTags", "templateTags"]), "id": id.to_string(),
    })
}

const LIST_LINKS: &[&str] = &["contactGoalLists", "user", "addressLists"];

fn created_list(shapes: &Shapes, id: u64, list: &List) -> Value {
    json!({
        "name": list.name, "channel": "email", "stringid": list.stringid, "sender_url": list.sender_url,
        "sender_reminder": list.sender_reminder, "description": "", "send_last_broadcast": 0, "carboncopy": "",
        "subscription_notify": "", "unsubscription_notify": "", "userid": 1, "cdate": shapes.stamp(list.created),
        "udate": shapes.stamp(list.updated), "links": shapes.links("lists", id, LIST_LINKS), "id": id.to_string(),
        "user": 1,
    })
}

fn shown_list(shapes: &Shapes, id: u64, list: &List) -> Value {
    const BLANK: &[&str] = &[
        "analytics_domains",
        "analytics_source",
        "analytics_ua",
        "twitter_token",
        "twitter_token_secret",
        "facebook_session",
        "carboncopy",
        "subscription_notify",
        "unsubscription_notify",
        "sender_name",
        "sender_addr1",
        "sender_addr2",
        "sender_city",
        "sender_state",
        "sender_zip",
        "sender_country",
        "sender_phone",
        "fulladdress",
        "description",
    ];
    const NO: &[&str] = &[
        "p_use_analytics_read",
        "p_use_analytics_link",
        "p_use_twitter",
        "p_use_facebook",
        "p_use_captcha",
        "send_last_broadcast",
        "private",
        "require_name",
        "get_unsubscribe_reason",
        "optinmessageid",
        "optoutconf",
        "created_by",
    ];
    const YES: &[&str] = &["userid", "p_use_tracking", "p_embed_image", "optinoptout", "updated_by", "user"];
    let mut out = json!({
        "stringid": list.stringid, "name": list.name, "cdate": shapes.stamp(list.created), "to_name": "Subscriber",
        "sender_url": list.sender_url, "sender_reminder": list.sender_reminder, "deletestamp": null,
        "udate": shapes.stamp(list.updated), "created_timestamp": shapes.plain(list.created),
        "updated_timestamp": shapes.plain(list.updated), "channel": "email",
        "links": shapes.links("lists", id, LIST_LINKS), "id": id.to_string(),
    });
    for (names, value) in [(BLANK, ""), (NO, "0"), (YES, "1")] {
        names.iter().for_each(|name| out[*name] = value.into());
    }
    out
}
