//! Calendars: pages and places together, by whoever holds the lease; what is gone keeps its name; decisions do not undo news.

use std::collections::BTreeSet;

use syncline_core::{
    calendar::{
        eligible::{Reason, Verdict},
        event::{Body, Content, Etag, Event, EventId, Moment, Party, Status},
        identity::{MeetingKey, Rid, Uid},
        privacy::Privacy,
        recur::Window,
    },
    ids::{IntegrationId, RecordId},
    record::{Fields, Role, Slot},
    step::Link,
};

use super::world::*;
use crate::{
    CalendarPage, CalendarRef, CalendarState, DueSeries, EventIn, GuestLetter, Held, JournalKind, KnownCopy, Links,
    MailState, MeetingFilter, MeetingState, NewCopy, NewMail, SaveMeetings, Store, StoredMeeting,
};

pub(super) fn integration() -> IntegrationId {
    IntegrationId::new("meetings")
}

pub(super) fn of(calendar: &str) -> CalendarRef {
    CalendarRef { workspace: ws(), integration: integration(), calendar: calendar.to_owned() }
}

pub(super) async fn hold(store: &Store, name: &str, who: &str, from: i64, until: i64) -> Option<Held> {
    let fence = store.acquire_lease(&ws(), name, &worker(who), at(from), at(until)).await.unwrap()?;
    Some(Held { name: name.to_owned(), holder: worker(who), fence })
}

/// All that a calendar is known to have, one at a time.
async fn all_known(store: &Store, of: &CalendarRef) -> Vec<KnownCopy> {
    let (mut all, mut after) = (Vec::new(), Some(EventId(String::new())));
    while let Some(behind) = after {
        let (known, more) = store.known_copies(of, &behind, 1).await.unwrap();
        all.extend(known);
        after = more;
    }
    all
}

fn uid(text: &str) -> Uid {
    Uid::read(text).unwrap()
}

pub(super) fn event(id: &str, summary: &str) -> Event {
    let start = |seconds| Moment::At { at: at(seconds), zone: "Europe/Berlin".to_owned() };
    let organizer = Party::read("ada@example.org", Some("Ada"));
    let content = Content { summary: summary.to_owned(), organizer, ..Content::new(start(3600), start(7200)) };
    Event {
        id: EventId(id.to_owned()),
        etag: Some(Etag(summary.to_owned())),
        uid: Some(uid(&format!("{id}@calendar.example"))),
        series: None,
        rid: Rid::At(at(3600)),
        and_following: false,
        status: Status::Confirmed,
        created: None,
        modified: None,
        sequence: 0,
        body: Body::Open(Box::new(content)),
    }
}

/// What a calendar says of an event that is gone: its own name of it.
fn gone(id: &str) -> Event {
    Event { uid: None, rid: Rid::Single, status: Status::Cancelled, body: Body::Bare, ..event(id, "") }
}

pub(super) fn page(of: &CalendarRef, held: &Held, now: i64, events: Vec<Event>, settles: bool) -> CalendarPage {
    CalendarPage {
        of: of.clone(),
        held: held.clone(),
        began: at(now),
        now: at(now),
        copies: events.into_iter().map(|event| NewCopy { event, organizes: true }).collect(),
        cursor: format!("c{now}"),
        whole: settles.then_some(Window::ALL),
        swept: false,
        zone: Some("Europe/Berlin".to_owned()),
        next_at: at(now + 60),
        told_next_at: None,
    }
}

async fn due(store: &Store, now: i64) -> Vec<DueSeries> {
    store.due_series(&ws(), &integration(), at(now), 10).await.unwrap()
}

async fn names(store: &Store, now: i64) -> Vec<String> {
    due(store, now).await.into_iter().map(|series| series.uid.to_string()).collect()
}

fn meeting(id: &str, verdict: Verdict, title: &str) -> StoredMeeting {
    let link = Link::new(Role::Meeting, RecordId::from("00U1"), None, Fields::new());
    StoredMeeting {
        key: MeetingKey { uid: uid(&format!("{id}@calendar.example")), rid: Rid::At(at(3600)) },
        state: MeetingState {
            verdict,
            privacy: Privacy::Synced,
            title: Some(title.to_owned()),
            start: Some(at(3600)),
            first: false,
            shortened: BTreeSet::new(),
            problem: None,
            rest_until: None,
            invited: BTreeSet::new(),
            refused: None,
            carried: Fields::new(),
            untold: None,
            made: None,
            doubt: None,
        },
        links: Links::from([(Slot::Meeting, link)]),
        plan: None,
    }
}

