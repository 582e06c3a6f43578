//! Fields that name another record, such as the person and the company of a deal. Another account's ids mean nothing to a
//! side, so it is told the counterpart that the named record has there, in the pairs that the mapping names.
//!
//! Where that record has no counterpart yet, the field says nothing, and everything else goes on; who asks again when the
//! counterpart comes is not known here.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Side,
    base::Base,
    field::{Hold, HoldKind},
    flow::PairSettings,
    row::{Images, Row},
    rule::{Rule, RuleKey},
};
use crate::{ids::RecordId, record::Value};

/// What is known of the counterpart of a record that others name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counterpart {
    /// It is this one.
    There(RecordId),
    /// It is about to be made, or nobody has decided yet whether there is to be one: to be asked for again soon.
    Coming,
}

/// The counterparts of records that others name: by the name of a pair, the side of the record and its id there. Of one
/// that is not among them nobody knows any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counterparts(BTreeMap<(String, Side, RecordId), Counterpart>);

impl Counterparts {
    /// Knows this one as well.
    pub fn insert(&mut self, pair: &str, side: Side, record: RecordId, counterpart: Counterpart) {
        self.0.insert((pair.to_owned(), side, record), counterpart);
    }

    /// What is known of this one.
    pub fn of(&self, pair: &str, side: Side, record: &RecordId) -> Option<&Counterpart> {
        self.0.get(&(pair.to_owned(), side, record.clone()))
    }
}

/// A record that another one names, in a pair in which it may have a counterpart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub pair: String,
    pub side: Side,
    pub record: RecordId,
}

impl PairSettings {
    /// Whether its records name others whose counterparts are carried over.
    pub fn relates(&self) -> bool {
        self.rules.iter().any(|rule| Side::BOTH.iter().any(|side| !rule.end(*side).counterpart_in.is_empty()))
    }

    /// Whom a record of this side names.
    pub fn names(&self, side: Side, row: &Row) -> Vec<Named> {
        let named = |(rule, record): (&Rule, RecordId)| {
            let pairs = rule.end(side.other()).counterpart_in.clone();
            pairs.into_iter().map(move |pair| Named { pair, side, record: record.clone() })
        };
        self.references(side, row).flat_map(named).collect()
    }

    /// The rules by which a record of this side names others, with the record that each names.
    fn references<'a>(&'a self, side: Side, row: &'a Row) -> impl Iterator<Item = (&'a Rule, RecordId)> {
        let to = side.other();
        let relations = self.rules.iter().filter(move |rule| !rule.end(to).counterpart_in.is_empty());
        relations.filter(move |rule| rule.goes_to(to)).filter_map(|rule| Some((rule, reference(row.get(&rule.key)?)?)))
    }
}

/// The record that a value names.
fn reference(value: &Value) -> Option<RecordId> {
    match value {
        Value::Id(id) => Some(id.clone()),
        Value::Text(text) if !text.trim().is_empty() => Some(RecordId::new(text.trim())),
        _ => None,
    }
}

/// The counterpart of a named record, in the first pair that has one.
fn counterpart<'a>(pairs: &[String], side: Side, record: &RecordId, known: &'a Counterparts) -> Option<&'a RecordId> {
    pairs.iter().find_map(|pair| match known.of(pair, side, record)? {
        Counterpart::There(id) => Some(id),
        Counterpart::Coming => None,
    })
}

/// A pair as it is for one record: its rules know the counterparts of whom that record names, and the record shows only
/// those whose counterparts are there.
pub(super) fn related<'a>(
    pair: &'a PairSettings,
    side: Side,
    row: &'a Row,
    known: &Counterparts,
) -> (Cow<'a, PairSettings>, Cow<'a, Row>) {
    let (mut own, mut shown) = (Cow::Borrowed(pair), Cow::Borrowed(row));
    for (rule, record) in pair.references(side, row) {
        match counterpart(&rule.end(side.other()).counterpart_in, side, &record, known) {
            Some(there) => {
                let place = pair.rules.iter().position(|known| known.key == rule.key);
                let rule = place.and_then(|place| own.to_mut().rules.get_mut(place));
                if let Some(rule) = rule {
                    let end = if side == Side::Left { &mut rule.right } else { &mut rule.left };
                    end.options.insert(record.as_str().to_owned(), there.as_str().to_owned());
                }
            }
            None => {
                shown.to_mut().remove(&rule.key);
            }
        }
    }
    (own, shown)
}

