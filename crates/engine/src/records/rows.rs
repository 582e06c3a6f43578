//! Between what a connector shows and what the store keeps. Pure.

use std::{borrow::Cow, collections::BTreeMap};

use syncline_connect::mirror::{self, Op, RowWrite};
use syncline_core::{
    ids::ExternalKey,
    merge::{
        Base, ENTRY_SEPARATOR, Fate, Known, Row, RuleKey, Side, mark_key, own_key, set_entries, set_text, shown,
        with_told,
    },
    person::normal_email,
    record::Value,
};
use syncline_store::{SeenRow, StepOp, StoredEntry};

use super::{Compiled, plan::Outgoing, view::KindView};

/// A record as the store takes it.
pub(crate) fn seen_row(side: Side, kind: &str, view: &KindView, seen: mirror::Seen) -> SeenRow {
    let match_key = view.spec.email.and_then(|field| match seen.fields.get(field) {
        Some(Value::Text(address)) => normal_email(address),
        _ => None,
    });
    let row = row(view, &seen);
    SeenRow {
        side,
        kind: kind.to_owned(),
        record: seen.id,
        match_key,
        row,
        changed_at: seen.changed_at,
        fate: fate(seen.fate),
    }
}

/// The fields that rules and selection read, under their keys.
pub(crate) fn row(view: &KindView, seen: &mirror::Seen) -> Row {
    let mut row = Row::new();
    let fields = &seen.fields;
    for (field, keys) in &view.times {
        let at = seen.field_times.get(field).map(|at| Value::Time(*at));
        row.extend(at.into_iter().flat_map(|at| keys.iter().map(move |key| (*key, at.clone()))));
    }
    for (field, keys) in &view.keys {
        if let Some(value) = fields.get(field) {
            let value = match view.field_kinds.get(field) {
                Some(kind) => mirror::in_kind(*kind, value.clone()),
                None => value.clone(),
            };
            match view.marks.get(field) {
                None => row.extend(keys.iter().map(|key| (*key, value.clone()))),
                Some(marks) => {
                    let of_marks = mark_key(field);
                    row.extend(
                        keys.iter()
                            .map(|key| (*key, part(&value, |entry| marks.contains(entry) == (*key == of_marks)))),
                    );
                }
            }
        }
    }
    row
}

/// Some of a set's entries.
fn part(value: &Value, wanted: impl Fn(&str) -> bool) -> Value {
    let Value::Text(text) = value else { return value.clone() };
    set_of(set_entries(text).into_iter().filter(|entry| wanted(entry)).collect())
}

/// Entries as one set, sorted, each once.
fn set_of(entries: Vec<Cow<'_, str>>) -> Value {
    if entries.is_empty() { Value::Null } else { Value::Text(set_text(&entries)) }
}

/// Two parts of one set.
fn joined(one: &Value, other: &Value) -> Value {
    let (one, other) = (one.as_text().unwrap_or_default(), other.as_text().unwrap_or_default());
    set_of(set_entries(&format!("{one}{ENTRY_SEPARATOR}{other}")))
}

/// What became of a record, as the core names it.
pub(crate) fn fate(fate: mirror::Fate) -> Fate {
    match fate {
        mirror::Fate::Live => Fate::Live,
        mirror::Fate::Deleted => Fate::Deleted,
        mirror::Fate::MergedInto(into) => Fate::MergedInto(into),
        mirror::Fate::ConvertedTo(into) => Fate::ConvertedTo(into),
    }
}

/// A stored record as a decision sees it.
pub(crate) fn known(entry: &StoredEntry) -> Known<'_> {
    Known {
        side: entry.side,
        kind: &entry.kind,
        record: &entry.record,
        key: entry.match_key.as_deref(),
        row: entry.seen.as_ref(),
        fate: &entry.fate,
        changed_at: entry.changed_at,
    }
}

