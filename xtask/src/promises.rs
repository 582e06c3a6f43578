//! Which promise is proven by which test: the list of `docs/promises.md` against what tests say of themselves. What a test
//! really proves is for people to judge.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::tidy::rust_files;

/// The word by which a test names what it proves.
const MARK: &str = concat!("proves", ":");
/// Families of names that come from lists of faults and invariants, which are longer than what is promised.
const OTHER_LISTS: &[&str] = &["fault", "inv"];
/// The same by their letters: statements about bookings in detail.
const OTHER_LETTERS: &[&str] = &["BK"];

/// Whether a promise has to be proven by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    Open,
    Later,
}

#[derive(Debug, PartialEq, Eq)]
struct Promise {
    id: String,
    due: Due,
    text: String,
}

/// A test that names a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proof {
    id: String,
    test: String,
    file: PathBuf,
}

/// All promises with their proofs, and what is wrong with them.
pub struct Report {
    lines: Vec<String>,
    /// What must be mended.
    pub faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().chain(&self.faults).try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Reads the list and every test of the tree.
pub fn check(root: &Path) -> Report {
    let list = fs::read_to_string(root.join("docs/promises.md")).unwrap_or_default();
    let mut proofs = Vec::new();
    for folder in ["crates", "xtask"] {
        for file in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            proofs.extend(named(file.strip_prefix(root).unwrap_or(&file), &text));
        }
    }
    report(&promises(&list), &proofs)
}

fn report(promises: &[Promise], proofs: &[Proof]) -> Report {
    let mut by_id: BTreeMap<&str, Vec<&Proof>> = BTreeMap::new();
    for proof in proofs {
        by_id.entry(&proof.id).or_default().push(proof);
    }
    let mut report = Report { lines: Vec::new(), faults: Vec::new() };
    let mut proven = 0;
    for promise in promises {
        let found = by_id.remove(promise.id.as_str()).unwrap_or_default();
        proven += usize::from(!found.is_empty());
        report.lines.push(format!("{:8} {}", promise.id, promise.text));
        report.lines.extend(found.iter().map(|proof| format!("           {} ({})", proof.test, proof.file.display())));
        match (promise.due, found.is_empty()) {
            (Due::Now, true) => report.faults.push(format!("{}: no test names it: {}", promise.id, promise.text)),
            (Due::Open, true) => report.lines.push("           open".to_owned()),
            (Due::Later, true) => report.lines.push("           later".to_owned()),
            (Due::Now | Due::Open | Due::Later, _) => {}
        }
    }
    for (id, proofs) in by_id {
        let elsewhere = match id.split_once(':') {
            Some((list, _)) => OTHER_LISTS.contains(&list),
            None => OTHER_LETTERS.contains(&id.trim_end_matches(|digit: char| digit.is_ascii_digit())),
        };
        if let Some(proof) = proofs.first().filter(|_| !elsewhere) {
            report.faults.push(format!("{id}: nobody promised it, but {} names it", proof.test));
        }
    }
    report.lines.push(format!("promises: {proven} of {} named by a test", promises.len()));
    report
}

/// The list: lines such as `- B7 text` or `- C1 (later) text`.
fn promises(list: &str) -> Vec<Promise> {
    let entries = list.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(' '));
    entries
        .filter(|(id, _)| is_id(id))
        .map(|(id, text)| {
            let marks = [("(later) ", Due::Later), ("(open) ", Due::Open)];
            let marked = marks.into_iter().find_map(|(mark, due)| Some((due, text.strip_prefix(mark)?)));
            let (due, text) = marked.unwrap_or((Due::Now, text));
            Promise { id: id.to_owned(), due, text: text.to_owned() }
        })
        .collect()
}

/// A letter or two and a number, perhaps with the name of a list before them.
fn is_id(text: &str) -> bool {
    let name = text.split_once(':').map_or(text, |(_, name)| name);
    let digits = name.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    digits.len() < name.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// What the comments of a file's tests name, with the function that follows.
fn named(file: &Path, text: &str) -> Vec<Proof> {
    let mut proofs = Vec::new();
    let mut waiting: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
            let list = match comment.split_once(MARK) {
                Some((_, list)) => Some(list),
                None => goes_on.then_some(comment),
            };
            waiting.extend(list.into_iter().flat_map(ids));
            goes_on = list.is_some_and(|list| list.trim_end().ends_with(','));
        } else if let Some(test) = test_name(line)
            && !waiting.is_empty()
        {
            let proof = |id| Proof { id, test: test.clone(), file: file.to_owned() };
            proofs.extend(waiting.drain(..).map(proof));
        }
    }
    proofs
}

/// The function of a line, or the bare word by which a macro makes one.
fn test_name(line: &str) -> Option<String> {
    let name = match line.split_once("fn ") {
        Some((_, name)) => name.split(['(', '<']).next()?,
        None => line.trim_end_matches(','),
    };
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    plain.then(|| name.to_owned())
}

fn ids(list: &str) -> impl Iterator<Item = String> {
    let words = list.split([',', ' ', ';']).map(|word| word.trim_end_matches(['.', ':']).to_owned());
    words.filter(|word| is_id(word))
}
