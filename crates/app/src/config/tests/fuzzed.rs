//! The configuration file as a fuzz target: `fuzz/fuzz_targets/config.rs` runs the same check under libFuzzer.

include!("../../../../../fuzz/fuzz_targets/config_check.rs");

/// proves: sec:S56
#[test]
fn no_file_breaks_the_reader_or_shows_its_secrets() {
    syncline_fuzz::drive::drive("config", None, check);
}
