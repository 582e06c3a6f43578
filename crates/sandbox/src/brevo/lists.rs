//! Lists, their folders and their members over HTTP.

use http::Method;
use serde_json::{Value, json};

use super::{
    Act, BrevoAccount, State,
    answers::{Answer, Asked, Refused, created, no_content, wrong_method},
    book::{Book, Change, Key, List},
    contacts::{cut, moment},
    stamp,
};
use crate::web::json as answer;

/// Lists or folders a page, unless asked otherwise and at the most.
const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 50;
/// Members a page, unless asked otherwise and at the most.
const MEMBERS_DEFAULT: usize = 50;
const MEMBERS_MAX: usize = 500;
/// Contacts that one call puts on a list or takes off it.
const MOVE_MAX: usize = 150;
/// Lists and folders of an account; far above what is usual.
const MAX_LISTS: usize = 10_000;

impl BrevoAccount {
    pub(super) fn lists(&self, state: &mut State, act: &Act, method: &Method, parts: &[&str], asked: &Asked) -> Answer {
        let text = |name: &str| asked.body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let folder = |state: &State| match asked.body.get("folderId").and_then(Value::as_u64) {
            None => Err(Refused::missing("folderId is missing")),
            Some(id) if !state.book.folders.contains_key(&id) => Err(Refused::invalid("Folder ID does not exist")),
            Some(id) => Ok(id),
        };
        match (method, parts) {
            (&Method::GET, ["segments"]) => Ok(answer(200, &json!({"segments": [], "count": 0}))),
            (&Method::GET, ["folders"]) => folders(state, asked),
            (&Method::POST, ["folders"]) => {
                let name = text("name").ok_or_else(|| Refused::missing("name is missing"))?.to_owned();
                let id = state.number();
                state.book.folders.insert(id, name);
                Ok(created(&json!({"id": id})))
            }
            (&Method::GET, ["folders", id]) => {
                let id = number(id).filter(|id| state.book.folders.contains_key(id)).ok_or_else(no_folder)?;
                Ok(answer(200, &shown_folder(&state.book, id)))
            }
            (&Method::GET, ["folders", id, "lists"]) => {
                let id = number(id).filter(|id| state.book.folders.contains_key(id)).ok_or_else(no_folder)?;
                lists(&state.book, asked, Some(id))
            }
            (&Method::GET, ["lists"]) => lists(&state.book, asked, None),
            (&Method::POST, ["lists"]) => {
                let name = text("name").ok_or_else(|| Refused::missing("name is missing"))?.to_owned();
                let folder = folder(state)?;
                let id = add_list(state, act, name, folder)?;
                Ok(created(&json!({"id": id})))
            }
            (_, ["lists", id, rest @ ..]) => {
                let id = number(id).filter(|id| state.book.lists.contains_key(id)).ok_or_else(no_list)?;
                match (method, rest) {
                    (&Method::PUT, []) => {
                        let folder = asked.body.contains_key("folderId").then(|| folder(state)).transpose()?;
                        if let Some(list) = state.book.lists.get_mut(&id) {
                            list.name = text("name").map_or(list.name.clone(), str::to_owned);
                            list.folder = folder.unwrap_or(list.folder);
                        }
                        Ok(no_content())
                    }
                    (&Method::DELETE, []) => {
                        state.book.delete_list(id);
                        Ok(no_content())
                    }
                    _ => self.one_list(state, act, method, id, rest, asked),
                }
            }
            _ => Err(wrong_method(method)),
        }
    }

    fn one_list(&self, state: &mut State, act: &Act, method: &Method, id: u64, rest: &[&str], asked: &Asked) -> Answer {
        match (method, rest) {
            (&Method::GET, []) => {
                let mut shown = shown_list(&state.book, id);
                shown["createdAt"] = stamp(state.book.lists[&id].created).into();
                shown["dynamicList"] = false.into();
                shown["campaignStats"] = json!([]);
                Ok(answer(200, &shown))
            }
            (&Method::GET, ["contacts"]) => members(&state.book, id, asked),
            (&Method::POST, ["contacts", "add"]) => self.relist(state, act, id, asked, true),
            (&Method::POST, ["contacts", "remove"]) => self.relist(state, act, id, asked, false),
            _ => Err(wrong_method(method)),
        }
    }

