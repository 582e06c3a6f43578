//! A meeting as each vendor's people write it into their calendars, and the mails between the vendors.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_core::calendar::identity::Uid;

use super::{
    ledger::{Meeting, Special},
    office::{Office, PEOPLE, Place, uid_in},
    wires::Wires,
    zones::Zone,
};

/// How often mails are carried, and how long they are under way at most, in seconds.
const MAIL_EVERY: (u64, u64) = (2, 60);

/// A meeting that somebody is about to make.
#[derive(Debug, Clone)]
pub struct Draft {
    pub title: String,
    pub start: Timestamp,
    pub minutes: i64,
    pub guests: BTreeSet<String>,
    pub private: bool,
    pub zone: Zone,
    /// The days between two meetings, and how many there are.
    pub every: Option<(i64, i64)>,
}

fn end(start: Timestamp, minutes: i64) -> Timestamp {
    start + SignedDuration::from_mins(minutes)
}

fn google_time(at: Timestamp, zone: Zone) -> Value {
    json!({ "dateTime": at.to_string(), "timeZone": zone.iana })
}

fn microsoft_time(at: Timestamp, zone: Zone) -> Value {
    json!({ "dateTime": zone.shown(at), "timeZone": zone.windows })
}

fn google_rule((days, count): (i64, i64)) -> Value {
    let word = if days > 1 { "WEEKLY" } else { "DAILY" };
    json!([format!("RRULE:FREQ={word};COUNT={count}")])
}

fn microsoft_rule((days, count): (i64, i64), start: Timestamp, zone: Zone) -> Value {
    let (date, day) = zone.day(start);
    let pattern = if days > 1 {
        json!({ "type": "weekly", "interval": 1, "daysOfWeek": [day] })
    } else {
        json!({ "type": "daily", "interval": 1 })
    };
    let range = json!({
        "type": "numbered", "startDate": date, "numberOfOccurrences": count, "recurrenceTimeZone": zone.windows,
    });
    json!({ "pattern": pattern, "range": range })
}

fn body(place: Place, draft: &Draft) -> Value {
    let (starts, ends, zone) = (draft.start, end(draft.start, draft.minutes), draft.zone);
    let mut body = match place {
        Place::Google => json!({
            "summary": draft.title, "start": google_time(starts, zone), "end": google_time(ends, zone),
            "visibility": if draft.private { "private" } else { "default" },
            "attendees": draft.guests.iter().map(|email| json!({ "email": email })).collect::<Vec<_>>(),
        }),
        Place::Microsoft => json!({
            "subject": draft.title, "start": microsoft_time(starts, zone), "end": microsoft_time(ends, zone),
            "sensitivity": if draft.private { "private" } else { "normal" },
            "attendees": draft.guests.iter().map(|email| json!({ "emailAddress": { "address": email } })).collect::<Vec<_>>(),
        }),
    };
    if let Some(every) = draft.every {
        body["recurrence"] = match place {
            Place::Google => google_rule(every),
            Place::Microsoft => microsoft_rule(every, draft.start, zone),
        };
    }
    body
}

/// Somebody makes a meeting; answers its id.
pub fn create(office: &Office, owner: usize, draft: &Draft) -> Result<String, String> {
    let Some(who) = PEOPLE.get(owner) else { return Err("nobody".to_owned()) };
    let body = body(who.place, draft);
    match who.place {
        Place::Google => office.google.create(who.email, &body),
        Place::Microsoft => office.microsoft.create(who.email, &body),
    }
}

/// The organiser brings the calendar to what the meeting is to be.
pub fn edit(office: &Office, meeting: &Meeting) -> Result<(), String> {
    let who = &PEOPLE[meeting.owner];
    let draft = Draft {
        title: meeting.title.clone(),
        start: meeting.start,
        minutes: meeting.minutes,
        guests: meeting.guests.clone(),
        private: meeting.private,
        zone: meeting.zone,
        every: meeting.series.as_ref().map(|series| (series.days, series.count)),
    };
    let body = body(who.place, &draft);
    match who.place {
        Place::Google => office.google.edit(who.email, &meeting.id, &body),
        Place::Microsoft => office.microsoft.edit(who.email, &meeting.id, &body),
    }
}

