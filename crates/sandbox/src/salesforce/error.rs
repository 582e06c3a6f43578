//! Salesforce's errors: a code, a sentence, and the fields at fault; and the HTTP status that goes with a code.

use serde_json::{Value, json};

/// One refused operation, as every REST resource reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub code: &'static str,
    pub message: String,
    /// Absent for errors about the request, present (even if empty) for errors about a record.
    pub fields: Option<Vec<String>>,
    /// When the status is not the one that the code usually has.
    pub status: Option<u16>,
    /// A member that only this kind of error has, such as the duplicates that were found.
    pub detail: Option<Box<(&'static str, Value)>>,
}

pub type Outcome<T> = Result<T, ApiError>;

impl ApiError {
    /// An error about the request as a whole.
    pub fn request(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: None, status: None, detail: None }
    }

    /// An error about a record that was to be written.
    pub fn record(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|f| (*f).to_owned()).collect();
        Self { code, message: message.into(), fields: Some(fields), status: None, detail: None }
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub fn with_detail(mut self, name: &'static str, value: Value) -> Self {
        self.detail = Some(Box::new((name, value)));
        self
    }

    pub fn not_found() -> Self {
        Self::request("NOT_FOUND", "The requested resource does not exist")
    }

    pub fn no_external_id(name: &str) -> Self {
        let message = format!("Provided external ID field does not exist or is not accessible: {name}");
        Self::request("NOT_FOUND", message)
    }

    pub fn deleted() -> Self {
        Self::record("ENTITY_IS_DELETED", "entity is deleted", &[])
    }

    pub fn bad_reference() -> Self {
        Self::record("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])
    }

    pub fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        Self::request("METHOD_NOT_ALLOWED", message)
    }

    pub fn http_status(&self) -> u16 {
        self.status.unwrap_or(match self.code {
            "NOT_FOUND" | "ENTITY_IS_DELETED" => 404,
            "INVALID_SESSION_ID" => 401,
            "REQUEST_LIMIT_EXCEEDED" | "API_DISABLED_FOR_ORG" => 403,
            "METHOD_NOT_ALLOWED" => 405,
            "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE" => 412,
            "URI_TOO_LONG" => 414,
            "UNSUPPORTED_MEDIA_TYPE" => 415,
            "UNKNOWN_EXCEPTION" => 500,
            "SERVER_UNAVAILABLE" => 503,
            _ => 400,
        })
    }

    /// The element of a REST error array.
    pub fn rest(&self) -> Value {
        let mut out = match &self.fields {
            Some(fields) => json!({"message": self.message, "errorCode": self.code, "fields": fields}),
            None => json!({"message": self.message, "errorCode": self.code}),
        };
        self.tell_detail(&mut out);
        out
    }

    /// The element of `errors` in a row of a collections answer.
    pub fn row(&self) -> Value {
        let fields = self.fields.as_deref().unwrap_or_default();
        let mut out = json!({"statusCode": self.code, "message": self.message, "fields": fields});
        self.tell_detail(&mut out);
        out
    }

    fn tell_detail(&self, out: &mut Value) {
        if let Some((name, value)) = self.detail.as_deref() {
            out[*name] = value.clone();
        }
    }
}
