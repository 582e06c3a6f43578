//! Page layouts and the UI API's view of an object, as far as a check of an org's set-up looks at them.

use serde_json::{Map, Value, json};

use super::Answer;
use crate::salesforce::{
    SalesforceOrg,
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldDef, Kind, MASTER_RECORD_TYPE, ObjectDef, Schema, field_in_full},
};

/// Key prefix of layouts.
const LAYOUT_PREFIX: &str = "00h";
/// Rows of a related list that a page shows.
const LIST_ROWS: u32 = 5;

impl SalesforceOrg {
    /// `describe/layouts`, and the one of a record type.
    pub(super) fn layouts(&self, object: usize, rest: &[&str]) -> Outcome<Answer> {
        let schema = self.schema();
        let def = schema.def(object);
        if !def.flag("layoutable") {
            return Err(ApiError::not_found());
        }
        let layout = self.layout(&schema, object);
        match rest {
            [] => {
                let url =
                    format!("/services/data/v{}.0/sobjects/{}/describe/layouts", self.config.newest_version, def.name);
                Ok(Answer::ok(json!({
                    "layouts": [layout],
                    "recordTypeMappings": [{"active": true, "available": true, "defaultRecordTypeMapping": true,
                        "developerName": "Master", "layoutId": layout["id"], "master": true, "name": "Master",
                        "picklistsForRecordType": [], "recordTypeId": MASTER_RECORD_TYPE,
                        "urls": {"layout": format!("{url}/{MASTER_RECORD_TYPE}")}}],
                    "recordTypeSelectorRequired": [false],
                })))
            }
            [id] if Id::parse(id).is_some_and(|id| id.as_str() == MASTER_RECORD_TYPE) => Ok(Answer::ok(layout)),
            _ => Err(ApiError::not_found()),
        }
    }

    fn layout(&self, schema: &Schema, object: usize) -> Value {
        let def = schema.def(object);
        let id = Id::new(LAYOUT_PREFIX, &self.config.pod, u32::try_from(object).unwrap_or_default() + 1);
        let shown = |field: &&FieldDef| {
            (field.createable || field.updateable)
                && !matches!(field.kind, Kind::Id | Kind::Compound | Kind::JunctionIdList)
        };
        let rows: Vec<Value> = def.fields.iter().filter(shown).enumerate().map(|(at, field)| row(at, field)).collect();
        let section = json!({"collapsed": false, "columns": 1, "heading": format!("{} Information", def.label),
            "layoutRows": rows, "layoutSectionId": null, "parentLayoutId": id.as_str(), "rows": rows.len(),
            "tabOrder": "TopToBottom", "useCollapsibleSection": false, "useHeading": true});
        let lists = self.config.related_lists.get(&def.name).map(Vec::as_slice).unwrap_or_default();
        let lists: Vec<Value> = lists.iter().filter_map(|name| related_list(schema, def, name)).collect();
        json!({
            "buttonLayoutSection": {"detailButtons": []},
            "detailLayoutSections": [section],
            "editLayoutSections": [section],
            "feedView": null,
            "highlightsPanelLayoutSection": null,
            "id": id.as_str(),
            "multirowEditLayoutSections": [],
            "offlineLinks": [],
            "quickActionList": {"quickActionListItems": []},
            "relatedContent": null,
            "relatedLists": lists,
            "saveOptions": [],
        })
    }

    /// `ui-api/object-info/{object}`
    pub(super) fn object_info(&self, object: usize) -> Answer {
        let shape = self.shape();
        let def = shape.schema.def(object);
        let fields: Map<String, Value> =
            def.fields.iter().map(|field| (field.name.clone(), field_info(&shape.schema, field))).collect();
        let children = def.children.iter().filter(|child| shape.schema.find(&child.object).is_some()).map(|child| {
            json!({"childObjectApiName": child.object, "fieldName": child.field, "junctionIdListNames": [],
                "junctionReferenceTo": [], "relationshipName": child.relationship})
        });
        let master = json!({"available": true, "defaultRecordTypeMapping": true, "master": true, "name": "Master",
            "recordTypeId": MASTER_RECORD_TYPE});
        let names = def.name_field.map(|no| def.field(no).name.clone());
        Answer::ok(json!({
            "apiName": def.name,
            "associateEntityType": null,
            "associateParentEntity": null,
            "childRelationships": children.collect::<Vec<_>>(),
            "compactLayoutable": def.flag("compactLayoutable"),
            "createable": def.flag("createable"),
            "custom": def.custom,
            "defaultRecordTypeId": MASTER_RECORD_TYPE,
            "deletable": def.flag("deletable"),
            "dependentFields": {},
            "eTag": shape.tag.trim_matches('"'),
            "feedEnabled": def.flag("feedEnabled"),
            "fields": fields,
            "keyPrefix": def.prefix,
            "label": def.label,
            "labelPlural": def.label_plural,
            "layoutable": def.flag("layoutable"),
            "mruEnabled": def.flag("mruEnabled"),
            "nameFields": names.into_iter().collect::<Vec<_>>(),
            "queryable": def.flag("queryable"),
            "recordTypeInfos": {MASTER_RECORD_TYPE: master},
            "searchLayoutable": def.flag("searchLayoutable"),
            "searchable": def.flag("searchable"),
            "themeInfo": null,
            "updateable": def.flag("updateable"),
        }))
    }
}

