//! What has been asked of the org: counts by endpoint, and the last requests. Bounded.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// Requests that are remembered one by one.
const KEPT: usize = 200;
/// Endpoints that are counted apart; further ones share a line.
const MAX_ENDPOINTS: usize = 500;

/// One request as it was answered.
#[derive(Debug, Clone, Serialize)]
pub struct CallEntry {
    /// Counts the requests from 1.
    pub number: u64,
    pub at: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    /// By the org's clock, delay included.
    pub ms: u64,
    pub subrequests: usize,
    /// `Sforce-Auto-Assign` as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_assign: Option<String>,
    /// The fault that struck, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Counts and the last requests.
#[derive(Debug, Default, Clone, Serialize)]
pub struct CallLog {
    pub total: u64,
    pub by_endpoint: BTreeMap<String, u64>,
    pub recent: VecDeque<CallEntry>,
}

impl CallLog {
    pub(super) fn note(&mut self, entry: CallEntry) {
        self.total += 1;
        let mut name = endpoint(&entry.method, &entry.path);
        if self.by_endpoint.len() >= MAX_ENDPOINTS && !self.by_endpoint.contains_key(&name) {
            name = "other".into();
        }
        *self.by_endpoint.entry(name).or_insert(0) += 1;
        if self.recent.len() >= KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(entry);
    }
}

/// `PATCH sobjects/Contact/{id}`: the path without what differs from record to record.
fn endpoint(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/services/data/") else { return format!("{method} {path}") };
    let parts: Vec<&str> = rest.split('/').skip(1).filter(|part| !part.is_empty()).collect();
    let named = match parts.as_slice() {
        ["sobjects", object, "describe" | "updated" | "deleted"] => format!("sobjects/{object}/{}", parts[2]),
        ["sobjects", object, _] => format!("sobjects/{object}/{{id}}"),
        ["sobjects", object, field, ..] => format!("sobjects/{object}/{field}/{{value}}"),
        ["jobs", kind, _] => format!("jobs/{kind}/{{id}}"),
        ["jobs", kind, _, part] => format!("jobs/{kind}/{{id}}/{part}"),
        ["query" | "queryAll", _] => format!("{}/{{locator}}", parts[0]),
        [] => "versions".to_owned(),
        parts => parts.join("/"),
    };
    format!("{method} {named}")
}
