//! Writing records: what is given is checked as a whole first, then done; what was checked cannot fail any more.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::{
    error::{Detail, Failure},
    schema::{COMPANY, CONTACT, DEAL, PropNo, TICKET, TypeNo, Values, multiple},
};
use super::{
    Happening, HubSpotEffectKind, HubSpotWho, Logged, World,
    derive::Draft,
    links::End,
    pipelines::{default_pipeline, is_stage, stage_ids},
    record::Record,
    table::Slot,
};

/// Checked values of properties.
pub(in super::super) type Given = Vec<(PropNo, String)>;

/// Who writes, when, in which request.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Writer {
    pub(in super::super) who: HubSpotWho,
    pub(in super::super) at: i64,
    pub(in super::super) request: u64,
}

impl World {
    /// Checks each property by itself.
    pub(in super::super) fn given(&self, object: TypeNo, properties: &Map<String, Value>) -> Result<Given, Failure> {
        let kind = &self.schema.types[object];
        let values = Values { object: kind, owners: &self.owner_ids };
        let mut given = Given::with_capacity(properties.len());
        let mut wrong = Vec::new();
        for (name, value) in properties {
            let Some(prop) = kind.find(name) else {
                wrong.push(Detail {
                    message: format!("Property \"{name}\" does not exist"),
                    code: "PROPERTY_DOESNT_EXIST",
                    property: name.clone(),
                });
                continue;
            };
            match values.check(prop, value) {
                Ok(value) => given.push((prop, value)),
                Err(detail) => wrong.push(detail),
            }
        }
        if wrong.is_empty() { Ok(given) } else { Err(Failure::properties(wrong)) }
    }

    /// Whether such a record may be made; adds what a missing value stands for.
    pub(in super::super) fn check_create(&self, object: TypeNo, mut given: Given) -> Result<Given, Failure> {
        let kind = &self.schema.types[object];
        let has = |given: &Given, prop: PropNo| given.iter().any(|(no, value)| *no == prop && !value.is_empty());
        if let Some((at, start)) = kind.find("hs_timestamp").zip(kind.find("hs_meeting_start_time"))
            && !has(&given, at)
            && let Some((_, value)) = given.iter().find(|(no, _)| *no == start).cloned()
        {
            given.retain(|(no, _)| *no != at);
            given.push((at, value));
        }
        let missing: Vec<String> =
            kind.required.iter().filter(|no| !has(&given, **no)).map(|no| kind.property(*no).name.clone()).collect();
        if !missing.is_empty() {
            let message =
                format!("Error creating {}. Some required properties were not set.", kind.singular.to_uppercase());
            return Err(Failure::invalid(message).with("properties", missing));
        }
        self.check_stage(object, &given, None)?;
        self.check_unique(object, &given, None)?;
        Ok(given)
    }

    /// Whether this record may be changed so.
    pub(in super::super) fn check_update(&self, object: TypeNo, slot: Slot, given: &Given) -> Result<(), Failure> {
        self.check_stage(object, given, Some(self.row(object, slot)))?;
        self.check_unique(object, given, Some(slot))
    }

    fn check_stage(&self, object: TypeNo, given: &Given, record: Option<&Record>) -> Result<(), Failure> {
        let kind = &self.schema.types[object];
        let (Some((pipeline, stage)), Some(only)) = (kind.pipeline, default_pipeline(object)) else { return Ok(()) };
        let now = |prop: PropNo| {
            let given = given.iter().find(|(no, _)| *no == prop).map(|(_, value)| value.as_str());
            given.or_else(|| record.and_then(|record| record.get(prop))).filter(|value| !value.is_empty())
        };
        let refuse = |prop: PropNo, value: &str, options: &str| {
            Err(Failure::properties(vec![Detail {
                message: format!("{value} was not one of the allowed options: [{options}]"),
                code: "INVALID_OPTION",
                property: kind.property(prop).name.clone(),
            }]))
        };
        if let Some(value) = now(pipeline).filter(|value| *value != only) {
            return refuse(pipeline, value, only);
        }
        match now(stage).filter(|value| !is_stage(object, value)) {
            Some(value) => refuse(stage, value, &stage_ids(object).join(", ")),
            None => Ok(()),
        }
    }

