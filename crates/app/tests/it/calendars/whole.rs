//! Calendars that are read as a whole: however many pages that takes, whatever breaks in between, and what is missing then.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::calendar::series::SeriesPolicy;
use syncline_engine::calendars::CalendarRoundEnd;
use syncline_sandbox::{Delivery, GoogleWorkspace, Reply};
use syncline_store::WorkerId;

use super::{
    dav::Radicale,
    desk::{ADA, Desk, ROSA},
    house::House,
};
use crate::{polls::Hands, records::desk::Answers};

/// Pages of one event, and more of them than one round reads.
const MANY: i64 = 30;

fn called_off(desk: &Desk) -> usize {
    desk.titles().iter().filter(|title| title.starts_with("[CANCELLED]")).count()
}

/// A calendar that takes more than one round to read goes on after each of its sweeps, and what changed on its last page is
/// seen.
///
/// proves: C10
#[tokio::test]
async fn a_calendar_of_many_pages_is_read_to_its_end_again_and_again() {
    let desk = Desk::new().await.active().await;
    desk.google.set_page_rows(1);
    let ids: Vec<String> = (0..MANY).map(|n| desk.meet(ROSA, &format!("Demo {n:02}"), 24 * 30 + n, &[ADA])).collect();
    desk.calm().await;
    assert_eq!(desk.titles().len(), ids.len());
    for week in 0..3 {
        desk.hands.pass(SignedDuration::from_hours(8 * 24));
        let title = format!("Last {week}");
        desk.google.edit(ROSA, &ids[ids.len() - 1], &json!({ "summary": title })).expect("she may");
        let calls = desk.google.call_count();
        desk.calm().await;
        assert!(desk.titles().contains(&title), "{:?}", desk.titles());
        let calls = desk.google.call_count() - calls;
        assert!(calls < 3 * ids.len() as u64, "each page is read once: {calls}");
    }
}

/// That a person called whatever is missing deleted counts until the reading has ended for which it was said, however many
/// rounds that takes, and no longer.
///
/// proves: C10
#[tokio::test]
async fn what_a_person_confirms_counts_for_one_reading() {
    let desk = Desk::new().await.active().await;
    desk.google.set_page_rows(1);
    let ids: Vec<String> =
        (0..3 * MANY).map(|n| desk.meet(ROSA, &format!("Demo {n:02}"), 24 * 30 + n, &[ADA])).collect();
    desk.calm().await;
    let go = |some: &[String]| {
        some.iter().for_each(|id| desk.google.delete(ROSA, id).expect("she may"));
        desk.google.forget_deleted(ROSA).expect("a calendar");
        desk.google.expire_sync_tokens();
    };
    go(&ids[..25]);
    desk.calm().await;
    assert_eq!(called_off(&desk), 0);
    let end = desk.engine.run_calendars_now(desk.flow(), true).await.expect("the database answers");
    assert!(matches!(end, CalendarRoundEnd::Done(_)), "{end:?}");
    assert_eq!(called_off(&desk), 0, "there is more to read");
    desk.calm().await;
    assert_eq!(called_off(&desk), 25, "{:?}", desk.told().await);
    go(&ids[25..50]);
    desk.calm().await;
    assert_eq!(called_off(&desk), 25, "nobody said so of these");
}

/// What is missing is found behind all that a comparison keeps in memory at once.
///
/// proves: C10
#[tokio::test]
async fn what_is_missing_in_a_large_calendar_is_found() {
    let desk = Desk::with(|flow| flow.calendars.truncate(1)).await.active().await;
    let mut ids: Vec<String> = (0..510).map(|n| desk.meet(ROSA, "Desk work", 24 * 30 + n, &[])).collect();
    ids.sort();
    let last = &ids[ids.len() - 1];
    desk.google.edit(ROSA, last, &json!({ "summary": "Goes", "attendees": [{ "email": ADA }] })).expect("she may");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Goes"]);
    desk.google.delete(ROSA, last).expect("she may");
    desk.google.forget_deleted(ROSA).expect("a calendar");
    desk.google.expire_sync_tokens();
    desk.calm().await;
    assert_eq!(desk.titles(), ["[CANCELLED] Goes"], "{:?}", desk.told().await);
}

