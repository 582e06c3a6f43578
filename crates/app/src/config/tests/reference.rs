//! docs/configuration.md is what the configuration's types say of themselves. `SYNCLINE_BLESS=1 cargo test -p syncline`
//! writes it anew.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use syncline_core::{booking::settings::MatchRule, calendar::event::EventType};
use syncline_engine::Options;
use syncline_store::Retention;

use super::{Config, EXAMPLE};
use crate::{config::secrets::SecretRef, http::CALL_DEADLINE};

const OPENING: &str = "# Configuration

One file in TOML, `syncline.toml` unless `--config` or the environment variable `SYNCLINE_CONFIG` names another.
`syncline init` writes one to start from. Unknown keys are errors: what is misspelt is never passed over. Changes take
effect at the next start; `syncline plan` shows beforehand what they mean, see [operating.md](operating.md#changing-the-configuration).

A *secret* never stands in the file: `\"env:NAME\"` reads an environment variable, `\"file:path\"` a file that only its owner
may read (`chmod 600`). Relative paths start at the configuration file's folder.

What a booking becomes under these settings is told in [bookings.md](bookings.md). This page is generated from the code.
";

/// The rules of `match_order`, as the configuration spells them.
pub(in crate::config) struct MatchOrder;

impl JsonSchema for MatchOrder {
    fn schema_name() -> Cow<'static, str> {
        "MatchOrder".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "string", "enum": MatchRule::DEFAULT_ORDER}})
    }
}

/// Kinds of entries, as the configuration spells them.
pub(in crate::config) struct EntryTypes;

impl JsonSchema for EntryTypes {
    fn schema_name() -> Cow<'static, str> {
        "EntryTypes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        use EventType::{Birthday, FocusTime, FromMail, Meeting, OutOfOffice, Task, WorkingPlace};
        let all = [Meeting, FromMail, Birthday, FocusTime, OutOfOffice, WorkingPlace, Task];
        json_schema!({"type": "array", "items": {"type": "string", "enum": all}})
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "secret"})
    }
}

/// A table of the file: how it is written, what it is for, its keys.
struct Section<'a> {
    path: String,
    /// Whether the file may have it several times.
    many: bool,
    about: &'a str,
    schema: &'a Value,
}

struct Reference<'a> {
    definitions: &'a Map<String, Value>,
}

impl<'a> Reference<'a> {
    /// The schema behind a reference, and whether it stands for many.
    fn behind(&self, schema: &'a Value) -> Option<(&'a Value, bool)> {
        let follow = |schema: &'a Value| {
            let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
            self.definitions.get(name)
        };
        if let Some(items) = schema.get("items") {
            return follow(items).map(|schema| (schema, true));
        }
        let alternatives = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        follow(schema).or_else(|| alternatives.into_iter().find_map(follow)).map(|schema| (schema, false))
    }

    /// A table's own keys, and the tables below it.
    fn section(&self, section: &Section<'a>) -> (String, Vec<Section<'a>>) {
        let (mut keys, mut below) = (String::new(), Vec::new());
        let required: BTreeSet<&str> =
            section.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, schema) in section.schema["properties"].as_object().into_iter().flatten() {
            let path = if section.path.is_empty() { key.clone() } else { format!("{}.{key}", section.path) };
            let (target, many) = self.behind(schema).unwrap_or((schema, false));
            if target.get("properties").is_some() {
                let about =
                    schema["description"].as_str().or_else(|| target["description"].as_str()).unwrap_or_default();
                below.push(Section { path, many, about, schema: target });
                continue;
            }
            let default =
                if required.contains(key.as_str()) { "**needed**".to_owned() } else { default(&path, schema) };
            let (kind, limits) = (kind(target), limits(schema));
            let meaning = meaning(schema, target);
            writeln!(keys, "| `{key}` | {kind}{limits} | {default} | {meaning} |").expect("a string takes all");
        }
        (keys, below)
    }

    fn render(&self, root: &'a Value) -> String {
        let mut waiting = vec![Section { path: String::new(), many: false, about: "", schema: root }];
        let mut text = OPENING.to_owned();
        while !waiting.is_empty() {
            let section = waiting.remove(0);
            let (keys, below) = self.section(&section);
            let heading = match (section.path.as_str(), section.many) {
                ("", _) => "At the top".to_owned(),
                (path, true) => format!("`[[{path}]]`"),
                (path, false) => format!("`[{path}]`"),
            };
            let about = sentence(section.about);
            write!(
                text,
                "\n## {heading}\n{about}\n| key | type | unless set | meaning |\n| --- | --- | --- | --- |\n{keys}"
            )
            .expect("a string takes all");
            waiting.splice(0..0, below);
        }
        text
    }
}

/// A type's own words without the heading that they open with.
fn sentence(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = text.split_once("`: ").map_or(text, |(_, rest)| rest);
    let mut chars = text.chars();
    let text = chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default();
    format!("\n{}\n", text.replace('\n', " "))
}

fn values(schema: &Value) -> Vec<(&str, &str)> {
    let described = schema["oneOf"].as_array().into_iter().flatten();
    described
        .filter_map(|one| Some((one["const"].as_str()?, one["description"].as_str().unwrap_or_default())))
        .collect()
}

