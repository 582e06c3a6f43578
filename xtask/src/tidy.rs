//! The rules: walls between the crates, no vendor named outside its folder, sizes, module docs, left-over marks.

#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// What each crate may use of the others. Tests may use more (`dev-dependencies` are not looked at).
const WALLS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("connect", &["core"]),
    ("vendors", &["core", "connect"]),
    ("store", &["core"]),
    ("engine", &["core", "connect", "store"]),
    ("server", &["core", "connect", "store", "engine"]),
    ("sandbox", &["core"]),
    ("app", &["core", "connect", "vendors", "store", "engine", "server", "sandbox"]),
    ("simulation", &["core", "connect", "vendors", "store", "engine", "server", "sandbox"]),
    ("fuzz", &["core", "connect", "vendors", "store", "engine", "server", "sandbox"]),
];

/// Outside crates that would break a wall, and the crates that may not have them.
const CLOSED_TO: &[(&str, &[&str])] = &[
    ("tokio", &["core", "connect", "vendors"]),
    ("reqwest", &["core", "connect", "vendors", "store", "engine", "server", "sandbox", "simulation"]),
    ("rusqlite", &["core", "connect", "vendors", "engine", "server", "sandbox", "app", "simulation"]),
    ("tokio-postgres", &["core", "connect", "vendors", "engine", "server", "sandbox", "app", "simulation"]),
    ("serde_json", &["core"]),
];

/// Crates in whose code no vendor may be named.
const VENDOR_BLIND: &[&str] = &["core", "connect", "store", "engine", "server"];

const VENDORS: &[&str] =
    &["salesforce", "hubspot", "calcom", "cal.com", "calendly", "meetergo", "brevo", "activecampaign"];

/// Lines at which a file wants to be two.
const MAX_LINES: usize = 800;

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    file: PathBuf,
    line: usize,
    rule: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.rule)
    }
}

/// Every broken rule in the tree.
pub fn check(root: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, may_use) in WALLS {
        let manifest = root.join("crates").join(name).join("Cargo.toml");
        faults.extend(walls(name, may_use, &manifest));
        for file in rust_files(&root.join("crates").join(name).join("src")) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            faults.extend(file_rules(name, &file, &text));
        }
    }
    for file in rust_files(&root.join("xtask/src")) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        faults.extend(file_rules("xtask", &file, &text));
    }
    faults
}

fn walls(name: &str, may_use: &[&str], manifest: &Path) -> Vec<Fault> {
    let fault = |rule: String| Fault { file: manifest.to_owned(), line: 1, rule };
    let text = match fs::read_to_string(manifest) {
        Ok(text) => text,
        Err(error) => return vec![fault(format!("cannot be read: {error}"))],
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return vec![fault(format!("is no TOML: {error}"))],
    };
    let mut faults = Vec::new();
    let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
    for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
        if let Some(other) = dependency.strip_prefix("syncline-")
            && !may_use.contains(&other)
        {
            faults.push(fault(format!("{name} must not know {other}")));
        }
        if CLOSED_TO.iter().any(|(closed, to)| closed == dependency && to.contains(&name)) {
            faults.push(fault(format!("{name} must not use {dependency}")));
        }
    }
    faults
}

fn file_rules(name: &str, file: &Path, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, rule: &str| faults.push(Fault { file: file.to_owned(), line, rule: rule.to_owned() });
    let is_test =
        file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "testing.rs")));
    if !text.starts_with("//!") {
        fault(1, "a module opens with `//!`: what lives here, and what must not");
    }
    let lines = text.lines().count();
    if lines > MAX_LINES && !is_test {
        fault(lines, "more than 800 lines: this file wants to be two");
    }
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        if lower.contains(concat!("fix", "me")) {
            fault(number + 1, "this mark means before merge");
        }
        if line.contains(concat!("#[ig", "nore")) {
            fault(number + 1, "a test that does not run proves nothing");
        }
        if !is_test
            && VENDOR_BLIND.contains(&name)
            && let Some(vendor) = VENDORS.iter().find(|vendor| lower.contains(*vendor))
        {
            fault(number + 1, &format!("{name} knows no vendor by name, but says `{vendor}`"));
        }
    }
    faults
}

/// Every Rust file below a folder, in order.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
