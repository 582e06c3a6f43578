//! Every refusal and failure as an answer: `application/problem+json` with a stable code. What happened inside stays
//! in the log, under the same trace id.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;

/// The pause that is asked for where the store does not say how long it will be busy.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

macro_rules! codes {
    ($($name:ident = $text:literal, $status:ident, $title:literal;)*) => {
        /// What went wrong, as a client may branch on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name),* }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Code] = &[$(Code::$name),*];

            /// The stable word.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status),* }
            }

            pub(crate) fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }
        }

        /// The page that says what to do about a code.
        pub(crate) fn page(code: &str) -> Option<&'static str> {
            match code {
                $($text => Some(include_str!(concat!("../../../docs/errors/", $text, ".md"))),)*
                _ => None,
            }
        }
    };
}

codes! {
    NotFound = "not-found", NOT_FOUND, "There is nothing here";
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "This address does not take that method";
    Unauthorised = "unauthorised", UNAUTHORIZED, "The token is missing, wrong or has run out";
    OutOfScope = "out-of-scope", FORBIDDEN, "This token may only read";
    BadSignature = "bad-signature", UNAUTHORIZED, "The webhook's signature was not accepted";
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, "The body took too long to arrive";
    BadParameter = "bad-parameter", BAD_REQUEST, "A parameter cannot be understood";
    UnreadableBooking = "unreadable-booking", UNPROCESSABLE_ENTITY, "The body is no booking message";
    UnreadableRequest = "unreadable-request", UNPROCESSABLE_ENTITY, "The body cannot be understood";
    AgreementMissing = "agreement-missing", CONFLICT, "Nobody has agreed yet that people's data travels";
    NotActive = "not-active", CONFLICT, "The integration is not active";
    UnusableIntegration = "unusable-integration", UNPROCESSABLE_ENTITY, "The integration cannot work as it is written";
    Outdated = "outdated", CONFLICT, "Somebody else changed it meanwhile";
    NotPaused = "not-paused", CONFLICT, "The integration is active";
    ConfiguredInFile = "configured-in-file", CONFLICT, "The configuration file has an integration of this name";
    Busy = "busy", CONFLICT, "Another round is under way";
    AccountUnavailable = "account-unavailable", BAD_GATEWAY, "An account cannot be asked right now";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "More comes in than can be taken in right now";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The database does not answer right now";
    TooManyAttempts = "too-many-attempts", TOO_MANY_REQUESTS, "Too many failed sign-ins";
    CrossSite = "cross-site", FORBIDDEN, "The request came from another site or an old page";
    OauthState = "oauth-state", BAD_REQUEST, "This authorisation was not begun here, or is used up";
    OauthFailed = "oauth-failed", BAD_GATEWAY, "The vendor did not grant access";
    DryRunFailed = "dry-run-failed", BAD_GATEWAY, "What the message would do could not be worked out";
    NotConnectable = "not-connectable", BAD_REQUEST, "This connection is not made in the browser";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side";
}

/// An answer that says no.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    /// One sentence for the caller, without anything from inside.
    pub(crate) detail: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Where the sender needs another status to do the right thing.
    pub(crate) status: StatusCode,
}

/// The body of an answer that says no (RFC 9457).
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    /// Stable; branch on this.
    pub(crate) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) detail: Option<String>,
    /// Find the cause in the server's log by this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) trace: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: None, trace: None, retry_after: None, status: code.status() }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Answers with the sender's own way of saying "later".
    pub(crate) fn later(mut self, status: u16, wait: Duration) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        self.retry_after = Some(wait);
        self
    }

    /// What a failing store means for the caller; the cause goes to the log under a trace id.
    pub(crate) fn store(shared: &Shared, error: &syncline_store::Error) -> Self {
        use syncline_store::Error;
        let trace = shared.trace_id();
        let problem = match error {
            Error::Busy | Error::Locked => Problem::new(Code::Overloaded).later(503, RETRY_AFTER),
            Error::Unavailable(_) => Problem::new(Code::Unavailable).later(503, RETRY_AFTER),
            Error::WrongKey(_) | Error::Corrupt(_) | Error::Other(_) => Problem::new(Code::Internal),
        };
        if problem.code == Code::Internal {
            tracing::error!(%trace, %error, "The store failed");
        } else {
            tracing::warn!(%trace, %error, "The store cannot take this on now");
        }
        Self { trace: Some(trace), ..problem }
    }

    pub(crate) fn body(&self) -> ProblemBody {
        ProblemBody {
            kind: format!("/docs/errors/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.status.as_u16(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            trace: self.trace.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).expect("texts and numbers are always JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(wait) = self.retry_after {
            // Rounded up: a sender that comes too early would be refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.code == Code::Unauthorised {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
