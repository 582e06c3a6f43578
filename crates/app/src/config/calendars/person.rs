//! `[[calendars.people]]`: one calendar of one person.

use anyhow::bail;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use syncline_core::calendar::eligible::Policy;

use super::{address, entries, told, within};
use crate::config::is_name;

/// One calendar of one person.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CalendarPersonConfig {
    /// The person's e-mail address, by which invitations and the CRM know them.
    pub owner: String,
    /// The name of the `[[connections]]` entry of the calendar account.
    pub connection: String,
    /// The calendar's name at its vendor, as `syncline calendars check` lists them. Absent: the account's primary one.
    pub calendar: Option<String>,
    /// What the calendar is called here: 1 to 40 lower-case letters, digits and dashes, never changed later. Absent: the
    /// name of the connection.
    pub name: Option<String>,
    /// Addresses and domains that this person keeps out of the CRM beside those of the integration.
    #[serde(default)]
    pub blocked: Vec<String>,
    /// Seconds between two looks for changes. Absent: as the calendar's vendor bears it.
    #[cfg_attr(test, schemars(range(min = EVERY_SECONDS_MIN, max = EVERY_SECONDS_MAX)))]
    pub every_seconds: Option<u32>,
}

/// Shortest and longest time between two looks. Whatever a calendar announces by itself, it is asked every hour.
const EVERY_SECONDS_MIN: u32 = 1;
const EVERY_SECONDS_MAX: u32 = 3_600;

/// Longest name of a calendar at its vendor: a path on a server of its own.
const CALENDAR_CHARS_MAX: usize = 1_000;

impl CalendarPersonConfig {
    /// What the calendar is called here.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.connection)
    }

    /// The person's address in the form in which addresses are compared.
    pub fn address(&self) -> anyhow::Result<String> {
        address("owner", &self.owner)
    }

    /// How often it is asked, where the file says so.
    pub fn every(&self) -> Option<SignedDuration> {
        self.every_seconds.map(|seconds| SignedDuration::from_secs(i64::from(seconds)))
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.address()?;
        if !is_name(self.name()) {
            bail!("`{}` cannot be its name: use 1 to 40 lower-case letters, digits and dashes", self.name());
        }
        if let Some(seconds) = self.every_seconds {
            within("every_seconds", u64::from(seconds), u64::from(EVERY_SECONDS_MIN), u64::from(EVERY_SECONDS_MAX))?;
        }
        if let Some(calendar) = &self.calendar
            && (calendar.trim().is_empty() || calendar.chars().count() > CALENDAR_CHARS_MAX)
        {
            bail!(
                "`calendar` is the calendar's name at its vendor, of at most {CALENDAR_CHARS_MAX} characters; leave it out for the primary one"
            );
        }
        entries("blocked", &self.blocked)?;
        told(&Policy { blocked: self.blocked.clone(), ..Policy::default() })
    }
}
