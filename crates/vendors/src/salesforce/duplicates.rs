//! What a duplicate rule says of the record that it stopped: which rule, and which records it takes for the same. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use syncline_core::{ids::RecordId, record::Role};

use super::{id, soql::ApiName, wire::DuplicateResult};

/// The key under which an error carries the rule's result: both spellings are genuine. The second is documented; the
/// first is what answers of versions 48 to 56 really say.
const KEYS: [&str; 2] = ["duplicateResult", "duplicateResut"];

/// Longest name of a rule that is repeated.
const RULE_CHARS_MAX: usize = 80;

/// What the rules found, of all errors of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The rules' own names; a name that is no identifier is left out.
    pub rules: Vec<String>,
    /// Whether all of these rules only alert, so that the setting `duplicate_rules` overrules them.
    pub may_save: bool,
    /// Records of the refused one's own kind first, then by confidence, then by id; each once.
    pub matches: Vec<(Role, RecordId)>,
}

/// Reads an answer's errors; `None` where no duplicate rule speaks in them.
pub fn read(refused: Role, body: &Json) -> Option<Found> {
    let rows = body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
    let results: Vec<DuplicateResult> = rows
        .iter()
        .filter_map(|row| KEYS.iter().find_map(|key| row.get(key)))
        .filter_map(|result| DuplicateResult::deserialize(result).ok())
        .collect();
    if results.is_empty() {
        return None;
    }
    let mut rules: Vec<String> = results.iter().filter_map(|result| rule_name(&result.duplicate_rule)).collect();
    rules.sort_unstable();
    rules.dedup();
    Some(Found { rules, may_save: results.iter().all(|result| result.allow_save), matches: matches(refused, &results) })
}

fn rule_name(name: &str) -> Option<String> {
    ApiName::parse(name).map(|name| name.as_str().to_owned()).filter(|name| name.len() <= RULE_CHARS_MAX)
}

fn matches(refused: Role, results: &[DuplicateResult]) -> Vec<(Role, RecordId)> {
    let mut best = BTreeMap::<RecordId, (Role, f64)>::new();
    let records = results.iter().flat_map(|result| &result.match_results).flat_map(|matched| &matched.match_records);
    for record in records {
        let Some(id) = record.record.get("Id").and_then(Json::as_str) else { continue };
        let Some((role, id)) = id::identify(id).or_else(|| id::canonical(id).map(|id| (Role::Custom, id))) else {
            continue;
        };
        let confidence = record.match_confidence;
        best.entry(id).and_modify(|(_, held)| *held = held.max(confidence)).or_insert((role, confidence));
    }
    let mut ordered: Vec<(RecordId, (Role, f64))> = best.into_iter().collect();
    // Stable: of equals the smaller id stays first.
    ordered.sort_by(|(_, (one, sure)), (_, (two, surer))| {
        (*one != refused).cmp(&(*two != refused)).then_with(|| surer.total_cmp(sure))
    });
    ordered.into_iter().map(|(id, (role, _))| (role, id)).collect()
}
