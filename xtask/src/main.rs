//! House-keeping: `cargo xtask tidy` keeps the rules of STYLE.md that a compiler cannot, `cargo xtask promises` says which
//! promise is proven by which test, `cargo xtask supply` looks at the licences and sources of the dependencies.

mod promises;
mod supply;
mod tidy;

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let faults = tidy::check(root);
            for fault in &faults {
                eprintln!("{fault}");
            }
            println!("tidy: {} faults", faults.len());
            outcome(faults.is_empty())
        }
        Some("promises") => {
            let report = promises::check(root);
            print!("{report}");
            outcome(report.faults.is_empty())
        }
        Some("supply") => match supply::check(root) {
            Ok(found) => {
                for fault in &found.faults {
                    eprintln!("{fault}");
                }
                println!("supply: {} packages, {} faults", found.packages, found.faults.len());
                outcome(found.faults.is_empty())
            }
            Err(error) => {
                eprintln!("supply: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask tidy | promises | supply");
            ExitCode::FAILURE
        }
    }
}

fn outcome(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
