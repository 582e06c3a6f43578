//! Two records that are one thing: what changed on either side since both last agreed, and what each side is to be told.
//! Field by field and total: no clock, no chance, no error. Who looks, stores and sends is not known here.
//!
//! The base of a merge is a pair of images per field: each side's own form of the value at the last agreement. Because
//! both are kept, a side that shortens or rewrites what it is given never looks as if somebody had edited it.

mod base;
mod brake;
mod check;
mod consent;
mod decide;
mod draft;
mod end;
mod field;
mod flow;
mod gone;
mod mark;
mod refused;
mod relation;
mod row;
mod rule;
mod set;
#[cfg(test)]
mod tests;

pub use self::{
    base::{Base, Told},
    brake::{DELETES_FREE, DELETES_PERCENT, DELETES_WITHIN, too_many_deletes},
    check::{Finding, Weight, check_pair, check_relations},
    consent::{OptIn, OptedIn, Proof, opt_in_key, opt_in_source_key},
    decide::{Case, Decision, Fate, Known, Successor, Tie, decide, shown},
    draft::{Dropped, EndDraft, KindFacts, PairDraft, RULES_MAX, RuleDraft},
    end::{ENTRY_SEPARATOR, End, PHONE_DIGITS_MAX, PHONE_DIGITS_MIN, set_entries, set_text},
    field::{Conflict, Evidence, Hold, HoldKind, Merged, merge_field},
    flow::{Flow, KindSettings, PairSettings, Select, WhenDeleted, own_key, read_key, time_key},
    mark::{MarkDraft, Marks, mark_key},
    refused::payload_digest,
    relation::{Counterpart, Counterparts, Named, with_told},
    row::{Change, First, Images, Pair, Row, RowMerge, first_values, merge_rows},
    rule::{Blanks, Direction, Kind, Policy, Rule, RuleKey},
};

use serde::{Deserialize, Serialize};

/// One of an integration's two sides. They are equals; `Left` is the CRM where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Left,
    Right,
}

impl Side {
    /// Both, left first.
    pub const BOTH: [Side; 2] = [Side::Left, Side::Right];

    /// The one across.
    pub fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }

    /// The word used in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
        }
    }
}
