//! What is to be done about one record: left alone, tied to its counterpart, made on the other side, brought in step,
//! let go. Pure: who is asked for facts and who writes is not known here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Side,
    field::{Evidence, Hold, HoldKind},
    flow::{Flow, PairSettings, WhenDeleted},
    row::{Change, First, Images, Pair, Row, RowMerge, first_values, merge_rows},
    rule::{Rule, RuleKey},
};
use crate::{ids::RecordId, record::Value};

/// What became of a record at its vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Live,
    Deleted,
    /// Merged away into another of its kind.
    MergedInto(RecordId),
    /// A lead that became a contact.
    ConvertedTo(RecordId),
    /// A whole reading did not find it.
    Missing,
}

/// A record as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub side: Side,
    pub kind: &'a str,
    pub record: &'a RecordId,
    /// By which it is matched with the other side; none for a record without an address.
    pub key: Option<&'a str>,
    /// What it shows; nothing where it has not changed since the base.
    pub row: Option<&'a Row>,
    pub fate: &'a Fate,
    pub changed_at: Option<Timestamp>,
}

/// What is known of a link.
#[derive(Clone, Copy, Debug)]
pub struct Tie<'a> {
    /// The pair's name.
    pub pair: &'a str,
    pub images: &'a Images,
    /// Values that were refused for good.
    pub refused: &'a [(RuleKey, u64)],
    /// What a person decided.
    pub decided: &'a [(RuleKey, Side)],
}

/// A record with all that is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub record: Known<'a>,
    pub tie: Option<Tie<'a>>,
    /// The link's other record.
    pub partner: Option<Known<'a>>,
    /// Records of the other side that bear the same key and have no counterpart yet.
    pub candidates: &'a [Known<'a>],
    /// The one that it was merged into or became, where that is known.
    pub successor: Option<Successor<'a>>,
    /// When the integration was activated.
    pub since: Option<Timestamp>,
}

/// The one that a record was merged into or became.
#[derive(Clone, Copy, Debug)]
pub struct Successor<'a> {
    pub record: Known<'a>,
    /// It has a counterpart of its own.
    pub linked: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing. The note is for a person who wonders.
    Rest { note: Option<String> },
    /// It and this candidate are one thing.
    Adopt { pair: usize, candidate: usize, merge: RowMerge },
    /// It is made on the other side.
    Create { pair: usize, to: Side, first: First },
    /// The link is brought in step.
    Merge { pair: usize, merge: RowMerge },
    /// The link goes on with the record that this one was merged into or became.
    Follow { pair: usize, images: Images },
    /// The successor has to be read first.
    Seek { kind: String, record: RecordId },
    /// The counterpart is deleted, and the link with it.
    Delete { to: Side },
    /// The link is given up; both records stay as they are.
    Detach { note: String },
    /// Nothing can be done with the whole record until somebody acts.
    Hold(Hold),
}

/// Decides about one record.
pub fn decide(flow: &Flow, case: &Case<'_>) -> Decision {
    match &case.tie {
        Some(tie) => decide_linked(flow, case, tie),
        None => decide_single(flow, case),
    }
}

fn rest(note: impl Into<String>) -> Decision {
    Decision::Rest { note: Some(note.into()) }
}

fn decide_single(flow: &Flow, case: &Case<'_>) -> Decision {
    let record = &case.record;
    if *record.fate != Fate::Live {
        return Decision::Rest { note: None };
    }
    let Some(row) = record.row else { return Decision::Rest { note: None } };
    let mut why = None;
    for (place, pair) in flow.pairs.iter().enumerate() {
        if pair.side(record.side).kind != record.kind {
            continue;
        }
        match match_pair(pair, place, case, row) {
            Matched::Decision(decision) => return decision,
            Matched::Not(note) => why = why.or(Some(note)),
        }
    }
    make(flow, case, row, why)
}

enum Matched {
    Decision(Decision),
    /// Nothing of this pair fits; the reason.
    Not(String),
}

