//! What a fault rule says.

use serde::{Deserialize, Serialize};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Only the delay.
    Slow,
    /// Answers `status` and does nothing.
    Status,
    /// Does it, then answers `status` as if it had not.
    StatusAfter,
    /// Answers as to a caller whose credentials are not valid.
    Unauthorized,
    /// Answers as to a caller who has called too often.
    Limited,
    /// Answers with success by its status and failure in its body, and does nothing.
    FailedInBody,
    /// Drops the connection before doing anything.
    LostRequest,
    /// Does it, then drops the connection.
    LostAnswer,
    /// Does it, then cuts the answer's body short.
    Truncated,
}

/// What goes wrong, with its particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    /// The status of `Status` and `StatusAfter`.
    #[serde(default = "internal_error")]
    pub status: u16,
    /// How late the answer comes (or the connection breaks), whatever the kind.
    #[serde(default)]
    pub delay_ms: u64,
}

/// Which calls go wrong, from when on, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    #[serde(flatten)]
    pub fault: Fault,
    /// `None`: any method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the path begins with; `None`: any path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// So many matching calls go well first.
    #[serde(default)]
    pub after: u64,
    /// So many then go wrong; `None`: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

fn internal_error() -> u16 {
    500
}

impl FaultRule {
    /// The next call goes wrong in this way, once.
    pub fn next(kind: FaultKind) -> Self {
        Self { times: Some(1), ..Self::always(kind) }
    }

    /// Every call goes wrong in this way.
    pub fn always(kind: FaultKind) -> Self {
        let fault = Fault { kind, status: internal_error(), delay_ms: 0 };
        Self { fault, method: None, path: None, after: 0, times: None }
    }

    /// Only calls with this method whose path begins so.
    #[must_use]
    pub fn on(self, method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), ..self }
    }

    /// Only after so many matching calls have gone well.
    #[must_use]
    pub fn after(self, calls: u64) -> Self {
        Self { after: calls, ..self }
    }

    /// So many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// With this status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { fault: Fault { status, ..self.fault }, ..self }
    }

    /// This late.
    #[must_use]
    pub fn late(self, delay_ms: u64) -> Self {
        Self { fault: Fault { delay_ms, ..self.fault }, ..self }
    }

    pub(super) fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|wanted| path.starts_with(wanted))
    }
}