fn mail(email: &str, revision: u32) -> NewMail {
    let letter = GuestLetter {
        subject: format!("Revision {revision}"),
        text: "It takes place.".to_owned(),
        organizer: Party::read("rosa@host.example", None).unwrap(),
        content_type: "text/calendar".to_owned(),
        body: "BEGIN:VCALENDAR".to_owned(),
        until: at(7200),
    };
    let key = MeetingKey { uid: uid("a@calendar.example"), rid: Rid::Single };
    NewMail { key, word: "invited".to_owned(), revision, email: email.to_owned(), letter }
}

async fn save(store: &Store, held: &Held, now: i64, looked: DueSeries, meetings: Vec<StoredMeeting>) -> bool {
    let journal = vec![entry(now, JournalKind::Written, "Wrote a meeting")];
    let (workspace, integration, held) = (ws(), integration(), held.clone());
    let (looked, mails) = (vec![(looked, None)], vec![]);
    store
        .save_meetings(SaveMeetings { workspace, integration, held, now: at(now), meetings, looked, mails, journal })
        .await
        .unwrap()
}

on_all! {
    /// A reading counts once it has come to its end, be it of everything or of changes.
    ///
    /// proves: C4
    async fn a_reading_counts_when_it_has_ended(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 100).await.unwrap();
        let pages = [(false, None, 0), (true, None, 1), (false, None, 1), (false, Some(at(60)), 2)];
        for (now, (settles, told_next_at, readings)) in (1..).zip(pages) {
            let page = CalendarPage { told_next_at, ..page(&rosa, &held, now, vec![], settles) };
            assert!(store.take_calendar_page(page).await.unwrap());
            assert_eq!(store.begin_calendar(&rosa, at(now)).await.unwrap().readings, readings);
        }
        assert_eq!(store.calendars(&ws(), &integration()).await.unwrap()[0].1.readings, 2);
    }

    /// A booking has its meeting looked at again, whichever of its names it tells, and no other.
    ///
    /// proves: B26
    async fn what_a_booking_tells_has_its_meeting_looked_at(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 100).await.unwrap();
        let events = ["a", "b", "c"].map(|id| event(id, id)).to_vec();
        assert!(store.take_calendar_page(page(&rosa, &held, 1, events, true)).await.unwrap());
        for series in due(&store, 2).await {
            assert!(save(&store, &held, 2, series, Vec::new()).await);
        }
        assert_eq!(names(&store, 9).await, Vec::<String>::new());
        for (told, expected) in [("a@calendar.example", vec!["a@calendar.example"]), ("b", vec!["b@calendar.example"]), ("d", vec![])] {
            let chain = take_and_claim(&store, told, 10).await;
            let mut end = settlement(&chain, done("00U1"));
            end.shared = vec![shared(&format!("event:{told}"), "00U1"), shared("person:c", "003")];
            store.settle(vec![end], at(11)).await.unwrap();
            assert_eq!(names(&store, 12).await, expected, "{told}");
            for series in due(&store, 12).await {
                assert!(save(&store, &held, 12, series, Vec::new()).await);
            }
            store.take_in(delivery(&format!("{told}-again"), 13, vec![cancelled(told, 13)])).await.unwrap();
            let chain = claim(&store, "w1", 14).await.remove(0);
            let mut end = settlement(&chain, done("00U1"));
            end.shared = vec![shared(&format!("event:{told}"), "00U1")];
            store.settle(vec![end], at(15)).await.unwrap();
            assert_eq!(names(&store, 16).await, Vec::<String>::new(), "{told} is no news");
        }
    }

    /// A reading of everything lasts until what it did not show was asked for, whatever is read meanwhile and whoever goes on
    /// with it, and so does what a person said of it.
    ///
    /// proves: C10
    async fn a_whole_reading_lasts_until_it_is_swept(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 100).await.unwrap();
        let state = || async { store.begin_calendar(&rosa, at(0)).await.unwrap() };
        let take = |page: CalendarPage| async { assert!(store.take_calendar_page(page).await.unwrap()) };
        for (began, confirmed) in [(1, false), (20, true), (40, true)] {
            if confirmed {
                store.confirm_calendar(&rosa, at(began)).await.unwrap();
                let asked = state().await;
                assert_eq!((asked.whole_at, asked.next_at), (Some(CalendarState::NEVER), at(began)));
            }
            assert!(store.read_calendar_anew(&rosa, &held, at(began)).await.unwrap());
            let said = confirmed.then(|| at(began));
            let window = Window { from: at(began), ..Window::ALL };
            take(page(&rosa, &held, began + 1, vec![], false)).await;
            let between = state().await;
            assert_eq!((between.whole_at, between.unswept, between.confirmed_at), (None, None, said));
            take(CalendarPage { whole: Some(window), ..page(&rosa, &held, began + 2, vec![], true) }).await;
            assert!(store.calendar_failed(&rosa, &held, at(began + 3), at(began + 4), "it is shut").await.unwrap());
            take(page(&rosa, &held, began + 5, vec![], false)).await;
            let ended = state().await;
            assert_eq!((ended.whole_at, ended.unswept, ended.confirmed_at), (None, Some(window), said));
            assert_eq!((ended.failures, ended.problem.as_deref()), (1, Some("it is shut")));
            if began == 20 {
                // It has to begin again, and what was said of it still holds.
                assert!(store.read_calendar_anew(&rosa, &held, at(26)).await.unwrap());
                let again = state().await;
                assert_eq!((again.unswept, again.confirmed_at), (None, said));
            }
            take(CalendarPage { swept: true, ..page(&rosa, &held, began + 7, vec![], false) }).await;
            let over = state().await;
            assert_eq!((over.whole_at, over.unswept, over.confirmed_at), (Some(at(began + 7)), None, None));
            assert_eq!((over.failures, over.problem), (0, None));
        }
    }

    /// What a person says while somebody reads the calendar is not lost: that reading ends without it, and the next one begins
    /// anew with it.
    ///
    /// proves: C10
    async fn a_word_in_the_middle_of_a_reading_holds_for_the_next(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 100).await.unwrap();
        let state = || async { store.begin_calendar(&rosa, at(0)).await.unwrap() };
        assert!(store.read_calendar_anew(&rosa, &held, at(1)).await.unwrap());
        store.confirm_calendar(&rosa, at(2)).await.unwrap();
        let whole = CalendarPage { whole: Some(Window::ALL), ..page(&rosa, &held, 3, vec![], true) };
        let swept = CalendarPage { swept: true, ..page(&rosa, &held, 4, vec![], false) };
        for page in [whole, swept] {
            let now = page.now;
            assert!(store.take_calendar_page(page).await.unwrap());
            let asked = state().await;
            assert_eq!((asked.whole_at, asked.confirmed_at), (Some(CalendarState::NEVER), Some(at(2))));
            assert!(asked.next_at <= now, "{asked:?}");
        }
        assert!(store.read_calendar_anew(&rosa, &held, at(5)).await.unwrap());
        assert!(store.take_calendar_page(CalendarPage { swept: true, ..page(&rosa, &held, 6, vec![], true) }).await.unwrap());
        assert_eq!((state().await.whole_at, state().await.confirmed_at), (Some(at(6)), None));
    }

    /// proves: C10, V3
    async fn a_page_and_its_place_are_stored_together(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        let begun = store.begin_calendar(&rosa, at(0)).await.unwrap();
        assert_eq!((begun.cursor, begun.epoch, begun.settled, begun.connected_at), (None, 1, false, at(0)));
        let slow = hold(&store, "calendar:rosa", "w1", 0, 100).await.unwrap();
        assert!(store.take_calendar_page(page(&rosa, &slow, 1, vec![event("a", "One")], false)).await.unwrap());
        assert!(store.take_calendar_page(page(&rosa, &slow, 2, vec![event("b", "Two")], true)).await.unwrap());
        let state = store.begin_calendar(&rosa, at(3)).await.unwrap();
        assert_eq!((state.cursor.as_deref(), state.settled, state.next_at), (Some("c2"), true, at(62)));
        assert_eq!(names(&store, 3).await, ["a@calendar.example", "b@calendar.example"]);
        // Whoever lost the lease stores nothing.
        let quick = hold(&store, "calendar:rosa", "w2", 100, 200).await.unwrap();
        assert!(!store.take_calendar_page(page(&rosa, &slow, 101, vec![event("c", "Three")], false)).await.unwrap());
        assert!(!store.calendar_failed(&rosa, &slow, at(101), at(102), "no").await.unwrap());
        assert!(!store.read_calendar_anew(&rosa, &slow, at(101)).await.unwrap());
        assert_eq!(store.begin_calendar(&rosa, at(101)).await.unwrap().cursor.as_deref(), Some("c2"));
        assert!(store.calendar_failed(&rosa, &quick, at(102), at(500), "it is shut").await.unwrap());
        let state = store.begin_calendar(&rosa, at(103)).await.unwrap();
        assert_eq!((state.failures, state.problem.as_deref(), state.next_at), (1, Some("it is shut"), at(500)));
        let swept = CalendarPage { swept: true, ..page(&rosa, &quick, 104, vec![], false) };
        assert!(store.take_calendar_page(swept).await.unwrap());
        let state = store.begin_calendar(&rosa, at(105)).await.unwrap();
        assert_eq!((state.failures, state.problem, state.settled), (0, None, true), "settled once is settled");
    }

    /// A copy that cannot be read hides no other, keeps what its columns say, and is read anew as soon as the calendar shows it;
    /// a meeting that cannot be read hides no other. proves: V4
    async fn what_cannot_be_read_of_one_meeting_hides_no_other(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        let events = || vec![event("a", "One"), event("b", "Two")];
        store.take_calendar_page(page(&rosa, &held, 1, events(), true)).await.unwrap();
        let decides = hold(&store, "meetings", "w1", 0, 1000).await.unwrap();
        for (series, name) in due(&store, 2).await.into_iter().zip(["a", "b"]) {
            save(&store, &decides, 2, series, vec![meeting(name, Verdict::Log, "One")]).await;
        }
        world.damage(&format!("update calendar_copy set copy = {} where event = 'a'", world.junk())).await;
        let read = |name: &str| { let (store, uid) = (store.clone(), uid(&format!("{name}@calendar.example"))); async move { store.series(&ws(), &integration(), &uid).await } };
        assert!(matches!(read("a").await, Err(crate::Error::Corrupt(_))), "nothing is decided by the copies that are left");
        assert_eq!(read("b").await.unwrap().0.len(), 1);
        assert_eq!(all_known(&store, &rosa).await.len(), 1);
        store.take_calendar_page(page(&rosa, &held, 3, events(), false)).await.unwrap();
        assert_eq!(names(&store, 3).await, ["a@calendar.example"], "what it shows is news");
        let (copies, _) = read("a").await.unwrap();
        assert!(copies.len() == 1 && copies[0].baseline, "it was there before, and is so still");
        world.damage(&format!("update calendar_meeting set state = {} where uid = 'a@calendar.example'", world.junk())).await;
        assert!(matches!(read("a").await, Err(crate::Error::Corrupt(_))));
        let listed = store.meetings(&ws(), &integration(), MeetingFilter::All, 0, 9).await.unwrap();
        assert_eq!(listed.len(), 1);
    }

    /// proves: C6, C10: what was there at first is known as such; what says nothing new makes nothing due.
    async fn copies_know_whether_they_are_new(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 1, vec![event("old", "One"), event("same", "Two")], true)).await.unwrap();
        let decides = hold(&store, "meetings", "w1", 0, 1000).await.unwrap();
        for series in due(&store, 2).await {
            assert!(save(&store, &decides, 2, series, vec![]).await);
        }
        let news = vec![event("old", "Changed"), event("same", "Two"), event("new", "Three")];
        store.take_calendar_page(page(&rosa, &held, 3, news, false)).await.unwrap();
        assert_eq!(names(&store, 4).await, ["new@calendar.example", "old@calendar.example"]);
        for (id, baseline, touched) in [("old", true, true), ("same", true, false), ("new", false, false)] {
            let (copies, _) = store.series(&ws(), &integration(), &uid(&format!("{id}@calendar.example"))).await.unwrap();
            assert_eq!(copies.iter().map(|copy| (copy.baseline, copy.touched)).collect::<Vec<_>>(), [(baseline, touched)], "{id}");
        }
    }

    /// proves: C10: calendars repeat rows, within a page too; the last one counts, and one more look is enough.
    async fn a_page_may_name_an_event_twice(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        let rows = vec![event("a", "One"), event("b", "Else"), event("a", "Two")];
        assert!(store.take_calendar_page(page(&rosa, &held, 1, rows, true)).await.unwrap());
        assert_eq!(names(&store, 2).await, ["a@calendar.example", "b@calendar.example"]);
        // Changed and changed back, both on one page.
        let rows = vec![event("a", "Three"), event("a", "Two")];
        assert!(store.take_calendar_page(page(&rosa, &held, 3, rows, false)).await.unwrap());
        let (copies, _) = store.series(&ws(), &integration(), &uid("a@calendar.example")).await.unwrap();
        let texts: Vec<_> = copies.iter().map(|copy| copy.event.content().unwrap().summary.as_str()).collect();
        assert_eq!(texts, ["Two"]);
    }

    /// proves: C4, C10: an event that is gone is still known for what it was; one that a whole reading did not show is named.
    async fn what_is_gone_keeps_its_name(world: &World) {
        let store = world.store().await;
        let (rosa, sam) = (of("rosa/primary"), of("sam/primary"));
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        for calendar in [&rosa, &sam] {
            store.begin_calendar(calendar, at(0)).await.unwrap();
            store.take_calendar_page(page(calendar, &held, 1, vec![event("a", "One"), event("b", "Two")], true)).await.unwrap();
        }
        store.take_calendar_page(page(&rosa, &held, 2, vec![gone("a")], false)).await.unwrap();
        let (copies, _) = store.series(&ws(), &integration(), &uid("a@calendar.example")).await.unwrap();
        let by_calendar: Vec<_> = copies.iter().map(|copy| (copy.calendar.as_str(), copy.event.body == Body::Bare, copy.event.rid, copy.organizes)).collect();
        let rid = Rid::At(at(3600));
        assert_eq!(by_calendar, [("rosa/primary", true, rid, true), ("sam/primary", false, rid, true)]);
        // Its place is no longer good: all is read anew, and one event does not come.
        assert!(store.read_calendar_anew(&sam, &held, at(3)).await.unwrap());
        let state = store.begin_calendar(&sam, at(3)).await.unwrap();
        assert_eq!((state.cursor, state.epoch, state.settled), (None, 2, true));
        store.take_calendar_page(page(&sam, &held, 4, vec![event("b", "Two")], true)).await.unwrap();
        let known = all_known(&store, &sam).await;
        let epochs: Vec<_> = known.iter().map(|known| (known.event.0.as_str(), known.epoch, known.content.is_some())).collect();
        assert_eq!(epochs, [("a", 1, true), ("b", 2, true)]);
        // What is known to be gone is not missed once more.
        assert_eq!(all_known(&store, &rosa).await.len(), 1);
    }

    /// proves: C10: a calendar that counts up for a reminder tells no news, and one that says more does.
    async fn another_version_of_the_same_is_no_news(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        let decides = hold(&store, "meetings", "w2", 0, 1000).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 1, vec![event("a", "One")], true)).await.unwrap();
        let seen = due(&store, 2).await.remove(0);
        assert!(save(&store, &decides, 3, seen, vec![]).await);
        let again = Event { etag: Some(Etag("2".into())), sequence: 4, ..event("a", "One") };
        store.take_calendar_page(page(&rosa, &held, 4, vec![again], false)).await.unwrap();
        assert_eq!(names(&store, 5).await, Vec::<String>::new());
        let (copies, _) = store.series(&ws(), &integration(), &uid("a@calendar.example")).await.unwrap();
        assert_eq!((copies[0].event.etag.clone(), copies[0].touched), (Some(Etag("2".into())), false));
        store.take_calendar_page(page(&rosa, &held, 6, vec![event("a", "Two")], false)).await.unwrap();
        assert_eq!(names(&store, 7).await, ["a@calendar.example"]);
    }

    /// proves: C7: an occurrence that is gone, and that came before its series, belongs to it once the series comes.
    async fn an_occurrence_without_a_name_finds_its_series(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        let off = |id: &str| Event { rid: Rid::At(at(90_000)), series: Some(EventId("weekly".into())), ..gone(id) };
        let mut weekly = Event { rid: Rid::Single, ..event("weekly", "Plan") };
        if let Body::Open(content) = &mut weekly.body {
            content.recurrence = vec!["RRULE:FREQ=DAILY".to_owned()];
        }
        store.take_calendar_page(page(&rosa, &held, 1, vec![off("weekly_1")], false)).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 2, vec![weekly.clone()], false)).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 3, vec![off("weekly_2")], false)).await.unwrap();
        let (copies, _) = store.series(&ws(), &integration(), &weekly.uid.clone().unwrap()).await.unwrap();
        let ids: Vec<&str> = copies.iter().map(|copy| copy.event.id.0.as_str()).collect();
        assert_eq!(ids, ["weekly", "weekly_1", "weekly_2"]);
        // In one page, in whichever order.
        let other = of("sam/primary");
        store.begin_calendar(&other, at(0)).await.unwrap();
        store.take_calendar_page(page(&other, &held, 4, vec![off("weekly_3"), weekly.clone()], true)).await.unwrap();
        assert_eq!(store.series(&ws(), &integration(), &weekly.uid.unwrap()).await.unwrap().0.len(), 5);
    }

    /// proves: C8: every meeting is listed with what became of it, and those that a person has to look at are tried again.
    async fn meetings_are_listed_by_what_became_of_them(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        let decides = hold(&store, "meetings", "w2", 0, 1000).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 1, vec![event("a", "One")], true)).await.unwrap();
        let seen = due(&store, 2).await.remove(0);
        let mut refused = meeting("c", Verdict::Log, "Three");
        refused.state.problem = Some("no such field".to_owned());
        let all = vec![meeting("a", Verdict::Log, "One"), meeting("b", Verdict::LeftOut(Reason::InternalOnly), "Two"), refused];
        assert!(save(&store, &decides, 3, seen, all).await);
        let list = async |filter, after| {
            let views = store.meetings(&ws(), &integration(), filter, after, 2).await.unwrap();
            views.into_iter().map(|view| (view.id, view.key.uid.to_string())).collect::<Vec<_>>()
        };
        let first = list(MeetingFilter::All, 0).await;
        assert_eq!(first.iter().map(|(_, uid)| uid.as_str()).collect::<Vec<_>>(), ["a@calendar.example", "b@calendar.example"]);
        assert_eq!(list(MeetingFilter::All, first[1].0).await.len(), 1);
        assert_eq!(list(MeetingFilter::Verdict("internal_only".into()), 0).await, [first[1].clone()]);
        assert_eq!(list(MeetingFilter::Held, 0).await[0].1, "c@calendar.example");
        assert_eq!(list(MeetingFilter::LeftOut, 0).await, [first[1].clone()]);
        let newest = async |filter, before| store.newest_meetings(&ws(), &integration(), filter, before, 2).await.unwrap();
        let page = newest(MeetingFilter::All, None).await;
        assert_eq!(page.iter().map(|view| view.key.uid.as_str()).collect::<Vec<_>>(), ["c@calendar.example", "b@calendar.example"]);
        assert_eq!(page[0].record.as_ref().map(RecordId::as_str), Some("00U1"));
        let uids = async |filter, before| {
            newest(filter, before).await.into_iter().map(|view| view.key.uid.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(uids(MeetingFilter::All, Some(page[1].id)).await, ["a@calendar.example"]);
        assert_eq!(uids(MeetingFilter::Verdict("log".into()), None).await, ["c@calendar.example", "a@calendar.example"]);
        assert_eq!(uids(MeetingFilter::LeftOut, None).await, ["b@calendar.example"]);
        assert_eq!(uids(MeetingFilter::Held, None).await, ["c@calendar.example"]);
        assert!(store.newest_meetings(&"other".into(), &integration(), MeetingFilter::All, None, 2).await.unwrap().is_empty());
        assert_eq!(store.calendars(&ws(), &integration()).await.unwrap()[0].1.read_at, Some(at(1)));
        let counts = store.meeting_counts(&ws(), &integration()).await.unwrap();
        assert_eq!((counts.verdicts["log"], counts.verdicts["internal_only"], counts.held, counts.next_at), (2, 1, 1, None));
        assert_eq!(store.retry_meetings(&ws(), &integration(), at(9)).await.unwrap(), 1);
        assert_eq!(names(&store, 9).await, ["c@calendar.example"]);
    }

    /// proves: V3, V5: news that come while a decision is made stay due, and a decision of a lost lease is none.
    async fn a_decision_does_not_undo_news(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let reads = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        let decides = hold(&store, "meetings", "w2", 0, 100).await.unwrap();
        store.take_calendar_page(page(&rosa, &reads, 1, vec![event("a", "One")], true)).await.unwrap();
        let seen = due(&store, 2).await.remove(0);
        store.take_calendar_page(page(&rosa, &reads, 3, vec![event("a", "Two")], false)).await.unwrap();
        assert!(save(&store, &decides, 4, seen, vec![meeting("a", Verdict::Log, "One")]).await);
        let still = due(&store, 5).await;
        assert_eq!(still.len(), 1, "it was told of anew");
        let stored = store.series(&ws(), &integration(), &still[0].uid).await.unwrap().1;
        assert_eq!(stored, [meeting("a", Verdict::Log, "One")]);
        assert!(!save(&store, &decides, 101, still[0].clone(), vec![meeting("a", Verdict::LeftOut(Reason::Private), "x")]).await);
        let decides = hold(&store, "meetings", "w3", 101, 200).await.unwrap();
        let looked = vec![(DueSeries { tries: 3, ..still[0].clone() }, Some(at(150)))];
        let again = SaveMeetings { workspace: ws(), integration: integration(), held: decides.clone(), now: at(102), meetings: vec![], looked, mails: vec![], journal: vec![] };
        assert!(store.save_meetings(again).await.unwrap());
        assert_eq!(names(&store, 149).await, [""; 0]);
        assert_eq!(due(&store, 150).await[0].tries, 3);
        assert!(save(&store, &decides, 151, due(&store, 150).await.remove(0), vec![]).await);
        assert_eq!(due(&store, 1_000).await, []);
    }

    /// Mails to guests are written down with the decision that they tell of, once for each revision; one is begun by one holder
    /// alone, and what was begun is not begun again before a person says so.
    ///
    /// proves: C9, V1, V2
    async fn a_guest_is_mailed_once_of_each_revision(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "calendars:meetings", "w1", 0, 100).await.unwrap();
        let keep = async |held: &Held, now: i64, mails: Vec<NewMail>| {
            let (workspace, integration, held) = (ws(), integration(), held.clone());
            let save = SaveMeetings { workspace, integration, held, now: at(now), meetings: vec![], looked: vec![], mails, journal: vec![] };
            store.save_meetings(save).await.unwrap()
        };
        let waiting = async |now: i64| -> Vec<(String, bool, String)> {
            let all = store.calendar_mails(&ws(), &integration(), at(now), 10).await.unwrap();
            all.into_iter().map(|mail| (mail.email, mail.begun, mail.letter.subject)).collect()
        };
        let settle = async |held: &Held, now: i64, id: i64, state: MailState| {
            store.settle_mail(&ws(), &integration(), held, at(now), id, state, None).await.unwrap()
        };
        let due = |email: &str, begun: bool, subject: &str| (email.to_owned(), begun, subject.to_owned());
        assert!(keep(&held, 1, vec![mail("ada@example.org", 0), mail("bob@example.org", 0)]).await);
        assert!(keep(&held, 2, vec![mail("ada@example.org", 0)]).await, "it is known already");
        assert_eq!(waiting(3).await, [due("ada@example.org", false, "Revision 0"), due("bob@example.org", false, "Revision 0")]);
        let ids: Vec<i64> = store.calendar_mails(&ws(), &integration(), at(3), 10).await.unwrap().iter().map(|mail| mail.id).collect();
        assert!(store.begin_mail(&ws(), &held, at(3), ids[0]).await.unwrap());
        assert!(!store.begin_mail(&ws(), &held, at(3), ids[0]).await.unwrap(), "it is under way");
        assert_eq!(waiting(3).await[0], due("ada@example.org", true, "Revision 0"));
        assert!(settle(&held, 4, ids[0], MailState::Sent).await);
        // Nobody took the other; meanwhile the meeting is moved, and what was not sent of before is no longer true.
        assert!(store.begin_mail(&ws(), &held, at(4), ids[1]).await.unwrap());
        let problem = "the mail server is down".to_owned();
        assert!(settle(&held, 4, ids[1], MailState::Later { at: at(50), problem: problem.clone() }).await);
        assert_eq!(waiting(49).await, []);
        assert!(keep(&held, 5, vec![mail("ada@example.org", 1), mail("bob@example.org", 1), mail("ada@example.org", 0)]).await);
        assert_eq!(waiting(60).await, [due("ada@example.org", false, "Revision 1"), due("bob@example.org", false, "Revision 1")]);
        // The holder dies with one under way: the next sees that, and sends nothing.
        let ids: Vec<i64> = store.calendar_mails(&ws(), &integration(), at(60), 10).await.unwrap().iter().map(|mail| mail.id).collect();
        assert!(store.begin_mail(&ws(), &held, at(60), ids[0]).await.unwrap());
        let next = hold(&store, "calendars:meetings", "w2", 101, 200).await.unwrap();
        assert!(!keep(&held, 102, vec![mail("eve@example.org", 1)]).await);
        assert!(!store.begin_mail(&ws(), &held, at(102), ids[1]).await.unwrap());
        assert!(!settle(&held, 102, ids[0], MailState::Unknown { problem: problem.clone() }).await);
        assert!(settle(&next, 102, ids[0], MailState::Unknown { problem: problem.clone() }).await);
        assert!(settle(&next, 102, ids[1], MailState::Refused { problem }).await);
        assert_eq!(waiting(150).await, []);
        assert_eq!(store.retry_meetings(&ws(), &integration(), at(151)).await.unwrap(), 2);
        assert_eq!(waiting(151).await.len(), 2);
        // Who never heard of a meeting does not hear that it is off, either; who did, does.
        assert!(keep(&next, 151, vec![mail("eve@example.org", 1)]).await);
        let off = |email: &str| NewMail { word: crate::GUEST_OFF.into(), ..mail(email, 2) };
        assert!(keep(&next, 151, vec![off("eve@example.org")]).await);
        assert_eq!(waiting(151).await.len(), 2);
        // What is settled is forgotten after a while, what waits is not.
        let id = store.calendar_mails(&ws(), &integration(), at(151), 1).await.unwrap()[0].id;
        assert!(store.begin_mail(&ws(), &next, at(151), id).await.unwrap() && settle(&next, 152, id, MailState::Sent).await);
        store.sweep(&ws(), at(100 * 24 * 3600), crate::Retention::default()).await.unwrap();
        let found = store.dossier(&ws(), "bob@example.org").await.unwrap();
        assert_eq!(found.mails.iter().map(|mail| mail.state.as_str()).collect::<Vec<_>>(), ["due"]);
        assert!(store.dossier(&ws(), "ada@example.org").await.unwrap().mails.is_empty());
    }

    /// proves: C3, C9: meetings to come are found by their start, and those of which guests were not told yet by that.
    async fn meetings_to_come_and_untold_ones_are_found(world: &World) {
        let store = world.store().await;
        let held = hold(&store, "calendars:meetings", "w1", 0, 1000).await.unwrap();
        let mut all = ["past", "soon", "later"].map(|id| meeting(id, Verdict::Log, id));
        for (meeting, start) in all.iter_mut().zip([100, 300, 400]) {
            meeting.state.start = Some(at(start));
        }
        let left_out = meeting("none", Verdict::LeftOut(Reason::NoContact), "none");
        all[2].state.untold = Some(Box::new(EventIn { calendar: "rosa".into(), event: event("later", "Later") }));
        all[2].state.invited = BTreeSet::from(["ada@example.org".to_owned()]);
        let (workspace, held) = (ws(), held.clone());
        let meetings = all.iter().cloned().chain([left_out]).collect();
        let save = SaveMeetings { workspace, integration: integration(), held, now: at(1), meetings, looked: vec![], mails: vec![], journal: vec![] };
        assert!(store.save_meetings(save.clone()).await.unwrap());
        assert_eq!(store.meetings_ahead(&ws(), &integration(), at(200), 10).await.unwrap(), all[1..]);
        assert_eq!(store.meetings_ahead(&ws(), &integration(), at(200), 1).await.unwrap(), all[1..2]);
        assert_eq!(store.untold_meetings(&ws(), &integration(), 10).await.unwrap(), all[2..]);
        all[2].state.untold = None;
        assert!(store.save_meetings(SaveMeetings { meetings: all.to_vec(), ..save }).await.unwrap());
        assert_eq!(store.untold_meetings(&ws(), &integration(), 10).await.unwrap(), []);
    }

    /// proves: O8, sec:G1: whoever is erased is no longer in events and meetings, and they can still be read.
    async fn a_person_is_taken_out_of_events(world: &World) {
        let store = world.store().await;
        let rosa = of("rosa/primary");
        store.begin_calendar(&rosa, at(0)).await.unwrap();
        let held = hold(&store, "calendar:rosa", "w1", 0, 1000).await.unwrap();
        store.take_calendar_page(page(&rosa, &held, 1, vec![event("a", "Call ada@example.org")], true)).await.unwrap();
        let series = due(&store, 2).await.remove(0);
        save(&store, &held, 3, series, vec![meeting("a", Verdict::Log, "Call ada@example.org")]).await;
        let found = store.dossier(&ws(), "ada@example.org").await.unwrap();
        assert_eq!((found.events.len(), found.meetings.len()), (1, 1));
        let (workspace, integration, held) = (ws(), integration(), held.clone());
        // Whom a mail goes to, and who else comes, stands in it.
        let mails = vec![mail("ada@example.org", 0), NewMail { letter: GuestLetter { text: "with ada@example.org".into(), ..mail("x", 0).letter }, ..mail("bob@example.org", 0) }, mail("eve@example.org", 0)];
        let save = SaveMeetings { workspace, integration: integration.clone(), held, now: at(4), meetings: vec![], looked: vec![], mails, journal: vec![] };
        assert!(store.save_meetings(save).await.unwrap());
        let erased = store.erase_person(&ws(), "ada@example.org", at(4)).await.unwrap();
        assert_eq!((erased.events, erased.mails), (2, 2));
        let left = store.calendar_mails(&ws(), &integration, at(5), 10).await.unwrap();
        assert_eq!(left.iter().map(|mail| mail.email.as_str()).collect::<Vec<_>>(), ["eve@example.org"]);
        let found = store.dossier(&ws(), "ada@example.org").await.unwrap();
        assert_eq!((found.events.len(), found.meetings.len()), (0, 0));
        let (copies, meetings) = store.series(&ws(), &integration, &uid("a@calendar.example")).await.unwrap();
        assert_eq!(copies[0].event.content().unwrap().summary, "Call (erased)");
        assert_eq!(meetings[0].state.title.as_deref(), Some("Call (erased)"));
        assert_eq!(meetings[0].links.len(), 1);
    }
}