/// The organiser changes one meeting of a series, or calls it off.
pub fn edit_occurrence(office: &Office, meeting: &Meeting, rid: Timestamp, special: &Special) -> Result<(), String> {
    let who = &PEOPLE[meeting.owner];
    let id = format!("{}_{}", meeting.id, rid.strftime("%Y%m%dT%H%M%SZ"));
    if special.off {
        return office.google.delete(who.email, &id);
    }
    let ends = end(special.start, meeting.minutes);
    let body = json!({ "summary": special.title, "start": google_time(special.start, meeting.zone), "end": google_time(ends, meeting.zone) });
    office.google.edit(who.email, &id, &body)
}

/// The organiser gives an event another name, and leaves the rest as it is.
pub fn name(office: &Office, owner: usize, id: &str, name: &str) -> Result<(), String> {
    let who = &PEOPLE[owner];
    match who.place {
        Place::Google => office.google.edit(who.email, id, &json!({ "summary": name })),
        Place::Microsoft => office.microsoft.edit(who.email, id, &json!({ "subject": name })),
    }
}

/// Everything that is in somebody's calendar.
pub fn rows(office: &Office, person: usize) -> Vec<Value> {
    let who = &PEOPLE[person];
    let mut all = match who.place {
        Place::Google => office.google.snapshot(),
        Place::Microsoft => office.microsoft.snapshot(),
    };
    all.remove(who.email).unwrap_or_default()
}

/// Somebody deletes an event: calls off the own one, takes off an invitation.
pub fn delete(office: &Office, person: usize, id: &str) -> Result<(), String> {
    let who = &PEOPLE[person];
    match who.place {
        Place::Google => office.google.delete(who.email, id),
        Place::Microsoft => office.microsoft.delete(who.email, id),
    }
}

/// A guest answers.
pub fn reply(office: &Office, person: usize, id: &str, accepts: bool) -> Result<(), String> {
    let who = &PEOPLE[person];
    match who.place {
        Place::Google => office.google.respond_to(who.email, id, if accepts { "accepted" } else { "tentative" }),
        Place::Microsoft => {
            office.microsoft.respond_to(who.email, id, if accepts { "accept" } else { "tentativelyAccept" })
        }
    }
}

/// The id of a meeting in somebody's calendar.
pub fn find(office: &Office, person: usize, uid: &Uid) -> Option<String> {
    let who = &PEOPLE[person];
    let all = match who.place {
        Place::Google => office.google.snapshot(),
        Place::Microsoft => office.microsoft.snapshot(),
    };
    let is = |row: &&Value| uid_in(row).and_then(Uid::read).as_ref() == Some(uid) && row["recurringEventId"].is_null();
    all.get(who.email)?.iter().find(is)?["id"].as_str().map(str::to_owned)
}

/// Calendars show their changes so late from now on.
pub fn lag(office: &Office, lag: SignedDuration) {
    office.google.set_list_lag(lag);
    office.microsoft.set_delta_lag(lag);
}

/// Carries the mails between the vendors, each way in its order.
pub async fn carry_mails(wires: Arc<Wires>) {
    let (mut from_google, mut from_microsoft) = (0, 0);
    loop {
        let pause = wires.sim.with_dice("mails", |dice| dice.between(MAIL_EVERY.0, MAIL_EVERY.1));
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let office = &wires.office;
        let mut any = false;
        for mail in office.google.mails_since(from_google) {
            from_google = mail.number;
            any |= office.microsoft.receive(&mail);
        }
        for mail in office.microsoft.mails_since(from_microsoft) {
            from_microsoft = mail.number;
            any |= office.google.receive(&mail);
        }
        if any {
            wires.sim.note(|| "mails arrive".to_owned());
            wires.look_around();
        }
    }
}
