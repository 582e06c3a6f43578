//! Which meetings changed: in order, whole, and never nothing for want of an answer.

use std::{collections::BTreeMap, time::Duration};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::{ErrorKind, Records, Retry};
use syncline_core::{ids::RecordId, record::Role};
use syncline_sandbox::{FaultKind, FaultRule};

use super::{
    super::{id, recent},
    lab::Lab,
};
use crate::{
    hubspot::{
        HubSpot,
        mirror::tests::scripted::Script,
        span::{OVERLAP, ROWS_PER_SEARCH},
    },
    testing::recent::follow,
};

fn of(number: &str) -> RecordId {
    id::of("meetings", number)
}

#[test]
fn what_changed_comes_in_the_order_of_change() {
    let lab = Lab::new();
    let old = lab.meeting("Old");
    let edited = lab.meeting("Edited");
    lab.pass(3600);
    let since = lab.now();
    let [first, gone] = ["First", "Gone"].map(|title| lab.meeting(title));
    lab.pass(1);
    lab.account.edit("meetings", &edited, &[("hs_meeting_title", "Edited again")]).unwrap();
    lab.account.archive("meetings", &gone).unwrap();
    let answered = lab.recent(since, ROWS_PER_SEARCH).unwrap();
    assert_eq!((answered.calls, answered.value.more), (1, false));
    assert_eq!(answered.value.changed, [(of(&first), since), (of(&edited), since + SignedDuration::from_secs(1))]);
    assert!(!answered.value.changed.iter().any(|(id, _)| *id == of(&old)));
    lab.pass(1);
    assert_eq!(lab.recent(lab.now(), ROWS_PER_SEARCH).unwrap().value.changed, []);
}

#[test]
fn other_records_are_refused() {
    let script = Script::of([]);
    let since = Timestamp::UNIX_EPOCH;
    for role in [Role::Contact, Role::User, Role::Lead, Role::Attendee] {
        let error = script.run(|cx| HubSpot.recent(cx, role, since).now_or_never().unwrap()).unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    }
    assert_eq!(HubSpot.recent_lag(), Duration::from_secs(15 * 60));
}

/// More meetings of one moment than a page holds, between others.
#[test]
fn a_moment_that_fills_pages_is_read_whole_and_gone_past() {
    let lab = Lab::new();
    let since = lab.now();
    let mut made: Vec<String> = (0..3).map(|n| lab.meeting(&format!("Before {n}"))).collect();
    lab.pass(1);
    made.extend((0..2 * ROWS_PER_SEARCH + 50).map(|n| lab.meeting(&format!("Import {n}"))));
    lab.pass(1);
    made.push(lab.meeting("After"));
    let followed = follow(since, |from| lab.recent(from, ROWS_PER_SEARCH), || ());
    assert_eq!(followed.seen.len(), made.len());
    assert!(made.iter().all(|number| followed.seen.contains_key(&of(number))));
    // A page, the next one, which is all of one moment, three of that moment, and the last.
    assert_eq!(followed.calls, 6);
}

/// Whatever goes wrong with a call, it is an error, whichever call of a page it strikes.
///
/// proves: V2
#[test]
fn a_failure_is_never_nothing_changed() {
    let lab = Lab::new();
    let since = lab.now();
    for n in 0..5 {
        lab.meeting(&format!("Meeting {n}"));
    }
    let kinds = [
        FaultKind::Status,
        FaultKind::StatusAfter,
        FaultKind::FailedInBody,
        FaultKind::Truncated,
        FaultKind::LostRequest,
        FaultKind::LostAnswer,
        FaultKind::Limited,
        FaultKind::Unauthorized,
    ];
    for kind in kinds {
        for before in 0..3 {
            let rule = FaultRule::next(kind).after(before).on("POST", "/crm/v3/objects/meetings/search");
            lab.account.faults().add(rule).unwrap();
            assert!(lab.recent(since, 2).is_err(), "{kind:?} at call {before}");
            lab.account.faults().clear();
        }
    }
    assert_eq!(follow(since, |from| lab.recent(from, 2), || ()).seen.len(), 5);
}

