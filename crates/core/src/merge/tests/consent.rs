//! Opting in again: what proves it, and that nothing else undoes an opting out. A small world of three accounts, of which
//! one is kept in step with each of the others, and a person who changes their mind anywhere and at any time.

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::table::rule;
use crate::{
    cases::cases,
    description::FieldKind,
    merge::{
        Base, Evidence, HoldKind, Images, Kind, OptIn, Pair, Policy, Row, RowMerge, Rule, RuleKey, Side, merge_rows,
        opt_in_key, opt_in_source_key, time_key,
    },
    record::Value,
};

fn when(text: &str) -> Timestamp {
    format!("2026-05-{text}Z").parse().expect("a time")
}

fn consent() -> Rule {
    let mut rule = rule(Kind::OptOut, FieldKind::Boolean, Policy::Prefer(Side::Left));
    rule.left.opted_in = Some(OptIn { at: "Opted_In_At__c".to_owned(), source: None });
    rule.right.opted_in = Some(OptIn { at: "OPTED_IN".to_owned(), source: Some("OPTED_IN_BY".to_owned()) });
    rule
}

fn said(merge: &RowMerge) -> String {
    let told = |side: &str, changes: &[crate::merge::Change]| {
        changes.iter().map(|change| format!("{side} := {:?}; ", change.target)).collect::<String>()
    };
    let shown = merge.opted_in.iter().map(|(_, shown)| format!("shown by {} on {:?}; ", shown.field, shown.side));
    let holds = merge.holds.iter().map(|(_, hold)| format!("held: {}; {}", hold.reason, hold.fix));
    told("left", &merge.to_left) + &told("right", &merge.to_right) + &shown.chain(holds).collect::<String>()
}

/// Both agreed that somebody is out, as of the 3rd; the right side says in again, in a record that changed on the 10th.
fn taken_back(since: Option<Value>, source: bool, out_changed: Option<&str>, field_changed: Option<&str>) -> RowMerge {
    let rules = [consent()];
    let key = rules[0].key;
    let images = Images::from([(key, Base::new(Value::Bool(true), Value::Bool(true)))]);
    let mut left = Row::from([(key, Value::Bool(true))]);
    left.extend(field_changed.map(|at| (time_key(key), Value::Time(when(at)))));
    let mut right = Row::from([(key, Value::Bool(false))]);
    right.extend(since.map(|since| (opt_in_key(key), since)));
    right.extend(source.then(|| (opt_in_source_key(key), Value::text("form"))));
    let times = Evidence { left_at: out_changed.map(when), right_at: Some(when("10T12:00:00")), ..Evidence::default() };
    merge_rows(&rules, None, &images, Pair { left: &left, right: &right }, |_| times)
}

/// proves: R17, sec:G3
#[test]
fn an_opt_in_is_believed_by_a_date_that_is_later_than_the_opting_out() {
    let time = |at: &str| Some(Value::Time(when(at)));
    let day = |text: &str| Some(Value::Date(text.parse().expect("a day")));
    let out = Some("03T08:00:00");
    let cases = [
        ("later", taken_back(time("10T11:59:00"), true, out, None)),
        ("at once", taken_back(time("03T08:05:00"), true, out, None)),
        ("before", taken_back(time("02T08:00:00"), true, out, None)),
        ("a later day", taken_back(day("2026-05-04"), true, out, None)),
        ("the same day", taken_back(day("2026-05-03"), true, out, None)),
        ("no date", taken_back(None, true, out, None)),
        ("no source", taken_back(time("10T11:59:00"), false, out, None)),
        ("yet to come", taken_back(time("11T11:59:00"), true, out, None)),
        ("nobody tells when they opted out", taken_back(time("10T11:59:00"), true, None, None)),
        ("the record changed since", taken_back(time("05T08:00:00"), true, Some("06T08:00:00"), None)),
        (
            "the record changed since, its field did not",
            taken_back(time("05T08:00:00"), true, Some("06T08:00:00"), out),
        ),
    ];
    assert_snapshot!(cases.map(|(name, merge)| format!("{name}: {}", said(&merge))).join("\n"));
}

