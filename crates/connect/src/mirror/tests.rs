//! Values that came as text, in the kinds of their fields; rows that are written one by one.

use proptest::prelude::*;
use syncline_core::{description::FieldKind, ids::RecordId, record::Value};

use super::{RowOutcome, Singly, Written, in_kind};
use crate::{Error, ErrorKind, Retry};

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

proptest! {
    /// Every row has its outcome, in order. After an error that would meet every row nothing is sent, and what was not sent
    /// is never unknown; nothing is said to have been refused as a whole that may have been written.
    ///
    /// proves: V2
    #[test]
    fn rows_written_one_by_one_have_their_own_outcomes(
        answers in proptest::collection::vec((proptest::option::of(0..4usize), any::<bool>()), 1..8),
    ) {
        let kinds = [ErrorKind::Invalid, ErrorKind::RateLimited, ErrorKind::UnknownOutcome, ErrorKind::Forbidden];
        let (mut said, mut sent) = (Singly::default(), 0);
        for (answer, begun) in &answers {
            if said.goes_on() {
                sent += 1;
                let error = |kind: &usize| Error::new(kinds[*kind], Retry::Never, "write", "it says no");
                said.said(answer.as_ref().map_or(Ok(RecordId::new("1")), |kind| Err(error(kind))), *begun);
            }
        }
        let may_be_written = |(answer, begun): &(Option<usize>, bool)| matches!(answer, None | Some(2)) || *begun;
        let halts = |(answer, _): &(Option<usize>, bool)| matches!(answer, Some(1..));
        let expected = answers.iter().position(halts).map_or(answers.len(), |at| at + 1);
        prop_assert_eq!(sent, expected);
        match said.end() {
            Err(error) => {
                prop_assert!(error.meets_every_call());
                prop_assert!(!answers[..sent].iter().any(may_be_written));
            }
            Ok(Written::Rows(outcomes)) => {
                prop_assert_eq!(outcomes.len(), answers.len());
                for (at, (outcome, answer)) in outcomes.iter().zip(&answers).enumerate() {
                    let is_right = match outcome {
                        RowOutcome::Done { .. } => at < sent && answer.0.is_none(),
                        RowOutcome::Unknown(_) => at < sent && answer.0.is_some() && may_be_written(answer),
                        RowOutcome::Refused(error) => {
                            error.kind != ErrorKind::UnknownOutcome && (at >= sent || !may_be_written(answer))
                        }
                        RowOutcome::Taken { .. } => false,
                    };
                    prop_assert!(is_right, "{} of {}: {:?}", at, sent, outcome);
                }
            }
            Ok(Written::Later { .. }) => prop_assert!(false, "nothing is asked for later"),
        }
    }
}
