//! What must hold, on both databases.

mod durability;
mod flow;
mod leases;
mod shared;
mod statements;
mod vault;
mod world;
