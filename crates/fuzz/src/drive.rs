//! Drives a target over its corpus and mutations of it, as every test run does.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::mutate::Mutator;

/// Mutations of each corpus that every test run tries; `SYNCLINE_FUZZ_RUNS` sets another number.
pub const RUNS: u64 = 2_000;

/// Fewest inputs of a corpus that is one.
const CORPUS_MIN: usize = 5;

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The inputs in `fuzz/corpus/{name}` and in one further folder, in the same order everywhere, so that a seed means the
/// same input.
fn corpus(name: &str, more: Option<&str>) -> Vec<Vec<u8>> {
    let folders = [Some(format!("fuzz/corpus/{name}")), more.map(str::to_owned)];
    let mut inputs = Vec::new();
    for folder in folders.into_iter().flatten().map(|folder| root().join(folder)) {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.retain(|path| path.extension().is_none_or(|extension| extension != "md"));
        inputs.extend(paths.iter().filter_map(|path| fs::read(path).ok()));
    }
    assert!(inputs.len() >= CORPUS_MIN, "{name} has a corpus of {} inputs", inputs.len());
    inputs
}

/// Says which input broke a promise, and keeps it as a file that libFuzzer takes.
struct Culprit<'a> {
    name: &'a str,
    input: &'a [u8],
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = std::env::temp_dir().join(format!("syncline-fuzz-{}", self.name));
            // The panic itself says what happened; a full disk must not hide it.
            drop(fs::write(&path, self.input));
            eprintln!("{} fails on \"{}\", kept as {}", self.name, self.input.escape_ascii(), path.display());
        }
    }
}

/// Runs the target over its corpus and [`RUNS`] mutations; panics where the target does.
pub fn drive(name: &str, more: Option<&str>, run: impl Fn(&[u8])) {
    let corpus = corpus(name, more);
    let run = |input: &[u8]| {
        let culprit = Culprit { name, input };
        run(input);
        drop(culprit);
    };
    corpus.iter().for_each(|input| run(input));
    let runs = std::env::var("SYNCLINE_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let seed = name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut mutator = Mutator::new(seed);
    (0..runs).for_each(|_| run(&mutator.input(&corpus)));
}
