//! Why Salesforce refused a record of a graph: the class of the error, the record, the fields, and what a duplicate rule
//! named. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::record::{Field, Role, Std};

use super::{
    classify, convert,
    draw::{Effect, Node},
    duplicates, id,
    manifest::{DUPLICATE_RULES, Holds, holds},
    settings::Org,
    wire::{ErrorRow, SubAnswer, error_rows},
};

const OP: &str = "write";

const OWNER: &str = "OwnerId";

/// The error of one node.
pub fn verdict(org: &Org, node: Option<&Node>, answer: &SubAnswer) -> Error {
    let rows = error_rows(&answer.body);
    let mut error = classify::error_from_rows(OP, answer.http_status_code, &rows);
    let Some(node) = node else { return error };
    error.slot = Some(node.slot);
    let code = error.code.clone().unwrap_or_default();
    match error.kind {
        ErrorKind::DuplicateRule => name_matches(&mut error, node, answer),
        // The record that we know is gone, or else one that it refers to: the same code says both.
        ErrorKind::Gone if code == "ENTITY_IS_DELETED" && !is_target(node, answer) => {
            let references = references(org, node, &rows);
            if !references.is_empty() {
                error = Error { slot: error.slot, ..classify::reference(OP, &code) };
                error.fields = references;
            }
        }
        // An upsert makes what is missing: what it does not find is the field that bears the key, or the object.
        ErrorKind::Gone if node.effect == Effect::Make && code != "ENTITY_IS_DELETED" => {
            not_set_up(org, node, &mut error)
        }
        // Said of a lead itself, or of a record that refers to one.
        ErrorKind::Converted if node.role != Role::Lead => error.fields = references_to(Role::Lead, org, node, &rows),
        // A call by id that refers to nothing else: what is not there is the record itself.
        ErrorKind::Reference if node.effect != Effect::Make && references(org, node, &rows).is_empty() => {
            error = Error { slot: error.slot, ..classify::gone(OP, &code) };
        }
        ErrorKind::Reference => error.fields = references(org, node, &rows),
        ErrorKind::Owner => error.fields = owners(org, node, &rows),
        ErrorKind::KeyTaken if node.role == Role::Attendee => {
            error.message = "they are an attendee of the meeting already".to_owned();
        }
        _ => {}
    }
    if error.fields.is_empty() {
        error.fields = refused_fields(org, node, error.kind, &rows);
    }
    if concerns_owner(&error) {
        error = Error { slot: error.slot, fields: error.fields, ..classify::owner(OP, &code) };
    }
    if node.role == Role::Custom {
        error.message = format!("{}: {}", node.object, error.message);
    }
    error
}

/// Whether the answer says of the node's own record that it is gone: only a call by id can find that, and REST answers
/// it as not found.
fn is_target(node: &Node, answer: &SubAnswer) -> bool {
    node.effect != Effect::Make && answer.http_status_code == 404
}

/// Whether it is the owner alone who cannot be referred to.
fn concerns_owner(error: &Error) -> bool {
    let refers = error.kind == ErrorKind::Reference
        || error.code.as_deref().is_some_and(|code| classify::OWNER_IF_NAMED.contains(&code));
    refers && error.fields == [Field::Std(Std::Owner)]
}

fn not_set_up(org: &Org, node: &Node, error: &mut Error) {
    (error.kind, error.retry) = (ErrorKind::Configuration, Retry::Never);
    error.message = match node.role {
        Role::Attendee => format!("the user cannot see the object {}", node.object),
        _ => format!(
            "{} has no field {} that this user may see, or it is no external id; see the set-up",
            node.object, org.key_field
        ),
    };
}

fn name_matches(error: &mut Error, node: &Node, answer: &SubAnswer) {
    let Some(found) = duplicates::read(node.role, &answer.body) else { return };
    if let [first, ..] = found.rules.as_slice() {
        let others = if found.rules.len() > 1 { " and others" } else { "" };
        error.message = format!("the duplicate rule {first}{others} of the org stopped the record");
    }
    if found.may_save {
        error.message += &format!("; it only alerts, and the setting `{DUPLICATE_RULES}` can overrule it");
    }
    error.matches = found.matches;
}

