//! What is kept between two looks comes back as it was: states, messages, plans and links, written as JSON.

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{converge::settings, fold::fold, story::*, world::*};
use crate::{
    booking::chain::ChainState,
    record::{Field, Fields, Slot, Std, Value},
};

fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("all of it can be written");
    serde_json::from_str(&text).expect("what was written can be read")
}

proptest! {
    #![proptest_config(super::cases(60))]

    /// proves: B4: the state may be stored and read back between any two messages.
    #[test]
    fn states_and_plans_come_back((_, other) in told(story_with_ties()), settings in settings()) {
        let mut stored = ChainState::default();
        let mut desk = Desk::new(World::default(), settings);
        for known in 1..=other.len() {
            stored.absorb(&again(&other[known - 1]));
            stored = again(&stored);
            let decision = desk.work(&other[..known]);
            prop_assert_eq!(again(&decision.plan), decision.plan);
            prop_assert_eq!(again(&desk.links), desk.links.clone());
            let shared: Vec<_> = desk.shared.values().cloned().collect();
            prop_assert_eq!(again(&shared), shared);
        }
        prop_assert_eq!(stored, fold(&other));
    }

    #[test]
    fn values_come_back(text in ".{0,20}", name in ".{0,20}", minutes in -9_000_000_i64..9_000_000) {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Decimal("12.50".into()),
            Value::text(text.clone()),
            Value::Date("2026-02-28".parse().expect("a date")),
            Value::Time(time(minutes)),
            Value::Id(text.as_str().into()),
            Value::Slot(Slot::Case),
        ];
        let fields: Fields = Std::ALL.iter().map(|field| Field::Std(*field)).chain([Field::Native(name)]).zip(values.into_iter().cycle()).collect();
        prop_assert_eq!(again(&fields), fields);
    }
}

/// A state that was stored before a field was added still reads.
#[test]
fn a_state_with_less_in_it_reads() {
    let state: ChainState = serde_json::from_str(r#"{"nodes":{"a":{}}}"#).expect("absent parts have defaults");
    assert_eq!(state.view(), None);
}
