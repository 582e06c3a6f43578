//! Conditions on a record, and the validation rules that are made of them.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Draft, Op};
use crate::salesforce::{
    config::{Comparison, Condition},
    error::{ApiError, Outcome},
    world::Val,
};

/// Refuses what an active validation rule forbids; the first one speaks.
pub(super) fn validate(draft: &Draft<'_>, op: Op) -> Outcome<()> {
    let rules = &draft.world.rules.set.validation_rules;
    // Relations of events have no validation rules.
    if rules.is_empty() || op == Op::Seed || draft.def.name == "EventRelation" {
        return Ok(());
    }
    let mine = rules.iter().filter(|rule| rule.active && rule.object.eq_ignore_ascii_case(&draft.def.name));
    for rule in mine {
        if rule.refuse_when.iter().all(|condition| holds(draft, condition)) {
            let fields: Vec<&str> = rule.error_field.as_deref().into_iter().collect();
            return Err(ApiError::record("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message.clone(), &fields));
        }
    }
    Ok(())
}

/// Whether a condition is true of what the record is going to be. A field that went makes it false.
pub(super) fn holds(draft: &Draft<'_>, condition: &Condition) -> bool {
    let Some(no) = draft.def.field_no(&condition.field) else { return false };
    let now = draft.get(no);
    let before = draft.old.and_then(|row| row.stored(no));
    match condition.op {
        Comparison::Equals => agree(now, &condition.value),
        Comparison::NotEquals => !agree(now, &condition.value),
        Comparison::Contains => {
            let wanted = condition.value.as_str().unwrap_or_default().to_lowercase();
            now.and_then(Val::as_text).is_some_and(|text| text.to_lowercase().contains(&wanted))
        }
        Comparison::Less => now.and_then(|now| order(now, &condition.value)) == Some(Ordering::Less),
        Comparison::Greater => now.and_then(|now| order(now, &condition.value)) == Some(Ordering::Greater),
        Comparison::Blank => now.is_none(),
        Comparison::NotBlank => now.is_some(),
        Comparison::Changed => draft.old.is_some() && now != before,
        Comparison::LessThanBefore => {
            now.zip(before).and_then(|(now, before)| order(now, &before.to_json())) == Some(Ordering::Less)
        }
    }
}

fn agree(value: Option<&Val>, wanted: &Value) -> bool {
    match (value, wanted) {
        (None, wanted) => wanted.is_null() || *wanted == Value::Bool(false) || wanted.as_str() == Some(""),
        (Some(value), wanted) => order(value, wanted) == Some(Ordering::Equal),
    }
}

fn order(value: &Val, wanted: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (value.as_number(), wanted.as_f64()) {
        return left.partial_cmp(&right);
    }
    match (value.to_json(), wanted) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.to_lowercase().cmp(&right.to_lowercase())),
        _ => None,
    }
}
