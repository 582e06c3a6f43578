//! A value that is written comes back as it was, whatever it is.

use proptest::prelude::*;
use syncline_connect::mirror::From;
use syncline_core::record::Value;

use super::world::World;
use crate::testing::mirror::{create, key, names, update};

fn date() -> impl Strategy<Value = Value> {
    (1900_i16..2100, 1_i8..=12, 1_i8..=28)
        .prop_map(|(year, month, day)| Value::Date(jiff::civil::date(year, month, day)))
}

fn decimal() -> impl Strategy<Value = Value> {
    (-1_000_000_i64..1_000_000, 1_u32..1_000).prop_map(|(whole, part)| {
        Value::Decimal(if part % 10 == 0 {
            whole.to_string()
        } else {
            format!("{whole}.{part:03}").trim_end_matches('0').to_owned()
        })
    })
}

fn blank_or(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 4 => value]
}

prop_compose! {
    fn fields()(
        name in blank_or("[a-zA-ZäöüßéÅ' ;-]{0,12}[a-z]".prop_map(Value::text)),
        born in blank_or(date()),
        revenue in blank_or(decimal()),
        vip in blank_or(any::<bool>().prop_map(Value::Bool)),
        stage in blank_or(prop::sample::select(vec!["1", "2", "3"]).prop_map(Value::text)),
        topics in blank_or(prop::sample::select(vec!["News", "Events;News", "Events;News;Offers"]).prop_map(Value::text)),
        number in blank_or("[1-9][0-9]{7,12}".prop_map(Value::text)),
        out in any::<bool>(),
    ) -> Vec<(&'static str, Value)> {
        vec![("FIRSTNAME", name), ("BIRTHDAY", born), ("REVENUE", revenue), ("VIP", vip), ("STAGE", stage),
             ("TOPICS", topics), ("SMS", number), ("emailBlacklisted", Value::Bool(out))]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// proves: R3
    #[test]
    fn what_is_written_comes_back(first in fields(), second in fields()) {
        let world = World::new();
        let contacts = world.contacts();
        let description = contacts.describe();
        let wanted = names(&first.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let mut all = first.clone();
        all.push(("EMAIL", Value::text("ada@example.com")));
        contacts.write(&[create(&key(1), &all)]);
        for written in [first, second] {
            contacts.write(&[update(1, &written)]);
            let (mut rows, _, _) = contacts.drain(&wanted, From::Beginning);
            rows[0].in_kinds(&description);
            for (name, value) in &written {
                prop_assert_eq!(&rows[0].fields[*name], value, "{}", name);
            }
        }
    }
}
