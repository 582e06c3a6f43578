//! `[[records]]`: integrations that keep the records of two accounts in step.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use syncline_core::{
    expr::Expression,
    merge::{
        Blanks, Direction, EndDraft, KindSettings, OptIn, PairDraft, Policy, RULES_MAX, RuleDraft, RuleKey, Select,
        Side, WhenDeleted,
    },
};

use super::marks::MarksConfig;

/// Two accounts whose records are kept in step, field by field.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordsConfig {
    /// 1 to 40 lower-case letters, digits and dashes; no other integration has the same. Part of record keys, so it is
    /// never changed later.
    pub name: String,
    /// The name of the `[[connections]]` entry on the left: the CRM, where there is one.
    pub left: String,
    /// The name of the one on the right.
    pub right: String,
    /// Seconds between two looks for changes on the left.
    #[serde(default = "default_every")]
    #[cfg_attr(test, schemars(range(min = EVERY_SECONDS_MIN, max = EVERY_SECONDS_MAX)))]
    pub left_every_seconds: u32,
    /// Seconds between two looks for changes on the right.
    #[serde(default = "default_every")]
    #[cfg_attr(test, schemars(range(min = EVERY_SECONDS_MIN, max = EVERY_SECONDS_MAX)))]
    pub right_every_seconds: u32,
    /// Minutes for which what changed on the right is gathered before it is carried over to the left; 0: not at all.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0, max = GATHER_MINUTES_MAX)))]
    pub to_left_every_minutes: u32,
    /// As soon as so many records wait, they go at once; 0: only the time counts.
    #[serde(default = "default_at")]
    pub to_left_at: u32,
    /// Minutes for which what changed on the left is gathered before it is carried over to the right: 60 for every hour,
    /// 1440 for once a day; 0: not at all.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 0, max = GATHER_MINUTES_MAX)))]
    pub to_right_every_minutes: u32,
    /// As soon as so many records wait, they go at once; 0: only the time counts.
    #[serde(default)]
    pub to_right_at: u32,
    /// Hours between two readings of everything, which find what changes do not tell: deletions at some vendors,
    /// formula fields.
    #[serde(default = "default_sweep")]
    #[cfg_attr(test, schemars(range(min = 1, max = SWEEP_HOURS_MAX)))]
    pub sweep_hours: u32,
    /// Records that may be transferred in a month. At 80 % and at the limit a line in the activity log says so; at the
    /// limit nothing more is transferred until the month turns or the limit is raised. A record of which both sides are told
    /// takes two; where less is left than each that waits takes, that is the limit. 0 for no limit.
    #[serde(default = "default_tasks")]
    pub tasks_per_month: u64,
    /// Which kinds of records belong together. A record of the right side that could belong to several pairs belongs to
    /// the first that has a match.
    pub pairs: Vec<PairConfig>,
}

/// Shortest and longest time between two looks.
const EVERY_SECONDS_MIN: u32 = 1;
const EVERY_SECONDS_MAX: u32 = 86_400;
/// A day.
const GATHER_MINUTES_MAX: u32 = 1_440;
/// A month.
const SWEEP_HOURS_MAX: u32 = 744;
/// Pairs of kinds in one integration.
const PAIRS_MAX: usize = 20;

fn default_every() -> u32 {
    120
}

fn default_at() -> u32 {
    100
}

fn default_sweep() -> u32 {
    24
}

fn default_tasks() -> u64 {
    100_000
}

