//! Whether somebody who opted out has opted in again by an act of their own: shown by a date that an account keeps of it,
//! and later than every opting out that is known. What becomes of the field itself is decided beside the other fields.
//!
//! Somebody may have opted in and out again since a record was looked at last. So they opted out when the field that says
//! so changed last, and where its vendor does not tell that, when the record did: never too early. The clocks are the
//! vendors' own; ours has no say.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    Side,
    base::Base,
    field::Evidence,
    flow::time_key,
    row::{Images, Pair},
    rule::{Rule, RuleKey},
};
use crate::record::Value;

/// Two vendors' clocks may differ by this much: what is closer together has no order.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// How much earlier than in Greenwich a day begins where it begins first: a day without an hour may have been then.
const FIRST_DAWN: SignedDuration = SignedDuration::from_hours(14);

/// Where the records of a side show that somebody opted in, by the vendor's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptIn {
    /// Holds when they did.
    pub at: String,
    /// Holds by what, where that is kept: then a date without it proves nothing.
    pub source: Option<String>,
}

/// What tells the keys beside a rule's own one apart. Any numbers will do, once they are written down.
const OPT_IN: u32 = 0x517c_c1b7;
const OPT_IN_SOURCE: u32 = 0x2722_0a95;
const OPT_OUT: u32 = 0xfe13_abe9;

/// The key under which a row holds when somebody opted in.
pub fn opt_in_key(rule: RuleKey) -> RuleKey {
    RuleKey(rule.0 ^ OPT_IN)
}

/// The key under which a row holds by what somebody opted in.
pub fn opt_in_source_key(rule: RuleKey) -> RuleKey {
    RuleKey(rule.0 ^ OPT_IN_SOURCE)
}

/// The key under which images hold when somebody opted out last, on each side.
fn opt_out_key(rule: RuleKey) -> RuleKey {
    RuleKey(rule.0 ^ OPT_OUT)
}

/// What there is to show that the side which says so was right that somebody opted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Nothing is mapped.
    #[default]
    None,
    /// It does not say when.
    Undated,
    /// It does not say by what.
    Unsourced,
    /// It is dated later than the record's last change.
    Ahead,
    /// It is not later than the last opting out for certain, or nobody tells when that was.
    Earlier,
    Later,
}

/// By what it was believed that somebody opted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptedIn {
    pub side: Side,
    /// The field that says when, and what it says.
    pub field: String,
    pub at: Value,
    pub source: Option<Value>,
}

/// One field of consent with what is kept beside it.
pub(super) struct Consent<'a> {
    rule: &'a Rule,
    base: &'a Images,
    now: Pair<'a>,
    /// When the records changed.
    times: Evidence,
    /// Who says out, left first.
    out: [bool; 2],
}

impl<'a> Consent<'a> {
    /// Nothing where no evidence is mapped, or a side does not show the field.
    pub(super) fn of(rule: &'a Rule, base: &'a Images, now: Pair<'a>, times: Evidence) -> Option<Self> {
        rule.left.opted_in.as_ref().or(rule.right.opted_in.as_ref())?;
        let [Some(left), Some(right)] = Side::BOTH.map(|side| now.of(side).get(&rule.key)) else { return None };
        let out = [left, right].map(|value| *value == Value::Bool(true));
        Some(Self { rule, base, now, times, out })
    }

    /// The side that says in while the other says out.
    fn says_in(&self) -> Option<Side> {
        match self.out {
            [true, false] => Some(Side::Right),
            [false, true] => Some(Side::Left),
            [true, true] | [false, false] => None,
        }
    }

    /// When somebody opted out on a side, as it is kept: a time, yes where nobody tells one, blank where nobody did.
    fn opted_out_on(&self, side: Side) -> Value {
        let kept = self.base.get(&opt_out_key(self.rule.key)).map_or(&Value::Null, |base| base.of(side));
        if !self.out[usize::from(side == Side::Right)] {
            return kept.clone();
        }
        let told = self.now.of(side).get(&time_key(self.rule.key)).and_then(moment).or(self.times.at(side));
        told.map_or(Value::Bool(true), |told| Value::Time(moment(kept).map_or(told, |kept| kept.max(told))))
    }

    /// When somebody opted out last; nothing where nobody tells.
    fn opted_out(&self) -> Option<Timestamp> {
        let said = Side::BOTH.map(|side| self.opted_out_on(side));
        let times: Option<Vec<Timestamp>> = said.iter().filter(|said| **said != Value::Null).map(moment).collect();
        times?.into_iter().max()
    }

    fn shows(&self, side: Side, key: RuleKey) -> Option<&'a Value> {
        self.now.of(side).get(&key).filter(|value| **value != Value::Null)
    }

    /// What there is to show for the side that says in.
    pub(super) fn proof(&self) -> Proof {
        let Some(side) = self.says_in() else { return Proof::None };
        let Some(mapped) = &self.rule.end(side).opted_in else { return Proof::None };
        let Some(since) = self.shows(side, opt_in_key(self.rule.key)).and_then(moment) else { return Proof::Undated };
        if mapped.source.is_some() && self.shows(side, opt_in_source_key(self.rule.key)).is_none() {
            return Proof::Unsourced;
        }
        // Whoever writes down a day that is yet to come has not seen anybody opt in.
        if self.times.at(side).is_none_or(|changed| since > later(changed)) {
            return Proof::Ahead;
        }
        match self.opted_out() {
            Some(out) if since > later(out) => Proof::Later,
            Some(_) | None => Proof::Earlier,
        }
    }

    /// By what the side that says in is believed.
    pub(super) fn opted_in(&self) -> Option<OptedIn> {
        let side = self.says_in()?;
        let field = self.rule.end(side).opted_in.as_ref()?.at.clone();
        let at = self.shows(side, opt_in_key(self.rule.key))?.clone();
        Some(OptedIn { side, field, at, source: self.shows(side, opt_in_source_key(self.rule.key)).cloned() })
    }

    /// When somebody opted out, where more is known of that than was kept.
    pub(super) fn kept(&self) -> Option<(RuleKey, Base)> {
        let key = opt_out_key(self.rule.key);
        let base = Base::new(self.opted_out_on(Side::Left), self.opted_out_on(Side::Right));
        let said =
            self.base.get(&key).map_or(base.left != Value::Null || base.right != Value::Null, |kept| *kept != base);
        said.then_some((key, base))
    }
}

/// When a value says that something was, at the earliest.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Time(time) => Some(*time),
        Value::Date(day) => {
            let midnight = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
            midnight.checked_sub(FIRST_DAWN).ok()
        }
        _ => None,
    }
}

/// From when on something is later for certain.
fn later(time: Timestamp) -> Timestamp {
    time.checked_add(CLOCKS_APART).unwrap_or(Timestamp::MAX)
}
