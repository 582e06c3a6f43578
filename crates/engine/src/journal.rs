//! What the activity log says: one line a person can read, and behind it every record, field and reason.

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use syncline_core::{
    booking::{
        chain::{Standing, View},
        diff::Decision,
        project::Links,
        text::{display_name, title},
    },
    ids::RecordId,
    record::{Fields, Slot, Value},
    step::{Plan, Write},
};
use syncline_store::{JournalEntry, JournalKind, Summary};

/// The line for a plan that was done.
pub(crate) fn written(
    at: Timestamp,
    decision: &Decision,
    ids: &[(Slot, RecordId)],
    links: &Links,
    calls: f64,
) -> JournalEntry {
    let (text, records) = steps(&decision.plan, ids, links);
    JournalEntry { at, kind: JournalKind::Written, text, details: details(decision, records, calls) }
}

/// What a plan did, in a few words and step by step.
pub(crate) fn steps(plan: &Plan, ids: &[(Slot, RecordId)], links: &Links) -> (String, Vec<Json>) {
    let mut text = String::new();
    let records: Vec<Json> = plan
        .steps
        .iter()
        .map(|step| {
            let id = ids.iter().find(|(slot, _)| *slot == step.slot).map(|(_, id)| id.as_str());
            let (action, id, fields) = match &step.write {
                Write::Upsert { fields, .. } => ("created", id, Some(fields)),
                Write::Patch { id, fields } => ("updated", Some(id.as_str()), Some(fields)),
                Write::Delete { id } => ("deleted", Some(id.as_str()), None),
            };
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(step.role.as_str());
            text.push(' ');
            text.push_str(action);
            object([
                ("slot", step.slot.to_string().into()),
                ("role", step.role.as_str().into()),
                ("id", id.into()),
                ("action", action.into()),
                ("fields", fields.map_or(Json::Null, |fields| shown(fields, links))),
            ])
        })
        .collect();
    (text, records)
}

/// The line for a booking that was looked at and left alone.
pub(crate) fn unchanged(at: Timestamp, decision: &Decision, calls: f64) -> JournalEntry {
    let text = match decision.notes.last() {
        Some(note) if decision.plan.steps.is_empty() && note.code != "matched" => note.text.clone(),
        _ => "everything is as it should be; nothing was written".to_owned(),
    };
    JournalEntry { at, kind: JournalKind::Unchanged, text, details: details(decision, Vec::new(), calls) }
}

fn details(decision: &Decision, records: Vec<Json>, calls: f64) -> Json {
    let notes: Vec<Json> = decision
        .notes
        .iter()
        .map(|note| object([("code", note.code.into()), ("text", note.text.as_str().into())]))
        .collect();
    object([("records", records.into()), ("notes", notes.into()), ("calls", calls.into())])
}

/// A JSON object of these parts as they are; `json!` would copy each of them.
fn object<const N: usize>(parts: [(&str, Json); N]) -> Json {
    Json::Object(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The line for a try that failed.
pub(crate) fn failed(at: Timestamp, kind: JournalKind, error: &syncline_connect::Error, text: String) -> JournalEntry {
    JournalEntry {
        at,
        kind,
        text,
        details: json!({"error": error.message, "code": error.code, "op": error.op,
                        "record": error.slot.map(|slot| slot.to_string()),
                        "fields": error.fields.iter().map(ToString::to_string).collect::<Vec<_>>()}),
    }
}

fn shown(fields: &Fields, links: &Links) -> Json {
    Json::Object(fields.iter().map(|(field, one)| (field.to_string(), value(one, links))).collect())
}

/// A value as people and programs read it. A reference to a record that is still to be made names its slot.
pub(crate) fn value(value: &Value, links: &Links) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Text(text) | Value::Decimal(text) => Json::from(text.as_str()),
        Value::Date(date) => Json::from(date.to_string()),
        Value::Time(time) => Json::from(time.to_string()),
        Value::Id(id) => Json::from(id.as_str()),
        Value::Slot(slot) => match links.get(slot) {
            Some(link) => Json::from(link.id.as_str()),
            None => Json::from(format!("({slot})")),
        },
    }
}

/// What lists show of a booking.
pub(crate) fn summary(view: &View<'_>) -> Summary {
    let standing = match &view.standing {
        Standing::Active if view.moves.is_empty() => "active",
        Standing::Active => "rescheduled",
        Standing::Unconfirmed => "unconfirmed",
        Standing::RescheduleRequested { .. } => "reschedule_requested",
        Standing::ReschedulePending { .. } => "reschedule_pending",
        Standing::Rejected { .. } => "rejected",
        Standing::Cancelled { .. } => "cancelled",
        Standing::FormOnly => "form_only",
    };
    Summary {
        standing: standing.to_owned(),
        title: title(view.content),
        person: display_name(&view.content.invitee),
        start: view.content.start,
    }
}
