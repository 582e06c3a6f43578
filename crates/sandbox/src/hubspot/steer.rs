//! The account's own door: looking at everything, and doing what its people do in the browser. Nothing of it goes
//! through the API or counts as a call.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use super::{
    HubSpotAccount, HubSpotDelivery, HubSpotEffect, HubSpotProperty, HubSpotRates, HubSpotWho, State,
    error::Failure,
    schema::TypeNo,
    world::{Record, Slot, World, Writer},
};
use crate::faults::Faults;

/// A record as it is, without anything that an answer adds or leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSpotRecord {
    pub id: String,
    /// What has a value.
    pub properties: BTreeMap<String, String>,
    pub links: Vec<HubSpotLink>,
    pub archived: bool,
}

/// What a record is associated with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSpotLink {
    /// Such as `companies`.
    pub object: String,
    pub id: String,
    pub type_ids: Vec<u32>,
}

impl HubSpotAccount {
    /// What goes wrong with calls.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Creates a record as the first user does in the browser, and answers its id.
    pub fn create(&self, object: &str, properties: &[(&str, &str)]) -> Result<String, String> {
        self.by_hand(|state, by| {
            let world = &mut state.world;
            let no = world.schema.named(object)?;
            let given = world.given(no, &given(properties))?;
            let given = world.check_create(no, given)?;
            let slot = world.create(no, &given, by);
            Ok(world.row(no, slot).id.to_string())
        })
    }

    /// Changes a record in the browser; an empty value clears.
    pub fn edit(&self, object: &str, id: &str, properties: &[(&str, &str)]) -> Result<(), String> {
        self.by_hand(|state, by| {
            let (no, slot) = live(&state.world, object, id)?;
            let given = state.world.given(no, &given(properties))?;
            state.world.check_update(no, slot, &given)?;
            state.world.update(no, slot, &given, by);
            Ok(())
        })
    }

    /// Deletes a record in the browser: it is archived, and can be restored.
    pub fn archive(&self, object: &str, id: &str) -> Result<(), String> {
        self.by_hand(|state, by| {
            let (no, slot) = live(&state.world, object, id)?;
            state.world.archive(no, slot, by);
            Ok(())
        })
    }

    /// Restores an archived record.
    pub fn restore(&self, object: &str, id: &str) -> Result<(), String> {
        self.by_hand(|state, by| {
            let no = state.world.schema.named(object)?;
            let slot = state.world.look_up(no, id, None)?.ok_or_else(Failure::not_found)?;
            state.world.restore(no, slot, by)
        })
    }

    /// Erases a person for good.
    pub fn erase(&self, object: &str, id: &str) -> Result<(), String> {
        self.by_hand(|state, by| {
            let no = state.world.schema.named(object)?;
            let slot = state.world.look_up(no, id, None)?.ok_or_else(Failure::not_found)?;
            state.world.erase(no, slot, by);
            Ok(())
        })
    }

    /// Merges the second record into the first, and answers the survivor's id.
    pub fn merge(&self, object: &str, primary: &str, other: &str) -> Result<String, String> {
        self.by_hand(|state, by| {
            let (no, primary) = live(&state.world, object, primary)?;
            let (_, other) = live(&state.world, object, other)?;
            let survivor = state.world.merge(no, primary, other, by)?;
            Ok(state.world.row(no, survivor).id.to_string())
        })
    }

    /// Associates two records, each given as object and id; with a label by its type id, or without.
    pub fn associate(&self, from: (&str, &str), to: (&str, &str), type_id: Option<u32>) -> Result<(), String> {
        self.by_hand(|state, by| {
            let (from, to) = (end(&state.world, from)?, end(&state.world, to)?);
            let types: Vec<u32> = type_id.into_iter().collect();
            state.world.may_join(from, to, &types)?;
            state.world.join(from, to, &types, by);
            Ok(())
        })
    }

    /// Takes all associations between two records away.
    pub fn disassociate(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), String> {
        self.by_hand(|state, by| {
            let (from, to) = (end(&state.world, from)?, end(&state.world, to)?);
            state.world.part(from, to, None, by);
            Ok(())
        })
    }

    /// Puts a record on a list, or takes it off.
    pub fn list_member(&self, list_id: u64, id: &str, on: bool) -> Result<(), String> {
        self.by_hand(|state, by| {
            let list = state.world.lists.iter().position(|list| list.given.list_id == list_id);
            let list = list.ok_or_else(Failure::not_found)?;
            let id: u64 = id.parse().map_err(|_| Failure::not_found())?;
            state.world.list_change(list, &[id], on, by);
            Ok(())
        })
    }

    /// Who is on a list.
    pub fn list_members(&self, list_id: u64) -> Vec<String> {
        let state = self.state();
        let list = state.world.lists.iter().find(|list| list.given.list_id == list_id);
        list.into_iter().flat_map(|list| list.members.keys()).map(u64::to_string).collect()
    }

    /// Adds a property, as an administrator does.
    pub fn add_property(&self, object: &str, property: &HubSpotProperty) -> Result<(), String> {
        self.by_hand(|state, by| {
            let no = state.world.schema.named(object)?;
            let kind = &mut state.world.schema.types[no];
            let group = format!("{}information", kind.singular);
            kind.add_own(property, &group, by.at).map(|_| ())
        })
    }

    /// Archives an own property: nothing reads or writes it any more.
    pub fn archive_property(&self, object: &str, name: &str) -> Result<(), String> {
        self.by_hand(|state, by| {
            let no = state.world.schema.named(object)?;
            state.world.schema.types[no].reshape(name, by.at, |known| known.archived = true)
        })
    }