/// A pair of kinds.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PairConfig {
    /// A name for it, once per integration.
    pub name: String,
    /// What the left vendor calls the kind, such as `Contact`.
    pub left: String,
    /// What the right vendor calls the kind, such as `contact`.
    pub right: String,
    /// Which records of the left side take part: `all`, `none`, `new` (made since the integration was activated), or a
    /// condition on the record such as `record.Newsletter__c`.
    #[serde(default = "default_select")]
    pub select: String,
    /// Make records on the left that are only on the right.
    #[serde(default)]
    pub create_left: bool,
    /// Make records on the right that are only on the left and take part.
    #[serde(default)]
    pub create_right: bool,
    /// What happens on the left when the counterpart was deleted on the right.
    #[serde(default)]
    pub deleted_left: Deleted,
    /// What happens on the right when the counterpart was deleted on the left.
    #[serde(default)]
    pub deleted_right: Deleted,
    /// Conflicts are decided record by record: while this side has changed anything that is yet to be carried over, what
    /// the other side changed anywhere in the record is taken back. Absent: field by field.
    pub record_winner: Option<Winner>,
    /// Make a record on the left where somebody asks for it: by the mark `added` on the right, or by a call.
    #[serde(default)]
    pub create_left_on_request: bool,
    /// Marks of records on the right that belong to this pair: tags, or lists where the tool has no tags.
    pub marks: Option<MarksConfig>,
    /// Which field belongs to which.
    pub fields: Vec<FieldConfig>,
}

fn default_select() -> String {
    "all".to_owned()
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Winner {
    Left,
    Right,
}

/// What happens to the counterpart of a deleted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deleted {
    /// It stays, and is no longer kept in step.
    #[default]
    Detach,
    /// It is deleted, too, unless somebody has changed it since.
    Delete,
}

/// A pair of fields.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// The left vendor's name of the field.
    pub left: String,
    /// The right vendor's name of the field.
    pub right: String,
    /// Where values may go.
    #[serde(default)]
    pub direction: Way,
    /// Who wins where both sides changed.
    #[serde(default)]
    pub prefer: Prefer,
    /// What becomes of a value that was emptied.
    #[serde(default)]
    pub blanks: BlankRule,
    /// Cut a text that is too long for the other side instead of holding it back.
    #[serde(default)]
    pub truncate: bool,
    /// Fields of the same group only make sense together, such as street and city: one side wins all of them, and where
    /// one is held back all are. A word of your own.
    pub group: Option<String>,
    /// The left field names another record, such as the person of a deal: what is carried over, to the right only, is the
    /// counterpart that this record has in one of these pairs of the integration, by their names.
    #[serde(default)]
    pub refers_to: Vec<String>,
    /// What the left side calls the right side's options.
    #[serde(default)]
    pub left_options: BTreeMap<String, String>,
    /// What the right side calls the left side's options.
    #[serde(default)]
    pub right_options: BTreeMap<String, String>,
    /// Works the left side's value out of the right side's, such as `{{ value|upper }}`; see [mapping.md](mapping.md).
    pub to_left: Option<String>,
    /// Works the right side's value out of the left side's.
    pub to_right: Option<String>,
    /// Of a field by which people opt out: where the left side's records show that somebody opted in again. Without
    /// evidence that is later than the last opting out, only a person's decision carries an opt-in over.
    pub left_opted_in: Option<OptInConfig>,
    /// Where the right side's records show it.
    pub right_opted_in: Option<OptInConfig>,
}

/// What shows that somebody opted in by an act of their own.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OptInConfig {
    /// The field that says when, a day or a point in time, such as that of a double opt-in.
    pub at: String,
    /// The field that says by what, such as the name of a form. Where it is blank the date proves nothing.
    pub source: Option<String>,
}

/// Where values may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Way {
    #[default]
    Both,
    ToLeft,
    ToRight,
    Off,
}

/// Who wins where both sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    #[default]
    Left,
    Right,
    /// The later change by the vendors' own clocks; the left side where they do not tell.
    Newest,
    /// The left side as long as it has a value, even where only the right side changed.
    LeftUnlessBlank,
    /// The right side as long as it has a value, even where only the left side changed.
    RightUnlessBlank,
    /// The side that has a value; the left one where both have.
    NonBlank,
    /// Nobody, until a person decides.
    Manual,
}

/// What becomes of a value that was emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BlankRule {
    /// It is emptied on the other side, too.
    #[default]
    Propagate,
    /// The other side keeps its value.
    Ignore,
    /// It is held back and shown to a person.
    Refuse,
}

