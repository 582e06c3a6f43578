//! What must hold, on both databases.

mod durability;
mod flow;
mod leases;
mod model;
mod reading;
mod shared;
mod statements;
mod vault;
mod world;
