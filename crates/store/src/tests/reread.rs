//! Messages that could not be read: read again, they are news for their booking, or say again why not.

use syncline_core::ids::ConnectionId;

use super::world::*;
use crate::{ActivityFilter, Content, Delivery, Held, JournalKind, PolledPage, Store, TakenIn};

fn unread(key: &str, reason: &str) -> Delivery {
    let content = Content::Parked { reason: reason.to_owned() };
    Delivery { content, content_type: Some("application/json".to_owned()), ..delivery(key, 0, Vec::new()) }
}

async fn kept(store: &Store) -> Vec<(i64, String)> {
    let rows = store.parked_messages(&ws(), None, 10).await.unwrap().into_iter();
    rows.map(|row| (row.id, row.reason.unwrap_or_default())).collect()
}

async fn told(store: &Store) -> String {
    let filter = ActivityFilter { limit: 1, kind: Some(JournalKind::Message), ..ActivityFilter::default() };
    store.activity(&ws(), filter).await.unwrap().remove(0).entry.text
}

on_all! {
    /// proves: B24
    async fn what_can_be_read_now_is_news_for_its_booking(world: &World) {
        let store = world.store().await;
        store.take_in(unread("raw:1", "no start")).await.unwrap();
        let (id, _) = kept(&store).await.remove(0);
        let found = store.kept_message(&ws(), id).await.unwrap().unwrap();
        assert_eq!(found.body.as_deref(), Some(&b"{\"raw\":\"raw:1\"}"[..]));
        assert_eq!((found.content_type.as_deref(), found.polled), (Some("application/json"), false));

        // It still cannot be read, for another reason.
        let again = store.read_again(id, unread("", "no end"), at(10)).await.unwrap();
        assert_eq!(again, Some(TakenIn::Stored));
        assert_eq!(kept(&store).await, [(id, "no end".to_owned())]);
        assert_eq!(told(&store).await, format!(
            "A message was kept for a person: no end; once Syncline is upgraded or its settings are mended, have it read again: syncline replay {id}"
        ));
        assert!(claim(&store, "w", 11).await.is_empty());

        let read = || Delivery { body: found.body.clone().unwrap(), ..delivery("created|a", 0, vec![booked("a", 0)]) };
        assert_eq!(store.read_again(id, read(), at(20)).await.unwrap(), Some(TakenIn::Stored));
        assert_eq!(told(&store).await, "A message that was kept for a person was read");
        assert!(kept(&store).await.is_empty());
        assert_eq!(claim(&store, "w", 21).await.len(), 1);
        assert_eq!(store.message_body(&ws(), id).await.unwrap(), found.body, "sealed for its new key");
        // It is known by its own key from now on, and nobody reads it a third time.
        assert_eq!(store.take_in(read()).await.unwrap(), TakenIn::Duplicate);
        assert_eq!(store.read_again(id, read(), at(22)).await.unwrap(), None);
        assert_eq!(store.kept_message(&ws(), id).await.unwrap(), None);
    }

    /// proves: B2
    async fn what_came_again_meanwhile_is_not_read_twice(world: &World) {
        let store = world.store().await;
        store.take_in(unread("raw:1", "no start")).await.unwrap();
        let (id, _) = kept(&store).await.remove(0);
        let read = || delivery("created|a", 0, vec![booked("a", 0)]);
        store.take_in(read()).await.unwrap();
        assert_eq!(claim(&store, "w", 1).await.len(), 1);
        assert_eq!(store.read_again(id, read(), at(2)).await.unwrap(), Some(TakenIn::Duplicate));
        assert_eq!((kept(&store).await, store.counts(&ws()).await.unwrap().inbox_new), (Vec::new(), 0));
    }

    /// What a poll found is asked for again; the page that is being read meanwhile moves nothing.
    ///
    /// proves: B5
    async fn what_a_poll_found_is_asked_for_again(world: &World) {
        let store = world.store().await;
        let source = ConnectionId::new("cal");
        store.begin_poll(&ws(), &source, at(-60), at(0)).await.unwrap();
        let fence = store.acquire_lease(&ws(), "poll:cal", &worker("p"), at(0), at(900)).await.unwrap().unwrap();
        let held = Held { name: "poll:cal".to_owned(), holder: worker("p"), fence };
        let page = |cursor: &str, deliveries| PolledPage {
            workspace: ws(),
            source: source.clone(),
            held: held.clone(),
            now: at(1),
            deliveries,
            cursor: cursor.to_owned(),
            next_at: at(300),
            journal: None,
        };
        store.take_page(page("c1", vec![unread("poll|a", "no uid")])).await.unwrap().unwrap();
        let (id, _) = kept(&store).await.remove(0);
        assert!(store.kept_message(&ws(), id).await.unwrap().unwrap().polled);
        assert!(store.ask_anew(&ws(), &source, "poll:cal", id, at(5)).await.unwrap());
        assert!(kept(&store).await.is_empty());
        assert_eq!(store.take_page(page("c2", Vec::new())).await.unwrap(), None, "its lease is over");
        let state = store.poll_state(&ws(), &source).await.unwrap().unwrap();
        assert_eq!((state.since, state.cursor, state.next_at), (at(-60), None, at(5)));
        assert!(!store.ask_anew(&ws(), &source, "poll:cal", id, at(6)).await.unwrap());
        store.take_in(unread("raw:1", "no start")).await.unwrap();
        let (sent, _) = kept(&store).await.remove(0);
        assert!(!store.ask_anew(&ws(), &source, "poll:cal", sent, at(6)).await.unwrap(), "nobody could ask for it again");
    }
}
