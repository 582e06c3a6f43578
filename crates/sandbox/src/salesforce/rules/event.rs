//! Events: start, end and duration agree; a lead stands alone; copies that invitees have are left alone.

use super::{Draft, Op, missing_fields, objects};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    time,
    world::Val,
};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
/// Contacts that one event may list ("Event" object reference, `EventWhoIds`, read 2026-11-21).
pub(super) const MAX_WHOS: usize = 50;
/// All that may be changed on a copy ("Event" object reference, `IsChild`, read 2026-11-21).
const OF_A_COPY: [&str; 2] = ["IsReminderSet", "ReminderDateTime"];

pub(super) fn check(draft: &mut Draft<'_>, op: Op) -> Outcome<()> {
    if op == Op::Update && draft.named("IsChild") == Some(&Val::Bool(true)) {
        let other = draft.changes.iter().map(|(no, _)| &draft.def.field(*no).name);
        let other: Vec<&str> = other.map(String::as_str).filter(|name| !OF_A_COPY.contains(name)).collect();
        if !other.is_empty() {
            let message = "A child event can only have its reminder changed";
            return Err(ApiError::record("INSUFFICIENT_ACCESS_OR_READONLY", message, &other));
        }
        return Ok(());
    }
    if op != Op::Seed
        && draft.touched("WhoId")
        && let Some(who) = draft.named("WhoId").and_then(Val::as_ref_id)
    {
        objects::not_converted(draft.world, who)?;
    }
    whos(draft, op)?;
    let timed =
        ["StartDateTime", "ActivityDateTime", "EndDateTime", "DurationInMinutes", "ActivityDate", "IsAllDayEvent"];
    if draft.creating() || timed.iter().any(|name| draft.touched(name)) {
        times(draft, op)?;
    }
    account(draft);
    if draft.creating() && draft.named("EventSubtype").is_none() {
        draft.set("EventSubtype", Some(Val::text("Event")));
    }
    Ok(())
}

fn whos(draft: &mut Draft<'_>, op: Op) -> Outcome<()> {
    if let Some(list) = draft.named("EventWhoIds").and_then(Val::as_text).map(str::to_owned)
        && draft.touched("EventWhoIds")
    {
        let mut ids: Vec<Id> = list.split(';').filter_map(Id::parse).collect();
        for id in &ids {
            whom(draft, *id, op)?;
        }
        let given = draft.touched("WhoId").then(|| draft.named("WhoId").and_then(Val::as_ref_id)).flatten();
        ids.extend(given.filter(|id| !ids.contains(id)));
        let leads = ids.iter().filter(|id| id.prefix() == "00Q").count();
        if ids.len() > MAX_WHOS || (leads > 0 && ids.len() > 1) {
            let message = "An event is related to at most 50 contacts or one lead";
            return Err(ApiError::record("INVALID_EVENTWHOIDS", message, &["EventWhoIds"]));
        }
        // The first of the list is the primary one, unless the event has, or is given, one of the list.
        let kept = draft.named("WhoId").and_then(Val::as_ref_id).filter(|id| ids.contains(id));
        if let Some(first) = kept.or(ids.first().copied()) {
            draft.set("WhoId", Some(Val::Ref(first)));
        }
    }
    let who = draft.named("WhoId").and_then(Val::as_ref_id);
    if who.is_some_and(|id| id.prefix() == "00Q") && draft.named("WhatId").is_some() {
        let message = "Related To ID: an event with a lead cannot be related to another record";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["WhatId"]));
    }
    Ok(())
}

/// Whether this id may stand in `EventWhoIds`.
fn whom(draft: &Draft<'_>, id: Id, op: Op) -> Outcome<()> {
    let wrong = |message: String| Err(ApiError::record("INVALID_EVENTWHOIDS", message, &["EventWhoIds"]));
    if !matches!(id.prefix(), "003" | "00Q") {
        return wrong(format!("EventWhoIds: id value of incorrect type: {}", id.as_str()));
    }
    let row = draft.world.find(id).and_then(|(object, slot)| draft.world.row(object, slot));
    if row.is_none_or(|row| row.deleted) {
        return wrong(format!("EventWhoIds: no such record: {}", id.as_str()));
    }
    if op == Op::Seed { Ok(()) } else { objects::not_converted(draft.world, id) }
}

