//! What people do in the demo, one act after the other.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::Clock;

use super::accounts::{self, ADA, ALAN, ANNA, Accounts, BEN, CARLA, GRACE};
use crate::world::SystemClock;

const HOURS_A_DAY: i64 = 24;
const SECONDS_AN_HOUR: i64 = 3_600;

/// An hour of a day after today, in UTC.
fn at(days: i64, hour: i64) -> Timestamp {
    let today = SystemClock.now().as_second().div_euclid(HOURS_A_DAY * SECONDS_AN_HOUR);
    let second = (today + days) * HOURS_A_DAY * SECONDS_AN_HOUR + hour * SECONDS_AN_HOUR;
    Timestamp::from_second(second).unwrap_or_else(|_| SystemClock.now())
}

fn half_an_hour_later(start: Timestamp) -> Timestamp {
    start + SignedDuration::from_mins(30)
}

/// An event as Google tells it.
fn google(title: &str, start: Timestamp, guests: &[&str]) -> Value {
    let guests: Vec<Value> = guests.iter().map(|email| json!({ "email": email })).collect();
    json!({ "summary": title, "attendees": guests,
        "start": { "dateTime": start.to_string(), "timeZone": "Europe/Berlin" },
        "end": { "dateTime": half_an_hour_later(start).to_string(), "timeZone": "Europe/Berlin" } })
}

/// An event as Microsoft tells it.
fn microsoft(title: &str, start: Timestamp, guests: &[&str]) -> Value {
    let time = |at: Timestamp| json!({ "dateTime": at.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC" });
    let guests: Vec<Value> =
        guests.iter().map(|email| json!({ "emailAddress": { "address": email }, "type": "required" })).collect();
    json!({ "subject": title, "attendees": guests, "start": time(start), "end": time(half_an_hour_later(start)) })
}

/// An event as iCalendar writes it.
fn icalendar(name: &str, title: &str, start: Timestamp, guest: &str) -> String {
    let time = |at: Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
    format!(
        "BEGIN:VEVENT\r\nUID:{name}@acme.example\r\nDTSTAMP:{}\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:{title}\r\n\
         ORGANIZER:mailto:{CARLA}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{CARLA}\r\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{guest}\r\nEND:VEVENT\r\n",
        time(SystemClock.now()),
        time(start),
        time(half_an_hour_later(start))
    )
}

fn told(error: String) -> anyhow::Error {
    anyhow::anyhow!(error)
}

/// What was there before anybody connected anything.
pub fn before(accounts: &Accounts) -> anyhow::Result<()> {
    accounts.google.create(ANNA, &google("Review of last year", at(3, 9), &[ADA])).map_err(told)?;
    accounts.microsoft.create(BEN, &microsoft("Team lunch", at(1, 12), &[ANNA])).map_err(told)?;
    Ok(())
}

/// What one act leads to for those after it.
#[derive(Default)]
pub struct Made {
    demo: String,
    offer: String,
    weekly: String,
    logged: String,
}

/// What the meeting is called that is logged in a CRM; another title of it begins so, too.
pub const LOGGED: &str = "Kick-off";

/// The acts in their order. Those of Carla are left out where there is no CalDAV server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Invite,
    Reply,
    Move,
    InvitedByContact,
    Other,
    Internal,
    Private,
    MadePrivate,
    Series,
    OneOccurrence,
    CalDav,
    CalDavGone,
    Logged,
    EditedInCrm,
    CallOff,
}

impl Act {
    pub const ALL: [Act; 15] = [
        Act::Invite,
        Act::Reply,
        Act::Move,
        Act::InvitedByContact,
        Act::Other,
        Act::Internal,
        Act::Private,
        Act::MadePrivate,
        Act::Series,
        Act::OneOccurrence,
        Act::CalDav,
        Act::CalDavGone,
        Act::Logged,
        Act::EditedInCrm,
        Act::CallOff,
    ];

    /// What happens, in a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Act::Invite => {
                "Anna (Google) invites Ada, a contact of both CRMs, and her colleague Ben (Microsoft) to a demo"
            }
            Act::Reply => "Ada accepts, and so does Ben",
            Act::Move => "Anna moves the demo to the afternoon",
            Act::InvitedByContact => "Grace, a contact in HubSpot, invites Anna from her own calendar (Microsoft)",
            Act::Other => "Ben makes an offer to Alan, whom only Salesforce knows",
            Act::Internal => "Anna and Ben meet among themselves",
            Act::Private => "Anna notes a private meeting with Ada",
            Act::MadePrivate => "Ben makes the one with Alan private, and gives it another name",
            Act::Series => "Anna plans six weekly calls with Ada",
            Act::OneOccurrence => "She moves the third of them alone",
            Act::CalDav => "Carla (CalDAV, on a real Radicale) invites Grace",
            Act::CalDavGone => "She deletes it again",
            Act::Logged => "Anna logs a meeting with Ada in HubSpot, which becomes an event of hers and invites Ada",
            Act::EditedInCrm => "She moves and renames it in HubSpot, and adds Grace there",
            Act::CallOff => "Anna calls the demo off",
        }
    }

    /// Does it.
    pub async fn carry_out(self, accounts: &Accounts, made: &mut Made) -> anyhow::Result<()> {
        let (google_house, microsoft_house) = (&accounts.google, &accounts.microsoft);
        match self {
            Act::Invite => {
                made.demo = google_house.create(ANNA, &google("Demo", at(2, 10), &[ADA, BEN])).map_err(told)?;
            }
            Act::Reply => {
                google_house.respond_to(ADA, &made.demo, "accepted").map_err(told)?;
                let his = his_copy(accounts, "Demo").context("Ben was invited")?;
                microsoft_house.respond_to(BEN, &his, "accept").map_err(told)?;
            }
            Act::Move => {
                let moved = google("Demo", at(2, 15), &[]);
                let patch = json!({ "start": moved["start"], "end": moved["end"] });
                google_house.edit(ANNA, &made.demo, &patch).map_err(told)?;
            }
            Act::InvitedByContact => {
                microsoft_house.create(GRACE, &microsoft("Compilers", at(4, 16), &[ANNA])).map_err(told)?;
            }
            Act::Other => {
                made.offer = microsoft_house.create(BEN, &microsoft("Offer", at(5, 11), &[ALAN])).map_err(told)?;
            }
            Act::Internal => {
                google_house.create(ANNA, &google("Figures of the month", at(1, 8), &[BEN])).map_err(told)?;
            }
            Act::Private => {
                let mut event = google("Godparents' day", at(6, 13), &[ADA]);
                event["visibility"] = json!("private");
                google_house.create(ANNA, &event).map_err(told)?;
            }
            Act::MadePrivate => {
                let patch = json!({ "sensitivity": "private", "subject": "A word about money" });
                microsoft_house.edit(BEN, &made.offer, &patch).map_err(told)?;
            }
            Act::Series => {
                let mut event = google("Weekly call", at(7, 9), &[ADA]);
                event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
                made.weekly = google_house.create(ANNA, &event).map_err(told)?;
            }
            Act::OneOccurrence => {
                let id = format!("{}_{}", made.weekly, third_of_series());
                let moved = google("", at(22, 14), &[]);
                google_house.edit(ANNA, &id, &json!({ "start": moved["start"], "end": moved["end"] })).map_err(told)?;
            }
            Act::CalDav => {
                if let Some(server) = &accounts.radicale {
                    server.put("visit", &icalendar("visit", "Visit", at(3, 14), GRACE)).await?;
                }
            }
            Act::CalDavGone => {
                if let Some(server) = &accounts.radicale {
                    server.delete("visit").await?;
                }
            }
            Act::Logged => {
                let start = at(8, 10);
                let owner = accounts::owner_of(ANNA);
                let fields = [("hs_meeting_title", LOGGED.to_owned()), ("hubspot_owner_id", owner.to_string())];
                made.logged = accounts.hub.create("meetings", &listed(&with_times(fields, start))).map_err(told)?;
                invite_in_hub(accounts, &made.logged, ADA)?;
            }
            Act::EditedInCrm => {
                let fields = [("hs_meeting_title", format!("{LOGGED} with Grace"))];
                let edited = with_times(fields, at(8, 14));
                accounts.hub.edit("meetings", &made.logged, &listed(&edited)).map_err(told)?;
                invite_in_hub(accounts, &made.logged, GRACE)?;
            }
            Act::CallOff => google_house.delete(ANNA, &made.demo).map_err(told)?,
        }
        Ok(())
    }

    /// Whether it takes a CalDAV server.
    pub fn needs_caldav(self) -> bool {
        matches!(self, Act::CalDav | Act::CalDavGone)
    }
}

