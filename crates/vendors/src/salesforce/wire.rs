//! Bodies exactly as Salesforce speaks them. Nothing here decides anything, and nothing outside this folder sees it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `POST /composite`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompositeRequest {
    pub all_or_none: bool,
    pub collate_subrequests: bool,
    pub composite_request: Vec<SubRequest>,
}

/// One request within a composite or a graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubRequest {
    pub method: &'static str,
    pub url: String,
    pub reference_id: String,
    /// Its own, within a composite; a graph's have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Map<String, Value>>,
}

/// `POST /composite/graph`.
#[derive(Debug, Serialize)]
pub struct GraphsRequest {
    pub graphs: Vec<GraphRequest>,
}

/// One graph: done or refused as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GraphRequest {
    pub graph_id: String,
    pub composite_request: Vec<SubRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompositeAnswer {
    pub composite_response: Vec<SubAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubAnswer {
    #[serde(default)]
    pub body: Value,
    pub http_status_code: u16,
    pub reference_id: String,
}

#[derive(Debug, Deserialize)]
pub struct GraphsAnswer {
    pub graphs: Vec<GraphAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GraphAnswer {
    pub graph_id: String,
    /// A composite answer, except perhaps for a graph that was never tried.
    #[serde(default)]
    pub graph_response: Value,
    pub is_successful: bool,
}

/// One page of a query's rows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryPage {
    pub total_size: usize,
    pub done: bool,
    pub next_records_url: Option<String>,
    pub records: Vec<Map<String, Value>>,
}

/// What a create or an upsert answers.
#[derive(Debug, Deserialize)]
pub struct Saved {
    pub id: String,
    pub success: bool,
}

/// A bulk job, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: String,
    pub state: String,
    #[serde(default)]
    pub number_records_processed: u64,
    #[serde(default)]
    pub number_records_failed: u64,
    pub error_message: Option<String>,
}

/// An object's description, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Describe {
    #[serde(default)]
    pub label: String,
    pub createable: bool,
    pub updateable: bool,
    pub fields: Vec<DescribedField>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedField {
    pub name: String,
    pub createable: bool,
    pub updateable: bool,
    #[serde(default)]
    pub length: usize,
    #[serde(default)]
    pub external_id: bool,
    #[serde(default)]
    pub id_lookup: bool,
    #[serde(default)]
    pub unique: bool,
    #[serde(default)]
    pub label: String,
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub precision: u32,
    #[serde(default)]
    pub scale: u32,
    #[serde(default)]
    pub digits: u32,
    /// What a description does not say is not demanded.
    #[serde(default = "yes")]
    pub nillable: bool,
    #[serde(default)]
    pub defaulted_on_create: bool,
    #[serde(default)]
    pub restricted_picklist: bool,
    #[serde(default)]
    pub picklist_values: Vec<PicklistValue>,
    #[serde(default)]
    pub reference_to: Vec<String>,
    /// What the record that a reference leads to is called in a query.
    pub relationship_name: Option<String>,
    #[serde(default)]
    pub calculated: bool,
}

fn yes() -> bool {
    true
}

impl DescribedField {
    /// Whether a record cannot be made without a value for it.
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }
}

/// `GET /sobjects/{object}/describe/layouts`, as far as it is looked at. An object with several record types answers
/// without layouts; each record type has its own then.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layouts {
    pub layouts: Option<Vec<Layout>>,
    #[serde(default)]
    pub record_type_mappings: Vec<RecordTypeMapping>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    #[serde(default)]
    pub related_lists: Vec<RelatedList>,
}

#[derive(Debug, Deserialize)]
pub struct RelatedList {
    #[serde(default)]
    pub name: String,
    pub sobject: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordTypeMapping {
    #[serde(default)]
    pub available: bool,
    pub record_type_id: Option<String>,
}

/// `GET /limits`, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limits {
    pub daily_api_requests: Limit,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    pub max: u64,
    pub remaining: u64,
}

/// What a duplicate rule found, within the error that it gave. Versions spell its key in two ways.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateResult {
    #[serde(default)]
    pub allow_save: bool,
    #[serde(default)]
    pub duplicate_rule: String,
    #[serde(default)]
    pub match_results: Vec<MatchResult>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchResult {
    #[serde(default)]
    pub match_records: Vec<MatchRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchRecord {
    /// In per cent.
    #[serde(default)]
    pub match_confidence: f64,
    pub record: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub struct PicklistValue {
    pub value: String,
    #[serde(default)]
    pub active: bool,
}

/// The token endpoint's answer. Nothing in it tells when the token ends.
#[derive(Deserialize)]
pub struct TokenAnswer {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub instance_url: String,
    /// `https://{login host}/id/{organisation}/{user}`.
    pub id: Option<String>,
    pub token_type: Option<String>,
}

/// One error of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRow {
    pub code: String,
    pub message: String,
    pub fields: Vec<String>,
}

/// The errors that a body tells of: an array of them, or one; none where the body is something else. Rows and
/// collections spell the code in two ways, and what else is in a row may be missing or null.
pub fn error_rows(body: &Value) -> Vec<ErrorRow> {
    match body {
        Value::Array(rows) => rows.iter().filter_map(error_row).collect(),
        row => error_row(row).into_iter().collect(),
    }
}

fn error_row(row: &Value) -> Option<ErrorRow> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let fields = row.get("fields").and_then(Value::as_array);
    Some(ErrorRow {
        code: text("errorCode").or_else(|| text("statusCode"))?,
        message: text("message").unwrap_or_default(),
        fields: fields.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

/// What stands between a query that an error repeats and what is wrong with it.
const PLACE: &str = "ERROR at Row:";

impl ErrorRow {
    /// Whether the row names the field. Where a column is missing, only the text tells which, as an identifier among
    /// words of any language.
    pub fn names(&self, field: &str) -> bool {
        // Before the place and the sentence a query's error repeats the query, in which its other columns stand, too.
        let said = self.message.rsplit_once(PLACE).map_or(self.message.as_str(), |(_, said)| said);
        let mut words = said.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        self.fields.iter().any(|named| named.eq_ignore_ascii_case(field))
            || (self.fields.is_empty() && words.any(|word| word.eq_ignore_ascii_case(field)))
    }
}
