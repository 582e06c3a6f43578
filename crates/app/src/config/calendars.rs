//! `[[calendars]]`: integrations that bring the meetings of people's calendars onto the timelines of a CRM.

mod person;

use std::{collections::BTreeSet, ops::RangeInclusive};

use anyhow::{Context, bail};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use syncline_core::{
    booking::settings::CancelSettings,
    calendar::{
        eligible::{Policy, PolicyFault, Since},
        event::EventType,
        meeting::{BackRules, DeleteSettings, MeetingSettings, OnRecordDeleted, ReplyWords},
        privacy::{OnPrivate, PrivacyOptions},
        series::SeriesPolicy,
    },
    person::normal_email,
};
use url::Url;

pub use self::person::CalendarPersonConfig;
use super::booking::PREFIX_CHARS_MAX;

/// An integration that brings the meetings of people's calendars onto the timelines of a CRM; see
/// [calendars.md](calendars.md).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CalendarsConfig {
    /// 1 to 40 lower-case letters, digits and dashes; no other integration has the same. Part of record keys, so it is
    /// never changed later.
    pub name: String,
    /// The name of the `[[connections]]` entry that is written to.
    pub crm: String,
    /// Your own domains, such as `acme.example`, sub-domains included: who has an address there is a colleague and no
    /// guest.
    #[serde(default)]
    pub own_domains: Vec<String>,
    /// Addresses (`lawyer@firm.example`) and domains (`@firm.example`, sub-domains included) that never reach the CRM.
    #[serde(default)]
    pub blocked: Vec<String>,
    /// Domains at which anybody may have an address, beside the well-known ones; none of them can be your own.
    #[serde(default)]
    pub free_mail: Vec<String>,
    /// Addresses of rooms and things that calendars do not mark as such: they are nobody's guests.
    #[serde(default)]
    pub resources: Vec<String>,
    /// What counts of the events that were there when a calendar was connected: `created`, none of them, even when they
    /// change; `touched`, those that change from then on; or a day such as `2026-01-01` (UTC), those that start then or
    /// later.
    #[serde(default = "default_since")]
    pub since: String,
    /// The kinds of entries that are logged.
    #[serde(default = "default_types")]
    #[cfg_attr(test, schemars(with = "super::tests::EntryTypes"))]
    pub types: Vec<EventType>,
    /// Which meetings of a series are logged.
    #[serde(default)]
    pub series: SeriesRule,
    /// With `series = "window"`: how many days ago the first of them may start. Absent: 7.
    #[cfg_attr(test, schemars(range(min = 0, max = WINDOW_DAYS_MAX)))]
    pub window_past_days: Option<u16>,
    /// With `series = "window"`: in how many days the last of them may start. Absent: 30.
    #[cfg_attr(test, schemars(range(min = 0, max = WINDOW_DAYS_MAX)))]
    pub window_future_days: Option<u16>,
    /// What becomes of the record of a meeting that is made private after it was logged. Nothing more is written to it in
    /// any case.
    #[serde(default)]
    pub private: Private,
    /// Whether such a record is brought up to date when its meeting is open again.
    #[serde(default = "yes")]
    pub thaw: bool,
    /// Whether such a record says that its meeting was called off, without a word more.
    #[serde(default)]
    pub tell_cancelled_private: bool,
    /// Put before the subject of a meeting that was called off, exactly once; at most 40 characters. Empty for none.
    #[serde(default = "default_prefix")]
    pub cancelled_prefix: String,
    /// Whether the time of a meeting that was called off no longer counts as busy.
    #[serde(default)]
    pub cancelled_show_as_free: bool,
    /// Whether the record of a meeting that was called off is deleted instead of kept.
    #[serde(default)]
    pub delete_cancelled: bool,
    /// Whether a meeting to come that a person logs in the CRM becomes an event in its owner's calendar, and its contacts
    /// are invited by that calendar.
    #[serde(default)]
    pub invite: bool,
    /// A yes-or-no field of the CRM's meetings, by the vendor's own name, that has to say yes for that; absent: all do.
    pub invite_field: Option<String>,
    /// Whether edits in the CRM (subject, time, place, text) change the event, and contacts added there are invited.
    #[serde(default)]
    pub edits: bool,
    /// With `edits`: whether a guest whom the CRM had invited and who is taken off there is taken off the event. Whom the
    /// calendar's owner invited stays in any case.
    #[serde(default)]
    pub uninvite: bool,
    /// What becomes of the event of a meeting to come whose record a person deletes in the CRM.
    #[serde(default)]
    pub on_record_deleted: RecordDeleted,
    /// The subject of what has none in the calendar: a CRM wants one.
    #[serde(default = "default_untitled")]
    pub untitled: String,
    pub status: Option<MeetingStatusConfig>,
    #[serde(default)]
    pub replies: ReplyWordsConfig,
    /// Hours between two readings of a whole calendar, which find what changes did not tell.
    #[serde(default = "default_sweep")]
    #[cfg_attr(test, schemars(range(min = 1, max = SWEEP_HOURS_MAX)))]
    pub sweep_hours: u32,
    /// Whether calendars whose vendors can are to tell of changes by themselves, at `[server] public_url`. Absent: where that
    /// is an https address.
    pub push: Option<bool>,
    /// Whose calendars take part. Of several at one meeting whose organiser is not a user of the CRM, the first here owns
    /// the record.
    pub people: Vec<CalendarPersonConfig>,
}

