//! Where what is refused stands in the text that a person wrote. Settings are laid over one another before they are judged,
//! so their places are looked for only once something is wrong.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What is refused, by what it can be found by in the text.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) found_by: FoundBy,
    pub(super) reason: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}

#[derive(Debug)]
pub(super) enum FoundBy {
    /// A value, and the place within it, both from 1. Whatever else says the same is refused as well.
    Value { text: String, line: usize, column: usize },
    /// A mapping (`contact.Title`), a further record (`log`) or one of its fields (`log.Raw__c`).
    Entry(String),
}

/// The error with the line, and the column where one is known, in front that the person sees in this text; as it is where
/// what it is about does not stand there.
pub(super) fn placed(error: anyhow::Error, source: &str) -> anyhow::Error {
    let refused = error.chain().find_map(|cause| cause.downcast_ref::<Refused>());
    let Some(at) = refused.and_then(|refused| offset(&refused.found_by, source)) else { return error };
    let before = &source[..at];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
    anyhow::anyhow!("line {line}, column {column}: {error:#}")
}

/// Where it begins, in bytes.
fn offset(found_by: &FoundBy, source: &str) -> Option<usize> {
    let table = DeTable::parse(source).ok()?;
    match found_by {
        FoundBy::Value { text, line, column } => {
            let span = value_in(table.get_ref(), text)?;
            let raw = source.get(span.clone())?;
            Some(span.start + within(raw, *line, *column))
        }
        FoundBy::Entry(name) => {
            let mut lists = Vec::new();
            entries(table.get_ref(), &name.to_lowercase(), &mut lists);
            // What stands twice in one list is meant where it stands for the second time.
            let twice = lists.iter().find(|list| list.len() > 1);
            twice.or_else(|| lists.first())?.get(usize::from(twice.is_some())).copied()
        }
    }
}

/// The first value or condition that says this.
fn value_in(table: &DeTable<'_>, text: &str) -> Option<std::ops::Range<usize>> {
    fn of(key: &str, value: &Spanned<DeValue<'_>>, text: &str) -> Option<std::ops::Range<usize>> {
        match value.get_ref() {
            DeValue::String(said) => (matches!(key, "value" | "when") && said == text).then(|| value.span()),
            DeValue::Table(table) => value_in(table, text),
            DeValue::Array(values) => values.iter().find_map(|value| of(key, value, text)),
            _ => None,
        }
    }
    table.iter().find_map(|(key, value)| of(key.get_ref(), value, text))
}

/// The places of the entries of this name, list by list; the name is in small letters.
fn entries(table: &DeTable<'_>, name: &str, found: &mut Vec<Vec<usize>>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => entries(inner, name, found),
            DeValue::Array(list) => {
                let tables = || list.iter().filter_map(|entry| entry.get_ref().as_table());
                let places: Vec<usize> = match key.get_ref().as_ref() {
                    "mapping" => tables().filter_map(|entry| named(entry, &["on", "field"], name)).collect(),
                    "record" => tables().filter_map(|entry| of_record(entry, name)).collect(),
                    _ => Vec::new(),
                };
                if !places.is_empty() {
                    found.push(places);
                }
                tables().for_each(|inner| entries(inner, name, found));
            }
            _ => {}
        }
    }
}

/// Where an entry is called so, by these keys together.
fn named(entry: &DeTable<'_>, keys: &[&str], name: &str) -> Option<usize> {
    let words: Vec<&str> = keys.iter().map(|key| entry.get(*key)?.get_ref().as_str()).collect::<Option<_>>()?;
    let last = entry.get(*keys.last()?)?;
    (words.join(".").to_lowercase() == name).then(|| last.span().start)
}

fn of_record(entry: &DeTable<'_>, name: &str) -> Option<usize> {
    if let Some(at) = named(entry, &["name"], name) {
        return Some(at);
    }
    let record = entry.get("name")?.get_ref().as_str()?.to_lowercase();
    let field = name.strip_prefix(&record)?.strip_prefix('.')?;
    let fields = entry.get("fields")?.get_ref().as_array()?.iter();
    fields.filter_map(|entry| named(entry.get_ref().as_table()?, &["field"], field)).next_back()
}

