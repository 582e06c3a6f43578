//! The list and the tests are read as they are written; nothing is promised without a proof.

use std::path::Path;

use super::*;

const LIST: &str = "\
# Promises
- B1 bookings are taken in
- B2 (open) quickly
- C1 (later) calendars
- sec:S1 safely
- not a promise
";

#[test]
fn the_list_says_what_is_due() {
    let read = promises(LIST);
    let short: Vec<_> = read.iter().map(|one| (one.id.as_str(), one.due, one.text.as_str())).collect();
    assert_eq!(
        short,
        [
            ("B1", Due::Now, "bookings are taken in"),
            ("B2", Due::Open, "quickly"),
            ("C1", Due::Later, "calendars"),
            ("sec:S1", Due::Now, "safely"),
        ]
    );
}

#[test]
fn tests_name_what_they_prove_over_several_lines() {
    let text = concat!(
        "/// Something.\n///\n/// proves",
        ": B1, sec:S1,\n/// fault:N3.\n#[test]\nfn it_works() {}\n\nfn other() {}\n"
    );
    let proofs = named(Path::new("a.rs"), text);
    let short: Vec<_> = proofs.iter().map(|proof| (proof.id.as_str(), proof.test.as_str())).collect();
    let in_macro = named(Path::new("a.rs"), concat!("    /// proves", ": B2: and how\n    hostile_bodies\n"));
    assert_eq!(in_macro.first().map(|proof| proof.test.as_str()), Some("hostile_bodies"));
    assert_eq!(short, [("B1", "it_works"), ("sec:S1", "it_works"), ("fault:N3", "it_works")]);
}

#[test]
fn what_is_unproven_or_unpromised_is_a_fault() {
    let proof = |id: &str| Proof { id: id.to_owned(), test: "t".to_owned(), file: PathBuf::from("a.rs") };
    let report = report(&promises(LIST), &[proof("B1"), proof("fault:N3"), proof("B99")]);
    assert_eq!(report.faults, ["sec:S1: no test names it: safely", "B99: nobody promised it, but t names it"]);
}

/// This very project keeps what it promises, as far as names go.
#[test]
fn every_promise_that_is_due_is_named_by_a_test() {
    let report = check(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    assert!(report.lines.len() > 150);
    assert_eq!(report.faults, Vec::<String>::new());
}