/// Looks for the counterpart among the candidates of one pair.
fn match_pair(pair: &PairSettings, place: usize, case: &Case<'_>, row: &Row) -> Matched {
    let across = &pair.side(case.record.side.other()).kind;
    let fits: Vec<(usize, &Known<'_>)> = case
        .candidates
        .iter()
        .enumerate()
        .filter(|(_, known)| known.kind == across && *known.fate == Fate::Live && known.row.is_some())
        .collect();
    let (candidate, other) = match fits.as_slice() {
        [] => return Matched::Not("it has no counterpart, and none is made of its kind".to_owned()),
        [one] => *one,
        several => {
            let hold = Hold {
                kind: HoldKind::Conflict,
                to: None,
                reason: format!("{} records of the other side bear the same address", several.len()),
                fix: "merge them, or give each an address of its own".to_owned(),
            };
            return Matched::Decision(Decision::Hold(hold));
        }
    };
    let Some(other_row) = other.row else { return Matched::Not("its counterpart was not read".to_owned()) };
    let both = match case.record.side {
        Side::Left => Pair { left: row, right: other_row },
        Side::Right => Pair { left: other_row, right: row },
    };
    match pair.selects(both.left, case.since) {
        Ok(true) => {}
        Ok(false) => return Matched::Not("its record is not selected".to_owned()),
        Err(reason) => return Matched::Decision(Decision::Hold(criteria(reason))),
    }
    let times = times(&case.record, other);
    let merge = merge_rows(&pair.rules, &Images::new(), both, |_| times);
    Matched::Decision(Decision::Adopt { pair: place, candidate, merge })
}

fn criteria(reason: String) -> Hold {
    Hold {
        kind: HoldKind::Misfit,
        to: None,
        reason: format!("the selection cannot be worked out: {reason}"),
        fix: "mend the criteria in the integration's settings".to_owned(),
    }
}

/// Makes the record on the other side, where a pair says so.
fn make(flow: &Flow, case: &Case<'_>, row: &Row, why: Option<String>) -> Decision {
    let record = &case.record;
    let to = record.side.other();
    let mut why = why;
    for (place, pair) in flow.pairs.iter().enumerate() {
        if pair.side(record.side).kind != record.kind || !pair.side(to).create {
            continue;
        }
        if record.side == Side::Left {
            match pair.selects(row, case.since) {
                Ok(true) => {}
                Ok(false) => {
                    why = Some("it is not selected".to_owned());
                    continue;
                }
                Err(reason) => return Decision::Hold(criteria(reason)),
            }
        }
        if record.key.is_none() {
            return rest("it has no address by which it could be known on the other side");
        }
        return match first_values(&pair.rules, to, row) {
            Ok(first) => Decision::Create { pair: place, to, first },
            Err(hold) => Decision::Hold(hold),
        };
    }
    Decision::Rest { note: why }
}

fn decide_linked(flow: &Flow, case: &Case<'_>, tie: &Tie<'_>) -> Decision {
    let Some((place, pair)) = flow.pairs.iter().enumerate().find(|(_, pair)| pair.name == tie.pair) else {
        return rest("its pair of kinds is no longer configured");
    };
    // Whoever of the two is gone is decided about first.
    for (gone, other) in [(Some(case.record), case.partner), (case.partner, Some(case.record))] {
        let Some(gone) = gone else { continue };
        match gone.fate {
            Fate::Live => {}
            Fate::Deleted | Fate::Missing => return deleted(pair, &gone, other.as_ref(), tie),
            Fate::MergedInto(into) | Fate::ConvertedTo(into) => {
                return follow(flow, pair, &gone, into, case, tie);
            }
        }
    }
    let Some(partner) = &case.partner else {
        return unmade(place, pair, case);
    };
    let (own, across) = (whole(&case.record, tie), whole(partner, tie));
    let both = match case.record.side {
        Side::Left => Pair { left: &own, right: &across },
        Side::Right => Pair { left: &across, right: &own },
    };
    let reads_selection = case.record.side == Side::Left && case.record.row.is_some();
    if reads_selection {
        match pair.selects(both.left, case.since) {
            Ok(true) => {}
            Ok(false) => return rest("it is no longer selected"),
            Err(reason) => return Decision::Hold(criteria(reason)),
        }
    }
    let times = times(&case.record, partner);
    let decided = |rule: &Rule| tie.decided.iter().find(|(key, _)| *key == rule.key).map(|(_, side)| *side);
    let merge = merge_rows(&pair.rules, tie.images, both, |rule| Evidence { decided: decided(rule), ..times });
    Decision::Merge { pair: place, merge: without_refused(merge, tie.refused) }
}

/// What a linked record shows: as it was read, or as the images say.
fn whole(known: &Known<'_>, tie: &Tie<'_>) -> Row {
    match known.row {
        Some(row) => row.clone(),
        None => tie.images.iter().map(|(key, base)| (*key, base.of(known.side).clone())).collect(),
    }
}

/// A counterpart that was planned and never came to be is planned again.
fn unmade(place: usize, pair: &PairSettings, case: &Case<'_>) -> Decision {
    let to = case.record.side.other();
    let Some(row) = case.record.row else { return Decision::Rest { note: None } };
    match first_values(&pair.rules, to, row) {
        Ok(first) => Decision::Create { pair: place, to, first },
        Err(hold) => Decision::Hold(hold),
    }
}

fn deleted(pair: &PairSettings, gone: &Known<'_>, other: Option<&Known<'_>>, tie: &Tie<'_>) -> Decision {
    let to = gone.side.other();
    let Some(other) = other else { return Decision::Detach { note: "it was deleted".to_owned() } };
    if pair.side(to).deleted == WhenDeleted::Detach || *other.fate != Fate::Live {
        return Decision::Detach { note: "its counterpart was deleted".to_owned() };
    }
    let edited = pair.rules.iter().any(|rule| {
        let (now, before) = (other.row.and_then(|row| row.get(&rule.key)), tie.images.get(&rule.key));
        now.zip(before).is_some_and(|(now, before)| *rule.end(to).normal(now) != *before.of(to))
    });
    if edited {
        return Decision::Detach { note: "its counterpart was deleted after this one had been changed".to_owned() };
    }
    Decision::Delete { to }
}

/// Goes on with the record that took the place of one that is gone.
fn follow(
    flow: &Flow,
    pair: &PairSettings,
    gone: &Known<'_>,
    into: &RecordId,
    case: &Case<'_>,
    tie: &Tie<'_>,
) -> Decision {
    let Some(successor) = &case.successor else {
        let converted = matches!(gone.fate, Fate::ConvertedTo(_));
        let kind = if converted { converted_kind(flow, gone) } else { Some(gone.kind.to_owned()) };
        return match kind {
            Some(kind) => Decision::Seek { kind, record: into.clone() },
            None => Decision::Detach { note: "it was converted, and contacts are not kept in step".to_owned() },
        };
    };
    if successor.linked {
        return Decision::Detach {
            note: "the record it was merged into has a counterpart of its own; merge the two on the other side, too"
                .to_owned(),
        };
    }
    if *successor.record.fate != Fate::Live {
        return Decision::Detach { note: "the record it was merged into is gone as well".to_owned() };
    }
    let across = &pair.side(gone.side.other()).kind;
    let next = flow.pairs.iter().enumerate().find(|(_, next)| {
        next.side(gone.side).kind == successor.record.kind && next.side(gone.side.other()).kind == *across
    });
    match next {
        Some((place, next)) => Decision::Follow { pair: place, images: carried(pair, next, gone.side, tie.images) },
        None => Decision::Detach { note: "what it became is not kept in step".to_owned() },
    }
}

/// The kind that a converted record became: the one of another pair with the same counterpart.
fn converted_kind(flow: &Flow, gone: &Known<'_>) -> Option<String> {
    let across: BTreeSet<&str> = flow
        .pairs
        .iter()
        .filter(|pair| pair.side(gone.side).kind == gone.kind)
        .map(|pair| pair.side(gone.side.other()).kind.as_str())
        .collect();
    let mut others = flow.pairs.iter().filter(|pair| {
        pair.side(gone.side).kind != gone.kind && across.contains(pair.side(gone.side.other()).kind.as_str())
    });
    others.next().map(|pair| pair.side(gone.side).kind.clone())
}

/// Images under the rules of another pair: the field of the side that stays the same tells which belongs to which.
fn carried(from: &PairSettings, to: &PairSettings, changed: Side, images: &Images) -> Images {
    let stays = changed.other();
    let renamed = |rule: &Rule| to.rules.iter().find(|next| next.end(stays).field == rule.end(stays).field);
    from.rules.iter().filter_map(|rule| Some((renamed(rule)?.key, images.get(&rule.key)?.clone()))).collect()
}

fn times(one: &Known<'_>, other: &Known<'_>) -> Evidence {
    let at = |side: Side| if one.side == side { one.changed_at } else { other.changed_at };
    Evidence { left_at: at(Side::Left), right_at: at(Side::Right), ..Evidence::default() }
}

/// Values that were refused for good are not sent again until they change.
fn without_refused(mut merge: RowMerge, refused: &[(RuleKey, u64)]) -> RowMerge {
    if refused.is_empty() {
        return merge;
    }
    let mut held = Vec::new();
    for (side, changes) in [(Side::Left, &mut merge.to_left), (Side::Right, &mut merge.to_right)] {
        changes.retain(|change| {
            let again = refused.contains(&(change.key, payload_digest(side, change)));
            if again {
                held.push((
                    change.key,
                    Hold {
                        kind: HoldKind::Refused,
                        to: Some(side),
                        reason: "the vendor refused this value before".to_owned(),
                        fix: "change the value, or try again once the reason is mended".to_owned(),
                    },
                ));
            }
            !again
        });
    }
    merge.holds.append(&mut held);
    merge
}

/// Tells a value that is sent to a side apart from any other.
pub fn payload_digest(side: Side, change: &Change) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(side.as_str());
    hasher.update(change.key.0.to_be_bytes());
    hasher.update(spelled(&change.target).as_bytes());
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

/// A value in letters, each kind with its own first one, so that stored digests outlive any change of the code.
fn spelled(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(value) => format!("b{value}"),
        Value::Decimal(number) => format!("n{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Date(date) => format!("d{date}"),
        Value::Time(time) => format!("p{}", time.as_microsecond()),
        Value::Id(id) => format!("i{id}"),
        Value::Slot(slot) => format!("s{slot}"),
    }
}
