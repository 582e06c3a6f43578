//! The merge of one field.

use std::{cell::OnceCell, cmp::Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Side,
    base::{Base, TURNS_MAX, Told},
    consent::Proof,
    rule::{Blanks, Direction, Kind, Policy, Rule},
};
use crate::{
    fit::Misfit,
    mutant::{self, Mutant},
    record::Value,
};

/// What the vendors say of when a field changed, and whether somebody opted in on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub left_at: Option<Timestamp>,
    pub right_at: Option<Timestamp>,
    /// What there is to show for the side that says that somebody is not out, where the other says that they are.
    pub opted_in: Proof,
    /// A person decided for this side.
    pub decided: Option<Side>,
    /// This side wins whatever the field's own policy says, because it wins the fields that belong together.
    pub forced: Option<Side>,
    /// Both sides changed fields that belong together, and nobody wins them.
    pub torn: bool,
    /// This side was not read again: it is taken to be as the base says, which proves nothing.
    pub assumed: Option<Side>,
}

impl Evidence {
    /// When this side changed.
    pub(super) fn at(&self, side: Side) -> Option<Timestamp> {
        match side {
            Side::Left => self.left_at,
            Side::Right => self.right_at,
        }
    }

    /// Who changed last, where the vendors tell.
    pub(super) fn later(&self) -> Option<Side> {
        let (left, right) = self.left_at.zip(self.right_at)?;
        match left.cmp(&right) {
            Ordering::Greater => Some(Side::Left),
            Ordering::Less => Some(Side::Right),
            Ordering::Equal => None,
        }
    }
}

/// What is to be done about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Nothing: nobody changed it, or somebody cannot see it.
    Keep,
    /// Both agree: this is the new base, and nothing is written.
    Adopt(Base),
    /// One side is told, or both where entries of a set travel each way.
    Write {
        to_left: Option<Value>,
        to_right: Option<Value>,
        /// The base once it is written.
        after: Base,
        conflict: Option<Conflict>,
    },
    /// Each side rewrites what the other gives it: both keep their own from now on.
    Leave { base: Base, conflict: Conflict },
    /// It stays as it is on both sides until somebody acts.
    Hold(Hold),
}

/// Two changes that clashed, and who won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Whose value was carried over; nobody's where both keep their own.
    pub winner: Option<Side>,
    pub left: Value,
    pub right: Value,
}

/// Why a field is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub kind: HoldKind,
    /// The side that cannot be told; both where a person has to choose.
    pub to: Option<Side>,
    pub reason: String,
    pub fix: String,
}

/// The cases that a hold's readers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Both changed and a person is to decide.
    Conflict,
    /// Somebody seems to have opted in, without evidence.
    OptIn,
    /// A blank that may not travel.
    Blank,
    /// The other side cannot hold the value.
    Misfit,
    /// The vendor refused it.
    Refused,
    /// What is stored of it cannot be read.
    Unreadable,
}

/// Merges one field. `left` and `right` are what the sides hold now; absent where a side does not show the field, which
/// is never a change.
pub fn merge_field(
    rule: &Rule,
    base: Option<&Base>,
    left: Option<&Value>,
    right: Option<&Value>,
    evidence: Evidence,
) -> Merged {
    let (Some(left), Some(right)) = (left, right) else { return Merged::Keep };
    if let Some(base) = base
        && base.left == *left
        && base.right == *right
    {
        return stands(base, evidence);
    }
    let (left, right) = (rule.left.normal(left), rule.right.normal(right));
    let changed = Changed::of(rule, base, &left, &right);
    let taken = [OnceCell::new(), OnceCell::new()];
    let mut now = Now { rule, base, left: &left, right: &right, changed, evidence, taken };
    if let Some(base) = base
        && !changed.left
        && !changed.right
    {
        return stands(base, evidence);
    }
    match rule.kind {
        Kind::Set | Kind::Mark => now.merge_set(),
        Kind::OptOut if !mutant::on(Mutant::OptOutPlain) => now.merge_opt_out(),
        Kind::OptOut | Kind::Plain => now.merge_plain(),
    }
}

