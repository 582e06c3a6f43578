//! `[[integrations]]`: what a booking becomes, by default and per meeting type.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use syncline_core::booking::{
    check::check,
    mapped::Undescribed,
    settings::{
        About, BookingSettings, CancelSettings, CaseSettings, Deleted, Duplicates, GuestPolicy, Language, MatchRule,
        OpenLead, OpportunitySettings, PersonMode, StatusValues,
    },
};

use super::{
    mapping::{MappingFile, RecordFile},
    place::{FoundBy, Refused},
};

/// A booking flow into one CRM.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IntegrationConfig {
    /// 1 to 40 lower-case letters, digits and dashes.
    pub name: String,
    /// The name of the `[[connections]]` entry that is written to.
    pub crm: String,
    /// What a booking becomes, for every meeting type that does not say otherwise.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "SettingsFile"))]
    pub defaults: toml::Table,
    /// Meeting types that are treated otherwise.
    #[serde(default)]
    pub meeting_types: Vec<MeetingTypeConfig>,
}

/// Settings of one meeting type: any key of `[integrations.defaults]`, laid over it table by table.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MeetingTypeConfig {
    /// The meeting type's slug, id, URI or name at the source, to the letter. Each stands once in its integration.
    #[serde(rename = "match")]
    pub matches: String,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(skip))]
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
pub(super) fn overlay(under: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => overlay(under, over),
            _ => drop(under.insert(key.clone(), value.clone())),
        }
    }
}

pub(super) fn settings(table: toml::Table) -> anyhow::Result<BookingSettings> {
    let file: SettingsFile =
        table.try_into().map_err(|error: toml::de::Error| anyhow::anyhow!("{}", error.message()))?;
    file.into_settings()
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    /// Which record stands for the invitee.
    person: Person,
    /// What happens with `person = "lead"` when an open lead has the invitee's address already.
    open_lead: OpenLeadFile,
    /// The rules by which the invitee is looked for; the first that matches wins, and a rule that is left out is not
    /// tried.
    #[cfg_attr(test, schemars(with = "super::tests::MatchOrder"))]
    match_order: Vec<MatchRule>,
    /// Whether somebody who is not found is created.
    create_person: bool,
    /// Whether a new contact gets an account, found by the address's domain or created.
    create_account: bool,
    /// Where no account has the domain as its website: take the account that most contacts with an address in the domain
    /// belong to. CRMs keep no index for that question, so it is slow in a large org.
    account_by_contacts: bool,
    /// The form's question (key or label, to the letter) whose answer is the company's name.
    company_answer: Option<String>,
    /// Domains at which anybody may have an address, beside the well-known ones: they stand for no company.
    free_mail: Vec<String>,
    /// Your own domains: they stand for no company.
    own_domains: Vec<String>,
    /// The status of a new lead. Absent: the CRM's own default.
    lead_status: Option<String>,
    /// A case for every booking. Absent: none.
    case: Option<CaseFile>,
    /// An opportunity for every booking. Absent: none.
    opportunity: Option<OpportunityFile>,
    /// What the event is related to where there are both.
    about: AboutFile,
    /// What a cancellation does to the event.
    cancel: CancelFile,
    /// The field of the event that carries the booking's standing.
    status: StatusFile,
    /// Whether a booking that still waits for the host's confirmation is written already.
    unconfirmed: bool,
    /// The language of the words that are written into records.
    language: LanguageFile,
    /// Meeting place, team or host's e-mail address → the CRM user, by id or e-mail address, who owns what is written. Goes
    /// before everything else, as long as that user is active.
    owner_routes: BTreeMap<String, String>,
    /// The CRM user, by id or e-mail address, who owns what is written where no route matches and the host is no active
    /// user.
    default_owner: Option<String>,
    /// What becomes of guests. The event's description names all of them, whoever attends.
    guests: GuestsFile,
    /// Whether hosts who do not own the event are invited to it, by the CRM user with the same e-mail address.
    co_hosts: bool,
    /// What happens when a duplicate rule of the CRM stops a new record.
    duplicates: DuplicatesFile,
    /// What happens when somebody deleted a record of the booking in the CRM and a message comes that would change it.
    /// Records that were merged or converted are followed in any case.
    deleted: DeletedFile,
    /// What goes into fields beside what is written anyway; see mapping.md.
    mapping: Vec<MappingFile>,
    /// Further records of every booking; see mapping.md.
    record: Vec<RecordFile>,
}

