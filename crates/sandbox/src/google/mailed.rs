//! Mails between this workspace and the rest of the world: what goes along with one, and what one does that comes.

use serde_json::{Map, Value, json};

use super::{
    Act, GoogleWorkspace, State,
    event::{Event, Part, Person},
    invite::Notify,
    when::When,
    write::{OWN_FIELDS, base32hex},
};
use crate::{
    CalendarMail, MailMethod,
    journal::Actor,
    mails::{MailedEvent, MailedGuest, MailedReply, MailedTime},
    recur::Lines,
};

const ANSWERS: [(&str, MailedReply); 4] = [
    ("needsAction", MailedReply::Nothing),
    ("accepted", MailedReply::Accepted),
    ("tentative", MailedReply::Tentative),
    ("declined", MailedReply::Declined),
];

fn word(reply: MailedReply) -> &'static str {
    ANSWERS.iter().find(|(_, known)| *known == reply).map_or("needsAction", |(word, _)| word)
}

/// What an answer means.
pub(super) fn meant(word: &str) -> MailedReply {
    ANSWERS.iter().find(|(known, _)| *known == word).map_or(MailedReply::Nothing, |(_, reply)| *reply)
}

fn time(when: &When) -> MailedTime {
    match when {
        When::Day(day) => MailedTime::Day(*day),
        When::At { at, zone } => MailedTime::At { at: *at, zone: zone.clone() },
    }
}

fn when(time: &MailedTime) -> When {
    match time {
        MailedTime::Day(day) => When::Day(*day),
        MailedTime::At { at, zone } => When::At { at: *at, zone: zone.clone() },
    }
}

/// What a mail says of an event.
pub(super) fn mailed(event: &Event) -> MailedEvent {
    let text = |name: &str| event.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let guest = |row: &Value| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let reply = meant(&text("responseStatus").unwrap_or_default());
        MailedGuest { name: text("displayName"), address: text("email").unwrap_or_default(), reply }
    };
    let lines = Lines::parse(event.recurrence.iter().map(String::as_str), &event.start.zone_of()).unwrap_or_default();
    let name = event.organizer.name.clone().unwrap_or_else(|| event.organizer.email.clone());
    MailedEvent {
        organizer: (name, event.organizer.email.clone()),
        guests: event.attendees().iter().map(guest).collect(),
        summary: text("summary"),
        description: text("description"),
        location: text("location"),
        private: matches!(event.visibility(), "private" | "confidential"),
        start: time(&event.start),
        end: time(&event.end),
        rule: lines.rule().cloned(),
        original: event.part.as_ref().map(|part| time(&part.original)),
    }
}

impl GoogleWorkspace {
    /// A mail from another sandbox arrives; answers whether it was for somebody here and meant something to him.
    pub fn receive(&self, mail: &CalendarMail) -> bool {
        let Some(said) = &mail.event else { return false };
        let mut state = self.state();
        if !state.has_user(&mail.to) {
            return false;
        }
        let act = Act { now: self.now(), actor: Actor::Person, user: mail.to.clone(), notify: Notify::Nobody };
        match mail.method {
            MailMethod::Reply => state.take_reply(&act, mail, said),
            MailMethod::Request => state.take_invitation(&act, mail, said, false),
            MailMethod::Cancel => state.take_invitation(&act, mail, said, true),
        }
    }
}

impl State {
    /// The id under which an event of this name is on a calendar, or would be.
    fn id_of(&self, calendar: &str, uid: &str) -> String {
        let known = self.calendars[calendar].events.values().find(|event| event.uid == uid && event.part.is_none());
        known.map_or_else(|| format!("_{}", base32hex(uid.as_bytes())), |event| event.id.clone())
    }

    fn take_reply(&mut self, act: &Act, mail: &CalendarMail, said: &MailedEvent) -> bool {
        let mut id = self.id_of(&act.user, &mail.uid);
        if let Some(original) = &said.original {
            id = format!("{id}_{}", when(original).suffix());
        }
        let Some(mut event) = self.calendars[&act.user].find(&id).filter(|event| !event.is_cancelled()) else {
            return false;
        };
        let Some(row) = event.attendee_mut(&mail.from) else { return false };
        row.insert("responseStatus".into(), word(said.reply_of(&mail.from)).into());
        self.keep(act, &act.user, event);
        self.spread(act, &act.user, &id);
        true
    }

    fn take_invitation(&mut self, act: &Act, mail: &CalendarMail, said: &MailedEvent, cancels: bool) -> bool {
        let series = self.id_of(&act.user, &mail.uid);
        let part = said.original.as_ref().map(|original| Part { series: series.clone(), original: when(original) });
        let id = part.as_ref().map_or_else(|| series.clone(), |part| format!("{series}_{}", part.original.suffix()));
        let known = self.calendars[&act.user].find(&id);
        let outdated = known.as_ref().is_some_and(|known| known.sequence > mail.sequence);
        if outdated || (cancels && known.as_ref().is_none_or(Event::is_cancelled)) {
            return false;
        }
        let mut event = self.invited(act, mail, said, id, part);
        if cancels {
            event.status = "cancelled".into();
        }
        if let Some(known) = &known {
            for name in OWN_FIELDS.iter().chain(&["extendedProperties"]) {
                known.fields.get(*name).map(|value| event.fields.insert((*name).to_owned(), value.clone()));
            }
        }
        let goes = known.is_some_and(|known| known.is_series()) && cancels;
        let parts = if goes { self.calendars[&act.user].parts_of(&series) } else { Vec::new() };
        for part in parts {
            let part = self.calendars[&act.user].events[&part].clone();
            self.keep(act, &act.user, Event { status: "cancelled".into(), ..part });
        }
        self.keep(act, &act.user, event)
    }

    /// The event that an invitation tells of.
    fn invited(&self, act: &Act, mail: &CalendarMail, said: &MailedEvent, id: String, part: Option<Part>) -> Event {
        let mut fields = Map::new();
        for (name, text) in
            [("summary", &said.summary), ("description", &said.description), ("location", &said.location)]
        {
            if !text.is_empty() {
                fields.insert(name.into(), text.as_str().into());
            }
        }
        if said.private {
            fields.insert("visibility".into(), "private".into());
        }
        let row = |guest: &MailedGuest| {
            let mut row = json!({"email": guest.address, "responseStatus": word(guest.reply)});
            if let Some(name) = guest.name.as_ref().filter(|name| **name != guest.address) {
                row["displayName"] = name.as_str().into();
            }
            row
        };
        fields.insert("attendees".into(), said.guests.iter().map(row).collect());
        let organizer = Person { email: said.organizer.1.clone(), name: Some(said.organizer.0.clone()) };
        Event {
            id,
            uid: mail.uid.clone(),
            status: "confirmed".into(),
            start: when(&said.start),
            end: when(&said.end),
            recurrence: said.rule.iter().map(|rule| rule.line()).collect(),
            part,
            creator: organizer.clone(),
            organizer,
            sequence: mail.sequence,
            fields,
            created: act.now,
            updated: act.now,
            etag: 0,
            changed: 0,
        }
    }
}
