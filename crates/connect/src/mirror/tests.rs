//! Values that came as text, in the kinds of their fields.

use proptest::prelude::*;
use syncline_core::{description::FieldKind, ids::RecordId, record::Value};

use super::in_kind;

const KINDS: [FieldKind; 13] = [
    FieldKind::Text,
    FieldKind::TextArea,
    FieldKind::Number,
    FieldKind::Boolean,
    FieldKind::Date,
    FieldKind::DateTime,
    FieldKind::Picklist,
    FieldKind::MultiPicklist,
    FieldKind::Reference,
    FieldKind::Email,
    FieldKind::Phone,
    FieldKind::Url,
    FieldKind::Other,
];

proptest! {
    #[test]
    fn reading_twice_changes_nothing_more(text in "[ 0-9a-z;.:TZ-]{0,24}", kind in prop::sample::select(KINDS.to_vec())) {
        let once = in_kind(kind, Value::Text(text));
        prop_assert_eq!(in_kind(kind, once.clone()), once);
    }

    #[test]
    fn a_number_has_one_text(whole in 0..10_000_000i64, zeros in 0..4usize, negative: bool) {
        let sign = if negative && whole > 0 { "-" } else { "" };
        let text = format!("{sign}{}{whole}.50{}", "0".repeat(zeros), "0".repeat(zeros));
        prop_assert_eq!(in_kind(FieldKind::Number, Value::Text(text)), Value::Decimal(format!("{sign}{whole}.5")));
    }
}

#[test]
fn texts_become_what_their_field_holds() {
    let cases = [
        (FieldKind::Number, "12.50", Value::Decimal("12.5".into())),
        (FieldKind::Number, "twelve", Value::text("twelve")),
        (FieldKind::Boolean, "true", Value::Bool(true)),
        (FieldKind::Boolean, "0", Value::Bool(false)),
        (FieldKind::Date, "2026-05-06", Value::Date("2026-05-06".parse().unwrap())),
        (FieldKind::Date, "1778025600000", Value::Date("2026-05-06".parse().unwrap())),
        (FieldKind::DateTime, "1778068800000", Value::Time("2026-05-06T12:00:00Z".parse().unwrap())),
        (FieldKind::DateTime, "2026-05-06T12:00:00.000+0000", Value::Time("2026-05-06T12:00:00Z".parse().unwrap())),
        (FieldKind::MultiPicklist, "b; a;b", Value::text("a;b")),
        (FieldKind::Reference, "001", Value::Id(RecordId::new("001"))),
        (FieldKind::Text, "2026-05-06", Value::text("2026-05-06")),
        (FieldKind::Text, " ", Value::Null),
        (FieldKind::Picklist, "", Value::Null),
    ];
    for (kind, text, expected) in cases {
        assert_eq!(in_kind(kind, Value::text(text)), expected, "{kind:?} {text}");
    }
    assert_eq!(in_kind(FieldKind::Number, Value::Bool(true)), Value::Bool(true));
}
