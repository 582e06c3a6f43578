//! What is done to events: made, changed, answered, cancelled, moved; by their organiser, or by a guest on his copy.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    Act, State,
    answers::{Refused, text},
    draft::{Mode, drafted, valid_id},
    event::{Event, Person},
    when::When,
};
use crate::mails::MailMethod;

/// What belongs to each copy of an event alone.
pub(super) const OWN_FIELDS: &[&str] = &["reminders", "colorId", "transparency", "visibility"];

/// Whether the tag of a condition is the event's.
pub(super) fn condition(if_match: Option<&str>, event: &Event) -> Result<(), Refused> {
    match if_match {
        Some(tag) if tag != "*" && tag != event.etag_text() => Err(Refused::precondition()),
        _ => Ok(()),
    }
}

impl State {
    /// An event of this calendar about which nothing is known yet.
    fn blank(&self, act: &Act, calendar: &str, id: String) -> Event {
        let home = &self.calendars[calendar];
        let name = (!home.is_primary()).then(|| home.summary.clone());
        let nowhere = When::Day(jiff::civil::Date::ZERO);
        Event {
            uid: format!("{id}@google.com"),
            id,
            status: "confirmed".into(),
            start: nowhere.clone(),
            end: nowhere,
            recurrence: Vec::new(),
            part: None,
            organizer: Person { email: calendar.to_owned(), name },
            creator: Person { email: act.user.clone(), name: None },
            sequence: 0,
            fields: Map::new(),
            created: act.now,
            updated: act.now,
            etag: 0,
            changed: 0,
        }
    }

    pub(super) fn insert(&mut self, act: &Act, calendar: &str, body: &Map<String, Value>) -> Result<Event, Refused> {
        let (id, uid) = (text(body, "id")?, text(body, "iCalUID")?);
        if id.is_some() && uid.is_some() {
            return Err(Refused::invalid("Only one of id and iCalUID can be chosen."));
        }
        let id = match id {
            Some(id) if !valid_id(id) => return Err(Refused::invalid("Invalid resource id value.")),
            Some(id) => id.to_owned(),
            None => self.fresh_id(),
        };
        let home = &self.calendars[calendar];
        let taken = home.events.contains_key(&id) || uid.is_some_and(|uid| home.events.values().any(|e| e.uid == uid));
        if taken {
            return Err(Refused::new(409, "duplicate", "The requested identifier already exists."));
        }
        let mut base = self.blank(act, calendar, id);
        if let Some(uid) = uid {
            uid.clone_into(&mut base.uid);
        }
        let zone = self.calendars[calendar].zone.clone();
        let event = drafted(body, &base, Mode::Insert, &zone)?;
        let id = event.id.clone();
        self.keep(act, calendar, event);
        self.spread(act, calendar, &id);
        let event = self.stored(calendar, &id)?;
        self.mail(act, MailMethod::Request, &event, &event.guests());
        Ok(event)
    }

    /// A copy of somebody's event: known by its `iCalUID`, and nobody is told of it.
    pub(super) fn import(&mut self, act: &Act, calendar: &str, body: &Map<String, Value>) -> Result<Event, Refused> {
        let uid = text(body, "iCalUID")?.ok_or_else(|| Refused::new(400, "required", "Missing iCalUID."))?;
        let home = &self.calendars[calendar];
        let known = home.events.values().find(|event| event.uid == uid && event.part.is_none()).cloned();
        let base = match known {
            Some(event) => Event { status: "confirmed".into(), ..event },
            None => {
                Event { uid: uid.to_owned(), ..self.blank(act, calendar, format!("_{}", base32hex(uid.as_bytes()))) }
            }
        };
        let zone = home.zone.clone();
        let event = drafted(body, &base, Mode::Import, &zone)?;
        let id = event.id.clone();
        self.keep(act, calendar, event);
        self.stored(calendar, &id)
    }

