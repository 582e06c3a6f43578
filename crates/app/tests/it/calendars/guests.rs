//! Who is a guest and who is invited, and how many calls a change takes.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::json;
use syncline_core::calendar::meeting::BackRules;
use syncline_sandbox::{HubSpotAccount, Reply};

use super::{
    back::BACK,
    dav::{Post, Radicale},
    desk::{ADA, Desk, ROSA, SAM},
    house::{HOUSES, House},
    strange::written,
};
use crate::records::desk::Answers;

/// A colleague who uses the CRM and whose calendar is not read.
const OLA: &str = "ola@host.example";

/// A colleague who uses the CRM is no guest, whatever the address: neither one at another domain nor, where no domain is named as
/// one's own, anybody of the house. A meeting with a guest costs as many calls as before.
///
/// proves: C5
#[tokio::test]
async fn users_of_the_crm_are_no_guests() {
    let desk = Desk::with(|flow| {
        flow.calendars.truncate(1);
        flow.rules.policy.own_domains = Vec::new();
    });
    let desk = desk.await.active().await;
    desk.contact(OLA);
    desk.meet(ROSA, "Team", 25, &[OLA]);
    desk.calm().await;
    assert_eq!(desk.verdicts().await["Team"], "internal_only", "{:?}", desk.told().await);
    assert_eq!(desk.titles(), Vec::<String>::new());
    desk.meet(ROSA, "Demo", 26, &[OLA, ADA]);
    desk.calm().await;
    assert_eq!(desk.people(&desk.records()[0]), [ADA.to_owned()].into());
}

/// A meeting that is logged on a company or a deal alone becomes an event to which nobody is invited, and the activity log says so.
///
/// proves: C2
#[tokio::test]
async fn a_meeting_on_a_company_or_a_deal_alone_invites_nobody() {
    for house in HOUSES {
        let desk = Desk::at(house, |flow| flow.rules.back = BACK).await.active().await;
        for (kind, field) in [("companies", "name"), ("deals", "dealname")] {
            let title = format!("About {kind}");
            let other = desk.hub.create(kind, &[(field, "Client")]).expect("a record");
            let logged = desk.log(&title, 24, ROSA, &[]);
            desk.hub.associate(("meetings", &logged), (kind, &other), None).expect("a person may");
        }
        desk.calm().await;
        let mut seen = desk.in_calendar(ROSA);
        seen.sort_by(|one, other| one.title.cmp(&other.title));
        let seen: Vec<_> = seen.into_iter().map(|one| (one.title, one.guests)).collect();
        let alone = |title: &str| (title.to_owned(), Vec::<String>::new());
        assert_eq!(seen, [alone("About companies"), alone("About deals")], "{house:?}: {:?}", desk.told().await);
        assert_eq!(desk.mails(), 0, "{house:?}");
        let told = desk.told().await;
        assert_eq!(told.iter().filter(|text| text.contains("nobody is invited")).count(), 2, "{house:?}: {told:?}");
    }
}

/// A first reading of calendars and CRM, with guests on both sides and everything switched on, invites nobody and mails nobody.
///
/// proves: C6, C9
#[tokio::test]
async fn a_first_reading_invites_nobody() {
    let back = BackRules { uninvite: true, ..BACK };
    for house in HOUSES {
        let desk = Desk::at(house, |flow| flow.rules.back = back.clone()).await;
        for n in 0..3 {
            desk.log(&format!("Logged {n}"), 24 + n, ROSA, &[ADA]);
            match house {
                House::Google => drop(desk.meet(ROSA, &format!("Demo {n}"), 30 + n, &[ADA, SAM])),
                House::Microsoft => {
                    let at = |hours: i64| {
                        let at = desk.hands_now() + SignedDuration::from_hours(hours);
                        json!({ "dateTime": at.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC" })
                    };
                    let guest = json!([{ "type": "required", "emailAddress": { "address": ADA } }]);
                    let event = json!({ "subject": format!("Demo {n}"), "start": at(30 + n), "end": at(31 + n), "attendees": guest });
                    desk.microsoft.create(ROSA, &event).expect("a meeting");
                }
            }
        }
        desk.hands.pass(SignedDuration::from_mins(30));
        let (mails, events) = (desk.mails(), desk.in_calendar(ROSA));
        let desk = desk.active().await;
        desk.calm().await;
        assert_eq!((desk.mails(), desk.in_calendar(ROSA)), (mails, events), "{house:?}: {:?}", desk.told().await);
        assert_eq!(desk.records().len(), 3, "{house:?}");
    }
    let (server, post) = (Radicale::start(), Arc::new(Post::default()));
    let times = "DTSTART:20260601T080000Z\r\nDTEND:20260601T090000Z";
    server.put("demo", &written("Demo", times));
    let desk = Desk::on_caldav(&server, Some(&post), |flow| flow.rules.back = back).await;
    desk.log("Logged", 24, ROSA, &[ADA]);
    desk.hands.pass(SignedDuration::from_mins(30));
    let desk = desk.active().await;
    desk.calm().await;
    assert_eq!((post.told(), server.count("PUT"), server.count("DELETE")), (vec![], 0, 0), "{:?}", desk.told().await);
}

/// Who takes part, the records as they are, who of them uses the CRM, and the write.
const CALLS_OF_A_CHANGE: [&str; 4] = [
    "POST /crm/v3/objects/contacts/batch/read",
    "POST /crm/v3/objects/meetings/batch/read",
    "GET /crm/v3/owners",
    "POST /crm/v3/objects/meetings/batch/update",
];

/// The CRM, and what it is asked.
struct Noted {
    hub: Arc<HubSpotAccount>,
    asked: Mutex<Vec<String>>,
}

impl Answers for Noted {
    fn answer(&self, base: &str, request: http::Request<Bytes>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri().path());
        self.asked.lock().expect("nobody panics").push(asked);
        self.hub.answer(base, request)
    }
}

/// What a change costs: the calendar is asked once, and the CRM looked into and written to, by as many calls for many meetings as
/// for one.
///
/// proves: C4, V6
#[tokio::test]
async fn a_change_costs_a_look_and_a_write() {
    let desk = Desk::with(|flow| flow.calendars.truncate(1)).await;
    let noted = Arc::new(Noted { hub: desk.hub.clone(), asked: Mutex::default() });
    let desk = desk.over(None, Some(noted.clone())).active().await;
    let ids: Vec<String> = (0..20).map(|n| desk.meet(ROSA, &format!("Demo {n:02}"), 24 + n, &[ADA])).collect();
    desk.calm().await;
    for count in [1, 20] {
        // Who of the house is who in the CRM is remembered for ten minutes.
        desk.hands.pass(SignedDuration::from_mins(12));
        desk.round().await;
        for id in &ids[..count] {
            desk.google.edit(ROSA, id, &json!({ "location": format!("Room {count}") })).expect("she may");
        }
        let google = desk.google.call_count();
        noted.asked.lock().expect("nobody panics").clear();
        desk.hands.pass(SignedDuration::from_mins(3));
        let round = desk.round().await;
        assert_eq!((round.updated, desk.google.call_count() - google), (count, 1));
        assert_eq!(*noted.asked.lock().expect("nobody panics"), CALLS_OF_A_CHANGE, "{count}");
    }
}
