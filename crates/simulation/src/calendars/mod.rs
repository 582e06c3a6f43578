//! Calendars on the timelines of a CRM, simulated: one seed is a small office whose people meet, move, call off, hide and
//! repeat, at two vendors that mail each other, while everything goes wrong that may. In the end every meeting that belongs
//! there is in the CRM once, and nothing private is.
//!
//! Absent on purpose: bookings and records in step. Clock, chance, gate, network and faults are those of the rest of this
//! crate.

mod acts;
mod back;
mod book;
mod calm;
mod campaign;
mod checks;
mod crm;
mod ledger;
mod notices;
mod office;
mod plot;
mod process;
mod run;
mod wires;
mod zones;

pub use self::{
    campaign::{Campaign, Totals},
    plot::Trouble,
    run::{Options, Report, run},
};

#[cfg(test)]
mod tests;
