//! Watches: a word of a vendor is never lost to a reading that was under way, and what is not told is found all the same.

use syncline_core::ids::{ConnectionId, WorkspaceId};

use super::{
    calendars::{event, hold, integration, of, page},
    world::*,
};
use crate::{CalendarPage, CalendarRef, CalendarState, HeardWatch, Held, Store, StoredWatch};

const LEASE: &str = "watch:meetings:rosa";

fn watch(name: &str, of: &CalendarRef) -> StoredWatch {
    StoredWatch {
        name: name.to_owned(),
        of: of.clone(),
        connection: ConnectionId::new("rosa"),
        watch: name.to_owned(),
        resource: None,
        secret: [7; 32],
        address: [8; 32],
        until: None,
        works: false,
        heard_at: None,
    }
}

fn word(name: &str, of: &CalendarRef) -> HeardWatch {
    HeardWatch { name: name.to_owned(), of: of.clone(), changed: true, renew: false, ended: false }
}

/// A reading of changes that began then, and ends now.
fn changes(of: &CalendarRef, held: &Held, began: i64, now: i64, news: &[&str]) -> CalendarPage {
    let (began, told_next_at) = (at(began), Some(at(now + 3_000)));
    let news = news.iter().map(|id| event(id, &format!("{now}"))).collect();
    CalendarPage { began, told_next_at, ..page(of, held, now, news, false) }
}

async fn state(store: &Store, of: &CalendarRef) -> CalendarState {
    store.begin_calendar(of, at(0)).await.unwrap()
}

async fn look(store: &Store, of: &CalendarRef) -> (jiff::Timestamp, Option<jiff::Timestamp>) {
    let state = state(store, of).await;
    (state.next_at, state.wake_at)
}

async fn works(store: &Store) -> Vec<(String, bool)> {
    store.watches(&ws()).await.unwrap().into_iter().map(|watch| (watch.name, watch.works)).collect()
}

/// A calendar that is read, with a watch that works until 10,000.
async fn watched(store: &Store) -> (CalendarRef, Held) {
    let rosa = of("rosa");
    state(store, &rosa).await;
    let held = hold(store, "calendar:rosa", "w1", 0, 100_000).await.unwrap();
    assert!(store.take_calendar_page(page(&rosa, &held, 1, vec![event("a", "One")], true)).await.unwrap());
    let tends = hold(store, LEASE, "w1", 0, 100_000).await.unwrap();
    assert!(store.begin_watch(watch("n1", &rosa), &tends, at(2)).await.unwrap());
    let begun = StoredWatch { until: Some(at(10_000)), works: true, ..watch("n1", &rosa) };
    assert!(store.keep_watch(begun, at(5_000), at(3)).await.unwrap());
    (rosa, held)
}

