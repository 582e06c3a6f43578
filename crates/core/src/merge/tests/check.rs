//! What a mapping is told before it is saved.

use insta::assert_snapshot;
use jiff::{Timestamp, civil::date, tz::TimeZone};

use super::{
    ends::KINDS,
    table::{rule, shape},
    world::{flow, key_of},
};
use crate::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    fit::{fit, value_of},
    ids::RecordId,
    merge::{
        Direction, Kind, OptIn, PairSettings, Policy, Rule, Side, Weight, WhenDeleted,
        check::{Fits, check_pair, fits},
    },
    record::Value,
};

/// Every kind into every other. proves: R2
#[test]
fn which_kinds_go_into_which() {
    let sign = |from: FieldKind, into: FieldKind| match fits(from, into, Kind::Plain) {
        Fits::Always => '+',
        Fits::Some => '~',
        Fits::Never => '.',
    };
    let line = |from: &FieldKind| {
        let signs: Vec<String> = KINDS.iter().map(|into| sign(*from, *into).to_string()).collect();
        format!("{:>13} {}", format!("{from:?}"), signs.join(" "))
    };
    let head = KINDS.map(|kind| format!("{kind:?}")).join(", ");
    assert_snapshot!(format!("into {head}\n{}", KINDS.iter().map(line).collect::<Vec<_>>().join("\n")));
}

fn samples(kind: FieldKind) -> Vec<Value> {
    let texts = |texts: &[&str]| texts.iter().map(|text| Value::text(*text)).collect();
    match kind {
        FieldKind::Text | FieldKind::TextArea | FieldKind::Picklist => {
            texts(&["x", "1", "true", "2026-05-01", "2026-05-01T10:00:00Z", "a@b.example", "+49 30 123456"])
        }
        FieldKind::MultiPicklist => texts(&["a;b"]),
        FieldKind::Number => vec![Value::Decimal("0".into()), Value::Decimal("1".into())],
        FieldKind::Boolean => vec![Value::Bool(true), Value::Bool(false)],
        FieldKind::Date => vec![Value::Date(date(2026, 5, 1))],
        FieldKind::DateTime => vec![Value::Time(Timestamp::UNIX_EPOCH)],
        FieldKind::Reference => vec![Value::Id(RecordId::new("003000000000001"))],
        FieldKind::Email => texts(&["a@b.example"]),
        FieldKind::Phone => texts(&["+49 30 123456", "123456"]),
        FieldKind::Url => texts(&["https://x.example"]),
        FieldKind::Other => Vec::new(),
    }
}

/// The table says what the conversion does: what always goes goes with every value, what may go goes with one at least.
/// proves: R2
#[test]
fn the_table_is_true_of_the_conversion() {
    for from in KINDS {
        for into in KINDS {
            let values = samples(from);
            let goes = |value: &&Value| fit(&value_of(value), &shape(into), &TimeZone::UTC).is_ok();
            let count = values.iter().filter(goes).count();
            match fits(from, into, Kind::Plain) {
                Fits::Always => assert_eq!(count, values.len(), "{from:?} into {into:?}"),
                Fits::Some => assert!(count > 0, "{from:?} into {into:?}"),
                // A conversion that would be possible and means nothing is refused as well: ids, lists, words.
                Fits::Never => {}
            }
        }
    }
}

fn object(name: &str, fields: &[(&str, FieldDescription)]) -> ObjectDescription {
    ObjectDescription {
        name: name.to_owned(),
        label: name.to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields: fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect(),
    }
}

fn pair(rules: Vec<Rule>) -> PairSettings {
    flow(rules, WhenDeleted::Detach, true, None).pairs.remove(0)
}

fn mapped(left: &str, right: &str) -> Rule {
    let mut rule = rule(Kind::Plain, FieldKind::Text, Policy::Prefer(Side::Left));
    rule.key = crate::merge::RuleKey::of(left, right);
    (rule.left.field, rule.right.field) = (left.to_owned(), right.to_owned());
    rule
}

