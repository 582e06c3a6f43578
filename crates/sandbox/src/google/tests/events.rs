//! Single events: what can be written, what is refused, what entity tags and ids promise.

use serde_json::{Value, json};

use super::{EVENTS, ROSA, SAM, kit, meeting, with};
use crate::{FaultKind, FaultRule};

fn path(id: &str) -> String {
    format!("{EVENTS}/{id}")
}

#[test]
fn an_event_is_told_as_it_was_recorded() {
    let kit = kit();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    let mut event = kit.good("GET", &path(&id), Value::Null);
    assert_eq!(event["iCalUID"], format!("{id}@google.com"));
    for name in ["etag", "id", "htmlLink", "iCalUID"] {
        event[name] = "…".into();
    }
    insta::assert_json_snapshot!(event, @r#"
    {
      "kind": "calendar#event",
      "etag": "…",
      "id": "…",
      "status": "confirmed",
      "htmlLink": "…",
      "created": "2026-03-12T07:32:42.000Z",
      "updated": "2026-03-12T07:32:42.448Z",
      "summary": "Demo",
      "creator": {
        "email": "rosa@host.example",
        "self": true
      },
      "organizer": {
        "email": "rosa@host.example",
        "self": true
      },
      "start": {
        "dateTime": "2026-03-20T10:00:00+01:00",
        "timeZone": "Europe/Berlin"
      },
      "end": {
        "dateTime": "2026-03-20T11:00:00+01:00",
        "timeZone": "Europe/Berlin"
      },
      "iCalUID": "…",
      "sequence": 0,
      "reminders": {
        "useDefault": true
      },
      "eventType": "default"
    }
    "#);
}

#[test]
fn times_are_told_in_the_calendars_zone_and_keep_their_own() {
    let kit = kit();
    let event = json!({"start": {"dateTime": "2026-03-15T10:00:00Z"}, "end": {"dateTime": "2026-03-15T11:00:00Z", "timeZone": "UTC"}});
    let event = kit.good("POST", EVENTS, event);
    assert_eq!(event["start"], json!({"dateTime": "2026-03-15T11:00:00+01:00", "timeZone": "Europe/Berlin"}));
    assert_eq!(event["end"], json!({"dateTime": "2026-03-15T12:00:00+01:00", "timeZone": "UTC"}));
    let event = json!({"start": {"date": "2026-03-15"}, "end": {"date": "2026-03-17"}});
    assert_eq!(kit.good("POST", EVENTS, event)["end"], json!({"date": "2026-03-17"}));
}

/// proves: fault:N3
#[test]
fn an_id_of_ones_own_is_taken_once() {
    let kit = kit();
    let event = with(meeting("Demo", "2026-03-20"), json!({"id": "abc01234"}));
    kit.site.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", EVENTS));
    let lost = kit.send(ROSA, "POST", EVENTS, &[], &event);
    assert_eq!(lost.deliver, crate::Delivery::DropConnection);
    assert_eq!(kit.refused("POST", EVENTS, event.clone()), (409, "duplicate".into()));
    assert_eq!(kit.good("GET", &path("abc01234"), Value::Null)["summary"], "Demo");
    kit.good("DELETE", &path("abc01234"), Value::Null);
    assert_eq!(kit.refused("POST", EVENTS, event), (409, "duplicate".into()), "an id stays taken");
    let back = kit.good("PATCH", &path("abc01234"), json!({"status": "confirmed"}));
    assert_eq!((&back["status"], &back["sequence"]), (&json!("confirmed"), &json!(1)));
}

#[test]
fn tags_change_with_the_event_and_only_then() {
    let kit = kit();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    let first = kit.good("GET", &path(&id), Value::Null);
    let same = kit.good("PATCH", &path(&id), json!({"summary": "Demo"}));
    assert_eq!((&same["etag"], &same["updated"]), (&first["etag"], &first["updated"]));
    let same = kit.good("PUT", &path(&id), first.clone());
    assert_eq!(same["etag"], first["etag"], "recorded");
    let reminded = kit.good("PATCH", &path(&id), json!({"reminders": {"useDefault": false}}));
    assert_eq!(reminded["updated"], first["updated"], "reminders do not move it");
    assert_ne!(reminded["etag"], first["etag"]);
    let old = first["etag"].as_str().unwrap();
    let patch = |tag: &str| {
        let response = kit.send(ROSA, "PATCH", &path(&id), &[("if-match", tag)], &json!({"summary": "Other"})).response;
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), body)
    };
    let (status, body) = patch(old);
    let told = &body["error"]["errors"][0];
    assert_eq!((status, &told["reason"], &told["location"]), (412, &json!("conditionNotMet"), &json!("If-Match")));
    assert_eq!(patch(reminded["etag"].as_str().unwrap()).0, 200);
    let stale = kit.send(ROSA, "DELETE", &path(&id), &[("if-match", old)], &Value::Null).response;
    assert_eq!(stale.status().as_u16(), 412);
}

#[test]
fn what_is_deleted_stays_as_cancelled_and_goes_once() {
    let kit = kit();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    assert_eq!(kit.call("DELETE", &path(&id), Value::Null).0, 204);
    assert_eq!(kit.refused("DELETE", &path(&id), Value::Null), (410, "deleted".into()));
    let event = kit.good("GET", &path(&id), Value::Null);
    assert_eq!((&event["status"], &event["summary"]), (&json!("cancelled"), &json!("Demo")));
    assert_eq!(kit.refused("DELETE", &path("nobody0"), Value::Null), (404, "notFound".into()));
}

