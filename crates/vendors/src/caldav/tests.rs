//! Whole readings and writes: against servers that others wrote, and against answers that are made up.

mod answers;
mod invites;
mod parts;
mod servers;
mod world;
mod writes;
