//! The org's own door: looking at everything, and doing what an administrator, a colleague or a night does.
//!
//! Nothing here goes through the API, and nothing of it is counted as a call.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard},
};

use serde_json::{Map, Value, json};

use super::{
    SalesforceOrg, Shape, State,
    calls::CallLog,
    config::RuleSet,
    error::ApiError,
    events::{Author, Bus},
    fresh,
    id::Id,
    rules::{self, Converted, LeadConversion, Rules, Writer},
    schema::{FieldNo, SchemaChange},
    seed,
    world::{Effect, Row},
};

impl SalesforceOrg {
    /// All records of an object, those in the recycle bin included; empty for an unknown object.
    pub fn records(&self, object: &str) -> Vec<Map<String, Value>> {
        let state = self.settled();
        let Some(object) = state.world.schema.find(object) else { return Vec::new() };
        state.world.table(object).rows().map(|(_, row)| state.world.dump(object, row)).collect()
    }

    /// These fields of all live records of an object, in the order in which the records were made; null where a record has
    /// nothing there, or no such field.
    pub fn columns<const N: usize>(&self, object: &str, fields: [&str; N]) -> Vec<[Value; N]> {
        self.values(object, fields, false)
    }

    /// The same of all records, those in the recycle bin included.
    pub fn columns_with_bin<const N: usize>(&self, object: &str, fields: [&str; N]) -> Vec<[Value; N]> {
        self.values(object, fields, true)
    }

    fn values<const N: usize>(&self, object: &str, fields: [&str; N], with_bin: bool) -> Vec<[Value; N]> {
        let state = self.settled();
        let Some(object) = state.world.schema.find(object) else { return Vec::new() };
        let def = state.world.def(object);
        let numbers = fields.map(|field| def.field_no(field));
        let value = |row: &Row, no: Option<FieldNo>| Some(row.read(def, no?)?.to_json());
        let rows = state.world.table(object).rows().filter(|(_, row)| with_bin || !row.deleted);
        rows.map(|(_, row)| numbers.map(|no| value(row, no).unwrap_or(Value::Null))).collect()
    }

