//! Renders describes in their full published shape, once per object, version and address of the org.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value, json};

use super::{FieldDef, ObjectDef, Schema};

const TEMPLATE: &str = include_str!("objects/_template.json");
/// Rows that one collections call takes, as the global describe announces it.
const MAX_BATCH: u32 = 200;
/// The record type that every object has.
pub const MASTER_RECORD_TYPE: &str = "012000000000000AAA";
/// What the global and basic describes leave out.
const FULL_ONLY: [&str; 7] = [
    "compactLayoutable",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "implementedBy",
    "implementsInterfaces",
    "searchLayoutable",
];
const FULL_ONLY_NULLS: [&str; 2] = ["listviewable", "lookupLayoutable"];

/// Describes rendered so far.
#[derive(Default)]
pub struct Describes {
    ready: Mutex<HashMap<(usize, u32, String), Arc<Value>>>,
}

impl Describes {
    pub fn full(&self, schema: &Schema, object: usize, version: u32, base: &str) -> Arc<Value> {
        let mut ready = self.ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let made = ready.entry((object, version, base.to_owned()));
        made.or_insert_with(|| Arc::new(full(schema.def(object), version, base))).clone()
    }

    pub fn global(&self, schema: &Schema, version: u32) -> Value {
        let objects: Vec<Value> = schema.objects.iter().map(|def| Value::Object(basic(def, version))).collect();
        json!({"encoding": "UTF-8", "maxBatchSize": MAX_BATCH, "sobjects": objects})
    }
}

/// The short form, as in the global describe and the basic information of an object.
pub fn basic(def: &ObjectDef, version: u32) -> Map<String, Value> {
    let mut out = common(def);
    for name in FULL_ONLY.iter().chain(&FULL_ONLY_NULLS) {
        out.remove(*name);
    }
    out.insert("urls".into(), urls(def, version));
    out
}

fn common(def: &ObjectDef) -> Map<String, Value> {
    let mut out = def.flags.clone();
    out.insert("custom".into(), def.custom.into());
    out.insert("customSetting".into(), false.into());
    out.insert("keyPrefix".into(), def.prefix.clone().into());
    out.insert("label".into(), def.label.clone().into());
    out.insert("labelPlural".into(), def.label_plural.clone().into());
    out.insert("name".into(), def.name.clone().into());
    for name in ["associateEntityType", "associateParentEntity"] {
        out.entry(name).or_insert(Value::Null);
    }
    out
}

fn urls(def: &ObjectDef, version: u32) -> Value {
    let base = format!("/services/data/v{version}.0/sobjects/{}", def.name);
    let mut urls = json!({
        "rowTemplate": format!("{base}/{{ID}}"),
        "describe": format!("{base}/describe"),
        "sobject": base,
    });
    if def.flag("layoutable") {
        urls["layouts"] = format!("{base}/describe/layouts").into();
        urls["compactLayouts"] = format!("{base}/describe/compactLayouts").into();
        urls["approvalLayouts"] = format!("{base}/describe/approvalLayouts").into();
        urls["listviews"] = format!("{base}/listviews").into();
        urls["quickActions"] = format!("{base}/quickActions").into();
    }
    urls
}

fn full(def: &ObjectDef, version: u32, base: &str) -> Value {
    let mut out = common(def);
    let template: Map<String, Value> = serde_json::from_str(TEMPLATE).expect("the built-in template is valid JSON");
    for name in FULL_ONLY_NULLS.iter().chain(&[
        "defaultImplementation",
        "extendedBy",
        "extendsInterfaces",
        "implementedBy",
        "implementsInterfaces",
        "networkScopeFieldName",
    ]) {
        out.entry(*name).or_insert(Value::Null);
    }
    out.insert("actionOverrides".into(), json!([]));
    out.insert("namedLayoutInfos".into(), json!([]));
    out.insert("sobjectDescribeOption".into(), "FULL".into());
    out.insert("childRelationships".into(), def.children.iter().map(child).collect());
    out.insert("fields".into(), def.fields.iter().map(|f| field(f, &template)).collect());
    let layout = format!("/services/data/v{version}.0/sobjects/{}/describe/layouts/{MASTER_RECORD_TYPE}", def.name);
    out.insert(
        "recordTypeInfos".into(),
        json!([{"active": true, "available": true, "defaultRecordTypeMapping": true,
        "developerName": "Master", "master": true, "name": "Master", "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": layout}}]),
    );
    let scopes = def.scopes.iter().map(|(name, label)| json!({"label": label, "name": name}));
    out.insert("supportedScopes".into(), scopes.collect());
    let mut urls = urls(def, version);
    urls["uiDetailTemplate"] = format!("{base}/{{ID}}").into();
    urls["uiEditTemplate"] = format!("{base}/{{ID}}/e").into();
    urls["uiNewRecord"] = format!("{base}/{}/e", def.prefix).into();
    out.insert("urls".into(), urls);
    Value::Object(out)
}

/// One field in full, as layouts repeat it.
pub fn field_in_full(def: &FieldDef) -> Value {
    let template: Map<String, Value> = serde_json::from_str(TEMPLATE).expect("the built-in template is valid JSON");
    field(def, &template)
}

fn child(child: &super::ChildDef) -> Value {
    json!({"cascadeDelete": child.cascade, "childSObject": child.object, "deprecatedAndHidden": false,
        "field": child.field, "junctionIdListNames": [], "junctionReferenceTo": [],
        "relationshipName": child.relationship, "restrictedDelete": child.restrict})
}

fn field(field: &FieldDef, template: &Map<String, Value>) -> Value {
    let mut out = template.clone();
    for (key, value) in field.described.iter() {
        out.insert(key.clone(), value.clone());
    }
    if let Some(Value::Array(picks)) = out.get_mut("picklistValues") {
        for pick in picks {
            *pick = match &*pick {
                Value::String(value) => {
                    json!({"active": true, "defaultValue": false, "label": value, "validFor": null, "value": value})
                }
                other => json!({"active": other[2], "defaultValue": other[3], "label": other[1], "validFor": null,
                    "value": other[0]}),
            };
        }
    }
    Value::Object(out)
}
