//! The booking core, attacked: true stories are told out of order and twice, to a small CRM that refuses what real ones
//! refuse.

mod converge;
mod crash;
mod edits;
mod fold;
mod hostile;
mod life;
mod mapped;
mod mapping;
mod matching;
mod people;
mod records;
mod stored;
mod story;
mod text;
mod ties;
mod unite;
mod world;

use proptest::prelude::ProptestConfig;

/// So many cases; `SYNCLINE_CASES_TIMES=20` runs twenty times as many, for a night's search. A failure becomes a test
/// with a name, so no file of seeds is kept.
fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("SYNCLINE_CASES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: count.saturating_mul(times),
        max_global_rejects: usual.max_global_rejects.saturating_mul(times),
        failure_persistence: None,
        ..usual
    }
}
