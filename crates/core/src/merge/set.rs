//! The merge of a field whose value is several entries that come and go one by one: tags, lists, choices.

use std::{borrow::Cow, cell::OnceCell};

use super::{
    Side,
    end::{End, Entries, as_entries, set_entries, set_text},
    field::{Merged, Now},
    rule::Blanks,
};
use crate::{fit::Misfit, record::Value};

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
            Some(side) => as_value(&named_entries(self.rule.end(to), self.of(side))?, self, to),
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
        if self.base.is_some_and(|base| base.of(from) == self.of(from)) {
            return Ok(None);
        }
        let before = |side: Side| self.base.map_or_else(Entries::new, |base| entries_of(base.of(side)));
        let (now, before, own_before, own) =
            (entries_of(self.of(from)), before(from), before(to), entries_of(self.of(to)));
        let theirs = Words::of(self.rule.end(to), now.iter().chain(only_in(&before, &now)));
        let ours = Words::of(self.rule.end(from), own.iter());
        let means = |their: &str, our: &str| theirs.say(their, our) || ours.say(our, their);
        let mut merged = own.clone();
        for added in only_in(&now, &before) {
            // Another spelling of what is there already is nothing new.
            if !own.iter().any(|our| means(added, our)) {
                merged.extend(theirs.of_entry(added)?);
            }
        }
        let gone: Vec<&str> = only_in(&before, &now).map(AsRef::as_ref).collect();
        let emptied = now.is_empty() && !before.is_empty();
        match self.rule.blanks {
            Blanks::Ignore if emptied => {}
            Blanks::Refuse if emptied && own.iter().any(|our| own_before.contains(our)) => return Err(Stop::Blank),
            Blanks::Propagate | Blanks::Ignore | Blanks::Refuse => {
                // What this side added by itself meanwhile stays, and what several entries stand for goes with the last.
                merged.retain(|our| {
                    !own_before.contains(our)
                        || !gone.iter().any(|their| means(their, our))
                        || now.iter().any(|their| means(their, our))
                });
            }
        }
        let merged = as_entries(merged);
        if merged == own { Ok(None) } else { as_value(&merged, self, to) }
    }
}

/// Entries of one set that are not in another.
fn only_in<'s, 'e>(one: &'s [Cow<'e, str>], other: &'s [Cow<'e, str>]) -> impl Iterator<Item = &'s Cow<'e, str>> {
    one.iter().filter(|entry| other.binary_search(entry).is_err())
}

/// An entry in another side's words: several where its options say so.
type Names<'a> = Vec<Cow<'a, str>>;

/// What one side calls the other's entries, each asked for when it is needed.
struct Words<'a> {
    end: &'a End,
    names: Vec<(&'a str, OnceCell<Result<Names<'a>, Misfit>>)>,
}

impl<'a> Words<'a> {
    fn of<'e: 'a>(end: &'a End, entries: impl Iterator<Item = &'a Cow<'e, str>>) -> Self {
        Self { end, names: entries.map(|entry| (entry.as_ref(), OnceCell::new())).collect() }
    }

    fn find(&self, entry: &str) -> Option<&Result<Names<'a>, Misfit>> {
        let (known, names) = self.names.iter().find(|(known, _)| *known == entry)?;
        Some(names.get_or_init(|| named(self.end, known)))
    }

    fn say(&self, entry: &str, name: &str) -> bool {
        self.find(entry).is_some_and(|names| names.as_ref().is_ok_and(|names| names.iter().any(|known| known == name)))
    }

    fn of_entry(&self, entry: &str) -> Result<Names<'static>, Misfit> {
        let names = self.find(entry).cloned().unwrap_or_else(|| Ok(Names::new()))?;
        Ok(names.into_iter().map(|name| Cow::Owned(name.into_owned())).collect())
    }
}

/// A whole set in this side's words.
pub(super) fn named_entries<'a>(end: &End, value: &'a Value) -> Result<Entries<'a>, Misfit> {
    let mut out = Entries::new();
    for entry in entries_of(value) {
        out.extend(named(end, &entry)?.into_iter().map(|name| Cow::Owned(name.into_owned())));
    }
    Ok(as_entries(out))
}

/// A set as one value, where the field can hold it.
pub(super) fn set_value(end: &End, entries: &[Cow<'_, str>]) -> Result<Value, Misfit> {
    let text = set_text(entries);
    if text.is_empty() {
        end.empty()
    } else if end.exceeds(&text) {
        Err(end.too_long())
    } else {
        Ok(Value::Text(text))
    }
}

fn as_value(entries: &[Cow<'_, str>], now: &Now<'_>, to: Side) -> Result<Option<Value>, Stop> {
    if *entries == entries_of(now.of(to)) {
        return Ok(None);
    }
    Ok(Some(set_value(now.rule.end(to), entries)?))
}

/// What this side calls an entry of the other.
fn named<'a>(end: &End, entry: &'a str) -> Result<Names<'a>, Misfit> {
    if end.keeps_entry(entry) {
        return Ok(vec![Cow::Borrowed(entry)]);
    }
    Ok(match end.take_text(entry, false)? {
        Value::Text(text) => set_entries(&text).into_iter().map(|name| Cow::Owned(name.into_owned())).collect(),
        _ => Names::new(),
    })
}

fn entries_of(value: &Value) -> Entries<'_> {
    match value {
        Value::Text(text) => set_entries(text),
        _ => Entries::new(),
    }
}
