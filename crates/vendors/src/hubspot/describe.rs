//! Descriptions of kinds by their properties: one call a kind, and one for the pipelines of those that have stages.

use syncline_connect::{Answered, Cx, Error, Usage, mirror::KindSpec};
use syncline_core::description::{FieldDescription, FieldKind, Habits, ObjectDescription};

use super::{
    api,
    manifest::required,
    roles::{ASSOCIATION, ASSOCIATIONS},
    wire::{Pipeline, Pipelines, Properties, Property},
};

pub const OP: &str = "describe";

/// Longest text of a property.
/// <https://knowledge.hubspot.com/properties/property-field-types-in-hubspot>, read 2026-11.
const TEXT_CHARS_MAX: u32 = 65_536;

/// Pipelines that the label of a stage names.
const PIPELINES_NAMED_MAX: usize = 10;

/// Digits behind the point that are kept of a number: more than any rounding for display leaves.
const NUMBER_SCALE: u32 = 10;

/// Describes the kinds, position by position.
pub async fn describe(cx: &Cx<'_>, kinds: &[&KindSpec]) -> Result<Answered<Vec<Option<ObjectDescription>>>, Error> {
    let (mut value, mut calls, mut usage) = (Vec::with_capacity(kinds.len()), 0, None::<Usage>);
    for kind in kinds {
        let (properties, used) = api::properties(cx, OP, kind.name).await?;
        calls += 1;
        usage = used.or(usage);
        let mut description = properties.map(|properties| read(kind.name, &properties));
        if let (Some(description), Some(stage)) = (&mut description, stage_of(kind.name)) {
            let (pipelines, used) = api::pipelines(cx, OP, kind.name).await?;
            calls += 1;
            usage = used.or(usage);
            if let (Some(pipelines), Some(field)) = (pipelines, description.fields.get_mut(stage)) {
                take_stages(field, &pipelines);
            }
        }
        value.push(description);
    }
    Ok(Answered { value, calls, usage })
}

/// The property that holds the stage, whose options are those of the pipelines.
fn stage_of(kind: &str) -> Option<&'static str> {
    match kind {
        "deals" => Some("dealstage"),
        "tickets" => Some("hs_pipeline_stage"),
        _ => None,
    }
}

/// Names the stages that there are; which of them belong together is said by the label.
fn take_stages(field: &mut FieldDescription, pipelines: &Pipelines) {
    let of = |pipeline: &Pipeline| {
        let stages = pipeline.stages.iter().map(|stage| format!("{} {}", stage.id, stage.label).trim().to_owned());
        format!("{}: {}", pipeline.label, stages.collect::<Vec<_>>().join(", "))
    };
    let named: Vec<String> = pipelines.results.iter().take(PIPELINES_NAMED_MAX).map(of).collect();
    field.label = format!("{} ({})", field.label, named.join("; "));
    field.values = pipelines.results.iter().flat_map(|one| &one.stages).map(|stage| stage.id.clone()).collect();
    field.restricted = true;
}

/// What the properties of a kind say, in our terms.
pub fn read(kind: &str, properties: &Properties) -> ObjectDescription {
    let fields = properties.results.iter().map(|property| (property.name.clone(), field(kind, property)));
    let ties = ASSOCIATIONS.iter().filter(|(from, ..)| *from == kind).map(|(_, to, _)| tie(to));
    ObjectDescription {
        name: kind.to_owned(),
        label: kind.to_owned(),
        createable: true,
        updateable: true,
        relates_many: true,
        fields: fields.chain(ties).collect(),
    }
}

/// The record of another kind that records of this one are associated with. It is written and never read: a record may have
/// many more, which are nobody's business here.
fn tie(to: &str) -> (String, FieldDescription) {
    let refers_to = vec![to.to_owned()];
    let described =
        FieldDescription { refers_to, ..FieldDescription::plain(format!("Associated: {to}"), FieldKind::Reference) };
    (format!("{ASSOCIATION}{to}"), described)
}

fn field(kind: &str, property: &Property) -> FieldDescription {
    let of_person = kind == "contacts" && property.name == "email";
    let held = if of_person { FieldKind::Email } else { field_kind(&property.kind, &property.field_type) };
    let writable = !property.calculated && !property.modification_metadata.read_only_value;
    let required = required(kind).contains(&property.name.as_str());
    let has_length = matches!(held, FieldKind::Text | FieldKind::TextArea | FieldKind::Email | FieldKind::Phone);
    FieldDescription {
        length: has_length.then_some(TEXT_CHARS_MAX),
        scale: if held == FieldKind::Number { NUMBER_SCALE } else { 0 },
        createable: writable,
        updateable: writable,
        required,
        // Owners, pipelines and stages are listed elsewhere.
        restricted: matches!(held, FieldKind::Picklist | FieldKind::MultiPicklist) && !property.external_options,
        values: property.options.iter().filter(|option| !option.hidden).map(|option| option.value.clone()).collect(),
        nillable: !required,
        calculated: property.calculated,
        unique: property.has_unique_value || of_person,
        habits: Habits { lower_case: of_person, trims: of_person, ..Habits::default() },
        ..FieldDescription::plain(property.label.as_str(), held)
    }
}

/// HubSpot's types; of a text what stands in its form tells more.
fn field_kind(kind: &str, field_type: &str) -> FieldKind {
    match (kind, field_type) {
        ("string", "textarea" | "html") => FieldKind::TextArea,
        ("string", "phonenumber") | ("phone_number", _) => FieldKind::Phone,
        ("string", _) => FieldKind::Text,
        ("number", _) => FieldKind::Number,
        ("bool", _) => FieldKind::Boolean,
        ("enumeration", "checkbox") => FieldKind::MultiPicklist,
        // A single yes or no is an enumeration of these two words in older accounts.
        ("enumeration", "booleancheckbox") => FieldKind::Boolean,
        ("enumeration", _) => FieldKind::Picklist,
        ("date", _) => FieldKind::Date,
        ("datetime", _) => FieldKind::DateTime,
        _ => FieldKind::Other,
    }
}
