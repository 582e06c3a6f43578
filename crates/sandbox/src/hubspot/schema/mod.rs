//! The objects of an account and their properties: the standard ones from `objects/*.txt` (chosen from recorded answers
//! and the published models), and those of the account's own. What a property accepts is in `values`.

mod values;

use std::collections::HashMap;

use serde_json::{Value, json};

pub(super) use self::values::{Values, multiple};
use super::{
    config::{HubSpotConfig, HubSpotProperty},
    error::Failure,
    time::stamp,
};

/// Properties with unique values on one object.
const MAX_UNIQUE: usize = 10;

/// A property's place among those of its object.
pub(super) type PropNo = u16;
/// An object's place in the schema.
pub(super) type TypeNo = usize;

pub(super) const CONTACT: TypeNo = 0;
pub(super) const COMPANY: TypeNo = 1;
pub(super) const DEAL: TypeNo = 2;
pub(super) const TICKET: TypeNo = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Phone,
    Number,
    Bool,
    Choice,
    Date,
    DateTime,
}

impl Kind {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "phone_number" => Self::Phone,
            "number" => Self::Number,
            "bool" => Self::Bool,
            "enumeration" => Self::Choice,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Phone => "phone_number",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Choice => "enumeration",
            Self::Date => "date",
            Self::DateTime => "datetime",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: String,
    label: String,
    pub(super) kind: Kind,
    field_type: String,
    group: String,
    description: String,
    /// Value and label.
    pub(super) options: Vec<(String, String)>,
    pub(super) unique: bool,
    pub(super) read_only: bool,
    calculated: bool,
    /// Its options are elsewhere: owners, pipelines.
    pub(super) external: bool,
    standard: bool,
    pub(super) archived: bool,
    created: i64,
    updated: i64,
}

impl Property {
    /// `name type field flags label | options`, as the files of standard objects say it.
    fn read(line: &str) -> Option<Self> {
        let (line, options) = line.split_once(" | ").unwrap_or((line, ""));
        let mut words = line.splitn(5, ' ');
        let (name, kind, field, flags, label) =
            (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
        let choice = |option: &str| {
            let (value, label) = option.split_once('=').unwrap_or((option, option));
            (value.to_owned(), label.to_owned())
        };
        let mut options: Vec<_> = options.split(',').filter(|option| !option.is_empty()).map(choice).collect();
        let kind = Kind::read(kind)?;
        if kind == Kind::Bool {
            options = ["true", "false"].map(choice).to_vec();
        }
        Some(Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            field_type: field.to_owned(),
            group: String::new(),
            description: String::new(),
            options,
            unique: false,
            read_only: flags.contains('r'),
            calculated: flags.contains('c'),
            external: flags.contains('e'),
            standard: true,
            archived: false,
            created: 0,
            updated: 0,
        })
    }

    pub(super) fn several(&self) -> bool {
        self.kind == Kind::Choice && self.field_type == "checkbox"
    }

    pub(super) fn wire(&self) -> Value {
        let options: Vec<Value> = self.options.iter().enumerate().map(|(order, (value, label))| {
            json!({"label": label, "value": value, "description": "", "displayOrder": order, "hidden": false})
        }).collect();
        let mut wire = json!({
            "updatedAt": stamp(self.updated), "createdAt": stamp(self.created),
            "name": self.name, "label": self.label, "type": self.kind.name(), "fieldType": self.field_type,
            "description": self.description, "groupName": self.group, "options": options,
            "displayOrder": -1, "calculated": self.calculated, "externalOptions": self.external,
            "archived": self.archived, "hasUniqueValue": self.unique, "hidden": false,
            "modificationMetadata": {"archivable": !self.standard, "readOnlyDefinition": self.standard,
                                     "readOnlyValue": self.read_only},
            "formField": !self.read_only, "dataSensitivity": "non_sensitive",
        });
        if self.standard {
            wire["hubspotDefined"] = true.into();
            wire["modificationMetadata"]["readOnlyOptions"] = (self.read_only || self.external).into();
        } else {
            wire["createdUserId"] = "0".into();
            wire["updatedUserId"] = "0".into();
        }
        wire
    }
}

/// A kind of object.
#[derive(Debug)]
pub(super) struct ObjectType {
    /// `0-1`, `2-100`
    pub(super) id: String,
    pub(super) singular: String,
    pub(super) plural: String,
    /// `p147893286_pet`, for objects of the account's own.
    full_name: String,
    pub(super) properties: Vec<Property>,
    by_name: HashMap<String, PropNo>,
    /// What an answer holds when nothing is asked for.
    pub(super) shown: Vec<PropNo>,
    /// What every answer holds.
    pub(super) always: Vec<PropNo>,
    pub(super) required: Vec<PropNo>,
    /// Names of the properties that say when the record was made and last changed.
    pub(super) created_name: &'static str,
    pub(super) modified_name: &'static str,
    /// The properties that hold pipeline and stage.
    pub(super) pipeline: Option<(PropNo, PropNo)>,
    pub(super) owner: Option<PropNo>,
}

