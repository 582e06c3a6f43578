//! The campaign's command line.

use syncline_simulation::{Options, check};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let from: u64 = args.get(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let count: u64 = args.get(2).and_then(|text| text.parse().ok()).unwrap_or(1);
    for seed in from..from + count {
        let report = check(seed, &Options { trace: count == 1, ..Options::default() });
        if count == 1 {
            println!("{}", report.trace);
        }
        for violation in &report.violations {
            println!("seed {seed}: {} {}", violation.invariant, violation.text);
        }
    }
}
