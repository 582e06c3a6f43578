//! Lists: pages, tokens, what comes again, and what may not be asked together.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{EVENTS, Kit, items, kit, kit_with, meeting, with, words};
use crate::{
    FaultKind, FaultRule,
    google::{GoogleConfig, GoogleRates},
};

fn fill(kit: &Kit, count: usize) -> Vec<String> {
    (0..count).map(|n| kit.make(meeting(&format!("Event {n}"), &format!("2026-04-{:02}", n % 28 + 1)))).collect()
}

/// All pages of a list, and the sync token at its end.
fn all(kit: &Kit, query: &str) -> (Vec<Value>, Option<String>) {
    let mut rows = Vec::new();
    let mut page = String::new();
    loop {
        let answer = kit.good("GET", &format!("{EVENTS}?{query}{page}"), Value::Null);
        rows.extend(items(&answer).clone());
        match answer["nextPageToken"].as_str() {
            Some(token) => page = format!("&pageToken={token}"),
            None => return (rows, answer["nextSyncToken"].as_str().map(str::to_owned)),
        }
    }
}

#[test]
fn a_token_brings_what_has_changed_since() {
    let kit = kit();
    let ids = fill(&kit, 5);
    let (rows, token) = all(&kit, "maxResults=2");
    assert_eq!(rows.len(), 5);
    let token = token.unwrap();
    let (rows, next) = all(&kit, &format!("syncToken={token}"));
    assert!(rows.is_empty());
    kit.good("PATCH", &format!("{EVENTS}/{}", ids[1]), json!({"summary": "Changed"}));
    kit.good("DELETE", &format!("{EVENTS}/{}", ids[3]), Value::Null);
    let (rows, _) = all(&kit, &format!("syncToken={}", next.unwrap()));
    let told: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["id"], &row["status"])).collect();
    assert_eq!(told, [(&json!(ids[1]), &json!("confirmed")), (&json!(ids[3]), &json!("cancelled"))]);
    assert_eq!(all(&kit, "showDeleted=true").0.len(), 5);
    assert_eq!(all(&kit, "").0.len(), 4);
}

#[test]
fn a_page_can_be_empty_and_not_the_last() {
    let kit = kit();
    for id in fill(&kit, 3) {
        kit.good("DELETE", &format!("{EVENTS}/{id}"), Value::Null);
    }
    fill(&kit, 2);
    let first = kit.good("GET", &format!("{EVENTS}?maxResults=3"), Value::Null);
    assert!(items(&first).is_empty() && first["nextPageToken"].is_string() && first.get("nextSyncToken").is_none());
    assert_eq!(all(&kit, "maxResults=3").0.len(), 2);
}

/// proves: fault:B4
#[test]
fn pages_shift_while_somebody_pages() {
    let kit = kit();
    let ids = fill(&kit, 6);
    let first = kit.good("GET", &format!("{EVENTS}?maxResults=3"), Value::Null);
    kit.good("PATCH", &format!("{EVENTS}/{}", ids[4]), json!({"summary": "Changed meanwhile"}));
    let token = first["nextPageToken"].as_str().unwrap();
    let second = kit.good("GET", &format!("{EVENTS}?maxResults=3&pageToken={token}"), Value::Null);
    assert_eq!(words(&second, "id"), [ids[3].clone(), ids[5].clone()], "what moved is not on any page");
    let sync = second["nextSyncToken"].as_str().unwrap();
    assert_eq!(words(&kit.good("GET", &format!("{EVENTS}?syncToken={sync}"), Value::Null), "id"), [ids[4].clone()]);
    // Ordered lists are made anew, so that rows come twice or not at all.
    let ordered = format!("{EVENTS}?maxResults=3&singleEvents=true&orderBy=startTime");
    let first = kit.good("GET", &ordered, Value::Null);
    kit.good("DELETE", &format!("{EVENTS}/{}", ids[0]), Value::Null);
    let token = first["nextPageToken"].as_str().unwrap();
    let second = kit.good("GET", &format!("{ordered}&pageToken={token}"), Value::Null);
    assert_eq!(words(&second, "id"), [ids[4].clone(), ids[5].clone()], "the fourth has slipped through");
}

