//! The way of a booking: taken in, claimed, planned, settled.

use super::world::*;
use crate::{Content, JournalKind, Outcome, PlanOutcome, TakenIn, WorkState};

on_all! {
    /// proves: O2
    async fn a_booking_goes_through(world: &World) {
        let store = world.store().await;
        assert_eq!(store.take_in(delivery("d1", 0, vec![booked("a", 0)])).await.unwrap(), TakenIn::Stored);
        assert!(is_due(&store, at(0)).await);
        let claimed = claim(&store, "w1", 1).await;
        assert_eq!(claimed.len(), 1);
        let chain = &claimed[0];
        assert_eq!(chain.chain, chain_of("a"));
        assert_eq!(chain.waiting_since, at(0));
        assert!(chain.links.is_empty() && chain.unsettled.is_none() && chain.attempts == 0);
        assert!(!is_due(&store, at(2)).await);
        assert_eq!(store.next_due(&[]).await.unwrap(), Some(at(401)));

        assert_eq!(store.plan(vec![planned(chain, &["person:a"])], at(2)).await.unwrap(), [PlanOutcome::Ready]);
        assert_eq!(store.counts(&ws()).await.unwrap().uncertain, 1);
        let mut end = settlement(chain, done("00U1"));
        end.shared = vec![shared("person:a", "003a")];
        assert_eq!(store.settle(vec![end], at(3)).await.unwrap(), [true]);

        assert_eq!(store.shared_links(&ws(), &crm(), &["person:a".into(), "person:b".into()]).await.unwrap(), [shared("person:a", "003a")]);
        let detail = store.booking(&ws(), &chain_of("a")).await.unwrap().unwrap();
        assert_eq!((detail.row.work, detail.links), (WorkState::Done, links("00U1")));
        assert_eq!(detail.journal.len(), 1);
        assert_eq!(detail.journal[0].entry, entry(5, JournalKind::Written, "Wrote the meeting"));
        assert_eq!(detail.messages.len(), 1);
        assert_eq!(detail.messages[0].kinds, ["booked"]);
        let body = store.message_body(&ws(), detail.messages[0].id).await.unwrap().unwrap();
        assert_eq!(body, b"{\"raw\":\"d1\"}");
        assert_eq!(store.next_due(&[]).await.unwrap(), None);
        let counts = store.counts(&ws()).await.unwrap();
        assert_eq!((counts.done, counts.due, counts.leased, counts.uncertain), (1, 0, 0, 0));
    }

    /// proves: B2
    /// proves: sec:S24
    async fn a_repeated_delivery_changes_nothing(world: &World) {
        let store = world.store().await;
        let chain = take_and_claim(&store, "a", 0).await;
        store.settle(vec![settlement(&chain, done("1"))], at(1)).await.unwrap();
        assert_eq!(store.take_in(delivery("a-0", 9, vec![booked("a", 0)])).await.unwrap(), TakenIn::Duplicate);
        assert_eq!(store.counts(&ws()).await.unwrap().inbox_new, 0);
        assert_eq!(store.next_due(&[]).await.unwrap(), None);
    }

    async fn what_is_not_ours_is_kept_and_told(world: &World) {
        let store = world.store().await;
        for (key, content) in [
            ("i", Content::Ignored { reason: "a ping".to_owned() }),
            ("p", Content::Parked { reason: "no start".to_owned() }),
        ] {
            store.take_in(crate::Delivery { content, ..delivery(key, 0, Vec::new()) }).await.unwrap();
        }
        assert!(claim(&store, "w1", 1).await.is_empty());
        let parked = store.parked_messages(&ws(), None, 10).await.unwrap();
        assert_eq!(parked.len(), 1);
        assert_eq!(parked[0].reason.as_deref(), Some("no start"));
        let lines = store.activity(&ws(), crate::ActivityFilter { limit: 10, kind: Some(JournalKind::Message), ..Default::default() }).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.entry.text.as_str()).collect::<Vec<_>>(), [
            "A message was kept for a person: no start; once Syncline is upgraded or its settings are mended, have it read again: syncline replay 2",
            "A message was left alone: a ping",
        ]);
    }

    async fn news_while_held_makes_it_due_again(world: &World) {
        let store = world.store().await;
        let chain = take_and_claim(&store, "a", 0).await;
        store.take_in(delivery("c", 10, vec![cancelled("a", 10)])).await.unwrap();
        assert!(claim(&store, "w2", 11).await.is_empty(), "it is held");
        assert_eq!(store.settle(vec![settlement(&chain, done("1"))], at(12)).await.unwrap(), [true]);
        let again = claim(&store, "w2", 12).await;
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].waiting_since, at(10));
        assert_eq!(again[0].links, links("1"));
        assert!(again[0].fence > chain.fence && again[0].revision > chain.revision);
    }

    /// proves: V4
    async fn a_parked_booking_waits_for_news_or_a_person(world: &World) {
        let store = world.store().await;
        let chain = take_and_claim(&store, "a", 0).await;
        let park = Outcome::Parked { reason: "no such stage".to_owned(), fix: "add it".to_owned(), unsettled: false, links: links("1") };
        store.settle(vec![settlement(&chain, park.clone())], at(1)).await.unwrap();
        assert!(claim(&store, "w1", 1000).await.is_empty());
        let row = store.bookings(&ws(), crate::BookingFilter { parked_only: true, limit: 5, ..Default::default() }).await.unwrap().remove(0);
        assert_eq!((row.work, row.parked_reason.as_deref(), row.parked_fix.as_deref()), (WorkState::Parked, Some("no such stage"), Some("add it")));

        assert!(store.replay(&ws(), &chain.chain, at(1001)).await.unwrap());
        let chain = claim(&store, "w1", 1001).await.remove(0);
        store.settle(vec![settlement(&chain, park)], at(1002)).await.unwrap();
        store.take_in(delivery("c", 2000, vec![cancelled("a", 10)])).await.unwrap();
        let chain = claim(&store, "w1", 2000).await.remove(0);
        assert_eq!(chain.attempts, 0);
        assert_eq!(store.counts(&ws()).await.unwrap().parked, 0);
    }
}
