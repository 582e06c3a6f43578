//! How many cases the properties of this crate try.

use proptest::prelude::ProptestConfig;

/// So many cases; `SYNCLINE_CASES_TIMES=20` runs twenty times as many, for a night's search. A failure becomes a test
/// with a name, so no file of seeds is kept.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("SYNCLINE_CASES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: count.saturating_mul(times),
        max_global_rejects: usual.max_global_rejects.saturating_mul(times),
        failure_persistence: None,
        ..usual
    }
}
