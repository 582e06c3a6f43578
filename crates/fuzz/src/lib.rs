//! What outsiders may send, aimed at the product: a fuzz target each for its parsers of outside bytes.
//!
//! A target is a function of bytes that panics where a promise breaks. libFuzzer drives it (see `fuzz/README.md` at the
//! root), and so does a test here, with the committed corpus and mutations of it, so that no target can rot. Nothing in
//! the product depends on this crate.

mod answers;
mod calendars;
pub mod drive;
mod expression;
mod intake;
mod mutate;
mod person;
mod queries;
mod server;
mod world;

#[cfg(test)]
mod tests;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also the name of its corpus in `fuzz/corpus`.
    pub name: &'static str,
    /// A further corpus, from the root of the project.
    pub more: Option<&'static str>,
    run: fn(&[u8]),
}

impl Target {
    /// Runs the target over these bytes; panics where a promise is broken.
    pub fn run(&self, bytes: &[u8]) {
        (self.run)(bytes);
    }
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, more: None, run }
}

const fn source(name: &'static str, more: &'static str, run: fn(&[u8])) -> Target {
    Target { name, more: Some(more), run }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    source("calcom", "crates/vendors/src/calcom/fixtures", |bytes| intake::read("calcom", bytes)),
    source("calendly", "crates/vendors/src/calendly/fixtures", |bytes| intake::read("calendly", bytes)),
    source("generic", "crates/vendors/src/generic/fixtures", |bytes| intake::read("generic", bytes)),
    source("meetergo", "crates/vendors/src/meetergo/fixtures", |bytes| intake::read("meetergo", bytes)),
    target("signatures", intake::signatures),
    target("told", intake::told),
    target("token_answer", answers::token),
    target("find_answer", answers::find),
    target("write_answer", answers::write),
    target("soql", queries::soql),
    target("expression", expression::expression),
    source("events", "crates/vendors/src/caldav/ics/tests/corpus", calendars::events),
    target("person", person::normalise),
    source("hook", "crates/vendors/src/generic/fixtures", server::hook),
    target("paging", server::paging),
    target("session", server::session),
];

/// The target of this name.
pub fn by_name(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
