//! Reads the compact object files that are built into the program.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ChildDef, FieldDef, Kind, ObjectDef, Schema};

macro_rules! objects {
    ($($name:literal),* $(,)?) => { [$(include_str!(concat!("objects/", $name, ".json"))),*] };
}

const STANDARD: [&str; 24] = objects![
    "Account",
    "AssignmentRule",
    "Campaign",
    "CampaignMember",
    "Case",
    "CaseComment",
    "CaseContactRole",
    "Contact",
    "DuplicateRule",
    "Event",
    "EventRelation",
    "FeedItem",
    "Group",
    "Lead",
    "Note",
    "Opportunity",
    "OpportunityContactRole",
    "Organization",
    "Profile",
    "RecordType",
    "Task",
    "User",
    "UserRole",
    "ValidationRule",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compact {
    name: String,
    label: String,
    label_plural: String,
    key_prefix: String,
    flags: Map<String, Value>,
    scopes: Vec<(String, String)>,
    children: Vec<(String, String, Option<String>, bool, bool)>,
    fields: Vec<Map<String, Value>>,
}

/// The standard objects; read once, for every org of the program.
pub(super) fn standard() -> Vec<Arc<ObjectDef>> {
    static READ: OnceLock<Schema> = OnceLock::new();
    READ.get_or_init(|| Schema::of(STANDARD.iter().map(|text| Arc::new(object(text))).collect())).objects.clone()
}

fn object(text: &str) -> ObjectDef {
    let compact: Compact = serde_json::from_str(text).expect("the built-in object files are checked by a test");
    ObjectDef {
        name: compact.name,
        label: compact.label,
        label_plural: compact.label_plural,
        prefix: compact.key_prefix,
        custom: false,
        fields: compact.fields.into_iter().map(field).collect(),
        children: compact
            .children
            .into_iter()
            .map(|(object, field, relationship, cascade, restrict)| ChildDef {
                object,
                field,
                relationship,
                cascade,
                restrict,
            })
            .collect(),
        flags: compact.flags,
        scopes: compact.scopes,
        by_name: HashMap::new(),
        by_relationship: HashMap::new(),
        required: Vec::new(),
        indexed: Vec::new(),
        name_field: None,
        system: super::SystemFields::default(),
    }
}

/// A field from what its describe says differently from the template.
pub(super) fn field(described: Map<String, Value>) -> FieldDef {
    let text = |key: &str| described.get(key).and_then(Value::as_str).map(str::to_owned);
    let flag = |key: &str, usual: bool| described.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let kind = Kind::of(described.get("type").and_then(Value::as_str).unwrap_or("string"));
    let picks = described.get("picklistValues").and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut picklist, mut default_pick) = (Vec::new(), None);
    for pick in &picks {
        let value = pick.as_str().or_else(|| pick[0].as_str()).unwrap_or_default();
        if pick.is_string() || pick[2] == true {
            picklist.push(value.to_owned());
        }
        if pick[3] == true {
            default_pick = Some(value.to_owned());
        }
    }
    FieldDef {
        name: text("name").unwrap_or_default(),
        label: text("label").unwrap_or_default(),
        kind,
        length: described.get("length").and_then(Value::as_u64).map_or(0, |n| n as usize),
        createable: flag("createable", true),
        updateable: flag("updateable", true),
        nillable: flag("nillable", true),
        defaulted: flag("defaultedOnCreate", false),
        unique: flag("unique", false),
        external_id: flag("externalId", false),
        id_lookup: flag("idLookup", false),
        case_sensitive: flag("caseSensitive", false),
        restricted: flag("restrictedPicklist", false),
        custom: flag("custom", false),
        filterable: flag("filterable", true),
        sortable: flag("sortable", true),
        groupable: flag("groupable", true),
        picklist,
        default_pick,
        reference_to: described
            .get("referenceTo")
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
        relationship: text("relationshipName"),
        described: Arc::new(described),
    }
}
