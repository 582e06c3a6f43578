//! Accounts, who belongs to them, deals, and the pipelines and stages that deals are in. Money is in cents.

mod accounts;
mod deals;
mod pipelines;

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(super) use self::{accounts::link_account, pipelines::found};
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
    members: BTreeMap<u64, Member>,
    groups: BTreeMap<u64, Group>,
    stages: BTreeMap<u64, Stage>,
    deals: BTreeMap<u64, Deal>,
}

impl Crm {
    pub(super) fn forget_contact(&mut self, contact: u64) {
        self.members.retain(|_, member| member.contact != contact);
        self.deals.values_mut().filter(|deal| deal.contact == Some(contact)).for_each(|deal| deal.contact = None);
    }

    /// Its memberships and its deals.
    pub(super) fn of_contact(&self, shapes: &Shapes, contact: u64) -> (Vec<Value>, Vec<Value>) {
        let members = self.members.iter().filter(|(_, member)| member.contact == contact);
        let deals = self.deals.iter().filter(|(_, deal)| deal.contact == Some(contact));
        (
            members.map(|(id, member)| accounts::shown_member(shapes, *id, member)).collect(),
            deals.map(|(id, deal)| deals::shown_deal(shapes, *id, deal)).collect(),
        )
    }

    /// The name of the account a contact belongs to.
    pub(super) fn account_of(&self, contact: u64) -> Option<&str> {
        let member = self.members.values().find(|member| member.contact == contact)?;
        self.accounts.get(&member.account).map(|account| account.name.as_str())
    }

    pub(super) fn deals(&self, shapes: &Shapes) -> Vec<Value> {
        self.deals.iter().map(|(id, deal)| deals::shown_deal(shapes, *id, deal)).collect()
    }
}

/// `/accounts…`, `/accountContacts…`, `/deals…`, `/dealGroups…` and `/dealStages…`
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
        "dealGroups" => pipelines::groups(state, act, shapes, method, rest, asked),
        _ => pipelines::stages(state, act, shapes, method, rest, asked),
    }
}

fn known<T>(rows: &BTreeMap<u64, T>, what: &str, id: &str) -> Result<u64, Refused> {
    id.parse().ok().filter(|id| rows.contains_key(id)).ok_or_else(|| Refused::no_result(what, id))
}

fn gone(state: &mut State, act: &Act, object: &'static str, id: u64) -> Answer {
    state.journal.note(act.now, &act.actor, EffectKind::Deleted, object, id, Map::new());
    Ok(answer(200, &json!({})))
}
