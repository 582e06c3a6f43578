//! Calendars, purely: which meeting an event is a copy of, whether it may be known in the CRM, which occurrences of a
//! series there are, and what copies, CRM and calendar come to together.
//!
//! No calendar is asked here and nothing is stored: a copy of an event is a value ([`event::Event`]), and so is every
//! verdict about it.

pub mod assemble;
pub mod canon;
pub mod eligible;
pub mod event;
pub mod identity;
pub mod limits;
pub mod look;
pub mod meeting;
pub mod privacy;
pub mod recur;
pub mod series;
pub mod zone;

#[cfg(test)]
mod tests;
