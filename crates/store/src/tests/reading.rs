//! What console, API and upkeep see: pages, filters, counts, walls between workspaces, retention.

use jiff::SignedDuration;
use syncline_core::ids::WorkspaceId;

use super::world::*;
use crate::{
    ActivityFilter, BookingFilter, ConnectionStatus, Counts, JournalKind, Outcome, Retention, Store, StoredTokens,
    Summary,
};

async fn journal(store: &Store, booking: &str, kinds: &[JournalKind]) {
    let chain = take_and_claim(store, booking, 0).await;
    let mut end = settlement(&chain, done(booking));
    end.journal = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| entry(number as i64, *kind, &format!("{booking} {number}")))
        .collect();
    end.summary = Some(Summary {
        standing: "active".to_owned(),
        title: format!("100% {booking}_Talk"),
        person: "ÄDA".to_owned(),
        start: Some(at(9)),
    });
    store.settle(vec![end], at(1)).await.unwrap();
}

async fn texts(store: &Store, filter: ActivityFilter) -> Vec<String> {
    store.activity(&ws(), filter).await.unwrap().into_iter().map(|line| line.entry.text).collect()
}

async fn found(store: &Store, text: &str) -> usize {
    store
        .bookings(&ws(), BookingFilter { text: Some(text.to_owned()), limit: 10, ..Default::default() })
        .await
        .unwrap()
        .len()
}