fn row(at: usize, field: &FieldDef) -> Value {
    json!({"layoutItems": [{
        "editableForNew": field.createable, "editableForUpdate": field.updateable, "label": field.label,
        "layoutComponents": [{"details": field_in_full(field), "displayLines": 1, "tabOrder": at + 1, "type": "Field",
            "value": field.name}],
        "placeholder": false, "required": field.required(),
    }], "numItems": 1})
}

fn related_list(schema: &Schema, def: &ObjectDef, name: &str) -> Option<Value> {
    let child = def.child(name)?;
    let columns: Vec<Value> = match schema.find(&child.object).map(|no| schema.def(no)) {
        Some(list) => ["Name", "Subject", "RelationId", "Status", "Response"]
            .iter()
            .filter_map(|name| list.field_no(name).map(|no| list.field(no)))
            .map(|field| {
                json!({"field": format!("{}.{}", child.object, field.name), "fieldApiName": field.name, "format": null,
                    "label": field.label, "lookupId": null, "name": field.name})
            })
            .collect(),
        None => Vec::new(),
    };
    let label = if name == "EventRelations" { "Attendees" } else { name };
    Some(json!({"accessLevelRequiredForCreate": null, "buttons": [], "columns": columns, "custom": false,
        "field": child.field, "label": label, "limitRows": LIST_ROWS, "name": name, "sobject": child.object, "sort": []}))
}

fn field_info(schema: &Schema, field: &FieldDef) -> Value {
    let said = |name: &str| field.described(name).cloned().unwrap_or(Value::Null);
    let targets: Vec<Value> = field
        .reference_to
        .iter()
        .filter_map(|name| schema.find(name).map(|no| schema.def(no)))
        .map(|def| {
            let names = def.name_field.map(|no| def.field(no).name.clone());
            json!({"apiName": def.name, "nameFields": names.into_iter().collect::<Vec<_>>()})
        })
        .collect();
    let kind = said("type").as_str().map_or_else(|| "String".to_owned(), data_type);
    json!({
        "apiName": field.name, "calculated": false, "compound": field.kind == Kind::Compound,
        "compoundComponentName": null, "compoundFieldName": said("compoundFieldName"), "controllerName": null,
        "controllingFields": [], "createable": field.createable, "custom": field.custom, "dataType": kind,
        "extraTypeInfo": null, "filterable": field.filterable, "filteredLookupInfo": null,
        "highScaleNumber": false, "htmlFormatted": false, "inlineHelpText": null, "label": field.label,
        "length": field.length, "maskType": null, "nameField": said("nameField") == true,
        "polymorphicForeignKey": field.polymorphic(), "precision": said("precision").as_u64().unwrap_or(0),
        "reference": field.kind == Kind::Reference, "referenceTargetField": null, "referenceToInfos": targets,
        "relationshipName": field.relationship, "required": field.required(), "scale": said("scale").as_u64().unwrap_or(0),
        "searchPrefilterable": false, "sortable": field.sortable, "unique": field.unique,
        "updateable": field.updateable,
    })
}

/// `string` is `String` here, and `datetime` `DateTime`.
fn data_type(kind: &str) -> String {
    match kind {
        "datetime" => "DateTime".into(),
        "textarea" => "TextArea".into(),
        "combobox" => "ComboBox".into(),
        "multipicklist" => "MultiPicklist".into(),
        "junctionidlist" => "JunctionIdList".into(),
        other => {
            let mut letters = other.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}
