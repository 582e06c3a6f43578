//! The account's own door: looking at everything, and doing what its people and its contacts do. Nothing here goes
//! through the API, and nothing of it is counted as a call.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use super::{
    Act, ActiveCampaignAccount, FieldKind, Source, State, answers::Refused, book::Contact, contacts, fields, marks,
};
use crate::{
    Faults,
    journal::{Actor, Effect},
    web::{empty, json as answer},
};

impl ActiveCampaignAccount {
    /// What a client needs to call the account; the API is under `/api/3` of the address.
    pub fn credentials(&self, base_url: &str) -> Value {
        let state = self.state();
        let token = state.tokens.first().map(|(token, _)| token.as_str()).unwrap_or_default();
        json!({"url": base_url, "api_token": token})
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

    /// All contacts in the order of their numbers: what the API shows of each, with `fields` by personalisation tag,
    /// `tags` by name, and `lists` with their status.
    pub fn contacts_snapshot(&self) -> Vec<Value> {
        let state = self.state();
        state.book.after(0).map(|contact| self.whole(&state, contact)).collect()
    }

    /// One contact, as [`ActiveCampaignAccount::contacts_snapshot`] shows it.
    pub fn contact(&self, id: u64) -> Option<Value> {
        let state = self.state();
        state.book.get(id).map(|contact| self.whole(&state, contact))
    }

    fn whole(&self, state: &State, contact: &Contact) -> Value {
        let mut out = self.shapes().contact(contact);
        let value = |(field, held): (&u64, &super::book::FieldValue)| {
            Some((state.fields.perstag(*field)?.to_owned(), Value::from(held.value.clone())))
        };
        out.insert("fields".into(), Value::Object(contact.values.iter().filter_map(value).collect()));
        let tags: Vec<&str> = contact.tags.keys().filter_map(|tag| state.tags.name(*tag)).collect();
        out.insert("tags".into(), json!(tags));
        let lists = contact.lists.iter().map(|(list, held)| (list.to_string(), Value::from(held.status)));
        out.insert("lists".into(), Value::Object(lists.collect()));
        Value::Object(out)
    }

    /// All deals, as the API shows them.
    pub fn deals_snapshot(&self) -> Vec<Value> {
        self.state().crm.deals(&self.shapes())
    }

    /// Somebody deletes a deal; answers whether there was one.
    pub fn delete_deal(&self, id: u64) -> bool {
        super::crm::delete_deal(&mut self.state(), &self.person(), id)
    }

    /// Makes a custom field of deals of this type, and yields its number.
    pub fn add_deal_field(&self, label: &str, kind: &str) -> u64 {
        self.state().crm.add_deal_field(label, kind)
    }

    /// The custom fields that were written of a deal, as they were given.
    pub fn deal_values(&self, deal: u64) -> Vec<Value> {
        self.state().crm.deal_values(deal)
    }

    /// All accounts, as the API shows them.
    pub fn accounts_snapshot(&self) -> Vec<Value> {
        super::crm::shown_accounts(&self.state(), &self.shapes())
    }

    /// Makes a custom field of accounts of this type, and yields its number.
    pub fn add_account_field(&self, label: &str, kind: &str) -> u64 {
        self.state().crm.add_account_field(label, kind)
    }

    /// The custom fields that were written of an account, as they were given.
    pub fn account_values(&self, account: u64) -> Vec<Value> {
        self.state().crm.account_values(account)
    }

    /// The account that a contact belongs to.
    pub fn account_of(&self, contact: u64) -> Option<u64> {
        self.state().crm.account_number_of(contact)
    }

    /// Somebody edits an account: `{"name", "accountUrl", "owner", "fields"}` as the API takes it.
    pub fn edit_account(&self, id: u64, account: &Map<String, Value>) -> Result<(), String> {
        super::crm::change_account(&mut self.state(), &self.person(), id, account).map_err(told)
    }

    /// The contact with this address.
    pub fn contact_with_email(&self, email: &str) -> Option<u64> {
        self.state().book.find(email)
    }

    /// The number of the field with this personalisation tag.
    pub fn field(&self, perstag: &str) -> Option<u64> {
        self.state().fields.with_perstag(perstag)
    }

    /// Sets another allowance.
    pub fn set_calls_per_second(&self, calls: u32) {
        self.state().calls_per_second = calls;
    }

    /// Puts other tokens into force; the former ones are not valid any more.
    pub fn set_tokens(&self, tokens: Vec<(String, String)>) {
        self.state().tokens = tokens;
    }

    /// Imports with this address take it in and then fail it.
    pub fn fail_imports_of(&self, email: &str) {
        self.state().batches.failing.insert(email.to_lowercase());
    }

    /// Somebody adds a field.
    pub fn add_field(&self, title: &str, perstag: &str, kind: FieldKind, options: &[String]) -> u64 {
        let now = self.now();
        fields::add(&mut self.state(), title, perstag, kind, options, now)
    }

    /// Somebody adds a contact: `{"email", "firstName", …, "fieldValues"}` as the API takes it.
    pub fn add_contact(&self, contact: &Map<String, Value>) -> Result<u64, String> {
        let mut state = self.state();
        let address = contact.get("email").and_then(Value::as_str).and_then(super::book::email);
        let address = address.ok_or("a contact needs an address")?;
        if state.book.find(&address).is_some() {
            return Err(told(Refused::duplicate_email()));
        }
        Ok(contacts::insert(&mut state, &self.person(), address, contact))
    }

    /// Somebody edits a contact: `{"email", "firstName", …, "fieldValues"}` as the API takes it.
    pub fn edit(&self, id: u64, contact: &Map<String, Value>) -> Result<(), String> {
        contacts::update(&mut self.state(), &self.person(), id, contact).map_err(told)
    }

    /// Somebody deletes a contact; answers whether there was one.
    pub fn delete(&self, id: u64) -> bool {
        contacts::delete(&mut self.state(), &self.person(), id)
    }

    /// The contact takes a link "unsubscribe".
    pub fn unsubscribe(&self, id: u64, list: u64) -> bool {
        let act = Act { source: Source::Public, ..self.person() };
        self.set_status(id, list, 2, &act)
    }

    /// The contact subscribes by a form.
    pub fn subscribe(&self, id: u64, list: u64) -> bool {
        let act = Act { source: Source::Public, ..self.person() };
        self.set_status(id, list, 1, &act)
    }

    fn set_status(&self, id: u64, list: u64, status: u8, act: &Act) -> bool {
        let mut state = self.state();
        state.lists.contains(list) && marks::subscribe(&mut state, act, id, list, status).is_some()
    }

    /// Somebody puts a tag on a contact, or takes it off.
    pub fn set_tag(&self, id: u64, name: &str, on: bool) -> bool {
        let mut state = self.state();
        let (state, act) = (&mut *state, self.person());
        if state.book.get(id).is_none() {
            return false;
        }
        let tag = marks::tag_named(state, name, act.now);
        if on { marks::tag(state, &act, id, tag).is_some() } else { marks::untag(state, &act, id, tag) }
    }

    fn person(&self) -> Act {
        Act { now: self.now(), actor: Actor::Person, source: Source::Admin, quiet: false }
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
                    "accounts": self.accounts_snapshot()});
                answer(200, &state)
            }
            _ => empty(404),
        }
    }
}

fn told(refused: Refused) -> String {
    refused.to_string()
}
