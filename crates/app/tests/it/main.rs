//! The product as a whole: the real executable as a process, over real sockets, on real databases, against the sandbox.

mod alerts;
mod api;
mod before;
mod browser;
mod calendars;
mod chains;
mod checks;
mod commands;
mod crms;
mod hubspot;
mod kill;
mod lab;
mod mapping;
mod people;
mod plan;
mod polls;
mod privacy;
mod records;
mod story;
mod templates;
mod told;
