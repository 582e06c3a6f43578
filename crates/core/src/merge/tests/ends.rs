//! One side's field by itself: its normal form is reached at once, and what it takes is what was given, or nothing.

use jiff::{Timestamp, civil::date, tz::TimeZone};
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

use super::table::shape;
use crate::{
    description::{FieldDescription, FieldKind, Habits},
    fit::{fit, fit_value, is_plain_number, value_of},
    ids::RecordId,
    merge::{Base, End, Told},
    record::Value,
};

pub const KINDS: [FieldKind; 13] = [
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

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ 0-9+()/-]{0,20}",
        "[aAbBÄßİΣ ;]{0,16}",
        "[a-zA-Z.]{1,8}@[a-zA-ZäÖ-]{1,8}\\.[a-z]{2,4} ?",
        "-?[0-9]{0,12}\\.?[0-9]{0,8}",
        "[a-z\u{301}\u{1f468}\u{200d}\u{1f469} \n\t]{0,12}",
    ]
}

pub fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        3 => "-?[0-9]{1,14}(\\.[0-9]{1,8})?".prop_map(Value::Decimal),
        8 => texts().prop_map(Value::text),
        1 => (0..3000_i16, 1..=12_i8, 1..=28_i8).prop_map(|(y, m, d)| Value::Date(date(y, m, d))),
        1 => (-99_999_999_999_i64..99_999_999_999, 0..1_000_000_i64).prop_map(|(seconds, micros)| {
            Value::Time(Timestamp::from_microsecond(seconds * 1_000_000 + micros).expect("a time within the calendar"))
        }),
        1 => "[a-zA-Z0-9]{15,18}".prop_map(|id| Value::Id(RecordId::new(id))),
    ]
}

pub fn ends() -> impl Strategy<Value = End> {
    let habits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let length = prop_oneof![Just(None), (1..12_u32).prop_map(Some)];
    (0..KINDS.len(), length, 0..4_u32, habits, any::<[bool; 2]>()).prop_map(
        |(kind, length, scale, (lower_case, trims, digits_only, whole_seconds), [restricted, nillable])| {
            let values = ["aB", "Bä", "a", "b;c"].map(str::to_owned).to_vec();
            let habits = Habits { lower_case, trims, digits_only, whole_seconds, untold: false };
            let shape = FieldDescription { length, scale, restricted, nillable, habits, values, ..shape(KINDS[kind]) };
            End::new("Field", shape)
        },
    )
}

/// Letters and digits, all small: what is left of a text that was only brought into shape. Each letter by itself, and the
/// one that is written otherwise at the end of a word like any other ("ÄAaAΣÄ", cut to five; "aΣ", made small).
fn essence(text: &str) -> String {
    let small = text.chars().flat_map(char::to_lowercase).map(|char| if char == 'ς' { 'σ' } else { char });
    small.filter(|char| char.is_alphanumeric()).collect()
}

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    /// proves: R14
    #[test]
    fn the_normal_form_is_reached_at_once(end in ends(), value in values()) {
        let once = end.normal(&value).into_owned();
        prop_assert_eq!(end.normal(&once).into_owned(), once);
    }

    /// inv:8: what is taken fits, and taking it again changes nothing. proves: R14
    #[test]
    fn what_is_taken_fits_and_stays(end in ends(), value in values(), truncate in any::<bool>()) {
        let Ok(taken) = end.take(&value, truncate) else { return Ok(()) };
        prop_assert!(taken != Value::Null || end.shape.nillable);
        if let (Value::Text(text), Some(length)) = (&taken, end.shape.length) {
            prop_assert!(text.chars().count() <= length as usize, "{text:?} is longer than {length}");
        }
        prop_assert_eq!(end.normal(&taken).into_owned(), taken.clone());
        prop_assert_eq!(end.take(&taken, truncate), Ok(taken));
    }

    /// No value comes out of nothing. proves: R13
    #[test]
    fn nothing_is_taken_for_nothing(end in ends(), truncate in any::<bool>()) {
        prop_assert!(matches!(end.take(&Value::Null, truncate), Ok(Value::Null) | Err(_)));
    }

    /// A text is only brought into shape or cut: no letter is made up. proves: R14
    #[test]
    fn no_letter_is_made_up(end in ends(), text in texts(), truncate in any::<bool>()) {
        let shapes = [FieldKind::Text, FieldKind::TextArea, FieldKind::Phone, FieldKind::Url];
        if !shapes.contains(&end.shape.kind) {
            return Ok(());
        }
        let Ok(Value::Text(taken)) = end.take(&Value::text(&text), truncate) else { return Ok(()) };
        let (given, taken) = (essence(&text), essence(&taken));
        if end.shape.habits.digits_only && end.shape.kind == FieldKind::Phone {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            prop_assert!(digits(&given).ends_with(&digits(&taken)));
        } else {
            prop_assert!(given.starts_with(&taken), "{given:?} became {taken:?}");
        }
    }

    /// Values that are taken as they are written are the same as those that are worked out. proves: R14
    #[test]
    fn what_is_taken_as_it_is_would_be_worked_out_so(end in ends(), value in values()) {
        let worked_out = fit(&value_of(&value), &end.shape, &TimeZone::UTC);
        prop_assert_eq!(fit_value(&value, &end.shape, &TimeZone::UTC), worked_out);
        if let Value::Decimal(text) = &value
            && is_plain_number(text, end.shape.scale)
        {
            let number: Decimal = text.parse().expect("it is written as a number");
            let strategy = RoundingStrategy::MidpointAwayFromZero;
            let rounded = number.round_dp_with_strategy(end.shape.scale, strategy).normalize();
            prop_assert_eq!(&rounded.to_string(), text);
        }
    }

    /// What is stored of an agreement is read back as it was.
    #[test]
    fn images_are_stored_whole(left in values(), right in values(), code in prop::option::of(0..12_u8)) {
        let told = code.map(|code| Told { left: code & 1 != 0, right: code & 2 != 0, turns: code >> 2 });
        let base = Base { left, right, told };
        let text = serde_json::to_string(&base).expect("images are written");
        prop_assert_eq!(serde_json::from_str::<Base>(&text).expect("images are read"), base);
    }
}
