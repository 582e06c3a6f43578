//! Two chains that turn out to be one booking: what belongs to the one that goes is handed to the one that stays.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use syncline_core::{
    booking::message::BookingMessage,
    ids::{ChainId, WorkspaceId},
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
    OUTBOX_HAS = "select plan from outbox where workspace = ?1 and id = ?2";
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
        let clash = move_links(db, workspace, survivor, other).await?;
        let lost = move_outbox(db, workspace, survivor, other, chain).await?;
        let ids = [P::Text(workspace.as_str()), P::Int(other)];
        db.run(&WAITS_DROP, &ids).await?;
        db.run(&STATE_DROP, &ids).await?;
        db.run(&CHAIN_DROP, &ids).await?;
        db.run(&JOURNAL_MOVE, &[P::Text(workspace.as_str()), P::Text(name.as_str()), P::Text(chain.chain.as_str())])
            .await?;
        lines.push(line(now, &name, clash, lost));
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

fn line(at: Timestamp, name: &ChainId, clash: Links, lost: Option<serde_json::Value>) -> JournalEntry {
    let text = if clash.is_empty() {
        "Two bookings turned out to be one and were joined"
    } else {
        "Two bookings turned out to be one and were joined; both had records of their own, and the other's were left alone"
    };
    JournalEntry {
        at,
        kind: JournalKind::Message,
        text: text.to_owned(),
        details: json!({ "joined": name, "left_alone": clash, "unsettled_plan": lost }),
    }
}

/// Moves the links; yields those whose slot the survivor fills itself.
async fn move_links<D: Db>(db: &mut D, workspace: &WorkspaceId, survivor: i64, other: i64) -> Result<Links> {
    let ws = P::Text(workspace.as_str());
    let Some(mut row) = db.row(&LINKS_GET, &[ws, P::Int(other)]).await? else { return Ok(Links::new()) };
    let others: Links = row.json(0)?;
    let mut links: Links = match db.row(&LINKS_GET, &[ws, P::Int(survivor)]).await? {
        Some(mut row) => row.json(0)?,
        None => Links::new(),
    };
    let mut clash = Links::new();
    for (slot, link) in others {
        match links.get(&slot) {
            Some(own) if own.id == link.id => {}
            Some(_) => drop(clash.insert(slot, link)),
            None => drop(links.insert(slot, link)),
        }
    }
    db.run(&LINKS_PUT, &[ws, P::Int(survivor), P::Blob(&to_json(&links)?)]).await?;
    db.run(&LINKS_DROP, &[ws, P::Int(other)]).await?;
    Ok(clash)
}

/// Moves a plan whose outcome is unknown; yields it for the journal where the survivor has one itself.
async fn move_outbox<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    survivor: i64,
    other: i64,
    chain: &mut Folding,
) -> Result<Option<serde_json::Value>> {
    let ws = P::Text(workspace.as_str());
    let Some(mut row) = db.row(&OUTBOX_HAS, &[ws, P::Int(other)]).await? else { return Ok(None) };
    db.run(&PENDING_MOVE, &[ws, P::Int(other), P::Int(survivor)]).await?;
    chain.unsettled = true;
    if db.row(&OUTBOX_HAS, &[ws, P::Int(survivor)]).await?.is_none() {
        db.run(&OUTBOX_MOVE, &[ws, P::Int(other), P::Int(survivor)]).await?;
        return Ok(None);
    }
    db.run(&OUTBOX_DROP, &[ws, P::Int(other)]).await?;
    Ok(Some(row.json(0)?))
}
