//! What becomes of a link when one of its two records was deleted, merged away or converted.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Side,
    base::Base,
    decide::{Case, Decision, Fate, Known, Tie},
    flow::{Flow, PairSettings, WhenDeleted, own_key},
    row::Images,
    rule::{Kind, Rule, RuleKey},
};
use crate::{
    ids::RecordId,
    mutant::{self, Mutant},
    record::Value,
};

/// What is to be done where one of both is gone; nothing where both are there.
pub(super) fn decide_gone(flow: &Flow, pair: &PairSettings, case: &Case<'_>, tie: &Tie<'_>) -> Option<Decision> {
    let records = [Some(case.record), case.partner];
    // What became another goes on as that, whatever happened to its counterpart meanwhile: otherwise what it became would
    // count as somebody new.
    for gone in records.into_iter().flatten() {
        if let Fate::MergedInto(into) | Fate::ConvertedTo(into) = gone.fate {
            return Some(follow(flow, pair, &gone, into, case, tie));
        }
    }
    let is_gone = |known: &Known<'_>| *known.fate != Fate::Live;
    match records.map(|known| known.filter(is_gone)) {
        [Some(_), Some(_)] => Some(Decision::Detach { note: "both are gone".to_owned() }),
        [Some(gone), None] => Some(deleted(pair, &gone, case.partner.as_ref(), case.since, tie)),
        [None, Some(gone)] => Some(deleted(pair, &gone, Some(&case.record), case.since, tie)),
        [None, None] => None,
    }
}

fn deleted(
    pair: &PairSettings,
    gone: &Known<'_>,
    other: Option<&Known<'_>>,
    since: Option<Timestamp>,
    tie: &Tie<'_>,
) -> Decision {
    let to = gone.side.other();
    let Some(other) = other else { return Decision::Detach { note: "it was deleted".to_owned() } };
    if pair.side(to).deleted == WhenDeleted::Detach {
        return Decision::Detach { note: "its counterpart was deleted".to_owned() };
    }
    if to == Side::Left && other.row.is_some_and(|row| pair.selects(row, since) != Ok(true)) {
        return Decision::Detach { note: "its counterpart was deleted, and it is no longer selected".to_owned() };
    }
    if edited(pair, other, tie) {
        return Decision::Detach { note: "its counterpart was deleted after this one had been changed".to_owned() };
    }
    Decision::Delete { to }
}

/// Whether a record says something that the other one was never told: somebody changed it since both agreed, or they have
/// not agreed yet, or somebody opted out here and could not there.
fn edited(pair: &PairSettings, known: &Known<'_>, tie: &Tie<'_>) -> bool {
    let says = pair.rules.iter().filter(|rule| rule.kind != Kind::Mark).any(|rule| {
        let Some(now) = known.row.and_then(|row| row.get(&rule.key)) else { return false };
        let (end, before) = (rule.end(known.side), tie.images.get(&rule.key));
        let opted_out = |value: &Value| rule.kind == Kind::OptOut && *value == Value::Bool(true);
        if opted_out(now) && before.is_none_or(|before| !opted_out(before.of(known.side.other()))) {
            return true;
        }
        match before {
            Some(before) => end.normal(now) != end.normal(before.of(known.side)),
            None => rule.kind == Kind::Plain && *now != Value::Null && rule.goes_to(known.side.other()),
        }
    });
    says && !mutant::on(Mutant::EditsDeleted)
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
            Some(kind) => Decision::Seek { side: gone.side, kind, record: into.clone() },
            None => Decision::Detach { note: "it was converted, and contacts are not kept in step".to_owned() },
        };
    };
    if successor.linked {
        return merged_twice(pair, gone, case, tie);
    }
    match successor.record.fate {
        Fate::Live => {}
        Fate::MergedInto(next) if next != successor.record.record => {
            let kind = successor.record.kind.to_owned();
            return Decision::Seek { side: gone.side, kind, record: next.clone() };
        }
        Fate::ConvertedTo(next) => {
            return match converted_kind(flow, &successor.record) {
                Some(kind) => Decision::Seek { side: gone.side, kind, record: next.clone() },
                None => Decision::Detach { note: "what it became is not kept in step".to_owned() },
            };
        }
        Fate::Deleted | Fate::Missing | Fate::MergedInto(_) => {
            return Decision::Detach { note: "the record it was merged into is gone as well".to_owned() };
        }
    }
    let across = &pair.side(gone.side.other()).kind;
    let next = flow.pairs.iter().enumerate().find(|(_, next)| {
        next.side(gone.side).kind == successor.record.kind && next.side(gone.side.other()).kind == *across
    });
    match next {
        Some((place, next)) => {
            let images = carried(pair, next, &successor.record, tie.images);
            Decision::Follow { pair: place, images }
        }
        None => Decision::Detach { note: "what it became is not kept in step".to_owned() },
    }
}

/// Two records became one that has a counterpart of its own: the other counterpart is one too many. It goes where that
/// is wanted and it says nothing that the one which stays may not know.
fn merged_twice(pair: &PairSettings, gone: &Known<'_>, case: &Case<'_>, tie: &Tie<'_>) -> Decision {
    let to = gone.side.other();
    let other = [Some(case.record), case.partner].into_iter().flatten().find(|known| known.side == to);
    let opted_out = pair.rules.iter().filter(|rule| rule.kind == Kind::OptOut).any(|rule| {
        let shown = other.and_then(|known| known.row).and_then(|row| row.get(&rule.key));
        let image = tie.images.get(&rule.key).map(|base| base.of(to));
        shown == Some(&Value::Bool(true)) || image == Some(&Value::Bool(true))
    });
    let wanted = pair.side(to).deleted == WhenDeleted::Delete && !opted_out;
    match other {
        Some(other) if *other.fate != Fate::Live => Decision::Detach { note: "both are gone".to_owned() },
        Some(other) if wanted && !edited(pair, &other, tie) => Decision::Delete { to },
        _ => Decision::Detach {
            note: "the record it was merged into has a counterpart of its own; merge the two on the other side, too"
                .to_owned(),
        },
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

/// Images under the rules of the pair that goes on: the field of the side that stays the same tells which belongs to
/// which. What the successor does not have although there was a value is looked at as if for the first time, because a
/// conversion that drops a field has not emptied it.
fn carried(from: &PairSettings, to: &PairSettings, successor: &Known<'_>, images: &Images) -> Images {
    let stays = successor.side.other();
    let alike = |rule: &Rule, next: &Rule| {
        let marks = (rule.kind == Kind::Mark, next.kind == Kind::Mark);
        marks.0 == marks.1 && next.end(stays).field == rule.end(stays).field
    };
    let renamed = |rule: &Rule| to.rules.iter().find(|next| alike(rule, next));
    let lacks = |key: RuleKey| successor.row.is_some_and(|row| row.get(&key) == Some(&Value::Null));
    let image = |rule: &Rule| {
        let (next, base) = (renamed(rule)?, images.get(&rule.key)?);
        let lost = lacks(next.key) && *base.of(successor.side) != Value::Null;
        (!lost).then(|| (next.key, Base { told: None, ..base.clone() }))
    };
    // The counterpart keeps our key.
    let key = images.get(&own_key()).filter(|base| *base.of(stays) != Value::Null);
    from.rules.iter().filter_map(image).chain(key.map(|base| (own_key(), base.clone()))).collect()
}
