//! The product as a whole: the real executable as a process, over real sockets, on real databases, against the sandbox.

mod before;
mod commands;
mod kill;
mod lab;
mod people;
mod polls;
mod story;
