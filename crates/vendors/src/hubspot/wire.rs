//! Bodies exactly as HubSpot speaks them. Nothing here decides anything, and nothing outside this folder sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A page of a list or a search.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// None, unless something is wrong.
    #[serde(default)]
    pub status: String,
    pub results: Vec<Row>,
    pub paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
pub struct Paging {
    pub next: Option<Next>,
}

#[derive(Debug, Deserialize)]
pub struct Next {
    pub after: String,
}

/// A record. What was cleared is an empty text, what was never set is null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub id: String,
    #[serde(default)]
    pub properties: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub archived: bool,
    pub object_write_trace_id: Option<String>,
}

/// The answer to a batch: rows in any order, and what became of the others.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub results: Vec<Row>,
    #[serde(default)]
    pub errors: Vec<Refused>,
}

/// An error: of a whole call, or of a row. Every part may be missing, and there are two shapes of some.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Refused {
    pub id: Option<Value>,
    pub category: Option<String>,
    pub message: Option<String>,
    pub policy_name: Option<String>,
    pub error_type: Option<String>,
    pub errors: Vec<Detail>,
    pub context: Map<String, Value>,
    pub validation_results: Vec<OldDetail>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Detail {
    pub code: Option<String>,
    pub context: Map<String, Value>,
}

/// A detail as older answers have it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OldDetail {
    pub error: Option<String>,
    pub name: Option<String>,
}

/// One row of a batch that writes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_property: Option<String>,
    pub object_write_trace_id: String,
    pub properties: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub associations: Vec<Value>,
}

/// The answer to a batch of associations: who is tied to whom, and what became of the others.
#[derive(Debug, Deserialize)]
pub struct Ties {
    #[serde(default)]
    pub results: Vec<Tie>,
    #[serde(default)]
    pub errors: Vec<Refused>,
}

#[derive(Debug, Deserialize)]
pub struct Tie {
    pub from: End,
    pub to: End,
}

/// An end of an association; ids come as texts and as numbers.
#[derive(Debug, Deserialize)]
pub struct End {
    pub id: Value,
}

/// The answer to a batch that reads associations.
#[derive(Debug, Deserialize)]
pub struct Tied {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub results: Vec<TiedRow>,
    #[serde(default)]
    pub errors: Vec<Refused>,
}

#[derive(Debug, Deserialize)]
pub struct TiedRow {
    pub from: End,
    #[serde(default)]
    pub to: Vec<TiedTo>,
    pub paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TiedTo {
    pub to_object_id: Value,
}

/// The types of association between two objects.
#[derive(Debug, Deserialize)]
pub struct AssociationTypes {
    pub results: Vec<AssociationType>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssociationType {
    pub category: String,
    pub type_id: u32,
    pub label: Option<String>,
}

/// A page of the account's people.
#[derive(Debug, Deserialize)]
pub struct Owners {
    pub results: Vec<Owner>,
    pub paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    pub id: String,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub first_name: Option<String>,
    #[serde(default)]
    pub last_name: Option<String>,
    #[serde(default)]
    pub archived: bool,
}

/// The pipelines of a kind.
#[derive(Debug, Deserialize)]
pub struct Pipelines {
    pub results: Vec<Pipeline>,
}

#[derive(Debug, Deserialize)]
pub struct Pipeline {
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
pub struct Stage {
    pub id: String,
    #[serde(default)]
    pub label: String,
}

/// The properties of a kind.
#[derive(Debug, Deserialize)]
pub struct Properties {
    pub results: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    pub name: String,
    #[serde(default)]
    pub label: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub field_type: String,
    #[serde(default)]
    pub options: Vec<Choice>,
    #[serde(default)]
    pub has_unique_value: bool,
    #[serde(default)]
    pub calculated: bool,
    #[serde(default)]
    pub external_options: bool,
    #[serde(default)]
    pub modification_metadata: Modification,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Modification {
    pub read_only_value: bool,
}

#[derive(Debug, Deserialize)]
pub struct Choice {
    pub value: String,
    #[serde(default)]
    pub hidden: bool,
}

/// The token endpoint's answer.
#[derive(Deserialize)]
pub struct TokenAnswer {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub expires_in: Option<i64>,
    pub token_type: Option<String>,
    pub hub_id: Option<Value>,
}

/// The token endpoint's refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenRefusal {
    pub status: String,
}