    /// Sets the options of an own property.
    pub fn set_options(&self, object: &str, name: &str, options: &[&str]) -> Result<(), String> {
        self.by_hand(|state, by| {
            let no = state.world.schema.named(object)?;
            state.world.schema.types[no].reshape(name, by.at, |known| {
                known.options = options.iter().map(|one| ((*one).to_owned(), (*one).to_owned())).collect();
            })
        })
    }

    /// One record by its id, archived or not; a merged one's id leads to the survivor.
    pub fn record(&self, object: &str, id: &str) -> Option<HubSpotRecord> {
        let state = self.state();
        let no = state.world.schema.find(object)?;
        let slot = state.world.look_up(no, id, None).ok()??;
        Some(view(&state.world, no, state.world.row(no, slot)))
    }

    /// All live records by object, in the order in which they were made; objects without any are left out.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<HubSpotRecord>> {
        let state = self.state();
        let mut all = BTreeMap::new();
        for (no, kind) in state.world.schema.types.iter().enumerate() {
            let live = state.world.tables[no].rows().map(|(_, row)| row).filter(|row| row.live());
            let records: Vec<_> = live.map(|row| view(&state.world, no, row)).collect();
            if !records.is_empty() {
                all.insert(kind.plural.clone(), records);
            }
        }
        all
    }

    /// How many live records an object has.
    pub fn count(&self, object: &str) -> usize {
        let state = self.state();
        state.world.schema.find(object).map_or(0, |no| state.world.tables[no].live)
    }

    /// Calls by what they asked for, such as `POST contacts/batch/upsert`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state().calls.clone()
    }

    /// How many calls there have been.
    pub fn call_count(&self) -> u64 {
        self.state().requests
    }

    /// The writes that stayed, numbered after `number` (0: all that are kept), oldest first, with who did them.
    pub fn effects_since(&self, number: u64) -> Vec<HubSpotEffect> {
        self.state().world.effects.since(number)
    }

    pub fn set_rates(&self, rates: HubSpotRates) {
        self.state().limits.rates = rates;
    }

    /// How long writes stay unseen by searches from now on.
    pub fn set_search_lag(&self, lag: Duration) {
        self.state().world.lag = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
    }

    /// Installs the public app, and answers what a token call would.
    pub fn install(&self) -> Value {
        let now = self.now();
        self.state().tokens.install(&self.config, now)
    }

    /// Ends all access tokens; refresh tokens stay.
    pub fn expire_tokens(&self) {
        let now = self.now();
        self.state().tokens.expire_access(now);
    }

    /// Uninstalls the public app: no token of it is valid any more.
    pub fn uninstall(&self) {
        self.state().tokens.uninstall();
    }

    /// Sets where an app's webhooks go and what it is told, as a developer does in the browser.
    pub fn subscribe(&self, app_id: u64, url: &str, event_type: &str, property: Option<&str>) -> Result<u64, String> {
        let now = self.now();
        let mut state = self.state();
        let State { hooks, world, .. } = &mut *state;
        hooks.set_target(app_id, url, 10, now);
        let id = hooks.subscribe(world, app_id, event_type, None, property, now).map_err(|failure| failure.message)?;
        hooks.activate(id, true, now);
        world.watched = true;
        Ok(id)
    }

    /// The webhooks that are to be delivered now, signed with the present time. What is taken and not reported by
    /// [`HubSpotAccount::report`] is lost.
    pub fn take_deliveries(&self) -> Vec<HubSpotDelivery> {
        let now = self.now();
        self.state().hooks.take(now, &self.config)
    }

    /// What a delivery was answered, if it was; most failures are tried again later.
    pub fn report(&self, sent: &HubSpotDelivery, status: Option<u16>, retry_after: Option<Duration>) {
        let now = self.now();
        self.state().hooks.report(sent, status, retry_after, now);
    }

    fn by_hand<T>(&self, act: impl FnOnce(&mut State, Writer) -> Result<T, Failure>) -> Result<T, String> {
        let user = self.config.users.first().map_or(0, |user| user.user_id);
        let now = self.now();
        let mut state = self.state();
        state.world.settle(now);
        let by = Writer { who: HubSpotWho::Person(user), at: now, request: state.requests };
        let out = act(&mut state, by).map_err(|failure| failure.message);
        self.tell(&mut state);
        out
    }
}

fn given(properties: &[(&str, &str)]) -> Map<String, Value> {
    properties.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

fn live(world: &World, object: &str, id: &str) -> Result<(TypeNo, Slot), Failure> {
    let no = world.schema.named(object)?;
    let found = world.look_up(no, id, None)?.filter(|slot| world.row(no, *slot).live());
    Ok((no, found.ok_or_else(Failure::not_found)?))
}

fn end(world: &World, (object, id): (&str, &str)) -> Result<(TypeNo, u64), Failure> {
    let (no, slot) = live(world, object, id)?;
    Ok((no, world.row(no, slot).id))
}

fn view(world: &World, no: TypeNo, row: &Record) -> HubSpotRecord {
    let kind = &world.schema.types[no];
    let links = world.links.all((no, row.id)).into_iter().map(|((to, id), type_ids)| HubSpotLink {
        object: world.schema.types[to].plural.clone(),
        id: id.to_string(),
        type_ids,
    });
    HubSpotRecord {
        id: row.id.to_string(),
        properties: row.values().map(|(prop, value)| (kind.property(prop).name.clone(), value.to_owned())).collect(),
        links: links.collect(),
        archived: row.archived.is_some(),
    }
}
