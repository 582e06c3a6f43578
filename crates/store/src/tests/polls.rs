//! Polled pages: rows and cursor together, by whoever holds the lease, and quiet where nothing is new.

use syncline_core::ids::ConnectionId;

use super::world::*;
use crate::{Delivery, Held, JournalKind, PageTaken, PolledPage, Store, TakenIn};

const LEASE: &str = "poll:cal";

fn source() -> ConnectionId {
    ConnectionId::new("cal")
}

async fn hold(store: &Store, who: &str, from: i64, until: i64) -> Option<Held> {
    let fence = store.acquire_lease(&ws(), LEASE, &worker(who), at(from), at(until)).await.unwrap()?;
    Some(Held { name: LEASE.to_owned(), holder: worker(who), fence })
}

fn page(held: &Held, now: i64, cursor: &str, deliveries: Vec<Delivery>) -> PolledPage {
    PolledPage {
        workspace: ws(),
        source: source(),
        held: held.clone(),
        now: at(now),
        deliveries,
        cursor: cursor.to_owned(),
        next_at: at(now + 300),
        journal: None,
    }
}

on_all! {
    /// proves: B5
    async fn rows_and_cursor_come_together_and_a_row_only_once(world: &World) {
        let store = world.store().await;
        let begun = store.begin_poll(&ws(), &source(), at(-60), at(0)).await.unwrap();
        assert_eq!((begun.since, begun.cursor, begun.next_at), (at(-60), None, at(0)));
        assert_eq!(store.begin_poll(&ws(), &source(), at(50), at(50)).await.unwrap().since, at(-60), "the first word counts");
        let held = hold(&store, "w1", 0, 100).await.unwrap();
        let rows = || vec![delivery("p1", 1, vec![booked("a", 0)]), delivery("p2", 1, vec![booked("b", 0)])];
        let taken = store.take_page(page(&held, 1, "c1", rows())).await.unwrap();
        assert_eq!(taken, Some(PageTaken { stored: 2, duplicates: 0 }));
        let again = store.take_page(page(&held, 2, "c2", rows())).await.unwrap();
        assert_eq!(again, Some(PageTaken { stored: 0, duplicates: 2 }));
        let state = store.poll_state(&ws(), &source()).await.unwrap().unwrap();
        assert_eq!((state.cursor.as_deref(), state.polled_at, state.next_at), (Some("c2"), Some(at(2)), at(302)));
        assert_eq!(claim(&store, "w1", 3).await.len(), 2);
        let body = store.message_body(&ws(), 1).await.unwrap().unwrap();
        assert_eq!(body, b"{\"raw\":\"p1\"}");
    }

    /// proves: B5, V3
    async fn a_poller_that_wakes_up_late_changes_nothing(world: &World) {
        let store = world.store().await;
        store.begin_poll(&ws(), &source(), at(0), at(0)).await.unwrap();
        let slow = hold(&store, "w1", 0, 100).await.unwrap();
        assert_eq!(hold(&store, "w2", 99, 200).await, None, "one polls at a time");
        let quick = hold(&store, "w2", 100, 200).await.unwrap();
        let row = || vec![delivery("p1", 1, vec![booked("a", 0)])];
        assert!(store.take_page(page(&quick, 101, "new", Vec::new())).await.unwrap().is_some());
        assert_eq!(store.take_page(page(&slow, 102, "old", row())).await.unwrap(), None);
        assert!(!store.poll_failed(&ws(), &source(), &slow, at(103), at(900), "late", None).await.unwrap());
        let state = store.poll_state(&ws(), &source()).await.unwrap().unwrap();
        assert_eq!((state.cursor.as_deref(), state.failures), (Some("new"), 0));
        assert_eq!(store.counts(&ws()).await.unwrap().inbox_new, 0);
        assert_eq!(store.take_page(page(&quick, 200, "later", row())).await.unwrap(), None, "its own lease is over, too");
    }

    async fn a_failure_leaves_the_cursor_and_says_why(world: &World) {
        let store = world.store().await;
        store.begin_poll(&ws(), &source(), at(0), at(0)).await.unwrap();
        let held = hold(&store, "w1", 0, 100).await.unwrap();
        store.take_page(page(&held, 1, "c1", Vec::new())).await.unwrap();
        let line = ("flow".into(), entry(2, JournalKind::Connection, "The source does not answer"));
        assert!(store.poll_failed(&ws(), &source(), &held, at(2), at(30), "it is down", Some(line)).await.unwrap());
        assert!(store.poll_failed(&ws(), &source(), &held, at(30), at(90), "it is down", None).await.unwrap());
        let state = store.poll_state(&ws(), &source()).await.unwrap().unwrap();
        assert_eq!((state.cursor.as_deref(), state.failures, state.next_at), (Some("c1"), 2, at(90)));
        assert_eq!(state.problem.as_deref(), Some("it is down"));
        store.take_page(page(&held, 90, "c2", Vec::new())).await.unwrap();
        let state = store.poll_state(&ws(), &source()).await.unwrap().unwrap();
        assert_eq!((state.failures, state.problem), (0, None));
        let told = store.activity(&ws(), crate::ActivityFilter { limit: 10, ..crate::ActivityFilter::default() }).await.unwrap();
        assert_eq!(told.len(), 1);
    }

    async fn a_mended_subscription_makes_the_poll_due(world: &World) {
        let store = world.store().await;
        store.begin_poll(&ws(), &source(), at(0), at(0)).await.unwrap();
        let held = hold(&store, "w1", 0, 100).await.unwrap();
        store.take_page(page(&held, 1, "c1", Vec::new())).await.unwrap();
        store.note_hook(&ws(), &source(), "active", at(5), false, None).await.unwrap();
        assert_eq!(store.poll_state(&ws(), &source()).await.unwrap().unwrap().next_at, at(301));
        let line = ("flow".into(), entry(6, JournalKind::Connection, "The subscription was made anew"));
        store.note_hook(&ws(), &source(), "mended", at(6), true, Some(line)).await.unwrap();
        let state = store.poll_state(&ws(), &source()).await.unwrap().unwrap();
        assert_eq!((state.next_at, state.hook.as_deref(), state.hook_at), (at(6), Some("mended"), Some(at(6))));
    }

    /// proves: B2, B5
    async fn a_row_that_says_nothing_new_makes_nobody_work(world: &World) {
        let store = world.store().await;
        store.begin_poll(&ws(), &source(), at(0), at(0)).await.unwrap();
        let chain = take_and_claim(&store, "a", 0).await;
        store.settle(vec![settlement(&chain, done("1"))], at(1)).await.unwrap();
        let held = hold(&store, "w1", 2, 900).await.unwrap();
        // The same booking, seen at another moment: other times in the state, the same in the view.
        let mut same = booked("a", 0);
        same.at = at(-1);
        store.take_page(page(&held, 3, "c1", vec![delivery("p1", 3, vec![same])])).await.unwrap();
        assert!(claim(&store, "w2", 4).await.is_empty());
        assert_eq!(store.counts(&ws()).await.unwrap().inbox_new, 0, "it was folded");
        assert_eq!(store.next_due(&[]).await.unwrap(), None);
        assert_eq!(store.booking(&ws(), &chain_of("a")).await.unwrap().unwrap().messages.len(), 2);

        // What is new does; and so does every webhook, because a person may wait for it.
        store.take_page(page(&held, 5, "c2", vec![delivery("p2", 5, vec![cancelled("a", 5)])])).await.unwrap();
        let due = claim(&store, "w2", 6).await.remove(0);
        store.settle(vec![settlement(&due, done("1"))], at(7)).await.unwrap();
        assert_eq!(store.take_in(delivery("h1", 8, vec![cancelled("a", 5)])).await.unwrap(), TakenIn::Stored);
        assert_eq!(claim(&store, "w2", 9).await.len(), 1);
    }

    /// A row that says nothing new does not bring a booking back that was laid aside, and one that ties chains does
    /// its work.
    async fn a_quiet_row_leaves_the_parked_and_ties_what_belongs_together(world: &World) {
        let store = world.store().await;
        store.begin_poll(&ws(), &source(), at(0), at(0)).await.unwrap();
        let chain = take_and_claim(&store, "a", 0).await;
        let parked = crate::Outcome::Parked { reason: "no".into(), fix: "do".into(), unsettled: false, links: links("1") };
        store.settle(vec![settlement(&chain, parked)], at(1)).await.unwrap();
        let held = hold(&store, "w1", 2, 900).await.unwrap();
        store.take_page(page(&held, 3, "c1", vec![delivery("p1", 3, vec![booked("a", 0)])])).await.unwrap();
        assert!(claim(&store, "w2", 4).await.is_empty());
        assert_eq!(store.counts(&ws()).await.unwrap().parked, 1);

        let other = take_and_claim(&store, "b", 10).await;
        store.settle(vec![settlement(&other, done("2"))], at(11)).await.unwrap();
        store.take_page(page(&held, 12, "c2", vec![delivery("p2", 12, vec![moved("a", "b", 10)])])).await.unwrap();
        let united = claim(&store, "w2", 13).await;
        assert_eq!(united.len(), 1);
        assert_eq!(united[0].state.view().expect("content").moves.len(), 1);
    }
}