/// What the other side says is not told as early, and the date of one opt-in does for no other. proves: R17
#[test]
fn when_somebody_opted_out_is_kept() {
    let rules = [consent()];
    let key = rules[0].key;
    let (yes, no) = (Value::Bool(true), Value::Bool(false));
    let row = |out: &Value, since: &str| {
        let dated = [(opt_in_key(key), Value::Time(when(since))), (opt_in_source_key(key), Value::text("form"))];
        Row::from([(key, out.clone())]).into_iter().chain(dated).collect::<Row>()
    };
    let left = Row::from([(key, yes.clone())]);
    let times = |left: &str, right: &str| Evidence {
        left_at: Some(when(left)),
        right_at: Some(when(right)),
        ..Evidence::default()
    };
    let mut images = Images::from([(key, Base::new(no.clone(), no.clone()))]);
    // Opted out on the right on the 8th, which the left is told; it is not read again.
    let out = row(&yes, "02T00:00:00");
    let both = Pair { left: &Row::from([(key, no.clone())]), right: &out };
    let merge = merge_rows(&rules, None, &images, both, |_| times("01T00:00:00", "08T00:00:00"));
    assert_eq!(merge.to_left.len(), 1);
    images.extend(merge.adopted);
    images.insert(key, merge.to_left[0].after.clone());
    let again = row(&no, "07T00:00:00");
    let both = Pair { left: &left, right: &again };
    let merge = merge_rows(&rules, None, &images, both, |_| times("01T00:00:00", "09T00:00:00"));
    assert_eq!(merge.holds[0].1.kind, HoldKind::OptIn, "{}", said(&merge));
    let again = row(&no, "08T01:00:00");
    let both = Pair { left: &left, right: &again };
    let merge = merge_rows(&rules, None, &images, both, |_| times("01T00:00:00", "09T00:00:00"));
    assert_eq!((merge.to_left.len(), merge.opted_in.len()), (1, 1), "{}", said(&merge));
}

/// An account's record of the person, with what nobody knows but the test: when the opting out that stands there was.
#[derive(Clone, Debug)]
struct Account {
    out: bool,
    since: Option<Value>,
    changed: Timestamp,
    clock_ahead: SignedDuration,
    meant: Option<Timestamp>,
}

/// An account's record as it was read: when it had changed, and when the opting out in it was meant.
#[derive(Clone, Debug)]
struct Reading {
    row: Row,
    changed: Timestamp,
    meant: Option<Timestamp>,
}

/// An integration between the account in the middle and another.
#[derive(Clone, Debug)]
struct Flow {
    right: usize,
    /// What was read last, per side.
    seen: [Reading; 2],
    images: Images,
    plan: RowMerge,
    held: bool,
}

#[derive(Clone, Debug)]
enum Act {
    OptOut(usize),
    OptIn {
        account: usize,
        by_day: bool,
    },
    /// Somebody takes the opting out back, and nothing shows that the person asked for it.
    Untick(usize),
    Edit(usize),
    Read(usize, Side),
    Decide(usize),
    /// Whether it is done, and whether that is heard.
    Send(usize, bool, bool),
}

#[derive(Clone, Debug)]
struct World {
    now: Timestamp,
    accounts: [Account; 3],
    flows: [Flow; 2],
    /// When the person opted in by an act of their own.
    opted_in: Vec<Timestamp>,
    rules: Vec<Rule>,
}

fn since_rule() -> Rule {
    let mut rule = rule(Kind::Plain, FieldKind::DateTime, Policy::Prefer(Side::Left));
    rule.key = RuleKey::of("since", "since");
    rule
}

impl World {
    /// `carried`: the evidence is mapped itself, so that it goes on to the third account.
    fn new(ahead: [i64; 3], carried: bool) -> Self {
        let now = when("01T00:00:00");
        let account = |ahead: i64| {
            let clock_ahead = SignedDuration::from_secs(ahead);
            Account { out: false, since: None, changed: now, clock_ahead, meant: None }
        };
        let unread = || Reading { row: Row::new(), changed: now, meant: None };
        let flow = |right| Flow {
            right,
            seen: [unread(), unread()],
            images: Images::new(),
            plan: RowMerge::default(),
            held: false,
        };
        let mut consent = consent();
        consent.right.opted_in = consent.left.opted_in.clone();
        let rules = if carried { vec![consent, since_rule()] } else { vec![consent] };
        let (accounts, flows) = (ahead.map(account), [flow(1), flow(2)]);
        let mut world = Self { now, accounts, flows, opted_in: Vec::new(), rules };
        for flow in 0..2 {
            world.read(flow, Side::Left);
            world.read(flow, Side::Right);
        }
        world
    }

