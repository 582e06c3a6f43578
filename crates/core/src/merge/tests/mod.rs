//! The merge as promises over every combination of base, left and right, and over small worlds in which everything
//! goes wrong.

mod brake;
mod check;
mod consent;
mod ends;
mod invariants;
mod marks;
mod record_level;
mod relations;
mod stories;
mod table;
mod world;
