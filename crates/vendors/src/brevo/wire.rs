//! Brevo's shapes, as its API description and public answers show them. Nothing is interpreted here.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `GET /contacts`.
#[derive(Debug, Deserialize)]
pub struct ContactsPage {
    #[serde(default)]
    pub contacts: Vec<Contact>,
    pub count: u64,
}

/// A contact, from a list or alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    pub id: u64,
    pub email: Option<String>,
    pub email_blacklisted: Option<bool>,
    pub sms_blacklisted: Option<bool>,
    pub created_at: Option<String>,
    pub modified_at: Option<String>,
    pub list_ids: Option<Vec<u64>>,
    pub list_unsubscribed: Option<Vec<u64>>,
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// `GET /contacts/attributes`.
#[derive(Debug, Deserialize)]
pub struct Attributes {
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    pub name: String,
    pub category: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub enumeration: Option<Vec<Choice>>,
    pub multi_category_options: Option<Vec<String>>,
}

/// One value of a category attribute.
#[derive(Debug, Deserialize)]
pub struct Choice {
    /// A number; some accounts show it as a text.
    pub value: Value,
    pub label: Option<String>,
}

/// `GET /contacts/lists`.
#[derive(Debug, Deserialize)]
pub struct ListsPage {
    /// Missing where there are none.
    #[serde(default)]
    pub lists: Vec<List>,
    #[serde(default)]
    pub count: u64,
}

#[derive(Debug, Deserialize)]
pub struct List {
    pub id: u64,
    #[serde(default)]
    pub name: String,
}

/// What `POST /contacts` answers where it made one.
#[derive(Debug, Deserialize)]
pub struct Created {
    pub id: u64,
}

/// What `POST /contacts/import` answers.
#[derive(Debug, Deserialize)]
pub struct Imported {
    #[serde(rename = "processId")]
    pub process: u64,
}

/// `GET /processes/{id}`.
#[derive(Debug, Deserialize)]
pub struct Process {
    pub status: String,
    pub info: Option<ProcessInfo>,
}

#[derive(Debug, Deserialize)]
pub struct ProcessInfo {
    /// By kind of failure: a number of rows, a list of them, or an address to load them from.
    pub import: Option<Map<String, Value>>,
}

/// `GET /crm/deals` and `GET /companies`.
#[derive(Debug, Deserialize)]
pub struct CrmPage {
    /// Missing where there are none.
    #[serde(default)]
    pub items: Option<Vec<CrmRecord>>,
}

/// A deal or a company.
#[derive(Debug, Deserialize)]
pub struct CrmRecord {
    pub id: String,
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// What `POST /crm/deals` and `POST /companies` answer.
#[derive(Debug, Deserialize)]
pub struct CrmCreated {
    pub id: String,
}

/// One of `GET /crm/attributes/deals` or `GET /crm/attributes/companies`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrmAttribute {
    pub internal_name: String,
    #[serde(default)]
    pub label: String,
    #[serde(rename = "attributeTypeName", default)]
    pub kind: String,
    #[serde(rename = "attributeOptions", default)]
    pub options: Vec<CrmOption>,
    #[serde(default)]
    pub is_required: bool,
    /// Not in the API description; accounts show it.
    #[serde(default)]
    pub is_value_readonly: bool,
}

#[derive(Debug, Deserialize)]
pub struct CrmOption {
    pub key: String,
}

/// One of `GET /crm/pipeline/details/all`.
#[derive(Debug, Deserialize)]
pub struct Pipeline {
    #[serde(rename = "pipeline")]
    pub id: String,
    #[serde(rename = "pipeline_name", default)]
    pub name: String,
    #[serde(default)]
    pub stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
pub struct Stage {
    pub id: String,
    #[serde(default)]
    pub name: String,
}

/// A refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    pub code: Option<String>,
    pub metadata: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The names of identifiers that another contact holds.
    pub duplicate_identifiers: Option<Vec<String>>,
}