/// The references that were refused: those that the rows list; else those whose id the text repeats; else all of the
/// record, because any of them may be meant.
fn references(org: &Org, node: &Node, rows: &[ErrorRow]) -> Vec<Field> {
    let listed: Vec<&str> = rows.iter().flat_map(|row| &row.fields).map(String::as_str).collect();
    if !listed.is_empty() {
        return named(org, node, listed);
    }
    let all = references_of(org, node);
    let repeated = |id: &Option<String>| id.as_deref().is_some_and(|id| rows.iter().any(|row| repeats(row, id)));
    // A record that the same graph makes is there: the others are likelier.
    for suspect in [&repeated as &dyn Fn(&Option<String>) -> bool, &Option::is_some, &|_| true] {
        let names: Vec<&str> = all.iter().filter(|(_, id)| suspect(id)).map(|(name, _)| *name).collect();
        if !names.is_empty() {
            return named(org, node, names);
        }
    }
    Vec::new()
}

/// The owner, where the record has one; else the user whom it refers to.
fn owners(org: &Org, node: &Node, rows: &[ErrorRow]) -> Vec<Field> {
    if rows.iter().any(|row| !row.fields.is_empty()) {
        return references(org, node, rows);
    }
    if node.request.body.iter().flatten().any(|(name, _)| name == OWNER) {
        return vec![Std::Owner.into()];
    }
    references_to(Role::User, org, node, rows)
}

/// Of the references those that are known to point to records of the role; where none is, all that may be meant.
fn references_to(role: Role, org: &Org, node: &Node, rows: &[ErrorRow]) -> Vec<Field> {
    let all = references_of(org, node);
    let is_one = |id: &Option<String>| id.as_deref().is_some_and(|id| id::of(role, id).is_some());
    let names: Vec<&str> = all.iter().filter(|(_, id)| is_one(id)).map(|(name, _)| *name).collect();
    if names.is_empty() { references(org, node, rows) } else { named(org, node, names) }
}

/// The fields of the body that refer to another record, with the id where it is known.
fn references_of<'a>(org: &Org, node: &'a Node) -> Vec<(&'a str, Option<String>)> {
    let body = node.request.body.iter().flatten();
    let reference = |(name, json): (&'a String, &'a Json)| {
        let text = json.as_str()?;
        if text.starts_with("@{") {
            return Some((name.as_str(), None));
        }
        let refers = match convert::field_named(org, node.role, name) {
            Field::Std(std) => holds(std) == Holds::Reference,
            // Any fifteen letters may be a word: only the guard tells an id.
            Field::Native(_) => text.len() == id::LONG_CHARS,
        };
        let id = id::canonical(text).filter(|_| refers)?;
        Some((name.as_str(), Some(id.as_str().to_owned())))
    };
    body.filter_map(reference).collect()
}

/// Whether the text repeats the id, with or without its guard.
fn repeats(row: &ErrorRow, id: &str) -> bool {
    let words = row.message.split(|char: char| !char.is_ascii_alphanumeric());
    words.filter_map(id::canonical).any(|found| found.as_str() == id)
}

/// The fields that were refused: those that the rows list, or the missing one that only the text names.
fn refused_fields(org: &Org, node: &Node, kind: ErrorKind, rows: &[ErrorRow]) -> Vec<Field> {
    let listed = rows.iter().flat_map(|row| &row.fields).map(String::as_str);
    let written = node.request.body.iter().flat_map(Map::keys).map(String::as_str);
    let missing = written.filter(|name| kind == ErrorKind::Field && rows.iter().any(|row| row.names(name)));
    let names: Vec<&str> = listed.chain(missing).collect();
    let mut fields = named(org, node, names);
    if fields.is_empty() && rows.iter().any(|row| classify::OWNER_IF_NAMED.contains(&row.code.as_str())) {
        fields = owner_repeated(org, node, rows);
    }
    fields
}

/// The owner, where the text repeats his id.
fn owner_repeated(org: &Org, node: &Node, rows: &[ErrorRow]) -> Vec<Field> {
    let owner = references_of(org, node).into_iter().find(|(name, _)| *name == OWNER).and_then(|(_, id)| id);
    let repeated = owner.is_some_and(|id| rows.iter().any(|row| repeats(row, &id)));
    if repeated { vec![Std::Owner.into()] } else { Vec::new() }
}

fn named(org: &Org, node: &Node, names: Vec<&str>) -> Vec<Field> {
    let fields: BTreeSet<Field> = names.into_iter().map(|name| convert::field_named(org, node.role, name)).collect();
    fields.into_iter().collect()
}
