//! Events as they come: what cannot be read, is too long or recurs without end costs itself and nothing else, and which meeting of an
//! old series is the first.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_core::calendar::{
    eligible::Since,
    event::Shortened,
    limits::{DESCRIPTION_CHARS_MAX, SUMMARY_CHARS_MAX},
    series::SeriesPolicy,
};

use super::{
    dav::Radicale,
    desk::{ADA, Desk, ROSA},
};
use crate::crms::value;

/// An event of Rosa's with a guest, on the first of June 2026: its title and lines of its own, the start among them.
pub(super) fn written(title: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//person//EN\r\nBEGIN:VEVENT\r\nUID:{}@host.example\r\n\
         DTSTAMP:20260504T090000Z\r\nSUMMARY:{title}\r\nORGANIZER:mailto:{ROSA}\r\nATTENDEE:mailto:{ADA}\r\n{lines}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n",
        title.chars().take(9).collect::<String>().replace(' ', "-")
    )
}

/// An event that cannot be read, one that is too long and one that recurs every second each have their reason; what stands beside
/// them is logged as always, and so it stays when they change.
///
/// proves: C7, C8, C10
#[tokio::test]
async fn a_strange_event_costs_itself_alone() {
    let server = Radicale::start();
    let desk = Desk::on_caldav(&server, None, |flow| {
        flow.rules.policy.series = SeriesPolicy::Materialise { past_days: 7, future_days: 40 };
    });
    let desk = desk.await.active().await;
    let times = "DTSTART:20260601T080000Z\r\nDTEND:20260601T090000Z";
    let long = "x".repeat(2 * SUMMARY_CHARS_MAX);
    let (text, nowhere) = ("y".repeat(2 * DESCRIPTION_CHARS_MAX), "DTSTART;TZID=Nowhere/Land:20260601T080000");
    server.put("good", &written("Good", times));
    server.put("nowhere", &written("Nowhere", nowhere));
    server.put("long", &written(&long, &format!("{times}\r\nDESCRIPTION:{text}")));
    server.put("flood", &written("Flood", &format!("{times}\r\nRRULE:FREQ=SECONDLY")));
    server.put("weekly", &written("Weekly", &format!("{times}\r\nRRULE:FREQ=WEEKLY;COUNT=2")));
    desk.calm().await;
    let cut = long[..SUMMARY_CHARS_MAX].to_owned();
    assert_eq!(desk.titles(), ["Good", "Weekly", "Weekly", &cut], "{:?}", desk.told().await);
    let verdicts = desk.verdicts().await;
    assert_eq!(verdicts.values().filter(|word| *word == "unreadable").count(), 2, "{verdicts:?}");
    let told = desk.told().await;
    let says = |what: &str| told.iter().filter(|text| text.contains(what)).count();
    assert_eq!(says("Nowhere/Land"), 1, "{told:?}");
    assert_eq!(says("it recurs many times a day"), 1, "{told:?}");
    assert_eq!((says("its subject is too long and was shortened"), says("its description is too long")), (1, 1));
    let events = desk.events().await;
    let long = events.iter().find(|view| view.title() == Some(&cut)).expect("it is known");
    assert_eq!(long.shortened().collect::<Vec<_>>(), [Shortened::Summary, Shortened::Description]);
    assert!(events.iter().all(|view| view.key == long.key || view.shortened().next().is_none()));
    // The calendar goes on, and nothing is told twice.
    server.put("next", &written("Next", times));
    desk.calm().await;
    assert_eq!(desk.titles().len(), 5);
    assert_eq!(desk.told().await.iter().filter(|text| text.contains("too long")).count(), 1);
}

/// Of a series that began before the day from which on meetings are logged, the first that counts is logged, and no other for
/// as long as nothing changes.
///
/// proves: C6, C7
#[tokio::test]
async fn of_an_old_series_the_first_that_counts_is_logged() {
    let since: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let desk = Desk::with(|flow| flow.rules.policy.since = Since::Backfill(since)).await;
    let mut weekly = desk.event("Weekly", -24 * 7 * 60, &[ADA]);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY"]);
    let began: Timestamp = weekly["start"]["dateTime"].as_str().and_then(|at| at.parse().ok()).expect("a time");
    desk.google.create(ROSA, &weekly).expect("a series");
    let desk = desk.active().await;
    let starts: Vec<Timestamp> =
        desk.records().iter().map(|one| value(one, "hs_meeting_start_time").parse().expect("a time")).collect();
    let first = (0..).map(|week| began + SignedDuration::from_hours(168 * week)).find(|at| *at >= since);
    assert_eq!(starts.into_iter().map(Some).collect::<Vec<_>>(), [first], "{:?}", desk.told().await);
}
