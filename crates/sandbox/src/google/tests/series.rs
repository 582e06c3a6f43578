//! Series, their changed and cancelled occurrences.

use serde_json::{Value, json};

use super::{EVENTS, Kit, ROSA, SAM, items, kit, meeting, with, words};

fn weekly(kit: &Kit) -> String {
    kit.make(with(meeting("Weekly", "2026-03-16"), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})))
}

fn instances(kit: &Kit, id: &str, query: &str) -> Value {
    kit.good("GET", &format!("{EVENTS}/{id}/instances?{query}"), Value::Null)
}

#[test]
fn occurrences_have_ids_of_their_series_and_keep_their_hour() {
    let kit = kit();
    let id = weekly(&kit);
    let all = instances(&kit, &id, "");
    let expected = ["20260316T090000Z", "20260323T090000Z", "20260330T080000Z", "20260406T080000Z"];
    assert_eq!(words(&all, "id"), expected.map(|at| format!("{id}_{at}")));
    let third = &items(&all)[2];
    assert_eq!(
        third["originalStartTime"],
        json!({"dateTime": "2026-03-30T10:00:00+02:00", "timeZone": "Europe/Berlin"})
    );
    assert_eq!((&third["recurringEventId"], &third["iCalUID"]), (&json!(id), &json!(format!("{id}@google.com"))));
    assert!(third.get("recurrence").is_none());
    let one = instances(&kit, &id, "originalStart=2026-03-23T09:00:00Z");
    assert_eq!(words(&one, "id"), [format!("{id}_20260323T090000Z")]);
}

#[test]
fn one_occurrence_is_changed_or_cancelled_alone() {
    let kit = kit();
    let id = weekly(&kit);
    let second = format!("{id}_20260323T090000Z");
    let times = meeting("Weekly, later", "2026-03-24");
    let moved = kit.good("PATCH", &format!("{EVENTS}/{second}"), times);
    assert_eq!(moved["originalStartTime"]["dateTime"], "2026-03-23T10:00:00+01:00", "it stays where it moves from");
    kit.good("DELETE", &format!("{EVENTS}/{id}_20260330T080000Z"), Value::Null);
    let all = instances(&kit, &id, "");
    assert_eq!(words(&all, "summary"), ["Weekly", "Weekly, later", "Weekly"]);
    assert_eq!(
        words(&instances(&kit, &id, "showDeleted=true"), "status").iter().filter(|s| *s == "cancelled").count(),
        1
    );
    // A list of masters has both, whether deleted events are wanted or not.
    let list = kit.good("GET", &format!("{EVENTS}?singleEvents=false"), Value::Null);
    assert_eq!(words(&list, "status"), ["confirmed", "confirmed", "cancelled"]);
    let cancelled = &items(&list)[2];
    let mut names: Vec<&String> = cancelled.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["etag", "id", "kind", "originalStartTime", "recurringEventId", "status"]);
    let expanded = kit.good("GET", &format!("{EVENTS}?singleEvents=true&orderBy=startTime"), Value::Null);
    assert_eq!(words(&expanded, "summary"), ["Weekly", "Weekly, later", "Weekly"]);
}

#[test]
fn a_series_that_ends_earlier_or_goes_takes_its_changed_occurrences_along() {
    let kit = kit();
    let id = weekly(&kit);
    kit.good("PATCH", &format!("{EVENTS}/{id}_20260406T080000Z"), json!({"summary": "Last"}));
    let sync = kit.good("GET", EVENTS, Value::Null)["nextSyncToken"].as_str().unwrap().to_owned();
    kit.good("PATCH", &format!("{EVENTS}/{id}"), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}));
    let changes = kit.good("GET", &format!("{EVENTS}?syncToken={sync}"), Value::Null);
    assert_eq!(words(&changes, "status"), ["confirmed", "cancelled"]);
    assert_eq!(items(&changes)[0]["sequence"], 1);
    kit.good("DELETE", &format!("{EVENTS}/{id}"), Value::Null);
    let left = kit.good("GET", &format!("{EVENTS}?singleEvents=true"), Value::Null);
    assert!(items(&left).is_empty());
}

#[test]
fn a_guest_of_one_occurrence_sees_only_that() {
    let kit = kit();
    let id = weekly(&kit);
    let second = format!("{id}_20260323T090000Z");
    kit.good("PATCH", &format!("{EVENTS}/{second}"), json!({"attendees": [{"email": SAM}]}));
    let sams = kit.site.snapshot()[SAM].clone();
    assert_eq!(sams.len(), 1);
    assert_eq!((&sams[0]["id"], &sams[0]["recurringEventId"]), (&json!(second), &json!(id)));
    assert!(kit.site.event(SAM, &id).is_none());
    kit.site.respond_to(SAM, &second, "accepted").unwrap();
    assert_eq!(kit.site.event(ROSA, &second).unwrap()["attendees"][0]["responseStatus"], "accepted");
}

#[test]
fn a_guest_answers_one_occurrence_of_a_series() {
    let kit = kit();
    let series = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"], "attendees": [{"email": SAM}]});
    let id = kit.make(with(meeting("Daily", "2026-03-16"), series));
    let second = format!("{id}_20260317T090000Z");
    kit.site.respond_to(SAM, &second, "declined").unwrap();
    let status = |who: &str, id: &str| kit.site.event(who, id).unwrap()["attendees"][0]["responseStatus"].clone();
    assert_eq!((status(ROSA, &second), status(ROSA, &id)), (json!("declined"), json!("needsAction")));
    kit.site.delete(ROSA, &format!("{id}_20260318T090000Z")).unwrap();
    assert_eq!(kit.site.event(SAM, &format!("{id}_20260318T090000Z")).unwrap()["status"], "cancelled");
    assert_eq!(kit.site.event(SAM, &id).unwrap()["status"], "confirmed");
}

#[test]
fn all_day_series_are_named_by_their_days() {
    let kit = kit();
    let event = json!({"summary": "Fair", "start": {"date": "2026-03-28"}, "end": {"date": "2026-03-29"},
                       "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260330", "EXDATE;VALUE=DATE:20260329"]});
    let id = kit.make(event);
    let all = instances(&kit, &id, "");
    assert_eq!(words(&all, "id"), [format!("{id}_20260328"), format!("{id}_20260330")]);
    assert_eq!(items(&all)[1]["end"], json!({"date": "2026-03-31"}));
}