impl RecordsConfig {
    /// The pairs as the engine takes them.
    pub fn drafts(&self) -> anyhow::Result<Vec<PairDraft>> {
        let draft = |pair: &PairConfig| pair.draft().with_context(|| format!("in pair `{}`", pair.name));
        self.pairs.iter().map(draft).collect()
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.left == self.right {
            bail!("`left` and `right` are the same connection; an account is not kept in step with itself");
        }
        if self.pairs.is_empty() || self.pairs.len() > PAIRS_MAX {
            bail!("it needs 1 to {PAIRS_MAX} [[records.pairs]]");
        }
        for (name, seconds) in
            [("left_every_seconds", self.left_every_seconds), ("right_every_seconds", self.right_every_seconds)]
        {
            if !(EVERY_SECONDS_MIN..=EVERY_SECONDS_MAX).contains(&seconds) {
                bail!("`{name}` is {seconds}; it is a number from {EVERY_SECONDS_MIN} to {EVERY_SECONDS_MAX}");
            }
        }
        for (name, minutes) in [
            ("to_left_every_minutes", self.to_left_every_minutes),
            ("to_right_every_minutes", self.to_right_every_minutes),
        ] {
            if minutes > GATHER_MINUTES_MAX {
                bail!("`{name}` is {minutes}; it is a number from 0 to {GATHER_MINUTES_MAX}");
            }
        }
        if !(1..=SWEEP_HOURS_MAX).contains(&self.sweep_hours) {
            bail!("`sweep_hours` is {}; it is a number from 1 to {SWEEP_HOURS_MAX}", self.sweep_hours);
        }
        let mut names = std::collections::BTreeSet::new();
        for pair in &self.pairs {
            if let Some(marks) = &pair.marks {
                marks.check().with_context(|| format!("in the marks of pair `{}`", pair.name))?;
            }
            if !names.insert(&pair.name) {
                bail!("two pairs are called `{}`; every name is used once", pair.name);
            }
        }
        for (pair, named) in self.pairs.iter().flat_map(|pair| pair.fields.iter().map(move |field| (pair, field))) {
            if let Some(unknown) = named.refers_to.iter().find(|name| !names.contains(name)) {
                bail!(
                    "in pair `{}`, field {}: `refers_to` names the pair `{unknown}`, which is not one of this integration's",
                    pair.name,
                    named.left
                );
            }
        }
        self.drafts().map(drop)
    }
}

impl PairConfig {
    fn draft(&self) -> anyhow::Result<PairDraft> {
        if self.fields.is_empty() || self.fields.len() > RULES_MAX {
            bail!("it needs 1 to {RULES_MAX} [[records.pairs.fields]]");
        }
        let mut keys = BTreeMap::new();
        let mut groups = Vec::new();
        let mut rows = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let name = format!("{} ↔ {}", field.left, field.right);
            if let Some(other) = keys.insert(RuleKey::of(&field.left, &field.right), name.clone()) {
                if other == name {
                    bail!("the fields {name} stand twice");
                }
                bail!("{name} and {other} cannot stand together; leave one of them out");
            }
            let group = field.group.as_ref().map(|group| group_number(&mut groups, group));
            let row = field.draft().with_context(|| format!("in the fields {name}"))?;
            rows.push(RuleDraft { group, ..row });
        }
        let (select, read) = self.selection()?;
        let kind = |kind: &str, create: bool, deleted: Deleted, read: Vec<String>| KindSettings {
            kind: kind.to_owned(),
            create,
            deleted: match deleted {
                Deleted::Detach => WhenDeleted::Detach,
                Deleted::Delete => WhenDeleted::Delete,
            },
            created: None,
            read,
        };
        Ok(PairDraft {
            name: self.name.clone(),
            left: kind(&self.left, self.create_left, self.deleted_left, read),
            right: kind(&self.right, self.create_right, self.deleted_right, Vec::new()),
            rows,
            select,
            marks: None,
            on_request: self.create_left_on_request,
            primary: self.record_winner.map(|winner| match winner {
                Winner::Left => Side::Left,
                Winner::Right => Side::Right,
            }),
        })
    }

    fn selection(&self) -> anyhow::Result<(Select, Vec<String>)> {
        Ok(match self.select.trim() {
            "all" => (Select::All, Vec::new()),
            "none" => (Select::None, Vec::new()),
            "new" => (Select::New, Vec::new()),
            criteria => {
                let criteria = Expression::criteria(criteria).context("in `select`")?;
                let read: Vec<String> = criteria.reads().iter().map(|read| read.field.clone()).collect();
                if read.is_empty() {
                    bail!(
                        "`select` is `all`, `none`, `new`, or a condition on the record such as record.Newsletter__c"
                    );
                }
                (Select::Where(criteria), read)
            }
        })
    }
}