/// What a person confirms while another process reads the calendar holds all the same.
///
/// proves: C10
#[tokio::test]
async fn what_a_person_confirms_is_not_lost_where_somebody_reads() {
    let desk = Desk::new().await.active().await;
    let ids: Vec<String> = (0..60).map(|n| desk.meet(ROSA, &format!("Demo {n:02}"), 24 * 30 + n, &[ADA])).collect();
    desk.calm().await;
    ids.iter().for_each(|id| desk.google.delete(ROSA, id).expect("she may"));
    desk.google.forget_deleted(ROSA).expect("a calendar");
    desk.google.expire_sync_tokens();
    desk.calm().await;
    assert_eq!(called_off(&desk), 0, "that many are asked about");
    let (world, flow, other) = (desk.engine.world(), desk.flow(), WorkerId("other".to_owned()));
    let (now, minute) = (world.clock.now(), SignedDuration::from_mins(1));
    for calendar in &flow.calendars {
        let name = format!("calendar:{}:{}", flow.id, calendar.name);
        let held = world.store.acquire_lease(&flow.workspace, &name, &other, now, now + minute).await;
        assert!(held.expect("the database answers").is_some());
    }
    let end = desk.engine.run_calendars_now(flow, true).await.expect("the database answers");
    assert!(matches!(end, CalendarRoundEnd::Done(_)), "{end:?}");
    assert_eq!(called_off(&desk), 0);
    desk.hands.pass(minute);
    desk.calm().await;
    assert_eq!(called_off(&desk), 60, "{:?}", desk.told().await);
}

/// Answers about single events come after the lease has run out, for as long as it is slow.
struct Slow {
    google: Arc<GoogleWorkspace>,
    hands: Arc<Hands>,
    is_slow: AtomicBool,
}

impl Answers for Slow {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> Reply {
        if request.uri().path().contains("/events/") && self.is_slow.load(Ordering::Relaxed) {
            self.hands.pass(SignedDuration::from_mins(30));
        }
        self.google.answer(base, request)
    }
}

/// What a whole reading did not show is asked for although whoever read it came to a stop before that: by whoever is next,
/// and not after a week.
///
/// proves: C10
#[tokio::test]
async fn a_sweep_that_came_to_nothing_is_made_up_for() {
    let desk = Desk::new().await;
    let slow =
        Arc::new(Slow { google: desk.google.clone(), hands: desk.hands.clone(), is_slow: AtomicBool::new(false) });
    let desk = desk.over(Some(slow.clone()), None).active().await;
    let (_, gone) = (desk.meet(ROSA, "Stays", 240, &[ADA]), desk.meet(ROSA, "Goes", 250, &[ADA]));
    desk.calm().await;
    desk.google.delete(ROSA, &gone).expect("she may");
    desk.google.forget_deleted(ROSA).expect("a calendar");
    desk.google.expire_sync_tokens();
    slow.is_slow.store(true, Ordering::Relaxed);
    desk.hands.pass(SignedDuration::from_mins(3));
    desk.round().await;
    slow.is_slow.store(false, Ordering::Relaxed);
    assert_eq!(called_off(&desk), 0, "whoever lost the lease stores nothing");
    desk.calm().await;
    assert_eq!(desk.titles(), ["Stays", "[CANCELLED] Goes"], "{:?}", desk.told().await);
}

/// Rosa's server as one that knows no tokens, and can lose sight of what it has.
struct Forgetful {
    server: Arc<Radicale>,
    /// Lists show nothing, or are cut off.
    shows: Mutex<Shows>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    All,
    Nothing,
    Part,
}

