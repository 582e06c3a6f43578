//! Accounts, who belongs to them, deals, and the pipelines and stages that deals are in. Money is in cents.

mod accounts;
mod deals;
mod pipelines;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(super) use self::{
    accounts::{change as change_account, link_account},
    deals::delete as delete_deal,
    pipelines::found,
};
use super::{
    Act, State,
    answers::{Answer, Asked, Refused},
    shapes::Shapes,
};
use crate::{journal::EffectKind, web::json as answer};

#[derive(Debug)]
struct Account {
    name: String,
    url: Option<String>,
    owner: String,
    /// Values of custom fields, as they were given.
    fields: Vec<Value>,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug)]
struct Member {
    account: u64,
    contact: u64,
    job_title: String,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug)]
struct Group {
    title: String,
    currency: String,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug)]
struct Stage {
    title: String,
    group: u64,
    order: u64,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug)]
struct Deal {
    /// Text members as they are shown.
    texts: BTreeMap<&'static str, String>,
    value: i64,
    status: u64,
    contact: Option<u64>,
    account: Option<u64>,
    group: u64,
    stage: u64,
    fields: Vec<Value>,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Crm {
    accounts: BTreeMap<u64, Account>,
    by_name: HashMap<String, u64>,
    members: BTreeMap<u64, Member>,
    /// The memberships of a contact, and how many an account has.
    of_contact: BTreeMap<u64, BTreeSet<u64>>,
    headcount: BTreeMap<u64, u64>,
    groups: BTreeMap<u64, Group>,
    stages: BTreeMap<u64, Stage>,
    deals: BTreeMap<u64, Deal>,
    /// Custom fields of deals: label and type.
    deal_fields: BTreeMap<u64, (String, String)>,
    /// The same of accounts.
    account_fields: BTreeMap<u64, (String, String)>,
}

impl Crm {
    pub(super) fn forget_contact(&mut self, contact: u64) {
        for member in self.of_contact.get(&contact).cloned().unwrap_or_default() {
            self.leave(member);
        }
        self.deals.values_mut().filter(|deal| deal.contact == Some(contact)).for_each(|deal| deal.contact = None);
    }

    /// Its memberships and its deals.
    pub(super) fn of_contact(&self, shapes: &Shapes, contact: u64) -> (Vec<Value>, Vec<Value>) {
        let members = self.members_of(contact);
        let deals = self.deals.iter().filter(|(_, deal)| deal.contact == Some(contact));
        (
            members.map(|(id, member)| accounts::shown_member(shapes, id, member)).collect(),
            deals.map(|(id, deal)| deals::shown_deal(shapes, *id, deal)).collect(),
        )
    }

    /// The name of the account a contact belongs to.
    pub(super) fn account_of(&self, contact: u64) -> Option<&str> {
        let (_, member) = self.members_of(contact).next()?;
        self.accounts.get(&member.account).map(|account| account.name.as_str())
    }

    fn members_of(&self, contact: u64) -> impl Iterator<Item = (u64, &Member)> {
        let ids = self.of_contact.get(&contact).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.members.get(id)?)))
    }

    fn join(&mut self, id: u64, member: Member) {
        self.of_contact.entry(member.contact).or_default().insert(id);
        *self.headcount.entry(member.account).or_default() += 1;
        self.members.insert(id, member);
    }

    fn leave(&mut self, id: u64) {
        let Some(member) = self.members.remove(&id) else { return };
        if let Some(ids) = self.of_contact.get_mut(&member.contact) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_contact.remove(&member.contact);
            }
        }
        if let Some(count) = self.headcount.get_mut(&member.account) {
            *count = count.saturating_sub(1);
        }
    }

    /// Makes a custom field of deals, and yields its number.
    pub(super) fn add_deal_field(&mut self, label: &str, kind: &str) -> u64 {
        let id = self.deal_fields.len() as u64 + 1;
        self.deal_fields.insert(id, (label.to_owned(), kind.to_owned()));
        id
    }

    /// Makes a custom field of accounts, and yields its number.
    pub(super) fn add_account_field(&mut self, label: &str, kind: &str) -> u64 {
        let id = self.account_fields.len() as u64 + 1;
        self.account_fields.insert(id, (label.to_owned(), kind.to_owned()));
        id
    }

    /// The custom fields that were written of an account.
    pub(super) fn account_values(&self, account: u64) -> Vec<Value> {
        self.accounts.get(&account).map(|account| account.fields.clone()).unwrap_or_default()
    }

    /// The custom fields that were written of a deal.
    pub(super) fn deal_values(&self, deal: u64) -> Vec<Value> {
        self.deals.get(&deal).map(|deal| deal.fields.clone()).unwrap_or_default()
    }

    pub(super) fn account_ids(&self) -> Vec<u64> {
        self.accounts.keys().copied().collect()
    }

    /// The number of the account that a contact belongs to.
    pub(super) fn account_number_of(&self, contact: u64) -> Option<u64> {
        self.members_of(contact).next().map(|(_, member)| member.account)
    }

    pub(super) fn deals(&self, shapes: &Shapes) -> Vec<Value> {
        self.deals.iter().map(|(id, deal)| deals::shown_deal(shapes, *id, deal)).collect()
    }
}

pub(super) fn shown_accounts(state: &State, shapes: &Shapes) -> Vec<Value> {
    state.crm.account_ids().into_iter().map(|id| accounts::shown_account(state, shapes, id)).collect()
}

/// `/accounts…`, `/accountContacts…`, `/deals…`, `/dealGroups…`, `/dealStages…`, and the custom fields of accounts and deals.
pub(super) fn answer_to(
    state: &mut State,
    act: &Act,
    shapes: &Shapes,
    method: &Method,
    parts: &[&str],
    asked: &Asked,
) -> Answer {
    let rest = &parts[1..];
    match parts[0] {
        "accounts" => accounts::accounts(state, act, shapes, method, rest, asked),
        "accountContacts" => accounts::members(state, act, shapes, method, rest, asked),
        "deals" => deals::deals(state, act, shapes, method, rest, asked),
        "dealCustomFieldMeta" if method == Method::GET && rest.is_empty() => {
            Ok(shown_fields(&state.crm.deal_fields, parts[0], asked))
        }
        "accountCustomFieldMeta" if method == Method::GET && rest.is_empty() => {
            Ok(shown_fields(&state.crm.account_fields, parts[0], asked))
        }
        "accountCustomFieldData" if method == Method::GET && rest.is_empty() => accounts::values(state, shapes, asked),
        "dealGroups" => pipelines::groups(state, act, shapes, method, rest, asked),
        "dealStages" => pipelines::stages(state, act, shapes, method, rest, asked),
        _ => Err(super::answers::unknown()),
    }
}

fn shown_fields(fields: &BTreeMap<u64, (String, String)>, name: &str, asked: &Asked) -> http::Response<bytes::Bytes> {
    asked.page(name, fields.iter(), |(id, (label, kind))| {
        json!({"id": id.to_string(), "fieldLabel": label, "fieldType": kind, "fieldOptions": null,
               "fieldDefault": "", "isFormVisible": 1, "displayOrder": id})
    })
}

fn known<T>(rows: &BTreeMap<u64, T>, what: &str, id: &str) -> Result<u64, Refused> {
    id.parse().ok().filter(|id| rows.contains_key(id)).ok_or_else(|| Refused::no_result(what, id))
}

fn gone(state: &mut State, act: &Act, object: &'static str, id: u64) -> Answer {
    state.journal.note(act.now, &act.actor, EffectKind::Deleted, object, id, Map::new());
    Ok(answer(200, &json!({})))
}
