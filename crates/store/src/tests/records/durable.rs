//! What was acknowledged stays, and two processes at work on one integration lose nothing of each other's.

use std::collections::BTreeMap;

use super::*;

/// A copy of the files as they are on disk is what a killed process leaves behind.
///
/// proves: V1
/// proves: fault:C1
#[tokio::test]
async fn a_killed_process_has_kept_its_rows_with_their_cursor_and_its_steps() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    let held = hold(&store, "w1", 0, 900).await;
    for round in 0..4 {
        let rows = (0..50).map(|number| seen(Side::Left, &format!("p{round}-{number}"), 0)).collect();
        store
            .take_rows(taking(&held, 1, rows, vec![pull(Side::Left, PullPhase::First, round)]))
            .await
            .unwrap()
            .unwrap();
        let work = due(&store, 1).await.remove(0);
        let rows = SaveRows {
            entries: vec![rests(&work.entry, Some(LinkRef::New(0)))],
            new_links: vec![joined(Some(&work.entry), None)],
            new_steps: vec![creation(LinkRef::New(0), 5)],
            tasks: 1,
            month: "2026-03".to_owned(),
            ..SaveRows::default()
        };
        let saved = save(&store, &held, 2, rows).await;

        let left = World::new(On::Sqlite).await;
        for ending in ["", "-wal"] {
            std::fs::copy(format!("{}{ending}", world.path().display()), format!("{}{ending}", left.path().display()))
                .unwrap();
        }
        let after = left.store().await;
        let counts = after.flow_counts(&ws(), &flow()).await.unwrap();
        let rounds = round as u64 + 1;
        assert_eq!((counts.left, counts.links, counts.open_steps), (50 * rounds, rounds, rounds));
        assert_eq!(counts.due, 49 * rounds);
        assert_eq!(after.pulls(&ws(), &flow()).await.unwrap()[0].cursor, Some(format!("{round}-cursor")));
        assert_eq!(after.open_steps(&ws(), &flow(), at(5), 9).await.unwrap().last().unwrap().id, saved.steps[0]);
        assert_eq!(after.quota_use(&ws(), &flow(), "2026-03").await.unwrap().used, rounds);
    }
}

/// One process reads and decides, the other takes webhooks in: whatever was heard is decided about after it was heard.
async fn two_at_work(world: &World) {
    let (reader, hooks) = (world.store().await, world.store().await);
    let held = hold(&reader, "w1", 0, 9000).await;
    let name = |number: usize| format!("p{:02}", number % 40);
    let reading = async {
        let mut decided: BTreeMap<i64, i64> = BTreeMap::new();
        for round in 0..25 {
            let rows = (0..10).map(|number| seen(Side::Left, &name(round * 7 + number), round as i64)).collect();
            reader.take_rows(taking(&held, 1, rows, Vec::new())).await.unwrap().unwrap();
            let work = due(&reader, 9000).await;
            decided.extend(work.iter().map(|work| (work.entry.id, work.entry.revision)));
            let entries = work.iter().map(|work| rests(&work.entry, None)).collect();
            save(&reader, &held, 2, SaveRows { entries, ..SaveRows::default() }).await;
        }
        decided
    };
    let hearing = async {
        for round in 0..60 {
            // Not in order, as webhooks come.
            let records: Vec<RecordId> =
                (0..6).rev().map(|number| RecordId::new(name(round * 11 + number * 3))).collect();
            hooks.mark_rows(&ws(), &flow(), Side::Left, "contact", &records, at(2)).await.unwrap();
        }
    };
    let (decided, ()) = futures::join!(reading, hearing);
    let records: Vec<RecordId> = (0..40).map(|number| RecordId::new(name(number))).collect();
    let entries = hooks.rows_by_record(&ws(), &flow(), Side::Left, "contact", &records).await.unwrap();
    for entry in &entries {
        let settled = decided.get(&entry.id) == Some(&entry.revision);
        assert_eq!(entry.due_at.is_none(), settled, "{} is due as long as there is news of it", entry.record);
    }
    assert_eq!(reader.flow_counts(&ws(), &flow()).await.unwrap().left, entries.len() as u64);
}

/// proves: V3
#[tokio::test]
async fn two_processes_on_one_file_lose_nothing() {
    two_at_work(&World::new(On::Sqlite).await).await;
}

/// proves: V3
#[tokio::test]
async fn two_processes_on_one_server_lose_nothing() {
    two_at_work(&World::new(On::Postgres).await).await;
}
