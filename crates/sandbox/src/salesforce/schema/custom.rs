//! The org's own objects and fields, and the fields that a setting brings (shared activities).

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{ChildDef, ObjectDef, load};
use crate::salesforce::config::{CustomField, CustomObject, SalesforceConfig};

/// The first key prefix of custom objects; the next is `a01`.
const FIRST_CUSTOM_PREFIX: usize = 0;
/// Bytes that a describe grants per character of a text field.
const BYTES_PER_CHARACTER: u32 = 3;

pub(super) fn extend(objects: &mut Vec<Arc<ObjectDef>>, config: &SalesforceConfig) {
    for (number, custom) in config.custom_objects.iter().enumerate() {
        objects.push(Arc::new(object(custom, FIRST_CUSTOM_PREFIX + number)));
    }
    for custom in &config.custom_fields {
        add_field(objects, custom);
    }
    if config.shared_activities {
        shared_activities(objects);
    }
}

fn object(custom: &CustomObject, number: usize) -> ObjectDef {
    let fact = |value: Value| load::field(as_map(value));
    let user = |name: &str, label: &str, relationship: &str, writeable: bool| {
        fact(json!({"name": name, "label": label, "type": "reference", "soapType": "tns:ID", "length": 18,
            "byteLength": 18, "referenceTo": ["User"], "relationshipName": relationship, "nillable": false,
            "defaultedOnCreate": true, "createable": writeable, "updateable": writeable}))
    };
    let moment = |name: &str, label: &str| {
        fact(json!({"name": name, "label": label, "type": "datetime", "soapType": "xsd:dateTime", "nillable": false,
            "defaultedOnCreate": true, "createable": false, "updateable": false}))
    };
    let fields = vec![
        fact(json!({"name": "Id", "label": "Record ID", "type": "id", "soapType": "tns:ID", "length": 18,
            "byteLength": 18, "nillable": false, "defaultedOnCreate": true, "idLookup": true, "createable": false,
            "updateable": false, "permissionable": false})),
        user("OwnerId", "Owner ID", "Owner", true),
        fact(json!({"name": "IsDeleted", "label": "Deleted", "type": "boolean", "soapType": "xsd:boolean",
            "nillable": false, "defaultedOnCreate": true, "defaultValue": false, "createable": false,
            "updateable": false, "permissionable": false})),
        fact(json!({"name": "Name", "label": format!("{} Name", custom.label), "length": 80, "byteLength": 240,
            "nameField": true, "idLookup": true, "defaultedOnCreate": true, "permissionable": false})),
        moment("CreatedDate", "Created Date"),
        user("CreatedById", "Created By ID", "CreatedBy", false),
        moment("LastModifiedDate", "Last Modified Date"),
        user("LastModifiedById", "Last Modified By ID", "LastModifiedBy", false),
        moment("SystemModstamp", "System Modstamp"),
    ];
    let mut flags = Map::new();
    for (name, value) in [
        ("createable", true),
        ("deletable", true),
        ("layoutable", true),
        ("queryable", true),
        ("replicateable", true),
        ("retrieveable", true),
        ("searchable", true),
        ("triggerable", true),
        ("undeletable", true),
        ("updateable", true),
        ("activateable", false),
        ("compactLayoutable", true),
        ("deepCloneable", false),
        ("deprecatedAndHidden", false),
        ("feedEnabled", false),
        ("hasSubtypes", false),
        ("isInterface", false),
        ("isSubtype", false),
        ("mergeable", false),
        ("mruEnabled", true),
        ("searchLayoutable", true),
    ] {
        flags.insert(name.into(), value.into());
    }
    ObjectDef {
        name: custom.name.clone(),
        label: custom.label.clone(),
        label_plural: custom.label_plural.clone(),
        prefix: format!("a{number:02}"),
        custom: true,
        fields,
        children: Vec::new(),
        flags,
        scopes: Vec::new(),
        by_name: HashMap::new(),
        by_relationship: HashMap::new(),
        required: Vec::new(),
        indexed: Vec::new(),
        name_field: None,
        system: super::SystemFields::default(),
    }
}