/// Both are as they were. Where that was in doubt, it is so no longer.
fn stands(base: &Base, evidence: Evidence) -> Merged {
    match (base.told, evidence.assumed) {
        (Some(Told { turns: 1.., left, .. }), Some(Side::Left)) if left => Merged::Keep,
        (Some(Told { turns: 1.., right, .. }), Some(Side::Right)) if right => Merged::Keep,
        (Some(Told { turns: 1.., .. }), _) => Merged::Adopt(Base { told: None, ..base.clone() }),
        (Some(Told { turns: 0, .. }) | None, _) => Merged::Keep,
    }
}

/// Which sides are not as they were when both agreed. Without a base everything is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) left: bool,
    pub(super) right: bool,
}

impl Changed {
    /// `left` and `right` are in their normal form.
    fn of(rule: &Rule, base: Option<&Base>, left: &Value, right: &Value) -> Self {
        // An image may be older than the field's present description.
        let differs = |side: Side, now: &Value| {
            base.is_none_or(|base| base.of(side) != now && *rule.end(side).normal(base.of(side)) != *now)
        };
        Self { left: differs(Side::Left, left), right: differs(Side::Right, right) }
    }

    /// Of a field as both sides show it; nothing where one of them does not.
    pub(super) fn shown(rule: &Rule, base: Option<&Base>, left: Option<&Value>, right: Option<&Value>) -> Option<Self> {
        let (left, right) = (left?, right?);
        if base.is_some_and(|base| base.left == *left && base.right == *right) {
            return Some(Self { left: false, right: false });
        }
        Some(Self::of(rule, base, &rule.left.normal(left), &rule.right.normal(right)))
    }

    pub(super) fn on(self, side: Side) -> bool {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
}

/// A field as it stands, both sides in their normal form.
pub(super) struct Now<'a> {
    pub(super) rule: &'a Rule,
    pub(super) base: Option<&'a Base>,
    left: &'a Value,
    right: &'a Value,
    changed: Changed,
    pub(super) evidence: Evidence,
    taken: [OnceCell<Result<Value, Misfit>>; 2],
}

