//! Single events: what can be written, what is refused, what ids and change keys promise.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EVENTS, IMMUTABLE, Kit, MIA, kit, kit_with, meeting, with, words};
use crate::{Delivery, FaultKind, FaultRule, MicrosoftConfig, microsoft::MicrosoftRates};

fn path(id: &str) -> String {
    format!("{EVENTS}/{id}")
}

#[test]
fn bodies_are_pages_and_times_have_no_offset() {
    let kit = kit();
    let text = json!({"body": {"contentType": "text", "content": "Bring <the> plan\nand a pen"}, "location": {"displayName": "Room 1"}});
    let id = kit.make(with(meeting("Demo", "2026-03-20"), text));
    let event = kit.good("GET", &path(&id), Value::Null);
    assert_eq!(event["start"], json!({"dateTime": "2026-03-20T09:00:00.0000000", "timeZone": "UTC"}));
    assert_eq!(event["originalStartTimeZone"], "W. Europe Standard Time");
    let page = event["body"]["content"].as_str().unwrap();
    assert!(page.starts_with("<html>") && page.contains("Bring &lt;the&gt; plan<br>"), "{page}");
    assert_eq!(event["bodyPreview"], "Bring <the> plan\r\nand a pen");
    assert_eq!(event["locations"][0]["displayName"], "Room 1");
    let prefer = [
        ("prefer", "outlook.timezone=\"Europe/Berlin\""),
        ("prefer", "outlook.body-content-type=\"text\", IdType=\"ImmutableId\""),
    ];
    let response = kit.send(MIA, "GET", &path(&id), &prefer, &Value::Null).response;
    let event: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(event["start"], json!({"dateTime": "2026-03-20T10:00:00.0000000", "timeZone": "Europe/Berlin"}));
    assert_eq!(event["body"]["contentType"], "text");
    assert_eq!(response.headers()["preference-applied"], "IdType=\"ImmutableId\"");
    let empty = kit.make(meeting("Empty", "2026-03-20"));
    let page = kit.good("GET", &path(&empty), Value::Null)["body"]["content"].clone();
    assert!(page.as_str().unwrap().starts_with("<html>"), "an empty body is a page too");
}

/// proves: fault:N3
#[test]
fn a_call_with_a_transaction_makes_one_event() {
    let kit = kit();
    let event = with(meeting("Demo", "2026-03-20"), json!({"transactionId": "op-1"}));
    kit.site.faults().add(FaultRule::next(FaultKind::LostAnswer).on("POST", EVENTS));
    assert_eq!(kit.send(MIA, "POST", EVENTS, &[IMMUTABLE], &event).deliver, Delivery::DropConnection);
    let again = kit.good("POST", EVENTS, event);
    assert_eq!((again["transactionId"].clone(), kit.only(MIA)["id"].clone()), (json!("op-1"), again["id"].clone()));
    kit.make(meeting("Other", "2026-03-20"));
    assert_eq!(kit.site.snapshot()[MIA].len(), 2);
}

/// proves: fault:N3
#[test]
fn a_transaction_that_was_used_can_be_refused() {
    for status in [400, 409] {
        let kit = kit_with(MicrosoftConfig { transaction_refusal: Some(status), ..MicrosoftConfig::default() });
        let event = with(meeting("Demo", "2026-03-20"), json!({"transactionId": "op-1"}));
        let id = kit.make(event.clone());
        for _ in 0..2 {
            let (told, answer) = kit.by(MIA, "POST", EVENTS, event.clone());
            let error = &answer["error"];
            assert_eq!((told, &error["code"]), (status, &json!("ErrorDuplicateTransactionId")));
            assert_eq!(error["@event.existingEventId"], id.as_str());
            // It is remembered when the event has gone.
            kit.by(MIA, "DELETE", &path(&id), Value::Null);
        }
        assert!(kit.site.snapshot()[MIA].is_empty());
    }
}

