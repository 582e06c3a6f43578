//! The imitation accounts behind one face: what their people see and do, and what programs wrote. What the fields are
//! called in each account stands in its own file.

mod crm;
mod tools;

use bytes::Bytes;
use http::{Request, Response};
use syncline_engine::ConnectionSetup;
use syncline_sandbox::salesforce::SchemaChange;

pub use self::{
    crm::Crm,
    tools::{Campaign, Hub, Post},
};
use super::{
    deals::{Deal, DealNames},
    fact::{Fact, Facts, Shown, Written},
};

/// One account.
pub trait Account: Send + Sync {
    /// The connection's name, and the first part of the host.
    fn name(&self) -> &'static str;

    /// Answers a request.
    fn answer(&self, base: &str, request: Request<Bytes>) -> Response<Bytes>;

    /// How the product reaches it.
    fn connection(&self) -> ConnectionSetup;

    /// The kind of records of people, and the account's names of what is mapped. The first kind is the one that new
    /// people are.
    fn kinds(&self) -> &'static [&'static str];
    fn field(&self, fact: Fact) -> Option<String>;

    /// Fields that the account, or the product for its own purposes, may set beside the mapped ones.
    fn own_fields(&self) -> &'static [&'static str];

    /// All live records of people.
    fn people(&self) -> Vec<Shown>;

    /// Somebody adds a person.
    fn add(&self, kind: &'static str, facts: &Facts) -> Result<String, String>;

    /// Somebody edits a record.
    fn edit(&self, id: &str, fact: Fact, value: Option<&str>) -> Result<(), String>;

    /// Somebody deletes a record.
    fn delete(&self, id: &str) -> Result<(), String>;

    /// What deals, and what is mapped of them, are called here.
    fn deal_names(&self) -> DealNames;

    /// All live deals.
    fn deals(&self) -> Vec<Deal>;

    /// Somebody deletes a deal.
    fn delete_deal(&self, id: &str) -> Result<(), String>;

    /// The writes of programs numbered after `number`, and the number of the last of all writes.
    fn written_since(&self, number: u64) -> (Vec<Written>, u64);

    /// The account that has leads, merges and a schema of its own.
    fn crm(&self) -> Option<&Crm> {
        None
    }

    /// Tokens die.
    fn expire(&self) {}
}

/// The field that administrators rename for a while.
pub fn renamed(object: &str, from: &str, to: &str) -> SchemaChange {
    SchemaChange::RenameField { object: object.to_owned(), field: from.to_owned(), to: to.to_owned() }
}

/// Where an account answers.
pub fn base(name: &str) -> String {
    format!("https://{name}.accounts.example")
}
