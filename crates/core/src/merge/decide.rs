//! What is to be done about one record: left alone, tied to its counterpart, made on the other side, brought in step,
//! let go. Pure: who is asked for facts and who writes is not known here.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Side,
    field::{Evidence, Hold, HoldKind},
    flow::{Flow, PairSettings, time_key},
    gone::decide_gone,
    mark::mark_key,
    relation::{Counterparts, Waits, images_now, related, waits, with_told},
    row::{First, Images, Pair, Row, RowMerge, first_values, merge_unrefused},
    rule::{Kind, Policy, Rule, RuleKey},
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
    /// What a person decided, until [`RowMerge::settled`] names the field or the write that follows from it is done.
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
    /// Whether a record of the other side that bears the same key has a counterpart already, or is being given one.
    pub occupied: bool,
    /// Other live records of its own side that bear the same key, with a counterpart or without. Not needed where the
    /// record has a counterpart. Whoever waits because of another is to be decided about again when that one comes,
    /// goes, or changes its key or its link.
    pub rivals: &'a [Known<'a>],
    /// It was in step once and was let go, because its counterpart was deleted or merged away: it is tied again where a
    /// counterpart appears, and none is made for it.
    pub detached: bool,
    /// The one that it was merged into or became, where that is known: the last of the chain that was read. Where the
    /// vendor does not show it, a record whose fate is [`Fate::Missing`].
    pub successor: Option<Successor<'a>>,
    /// When the integration was activated.
    pub since: Option<Timestamp>,
    /// The counterparts of whom the record, or its counterpart, names ([`PairSettings::names`]).
    pub counterparts: &'a Counterparts,
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
    /// It and this candidate are one thing. Where it has a link whose counterpart was yet to be made, the candidate
    /// takes that place.
    Adopt { pair: usize, candidate: usize, merge: RowMerge },
    /// It is made on the other side.
    Create { pair: usize, to: Side, first: First },
    /// The link is brought in step.
    Merge { pair: usize, merge: RowMerge },
    /// The link goes on with the record that this one was merged into or became. What the images said before of the
    /// other record is what it shows, where no row of it is kept: some of them are dropped.
    Follow { pair: usize, images: Images },
    /// A record has to be read first: the successor, or one of which nothing is known that can be read.
    Seek { side: Side, kind: String, record: RecordId },
    /// The counterpart is deleted, and the link with it.
    Delete { to: Side },
    /// The link is given up; both records stay as they are. Where no row of one is kept, it shows what the images say.
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
        match match_pair(flow, place, case, row) {
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
fn match_pair(flow: &Flow, place: usize, case: &Case<'_>, row: &Row) -> Matched {
    let pair = &flow.pairs[place];
    let fits: Vec<(usize, &Known<'_>)> = fitting(pair, case).filter(|(_, known)| known.row.is_some()).collect();
    let (candidate, other) = match fits.as_slice() {
        [] => return Matched::Not("it has no counterpart, and none is made of its kind".to_owned()),
        [one] => *one,
        several => {
            let reason = format!("{} records of the other side bear the same address", several.len());
            return Matched::Decision(Decision::Hold(ambiguous(reason)));
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
    if let Some(decision) = outranked(flow, place, case) {
        return Matched::Decision(decision);
    }
    let times = times(&case.record, other);
    let merge = merge_marked(pair, &Images::new(), both, case.counterparts, &[], |_| times);
    Matched::Decision(Decision::Adopt { pair: place, candidate, merge })
}

/// The live candidates of the kind that this pair ties to the record's.
fn fitting<'a>(pair: &'a PairSettings, case: &'a Case<'a>) -> impl Iterator<Item = (usize, &'a Known<'a>)> {
    let across = &pair.side(case.record.side.other()).kind;
    let known = case.candidates.iter().enumerate();
    known.filter(move |(_, known)| known.kind == across && *known.fate == Fate::Live)
}

/// Whether another record with the same key has a better right to what this pair would tie it to or make. Which of them
/// is looked at first must not matter.
fn outranked(flow: &Flow, place: usize, case: &Case<'_>) -> Option<Decision> {
    let (side, pair) = (case.record.side, &flow.pairs[place]);
    let across = &pair.side(side.other()).kind;
    if case.occupied {
        let reason = "its address belongs to a record of the other side that is in step with another one";
        return Some(Decision::Hold(ambiguous(reason.to_owned())));
    }
    let rivals = || case.rivals.iter().filter(|rival| *rival.fate == Fate::Live && rival.record != case.record.record);
    if rivals().any(|rival| rival.kind == case.record.kind) {
        return Some(Decision::Hold(ambiguous("several records of this side bear the same address".to_owned())));
    }
    let mut earlier = flow.pairs[..place].iter().filter(|pair| pair.side(side.other()).kind == *across);
    let ranked = |pair: &PairSettings| rivals().any(|rival| rival.kind == pair.side(side).kind);
    earlier.any(ranked).then(|| rest("another record with the same address comes first"))
}

fn ambiguous(reason: String) -> Hold {
    let fix = "merge them, or give each an address of its own".to_owned();
    Hold { kind: HoldKind::Conflict, to: None, reason, fix }
}

fn criteria(reason: String) -> Hold {
    Hold {
        kind: HoldKind::Misfit,
        to: None,
        reason: format!("the selection cannot be worked out: {reason}"),
        fix: "mend the criteria in the integration's settings".to_owned(),
    }
}

/// Whether somebody asks for this record's counterpart by a mark.
fn asked(pair: &PairSettings, row: &Row) -> bool {
    pair.on_request && pair.marks.as_ref().is_some_and(|marks| marks.asks(row))
}

/// Makes the record on the other side, where a pair says so.
fn make(flow: &Flow, case: &Case<'_>, row: &Row, why: Option<String>) -> Decision {
    let record = &case.record;
    let to = record.side.other();
    if case.detached {
        return rest("it was in step before and was let go; none is made for it again");
    }
    // Whoever is there already, and was not tied to it, does not get a double.
    let of_kind = |pair: &&PairSettings| pair.side(record.side).kind == record.kind;
    if flow.pairs.iter().filter(of_kind).any(|pair| fitting(pair, case).next().is_some()) {
        return Decision::Rest { note: why };
    }
    let mut why = why;
    for (place, pair) in flow.pairs.iter().enumerate() {
        let wanted = pair.side(to).create || (to == Side::Left && asked(pair, row));
        if pair.side(record.side).kind != record.kind || !wanted {
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
        if let Some(decision) = outranked(flow, place, case) {
            return decision;
        }
        if record.key.is_none() && pair.is_of_people() {
            return rest("it has no address by which it could be known on the other side");
        }
        return begin(pair, place, to, row, case.counterparts);
    }
    Decision::Rest { note: why }
}

fn decide_linked(flow: &Flow, case: &Case<'_>, tie: &Tie<'_>) -> Decision {
    let Some((place, pair)) = flow.pairs.iter().enumerate().find(|(_, pair)| pair.name == tie.pair) else {
        return rest("its pair of kinds is no longer configured");
    };
    if let Some(decision) = decide_gone(flow, pair, case, tie) {
        return decision;
    }
    let Some(partner) = &case.partner else {
        return unmade(flow, place, case);
    };
    let (own, across) =
        (shown(case.record.row, tie.images, case.record.side), shown(partner.row, tie.images, partner.side));
    let both = match case.record.side {
        Side::Left => Pair { left: own.as_ref(), right: across.as_ref() },
        Side::Right => Pair { left: across.as_ref(), right: own.as_ref() },
    };
    // The criteria may read what no rule maps: only a record that was read tells.
    let read = [&case.record, partner].into_iter().any(|known| known.side == Side::Left && known.row.is_some());
    if read {
        match pair.selects(both.left, case.since) {
            Ok(true) => {}
            Ok(false) => return rest("it is no longer selected"),
            Err(reason) => return Decision::Hold(criteria(reason)),
        }
    }
    let assumed = [&case.record, partner].into_iter().find(|known| known.row.is_none()).map(|known| known.side);
    let times = Evidence { assumed, ..times(&case.record, partner) };
    let decided = |rule: &Rule| tie.decided.iter().find(|(key, _)| *key == rule.key).map(|(_, side)| *side);
    let proof = |rule: &Rule| Evidence { decided: decided(rule), ..times };
    let merge = merge_marked(pair, tie.images, both, case.counterparts, tie.refused, proof);
    Decision::Merge { pair: place, merge }
}

/// The merge of two records, with the mark that their link owes; what an unmarked record says may not be carried over.
fn merge_marked(
    pair: &PairSettings,
    images: &Images,
    now: Pair<'_>,
    known: &Counterparts,
    refused: &[(RuleKey, u64)],
    mut evidence: impl FnMut(&Rule) -> Evidence,
) -> RowMerge {
    let [left, right] =
        [(Side::Left, now.left), (Side::Right, now.right)].map(|(side, row)| with_told(pair, side, row, images));
    let images = images_now(pair, Side::Left, &left, images, known);
    let images = images_now(pair, Side::Right, &right, &images, known);
    let images = images.as_ref();
    let (pair, left) = related(pair, Side::Left, &left, known);
    let (pair, right) = related(&pair, Side::Right, &right, known);
    let (pair, now) = (pair.as_ref(), Pair { left: &left, right: &right });
    let evidence = |rule: &Rule| field_times(rule, now, evidence(rule));
    let Some(marks) = &pair.marks else {
        return merge_unrefused(&pair.rules, pair.primary, images, now, refused, evidence);
    };
    let owed = marks.owed(now.left, images.get(&mark_key(&marks.draft.field)), now.right);
    let unmarked = marks.shown(now.right) == Some(false);
    let rules = marks.without_mark().filter(|_| unmarked).unwrap_or(&pair.rules);
    merge_unrefused(rules, pair.primary, images, Pair { left: &owed, ..now }, refused, evidence)
}

/// When a field changed on either side: by its own time where the vendor tells it, which says more than the record's.
fn field_times(rule: &Rule, now: Pair<'_>, whole: Evidence) -> Evidence {
    // Of consent it matters when the whole record changed, too.
    let (Policy::Newest(_), Kind::Plain | Kind::Set | Kind::Mark) = (rule.policy, rule.kind) else { return whole };
    let told = |row: &Row| match row.get(&time_key(rule.key)) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    Evidence { left_at: told(now.left).or(whole.left_at), right_at: told(now.right).or(whole.right_at), ..whole }
}

/// What a record is made with, its mark among it.
fn first_marked(pair: &PairSettings, to: Side, row: &Row) -> Result<First, Hold> {
    match &pair.marks {
        Some(marks) if to == Side::Right => first_values(&pair.rules, to, &marks.made(row)),
        _ => first_values(&pair.rules, to, row),
    }
}

/// What a linked record shows: as it was read, or as the images say.
pub fn shown<'a>(row: Option<&'a Row>, images: &Images, side: Side) -> Cow<'a, Row> {
    match row {
        Some(row) => Cow::Borrowed(row),
        None => Cow::Owned(images.iter().map(|(key, base)| (*key, base.of(side).clone())).collect()),
    }
}

/// A counterpart that was planned and never came to be, for certain, is planned again, unless it is there by now or no
/// longer wanted.
fn unmade(flow: &Flow, place: usize, case: &Case<'_>) -> Decision {
    let (pair, to) = (&flow.pairs[place], case.record.side.other());
    let Some(row) = case.record.row else { return Decision::Rest { note: None } };
    if fitting(pair, case).next().is_some() {
        return match match_pair(flow, place, case, row) {
            Matched::Decision(decision) => decision,
            Matched::Not(note) => rest(note),
        };
    }
    if !pair.may_create(to) {
        return Decision::Detach { note: "its counterpart was never made, and none is made any more".to_owned() };
    }
    if case.record.side == Side::Left {
        match pair.selects(row, case.since) {
            Ok(true) => {}
            Ok(false) => return rest("it is no longer selected"),
            Err(reason) => return Decision::Hold(criteria(reason)),
        }
    }
    if let Some(decision) = outranked(flow, place, case) {
        return decision;
    }
    begin(pair, place, to, row, case.counterparts)
}

/// Makes the record on the other side, unless it has to wait for one that it names.
fn begin(pair: &PairSettings, place: usize, to: Side, row: &Row, known: &Counterparts) -> Decision {
    match waits(pair, to.other(), row, known) {
        Some(Waits::Coming(note)) => return rest(note),
        Some(Waits::Needs(hold)) => return Decision::Hold(hold),
        None => {}
    }
    let (pair, row) = related(pair, to.other(), row, known);
    match first_marked(&pair, to, &row) {
        Ok(first) => Decision::Create { pair: place, to, first },
        Err(hold) => Decision::Hold(hold),
    }
}

fn times(one: &Known<'_>, other: &Known<'_>) -> Evidence {
    let at = |side: Side| if one.side == side { one.changed_at } else { other.changed_at };
    Evidence { left_at: at(Side::Left), right_at: at(Side::Right), ..Evidence::default() }
}