on_all! {
    /// proves: B28: a look at a booking's state takes nothing in.
    async fn a_booking_is_known_by_any_of_its_messages(world: &World) {
        let store = world.store().await;
        journal(&store, "a", &[JournalKind::Written]).await;
        let source = "cal".into();
        let known = store.known(&ws(), &source, &booked("a", 0)).await.unwrap().expect("it is known");
        assert_eq!(known.chain, chain_of("a"));
        assert!(known.state.view().is_some() && !known.links.is_empty());
        assert!(store.known(&ws(), &source, &booked("b", 0)).await.unwrap().is_none());
        assert!(store.known(&WorkspaceId::from("other"), &source, &booked("a", 0)).await.unwrap().is_none());
        assert_eq!(store.counts(&ws()).await.unwrap().inbox_new, 0);
    }

    async fn the_activity_log_is_read_in_pages(world: &World) {
        let store = world.store().await;
        journal(&store, "a", &[JournalKind::Written, JournalKind::Retried, JournalKind::Written]).await;
        journal(&store, "b", &[JournalKind::Written, JournalKind::Parked]).await;
        let all = texts(&store, ActivityFilter { limit: 10, ..Default::default() }).await;
        assert_eq!(all, ["b 1", "b 0", "a 2", "a 1", "a 0"]);
        let (mut before, mut paged) = (None, Vec::new());
        loop {
            let page = store.activity(&ws(), ActivityFilter { limit: 2, before, ..Default::default() }).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            paged.extend(page.into_iter().map(|line| line.entry.text));
        }
        assert_eq!(paged, all);
        assert_eq!(texts(&store, ActivityFilter { limit: 9, chain: Some(chain_of("a")), ..Default::default() }).await, ["a 2", "a 1", "a 0"]);
        assert_eq!(texts(&store, ActivityFilter { limit: 9, kind: Some(JournalKind::Parked), ..Default::default() }).await, ["b 1"]);
        assert_eq!(texts(&store, ActivityFilter { limit: 9, kind: Some(JournalKind::Written), ..Default::default() }).await, ["b 0", "a 2", "a 0"]);
        assert!(texts(&store, ActivityFilter { limit: 9, integration: Some("none".into()), ..Default::default() }).await.is_empty());
        assert_eq!(texts(&store, ActivityFilter { limit: 0, ..Default::default() }).await.len(), 1, "a page has at least one line");
    }

    async fn bookings_are_found_by_what_people_call_them(world: &World) {
        let store = world.store().await;
        journal(&store, "a", &[]).await;
        journal(&store, "b", &[]).await;
        for (text, hits) in [("talk", 2), ("äda", 2), ("A_TALK", 1), ("100%", 2), ("b%talk", 0), ("!", 0), ("  ", 2), ("'; drop table chain", 0)] {
            assert_eq!(found(&store, text).await, hits, "{text}");
        }
        let first = store.bookings(&ws(), BookingFilter { limit: 1, ..Default::default() }).await.unwrap().remove(0);
        assert_eq!((first.chain.clone(), first.summary.unwrap().start), (chain_of("b"), Some(at(9))));
        let next = store.bookings(&ws(), BookingFilter { limit: 5, before: Some(first.id), ..Default::default() }).await.unwrap();
        assert_eq!(next.iter().map(|row| &row.chain).collect::<Vec<_>>(), [&chain_of("a")]);
    }

    async fn counts_add_up(world: &World) {
        let store = world.store().await;
        for (number, booking) in ["a", "b", "c", "d", "e"].iter().enumerate() {
            store.take_in(delivery(booking, number as i64, vec![booked(booking, 0)])).await.unwrap();
        }
        let held = claim(&store, "w", 10).await;
        store.plan(vec![planned(&held[4], &[])], at(11)).await.unwrap();
        let park = Outcome::Parked { reason: "r".to_owned(), fix: "f".to_owned(), unsettled: false, links: links("1") };
        let retry = Outcome::Retry { at: at(50), unsettled: false, failed: true, links: links("1") };
        store.settle(vec![settlement(&held[0], done("1")), settlement(&held[1], park), settlement(&held[2], retry)], at(12)).await.unwrap();
        store.take_in(delivery("f", 13, vec![booked("f", 0)])).await.unwrap();
        let oldest = [&held[2], &held[3], &held[4]].iter().map(|one| one.waiting_since).min();
        let expected = Counts { inbox_new: 1, due: 1, leased: 2, uncertain: 1, parked: 1, done: 1, messages_parked: 0, oldest_waiting: oldest };
        assert_eq!(store.counts(&ws()).await.unwrap(), expected);
    }

    /// proves: sec:S38
    async fn a_workspace_sees_nothing_of_another(world: &World) {
        let store = world.store().await;
        journal(&store, "a", &[JournalKind::Written, JournalKind::Parked]).await;
        store.take_in(crate::Delivery { content: crate::Content::Parked { reason: "r".to_owned() }, ..delivery("p", 0, Vec::new()) }).await.unwrap();
        store.take_in(delivery("n", 0, vec![booked("n", 0)])).await.unwrap();
        store.ensure_connection(&ws(), &crm(), "salesforce").await.unwrap();
        store.set_cursor(&ws(), "c", "1").await.unwrap();
        let message = store.booking(&ws(), &chain_of("a")).await.unwrap().unwrap().messages[0].id;

        let other = WorkspaceId::new("globex");
        assert!(store.activity(&other, ActivityFilter { limit: 9, ..Default::default() }).await.unwrap().is_empty());
        assert!(store.activity(&other, ActivityFilter { limit: 9, chain: Some(chain_of("a")), ..Default::default() }).await.unwrap().is_empty());
        assert!(store.activity(&other, ActivityFilter { limit: 9, kind: Some(JournalKind::Parked), ..Default::default() }).await.unwrap().is_empty());
        assert!(store.bookings(&other, BookingFilter { limit: 9, ..Default::default() }).await.unwrap().is_empty());
        assert!(store.booking(&other, &chain_of("a")).await.unwrap().is_none());
        assert!(store.message_body(&other, message).await.unwrap().is_none());
        assert!(store.parked_messages(&other, None, 9).await.unwrap().is_empty());
        assert!(!store.replay(&other, &chain_of("a"), at(9)).await.unwrap());
        assert!(store.connection(&other, &crm()).await.unwrap().is_none());
        assert!(store.connections(&other).await.unwrap().is_empty());
        assert!(!store.disconnect(&other, &crm()).await.unwrap());
        assert!(store.cursor(&other, "c").await.unwrap().is_none());
        assert!(store.shared_links(&other, &crm(), &["person:a".into()]).await.unwrap().is_empty());
        assert_eq!(store.counts(&other).await.unwrap(), Counts::default());
        let all = Retention { raw: SignedDuration::ZERO, inbox: SignedDuration::ZERO, journal: SignedDuration::ZERO, chains: SignedDuration::ZERO };
        assert_eq!(store.sweep(&other, at(1_000_000), all).await.unwrap(), 0);
        assert!(store.claim(&other, &worker("w"), at(9), at(99), 9, &[]).await.unwrap().is_empty());
        assert_eq!(claim(&store, "w", 9).await.len(), 1);
        // The same key from another workspace is another message.
        let theirs = crate::Delivery { workspace: other.clone(), ..delivery("n", 0, vec![booked("n", 0)]) };
        assert_eq!(store.take_in(theirs).await.unwrap(), crate::TakenIn::Stored);
        let theirs = store.claim(&other, &worker("w"), at(9), at(99), 9, &[]).await.unwrap();
        assert_ne!(theirs[0].chain, chain_of("n"));
    }

    /// proves: sec:G2
    async fn what_is_old_goes_bit_by_bit(world: &World) {
        let store = world.store().await;
        journal(&store, "old", &[JournalKind::Written]).await;
        let day = 86_400;
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        let kept = Retention { raw: days(30), inbox: days(90), journal: days(60), chains: days(120) };
        let open = take_and_claim(&store, "open", 100).await;
        let message = store.booking(&ws(), &chain_of("old")).await.unwrap().unwrap().messages[0].id;
        assert_eq!(store.sweep(&ws(), at(29 * day), kept).await.unwrap(), 0);
        assert_eq!(store.sweep(&ws(), at(31 * day), kept).await.unwrap(), 2, "two bodies");
        assert!(store.message_body(&ws(), message).await.unwrap().is_none());
        assert_eq!(store.take_in(delivery("old-0", 32 * day, vec![booked("old", 0)])).await.unwrap(), crate::TakenIn::Duplicate);
        assert_eq!(store.sweep(&ws(), at(61 * day), kept).await.unwrap(), 1, "a line");
        assert_eq!(store.sweep(&ws(), at(91 * day), kept).await.unwrap(), 2, "two messages");
        assert_eq!(store.sweep(&ws(), at(121 * day), kept).await.unwrap(), 1, "the booking at rest");
        assert!(store.booking(&ws(), &chain_of("old")).await.unwrap().is_none());
        assert!(store.booking(&ws(), &open.chain).await.unwrap().is_some(), "whatever is not done stays");
        store.take_in(delivery("again", 122 * day, vec![booked("old", 0)])).await.unwrap();
        assert_eq!(claim(&store, "w", 122 * day).await.len(), 2, "it begins anew");
    }

    async fn a_connection_tells_how_it_does(world: &World) {
        let store = world.store().await;
        assert!(store.connection(&ws(), &crm()).await.unwrap().is_none());
        store.ensure_connection(&ws(), &crm(), "salesforce").await.unwrap();
        store.ensure_connection(&ws(), &crm(), "salesforce").await.unwrap();
        let row = || async { store.connection(&ws(), &crm()).await.unwrap().unwrap() };
        assert_eq!((row().await.status, row().await.version), (ConnectionStatus::NotConnected, 0));
        store.pause(&ws(), &crm(), at(60), "its daily limit is used up").await.unwrap();
        assert_eq!((row().await.paused_until, row().await.reason.as_deref()), (Some(at(60)), Some("its daily limit is used up")));
        store.resume(&ws(), &crm()).await.unwrap();
        store.record_usage(&ws(), &crm(), 14_000, 15_000).await.unwrap();
        assert_eq!((row().await.paused_until, row().await.api_used, row().await.api_max), (None, Some(14_000), Some(15_000)));
        let grant = StoredTokens { access: "a".to_owned(), refresh: None, base_url: "https://x".to_owned(), expires_at: None, account: None };
        store.set_status(&ws(), &crm(), ConnectionStatus::NeedsReconnect, Some("the grant was revoked")).await.unwrap();
        assert_eq!(row().await.status, ConnectionStatus::NeedsReconnect);
        assert!(store.store_tokens(&ws(), &crm(), &grant, Some(0)).await.unwrap());
        assert_eq!((row().await.status, row().await.reason), (ConnectionStatus::Connected, None));
        assert!(store.disconnect(&ws(), &crm()).await.unwrap());
        assert!(row().await.tokens.is_none());
        assert!(!store.store_tokens(&ws(), &crm(), &grant, Some(1)).await.unwrap(), "a refresh that was under way does not connect it again");
        assert!(!store.store_tokens(&ws(), &"none".into(), &grant, None).await.unwrap());
    }
}

