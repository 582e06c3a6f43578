//! What merging costs: `cargo bench -p syncline-core --bench merge`.
//!
//! Field merges per second of one core, for records of twenty fields, and the bytes that a field's images take in the
//! store. Under `cargo test` a few are merged, so that it cannot rot.

use std::{hint::black_box, time::Instant};

use syncline_core::{
    description::{FieldDescription, FieldKind, Habits},
    merge::{Base, Blanks, Direction, End, Evidence, Images, Kind, Pair, Policy, Row, Rule, RuleKey, Side, merge_rows},
    record::Value,
};

const FIELDS: usize = 20;
/// Field merges per second and core.
const GOAL: f64 = 1_000_000.0;
/// Bytes per stored field.
const GOAL_BYTES: usize = 200;

fn shape(kind: FieldKind) -> FieldDescription {
    FieldDescription {
        length: Some(80),
        precision: 18,
        scale: 2,
        habits: Habits { trims: true, whole_seconds: true, ..Habits::default() },
        ..FieldDescription::plain("", kind)
    }
}

/// Fields as people have them: texts, addresses, numbers, a list, consent.
fn rules() -> Vec<Rule> {
    let kinds = [
        (FieldKind::Text, Kind::Plain),
        (FieldKind::Email, Kind::Plain),
        (FieldKind::Phone, Kind::Plain),
        (FieldKind::Number, Kind::Plain),
        (FieldKind::Picklist, Kind::Plain),
        (FieldKind::Text, Kind::Plain),
        (FieldKind::Text, Kind::Plain),
        (FieldKind::MultiPicklist, Kind::Set),
        (FieldKind::Boolean, Kind::OptOut),
        (FieldKind::TextArea, Kind::Plain),
    ];
    let rule = |place: usize| {
        let (field, kind) = kinds[place % kinds.len()];
        let (left, right) = (format!("Field{place}__c"), format!("FIELD_{place}"));
        let mut right_shape = shape(field);
        right_shape.habits.digits_only = true;
        Rule {
            key: RuleKey::of(&left, &right),
            left: End::new(left, shape(field)),
            right: End::new(right, right_shape),
            kind,
            direction: Direction::Both,
            policy: Policy::Prefer(Side::Left),
            blanks: Blanks::Propagate,
            truncate: false,
            group: None,
        }
    };
    (0..FIELDS).map(rule).collect()
}

fn value(rule: &Rule, side: Side, number: usize) -> Value {
    let given = match rule.left.shape.kind {
        FieldKind::Email => Value::text(format!("person{number}@company.example")),
        FieldKind::Phone => Value::text(format!("+49 30 {:06}", number % 1_000_000)),
        FieldKind::Number => Value::Decimal(format!("{}.5", number % 1000)),
        FieldKind::MultiPicklist => Value::text(format!("customer;newsletter;tag{}", number % 7)),
        FieldKind::Boolean => Value::Bool(number % 2 == 1),
        _ => Value::text(format!("Some text of number {number}")),
    };
    rule.end(side).take(&given, false).expect("the values fit")
}

fn row(rules: &[Rule], side: Side, number: impl Fn(usize) -> usize) -> Row {
    rules.iter().enumerate().map(|(place, rule)| (rule.key, value(rule, side, number(place)))).collect()
}

/// Seconds on the processor where the system tells them, for a machine that does other things too; else on the wall.
fn spent(began: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--bench");
    let records = if full { 200_000 } else { 10 };
    if !full {
        println!("A few merges, to see that the benchmark works; these are no figures.");
    }
    let rules = rules();
    let before = |_: usize| 1;
    let (left, right) = (row(&rules, Side::Left, before), row(&rules, Side::Right, before));
    let images: Images = left
        .iter()
        .zip(&right)
        .map(|((key, left), (_, right))| (*key, Base::new(left.clone(), right.clone())))
        .collect();
    let cases = [
        ("unchanged", left.clone(), 0),
        ("one of ten changed", row(&rules, Side::Left, |place| if place % 10 == 3 { 2 } else { 1 }), FIELDS / 10),
        ("all changed", row(&rules, Side::Left, |_| 2), FIELDS),
    ];
    println!("{:<34} {:>14}   goal", "figure", "measured");
    for (name, changed, writes) in &cases {
        let began = Instant::now();
        let start = spent(began);
        for _ in 0..records {
            let now = Pair { left: black_box(changed), right: black_box(&right) };
            let merge = merge_rows(&rules, None, &images, now, |_| Evidence::default());
            assert_eq!(merge.to_right.len() + merge.to_left.len() + merge.holds.len(), *writes, "{name}");
            black_box(merge);
        }
        let seconds = (spent(began) - start).max(f64::EPSILON);
        let rate = f64::from(u32::try_from(records * FIELDS).expect("few enough")) / seconds;
        println!("{:<34} {:>12.0}/s   {:.0}/s", format!("field merges, {name}"), rate, GOAL);
    }
    let stored = serde_json::to_string(&images).expect("images are written").len() / FIELDS;
    println!("{:<34} {stored:>12} B   {GOAL_BYTES} B", "images of a field, stored");
}
