//! The store of records in step: what goes in comes out, on both databases; and whoever lost the lease changes nothing.

mod asks;
mod damaged;
mod deletes;
mod durable;
mod kept;
mod model;
mod rows;
mod saved;
mod setups;
mod waits;

use std::collections::BTreeMap;

use syncline_core::{
    ids::{ExternalKey, IntegrationId, RecordId},
    merge::{Base, HoldKind, Images, Row, RuleKey, Side},
    record::Value,
};

use super::world::*;
use crate::{
    EntryChange, Held, LinkChange, LinkRef, NewLink, NewStep, PullPhase, PullState, SaveRows, SeenRow, StepField,
    StepOp, Store, StoredEntry, StoredFate, StoredHold, StoredLink, TakeRows, Work,
};

const LEASE: &str = "records:flow";

fn flow() -> IntegrationId {
    IntegrationId::new("flow")
}

async fn hold(store: &Store, who: &str, from: i64, until: i64) -> Held {
    let fence = store.acquire_lease(&ws(), LEASE, &worker(who), at(from), at(until)).await.unwrap().unwrap();
    Held { name: LEASE.to_owned(), holder: worker(who), fence }
}

fn values(text: &str) -> Row {
    BTreeMap::from([(RuleKey(1), Value::text(text)), (RuleKey(4_000_000_000), Value::Null)])
}

fn images(text: &str) -> Images {
    let (left, right) = (Value::text(text), Value::text(text.to_uppercase()));
    Images::from([(RuleKey(1), Base::new(left, right))])
}

fn seen(side: Side, record: &str, seconds: i64) -> SeenRow {
    SeenRow {
        side,
        kind: "contact".to_owned(),
        record: RecordId::new(record),
        match_key: Some(format!("{record}@example.org")),
        row: values(record),
        changed_at: Some(at(seconds)),
        fate: StoredFate::Live,
    }
}

fn pull(side: Side, phase: PullPhase, sweep: i64) -> PullState {
    PullState {
        side,
        kind: "contact".to_owned(),
        phase,
        cursor: Some(format!("{sweep}-cursor")),
        next_at: at(60),
        failures: 0,
        problem: None,
        read_at: Some(at(1)),
        sweep,
        changes_cursor: None,
        swept_at: None,
        fields: None,
    }
}

fn taking(held: &Held, now: i64, rows: Vec<SeenRow>, pulls: Vec<PullState>) -> TakeRows {
    TakeRows { workspace: ws(), integration: flow(), held: held.clone(), now: at(now), rows, pulls }
}

async fn due(store: &Store, now: i64) -> Vec<Work> {
    store.due_rows(&ws(), &flow(), at(now), 1000).await.unwrap()
}

async fn by_record(store: &Store, side: Side, record: &str) -> Option<StoredEntry> {
    store.rows_by_record(&ws(), &flow(), side, "contact", &[RecordId::new(record)]).await.unwrap().pop()
}

async fn link_of(store: &Store, id: i64) -> Option<StoredLink> {
    store.links_by_id(&ws(), &flow(), &[id]).await.unwrap().pop().map(|pair| pair.link)
}

/// The entry at rest, with this link.
fn rests(entry: &StoredEntry, link: Option<LinkRef>) -> EntryChange {
    EntryChange {
        id: entry.id,
        revision: entry.revision,
        link,
        seen: None,
        due_at: None,
        note: None,
        tries: 0,
        fate: entry.fate.clone(),
        let_go: entry.let_go,
        written: false,
    }
}

fn joined(left: Option<&StoredEntry>, right: Option<&StoredEntry>) -> NewLink {
    let (left, right) = (left.map(|entry| entry.id), right.map(|entry| entry.id));
    NewLink { pair: "people".to_owned(), left, right, images: images("ada") }
}

/// The link as it is.
fn unchanged(link: &StoredLink) -> LinkChange {
    LinkChange {
        id: link.id,
        pair: link.pair.clone(),
        left: link.left,
        right: link.right,
        made: None,
        images: link.images.clone(),
        refused: link.refused.clone(),
        revision: link.revision,
        carried_out: Vec::new(),
    }
}

fn creation(link: LinkRef, look: i64) -> NewStep {
    let after = Base::new(Value::text("ada"), Value::text("ADA"));
    NewStep {
        link,
        side: Side::Right,
        kind: "contact".to_owned(),
        op: StepOp::Create { key: ExternalKey::derive(&["ada"]) },
        fields: vec![StepField { rule: RuleKey(1), target: Value::text("ADA"), seen: None, after, joint: false }],
        look_at: at(look),
    }
}

fn refusal(reason: &str) -> StoredHold {
    StoredHold {
        rule: Some(RuleKey(1)),
        kind: HoldKind::Conflict,
        to: Some(Side::Right),
        reason: reason.to_owned(),
        fix: "choose".to_owned(),
        refused: Vec::new(),
    }
}

async fn save(store: &Store, held: &Held, now: i64, rows: SaveRows) -> crate::RowsSaved {
    store.save_rows(&ws(), &flow(), held, at(now), rows).await.unwrap().expect("the lease is held")
}

/// Two records, one of each side, that are linked and at rest; yields the link.
async fn linked(store: &Store, held: &Held, name: &str) -> StoredLink {
    let rows = Side::BOTH.map(|side| seen(side, name, 0)).to_vec();
    store.take_rows(taking(held, 1, rows, Vec::new())).await.unwrap().unwrap();
    let (left, right) =
        (by_record(store, Side::Left, name).await.unwrap(), by_record(store, Side::Right, name).await.unwrap());
    let entries = [&left, &right].map(|entry| rests(entry, Some(LinkRef::New(0)))).to_vec();
    let rows = SaveRows { entries, new_links: vec![joined(Some(&left), Some(&right))], ..SaveRows::default() };
    let saved = save(store, held, 1, rows).await;
    link_of(store, saved.links[0]).await.unwrap()
}
