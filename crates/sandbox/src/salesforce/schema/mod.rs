//! Objects and their fields: what exists, of which type, and what may be written. No records here.

mod change;
mod custom;
mod describe;
mod load;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

pub use change::SchemaChange;
pub use describe::{Describes, MASTER_RECORD_TYPE, basic, field_in_full};

/// A field's number within its object.
pub type FieldNo = u16;

/// How a field's values are read, kept and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Id,
    Text,
    Email,
    Bool,
    Int,
    Double,
    Date,
    DateTime,
    Picklist,
    MultiPicklist,
    Reference,
    /// A read-only view of several fields (`MailingAddress`).
    Compound,
    /// `EventWhoIds`: the ids of junction rows.
    JunctionIdList,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "id" => Self::Id,
            "email" => Self::Email,
            "boolean" => Self::Bool,
            "int" | "long" => Self::Int,
            "double" | "currency" | "percent" => Self::Double,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "picklist" => Self::Picklist,
            "multipicklist" => Self::MultiPicklist,
            "reference" => Self::Reference,
            "address" | "location" => Self::Compound,
            "junctionidlist" => Self::JunctionIdList,
            _ => Self::Text,
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Email | Self::Picklist | Self::MultiPicklist)
    }
}

#[derive(Debug, Clone)]
pub struct FieldDef {
    pub name: String,
    pub label: String,
    pub kind: Kind,
    /// In Unicode characters; 0 where length means nothing.
    pub length: usize,
    pub createable: bool,
    pub updateable: bool,
    pub nillable: bool,
    pub defaulted: bool,
    pub unique: bool,
    pub external_id: bool,
    pub id_lookup: bool,
    pub case_sensitive: bool,
    pub restricted: bool,
    pub custom: bool,
    pub filterable: bool,
    pub sortable: bool,
    pub groupable: bool,
    /// Active values only.
    pub picklist: Vec<String>,
    pub default_pick: Option<String>,
    pub reference_to: Vec<String>,
    pub relationship: Option<String>,
    /// What a describe says differently from the template; shared by all orgs that have the field so.
    described: Arc<Map<String, Value>>,
}

impl FieldDef {
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted
    }

    /// Whether a hash index is kept for it. References to people are left out: nearly all rows share a few of them,
    /// which makes an index long to keep and of no use. Websites are what integrations look accounts up by; the
    /// real org has no index for them and is slower.
    pub fn indexed(&self) -> bool {
        let shared = |target: &String| matches!(target.as_str(), "User" | "Group" | "Profile" | "RecordType");
        let reference = self.kind == Kind::Reference && !self.reference_to.iter().all(shared);
        self.kind != Kind::Id
            && (self.unique || self.external_id || self.id_lookup || reference || self.name == "Website")
    }

    /// Lets a reference name further objects.
    fn refer_also(&mut self, objects: Vec<String>) {
        self.reference_to.extend(objects);
        let all: Vec<Value> = self.reference_to.iter().map(|name| name.as_str().into()).collect();
        Arc::make_mut(&mut self.described).insert("referenceTo".into(), Value::Array(all));
    }

    /// What a describe says of it, when that is not the usual.
    pub fn described(&self, name: &str) -> Option<&Value> {
        self.described.get(name)
    }

    pub fn polymorphic(&self) -> bool {
        self.reference_to.len() > 1
    }
}

/// A child relationship as the parent sees it.
#[derive(Debug, Clone)]
pub struct ChildDef {
    pub object: String,
    pub field: String,
    pub relationship: Option<String>,
    pub cascade: bool,
    pub restrict: bool,
}

#[derive(Debug, Clone)]
pub struct ObjectDef {
    pub name: String,
    pub label: String,
    pub label_plural: String,
    pub prefix: String,
    pub custom: bool,
    pub fields: Vec<FieldDef>,
    pub children: Vec<ChildDef>,
    flags: Map<String, Value>,
    scopes: Vec<(String, String)>,
    by_name: HashMap<String, FieldNo>,
    by_relationship: HashMap<String, FieldNo>,
    /// Fields that a record cannot be created without.
    pub required: Vec<FieldNo>,
    /// Fields with a hash index.
    pub indexed: Vec<FieldNo>,
    pub name_field: Option<FieldNo>,
    pub system: SystemFields,
}

