//! What an administrator of the org has set up: duplicate, validation and assignment rules. As configuration only.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that an administrator may change while the org runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSet {
    pub duplicate_rules: Vec<DuplicateRule>,
    pub validation_rules: Vec<ValidationRule>,
    pub assignment_rules: Vec<AssignmentRule>,
}

/// A duplicate rule with its matching rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRule {
    /// Its developer name.
    pub name: String,
    /// The object whose records it watches.
    pub object: String,
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(default)]
    pub on_create: OnDuplicate,
    #[serde(default = "allow")]
    pub on_edit: OnDuplicate,
    /// What it says when it finds something.
    #[serde(default = "use_one")]
    pub alert_text: String,
    /// Whether records that the caller may not see are left out, as with "Enforce sharing rules".
    #[serde(default)]
    pub enforce_sharing: bool,
    /// One of them suffices.
    pub matching: Vec<MatchingRule>,
}

/// What a duplicate rule does about a match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// Refuses the record, whatever the request says.
    #[default]
    Block,
    /// Refuses it unless the request says `allowSave=true`.
    Alert,
    /// Does nothing.
    Allow,
}

/// Which records of an object are the same: all these fields agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchingRule {
    pub name: String,
    /// The object that is searched, which may be another one.
    pub object: String,
    pub fields: Vec<MatchField>,
}

/// A pair of fields that agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchField {
    /// On the record that is written.
    pub field: String,
    /// On the records that are searched; without it, of the same name.
    #[serde(default)]
    pub with: Option<String>,
    /// Whether case, punctuation and words like "Inc" make no difference.
    #[serde(default)]
    pub fuzzy: bool,
}

/// A validation rule: a record is refused when all its conditions hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRule {
    pub name: String,
    pub object: String,
    #[serde(default = "yes")]
    pub active: bool,
    pub refuse_when: Vec<Condition>,
    pub message: String,
    /// Where the message stands; without it, at the top of the page.
    #[serde(default)]
    pub error_field: Option<String>,
}

/// Something that is true of a record or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub field: String,
    #[serde(default)]
    pub op: Comparison,
    #[serde(default)]
    pub value: Value,
}

/// How a condition compares. A blank field is never less or greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    #[default]
    Equals,
    NotEquals,
    Contains,
    Less,
    Greater,
    Blank,
    NotBlank,
    /// On an edit: another value than before.
    Changed,
    /// On an edit: `field < PRIORVALUE(field)`.
    LessThanBefore,
}

/// An assignment rule of Lead or Case: the first entry whose conditions hold says who owns the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRule {
    pub name: String,
    /// `Lead` or `Case`.
    pub object: String,
    #[serde(default = "yes")]
    pub active: bool,
    pub entries: Vec<AssignmentEntry>,
}

/// One line of an assignment rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentEntry {
    /// All of them hold; none means always.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// The user's name for logging in.
    pub owner: String,
}

fn yes() -> bool {
    true
}

fn allow() -> OnDuplicate {
    OnDuplicate::Allow
}

fn use_one() -> String {
    "Use one of these records?".into()
}
