//! Deltas of a window: hints that come in rounds, again and again, and whose tokens end.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{EVENTS, Kit, kit, kit_with, meeting, weekly, with};
use crate::{FaultKind, FaultRule, microsoft::MicrosoftConfig};

const DELTA: &str = "/v1.0/me/calendarView/delta";
const WINDOW: &str = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-06-01T00:00:00Z";

/// Follows the pages of a round; answers all rows, the link to the next round, and how many pages there were.
fn round(kit: &Kit, path: &str, size: usize) -> (Vec<Value>, String, usize) {
    let (mut rows, mut path, mut pages) = (Vec::new(), path.to_owned(), 0);
    let prefer = format!("odata.maxpagesize={size}, IdType=\"ImmutableId\"");
    loop {
        let response = kit.send(super::MIA, "GET", &path, &[("prefer", &prefer)], &Value::Null).response;
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(response.status().as_u16(), 200, "{answer}");
        rows.extend(answer["value"].as_array().unwrap().clone());
        pages += 1;
        let local =
            |name: &str| answer[name].as_str().and_then(|link| link.strip_prefix("http://here")).map(str::to_owned);
        match local("@odata.nextLink") {
            Some(next) => path = next,
            None => return (rows, local("@odata.deltaLink").unwrap(), pages),
        }
    }
}

fn first(kit: &Kit) -> (Vec<Value>, String, usize) {
    round(kit, &format!("{DELTA}?{WINDOW}"), 2)
}

#[test]
fn a_round_tells_what_has_changed_since_the_last() {
    let kit = kit();
    let ids: Vec<String> = (0..5).map(|n| kit.make(meeting(&format!("Event {n}"), "2026-03-20"))).collect();
    kit.make(meeting("Far away", "2027-03-20"));
    let (rows, link, pages) = first(&kit);
    assert_eq!((rows.len(), pages), (5, 3));
    let (rows, link, _) = round(&kit, &link, 2);
    assert!(rows.is_empty());
    kit.good("PATCH", &format!("{EVENTS}/{}", ids[1]), json!({"subject": "Changed"}));
    kit.good("DELETE", &format!("{EVENTS}/{}", ids[3]), Value::Null);
    kit.good("PATCH", &format!("{EVENTS}/{}", ids[4]), meeting("Moved out", "2026-09-01"));
    let (rows, ..) = round(&kit, &link, 50);
    let removed = |id: &str| json!({"id": id, "@removed": {"reason": "deleted"}});
    assert_eq!(rows[0]["subject"], "Changed");
    assert_eq!(rows[1..], [removed(&ids[3]), removed(&ids[4])], "what moved out of the window looks deleted");
    assert_eq!(kit.good("GET", &format!("{EVENTS}/{}", ids[4]), Value::Null)["subject"], "Moved out");
}

#[test]
fn series_come_with_stubs_and_cancelled_occurrences_silently() {
    for tells in [false, true] {
        let kit = kit_with(MicrosoftConfig { tells_cancelled_occurrences: tells, ..MicrosoftConfig::default() });
        kit.make(with(meeting("Weekly", "2026-03-16"), weekly(4)));
        let (rows, link, _) = first(&kit);
        let kinds: Vec<&str> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["seriesMaster", "occurrence", "occurrence", "occurrence", "occurrence"]);
        let mut names: Vec<&String> = rows[1].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["@odata.etag", "end", "id", "seriesMasterId", "start", "type"]);
        let second = rows[2]["id"].as_str().unwrap().to_owned();
        kit.good("DELETE", &format!("{EVENTS}/{second}"), Value::Null);
        let (rows, ..) = round(&kit, &link, 50);
        let told = rows.iter().any(|row| row["id"] == second);
        assert_eq!((told, rows[0]["type"].as_str()), (tells, Some("seriesMaster")), "its series comes again");
    }
}

