//! What must hold, on both databases.

mod flow;
mod world;
