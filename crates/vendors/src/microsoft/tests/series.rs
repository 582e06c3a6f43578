//! Series: what repeats, what differs, what was called off.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::json;
use syncline_connect::{Calendars, Http};
use syncline_core::calendar::{
    event::{Body, Event, EventId, Status},
    identity::Rid,
    recur::{Window, expand},
};
use syncline_sandbox::MicrosoftConfig;

use super::{super::Microsoft, Desk, MIA, fridays, primary, subject, watch::run};
use crate::testing::site::Calls;

/// The ids of a series' occurrences, by their day.
fn occurrences(desk: &Desk, series: &str) -> BTreeMap<String, String> {
    let request = http::Request::get(format!(
        "/v1.0/me/events/{series}/instances?startDateTime=2026-01-01T00:00:00Z&endDateTime=2030-12-31T00:00:00Z"
    ))
    .header("authorization", format!("Bearer {}", desk.asker.bearer.expose()))
    .header("prefer", "IdType=\"ImmutableId\"")
    .body(bytes::Bytes::new())
    .expect("a request");
    let answer = run(Calls(desk.site.clone()).send(request)).expect("an answer");
    let rows: serde_json::Value = serde_json::from_slice(answer.body()).expect("rows");
    let rows = rows["value"].as_array().expect("rows").clone();
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().expect("a text").to_owned();
    rows.iter().map(|row| (text(&row["start"], "dateTime")[..10].to_owned(), text(row, "id"))).collect()
}

fn rid(time: &str) -> Rid {
    Rid::At(time.parse().expect("a time"))
}

/// proves: C7, C9: a series is one event, and comes once; its rule gives the days that the calendar shows, at the same
/// time of day before and after the clocks change.
#[test]
fn a_series_is_one_event() {
    let mut desk = Desk::new();
    let id = desk.create(&fridays());
    let events = desk.read().0;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].id.0.as_str(), events[0].is_series()), (id.as_str(), true));
    let content = events[0].content().expect("it is open");
    let all = expand(content, &BTreeMap::new(), Window::ALL, &TimeZone::UTC).expect("a rule").occurrences;
    let starts: Vec<String> = all.iter().map(|one| one.rid.to_string()).collect();
    assert_eq!(starts, ["20260320T130000Z", "20260327T130000Z", "20260403T120000Z", "20260410T120000Z"]);
}

/// proves: C7: of every pattern the days are those that the calendar shows.
#[test]
fn rules_give_the_days_that_the_calendar_shows() {
    for pattern in [
        json!({"type": "daily", "interval": 3}),
        json!({"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "sunday"], "firstDayOfWeek": "sunday"}),
        json!({"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "sunday"], "firstDayOfWeek": "monday"}),
        json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 20}),
        json!({"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["friday"], "index": "third"}),
        json!({"type": "absoluteYearly", "interval": 1, "month": 3, "dayOfMonth": 20}),
        json!({"type": "relativeYearly", "interval": 1, "month": 3, "daysOfWeek": ["friday"], "index": "third"}),
    ] {
        let mut desk = Desk::new();
        let mut event = fridays();
        event["recurrence"]["pattern"] = pattern.clone();
        let id = desk.create(&event);
        let events = desk.read().0;
        let content = events[0].content().expect("it is open");
        let all = expand(content, &BTreeMap::new(), Window::ALL, &TimeZone::UTC).expect("a rule").occurrences;
        let days: Vec<String> = all.iter().map(|one| one.rid.to_string()[..8].to_owned()).collect();
        let shown: Vec<String> = occurrences(&desk, &id).keys().map(|day| day.replace('-', "")).collect();
        assert_eq!((days.len(), days), (4, shown), "{pattern}");
    }
}

/// proves: C7: an occurrence that differs is an event of its own, with its original start wherever it was moved, and the
/// others are not.
#[test]
fn an_occurrence_that_differs_is_told_with_its_original_start() {
    let mut desk = Desk::new();
    let id = desk.create(&fridays());
    desk.read();
    let days = occurrences(&desk, &id);
    let moved = json!({
        "subject": "Third place",
        "start": {"dateTime": "2026-03-28T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-28T11:00:00", "timeZone": "UTC"},
    });
    desk.site.edit(MIA, &days["2026-03-27"], &moved).expect("an edit");
    let events = desk.read().0;
    assert_eq!(events.iter().map(subject).collect::<Vec<_>>(), ["Weekly", "Third place"]);
    let (whole, one) = (&events[0], &events[1]);
    assert_eq!((one.series.as_ref(), &one.uid, one.rid), (Some(&whole.id), &whole.uid, rid("2026-03-27T13:00:00Z")));
    assert!(whole.uid.is_some());
}

/// proves: C7: a cancelled occurrence touches that one, under the name that it had before, whether or not the delta tells.
#[test]
fn an_occurrence_that_was_called_off_is_told() {
    for told in [false, true] {
        let config = MicrosoftConfig { tells_cancelled_occurrences: told, ..MicrosoftConfig::default() };
        let mut desk = Desk::with(config, MIA);
        let id = desk.create(&fridays());
        let days = occurrences(&desk, &id);
        desk.site.edit(MIA, &days["2026-04-03"], &json!({"subject": "Other"})).expect("an edit");
        let before = desk.read().0.remove(1);
        assert_eq!(subject(&before), "Other");
        for day in ["2026-04-03", "2026-04-10"] {
            desk.site.delete(MIA, &days[day]).expect("a cancellation");
        }
        let events = desk.read().0;
        let off: Vec<&Event> = events.iter().filter(|event| event.series.is_some()).collect();
        assert!(off.iter().all(|one| (one.status, &one.body) == (Status::Cancelled, &Body::Bare)));
        let rids: Vec<Rid> = off.iter().map(|one| one.rid).collect();
        assert_eq!(rids, [rid("2026-04-03T12:00:00Z"), rid("2026-04-10T12:00:00Z")]);
        assert_eq!((&off[0].id, off[0].rid), (&before.id, before.rid));
    }
}

/// proves: C8: of one occurrence alone, too.
#[test]
fn one_occurrence_can_be_private() {
    let mut desk = Desk::new();
    let id = desk.create(&fridays());
    let days = occurrences(&desk, &id);
    let secret = json!({"subject": "Doctor", "sensitivity": "private"});
    desk.site.edit(MIA, &days["2026-04-03"], &secret).expect("an edit");
    let page = desk.page();
    assert_eq!(page.events.iter().map(subject).collect::<Vec<_>>(), ["Weekly", "Private"]);
    assert!(!format!("{page:?}").contains("Doctor"));
}

/// An occurrence is found by its name while it differs; one that does not is no event.
#[test]
fn occurrences_are_found_by_their_names() {
    let mut desk = Desk::new();
    let id = desk.create(&fridays());
    let days = occurrences(&desk, &id);
    desk.site.edit(MIA, &days["2026-04-03"], &json!({"subject": "Other"})).expect("an edit");
    let known: Vec<EventId> = desk.read().0.into_iter().map(|event| event.id).collect();
    let plain = EventId(known[1].0.replace("2026-04-03", "2026-03-27"));
    let ids = [known[0].clone(), known[1].clone(), plain, EventId(days["2026-03-27"].clone())];
    let (cx, calendar) = (desk.asker.cx(), primary());
    let found = run(Microsoft.fetch(&cx, &calendar, &ids)).expect("an answer").value;
    let shown: Vec<_> = found.iter().map(|event| event.as_ref().map(subject)).collect();
    assert_eq!(shown, [Some("Weekly".into()), Some("Other".into()), None, None]);
}