/// Fields of a meeting in HubSpot, with the times of one that begins then.
fn with_times<const N: usize>(fields: [(&'static str, String); N], start: Timestamp) -> Vec<(&'static str, String)> {
    let times =
        [("hs_timestamp", start), ("hs_meeting_start_time", start), ("hs_meeting_end_time", half_an_hour_later(start))];
    fields.into_iter().chain(times.map(|(name, at)| (name, at.to_string()))).collect()
}

fn listed<'f>(fields: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Somebody puts a contact on a meeting in HubSpot.
fn invite_in_hub(accounts: &Accounts, meeting: &str, email: &str) -> anyhow::Result<()> {
    let contacts = accounts.hub.snapshot().remove("contacts").unwrap_or_default();
    let is_meant = |contact: &&syncline_sandbox::hubspot::HubSpotRecord| {
        contact.properties.get("email").is_some_and(|known| known == email)
    };
    let contact = contacts.iter().find(is_meant).context("she is in HubSpot")?;
    accounts.hub.associate(("meetings", meeting), ("contacts", &contact.id), None).map_err(told)
}

/// Ben's own name of a meeting that he was invited to.
fn his_copy(accounts: &Accounts, title: &str) -> Option<String> {
    let events = accounts.microsoft.snapshot().remove(BEN)?;
    events.iter().find(|event| event["subject"] == title)?["id"].as_str().map(str::to_owned)
}

/// How the third occurrence is named: by its start in UTC, which a change of the clocks in between moves by an hour.
fn third_of_series() -> String {
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap_or(jiff::tz::TimeZone::UTC);
    let first = at(7, 9).to_zoned(zone);
    let third = first.checked_add(jiff::Span::new().weeks(2)).map_or(first.timestamp(), |third| third.timestamp());
    third.strftime("%Y%m%dT%H%M%SZ").to_string()
}
