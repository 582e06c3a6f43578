//! The merge as promises over every combination of base, left and right.

mod table;