/// What the account never answers: pages that cannot be taken for what they are.
///
/// proves: V2
#[test]
fn a_page_that_is_not_sound_is_an_error() {
    let row = |id: &str, at: &str| json!({"id": id, "properties": {"hs_lastmodifieddate": at}});
    let (one, two) = (row("1", "2026-05-06T12:00:00Z"), row("2", "2026-05-06T12:00:01Z"));
    let ask = |body: Json| {
        let script = Script::of([(200, body)]);
        let asked = script.run(|cx| recent::recent(cx, Role::Meeting, Timestamp::UNIX_EPOCH, 5).now_or_never());
        asked.expect("the script answers at once")
    };
    assert_eq!(ask(json!({"results": [one, two]})).unwrap().value.changed.len(), 2);
    let goes_on = json!({"next": {"after": "2"}});
    for body in [
        json!({"results": [two, one]}),
        json!({"results": [row("x", "2026-05-06T12:00:00Z")]}),
        json!({"results": [{"id": "1", "properties": {"hs_lastmodifieddate": null}}]}),
        json!({"results": [], "paging": goes_on}),
        json!({"status": "error", "message": "internal error"}),
        json!({}),
    ] {
        assert_eq!(ask(body.clone()).unwrap_err().kind, ErrorKind::Protocol, "{body}");
    }
    // A page may be short and say that there is more.
    assert!(ask(json!({"results": [one, two], "paging": goes_on})).unwrap().value.more);
}

/// One thing that happens in the account.
#[derive(Debug, Clone)]
enum Act {
    /// Several at the same moment.
    Log(usize),
    Edit(prop::sample::Index),
    Archive(prop::sample::Index),
    Pass(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..7usize).prop_map(Act::Log),
        4 => any::<prop::sample::Index>().prop_map(Act::Edit),
        1 => any::<prop::sample::Index>().prop_map(Act::Archive),
        2 => (0..200i64).prop_map(Act::Pass),
    ]
}

fn happen(act: &Act, lab: &Lab, made: &mut Vec<String>, turn: usize) {
    let title = format!("Turn {turn}");
    match act {
        Act::Log(count) => made.extend((0..*count).map(|_| lab.meeting(&title))),
        Act::Edit(which) if !made.is_empty() => {
            let number = &made[which.index(made.len())];
            lab.account.edit("meetings", number, &[("hs_meeting_title", &title)]).unwrap();
        }
        Act::Archive(which) if !made.is_empty() => {
            let number = made.remove(which.index(made.len()));
            lab.account.archive("meetings", &number).unwrap();
        }
        Act::Edit(_) | Act::Archive(_) => {}
        Act::Pass(seconds) => lab.pass(*seconds),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever changes between two pages, and although a search knows of it only later: who looks back by the lag sees
    /// every meeting's last change.
    #[test]
    fn no_change_is_lost(
        acts in prop::collection::vec(act(), 1..40),
        page in 6..12usize,
        lag in 0..OVERLAP.as_secs().unsigned_abs(),
    ) {
        let lab = Lab::new();
        lab.account.set_search_lag(Duration::from_secs(lag));
        let (mut made, mut seen) = (Vec::new(), BTreeMap::new());
        let mut turns = acts.iter().enumerate();
        let mut watermark = lab.now();
        loop {
            let (mut moved, began) = (false, lab.now());
            let look_from = watermark - HubSpot.recent_lag();
            let followed = follow(look_from, |from| lab.recent(from, page), || {
                for (turn, act) in turns.by_ref().take(2) {
                    happen(act, &lab, &mut made, turn);
                    moved = true;
                }
            });
            seen.extend(followed.seen);
            watermark = began;
            for (turn, act) in turns.by_ref().take(2) {
                happen(act, &lab, &mut made, turn);
                moved = true;
            }
            if !moved {
                break;
            }
        }
        lab.pass(OVERLAP.as_secs());
        seen.extend(follow(watermark - HubSpot.recent_lag(), |from| lab.recent(from, page), || ()).seen);
        for meeting in lab.account.snapshot().remove("meetings").unwrap_or_default() {
            let at: Timestamp = meeting.properties["hs_lastmodifieddate"].parse().unwrap();
            if !meeting.archived {
                prop_assert_eq!(seen.get(&of(&meeting.id)), Some(&at), "{}", meeting.id);
            }
        }
    }
}
