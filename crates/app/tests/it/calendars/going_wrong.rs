//! What goes wrong between calendars, engine and CRM: nothing is lost, nothing comes twice, and a person is asked before
//! much is called off.

use serde_json::json;
use syncline_engine::calendars::CalendarRoundEnd;
use syncline_sandbox::{FaultKind, FaultRule};

use super::desk::{ADA, Desk, ROSA, SAM};

/// Whatever becomes of a call to the CRM, in the end there is one record of the meeting, and it says what the calendar says.
///
/// proves: V1, V2, C4
#[tokio::test]
async fn a_call_to_the_crm_that_goes_wrong_leaves_one_record() {
    use FaultKind::{FailedInBody, Limited, LostAnswer, LostRequest, Status, StatusAfter, Truncated};
    for kind in [Status, StatusAfter, Limited, FailedInBody, LostRequest, LostAnswer, Truncated] {
        for path in ["/crm/v3/objects/meetings", "/crm/v3/objects/contacts", "/crm/v3/owners"] {
            let desk = Desk::new().await.active().await;
            desk.hub.faults().add(FaultRule::next(kind).on("POST", path));
            let id = desk.meet(ROSA, "Demo", 24, &[ADA, SAM]);
            desk.through().await;
            let told = format!("{kind:?} at {path}: {:?}", desk.told().await);
            assert_eq!(desk.titles(), ["Demo"], "{told}");
            desk.hub.faults().add(FaultRule::next(kind).on("POST", path));
            desk.google.edit(ROSA, &id, &json!({ "summary": "Demo, renamed" })).expect("she may");
            desk.through().await;
            let told = format!("{told}: {:?}", desk.told().await);
            assert_eq!(desk.titles(), ["Demo, renamed"], "{told}");
            assert_eq!(desk.people(&desk.records()[0]).len(), 1, "{told}");
        }
    }
}

/// A calendar that cannot be read is read later, from where it stopped; the others go on meanwhile.
///
/// proves: V4, C10
#[tokio::test]
async fn a_calendar_that_fails_keeps_no_other_back() {
    use FaultKind::{Limited, LostAnswer, LostRequest, Status, Truncated};
    for kind in [Status, Limited, LostRequest, LostAnswer, Truncated] {
        let desk = Desk::new().await.active().await;
        desk.meet(ROSA, "Demo", 24, &[ADA]);
        desk.meet(SAM, "Offer", 25, &[ADA]);
        desk.google.faults().add(FaultRule::always(kind).times(1).on("GET", "/calendar/v3/calendars/rosa"));
        desk.hands.pass(jiff::SignedDuration::from_mins(3));
        let round = desk.round().await;
        assert_eq!(round.failed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["rosa"], "{kind:?}");
        assert_eq!(desk.titles(), ["Offer"], "{kind:?}");
        desk.through().await;
        assert_eq!(desk.titles(), ["Demo", "Offer"], "{kind:?}: {:?}", desk.told().await);
        let told = desk.told().await;
        assert!(told.iter().any(|text| text.contains("Calendar rosa could not be read")), "{told:?}");
        assert!(told.iter().any(|text| text.contains("Calendar rosa answers again")), "{told:?}");
    }
}

/// What the CRM refuses for good waits for a person, with what to do; the others go through, and once it is mended it is
/// tried again.
///
/// proves: V4
#[tokio::test]
async fn what_the_crm_refuses_waits_for_a_person() {
    let desk = Desk::new().await.active().await;
    desk.hub.archive_property("meetings", "syncline_key").expect("an admin may");
    desk.meet(ROSA, "Demo", 24, &[ADA]);
    for _ in 0..10 {
        desk.hands.pass(jiff::SignedDuration::from_hours(1));
        desk.round().await;
    }
    let status = desk.engine.calendars_status(desk.flow()).await.expect("the database answers");
    assert_eq!((status.held, desk.titles()), (1, vec![]), "{:?}", desk.told().await);
    let problem = desk.events().await[0].state.problem.clone().expect("there is one");
    assert!(problem.contains("syncline_key") && problem.contains("calendars retry"), "{problem}");
    let key = syncline_sandbox::hubspot::HubSpotProperty::text("syncline_key").unique();
    desk.hub.add_property("meetings", &key).expect("an admin may");
    assert_eq!(desk.engine.retry_meetings(desk.flow()).await.expect("the database answers"), 1);
    desk.through().await;
    assert_eq!(desk.titles(), ["Demo"]);
}

/// A calendar that no longer shows most of its events calls nothing off before a person says so.
///
/// proves: C10
#[tokio::test]
async fn many_missing_events_are_asked_about_first() {
    let desk = Desk::new().await.active().await;
    let ids: Vec<String> = (0..14).map(|n| desk.meet(ROSA, &format!("Demo {n:02}"), 24 + n, &[ADA])).collect();
    desk.calm().await;
    assert_eq!(desk.titles().len(), 14);
    let called_off = || desk.titles().iter().filter(|title| title.starts_with("[CANCELLED]")).count();
    // They go, and so does the calendar's memory of it.
    ids[..12].iter().for_each(|id| desk.google.delete(ROSA, id).expect("she may"));
    desk.google.forget_deleted(ROSA).expect("a calendar");
    desk.google.expire_sync_tokens();
    desk.calm().await;
    assert_eq!(called_off(), 0);
    assert!(
        desk.told().await.iter().any(|text| text.contains("does not show 12 of 14 events")),
        "{:?}",
        desk.told().await
    );
    let end = desk.engine.run_calendars_now(desk.flow(), true).await.expect("the database answers");
    assert!(matches!(end, CalendarRoundEnd::Done(_)), "{end:?}");
    desk.calm().await;
    assert_eq!(called_off(), 12);
}
