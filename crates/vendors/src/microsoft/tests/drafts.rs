//! What is said to Microsoft Graph of an event, without anybody who hears it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_core::calendar::{
    event::{Content, Moment, Part, Reply},
    recur::{Window, expand},
};

use super::{
    super::{
        draft::{Unsayable, changed, made, mark, seated, transaction},
        text,
    },
    writes::content,
};
use crate::{
    guests::Guests,
    testing::contents::{any_content, at, guest},
};

fn day(text: &str) -> Moment {
    Moment::Day(text.parse().expect("a day"))
}

fn series(start: Moment, rule: &str) -> Content {
    let end = match &start {
        Moment::At { at, zone } => Moment::At { at: *at + jiff::SignedDuration::from_hours(1), zone: zone.clone() },
        Moment::Day(day) => Moment::Day(day.tomorrow().expect("it is near")),
        Moment::Floating(_) => start.clone(),
    };
    Content { recurrence: vec![rule.to_owned()], ..Content::new(start, end) }
}

#[test]
fn all_of_an_event_is_said_when_it_is_made() {
    let mut content = content("Demo");
    content.description = "Bring <the> plan\nand a pen".into();
    content.attendees[1].part = Part::Optional;
    content.attendees[1].who.name = Some("Bo".into());
    let seed = std::array::from_fn(|n| u8::try_from(n).expect("small"));
    insta::assert_json_snapshot!(made(&seed, &content).expect("it can be said"));
}

