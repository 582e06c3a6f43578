//! `[records.pairs.marks]`: by which tags or lists records of the right side are marked, and what they are called unless
//! the file says so.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use syncline_connect::mirror::MarkSpec;
use syncline_core::{merge::MarkDraft, person::squeeze};

use super::records::{PairConfig, RecordsConfig};

/// What marks are called. Where a tool has tags, each has a name unless it is given one; where lists are used, each is the
/// number of a list.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MarksConfig {
    /// Of records that were there before their counterpart, or for which somebody asks. With tags, and a contact of
    /// Salesforce on the left: `added-to-salesforce-contact`.
    pub added: Option<String>,
    /// Of records that were made for one of the left side: `created-from-salesforce-contact`.
    pub created: Option<String>,
    /// Takes the place of another pair's mark when its record was converted into one of this pair:
    /// `salesforce-lead-converted-to-contact`.
    pub converted: Option<String>,
    /// What changes on records without any mark is not carried over to the left; opting out is.
    #[serde(default)]
    pub only_marked: bool,
}

impl MarksConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for mark in [&self.added, &self.created, &self.converted].into_iter().flatten() {
            if mark.is_empty() || *mark != squeeze(mark) || mark.contains(';') {
                bail!("`{mark}` cannot be a mark: it has no semicolon, and no blanks beside its words");
            }
        }
        Ok(())
    }
}

impl RecordsConfig {
    /// The marks of a pair, where it has some. `vendor` is the left side's.
    pub fn marks(&self, pair: &PairConfig, vendor: &str, spec: MarkSpec) -> anyhow::Result<Option<MarkDraft>> {
        let Some(mut own) = self.named(pair, vendor, spec)? else { return Ok(None) };
        for other in self.pairs.iter().filter(|other| other.name != pair.name && other.right == pair.right) {
            if let Some(marks) = self.named(other, vendor, spec)? {
                own.others.extend(marks.own().cloned());
            }
        }
        let set: BTreeSet<String> = own.own().cloned().collect();
        own.others.retain(|other| !set.contains(other));
        Ok(Some(own))
    }

    fn named(&self, pair: &PairConfig, vendor: &str, spec: MarkSpec) -> anyhow::Result<Option<MarkDraft>> {
        let Some(marks) = &pair.marks else { return Ok(None) };
        let kind = pair.left.to_lowercase();
        let free = |word: String| spec.free.then_some(word);
        let mark = |given: &Option<String>, word: String, name: &str| {
            let mark = given.clone().or_else(|| free(word));
            mark.with_context(|| format!("pair `{}`: give `marks.{name}`: there is no tag, so name a list", pair.name))
        };
        let sibling = self.pairs.iter().find(|other| other.name != pair.name && other.right == pair.right);
        let converted = sibling.map(|other| format!("{vendor}-{}-converted-to-{kind}", other.left.to_lowercase()));
        Ok(Some(MarkDraft {
            field: spec.field.to_owned(),
            added: mark(&marks.added, format!("added-to-{vendor}-{kind}"), "added")?,
            created: mark(&marks.created, format!("created-from-{vendor}-{kind}"), "created")?,
            converted: marks.converted.clone().or_else(|| converted.and_then(free)),
            others: BTreeSet::new(),
            only_marked: marks.only_marked,
        }))
    }
}
