//! Bookings: pure parts, and calls against the sandbox.

mod lab;
mod looking;
mod pure;
mod writing;
