//! Salesforce: the CRM's records, looked up by queries and written as composite graphs, and its OAuth.
//!
//! What an org needs is in `README.md`; facts are in [`manifest`]; what leaves and comes back is in `api` and `wire`;
//! everything between is pure. Nothing here waits, repeats, refreshes, stores or logs, and nothing outside this folder
//! names Salesforce.

mod api;
mod check;
mod classify;
mod convert;
mod describe;
mod draw;
mod duplicates;
mod events;
mod find;
mod id;
pub mod manifest;
mod mirror;
mod oauth;
mod query;
mod recent;
mod refusal;
mod settings;
pub mod soql;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use syncline_connect::{
    Answered, BoxFuture, Connector, Cx, Error, Find, Grant, GraphOutcome, Listen, Manifest, Mirror, OAuth, Object,
    Recent, Records, Secret, Settings, TokenSet,
    oauth::{App, TokenCx},
    records::{Remark, Uses},
};
use syncline_core::{
    description::ObjectDescription,
    ids::RecordId,
    record::{Field, Record, Role, Value},
    step::Plan,
};
use url::Url;

pub use manifest::MANIFEST;

/// The connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Salesforce;

impl Connector for Salesforce {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn records(&self) -> Option<&dyn Records> {
        Some(self)
    }

    fn mirror(&self) -> Option<&dyn Mirror> {
        Some(self)
    }

    fn listen(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(self)
    }
}

impl Records for Salesforce {
    fn find<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        finds: &'a [Find],
    ) -> BoxFuture<'a, Result<Answered<Vec<Vec<Record>>>, Error>> {
        Box::pin(find::find(cx, finds))
    }

    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        plans: &'a [&'a Plan],
    ) -> BoxFuture<'a, Result<Answered<Vec<GraphOutcome>>, Error>> {
        Box::pin(write::write(cx, plans))
    }

    fn fits(&self, plans: &[&Plan]) -> usize {
        draw::fits(plans)
    }

    fn normalise(&self, role: Role, field: &Field, value: Value) -> Value {
        convert::normalise(role, field, value)
    }

    fn field(&self, role: Role, name: &str) -> Field {
        convert::shared_field(role, name)
    }

    fn page(&self, home: &Url, id: &RecordId) -> Option<Url> {
        // An org leads from the bare id to the record's page, whichever interface the user has.
        home.join(&format!("/{}", id::canonical(id.as_str())?)).ok()
    }

    fn identify(&self, id: &str) -> Option<(Role, RecordId)> {
        id::identify(id)
    }

    fn recent<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        role: Role,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<Answered<Recent>, Error>> {
        Box::pin(recent::recent(cx, role, since, query::ROWS_PER_PAGE))
    }

    fn recent_lag(&self) -> Duration {
        query::OVERLAP.unsigned_abs()
    }

    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        objects: &'a [Object],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>> {
        Box::pin(describe::describe(cx, objects))
    }

    fn examine<'a>(&'a self, cx: &'a Cx<'a>, uses: &'a Uses) -> BoxFuture<'a, Result<Answered<Vec<Remark>>, Error>> {
        Box::pin(check::examine(cx, uses))
    }
}

impl OAuth for Salesforce {
    fn authorize_url(&self, app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
        oauth::authorize_url(app, settings, state, challenge)
    }

    fn exchange<'a>(&'a self, cx: &'a TokenCx<'a>, grant: &'a Grant) -> BoxFuture<'a, Result<TokenSet, Error>> {
        Box::pin(oauth::exchange(cx, grant))
    }

    fn revoke<'a>(&'a self, cx: &'a TokenCx<'a>, token: &'a Secret) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(oauth::revoke(cx, token))
    }
}