/// A planned write in the connector's words.
pub(crate) fn row_write(compiled: &Compiled, out: &Outgoing) -> RowWrite {
    let tied = &out.tied;
    let shown = tied.target.as_ref().map(|target| {
        let row = shown(target.seen.as_ref(), &tied.images, out.side);
        match compiled.flow.pairs.iter().find(|pair| pair.name == out.pair) {
            Some(pair) => with_told(pair, out.side, &row, &tied.images).into_owned(),
            None => row.into_owned(),
        }
    });
    let words = Words { compiled, out };
    let fields = words.written(shown.as_ref());
    let op = match &out.op {
        StepOp::Create { key } => Op::Create { key: key.clone() },
        StepOp::Update { record, .. } => Op::Update { id: record.clone() },
        StepOp::Delete { record, .. } => Op::Delete { id: record.clone() },
    };
    let seen = tied.target.as_ref().zip(shown);
    let seen = seen.map(|(target, row)| mirror::Seen {
        key: own_key_of(out),
        ..mirror::Seen::live(target.record.clone(), words.seen(row))
    });
    RowWrite { op, fields, seen }
}

/// Our key of the record that is written, where we made it and its vendor keeps such keys.
fn own_key_of(out: &Outgoing) -> Option<ExternalKey> {
    let base = out.tied.images.get(&own_key())?;
    base.of(out.side).as_text().map(ExternalKey::new)
}

/// Our key of a record on a side, as images keep it, where its vendor's writes go better with it.
pub(crate) fn kept_key(view: &KindView, side: Side, key: &ExternalKey) -> Option<(RuleKey, Base)> {
    let key = Value::text(key.as_str());
    let base = match side {
        Side::Left => Base::new(key, Value::Null),
        Side::Right => Base::new(Value::Null, key),
    };
    view.keyed.then(|| (own_key(), base))
}

/// A write's fields by the vendor's names. Marks and what else stands in their field are parts of one set there.
struct Words<'a> {
    compiled: &'a Compiled,
    out: &'a Outgoing,
}

impl<'a> Words<'a> {
    fn name(&self, key: RuleKey) -> Option<&'a str> {
        self.compiled.shown_field(&self.out.pair, key, self.out.side)
    }

    fn holds_marks(&self, name: &str) -> bool {
        let view = self.compiled.kinds(self.out.side).get(&self.out.kind);
        view.is_some_and(|view| view.marks.contains_key(name))
    }

    /// What is written; the part of a set that says nothing new stays as the record shows it.
    fn written(&self, shown: Option<&Row>) -> Vec<(String, Value)> {
        let mut fields: Vec<(String, Value)> = Vec::with_capacity(self.out.fields.len());
        for field in &self.out.fields {
            let Some(own) = self.name(field.rule) else { continue };
            match fields.iter_mut().find(|(known, _)| known == own && self.holds_marks(own)) {
                Some((_, value)) => *value = joined(value, &field.target),
                None => fields.push((own.to_owned(), field.target.clone())),
            }
        }
        for (own, value) in fields.iter_mut().filter(|(own, _)| self.holds_marks(own)) {
            let of_marks = mark_key(own);
            let is_part = |key: RuleKey| self.name(key) == Some(own.as_str());
            let is_written = |marks: bool| {
                self.out.fields.iter().any(|field| is_part(field.rule) && (field.rule == of_marks) == marks)
            };
            let stays = |key: &RuleKey| is_part(*key) && !is_written(*key == of_marks);
            for (_, part) in shown.into_iter().flatten().filter(|(key, _)| stays(key)) {
                *value = joined(value, part);
            }
        }
        fields
    }

    fn seen(&self, row: Row) -> BTreeMap<String, Value> {
        let mut fields: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in row {
            let Some(name) = self.name(key) else { continue };
            let value = match fields.get(name).filter(|_| self.holds_marks(name)) {
                Some(other) => joined(other, &value),
                None => value,
            };
            fields.insert(name.to_owned(), value);
        }
        fields
    }
}
