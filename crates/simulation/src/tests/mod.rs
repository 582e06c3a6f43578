//! What the simulation proves, and that it would notice.
//!
//! The number of seeds is `SYNCLINE_SIM_SEEDS`; without it a few, so that an ordinary test run stays short.

mod campaign;
mod matrix;
mod metamorphic;
mod same;
#[cfg(feature = "mutants")]
mod teeth;

/// Seeds of the campaign where nobody says how many.
const SEEDS: u64 = 24;

/// Seeds of the long campaign that found something; what each found stands in docs/simulation.md.
const FOUND: [u64; 21] = [
    2132, 2364, 4544, 5130, 5223, 6135, 6465, 7610, 7779, 7868, 13251, 14957, 18575, 19802, 22517, 24941, 29033, 31100,
    69169, 78989, 117277,
];

/// How many seeds the campaign runs.
fn seeds() -> u64 {
    std::env::var("SYNCLINE_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