    /// Changes an event, or one occurrence of a series.
    pub(super) fn change(
        &mut self,
        act: &Act,
        calendar: &str,
        id: &str,
        body: &Map<String, Value>,
        mode: Mode,
        if_match: Option<&str>,
    ) -> Result<Event, Refused> {
        let home = &self.calendars[calendar];
        let before = home.find(id).ok_or_else(Refused::not_found)?;
        condition(if_match, &before)?;
        let zone = home.zone.clone();
        let mut after = drafted(body, &before, mode, &zone)?;
        if after.is_cancelled() && !before.is_cancelled() {
            self.remove(act, calendar, id, None)?;
            return self.stored(calendar, id);
        }
        if before.organizer.email != calendar {
            self.change_as_guest(act, calendar, &before, &after)?;
            return self.calendars[calendar].find(id).ok_or_else(Refused::not_found);
        }
        // Guests with a calendar here answer for themselves.
        for guest in before.guests().iter().filter(|guest| self.has_user(guest) && *guest != calendar) {
            let answer = before.attendees().iter().find(|row| row["email"] == guest.as_str());
            let answer = answer.and_then(|row| row.get("responseStatus").cloned());
            if let (Some(row), Some(answer)) = (after.attendee_mut(guest), answer) {
                row.insert("responseStatus".into(), answer);
            }
        }
        let elsewhen = (&before.start, &before.recurrence) != (&after.start, &after.recurrence);
        if self.keep(act, calendar, after.clone()) {
            if elsewhen && before.is_series() {
                self.drop_orphans(act, calendar, &after);
            }
            self.spread(act, calendar, id);
            let now_guests = after.guests();
            let gone: Vec<String> = before.guests().into_iter().filter(|guest| !now_guests.contains(guest)).collect();
            self.mail(act, MailMethod::Request, &after, &now_guests);
            self.mail(act, MailMethod::Cancel, &after, &gone);
        }
        self.calendars[calendar].find(id).ok_or_else(Refused::not_found)
    }

    /// Changed occurrences of a series that has no such occurrence any more are cancelled.
    fn drop_orphans(&mut self, act: &Act, calendar: &str, series: &Event) {
        let originals = series.originals(jiff::Timestamp::MAX);
        for id in self.calendars[calendar].parts_of(&series.id) {
            let event = self.calendars[calendar].events[&id].clone();
            let stays = event.part.as_ref().is_some_and(|part| originals.contains(&part.original));
            if !stays && !event.is_cancelled() {
                self.keep(act, calendar, Event { status: "cancelled".into(), ..event });
                self.spread(act, calendar, &id);
            }
        }
    }

    /// What a guest may do: answer, bring others, set what is his own; and the rest only where the organiser lets him.
    fn change_as_guest(&mut self, act: &Act, calendar: &str, before: &Event, after: &Event) -> Result<(), Refused> {
        let shared = |event: &Event| {
            let mut fields = event.fields.clone();
            fields.remove("attendees");
            OWN_FIELDS.iter().for_each(|name| drop(fields.remove(*name)));
            if let Some(properties) = fields.get_mut("extendedProperties").and_then(Value::as_object_mut) {
                properties.remove("private");
                if properties.is_empty() {
                    fields.remove("extendedProperties");
                }
            }
            (fields, event.start.clone(), event.end.clone(), event.recurrence.clone())
        };
        let may_modify = before.flag("guestsCanModify", false);
        let modified = shared(before) != shared(after);
        let known = before.guests();
        let brought: Vec<Value> = after
            .attendees()
            .iter()
            .filter(|row| !known.iter().any(|known| row["email"] == known.as_str()))
            .cloned()
            .collect();
        let may_bring = before.flag("guestsCanInviteOthers", true) || may_modify;
        if (modified && !may_modify) || (!brought.is_empty() && !may_bring) {
            return Err(Refused::not_organizer());
        }
        let answer = after.attendees().iter().find(|row| row["email"] == calendar).cloned();
        let mut copy = if modified { after.clone() } else { before.clone() };
        copy.status.clone_from(&after.status);
        copy.fields.retain(|name, _| !OWN_FIELDS.contains(&name.as_str()));
        for name in OWN_FIELDS.iter().chain(&["extendedProperties"]) {
            after.fields.get(*name).map(|value| copy.fields.insert((*name).to_owned(), value.clone()));
        }
        let told = |event: &mut Event| {
            if let (Some(row), Some(answer)) =
                (event.attendee_mut(calendar), answer.as_ref().and_then(Value::as_object))
            {
                *row = answer.clone();
            }
            if let Some(rows) = event.fields.get_mut("attendees").and_then(Value::as_array_mut) {
                rows.extend(brought.iter().cloned());
            }
        };
        told(&mut copy);
        self.keep(act, calendar, copy);
        let organizer = before.organizer.email.clone();
        if let Some(mut event) = self.calendars.get(&organizer).and_then(|home| home.find(&before.id)) {
            if modified {
                let (fields, start, end, recurrence) = shared(after);
                event.fields.extend(fields);
                (event.start, event.end, event.recurrence) = (start, end, recurrence);
            }
            told(&mut event);
            self.keep(act, &organizer, event);
            self.spread(act, &organizer, &before.id);
        }
        if let Some(answer) = answer.filter(|row| !before.attendees().contains(row)) {
            self.reply(act, before, calendar, answer["responseStatus"].as_str().unwrap_or_default());
        }
        Ok(())
    }

