//! The pure middle of Syncline: what to write, to whom, and why, worked out from plain values.
//!
//! Nothing here waits, fails for outside reasons, reads a clock or rolls a die: no async, no HTTP, no SQL, no vendor
//! and no wire format. Time and chance come in through [`Clock`] and [`Entropy`].

pub mod backoff;
pub mod booking;
pub mod calendar;
#[cfg(test)]
mod cases;
pub mod description;
pub mod effects;
pub mod expr;
pub mod fit;
pub mod ids;
pub mod merge;
pub mod mutant;
pub mod pace;
pub mod person;
pub mod record;
pub mod step;

pub use effects::{Clock, Entropy};
