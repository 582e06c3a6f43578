//! Duplicate rules: which records a new one resembles, and what is answered then.

use serde_json::{Map, Value, json};

use super::{Draft, Op};
use crate::salesforce::{
    config::{DuplicateRule, MatchField, MatchingRule, OnDuplicate},
    error::{ApiError, Outcome},
    id::Id,
    schema::FieldNo,
    world::{Row, Slot, Val, World},
};

/// `Sforce-Duplicate-Rule-Header`; all false when it is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DuplicateHeader {
    pub allow_save: bool,
    pub include_record_details: bool,
    pub run_as_current_user: bool,
}

/// How sure a match by normal forms is, in per cent; one by equal values is certain.
const FUZZY_CONFIDENCE: u32 = 90;
/// Matches that one rule tells of.
const MAX_TOLD: usize = 100;
/// Words of a company's name that say nothing about which company it is.
const COMPANY_FORMS: [&str; 12] =
    ["inc", "incorporated", "corp", "corporation", "co", "company", "ltd", "limited", "llc", "gmbh", "ag", "plc"];

/// Refuses a record that a rule takes for a duplicate.
pub(super) fn check(draft: &Draft<'_>, own: Option<Slot>, op: Op) -> Outcome<()> {
    let rules = &draft.world.rules.set.duplicate_rules;
    if rules.is_empty() || op == Op::Seed {
        return Ok(());
    }
    for rule in rules.iter().filter(|rule| rule.active && rule.object.eq_ignore_ascii_case(&draft.def.name)) {
        let action = if draft.creating() { rule.on_create } else { rule.on_edit };
        let passes = match action {
            OnDuplicate::Allow => true,
            OnDuplicate::Alert => draft.writer.duplicates.allow_save,
            OnDuplicate::Block => false,
        };
        if passes {
            continue;
        }
        let found: Vec<(&MatchingRule, Vec<Id>)> = rule
            .matching
            .iter()
            .map(|matching| (matching, matches(draft, rule, matching, own)))
            .filter(|(_, ids)| !ids.is_empty())
            .collect();
        if !found.is_empty() {
            return Err(refusal(draft, rule, action, &found));
        }
    }
    Ok(())
}

/// The live records that agree in all fields.
fn matches(draft: &Draft<'_>, rule: &DuplicateRule, matching: &MatchingRule, own: Option<Slot>) -> Vec<Id> {
    let world = draft.world;
    let Some(object) = world.schema.find(&matching.object) else { return Vec::new() };
    let def = world.def(object);
    let mut pairs: Vec<(&MatchField, FieldNo, &Val)> = Vec::with_capacity(matching.fields.len());
    for pair in &matching.fields {
        let there = def.field_no(pair.with.as_deref().unwrap_or(&pair.field));
        // A blank field agrees with nothing.
        let (Some(no), Some(value)) = (there, draft.named(&pair.field)) else { return Vec::new() };
        pairs.push((pair, no, value));
    }
    let agrees = |row: &Row| {
        pairs.iter().all(|(pair, no, value)| row.stored(*no).is_some_and(|there| same(value, there, pair.fuzzy)))
    };
    let sees = |row: &Row| {
        let enforced = rule.enforce_sharing || draft.writer.duplicates.run_as_current_user;
        !(enforced && world.hidden.contains(&row.id))
    };
    let takes = |(slot, row): &(Slot, &Row)| {
        let itself = object == draft.object && Some(*slot) == own;
        !row.deleted && !itself && agrees(row) && sees(row)
    };
    let indexed = pairs.iter().filter(|(pair, ..)| !pair.fuzzy);
    let by_index = indexed.into_iter().find_map(|(_, no, value)| world.table(object).lookup(def, *no, value));
    let mut found: Vec<(Slot, &Row)> = match by_index {
        Some(slots) => slots.iter().filter_map(|slot| Some((*slot, world.row(object, *slot)?))).filter(takes).collect(),
        None => world.table(object).rows().filter(takes).take(MAX_TOLD).collect(),
    };
    found.sort_unstable_by_key(|(slot, _)| *slot);
    found.into_iter().map(|(_, row)| row.id).collect()
}

fn same(left: &Val, right: &Val, fuzzy: bool) -> bool {
    match (left.as_text(), right.as_text()) {
        (Some(left), Some(right)) if fuzzy => normal(left) == normal(right),
        (Some(left), Some(right)) => left.trim().to_lowercase() == right.trim().to_lowercase(),
        _ => left == right,
    }
}

/// A name without case, punctuation and legal forms.
fn normal(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let telling: Vec<&str> = words.clone().filter(|word| !COMPANY_FORMS.contains(word)).collect();
    if telling.is_empty() { words.collect() } else { telling.concat() }
}

fn refusal(
    draft: &Draft<'_>,
    rule: &DuplicateRule,
    action: OnDuplicate,
    found: &[(&MatchingRule, Vec<Id>)],
) -> ApiError {
    let world = draft.world;
    let results: Vec<Value> = found
        .iter()
        .map(|(matching, ids)| {
            let fuzzy = matching.fields.iter().any(|pair| pair.fuzzy);
            let confidence = if fuzzy { FUZZY_CONFIDENCE } else { 100 };
            let told = ids.iter().filter(|id| world.rules.reveal_hidden_duplicates || !world.hidden.contains(id));
            let records: Vec<Value> = told
                .map(|id| {
                    json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": confidence,
                        "record": record(world, *id, draft.writer.duplicates.include_record_details)})
                })
                .collect();
            json!({
                "entityType": matching.object,
                "errors": [],
                "matchEngine": if fuzzy { "FuzzyMatchEngine" } else { "ExactMatchEngine" },
                "matchRecords": records,
                "rule": matching.name,
                "size": records.len(),
                "success": true,
            })
        })
        .collect();
    let result = json!({
        "allowSave": action == OnDuplicate::Alert,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": rule.object,
        "errorMessage": rule.alert_text,
        "matchResults": results,
    });
    let key = if world.rules.misspelt_duplicate_result { "duplicateResut" } else { "duplicateResult" };
    ApiError::request("DUPLICATES_DETECTED", rule.alert_text.clone()).with_detail(key, result)
}

/// A matched record: its id, and the fields that people tell records apart by when details are asked for.
fn record(world: &World, id: Id, details: bool) -> Value {
    let Some((object, slot)) = world.find(id) else { return Value::Null };
    let (def, mut out) = (world.def(object), Map::new());
    out.insert("attributes".into(), json!({"type": def.name}));
    out.insert("Id".into(), id.as_str().into());
    let Some(row) = world.row(object, slot).filter(|_| details) else { return Value::Object(out) };
    for name in ["Name", "Email", "Phone", "Company", "Title", "Website", "OwnerId", "AccountId", "LastModifiedDate"] {
        if let Some(no) = def.field_no(name) {
            out.insert(def.field(no).name.clone(), row.read(def, no).map_or(Value::Null, |value| value.to_json()));
        }
    }
    Value::Object(out)
}