fn times(draft: &mut Draft<'_>, op: Op) -> Outcome<()> {
    if draft.named("IsAllDayEvent") == Some(&Val::Bool(true)) {
        return all_day(draft);
    }
    let stamp = |name: &str| match draft.named(name) {
        Some(Val::Stamp(seconds)) => Some(*seconds),
        _ => None,
    };
    let start = if draft.touched("ActivityDateTime") && !draft.touched("StartDateTime") {
        stamp("ActivityDateTime")
    } else {
        stamp("StartDateTime").or(stamp("ActivityDateTime"))
    };
    let minutes = match draft.named("DurationInMinutes") {
        Some(Val::Int(minutes)) => Some(*minutes),
        _ => None,
    };
    let given = (draft.touched("EndDateTime"), draft.touched("DurationInMinutes"));
    let end = match (start, stamp("EndDateTime"), minutes) {
        (Some(_), Some(end), _) if given.0 || (draft.creating() && op == Op::Seed) => Some(end),
        // A moved event keeps its length.
        (Some(start), _, Some(minutes)) => Some(start + minutes * MINUTE),
        (_, end, _) => end,
    };
    let (Some(start), Some(end)) = (start, end) else {
        let mut missing = Vec::new();
        if start.is_none() {
            missing.push("ActivityDateTime");
        }
        if end.is_none() {
            missing.push("DurationInMinutes");
        }
        return if op == Op::Seed { Ok(()) } else { missing_fields(&missing) };
    };
    if end < start {
        let message = "End Date Time: an event cannot end before it starts";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["EndDateTime"]));
    }
    if given.0 && given.1 && minutes.is_some_and(|minutes| start + minutes * MINUTE != end) {
        let message = "Duration and end time of the event are inconsistent";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["DurationInMinutes"]));
    }
    draft.set("StartDateTime", Some(Val::Stamp(start)));
    draft.set("ActivityDateTime", Some(Val::Stamp(start)));
    draft.set("EndDateTime", Some(Val::Stamp(end)));
    draft.set("DurationInMinutes", Some(Val::Int((end - start) / MINUTE)));
    draft.set("ActivityDate", Some(Val::Date(time::day_of(start))));
    draft.set("EndDate", Some(Val::Date(time::day_of(end))));
    Ok(())
}

fn all_day(draft: &mut Draft<'_>) -> Outcome<()> {
    let moment = |name: &str| match draft.named(name) {
        Some(Val::Stamp(seconds)) => Some(time::day_start(time::day_of(*seconds))),
        Some(Val::Date(day)) => Some(time::day_start(*day)),
        _ => None,
    };
    let named = ["StartDateTime", "ActivityDate", "ActivityDateTime"];
    let start = named.iter().filter(|name| draft.touched(name)).chain(&named).find_map(|name| moment(name));
    let Some(start) = start else { return missing_fields(&["ActivityDate"]) };
    let minutes = match draft.named("DurationInMinutes") {
        Some(Val::Int(minutes)) if draft.touched("DurationInMinutes") => Some(*minutes),
        _ => None,
    };
    let end = match minutes {
        Some(minutes) => start + (minutes * MINUTE - DAY).max(0) / DAY * DAY,
        None => moment("EndDateTime").filter(|_| draft.touched("EndDateTime")).unwrap_or(start),
    };
    if end < start {
        let message = "End Date Time: an event cannot end before it starts";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["EndDateTime"]));
    }
    draft.set("StartDateTime", Some(Val::Stamp(start)));
    draft.set("ActivityDateTime", Some(Val::Stamp(start)));
    draft.set("EndDateTime", Some(Val::Stamp(end)));
    draft.set("DurationInMinutes", Some(Val::Int((end - start + DAY) / MINUTE)));
    draft.set("ActivityDate", Some(Val::Date(time::day_of(start))));
    draft.set("EndDate", Some(Val::Date(time::day_of(end))));
    Ok(())
}

/// The account of an event follows from what it is about, else from whom it is with.
fn account(draft: &mut Draft<'_>) {
    if !draft.touched("WhatId") && !draft.touched("WhoId") {
        return;
    }
    let via = |name: &str| -> Option<Val> {
        let id = draft.named(name)?.as_ref_id()?;
        if id.prefix() == "001" {
            return Some(Val::Ref(id));
        }
        let (object, slot) = draft.world.find(id)?;
        let no = draft.world.def(object).field_no("AccountId")?;
        draft.world.row(object, slot)?.stored(no).cloned()
    };
    let account = via("WhatId").or_else(|| via("WhoId"));
    draft.set("AccountId", account);
}