pub(super) fn add_field(objects: &mut [Arc<ObjectDef>], custom: &CustomField) {
    let described = describe_field(custom);
    let relationship = described.get("relationshipName").and_then(Value::as_str).map(str::to_owned);
    for object in objects.iter_mut() {
        if object.name.eq_ignore_ascii_case(&custom.object) {
            Arc::make_mut(object).fields.push(load::field(described.clone()));
        }
        if custom.reference_to.iter().any(|target| target.eq_ignore_ascii_case(&object.name)) && relationship.is_some()
        {
            let plural = format!("{}s__r", custom.object.trim_end_matches("__c"));
            Arc::make_mut(object).children.push(ChildDef {
                object: custom.object.clone(),
                field: custom.name.clone(),
                relationship: Some(plural),
                cascade: false,
                restrict: false,
            });
        }
    }
}

fn describe_field(custom: &CustomField) -> Map<String, Value> {
    let mut fact = as_map(json!({
        "name": custom.name, "label": custom.label, "custom": true, "nillable": !custom.required,
        "unique": custom.unique, "externalId": custom.external_id, "idLookup": custom.external_id,
        "caseSensitive": custom.case_sensitive, "restrictedPicklist": custom.restricted,
        "picklistValues": custom.picklist, "referenceTo": custom.reference_to,
    }));
    set_type(&mut fact, &custom.kind);
    set_length(&mut fact, if custom.kind == "reference" { 18 } else { custom.length });
    if custom.kind == "reference" {
        fact.insert("relationshipName".into(), custom.name.replace("__c", "__r").into());
    }
    fact
}

pub(super) fn set_type(fact: &mut Map<String, Value>, kind: &str) {
    let soap = match kind {
        "boolean" => "xsd:boolean",
        "int" => "xsd:int",
        "double" | "currency" | "percent" => "xsd:double",
        "date" => "xsd:date",
        "datetime" => "xsd:dateTime",
        "reference" => "tns:ID",
        _ => "xsd:string",
    };
    fact.insert("type".into(), kind.into());
    fact.insert("soapType".into(), soap.into());
    if kind == "boolean" {
        fact.insert("defaultValue".into(), false.into());
        fact.insert("defaultedOnCreate".into(), true.into());
        fact.insert("nillable".into(), false.into());
    }
    if matches!(kind, "double" | "currency" | "percent") {
        fact.insert("precision".into(), 18.into());
    }
    if soap != "xsd:string" && kind != "reference" {
        set_length(fact, 0);
    }
}

pub(super) fn set_length(fact: &mut Map<String, Value>, length: u32) {
    fact.insert("length".into(), length.into());
    fact.insert("byteLength".into(), (length * BYTES_PER_CHARACTER).into());
}

/// Shared activities bring the lists of related people to Event and Task, and relations that are not invitations.
pub(super) fn shared_activities(objects: &mut [Arc<ObjectDef>]) {
    let ids = |field: &str, label: &str| {
        json!({"name": field, "label": label, "type": "junctionidlist", "soapType": "urn:JunctionIdListNames",
            "filterable": false, "groupable": false, "sortable": false, "aggregatable": false})
    };
    let flag = |field: &str, label: &str, createable: bool| {
        json!({"name": field, "label": label, "type": "boolean", "soapType": "xsd:boolean", "nillable": false,
            "defaultedOnCreate": true, "defaultValue": false, "createable": createable, "updateable": createable})
    };
    let brought = [
        ("Event", ids("EventWhoIds", "Related Event Who IDs")),
        ("Task", ids("TaskWhoIds", "Related Task Who IDs")),
        ("EventRelation", flag("IsParent", "Is Parent", true)),
        ("EventRelation", flag("IsWhat", "Is What", false)),
    ];
    for (object, fact) in brought {
        if let Some(object) = objects.iter_mut().find(|o| o.name == object) {
            Arc::make_mut(object).fields.push(load::field(as_map(fact)));
        }
    }
    let whats = objects.iter().find(|o| o.name == "Event").and_then(|event| {
        event.fields.iter().find(|field| field.name == "WhatId").map(|field| field.reference_to.clone())
    });
    let relation = objects.iter_mut().find(|o| o.name == "EventRelation").map(Arc::make_mut);
    if let Some(field) = relation.and_then(|o| o.fields.iter_mut().find(|field| field.name == "RelationId")) {
        field.refer_also(whats.unwrap_or_default());
    }
}

fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
