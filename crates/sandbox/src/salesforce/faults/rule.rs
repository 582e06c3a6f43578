//! What a fault rule says.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers `status` with `body` instead of doing anything.
    Status,
    /// Answers late, by `delay_ms`.
    Slow,
    /// Does it, then drops the connection.
    AppliedAnswerLost,
    /// Drops the connection before doing anything.
    LostRequest,
    /// Answers 401 `INVALID_SESSION_ID`.
    ExpiredToken,
    /// Answers 403 `REQUEST_LIMIT_EXCEEDED`.
    DailyLimit,
    /// Does it, then cuts the answer's body short.
    Truncated,
    /// One record fails with `UNABLE_TO_LOCK_ROW`.
    RowLock,
    /// One record fails with `FIELD_CUSTOM_VALIDATION_EXCEPTION`.
    Partial,
}

impl FaultKind {
    /// Whether it strikes single records rather than requests.
    pub fn strikes_rows(self) -> bool {
        matches!(self, Self::RowLock | Self::Partial)
    }
}

/// What the body of a `Status` fault looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultBody {
    /// Salesforce's error array.
    #[default]
    Json,
    /// A page, as an edge server sends.
    Html,
    Empty,
}

/// Which requests go wrong, how and how often. Without `probability`, `every` or `next`: all that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    pub kind: FaultKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the path begins with; without it, everything under `/services`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// An object: named in the path, or written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Every so-manieth match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// So many times, then never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default)]
    pub body: FaultBody,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

impl FaultRule {
    /// A rule that strikes every request.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            path: None,
            object: None,
            probability: None,
            seed: None,
            every: None,
            next: None,
            status: None,
            body: FaultBody::Json,
            delay_ms: None,
        }
    }

    pub(super) fn matches(&self, method: &str, path: &str) -> bool {
        let under = path.starts_with(self.path.as_deref().unwrap_or("/services"));
        let named = |object: &String| path.split('/').any(|part| part.eq_ignore_ascii_case(object));
        under
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.object.as_ref().is_none_or(named)
    }

    pub(super) fn matches_object(&self, object: &str) -> bool {
        self.object.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(object))
    }
}