#[test]
fn rows_come_twice_and_writes_late_where_it_is_asked_for() {
    let kit =
        kit_with(GoogleConfig { repeated_rows: 1, list_lag: SignedDuration::from_secs(30), ..GoogleConfig::default() });
    let ids = fill(&kit, 4);
    assert!(all(&kit, "").0.is_empty());
    assert_eq!(kit.good("GET", &format!("{EVENTS}/{}", ids[0]), Value::Null)["summary"], "Event 0");
    kit.hands.pass(SignedDuration::from_secs(30));
    let (rows, token) = all(&kit, "maxResults=2");
    assert_eq!(rows.len(), 6, "two pages repeat a row each");
    kit.good("PATCH", &format!("{EVENTS}/{}", ids[0]), json!({"summary": "Late"}));
    let (rows, token) = all(&kit, &format!("syncToken={}", token.unwrap()));
    assert!(rows.is_empty());
    kit.hands.pass(SignedDuration::from_secs(30));
    assert_eq!(all(&kit, &format!("syncToken={}", token.unwrap())).0[0]["summary"], "Late");
}

/// proves: fault:B3
#[test]
fn tokens_expire_between_and_within_pages() {
    let kit = kit();
    fill(&kit, 4);
    let token = all(&kit, "").1.unwrap();
    let page =
        kit.good("GET", &format!("{EVENTS}?maxResults=2"), Value::Null)["nextPageToken"].as_str().unwrap().to_owned();
    kit.site.expire_sync_tokens();
    let gone = (410, "fullSyncRequired".to_owned());
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?syncToken={token}"), Value::Null), gone);
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?maxResults=2&pageToken={page}"), Value::Null), gone);
    let token = all(&kit, "").1.unwrap();
    kit.site.faults().add(FaultRule::next(FaultKind::Status).status(410).on("GET", "/calendar/v3/calendars/").after(1));
    let first = kit.good("GET", &format!("{EVENTS}?maxResults=2"), Value::Null);
    assert!(first["nextPageToken"].is_string());
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?maxResults=2"), Value::Null), gone);
    kit.hands.pass(SignedDuration::from_hours(31 * 24));
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?syncToken={token}"), Value::Null), gone);
}

#[test]
fn restrictions_and_tokens_do_not_go_together() {
    let kit = kit();
    let token = all(&kit, "").1.unwrap();
    for restriction in
        ["timeMin=2026-01-01T00:00:00Z", "orderBy=updated", "q=x", "iCalUID=x", "updatedMin=2026-01-01T00:00:00Z"]
    {
        let path = format!("{EVENTS}?syncToken={token}&{restriction}");
        assert_eq!(
            kit.refused("GET", &path, Value::Null),
            (400, "syncTokenWithRequestRestrictions".into()),
            "{restriction}"
        );
        assert_eq!(all(&kit, restriction).1, None, "no token comes of a restricted list");
    }
    for path in ["showDeleted=false", "singleEvents=true", "eventTypes=default"] {
        assert_eq!(kit.refused("GET", &format!("{EVENTS}?syncToken={token}&{path}"), Value::Null).0, 400, "{path}");
    }
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?syncToken=nonsense"), Value::Null).0, 400);
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?orderBy=startTime"), Value::Null).0, 400);
}