#[test]
fn change_keys_change_with_the_event_and_only_then() {
    let kit = kit();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    let first = kit.good("GET", &path(&id), Value::Null);
    let same = kit.good("PATCH", &path(&id), json!({"subject": "Demo"}));
    assert_eq!(
        (&same["@odata.etag"], &same["lastModifiedDateTime"]),
        (&first["@odata.etag"], &first["lastModifiedDateTime"])
    );
    let patch = |tag: &str, subject: &str| {
        kit.send(MIA, "PATCH", &path(&id), &[IMMUTABLE, ("if-match", tag)], &json!({"subject": subject}))
            .response
            .status()
            .as_u16()
    };
    let tag = first["@odata.etag"].as_str().unwrap();
    assert_eq!((patch(tag, "One"), patch(tag, "Two"), patch("*", "Three")), (200, 412, 200));
    let stale = kit.send(MIA, "DELETE", &path(&id), &[IMMUTABLE, ("if-match", tag)], &Value::Null).response;
    assert_eq!(stale.status().as_u16(), 412);
    assert_eq!(kit.only(MIA)["subject"], "Three");
    kit.good("DELETE", &path(&id), Value::Null);
    assert_eq!(kit.refused("DELETE", &path(&id), Value::Null), (404, "ErrorItemNotFound".into()));
}