on_all! {
    /// proves: C10: while a vendor tells, the next look is far; a word makes it near, and is not lost to a reading that began
    /// before; many words are one look.
    async fn a_word_survives_the_reading_under_way(world: &World) {
        let store = world.store().await;
        let (rosa, held) = watched(&store).await;
        let begun = state(&store, &rosa).await;
        assert_eq!((begun.next_at, begun.watch.next_at), (at(3), Some(at(5_000))), "it is read once when a watch begins");
        store.take_calendar_page(changes(&rosa, &held, 4, 5, &[])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(3_005), None));
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(200), at(202)).await.unwrap();
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(203), at(205)).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(202), Some(at(205))));
        // What was read before the last word knows nothing of it.
        store.take_calendar_page(changes(&rosa, &held, 202, 206, &["a"])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(205), Some(at(205))));
        store.take_calendar_page(changes(&rosa, &held, 207, 208, &["a"])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(3_208), None));
        assert_eq!(works(&store).await, [("n1".to_owned(), true)]);
        // A reading of everything answers no word: what changed while it lasted is read by the next one.
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(300), at(302)).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 400, vec![], true)).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(302), Some(at(302))));
        // Nothing is told after the watch's end.
        store.take_calendar_page(changes(&rosa, &held, 9_000, 9_001, &[])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(10_000), None));
        store.take_calendar_page(changes(&rosa, &held, 10_000, 10_001, &[])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(10_061), None));
    }

    /// proves: C10: a reading that takes many rounds knows what was told before its first page, and not what was told until
    /// its last round began.
    async fn a_word_survives_a_reading_of_many_rounds(world: &World) {
        let store = world.store().await;
        let (rosa, held) = watched(&store).await;
        let more = |began| CalendarPage { began: at(began), ..page(&rosa, &held, began + 1, vec![], false) };
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(98), at(100)).await.unwrap();
        store.take_calendar_page(more(101)).await.unwrap();
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(110), at(112)).await.unwrap();
        store.take_calendar_page(more(120)).await.unwrap();
        assert_eq!(state(&store, &rosa).await.begun_at, Some(at(101)));
        store.take_calendar_page(changes(&rosa, &held, 130, 131, &["a"])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(112), Some(at(112))));
        assert_eq!(state(&store, &rosa).await.begun_at, None);
        // The same, and nothing is told meanwhile.
        store.take_calendar_page(more(140)).await.unwrap();
        store.take_calendar_page(changes(&rosa, &held, 150, 151, &["a"])).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(3_151), None));
        // What begins anew has not begun.
        store.take_calendar_page(more(160)).await.unwrap();
        assert!(store.read_calendar_anew(&rosa, &held, at(165)).await.unwrap());
        assert_eq!(state(&store, &rosa).await.begun_at, None);
    }

    /// proves: C10: news of which nothing was told make a watch doubtful, until it tells something.
    async fn what_is_not_told_makes_doubtful(world: &World) {
        let store = world.store().await;
        let (rosa, held) = watched(&store).await;
        // The first look after a watch has begun may find what changed before.
        store.take_calendar_page(changes(&rosa, &held, 4, 5, &["b"])).await.unwrap();
        assert_eq!((works(&store).await, look(&store, &rosa).await.0), (vec![("n1".to_owned(), true)], at(3_005)));
        store.take_calendar_page(changes(&rosa, &held, 3_005, 3_006, &["b"])).await.unwrap();
        assert_eq!((works(&store).await, look(&store, &rosa).await.0), (vec![("n1".to_owned(), false)], at(3_066)));
        store.take_calendar_page(changes(&rosa, &held, 3_066, 3_067, &[])).await.unwrap();
        assert_eq!(look(&store, &rosa).await.0, at(3_127), "for as long as it tells nothing");
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(3_100), at(3_102)).await.unwrap();
        store.take_calendar_page(changes(&rosa, &held, 3_102, 3_103, &["b"])).await.unwrap();
        assert_eq!((works(&store).await, look(&store, &rosa).await.0), (vec![("n1".to_owned(), true)], at(6_103)));
        let mine = store.watches(&ws()).await.unwrap();
        store.doubt_watches(&ws(), mine, at(3_200)).await.unwrap();
        let doubted = state(&store, &rosa).await;
        assert_eq!((doubted.next_at, doubted.watch.next_at), (at(3_200), Some(at(3_200))));
        assert_eq!(works(&store).await, [("n1".to_owned(), false)]);
    }

    /// proves: C10: what its vendor says of a watch's life, and what fails, is seen to; a calendar that cannot be read is not
    /// asked sooner because something changed there.
    async fn lives_and_failures_are_kept(world: &World) {
        let store = world.store().await;
        let (rosa, held) = watched(&store).await;
        let renew = HeardWatch { changed: false, renew: true, ..word("n1", &rosa) };
        store.hear_watches(&ws(), vec![renew], at(50), at(52)).await.unwrap();
        let told = state(&store, &rosa).await;
        assert_eq!((told.watch.next_at, told.next_at), (Some(at(50)), at(3)));
        store.watch_next(&rosa, Some(at(90)), Some("it is shut".to_owned())).await.unwrap();
        store.watch_next(&rosa, Some(at(95)), Some("it is shut".to_owned())).await.unwrap();
        let failed = state(&store, &rosa).await.watch;
        assert_eq!((failed.failures, failed.problem.as_deref(), failed.next_at), (2, Some("it is shut"), Some(at(95))));
        let renewed = StoredWatch { until: Some(at(20_000)), ..watch("n1", &rosa) };
        assert!(store.keep_watch(renewed, at(15_000), at(100)).await.unwrap());
        let kept = store.watches(&ws()).await.unwrap();
        assert_eq!((kept[0].until, kept[0].works, kept[0].heard_at), (Some(at(20_000)), true, Some(at(50))), "it works as before");
        let mended = state(&store, &rosa).await.watch;
        assert_eq!((mended.failures, mended.problem, mended.next_at), (0, None, Some(at(15_000))));
        store.calendar_failed(&rosa, &held, at(110), at(900), "it is shut").await.unwrap();
        store.hear_watches(&ws(), vec![word("n1", &rosa)], at(120), at(122)).await.unwrap();
        assert_eq!(look(&store, &rosa).await, (at(900), Some(at(122))));
        let ended = HeardWatch { ended: true, ..word("n1", &rosa) };
        store.hear_watches(&ws(), vec![ended], at(130), at(132)).await.unwrap();
        assert_eq!((works(&store).await, state(&store, &rosa).await.watch.next_at), (vec![], Some(at(130))));
        assert!(!store.keep_watch(watch("n1", &rosa), at(1), at(1)).await.unwrap(), "it was forgotten meanwhile");
    }

    /// proves: C10, sec:S27, sec:S38: a watch is known to its own workspace and connection, begins under its lease alone, and
    /// goes with its integration.
    async fn a_watch_is_known_where_it_belongs(world: &World) {
        let store = world.store().await;
        let (rosa, _) = watched(&store).await;
        let slow = hold(&store, "watch:sam", "w1", 0, 10).await.unwrap();
        hold(&store, "watch:sam", "w2", 10, 20).await.unwrap();
        assert!(!store.begin_watch(watch("n2", &of("sam")), &slow, at(11)).await.unwrap());
        let called = async |workspace: &str, connection: &str| {
            let (workspace, connection) = (WorkspaceId::new(workspace), ConnectionId::new(connection));
            let names = vec!["n1".to_owned(), "n2".to_owned(), "'; drop".to_owned()];
            let found = store.watches_called(&workspace, &connection, names).await.unwrap();
            found.into_iter().map(|watch| (watch.name, watch.secret, watch.of)).collect::<Vec<_>>()
        };
        assert_eq!(called(ws().as_str(), "rosa").await, [("n1".to_owned(), [7; 32], rosa.clone())]);
        assert!(called(ws().as_str(), "sam").await.is_empty() && called("other", "rosa").await.is_empty());
        // What is said to another workspace changes nothing here.
        let other = WorkspaceId::new("other");
        let ended = HeardWatch { ended: true, ..word("n1", &CalendarRef { workspace: other.clone(), ..rosa.clone() }) };
        store.hear_watches(&other, vec![ended], at(50), at(52)).await.unwrap();
        assert_eq!((works(&store).await.len(), look(&store, &rosa).await.0), (1, at(3)));
        store.forget_flow(&other, &integration()).await.unwrap();
        assert_eq!(works(&store).await.len(), 1);
        store.forget_flow(&ws(), &integration()).await.unwrap();
        assert_eq!(works(&store).await, []);
    }
}
