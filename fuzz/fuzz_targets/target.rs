//! Every target: the executable's name says which. What it checks is in `crates/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    syncline_fuzz::by_name(env!("CARGO_BIN_NAME")).expect("every target is in the list").run(bytes);
});
