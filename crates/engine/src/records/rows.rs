//! Between what a connector shows and what the store keeps. Pure.

use syncline_connect::mirror;
use syncline_core::{
    merge::{Fate, Known, Row, Side},
    person::normal_email,
    record::Value,
};
use syncline_store::{SeenRow, StoredEntry};

use super::view::KindView;

/// A record as the store takes it.
pub(crate) fn seen_row(side: Side, kind: &str, view: &KindView, seen: mirror::Seen) -> SeenRow {
    let match_key = view.spec.email.and_then(|field| match seen.fields.get(field) {
        Some(Value::Text(address)) => normal_email(address),
        _ => None,
    });
    SeenRow {
        side,
        kind: kind.to_owned(),
        record: seen.id,
        match_key,
        row: row(view, &seen.fields),
        changed_at: seen.changed_at,
        fate: fate(seen.fate),
    }
}

/// The fields that rules and selection read, under their keys.
pub(crate) fn row(view: &KindView, fields: &std::collections::BTreeMap<String, Value>) -> Row {
    let mut row = Row::new();
    for (field, keys) in &view.keys {
        if let Some(value) = fields.get(field) {
            let value = match view.field_kinds.get(field) {
                Some(kind) => mirror::in_kind(*kind, value.clone()),
                None => value.clone(),
            };
            row.extend(keys.iter().map(|key| (*key, value.clone())));
        }
    }
    row
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
