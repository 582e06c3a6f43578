//! What an imitation org is made of: users, app, limits, custom schema and habits. The default is a ready org.

mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use rules::{
    AssignmentEntry, AssignmentRule, Comparison, Condition, DuplicateRule, MatchField, MatchingRule, OnDuplicate,
    RuleSet, ValidationRule,
};

/// Daily calls of a developer org ("API Request Limits and Allocations", read 2026-11-21).
const DEVELOPER_DAILY_CALLS: u64 = 15_000;
/// The usual session length of an org, in seconds (two hours).
const SESSION_SECONDS: i64 = 7_200;

/// Long enough for a client to see a job in progress.
const BULK_JOB_SECONDS: i64 = 1;

/// The longest silence that the Pub/Sub API promises.
const EVENT_KEEP_ALIVE_SECONDS: u64 = 270;

/// How to build a [`SalesforceOrg`](super::SalesforceOrg).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SalesforceConfig {
    pub org_name: String,
    /// The three characters after the key prefix in every id.
    pub pod: String,
    pub users: Vec<UserConfig>,
    pub app: AppConfig,
    pub daily_call_limit: u64,
    /// A second, smaller allowance for the connected app, shown as `per-app-api-usage`.
    pub per_app_call_limit: Option<u64>,
    pub access_token_seconds: i64,
    /// Whether each refresh answers a new refresh token and kills the old one.
    pub rotate_refresh_tokens: bool,
    /// "Allow Users to Relate Multiple Contacts to Tasks and Events".
    pub shared_activities: bool,
    /// Whether an active assignment rule re-owns Leads and Cases that do not opt out of it.
    pub assignment_rule: bool,
    pub duplicate_rules: Vec<DuplicateRule>,
    pub validation_rules: Vec<ValidationRule>,
    pub assignment_rules: Vec<AssignmentRule>,
    /// Whether the member of an error that tells of duplicates is spelt `duplicateResut`, as it was seen to be.
    pub misspelt_duplicate_result: bool,
    /// Whether an error tells the ids of duplicates that the caller may not see.
    pub reveal_hidden_duplicates: bool,
    /// Related lists on the page layouts, by object.
    pub related_lists: BTreeMap<String, Vec<String>>,
    /// How long a bulk job lasts, in seconds, from when its upload is complete.
    pub bulk_job_seconds: i64,
    /// How many writes the effect log keeps; 0 keeps none.
    pub kept_effects: usize,
    /// The objects that are selected for Change Data Capture; nothing for an edition that is without it.
    pub change_events: Option<Vec<String>>,
    /// How long a listener hears nothing before he is given a sign of life, in seconds.
    pub event_keep_alive_seconds: u64,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    pub custom_objects: Vec<CustomObject>,
    pub custom_fields: Vec<CustomField>,
    /// Feeds the dice of the fault rules.
    pub seed: u64,
    /// Oldest and newest REST version that the org speaks.
    pub oldest_version: u32,
    pub newest_version: u32,
}

/// A person or program that may log in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserConfig {
    pub username: String,
    pub password: String,
    pub security_token: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub is_active: bool,
    pub profile: String,
}

/// The connected app (External Client App) of the org.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppConfig {
    pub name: String,
    pub client_id: String,
    pub client_secret: String,
    /// Exact callback addresses; empty accepts any loopback address.
    pub redirect_uris: Vec<String>,
    /// Verifies the JWT bearer flow; without it that flow is refused.
    pub jwt_public_key_pem: Option<String>,
    /// Who the client-credentials flow runs as; `None` refuses that flow.
    pub run_as: Option<String>,
}

/// An object of the org's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomObject {
    /// Ends in `__c`.
    pub name: String,
    pub label: String,
    pub label_plural: String,
}

/// A field of the org's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomField {
    pub object: String,
    /// Ends in `__c`.
    pub name: String,
    pub label: String,
    /// As in a describe: `string`, `picklist`, `double`, `boolean`, `date`, `datetime`, `email`, `reference`, …
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub length: u32,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub unique: bool,
    #[serde(default)]
    pub external_id: bool,
    #[serde(default)]
    pub case_sensitive: bool,
    #[serde(default)]
    pub picklist: Vec<String>,
    #[serde(default)]
    pub restricted: bool,
    #[serde(default)]
    pub reference_to: Vec<String>,
}

impl Default for SalesforceConfig {
    fn default() -> Self {
        let uid = |object: &str| CustomField {
            object: object.into(),
            name: "Syncline_Uid__c".into(),
            label: "Syncline Uid".into(),
            kind: "string".into(),
            length: 64,
            required: false,
            unique: true,
            external_id: true,
            case_sensitive: true,
            picklist: Vec::new(),
            restricted: false,
            reference_to: Vec::new(),
        };
        let mut custom_fields: Vec<_> = ["Account", "Contact", "Lead", "Opportunity", "Case", "Event"].map(uid).into();
        custom_fields.push(CustomField {
            object: "Event".into(),
            name: "Meeting_Status__c".into(),
            label: "Meeting Status".into(),
            kind: "picklist".into(),
            length: 255,
            unique: false,
            external_id: false,
            case_sensitive: false,
            picklist: ["Scheduled", "Rescheduled", "Cancelled", "Completed", "No Show"].map(String::from).into(),
            ..uid("Event")
        });
        Self {
            org_name: "Imitation Org".into(),
            pod: "dM0".into(),
            users: UserConfig::sample(),
            app: AppConfig::default(),
            daily_call_limit: DEVELOPER_DAILY_CALLS,
            per_app_call_limit: None,
            access_token_seconds: SESSION_SECONDS,
            rotate_refresh_tokens: false,
            shared_activities: false,
            assignment_rule: false,
            duplicate_rules: Vec::new(),
            validation_rules: Vec::new(),
            assignment_rules: Vec::new(),
            misspelt_duplicate_result: true,
            reveal_hidden_duplicates: false,
            related_lists: [("Event".to_owned(), vec!["EventRelations".to_owned(), "CombinedAttachments".to_owned()])]
                .into(),
            bulk_job_seconds: BULK_JOB_SECONDS,
            kept_effects: 0,
            change_events: None,
            event_keep_alive_seconds: EVENT_KEEP_ALIVE_SECONDS,
            latency_ms: 0,
            custom_objects: Vec::new(),
            custom_fields,
            seed: 1,
            oldest_version: 31,
            newest_version: 66,
        }
    }
}

impl Default for UserConfig {
    fn default() -> Self {
        Self {
            username: "admin@imitation.example".into(),
            password: "correct-horse".into(),
            security_token: "Token1234".into(),
            email: "admin@imitation.example".into(),
            first_name: "Ada".into(),
            last_name: "Admin".into(),
            is_active: true,
            profile: "System Administrator".into(),
        }
    }
}

impl UserConfig {
    fn sample() -> Vec<Self> {
        let user = |first: &str, last: &str, is_active| {
            let address = format!("{}.{}@imitation.example", first.to_lowercase(), last.to_lowercase());
            Self {
                username: address.clone(),
                email: address,
                first_name: first.into(),
                last_name: last.into(),
                is_active,
                profile: "Standard User".into(),
                ..Self::default()
            }
        };
        vec![
            Self::default(),
            user("Sonja", "Seller", true),
            user("Bruno", "Broker", true),
            user("Gustav", "Gone", false),
        ]
    }
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            name: "Imitation App".into(),
            client_id: "3MVG9imitation.consumer.key".into(),
            client_secret: "imitation-consumer-secret".into(),
            redirect_uris: Vec::new(),
            jwt_public_key_pem: None,
            run_as: Some(UserConfig::default().username),
        }
    }
}