/// proves: fault:B3
#[test]
fn tokens_expire_between_and_within_rounds() {
    let kit = kit();
    for n in 0..4 {
        kit.make(meeting(&format!("Event {n}"), "2026-03-20"));
    }
    let (_, link, _) = first(&kit);
    kit.site.expire_delta_tokens();
    let gone = kit.send(super::MIA, "GET", &link, &[], &Value::Null).response;
    let body: Value = serde_json::from_slice(gone.body()).unwrap();
    assert_eq!((gone.status().as_u16(), &body["error"]["code"]), (410, &json!("SyncStateNotFound")));
    let again = gone.headers()["location"].to_str().unwrap().strip_prefix("http://here").unwrap();
    assert_eq!(round(&kit, again, 50).0.len(), 4, "where to begin again stands in the answer");
    let (_, link, _) = first(&kit);
    kit.hands.pass(SignedDuration::from_hours(8 * 24));
    assert_eq!(kit.refused("GET", &link, Value::Null).0, 410);
    kit.site.faults().add(FaultRule::next(FaultKind::Status).status(410).on("GET", DELTA).after(1));
    kit.good("GET", &format!("{DELTA}?{WINDOW}"), Value::Null);
    assert_eq!(kit.refused("GET", &format!("{DELTA}?{WINDOW}"), Value::Null), (410, "SyncStateNotFound".into()));
    assert_eq!(kit.refused("GET", &format!("{DELTA}?$deltatoken=x"), Value::Null), (400, "InvalidDeltaToken".into()));
    assert_eq!(kit.refused("GET", &format!("{DELTA}?{WINDOW}&$select=id"), Value::Null).0, 400);
    assert_eq!(kit.refused("GET", DELTA, Value::Null).0, 400, "a window is needed");
}

/// proves: fault:B4
#[test]
fn what_changes_while_somebody_pages_comes_with_the_next_round() {
    let kit = kit_with(MicrosoftConfig { repeats_rows: true, ..MicrosoftConfig::default() });
    let ids: Vec<String> = (0..4).map(|n| kit.make(meeting(&format!("Event {n}"), "2026-03-20"))).collect();
    let answer = kit.good("GET", &format!("{DELTA}?{WINDOW}"), Value::Null);
    assert_eq!(answer["value"].as_array().unwrap().len(), 5, "one row came twice");
    let response = kit
        .send(super::MIA, "GET", &format!("{DELTA}?{WINDOW}"), &[("prefer", "odata.maxpagesize=2")], &Value::Null)
        .response;
    let page: Value = serde_json::from_slice(response.body()).unwrap();
    kit.good("PATCH", &format!("{EVENTS}/{}", ids[3]), json!({"subject": "Meanwhile"}));
    let next = page["@odata.nextLink"].as_str().unwrap().strip_prefix("http://here").unwrap();
    let (rows, link, _) = round(&kit, next, 2);
    assert!(rows.iter().all(|row| row["id"] != ids[3]));
    assert_eq!(round(&kit, &link, 2).0[0]["subject"], "Meanwhile");
}

#[test]
fn what_is_moved_away_looks_deleted_and_writes_come_late_where_it_is_asked_for() {
    let kit = kit();
    kit.site.add_calendar(super::MIA, "Other").unwrap();
    let id = kit.make(meeting("Demo", "2026-03-20"));
    let (_, link, _) = first(&kit);
    kit.site.move_to_calendar(super::MIA, &id, 1).unwrap();
    let (rows, link, _) = round(&kit, &link, 50);
    assert_eq!(rows, [json!({"id": id, "@removed": {"reason": "deleted"}})]);
    kit.site.set_delta_lag(SignedDuration::from_secs(30));
    let late = kit.make(meeting("Late", "2026-03-21"));
    assert_eq!(kit.good("GET", &format!("{EVENTS}/{late}"), Value::Null)["subject"], "Late");
    let (rows, link, _) = round(&kit, &link, 50);
    assert!(rows.is_empty());
    kit.hands.pass(SignedDuration::from_secs(30));
    assert_eq!(round(&kit, &link, 50).0[0]["subject"], "Late");
}

