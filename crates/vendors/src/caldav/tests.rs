//! Whole readings: against servers that others wrote, and against answers that are made up.

mod answers;
mod parts;
mod servers;
mod world;
