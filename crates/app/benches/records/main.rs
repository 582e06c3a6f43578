//! What records in step cost: `cargo bench -p syncline --bench records`.
//!
//! Calls, idle rounds, few changes and the ratio to a client without an engine are measured with the engine in this
//! process, on SQLite in a file, against imitation accounts that are called as functions, under a clock that is moved by
//! hand: the vendors' pace does not count. The first load is made by the real executable over sockets. Words behind `--`
//! choose parts, a number the size: `cargo bench -p syncline --bench records -- calls idle 2000`. Under `cargo test` the
//! same code runs with a few people, so that it cannot rot.

mod calls;
mod desk;
mod load;
mod net;

use std::time::Duration;

/// How many people.
struct Sizes {
    /// Changed at once, in the figures that are given per 10,000.
    changed: usize,
    /// On both sides while nothing or little changes.
    idle: [usize; 2],
    /// Changed among many.
    few: usize,
    /// Of a first load, to see what grows with it.
    load: [usize; 2],
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--bench");
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let asked = words.iter().find_map(|word| word.parse::<usize>().ok());
    let sizes = match (asked, full) {
        (Some(size), _) => Sizes { changed: size, idle: [size, size * 10], few: 50.min(size), load: [size, size * 10] },
        (None, true) => Sizes { changed: 10_000, idle: [10_000, 100_000], few: 50, load: [10_000, 100_000] },
        (None, false) => Sizes { changed: 30, idle: [20, 40], few: 5, load: [20, 40] },
    };
    if !full {
        println!("A few records, to see that the benchmark works; these are no figures.");
    }
    let parts: Vec<&String> = words.iter().filter(|word| word.parse::<usize>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    println!("{:<74} {:>22}   goal", "figure", "measured");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if wanted("calls") {
        runtime.block_on(calls::per_changes(sizes.changed));
    }
    if wanted("few") {
        runtime.block_on(calls::few(sizes.changed, sizes.few));
    }
    if wanted("idle") {
        runtime.block_on(calls::idle(sizes.idle));
    }
    if wanted("engine") {
        runtime.block_on(calls::beside_bare(sizes.changed));
    }
    if wanted("load") {
        load::first(sizes.load);
    }
}

fn row(figure: &str, measured: impl std::fmt::Display, goal: &str) {
    println!("{figure:<74} {measured:>22}   {goal}");
}

/// What this process has used of the processor, all threads together.
fn cpu() -> Duration {
    load::ticks(11, 12)
}
