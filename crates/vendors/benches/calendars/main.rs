//! What reading calendars costs: `cargo bench -p syncline-vendors --bench calendars`.
//!
//! A collection is read by us and by vdirsyncer from the same server in the same run (`beside`), and the imitation accounts
//! of the other vendors by us (`imitations`), each time in a process of its own. Words behind `--` choose parts, a number the size:
//! `cargo bench -p syncline-vendors --bench calendars -- beside 1000`. vdirsyncer is installed by
//! `crates/sandbox/clients/install`. Under `cargo test` a few events are read, so that it cannot rot.

mod beside;
mod collection;
mod events;
mod imitations;
mod reading;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(task) = reading::Task::of(&args) {
        let said = reading::read(&task);
        println!("{}", serde_json::to_string(&said).expect("numbers can be written"));
        return;
    }
    let full = args.iter().any(|arg| arg == "--bench");
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let asked = words.iter().find_map(|word| word.parse::<usize>().ok());
    let (size, times) = if full { (asked.unwrap_or(5_000), 5) } else { (20, 1) };
    if !full {
        println!("A few events, to see that the benchmark works; these are no figures.");
    }
    let parts: Vec<&&String> = words.iter().filter(|word| word.parse::<usize>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| **word == part);
    println!("{:<74} {:>28}   goal", "figure", "measured");
    if wanted("beside") {
        beside::beside(size, times);
    }
    if wanted("imitations") {
        imitations::both(size, times);
    }
}

fn row(figure: &str, measured: impl std::fmt::Display, goal: &str) {
    println!("{figure:<74} {measured:>28}   {goal}");
}

/// The most memory that a process ever had resident, where the system tells.
fn peak_kb(process: &str) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
