//! Bookings: `find` looks records up, `recent` tells which changed, `write` brings plans about, `describe` and `check` say what the account is like.
//! Values are in `fields` and `html`, ids in `id`; who attends a meeting is in `people` and `attend`.

mod attend;
mod check;
mod describe;
mod draw;
mod fields;
mod find;
mod id;
mod people;
mod recent;
#[cfg(test)]
mod tests;
mod ties;
mod write;

use std::time::Duration;

use jiff::Timestamp;
use syncline_connect::{
    Answered, BoxFuture, Cx, Error, Find, GraphOutcome, Object, Recent, Records,
    records::{Remark, Standing, Uses},
};
use syncline_core::{
    description::ObjectDescription,
    ids::RecordId,
    record::{Field, Record, Role, Value},
    step::Plan,
};

use super::{HubSpot, manifest::STANDING, span};

impl Records for HubSpot {
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
        fields::normalise(role, field, value)
    }

    fn field(&self, role: Role, name: &str) -> Field {
        fields::shared_field(role, name)
    }

    fn seats_everybody(&self) -> bool {
        true
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
        Box::pin(recent::recent(cx, role, since, span::ROWS_PER_SEARCH))
    }

    fn recent_lag(&self) -> Duration {
        span::OVERLAP.unsigned_abs()
    }

    fn standing(&self) -> Option<&'static Standing> {
        Some(&STANDING)
    }

    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        objects: &'a [Object],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>> {
        Box::pin(describe::describe(cx, objects))
    }

    fn examine<'a>(&'a self, cx: &'a Cx<'a>, uses: &'a Uses) -> BoxFuture<'a, Result<Answered<Vec<Remark>>, Error>> {
        Box::pin(check::examine(cx, &uses.further))
    }
}
