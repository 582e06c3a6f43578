//! One field, case by case, as an admin would ask.

use insta::assert_snapshot;

use crate::{
    description::{FieldDescription, FieldKind, Habits},
    merge::{Base, Blanks, Direction, End, Evidence, Kind, Merged, Policy, Proof, Rule, RuleKey, Side, merge_field},
    record::Value,
};

pub fn shape(kind: FieldKind) -> FieldDescription {
    FieldDescription { precision: 18, scale: 2, ..FieldDescription::plain("", kind) }
}

pub fn rule(kind: Kind, field: FieldKind, policy: Policy) -> Rule {
    Rule {
        key: RuleKey::of("Phone", "PHONE"),
        left: End::new("Phone", shape(field)),
        right: End::new("PHONE", shape(field)),
        kind,
        direction: Direction::Both,
        policy,
        blanks: Blanks::Propagate,
        truncate: false,
        group: None,
    }
}

fn value(text: &str) -> Value {
    match text {
        "-" => Value::Null,
        "yes" => Value::Bool(true),
        "no" => Value::Bool(false),
        other => Value::text(other),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Base (`left/right`, or nothing), then both sides as they stand.
fn check(rule: &Rule, cases: &[(&str, &str, &str)]) -> String {
    check_with(rule, cases, Evidence::default())
}

fn check_with(rule: &Rule, cases: &[(&str, &str, &str)], evidence: Evidence) -> String {
    let line = |(base, left, right): &(&str, &str, &str)| {
        let agreed = base.split_once('/').map(|(left, right)| Base::new(value(left), value(right)));
        let merged = merge_field(rule, agreed.as_ref(), Some(&value(left)), Some(&value(right)), evidence);
        let outcome = match merged {
            Merged::Keep => "keep".to_owned(),
            Merged::Adopt(base) => format!("adopt {}/{}", shown(&base.left), shown(&base.right)),
            Merged::Leave { base, .. } => format!("leave {}/{}", shown(&base.left), shown(&base.right)),
            Merged::Hold(hold) => format!("hold: {}", hold.reason),
            Merged::Write { to_left, to_right, conflict, .. } => [
                to_left.map(|value| format!("left := {}", shown(&value))),
                to_right.map(|value| format!("right := {}", shown(&value))),
                conflict
                    .map(|conflict| format!("conflict, {} wins", conflict.winner.expect("it was written").as_str())),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
        };
        format!("{base:>5} | {left} {right} -> {outcome}")
    };
    cases.iter().map(line).collect::<Vec<_>>().join("\n")
}

const PLAIN: &[(&str, &str, &str)] = &[
    ("a/a", "a", "a"),
    ("a/a", "b", "a"),
    ("a/a", "a", "b"),
    ("a/a", "b", "b"),
    ("a/a", "b", "c"),
    ("a/a", "-", "a"),
    ("a/a", "-", "b"),
    ("-/-", "-", "b"),
    ("", "a", "a"),
    ("", "a", "-"),
    ("", "-", "b"),
    ("", "a", "b"),
];

/// proves: R11, R12
#[test]
fn a_plain_field() {
    assert_snapshot!(check(&rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Left)), PLAIN));
}

/// proves: R12
#[test]
fn the_preferred_side_is_restored_unless_it_is_blank() {
    assert_snapshot!(check(&rule(Kind::Plain, FieldKind::Text, Policy::PreferUnlessBlank(Side::Left)), PLAIN));
}

/// proves: R4
#[test]
fn one_way_only() {
    let one_way =
        Rule { direction: Direction::ToRight, ..rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Right)) };
    assert_snapshot!(check(&one_way, PLAIN));
}

/// proves: R13
#[test]
fn blanks_that_are_ignored_or_refused() {
    let plain = rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Left));
    let blanks = &[("a/a", "-", "a"), ("a/a", "a", "-"), ("a/a", "-", "b"), ("-/a", "-", "a")];
    let ignored = check(&Rule { blanks: Blanks::Ignore, ..plain.clone() }, blanks);
    let refused = check(&Rule { blanks: Blanks::Refuse, ..plain.clone() }, blanks);
    let mut unblankable = plain;
    unblankable.right.shape.nillable = false;
    assert_snapshot!(format!("{ignored}\n\n{refused}\n\n{}", check(&unblankable, blanks)));
}

/// proves: R3, R11
#[test]
fn entries_of_a_set_travel_one_by_one() {
    let set = rule(Kind::Set, FieldKind::MultiPicklist, Policy::Prefer(Side::Left));
    assert_snapshot!(check(
        &set,
        &[
            ("a;b/a;b", "a;b", "a;b"),
            ("a;b/a;b", "a;b;c", "a;b"),
            ("a;b/a;b", "a", "a;b;d"),
            ("a;b/a;b", "b;a", "b;a"),
            ("a/a", "-", "a"),
            ("", "a;b", "b;c"),
        ]
    ));
}

/// proves: R17, sec:G3
#[test]
fn opting_out_wins_and_opting_in_needs_evidence() {
    let consent = rule(Kind::OptOut, FieldKind::Boolean, Policy::Prefer(Side::Left));
    let cases = &[
        ("no/no", "yes", "no"),
        ("no/no", "no", "yes"),
        ("yes/yes", "no", "yes"),
        ("yes/yes", "no", "no"),
        ("yes/no", "no", "yes"),
        ("", "no", "yes"),
        ("", "yes", "no"),
    ];
    let proven = Evidence { opted_in: Proof::Later, ..Evidence::default() };
    assert_snapshot!(format!("{}\n\n{}", check(&consent, cases), check_with(&consent, cases, proven)));
}

/// What one side rewrites is no change. proves: R11
#[test]
fn a_rewritten_value_does_not_come_back() {
    let mut phone = rule(Kind::Plain, FieldKind::Phone, Policy::Prefer(Side::Left));
    phone.right.shape.habits = Habits { digits_only: true, ..Habits::default() };
    assert_snapshot!(check(
        &phone,
        &[
            ("-/-", "+49 30 123456", "-"),
            ("+49 30 123456/4930123456", "+49 30 123456", "4930123456"),
            ("+49 30 123456/4930123456", "+49 30 123456", "004930123456"),
            ("-/-", "123", "-"),
        ]
    ));
}
