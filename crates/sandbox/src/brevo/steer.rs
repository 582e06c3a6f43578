//! The account's own door: looking at everything, and doing what its people and its contacts do. Nothing here goes
//! through the API, and nothing of it is counted as a call.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use super::{
    Act, AttributeKind, BrevoAccount, BrevoRates,
    answers::Refused,
    book::{Change, Contact, Key},
    contacts::{Blanks, gone},
    crm::{self, Kind},
};
use crate::{
    Faults,
    journal::{Actor, Effect, EffectKind},
    web::{empty, json as answer},
};

impl BrevoAccount {
    /// What a client needs to call the account.
    pub fn credentials(&self, base_url: &str) -> Value {
        let state = self.state();
        let key = state.keys.first().map(|(key, _)| key.as_str()).unwrap_or_default();
        json!({"url": format!("{base_url}/v3"), "api_key": key})
    }

    /// Rules for what shall go wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How many calls the API has been asked for, refused ones included.
    pub fn calls(&self) -> u64 {
        self.state().calls.total
    }

    /// How often each kind of call was made: `PUT contacts/{id}`.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        self.state().calls.by_kind.clone()
    }

    /// The changes numbered after `number` (0: all that are kept), oldest first.
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.state().journal.since(number)
    }

    /// How many changes there have been.
    pub fn effects(&self) -> u64 {
        self.state().journal.written()
    }

    /// All contacts, as the API shows them, in the order of their creation.
    pub fn contacts_snapshot(&self) -> Vec<Value> {
        self.state().book.all().map(Contact::shown).collect()
    }

    /// All deals, as the API shows them.
    pub fn deals_snapshot(&self) -> Vec<Value> {
        self.state().crm.all(Kind::Deal)
    }

    /// Somebody deletes a deal; answers whether there was one.
    pub fn delete_deal(&self, id: &str) -> bool {
        crm::remove(&mut self.state(), &self.person(), &(Kind::Deal, id.to_owned()))
    }

    /// Makes an attribute of deals of this type, and yields its internal name.
    pub fn add_deal_attribute(&self, label: &str, kind: &str) -> String {
        self.state().crm.add_attribute(Kind::Deal, label, kind)
    }

    /// All companies, as the API shows them.
    pub fn companies_snapshot(&self) -> Vec<Value> {
        self.state().crm.all(Kind::Company)
    }

    /// Makes an attribute of companies of this type, and yields its internal name.
    pub fn add_company_attribute(&self, label: &str, kind: &str) -> String {
        self.state().crm.add_attribute(Kind::Company, label, kind)
    }

    /// Somebody edits a company: `{"name", "attributes", "linkedContactsIds"}` as the API takes it.
    pub fn edit_company(&self, id: &str, said: &Map<String, Value>) -> Result<(), String> {
        let place = (Kind::Company, id.to_owned());
        let mut state = self.state();
        crm::change(&mut state, &self.person(), &place, said, EffectKind::Updated).map_err(told)
    }

    /// One contact, as the API shows it.
    pub fn contact(&self, id: u64) -> Option<Value> {
        self.state().book.get(id).map(Contact::shown)
    }

    /// The contact with this address.
    pub fn contact_with_email(&self, email: &str) -> Option<u64> {
        self.state().book.find(Key::Email, email)
    }

    /// Sets other allowances.
    pub fn set_rates(&self, rates: BrevoRates) {
        self.state().rates = rates;
    }

    /// Puts other keys into force; the former ones are not valid any more.
    pub fn set_keys(&self, keys: Vec<(String, String)>) {
        self.state().keys = keys;
    }

    /// Adds an attribute, or gives one another kind; values that are there stay as they are.
    pub fn set_attribute(&self, name: &str, kind: AttributeKind) {
        self.state().schema.add(name, kind);
    }

    /// Takes an attribute away, and its values with it.
    pub fn remove_attribute(&self, name: &str) -> bool {
        let mut state = self.state();
        state.book.forget_attribute(name);
        state.schema.remove(name)
    }

    /// Somebody adds a contact: `{"email", "attributes", "listIds", …}` as the API takes it.
    pub fn add_contact(&self, body: &Map<String, Value>) -> Result<u64, String> {
        let mut state = self.state();
        let (state, act) = (&mut *state, self.person());
        let change = self.change(state, body, Blanks::Clear).map_err(told)?;
        if change.keys.is_empty() {
            return Err("a contact needs an identifier".into());
        }
        match state.book.held_by_others(None, &change).as_slice() {
            [] => Ok(self.insert(state, &act, &change)),
            held => Err(format!("another contact holds {held:?}")),
        }
    }

    /// Somebody edits a contact's attributes; `EMAIL`, `SMS` and `EXT_ID` are among them.
    pub fn edit(&self, id: u64, attributes: &Map<String, Value>) -> Result<(), String> {
        let mut state = self.state();
        let (state, act) = (&mut *state, self.person());
        let body = Map::from_iter([("attributes".to_owned(), Value::Object(attributes.clone()))]);
        let change = self.change(state, &body, Blanks::Clear).map_err(told)?;
        state.book.get(id).ok_or_else(|| told(gone()))?;
        self.update(state, &act, id, &change).map_err(told)
    }

    /// The contact takes a link "unsubscribe" that is about all mails, or somebody blocks it.
    pub fn unsubscribe(&self, id: u64) -> bool {
        self.consent(id, Change { email_blacklisted: Some(true), ..Change::default() }, Some("unsubscribed"))
    }

    /// Sets the flags of consent as somebody does in the account's pages.
    pub fn set_blacklisted(&self, id: u64, email: Option<bool>, sms: Option<bool>) -> bool {
        self.consent(id, Change { email_blacklisted: email, sms_blacklisted: sms, ..Change::default() }, None)
    }

    fn consent(&self, id: u64, change: Change, event: Option<&str>) -> bool {
        let mut state = self.state();
        let (state, act) = (&mut *state, self.person());
        if state.book.get(id).is_none() {
            return false;
        }
        match event {
            None => self.apply(state, &act, id, &change),
            Some(event) => {
                let done = state.book.update(id, &change, act.now);
                state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", id, done.fields);
                self.tell(state, &act, event, id, None);
            }
        }
        true
    }

    /// The contact leaves one list.
    pub fn unsubscribe_from(&self, id: u64, list: u64) -> bool {
        let mut state = self.state();
        let (state, act) = (&mut *state, self.person());
        let left = state.book.unsubscribe(id, list, act.now);
        if left {
            let fields = Map::from_iter([("listUnsubscribed".to_owned(), json!([list]))]);
            state.journal.note(act.now, &act.actor, EffectKind::Updated, "contact", id, fields);
            self.tell(state, &act, "unsubscribed", id, Some(list));
        }
        left
    }

    /// Somebody puts a contact on a list, or takes it off.
    pub fn set_on_list(&self, id: u64, list: u64, on: bool) -> Result<(), String> {
        let mut state = self.state();
        let (state, act) = (&mut *state, self.person());
        state.book.get(id).ok_or_else(|| told(gone()))?;
        if !state.book.lists.contains_key(&list) {
            return Err(format!("no list {list}"));
        }
        let (join, leave) = if on { (vec![list], Vec::new()) } else { (Vec::new(), vec![list]) };
        self.apply(state, &act, id, &Change { join, leave, ..Change::default() });
        Ok(())
    }

    /// Somebody deletes a contact.
    pub fn delete(&self, id: u64) -> Result<(), String> {
        let mut state = self.state();
        self.delete_contact(&mut state, &self.person(), id).map_err(told)
    }

    fn person(&self) -> Act {
        Act { now: self.now(), actor: Actor::Person }
    }

    /// Looking and steering by HTTP, under `/_sandbox`.
    pub(super) fn console(&self, base: &str, request: &Request<Bytes>) -> Response<Bytes> {
        if let Some(response) = self.faults.door(request) {
            return response;
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/_sandbox/credentials.json") => answer(200, &self.credentials(base)),
            (&Method::GET, "/_sandbox/calls.json") => answer(200, &json!(self.call_counts())),
            (&Method::GET, "/_sandbox/state.json") => {
                let state = json!({"contacts": self.contacts_snapshot(), "deals": self.deals_snapshot(),
                    "companies": self.companies_snapshot()});
                answer(200, &state)
            }
            _ => empty(404),
        }
    }
}

fn told(refused: Refused) -> String {
    refused.to_string()
}