/// What a side is taken to show of fields that its account takes and does not show, as whom its record belongs to: what it was
/// told last.
pub fn with_told<'a>(pair: &PairSettings, side: Side, row: &'a Row, images: &Images) -> Cow<'a, Row> {
    let mut shown = Cow::Borrowed(row);
    let untold = |rule: &&Rule| !rule.end(side).counterpart_in.is_empty() || rule.end(side).shape.habits.untold;
    for rule in pair.rules.iter().filter(untold) {
        if !shown.contains_key(&rule.key) {
            let told = images.get(&rule.key).map_or(Value::Null, |base| base.of(side).clone());
            shown.to_mut().insert(rule.key, told);
        }
    }
    shown
}

/// The images without the word of whom a side was told who is no longer the counterpart of the record that is named, because
/// another one took that place: the name then counts as new, and the side is told the other.
pub(super) fn images_now<'a>(
    pair: &PairSettings,
    side: Side,
    row: &Row,
    images: &'a Images,
    known: &Counterparts,
) -> Cow<'a, Images> {
    let mut images = Cow::Borrowed(images);
    for (rule, record) in pair.references(side, row) {
        let Some(base) = images.get(&rule.key) else { continue };
        let (to, named) = (side.other(), reference(base.of(side)));
        let (Some(told), true) = (reference(base.of(to)), named.as_ref() == Some(&record)) else { continue };
        let there = counterpart(&rule.end(to).counterpart_in, side, &record, known);
        if there.is_none_or(|there| *there == told) {
            continue;
        }
        let told = base.of(to).clone();
        let base = if side == Side::Left { Base::new(Value::Null, told) } else { Base::new(told, Value::Null) };
        images.to_mut().insert(rule.key, base);
    }
    images
}

/// Why a record cannot be made yet, or need not be just now: it names another that it has to name, or one whose
/// counterpart is about to be made, so that one write does for both.
pub(super) fn waits(pair: &PairSettings, side: Side, row: &Row, known: &Counterparts) -> Option<Waits> {
    let has = |pairs: &[String], id: &RecordId| counterpart(pairs, side, id, known).is_some();
    let is_coming = |(rule, record): &(&Rule, RecordId)| {
        let pairs = &rule.end(side.other()).counterpart_in;
        let coming = |pair: &String| known.of(pair, side, record) == Some(&Counterpart::Coming);
        !has(pairs, record) && pairs.iter().any(coming)
    };
    if let Some((_, record)) = pair.references(side, row).find(is_coming) {
        return Some(Waits::Coming(format!("it waits until {record} has a counterpart")));
    }
    let needs = |key: RuleKey| {
        pair.rules.iter().find(|rule| rule.key == key).map(|rule| rule.end(side.other())).filter(|end| {
            let named = row.get(&key).and_then(reference);
            end.shape.required && end.shape.createable && named.is_some_and(|id| !has(&end.counterpart_in, &id))
        })
    };
    let (end, record) = pair.references(side, row).find_map(|(rule, record)| Some((needs(rule.key)?, record)))?;
    Some(Waits::Needs(Hold {
        kind: HoldKind::Misfit,
        to: Some(side.other()),
        reason: format!(
            "{} must have a value, and {record}, which it belongs to, has no counterpart in {}",
            end.field,
            end.counterpart_in.join(" or ")
        ),
        fix: format!("let {record} take part, or see what holds it back; this goes by itself once it has one"),
    }))
}

/// Why a record is not made now.
pub(super) enum Waits {
    /// It is looked at again in a moment; for a person who wonders.
    Coming(String),
    Needs(Hold),
}
