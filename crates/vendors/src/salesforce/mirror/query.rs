//! The queries that records in step need, as values, and their text. Pure.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;
use syncline_core::ids::RecordId;

use crate::salesforce::soql::{ApiName, Literal, Path, joined};

/// Which rows, in an order in which the next page can be asked for by the last row of this one.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// All rows by id, from behind this one on.
    All { after: Option<RecordId> },
    /// What changed since a moment, by change.
    Since(Timestamp),
    /// The rest of what changed before `until`: what lies behind a row.
    Behind { stamp: Timestamp, after: RecordId, until: Timestamp },
    /// Rows whose field has one of the values.
    In(ApiName, Vec<Literal>),
}

/// One query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query<'a> {
    pub object: &'a ApiName,
    pub columns: &'a [Path],
    pub which: Which,
    pub limit: Option<usize>,
}

impl Display for Query<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        joined(f, self.columns, ",")?;
        write!(f, " FROM {}", self.object)?;
        match &self.which {
            Which::All { after: None } => f.write_str(" ORDER BY Id")?,
            Which::All { after: Some(after) } => write!(f, " WHERE Id > {} ORDER BY Id", text(after))?,
            Which::Since(since) => {
                write!(f, " WHERE SystemModstamp >= {} ORDER BY SystemModstamp, Id", Literal::Time(*since))?;
            }
            Which::Behind { stamp, after, until } => {
                let (stamp, until) = (Literal::Time(*stamp), Literal::Time(*until));
                write!(
                    f,
                    " WHERE SystemModstamp >= {stamp} AND SystemModstamp < {until} \
                     AND (SystemModstamp > {stamp} OR Id > {}) ORDER BY SystemModstamp, Id",
                    text(after)
                )?;
            }
            Which::In(field, values) => {
                write!(f, " WHERE {field} IN (")?;
                joined(f, values, ",")?;
                f.write_str(")")?;
            }
        }
        match self.limit {
            Some(limit) => write!(f, " LIMIT {limit}"),
            None => Ok(()),
        }
    }
}

fn text(id: &RecordId) -> Literal {
    Literal::Text(id.as_str().to_owned())
}
