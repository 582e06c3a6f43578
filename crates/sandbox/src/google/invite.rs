//! How an event reaches its guests: copies on the calendars of those who have one here, and mails.

use serde_json::Value;

use super::{
    Act, State,
    event::Event,
    mailed::{mailed, meant},
    write::OWN_FIELDS,
};
use crate::mails::{CalendarMail, MailMethod, MailedEvent};

/// Who is mailed about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notify {
    All,
    /// Only guests without a calendar here.
    ExternalOnly,
    Nobody,
}

impl State {
    pub(super) fn has_user(&self, email: &str) -> bool {
        self.calendars.get(email).is_some_and(|calendar| calendar.is_primary())
    }

    /// Brings the guests' copies up to what the organiser's event says.
    pub(super) fn spread(&mut self, act: &Act, calendar: &str, id: &str) {
        let Some(event) = self.calendars[calendar].find(id) else { return };
        if event.organizer.email != calendar || event.flag("privateCopy", false) {
            return;
        }
        let invited = event.guests();
        let people: Vec<String> = self
            .calendars
            .values()
            .filter(|known| known.is_primary() && known.id != calendar)
            .map(|known| known.id.clone())
            .collect();
        for guest in people {
            let home = &self.calendars[&guest];
            let known = home.events.get(id).cloned();
            let series_here = event.part.as_ref().and_then(|part| home.events.get(&part.series));
            let in_series = series_here.is_some_and(|series| !series.is_cancelled());
            let copy = if invited.contains(&guest) && !event.is_cancelled() {
                let declined = event
                    .attendees()
                    .iter()
                    .any(|row| row["email"] == guest.as_str() && row["responseStatus"] == "declined");
                match known {
                    // Whoever took the event off his calendar is not asked again.
                    Some(known) if known.is_cancelled() && declined => continue,
                    known => copied(&event, known.as_ref()),
                }
            } else {
                match known {
                    Some(known) if known.is_cancelled() => continue,
                    Some(known) => Event { status: "cancelled".into(), sequence: event.sequence, ..known },
                    None if in_series => Event { status: "cancelled".into(), ..copied(&event, None) },
                    None => continue,
                }
            };
            self.keep(act, &guest, copy);
        }
    }

    /// Mails those of the guests whom the caller wants to be told.
    pub(super) fn mail(&mut self, act: &Act, method: MailMethod, event: &Event, to: &[String]) {
        for guest in to.iter().filter(|guest| **guest != event.organizer.email) {
            let wanted = match act.notify {
                Notify::All => true,
                Notify::ExternalOnly => !self.has_user(guest),
                Notify::Nobody => false,
            };
            if wanted {
                let from = &event.organizer.email;
                let enclosure = (!self.has_user(guest)).then(|| enclosed(event, from, None));
                self.mails.send(CalendarMail { event: enclosure, ..mail(act, method, event, from, guest, None) });
            }
        }
    }

    /// Mails a guest's answer to the organiser.
    pub(super) fn reply(&mut self, act: &Act, event: &Event, guest: &str, answer: &str) {
        if act.notify != Notify::Nobody {
            let to = event.organizer.email.clone();
            let enclosure = (!self.has_user(&to)).then(|| enclosed(event, guest, Some(answer)));
            let mail = mail(act, MailMethod::Reply, event, guest, &to, Some(answer.to_owned()));
            self.mails.send(CalendarMail { event: enclosure, ..mail });
        }
    }
}

fn mail(act: &Act, method: MailMethod, event: &Event, from: &str, to: &str, answer: Option<String>) -> CalendarMail {
    CalendarMail {
        number: 0,
        at: act.now,
        method,
        from: from.to_owned(),
        to: to.to_owned(),
        uid: event.uid.clone(),
        occurrence: event.part.as_ref().map(|part| part.original.suffix()),
        sequence: event.sequence,
        subject: event.fields.get("summary").and_then(Value::as_str).unwrap_or_default().to_owned(),
        answer,
        event: None,
    }
}

/// What goes along with a mail to somebody elsewhere.
fn enclosed(event: &Event, from: &str, answer: Option<&str>) -> Box<MailedEvent> {
    let mut said = mailed(event);
    if let Some(answer) = answer {
        let own = said.guests.iter_mut().find(|guest| guest.address.eq_ignore_ascii_case(from));
        if let Some(own) = own {
            own.reply = meant(answer);
        }
    }
    Box::new(said)
}

/// A guest's copy, with what is his own as he has it; at first as the organiser has it, but for reminders.
fn copied(event: &Event, known: Option<&Event>) -> Event {
    let mut copy = event.clone();
    copy.fields.remove("reminders");
    if let Some(known) = known {
        for name in OWN_FIELDS {
            copy.fields.remove(*name);
            known.fields.get(*name).map(|value| copy.fields.insert((*name).to_owned(), value.clone()));
        }
    }
    let own = known.and_then(|known| known.fields.get("extendedProperties")?.get("private").cloned());
    let shared = event.fields.get("extendedProperties").and_then(|all| all.get("shared").cloned());
    copy.fields.remove("extendedProperties");
    let properties: serde_json::Map<String, Value> = [("private", own), ("shared", shared)]
        .into_iter()
        .filter_map(|(name, all)| Some((name.to_owned(), all?)))
        .collect();
    if !properties.is_empty() {
        copy.fields.insert("extendedProperties".into(), properties.into());
    }
    copy
}
