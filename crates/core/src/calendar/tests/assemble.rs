//! Series put together from their parts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, PEOPLE, contents, event, instant, meeting},
};
use crate::{
    calendar::{
        assemble::assemble,
        canon::canonical,
        event::{Body, Content, Etag, Event, EventId, Moment, Status},
        identity::{MeetingKey, Rid, Uid, event_seed},
        meeting::{CrmMeeting, NotInvited, is_significant, may_create},
        recur::{Source, Window, expand, named_by_series},
        series::{LoggedSeries, Series, SeriesPolicy, wanted},
    },
    ids::{ConnectionId, RecordId, WorkspaceId},
};

fn weekly() -> Event {
    let mut content = meeting(&[PEOPLE[3]]);
    content.recurrence = vec!["RRULE:FREQ=WEEKLY;COUNT=6".into()];
    Event { id: EventId("master".into()), ..event(content) }
}

fn rid(week: usize) -> Rid {
    Rid::At(instant("2026-03-16T08:00:00Z") + SignedDuration::from_hours(168 * week as i64))
}

fn exception(week: usize, content: Content) -> Event {
    let id = EventId(format!("x{week}"));
    Event { id, rid: rid(week), series: Some(EventId("master".into())), ..event(content) }
}

/// proves: C7, C8
#[test]
fn occurrences_are_events_of_their_own() {
    let master = weekly();
    let moved = exception(
        1,
        Content {
            summary: "Moved".into(),
            start: Moment::utc(instant("2026-03-24T10:00:00Z")),
            ..meeting(&[PEOPLE[5]])
        },
    );
    let (off, hidden) =
        (Event { status: Status::Cancelled, ..exception(2, meeting(&[])) }, exception(3, meeting(&[])).hidden());
    let all = [master, moved, off, hidden];
    let series = assemble(&all, &HOME);
    let content = series.master.unwrap().content().unwrap();
    let found = expand(content, &series.overrides(), Window::ALL, &HOME).unwrap();
    let events: Vec<Event> = found.occurrences.iter().map(|one| series.event(one).unwrap()).collect();
    let subject = |event: &Event| event.content().map(|content| content.summary.clone());
    let shown: Vec<_> = events.iter().map(|event| (event.rid, subject(event))).collect();
    let plain = Some("Plan".to_owned());
    assert_eq!(
        shown,
        [
            (rid(0), plain.clone()),
            (rid(1), Some("Moved".into())),
            (rid(3), None),
            (rid(4), plain.clone()),
            (rid(5), plain)
        ]
    );
    assert!(events.iter().all(|event| event.content().is_none_or(|content| content.recurrence.is_empty())));
    assert_eq!(found.occurrences[1].source, Source::Override(rid(1)));
    // The one that is off, and the hidden one should it go, too.
    let gone = series.called_off(rid(2), &HOME).unwrap();
    assert_eq!((gone.rid, gone.status), (rid(2), Status::Cancelled));
    assert_eq!(series.called_off(rid(3), &HOME).unwrap().body, Body::Private);
    assert_eq!(series.called_off(rid(0), &HOME).unwrap().content().unwrap().start, content.start);
}

/// proves: C4, C7
#[test]
fn a_cancelled_series_takes_its_occurrences_along() {
    let all = [Event { status: Status::Cancelled, ..weekly() }, exception(1, meeting(&[]))];
    let series = assemble(&all, &HOME);
    assert!(series.is_off() && series.overrides()[&rid(1)].cancelled);
    let logged = LoggedSeries { first: Some(rid(0)), rids: BTreeSet::from([rid(0), rid(1)]) };
    let (overrides, changed) = (series.overrides(), BTreeSet::new());
    let known = Series {
        content: series.master.unwrap().content().unwrap(),
        overrides: &overrides,
        changed: &changed,
        home: &HOME,
        from: jiff::Timestamp::MIN,
    };
    let now = wanted(SeriesPolicy::FirstAndChanged, &known, &logged, instant("2026-03-01T00:00:00Z")).unwrap();
    assert_eq!(now.called_off, BTreeSet::from([rid(1)]));
    assert_eq!(series.event(&now.occurrences[0]).unwrap().status, Status::Cancelled);
    assert_eq!(series.called_off(rid(1), &HOME).unwrap().status, Status::Cancelled);
}

/// proves: C7, C9
#[test]
fn an_occurrence_named_by_its_day_is_that_of_the_day() {
    let by_day =
        Event { rid: "20260323".parse().unwrap(), ..exception(1, Content { summary: "Moved".into(), ..meeting(&[]) }) };
    let all = [weekly(), by_day];
    let series = assemble(&all, &HOME);
    assert_eq!(series.exceptions.keys().copied().collect::<Vec<_>>(), [rid(1)]);
    let start = Moment::Day(jiff::civil::date(2026, 3, 16));
    let berlin = crate::calendar::zone::zone("Europe/Berlin").unwrap();
    for told in ["20260316T000000Z", "20260315T230000Z", "20260316"] {
        assert_eq!(named_by_series(told.parse().unwrap(), &start, &berlin).to_string(), "20260316", "{told}");
    }
}

/// proves: C4
#[test]
fn a_meeting_without_a_name_is_known_by_its_calendar() {
    let nameless = Event { uid: None, ..exception(1, meeting(&[])) };
    let key = MeetingKey::of(&nameless, "cal");
    assert_eq!(key, MeetingKey::of(&Event { id: EventId("other".into()), ..nameless.clone() }, "cal"));
    assert_ne!(key, MeetingKey::of(&nameless, "other"));
    assert_ne!(key.uid, MeetingKey::of(&Event { series: None, ..nameless.clone() }, "cal").uid);
    assert_eq!(MeetingKey::of(&event(meeting(&[])), "cal").uid.as_str(), "u1");
}

