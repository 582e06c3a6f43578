//! Changes that a calendar never tells: what is read as a whole from time to time finds them, and believes no reading that lacks
//! something.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::Value;
use syncline_engine::calendars::CalendarRoundEnd;
use syncline_sandbox::Reply;

use super::{
    desk::{ADA, Desk, ROSA},
    house::{HOUSES, House},
    suite::Suite,
};
use crate::records::desk::Answers;

/// What a calendar's lists show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    All,
    /// Nothing of what changed; everything to whoever begins anew.
    NoChanges,
    /// Nothing of what changed, and to whoever begins anew only so many rows of each page.
    Rows(usize),
}

struct Quiet {
    vendor: Arc<dyn Answers>,
    shows: Mutex<Shows>,
}

impl Quiet {
    fn shows(&self, shows: Shows) {
        *self.shows.lock().expect("nobody panics") = shows;
    }
}

impl Answers for Quiet {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> Reply {
        let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        let is_list = path.ends_with("/calendarView/delta") || path.ends_with("/events");
        let tells_changes = query.contains("syncToken") || query.contains("deltatoken");
        let mut reply = self.vendor.answer(base, request);
        let rows = match *self.shows.lock().expect("nobody panics") {
            Shows::NoChanges if tells_changes => 0,
            Shows::Rows(_) if tells_changes => 0,
            Shows::Rows(rows) => rows,
            Shows::All | Shows::NoChanges => return reply,
        };
        if is_list && reply.response.status() == 200 {
            let mut body: Value = serde_json::from_slice(reply.response.body()).expect("JSON");
            for list in ["items", "value"] {
                body[list].as_array_mut().into_iter().for_each(|all| all.truncate(rows));
            }
            *reply.response.body_mut() = Bytes::from(body.to_string());
        }
        reply
    }
}

/// A desk whose calendar can keep things to itself, and Rosa at it.
async fn desk(house: House) -> (Desk, Arc<Quiet>, Suite) {
    let desk = Desk::at(house, |flow| flow.calendars.truncate(1)).await;
    let (vendor, suite): (Arc<dyn Answers>, Suite) = match house {
        House::Google => (desk.google.clone(), Suite::Google(desk.google.clone())),
        House::Microsoft => (desk.microsoft.clone(), Suite::Microsoft(desk.microsoft.clone())),
    };
    let quiet = Arc::new(Quiet { vendor, shows: Mutex::new(Shows::All) });
    let desk = desk.over(Some(quiet.clone()), None).active().await;
    (desk, quiet, suite)
}

impl Desk {
    fn meet_at(&self, suite: &Suite, title: &str, hours: i64) -> String {
        suite.meet(ROSA, title, self.hands_now() + SignedDuration::from_hours(hours), &[ADA])
    }

    /// Somebody deletes an event, and nothing is left of it.
    fn lose(&self, suite: &Suite, id: &str) {
        suite.call_off(ROSA, id);
        if self.house == House::Google {
            self.google.forget_deleted(ROSA).expect("a calendar");
        }
    }

    fn called_off(&self) -> usize {
        self.titles().iter().filter(|title| title.starts_with("[CANCELLED]")).count()
    }
}

/// What a calendar's list of changes never told is found within a week: what is new, what changed, and what is gone.
///
/// proves: C4, C10, fault:N3
#[tokio::test]
async fn what_was_never_told_is_found_by_the_whole_reading() {
    for house in HOUSES {
        let (desk, quiet, suite) = desk(house).await;
        let [_, changes, goes] = ["Stays", "Changes", "Goes"].map(|title| desk.meet_at(&suite, title, 24 * 30));
        desk.calm().await;
        quiet.shows(Shows::NoChanges);
        suite.rename(ROSA, &changes, "Changed");
        desk.lose(&suite, &goes);
        desk.meet_at(&suite, "Comes", 24 * 31);
        desk.calm().await;
        assert_eq!(desk.titles(), ["Changes", "Goes", "Stays"], "{house:?}: nobody told of it");
        desk.hands.pass(SignedDuration::from_hours(8 * 24));
        desk.calm().await;
        let found = ["Changed", "Comes", "Stays", "[CANCELLED] Goes"];
        assert_eq!(desk.titles(), found, "{house:?}: {:?}", desk.told().await);
    }
}

/// A whole reading that lacks rows calls nothing off: what it lacks is asked for by its name. Where it lacks much a person is asked
/// first, and where that person takes it for deleted, what is there is there still.
///
/// proves: C10, fault:N3
#[tokio::test]
async fn a_whole_reading_that_lacks_rows_calls_nothing_off() {
    const MANY: usize = 30;
    for house in HOUSES {
        let (desk, quiet, suite) = desk(house).await;
        let ids: Vec<String> = (0..MANY).map(|n| desk.meet_at(&suite, &format!("Demo {n:02}"), 24 * 60)).collect();
        desk.calm().await;
        assert_eq!(desk.titles().len(), MANY, "{house:?}: {:?}", desk.told().await);
        for (rows, asks) in [(MANY - 5, false), (5, true), (0, true)] {
            quiet.shows(Shows::Rows(rows));
            let before = desk.told().await.len();
            desk.hands.pass(SignedDuration::from_hours(8 * 24));
            desk.calm().await;
            assert_eq!(desk.called_off(), 0, "{house:?}: {:?}", desk.told().await);
            let told = desk.told().await.split_off(before);
            let is_asked = told.iter().any(|text| text.contains("events any more"));
            assert_eq!(is_asked, asks, "{house:?}, {rows} rows: {told:?}");
        }
        let end = desk.engine.run_calendars_now(desk.flow(), true).await.expect("the database answers");
        assert!(matches!(end, CalendarRoundEnd::Done(_)), "{end:?}");
        desk.calm().await;
        assert_eq!(desk.called_off(), 0, "{house:?}: {:?}", desk.told().await);
        desk.lose(&suite, &ids[3]);
        quiet.shows(Shows::NoChanges);
        desk.hands.pass(SignedDuration::from_hours(8 * 24));
        desk.calm().await;
        assert_eq!(desk.called_off(), 1, "{house:?}: {:?}", desk.told().await);
    }
}
