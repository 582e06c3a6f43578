//! Searches for what changed within a span of time, in the order of change: their bodies. Pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::manifest::watermark;

/// How long a search may not know of a write.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(15);

/// Rows of a page of a search.
/// <https://developers.hubspot.com/docs/api-reference/search/guide>, read 2026-11.
pub const ROWS_PER_SEARCH: usize = 200;

/// Below the number of every record.
pub const FIRST: &str = "0";

/// When records changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span<'a> {
    /// At this moment or later.
    Since(Timestamp),
    /// From one moment to another, both included.
    Between(Timestamp, Timestamp),
    /// At one moment: by id, from behind this one on.
    At(Timestamp, &'a str),
}

impl Span<'_> {
    /// The body of the search for a page.
    pub fn search(&self, kind: &str, properties: &[&str], limit: usize) -> Json {
        let stamp = watermark(kind);
        let ms = |time: &Timestamp| time.as_millisecond().to_string();
        let (filters, sort) = match self {
            Span::Since(from) => (json!([{"propertyName": stamp, "operator": "GTE", "value": ms(from)}]), stamp),
            Span::Between(from, until) => (
                json!([{"propertyName": stamp, "operator": "BETWEEN", "value": ms(from), "highValue": ms(until)}]),
                stamp,
            ),
            Span::At(at, after) => (
                json!([
                    {"propertyName": stamp, "operator": "EQ", "value": ms(at)},
                    {"propertyName": "hs_object_id", "operator": "GT", "value": after},
                ]),
                "hs_object_id",
            ),
        };
        json!({
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": properties,
            "limit": limit,
        })
    }
}

/// The moment behind a moment, as finely as HubSpot tells them apart.
pub fn behind(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX)
}
