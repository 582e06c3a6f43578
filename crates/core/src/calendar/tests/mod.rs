//! The calendar's core, attacked.

mod alone;
mod assemble;
mod canon;
mod doubt;
mod eligible;
mod engine;
mod identity;
mod letters;
mod limits;
mod look;
mod meetings;
mod privacy;
mod recur;
mod rules;
mod series;
mod walk;
mod world;
mod zone;

use crate::cases::cases;
