//! `[[integrations]]`: what a booking becomes, by default and per meeting type.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;
use syncline_core::booking::settings::{
    About, BookingSettings, CancelSettings, CaseSettings, Language, MatchRule, OpenLead, OpportunitySettings, PersonMode,
    StatusValues,
};

/// A booking flow into one CRM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrationConfig {
    pub name: String,
    /// The connection that is written to.
    pub crm: String,
    /// Settings of every meeting type that does not say otherwise.
    #[serde(default)]
    pub defaults: toml::Table,
    #[serde(default)]
    pub meeting_types: Vec<MeetingTypeConfig>,
}

/// Settings of one meeting type; what is absent comes from the defaults.
#[derive(Debug, Clone, Deserialize)]
pub struct MeetingTypeConfig {
    /// The meeting type's slug, id, URI or name at the source.
    #[serde(rename = "match")]
    pub matches: String,
    #[serde(flatten)]
    pub settings: toml::Table,
}

impl IntegrationConfig {
    /// The default settings.
    pub fn default_settings(&self) -> anyhow::Result<BookingSettings> {
        settings(self.defaults.clone()).context("in `defaults`")
    }

    /// The settings per meeting type.
    pub fn meeting_type_settings(&self) -> anyhow::Result<BTreeMap<String, BookingSettings>> {
        let mut all = BTreeMap::new();
        for meeting_type in &self.meeting_types {
            let name = &meeting_type.matches;
            let mut table = self.defaults.clone();
            overlay(&mut table, &meeting_type.settings);
            let settings = settings(table).with_context(|| format!("in meeting type `{name}`"))?;
            if all.insert(name.clone(), settings).is_some() {
                bail!("meeting type `{name}` stands twice");
            }
        }
        Ok(all)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.default_settings()?;
        self.meeting_type_settings()?;
        Ok(())
    }
}

/// Puts `over` on top of `under`, table by table.
fn overlay(under: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => overlay(under, over),
            _ => drop(under.insert(key.clone(), value.clone())),
        }
    }
}

fn settings(table: toml::Table) -> anyhow::Result<BookingSettings> {
    let file: SettingsFile = table.try_into().map_err(|error: toml::de::Error| anyhow::anyhow!("{}", error.message()))?;
    file.into_settings()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    person: Person,
    open_lead: OpenLeadFile,
    match_order: Vec<MatchRule>,
    create_person: bool,
    create_account: bool,
    company_answer: Option<String>,
    free_mail: Vec<String>,
    own_domains: Vec<String>,
    lead_status: Option<String>,
    case: Option<CaseFile>,
    opportunity: Option<OpportunityFile>,
    about: AboutFile,
    cancel: CancelFile,
    status: StatusFile,
    unconfirmed: bool,
    language: LanguageFile,
    owner_routes: BTreeMap<String, String>,
    default_owner: Option<String>,
}

impl Default for SettingsFile {
    fn default() -> Self {
        Self {
            person: Person::Contact,
            open_lead: OpenLeadFile::CreateContact,
            match_order: MatchRule::DEFAULT_ORDER.to_vec(),
            create_person: true,
            create_account: true,
            company_answer: None,
            free_mail: Vec::new(),
            own_domains: Vec::new(),
            lead_status: None,
            case: None,
            opportunity: None,
            about: AboutFile::Case,
            cancel: CancelFile::default(),
            status: StatusFile::default(),
            unconfirmed: false,
            language: LanguageFile::En,
            owner_routes: BTreeMap::new(),
            default_owner: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Person {
    Contact,
    Lead,
    ContactFirst,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OpenLeadFile {
    CreateContact,
    UseLead,
    ContactFirst,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AboutFile {
    Case,
    Opportunity,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LanguageFile {
    En,
    De,
    Fr,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    status: String,
    origin: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpportunityFile {
    stage: String,
    #[serde(default = "default_close_after_days")]
    close_after_days: i32,
    amount: Option<String>,
}

fn default_close_after_days() -> i32 {
    30
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CancelFile {
    /// Absent: the language's own.
    prefix: Option<String>,
    show_as_free: bool,
    delete: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StatusFile {
    field: Option<String>,
    booked: Option<String>,
    rescheduled: Option<String>,
    reschedule_requested: Option<String>,
    cancelled: Option<String>,
    no_show: Option<String>,
}

/// Longest prefix before a cancelled meeting's subject.
const MAX_PREFIX_CHARS: usize = 40;

impl SettingsFile {
    fn into_settings(self) -> anyhow::Result<BookingSettings> {
        let language = match self.language {
            LanguageFile::En => Language::English,
            LanguageFile::De => Language::German,
            LanguageFile::Fr => Language::French,
        };
        let own_prefix = match language {
            Language::English => "[CANCELLED] ",
            Language::German => "[STORNIERT] ",
            Language::French => "[ANNULÉ] ",
        };
        let prefix = self.cancel.prefix.unwrap_or_else(|| own_prefix.to_owned());
        if prefix.chars().count() > MAX_PREFIX_CHARS {
            bail!("`cancel.prefix` is longer than {MAX_PREFIX_CHARS} characters");
        }
        if let Some(amount) = self.opportunity.as_ref().and_then(|opportunity| opportunity.amount.as_deref())
            && amount.parse::<f64>().is_err()
        {
            bail!("`opportunity.amount` is a number in quotes, such as \"1500.00\"");
        }
        let status_values = StatusValues {
            booked: self.status.booked,
            rescheduled: self.status.rescheduled,
            reschedule_requested: self.status.reschedule_requested,
            cancelled: self.status.cancelled,
            no_show: self.status.no_show,
        };
        if self.status.field.is_none() && status_values != StatusValues::default() {
            bail!("`status` has values but no `field` to write them to; a Salesforce event has no status of its own, so add a custom field and name it");
        }
        Ok(BookingSettings {
            person: match self.person {
                Person::Contact => PersonMode::Contact,
                Person::Lead => PersonMode::Lead,
                Person::ContactFirst => PersonMode::ContactFirst,
            },
            open_lead: match self.open_lead {
                OpenLeadFile::CreateContact => OpenLead::CreateContact,
                OpenLeadFile::UseLead => OpenLead::UseLead,
                OpenLeadFile::ContactFirst => OpenLead::ContactFirst,
            },
            match_order: self.match_order,
            create_person: self.create_person,
            create_account: self.create_account,
            company_answer: self.company_answer,
            free_mail: self.free_mail,
            own_domains: self.own_domains,
            lead_status: self.lead_status,
            case: self.case.map(|case| CaseSettings { status: case.status, origin: case.origin }),
            opportunity: self.opportunity.map(|opportunity| OpportunitySettings {
                stage: opportunity.stage,
                close_after_days: opportunity.close_after_days,
                amount: opportunity.amount,
            }),
            about: match self.about {
                AboutFile::Case => About::Case,
                AboutFile::Opportunity => About::Opportunity,
            },
            cancel: CancelSettings { prefix, show_as_free: self.cancel.show_as_free, delete: self.cancel.delete },
            status_field: self.status.field,
            status_values,
            unconfirmed: self.unconfirmed,
            language,
            owner_routes: self.owner_routes,
            default_owner: self.default_owner,
        })
    }
}
