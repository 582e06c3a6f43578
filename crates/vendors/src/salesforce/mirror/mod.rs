//! Records in step: what changed in few calls, many rows written in few calls. A folder file per question: `changes`,
//! `whole` (all of a large kind), `reading`, `shapes` (descriptions), `collections` and `bulk` (two ways to write), `rows`
//! (what a row says), `refusal`.
//!
//! Nothing is kept here: what a round has come to stands in its [`cursor`], what a job was given in the rows that the
//! caller hands over again.

mod bulk;
mod changes;
mod collections;
mod csv;
mod cursor;
mod reading;
mod refusal;
mod rows;
mod shapes;
#[cfg(test)]
pub(super) mod tests;
mod whole;

use std::time::Duration;

use syncline_connect::{
    Answered, BoxFuture, Cx, Error, ErrorKind, Mirror, Retry, Settings,
    mirror::{Ask, Changes, KindSpec, Lookup, RowWrite, Seen, Written},
};
use syncline_core::{description::ObjectDescription, ids::RecordId, record::Role};

use self::changes::Pace;
use super::{Salesforce, query::ROWS_PER_PAGE};

/// Two minutes: with one call a look 720 calls a day, under one in a hundred of what an Enterprise org has.
const EVERY: Duration = Duration::from_secs(120);

const fn kind(name: &'static str, role: Role) -> KindSpec {
    KindSpec {
        name,
        role,
        email: None,
        phone: None,
        one_per_email: false,
        created: Some("CreatedDate"),
        opt_out: None,
        sets: &[],
        can_create: true,
        can_delete: true,
        shows_deleted: true,
        reads_at_once: reading::READS_AT_ONCE,
        every: EVERY,
    }
}

const fn person(name: &'static str, role: Role) -> KindSpec {
    KindSpec { email: Some("Email"), phone: Some("Phone"), opt_out: Some("HasOptedOutOfEmail"), ..kind(name, role) }
}

/// What can be kept in step. Which fields are sets an org's own description says.
static KINDS: [KindSpec; 4] = [
    person("Contact", Role::Contact),
    person("Lead", Role::Lead),
    kind("Account", Role::Account),
    kind("Opportunity", Role::Opportunity),
];

impl Mirror for Salesforce {
    fn kinds(&self) -> &'static [KindSpec] {
        &KINDS
    }

    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kinds: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>> {
        Box::pin(shapes::describe(cx, kinds))
    }

    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        asks: &'a [Ask<'a>],
    ) -> BoxFuture<'a, Result<Answered<Vec<Changes>>, Error>> {
        Box::pin(changes::changes(cx, asks, Pace { page: ROWS_PER_PAGE, job_from: whole::JOB_FROM }))
    }

    fn fetch<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        ids: &'a [RecordId],
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<Answered<Vec<Seen>>, Error>> {
        Box::pin(reading::fetch(cx, kind, ids, fields))
    }

    fn find<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        key: Lookup<'a>,
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<Answered<Vec<Seen>>, Error>> {
        Box::pin(reading::find(cx, kind, key, fields))
    }

    fn carries(&self, _settings: &Settings, _kind: &str, waiting: usize) -> usize {
        match waiting {
            bulk::ROWS_MIN.. => waiting.min(bulk::ROWS_MAX),
            _ => waiting.clamp(1, collections::ROWS_PER_CALL),
        }
    }

    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        Box::pin(async move {
            if rows.len() >= bulk::ROWS_MIN && bulk::can_carry(rows) {
                bulk::write(cx, kind, rows).await
            } else {
                collections::write(cx, kind, rows).await
            }
        })
    }

    fn collect<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        ticket: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        Box::pin(bulk::collect(cx, kind, ticket, rows))
    }
}

/// The kind of this name.
fn known(op: &'static str, name: &str) -> Result<&'static KindSpec, Error> {
    let kind = KINDS.iter().find(|kind| kind.name == name);
    kind.ok_or_else(|| configuration(op, format!("no records of the kind `{name}` can be kept in step")))
}

fn configuration(op: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, op, message)
}

fn protocol(op: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, op, message)
}
