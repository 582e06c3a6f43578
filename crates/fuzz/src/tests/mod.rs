//! Every target over its corpus and mutations of it, and others' collections of hostile input against the product.

mod corpus;
mod flow;
mod house;
mod people;
mod tokens;
mod unicode;
mod urls;

use crate::drive::root;

/// A file of the test data that others collected (see `testdata/README.md`).
fn testdata(name: &str) -> serde_json::Value {
    let path = root().join("testdata").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("test data is JSON")
}

/// A list of strings of the test data.
fn strings(name: &str) -> Vec<String> {
    serde_json::from_value(testdata(name)).expect("a list of strings")
}