/// The field of the CRM's meeting that says how it stands. Absent: the CRM's own, where it has one.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MeetingStatusConfig {
    /// API name of the field.
    pub field: String,
    /// While the meeting stands.
    pub booked: String,
    /// Once it is called off.
    pub cancelled: String,
}

/// The words for what somebody answered, in CRMs that keep them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReplyWordsConfig {
    /// Of somebody who comes.
    pub accepted: String,
    /// Of somebody who may come.
    pub tentative: String,
    /// Of somebody who does not come.
    pub declined: String,
}

impl Default for ReplyWordsConfig {
    fn default() -> Self {
        let ReplyWords { accepted, tentative, declined } = MeetingSettings::default().replies;
        Self { accepted, tentative, declined }
    }
}

/// Which meetings of a series are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SeriesRule {
    /// The first, and then whichever changes or is replied to.
    #[default]
    FirstAndChanged,
    /// All in a window of days around the present.
    Window,
    /// Each as soon as it is over.
    WhenTakenPlace,
    /// The series as one record.
    Series,
}

/// What becomes of the record of a meeting that is made private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Private {
    /// It stays as it was.
    #[default]
    Keep,
    /// Its description and place are emptied, and its subject is that of what has none.
    Redact,
    /// It is deleted.
    Delete,
}

/// What becomes of the event of a meeting whose record is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecordDeleted {
    /// It stays.
    #[default]
    Keep,
    /// It is deleted for everybody, and the guests are told; where the calendar is a guest's, it declines.
    Delete,
    /// The same, and nobody is told of what is deleted.
    DeleteSilently,
}

/// The farthest that every calendar is seen: one vendor shows a time of 490 days, of which these are those ahead.
const WINDOW_DAYS_MAX: u16 = 400;
/// The window unless the file says otherwise: what one looks up before a call, and what is planned for the month.
const WINDOW_PAST_DAYS: u16 = 7;
const WINDOW_FUTURE_DAYS: u16 = 30;
/// A month.
const SWEEP_HOURS_MAX: u32 = 744;
/// Entries of each list; every event is held against all of them.
const ENTRIES_MAX: usize = 1_000;
/// Calendars of one integration: the store lists no more connections than that.
const PEOPLE_MAX: usize = 1_000;
/// The shortest field for a subject among CRMs.
const UNTITLED_CHARS: RangeInclusive<usize> = 1..=255;
/// The shortest field for a reply among CRMs.
const WORD_CHARS: RangeInclusive<usize> = 1..=255;

fn default_since() -> String {
    "created".to_owned()
}

fn default_types() -> Vec<EventType> {
    vec![EventType::Meeting]
}

fn default_prefix() -> String {
    MeetingSettings::default().cancel.prefix
}

fn default_untitled() -> String {
    MeetingSettings::default().untitled
}

fn default_sweep() -> u32 {
    168
}

fn yes() -> bool {
    true
}