/// Where the character at this line and column of a string's value stands in the string as it is written, quotes included.
fn within(raw: &str, line: usize, column: usize) -> usize {
    let quotes = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quotes| raw.starts_with(*quotes)).unwrap_or_default();
    let escapes = quotes.starts_with('"');
    let mut at = quotes.len();
    if quotes.len() > 1 {
        // A line's end right behind the quotes is not of the value.
        let rest = &raw[at..];
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let end = raw.len().saturating_sub(quotes.len());
    let mut here = (1, 1);
    while at < end && here != (line, column) {
        let rest = &raw[at..];
        let mut signs = rest.chars();
        let (sign, next) = (signs.next().unwrap_or_default(), signs.next().unwrap_or_default());
        let (bytes, ends_line) = match (sign, next) {
            ('\\', 'u') if escapes => (6, false),
            ('\\', 'U') if escapes => (10, false),
            ('\\', 'x') if escapes => (4, false),
            ('\\', 'n') if escapes => (2, true),
            // The line goes on with the next one's first letter.
            ('\\', next) if escapes && next.is_whitespace() => {
                at += 1 + rest[1..].len() - rest[1..].trim_start().len();
                continue;
            }
            ('\\', _) if escapes => (2, false),
            ('\r', '\n') => (2, true),
            ('\n', _) => (1, true),
            _ => (sign.len_utf8(), false),
        };
        at += bytes;
        here = if ends_line { (here.0 + 1, 1) } else { (here.0, here.1 + 1) };
    }
    at.min(end)
}

#[cfg(test)]
mod tests {
    //! The place that a person sees, however the value is written.

    use super::*;

    fn place(source: &str, found_by: FoundBy) -> String {
        let error = anyhow::Error::new(Refused { found_by, reason: "it is wrong".to_owned() }).context("in `defaults`");
        placed(error, source).to_string()
    }

    fn value(text: &str, line: usize, column: usize) -> FoundBy {
        FoundBy::Value { text: text.to_owned(), line, column }
    }

    /// proves: B20
    #[test]
    fn a_value_is_found_however_it_is_written() {
        let check = |source: &str, text: &str, at: (usize, usize), seen: &str| {
            assert_eq!(
                place(source, value(text, at.0, at.1)),
                format!("{seen}: in `defaults`: it is wrong"),
                "{source}"
            );
        };
        check("a = 1\n\n[[b.mapping]]\nvalue = \"{{ x }}\"", "{{ x }}", (1, 4), "line 4, column 13");
        check("[[b.mapping]]\n  value = '{{ x }}'", "{{ x }}", (1, 1), "line 2, column 12");
        check("value = '''\none\n{{ x }}\n'''", "one\n{{ x }}\n", (2, 4), "line 3, column 4");
        check("value = '''one\r\n{{ x }}'''", "one\r\n{{ x }}", (2, 4), "line 2, column 4");
        check("value = \"\"\"\none \\\n   more {{ x }}\"\"\"", "one more {{ x }}", (1, 13), "line 3, column 12");
        check("value = \"a\\nb\\u00e9{{ x }}\"", "a\nbé{{ x }}", (2, 6), "line 1, column 23");
        check(
            "record = [{ name = \"log\", fields = [{ value = 'é{{ x }}' }] }]",
            "é{{ x }}",
            (1, 5),
            "line 1, column 52",
        );
        check("when = 'x >'", "x >", (1, 9), "line 1, column 12");
        // What stands nowhere is told without a place.
        assert_eq!(place("title = 'x'", value("x", 1, 1)), "in `defaults`");
    }

    /// proves: B20
    #[test]
    fn an_entry_is_found_where_it_stands_for_the_second_time() {
        let entry = |name: &str| FoundBy::Entry(name.to_owned());
        let text = "[[defaults.mapping]]\non = 'contact'\nfield = 'Title'\n[[defaults.mapping]]\non = 'contact'\nfield = 'title'\n";
        assert!(place(text, entry("contact.Title")).starts_with("line 6, column 9: "));
        let text = "[[record]]\nname = 'log'\nfields = [{ field = 'A' }, { field = 'B' }]\n";
        assert!(place(text, entry("log")).starts_with("line 2, column 8: "));
        assert!(place(text, entry("log.b")).starts_with("line 3, column 38: "));
        assert_eq!(place(text, entry("log.C")), "in `defaults`");
    }

    /// Whatever text is written in whichever quotes, each of its letters is found.
    #[test]
    fn every_letter_is_found() {
        for text in ["a", "é{{ b }}", "one\n\n {{ two }}\nthree", "\na"] {
            let lines = text.split('\n').enumerate();
            for (line, column, sign) in lines.flat_map(|(line, text)| {
                text.chars().enumerate().map(move |(column, sign)| (line + 1, column + 1, sign))
            }) {
                for raw in [
                    format!("'''\n{text}'''"),
                    format!("\"\"\"\r\n{}\"\"\"", text.replace('\n', "\r\n")),
                    format!("\"{}\"", text.replace('\n', "\\n").replace('é', "\\u00e9")),
                ] {
                    let rest = &raw[within(&raw, line, column)..];
                    let found = if rest.starts_with("\\u00e9") { Some('é') } else { rest.chars().next() };
                    assert_eq!(found, Some(sign), "line {line}, column {column} of {raw}");
                }
            }
        }
    }
}
