//! The table of privacy, walked at random.

use proptest::prelude::*;

use super::cases;
use crate::calendar::privacy::{Effect, OnPrivate, Privacy, PrivacyOptions, Sight, step};

const SIGHTS: [Sight; 5] = [
    Sight::Private,
    Sight::Open { since_connection: true },
    Sight::Open { since_connection: false },
    Sight::Logged,
    Sight::Deleted,
];

/// proves: C8
#[test]
fn the_table_is_as_it_was_agreed() {
    let options = PrivacyOptions::default();
    let mut rows = Vec::new();
    for state in Privacy::ALL {
        for sight in SIGHTS {
            let (next, effect) = step(state, sight, options);
            rows.push(format!("{state:?} {sight:?} -> {next:?} {effect:?}"));
        }
    }
    insta::assert_snapshot!(rows.join("\n"), @"
    Unknown Private -> Ignored Forget
    Unknown Open { since_connection: true } -> Eligible Judge
    Unknown Open { since_connection: false } -> Eligible Judge
    Unknown Logged -> Synced Nothing
    Unknown Deleted -> Ignored Forget
    Ignored Private -> Ignored Forget
    Ignored Open { since_connection: true } -> Eligible Judge
    Ignored Open { since_connection: false } -> Ignored LeaveOut
    Ignored Logged -> Frozen Forget
    Ignored Deleted -> Ignored Forget
    Eligible Private -> Ignored Forget
    Eligible Open { since_connection: true } -> Eligible Judge
    Eligible Open { since_connection: false } -> Eligible Judge
    Eligible Logged -> Synced Nothing
    Eligible Deleted -> Ignored Forget
    Synced Private -> Frozen Forget
    Synced Open { since_connection: true } -> Synced Write
    Synced Open { since_connection: false } -> Synced Write
    Synced Logged -> Synced Nothing
    Synced Deleted -> Synced Remove
    Frozen Private -> Frozen Nothing
    Frozen Open { since_connection: true } -> Synced Write
    Frozen Open { since_connection: false } -> Synced Write
    Frozen Logged -> Frozen Nothing
    Frozen Deleted -> Frozen Nothing
    ");
}

fn options() -> impl Strategy<Value = PrivacyOptions> {
    let on_private = prop::sample::select(vec![OnPrivate::Keep, OnPrivate::Redact, OnPrivate::Delete]);
    (on_private, any::<bool>(), any::<bool>()).prop_map(|(on_private, thaw, tell_cancelled)| PrivacyOptions {
        on_private,
        thaw,
        tell_cancelled,
    })
}

proptest! {
    #![proptest_config(cases(500))]

    /// While an event is private, nothing about it is written but what an admin chose for that moment, once; and what was
    /// never open is never written at all.
    ///
    /// proves: C8
    #[test]
    fn private_events_are_never_written(sights in prop::collection::vec(0..SIGHTS.len(), 0..20), options in options()) {
        let mut state = Privacy::Unknown;
        let (mut is_private, mut was_logged) = (false, false);
        for sight in sights.into_iter().map(|n| SIGHTS[n]) {
            // Only what may be written is.
            if sight == Sight::Logged && !state.may_write() {
                continue;
            }
            let before = state;
            let (next, effect) = step(state, sight, options);
            state = next;
            match sight {
                Sight::Private => is_private = true,
                Sight::Open { .. } => is_private = false,
                Sight::Logged => was_logged = true,
                Sight::Deleted => {}
            }
            if is_private {
                prop_assert!(!state.may_write() && !state.may_keep_text());
                prop_assert!(!matches!(effect, Effect::Write | Effect::Judge | Effect::Remove));
            }
            if !was_logged {
                let of_record = matches!(effect, Effect::Write | Effect::Redact | Effect::Delete | Effect::TellCancelled | Effect::Remove);
                prop_assert!(!of_record);
            }
            if before == Privacy::Frozen && sight == Sight::Private {
                prop_assert_eq!(effect, Effect::Nothing);
            }
            // The same sight twice says nothing new.
            let (again, second) = step(state, sight, options);
            prop_assert_eq!(again, state);
            prop_assert!(!matches!(second, Effect::Redact | Effect::Delete));
        }
    }
}