    fn check_unique(&self, object: TypeNo, given: &Given, own: Option<Slot>) -> Result<(), Failure> {
        let kind = &self.schema.types[object];
        for (prop, value) in given.iter().filter(|(prop, value)| kind.property(*prop).unique && !value.is_empty()) {
            let property = kind.property(*prop);
            let is_email = object == CONTACT && property.name == "email";
            if is_email && self.blocked.contains(value) {
                return Err(Failure::invalid(format!("{value} was erased for good and cannot be used")));
            }
            let Some(slot) = self.tables[object].find_unique(*prop, value).filter(|slot| Some(*slot) != own) else {
                continue;
            };
            let holder = self.row(object, slot).id;
            return Err(if is_email {
                Failure::contact_exists(holder)
            } else {
                Failure::properties(vec![Detail {
                    message: format!("{holder} already has that value for {}.", property.name),
                    code: "CONFLICTING_UNIQUE_VALUE",
                    property: property.name.clone(),
                }])
            });
        }
        Ok(())
    }

    /// Makes a record of checked values.
    pub(in super::super) fn create(&mut self, object: TypeNo, given: &Given, by: Writer) -> Slot {
        let id = self.take_id();
        let mut record = Record::new(id, by.at);
        let kind = &self.schema.types[object];
        let mut draft = Draft { object: kind, no: object, record: &mut record, at: by.at, changed: Vec::new() };
        for (prop, value) in given {
            draft.set(*prop, value.trim_start_matches(';'), by.who);
        }
        draft.begin(by.who);
        draft.follow();
        draft.end();
        let changed = std::mem::take(&mut draft.changed);
        let slot = self.tables[object].insert(kind, record, by.at, self.lag);
        self.notice(Happening::Creation, object, id, by);
        self.told(HubSpotEffectKind::Created, object, slot, given, &changed, by);
        slot
    }

    /// Changes a record by checked values; answers whether that changed anything.
    pub(in super::super) fn update(&mut self, object: TypeNo, slot: Slot, given: &Given, by: Writer) -> bool {
        let kind = &self.schema.types[object];
        let row = self.tables[object].row(slot);
        let resolved: Given = given
            .iter()
            .filter_map(|(prop, value)| Some((*prop, self.resolve(object, row, *prop, value, by)?)))
            .collect();
        // Values that are there already change nothing, not even the time of the last change (recorded 2026-03).
        if resolved.iter().all(|(prop, value)| row.get(*prop).unwrap_or_default() == value) {
            return false;
        }
        let changed = self.tables[object].change(kind, slot, by.at, self.lag, |record| {
            let mut draft = Draft { object: kind, no: object, record, at: by.at, changed: Vec::new() };
            for (prop, value) in &resolved {
                draft.set(*prop, value, by.who);
            }
            if let Some((email, more)) = kind.find("email").zip(kind.find("hs_additional_emails")) {
                let first = draft.record.get(email).unwrap_or_default().to_owned();
                let others: Vec<String> = multiple(draft.record.get(more).unwrap_or_default())
                    .filter(|one| *one != first)
                    .map(str::to_owned)
                    .collect();
                draft.fill("hs_additional_emails", &others.join(";"));
            }
            draft.follow();
            draft.end();
            draft.changed
        });
        self.told(HubSpotEffectKind::Updated, object, slot, &resolved, &changed, by);
        !changed.is_empty()
    }