fn told(rules: Vec<Rule>, left: &ObjectDescription, right: &ObjectDescription) -> String {
    let line = |finding: crate::merge::Finding| {
        let weight = if finding.weight == Weight::Refused { "refused" } else { "warning" };
        format!("{weight}: {}: {}; {}", finding.about, finding.reason, finding.fix)
    };
    check_pair(&pair(rules), left, right).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// proves: R2, R17
#[test]
fn evidence_is_a_day_or_a_time_beside_a_field_of_consent() {
    let fields = [("Out", shape(FieldKind::Boolean)), ("At", shape(FieldKind::Date)), ("By", shape(FieldKind::Text))];
    let both = object("Contact", &fields);
    let evident = |kind: Kind, at: &str| {
        let mut rule = Rule { kind, ..mapped("Out", "Out") };
        rule.left.opted_in = Some(OptIn { at: at.to_owned(), source: Some("By".to_owned()) });
        told(vec![rule], &both, &both)
    };
    assert_eq!(evident(Kind::OptOut, "At"), "");
    assert!(evident(Kind::OptOut, "By").contains("refused: Out <-> Out: By does not hold when somebody opted in"));
    assert!(evident(Kind::Plain, "At").contains("refused: Out <-> Out: only a field by which somebody opts out"));
}

/// Nobody is matched by a phone number, so that a mapping without an address is refused, with the reason.
///
/// proves: R2
#[test]
fn a_mapping_by_phone_alone_is_refused() {
    let both = object("Contact", &[("Email", shape(FieldKind::Email)), ("Phone", shape(FieldKind::Phone))]);
    let reason = "no e-mail address is mapped, and people are known by it alone";
    assert!(told(vec![mapped("Phone", "Phone")], &both, &both).contains(reason));
    assert!(!told(vec![mapped("Phone", "Phone"), mapped("Email", "Email")], &both, &both).contains(reason));
}

/// proves: R2, R17
#[test]
fn what_cannot_work_is_refused_with_its_reason() {
    let with = |kind: FieldKind, change: &dyn Fn(&mut FieldDescription)| {
        let mut field = shape(kind);
        change(&mut field);
        field
    };
    let options = |values: &[&str], restricted: bool| {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        with(FieldKind::Picklist, &|field| (field.values, field.restricted) = (values.clone(), restricted))
    };
    let left = object(
        "Contact",
        &[
            ("Email", shape(FieldKind::Email)),
            ("LastName", with(FieldKind::Text, &|field| (field.length, field.nillable) = (Some(80), false))),
            ("Birthdate", shape(FieldKind::Date)),
            ("OwnerId", shape(FieldKind::Reference)),
            ("Interests", shape(FieldKind::MultiPicklist)),
            ("Score", with(FieldKind::Number, &|field| (field.calculated, field.updateable) = (true, false))),
            ("Rating", options(&["Hot", "Warm", "Cold"], true)),
            ("OptOut", shape(FieldKind::Boolean)),
            ("Changed", shape(FieldKind::DateTime)),
        ],
    );
    let right = object(
        "contacts",
        &[
            ("EMAIL", with(FieldKind::Email, &|field| field.required = true)),
            ("LASTNAME", with(FieldKind::Text, &|field| field.length = Some(40))),
            ("NUMBER", with(FieldKind::Number, &|field| field.scale = 0)),
            ("RATING", options(&["hot", "cold"], true)),
            ("BLACKLISTED", shape(FieldKind::Boolean)),
            ("DAY", shape(FieldKind::Date)),
            ("TYPE", with(FieldKind::Text, &|field| field.required = true)),
        ],
    );
    let mut formula = mapped("Score", "NUMBER");
    let consent = Rule { kind: Kind::OptOut, direction: Direction::ToRight, ..mapped("OptOut", "BLACKLISTED") };
    let mut set = mapped("Interests", "TYPE");
    let good = told(
        vec![
            mapped("Email", "EMAIL"),
            Rule { truncate: true, ..mapped("LastName", "LASTNAME") },
            formula.clone(),
            consent,
        ],
        &left,
        &right,
    );
    formula.direction = Direction::ToLeft;
    set.kind = Kind::OptOut;
    let bad = told(
        vec![
            mapped("LastNam", "LASTNAME"),
            mapped("Nonsense", "LASTNAME"),
            mapped("Birthdate", "NUMBER"),
            mapped("OwnerId", "TYPE"),
            Rule { direction: Direction::ToRight, ..mapped("Interests", "LASTNAME") },
            formula,
            mapped("Rating", "RATING"),
            set,
            Rule { direction: Direction::ToRight, ..mapped("Changed", "DAY") },
            Rule { direction: Direction::ToRight, ..mapped("Birthdate", "DAY") },
        ],
        &left,
        &right,
    );
    assert_snapshot!(format!("{good}\n\n{bad}"));
    let key = key_of("twice");
    let twice = vec![Rule { key, ..mapped("Email", "EMAIL") }, Rule { key, ..mapped("LastName", "LASTNAME") }];
    assert!(told(twice, &left, &right).contains("mapped twice"));
}
