//! A list that is read by offset loses nobody, whatever is made, changed or deleted between the pages.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::brevo::walk::{Place, Step, Walk};

/// What others do between two pages.
#[derive(Debug, Clone)]
enum Event {
    /// Somebody makes a contact.
    Make,
    /// A contact changes that was not in the list, and so comes in, somewhere.
    Change(prop::sample::Index),
    Delete(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Make),
        any::<prop::sample::Index>().prop_map(Event::Change),
        any::<prop::sample::Index>().prop_map(Event::Delete),
    ]
}

fn places(numbers: &BTreeSet<u64>) -> Vec<Place> {
    // Contacts of one import are made at the same moment.
    numbers
        .iter()
        .map(|number| Place(jiff::Timestamp::from_second((*number / 7).try_into().unwrap()).ok(), *number))
        .collect()
}

proptest! {
    /// Who is in the list from beginning to end is read; and an end is reached once nobody does anything any more.
    #[test]
    fn nobody_is_lost(
        size in 2_u64..6,
        first in prop::collection::btree_set(0_u64..60, 0..40),
        between in prop::collection::vec(prop::collection::vec(event(), 0..6), 0..30),
    ) {
        let mut list = first.clone();
        let (mut stays, mut read, mut next) = (first, BTreeSet::new(), 100);
        let (mut walk, mut between) = (Walk::default(), between.into_iter());
        for turn in 0.. {
            prop_assert!(turn < 300, "there is no end");
            let all = places(&list);
            let from = usize::try_from(walk.offset).unwrap().min(all.len());
            let to = (from + usize::try_from(size).unwrap()).min(all.len());
            let rows = &all[from..to];
            let step = walk.take(rows, all.len() as u64, size);
            if let Step::On { fresh } | Step::End { fresh } = step {
                read.extend(rows[fresh..].iter().map(|place| place.1));
            }
            if matches!(step, Step::End { .. }) {
                break;
            }
            for event in between.next().unwrap_or_default() {
                match event {
                    Event::Make => {
                        list.insert(next);
                        next += 1;
                    }
                    Event::Change(index) => {
                        list.insert(index.index(60) as u64);
                    }
                    Event::Delete(index) if !list.is_empty() => {
                        let gone = *index.get(&list.iter().copied().collect::<Vec<_>>());
                        list.remove(&gone);
                        stays.remove(&gone);
                    }
                    Event::Delete(_) => {}
                }
            }
        }
        let lost: Vec<&u64> = stays.difference(&read).collect();
        prop_assert!(lost.is_empty(), "lost {lost:?}");
    }

    /// Where nobody does anything, each is read once, in no more pages than needed.
    #[test]
    fn a_quiet_list_is_read_once(size in 2_u64..9, number in 0_u64..60) {
        let all = places(&(0..number).collect());
        let (mut walk, mut read, mut pages) = (Walk::default(), Vec::new(), 0);
        loop {
            pages += 1;
            let from = usize::try_from(walk.offset).unwrap().min(all.len());
            let to = (from + usize::try_from(size).unwrap()).min(all.len());
            let step = walk.take(&all[from..to], number, size);
            let fresh = match step {
                Step::On { fresh } | Step::End { fresh } => fresh,
                Step::Back => panic!("nothing was passed over"),
            };
            read.extend_from_slice(&all[from + fresh..to]);
            if matches!(step, Step::End { .. }) {
                break;
            }
        }
        prop_assert_eq!(read, all);
        prop_assert!(pages <= 1 + number.saturating_sub(2) / (size - 1));
    }
}