    fn account_of(&self, flow: usize, side: Side) -> usize {
        if side == Side::Left { 0 } else { self.flows[flow].right }
    }

    fn row(&self, account: usize) -> Row {
        let account = &self.accounts[account];
        let since = account.since.clone().unwrap_or(Value::Null);
        let mut row = Row::from([(self.rules[0].key, Value::Bool(account.out))]);
        row.insert(opt_in_key(self.rules[0].key), since.clone());
        row.extend(self.rules.get(1).map(|rule| (rule.key, since)));
        row
    }

    fn read(&mut self, flow: usize, side: Side) {
        let account = self.account_of(flow, side);
        let Account { changed, meant, .. } = self.accounts[account].clone();
        let row = self.row(account);
        self.flows[flow].seen[usize::from(side == Side::Right)] = Reading { row, changed, meant };
    }

    fn touch(&mut self, account: usize) {
        let account = &mut self.accounts[account];
        account.changed = self.now + account.clock_ahead;
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::OptOut(account) => {
                (self.accounts[account].out, self.accounts[account].meant) = (true, Some(self.now));
                self.touch(account);
            }
            Act::OptIn { account, by_day } => {
                self.opted_in.push(self.now);
                self.touch(account);
                let account = &mut self.accounts[account];
                let since = account.changed;
                let day = || Value::Date(since.to_zoned(TimeZone::UTC).date());
                (account.out, account.since) = (false, Some(if by_day { day() } else { Value::Time(since) }));
            }
            Act::Untick(account) => {
                self.accounts[account].out = false;
                self.touch(account);
            }
            Act::Edit(account) => self.touch(account),
            Act::Read(flow, side) => self.read(flow, side),
            Act::Decide(flow) => self.decide(flow),
            Act::Send(flow, done, heard) => self.send(flow, done, heard),
        }
    }

    fn decide(&mut self, flow: usize) {
        let flow = &mut self.flows[flow];
        let [left, right] = &flow.seen;
        let times = Evidence { left_at: Some(left.changed), right_at: Some(right.changed), ..Evidence::default() };
        let pair = Pair { left: &left.row, right: &right.row };
        let merge = merge_rows(&self.rules, None, &flow.images, pair, |_| times);
        flow.images.extend(merge.adopted.iter().cloned());
        flow.held = !merge.holds.is_empty();
        flow.plan = merge;
    }

    /// Whoever is to be told is looked at once more, and then is told what follows. What was lost is read anew.
    fn send(&mut self, flow: usize, done: bool, heard: bool) {
        self.decide(flow);
        // What one side says may turn the decision to the other.
        for _ in Side::BOTH {
            let plan = &self.flows[flow].plan;
            let told = [(Side::Left, !plan.to_left.is_empty()), (Side::Right, !plan.to_right.is_empty())];
            told.into_iter().filter(|(_, told)| *told).for_each(|(side, _)| self.read(flow, side));
            self.decide(flow);
        }
        let plan = std::mem::take(&mut self.flows[flow].plan);
        for (side, changes) in [(Side::Left, plan.to_left), (Side::Right, plan.to_right)] {
            let account = self.account_of(flow, side);
            let stands = self.row(account);
            let as_seen = changes.iter().all(|change| stands.get(&change.key) == change.seen.as_ref());
            if !changes.is_empty() && as_seen && done {
                let meant = self.flows[flow].seen[usize::from(side == Side::Left)].meant;
                for change in &changes {
                    if change.key == self.rules[0].key {
                        self.told(account, meant, change.target == Value::Bool(true));
                    } else {
                        self.accounts[account].since =
                            Some(change.target.clone()).filter(|since| *since != Value::Null);
                    }
                }
                self.touch(account);
                if heard {
                    self.flows[flow].images.extend(changes.into_iter().map(|change| (change.key, change.after)));
                }
            }
        }
        for side in Side::BOTH {
            self.read(flow, side);
        }
    }

    /// `meant`: when the other side's opting out was, as it was read. inv:12
    fn told(&mut self, account: usize, meant: Option<Timestamp>, out: bool) {
        let before = &self.accounts[account];
        if before.out && !out {
            let meant = before.meant.expect("somebody opted out");
            assert!(self.opted_in.iter().any(|opted_in| *opted_in > meant), "an opting out is undone: {self:#?}");
        }
        let meant = meant.filter(|_| out);
        let account = &mut self.accounts[account];
        account.meant = account.meant.filter(|_| account.out && out).max(meant);
        account.out = out;
    }

    /// All is read, decided and sent until nothing is left to do.
    fn calm(&mut self) {
        for _ in 0..20 {
            let before = format!("{:?}", self.accounts);
            for flow in 0..2 {
                self.now += SignedDuration::from_mins(1);
                self.read(flow, Side::Left);
                self.read(flow, Side::Right);
                self.decide(flow);
                self.send(flow, true, true);
            }
            if before == format!("{:?}", self.accounts) {
                return;
            }
        }
        panic!("it does not come to rest: {self:#?}");
    }
}

