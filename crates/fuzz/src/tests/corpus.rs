//! The targets hold over their corpus and thousands of mutations of it, and `fuzz/` knows each of them.

use std::collections::BTreeSet;

use crate::{
    TARGETS, by_name,
    drive::{self, root},
};

/// The target whose parser belongs to the executable: its test stands beside it.
const OF_THE_APP: &str = "config";

fn drive(name: &str) {
    let target = by_name(name).expect("the test names a target");
    drive::drive(name, target.more, |input| target.run(input));
}

macro_rules! drive {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[test] fn $name() { drive(stringify!($name)); })*

        #[test]
        fn every_target_is_driven_here_and_by_the_fuzzer() {
            let here: BTreeSet<&str> = [$(stringify!($name)),*].into();
            let all: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(here, all);
            let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml is there");
            let manifest: toml::Table = manifest.parse().expect("it is TOML");
            let bins = manifest["bin"].as_array().expect("it has targets");
            let fuzzed: BTreeSet<&str> = bins.iter().map(|bin| bin["name"].as_str().expect("a name")).collect();
            assert_eq!(fuzzed, all.into_iter().chain([OF_THE_APP]).collect());
        }
    };
}

drive! {
    /// proves: sec:S24, sec:S30
    calcom
    /// proves: sec:S24, sec:S30
    calendly
    /// proves: sec:S24, sec:S30
    generic
    /// proves: sec:S24, sec:S30
    meetergo
    /// proves: sec:S20, sec:S22
    signatures
    /// proves: sec:S28, sec:S30
    told
    /// proves: sec:S5, sec:S14, sec:S37
    token_answer
    /// proves: sec:S37
    find_answer
    /// proves: sec:S37
    write_answer
    /// proves: sec:S51
    soql
    expression
    /// proves: C4
    events
    person
    /// proves: sec:S29, sec:S30
    hook
    /// proves: sec:S45
    paging
    /// proves: sec:S42
    session
}