/// Fields that the platform itself fills in.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemFields {
    pub is_deleted: Option<FieldNo>,
    pub created: Option<FieldNo>,
    pub created_by: Option<FieldNo>,
    pub modified: Option<FieldNo>,
    pub modified_by: Option<FieldNo>,
    pub stamp: Option<FieldNo>,
    pub owner: Option<FieldNo>,
}

impl ObjectDef {
    /// Finds a field; names are case-insensitive.
    pub fn field_no(&self, name: &str) -> Option<FieldNo> {
        self.by_name.get(name).or_else(|| self.by_name.get(&name.to_ascii_lowercase())).copied()
    }

    pub fn field(&self, no: FieldNo) -> &FieldDef {
        &self.fields[no as usize]
    }

    /// The reference field behind a relationship name such as `Account` or `Parent__r`.
    pub fn relationship(&self, name: &str) -> Option<FieldNo> {
        self.by_relationship.get(&name.to_ascii_lowercase()).copied()
    }

    pub fn child(&self, relationship: &str) -> Option<&ChildDef> {
        self.children
            .iter()
            .find(|c| c.relationship.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship)))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.flags.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn index(&mut self) {
        self.by_name.clear();
        self.by_relationship.clear();
        for (no, field) in self.fields.iter().enumerate() {
            let no = FieldNo::try_from(no).expect("an object has fewer than 65,536 fields");
            self.by_name.insert(field.name.clone(), no);
            self.by_name.insert(field.name.to_ascii_lowercase(), no);
            if let Some(name) = &field.relationship {
                self.by_relationship.insert(name.to_ascii_lowercase(), no);
            }
        }
        let numbers = |keep: fn(&FieldDef) -> bool| -> Vec<FieldNo> {
            self.fields.iter().zip(0..).filter(|(field, _)| keep(field)).map(|(_, no)| no).collect()
        };
        self.required = numbers(FieldDef::required);
        self.indexed = numbers(FieldDef::indexed);
        self.name_field = ["Name", "Subject", "CaseNumber", "Title"].iter().find_map(|name| self.field_no(name));
        self.system = SystemFields {
            is_deleted: self.field_no("IsDeleted"),
            created: self.field_no("CreatedDate"),
            created_by: self.field_no("CreatedById"),
            modified: self.field_no("LastModifiedDate"),
            modified_by: self.field_no("LastModifiedById"),
            stamp: self.field_no("SystemModstamp"),
            owner: self.field_no("OwnerId"),
        };
    }
}

/// All objects of an org. Those that orgs, or an org before and after a change, have alike are kept once.
#[derive(Debug)]
pub struct Schema {
    pub objects: Vec<Arc<ObjectDef>>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<String, usize>,
}

impl Schema {
    /// The standard objects, with the org's own objects and fields added.
    pub fn new(config: &super::SalesforceConfig) -> Self {
        let mut objects = load::standard();
        custom::extend(&mut objects, config);
        Self::of(objects)
    }

    fn of(objects: Vec<Arc<ObjectDef>>) -> Self {
        let mut schema = Self { objects, by_name: HashMap::new(), by_prefix: HashMap::new() };
        for (no, object) in schema.objects.iter_mut().enumerate() {
            // What is shared was indexed before.
            if let Some(own) = Arc::get_mut(object) {
                own.index();
            }
            schema.by_name.insert(object.name.to_ascii_lowercase(), no);
            schema.by_prefix.insert(object.prefix.clone(), no);
        }
        schema
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    pub fn by_prefix(&self, prefix: &str) -> Option<usize> {
        self.by_prefix.get(prefix).copied()
    }

    pub fn def(&self, no: usize) -> &ObjectDef {
        &self.objects[no]
    }
}