    /// All live records by object, in the order in which they were made; objects without any are left out.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<Map<String, Value>>> {
        let state = self.settled();
        let mut out = BTreeMap::new();
        for (no, def) in state.world.schema.objects.iter().enumerate() {
            let live = state.world.table(no).rows().filter(|(_, row)| !row.deleted);
            let records: Vec<_> = live.map(|(_, row)| state.world.dump(no, row)).collect();
            if !records.is_empty() {
                out.insert(def.name.clone(), records);
            }
        }
        out
    }

    /// What has been asked so far.
    pub fn calls(&self) -> CallLog {
        self.state().calls.clone()
    }

    /// How many requests there have been; the last one has this number.
    pub fn request_count(&self) -> u64 {
        self.state().requests
    }

    /// The writes that stayed, numbered after `number` (0: all that are kept), oldest first. None are kept unless the
    /// configuration says how many.
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.settled().world.effects_since(number)
    }

    /// Puts a record into the org by the back door: read-only fields may be set, required ones may be missing.
    pub fn seed(&self, object: &str, record: &Map<String, Value>) -> Result<String, String> {
        self.by_hand(|state, writer| {
            let object = state.world.schema.find(object).ok_or_else(|| no_object(object))?;
            rules::insert(&mut state.world, object, record, None, writer, rules::Op::Seed)
        })
        .map(|id| id.as_str().to_owned())
    }

    /// Changes a record as a colleague does in the browser: all rules apply, and none is bypassed.
    pub fn edit(&self, id: &str, fields: &Map<String, Value>) -> Result<(), String> {
        self.by_hand(|state, writer| {
            let place = state.world.find(parse(id)?).ok_or_else(ApiError::bad_reference)?;
            rules::update(&mut state.world, place, fields, writer, rules::Op::Update)
        })
    }

    /// Moves a record to the recycle bin.
    pub fn delete(&self, id: &str) -> Result<(), String> {
        self.by_hand(|state, writer| {
            let place = state.world.find(parse(id)?).ok_or_else(ApiError::bad_reference)?;
            rules::delete(&mut state.world, place, writer)
        })
    }

    /// Takes a record out of the recycle bin.
    pub fn undelete(&self, id: &str) -> Result<(), String> {
        self.by_hand(|state, writer| rules::undelete(&mut state.world, parse(id)?, writer))
    }

    /// Empties one record out of the recycle bin: it is gone for good.
    pub fn purge(&self, id: &str) -> Result<(), String> {
        self.by_hand(|state, _| rules::purge(&mut state.world, parse(id)?))
    }

    /// Converts a lead, as a colleague does in the browser.
    pub fn convert_lead(&self, asked: &LeadConversion) -> Result<Converted, String> {
        self.by_hand(|state, writer| rules::convert_lead(&mut state.world, asked, writer))
    }

    /// Merges one or two accounts, contacts or leads into another, which gets these fields on top.
    pub fn merge(&self, master: &str, losers: &[&str], fields: &Map<String, Value>) -> Result<(), String> {
        self.by_hand(|state, writer| {
            let losers = losers.iter().map(|id| parse(id)).collect::<Result<Vec<Id>, _>>()?;
            rules::merge(&mut state.world, parse(master)?, &losers, fields, writer)
        })
    }

    /// Hides a record from those who call the API, or shows it again. Rules go on seeing it.
    pub fn hide(&self, id: &str, hidden: bool) -> Result<(), String> {
        self.by_hand(|state, _| {
            let id = parse(id)?;
            if hidden {
                state.world.hidden.insert(id);
            } else {
                state.world.hidden.remove(&id);
            }
            Ok(())
        })
    }

    /// The rules in force.
    pub fn rules(&self) -> RuleSet {
        self.state().world.rules.set.clone()
    }

    /// Puts other rules into force; the error says what they name that there is not.
    pub fn set_rules(&self, set: RuleSet) -> Result<(), String> {
        let mut state = self.state();
        if let Some(unknown) = set.unknown(&state.world.schema) {
            return Err(unknown);
        }
        let rules = Rules { set, ..Rules::clone(&state.world.rules) };
        state.world.rules = Arc::new(rules);
        let writer = Writer::plain(state.default_owner, self.clock.now().as_second());
        seed::rule_records(&mut state.world, writer);
        state.world.commit();
        Ok(())
    }

    /// Changes the schema as an administrator does, while everything goes on.
    pub fn change_schema(&self, change: &SchemaChange) -> Result<(), String> {
        let now = self.clock.now().as_second();
        let mut state = self.state();
        let changed = state.world.schema.changed(change)?;
        let schema = Arc::new(changed.schema);
        state.world.reshape(schema.clone(), changed.renamed);
        // Open queries know the fields by their old places.
        state.cursors = Default::default();
        if let SchemaChange::SharedActivities { on } = change {
            let rules = Rules { shared_activities: *on, ..Rules::clone(&state.world.rules) };
            state.world.rules = Arc::new(rules);
            let writer = Writer::plain(state.default_owner, now);
            rules::activities_switched(&mut state.world, writer);
            state.world.commit();
        }
        *self.shape_mut() = Arc::new(Shape::new(schema, Arc::default(), &*self.entropy, now));
        Ok(())
    }

    /// Switches "Allow Users to Relate Multiple Contacts to Tasks and Events".
    pub fn set_shared_activities(&self, on: bool) -> Result<(), String> {
        self.change_schema(&SchemaChange::SharedActivities { on })
    }

    /// Ends all sessions; refresh tokens stay.
    pub fn expire_sessions(&self) {
        self.state().tokens.expire_all();
    }

    /// Forgets all records, tokens and calls; faults, rules and the schema stay as they are.
    pub fn reset(&self) {
        let mut state = self.state();
        let (schema, rules) = (state.world.schema.clone(), state.world.rules.clone());
        let (fresh, _) = fresh(schema, rules, &self.config, self.clock.now().as_second());
        *state = fresh;
        state.world.announce_on(self.bus.clone());
    }

    /// Announces a change of records of which nothing more can be told (`GAP_UPDATE` and the like), or of so many that
    /// none is named (`GAP_OVERFLOW`, without ids).
    pub fn announce_gap(&self, object: &str, change: &str, ids: &[&str]) -> Result<(), String> {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.bus()?.publish_bare(&self.schema(), object, change, ids, self.clock.now().as_second())
    }

    /// Forgets all change events, as the platform does after 72 hours: no replay id of before is good any more.
    pub fn forget_events(&self) -> Result<(), String> {
        // One that is newer than all that were given out.
        let bus = self.bus()?;
        let selected = self.config.change_events.iter().flatten().next().cloned().unwrap_or_default();
        bus.publish_bare(&self.schema(), &selected, "SNAPSHOT", Vec::new(), self.clock.now().as_second())?;
        bus.forget();
        Ok(())
    }

    /// Breaks all exchanges in which somebody listens.
    pub fn break_streams(&self) -> Result<(), String> {
        self.bus()?.break_all();
        Ok(())
    }

    /// Gives everybody who listens a sign of life at once.
    pub fn sign_of_life(&self) -> Result<(), String> {
        self.bus()?.sign_of_life();
        Ok(())
    }

    /// How many subscriptions are open.
    pub fn listeners(&self) -> usize {
        self.bus.as_ref().map_or(0, |bus| bus.listeners())
    }

    fn bus(&self) -> Result<&Bus, String> {
        self.bus.as_deref().ok_or_else(|| "this org is without Change Data Capture".to_owned())
    }

    /// What a client needs to connect, with a refresh token made for it.
    pub fn credentials(&self, base_url: &str) -> Value {
        let mut state = self.state();
        let user = state.default_owner;
        let refresh = state.tokens.new_refresh(&*self.entropy, user);
        let named = self.config.users.iter().find(|known| known.is_active);
        let named = named.cloned().unwrap_or_default();
        json!({
            "base_url": base_url,
            "client_id": self.config.app.client_id,
            "client_secret": self.config.app.client_secret,
            "username": named.username,
            "password": named.password,
            "security_token": named.security_token,
            "refresh_token": refresh,
            "organization_id": self.org_id.as_str(),
            "user_id": user.as_str(),
            "event_endpoint": self.bus.as_ref().map(|_| base_url),
        })
    }

    /// The state, after all that should have happened by now.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        self.settle_jobs(&mut state, self.clock.now().as_second());
        state
    }

    /// Does something between requests, whole or not at all.
    fn by_hand<T>(&self, act: impl FnOnce(&mut State, Writer) -> Result<T, ApiError>) -> Result<T, String> {
        let now = self.clock.now().as_second();
        let mut state = self.state();
        let writer = Writer::plain(state.default_owner, now);
        state.world.enter(0, now);
        let user = state.default_owner;
        state.world.author(|| by_browser(user));
        let mark = state.world.mark();
        let done = act(&mut state, writer);
        if done.is_err() {
            state.world.rollback(mark);
        }
        state.world.commit();
        done.map_err(|error| format!("{}: {}", error.code, error.message))
    }
}

/// Changes that are made in the browser bear the name of the platform's own client.
fn by_browser(user: Id) -> Author {
    Author { user: user.as_str().to_owned(), origin: "com/salesforce/api/soap/66.0;client=SfdcInternalAPI/".to_owned() }
}

fn parse(id: &str) -> Result<Id, ApiError> {
    Id::parse(id).ok_or_else(|| ApiError::record("MALFORMED_ID", format!("malformed id {id}"), &[]))
}

fn no_object(name: &str) -> ApiError {
    ApiError::request("INVALID_TYPE", format!("no object {name}"))
}