fn acts() -> impl Strategy<Value = Vec<(Act, i64)>> {
    let side = || prop_oneof![Just(Side::Left), Just(Side::Right)];
    let act = prop_oneof![
        2 => (0..3_usize).prop_map(Act::OptOut),
        2 => (0..3_usize, any::<bool>()).prop_map(|(account, by_day)| Act::OptIn { account, by_day }),
        1 => (0..3_usize).prop_map(Act::Untick),
        1 => (0..3_usize).prop_map(Act::Edit),
        3 => (0..2_usize, side()).prop_map(|(flow, side)| Act::Read(flow, side)),
        3 => (0..2_usize).prop_map(Act::Decide),
        3 => (0..2_usize, prop::bool::weighted(0.8), any::<bool>()).prop_map(|(flow, done, heard)| {
            Act::Send(flow, done, heard)
        }),
    ];
    // From at once to two days.
    let pause = prop_oneof![0..60_i64, 60..4_000_i64, 4_000..200_000_i64];
    prop::collection::vec((act, pause), 1..40)
}

fn played(ahead: [i64; 3], carried: bool, script: &[(Act, i64)]) -> World {
    let mut world = World::new(ahead, carried);
    for (act, pause) in script {
        world.now += SignedDuration::from_secs(*pause);
        world.act(act);
    }
    world
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Whatever is read when, lost or done without anybody hearing of it, and however three accounts' clocks differ:
    /// Syncline writes over an opting out only what was said later. Where two accounts do not say the same in the end, it
    /// is held back, and a person sees it. inv:12, proves: R17, sec:G3
    #[test]
    fn no_opting_out_is_undone_without_later_evidence(
        ahead in [-120..120_i64, -120..120, -120..120], carried in any::<bool>(), script in acts(),
    ) {
        let mut world = played(ahead, carried, &script);
        world.calm();
        for flow in &world.flows {
            let same = world.accounts[0].out == world.accounts[flow.right].out;
            prop_assert!(same || flow.held, "nobody is told: {world:#?}");
        }
    }

    /// With nobody opting in, one opting out is enough. inv:12, proves: R17
    #[test]
    fn an_opting_out_reaches_everybody(
        ahead in [-120..120_i64, -120..120, -120..120], script in acts(), account in 0..3_usize,
    ) {
        let script: Vec<_> =
            script.into_iter().filter(|(act, _)| !matches!(act, Act::OptIn { .. } | Act::Untick(_))).collect();
        let mut world = played(ahead, false, &script);
        world.act(&Act::OptOut(account));
        world.calm();
        prop_assert!(world.accounts.iter().all(|account| account.out), "{world:#?}");
    }
}

/// An opt-in that nothing speaks against goes all the way, its date with it. proves: R17
#[test]
fn an_opt_in_goes_on_to_the_third_account_with_its_evidence() {
    let mut world = World::new([0, 0, 0], true);
    world.act(&Act::OptOut(2));
    world.calm();
    assert!(world.accounts.iter().all(|account| account.out));
    world.now += SignedDuration::from_hours(72);
    world.act(&Act::OptIn { account: 1, by_day: false });
    world.calm();
    assert!(world.accounts.iter().all(|account| !account.out), "{world:#?}");
}