/// proves: V4
#[tokio::test]
async fn one_unreadable_booking_holds_up_no_other() {
    let world = World::new(On::Inline).await;
    let store = world.store().await;
    for booking in ["a", "b", "c"] {
        store.take_in(delivery(booking, 0, vec![booked(booking, 0)])).await.unwrap();
    }
    claim(&store, "w", 1).await;
    let raw = rusqlite::Connection::open(world.path()).unwrap();
    raw.execute(
        "update chain_state set state = x'00' where id = (select id from chain where chain = ?1)",
        [chain_of("a").as_str()],
    )
    .unwrap();
    raw.execute("update chain_links set links = x'00'", []).unwrap();
    store.take_in(delivery("a2", 2, vec![cancelled("a", 2)])).await.unwrap();
    store.take_in(delivery("d", 2, vec![booked("d", 0)])).await.unwrap();
    raw.execute("update inbox set messages = x'00' where key = 'd'", []).unwrap();
    let claimed = claim(&store, "w2", 500).await;
    assert_eq!(claimed.len(), 2);
    assert_eq!(store.parked_messages(&ws(), None, 10).await.unwrap().len(), 2, "what cannot be folded is shown");
    assert_eq!(
        store.bookings(&ws(), BookingFilter { parked_only: true, limit: 9, ..Default::default() }).await.unwrap().len(),
        1
    );
    assert_eq!(store.next_due(&[]).await.unwrap(), Some(at(900)), "nothing spins");
}
