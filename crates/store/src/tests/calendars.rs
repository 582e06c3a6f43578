//! Calendars: pages and places together, by whoever holds the lease; what is gone keeps its name; decisions do not undo news.

use syncline_core::{
    calendar::{
        eligible::{Reason, Verdict},
        event::{Body, Content, Etag, Event, EventId, Moment, Party, Status},
        identity::{MeetingKey, Rid, Uid},
        privacy::Privacy,
    },
    ids::{IntegrationId, RecordId},
    record::{Fields, Role, Slot},
    step::Link,
};

use super::world::*;
use crate::{
    CalendarPage, CalendarRef, DueSeries, Held, JournalKind, Links, MeetingFilter, MeetingState, NewCopy, SaveMeetings,
    Store, StoredMeeting,
};

fn integration() -> IntegrationId {
    IntegrationId::new("meetings")
}

fn of(calendar: &str) -> CalendarRef {
    CalendarRef { workspace: ws(), integration: integration(), calendar: calendar.to_owned() }
}

async fn hold(store: &Store, name: &str, who: &str, from: i64, until: i64) -> Option<Held> {
    let fence = store.acquire_lease(&ws(), name, &worker(who), at(from), at(until)).await.unwrap()?;
    Some(Held { name: name.to_owned(), holder: worker(who), fence })
}

fn uid(text: &str) -> Uid {
    Uid::read(text).unwrap()
}

fn event(id: &str, summary: &str) -> Event {
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

fn page(of: &CalendarRef, held: &Held, now: i64, events: Vec<Event>, settles: bool) -> CalendarPage {
    CalendarPage {
        of: of.clone(),
        held: held.clone(),
        now: at(now),
        copies: events.into_iter().map(|event| NewCopy { event, organizes: true }).collect(),
        cursor: format!("c{now}"),
        settles,
        zone: Some("Europe/Berlin".to_owned()),
        next_at: at(now + 60),
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
            problem: None,
            rest_until: None,
        },
        links: Links::from([(Slot::Meeting, link)]),
        plan: None,
    }
}

async fn save(store: &Store, held: &Held, now: i64, looked: DueSeries, meetings: Vec<StoredMeeting>) -> bool {
    let journal = vec![entry(now, JournalKind::Written, "Wrote a meeting")];
    let (workspace, integration, held) = (ws(), integration(), held.clone());
    let looked = vec![(looked, None)];
    store
        .save_meetings(SaveMeetings { workspace, integration, held, now: at(now), meetings, looked, journal })
        .await
        .unwrap()
}

on_all! {
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
        assert!(store.take_calendar_page(page(&rosa, &quick, 104, vec![], false)).await.unwrap());
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
        assert_eq!(store.known_copies(&rosa).await.unwrap().len(), 1);
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
        let known = store.known_copies(&sam).await.unwrap();
        let epochs: Vec<_> = known.iter().map(|known| (known.event.0.as_str(), known.epoch, known.start.is_some())).collect();
        assert_eq!(epochs, [("a", 1, true), ("b", 2, true)]);
        // What is known to be gone is not missed once more.
        assert_eq!(store.known_copies(&rosa).await.unwrap().len(), 1);
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
        let again = SaveMeetings { workspace: ws(), integration: integration(), held: decides.clone(), now: at(102), meetings: vec![], looked, journal: vec![] };
        assert!(store.save_meetings(again).await.unwrap());
        assert_eq!(names(&store, 149).await, [""; 0]);
        assert_eq!(due(&store, 150).await[0].tries, 3);
        assert!(save(&store, &decides, 151, due(&store, 150).await.remove(0), vec![]).await);
        assert_eq!(due(&store, 1_000).await, []);
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
        let erased = store.erase_person(&ws(), "ada@example.org", at(4)).await.unwrap();
        assert_eq!(erased.events, 2);
        let found = store.dossier(&ws(), "ada@example.org").await.unwrap();
        assert_eq!((found.events.len(), found.meetings.len()), (0, 0));
        let (copies, meetings) = store.series(&ws(), &integration(), &uid("a@calendar.example")).await.unwrap();
        assert_eq!(copies[0].event.content().unwrap().summary, "Call (erased)");
        assert_eq!(meetings[0].state.title.as_deref(), Some("Call (erased)"));
        assert_eq!(meetings[0].links.len(), 1);
    }
}
