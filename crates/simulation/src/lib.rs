//! The whole product against imitation orgs in one thread under virtual time, with faults drawn from a seed. The same
//! seed gives the same journal, byte for byte.
//!
//! Absent on purpose: sockets, real time, real chance, threads within a run. The product's own code is what runs; only
//! its clock, its chance, its network and the door to its database are the simulation's.

mod bodies;
pub mod calendars;
mod calm;
mod campaign;
mod checks;
mod clock;
mod dice;
mod door;
mod fate;
mod faults;
mod life;
mod log;
mod network;
mod orgs;
mod people;
mod post;
mod process;
pub mod records;
mod run;
mod sim;
mod skew;
mod stage;
mod story;
mod threads;
mod troubles;
mod watch;

pub use campaign::{Campaign, Failure, Totals, shrink};
pub use faults::{Fault, FaultSet, Fired};
pub use run::{Options, Report, check, play, run};
pub use sim::{Reached, Violation};
pub use story::Story;

#[cfg(test)]
mod tests;
