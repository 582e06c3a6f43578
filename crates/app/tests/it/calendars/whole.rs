//! Calendars that are read as a whole: however many pages that takes, whatever breaks in between, and what is missing then.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use jiff::SignedDuration;
use syncline_engine::{Engine, Options, Setup, World, calendars::CalendarRoundEnd};
use syncline_sandbox::{GoogleWorkspace, Reply};

use super::{
    dav::copied,
    desk::{ADA, Desk, ROSA},
};
use crate::{
    polls::Hands,
    records::desk::{Answers, Net},
};

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
        desk.google.edit(ROSA, &ids[ids.len() - 1], &serde_json::json!({ "summary": title })).expect("she may");
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
    let mut desk = Desk::new().await;
    let slow =
        Arc::new(Slow { google: desk.google.clone(), hands: desk.hands.clone(), is_slow: AtomicBool::new(false) });
    let sites: BTreeMap<String, Arc<dyn Answers>> = BTreeMap::from([
        ("rosa.sandbox".to_owned(), slow.clone() as Arc<dyn Answers>),
        ("sam.sandbox".to_owned(), slow.clone() as Arc<dyn Answers>),
        ("hub.sandbox".to_owned(), desk.hub.clone() as Arc<dyn Answers>),
    ]);
    let world = World { http: Arc::new(Net(sites)), ..desk.engine.world().clone() };
    let known = desk.engine.setup();
    let connections = known.connections.iter().map(copied).collect();
    let setup = Setup { connections, calendars: known.calendars.clone(), ..Setup::default() };
    desk.engine = Engine::new(world, setup, Options::default());
    let desk = desk.active().await;
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