impl CalendarsConfig {
    /// What may be known in the CRM. Its users, and those whose calendars are read, are added where they are known.
    pub fn policy(&self) -> anyhow::Result<Policy> {
        let resources = self.resources.iter().map(|typed| address("resources", typed));
        Ok(Policy {
            own_domains: self.own_domains.clone(),
            blocked: self.blocked.clone(),
            users: BTreeSet::new(),
            resources: resources.collect::<anyhow::Result<_>>()?,
            free_mail: self.free_mail.clone(),
            since: self.since()?,
            types: self.types.iter().copied().collect(),
            series: self.series()?,
        })
    }

    /// What becomes of private meetings.
    pub fn privacy(&self) -> PrivacyOptions {
        PrivacyOptions {
            on_private: match self.private {
                Private::Keep => OnPrivate::Keep,
                Private::Redact => OnPrivate::Redact,
                Private::Delete => OnPrivate::Delete,
            },
            thaw: self.thaw,
            tell_cancelled: self.tell_cancelled_private,
        }
    }

    /// How much of what people do in the CRM reaches calendars.
    pub fn back(&self) -> BackRules {
        let Self { invite, edits, uninvite, .. } = *self;
        BackRules { invite, ask_field: self.invite_field.clone(), edits, uninvite }
    }

    /// What becomes of the one when the other is deleted.
    pub fn deletes(&self) -> DeleteSettings {
        let on_record_deleted = match self.on_record_deleted {
            RecordDeleted::Keep => OnRecordDeleted::Nothing,
            RecordDeleted::Delete => OnRecordDeleted::DeleteAndTell,
            RecordDeleted::DeleteSilently => OnRecordDeleted::DeleteQuietly,
        };
        DeleteSettings { delete_record: self.delete_cancelled, on_record_deleted }
    }

    /// What records of meetings say.
    pub fn meeting_settings(&self) -> MeetingSettings {
        let status = self.status.as_ref();
        let ReplyWordsConfig { accepted, tentative, declined } = self.replies.clone();
        MeetingSettings {
            cancel: CancelSettings {
                prefix: self.cancelled_prefix.clone(),
                show_as_free: self.cancelled_show_as_free,
                delete: self.delete_cancelled,
            },
            status: status.map(|it| (it.field.clone(), it.booked.clone(), it.cancelled.clone())),
            untitled: self.untitled.clone(),
            replies: ReplyWords { accepted, tentative, declined },
        }
    }

    fn since(&self) -> anyhow::Result<Since> {
        match self.since.trim() {
            "created" => Ok(Since::Created),
            "touched" => Ok(Since::Touched),
            day => {
                let day: Option<Timestamp> = day
                    .parse::<Date>()
                    .ok()
                    .and_then(|day| day.to_zoned(TimeZone::UTC).ok())
                    .map(|midnight| midnight.timestamp());
                let wrong = || {
                    format!(
                        "`since` cannot be `{}`; it is `created`, `touched` or a day such as 2026-01-01",
                        self.since
                    )
                };
                day.map(Since::Backfill).with_context(wrong)
            }
        }
    }

    fn series(&self) -> anyhow::Result<SeriesPolicy> {
        let window = [("window_past_days", self.window_past_days), ("window_future_days", self.window_future_days)];
        for (key, days) in window {
            let Some(days) = days else { continue };
            if self.series != SeriesRule::Window {
                bail!("`{key}` counts with series = \"window\" alone; choose that or leave `{key}` out");
            }
            within(key, u64::from(days), 0, u64::from(WINDOW_DAYS_MAX))?;
        }
        Ok(match self.series {
            SeriesRule::FirstAndChanged => SeriesPolicy::FirstAndChanged,
            SeriesRule::Window => SeriesPolicy::Materialise {
                past_days: self.window_past_days.unwrap_or(WINDOW_PAST_DAYS),
                future_days: self.window_future_days.unwrap_or(WINDOW_FUTURE_DAYS),
            },
            SeriesRule::WhenTakenPlace => SeriesPolicy::WhenTakenPlace,
            SeriesRule::Series => SeriesPolicy::Series,
        })
    }

    /// Whether vendors are to tell of changes at this public address.
    pub fn is_told_at(&self, public: &Url) -> bool {
        self.push.unwrap_or(public.scheme() == "https")
    }

