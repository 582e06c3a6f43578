//! Two chains that turn out to be one booking: what belongs to the one that goes is handed to the one that stays.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use syncline_core::{
    booking::{
        message::BookingMessage,
        unite::{self, Part},
    },
    ids::{ChainId, RecordId, SharedKey, WorkspaceId},
    step::{Link, Plan},
};

use super::{
    fold::Folding,
    journal::{self, Line},
};
use crate::{
    JournalEntry, JournalKind, Links,
    db::{Db, P, statements, to_json},
    error::Result,
};

statements! {
    MESSAGES_GET = "select messages from inbox where workspace = ?1 and id = ?2";
    LINKS_GET = "select links from chain_links where workspace = ?1 and id = ?2";
    LINKS_PUT = "insert into chain_links (workspace, id, links) values (?1, ?2, ?3) \
        on conflict {pk} do update set links = excluded.links";
    LINKS_DROP = "delete from chain_links where workspace = ?1 and id = ?2";
    OUTBOX_GET = "select plan, creates from outbox where workspace = ?1 and id = ?2";
    OUTBOX_SET = "update outbox set plan = ?3, creates = ?4 where workspace = ?1 and id = ?2";
    OUTBOX_MOVE = "update outbox set id = ?3 where workspace = ?1 and id = ?2";
    OUTBOX_DROP = "delete from outbox where workspace = ?1 and id = ?2";
    PENDING_MOVE = "update shared_link set pending = ?3 where workspace = ?1 and pending = ?2";
    WAITS_DROP = "delete from shared_wait where workspace = ?1 and chain_id = ?2";
    NODES_MOVE = "update chain_node set chain_id = ?4 where workspace = ?1 and source = ?2 and node = ?3";
    JOURNAL_MOVE = "update journal set chain = ?3 where workspace = ?1 and chain = ?2";
    STATE_DROP = "delete from chain_state where workspace = ?1 and id = ?2";
    CHAIN_DROP = "delete from chain where workspace = ?1 and id = ?2";
}

/// The messages of these inbox rows that belong to the chain with these nodes; a row may hold others' as well.
pub(super) async fn messages_of<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    inbox: &[i64],
    nodes: &BTreeSet<String>,
) -> Result<Vec<BookingMessage>> {
    let sets: Vec<_> = inbox.iter().map(|id| [P::Text(workspace.as_str()), P::Int(*id)]).collect();
    let mut found = Vec::new();
    for mut row in db.each(&MESSAGES_GET, &sets).await?.into_iter().flatten() {
        let messages: Vec<BookingMessage> = row.opt_json(0)?.unwrap_or_default();
        found.extend(messages.into_iter().filter(|message| nodes.contains(message.root().as_str())));
    }
    Ok(found)
}

/// Hands the rows of the absorbed chains to the survivor. Nobody holds any of them.
pub(super) async fn rows_of<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    survivor: i64,
    chain: &mut Folding,
    now: Timestamp,
) -> Result<()> {
    let mut lines = Vec::new();
    for (other, name) in std::mem::take(&mut chain.absorbed) {
        let surplus = move_records(db, workspace, survivor, other, chain).await?;
        let ids = [P::Text(workspace.as_str()), P::Int(other)];
        db.run(&WAITS_DROP, &ids).await?;
        db.run(&STATE_DROP, &ids).await?;
        db.run(&CHAIN_DROP, &ids).await?;
        db.run(&JOURNAL_MOVE, &[P::Text(workspace.as_str()), P::Text(name.as_str()), P::Text(chain.chain.as_str())])
            .await?;
        lines.push(line(now, &name, &surplus));
        // Kept as a mark that there was something to unite.
        chain.absorbed.push((other, name));
    }
    let moved: Vec<_> = chain
        .nodes
        .iter()
        .map(|node| [P::Text(workspace.as_str()), P::Text(&chain.source), P::Text(node), P::Int(survivor)])
        .collect();
    db.each(&NODES_MOVE, &moved).await?;
    let lines: Vec<Line<'_>> = lines
        .iter()
        .map(|entry| Line { workspace, chain: Some(&chain.chain), integration: Some(&chain.integration), entry })
        .collect();
    journal::write(db, &lines).await
}

fn line(at: Timestamp, name: &ChainId, surplus: &[Link]) -> JournalEntry {
    let mut text = "Two bookings turned out to be one and were joined".to_owned();
    if !surplus.is_empty() {
        let records: Vec<String> = surplus.iter().map(|link| format!("{} {}", link.role.as_str(), link.id)).collect();
        text.push_str("; both had records of their own, and the newer ones are to be deleted: ");
        text.push_str(&records.join(", "));
    }
    let surplus: Vec<_> = surplus.iter().map(|link| json!({ "role": link.role.as_str(), "id": link.id })).collect();
    JournalEntry { at, kind: JournalKind::Message, text, details: json!({ "joined": name, "surplus": surplus }) }
}

/// A chain's plan whose outcome is unknown, and what it said it would create.
struct Sent {
    plan: Plan,
    creates: Vec<SharedKey>,
}

/// Unites links and plans of unknown outcome; yields the records that turn out to be there twice.
async fn move_records<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    survivor: i64,
    other: i64,
    chain: &mut Folding,
) -> Result<Vec<Link>> {
    let ws = P::Text(workspace.as_str());
    let (links, others) = (links_of(db, ws, survivor).await?, links_of(db, ws, other).await?);
    let (sent, other_sent) = (sent_of(db, ws, survivor).await?, sent_of(db, ws, other).await?);
    let had_plan = sent.is_some();
    let creates: BTreeSet<SharedKey> =
        [&sent, &other_sent].into_iter().flatten().flat_map(|sent| sent.creates.iter().cloned()).collect();
    let known: BTreeSet<RecordId> = unite::surplus(&links).map(|link| link.id.clone()).collect();
    let part = |links, sent: Option<Sent>| Part { links, unsettled: sent.map(|sent| sent.plan) };
    let united = unite::unite(part(links, sent), part(others, other_sent));
    db.run(&LINKS_PUT, &[ws, P::Int(survivor), P::Blob(&to_json(&united.links)?)]).await?;
    db.run(&LINKS_DROP, &[ws, P::Int(other)]).await?;
    if let Some(plan) = &united.unsettled {
        chain.unsettled = true;
        db.run(&PENDING_MOVE, &[ws, P::Int(other), P::Int(survivor)]).await?;
        let unused = if had_plan { &OUTBOX_DROP } else { &OUTBOX_MOVE };
        let ids = [ws, P::Int(other), P::Int(survivor)];
        db.run(unused, if had_plan { &ids[..2] } else { &ids }).await?;
        db.run(&OUTBOX_SET, &[ws, P::Int(survivor), P::Blob(&to_json(plan)?), P::Blob(&to_json(&creates)?)]).await?;
    }
    Ok(unite::surplus(&united.links).filter(|link| !known.contains(&link.id)).cloned().collect())
}

async fn links_of<D: Db>(db: &mut D, ws: P<'_>, id: i64) -> Result<Links> {
    let row = db.row(&LINKS_GET, &[ws, P::Int(id)]).await?;
    row.map(|mut row| row.json(0)).transpose().map(Option::unwrap_or_default)
}

async fn sent_of<D: Db>(db: &mut D, ws: P<'_>, id: i64) -> Result<Option<Sent>> {
    let Some(mut row) = db.row(&OUTBOX_GET, &[ws, P::Int(id)]).await? else { return Ok(None) };
    Ok(Some(Sent { plan: row.json(0)?, creates: row.json(1)? }))
}
