//! Descriptions of kinds, with the fields of a parent that can be read along: one call an object, parents once each.

use std::collections::BTreeMap;

use syncline_connect::{Answered, Cx, Error, Usage};
use syncline_core::description::{FieldDescription, FieldKind, ObjectDescription};

use super::known;
use crate::salesforce::{
    api, describe,
    settings::Org,
    wire::{Describe, DescribedField},
};

const OP: &str = "describe";

/// Standard objects whose fields are offered beside those of the record that refers to them.
const PARENTS: [&str; 4] = ["Account", "Contact", "User", "RecordType"];

/// Objects of the org's own that are described as parents: each costs a call.
const OWN_PARENTS_MAX: usize = 5;

/// References that are no part of what a record is about.
const SYSTEM_REFERENCES: [&str; 3] = ["CreatedById", "LastModifiedById", "MasterRecordId"];

/// What is offered of a user: the rest is what he may do.
const OF_USER: [&str; 10] = [
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Username",
    "Title",
    "Phone",
    "MobilePhone",
    "Department",
    "EmployeeNumber",
];

/// What is offered where a reference may lead to several kinds of records: what they have in common.
const OF_ANY: [&str; 2] = ["Name", "Email"];

/// What was described, and what that took.
struct Asked<'a> {
    cx: &'a Cx<'a>,
    org: Org,
    known: BTreeMap<String, Option<Describe>>,
    calls: u32,
    usage: Option<Usage>,
}

impl Asked<'_> {
    async fn ask(&mut self, object: &str) -> Result<(), Error> {
        if self.known.contains_key(object) {
            return Ok(());
        }
        let (described, used) = api::describe(self.cx, &self.org, object).await?;
        self.calls += 1;
        self.usage = used.or(self.usage);
        self.known.insert(object.to_owned(), described);
        Ok(())
    }
}

/// Describes the kinds, position by position.
pub async fn describe(cx: &Cx<'_>, kinds: &[&str]) -> Result<Answered<Vec<Option<ObjectDescription>>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let mut asked = Asked { cx, org, known: BTreeMap::new(), calls: 0, usage: None };
    for kind in kinds {
        asked.ask(known(OP, kind)?.name).await?;
    }
    let children = kinds.iter().filter_map(|kind| asked.known.get(*kind)?.as_ref());
    let parents: Vec<String> = parents_of(children);
    for parent in parents {
        asked.ask(&parent).await?;
    }
    let value = kinds.iter().map(|kind| shape(kind, &asked.known)).collect();
    Ok(Answered { value, calls: asked.calls, usage: asked.usage })
}

/// The objects to describe beside: each once, those of the org's own as far as they go.
fn parents_of<'a>(children: impl Iterator<Item = &'a Describe>) -> Vec<String> {
    let mut parents: Vec<String> = Vec::new();
    for field in children.flat_map(|child| &child.fields) {
        let Some((_, object)) = parent(field) else { continue };
        let own = parents.iter().filter(|parent| parent.ends_with("__c")).count();
        if !parents.iter().any(|known| known == object) && (!object.ends_with("__c") || own < OWN_PARENTS_MAX) {
            parents.push(object.to_owned());
        }
    }
    parents
}

/// What a reference is called in a query, and the object that it leads to; of several the users, who own records.
fn parent(field: &DescribedField) -> Option<(&str, &str)> {
    let way = field.relationship_name.as_deref()?;
    let object = match field.reference_to.as_slice() {
        [object] => object,
        several => several.iter().find(|object| *object == "User")?,
    };
    let wanted = PARENTS.contains(&object.as_str()) || object.ends_with("__c");
    (wanted && !SYSTEM_REFERENCES.contains(&field.name.as_str())).then_some((way, object))
}

/// A kind with the fields of its parents.
fn shape(kind: &str, known: &BTreeMap<String, Option<Describe>>) -> Option<ObjectDescription> {
    let described = known.get(kind)?.as_ref()?;
    let mut shape = describe::read(kind, described);
    for field in &described.fields {
        let Some((way, object)) = parent(field) else { continue };
        let Some(Some(described)) = known.get(object) else { continue };
        let offered = |name: &str| match (field.reference_to.len(), object) {
            (2.., _) => OF_ANY.contains(&name),
            (_, "User") => OF_USER.contains(&name),
            _ => true,
        };
        let parent = describe::read(object, described);
        for (name, inner) in parent.fields.into_iter().filter(|(name, _)| offered(name)) {
            if !matches!(inner.kind, FieldKind::Reference | FieldKind::Other) {
                shape.fields.insert(format!("{way}.{name}"), read_along(&parent.label, inner));
            }
        }
    }
    Some(shape)
}

/// A parent's field, as the child shows it: never written, and changing without a trace on the child.
fn read_along(parent: &str, field: FieldDescription) -> FieldDescription {
    FieldDescription {
        label: format!("{parent}: {}", field.label),
        createable: false,
        updateable: false,
        required: false,
        unique: false,
        calculated: true,
        nillable: true,
        ..field
    }
}
