//! A plan as people read it and as programs do.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Change, Fate, Note, Plan};

/// A plan for people: what changes, each with what follows from it.
pub fn text(plan: &Plan, notes: &[Note]) -> String {
    let mut text = String::new();
    let mut told = Vec::new();
    for (entry, fate) in plan.entries() {
        writeln!(text, "{} {}", sign(fate), plain(&entry.join(" "))).expect("a string takes all");
        for change in plan.of(&entry) {
            writeln!(text, "    {}", line(change, entry.len())).expect("a string takes all");
        }
        for note in notes.iter().filter(|note| note.about == entry) {
            writeln!(text, "  → {}", plain(&note.text)).expect("a string takes all");
        }
        told.push(entry);
    }
    for note in notes.iter().filter(|note| !told.contains(&note.about)) {
        writeln!(text, "! {}\n  → {}", plain(&note.about.join(" ")), plain(&note.text)).expect("a string takes all");
    }
    if !plan.is_empty() {
        let [added, changed, removed] = [Fate::Added, Fate::Changed, Fate::Removed].map(|fate| plan.count(fate));
        writeln!(text, "{added} added, {changed} changed, {removed} removed.").expect("a string takes all");
    }
    text
}

/// A plan for programs.
pub fn json(plan: &Plan, notes: &[Note]) -> Value {
    let entries = plan.entries().into_iter().map(|(entry, fate)| json!({ "entry": entry, "fate": word(fate) }));
    let changes = plan
        .changes
        .iter()
        .map(|change| json!({ "path": change.path, "before": change.before, "after": change.after }));
    let follows = notes.iter().map(|note| json!({ "about": note.about, "text": note.text }));
    json!({ "entries": entries.collect::<Vec<_>>(), "changes": changes.collect::<Vec<_>>(),
        "follows": follows.collect::<Vec<_>>() })
}

/// The entries of a plan without any values, for the activity log.
pub fn entries(plan: &Plan) -> Vec<String> {
    plan.entries().into_iter().map(|(entry, fate)| format!("{} {}", plain(&entry.join(" ")), word(fate))).collect()
}

fn line(change: &Change, below: usize) -> String {
    let place = plain(&change.path[below..].join(" › "));
    let place = if place.is_empty() { place } else { format!("{place}: ") };
    let value = |side: &Option<Value>| side.as_ref().map(|value| plain(&value.to_string())).unwrap_or_default();
    let (before, after) = (value(&change.before), value(&change.after));
    match (&change.before, &change.after) {
        (None, _) => format!("+ {place}{after}"),
        (_, None) => format!("- {place}{before}"),
        _ => format!("~ {place}{before} → {after}"),
    }
}

/// No character of a name or a value reaches the terminal as an order.
fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(plain).collect()
}

fn sign(fate: Fate) -> char {
    match fate {
        Fate::Added => '+',
        Fate::Changed => '~',
        Fate::Removed => '-',
    }
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Added => "added",
        Fate::Changed => "changed",
        Fate::Removed => "removed",
    }
}