impl ObjectType {
    pub(super) fn find(&self, name: &str) -> Option<PropNo> {
        let no = *self.by_name.get(name)?;
        (!self.property(no).archived).then_some(no)
    }

    pub(super) fn property(&self, no: PropNo) -> &Property {
        &self.properties[usize::from(no)]
    }

    pub(super) fn is_custom(&self) -> bool {
        self.id.starts_with("2-")
    }

    pub(super) fn is_activity(&self) -> bool {
        matches!(self.singular.as_str(), "meeting" | "note" | "task")
    }

    /// Properties whose value belongs to one live record only. A contact's e-mail is one of them.
    pub(super) fn unique(&self) -> impl Iterator<Item = PropNo> + '_ {
        self.properties
            .iter()
            .enumerate()
            .filter(|(_, known)| known.unique && !known.archived)
            .map(|(no, _)| no as PropNo)
    }

    fn add(&mut self, property: Property) -> PropNo {
        let no = PropNo::try_from(self.properties.len()).unwrap_or(PropNo::MAX);
        self.by_name.insert(property.name.clone(), no);
        self.properties.push(property);
        no
    }

    /// Takes a property of the account's own.
    pub(super) fn add_own(&mut self, own: &HubSpotProperty, group: &str, now: i64) -> Result<PropNo, Failure> {
        if self.find(&own.name).is_some() {
            let message = format!("A property named '{}' already exists.", own.name);
            return Err(Failure {
                sub_category: Some("Properties.PROPERTY_EXISTS"),
                ..Failure::new(409, "OBJECT_ALREADY_EXISTS", message)
            });
        }
        let named = own.name.starts_with(|first: char| first.is_ascii_lowercase())
            && own.name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
        if !named {
            return Err(Failure::invalid(format!("The property name '{}' is not valid", own.name)));
        }
        let kind = Kind::read(&own.kind)
            .ok_or_else(|| Failure::invalid(format!("'{}' is not a type of property", own.kind)))?;
        if own.unique && (self.unique().filter(|no| !self.property(*no).standard).count() >= MAX_UNIQUE) {
            return Err(Failure::invalid(format!("An object has at most {MAX_UNIQUE} properties with unique values")));
        }
        if own.unique && !matches!(kind, Kind::Text | Kind::Number) {
            return Err(Failure::invalid("Only strings and numbers can have unique values"));
        }
        let mut options: Vec<_> = own.options.iter().map(|option| (option.clone(), option.clone())).collect();
        if kind == Kind::Bool && options.is_empty() {
            options = ["true", "false"].map(|value| (value.to_owned(), value.to_owned())).to_vec();
        }
        Ok(self.add(Property {
            name: own.name.clone(),
            label: own.label.clone(),
            kind,
            field_type: own.field_type.clone(),
            group: group.to_owned(),
            description: String::new(),
            options,
            unique: own.unique,
            read_only: false,
            calculated: false,
            external: false,
            standard: false,
            archived: false,
            created: now,
            updated: now,
        }))
    }
}

#[derive(Debug)]
pub(super) struct Schema {
    pub(super) types: Vec<ObjectType>,
}

