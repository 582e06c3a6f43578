//! Records in step, simulated: one seed is a small company with a CRM in the middle and tools around it, whose people edit,
//! add, delete, merge and convert wherever they are, while everything goes wrong that may. In the end all accounts say the
//! same, and nothing was lost without a word.
//!
//! Absent on purpose: bookings. Clock, chance, gate, network and faults are those of the rest of this crate.

mod accounts;
mod acts;
mod calm;
mod campaign;
mod checks;
mod company;
mod deals;
mod fact;
mod ledger;
mod plot;
mod process;
mod run;
mod wires;

pub use self::{
    campaign::{Campaign, Totals},
    plot::Trouble,
    run::{Options, Report, run},
};

#[cfg(test)]
mod tests;
