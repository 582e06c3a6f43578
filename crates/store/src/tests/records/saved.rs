//! Saving decisions and outcomes.

use super::*;
use crate::{JournalKind, MadeEntry, RowsSaved};

/// A link whose right record is yet to be known as made, and was seen already.
async fn seen_before_known(store: &Store, held: &Held) -> i64 {
    store.take_rows(taking(held, 1, vec![seen(Side::Left, "ada", 0)], Vec::new())).await.unwrap();
    let left = due(store, 1).await.remove(0).entry;
    let entries = vec![rests(&left, Some(LinkRef::New(0)))];
    let rows = SaveRows { entries, new_links: vec![joined(Some(&left), None)], ..SaveRows::default() };
    let link = save(store, held, 1, rows).await.links[0];
    let right = SeenRow { match_key: None, ..seen(Side::Right, "r", 2) };
    store.take_rows(taking(held, 2, vec![right], Vec::new())).await.unwrap();
    link
}

/// What was made and what was seen are one record, which is due.
async fn its_making_is_known(store: &Store, held: &Held, link: i64) {
    let (record, match_key) = ("r".into(), Some("k".to_owned()));
    let made = MadeEntry { side: Side::Right, kind: "contact".to_owned(), record, match_key };
    let change = LinkChange { made: Some(made), ..unchanged(&link_of(store, link).await.unwrap()) };
    save(store, held, 3, SaveRows { links: vec![change], ..SaveRows::default() }).await;
    let work = due(store, 3).await;
    assert_eq!(work.len(), 1);
    let entry = &work[0].entry;
    assert_eq!((entry.link, entry.match_key.as_deref(), entry.seen.is_some()), (Some(link), Some("k"), true));
    assert_eq!(work[0].link.as_ref().unwrap().right, Some(entry.id));
    assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap().right, 1);
}

