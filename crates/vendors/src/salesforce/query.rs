//! Queries that are gone through in an order in which they can go on, as values; their text, and the page that answers
//! one. Pure.

use std::fmt::{self, Display, Formatter};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::ids::RecordId;

use super::{
    classify, id,
    soql::{ApiName, Condition, Literal, Path, joined},
    wire::{ErrorRow, QueryPage, SubAnswer, error_rows},
};

/// How long a transaction may have been under way before what it did is seen: the longest that Salesforce lets a call
/// take.
/// <https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm>,
/// read 2026-11.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Rows that a query's page has at most.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_queryoptions.htm>, read 2026-11.
pub const ROWS_PER_PAGE: usize = 2_000;

/// Which rows, in an order in which the next page can be asked for by the last row of this one.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// All rows by id, from behind this one on.
    All { after: Option<RecordId> },
    /// All rows behind this one, in whatever order: a job that has to sort cannot cut its work into parts.
    Rest { after: RecordId },
    /// What changed since a moment, by change.
    Since(Timestamp),
    /// The rest of what changed, up to `until`: what lies behind a row.
    Behind { stamp: Timestamp, after: RecordId, until: Option<Timestamp> },
    /// Rows whose field has one of the values.
    In(ApiName, Vec<Literal>),
}

/// One query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query<'a> {
    pub object: &'a ApiName,
    pub columns: &'a [Path],
    pub which: Which,
    /// What every row meets besides.
    pub all: &'a [Condition],
    pub limit: Option<usize>,
}

impl Display for Query<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        joined(f, self.columns, ",")?;
        write!(f, " FROM {}", self.object)?;
        let mut conditions = self.which.conditions();
        conditions.extend(self.all.iter().map(ToString::to_string));
        if !conditions.is_empty() {
            write!(f, " WHERE {}", conditions.join(" AND "))?;
        }
        f.write_str(match self.which {
            Which::All { .. } => " ORDER BY Id",
            Which::Since(_) | Which::Behind { .. } => " ORDER BY SystemModstamp, Id",
            Which::In(..) | Which::Rest { .. } => "",
        })?;
        match self.limit {
            Some(limit) => write!(f, " LIMIT {limit}"),
            None => Ok(()),
        }
    }
}

impl Which {
    fn conditions(&self) -> Vec<String> {
        match self {
            Which::All { after: None } => Vec::new(),
            Which::All { after: Some(after) } | Which::Rest { after } => vec![format!("Id > {}", text(after))],
            Which::Since(since) => vec![format!("SystemModstamp >= {}", Literal::Time(*since))],
            Which::Behind { stamp, after, until } => {
                let stamp = Literal::Time(*stamp);
                let from = format!("SystemModstamp >= {stamp}");
                let until = until.map(|until| format!("SystemModstamp < {}", Literal::Time(until)));
                let behind = format!("(SystemModstamp > {stamp} OR Id > {})", text(after));
                [Some(from), until, Some(behind)].into_iter().flatten().collect()
            }
            Which::In(field, values) => vec![Condition::In(field.clone(), values.clone()).to_string()],
        }
    }
}

/// Why a query has no page.
pub struct NoPage {
    pub error: Error,
    /// What Salesforce said of it.
    pub rows: Vec<ErrorRow>,
}

/// The page that answers the query of this name within a composite call.
pub fn page_of(op: &'static str, answers: &[SubAnswer], reference: &str) -> Result<QueryPage, Box<NoPage>> {
    let protocol = |what: &str| {
        let error = Error::new(ErrorKind::Protocol, Retry::Backoff, op, what);
        Box::new(NoPage { error, rows: Vec::new() })
    };
    let answer = answers.iter().find(|answer| answer.reference_id == reference);
    let answer = answer.ok_or_else(|| protocol("a query was left without an answer"))?;
    if answer.http_status_code != 200 {
        let rows = error_rows(&answer.body);
        let error = classify::error_from_rows(op, answer.http_status_code, &rows);
        return Err(Box::new(NoPage { error, rows }));
    }
    serde::Deserialize::deserialize(&answer.body)
        .map_err(|_| protocol("a query's answer is not what Salesforce documents"))
}

/// When the row changed last, whoever changed it.
pub fn stamp(row: &Map<String, Json>) -> Option<Timestamp> {
    row.get("SystemModstamp").and_then(Json::as_str)?.parse().ok()
}

/// The id that a column holds.
pub fn reference(row: &Map<String, Json>, name: &str) -> Option<RecordId> {
    row.get(name).and_then(Json::as_str).and_then(id::canonical)
}

fn text(id: &RecordId) -> Literal {
    Literal::Text(id.as_str().to_owned())
}