/// What somebody knows of a window who takes deltas for hints and reads again whatever they name.
#[derive(Default)]
struct Reader {
    singles: std::collections::BTreeMap<String, Value>,
    series: std::collections::BTreeMap<String, Vec<Value>>,
}

impl Reader {
    fn take(&mut self, kit: &Kit, rows: &[Value]) {
        for row in rows {
            let id = row["id"].as_str().unwrap().to_owned();
            if row.get("@removed").is_some() || row["type"] == "singleInstance" {
                self.series.remove(&id);
                self.singles.remove(&id);
                let (status, event) = kit.by(super::MIA, "GET", &format!("{EVENTS}/{id}"), Value::Null);
                if status == 200 && event["type"] == "singleInstance" {
                    self.singles.insert(id, event);
                }
            } else if row["type"] == "seriesMaster" {
                let parts = kit.good("GET", &format!("{EVENTS}/{id}/instances?{WINDOW}&$top=100"), Value::Null);
                self.series.insert(id, parts["value"].as_array().unwrap().clone());
            }
        }
    }

    /// Ids, subjects and starts of what lies in the window.
    fn known(&self) -> Vec<(String, String, String)> {
        let all = self.singles.values().chain(self.series.values().flatten());
        told(all.filter(|event| event["start"]["dateTime"].as_str().unwrap() < "2026-06"))
    }
}

fn told<'a>(events: impl Iterator<Item = &'a Value>) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> =
        events.map(|event| (text(&event["id"]), text(&event["subject"]), text(&event["start"]["dateTime"]))).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// However pages are cut, whatever is changed in between and wherever tokens end: who takes deltas for hints ends
    /// with what a view shows.
    #[test]
    fn whoever_follows_rounds_and_reads_again_knows_the_window(
        size in 1usize..4,
        acts in prop::collection::vec((0u8..6, 0usize..4), 0..24),
    ) {
        let kit = kit_with(MicrosoftConfig { repeats_rows: true, ..MicrosoftConfig::default() });
        let singles: Vec<String> = (0..4).map(|n| kit.make(meeting(&format!("Event {n}"), "2026-03-20"))).collect();
        let series = kit.make(with(meeting("Weekly", "2026-03-16"), weekly(6)));
        let instances = format!("{EVENTS}/{series}/instances?{WINDOW}");
        let mut reader = Reader::default();
        let start = format!("{DELTA}?{WINDOW}");
        let mut link = start.clone();
        let mut acts = acts.into_iter();
        for _ in 0..3 {
            let (rows, next, _) = round(&kit, &link, size);
            for (act, which) in acts.by_ref().take(8) {
                let single = format!("{EVENTS}/{}", singles[which]);
                let part = super::words(&kit.good("GET", &instances, Value::Null), "id").get(which).cloned();
                let part = format!("{EVENTS}/{}", part.unwrap_or_default());
                drop(match act {
                    0 => kit.by(super::MIA, "PATCH", &single, json!({"subject": format!("Changed {which}")})),
                    1 => kit.by(super::MIA, "DELETE", &single, Value::Null),
                    2 => kit.by(super::MIA, "PATCH", &single, meeting("Away", "2026-09-01")),
                    3 => kit.by(super::MIA, "PATCH", &part, json!({"subject": "Special"})),
                    4 => kit.by(super::MIA, "DELETE", &part, Value::Null),
                    _ => kit.by(super::MIA, "PATCH", &single, meeting("Back", "2026-04-01")),
                });
            }
            reader.take(&kit, &rows);
            link = next;
        }
        reader.take(&kit, &round(&kit, &link, size).0);
        let view = kit.good("GET", &format!("/v1.0/me/calendarView?{WINDOW}&$top=100"), Value::Null);
        prop_assert_eq!(reader.known(), told(view["value"].as_array().unwrap().iter()));
    }
}