on_all! {
    /// proves: V2
    async fn a_decision_and_its_steps_come_together(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, vec![seen(Side::Left, "ada", 0)], Vec::new())).await.unwrap();
        let work = due(&store, 1).await.remove(0);
        let rows = SaveRows {
            entries: vec![rests(&work.entry, Some(LinkRef::New(0)))],
            new_links: vec![joined(Some(&work.entry), None)],
            new_steps: vec![creation(LinkRef::New(0), 30)],
            journal: vec![entry(2, JournalKind::Written, "Ada is to be made")],
            tasks: 1,
            month: "2026-03".to_owned(),
            ..SaveRows::default()
        };
        let RowsSaved { links, steps, .. } = save(&store, &held, 2, rows).await;
        assert!(store.open_steps(&ws(), &flow(), at(29), 9).await.unwrap().is_empty());
        let step = store.open_steps(&ws(), &flow(), at(30), 9).await.unwrap().remove(0);
        let planned = creation(LinkRef::Known(links[0]), 30);
        assert_eq!((step.id, step.link, step.side, &step.kind), (steps[0], links[0], planned.side, &planned.kind));
        assert_eq!((step.op, step.fields, step.ticket, step.look_at), (planned.op, planned.fields, None, at(30)));
        let counts = store.flow_counts(&ws(), &flow()).await.unwrap();
        assert_eq!((counts.left, counts.right, counts.links, counts.due, counts.open_steps), (1, 0, 1, 0, 1));
        assert_eq!(store.quota_use(&ws(), &flow(), "2026-03").await.unwrap().used, 1);
        let told = store.activity(&ws(), crate::ActivityFilter { limit: 9, integration: Some(flow()), ..Default::default() }).await.unwrap();
        assert_eq!(told.len(), 1);

        // While the step is open its record rests, whatever is heard of it.
        store.take_rows(taking(&held, 3, vec![seen(Side::Left, "ada", 3)], Vec::new())).await.unwrap();
        assert!(due(&store, 900).await.is_empty());
        assert_eq!(store.flow_next_due(&ws(), &flow()).await.unwrap(), Some(at(30)));
        let later = vec![(step.id, Some("job 7".to_owned()), at(50))];
        save(&store, &held, 30, SaveRows { later_steps: later, ..SaveRows::default() }).await;
        assert!(store.open_steps(&ws(), &flow(), at(49), 9).await.unwrap().is_empty());
        assert_eq!(store.open_steps(&ws(), &flow(), at(50), 9).await.unwrap()[0].ticket.as_deref(), Some("job 7"));

        let of = |ticket: &str| { let (store, ticket) = (store.clone(), ticket.to_owned()); async move { store.steps_of_ticket(&ws(), &flow(), &ticket).await.unwrap().len() } };
        assert_eq!((of("job 7").await, of("job 8").await), (1, 0));

        // The outcome: the record was made, and stands in the link.
        let pair = store.links_by_id(&ws(), &flow(), &links).await.unwrap().remove(0);
        assert_eq!((pair.left.as_ref().map(|left| left.id), &pair.right), (pair.link.left, &None));
        let made = MadeEntry { side: Side::Right, kind: "contact".to_owned(), record: "r-ada".into(), match_key: Some("ada@example.org".to_owned()) };
        let change = LinkChange { made: Some(made), images: images("made"), refused: vec![(RuleKey(9), u64::MAX)], ..unchanged(&pair.link) };
        save(&store, &held, 50, SaveRows { links: vec![change], drop_steps: steps, ..SaveRows::default() }).await;
        let work = due(&store, 50).await;
        assert_eq!(work.len(), 1, "what was heard meanwhile is decided about now");
        let (link, partner) = (work[0].link.clone().unwrap(), work[0].partner.clone().unwrap());
        assert_eq!((partner.record.as_str(), partner.link, partner.due_at, partner.seen), ("r-ada", Some(link.id), None, None));
        assert_eq!((link.right, link.images, link.refused), (Some(partner.id), images("made"), vec![(RuleKey(9), u64::MAX)]));
        assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap().right, 1);
    }

    /// What came in between reading and saving is not undone.
    async fn news_outlive_a_decision_that_did_not_see_them(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.take_rows(taking(&held, 1, vec![seen(Side::Left, "a", 0), seen(Side::Left, "b", 0)], Vec::new())).await.unwrap();
        let work = due(&store, 1).await;
        store.take_rows(taking(&held, 2, vec![seen(Side::Left, "a", 2)], Vec::new())).await.unwrap();
        store.mark_rows(&ws(), &flow(), Side::Left, "contact", &["b".into()], at(3)).await.unwrap();
        let entries = work.iter().map(|work| rests(&work.entry, Some(LinkRef::New(0)))).collect();
        let rows = SaveRows { entries, new_links: vec![joined(Some(&work[0].entry), None)], ..SaveRows::default() };
        let link = save(&store, &held, 4, rows).await.links[0];
        let still = due(&store, 4).await;
        assert_eq!(still.iter().map(|work| (work.entry.due_at, work.entry.link)).collect::<Vec<_>>(), [(Some(at(1)), Some(link)), (Some(at(3)), Some(link))]);
        assert_eq!(still[0].entry.changed_at, Some(at(2)));
        assert!(still.iter().all(|work| work.entry.seen.is_some()));
        let entries = still.iter().map(|work| rests(&work.entry, work.entry.link.map(LinkRef::Known))).collect();
        save(&store, &held, 5, SaveRows { entries, ..SaveRows::default() }).await;
        assert!(due(&store, 900).await.is_empty());
    }

    async fn a_record_that_was_seen_before_its_making_was_known_stays_due(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = seen_before_known(&store, &held).await;
        its_making_is_known(&store, &held, link).await;
    }

    /// It had been decided that it has no counterpart.
    async fn a_record_whose_making_is_known_late_is_decided_about_again(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = seen_before_known(&store, &held).await;
        let as_seen = |work: &Work| EntryChange { seen: work.entry.seen.clone(), ..rests(&work.entry, None) };
        let entries = due(&store, 2).await.iter().map(as_seen).collect();
        save(&store, &held, 2, SaveRows { entries, ..SaveRows::default() }).await;
        its_making_is_known(&store, &held, link).await;
    }

    async fn a_dropped_link_leaves_nobody_tied(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = linked(&store, &held, "ada").await;
        let rows = SaveRows { new_steps: vec![creation(LinkRef::Known(link.id), 5)], ..SaveRows::default() };
        save(&store, &held, 2, rows).await;
        let rows = SaveRows { drop_links: vec![link.id, 12345], ..SaveRows::default() };
        save(&store, &held, 3, rows).await;
        for side in Side::BOTH {
            assert_eq!(by_record(&store, side, "ada").await.unwrap().link, None);
        }
        let counts = store.flow_counts(&ws(), &flow()).await.unwrap();
        assert_eq!((counts.links, counts.open_steps, counts.left), (0, 0, 1));
        let next = linked(&store, &held, "bob").await;
        assert!(next.id > link.id, "an id is never given twice");
    }

    async fn a_reference_into_nothing_undoes_the_whole_save(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let rows = SaveRows { new_links: vec![joined(None, None)], new_steps: vec![creation(LinkRef::New(3), 5)], ..SaveRows::default() };
        assert!(store.save_rows(&ws(), &flow(), &held, at(1), rows).await.is_err());
        assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap(), crate::FlowCounts::default());
    }

    /// proves: R18
    async fn each_share_of_the_quota_is_told_once(world: &World) {
        let (one, two) = (world.store().await, world.store().await);
        let held = hold(&one, "w1", 0, 900).await;
        for _ in 0..2 {
            save(&one, &held, 1, SaveRows { tasks: 40, month: "2026-03".to_owned(), ..SaveRows::default() }).await;
        }
        let (home, name) = (ws(), flow());
        let told = futures::future::join_all((0..8).map(|number| {
            let store = if number % 2 == 0 { &one } else { &two };
            store.quota_told(&home, &name, "2026-03", 80)
        })).await;
        assert_eq!(told.into_iter().filter(|told| *told.as_ref().unwrap()).count(), 1);
        let quota = two.quota_use(&ws(), &flow(), "2026-03").await.unwrap();
        assert_eq!((quota.used, quota.told_percent), (80, 80));
        assert!(two.quota_told(&ws(), &flow(), "2026-03", 100).await.unwrap());
        assert!(!one.quota_told(&ws(), &flow(), "2026-03", 100).await.unwrap());
        assert!(one.quota_told(&ws(), &flow(), "2026-04", 80).await.unwrap(), "a month begins anew");
    }
}
