//! Deletions that wait and were planned lately, and what a person confirmed.

use super::*;
use crate::{FlowStanding, FlowState, PendingDeletes};

/// Two that are linked, of which the left one is gone.
async fn half_gone(store: &Store, held: &Held, name: &str, now: i64) {
    let (left, right) = (seen(Side::Left, name, now), seen(Side::Right, &format!("r-{name}"), now));
    store.take_rows(taking(held, now, vec![left.clone(), right], Vec::new())).await.unwrap();
    let named = |entry: &StoredEntry| entry.record.as_str().ends_with(name);
    let both: Vec<StoredEntry> = due(store, now).await.into_iter().map(|work| work.entry).filter(named).collect();
    let entries = both.iter().map(|entry| rests(entry, Some(LinkRef::New(0)))).collect();
    let of = |side: Side| both.iter().find(|entry| entry.side == side);
    let new_links = vec![joined(of(Side::Left), of(Side::Right))];
    save(store, held, now, SaveRows { entries, new_links, ..SaveRows::default() }).await;
    let gone = SeenRow { fate: StoredFate::Deleted, changed_at: None, ..left };
    store.take_rows(taking(held, now + 1, vec![gone], Vec::new())).await.unwrap();
}

fn people() -> Vec<(Side, String)> {
    vec![(Side::Left, "people".to_owned())]
}

fn confirmed_flow() -> FlowState {
    let standing = FlowStanding::Active;
    FlowState { standing, reason: None, changed_at: at(1), agreed: None, agreed_text: None, since: None }
}

on_all! {
    /// proves: R16
    async fn deletions_are_added_up_for_a_day(world: &World) {
        const DAY: i64 = 24 * 3600;
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 9 * DAY).await;
        let pending = |now: i64| { let store = store.clone(); async move { store.pending_deletes(&ws(), &flow(), people(), at(now)).await.unwrap() } };
        assert_eq!(pending(0).await, PendingDeletes::default());
        half_gone(&store, &held, "ada", 10).await;
        half_gone(&store, &held, "bob", 20).await;
        assert_eq!(pending(30).await, PendingDeletes { waiting: 2, lately: 0 });
        for other in [(Side::Right, "people"), (Side::Left, "companies")] {
            let pairs = vec![(other.0, other.1.to_owned())];
            assert_eq!(store.pending_deletes(&ws(), &flow(), pairs, at(30)).await.unwrap().waiting, 0);
        }
        let gone = SeenRow { fate: StoredFate::Deleted, changed_at: None, ..seen(Side::Right, "r-bob", 20) };
        store.take_rows(taking(&held, 30, vec![gone], Vec::new())).await.unwrap();
        assert_eq!(pending(30).await.waiting, 1, "where both are gone there is nothing to delete");
        for (now, deletes) in [(100, 3), (200, 4)] {
            save(&store, &held, now, SaveRows { deletes, ..SaveRows::default() }).await;
        }
        assert_eq!((pending(300).await.lately, pending(99 + DAY).await.lately, pending(101 + DAY).await.lately), (7, 7, 0));
        save(&store, &held, 101 + DAY, SaveRows { deletes: 1, ..SaveRows::default() }).await;
        assert_eq!(pending(150 + DAY).await.lately, 1, "another day");
    }

    /// proves: R16
    async fn a_confirmation_is_kept_until_it_is_carried_out(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "w1", 0, 900).await;
        store.set_flow(&ws(), &flow(), confirmed_flow(), None).await.unwrap();
        let kinds = vec![pull(Side::Left, PullPhase::Changes, 3), pull(Side::Right, PullPhase::First, 1)];
        store.take_rows(taking(&held, 1, Vec::new(), kinds)).await.unwrap();
        save(&store, &held, 2, SaveRows { deletes: 9, ..SaveRows::default() }).await;
        let lost = Held { fence: held.fence + 1, ..held.clone() };
        assert_eq!(store.confirm_deletes(&ws(), &flow(), &lost, at(5)).await.unwrap(), None);
        assert_eq!(store.deletes_confirmed(&ws(), &flow()).await.unwrap(), None);
        store.confirm_deletes(&ws(), &flow(), &held, at(5)).await.unwrap().unwrap();
        assert_eq!(store.pending_deletes(&ws(), &flow(), people(), at(6)).await.unwrap().lately, 0, "it is counted anew");
        let pulls = store.pulls(&ws(), &flow()).await.unwrap();
        let whole: Vec<_> = pulls.iter().map(|pull| (pull.phase, pull.sweep, pull.cursor.as_deref(), pull.changes_cursor.as_deref())).collect();
        assert_eq!(whole, [(PullPhase::Sweep, 4, None, Some("3-cursor")), (PullPhase::First, 1, Some("1-cursor"), None)]);
        store.set_flow(&ws(), &flow(), confirmed_flow(), None).await.unwrap();
        store.end_confirmation(&ws(), &flow(), at(4)).await.unwrap();
        assert_eq!(store.deletes_confirmed(&ws(), &flow()).await.unwrap(), Some(at(5)), "an older one had ended");
        store.end_confirmation(&ws(), &flow(), at(5)).await.unwrap();
        assert_eq!(store.deletes_confirmed(&ws(), &flow()).await.unwrap(), None);
    }
}