/// The number of a group: its place among those of the pair.
fn group_number(groups: &mut Vec<String>, group: &str) -> u16 {
    let place = groups.iter().position(|known| known == group).unwrap_or_else(|| {
        groups.push(group.to_owned());
        groups.len() - 1
    });
    u16::try_from(place).expect("a pair has at most as many groups as fields")
}

impl FieldConfig {
    fn draft(&self) -> anyhow::Result<RuleDraft> {
        let opted_in = |mapped: &Option<OptInConfig>| {
            mapped.as_ref().map(|mapped| OptIn { at: mapped.at.clone(), source: mapped.source.clone() })
        };
        let end = |field: &str, options: &BTreeMap<String, String>, convert: Option<&String>, mapped| {
            let convert = convert.map(|source| Expression::conversion(source)).transpose()?;
            let opted_in = opted_in(mapped);
            anyhow::Ok(EndDraft {
                field: field.to_owned(),
                options: options.clone(),
                convert,
                opted_in,
                counterpart_in: Vec::new(),
            })
        };
        if !self.refers_to.is_empty() {
            self.check_reference()?;
        }
        let right = end(&self.right, &self.right_options, self.to_right.as_ref(), &self.right_opted_in)
            .context("in `to_right`")?;
        Ok(RuleDraft {
            left: end(&self.left, &self.left_options, self.to_left.as_ref(), &self.left_opted_in)
                .context("in `to_left`")?,
            right: EndDraft { counterpart_in: self.refers_to.clone(), ..right },
            direction: match self.direction {
                Way::Both if !self.refers_to.is_empty() => Direction::ToRight,
                Way::Both => Direction::Both,
                Way::ToLeft => Direction::ToLeft,
                Way::ToRight => Direction::ToRight,
                Way::Off => Direction::Off,
            },
            policy: match self.prefer {
                Prefer::Left => Policy::Prefer(Side::Left),
                Prefer::Right => Policy::Prefer(Side::Right),
                Prefer::Newest => Policy::Newest(Side::Left),
                Prefer::LeftUnlessBlank => Policy::PreferUnlessBlank(Side::Left),
                Prefer::RightUnlessBlank => Policy::PreferUnlessBlank(Side::Right),
                Prefer::NonBlank => Policy::NonBlank(Side::Left),
                Prefer::Manual => Policy::Manual,
            },
            blanks: match self.blanks {
                BlankRule::Propagate => Blanks::Propagate,
                BlankRule::Ignore => Blanks::Ignore,
                BlankRule::Refuse => Blanks::Refuse,
            },
            truncate: self.truncate,
            // Numbered where all rows of the pair are known.
            group: None,
        })
    }

    /// What is a record's name on one side means nothing in words, and nothing on the way back.
    fn check_reference(&self) -> anyhow::Result<()> {
        if self.direction == Way::ToLeft {
            bail!("`refers_to` carries counterparts to the right; take it away, or let the field go `to_right`");
        }
        let renamed = !self.left_options.is_empty() || !self.right_options.is_empty();
        if renamed || self.to_left.is_some() || self.to_right.is_some() {
            bail!("a field with `refers_to` is carried over as it is; take its options and conversions away");
        }
        Ok(())
    }
}
