//! Bookings as a projection: messages fold into a chain's state, the state and the admin's settings give the records
//! that should exist, and the difference from what was last written gives the steps.

pub mod ask;
pub mod chain;
pub mod check;
pub mod diff;
pub mod duplicates;
pub mod facts;
pub mod mapped;
pub mod mapping;
pub mod matching;
pub mod message;
pub mod owner;
pub mod project;
pub mod scope;
pub mod settings;
pub mod text;
pub mod unite;

mod attendees;
mod follow;
mod meeting;
mod people;
#[cfg(test)]
mod tests;
