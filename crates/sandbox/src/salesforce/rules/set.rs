//! The rules in force: what an administrator set up, and the org's settings that rules look at.

use crate::salesforce::{
    config::{RuleSet, SalesforceConfig},
    schema::Schema,
};

/// Rules and settings, shared by everything that writes.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub set: RuleSet,
    /// "Allow Users to Relate Multiple Contacts to Tasks and Events".
    pub shared_activities: bool,
    /// Whether Leads and Cases without a rule of their own go to the org's default owner.
    pub assign_to_default: bool,
    pub misspelt_duplicate_result: bool,
    pub reveal_hidden_duplicates: bool,
}

impl Rules {
    pub fn new(config: &SalesforceConfig) -> Self {
        Self {
            set: RuleSet {
                duplicate_rules: config.duplicate_rules.clone(),
                validation_rules: config.validation_rules.clone(),
                assignment_rules: config.assignment_rules.clone(),
            },
            shared_activities: config.shared_activities,
            assign_to_default: config.assignment_rule,
            misspelt_duplicate_result: config.misspelt_duplicate_result,
            reveal_hidden_duplicates: config.reveal_hidden_duplicates,
        }
    }
}

impl RuleSet {
    /// What the schema does not know of what the rules name; the first of it.
    pub fn unknown(&self, schema: &Schema) -> Option<String> {
        let field = |object: &str, field: &str| match schema.find(object) {
            None => Some(format!("no object {object}")),
            Some(no) if schema.def(no).field_no(field).is_none() => Some(format!("no field {object}.{field}")),
            Some(_) => None,
        };
        let duplicates = self.duplicate_rules.iter().find_map(|rule| {
            rule.matching.iter().find_map(|matching| {
                matching.fields.iter().find_map(|pair| {
                    let with = pair.with.as_deref().unwrap_or(&pair.field);
                    field(&rule.object, &pair.field).or_else(|| field(&matching.object, with))
                })
            })
        });
        let validations = || {
            self.validation_rules.iter().find_map(|rule| {
                let named = rule.refuse_when.iter().map(|condition| &condition.field).chain(&rule.error_field);
                named.into_iter().find_map(|name| field(&rule.object, name))
            })
        };
        let assignments = || {
            self.assignment_rules.iter().find_map(|rule| {
                let conditions = rule.entries.iter().flat_map(|entry| &entry.when);
                conditions.into_iter().find_map(|condition| field(&rule.object, &condition.field))
            })
        };
        duplicates.or_else(validations).or_else(assignments)
    }
}
