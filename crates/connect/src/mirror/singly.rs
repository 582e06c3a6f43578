//! Rows that are written one by one, and what becomes of those after one that failed.

use syncline_core::ids::RecordId;

use super::{RowOutcome, Written};
use crate::{Error, ErrorKind};

/// Outcomes of rows that are written one after the other, in their order. After an error that every further call would meet
/// nothing more is sent.
#[derive(Debug, Default)]
pub struct Singly {
    outcomes: Vec<RowOutcome>,
    /// Why nothing further is sent.
    halted: Option<Error>,
    /// Whether an answer has come for any row, or may have.
    is_heard: bool,
}

impl Singly {
    /// Whether the next row may be sent; where not, what stands in its way is its outcome.
    pub fn goes_on(&mut self) -> bool {
        let halted = self.halted.clone();
        let goes_on = halted.is_none();
        self.outcomes.extend(halted.map(RowOutcome::Refused));
        goes_on
    }

    /// The next row cannot be sent as it is.
    pub fn refused(&mut self, error: Error) {
        self.outcomes.push(RowOutcome::Refused(error));
    }

    /// What was said of the next row, of which a part may have been written before (`begun`).
    pub fn said(&mut self, said: Result<RecordId, Error>, begun: bool) {
        let error = match said {
            Ok(id) => {
                self.is_heard = true;
                return self.outcomes.push(RowOutcome::Done { id });
            }
            Err(error) => error,
        };
        let is_unknown = error.kind == ErrorKind::UnknownOutcome;
        let is_unsure = begun || is_unknown;
        if error.meets_every_call() {
            let kind = if is_unknown { ErrorKind::Unavailable } else { error.kind };
            self.halted = Some(Error { kind, ..error.clone() });
        }
        self.is_heard |= is_unsure || self.halted.is_none();
        self.outcomes.push(if is_unsure { RowOutcome::Unknown(error) } else { RowOutcome::Refused(error) });
    }

    /// The outcomes; `Err` where nothing can have been written.
    pub fn end(self) -> Result<Written, Error> {
        match self.halted {
            Some(halted) if !self.is_heard => Err(halted),
            _ => Ok(Written::Rows(self.outcomes)),
        }
    }
}
