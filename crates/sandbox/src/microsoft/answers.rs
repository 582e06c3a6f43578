//! What is refused, in the shape of Graph's errors. The words are this project's own.

use bytes::Bytes;
use http::{Response, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    faults::Refusal,
    web::{json as answer, set},
};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Seconds after which to come again.
    pub(super) retry_after: Option<i64>,
    /// Where to go on.
    pub(super) location: Option<String>,
    /// The event that was made by the same call before.
    pub(super) existing: Option<String>,
}

pub(super) type Answer = Result<Response<Bytes>, Refused>;

/// Seconds after which to come again when too much was asked at once.
const RETRY_AFTER: i64 = 10;

impl Refused {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, location: None, existing: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ErrorInvalidRequest", message)
    }

    pub(super) fn property(name: &str) -> Self {
        Self::new(400, "ErrorInvalidPropertySet", format!("The property {name} cannot have this value."))
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
    }

    pub(super) fn denied() -> Self {
        Self::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    pub(super) fn conflict() -> Self {
        Self::new(412, "ErrorIrresolvableConflict", "The change key passed in the request does not match the item.")
    }

    pub(super) fn throttled(code: &'static str, retry_after: i64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(429, code, "Too many requests.") }
    }

    /// What was to be made was made before.
    pub(super) fn made_before(status: u16, existing: String) -> Self {
        let message = "The transactionId of this request has been used for another event.";
        Self { existing: Some(existing), ..Self::new(status, "ErrorDuplicateTransactionId", message) }
    }

    pub(super) fn body(&self, now: Timestamp, request_id: &str, client_id: &str) -> Value {
        let date = format!("{now:.0}");
        let mut error = json!({"code": self.code, "message": self.message, "innerError": {
            "date": date.trim_end_matches('Z'), "request-id": request_id, "client-request-id": client_id,
        }});
        if let Some(existing) = &self.existing {
            error["@event.existingEventId"] = existing.as_str().into();
        }
        json!({ "error": error })
    }

    pub(super) fn response(&self, now: Timestamp, request_id: &str, client_id: &str) -> Response<Bytes> {
        let mut response = answer(self.status, &self.body(now, request_id, client_id));
        if let Some(seconds) = self.retry_after {
            set(&mut response, header::RETRY_AFTER, &seconds.to_string());
        }
        if let Some(location) = &self.location {
            set(&mut response, header::LOCATION, location);
        }
        response
    }
}

/// What a fault makes of a call.
pub(super) fn faulty(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Unauthorized => Refused::unauthorized(),
        Refusal::Limited | Refusal::Status(429) => Refused::throttled("TooManyRequests", RETRY_AFTER),
        Refusal::Status(403) => Refused::denied(),
        Refusal::Status(404) => Refused::not_found(),
        Refusal::Status(410) => sync_state("SyncStateNotFound"),
        Refusal::Status(412) => Refused::conflict(),
        Refusal::Status(503) => {
            let message = "The server is busy.";
            Refused { retry_after: Some(RETRY_AFTER), ..Refused::new(503, "ErrorServerBusy", message) }
        }
        Refusal::Status(504) => Refused::new(504, "UnknownError", "The gateway timed out."),
        Refusal::Status(status) => Refused::new(status, "ErrorInternalServerError", "An internal error occurred."),
        Refusal::FailedInBody => Refused::new(500, "ErrorInternalServerError", "An internal error occurred."),
    }
}

/// The end of a delta's tokens.
pub(super) fn sync_state(code: &'static str) -> Refused {
    Refused::new(410, code, "The sync state generation is not found; a full synchronisation is needed.")
}
