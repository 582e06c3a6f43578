//! The other way for one meeting of a series: what people do to its record reaches that meeting and no other.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::calendar::{
    meeting::{DeleteSettings, OnRecordDeleted},
    series::SeriesPolicy,
};
use syncline_engine::calendars::CalendarFlow;
use syncline_sandbox::{FaultKind, hubspot::HubSpotRecord};

use super::{
    back::BACK,
    dav::{Post, Radicale, unfolded},
    desk::{ADA, Desk, ROSA, SAM},
    house::{HOUSES, House},
};
use crate::crms::value;

const BOB: &str = "bob@client.example";

/// How many meetings the series has.
const MEETINGS: usize = 5;

fn rules(flow: &mut CalendarFlow) {
    flow.rules.back = BACK;
    flow.rules.policy.series = SeriesPolicy::Materialise { past_days: 1, future_days: 60 };
}

fn deletes(flow: &mut CalendarFlow) {
    rules(flow);
    flow.rules.deletes =
        DeleteSettings { on_record_deleted: OnRecordDeleted::DeleteAndTell, ..DeleteSettings::default() };
}

async fn desk(house: House, change: impl FnOnce(&mut CalendarFlow)) -> Desk {
    let desk = Desk::at(house, change).await.active().await;
    desk.contact(BOB);
    desk
}

