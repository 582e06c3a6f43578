//! Taking rows in: news, repetitions, hints, whole readings.

use super::*;
use crate::{FinishSweep, RowsTaken, SweepEnd};

fn taken(new: usize, changed: usize, repeated: usize) -> Option<RowsTaken> {
    Some(RowsTaken { new, changed, repeated })
}

fn ending(held: &Held, now: i64, sweep: i64, confirmed: bool) -> FinishSweep {
    FinishSweep {
        workspace: ws(),
        integration: flow(),
        held: held.clone(),
        now: at(now),
        side: Side::Left,
        kind: "contact".to_owned(),
        sweep,
        confirmed,
    }
}

fn people(count: usize, seconds: i64) -> Vec<SeenRow> {
    (0..count).map(|number| seen(Side::Left, &format!("p{number:04}"), seconds)).collect()
}

on_all! {
    /// What was read by its name counts whatever time it bears, and what an index that lags behind shows of before that does
    /// not: an old value would be carried over.
    ///
    /// proves: V1
    async fn a_lagging_index_says_nothing_of_what_was_read_by_name(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let at_time = |text: &str, seconds| SeenRow { row: values(text), ..seen(Side::Left, "ada", seconds) };
        let page = |now, row| taking(&held, now, vec![row], Vec::new());
        store.take_rows(page(1, at_time("old", 10))).await.unwrap();
        store.take_named_rows(page(2, at_time("new", 20))).await.unwrap();
        assert_eq!(store.take_rows(page(3, at_time("old", 10))).await.unwrap(), taken(0, 0, 1));
        assert_eq!(store.take_rows(page(3, at_time("new", 20))).await.unwrap(), taken(0, 0, 1));
        let entry = by_record(&store, Side::Left, "ada").await.unwrap();
        assert_eq!((entry.seen, entry.changed_at), (Some(values("new")), Some(at(20))));
        // Read by its name it is news even so, and the newer time stays.
        assert_eq!(store.take_named_rows(page(4, at_time("other", 15))).await.unwrap(), taken(0, 1, 0));
        let entry = by_record(&store, Side::Left, "ada").await.unwrap();
        assert_eq!((entry.seen, entry.changed_at), (Some(values("other")), Some(at(20))));
        assert_eq!(store.take_rows(page(5, at_time("newest", 21))).await.unwrap(), taken(0, 1, 0));
    }

    /// A clock of whole seconds cannot tell a page of before our write from one of after somebody took that back: the record
    /// is due, and what is stored of it counts no longer, so that it is read by its name. A finer clock can tell.
    ///
    /// proves: V1, V2
    async fn what_was_written_and_taken_back_within_a_second_is_not_passed_over(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let fine = |text: &str| SeenRow {
            row: values(text),
            changed_at: Some(at(10) + jiff::SignedDuration::from_millis(7)),
            ..seen(Side::Left, "bob", 10)
        };
        let coarse = |text: &str| SeenRow { row: values(text), ..seen(Side::Left, "ada", 10) };
        let page = |now, text: &str| taking(&held, now, vec![coarse(text), fine(text)], Vec::new());
        store.take_rows(page(1, "theirs")).await.unwrap();
        for work in due(&store, 1).await {
            let change = EntryChange { seen: Some(values("ours")), written: true, ..rests(&work.entry, None) };
            save(&store, &held, 2, SaveRows { entries: vec![change], ..SaveRows::default() }).await;
        }
        assert_eq!(due(&store, 2).await.len(), 0);
        assert_eq!(store.take_rows(page(3, "theirs")).await.unwrap(), taken(0, 1, 1));
        let [Work { entry, .. }] = &due(&store, 3).await[..] else { panic!("one is due") };
        assert_eq!((entry.record.as_str(), entry.seen.as_ref(), entry.unreadable), ("ada", None, true));
        // Read by its name it is what it is, and the next page says nothing more.
        store.take_named_rows(taking(&held, 4, vec![coarse("theirs")], Vec::new())).await.unwrap();
        let entry = by_record(&store, Side::Left, "ada").await.unwrap();
        assert_eq!((entry.seen, entry.unreadable), (Some(values("theirs")), false));
        assert_eq!(store.take_rows(page(5, "theirs")).await.unwrap(), taken(0, 0, 2));
    }

    /// proves: V1
    async fn rows_come_with_their_cursors_and_a_repetition_says_nothing(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let rows = vec![seen(Side::Left, "a", 0), seen(Side::Right, "a", 0)];
        let pulls = vec![pull(Side::Left, PullPhase::First, 1)];
        assert_eq!(store.take_rows(taking(&held, 1, rows.clone(), pulls.clone())).await.unwrap(), taken(2, 0, 0));
        assert_eq!(store.pulls(&ws(), &flow()).await.unwrap(), pulls);
        let work = due(&store, 1).await;
        assert_eq!(work.len(), 2);
        let entry = &work[0].entry;
        assert_eq!((entry.side, entry.record.as_str(), entry.match_key.as_deref()), (Side::Left, "a", Some("a@example.org")));
        assert_eq!((entry.seen.as_ref(), entry.changed_at, entry.due_at), (Some(&values("a")), Some(at(0)), Some(at(1))));
        assert_eq!((&work[0].link, &work[0].partner, entry.tries, &entry.fate), (&None, &None, 0, &StoredFate::Live));
        assert!(due(&store, 0).await.is_empty(), "not before its time");

        let rest = work.iter().map(|work| rests(&work.entry, None)).collect();
        save(&store, &held, 2, SaveRows { entries: rest, ..SaveRows::default() }).await;
        assert_eq!(store.take_rows(taking(&held, 3, rows.clone(), Vec::new())).await.unwrap(), taken(0, 0, 2));
        assert!(due(&store, 900).await.is_empty());

        // Another time, another fate, or no time at all: news.
        let mut other = rows[0].clone();
        other.fate = StoredFate::MergedInto("b".into());
        let mut timeless = seen(Side::Left, "c", 0);
        timeless.changed_at = None;
        let next = vec![other.clone(), seen(Side::Right, "a", 9), timeless.clone(), timeless.clone()];
        assert_eq!(store.take_rows(taking(&held, 4, next, Vec::new())).await.unwrap(), taken(1, 2, 1));
        assert_eq!(store.take_rows(taking(&held, 5, vec![other, timeless], Vec::new())).await.unwrap(), taken(0, 1, 1));
        let work = due(&store, 5).await;
        assert_eq!(work.iter().map(|work| (work.entry.record.as_str(), work.entry.due_at)).collect::<Vec<_>>(),
            [("a", Some(at(4))), ("a", Some(at(4))), ("c", Some(at(4)))], "further news do not make it wait longer");
        assert_eq!(work[0].entry.fate, StoredFate::MergedInto("b".into()));
        let counts = store.flow_counts(&ws(), &flow()).await.unwrap();
        assert_eq!((counts.left, counts.right, counts.links, counts.due), (2, 1, 0, 3));
    }

    /// A row that bears the time of the one before says something new where it says something else; one that bears an
    /// earlier time comes out of an index that lags.
    ///
    /// proves: R11
    async fn a_row_is_news_by_its_time_and_by_what_it_says(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let row = |text: &str, seconds: i64| SeenRow { row: values(text), ..seen(Side::Left, "a", seconds) };
        let take = async |row: SeenRow| store.take_rows(taking(&held, 1, vec![row], Vec::new())).await.unwrap();
        assert_eq!(take(row("one", 5)).await, taken(1, 0, 0));
        assert_eq!(take(row("two", 5)).await, taken(0, 1, 0), "the clock counts whole seconds");
        assert_eq!(take(row("two", 5)).await, taken(0, 0, 1));
        assert_eq!(take(row("one", 4)).await, taken(0, 0, 1), "as it was before");
        assert_eq!(take(row("one", 6)).await, taken(0, 1, 0), "somebody set it back");
    }

    /// Whoever waits for an address is due when another record gives it up, and what was refused may be sent again.
    ///
    /// proves: R15
    async fn whoever_waits_for_an_address_is_woken(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = linked(&store, &held, "b").await;
        let waits = SeenRow { match_key: Some("a@example.org".to_owned()), ..seen(Side::Left, "b", 1) };
        store.take_rows(taking(&held, 2, vec![waits, seen(Side::Right, "a", 0)], Vec::new())).await.unwrap();
        let refused = LinkChange { refused: vec![(RuleKey(1), 7)], ..unchanged(&link) };
        let works = due(&store, 2).await;
        let entries = works.iter().map(|work| rests(&work.entry, work.entry.link.map(LinkRef::Known)));
        let rows = SaveRows { entries: entries.collect(), links: vec![refused], ..SaveRows::default() };
        save(&store, &held, 3, rows).await;
        assert!(due(&store, 900).await.is_empty());
        let moved = SeenRow { match_key: Some("c@example.org".to_owned()), ..seen(Side::Right, "a", 9) };
        store.take_rows(taking(&held, 4, vec![moved], Vec::new())).await.unwrap();
        let woken: Vec<String> = due(&store, 4).await.iter().map(|work| work.entry.record.to_string()).collect();
        assert_eq!(woken.len(), 2, "the one that moved, and the one that waited: {woken:?}");
        assert!(woken.contains(&"b".to_owned()));
        assert!(link_of(&store, link.id).await.unwrap().refused.is_empty());
    }

    /// Two that bear one address rest; when one of them is missing, the other is decided about.
    ///
    /// proves: R16
    async fn the_twin_of_a_missing_record_is_woken(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let twin = SeenRow { match_key: Some("a@example.org".to_owned()), ..seen(Side::Left, "b", 0) };
        let pulls = vec![pull(Side::Left, PullPhase::First, 1)];
        store.take_rows(taking(&held, 1, vec![seen(Side::Left, "a", 0), twin.clone()], pulls)).await.unwrap();
        let entries = due(&store, 1).await.iter().map(|work| rests(&work.entry, None)).collect();
        save(&store, &held, 2, SaveRows { entries, ..SaveRows::default() }).await;
        let pulls = vec![pull(Side::Left, PullPhase::Sweep, 2)];
        store.take_rows(taking(&held, 3, vec![twin], pulls)).await.unwrap();
        assert!(due(&store, 900).await.is_empty());
        store.finish_sweep(ending(&held, 4, 2, false)).await.unwrap();
        assert_eq!(due(&store, 4).await.len(), 2, "the missing one, and its twin");
    }

    /// proves: V3
    /// proves: fault:L2
    async fn whoever_lost_the_lease_changes_nothing(world: &World) {
        let store = world.store().await;
        let slow = hold(&store, "w1", 0, 100).await;
        let link = linked(&store, &slow, "ada").await;
        let quick = hold(&store, "w2", 100, 900).await;
        let before = (store.flow_counts(&ws(), &flow()).await.unwrap(), link_of(&store, link.id).await);
        for (held, now) in [(&slow, 101), (&slow, 50), (&quick, 900)] {
            let rows = vec![seen(Side::Left, "b", 0)];
            let take = taking(held, now, rows, vec![pull(Side::Left, PullPhase::Changes, 7)]);
            assert_eq!(store.take_rows(take).await.unwrap(), None);
            let rows = SaveRows {
                drop_links: vec![link.id],
                new_links: vec![joined(None, None)],
                new_steps: vec![creation(LinkRef::Known(link.id), 5)],
                tasks: 5,
                month: "2026-03".to_owned(),
                journal: vec![entry(1, crate::JournalKind::Written, "late")],
                ..SaveRows::default()
            };
            assert_eq!(store.save_rows(&ws(), &flow(), held, at(now), rows).await.unwrap(), None);
            assert_eq!(store.finish_sweep(ending(held, now, 99, true)).await.unwrap(), None);
        }
        assert_eq!((store.flow_counts(&ws(), &flow()).await.unwrap(), link_of(&store, link.id).await), before);
        assert!(store.pulls(&ws(), &flow()).await.unwrap().is_empty());
        assert_eq!(store.quota_use(&ws(), &flow(), "2026-03").await.unwrap(), crate::QuotaUse::default());
        assert!(store.activity(&ws(), crate::ActivityFilter { limit: 9, ..Default::default() }).await.unwrap().is_empty());
    }

    async fn a_hint_makes_a_known_record_due_and_notes_an_unknown_one(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = linked(&store, &held, "ada").await;
        assert!(due(&store, 900).await.is_empty());
        let records = ["ada".into(), "new".into(), "new".into()];
        for _ in 0..2 {
            store.mark_rows(&ws(), &flow(), Side::Left, "contact", &records, at(5)).await.unwrap();
        }
        let work = due(&store, 5).await;
        assert_eq!(work.len(), 2);
        assert_eq!((work[0].entry.changed_at, work[0].link.as_ref().map(|link| link.id)), (None, Some(link.id)));
        assert_eq!(work[0].partner.as_ref().map(|partner| (partner.side, partner.id)), Some((Side::Right, link.right.unwrap())));
        assert_eq!((&work[1].entry.seen, &work[1].entry.match_key), (&None, &None));
        let again = vec![seen(Side::Left, "ada", 0), seen(Side::Left, "new", 0)];
        assert_eq!(store.take_rows(taking(&held, 6, again, Vec::new())).await.unwrap(), taken(0, 2, 0), "the next reading counts");
        assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap().left, 2);
    }

    /// proves: R16
    async fn what_a_whole_reading_does_not_show_is_missing(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, people(100, 0), vec![pull(Side::Left, PullPhase::First, 1)])).await.unwrap();
        let mut other = seen(Side::Right, "x", 0);
        other.kind = "lead".to_owned();
        store.take_rows(taking(&held, 1, vec![seen(Side::Right, "x", 0), other], Vec::new())).await.unwrap();
        let rest = due(&store, 1).await.iter().map(|work| rests(&work.entry, None)).collect();
        save(&store, &held, 1, SaveRows { entries: rest, ..SaveRows::default() }).await;

        // Half is seen again as it was; one that is new by a hint counts as seen.
        let half = people(50, 0);
        assert_eq!(store.take_rows(taking(&held, 2, half, vec![pull(Side::Left, PullPhase::Sweep, 2)])).await.unwrap(), taken(0, 0, 50));
        store.mark_rows(&ws(), &flow(), Side::Left, "contact", &["hinted".into()], at(2)).await.unwrap();
        assert_eq!(store.finish_sweep(ending(&held, 3, 1, false)).await.unwrap(), Some(SweepEnd::Done { missing: 0 }));
        assert_eq!(store.finish_sweep(ending(&held, 3, 2, false)).await.unwrap(), Some(SweepEnd::Done { missing: 50 }));
        let missing = due(&store, 3).await;
        assert_eq!(missing.iter().filter(|work| work.entry.fate == StoredFate::Missing).count(), 50);
        assert_eq!(store.finish_sweep(ending(&held, 3, 2, false)).await.unwrap(), Some(SweepEnd::Done { missing: 0 }), "it is said once");
        // One of them was there after all: the next reading shows it as it was, and that is news.
        assert_eq!(store.take_rows(taking(&held, 4, vec![seen(Side::Left, "p0099", 0)], Vec::new())).await.unwrap(), taken(0, 1, 0));
        assert_eq!(by_record(&store, Side::Left, "p0099").await.unwrap().fate, StoredFate::Live);
        assert_eq!(by_record(&store, Side::Right, "x").await.unwrap().fate, StoredFate::Live, "other sides and kinds are not asked about");
    }

    /// proves: R16
    async fn too_many_missing_are_a_persons_to_confirm(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, people(2100, 0), vec![pull(Side::Left, PullPhase::First, 1)])).await.unwrap();
        let shown = people(1994, 0);
        store.take_rows(taking(&held, 2, shown, vec![pull(Side::Left, PullPhase::Sweep, 2)])).await.unwrap();
        let asked = store.finish_sweep(ending(&held, 3, 2, false)).await.unwrap();
        assert_eq!(asked, Some(SweepEnd::TooMany { missing: 106, total: 2100 }));
        assert!(due(&store, 900).await.iter().all(|work| work.entry.fate == StoredFate::Live));
        store.take_rows(taking(&held, 3, vec![seen(Side::Left, "p2000", 0)], Vec::new())).await.unwrap();
        assert_eq!(store.finish_sweep(ending(&held, 3, 2, false)).await.unwrap(), Some(SweepEnd::Done { missing: 105 }), "one in twenty is believed");
        // A side that looks empty never is; what a person confirms goes in more than one batch.
        let asked = store.finish_sweep(ending(&held, 4, 3, false)).await.unwrap();
        assert_eq!(asked, Some(SweepEnd::TooMany { missing: 1995, total: 1995 }));
        store.take_rows(taking(&held, 4, people(2100, 1), Vec::new())).await.unwrap();
        assert_eq!(store.finish_sweep(ending(&held, 5, 3, true)).await.unwrap(), Some(SweepEnd::Done { missing: 2100 }));
    }

    async fn a_single_record_that_is_all_there_is_is_asked_about(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, people(1, 0), vec![pull(Side::Left, PullPhase::First, 1)])).await.unwrap();
        assert_eq!(store.finish_sweep(ending(&held, 3, 2, false)).await.unwrap(), Some(SweepEnd::TooMany { missing: 1, total: 1 }));
        assert_eq!(store.finish_sweep(ending(&held, 3, 2, true)).await.unwrap(), Some(SweepEnd::Done { missing: 1 }));
    }

    async fn records_are_found_by_what_they_share(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let with_key = |side, record: &str, key: &str| SeenRow { match_key: Some(key.to_owned()), ..seen(side, record, 0) };
        let mut rows = vec![with_key(Side::Left, "a", "x"), with_key(Side::Left, "b", "x"), with_key(Side::Right, "c", "x"), with_key(Side::Left, "d", "y")];
        rows.extend((0..60).map(|number| with_key(Side::Left, &format!("t{number:02}"), "many")));
        rows.push(SeenRow { match_key: None, ..seen(Side::Left, "keyless", 0) });
        store.take_rows(taking(&held, 1, rows, Vec::new())).await.unwrap();
        let keys = ["x", "y", "nobody", "x"].map(str::to_owned);
        let mut found: Vec<_> = store.rows_by_key(&ws(), &flow(), Side::Left, &keys).await.unwrap().into_iter().map(|entry| entry.record.as_str().to_owned()).collect();
        found.sort();
        assert_eq!(found, ["a", "b", "d"]);
        let many = store.rows_by_key(&ws(), &flow(), Side::Left, &["many".to_owned()]).await.unwrap();
        assert_eq!(many.len(), 50);
        let records = ["d", "nobody", "a"].map(RecordId::from);
        let found = store.rows_by_record(&ws(), &flow(), Side::Left, "contact", &records).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.record.as_str()).collect::<Vec<_>>(), ["d", "a"]);
        let ids = [found[1].id, 999_999, found[0].id];
        let work = store.rows_by_id(&ws(), &flow(), &ids).await.unwrap();
        assert_eq!(work.iter().map(|work| work.entry.record.as_str()).collect::<Vec<_>>(), ["a", "d"]);
    }
}