impl Answers for Forgetful {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> Reply {
        let asked = String::from_utf8_lossy(request.body()).into_owned();
        let is_list = request.headers().get("depth").is_some_and(|depth| depth == "1") && !asked.contains("multiget");
        let shows = *self.shows.lock().expect("nobody panics");
        let mut reply = self.server.answer(base, request);
        let (status, body) = match shows {
            _ if asked.contains("sync-collection") => (501, String::new()),
            Shows::Nothing if is_list => (207, r#"<multistatus xmlns="DAV:"/>"#.to_owned()),
            Shows::Part if is_list => {
                let row = "<response><href>/rosa/meetings/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>";
                (207, format!(r#"<multistatus xmlns="DAV:">{row}</multistatus>"#))
            }
            _ => {
                let body = String::from_utf8_lossy(reply.response.body()).into_owned();
                (reply.response.status().as_u16(), body.replace("getctag", "notag"))
            }
        };
        *reply.response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        *reply.response.body_mut() = Bytes::from(body);
        reply
    }
}

fn appointment(title: &str, hour: usize) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//person//EN\r\nBEGIN:VEVENT\r\nUID:{title}@host.example\r\n\
         DTSTAMP:20260504T090000Z\r\nDTSTART:20260601T{hour:02}0000Z\r\nDTEND:20260601T{hour:02}3000Z\r\nSUMMARY:{title}\r\n\
         ORGANIZER:mailto:{ROSA}\r\nATTENDEE:mailto:{ADA}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// A server without tokens that shows nothing for a while, or breaks its list off, calls no meeting off; what a person deletes
/// there is.
///
/// proves: C10, fault:N3
#[tokio::test]
async fn a_server_that_forgets_calls_nothing_off() {
    let server = Radicale::start();
    let forgetful = Arc::new(Forgetful { server: server.clone(), shows: Mutex::new(Shows::All) });
    let desk = Desk::on_caldav(&forgetful, None, |_| ()).await.active().await;
    for n in 0..3 {
        server.put(&format!("m{n}"), &appointment(&format!("Demo {n}"), 8 + n));
    }
    desk.calm().await;
    assert_eq!(desk.titles(), ["Demo 0", "Demo 1", "Demo 2"], "{:?}", desk.told().await);
    for shows in [Shows::Nothing, Shows::Part] {
        *forgetful.shows.lock().expect("nobody panics") = shows;
        for _ in 0..5 {
            desk.hands.pass(SignedDuration::from_mins(20));
            desk.round().await;
        }
        assert_eq!(called_off(&desk), 0, "{:?}", desk.told().await);
    }
    let told = desk.told().await;
    assert!(told.iter().any(|text| text.contains("does not show 3 of 3 events")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("with a part of what is in the calendar")), "{told:?}");
    *forgetful.shows.lock().expect("nobody panics") = Shows::All;
    desk.through().await;
    server.remove("m1");
    desk.through().await;
    assert_eq!(desk.titles(), ["Demo 0", "Demo 2", "[CANCELLED] Demo 1"], "{:?}", desk.told().await);
}

/// A series that began long ago and is deleted while the calendar forgot where the reading stopped is called off: what counts is
/// whether one of its meetings lies in the time that is read.
///
/// proves: C10
#[tokio::test]
async fn an_old_series_that_is_deleted_is_called_off() {
    let desk = Desk::at(House::Microsoft, |flow| {
        flow.rules.policy.series = SeriesPolicy::Materialise { past_days: 1, future_days: 14 };
    });
    let desk = desk.await.active().await;
    let start = desk.hands_now() - SignedDuration::from_hours(24 * 7 * 26 - 24);
    let at = |at: Timestamp| json!({ "dateTime": at.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC" });
    let series = json!({
        "subject": "Weekly", "start": at(start), "end": at(start + SignedDuration::from_hours(1)),
        "attendees": [{ "type": "required", "emailAddress": { "address": ADA } }],
        "recurrence": {
            "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": [start.strftime("%A").to_string().to_lowercase()] },
            "range": { "type": "noEnd", "startDate": start.strftime("%Y-%m-%d").to_string(), "recurrenceTimeZone": "UTC" },
        },
    });
    let id = desk.microsoft.create(ROSA, &series).expect("a series");
    desk.at_rest().await;
    assert_eq!(desk.titles(), ["Weekly", "Weekly"], "{:?}", desk.told().await);
    // Something that stays: a calendar that is empty all at once is asked about.
    let stays: Value = json!({ "subject": "Stays", "start": at(desk.hands_now() + SignedDuration::from_hours(30)),
        "end": at(desk.hands_now() + SignedDuration::from_hours(31)) });
    desk.microsoft.create(ROSA, &stays).expect("an event");
    desk.at_rest().await;
    desk.microsoft.delete(ROSA, &id).expect("she may");
    desk.microsoft.expire_delta_tokens();
    desk.at_rest().await;
    assert_eq!(desk.titles(), ["[CANCELLED] Weekly", "[CANCELLED] Weekly"], "{:?}", desk.told().await);
}

/// Answers nothing but that the place is not known any more.
struct Forgets(AtomicU32);

impl Answers for Forgets {
    fn answer(&self, _base: &str, request: http::Request<Bytes>) -> Reply {
        let is_list = request.uri().path().ends_with("/events");
        let asked = self.0.fetch_add(u32::from(is_list), Ordering::Relaxed);
        assert!(asked < 20, "it is asked without end");
        let (status, body) = match is_list {
            true => (410, json!({ "error": { "code": 410, "errors": [{ "reason": "fullSyncRequired" }] } })),
            false => {
                (200, json!({ "items": [{ "id": ROSA, "summary": "Rosa", "primary": true, "accessRole": "owner" }] }))
            }
        };
        let response = http::Response::builder().status(status).header("content-type", "application/json");
        let response = response.body(Bytes::from(body.to_string())).expect("an answer");
        Reply { response, delay: std::time::Duration::ZERO, deliver: Delivery::Answer }
    }
}

/// A preview of a calendar that forgets every place at once ends with that.
///
/// proves: C10
#[tokio::test]
async fn a_preview_of_a_calendar_that_forgets_ends() {
    let desk = Desk::with(|flow| flow.calendars.truncate(1)).await;
    let desk = desk.over(Some(Arc::new(Forgets(AtomicU32::new(0)))), None);
    let (calendar, error) = desk.engine.calendars_preview(desk.flow()).await.expect_err("it cannot be read");
    assert_eq!((calendar.as_str(), error.message.as_str()), ("rosa", "it forgets at once where the reading stopped"));
}
