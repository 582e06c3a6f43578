//! Records in step: `changes` finds what changed, `reading` reads by id, address and key, `writing` writes batches, and
//! `ties` what their records are associated with.
//! Where a round of reading stands is in its [`cursor`].

mod changes;
mod cursor;
mod reading;
#[cfg(test)]
pub(super) mod tests;
mod ties;
mod writing;

use syncline_connect::{
    Answered, BoxFuture, Cx, Error, ErrorKind, Mirror, Retry, Settings,
    mirror::{Ask, Changes, KindSpec, Lookup, RowWrite, Seen, Written},
};
use syncline_core::{description::ObjectDescription, ids::RecordId};

use super::{
    HubSpot, describe,
    manifest::{API, KINDS, ROWS_PER_BATCH},
    span::ROWS_PER_SEARCH,
};

impl Mirror for HubSpot {
    fn kinds(&self) -> &'static [KindSpec] {
        &KINDS
    }

    fn home(&self) -> Option<&'static str> {
        Some(API)
    }

    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kinds: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>> {
        Box::pin(async move {
            let kinds = kinds.iter().map(|name| known(describe::OP, name)).collect::<Result<Vec<_>, Error>>()?;
            describe::describe(cx, &kinds).await
        })
    }

    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        asks: &'a [Ask<'a>],
    ) -> BoxFuture<'a, Result<Answered<Vec<Changes>>, Error>> {
        Box::pin(changes::changes(cx, asks, ROWS_PER_SEARCH))
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
        waiting.clamp(1, ROWS_PER_BATCH)
    }

    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        Box::pin(writing::write(cx, kind, rows))
    }

    fn collect<'a>(
        &'a self,
        _cx: &'a Cx<'a>,
        _kind: &'a str,
        _ticket: &'a str,
        _rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>> {
        let error = configuration("collect", "HubSpot answers every write at once; there is nothing to collect");
        Box::pin(std::future::ready(Err(error)))
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