#[test]
fn what_is_looked_for_is_found() {
    let kit = kit();
    kit.make(with(meeting("Demo for Lea", "2026-04-01"), json!({"extendedProperties": {"private": {"op": "7"}}})));
    kit.make(with(meeting("Lunch", "2026-04-02"), json!({"eventType": "focusTime"})));
    let found = |query: &str| {
        all(&kit, query).0.iter().map(|row| row["summary"].as_str().unwrap()[..4].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("q=lea"), ["Demo"]);
    assert_eq!(found("privateExtendedProperty=op%3D7"), ["Demo"]);
    assert_eq!(found("eventTypes=focusTime&eventTypes=birthday"), ["Lunc"]);
    assert_eq!(found("timeMin=2026-04-01T10:00:00Z"), ["Lunc"], "the end is left out");
    assert_eq!(found("timeMin=2026-04-01T09:59:59Z&timeMax=2026-04-02T09:00:00Z"), ["Demo"]);
    assert_eq!(kit.refused("GET", &format!("{EVENTS}?timeMin=yesterday"), Value::Null).0, 400);
}

#[test]
fn lists_of_calendars_have_pages_and_tokens_too() {
    let kit = kit();
    let path = "/calendar/v3/users/me/calendarList";
    kit.site.add_calendar("rosa@host.example", "Team", "UTC").unwrap();
    let first = kit.good("GET", &format!("{path}?maxResults=1"), Value::Null);
    let page = first["nextPageToken"].as_str().unwrap();
    let second = kit.good("GET", &format!("{path}?maxResults=1&pageToken={page}"), Value::Null);
    assert_eq!((words(&first, "summary"), words(&second, "accessRole")), (vec!["Team".into()], vec!["owner".into()]));
    let token = second["nextSyncToken"].as_str().unwrap().to_owned();
    assert!(items(&kit.good("GET", &format!("{path}?syncToken={token}"), Value::Null)).is_empty());
    kit.good("DELETE", &format!("/calendar/v3/calendars/{}", items(&first)[0]["id"].as_str().unwrap()), Value::Null);
    let changes = kit.good("GET", &format!("{path}?syncToken={token}"), Value::Null);
    assert_eq!(items(&changes)[0]["deleted"], true);
    kit.site.expire_sync_tokens();
    assert_eq!(kit.refused("GET", &format!("{path}?syncToken={token}"), Value::Null).0, 410);
}

#[test]
fn too_many_calls_are_refused_until_the_minute_has_passed() {
    let kit = kit();
    for (limits, reason) in [
        (GoogleRates { user_per_minute: 3, ..GoogleRates::DEFAULT }, (403, "userRateLimitExceeded")),
        (GoogleRates { project_per_minute: 3, refused_with: 429, ..GoogleRates::DEFAULT }, (429, "rateLimitExceeded")),
    ] {
        kit.site.set_rates(limits);
        for _ in 0..3 {
            kit.good("GET", EVENTS, Value::Null);
        }
        assert_eq!(kit.refused("GET", EVENTS, Value::Null), (reason.0, reason.1.into()));
        kit.hands.pass(SignedDuration::from_mins(1));
    }
    assert_eq!(kit.site.call_counts()["GET calendar/v3/calendars/{id}/events"], 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// However pages are cut and whatever is changed in between: who follows pages and tokens ends with what is there.
    #[test]
    fn following_pages_and_tokens_gives_the_calendar(size in 1usize..5, edits in prop::collection::vec((0usize..8, any::<bool>()), 0..30)) {
        let kit = kit_with(GoogleConfig { repeated_rows: 1, rates: GoogleRates::NONE, ..GoogleConfig::default() });
        let ids = fill(&kit, 8);
        let mut copy = std::collections::BTreeMap::new();
        let mut edits = edits.into_iter();
        let mut since = String::new();
        for _ in 0..4 {
            let mut page = String::new();
            loop {
                let answer = kit.good("GET", &format!("{EVENTS}?maxResults={size}{since}{page}"), Value::Null);
                for row in items(&answer) {
                    copy.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
                }
                if let Some((which, deletes)) = edits.next() {
                    let path = format!("{EVENTS}/{}", ids[which]);
                    let (method, body) = if deletes { ("DELETE", Value::Null) } else { ("PATCH", json!({"summary": page})) };
                    kit.call(method, &path, body);
                }
                match answer["nextPageToken"].as_str() {
                    Some(token) => page = format!("&pageToken={token}"),
                    None => {
                        since = format!("&syncToken={}", answer["nextSyncToken"].as_str().unwrap());
                        break;
                    }
                }
            }
        }
        let rest = kit.good("GET", &format!("{EVENTS}?{}", since.trim_start_matches('&')), Value::Null);
        for row in items(&rest) {
            copy.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
        let live = |rows: Vec<Value>| rows.into_iter().filter(|row| row["status"] != "cancelled").collect::<Vec<_>>();
        prop_assert_eq!(live(copy.into_values().collect()), live(kit.site.snapshot()["rosa@host.example"].clone()));
    }
}