#[test]
fn what_cannot_be_is_refused() {
    let kit = kit();
    let day = json!({"date": "2026-03-20"});
    let base = meeting("Demo", "2026-03-20");
    let check = |body: Value, expected: &str| assert_eq!(kit.refused("POST", EVENTS, body).1, expected);
    check(json!({"summary": "No times"}), "required");
    check(with(base.clone(), json!({"end": {"dateTime": "2026-03-20T09:00:00+01:00"}})), "timeRangeEmpty");
    check(with(base.clone(), json!({"end": day})), "invalid");
    check(json!({"start": day, "end": day}), "timeRangeEmpty");
    check(with(base.clone(), json!({"id": "Not-an-id"})), "invalid");
    check(with(base.clone(), json!({"attendees": [{"email": "nobody"}]})), "invalid");
    check(with(base.clone(), json!({"recurrence": ["RRULE:FREQ=SOMETIMES"]})), "invalid");
    check(with(base.clone(), json!({"visibility": "secret"})), "invalid");
    let zoneless = json!({"dateTime": "2026-03-20T10:00:00+01:00"});
    check(with(base.clone(), json!({"start": zoneless, "recurrence": ["RRULE:FREQ=DAILY"]})), "required");
    check(with(base, json!({"start": {"dateTime": "2026-03-20T10:00:00", "timeZone": "Mars/Olympus"}})), "invalid");
    assert!(kit.site.snapshot()[ROSA].is_empty());
}

#[test]
fn a_put_forgets_what_it_does_not_say_and_properties_are_joined_by_a_patch() {
    let kit = kit();
    let own =
        json!({"location": "Room 1", "extendedProperties": {"private": {"syncline": "op1"}, "shared": {"a": "1"}}});
    let id = kit.make(with(meeting("Demo", "2026-03-20"), own));
    let patched =
        kit.good("PATCH", &path(&id), json!({"extendedProperties": {"private": {"more": "x", "syncline": null}}}));
    assert_eq!(patched["extendedProperties"], json!({"private": {"more": "x"}, "shared": {"a": "1"}}));
    let put = kit.good("PUT", &path(&id), meeting("Demo", "2026-03-20"));
    assert!(put.get("location").is_none() && put.get("extendedProperties").is_none());
}

#[test]
fn an_import_is_known_by_its_uid_and_told_nobody() {
    let kit = kit();
    let event = with(
        meeting("Theirs", "2026-03-20"),
        json!({"iCalUID": "abc@elsewhere.example", "organizer": {"email": "x@elsewhere.example"},
               "attendees": [{"email": ROSA}, {"email": SAM}]}),
    );
    let import = format!("{EVENTS}/import?sendUpdates=all");
    let first = kit.good("POST", &import, event.clone());
    assert_eq!(
        (&first["organizer"]["email"], first["id"].as_str().unwrap().chars().next()),
        (&json!("x@elsewhere.example"), Some('_'))
    );
    let again = kit.good("POST", &import, with(event, json!({"summary": "Changed"})));
    assert_eq!((&again["id"], &again["summary"]), (&first["id"], &json!("Changed")));
    assert!(kit.site.snapshot()[SAM].is_empty() && kit.site.mails_since(0).is_empty());
    assert_eq!(kit.refused("POST", &import, meeting("No uid", "2026-03-20")).1, "required");
}

#[test]
fn an_event_moves_to_another_calendar() {
    let kit = kit();
    let to = kit.good("POST", "/calendar/v3/calendars", json!({"summary": "Team", "timeZone": "UTC"}))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    let moved = kit.good("POST", &format!("{}/move?destination={to}", path(&id)), Value::Null);
    assert_eq!((&moved["organizer"]["email"], &moved["organizer"]["displayName"]), (&json!(to), &json!("Team")));
    assert_eq!(kit.good("GET", &path(&id), Value::Null)["status"], "cancelled");
    kit.good("DELETE", &format!("/calendar/v3/calendars/{to}"), Value::Null);
    assert_eq!(kit.refused("GET", &format!("/calendar/v3/calendars/{to}/events"), Value::Null).0, 404);
}

#[test]
fn a_reader_sees_that_a_private_event_is_there_and_no_more() {
    let kit = kit();
    kit.make(with(meeting("Salary talk", "2026-03-20"), json!({"visibility": "private", "location": "Room 1"})));
    kit.site.share(ROSA, SAM, Some(crate::google::GoogleRole::Reader)).unwrap();
    let response = kit.send(SAM, "GET", &format!("/calendar/v3/calendars/{ROSA}/events"), &[], &Value::Null).response;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    assert!(
        text.contains("\"visibility\":\"private\"") && !text.contains("Salary") && !text.contains("Room"),
        "{text}"
    );
    let write =
        kit.send(SAM, "POST", &format!("/calendar/v3/calendars/{ROSA}/events"), &[], &meeting("Mine", "2026-03-20"));
    assert_eq!(write.response.status().as_u16(), 403);
}