/// Another seed is another name, whichever part of it differs.
#[test]
fn a_seed_names_one_event() {
    assert_eq!(transaction(&[0; 32]), "00000000-0000-8000-8000-000000000000");
    assert_eq!(transaction(&[255; 32]), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    let mut other = [7; 32];
    other[31] = 8;
    assert_ne!(mark(&[7; 32]), mark(&other));
}

#[test]
fn only_what_differs_is_said() {
    let from = content("Demo");
    let said = |change: fn(&mut Content)| {
        let mut to = from.clone();
        change(&mut to);
        Value::from(changed(&from, &to, None).expect("it can be said"))
    };
    assert_eq!(said(|_| {}), json!({}));
    assert_eq!(said(|to| to.summary = "Other".into()), json!({"subject": "Other"}));
    assert_eq!(said(|to| to.location.clear()), json!({"location": {"displayName": ""}}));
    let body = json!({"body": {"contentType": "text", "content": "<b> & co"}});
    assert_eq!(said(|to| to.description = "<b> & co".into()), body);
    assert_eq!(
        said(|to| to.end = at("2026-03-20T15:00:00Z", "Asia/Tokyo")),
        json!({"end": {"dateTime": "2026-03-21T00:00:00", "timeZone": "Tokyo Standard Time"}})
    );
    let whole = json!({
        "isAllDay": true, "start": {"dateTime": "2026-03-20T00:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-21T00:00:00", "timeZone": "UTC"},
    });
    assert_eq!(said(|to| (to.start, to.end) = (day("2026-03-20"), day("2026-03-21"))), whole);
    // Of whole days both ends are said, in one zone.
    let from = Content::new(day("2026-03-20"), day("2026-03-21"));
    let to = Content::new(day("2026-03-20"), day("2026-03-22"));
    let longer = Value::from(changed(&from, &to, None).expect("it can be said"));
    assert_eq!((&longer["start"], longer.get("isAllDay")), (&whole["start"], None));
}

#[test]
fn times_are_said_by_clocks_that_are_known_here() {
    let start = |moment: Moment, rules: &[&str]| {
        let mut content = Content::new(moment.clone(), moment);
        content.recurrence = rules.iter().map(|&rule| rule.to_owned()).collect();
        made(&[0; 32], &content).map(|body| body["start"].clone())
    };
    let said = |local: &str, zone: &str| Ok(json!({"dateTime": local, "timeZone": zone}));
    let berlin = at("2026-03-20T13:00:00Z", "Europe/Berlin");
    assert_eq!(start(berlin, &[]), said("2026-03-20T14:00:00", "W. Europe Standard Time"));
    assert_eq!(start(at("2026-03-20T13:00:00Z", "Europe/Vienna"), &[]), said("2026-03-20T14:00:00", "Europe/Vienna"));
    assert_eq!(start(at("2026-03-20T13:00:00Z", "UTC"), &[]), said("2026-03-20T13:00:00", "UTC"));
    assert_eq!(start(at("2026-03-20T13:00:00Z", "UTC+05:30"), &[]), said("2026-03-20T13:00:00", "UTC"));
    // Half past two comes twice: the first is said by the clock, the second is not.
    let twice = |time: &str| at(time, "Europe/Berlin");
    assert_eq!(start(twice("2026-10-25T00:30:00Z"), &[]), said("2026-10-25T02:30:00", "W. Europe Standard Time"));
    assert_eq!(start(twice("2026-10-25T01:30:00Z"), &[]), said("2026-10-25T01:30:00", "UTC"));
    let daily = ["RRULE:FREQ=DAILY"];
    assert_eq!(start(twice("2026-10-25T01:30:00Z"), &daily), Err(Unsayable::Clock));
    assert_eq!(start(at("2026-03-20T13:00:00Z", "UTC+05:30"), &daily), Err(Unsayable::Clock));
    assert_eq!(start(Moment::Floating("2026-03-20T13:00".parse().expect("a time")), &[]), Err(Unsayable::Floating));
}

/// proves: C7: a recurrence is said where a pattern means the same days, and refused where none does.
#[test]
fn recurrences_are_said_or_refused() {
    // A Friday, and the third of its month.
    let said = |rule: &str| {
        let body = made(&[0; 32], &series(at("2026-03-20T13:00:00Z", "Europe/Berlin"), rule))?;
        Ok(body["recurrence"].clone())
    };
    let good: BTreeMap<&str, Value> = [
        "RRULE:FREQ=DAILY;INTERVAL=3",
        "RRULE:FREQ=WEEKLY",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,SU;WKST=SU;COUNT=5",
        "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20260410T120000Z",
        // The last day is the one before: its meeting would begin after the end.
        "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20260410T115959Z",
        "RRULE:FREQ=MONTHLY",
        "RRULE:FREQ=MONTHLY;BYDAY=3FR",
        "RRULE:FREQ=MONTHLY;BYDAY=FR;BYSETPOS=3",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=20",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=3FR;UNTIL=20300101",
    ]
    .into_iter()
    .map(|rule| (rule, said(rule).unwrap_or_else(|why: Unsayable| panic!("{rule}: {why:?}"))))
    .collect();
    insta::assert_json_snapshot!(good);
    for rule in [
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=WEEKLY;BYDAY=MO",
        "RRULE:FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
        "RRULE:FREQ=MONTHLY;BYDAY=FR",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=5,20",
        "RRULE:FREQ=YEARLY;BYWEEKNO=12",
        "RRULE:FREQ=YEARLY;BYDAY=12FR",
        "RRULE:FREQ=WEEKLY;BYHOUR=9,14",
        "RDATE:20260325T130000Z",
        "EXRULE:FREQ=WEEKLY",
        "nonsense",
    ] {
        assert_eq!(said(rule), Err(Unsayable::Recurrence), "{rule}");
    }
    let mut except = series(at("2026-03-20T13:00:00Z", "Europe/Berlin"), "RRULE:FREQ=WEEKLY");
    except.recurrence.push("EXDATE:20260327T130000Z".into());
    assert_eq!(made(&[0; 32], &except), Err(Unsayable::Recurrence));
    // A month without a 31st is left out by the rule, and its last day is meant by the pattern.
    let last = at("2026-01-31T13:00:00Z", "Europe/Berlin");
    assert_eq!(made(&[0; 32], &series(last.clone(), "RRULE:FREQ=MONTHLY;BYMONTHDAY=31")), Err(Unsayable::Recurrence));
    let clamped = made(&[0; 32], &series(last, "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1")).expect("it can be said");
    assert_eq!(clamped["recurrence"]["pattern"]["dayOfMonth"], 31);
}

/// A series that begins on another day is said anew as a whole; one that would no longer begin with its rule is not.
#[test]
fn a_moved_series_is_said_from_its_new_day_on() {
    let from = series(at("2026-03-20T13:00:00Z", "Europe/Berlin"), "RRULE:FREQ=WEEKLY;BYDAY=FR;WKST=SU");
    let moved = |time: &str| {
        let to = series(at(time, "Europe/Berlin"), &from.recurrence[0]);
        changed(&from, &to, None).map(|body| body["recurrence"]["range"]["startDate"].clone())
    };
    assert_eq!(moved("2026-03-27T13:00:00Z"), Ok(json!("2026-03-27")));
    assert_eq!(moved("2026-03-21T13:00:00Z"), Err(Unsayable::Recurrence));
}

/// What others answered and everything else in their rows is sent as it came.
#[test]
fn guests_come_and_go_and_the_others_keep_their_rows() {
    let answered = |address: &str, answer: &str| {
        json!({"type": "required", "status": {"response": answer, "time": "2026-03-01T00:00:00Z"},
               "emailAddress": {"name": address, "address": address}})
    };
    let rows = [
        answered("Ada@acme.example", "accepted"),
        answered("bo@acme.example", "declined"),
        json!({"type": "resource", "emailAddress": {"address": "room@firm.example"}}),
        json!({"emailAddress": {"name": "A list"}}),
    ];
    let mut from = content("Demo");
    from.attendees = vec![guest("ada@acme.example"), guest("bo@acme.example"), guest("room@firm.example")];
    from.attendees[2].part = Part::Resource;
    let mut to = from.clone();
    to.attendees[0].reply = Reply::Declined;
    assert!(Guests::between(&from, &to).is_empty(), "answers are not ours");
    to.attendees.remove(1);
    to.attendees[0].part = Part::Optional;
    to.attendees.push(guest("cy@acme.example"));
    let list = seated(&Guests::between(&from, &to), &rows);
    let mut ada = rows[0].clone();
    ada["type"] = "optional".into();
    let cy = json!({"type": "required", "emailAddress": {"address": "cy@acme.example"}});
    assert_eq!(list, [ada, rows[2].clone(), rows[3].clone(), cy]);
}

/// The part of a page that an online meeting hangs on, as live pages have it.
#[test]
fn the_link_of_an_online_meeting_stays_in_its_text() {
    let line = "_".repeat(80);
    let link = format!(
        "<div style=\"width:100%\"><span>{line}</span></div><div><a href=\"https://meet.example/1\">Join</a></div>"
    );
    let page = format!("<html><body><div>Old</div><br>{link}</body></html>");
    assert_eq!(text::link(&page), Some(link.as_str()));
    assert_eq!(text::link("<html><body><div>Old</div></body></html>"), None);
    let from = content("Demo");
    let to = Content { description: format!("New & <old>\n{line}\nJoin"), ..from.clone() };
    let said = |page: &str| {
        let now = json!({"isOnlineMeeting": true, "body": {"contentType": "html", "content": page}});
        changed(&from, &to, Some(&now)).map(|body| body["body"]["content"].clone())
    };
    assert_eq!(said(&page), Ok(json!(format!("<html><body><div>New &amp; &lt;old&gt;</div>{link}</body></html>"))));
    assert_eq!(said("<html><body>Old</body></html>"), Err(Unsayable::OnlineText));
}

proptest! {
    /// What is there already is not said again.
    #[test]
    fn what_is_there_is_not_said_again(content in any_content()) {
        prop_assert_eq!(changed(&content, &content, None), Ok(serde_json::Map::new()));
    }

    /// proves: C7: whatever is said of a recurrence is read back as the same occurrences.
    #[test]
    fn what_is_said_of_a_recurrence_means_the_same_days(
        days in 0..400_i64,
        parts in prop::sample::subsequence(vec!["INTERVAL=2", "BYDAY=FR,SU", "BYDAY=3FR", "BYDAY=-1TU", "BYMONTHDAY=20", "BYMONTHDAY=-1",
            "BYMONTHDAY=28,29,30", "BYSETPOS=-1", "BYSETPOS=2", "BYMONTH=3", "COUNT=7", "WKST=SU"], 0..4),
        frequency in prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        is_day in prop::bool::ANY,
    ) {
        let first: jiff::Timestamp = "2026-03-15T09:30:00Z".parse().expect("a time");
        let start = first + jiff::SignedDuration::from_hours(24 * days);
        let start = match is_day {
            true => Moment::Day(start.to_zoned(TimeZone::UTC).date()),
            false => Moment::At { at: start, zone: "Europe/Berlin".into() },
        };
        let rule = [&[format!("RRULE:FREQ={frequency}").as_str()], parts.as_slice()].concat().join(";");
        let wanted = series(start, &rule);
        if let Ok(body) = made(&[0; 32], &wanted) {
            let told = super::super::convert::series(&super::rows::item(told_of(&body)), &[], None).remove(0);
            let meant = |content: &Content| {
                let all = expand(content, &BTreeMap::new(), Window::ALL, &TimeZone::UTC).expect("a rule");
                all.occurrences.into_iter().map(|one| one.rid).collect::<Vec<_>>()
            };
            prop_assert_eq!(meant(told.content().expect("it is open")), meant(&wanted), "{}", rule);
        }
    }
}

/// The event as it is told of what was said: times in UTC.
fn told_of(said: &Value) -> Value {
    let mut told = said.clone();
    told["id"] = "AAkA=".into();
    told["originalStartTimeZone"] = said["start"]["timeZone"].clone();
    told["recurrence"]["range"]["recurrenceTimeZone"] = said["start"]["timeZone"].clone();
    told
}