/// Id, singular, plural, lines, properties shown by default, required ones, and the creation time's name.
type Standard =
    (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const STANDARD: [Standard; 7] = [
    ("0-1", "contact", "contacts", include_str!("objects/contacts.txt"), &["email", "firstname", "lastname"], &[]),
    ("0-2", "company", "companies", include_str!("objects/companies.txt"), &["domain", "name"], &[]),
    (
        "0-3",
        "deal",
        "deals",
        include_str!("objects/deals.txt"),
        &["amount", "closedate", "dealname", "dealstage", "pipeline"],
        &[],
    ),
    (
        "0-5",
        "ticket",
        "tickets",
        include_str!("objects/tickets.txt"),
        &["content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_priority", "subject"],
        &["hs_pipeline_stage"],
    ),
    ("0-47", "meeting", "meetings", include_str!("objects/meetings.txt"), &[], &["hs_timestamp"]),
    ("0-46", "note", "notes", include_str!("objects/notes.txt"), &[], &["hs_timestamp"]),
    ("0-27", "task", "tasks", include_str!("objects/tasks.txt"), &[], &["hs_timestamp"]),
];

impl Schema {
    pub(super) fn new(config: &HubSpotConfig, now: i64) -> Result<Self, Failure> {
        let mut types: Vec<ObjectType> = Vec::new();
        for (id, singular, plural, lines, shown, required) in STANDARD {
            types.push(standard(id, singular, plural, lines, shown, required));
        }
        types[CONTACT].property_mut("email").unique = true;
        for own in &config.custom_objects {
            let mut made =
                standard(&own.type_id, &own.singular, &own.plural, include_str!("objects/_own.txt"), &[], &[]);
            made.full_name = format!("p{}_{}", config.portal_id, own.name);
            for property in &own.properties {
                made.add_own(property, &own.name, now)?;
            }
            made.required = own.required.iter().filter_map(|name| made.find(name)).collect();
            types.push(made);
        }
        let mut schema = Self { types };
        for (object, property) in &config.properties {
            let no = schema.find(object).ok_or_else(|| unknown_object(object))?;
            let group = format!("{}information", schema.types[no].singular);
            schema.types[no].add_own(property, &group, now)?;
        }
        Ok(schema)
    }

    /// By id, singular, plural (in any case), or the full name of an own object.
    pub(super) fn find(&self, name: &str) -> Option<TypeNo> {
        self.types.iter().position(|known| {
            known.id == name
                || known.plural.eq_ignore_ascii_case(name)
                || known.singular.eq_ignore_ascii_case(name)
                || (!known.full_name.is_empty() && known.full_name.eq_ignore_ascii_case(name))
        })
    }

    pub(super) fn named(&self, name: &str) -> Result<TypeNo, Failure> {
        self.find(name).ok_or_else(|| unknown_object(name))
    }
}

fn unknown_object(name: &str) -> Failure {
    Failure::invalid(format!("Unable to infer object type from: {name}"))
}

impl ObjectType {
    fn property_mut(&mut self, name: &str) -> &mut Property {
        let no = self.by_name[name];
        &mut self.properties[usize::from(no)]
    }

    /// Changes an own property: other options, or archived.
    pub(super) fn reshape(&mut self, name: &str, now: i64, act: impl FnOnce(&mut Property)) -> Result<(), Failure> {
        let no = self.find(name).ok_or_else(Failure::not_found)?;
        let property = &mut self.properties[usize::from(no)];
        if property.standard {
            return Err(Failure::invalid(format!("{name} cannot be changed")));
        }
        act(property);
        property.updated = now;
        Ok(())
    }

    /// What `GET /crm/v3/schemas` says of an own object.
    pub(super) fn wire(&self) -> Value {
        json!({
            "labels": {"singular": self.singular, "plural": self.plural},
            "requiredProperties": self.required.iter().map(|no| &self.property(*no).name).collect::<Vec<_>>(),
            "searchableProperties": [], "secondaryDisplayProperties": [], "archived": false,
            "primaryDisplayProperty": self.required.first().map(|no| &self.property(*no).name),
            "id": self.id.trim_start_matches("2-"), "objectTypeId": self.id, "fullyQualifiedName": self.full_name,
            "name": self.full_name.split_once('_').map(|(_, name)| name),
            "properties": self.properties.iter().map(Property::wire).collect::<Vec<_>>(), "associations": [],
        })
    }
}

fn standard(id: &str, singular: &str, plural: &str, lines: &str, shown: &[&str], required: &[&str]) -> ObjectType {
    let mut made = ObjectType {
        id: id.to_owned(),
        singular: singular.to_owned(),
        plural: plural.to_owned(),
        full_name: String::new(),
        properties: Vec::new(),
        by_name: HashMap::new(),
        shown: Vec::new(),
        always: Vec::new(),
        required: Vec::new(),
        created_name: "hs_createdate",
        modified_name: "hs_lastmodifieddate",
        pipeline: None,
        owner: None,
    };
    for mut property in lines.lines().filter_map(Property::read) {
        property.group = format!("{singular}information");
        made.add(property);
    }
    if made.find("createdate").is_some() {
        made.created_name = "createdate";
    }
    if made.find("lastmodifieddate").is_some() {
        made.modified_name = "lastmodifieddate";
    }
    made.always =
        [made.created_name, made.modified_name, "hs_object_id"].iter().filter_map(|name| made.find(name)).collect();
    made.shown = shown.iter().filter_map(|name| made.find(name)).collect();
    made.required = required.iter().filter_map(|name| made.find(name)).collect();
    made.owner = made.find("hubspot_owner_id");
    let both = |pipeline, stage| made.find(pipeline).zip(made.find(stage));
    made.pipeline = both("pipeline", "dealstage").or_else(|| both("hs_pipeline", "hs_pipeline_stage"));
    made
}
