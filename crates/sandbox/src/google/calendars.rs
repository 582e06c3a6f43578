//! Calendars themselves, and each person's list of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Act, State,
    answers::Refused,
    api::{Query, conference},
    book::{Calendar, GoogleRole},
};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 250;

impl State {
    /// A page of somebody's list, or what has changed of it since a token was given.
    pub(super) fn calendar_list(&self, act: &Act, query: &Query) -> Result<Value, Refused> {
        let cursor = |name: &str, kind: &str| -> Result<Option<(u64, u64)>, Refused> {
            let Some(text) = query.get(name) else { return Ok(None) };
            let read = || {
                let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
                let (known, rest) = text.split_once(':')?;
                let (after, until) = rest.split_once(':')?;
                (known == kind).then_some((after.parse().ok()?, until.parse().ok()?))
            };
            read().map(Some).ok_or_else(|| Refused::parameter(name))
        };
        let (page, sync) = (cursor("pageToken", "lp")?, cursor("syncToken", "ls")?);
        if sync.is_some_and(|(_, epoch)| epoch != self.epoch) {
            return Err(Refused::full_sync());
        }
        let since = sync.map_or(0, |(given, _)| given);
        let (skipped, until) = page.unwrap_or((0, self.ticks));
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let size = query.number("maxResults")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        let keep_deleted = sync.is_some() || query.flag("showDeleted", false)?;
        let mine = self.calendars.values().filter(|calendar| {
            calendar.access.contains_key(&act.user)
                && (sync.is_none() || calendar.listed > since)
                && (keep_deleted || !calendar.deleted)
        });
        let rows: Vec<Value> = mine.map(|calendar| self.list_entry(&act.user, &calendar.id)).collect();
        let shown: Vec<Value> = rows.iter().skip(skipped).take(size).cloned().collect();
        let mut out = json!({"kind": "calendar#calendarList", "etag": format!("\"p{until}o\""), "items": shown});
        let next = skipped.saturating_add(size);
        if rows.len() > next {
            out["nextPageToken"] = URL_SAFE_NO_PAD.encode(format!("lp:{next}:{until}")).into();
        } else {
            out["nextSyncToken"] = URL_SAFE_NO_PAD.encode(format!("ls:{until}:{}", self.epoch)).into();
        }
        Ok(out)
    }

    /// A calendar as it stands in somebody's list.
    pub(super) fn list_entry(&self, user: &str, id: &str) -> Value {
        let calendar = &self.calendars[id];
        let mut out = Map::new();
        out.insert("kind".into(), "calendar#calendarListEntry".into());
        out.insert("etag".into(), etag(calendar).into());
        out.insert("id".into(), id.into());
        if calendar.deleted {
            out.insert("deleted".into(), true.into());
            return out.into();
        }
        out.insert("summary".into(), calendar.summary.as_str().into());
        out.insert("timeZone".into(), calendar.zone.as_str().into());
        if !calendar.is_primary() {
            out.insert("dataOwner".into(), calendar.owner.as_str().into());
        }
        let colours = [("colorId", "14"), ("backgroundColor", "#9fe1e7"), ("foregroundColor", "#000000")];
        colours.iter().for_each(|(name, value)| drop(out.insert((*name).into(), (*value).into())));
        out.insert("selected".into(), true.into());
        let role = calendar.access.get(user).copied().unwrap_or(GoogleRole::FreeBusyReader);
        out.insert("accessRole".into(), role.name().into());
        out.insert("defaultReminders".into(), json!([]));
        if calendar.id == user {
            let kinds = ["eventCreation", "eventChange", "eventCancellation", "eventResponse"];
            let all: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind, "method": "email"})).collect();
            out.insert("notificationSettings".into(), json!({"notifications": all}));
            out.insert("primary".into(), true.into());
        }
        out.insert("conferenceProperties".into(), conference());
        out.into()
    }

    pub(super) fn calendar_shown(&self, id: &str) -> Value {
        let calendar = &self.calendars[id];
        let mut out = json!({
            "kind": "calendar#calendar", "etag": etag(calendar), "id": id, "summary": calendar.summary,
            "timeZone": calendar.zone, "conferenceProperties": conference(),
        });
        if !calendar.is_primary() {
            out["dataOwner"] = calendar.owner.as_str().into();
        }
        out
    }

    /// A further calendar of this person.
    pub(super) fn add_calendar(&mut self, act: &Act, summary: &str, zone: &str) -> Result<String, Refused> {
        TimeZone::get(zone).map_err(|_| Refused::invalid("Invalid time zone."))?;
        self.numbers += 1;
        self.ticks += 1;
        let digest = Sha256::digest(format!("{}:{}", act.user, self.numbers));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("c_{hex}@group.calendar.google.com");
        self.calendars.insert(id.clone(), Calendar::new(&id, &act.user, summary, zone, act.now, self.ticks));
        self.tell_list_channels(act.now, std::slice::from_ref(&act.user));
        Ok(id)
    }

    /// Deletes a calendar that is nobody's first.
    pub(super) fn remove_calendar(&mut self, act: &Act, id: &str) -> Result<(), Refused> {
        self.ticks += 1;
        let ticks = self.ticks;
        let calendar = self.calendars.get_mut(id).filter(|calendar| !calendar.is_primary());
        let calendar = calendar
            .ok_or_else(|| Refused::new(400, "cannotDeletePrimaryCalendar", "Cannot delete primary calendar."))?;
        calendar.deleted = true;
        calendar.listed = ticks;
        let people: Vec<String> = calendar.access.keys().cloned().collect();
        self.tell_list_channels(act.now, &people);
        Ok(())
    }
}

fn etag(calendar: &Calendar) -> String {
    format!("\"{}{:06}\"", calendar.updated.as_millisecond(), calendar.listed)
}
