//! Descriptions of objects, as Salesforce gives them and as mappings read them. A composite call cannot carry them: one
//! call each. Reading one is pure.

use syncline_connect::{Answered, Cx, Error, ErrorKind, Object, Retry};
use syncline_core::{
    description::{FieldDescription, FieldKind, Habits, ObjectDescription},
    record::Role,
};

use super::{
    api, convert,
    settings::Org,
    soql::ApiName,
    wire::{Describe, DescribedField},
};

const OP: &str = "describe";

/// The field that only orgs have in which an event may be related to several people ("Shared Activities").
pub const RELATES_MANY: &str = "EventWhoIds";

/// Describes the objects, position by position.
pub async fn describe(cx: &Cx<'_>, objects: &[Object]) -> Result<Answered<Vec<Option<ObjectDescription>>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let (mut value, mut calls, mut usage) = (Vec::with_capacity(objects.len()), 0, None);
    for object in objects {
        let name = api_name(object)?;
        let (described, used) = api::describe(cx, &org, name.as_str()).await?;
        calls += 1;
        usage = used.or(usage);
        value.push(described.map(|described| read(name.as_str(), &described)));
    }
    Ok(Answered { value, calls, usage })
}

fn api_name(object: &Object) -> Result<ApiName, Error> {
    let name = match object {
        Object::Of(role) => convert::object_name(*role, None),
        Object::Named(name) => convert::object_name(Role::Custom, Some(name)),
    };
    name.map_err(|why| Error::new(ErrorKind::Configuration, Retry::Never, OP, why))
}

/// What a description says, in our terms.
pub fn read(name: &str, described: &Describe) -> ObjectDescription {
    ObjectDescription {
        name: name.to_owned(),
        label: described.label.clone(),
        createable: described.createable,
        updateable: described.updateable,
        relates_many: described.fields.iter().any(|field| field.name == RELATES_MANY),
        fields: described.fields.iter().map(|field| (field.name.clone(), read_field(field))).collect(),
    }
}

fn read_field(field: &DescribedField) -> FieldDescription {
    let (kind, required) = (kind(&field.kind), field.required());
    let has_length = matches!(
        kind,
        FieldKind::Text
            | FieldKind::TextArea
            | FieldKind::Email
            | FieldKind::Phone
            | FieldKind::Url
            | FieldKind::Picklist
    );
    FieldDescription {
        label: field.label.clone(),
        kind,
        length: (has_length && field.length > 0).then(|| u32::try_from(field.length).unwrap_or(u32::MAX)),
        precision: field.precision.max(field.digits),
        scale: field.scale,
        createable: field.createable,
        updateable: field.updateable,
        required,
        restricted: field.restricted_picklist,
        values: field.picklist_values.iter().filter(|value| value.active).map(|value| value.value.clone()).collect(),
        refers_to: field.reference_to.clone(),
        nillable: field.nillable,
        calculated: field.calculated,
        unique: field.unique,
        habits: Habits { trims: true, whole_seconds: true, lower_case: kind == FieldKind::Email, ..Habits::default() },
    }
}

/// Salesforce's field types: <https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm>.
fn kind(name: &str) -> FieldKind {
    match name {
        "string" | "combobox" | "encryptedstring" => FieldKind::Text,
        "textarea" => FieldKind::TextArea,
        "int" | "long" | "double" | "currency" | "percent" => FieldKind::Number,
        "boolean" => FieldKind::Boolean,
        "date" => FieldKind::Date,
        "datetime" => FieldKind::DateTime,
        "picklist" => FieldKind::Picklist,
        "multipicklist" => FieldKind::MultiPicklist,
        "reference" => FieldKind::Reference,
        "email" => FieldKind::Email,
        "phone" => FieldKind::Phone,
        "url" => FieldKind::Url,
        _ => FieldKind::Other,
    }
}
