//! The account's records and what joins them, as plain state: nothing here knows HTTP, tokens or limits. The time and
//! the writer are handed in.

mod derive;
mod effects;
mod links;
mod merge;
mod pipelines;
mod record;
mod table;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    config::{HubSpotConfig, HubSpotList, HubSpotUser},
    error::Failure,
    schema::{CONTACT, Schema, TypeNo},
};

use self::effects::Effects;
pub use self::{
    effects::{HubSpotEffect, HubSpotEffectKind},
    record::HubSpotWho,
};
pub(super) use self::{
    links::{LinkType, Links},
    pipelines::wire as pipelines,
    record::Record,
    table::{Slot, Table},
    write::{Given, Writer},
};

/// What happened to a record, for those who subscribed to it.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Creation,
    Deletion,
    PrivacyDeletion,
    Restore,
    Change { name: String, value: String },
    Merge { primary: u64, merged: Vec<u64>, survivor: u64, moved: usize },
    Association { to: TypeNo, to_id: u64, type_id: u32, removed: bool },
}

#[derive(Debug, Clone)]
pub(super) struct Happened {
    pub(super) what: Happening,
    pub(super) object: TypeNo,
    pub(super) id: u64,
    pub(super) by: Writer,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) given: HubSpotList,
    pub(super) object: TypeNo,
    pub(super) created: i64,
    /// Who is on it, and since when.
    pub(super) members: BTreeMap<u64, i64>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) schema: Schema,
    pub(super) tables: Vec<Table>,
    pub(super) links: Links,
    pub(super) lists: Vec<List>,
    pub(super) users: Vec<HubSpotUser>,
    owner_ids: Vec<u64>,
    /// Addresses that were asked to be erased when nobody had them; nobody may have them any more.
    pub(super) blocked: BTreeSet<String>,
    pub(super) effects: Effects,
    /// What happened since it was last taken; kept only while somebody watches.
    pub(super) happened: Vec<Happened>,
    pub(super) watched: bool,
    /// Milliseconds until a search sees a write.
    pub(super) lag: i64,
    pub(super) merge_gives_new_id: bool,
    last_id: u64,
}

impl World {
    pub(super) fn new(config: &HubSpotConfig, now: i64) -> Result<Self, Failure> {
        let schema = Schema::new(config, now)?;
        let mut world = Self {
            tables: schema.types.iter().map(|_| Table::default()).collect(),
            links: Links::new(&schema),
            schema,
            lists: Vec::new(),
            users: config.users.clone(),
            owner_ids: config.users.iter().map(|user| user.owner_id).collect(),
            blocked: BTreeSet::new(),
            effects: Effects::keeping(config.kept_effects),
            happened: Vec::new(),
            watched: false,
            lag: i64::try_from(config.search_lag.as_millis()).unwrap_or(i64::MAX),
            merge_gives_new_id: config.merge_gives_new_id,
            last_id: config.first_id.saturating_sub(1),
        };
        for list in &config.lists {
            world.add_list(list.clone(), now)?;
        }
        Ok(world)
    }

    pub(super) fn add_list(&mut self, given: HubSpotList, now: i64) -> Result<(), Failure> {
        let object = self.schema.named(&given.object)?;
        self.lists.push(List { given, object, created: now, members: BTreeMap::new() });
        Ok(())
    }

    /// Lets searches see what is old enough.
    pub(super) fn settle(&mut self, now: i64) {
        for table in &mut self.tables {
            table.settle(now);
        }
    }

    fn take_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn row(&self, object: TypeNo, slot: Slot) -> &Record {
        self.tables[object].row(slot)
    }

    /// What a record is joined with, of one object; what is archived keeps its associations, but nobody sees them.
    pub(super) fn joined(&self, from: (TypeNo, u64), to: TypeNo) -> impl Iterator<Item = (u64, &[u32])> {
        let live = move |id: u64| self.tables[to].find(id).is_some_and(|slot| self.row(to, slot).live());
        self.links.of(from, to).filter(move |((_, id), _)| live(*id)).map(|((_, id), types)| (id, types))
    }

    /// The record that is asked for by its id, or by the value of a property that is unique.
    pub(super) fn look_up(&self, object: TypeNo, id: &str, property: Option<&str>) -> Result<Option<Slot>, Failure> {
        let table = &self.tables[object];
        let Some(name) = property.filter(|name| *name != "hs_object_id") else {
            return Ok(id.parse().ok().and_then(|id| table.find(id)));
        };
        let kind = &self.schema.types[object];
        let unique = kind.find(name).filter(|prop| kind.property(*prop).unique);
        let Some(prop) = unique else {
            let message = format!("Unable to perform the call by non-unique {} property {name}", kind.id);
            return Err(Failure::invalid(message));
        };
        let wanted = if object == CONTACT && name == "email" { id.trim().to_lowercase() } else { id.to_owned() };
        Ok(table.find_unique(prop, &wanted))
    }

    fn notice(&mut self, what: Happening, object: TypeNo, id: u64, by: Writer) {
        if self.watched {
            self.happened.push(Happened { what, object, id, by });
        }
    }

    fn log(&mut self, kind: HubSpotEffectKind, object: TypeNo, id: u64, by: Writer, more: Logged) {
        self.effects.note(HubSpotEffect {
            number: 0,
            request: by.request,
            at: by.at,
            kind,
            object: self.schema.types[object].plural.clone(),
            id: id.to_string(),
            properties: more.properties,
            other: more.other,
            who: by.who,
        });
    }
}

/// The particulars of an effect.
#[derive(Default)]
struct Logged {
    properties: BTreeMap<String, String>,
    other: Option<String>,
}