    /// What is to be kept of a given value; `None` leaves what is there.
    fn resolve(&self, object: TypeNo, row: &Record, prop: PropNo, value: &str, by: Writer) -> Option<String> {
        let property = self.schema.types[object].property(prop);
        let present = row.get(prop).unwrap_or_default();
        // A semicolon in front adds to the values that are there.
        if property.several() && value.starts_with(';') {
            let mut all: Vec<&str> = multiple(present).collect();
            for one in multiple(value) {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
            return Some(all.join(";"));
        }
        // A stage goes forward only; to go back it must be cleared first. Persons may do as they like.
        if property.name == "lifecyclestage" && matches!(by.who, HubSpotWho::App(_)) {
            let rank = |value: &str| property.options.iter().position(|(option, _)| option == value);
            if rank(value).zip(rank(present)).is_some_and(|(wanted, is)| wanted < is) {
                return None;
            }
        }
        Some(value.to_owned())
    }

    fn told(
        &mut self,
        effect: HubSpotEffectKind,
        object: TypeNo,
        slot: Slot,
        given: &Given,
        changed: &[PropNo],
        by: Writer,
    ) {
        let kind = &self.schema.types[object];
        let row = self.tables[object].row(slot);
        let id = row.id;
        let name = |prop: PropNo| kind.property(prop).name.clone();
        let value = |prop: PropNo| row.get(prop).unwrap_or_default().to_owned();
        let properties: BTreeMap<String, String> = given
            .iter()
            .filter(|(prop, _)| changed.contains(prop))
            .map(|(prop, _)| (name(*prop), value(*prop)))
            .collect();
        let changes: Vec<Happening> = if self.watched {
            changed.iter().map(|prop| Happening::Change { name: name(*prop), value: value(*prop) }).collect()
        } else {
            Vec::new()
        };
        for change in changes {
            self.notice(change, object, id, by);
        }
        self.log(effect, object, id, by, Logged { properties, other: None });
    }

    pub(in super::super) fn archive(&mut self, object: TypeNo, slot: Slot, by: Writer) {
        self.set_archived(object, slot, true, by);
    }

    pub(in super::super) fn restore(&mut self, object: TypeNo, slot: Slot, by: Writer) -> Result<(), Failure> {
        let row = self.row(object, slot);
        let given: Given = row.values().map(|(prop, value)| (prop, value.to_owned())).collect();
        self.check_unique(object, &given, Some(slot))?;
        self.set_archived(object, slot, false, by);
        Ok(())
    }

    fn set_archived(&mut self, object: TypeNo, slot: Slot, archived: bool, by: Writer) {
        if self.row(object, slot).archived.is_some() == archived {
            return;
        }
        let kind = &self.schema.types[object];
        let id = self.tables[object].change(kind, slot, by.at, self.lag, |record| {
            record.archived = archived.then_some(by.at);
            record.updated = by.at;
            record.id
        });
        let (what, effect) = if archived {
            (Happening::Deletion, HubSpotEffectKind::Archived)
        } else {
            (Happening::Restore, HubSpotEffectKind::Restored)
        };
        self.notice(what, object, id, by);
        self.log(effect, object, id, by, Logged::default());
    }

    /// Erases a person for good: no list shows them, and no value is left.
    pub(in super::super) fn erase(&mut self, object: TypeNo, slot: Slot, by: Writer) {
        let end = (object, self.row(object, slot).id);
        let others = self.links.all(end);
        for (other, _) in &others {
            self.links.part(end, *other, None);
            self.recount(*other, by);
        }
        for list in self.lists.iter_mut().filter(|list| list.object == object) {
            list.members.remove(&end.1);
        }
        let kind = &self.schema.types[object];
        self.tables[object].change(kind, slot, by.at, self.lag, |record| {
            record.gone = true;
            record.forget();
        });
        self.notice(Happening::PrivacyDeletion, object, end.1, by);
        self.notice(Happening::Deletion, object, end.1, by);
        self.log(HubSpotEffectKind::Erased, object, end.1, by, Logged::default());
    }

    /// Whether two records may be joined by these types.
    pub(in super::super) fn may_join(&self, from: End, to: End, types: &[u32]) -> Result<(), Failure> {
        if from == to {
            return Err(Failure::invalid("A record cannot be associated with itself"));
        }
        self.links.default_type(from.0, to.0)?;
        types.iter().try_for_each(|id| self.links.named(from.0, to.0, *id).map(|_| ()))
    }

    /// Joins two records.
    pub(in super::super) fn join(&mut self, from: End, to: End, types: &[u32], by: Writer) {
        if self.links.join(from, to, types) {
            self.note_join(from, to, false, by);
        }
    }

    /// Parts two records: of these labels, or wholly.
    pub(in super::super) fn part(&mut self, from: End, to: End, only: Option<&[u32]>, by: Writer) {
        if self.links.part(from, to, only) {
            self.note_join(from, to, true, by);
        }
    }

    fn note_join(&mut self, from: End, to: End, removed: bool, by: Writer) {
        for (one, other) in [(from, to), (to, from)] {
            self.recount(one, by);
            let type_id = self.links.default_type(one.0, other.0).unwrap_or_default();
            let what = Happening::Association { to: other.0, to_id: other.1, type_id, removed };
            self.notice(what, one.0, one.1, by);
        }
        let kind = if removed { HubSpotEffectKind::Disassociated } else { HubSpotEffectKind::Associated };
        let other = Some(format!("{}/{}", self.schema.types[to.0].plural, to.1));
        self.log(kind, from.0, from.1, by, Logged { other, ..Logged::default() });
    }

    /// Brings the counts up to date that follow from associations; that is a change of the record.
    pub(super) fn recount(&mut self, end: End, by: Writer) {
        let count = |to: TypeNo| self.links.of(end, to).count().to_string();
        let filled: Vec<(&str, String)> = match end.0 {
            CONTACT => {
                let primary = self.links.of(end, COMPANY).find(|(_, types)| types.contains(&1));
                let company = primary.map(|((_, id), _)| id.to_string()).unwrap_or_default();
                vec![("associatedcompanyid", company), ("num_associated_deals", count(DEAL))]
            }
            COMPANY => vec![("num_associated_contacts", count(CONTACT)), ("num_associated_deals", count(DEAL))],
            DEAL => vec![("num_associated_contacts", count(CONTACT))],
            TICKET => vec![("hs_num_associated_companies", count(COMPANY))],
            _ => return,
        };
        let Some(slot) = self.tables[end.0].find(end.1) else { return };
        let kind = &self.schema.types[end.0];
        let row = self.tables[end.0].row(slot);
        let same = |(name, value): &(&str, String)| {
            let present = kind.find(name).and_then(|prop| row.get(prop)).unwrap_or_default();
            present == value || (present.is_empty() && value == "0")
        };
        if filled.iter().all(same) {
            return;
        }
        self.tables[end.0].change(kind, slot, by.at, self.lag, |record| {
            let mut draft = Draft { object: kind, no: end.0, record, at: by.at, changed: Vec::new() };
            for (name, value) in &filled {
                draft.fill(name, value);
            }
            draft.end();
        });
    }

    /// Puts records on a list, or takes them off; answers those of which that is new.
    pub(in super::super) fn list_change(&mut self, list: usize, ids: &[u64], add: bool, by: Writer) -> Vec<u64> {
        let known = &mut self.lists[list];
        let object = known.object;
        let mut changed = Vec::new();
        for id in ids {
            let new = if add { known.members.insert(*id, by.at).is_none() } else { known.members.remove(id).is_some() };
            if new {
                changed.push(*id);
            }
        }
        let other = Some(format!("lists/{}", known.given.list_id));
        let kind = if add { HubSpotEffectKind::ListAdded } else { HubSpotEffectKind::ListRemoved };
        for id in &changed {
            self.log(kind, object, *id, by, Logged { other: other.clone(), ..Logged::default() });
        }
        changed
    }
}
