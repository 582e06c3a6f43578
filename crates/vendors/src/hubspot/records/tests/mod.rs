//! Bookings: pure parts, and calls against the sandbox.

mod lab;
mod logged;
mod looking;
mod pure;
mod recent;
mod writing;
