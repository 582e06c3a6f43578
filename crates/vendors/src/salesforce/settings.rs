//! What the operator set for a connection, read once and checked. No network, no secrets.

use syncline_connect::{Error, ErrorKind, Retry, Settings};
use syncline_core::{ids::RecordId, record::Role};

use super::{
    id,
    manifest::{
        API_VERSION, ASSIGNMENT_RULES, CUSTOM_OBJECTS, DEFAULT_API_VERSION, DEFAULT_KEY_FIELD, DUPLICATE_RULES,
        EXTERNAL_ID_FIELD, STATUS_FIELD, USER_ID,
    },
    soql::ApiName,
};

/// The oldest version with all that is used here: the duplicate rule header came with 52, graphs with 50.
const API_VERSION_MIN: u16 = 52;

/// How the id of an assignment rule begins.
const ASSIGNMENT_RULE_PREFIX: &str = "01Q";

/// No version is near this; a larger number is a slip of the pen.
const API_VERSION_MAX: u16 = 199;

/// The settings of one org, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    pub key_field: ApiName,
    pub status_field: Option<ApiName>,
    /// Whether a duplicate rule that only alerts is overruled.
    pub save_duplicates: bool,
    pub assignment: Assignment,
    /// The further objects that the check looks at.
    pub custom_objects: Vec<ApiName>,
    /// As whom we write.
    pub user: Option<RecordId>,
    api_version: u16,
}

/// Who chooses the owner of an account, lead or case that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// We do.
    Off,
    /// The org's active assignment rules.
    Active,
    /// One assignment rule, active or not.
    Rule(RecordId),
}

impl Org {
    /// Reads the settings; a setting that cannot work is an error in words.
    pub fn read(settings: &Settings, op: &'static str) -> Result<Self, Error> {
        let wrong = |name: &str, must: &str| {
            Error::new(ErrorKind::Configuration, Retry::Never, op, format!("the setting `{name}` must be {must}"))
        };
        let name_of =
            |setting: &str| match settings.get(setting).map(|text| text.trim()).filter(|text| !text.is_empty()) {
                None => Ok(None),
                Some(text) => ApiName::parse(text)
                    .map(Some)
                    .ok_or_else(|| wrong(setting, "the API name of a field, such as `Syncline_Uid__c`")),
            };
        let save_duplicates = match settings.get(DUPLICATE_RULES).map(|text| text.trim()) {
            None | Some("" | "stop") => false,
            Some("save") => true,
            Some(_) => return Err(wrong(DUPLICATE_RULES, "`stop` or `save`")),
        };
        let api_version = match settings.get(API_VERSION).map(|text| text.trim()).filter(|text| !text.is_empty()) {
            None => DEFAULT_API_VERSION,
            Some(text) => parse_version(text)
                .ok_or_else(|| wrong(API_VERSION, &format!("a version from {API_VERSION_MIN}.0 on, such as `64.0`")))?,
        };
        let text_of = |setting: &str| settings.get(setting).map(|text| text.trim()).unwrap_or_default();
        let assignment = match text_of(ASSIGNMENT_RULES) {
            "" | "off" => Assignment::Off,
            "on" => Assignment::Active,
            rule => match id::canonical(rule) {
                Some(id) if id.as_str().starts_with(ASSIGNMENT_RULE_PREFIX) => Assignment::Rule(id),
                _ => return Err(wrong(ASSIGNMENT_RULES, "`off`, `on`, or the id of an assignment rule (01Q…)")),
            },
        };
        // As the token answer has it, the organisation stands before the user.
        let user = match text_of(USER_ID).rsplit('/').next().unwrap_or_default() {
            "" => None,
            id => {
                let user = id::of(Role::User, id);
                Some(user.ok_or_else(|| wrong(USER_ID, "the id of a user (005…)"))?)
            }
        };
        let named = text_of(CUSTOM_OBJECTS).split(',').map(str::trim).filter(|name| !name.is_empty());
        let custom_objects: Option<Vec<ApiName>> = named.map(ApiName::parse).collect();
        Ok(Self {
            assignment,
            custom_objects: custom_objects.ok_or_else(|| {
                wrong(CUSTOM_OBJECTS, "API names of objects, separated by commas, such as `Booking__c,Visit__c`")
            })?,
            key_field: name_of(EXTERNAL_ID_FIELD)?.unwrap_or_else(|| ApiName::fixed(DEFAULT_KEY_FIELD)),
            status_field: name_of(STATUS_FIELD)?,
            user,
            save_duplicates,
            api_version,
        })
    }

    /// The path under which the REST API of the pinned version lies.
    pub fn root(&self) -> String {
        format!("/services/data/v{}.0", self.api_version)
    }
}

/// Reads `64`, `64.0` or `v64.0`.
fn parse_version(text: &str) -> Option<u16> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let digits = text.strip_suffix(".0").unwrap_or(text);
    let version = digits.parse::<u16>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (API_VERSION_MIN..=API_VERSION_MAX).contains(&version).then_some(version)
}