impl Now<'_> {
    /// What this side would hold if it were given the other's value.
    fn taken(&self, to: Side) -> &Result<Value, Misfit> {
        let [left, right] = &self.taken;
        let cell = if to == Side::Left { left } else { right };
        cell.get_or_init(|| self.rule.end(to).take(self.of(to.other()), self.rule.truncate))
    }

    fn take(&mut self, to: Side) -> Result<Value, Misfit> {
        let cell = if to == Side::Left { &mut self.taken[0] } else { &mut self.taken[1] };
        cell.take().unwrap_or_else(|| self.rule.end(to).take(self.of(to.other()), self.rule.truncate))
    }

    pub(super) fn of(&self, side: Side) -> &Value {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    pub(super) fn as_base(&self) -> Base {
        Base::new(self.left.clone(), self.right.clone())
    }

    fn blank(&self, side: Side) -> bool {
        *self.of(side) == Value::Null
    }

    /// For whom a person decided, where that can be carried out.
    pub(super) fn decided(&self) -> Option<Side> {
        self.evidence.decided.filter(|side| self.rule.goes_to(side.other()))
    }

    fn agree(&self) -> bool {
        let alike = self.left == self.right && self.rule.left.as_it_is() && self.rule.right.as_it_is();
        if alike || (self.blank(Side::Left) && self.blank(Side::Right)) {
            return true;
        }
        let off = self.rule.direction == Direction::Off;
        let allowed = |from: Side| off || self.rule.direction.goes_to(from.other());
        let same = |from: Side| self.taken(from.other()).as_ref().is_ok_and(|taken| taken == self.of(from.other()));
        // Who changed alone is asked alone. Otherwise one way is enough: the other may lose something.
        match (self.changed.left, self.changed.right) {
            (true, false) if allowed(Side::Left) => same(Side::Left),
            (false, true) if allowed(Side::Right) => same(Side::Right),
            _ => Side::BOTH.into_iter().any(|from| allowed(from) && same(from)),
        }
    }

    fn merge_plain(&mut self) -> Merged {
        if self.agree() {
            return Merged::Adopt(self.as_base());
        }
        if let Some(side) = self.decided() {
            return self.carry(side);
        }
        if self.base.is_none() && (self.blank(Side::Left) || self.blank(Side::Right)) {
            return self.fill_blank();
        }
        if self.evidence.torn {
            return self.hold_conflict();
        }
        let changed_both = self.changed.left && self.changed.right;
        // A blank that is not carried over does not compete with a value.
        let mute = |side: Side| self.rule.blanks == Blanks::Ignore && self.blank(side) && !self.blank(side.other());
        let yields = |side: Side| mute(side) || (matches!(self.rule.policy, Policy::NonBlank(_)) && self.blank(side));
        if let Some(side) = self.evidence.forced.filter(|side| self.rule.goes_to(side.other()) && !yields(*side)) {
            return self.carry(side);
        }
        let says =
            |side: Side| self.changed.on(side) && self.rule.goes_to(side.other()) && !(changed_both && mute(side));
        match (says(Side::Left), says(Side::Right)) {
            (false, false) => Merged::Keep,
            (true, true) => match self.winner() {
                Some(winner) => self.carry(winner),
                None => self.hold_conflict(),
            },
            (true, false) => self.carry(self.unless_preferred(Side::Left)),
            (false, true) => self.carry(self.unless_preferred(Side::Right)),
        }
    }

    /// The first time that both are seen, a blank never wins over a value.
    fn fill_blank(&mut self) -> Merged {
        let from = if self.blank(Side::Left) { Side::Right } else { Side::Left };
        if self.rule.goes_to(from.other()) { self.carry(from) } else { Merged::Keep }
    }

    /// Who changed alone wins, unless the other side always does.
    fn unless_preferred(&self, alone: Side) -> Side {
        match self.rule.policy {
            Policy::PreferUnlessBlank(side) if side != alone && !self.blank(side) && self.rule.goes_to(alone) => side,
            _ => alone,
        }
    }

    fn winner(&self) -> Option<Side> {
        Some(match self.rule.policy {
            Policy::Manual => return None,
            Policy::Prefer(side) => side,
            Policy::PreferUnlessBlank(side) => {
                // Emptying the preferred side is a change like any other; with no base nobody emptied anything.
                if self.blank(side) && self.base.is_none_or(|base| base.of(side) == &Value::Null) {
                    side.other()
                } else {
                    side
                }
            }
            Policy::NonBlank(side) => {
                if self.blank(side) {
                    side.other()
                } else {
                    side
                }
            }
            Policy::Newest(tie) => self.evidence.later().unwrap_or(tie),
        })
    }

    /// Brings this side's value to the other, which holds something else.
    fn carry(&mut self, from: Side) -> Merged {
        let to = from.other();
        if self.blank(from) && !self.blank(to) && self.decided().is_none() {
            match self.rule.blanks {
                Blanks::Propagate => {}
                Blanks::Ignore => return Merged::Adopt(self.as_base()),
                Blanks::Refuse => return self.hold_blank(to),
            }
        }
        match self.take(to) {
            Ok(target) => self.write(to, target),
            Err(misfit) => self.misfit(to, misfit),
        }
    }

    /// Tells one side. Whatever it had changed is lost, and that is said.
    fn write(&self, to: Side, target: Value) -> Merged {
        // The first time that both are seen, neither a blank nor consent that was never refused is anybody's word.
        let first = self.base.is_none() && (self.blank(to) || self.rule.kind == Kind::OptOut);
        let conflict = (self.changed.on(to) && !first).then(|| self.conflict(Some(to.other())));
        match to {
            Side::Left => self.tell(Some(target), None, conflict),
            Side::Right => self.tell(None, Some(target), conflict),
        }
    }

    /// Tells one side or both, unless that leads nowhere: what we told last is answered by another value, again.
    pub(super) fn tell(&self, to_left: Option<Value>, to_right: Option<Value>, conflict: Option<Conflict>) -> Merged {
        let answers = |told: &Told| (!self.changed.left || told.left) && (!self.changed.right || told.right);
        let before = self.base.and_then(|base| base.told).filter(answers);
        let turns = before.map_or(0, |told| told.turns.saturating_add(1));
        if turns > TURNS_MAX && self.decided().is_none() {
            return Merged::Leave { base: self.as_base(), conflict: self.conflict(None) };
        }
        let told = Told { left: to_left.is_some(), right: to_right.is_some(), turns: turns.min(TURNS_MAX) };
        let after = Base {
            left: to_left.clone().unwrap_or_else(|| self.left.clone()),
            right: to_right.clone().unwrap_or_else(|| self.right.clone()),
            told: Some(told),
        };
        Merged::Write { to_left, to_right, after, conflict }
    }

    fn conflict(&self, winner: Option<Side>) -> Conflict {
        Conflict { winner, left: self.left.clone(), right: self.right.clone() }
    }

    pub(super) fn misfit(&self, to: Side, misfit: Misfit) -> Merged {
        Merged::Hold(Hold { kind: HoldKind::Misfit, to: Some(to), reason: misfit.reason, fix: misfit.fix })
    }

    fn field(&self, side: Side) -> &str {
        &self.rule.end(side).field
    }

    pub(super) fn hold_blank(&self, to: Side) -> Merged {
        Merged::Hold(Hold {
            kind: HoldKind::Blank,
            to: Some(to),
            reason: format!("{} was emptied, and blanks of it are not carried over", self.field(to.other())),
            fix: "fill it in again, or decide for one side".to_owned(),
        })
    }

    fn hold_conflict(&self) -> Merged {
        Merged::Hold(Hold {
            kind: HoldKind::Conflict,
            to: None,
            reason: format!("{} and {} were both changed", self.field(Side::Left), self.field(Side::Right)),
            fix: "decide for one side (`syncline records resolve`)".to_owned(),
        })
    }

    /// Out beats in, whichever side says it; in is only believed with evidence that it came later.
    fn merge_opt_out(&self) -> Merged {
        let out = |side: Side| self.of(side) == &Value::Bool(true);
        if out(Side::Left) == out(Side::Right) {
            return Merged::Adopt(self.as_base());
        }
        let (says_out, says_in) = if out(Side::Left) { (Side::Left, Side::Right) } else { (Side::Right, Side::Left) };
        let believed = match self.decided() {
            Some(side) => side == says_in,
            None => self.evidence.opted_in == Proof::Later,
        };
        let from = if believed { says_in } else { says_out };
        let taken_back = self.changed.on(says_in) && !self.changed.on(says_out);
        if taken_back && !believed && self.decided().is_none() {
            return self.hold_opt_in(says_in);
        }
        if !self.rule.goes_to(from.other()) {
            let untold = from == says_out && self.rule.direction.goes_to(says_in);
            return if untold { self.hold_untold(says_in) } else { Merged::Keep };
        }
        match self.rule.end(from.other()).take(self.of(from), false) {
            Ok(target) if target == *self.of(from.other()) => Merged::Adopt(self.as_base()),
            Ok(target) => self.write(from.other(), target),
            Err(misfit) => self.misfit(from.other(), misfit),
        }
    }

    /// Somebody opted out, and this side is to be told and cannot.
    fn hold_untold(&self, to: Side) -> Merged {
        let field = self.field(to);
        Merged::Hold(Hold {
            kind: HoldKind::Misfit,
            to: Some(to),
            reason: format!("the person opted out, and {field} cannot be written"),
            fix: format!(
                "opt them out there by hand, or map consent into a field that can be written instead of {field}"
            ),
        })
    }

    fn hold_opt_in(&self, says_in: Side) -> Merged {
        let says_out = says_in.other();
        let (lacks, fix) = self.lacking(says_in);
        Merged::Hold(Hold {
            kind: HoldKind::OptIn,
            to: Some(says_out),
            reason: format!(
                "{} was taken back while {} still stands, and {lacks}",
                self.field(says_in),
                self.field(says_out)
            ),
            fix,
        })
    }

    /// Why it is not believed that somebody opted in, and what to do.
    fn lacking(&self, says_in: Side) -> (String, String) {
        const DECIDE: &str = "decide for one side, if you have the person's consent";
        let mapped = self.rule.end(says_in).opted_in.as_ref();
        let at = mapped.map_or("", |mapped| mapped.at.as_str());
        let source = mapped.and_then(|mapped| mapped.source.as_deref()).unwrap_or_default();
        let lacks = match self.evidence.opted_in {
            Proof::None | Proof::Later => "nothing shows that the person asked for it".to_owned(),
            Proof::Undated => format!("{at} does not say when the person asked for it"),
            Proof::Unsourced => format!("{source} does not say by what the person asked for it"),
            Proof::Ahead => format!("{at} names a time at which the record was not there yet as it is"),
            Proof::Earlier => format!("{at} is not later for certain than when they opted out"),
        };
        let fix = match self.evidence.opted_in {
            Proof::Undated | Proof::Ahead | Proof::Earlier => format!("{DECIDE}, or mend {at}"),
            Proof::Unsourced => format!("{DECIDE}, or fill in {source}"),
            Proof::None | Proof::Later => DECIDE.to_owned(),
        };
        (lacks, fix)
    }
}