    /// What the grammar cannot say of it.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        within("sweep_hours", u64::from(self.sweep_hours), 1, u64::from(SWEEP_HOURS_MAX))?;
        let lists = [
            ("own_domains", &self.own_domains),
            ("blocked", &self.blocked),
            ("free_mail", &self.free_mail),
            ("resources", &self.resources),
        ];
        for (key, list) in lists {
            entries(key, list)?;
        }
        if let Some(typed) = self.free_mail.iter().find(|typed| normal_email(&format!("a@{}", typed.trim())).is_none())
        {
            bail!("`free_mail` has `{typed}`, which is no domain; write it as in mail.example");
        }
        if self.uninvite && !self.edits {
            bail!("`uninvite` counts with `edits = true` alone; set that, or leave `uninvite` out");
        }
        if self.types.is_empty() {
            bail!("`types` is empty, so that nothing would ever be logged; leave it out for meetings alone");
        }
        if self.cancelled_prefix.chars().count() > PREFIX_CHARS_MAX {
            bail!("`cancelled_prefix` is longer than {PREFIX_CHARS_MAX} characters");
        }
        word("untitled", &self.untitled, UNTITLED_CHARS)?;
        let ReplyWordsConfig { accepted, tentative, declined } = &self.replies;
        for (key, text) in
            [("replies.accepted", accepted), ("replies.tentative", tentative), ("replies.declined", declined)]
        {
            word(key, text, WORD_CHARS)?;
        }
        if let Some(status) = &self.status {
            for (key, text) in [
                ("status.field", &status.field),
                ("status.booked", &status.booked),
                ("status.cancelled", &status.cancelled),
            ] {
                word(key, text, WORD_CHARS)?;
            }
        }
        told(&self.policy()?)?;
        self.check_people()
    }

    fn check_people(&self) -> anyhow::Result<()> {
        if self.people.is_empty() || self.people.len() > PEOPLE_MAX {
            bail!("it needs 1 to {PEOPLE_MAX} [[calendars.people]]");
        }
        let mut names = BTreeSet::new();
        let mut calendars = BTreeSet::new();
        for person in &self.people {
            let name = person.name();
            person.check().with_context(|| format!("in the calendar of `{}`", person.owner))?;
            if !names.insert(name) {
                bail!("two calendars are called `{name}`; give one of them another `name`");
            }
            if !calendars.insert((&person.connection, &person.calendar)) {
                bail!(
                    "the calendar of `{}` at `{}` stands there twice; one calendar belongs to one person, so take one of them out or name another `calendar`",
                    person.owner,
                    person.connection
                );
            }
        }
        Ok(())
    }
}

/// Whether the lists are as they can be, with what to do where they are not.
fn told(policy: &Policy) -> anyhow::Result<()> {
    let Some(fault) = policy.check().into_iter().next() else { return Ok(()) };
    match fault {
        PolicyFault::FreeMailAsOwn(_) => {
            bail!("{fault}; take it out of `own_domains`: those under [[calendars.people]] count as colleagues anyway")
        }
        PolicyFault::NoDomain(_) => bail!("`own_domains`: {fault}; write it as in acme.example"),
        PolicyFault::NoBlock(_) => {
            bail!("`blocked`: {fault}; write lawyer@firm.example, or @firm.example for everybody there")
        }
    }
}

/// An address in the form in which addresses are compared.
fn address(key: &str, typed: &str) -> anyhow::Result<String> {
    normal_email(typed).with_context(|| format!("`{key}` has `{typed}`, which is no e-mail address"))
}

fn entries(key: &str, list: &[String]) -> anyhow::Result<()> {
    if list.len() > ENTRIES_MAX {
        bail!("`{key}` has {} entries; it may have {ENTRIES_MAX}", list.len());
    }
    Ok(())
}

fn within(key: &str, number: u64, least: u64, most: u64) -> anyhow::Result<()> {
    if !(least..=most).contains(&number) {
        bail!("`{key}` is {number}; it is a number from {least} to {most}");
    }
    Ok(())
}

fn word(key: &str, text: &str, chars: RangeInclusive<usize>) -> anyhow::Result<()> {
    if text.trim().is_empty() || !chars.contains(&text.chars().count()) {
        bail!("`{key}` is a text of {} to {} characters", chars.start(), chars.end());
    }
    Ok(())
}
