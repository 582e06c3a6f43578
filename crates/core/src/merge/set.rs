//! The merge of a field whose value is several entries that come and go one by one: tags, lists, choices.

use std::collections::BTreeSet;

use super::{
    Side,
    end::{End, entries, join},
    field::{Merged, Now},
    rule::Blanks,
};
use crate::{fit::Misfit, record::Value};

type Entries = BTreeSet<String>;

/// Why a side is not told.
enum Stop {
    Blank,
    Misfit(Misfit),
}

impl From<Misfit> for Stop {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

impl Now<'_> {
    /// Each side gets what was added on the other, and loses what was taken away there.
    pub(super) fn merge_set(&self) -> Merged {
        let told = |to: Side| match self.decided() {
            Some(side) if side == to => Ok(None),
            Some(side) => as_value(&self.named_all(side, to)?, self, to),
            None if self.rule.goes_to(to) => self.told_set(to),
            None => Ok(None),
        };
        let stopped = |to: Side, stop: Stop| match stop {
            Stop::Blank => self.hold_blank(to),
            Stop::Misfit(misfit) => self.misfit(to, misfit),
        };
        match (told(Side::Left), told(Side::Right)) {
            (Err(stop), _) => stopped(Side::Left, stop),
            (_, Err(stop)) => stopped(Side::Right, stop),
            (Ok(None), Ok(None)) => Merged::Adopt(self.as_base()),
            (Ok(to_left), Ok(to_right)) => self.tell(to_left, to_right, None),
        }
    }

    /// What a side is to hold, where that is not what it holds.
    fn told_set(&self, to: Side) -> Result<Option<Value>, Stop> {
        let from = to.other();
        let (now, own) = (entries_of(self.of(from)), entries_of(self.of(to)));
        let before = |side: Side| self.base.map_or_else(Entries::new, |base| entries_of(base.of(side)));
        let (before, own_before) = (before(from), before(to));
        let means = |theirs: &str, ours: &str| {
            named(self.rule.end(to), theirs).is_ok_and(|names| names.contains(ours))
                || named(self.rule.end(from), ours).is_ok_and(|names| names.contains(theirs))
        };
        let mut merged = own.clone();
        for added in now.difference(&before) {
            // Another spelling of what is there already is nothing new.
            if !own.iter().any(|ours| means(added, ours)) {
                merged.extend(named(self.rule.end(to), added)?);
            }
        }
        let emptied = now.is_empty() && !before.is_empty();
        match self.rule.blanks {
            Blanks::Ignore if emptied => {}
            Blanks::Refuse if emptied && own.iter().any(|ours| own_before.contains(ours)) => return Err(Stop::Blank),
            Blanks::Propagate | Blanks::Ignore | Blanks::Refuse => {
                let gone: Vec<&String> = before.difference(&now).collect();
                // What this side added by itself meanwhile stays, and what several entries stand for goes with the last.
                merged.retain(|ours| {
                    !own_before.contains(ours)
                        || !gone.iter().any(|theirs| means(theirs, ours))
                        || now.iter().any(|theirs| means(theirs, ours))
                });
            }
        }
        if merged == own { Ok(None) } else { as_value(&merged, self, to) }
    }

    /// All entries of one side in the other's words.
    fn named_all(&self, from: Side, to: Side) -> Result<Entries, Misfit> {
        named_entries(self.rule.end(to), self.of(from))
    }
}

/// A whole set in this side's words.
pub(super) fn named_entries(end: &End, value: &Value) -> Result<Entries, Misfit> {
    let mut out = Entries::new();
    for entry in entries_of(value) {
        out.extend(named(end, &entry)?);
    }
    Ok(out)
}

/// A set as one value, where the field can hold it.
pub(super) fn set_value(end: &End, entries: &Entries) -> Result<Value, Misfit> {
    let text = join(entries);
    if text.is_empty() {
        end.empty()
    } else if end.exceeds(&text) {
        Err(end.too_long())
    } else {
        Ok(Value::Text(text))
    }
}

fn as_value(entries: &Entries, now: &Now<'_>, to: Side) -> Result<Option<Value>, Stop> {
    if *entries == entries_of(now.of(to)) {
        return Ok(None);
    }
    Ok(Some(set_value(now.rule.end(to), entries)?))
}

/// What this side calls an entry of the other.
fn named(end: &End, entry: &str) -> Result<Entries, Misfit> {
    let taken = end.take(&Value::text(entry), false)?;
    Ok(entries_of(&taken))
}

fn entries_of(value: &Value) -> Entries {
    match value {
        Value::Text(text) => entries(text),
        _ => Entries::new(),
    }
}