fn kind(schema: &Value) -> String {
    let plain = |name: &str| match (name, schema["format"].as_str()) {
        ("string", Some("secret")) => "secret".to_owned(),
        ("string", Some("uri")) => "address".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("number", _) => "number".to_owned(),
        ("boolean", _) => "`true` or `false`".to_owned(),
        ("array", _) => match schema["items"]["enum"].as_array() {
            Some(words) => format!(
                "list of {}",
                words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            ),
            None if schema["items"]["format"] == "secret" => "list of secrets".to_owned(),
            None => "list of texts".to_owned(),
        },
        ("object", _) => "table of texts".to_owned(),
        (other, _) => panic!("the reference has no word for {other}: {schema}"),
    };
    match &schema["type"] {
        _ if !values(schema).is_empty() => {
            values(schema).iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        }
        Value::String(name) => plain(name),
        Value::Array(names) => plain(names[0].as_str().expect("a type has a name")),
        _ => {
            let alternatives =
                schema["anyOf"].as_array().unwrap_or_else(|| panic!("a schema without a type: {schema}"));
            kind(&alternatives[0])
        }
    }
}

fn limits(schema: &Value) -> String {
    match (&schema["minimum"], &schema["maximum"]) {
        (least, most) if !most.is_null() => format!(", {least} to {most}"),
        _ => String::new(),
    }
}

/// What the schema cannot know, because the values live with the parts that they limit.
fn default(path: &str, schema: &Value) -> String {
    let options = Options::default();
    let days = |kept: jiff::SignedDuration| (kept.as_hours() / 24).to_string();
    let known = match path {
        "engine.workers" => options.workers.to_string(),
        "engine.batch" => options.batch.to_string(),
        "engine.calls_in_flight" => options.calls_in_flight.to_string(),
        "engine.max_attempts" => options.max_attempts.to_string(),
        "engine.call_seconds" => CALL_DEADLINE.as_secs().to_string(),
        "engine.lease_seconds" => options.lease.as_secs().to_string(),
        "engine.keep_bodies_days" => days(Retention::default().raw),
        "engine.keep_activity_days" => days(Retention::default().journal),
        "telemetry.log" => "\"info\"".to_owned(),
        "vault.key" => "\"file:syncline.key\"".to_owned(),
        _ => match &schema["default"] {
            Value::Null => return "none".to_owned(),
            Value::Array(list) if list.is_empty() => return "none".to_owned(),
            Value::Object(table) if table.is_empty() => return "none".to_owned(),
            Value::Array(_) if path.ends_with("match_order") => return "all, in this order".to_owned(),
            value => value.to_string(),
        },
    };
    format!("`{known}`")
}

fn meaning(schema: &Value, target: &Value) -> String {
    let own = schema["description"].as_str().or_else(|| target["description"].as_str()).unwrap_or_default();
    assert!(!own.is_empty(), "a setting without a word about it: {schema}");
    let mut text = own.replace('\n', " ");
    for (value, about) in values(target) {
        write!(text, "<br>`{value}`: {}", about.replace('\n', " ")).expect("a string takes all");
    }
    text
}

fn page(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(name)
}

/// The page is current.
#[test]
fn the_reference_is_current() {
    let root = schemars::schema_for!(Config).to_value();
    let definitions = root["$defs"].as_object().expect("there are sections");
    let text = Reference { definitions }.render(&root);
    let path = page("configuration.md");
    if std::env::var_os("SYNCLINE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/configuration.md is out of date; SYNCLINE_BLESS=1 cargo test -p syncline the_reference writes it anew"
    );
}

/// Whatever the file takes, the reference names.
#[test]
fn the_reference_misses_no_key() {
    let text = std::fs::read_to_string(page("configuration.md")).expect("the page is there");
    // What a table takes is what the error names when it is given something else.
    let tables = [
        "",
        "[server]\n",
        "[vault]\n",
        "[engine]\n",
        "[network]\n",
        "[telemetry]\n",
        "[[connections]]\n",
        "[[sources]]\n",
        "[[sources]]\napi.",
        "[[integrations]]\n",
        "[[calendars]]\n",
        "[[calendars]]\nstatus.",
        "[[calendars]]\nreplies.",
        "[[calendars]]\n[[calendars.people]]\n",
    ];
    let mut errors: Vec<String> = tables
        .iter()
        .map(|table| format!("{:#}", Config::parse(&format!("{table}nonsense = 1\n")).expect_err("it is unknown")))
        .collect();
    for below in ["", "cancel.", "status.", "case.", "opportunity."] {
        let table = format!("{EXAMPLE}\n[[integrations.meeting_types]]\nmatch = \"x\"\n{below}nonsense = 1\n");
        errors.push(format!("{:#}", Config::parse(&table).expect_err("it is unknown")));
    }
    for error in errors {
        let (_, expected) = error.split_once("expected ").unwrap_or_else(|| panic!("no list of keys in: {error}"));
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(!keys.is_empty(), "{error}");
        for key in keys {
            let is_named = text.contains(&format!("| `{key}` |")) || text.contains(&format!("{key}]"));
            assert!(is_named, "docs/configuration.md does not name `{key}`");
        }
    }
}

#[test]
fn the_example_names_the_reference() {
    assert!(EXAMPLE.contains("docs/configuration.md"));
}