/// Somebody was invited to one occurrence only.
///
/// proves: C4, C7
#[test]
fn an_occurrence_without_its_series_is_a_meeting() {
    let all = [exception(1, meeting(&[PEOPLE[3]]))];
    assert_eq!(assemble(&all, &HOME).orphans(), all);
    let hidden = [weekly().hidden(), exception(1, meeting(&[PEOPLE[3]]))];
    assert_eq!(assemble(&hidden, &HOME).orphans(), hidden[1..]);
    let both = [weekly(), exception(1, meeting(&[PEOPLE[3]]))];
    assert_eq!(assemble(&both, &HOME).orphans(), []);
    let gone = [Event { body: Body::Bare, ..weekly() }, exception(1, meeting(&[PEOPLE[3]]))];
    assert_eq!(assemble(&gone, &HOME).orphans(), []);
}

proptest! {
    #![proptest_config(cases(300))]

    /// In whatever order the parts of a series come, and however often, it is the same series with the same meetings.
    ///
    /// proves: C7, C9
    #[test]
    fn the_order_of_arrival_means_nothing(
        parts in prop::collection::vec((0..6usize, contents(), 0..4u8, 0..3u32), 0..6),
        master_state in 0..4u8,
        turn in 0..8usize,
        doubled in 0..8usize,
    ) {
        let mut all: Vec<Event> = parts.into_iter().enumerate().map(|(n, (week, content, state, sequence))| {
            let event = Event { sequence, etag: Some(Etag(n.to_string())), ..exception(week, content) };
            match state {
                0 => event.hidden(),
                1 => Event { status: Status::Cancelled, ..event },
                2 => Event { body: Body::Bare, ..event },
                _ => event,
            }
        }).collect();
        match master_state {
            0 => {}
            1 => all.push(weekly().hidden()),
            2 => all.push(Event { status: Status::Cancelled, ..weekly() }),
            _ => all.push(weekly()),
        }
        let meetings = |all: &[Event]| -> Vec<(Rid, BTreeMap<&'static str, String>)> {
            let series = assemble(all, &HOME);
            let mut events = series.orphans();
            if let Some(content) = series.master.and_then(Event::content) {
                let found = expand(content, &series.overrides(), Window::ALL, &HOME).unwrap();
                events.extend(found.occurrences.iter().map(|one| series.event(one).unwrap()));
            }
            events.iter().map(|event| (event.rid, canonical(event, &HOME))).collect()
        };
        let one = meetings(&all);
        if !all.is_empty() {
            let again = all[doubled % all.len()].clone();
            all.push(again);
            let turn = turn % all.len();
            all.rotate_left(turn);
            all.reverse();
        }
        prop_assert_eq!(meetings(&all), one);
    }
}

/// proves: C2
#[test]
fn only_new_meetings_that_ask_for_it_become_events() {
    let (connected, now) = (instant("2026-03-01T00:00:00Z"), instant("2026-03-10T00:00:00Z"));
    let fine = CrmMeeting {
        created: Some(instant("2026-03-02T00:00:00Z")),
        start: Some(instant("2026-03-16T08:00:00Z")),
        invite: true,
        has_event: false,
    };
    let of = |meeting| may_create(meeting, connected, now);
    assert_eq!(of(fine), Ok(()));
    assert_eq!(of(CrmMeeting { has_event: true, ..fine }), Err(NotInvited::HasEvent));
    assert_eq!(of(CrmMeeting { invite: false, ..fine }), Err(NotInvited::NotAsked));
    assert_eq!(of(CrmMeeting { created: None, ..fine }), Err(NotInvited::BeforeConnection));
    let old = CrmMeeting { created: Some(instant("2026-02-01T00:00:00Z")), ..fine };
    assert_eq!(of(old), Err(NotInvited::BeforeConnection));
    assert_eq!(of(CrmMeeting { start: None, ..fine }), Err(NotInvited::NoStart));
    assert_eq!(of(CrmMeeting { start: Some(now), ..fine }), Err(NotInvited::Over));
}

/// proves: C2
#[test]
fn an_event_made_for_a_record_is_named_the_same_every_time() {
    let (workspace, crm) = (WorkspaceId::from("w"), ConnectionId::from("crm"));
    let seed = |record: &str| event_seed(&workspace, &crm, &RecordId::from(record));
    assert_eq!(seed("r1"), seed("r1"));
    assert_ne!(seed("r1"), seed("r2"));
    assert_ne!(event_seed(&workspace, &ConnectionId::from("other"), &RecordId::from("r1")), seed("r1"));
    assert!(Uid::read(&hex::encode(seed("r1"))).is_some());
}

/// proves: C9
#[test]
fn a_move_is_significant_and_a_text_is_not() {
    let fields = |content: Content| canonical(&event(content), &HOME);
    let before = fields(meeting(&[PEOPLE[3]]));
    assert!(!is_significant(&before, &fields(Content { summary: "Other".into(), ..meeting(&[PEOPLE[3], PEOPLE[4]]) })));
    let moved = Content { end: Moment::utc(instant("2026-03-16T11:00:00Z")), ..meeting(&[PEOPLE[3]]) };
    assert!(is_significant(&before, &fields(moved)));
}
