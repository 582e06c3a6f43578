//! A strict reader of JSON objects: every unknown field, wrong type and value out of bounds becomes a sentence that
//! names the field and what is expected there, and never repeats a value. No meaning is given to anything here.

use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::{Map, Value};
use syncline_core::{ids::BookingKey, person::normal_email};

use crate::intake::{self, text};

/// Problems that one answer lists; the rest shows when these are mended.
pub const MAX_PROBLEMS: usize = 10;

/// Characters of an unknown field's name that are repeated to its sender.
const MAX_SHOWN_NAME_CHARS: usize = 64;

/// What is wrong with a body, in the order of finding.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<String>>);

impl Problems {
    /// Notes that the field is not as expected; a field that is read twice is noted once.
    pub fn add(&self, path: &str, expected: &str) {
        let problem = format!("{path}: expected {expected}");
        let mut problems = self.0.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// All problems as one sentence; `None` where there is none.
    pub fn sentence(&self) -> Option<String> {
        let problems = self.0.borrow();
        let shown = problems.get(..MAX_PROBLEMS).unwrap_or(&problems).join("; ");
        let more = problems.len().saturating_sub(MAX_PROBLEMS);
        match (problems.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(shown),
            (false, more) => Some(format!("{shown}; and {more} more")),
        }
    }
}

/// An object whose fields are all known.
pub struct Fields<'a> {
    path: String,
    map: Map<String, Value>,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// Takes an object in and notes every field that is not among the known ones. A null counts as absent.
    pub fn new(path: String, mut map: Map<String, Value>, known: &[&str], problems: &'a Problems) -> Self {
        map.retain(|_, value| !value.is_null());
        let fields = Self { path, map, problems };
        for name in fields.map.keys().filter(|name| !known.contains(&name.as_str())) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_SHOWN_NAME_CHARS).collect();
            problems.add(&fields.at(&shown), "no such field");
        }
        fields
    }

    /// The field's place in the body.
    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Notes the absence of fields that must be there.
    pub fn require(&self, names: &[&str], why: &str) {
        for name in names.iter().filter(|name| !self.has(name)) {
            self.problems.add(&self.at(name), &format!("a value, {why}"));
        }
    }

    /// Notes that the field is not as expected.
    pub fn wrong(&self, name: &str, expected: &str) {
        self.problems.add(&self.at(name), expected);
    }

    /// Turns the field's value, if it is there, into something, or notes what is expected.
    fn read<T>(&self, name: &str, expected: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.map.get(name)?;
        let found = read(value);
        if found.is_none() {
            self.wrong(name, expected);
        }
        found
    }

    /// One line of text, not blank.
    pub fn line(&self, name: &str) -> Option<String> {
        let max = text::MAX_LINE_CHARS;
        self.read(name, &format!("a text of 1 to {max} characters"), |value| bounded(value, max).and_then(text::line))
    }

    /// Several lines of text, not blank.
    pub fn block(&self, name: &str) -> Option<String> {
        let max = text::MAX_BLOCK_CHARS;
        self.read(name, &format!("a text of 1 to {max} characters"), |value| bounded(value, max).and_then(text::block))
    }

    /// The caller's name of a booking.
    pub fn key(&self, name: &str) -> Option<BookingKey> {
        let max = intake::MAX_KEY_CHARS;
        let expected = format!("a text of 1 to {max} characters without control characters");
        self.read(name, &expected, |value| {
            bounded(value, max).filter(|text| !text.contains(char::is_control)).and_then(intake::booking_key)
        })
    }

    /// An e-mail address.
    pub fn email(&self, name: &str) -> Option<String> {
        self.read(name, "an e-mail address", |value| {
            let typed = bounded(value, text::MAX_EMAIL_CHARS)?;
            normal_email(typed).map(|_| text::email(typed))
        })
    }

    /// An instant.
    pub fn instant(&self, name: &str) -> Option<Timestamp> {
        self.read(name, "a date and time with offset as in RFC 3339, such as 2026-05-04T09:00:00+02:00", |value| {
            value.as_str()?.parse().ok()
        })
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.read(name, "true or false", Value::as_bool)
    }

    /// A web address.
    pub fn web_url(&self, name: &str) -> Option<String> {
        let expected = format!("an http or https address of at most {} characters", text::MAX_URL_CHARS);
        self.read(name, &expected, |value| text::web_url(value.as_str()?))
    }

    /// The name of an IANA time zone, by its form.
    pub fn time_zone(&self, name: &str) -> Option<String> {
        self.read(name, "the name of an IANA time zone, such as Europe/Berlin", |value| {
            text::time_zone(value.as_str()?).filter(|name| value == name)
        })
    }

    /// A language tag, by its form.
    pub fn language(&self, name: &str) -> Option<String> {
        self.read(name, "a language tag, such as de or en-GB", |value| {
            text::language(value.as_str()?).filter(|name| value == name)
        })
    }

    /// An answer's value: text, number or flag.
    pub fn answer(&self, name: &str) -> Option<String> {
        let max = text::MAX_BLOCK_CHARS;
        self.read(name, &format!("a text of 1 to {max} characters, a number, true or false"), |value| match value {
            Value::String(_) => bounded(value, max).and_then(text::block),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        })
    }

    /// A nested object.
    pub fn object(&self, name: &str, known: &[&str]) -> Option<Fields<'a>> {
        let map = self.read(name, "an object", |value| value.as_object().cloned())?;
        Some(Fields::new(self.at(name), map, known, self.problems))
    }

    /// A list of objects.
    pub fn objects(&self, name: &str, max: usize, known: &[&str]) -> Vec<Fields<'a>> {
        let object = |(index, value): (usize, &Value)| {
            let path = format!("{}[{index}]", self.at(name));
            match value {
                Value::Object(map) => Some(Fields::new(path, map.clone(), known, self.problems)),
                _ => {
                    self.problems.add(&path, "an object");
                    None
                }
            }
        };
        self.list(name, max).iter().enumerate().filter_map(object).collect()
    }

    /// A list of lines.
    pub fn lines(&self, name: &str, max: usize) -> Vec<String> {
        let line = |(index, value): (usize, &Value)| {
            let line = bounded(value, text::MAX_LINE_CHARS).and_then(text::line);
            if line.is_none() {
                let expected = format!("a text of 1 to {} characters", text::MAX_LINE_CHARS);
                self.problems.add(&format!("{}[{index}]", self.at(name)), &expected);
            }
            line
        };
        self.list(name, max).iter().enumerate().filter_map(line).collect()
    }

    fn list(&self, name: &str, max: usize) -> Vec<Value> {
        let expected = format!("a list of at most {max} entries");
        self.read(name, &expected, |value| value.as_array().filter(|list| list.len() <= max).cloned())
            .unwrap_or_default()
    }

    /// An object of free names with a line each.
    pub fn free_lines(&self, name: &str, max: usize) -> Vec<(String, String)> {
        let expected = format!("an object of at most {max} texts");
        let Some(map) = self.read(name, &expected, |value| value.as_object().filter(|map| map.len() <= max).cloned())
        else {
            return Vec::new();
        };
        let names: Vec<String> = map.keys().cloned().collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let fields = Fields::new(self.at(name), map, &known, self.problems);
        if names.iter().any(|name| text::line(name).is_none()) {
            self.wrong(name, "names that are not blank");
        }
        names.iter().filter_map(|name| Some((text::line(name)?, fields.line(name)?))).collect()
    }
}

fn bounded(value: &Value, max_chars: usize) -> Option<&str> {
    value.as_str().filter(|text| text.len() <= max_chars || text.chars().count() <= max_chars)
}
