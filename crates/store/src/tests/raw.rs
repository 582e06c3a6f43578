//! The message itself: which one a booking's content comes from, and that its bytes are those that came.

use syncline_core::{booking::message::BookingMessage, ids::ConnectionId};

use super::world::*;
use crate::{Delivery, Held, PolledPage, Store};

/// A message about a booking, as bytes that no parser would give back.
fn said(key: &str, seconds: i64, message: &BookingMessage) -> Delivery {
    let body = format!("{{ \"key\" :\t\"{key}\" , \"a\": 1.50, \"a\": \"\\u0041da\" }}").into_bytes();
    Delivery { body, ..delivery(key, seconds, vec![message.clone()]) }
}

async fn polled(store: &Store, rows: Vec<Delivery>) {
    let held = Held {
        name: "poll:cal".to_owned(),
        holder: worker("p"),
        fence: store.acquire_lease(&ws(), "poll:cal", &worker("p"), at(0), at(900)).await.unwrap().unwrap(),
    };
    let source = ConnectionId::new("cal");
    let page = PolledPage {
        workspace: ws(),
        source,
        held: held.clone(),
        now: at(1),
        deliveries: rows,
        cursor: "c".to_owned(),
        next_at: at(300),
        journal: None,
    };
    store.take_page(page).await.unwrap().unwrap();
    assert!(store.release_lease(&ws(), &held.name, &held.holder, held.fence).await.unwrap());
}

/// The body that counts for the one booking of this store.
async fn body(store: &Store) -> Option<String> {
    let claimed = claim(store, "w", 50).await.remove(0);
    let content = claimed.state.view().unwrap().content.clone();
    let body = store.body_that_said(&ws(), &claimed.chain, &content).await.unwrap();
    body.map(|body| String::from_utf8(body).unwrap())
}

on_all! {
    /// In whichever order they come, the same message counts: the newest content, as its source sent it; what a poll found
    /// only where nothing was sent.
    ///
    /// proves: B4, B27
    async fn the_message_that_said_it_is_the_same_in_any_order(world: &World) {
        let store = world.store().await;
        for (turn, order) in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]].into_iter().enumerate() {
            let name = format!("a{turn}");
            let (first, second) = (booked(&name, 0), BookingMessage { at: at(5), ..booked(&name, 3) });
            let sent = [said(&format!("first{turn}"), 10, &first), said(&format!("second{turn}"), 11, &second)];
            // A poll tells the same content earlier and later than the webhook did.
            let again = |seconds| BookingMessage { at: at(seconds), ..second.clone() };
            let rows = [("early", 1), ("late", 9)]
                .map(|(word, seconds)| said(&format!("poll|{word}{turn}"), 12, &again(seconds)));
            for place in order {
                match sent.get(place) {
                    Some(sent) => {
                        store.take_in(sent.clone()).await.unwrap();
                    }
                    None => polled(&store, vec![rows[place - 2].clone()]).await,
                }
            }
            let expected = String::from_utf8(sent[1].body.clone()).unwrap();
            assert_eq!(body(&store).await, Some(expected), "{order:?}");
        }
    }

    /// proves: B27
    async fn a_row_of_a_poll_is_the_message_where_nothing_else_came(world: &World) {
        let store = world.store().await;
        polled(&store, vec![said("poll|only", 12, &booked("a", 0))]).await;
        assert_eq!(body(&store).await, Some(String::from_utf8(said("poll|only", 12, &booked("a", 0)).body).unwrap()));
    }

    /// proves: B27, sec:G1
    async fn what_is_kept_no_longer_is_nothing(world: &World) {
        let store = world.store().await;
        store.take_in(said("first", 10, &booked("a", 0))).await.unwrap();
        let claimed = claim(&store, "w", 20).await.remove(0);
        let content = claimed.state.view().unwrap().content.clone();
        let found = async || store.body_that_said(&ws(), &claimed.chain, &content).await;
        assert!(found().await.unwrap().is_some());
        assert_eq!(store.body_that_said(&ws(), &chain_of("b"), &content).await.unwrap(), None);
        store.erase_person(&ws(), "a@example.org", at(60)).await.unwrap();
        assert_eq!(found().await.unwrap(), None);
    }
}
