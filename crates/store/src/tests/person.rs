//! One person's data is found wherever it is, and erased there, while everybody else's stays.

use serde_json::json;
use syncline_core::{booking::message::Attendee, ids::WorkspaceId};

use super::world::*;
use crate::{BookingFilter, Content, Delivery, JournalEntry, JournalKind, Settlement, Store, TakenIn};

const ADA: &str = "ada@example.org";

/// A booking of one person with a guest, as far as the CRM.
async fn met(store: &Store, booking: &str, guest: &str, seconds: i64) {
    let mut message = booked(booking, seconds);
    let content = message.booked.as_mut().unwrap();
    content.guests =
        vec![Attendee { email: guest.to_owned(), full_name: Some("A Guest".to_owned()), ..Attendee::default() }];
    let body = format!("{{\"email\":\"{booking}@example.org\",\"guest\":\"{guest}\"}}").into_bytes();
    let delivery = Delivery { body, ..delivery(&format!("{booking}-{seconds}"), seconds, vec![message]) };
    assert_eq!(store.take_in(delivery).await.unwrap(), TakenIn::Stored);
    let claimed = claim(store, "w", seconds).await;
    let chain = claimed.first().unwrap();
    store.plan(vec![planned(chain, &[&format!("contact:{booking}@example.org")])], at(seconds)).await.unwrap();
    let told = JournalEntry {
        details: json!({ "fields": { "email": format!("{booking}@example.org") } }),
        ..entry(seconds, JournalKind::Written, &format!("Wrote the meeting of {booking}@example.org"))
    };
    let settlement = Settlement {
        shared: vec![shared(&format!("contact:{booking}@example.org"), "003A")],
        journal: vec![told],
        ..settlement(chain, done("00U1"))
    };
    assert_eq!(store.settle(vec![settlement], at(seconds + 1)).await.unwrap(), [true]);
}

/// All that the database holds, as text, for a look that misses nothing.
async fn everything(store: &Store, address: &str) -> (usize, usize, usize, usize) {
    let found = store.dossier(&ws(), address).await.unwrap();
    (found.bookings.len(), found.messages.len(), found.journal.len(), found.links.len())
}

on_all! {
    /// proves: O8, sec:G4
    async fn all_that_is_held_about_a_person_is_found(world: &World) {
        let store = world.store().await;
        met(&store, "ada", "bob@example.org", 0).await;
        met(&store, "bob", "ada@example.org", 10).await;
        met(&store, "eve", "bob@example.org", 20).await;
        let found = store.dossier(&ws(), ADA).await.unwrap();
        let own: Vec<bool> = found.bookings.iter().map(|booking| booking.own).collect();
        assert_eq!(own, [true, false], "one of her own, one as a guest");
        assert!(found.bookings[0].links.is_some());
        assert_eq!(found.messages.len(), 2);
        assert!(String::from_utf8_lossy(found.messages[0].body.as_ref().unwrap()).contains(ADA), "opened");
        assert_eq!(found.journal.len(), 1);
        assert_eq!(found.links.iter().map(|link| link.key.as_str()).collect::<Vec<_>>(), ["contact:ada@example.org"]);
        assert_eq!(everything(&store, "nobody@example.org").await, (0, 0, 0, 0));
        let other = WorkspaceId::new("other");
        assert!(store.dossier(&other, ADA).await.unwrap().bookings.is_empty());
    }

    /// proves: O8, sec:G1, sec:G7
    async fn a_person_is_erased_and_nobody_else(world: &World) {
        let store = world.store().await;
        met(&store, "ada", "bob@example.org", 0).await;
        met(&store, "bob", "ada@example.org", 10).await;
        let before = everything(&store, "bob@example.org").await;
        let erased = store.erase_person(&ws(), ADA, at(30)).await.unwrap();
        assert_eq!((erased.bookings, erased.mentions, erased.messages, erased.links), (1, 1, 2, 1));
        assert_eq!(everything(&store, ADA).await, (0, 0, 0, 0), "nothing is left that names her");
        let bob = everything(&store, "bob@example.org").await;
        assert_eq!((bob.0, bob.3), (before.0 - 1, before.3), "his own booking stays");
        let rows = store.bookings(&ws(), BookingFilter { limit: 10, ..BookingFilter::default() }).await.unwrap();
        assert_eq!(rows.len(), 1);
        let detail = store.booking(&ws(), &rows[0].chain).await.unwrap().unwrap();
        let view = detail.state.view().unwrap();
        let guests: Vec<&str> = view.content.guests.iter().map(|guest| guest.email.as_str()).collect();
        assert_eq!(guests, [""], "somebody came along, nobody knows who");
        // The lines stay, with their time and kind; that somebody was erased is told without saying who.
        let lines = store.activity(&ws(), crate::ActivityFilter { limit: 50, ..Default::default() }).await.unwrap();
        let texts: Vec<&str> = lines.iter().map(|line| line.entry.text.as_str()).collect();
        assert_eq!(texts, ["A person was erased", "Wrote the meeting of bob@example.org", "A line about a person who was erased"]);
        assert_eq!(lines[0].entry.details["mark"].as_str().unwrap().len(), 16);
        let again = store.erase_person(&ws(), ADA, at(31)).await.unwrap();
        assert_eq!((again.bookings, again.messages, again.records), (0, 0, 0));
    }

    /// A late message about an erased booking brings nothing back; a new booking of the same person is one.
    ///
    /// proves: sec:G1
    async fn what_was_erased_does_not_come_back(world: &World) {
        let store = world.store().await;
        met(&store, "ada", "bob@example.org", 0).await;
        // One more is taken in, and not folded yet.
        store.take_in(delivery("waiting", 20, vec![booked("ada-two", 20)])).await.unwrap();
        let waiting = Delivery { body: ADA.as_bytes().to_vec(), ..delivery("unread", 21, Vec::new()) };
        let waiting = Delivery { content: Content::Parked { reason: "odd".to_owned() }, ..waiting };
        store.take_in(waiting).await.unwrap();
        store.erase_person(&ws(), ADA, at(30)).await.unwrap();
        assert_eq!(claim(&store, "w", 31).await.len(), 1, "the other person's booking goes on");
        for (key, message) in [("late", cancelled("ada", 40)), ("moved", moved("ada", "ada-moved", 41))] {
            assert_eq!(store.take_in(delivery(key, 42, vec![message])).await.unwrap(), TakenIn::Stored);
        }
        assert_eq!(claim(&store, "w", 43).await.len(), 0);
        assert_eq!(everything(&store, ADA).await, (0, 0, 0, 0));
        assert!(store.parked_messages(&ws(), None, 10).await.unwrap().is_empty());
        let counts = store.counts(&ws()).await.unwrap();
        assert_eq!((counts.inbox_new, counts.done + counts.leased), (0, 1));
        met(&store, "ada-again", "bob@example.org", 50).await;
    }
}

/// A worker that has the booking in hand when it is erased writes nothing any more.
///
/// proves: sec:G1
#[tokio::test]
async fn who_held_the_booking_writes_nothing_any_more() {
    let world = World::new(On::Inline).await;
    let store = world.store().await;
    let held = take_and_claim(&store, "ada", 0).await;
    store.plan(vec![planned(&held, &[])], at(1)).await.unwrap();
    store.erase_person(&ws(), ADA, at(2)).await.unwrap();
    assert_eq!(store.settle(vec![settlement(&held, done("00U1"))], at(3)).await.unwrap(), [false]);
    assert_eq!(everything(&store, ADA).await, (0, 0, 0, 0));
}
