//! Holds, standing, forgetting, retention.

use jiff::SignedDuration;
use syncline_core::ids::WorkspaceId;

use super::*;
use crate::{FlowStanding, FlowState, JournalKind, Retention};

async fn held_back(store: &Store, held: &Held, now: i64, entry_: i64, holds: Vec<StoredHold>) {
    save(store, held, now, SaveRows { holds: vec![(entry_, holds)], ..SaveRows::default() }).await;
}

fn state(standing: FlowStanding) -> FlowState {
    FlowState {
        standing,
        reason: Some("it looks empty".to_owned()),
        changed_at: at(3),
        agreed: Some(("rosa".to_owned(), at(1))),
        agreed_text: Some("1".to_owned()),
        since: Some(at(2)),
    }
}

on_all! {
    async fn how_an_integration_stands_is_kept_with_its_line(world: &World) {
        let store = world.store().await;
        assert_eq!(store.flow_state(&ws(), &flow()).await.unwrap(), None);
        for standing in [FlowStanding::Draft, FlowStanding::Active, FlowStanding::Paused, FlowStanding::Stopped] {
            let line = entry(3, JournalKind::Operator, "said so");
            store.set_flow(&ws(), &flow(), state(standing), Some(line)).await.unwrap();
            assert_eq!(store.flow_state(&ws(), &flow()).await.unwrap(), Some(state(standing)));
        }
        let bare = FlowState { reason: None, agreed: None, since: None, ..state(FlowStanding::Active) };
        store.set_flow(&ws(), &flow(), bare.clone(), None).await.unwrap();
        assert_eq!(store.flow_state(&ws(), &flow()).await.unwrap(), Some(bare));
        let told = store.activity(&ws(), crate::ActivityFilter { limit: 9, ..Default::default() }).await.unwrap();
        assert_eq!(told.len(), 4);
    }

    /// proves: R21
    async fn a_hold_is_listed_since_it_began(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let (one, two) = (linked(&store, &held, "ada").await, linked(&store, &held, "bob").await);
        let (one, two) = (one.left.unwrap(), two.right.unwrap());
        let whole = StoredHold { rule: None, to: None, ..refusal("no name") };
        held_back(&store, &held, 10, one, vec![refusal("both")]).await;
        held_back(&store, &held, 20, one, vec![whole.clone(), refusal("both")]).await;
        held_back(&store, &held, 20, two, vec![refusal("both")]).await;
        let listed = store.holds(&ws(), &flow(), None, 10).await.unwrap();
        let told: Vec<_> = listed.iter().map(|view| (view.entry, view.record.as_str(), view.hold.clone(), view.since)).collect();
        assert_eq!(told, [
            (one, "ada", whole.clone(), at(20)),
            (one, "ada", refusal("both"), at(10)),
            (two, "bob", refusal("both"), at(20)),
        ]);
        assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap().held, 2);
        assert_eq!(store.holds(&ws(), &flow(), None, 1).await.unwrap().len(), 2, "an entry's holds come together");
        assert_eq!(store.holds(&ws(), &flow(), Some(one), 1).await.unwrap().len(), 1);
        held_back(&store, &held, 30, one, Vec::new()).await;
        assert_eq!(store.holds(&ws(), &flow(), None, 10).await.unwrap().len(), 1);
    }

    /// proves: R12
    async fn a_persons_decision_waits_until_it_is_carried_out(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = linked(&store, &held, "ada").await;
        let entry = link.left.unwrap();
        let decide = |side, now| { let store = store.clone(); async move { store.decide_hold(&ws(), &flow(), entry, RuleKey(1), side, at(now)).await.unwrap() } };
        assert!(!decide(Side::Left, 5).await, "nothing is held back");
        held_back(&store, &held, 10, entry, vec![refusal("both")]).await;
        assert!(decide(Side::Left, 11).await);
        let work = due(&store, 11).await.remove(0);
        let seen_then = work.link.unwrap();
        assert_eq!(seen_then.decided, [(RuleKey(1), Side::Left)]);
        // They change their mind while the first word is carried out.
        assert!(decide(Side::Right, 12).await);
        let carry = |link: &StoredLink, decided| LinkChange { carried_out: vec![decided], refused: vec![(RuleKey(2), 2)], ..unchanged(link) };
        let rows = SaveRows { entries: vec![rests(&work.entry, Some(LinkRef::Known(link.id)))], links: vec![carry(&seen_then, (RuleKey(1), Side::Left))], ..SaveRows::default() };
        save(&store, &held, 13, rows).await;
        let work = due(&store, 13).await.remove(0);
        let now = work.link.unwrap();
        assert_eq!(now.decided, [(RuleKey(1), Side::Right)]);
        let rows = SaveRows { entries: vec![rests(&work.entry, Some(LinkRef::Known(link.id)))], links: vec![carry(&now, (RuleKey(1), Side::Right))], ..SaveRows::default() };
        save(&store, &held, 14, rows).await;
        let now = link_of(&store, link.id).await.unwrap();
        assert_eq!((now.decided, now.refused), (Vec::new(), vec![(RuleKey(2), 2)]));
        assert!(due(&store, 900).await.is_empty());
    }

    /// proves: R21
    async fn what_was_refused_is_tried_again_when_a_person_says_so(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let mut links = Vec::new();
        for name in ["ada", "bob", "eve"] {
            let link = linked(&store, &held, name).await;
            let change = LinkChange { refused: vec![(RuleKey(1), 7)], ..unchanged(&link) };
            save(&store, &held, 2, SaveRows { links: vec![change], holds: vec![(link.left.unwrap(), vec![refusal("no")])], ..SaveRows::default() }).await;
            links.push(link);
        }
        let refused = |at: usize| { let (store, id) = (store.clone(), links[at].id); async move { link_of(&store, id).await.unwrap() } };
        let before = refused(0).await;
        assert_eq!(store.release_holds(&ws(), &flow(), Some(&[links[0].left.unwrap(), 4711]), at(5)).await.unwrap(), 1);
        assert!(refused(0).await.refused.is_empty() && !refused(1).await.refused.is_empty());
        assert_eq!(due(&store, 5).await.len(), 1);
        // An answer that was under way does not undo it.
        save(&store, &held, 6, SaveRows { links: vec![LinkChange { images: images("new"), ..unchanged(&before) }], ..SaveRows::default() }).await;
        let after = refused(0).await;
        assert_eq!((after.refused.len(), after.images), (0, images("new")));
        assert_eq!(store.release_holds(&ws(), &flow(), None, at(7)).await.unwrap(), 3);
        assert!(refused(2).await.refused.is_empty());
        assert_eq!(due(&store, 7).await.len(), 3);
    }

    /// proves: sec:S38
    async fn another_workspace_or_integration_sees_and_touches_nothing(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let link = linked(&store, &held, "ada").await;
        let entry_ = link.left.unwrap();
        held_back(&store, &held, 2, entry_, vec![refusal("no")]).await;
        let rows = SaveRows { new_steps: vec![creation(LinkRef::Known(link.id), 5)], tasks: 3, month: "2026-03".to_owned(), ..SaveRows::default() };
        let step = save(&store, &held, 2, rows).await.steps[0];
        save(&store, &held, 2, SaveRows { later_steps: vec![(step, Some("job".to_owned()), at(5))], ..SaveRows::default() }).await;
        let before = store.flow_counts(&ws(), &flow()).await.unwrap();
        for (home, name) in [(WorkspaceId::new("other"), flow()), (ws(), IntegrationId::new("other"))] {
            assert!(store.due_rows(&home, &name, at(900), 9).await.unwrap().is_empty());
            assert!(store.rows_by_id(&home, &name, &[entry_]).await.unwrap().is_empty());
            assert!(store.links_by_id(&home, &name, &[link.id]).await.unwrap().is_empty());
            assert!(store.rows_by_key(&home, &name, Side::Left, &["ada@example.org".to_owned()]).await.unwrap().is_empty());
            assert!(store.rows_by_record(&home, &name, Side::Left, "contact", &["ada".into()]).await.unwrap().is_empty());
            assert!(store.open_steps(&home, &name, at(900), 9).await.unwrap().is_empty());
            assert!(store.steps_of_ticket(&home, &name, "job").await.unwrap().is_empty());
            assert!(store.holds(&home, &name, None, 9).await.unwrap().is_empty());
            assert_eq!(store.release_holds(&home, &name, None, at(9)).await.unwrap(), 0);
            assert_eq!(store.release_holds(&home, &name, Some(&[entry_]), at(9)).await.unwrap(), 0);
            assert!(!store.decide_hold(&home, &name, entry_, RuleKey(1), Side::Left, at(9)).await.unwrap());
            assert_eq!(store.quota_use(&home, &name, "2026-03").await.unwrap().used, 0);
            let fence = store.acquire_lease(&home, "theirs", &worker("eve"), at(0), at(900)).await.unwrap().unwrap();
            let theirs = Held { name: "theirs".to_owned(), holder: worker("eve"), fence };
            let entry = by_record(&store, Side::Left, "ada").await.unwrap();
            let rows = SaveRows { entries: vec![rests(&entry, None)], links: vec![LinkChange { images: Images::new(), ..unchanged(&link) }], drop_links: vec![link.id], drop_steps: vec![step], holds: vec![(entry_, Vec::new())], ..SaveRows::default() };
            assert!(store.save_rows(&home, &name, &theirs, at(5), rows).await.unwrap().is_some());
            store.forget_flow(&home, &name).await.unwrap();
        }
        assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap(), before);
        assert_eq!(link_of(&store, link.id).await, Some(link));
    }

    /// proves: R23
    async fn what_is_forgotten_leaves_the_journal(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let rows = (0..2500).map(|number| seen(Side::Left, &format!("p{number}"), 0)).collect();
        store.take_rows(taking(&held, 1, rows, vec![pull(Side::Left, PullPhase::First, 1)])).await.unwrap();
        let link = linked(&store, &held, "ada").await;
        store.set_flow(&ws(), &flow(), state(FlowStanding::Active), Some(entry(1, JournalKind::Operator, "on"))).await.unwrap();
        let rows = SaveRows { new_steps: vec![creation(LinkRef::Known(link.id), 5)], holds: vec![(link.left.unwrap(), vec![refusal("no")])], tasks: 3, month: "2026-03".to_owned(), ..SaveRows::default() };
        save(&store, &held, 2, rows).await;
        store.forget_flow(&ws(), &flow()).await.unwrap();
        assert_eq!(store.flow_counts(&ws(), &flow()).await.unwrap(), crate::FlowCounts::default());
        assert_eq!(store.flow_state(&ws(), &flow()).await.unwrap(), None);
        assert_eq!(store.flow_next_due(&ws(), &flow()).await.unwrap(), None);
        assert_eq!(link_of(&store, link.id).await, None);
        assert!(by_record(&store, Side::Left, "ada").await.is_none() && store.holds(&ws(), &flow(), None, 9).await.unwrap().is_empty());
        assert_eq!(store.quota_use(&ws(), &flow(), "2026-03").await.unwrap().used, 0);
        let told = store.activity(&ws(), crate::ActivityFilter { limit: 9, ..Default::default() }).await.unwrap();
        assert_eq!(told.len(), 1);
    }

    async fn the_gone_are_forgotten_after_a_month_at_rest(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        let mut links = Vec::new();
        for name in ["both", "one", "step", "due"] {
            links.push(linked(&store, &held, name).await);
        }
        let gone = |side, record: &str| SeenRow { fate: StoredFate::Deleted, ..seen(side, record, 2) };
        let mut rows = vec![gone(Side::Left, "alone"), gone(Side::Left, "one")];
        rows.extend(["both", "step"].into_iter().flat_map(|name| Side::BOTH.map(|side| gone(side, name))));
        store.take_rows(taking(&held, 2, rows, Vec::new())).await.unwrap();
        let entries = due(&store, 2).await.iter().map(|work| rests(&work.entry, work.entry.link.map(LinkRef::Known))).collect();
        let holds = vec![(links[0].left.unwrap(), vec![refusal("no")])];
        let rows = SaveRows { entries, holds, new_steps: vec![creation(LinkRef::Known(links[2].id), 5)], tasks: 1, month: "2024-01".to_owned(), ..SaveRows::default() };
        save(&store, &held, 2, rows).await;
        store.take_rows(taking(&held, 3, vec![gone(Side::Left, "due")], Vec::new())).await.unwrap();

        let day = SignedDuration::from_hours(24);
        let swept = |days: i32| { let store = store.clone(); async move { store.sweep(&ws(), at(2) + day * days, Retention::default()).await.unwrap() } };
        assert_eq!(swept(30).await, 1, "only the month of the quota");
        assert_eq!(swept(31).await, 3, "the one that was alone, and the pair that is gone on both sides");
        let counts = store.flow_counts(&ws(), &flow()).await.unwrap();
        assert_eq!((counts.left, counts.right, counts.links, counts.held), (3, 3, 3, 0));
        assert_eq!(link_of(&store, links[0].id).await, None);
        assert!(link_of(&store, links[1].id).await.is_some(), "it keeps the other record from being made anew");
        assert_eq!(swept(400).await, 0);
        assert!(by_record(&store, Side::Left, "one").await.is_some() && by_record(&store, Side::Right, "step").await.is_some());
    }
}
