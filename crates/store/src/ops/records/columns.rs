//! How entries, links and steps stand in their columns. No statement stands here.

use serde::Serialize;
use syncline_core::{ids::RecordId, merge::Side};

use crate::{
    StoredEntry, StoredFate, StoredLink, StoredStep,
    db::{P, Row, to_json},
    error::{Error, Result},
};

pub(super) fn side_column(side: Side) -> P<'static> {
    P::Int(match side {
        Side::Left => 0,
        Side::Right => 1,
    })
}

pub(super) fn side_of(column: i64) -> Result<Side> {
    match column {
        0 => Ok(Side::Left),
        1 => Ok(Side::Right),
        _ => Err(Error::corrupt("a side is neither left nor right")),
    }
}

/// The number of a fate, and the record that took the place of this one.
pub(super) fn fate_columns(fate: &StoredFate) -> [P<'_>; 2] {
    let (code, into) = match fate {
        StoredFate::Live => (0, None),
        StoredFate::Deleted => (1, None),
        StoredFate::MergedInto(record) => (2, Some(record.as_str())),
        StoredFate::ConvertedTo(record) => (3, Some(record.as_str())),
        StoredFate::Missing => (4, None),
    };
    [P::Int(code), P::opt_text(into)]
}

/// The fate in two columns from `at` on.
pub(super) fn fate_of(row: &mut Row, at: usize) -> Result<StoredFate> {
    let into = row.opt_text(at + 1)?.map(RecordId::new);
    match (row.int(at)?, into) {
        (0, _) => Ok(StoredFate::Live),
        (1, _) => Ok(StoredFate::Deleted),
        (2, Some(record)) => Ok(StoredFate::MergedInto(record)),
        (3, Some(record)) => Ok(StoredFate::ConvertedTo(record)),
        (4, _) => Ok(StoredFate::Missing),
        _ => Err(Error::corrupt("what became of a record cannot be read")),
    }
}

/// Whether nothing more is heard of a record with this fate.
pub(super) fn is_gone(fate: &StoredFate) -> bool {
    match fate {
        StoredFate::Deleted | StoredFate::MergedInto(_) | StoredFate::ConvertedTo(_) => true,
        StoredFate::Live | StoredFate::Missing => false,
    }
}

/// A list, where it has entries: most have none, and then nothing is stored.
pub(super) fn list_json<T: Serialize>(list: &[T]) -> Result<Option<Vec<u8>>> {
    if list.is_empty() { Ok(None) } else { to_json(list).map(Some) }
}

/// What is stored of one record and cannot be read, after a damage or because a later version wrote it, must not hold up
/// the others: it is noted.
pub(super) fn readable<T: Default>(read: Result<T>, unreadable: &mut bool) -> Result<T> {
    match read {
        Err(Error::Corrupt(_)) => {
            *unreadable = true;
            Ok(T::default())
        }
        read => read,
    }
}

/// The columns `id, side, kind, record, match_key, link, seen, changed_at, fate, into_record, due_at, note, tries,
/// revision, let_go`.
pub(super) fn entry_of(mut row: Row) -> Result<StoredEntry> {
    let mut unreadable = false;
    let seen = readable(row.opt_json(6), &mut unreadable)?;
    let fate = readable(fate_of(&mut row, 8).map(Some), &mut unreadable)?.unwrap_or(StoredFate::Live);
    Ok(StoredEntry {
        id: row.int(0)?,
        side: side_of(row.int(1)?)?,
        kind: row.text(2)?,
        record: RecordId::new(row.text(3)?),
        match_key: row.opt_text(4)?,
        link: row.opt_int(5)?,
        seen,
        changed_at: row.opt_time(7)?,
        fate,
        due_at: row.opt_time(10)?,
        note: row.opt_text(11)?,
        tries: count_of(row.int(12)?),
        revision: row.int(13)?,
        let_go: row.int(14)? != 0,
        unreadable,
    })
}

/// The columns `id, pair, left_entry, right_entry, images, refused, decided, revision`.
pub(super) fn link_of(mut row: Row) -> Result<StoredLink> {
    let mut unreadable = false;
    let images = readable(row.json(4), &mut unreadable)?;
    let refused = readable(row.opt_json(5), &mut unreadable)?.unwrap_or_default();
    let decided = readable(row.opt_json(6), &mut unreadable)?.unwrap_or_default();
    Ok(StoredLink {
        id: row.int(0)?,
        pair: row.text(1)?,
        left: row.opt_int(2)?,
        right: row.opt_int(3)?,
        images,
        refused,
        decided,
        revision: row.int(7)?,
        unreadable,
    })
}

/// The columns `id, link, side, kind, op, fields, ticket, look_at`.
pub(super) fn step_of(mut row: Row) -> Result<StoredStep> {
    Ok(StoredStep {
        id: row.int(0)?,
        link: row.int(1)?,
        side: side_of(row.int(2)?)?,
        kind: row.text(3)?,
        op: row.json(4)?,
        fields: row.json(5)?,
        ticket: row.opt_text(6)?,
        look_at: row.time(7)?,
    })
}

/// A small number that is never negative.
pub(super) fn count_of(column: i64) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
}
