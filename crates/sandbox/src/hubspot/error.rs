//! What is refused, in HubSpot's words: one error body for whole requests, and the same as a row of a batch.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use crate::web::json as answer;

/// One thing that is wrong with a request.
#[derive(Debug, Clone)]
pub(super) struct Detail {
    pub(super) message: String,
    pub(super) code: &'static str,
    pub(super) property: String,
}

/// Why a request, or a row of a batch, is refused.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) category: &'static str,
    pub(super) message: String,
    pub(super) details: Vec<Detail>,
    pub(super) context: Vec<(&'static str, Vec<String>)>,
    pub(super) sub_category: Option<&'static str>,
    /// Members that only this error has.
    pub(super) extra: Option<Box<Map<String, Value>>>,
}

impl Failure {
    pub(super) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            category,
            message: message.into(),
            details: Vec::new(),
            context: Vec::new(),
            sub_category: None,
            extra: None,
        }
    }

    pub(super) fn with(mut self, key: &'static str, values: Vec<String>) -> Self {
        self.context.push((key, values));
        self
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// The list of what is wrong stands twice: as text within the message, and as `errors`.
    pub(super) fn properties(details: Vec<Detail>) -> Self {
        let listed: Vec<Value> = details
            .iter()
            .map(|one| {
                json!({"isValid": false, "message": one.message, "error": one.code, "name": one.property,
                       "localizedErrorMessage": one.message})
            })
            .collect();
        let message = format!("Property values were not valid: {}", Value::from(listed));
        Self { details, ..Self::invalid(message) }
    }

    /// The message is the only place that names the record which is in the way.
    pub(super) fn contact_exists(id: u64) -> Self {
        Self::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {id}"))
    }

    /// Several records at once that are not there.
    pub(super) fn some_missing(singular: &str, ids: Vec<String>) -> Self {
        let message =
            format!("Could not get some {} objects, they may be deleted or not exist", singular.to_uppercase());
        Self::new(404, "OBJECT_NOT_FOUND", message).with("ids", ids)
    }

    fn common(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("status".into(), "error".into());
        body.insert("message".into(), self.message.clone().into());
        if !self.details.is_empty() {
            let errors = self.details.iter().map(
                |one| json!({"message": one.message, "code": one.code, "context": {"propertyName": [one.property]}}),
            );
            body.insert("errors".into(), errors.collect());
        }
        if !self.context.is_empty() {
            let context: Map<String, Value> =
                self.context.iter().map(|(key, values)| ((*key).to_owned(), json!(values))).collect();
            body.insert("context".into(), context.into());
        }
        if let Some(sub_category) = self.sub_category {
            body.insert("subCategory".into(), sub_category.into());
        }
        // The limits' answers by the documents have a policy instead.
        if !self.category.is_empty() {
            body.insert("category".into(), self.category.into());
        }
        body.extend(self.extra.as_deref().cloned().unwrap_or_default());
        body
    }

    /// The answer to a whole request.
    pub(super) fn response(&self, correlation: &str) -> Response<Bytes> {
        let mut body = self.common();
        body.insert("correlationId".into(), correlation.into());
        answer(self.status, &body.into())
    }

    /// One row of `errors` in the answer to a batch.
    pub(super) fn row(&self) -> Value {
        let mut body = self.common();
        for empty in ["context", "links"] {
            body.entry(empty).or_insert_with(|| json!({}));
        }
        body.entry("errors").or_insert_with(|| json!([]));
        body.into()
    }
}