    /// Cancels the organiser's event for everybody, or takes a guest's copy away, who thereby declines.
    pub(super) fn remove(
        &mut self,
        act: &Act,
        calendar: &str,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), Refused> {
        let home = &self.calendars[calendar];
        let before = home.find(id).ok_or_else(Refused::not_found)?;
        if before.is_cancelled() {
            return Err(Refused::deleted());
        }
        condition(if_match, &before)?;
        let parts = if before.is_series() { home.parts_of(id) } else { Vec::new() };
        let organizer = before.organizer.email.clone();
        for id in parts.iter().map(String::as_str).chain([id]) {
            let Some(event) = self.calendars[calendar].find(id) else { continue };
            let sequence = event.sequence + u64::from(organizer == calendar);
            self.keep(act, calendar, Event { status: "cancelled".into(), sequence, ..event });
            if organizer == calendar {
                self.spread(act, calendar, id);
            }
        }
        if organizer == calendar {
            self.mail(act, MailMethod::Cancel, &before, &before.guests());
        } else {
            let event = self.calendars.get(&organizer).and_then(|home| home.find(id));
            if let Some(mut event) = event.filter(|event| !event.is_cancelled()) {
                if let Some(row) = event.attendee_mut(calendar) {
                    row.insert("responseStatus".into(), "declined".into());
                }
                self.keep(act, &organizer, event);
                self.spread(act, &organizer, id);
            }
            self.reply(act, &before, calendar, "declined");
        }
        Ok(())
    }

    /// Moves an event to another calendar, which becomes its organiser.
    pub(super) fn move_to(&mut self, act: &Act, from: &str, id: &str, to: &str) -> Result<Event, Refused> {
        let event = self.calendars[from].events.get(id).cloned().ok_or_else(Refused::not_found)?;
        if event.organizer.email != from || event.part.is_some() {
            return Err(Refused::not_organizer());
        }
        let home = &self.calendars[to];
        let name = (!home.is_primary()).then(|| home.summary.clone());
        let organizer = Person { email: to.to_owned(), name };
        self.keep(act, from, Event { status: "cancelled".into(), ..event.clone() });
        self.keep(act, to, Event { organizer, ..event });
        self.spread(act, to, id);
        self.stored(to, id)
    }

    fn stored(&self, calendar: &str, id: &str) -> Result<Event, Refused> {
        self.calendars[calendar].events.get(id).cloned().ok_or_else(Refused::not_found)
    }

    /// An id as the vendor chooses them: 26 letters.
    fn fresh_id(&mut self) -> String {
        self.numbers += 1;
        base32hex(&Sha256::digest(self.numbers.to_be_bytes())[..16])
    }
}

/// Base32 with the letters of RFC 4648's "extended hex", in lower case and without padding.
pub(super) fn base32hex(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut out = String::new();
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(LETTERS[(held << (5 - bits) & 31) as usize]));
    }
    out
}
