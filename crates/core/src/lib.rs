//! The pure middle of Syncline: what to write, to whom, and why, worked out from plain values.
//!
//! Nothing here waits, fails for outside reasons, reads a clock or rolls a die: no async, no HTTP, no SQL, no vendor
//! and no wire format. Time and chance come in through [`Clock`] and [`Entropy`].

pub mod effects;

pub use effects::{Clock, Entropy};
