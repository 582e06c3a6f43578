//! docs/mapping.md names everything that an expression can use, and every example in it gives what it says.
//! `SYNCLINE_BLESS=1 cargo test -p syncline-core reference` writes the tables anew.

use std::fmt::Write;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mapping.md");

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

fn names() -> String {
    let mut out = "| name | kind | what it is |\n| --- | --- | --- |\n".to_owned();
    for name in NAMES {
        writeln!(out, "| `{}` | {} | {} |", name.path, name.kind, escaped(name.about)).unwrap();
    }
    out
}

fn functions() -> String {
    let mut out = "| name | how | what it does | example | gives |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for function in FUNCTIONS {
        writeln!(
            out,
            "| `{}` | {} | {} | `{}` | {} |",
            function.name,
            function.usage.as_str(),
            escaped(function.about),
            escaped(function.example),
            escaped(function.gives)
        )
        .unwrap();
    }
    out
}

fn with_table(page: &str, mark: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let from = page.find(&begin).expect("the page has the mark") + begin.len();
    let to = page.find(&end).expect("the page has the closing mark");
    format!("{}\n{table}\n{}", &page[..from], &page[to..])
}

#[test]
fn the_page_is_current() {
    let page = std::fs::read_to_string(PAGE).expect("docs/mapping.md is there");
    let wanted = with_table(&with_table(&page, "names", &names()), "functions", &functions());
    if std::env::var_os("SYNCLINE_BLESS").is_some() {
        std::fs::write(PAGE, &wanted).expect("docs/mapping.md can be written");
    } else {
        assert_eq!(page, wanted, "docs/mapping.md is not current; SYNCLINE_BLESS=1 writes it");
    }
}

/// proves: B13
#[test]
fn every_example_of_the_tables_gives_what_it_says() {
    for function in FUNCTIONS {
        assert_eq!(text(function.example), function.gives, "{}", function.example);
    }
}

/// In the page's own blocks marked `jinja`, `→` parts a source from what it gives.
#[test]
fn every_example_of_the_page_gives_what_it_says() {
    let page = std::fs::read_to_string(PAGE).expect("docs/mapping.md is there");
    let mut examples = 0;
    for block in page.split("```jinja\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            let (source, gives) = line.split_once(" → ").unwrap_or_else(|| panic!("no → in {line}"));
            assert_eq!(text(source.trim()), gives.trim(), "{source}");
            examples += 1;
        }
    }
    assert!(examples >= 10, "the page shows examples");
}

/// Every documented name is in a scope, and a scope has no name that is not documented.
#[test]
fn a_scope_has_just_the_documented_names() {
    let scope = sample_scope();
    let mut found = Vec::new();
    let mut open: Vec<(String, Datum)> =
        names::roots().map(|root| (root.to_owned(), scope.get(root).clone())).collect();
    while let Some((path, value)) = open.pop() {
        match value {
            Datum::Map(map) => {
                if NAMES.iter().any(|name| name.path == format!("{path}.*")) {
                    found.push(format!("{path}.*"));
                    continue;
                }
                open.extend(map.iter().map(|(key, value)| (format!("{path}.{key}"), value.clone())));
            }
            Datum::List(list) => open.extend(list.iter().map(|value| (format!("{path}[]"), value.clone()))),
            Datum::Null if path.ends_with(".fields") => found.push(format!("{path}.*")),
            _ => found.push(path),
        }
    }
    found.sort();
    found.dedup();
    // Every record has its role, which only a person's says something.
    found.retain(|path| !path.ends_with(".role") || path == "person.role");
    let mut wanted: Vec<&str> = NAMES.iter().map(|name| name.path).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}
