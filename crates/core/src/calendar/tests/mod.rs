//! The calendar's core, attacked.

mod assemble;
mod canon;
mod eligible;
mod engine;
mod identity;
mod limits;
mod meetings;
mod privacy;
mod recur;
mod rules;
mod series;
mod world;
mod zone;

use proptest::prelude::ProptestConfig;

/// So many cases; `SYNCLINE_CASES_TIMES=20` runs twenty times as many. A failure becomes a test with a name, so no file of
/// seeds is kept.
fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("SYNCLINE_CASES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    ProptestConfig { cases: count.saturating_mul(times), failure_persistence: None, ..ProptestConfig::default() }
}
