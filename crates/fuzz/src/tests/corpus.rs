//! The targets hold over their corpus and thousands of mutations of it, and `fuzz/` knows each of them.

use std::collections::BTreeSet;

use super::{mutate::Mutator, root};
use crate::{TARGETS, Target, by_name};

/// Mutations of each corpus that every test run tries; `SYNCLINE_FUZZ_RUNS` sets another number.
const RUNS: u64 = 2_000;

/// Fewest inputs of a corpus that is one.
const CORPUS_MIN: usize = 5;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folders = [Some(format!("fuzz/corpus/{}", target.name)), target.more.map(str::to_owned)];
    let mut inputs = Vec::new();
    for folder in folders.into_iter().flatten().map(|folder| root().join(folder)) {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        // The same order everywhere, so that a seed means the same input.
        paths.sort();
        paths.retain(|path| path.extension().is_none_or(|extension| extension != "md"));
        inputs.extend(paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus")));
    }
    assert!(inputs.len() >= CORPUS_MIN, "{} has a corpus of {} inputs", target.name, inputs.len());
    inputs
}

/// Says which input broke a promise, as a file that libFuzzer takes.
struct Culprit<'a> {
    target: &'a Target,
    input: &'a [u8],
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = std::env::temp_dir().join(format!("syncline-fuzz-{}", self.target.name));
            // The panic itself says what happened; a full disk must not hide it.
            drop(std::fs::write(&path, self.input));
            eprintln!("{} fails on {:?} (kept as {})", self.target.name, self.input.escape_ascii().to_string(), path.display());
        }
    }
}

fn drive(name: &str) {
    let target = by_name(name).expect("the test names a target");
    let corpus = corpus(target);
    let run = |input: &[u8]| {
        let culprit = Culprit { target, input };
        target.run(input);
        drop(culprit);
    };
    corpus.iter().for_each(|input| run(input));
    let runs = std::env::var("SYNCLINE_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let mut mutator = Mutator::new(name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte)));
    (0..runs).for_each(|_| run(&mutator.input(&corpus)));
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
            assert_eq!(fuzzed, all);
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
    /// proves: sec:S5, sec:S14, sec:S37
    token_answer
    /// proves: sec:S37
    find_answer
    /// proves: sec:S37
    write_answer
    /// proves: sec:S51
    soql
    person
    /// proves: sec:S29, sec:S30
    hook
    /// proves: sec:S45
    paging
    /// proves: sec:S42
    session
}
