//! Events: start, end and duration agree; a lead stands alone; invitees and related people are junction rows.

use super::{Draft, Op, Writer, missing_fields};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    time,
    world::{Val, World},
};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
/// Contacts that one event may list ("Event" object reference, `EventWhoIds`, read 2026-11-21).
const MAX_WHOS: usize = 50;

pub(super) fn check(draft: &mut Draft<'_>, op: Op) -> Outcome<()> {
    whos(draft)?;
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

fn whos(draft: &mut Draft<'_>) -> Outcome<()> {
    if let Some(list) = draft.named("EventWhoIds").and_then(Val::as_text).map(str::to_owned)
        && draft.touched("EventWhoIds")
    {
        let ids: Vec<Id> = list.split(';').filter_map(Id::parse).collect();
        let leads = ids.iter().filter(|id| id.prefix() == "00Q").count();
        if ids.len() > MAX_WHOS || (leads > 0 && ids.len() > 1) {
            let message = "An event is related to at most 50 contacts or one lead";
            return Err(ApiError::record("INVALID_EVENTWHOIDS", message, &["EventWhoIds"]));
        }
        if let Some(first) = ids.first()
            && !draft.touched("WhoId")
        {
            draft.set("WhoId", Some(Val::Ref(*first)));
        }
    }
    let who = draft.named("WhoId").and_then(Val::as_ref_id);
    if who.is_some_and(|id| id.prefix() == "00Q") && draft.named("WhatId").is_some() {
        let message = "Related To ID: an event with a lead cannot be related to another record";
        return Err(ApiError::record("FIELD_INTEGRITY_EXCEPTION", message, &["WhatId"]));
    }
    Ok(())
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

/// One relation per event and person.
pub(super) fn relation(draft: &mut Draft<'_>) -> Outcome<()> {
    if !draft.creating() {
        return Ok(());
    }
    let no = |name: &str| draft.def.field_no(name);
    let (Some(event_no), Some(person_no)) = (no("EventId"), no("RelationId")) else { return Ok(()) };
    let (Some(event), Some(person)) = (draft.get(event_no), draft.get(person_no)) else { return Ok(()) };
    let table = draft.world.table(draft.object);
    let same = table.lookup(draft.def, event_no, event).unwrap_or_default();
    let taken = same
        .iter()
        .filter_map(|slot| table.row(*slot))
        .find(|row| !row.deleted && row.stored(person_no) == Some(person));
    if let Some(row) = taken {
        let short = &row.id.as_str()[..15];
        let message = format!("duplicate value found: <unknown> duplicates value on record with id: {short}");
        return Err(ApiError::record("DUPLICATE_VALUE", message, &[]));
    }
    Ok(())
}

/// Makes the relations of an event with several people exactly these.
pub(super) fn relate(world: &mut World, event: Id, whos: &[Id], writer: Writer) -> Outcome<()> {
    let Some(object) = world.schema.find("EventRelation") else { return Ok(()) };
    let schema = world.schema.clone();
    let def = schema.def(object);
    let (Some(event_no), Some(person_no)) = (def.field_no("EventId"), def.field_no("RelationId")) else {
        return Ok(());
    };
    let known = world.table(object).lookup(def, event_no, &Val::Ref(event)).unwrap_or_default().to_vec();
    let mut kept = Vec::new();
    for slot in known {
        let Some(row) = world.row(object, slot).filter(|row| !row.deleted) else { continue };
        match row.stored(person_no).and_then(Val::as_ref_id) {
            Some(person) if whos.contains(&person) => kept.push(person),
            _ => world.set_deleted(object, slot, true),
        }
    }
    for person in whos.iter().filter(|person| !kept.contains(person)) {
        let body = serde_json::json!({"EventId": event.as_str(), "RelationId": person.as_str()});
        let body = body.as_object().cloned().unwrap_or_default();
        super::insert(world, object, &body, None, writer, Op::Create)?;
    }
    Ok(())
}