impl Default for SettingsFile {
    fn default() -> Self {
        Self {
            person: Person::Contact,
            open_lead: OpenLeadFile::CreateContact,
            match_order: MatchRule::DEFAULT_ORDER.to_vec(),
            create_person: true,
            create_account: true,
            account_by_contacts: false,
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
            guests: GuestsFile::MatchOnly,
            co_hosts: true,
            duplicates: DuplicatesFile::UseMatch,
            deleted: DeletedFile::Recreate,
            mapping: Vec::new(),
            record: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum Person {
    /// A contact, with its account.
    Contact,
    /// A lead.
    Lead,
    /// A contact or open lead where one exists, else a new lead.
    ContactFirst,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum OpenLeadFile {
    /// A contact is found or created beside it.
    CreateContact,
    /// The lead is used, even where a contact has the address, too.
    UseLead,
    /// A contact with the address is used, else the lead.
    ContactFirst,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum AboutFile {
    /// The case.
    Case,
    /// The opportunity.
    Opportunity,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum GuestsFile {
    /// Those who are contacts or leads attend.
    MatchOnly,
    /// The others are created, except for addresses in `own_domains`.
    Create,
    /// Nobody attends.
    Ignore,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum DuplicatesFile {
    /// The record that the rule names is used.
    UseMatch,
    /// The booking is laid aside for a person.
    Fail,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum DeletedFile {
    /// Another one is found or made.
    Recreate,
    /// It stays away.
    Leave,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
enum LanguageFile {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// Status of a new case.
    status: String,
    /// Origin of a new case.
    origin: Option<String>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
struct OpportunityFile {
    /// Stage of a new opportunity.
    stage: String,
    /// The close date lies this many days behind the meeting's day.
    #[serde(default = "default_close_after_days")]
    close_after_days: i32,
    /// Amount of a new opportunity: a decimal number in quotes, such as `"1500.00"`.
    amount: Option<String>,
}

fn default_close_after_days() -> i32 {
    30
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
struct CancelFile {
    /// Put before the event's subject, exactly once; at most 40 characters. Absent: `[CANCELLED] `, `[STORNIERT] ` or
    /// `[ANNULÉ] ` by the language.
    prefix: Option<String>,
    /// Whether the time no longer counts as busy.
    show_as_free: bool,
    /// Whether the event is deleted instead of kept.
    delete: bool,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
struct StatusFile {
    /// API name of the field. Needed for any of the values; a value that is absent leaves the field alone.
    field: Option<String>,
    /// While the booking stands.
    booked: Option<String>,
    /// Once it was moved. Absent: as `booked`.
    rescheduled: Option<String>,
    /// While somebody is asked to pick another time.
    reschedule_requested: Option<String>,
    /// Once it is cancelled or declined.
    cancelled: Option<String>,
    /// Once the invitee is marked as not having come. Absent: as `rescheduled` or `booked`.
    no_show: Option<String>,
}

/// Longest prefix before a cancelled meeting's subject.
pub(super) const PREFIX_CHARS_MAX: usize = 40;

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
        if prefix.chars().count() > PREFIX_CHARS_MAX {
            bail!("`cancel.prefix` is longer than {PREFIX_CHARS_MAX} characters");
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
            bail!(
                "`status` has values but no `field` to write them to; where the CRM's meeting has no status of its own, add a field to it and name that one"
            );
        }
        let mappings: Vec<_> =
            self.mapping.into_iter().map(MappingFile::into_mapping).collect::<anyhow::Result<_>>()?;
        let records: Vec<_> = self.record.into_iter().map(RecordFile::into_template).collect::<anyhow::Result<_>>()?;
        if let Some(problem) = check(&mappings, &records, &Undescribed).first() {
            let found_by = FoundBy::Entry(problem.field.clone());
            return Err(Refused { found_by, reason: problem.to_string() }.into());
        }
        Ok(BookingSettings {
            person: match self.person {
                Person::Contact => PersonMode::Contact,
                Person::Lead => PersonMode::Lead,
                Person::ContactFirst => PersonMode::ContactFirst,
            },
            // Which CRM it is stands elsewhere.
            leads: true,
            open_lead: match self.open_lead {
                OpenLeadFile::CreateContact => OpenLead::CreateContact,
                OpenLeadFile::UseLead => OpenLead::UseLead,
                OpenLeadFile::ContactFirst => OpenLead::ContactFirst,
            },
            match_order: self.match_order,
            create_person: self.create_person,
            create_account: self.create_account,
            account_by_contacts: self.account_by_contacts,
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
            guests: match self.guests {
                GuestsFile::MatchOnly => GuestPolicy::MatchOnly,
                GuestsFile::Create => GuestPolicy::Create,
                GuestsFile::Ignore => GuestPolicy::Ignore,
            },
            co_hosts: self.co_hosts,
            duplicates: match self.duplicates {
                DuplicatesFile::UseMatch => Duplicates::UseMatch,
                DuplicatesFile::Fail => Duplicates::Fail,
            },
            deleted: match self.deleted {
                DeletedFile::Recreate => Deleted::Recreate,
                DeletedFile::Leave => Deleted::Leave,
            },
            mappings,
            records,
        })
    }
}