impl Desk {
    /// Somebody makes a meeting that takes place every week, from tomorrow on.
    fn meet_weekly(&self, owner: &str, guests: &[&str]) -> String {
        let mut event = self.event("Weekly", 24, guests);
        if self.house == House::Google {
            event["recurrence"] = json!([format!("RRULE:FREQ=WEEKLY;COUNT={MEETINGS}")]);
            return self.google.create(owner, &event).expect("a series");
        }
        let start: Timestamp = event["start"]["dateTime"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        let at = |at: Timestamp| json!({ "dateTime": at.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC" });
        let guests: Vec<Value> =
            guests.iter().map(|email| json!({ "type": "required", "emailAddress": { "address": email } })).collect();
        let series = json!({
            "subject": "Weekly", "start": at(start), "end": at(start + SignedDuration::from_hours(1)), "attendees": guests,
            "recurrence": {
                "pattern": { "type": "weekly", "interval": 1,
                    "daysOfWeek": [start.strftime("%A").to_string().to_lowercase()] },
                "range": { "type": "numbered", "startDate": start.strftime("%Y-%m-%d").to_string(),
                    "numberOfOccurrences": MEETINGS, "recurrenceTimeZone": "UTC" },
            },
        });
        self.microsoft.create(owner, &series).expect("a series")
    }

    /// Rounds, through whatever goes wrong on the way, until some in a row have nothing to do. Which meetings of a series are to
    /// be known is looked at again and again.
    pub(super) async fn at_rest(&self) {
        let mut idle = 0;
        for _ in 0..40 {
            self.hands.pass(SignedDuration::from_mins(3));
            let round = self.round().await;
            idle = if round.idle() && !round.more && round.failed.is_empty() { idle + 1 } else { 0 };
            if idle == 4 {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.told().await);
    }

    /// The records, by their starts.
    fn by_start(&self) -> Vec<HubSpotRecord> {
        let mut all = self.records();
        all.sort_by_key(|one| value(one, "hs_meeting_start_time").to_owned());
        all
    }

    /// What differs from the series in the owner's calendar: name, title, place and start; and how many do not take place.
    fn differing(&self, owner: &str) -> (Vec<(String, String, String, Timestamp)>, usize) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let time = |event: &Value| {
            let said = text(&event["start"]["dateTime"]);
            said.parse().or_else(|_| format!("{said}Z").parse()).expect("a time")
        };
        match self.house {
            House::Google => {
                let all = self.google.snapshot().remove(owner).expect("a calendar");
                let (off, on): (Vec<Value>, Vec<Value>) = all
                    .into_iter()
                    .filter(|one| one["recurringEventId"].is_string())
                    .partition(|one| one["status"] == "cancelled");
                let seen = |one: &Value| (text(&one["id"]), text(&one["summary"]), text(&one["location"]), time(one));
                (on.iter().map(seen).collect(), off.len())
            }
            House::Microsoft => {
                let series = self.shown(owner).remove(0);
                let all = series["exceptionOccurrences"].as_array().cloned().unwrap_or_default();
                let seen = |one: &Value| {
                    (text(&one["id"]), text(&one["subject"]), text(&one["location"]["displayName"]), time(one))
                };
                let off = series["cancelledOccurrences"].as_array().map_or(0, Vec::len);
                (all.iter().map(seen).collect(), off)
            }
        }
    }

    /// Somebody edits a record: its title and place, and moves it by an hour.
    fn edit_all(&self, record: &HubSpotRecord) -> Timestamp {
        let start: Timestamp = value(record, "hs_meeting_start_time").parse().expect("a time");
        let start = start + SignedDuration::from_hours(1);
        let end = (start + SignedDuration::from_hours(1)).to_string();
        let start_text = start.to_string();
        let fields = [
            ("hs_meeting_title", "Weekly, with Bob"),
            ("hs_meeting_location", "Room 7"),
            ("hs_timestamp", &start_text),
            ("hs_meeting_start_time", &start_text),
            ("hs_meeting_end_time", &end),
        ];
        self.hub.edit("meetings", &record.id, &fields).expect("a person may");
        let bob = self.contact_of(BOB);
        self.hub.associate(("meetings", &record.id), ("contacts", &bob), None).expect("a person may");
        start
    }
}

/// Other records, each as it is.
fn others(desk: &Desk, but: &str) -> BTreeMap<String, HubSpotRecord> {
    desk.records().into_iter().filter(|one| one.id != but).map(|one| (one.id.clone(), one)).collect()
}

/// The record of one meeting of a series is edited: title, time, place and a guest reach that meeting, whatever becomes of the
/// call that tells the calendar; its guests are told once, all others stay, and nothing of it comes back as news.
///
/// proves: C2, C7, C9, V1
#[tokio::test]
async fn an_edit_reaches_one_meeting_of_a_series() {
    use FaultKind::{Limited, LostAnswer, LostRequest, Status, StatusAfter, Truncated};
    let kinds =
        [None, Some(Status), Some(StatusAfter), Some(Limited), Some(LostRequest), Some(LostAnswer), Some(Truncated)];
    for (house, kind) in HOUSES.into_iter().flat_map(|house| kinds.map(|kind| (house, kind))) {
        let desk = desk(house, rules).await;
        desk.meet_weekly(ROSA, &[ADA]);
        desk.calm().await;
        let all = desk.by_start();
        assert_eq!(all.len(), MEETINGS, "{house:?}: {:?}", desk.told().await);
        let (third, rest, mails) = (&all[2], others(&desk, &all[2].id), desk.mails());
        let start = desk.edit_all(third);
        if let Some(kind) = kind {
            desk.trouble_writing(kind, true);
        }
        desk.at_rest().await;
        desk.hands.pass(SignedDuration::from_hours(1));
        desk.at_rest().await;
        let told = format!("{house:?} {kind:?}: {:?}", desk.told().await);
        let (differing, off) = desk.differing(ROSA);
        let seen: Vec<_> =
            differing.iter().map(|(_, title, place, at)| (title.as_str(), place.as_str(), *at)).collect();
        assert_eq!((seen, off), (vec![("Weekly, with Bob", "Room 7", start)], 0), "{told}");
        assert_eq!(desk.mails() - mails, 2, "Ada and Bob are told once: {told}");
        assert_eq!(others(&desk, &third.id), rest, "{told}");
        let now = desk.records().into_iter().find(|one| one.id == third.id).expect("it is there");
        assert_eq!(
            (value(&now, "hs_meeting_title"), value(&now, "hs_meeting_location")),
            ("Weekly, with Bob", "Room 7")
        );
        let (mails, calls) = (desk.mails(), desk.hub.call_count());
        desk.calm().await;
        desk.calm().await;
        assert_eq!(desk.mails(), mails, "nobody is told twice");
        assert!(desk.hub.call_count() - calls <= 4, "an idle round asks the CRM once in two minutes");
    }
}

/// Where the calendar's owner changed the same meeting of the series, too, its title stays and the place of the CRM joins it;
/// what differs already is changed further, and that it is called off is the end of it: an edit is refused with its reason.
///
/// proves: C2, C7
#[tokio::test]
async fn both_sides_edit_one_meeting_of_a_series() {
    for house in HOUSES {
        let desk = desk(house, rules).await;
        let series = desk.meet_weekly(ROSA, &[ADA]);
        desk.calm().await;
        let third = desk.by_start().remove(2);
        desk.hub.edit("meetings", &third.id, &[("hs_meeting_location", "Room 7")]).expect("a person may");
        desk.calm().await;
        let (one, ..) = desk.differing(ROSA).0.remove(0);
        let edits = [("hs_meeting_title", "Ours"), ("hs_meeting_location", "Room 8")];
        desk.hub.edit("meetings", &third.id, &edits).expect("a person may");
        desk.rename(ROSA, &one, "Theirs");
        desk.calm().await;
        let (mut differing, _) = desk.differing(ROSA);
        let (_, title, place, _) = differing.remove(0);
        assert_eq!((title.as_str(), place.as_str()), ("Theirs", "Room 8"), "{house:?}: {:?}", desk.told().await);
        assert_eq!(desk.titles(), ["Theirs", "Weekly", "Weekly", "Weekly", "Weekly"]);
        // She calls this one off, while somebody edits its record.
        match house {
            House::Google => desk.google.delete(ROSA, &one).expect("she may"),
            House::Microsoft => desk.microsoft.delete(ROSA, &one).expect("she may"),
        }
        desk.hub.edit("meetings", &third.id, &[("hs_meeting_location", "Room 9")]).expect("a person may");
        desk.calm().await;
        let log = desk.told().await;
        let refusals = |log: &[String]| {
            log.iter().filter(|text| text.contains("does not reach its event. The calendar has it no more")).count()
        };
        assert_eq!((desk.differing(ROSA).1, refusals(&log)), (1, 1), "{house:?}: {log:?}");
        assert!(desk.titles().contains(&"[CANCELLED] Theirs".to_owned()), "{:?}", desk.titles());
        desk.calm().await;
        assert_eq!(refusals(&desk.told().await), 1, "what we write ourselves is nobody's edit");
        // The series has become shorter: its last meeting is no more.
        let last = desk.by_start().pop().expect("a record");
        if house == House::Google {
            let rule = json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"] });
            desk.google.edit(ROSA, &series, &rule).expect("she may");
            desk.hub.edit("meetings", &last.id, &[("hs_meeting_location", "Room 9")]).expect("a person may");
            desk.calm().await;
            assert_eq!(refusals(&desk.told().await), 2, "{:?}", desk.told().await);
            assert!(desk.differing(ROSA).0.is_empty(), "it does not come back");
        }
    }
}

/// The record of a whole series, and one whose meeting is somebody else's, change nothing in a calendar.
///
/// proves: C2, C7
#[tokio::test]
async fn what_is_no_single_meeting_of_ours_is_left_alone() {
    let desk = desk(House::Google, |flow| {
        rules(flow);
        flow.rules.policy.series = SeriesPolicy::Series;
    })
    .await;
    desk.meet_weekly(ROSA, &[ADA]);
    desk.calm().await;
    let before = desk.google.snapshot();
    desk.edit_all(&desk.records()[0]);
    desk.calm().await;
    assert_eq!(desk.google.snapshot(), before);
    let log = desk.told().await;
    assert!(log.iter().any(|text| text.contains("stands for a whole series")), "{log:?}");
    let desk = self::desk(House::Google, |flow| {
        rules(flow);
        flow.calendars.truncate(1);
    })
    .await;
    desk.meet_weekly(SAM, &[ROSA, ADA]);
    desk.calm().await;
    assert_eq!(desk.records().len(), MEETINGS);
    let before = desk.google.snapshot();
    desk.edit_all(&desk.records()[1]);
    desk.calm().await;
    assert_eq!(desk.google.snapshot(), before, "only who organises a meeting changes it");
}

/// The record of one meeting of a series is deleted: that meeting goes with a word to its guests, or is declined where it is
/// somebody else's, whatever becomes of the call; all others take place.
///
/// proves: C3, C7, V1
#[tokio::test]
async fn a_deleted_record_takes_one_meeting_of_a_series_along() {
    for house in HOUSES {
        let desk = desk(house, deletes).await;
        desk.meet_weekly(ROSA, &[ADA]);
        desk.calm().await;
        let (third, mails) = (desk.by_start().remove(2), desk.mails());
        desk.hub.archive("meetings", &third.id).expect("a person may");
        for _ in 0..2 {
            desk.hands.pass(SignedDuration::from_mins(16));
            desk.at_rest().await;
        }
        let log = desk.told().await;
        assert_eq!(desk.differing(ROSA), (vec![], 1), "{house:?}: {log:?}");
        assert_eq!((desk.records().len(), desk.mails() - mails), (MEETINGS - 1, 1), "{house:?}: {log:?}");
        assert!(log.iter().any(|text| text.contains("its event in calendar rosa is deleted")), "{log:?}");
        // One that differs goes as well.
        let second = desk.by_start().remove(1);
        desk.hub.edit("meetings", &second.id, &[("hs_meeting_location", "Room 7")]).expect("a person may");
        desk.calm().await;
        assert_eq!(desk.differing(ROSA).0.len(), 1, "{house:?}: {:?}", desk.told().await);
        desk.hub.archive("meetings", &second.id).expect("a person may");
        desk.hands.pass(SignedDuration::from_mins(16));
        desk.at_rest().await;
        assert_eq!(desk.differing(ROSA), (vec![], 2), "{house:?}: {:?}", desk.told().await);
        assert_eq!(desk.records().len(), MEETINGS - 2);
    }
    let desk = desk(House::Google, |flow| {
        deletes(flow);
        flow.calendars.truncate(1);
    })
    .await;
    desk.meet_weekly(SAM, &[ROSA, ADA]);
    desk.calm().await;
    desk.hub.archive("meetings", &desk.by_start()[2].id).expect("a person may");
    for _ in 0..2 {
        desk.hands.pass(SignedDuration::from_mins(16));
        desk.at_rest().await;
    }
    let sams = desk.google.snapshot().remove(SAM).expect("a calendar");
    let declined = sams.iter().filter(|one| {
        let all = one["attendees"].as_array().expect("guests");
        all.iter().any(|guest| guest["email"] == ROSA && guest["responseStatus"] == "declined")
    });
    let declined: Vec<&Value> = declined.collect();
    assert_eq!(declined.len(), 1, "{sams:?} {:?}", desk.told().await);
    assert!(declined[0]["recurringEventId"].is_string(), "only the one is declined");
}

const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20260504T080000Z\r\n\
    SEQUENCE:2\r\nDTSTART;TZID=Europe/Berlin:20260505T110000\r\nDTEND;TZID=Europe/Berlin:20260505T120000\r\n\
    RRULE:FREQ=WEEKLY;COUNT=5\r\nSUMMARY:Weekly\r\nX-THEIRS:1\r\nORGANIZER:mailto:rosa@host.example\r\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@client.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// On a CalDAV server that tells nobody an edit becomes an override of the one meeting in the same resource, and its guests are
/// mailed of that one alone, once, also where the answer of the server gets lost; a deleted record calls it off.
///
/// proves: C2, C3, C7, C9, V1
#[tokio::test]
async fn one_meeting_of_a_series_on_caldav() {
    for lost in [false, true] {
        let (server, post) = (Radicale::start(), std::sync::Arc::new(Post::default()));
        let desk = Desk::on_caldav(&server, Some(&post), deletes).await.active().await;
        desk.contact(BOB);
        server.put("weekly", SERIES);
        desk.calm().await;
        let all = desk.by_start();
        assert_eq!(all.len(), MEETINGS, "{:?}", desk.told().await);
        let rest = others(&desk, &all[2].id);
        desk.edit_all(&all[2]);
        if lost {
            server.lose("PUT");
        }
        desk.at_rest().await;
        desk.hands.pass(SignedDuration::from_mins(16));
        desk.at_rest().await;
        let log = desk.told().await;
        let text = server.events().remove(0);
        for (line, times) in [
            ("RRULE:FREQ=WEEKLY;COUNT=5", 1),
            ("RECURRENCE-ID;TZID=Europe/Berlin:20260519T110000", 1),
            ("DTSTART;TZID=Europe/Berlin:20260519T120000", 1),
            ("SUMMARY:Weekly, with Bob", 0),
            ("SUMMARY:Weekly\\, with Bob", 1),
            ("SUMMARY:Weekly\n", 1),
            ("X-THEIRS:1", 2),
            ("mailto:bob@client.example", 1),
            ("SEQUENCE:3", 1),
        ] {
            assert_eq!(text.matches(line).count(), times, "{line} in {text} {log:?}");
        }
        assert_eq!(others(&desk, &all[2].id), rest, "{log:?}");
        let mut told = post.told();
        told.sort();
        let expected = [(ADA, "Changed: Weekly, with Bob"), (BOB, "Invitation: Weekly, with Bob")];
        assert_eq!(told, expected.map(|(email, subject)| (email.to_owned(), subject.to_owned())), "{log:?}");
        for mail in post.mails() {
            let part = unfolded(&mail.guest.expect("a guest").calendar.body);
            for line in
                ["METHOD:REQUEST", "UID:weekly", "RECURRENCE-ID;TZID=Europe/Berlin:20260519T110000", "SEQUENCE:3"]
            {
                assert!(part.contains(line), "{line} in {part}");
            }
            assert!(!part.contains("RRULE:FREQ=WEEKLY"), "it is of one meeting alone: {part}");
        }
        // Of one that does not differ, and of the one that does, the record is deleted.
        for (which, count) in [(3, 3), (2, 5)] {
            desk.hub.archive("meetings", &all[which].id).expect("a person may");
            if lost {
                server.lose("PUT");
            }
            for _ in 0..3 {
                desk.hands.pass(SignedDuration::from_mins(16));
                desk.at_rest().await;
            }
            assert_eq!(post.told().len(), count, "{:?} {:?}", post.told(), desk.told().await);
        }
        let text = server.events().remove(0);
        for day in ["20260519", "20260526"] {
            assert!(text.contains(&format!("EXDATE;TZID=Europe/Berlin:{day}T110000")), "{text}");
        }
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 1, "{text}");
        let last = post.mails().remove(2);
        let part = unfolded(&last.guest.expect("a guest").calendar.body);
        for line in ["METHOD:CANCEL", "RECURRENCE-ID;TZID=Europe/Berlin:20260526T110000"] {
            assert!(part.contains(line), "{line} in {part}");
        }
        assert_eq!(desk.records().len(), MEETINGS - 2, "{:?}", desk.told().await);
    }
}
