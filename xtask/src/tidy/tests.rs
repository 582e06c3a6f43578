//! Tidy catches what it is there to catch, and the tree is tidy.

use std::path::Path;

use super::{check, file_rules};

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let faults: Vec<String> = check(root).iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn broken_rules_are_found() {
    let rules = |name: &str, text: &str| -> Vec<String> {
        file_rules(name, Path::new("src/x.rs"), text).into_iter().map(|fault| fault.rule).collect()
    };
    assert_eq!(rules("core", "//! Fine.\n"), Vec::<String>::new());
    assert_eq!(rules("core", "fn x() {}\n").len(), 1, "no module docs");
    assert_eq!(rules("engine", "//! Fine.\nlet x = \"Salesforce\";\n").len(), 1, "a vendor's name");
    assert_eq!(rules("app", "//! Fine.\nlet x = \"Salesforce\";\n").len(), 0, "the executable may");
    assert_eq!(rules("core", &format!("//! Fine.\n{}", "x\n".repeat(900))).len(), 1, "too long");
}
