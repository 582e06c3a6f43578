//! Indexes say what a scan says, whatever is written, deleted and taken back; ids carry their checksum.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Val, World};
use crate::salesforce::{SalesforceConfig, id::Id, schema::Schema, time};

#[derive(Debug, Clone)]
enum Step {
    Insert(String),
    Set(usize, Option<String>),
    Delete(usize, bool),
    Stamp(usize, i64),
    Rollback,
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    let mail = "[abAB]{1,2}@x\\.example";
    prop_oneof![
        4 => mail.prop_map(Step::Insert),
        3 => (0usize..20, prop::option::of(mail)).prop_map(|(at, mail)| Step::Set(at, mail)),
        1 => (0usize..20, any::<bool>()).prop_map(|(at, gone)| Step::Delete(at, gone)),
        2 => (0usize..20, 0i64..50).prop_map(|(at, second)| Step::Stamp(at, second)),
        1 => Just(Step::Rollback),
        1 => Just(Step::Commit),
    ]
}

/// Everything in a table, in a form that can be compared.
fn picture(world: &World, object: usize) -> Vec<String> {
    world
        .table(object)
        .rows()
        .map(|(slot, row)| format!("{slot} {} {:?}", row.deleted, world.dump(object, row)))
        .collect()
}

proptest! {
    #[test]
    fn an_index_answers_as_a_scan_does(steps in prop::collection::vec(step(), 0..60)) {
        let schema = Arc::new(Schema::new(&SalesforceConfig::default()));
        let object = schema.find("Contact").expect("contacts exist");
        let def = schema.def(object);
        let email = def.field_no("Email").expect("contacts have addresses");
        let stamp = def.system.stamp.expect("contacts are stamped");
        let mut world = World::new(schema.clone(), Arc::default(), "dM0", 0);
        let mut saved = (world.mark(), picture(&world, object));
        for step in steps {
            let slot = |at: usize| (at as u32) % world.table(object).next_slot().max(1);
            match step {
                Step::Insert(mail) => { world.insert(object, vec![(email, Val::text(mail))]); }
                Step::Set(at, mail) => { let slot = slot(at); world.set(object, slot, email, mail.map(Val::text)); }
                Step::Delete(at, gone) => { let slot = slot(at);
                    let root = gone.then(|| world.row(object, slot).map(|row| row.id)).flatten();
                    world.set_deleted(object, slot, root);
                }
                Step::Stamp(at, second) => { let slot = slot(at); world.set(object, slot, stamp, Some(Val::Stamp(second))); }
                Step::Rollback => {
                    world.rollback(saved.0);
                    prop_assert_eq!(&picture(&world, object), &saved.1);
                }
                Step::Commit => {
                    world.commit();
                    saved = (world.mark(), picture(&world, object));
                }
            }
        }
        let table = world.table(object);
        for mail in ["a@x.example", "B@x.example", "ab@x.example", "Ba@X.example"] {
            let value = Val::text(mail);
            let mut by_index = table.lookup(def, email, &value).expect("addresses are indexed").to_vec();
            by_index.sort_unstable();
            let by_scan: Vec<u32> = table.rows()
                .filter(|(_, row)| row.stored(email).and_then(Val::as_text).is_some_and(|text| text.eq_ignore_ascii_case(mail)))
                .map(|(slot, _)| slot).collect();
            prop_assert_eq!(by_index, by_scan);
        }
        let by_stamp: Vec<u32> = table.stamped(10, 30).map(|(_, slot)| slot).collect();
        let mut by_scan: Vec<(i64, u32)> = table.rows().filter_map(|(slot, row)| match row.stored(stamp) {
            Some(Val::Stamp(second)) if (10..30).contains(second) => Some((*second, slot)),
            _ => None,
        }).collect();
        by_scan.sort_unstable();
        prop_assert_eq!(by_stamp, by_scan.into_iter().map(|(_, slot)| slot).collect::<Vec<_>>());
        prop_assert_eq!(table.live(), table.rows().filter(|(_, row)| !row.deleted).count());
    }

    #[test]
    fn an_id_is_read_back_in_every_spelling(counter: u32, lower: bool) {
        let id = Id::new("003", "dM0", counter);
        prop_assert_eq!(id.counter(), Some(counter));
        prop_assert_eq!(Id::parse(id.as_str()), Some(id));
        prop_assert_eq!(Id::parse(&id.as_str()[..15]), Some(id));
        let spelt = if lower { id.as_str().to_lowercase() } else { id.as_str().to_uppercase() };
        prop_assert_eq!(Id::parse(&spelt), Some(id));
    }

    #[test]
    fn every_second_is_read_as_it_is_written(second in -8_000_000_000i64..60_000_000_000) {
        prop_assert_eq!(time::parse_stamp(&time::stamp(second)), Some(second));
        prop_assert_eq!(time::parse_http_date(&time::http_date(second)), Some(second));
    }

    #[test]
    fn no_text_breaks_the_reading_of_times(text in "[0-9]{0,5}-?[0-9]{0,3}-?[0-9]{0,3}[T ]?[0-9:.+Zz-]{0,16}") {
        let _ = (time::parse_stamp(&text), time::parse_day(&text), time::parse_http_date(&text));
    }

    #[test]
    fn a_checksum_of_another_id_is_refused(text in "[0-9A-Za-z]{18}") {
        if let Some(id) = Id::parse(&text) {
            prop_assert!(id.as_str().eq_ignore_ascii_case(&text));
        }
    }
}

/// Ids seen in recorded traffic carry the checksum that we compute.
#[test]
fn recorded_ids_have_our_checksum() {
    for id in
        ["001dM00003kS3tNQAS", "001dM00003jU9GyQAK", "005dM00000awSFJQA2", "500dM00003F2OMjQAN", "00edM00000Qj7rDQAR"]
    {
        assert_eq!(Id::parse(&id[..15]).expect("a well-formed id").as_str(), id);
    }
}
