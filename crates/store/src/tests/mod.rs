//! What must hold, on both databases.

mod flow;
mod leases;
mod shared;
mod statements;
mod world;
