//! Who holds what: leases, fences, late workers, retries, giving back.

use futures::future::join_all;
use syncline_core::ids::IntegrationId;

use super::world::*;
use crate::{ActivityFilter, Held, JournalKind, Outcome, PlanOutcome, Store};

fn retry(at_seconds: i64, unsettled: bool, failed: bool) -> Outcome {
    Outcome::Retry { at: at(at_seconds), unsettled, failed, links: links("1") }
}

async fn fill(store: &Store, count: usize) {
    for number in 0..count {
        store.take_in(delivery(&format!("d{number}"), 0, vec![booked(&format!("b{number}"), 0)])).await.unwrap();
    }
}

on_all! {
    /// proves: V3
    /// proves: fault:L1
    async fn no_chain_has_two_holders(world: &World) {
        let store = world.store().await;
        fill(&store, 60).await;
        let (home, lease, who): (_, _, Vec<_>) = (ws(), at(400), (0..12).map(|number| worker(&format!("w{number}"))).collect());
        let claims = join_all(who.iter().map(|who| store.claim(&home, who, at(1), lease, 7, &[]))).await;
        let mut chains: Vec<_> = claims.into_iter().flat_map(|claimed| claimed.unwrap()).map(|claimed| claimed.chain).collect();
        assert_eq!(chains.len(), 60, "12 workers with 7 each find all 60");
        chains.sort();
        chains.dedup();
        assert_eq!(chains.len(), 60, "none twice");
        assert!(claim(&store, "late", 399).await.is_empty());
        assert_eq!(claim(&store, "late", 400).await.len(), 60, "a lease ends at its end");
    }

    /// proves: V3
    /// proves: fault:L2
    async fn a_worker_that_wakes_up_late_changes_nothing(world: &World) {
        let store = world.store().await;
        let slow = take_and_claim(&store, "a", 0).await;
        let quick = claim(&store, "w2", 500).await.remove(0);
        assert!(quick.fence > slow.fence);
        assert_eq!(store.plan(vec![planned(&slow, &["person:a"])], at(501)).await.unwrap(), [PlanOutcome::Lost]);
        let mut end = settlement(&slow, done("wrong"));
        end.shared = vec![shared("person:a", "wrong")];
        assert_eq!(store.settle(vec![end], at(502)).await.unwrap(), [false]);
        assert!(store.shared_links(&ws(), &crm(), &["person:a".into()]).await.unwrap().is_empty());
        let detail = store.booking(&ws(), &slow.chain).await.unwrap().unwrap();
        assert!(detail.links.is_empty() && detail.journal.is_empty());

        assert_eq!(store.settle(vec![settlement(&quick, done("right"))], at(503)).await.unwrap(), [true]);
        assert_eq!(store.settle(vec![settlement(&slow, done("wrong")), settlement(&quick, done("twice"))], at(504)).await.unwrap(), [false, false]);
        assert_eq!(store.booking(&ws(), &slow.chain).await.unwrap().unwrap().links, links("right"));
    }

    /// proves: fault:L3
    async fn the_same_name_after_a_restart_is_another_holder(world: &World) {
        let store = world.store().await;
        let before = take_and_claim(&store, "a", 0).await;
        let after = store.claim(&ws(), &worker("w1"), at(401), at(900), 10, &[]).await.unwrap().remove(0);
        assert_eq!(store.settle(vec![settlement(&before, done("old"))], at(402)).await.unwrap(), [false]);
        assert_eq!(store.settle(vec![settlement(&after, done("new"))], at(402)).await.unwrap(), [true]);
    }

    /// proves: V3
    async fn only_the_holder_moves_a_cursor_and_tells_of_it(world: &World) {
        let store = world.store().await;
        let hold = async |who: &str, from: i64, until: i64| {
            let fence = store.acquire_lease(&ws(), "check", &worker(who), at(from), at(until)).await.unwrap().unwrap();
            Held { name: "check".to_owned(), holder: worker(who), fence }
        };
        let first = hold("w1", 0, 10).await;
        let move_to = async |held: &Held, seconds: i64, value: &str| {
            let line = (None, entry(seconds, JournalKind::Connection, value));
            store.move_cursor(&ws(), held, at(seconds), "check", value, Some(line)).await.unwrap()
        };
        assert!(move_to(&first, 1, "one").await);
        assert!(!move_to(&first, 10, "late").await, "the lease is over");
        let second = hold("w2", 10, 20).await;
        assert!(!move_to(&first, 11, "somebody else's").await);
        assert!(move_to(&second, 11, "two").await);
        assert_eq!(store.cursor(&ws(), "check").await.unwrap().as_deref(), Some("two"));
        let lines = store.activity(&ws(), ActivityFilter { limit: 9, ..Default::default() }).await.unwrap();
        let told: Vec<&str> = lines.iter().map(|line| line.entry.text.as_str()).collect();
        assert_eq!(told, ["two", "one"], "what was not moved is not told");
    }

    /// proves: V1
    async fn a_sent_plan_comes_back_until_its_outcome_is_known(world: &World) {
        let store = world.store().await;
        let first = take_and_claim(&store, "a", 0).await;
        store.plan(vec![planned(&first, &[])], at(1)).await.unwrap();
        // The worker dies; its lease runs out.
        let second = claim(&store, "w2", 400).await.remove(0);
        assert_eq!(second.unsettled, Some(some_plan(first.chain.as_str())));
        // The look-up fails as well, so the outcome stays unknown.
        store.settle(vec![settlement(&second, retry(450, true, true))], at(401)).await.unwrap();
        let third = claim(&store, "w2", 450).await.remove(0);
        assert_eq!((third.attempts, third.unsettled.is_some(), third.waiting_since), (1, true, at(0)));
        store.settle(vec![settlement(&third, done("1"))], at(451)).await.unwrap();
        assert_eq!(store.counts(&ws()).await.unwrap().uncertain, 0);
        store.replay(&ws(), &first.chain, at(500)).await.unwrap();
        assert_eq!(claim(&store, "w2", 500).await.remove(0).unsettled, None);
    }

    async fn retries_count_failures_and_wait_for_their_time(world: &World) {
        let store = world.store().await;
        let mut chain = take_and_claim(&store, "a", 0).await;
        for (failed, attempts) in [(true, 1), (false, 1), (true, 2)] {
            let due = chain.waiting_since.as_second() - at(0).as_second() + 100 * i64::from(attempts) + i64::from(!failed) * 50;
            store.settle(vec![settlement(&chain, retry(due, false, failed))], at(due - 50)).await.unwrap();
            assert!(claim(&store, "w1", due - 1).await.is_empty());
            assert_eq!(store.next_due(&[]).await.unwrap(), Some(at(due)));
            chain = claim(&store, "w1", due).await.remove(0);
            assert_eq!(chain.attempts, attempts);
        }
        store.settle(vec![settlement(&chain, Outcome::Done { links: links("1"), look_again: Some(at(900)) })], at(800)).await.unwrap();
        chain = claim(&store, "w1", 900).await.remove(0);
        assert_eq!(chain.attempts, 0);
    }

    /// What was sent may still arrive: news wait for that, and for nothing else.
    /// proves: fault:N4
    async fn news_cut_a_retry_short_but_not_the_rest_before_it(world: &World) {
        let store = world.store().await;
        let chain = take_and_claim(&store, "a", 0).await;
        let rests = crate::Settlement { rest_until: Some(at(30)), ..settlement(&chain, retry(300, true, true)) };
        store.settle(vec![rests], at(1)).await.unwrap();
        store.take_in(delivery("news", 2, vec![cancelled("a", 2)])).await.unwrap();
        assert!(claim(&store, "w1", 29).await.is_empty());
        assert_eq!(store.next_due(&[]).await.unwrap(), Some(at(30)), "nobody need ask before");
        let chain = claim(&store, "w1", 30).await.remove(0);

        // Laid aside or asked for by a person: the same.
        let parked = Outcome::Parked { reason: "r".to_owned(), fix: "f".to_owned(), unsettled: true, links: links("1") };
        let rests = crate::Settlement { rest_until: Some(at(60)), ..settlement(&chain, parked) };
        store.settle(vec![rests], at(31)).await.unwrap();
        store.replay(&ws(), &chain.chain, at(32)).await.unwrap();
        assert!(claim(&store, "w1", 59).await.is_empty());
        assert_eq!(claim(&store, "w1", 60).await.len(), 1);
    }

    /// proves: V4
    async fn a_blocked_integration_holds_up_no_other(world: &World) {
        let store = world.store().await;
        fill(&store, 20).await;
        let other = crate::Delivery { integration: IntegrationId::new("other"), source: "cal2".into(), ..delivery("o", 5, vec![booked("o", 0)]) };
        store.take_in(other).await.unwrap();
        let claimed = store.claim(&ws(), &worker("w"), at(6), at(400), 3, &[IntegrationId::new("flow")]).await.unwrap();
        assert_eq!(claimed.iter().map(|one| one.integration.as_str()).collect::<Vec<_>>(), ["other"]);
        // Nobody is kept awake by what is due there, either.
        assert_eq!(store.next_due(&[(ws(), IntegrationId::new("flow"))]).await.unwrap(), Some(at(400)));
        assert!(store.next_due(&[]).await.unwrap().unwrap() <= at(6));
        let rest = store.claim(&ws(), &worker("w"), at(6), at(400), 3, &[]).await.unwrap();
        assert_eq!(rest.len(), 3);
    }

    async fn a_graceful_stop_gives_back_what_was_not_sent(world: &World) {
        let store = world.store().await;
        fill(&store, 3).await;
        let held = claim(&store, "w1", 1).await;
        store.plan(vec![planned(&held[0], &[])], at(2)).await.unwrap();
        assert_eq!(store.release_worker(&worker("w1")).await.unwrap(), 2);
        assert_eq!(store.settle(vec![settlement(&held[1], done("late"))], at(3)).await.unwrap(), [false]);
        assert_eq!(claim(&store, "w2", 4).await.len(), 2);
        let sent = claim(&store, "w3", 402).await;
        assert!(sent.iter().any(|one| one.chain == held[0].chain && one.unsettled.is_some()));
    }

    async fn a_lone_process_takes_everything_back_at_its_start(world: &World) {
        let store = world.store().await;
        fill(&store, 3).await;
        let held = claim(&store, "w1", 1).await;
        store.plan(vec![planned(&held[2], &[])], at(2)).await.unwrap();
        assert!(store.acquire_lease(&ws(), "refresh:crm", &worker("w1"), at(2), at(60)).await.unwrap().is_some());
        assert_eq!(store.reclaim_all().await.unwrap(), 2);
        assert_eq!(claim(&store, "w2", 3).await.len(), 2);
        // What the dead process sent may still arrive for as long as its lease would have lasted.
        assert!(claim(&store, "w2", 400).await.is_empty());
        let sent = claim(&store, "w2", 401).await;
        assert!(sent[0].chain == held[2].chain && sent[0].unsettled.is_some());
        assert!(store.acquire_lease(&ws(), "refresh:crm", &worker("w2"), at(3), at(60)).await.unwrap().is_some());
    }

    async fn a_named_lease_has_one_holder(world: &World) {
        let store = world.store().await;
        let who: Vec<_> = (0..10).map(|number| worker(&format!("w{number}"))).collect();
        let home = ws();
        let got = join_all(who.iter().map(|who| store.acquire_lease(&home, "refresh:crm", who, at(0), at(30)))).await;
        let got: Vec<_> = got.into_iter().enumerate().filter_map(|(number, fence)| fence.unwrap().map(|fence| (number, fence))).collect();
        assert_eq!(got.len(), 1);
        let (number, fence) = got[0];
        assert_eq!(store.acquire_lease(&ws(), "refresh:crm", &who[number], at(1), at(30)).await.unwrap(), None, "not even twice by one");
        assert!(store.acquire_lease(&"globex".into(), "refresh:crm", &who[0], at(1), at(30)).await.unwrap().is_some(), "another workspace's");
        assert!(!store.release_lease(&ws(), "refresh:crm", &worker("else"), fence).await.unwrap());
        assert!(store.release_lease(&ws(), "refresh:crm", &who[number], fence).await.unwrap());
        let next = store.acquire_lease(&ws(), "refresh:crm", &who[0], at(2), at(30)).await.unwrap().unwrap();
        assert!(next > fence);
        assert!(store.acquire_lease(&ws(), "refresh:crm", &who[1], at(30), at(60)).await.unwrap().unwrap() > next);
        assert!(!store.release_lease(&ws(), "refresh:crm", &who[0], next).await.unwrap(), "too late");
    }

    async fn whoever_waits_for_a_lease_is_told_who_has_it(world: &World) {
        let (store, name) = (world.store().await, "refresh:crm");
        assert_eq!(store.lease_holder(&ws(), name).await.unwrap(), None);
        let fence = store.acquire_lease(&ws(), name, &worker("w1"), at(0), at(30)).await.unwrap().unwrap();
        let held = store.lease_holder(&ws(), name).await.unwrap().unwrap();
        assert_eq!((&held.name[..], &held.holder, held.fence), (name, &worker("w1"), fence));
        assert_eq!(store.lease_holder(&"globex".into(), name).await.unwrap(), None, "another workspace's");
        assert!(store.release_lease(&ws(), name, &held.holder, held.fence).await.unwrap());
        assert_eq!(store.lease_holder(&ws(), name).await.unwrap(), None, "given back");
    }
}
