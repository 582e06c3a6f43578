//! A value that is written comes back as it was, whatever it is and whichever way it goes.

use proptest::prelude::*;
use syncline_core::record::Value;

use super::world::World;
use crate::testing::mirror::{create, key, update_seen};

fn blank_or(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 4 => value]
}

const NAMES: &[&str] = &["firstName", "phone", "field:1", "field:2", "field:3", "field:4[]", "tags"];

prop_compose! {
    fn fields()(
        name in blank_or("[a-zA-ZäöüßéÅ' ;-]{0,12}[a-z]".prop_map(Value::text)),
        number in blank_or("[+]?[1-9][0-9 ]{0,3}[0-9]{6,9}".prop_map(Value::text)),
        city in blank_or("[A-Z][a-z|]{0,9}[a-z]".prop_map(Value::text)),
        born in blank_or((1900_i16..2100, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| Value::Date(jiff::civil::date(y, m, d)))),
        stage in blank_or(prop::sample::select(vec!["Lead", "Customer"]).prop_map(Value::text)),
        topics in blank_or(prop::sample::select(vec!["News", "Events;News", "Events;News;Offers"]).prop_map(Value::text)),
        tags in blank_or(prop::sample::select(vec!["a", "a;b", "b;c;d"]).prop_map(Value::text)),
    ) -> Vec<(&'static str, Value)> {
        NAMES.iter().copied().zip([name, number, city, born, stage, topics, tags]).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// proves: R3
    #[test]
    fn what_is_written_comes_back(first in fields(), second in fields(), many in any::<bool>()) {
        let world = World::new();
        let description = world.contacts().describe();
        let number = if many { 12 } else { 1 };
        let rows: Vec<_> = (0..number)
            .map(|number| {
                let mut all = first.clone();
                all.push(("email", Value::text(format!("p{number}@example.com"))));
                create(&key(number), &all)
            })
            .collect();
        world.contacts().write_to_the_end(&rows);
        for written in [&first, &second] {
            let seen = world.all(NAMES);
            let rows: Vec<_> = seen.iter().map(|seen| update_seen(seen, written)).collect();
            world.contacts().write_to_the_end(&rows);
            for mut seen in world.all(NAMES) {
                seen.in_kinds(&description);
                for (name, value) in written {
                    prop_assert_eq!(&seen.fields[*name], value, "{}", name);
                }
            }
        }
    }
}