    /// Puts contacts on a list or takes them off it. Those that are where they should be already count as failures; when
    /// there are no others, the call fails.
    fn relist(&self, state: &mut State, act: &Act, list: u64, asked: &Asked, joining: bool) -> Answer {
        let book = &state.book;
        if !joining && asked.body.get("all").and_then(Value::as_bool) == Some(true) {
            let members: Vec<u64> = book.lists[&list].members.iter().copied().collect();
            for id in &members {
                self.apply(state, act, *id, &Change { leave: vec![list], ..Change::default() });
            }
            let process = state.number();
            return Ok(created(&json!({"contacts": {"processId": process, "total": members.len()}})));
        }
        let (name, rows) = ["emails", "ids", "extIds"]
            .into_iter()
            .find_map(|name| Some((name, asked.body.get(name)?.as_array()?)))
            .ok_or_else(|| Refused::missing("One of emails, ids or extIds is missing"))?;
        if rows.is_empty() || rows.len() > MOVE_MAX {
            return Err(Refused::new(400, "out_of_range", format!("Pass from 1 to {MOVE_MAX} {name}")));
        }
        let (mut success, mut failure) = (Vec::new(), Vec::new());
        for row in rows {
            let found = match name {
                "ids" => row.as_u64().filter(|id| state.book.get(*id).is_some()),
                "emails" => row.as_str().and_then(|email| state.book.find(Key::Email, email)),
                _ => row.as_str().and_then(|ext| state.book.find(Key::Ext, ext)),
            };
            let is_on = |id: &u64| state.book.lists[&list].members.contains(id);
            match found.filter(|id| is_on(id) != joining) {
                Some(id) => {
                    let moved = vec![list];
                    let change = match joining {
                        true => Change { join: moved, ..Change::default() },
                        false => Change { leave: moved, ..Change::default() },
                    };
                    self.apply(state, act, id, &change);
                    success.push(row.clone());
                }
                None => failure.push(row.clone()),
            }
        }
        if success.is_empty() {
            let word = if joining { "already in list" } else { "already removed from list" };
            return Err(Refused::invalid(format!("Contact {word} and/or does not exist")));
        }
        let total = success.len();
        Ok(created(&json!({"contacts": {"success": success, "failure": failure, "total": total}})))
    }
}

pub(super) fn add_list(state: &mut State, act: &Act, name: String, folder: u64) -> Result<u64, Refused> {
    if state.book.lists.len() >= MAX_LISTS {
        return Err(Refused::new(400, "out_of_range", "Too many lists"));
    }
    let id = state.number();
    state.book.lists.insert(id, List { name, folder, created: act.now, members: Default::default() });
    Ok(id)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn no_list() -> Refused {
    Refused::not_found("List ID does not exist")
}

fn no_folder() -> Refused {
    Refused::not_found("Folder ID does not exist")
}

/// All lists, or those of a folder, which do not tell their folder again.
fn lists(book: &Book, asked: &Asked, folder: Option<u64>) -> Answer {
    let (limit, offset) = asked.window(PAGE_DEFAULT, PAGE_MAX)?;
    let wanted = book.lists.iter().filter(|(_, list)| folder.is_none_or(|folder| list.folder == folder));
    let mut ids: Vec<u64> = wanted.map(|(id, _)| *id).collect();
    if asked.newest_first()? {
        ids.reverse();
    }
    let mut page: Vec<Value> = ids.iter().skip(offset).take(limit).map(|id| shown_list(book, *id)).collect();
    if folder.is_some() {
        page.iter_mut().filter_map(Value::as_object_mut).for_each(|list| {
            list.remove("folderId");
        });
    }
    Ok(answer(200, &json!({"lists": page, "count": ids.len()})))
}

fn folders(state: &State, asked: &Asked) -> Answer {
    let (limit, offset) = asked.window(PAGE_DEFAULT, PAGE_MAX)?;
    let mut ids: Vec<u64> = state.book.folders.keys().copied().collect();
    if asked.newest_first()? {
        ids.reverse();
    }
    let page: Vec<Value> = ids.iter().skip(offset).take(limit).map(|id| shown_folder(&state.book, *id)).collect();
    Ok(answer(200, &json!({"folders": page, "count": ids.len()})))
}

/// Members, and how many of them have opted out.
fn counts(book: &Book, list: &List) -> (usize, usize) {
    let members = list.members.iter().filter_map(|id| book.get(*id));
    let blacklisted = members.filter(|contact| contact.email_blacklisted).count();
    (list.members.len(), blacklisted)
}

fn shown_list(book: &Book, id: u64) -> Value {
    let list = &book.lists[&id];
    let (all, blacklisted) = counts(book, list);
    json!({"id": id, "name": list.name, "folderId": list.folder, "uniqueSubscribers": all - blacklisted,
           "totalSubscribers": all - blacklisted, "totalBlacklisted": blacklisted})
}

fn shown_folder(book: &Book, id: u64) -> Value {
    let counts = book.lists.values().filter(|list| list.folder == id).map(|list| counts(book, list));
    let (all, blacklisted) = counts.fold((0, 0), |(all, out), (more, more_out)| (all + more, out + more_out));
    json!({"id": id, "name": book.folders[&id], "uniqueSubscribers": all - blacklisted,
           "totalSubscribers": all - blacklisted, "totalBlacklisted": blacklisted})
}

fn members(book: &Book, id: u64, asked: &Asked) -> Answer {
    let (limit, offset) = asked.window(MEMBERS_DEFAULT, MEMBERS_MAX)?;
    let since = moment(asked, "modifiedSince")?;
    let members = book.lists[&id].members.iter().filter_map(|id| book.get(*id));
    let found: Vec<_> = members.filter(|contact| since.is_none_or(|since| contact.modified > since)).collect();
    let count = found.len();
    let page = cut(found.into_iter(), asked.newest_first()?, offset, limit);
    Ok(answer(200, &json!({"contacts": page, "count": count})))
}
