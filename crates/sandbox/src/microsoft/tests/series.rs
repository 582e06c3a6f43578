//! Series, their changed and cancelled occurrences, and patterns.

use serde_json::{Value, json};

use super::{EVENTS, Kit, kit, meeting, weekly, with, words};

const WINDOW: &str = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2027-03-01T00:00:00Z";

fn instances(kit: &Kit, id: &str) -> Value {
    kit.good("GET", &format!("{EVENTS}/{id}/instances?{WINDOW}&$top=100"), Value::Null)
}

fn days(answer: &Value) -> Vec<String> {
    answer["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["start"]["dateTime"].as_str().unwrap()[5..13].to_owned())
        .collect()
}

#[test]
fn occurrences_keep_their_hour_and_have_ical_ids_of_their_own() {
    let kit = kit();
    let id = kit.make(with(meeting("Weekly", "2026-03-16"), weekly(3)));
    let all = instances(&kit, &id);
    assert_eq!(days(&all), ["03-16T09", "03-23T09", "03-30T08"]);
    let rows = all["value"].as_array().unwrap();
    let series = kit.good("GET", &format!("{EVENTS}/{id}"), Value::Null);
    assert_eq!(
        (&series["type"], &rows[1]["type"], &rows[1]["seriesMasterId"]),
        (&json!("seriesMaster"), &json!("occurrence"), &json!(id))
    );
    assert_eq!((&rows[1]["uid"], &series["iCalUId"]), (&series["uid"], &series["uid"]));
    let (one, two) = (rows[0]["iCalUId"].as_str().unwrap(), rows[1]["iCalUId"].as_str().unwrap());
    assert_eq!((&one[32..40], &two[32..40]), ("07EA0310", "07EA0317"));
    assert_eq!(rows[1]["occurrenceId"], format!("OID.{id}.2026-03-23"));
    assert_eq!(
        series["recurrence"]["pattern"],
        json!({"type": "weekly", "interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": ["monday"], "firstDayOfWeek": "sunday", "index": "first"})
    );
    assert_eq!(series["recurrence"]["range"]["recurrenceTimeZone"], "W. Europe Standard Time");
}

#[test]
fn one_occurrence_is_changed_or_cancelled_alone_and_the_series_tells_of_it() {
    let kit = kit();
    let id = kit.make(with(meeting("Weekly", "2026-03-16"), weekly(4)));
    let ids = words(&instances(&kit, &id), "id");
    let moved = kit.good("PATCH", &format!("{EVENTS}/{}", ids[1]), meeting("Weekly, later", "2026-03-24"));
    assert_eq!((&moved["type"], &moved["originalStart"]), (&json!("exception"), &json!("2026-03-23T09:00:00Z")));
    kit.good("DELETE", &format!("{EVENTS}/{}", ids[2]), Value::Null);
    assert_eq!(kit.refused("GET", &format!("{EVENTS}/{}", ids[2]), Value::Null).0, 404);
    assert_eq!(words(&instances(&kit, &id), "type"), ["occurrence", "exception", "occurrence"]);
    let query = "$expand=exceptionOccurrences&$select=subject,cancelledOccurrences,exceptionOccurrences";
    let series = kit.good("GET", &format!("{EVENTS}/{id}?{query}"), Value::Null);
    assert_eq!(series["cancelledOccurrences"], json!([format!("OID.{id}.2026-03-30")]));
    assert_eq!(series["exceptionOccurrences"][0]["id"], json!(ids[1]));
    assert!(kit.good("GET", &format!("{EVENTS}/{id}"), Value::Null).get("cancelledOccurrences").is_none());
    let crossing = kit.refused("PATCH", &format!("{EVENTS}/{}", ids[3]), meeting("Weekly", "2026-03-16"));
    assert_eq!(crossing, (400, "ErrorOccurrenceCrossingBoundary".into()));
    // Lists have the series, views its occurrences.
    assert_eq!(words(&kit.good("GET", EVENTS, Value::Null), "type"), ["seriesMaster"]);
    let view = kit.good("GET", &format!("/v1.0/me/calendarView?{WINDOW}"), Value::Null);
    assert_eq!(words(&view, "subject"), ["Weekly", "Weekly, later", "Weekly"]);
}

#[test]
fn patterns_name_the_days_that_they_describe() {
    let kit = kit();
    let check = |pattern: Value, start: &str, expected: &[&str]| {
        let range = json!({"type": "numbered", "startDate": start, "numberOfOccurrences": expected.len()});
        let id = kit.make(with(meeting("x", start), json!({"recurrence": {"pattern": pattern, "range": range}})));
        let got: Vec<String> = days(&instances(&kit, &id)).iter().map(|day| day[..5].to_owned()).collect();
        assert_eq!(got, expected, "{pattern}");
    };
    check(json!({"type": "daily", "interval": 3}), "2026-03-16", &["03-16", "03-19", "03-22"]);
    check(
        json!({"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "friday"]}),
        "2026-03-16",
        &["03-16", "03-20", "03-30", "04-03"],
    );
    check(
        json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}),
        "2026-03-31",
        &["03-31", "05-31", "07-31"],
    );
    check(
        json!({"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["tuesday", "thursday"], "index": "last"}),
        "2026-03-16",
        &["03-31", "04-30", "05-28"],
    );
    check(
        json!({"type": "relativeYearly", "interval": 1, "daysOfWeek": ["sunday"], "index": "second", "month": 5}),
        "2026-03-16",
        &["05-10"],
    );
    // A series begins with its first occurrence.
    check(json!({"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]}), "2026-03-16", &["03-18", "03-25"]);
}

#[test]
fn ends_of_series_by_their_day_and_never() {
    let kit = kit();
    let daily = |range: Value| {
        kit.make(with(
            meeting("x", "2026-03-16"),
            json!({"recurrence": {"pattern": {"type": "daily", "interval": 1}, "range": range}}),
        ))
    };
    let until = daily(json!({"type": "endDate", "startDate": "2026-03-16", "endDate": "2026-03-18"}));
    assert_eq!(days(&instances(&kit, &until)).len(), 3);
    let never = daily(json!({"type": "noEnd", "startDate": "2026-03-16"}));
    let view =
        format!("{EVENTS}/{never}/instances?startDateTime=2030-01-01T00:00:00Z&endDateTime=2030-01-08T00:00:00Z");
    assert_eq!(days(&kit.good("GET", &view, Value::Null)).len(), 7);
    assert_eq!(kit.refused("GET", &format!("{EVENTS}/{never}/instances"), Value::Null).0, 400);
}
