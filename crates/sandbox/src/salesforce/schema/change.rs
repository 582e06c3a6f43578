//! What an administrator does to the schema while the org runs: fields that come, go, or become something else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FieldDef, FieldNo, ObjectDef, Schema, custom, load};
use crate::salesforce::config::CustomField;

/// One change of the schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum SchemaChange {
    AddField {
        field: CustomField,
    },
    /// It is gone, or hidden from the API's user, which looks the same; its values are lost.
    RemoveField {
        object: String,
        field: String,
    },
    /// Its values stay under the new name.
    RenameField {
        object: String,
        field: String,
        to: String,
    },
    /// `kind` as in a describe; values that the new type cannot hold are lost.
    RetypeField {
        object: String,
        field: String,
        kind: String,
    },
    /// Longer values are cut.
    ResizeField {
        object: String,
        field: String,
        length: u32,
    },
    /// The values that are offered from now on, and whether others are refused.
    Picklist {
        object: String,
        field: String,
        values: Vec<String>,
        restricted: bool,
    },
    /// Whether a record must have it.
    RequireField {
        object: String,
        field: String,
        required: bool,
    },
    /// Whether the API's user may write it.
    LockField {
        object: String,
        field: String,
        locked: bool,
    },
    SharedActivities {
        on: bool,
    },
}

/// A changed schema, and the field that goes on under another name.
pub(in crate::salesforce) struct Changed {
    pub schema: Schema,
    pub renamed: Option<(usize, FieldNo, FieldNo)>,
}

impl Schema {
    /// The schema after a change; the error says what there is not.
    pub(in crate::salesforce) fn changed(&self, change: &SchemaChange) -> Result<Changed, String> {
        let mut objects = self.objects.clone();
        let mut renamed = None;
        match change {
            SchemaChange::AddField { field } => {
                let (object, there) = (field.object.as_str(), field.name.as_str());
                if self.place(object, there).is_ok() {
                    return Err(format!("{object} has a field {there} already"));
                }
                self.find(object).ok_or_else(|| format!("no object {object}"))?;
                custom::add_field(&mut objects, field);
            }
            SchemaChange::RemoveField { object, field } => {
                let (object, no) = self.place(object, field)?;
                Arc::make_mut(&mut objects[object]).fields.remove(no as usize);
            }
            SchemaChange::RenameField { object, field, to } => {
                let (object, no) = self.place(object, field)?;
                redescribe(Arc::make_mut(&mut objects[object]), no, |facts| {
                    facts.insert("name".into(), to.as_str().into());
                });
                renamed = Some((object, no, no));
            }
            SchemaChange::RetypeField { object, field, kind } => {
                let (object, no) = self.place(object, field)?;
                redescribe(Arc::make_mut(&mut objects[object]), no, |facts| custom::set_type(facts, kind));
            }
            SchemaChange::ResizeField { object, field, length } => {
                let (object, no) = self.place(object, field)?;
                redescribe(Arc::make_mut(&mut objects[object]), no, |facts| custom::set_length(facts, *length));
            }
            SchemaChange::Picklist { object, field, values, restricted } => {
                let (object, no) = self.place(object, field)?;
                redescribe(Arc::make_mut(&mut objects[object]), no, |facts| {
                    facts.insert(
                        "picklistValues".into(),
                        values.iter().map(|value| Value::from(value.as_str())).collect(),
                    );
                    facts.insert("restrictedPicklist".into(), (*restricted).into());
                });
            }
            SchemaChange::RequireField { object, field, required } => {
                let (object, no) = self.place(object, field)?;
                redescribe(Arc::make_mut(&mut objects[object]), no, |facts| {
                    facts.insert("nillable".into(), (!required).into());
                });
            }
            SchemaChange::LockField { object, field, locked } => {
                let (object, no) = self.place(object, field)?;
                redescribe(Arc::make_mut(&mut objects[object]), no, |facts| {
                    facts.insert("createable".into(), (!locked).into());
                    facts.insert("updateable".into(), (!locked).into());
                });
            }
            SchemaChange::SharedActivities { on } => shared(&mut objects, *on),
        }
        Ok(Changed { schema: Self::of(objects), renamed })
    }

    fn place(&self, object: &str, field: &str) -> Result<(usize, FieldNo), String> {
        let no = self.find(object).ok_or_else(|| format!("no object {object}"))?;
        let field_no = self.def(no).field_no(field).ok_or_else(|| format!("no field {object}.{field}"))?;
        Ok((no, field_no))
    }
}

fn redescribe(object: &mut ObjectDef, no: FieldNo, change: impl FnOnce(&mut Map<String, Value>)) {
    let field: &mut FieldDef = &mut object.fields[no as usize];
    let mut facts = Map::clone(&field.described);
    change(&mut facts);
    *field = load::field(facts);
}

/// The fields that Shared Activities bring, or takes them away.
fn shared(objects: &mut [Arc<ObjectDef>], on: bool) {
    const BROUGHT: [&str; 4] = ["EventWhoIds", "TaskWhoIds", "IsParent", "IsWhat"];
    let is_brought = |field: &FieldDef| BROUGHT.contains(&field.name.as_str());
    let there = objects.iter().any(|object| object.fields.iter().any(|field| field.name == "EventWhoIds"));
    if on && !there {
        custom::shared_activities(objects);
    }
    if !on {
        for object in objects.iter_mut().filter(|object| object.fields.iter().any(is_brought)) {
            Arc::make_mut(object).fields.retain(|field| !is_brought(field));
        }
    }
}
