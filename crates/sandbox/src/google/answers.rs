//! What is refused, in the shape of Google's errors. The words are this project's own.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::{faults::Refusal, web::json as answer};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) domain: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// The kind of place and its name, such as a header.
    pub(super) place: Option<(&'static str, String)>,
}

pub(super) type Answer = Result<Response<Bytes>, Refused>;

impl Refused {
    pub(super) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, domain: "global", reason, message: message.into(), place: None }
    }

    pub(super) fn of(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }

    fn at(self, kind: &'static str, name: &str) -> Self {
        Self { place: Some((kind, name.to_owned())), ..self }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    pub(super) fn parameter(name: &str) -> Self {
        Self::new(400, "invalidParameter", format!("Invalid value for {name}")).at("parameter", name)
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "notFound", "Not Found")
    }

    pub(super) fn deleted() -> Self {
        Self::new(410, "deleted", "Resource has been deleted")
    }

    pub(super) fn full_sync() -> Self {
        Self::new(410, "fullSyncRequired", "The sync token is no longer good; a full synchronisation is needed.")
            .of("calendar")
            .at("parameter", "syncToken")
    }

    pub(super) fn precondition() -> Self {
        Self::new(412, "conditionNotMet", "Precondition Failed").at("header", "If-Match")
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "authError", "Invalid Credentials").at("header", "Authorization")
    }

    pub(super) fn scope() -> Self {
        Self::new(403, "insufficientPermissions", "Insufficient Permission: the token lacks a scope")
    }

    pub(super) fn not_organizer() -> Self {
        Self::new(
            403,
            "forbiddenForNonOrganizer",
            "Shared properties can only be changed by the organizer of the event.",
        )
        .of("calendar")
    }

    pub(super) fn not_writer() -> Self {
        Self::new(403, "requiredAccessLevel", "You need to have writer access to this calendar.").of("calendar")
    }

    pub(super) fn limited(status: u16, whole_project: bool) -> Self {
        let reason = if whole_project { "rateLimitExceeded" } else { "userRateLimitExceeded" };
        Self::new(status, reason, "Rate Limit Exceeded").of("usageLimits")
    }

    pub(super) fn response(&self) -> Response<Bytes> {
        let mut row = json!({"domain": self.domain, "reason": self.reason, "message": self.message});
        if let Some((kind, name)) = &self.place {
            row["locationType"] = (*kind).into();
            row["location"] = name.as_str().into();
        }
        let mut error = json!({"errors": [row], "code": self.status, "message": self.message});
        if let Some(status) = match self.status {
            401 => Some("UNAUTHENTICATED"),
            403 if self.reason == "insufficientPermissions" => Some("PERMISSION_DENIED"),
            _ => None,
        } {
            error["status"] = status.into();
        }
        answer(self.status, &json!({"error": error}))
    }
}

/// What is answered because of a fault.
pub(super) fn refuse(refusal: Refusal) -> Response<Bytes> {
    let refused = match refusal {
        Refusal::Unauthorized => Refused::unauthorized(),
        Refusal::Limited => Refused::limited(403, false),
        Refusal::Status(410) => Refused::full_sync(),
        Refusal::Status(412) => Refused::precondition(),
        Refusal::Status(404) => Refused::not_found(),
        Refusal::Status(429) => Refused::limited(429, true),
        Refusal::Status(403) => Refused::new(403, "quotaExceeded", "Calendar usage limits exceeded.").of("usageLimits"),
        Refusal::Status(status) => Refused::new(status, "backendError", "Backend Error"),
        Refusal::FailedInBody => Refused::new(500, "backendError", "Backend Error"),
    };
    refused.response()
}

/// A member that must be a text where it is there at all.
pub(super) fn text<'a>(body: &'a serde_json::Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::invalid(format!("Invalid value for: {name}"))),
    }
}