#[test]
fn regular_ids_change_with_the_calendar_and_immutable_ones_do_not() {
    let kit = kit();
    kit.site.add_calendar(MIA, "Other").unwrap();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    let regular = |kit: &Kit| {
        let body = kit.send(MIA, "GET", &path(&id), &[], &Value::Null).response.into_body();
        serde_json::from_slice::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let before = regular(&kit);
    assert_eq!(kit.good("GET", &path(&before), Value::Null)["id"], id, "both kinds are understood");
    kit.site.move_to_calendar(MIA, &id, 1).unwrap();
    assert_ne!(regular(&kit), before);
    assert_eq!(kit.refused("GET", &path(&before), Value::Null).0, 404);
    assert_eq!(kit.good("GET", &path(&id), Value::Null)["subject"], "Demo");
    assert_eq!(kit.refused("GET", &path("nonsense"), Value::Null).1, "ErrorInvalidIdMalformed");
    let other = kit.good("GET", "/v1.0/me/calendars", Value::Null)["value"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        words(&kit.good("GET", &format!("/v1.0/me/calendars/{other}/events"), Value::Null), "subject"),
        ["Demo"]
    );
    assert!(words(&kit.good("GET", EVENTS, Value::Null), "subject").is_empty());
}

#[test]
fn what_cannot_be_is_refused() {
    let kit = kit();
    let base = meeting("Demo", "2026-03-20");
    let check = |body: Value, code: &str| assert_eq!(kit.refused("POST", EVENTS, body), (400, code.into()));
    check(json!({"subject": "No times"}), "ErrorInvalidPropertySet");
    check(
        with(base.clone(), json!({"end": {"dateTime": "2026-03-20T08:00:00", "timeZone": "UTC"}})),
        "ErrorPropertyValidationFailure",
    );
    check(with(base.clone(), json!({"isAllDay": true})), "ErrorPropertyValidationFailure");
    check(with(base.clone(), json!({"sensitivity": "secret"})), "ErrorInvalidPropertySet");
    check(
        with(base.clone(), json!({"start": {"dateTime": "2026-03-20T08:00:00", "timeZone": "Mars Time"}})),
        "TimeZoneNotSupportedException",
    );
    check(
        with(base.clone(), json!({"attendees": [{"emailAddress": {"address": "nobody"}}]})),
        "ErrorInvalidRecipients",
    );
    check(with(base, json!({"recurrence": {"pattern": {"type": "hourly"}, "range": {}}})), "ErrorRecurrenceInvalid");
    assert!(kit.site.snapshot()[MIA].is_empty());
    let day = |day: &str| json!({"dateTime": format!("{day}T00:00:00"), "timeZone": "UTC"});
    let all_day = json!({"subject": "Fair", "isAllDay": true, "start": day("2026-03-20"), "end": day("2026-03-21")});
    assert_eq!(kit.good("POST", EVENTS, all_day)["isAllDay"], true);
}

#[test]
fn an_event_is_found_by_a_property_of_ones_own() {
    let kit = kit();
    let name = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name SynclineOp";
    let id = kit.make(with(
        meeting("Demo", "2026-03-20"),
        json!({"singleValueExtendedProperties": [{"id": name, "value": "Op-7"}]}),
    ));
    kit.make(meeting("Other", "2026-03-21"));
    let find = |name: &str, value: &str| {
        let filter = format!("singleValueExtendedProperties/Any(ep: ep/id eq '{name}' and ep/value eq '{value}')");
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("$filter", &filter).finish();
        words(&kit.good("GET", &format!("{EVENTS}?{query}"), Value::Null), "id")
    };
    assert_eq!((find(name, "op-7"), find(&name.to_lowercase(), "op-7")), (vec![id.clone()], vec![]));
    let event = kit.good("GET", &path(&id), Value::Null);
    assert!(event.get("singleValueExtendedProperties").is_none(), "only where it is asked for");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("$expand", &format!("singleValueExtendedProperties($filter=id eq '{name}')"))
        .append_pair("$select", "subject")
        .finish();
    let event = kit.good("GET", &format!("{}?{query}", path(&id)), Value::Null);
    assert_eq!((&event["singleValueExtendedProperties"][0]["value"], event.get("start")), (&json!("Op-7"), None));
    let later = kit.good("GET", &format!("{EVENTS}?$filter=start/dateTime%20ge%20'2026-03-21T00:00:00'"), Value::Null);
    assert_eq!(words(&later, "subject"), ["Other"]);
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?$filter=contains(subject,'D')"), Value::Null).0, 400);
}

#[test]
fn lists_have_pages() {
    let kit = kit();
    for n in 0..5 {
        kit.make(meeting(&format!("Event {n}"), "2026-03-20"));
    }
    let first = kit.good("GET", &format!("{EVENTS}?$top=2"), Value::Null);
    let next = first["@odata.nextLink"].as_str().unwrap().strip_prefix("http://here").unwrap().to_owned();
    let second = kit.good("GET", &next, Value::Null);
    let next = second["@odata.nextLink"].as_str().unwrap().strip_prefix("http://here").unwrap().to_owned();
    let third = kit.good("GET", &next, Value::Null);
    assert_eq!(words(&third, "subject"), ["Event 4"]);
    assert!(third.get("@odata.nextLink").is_none());
}

#[test]
fn a_mailbox_takes_four_calls_at_a_time() {
    let kit = kit();
    kit.site.set_rates(MicrosoftRates { call_takes: SignedDuration::from_secs(2), ..MicrosoftRates::DEFAULT });
    let call = |user: &str| kit.send(user, "GET", EVENTS, &[], &Value::Null).response;
    for _ in 0..4 {
        assert_eq!(call(MIA).status().as_u16(), 200);
    }
    let fifth = call(MIA);
    assert_eq!((fifth.status().as_u16(), &fifth.headers()["retry-after"]), (429, &http::HeaderValue::from_static("2")));
    assert_eq!(call(super::NOAH).status().as_u16(), 200, "each mailbox for itself");
    kit.hands.pass(SignedDuration::from_secs(2));
    assert_eq!(call(MIA).status().as_u16(), 200);
    kit.site.set_rates(MicrosoftRates { per_ten_minutes: 5, ..MicrosoftRates::DEFAULT });
    let last = call(MIA);
    let body: Value = serde_json::from_slice(last.body()).unwrap();
    assert_eq!((last.status().as_u16(), &body["error"]["code"]), (429, &json!("ApplicationThrottled")));
}
