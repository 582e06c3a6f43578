//! Folding: what is new in a workspace's inbox becomes part of its chains' states. First everything that the messages
//! touch is read, then the states are worked out in memory, then each chain is written once.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_core::{
    booking::{chain::ChainState, message::BookingMessage},
    ids::{ChainId, ConnectionId, WorkspaceId},
};

use super::{
    intake,
    journal::{self, Line},
    merge, person,
};
use crate::{
    JournalEntry, JournalKind,
    db::{Db, P, Row, from_json, statements, to_json},
    error::Result,
};

/// Inbox rows folded in one transaction.
pub(crate) const FOLD_MAX: i64 = 256;
/// Stands in [`NODE_GET`]'s answer for a booking whose person was erased; no chain has this number.
pub(super) const ERASED_CHAIN: i64 = 0;
/// How long a message waits that ties chains together of which one is being worked on.
pub(crate) const HELD_BACK: SignedDuration = SignedDuration::from_secs(1);

statements! {
    NEW_ROWS = "select n.id, i.integration, i.source, i.received, i.messages, n.quiet from inbox_new n \
        join inbox i on i.workspace = n.workspace and i.id = n.id \
        where n.workspace = ?1 and n.after <= ?2 order by n.id limit ?3";
    NEW_DONE = "delete from inbox_new where workspace = ?1 and id = ?2";
    NEW_HOLD = "update inbox_new set after = ?3 where workspace = ?1 and id = ?2";
    SET_ASIDE = "update inbox set state = ?3, reason = ?4 where workspace = ?1 and id = ?2";
    NODE_GET = "select chain_id from chain_node where workspace = ?1 and source = ?2 and node = ?3";
    NODE_ADD = "insert into chain_node (workspace, source, node, chain_id) values (?1, ?2, ?3, ?4)";
    CHAIN_LOAD = "select c.chain, c.integration, c.source, c.revision, c.fence, c.owner, c.due_at, c.parked, c.attempts, \
        c.unsettled, c.waiting_since, c.next_since, s.state, s.inbox, s.nodes, c.rest_until \
        from chain c join chain_state s on s.workspace = c.workspace and s.id = c.id \
        where c.workspace = ?1 and c.id = ?2 {lock}";
    CHAIN_ADD = "insert into chain (workspace, chain, integration, source, revision, fence, due_at, attempts, parked, \
        unsettled, deferred, waiting_since, updated_at) values (?1, ?2, ?3, ?4, ?5, 0, ?6, 0, 0, 0, 0, ?7, ?6) {written}";
    STATE_ADD = "insert into chain_state (workspace, id, state, inbox, nodes) values (?1, ?2, ?3, ?4, ?5)";
    CHAIN_SET = "update chain set revision = ?3, fence = ?4, owner = ?5, due_at = ?6, attempts = ?7, unsettled = ?8, \
        waiting_since = ?9, next_since = ?10, updated_at = ?11, rest_until = ?12, parked = 0, parked_reason = null, \
        parked_fix = null, deferred = 0 where workspace = ?1 and id = ?2";
    ERASED_SET = "update inbox set state = ?3, reason = ?4, messages = null, body = null where workspace = ?1 and id = ?2";
    STATE_SET = "update chain_state set state = ?3, inbox = ?4, nodes = ?5 where workspace = ?1 and id = ?2";
}

/// A chain while messages are folded into it.
pub(super) struct Folding {
    /// Its row; nothing for a chain that begins now.
    pub(super) id: Option<i64>,
    /// Whether it began in this very transaction.
    pub(super) began: bool,
    pub(super) chain: ChainId,
    pub(super) integration: String,
    pub(super) source: String,
    pub(super) state: ChainState,
    pub(super) inbox: Vec<i64>,
    pub(super) nodes: BTreeSet<String>,
    pub(super) revision: i64,
    pub(super) fence: i64,
    pub(super) owner: Option<String>,
    pub(super) due_at: Option<i64>,
    parked: bool,
    attempts: i64,
    pub(super) unsettled: bool,
    pub(super) waiting_since: Option<i64>,
    next_since: Option<i64>,
    /// Until when something that was sent may still arrive. News wait for that, too: they would be overwritten.
    pub(super) rest_until: Option<i64>,
    /// Nodes that are not in the database yet.
    new_nodes: BTreeSet<String>,
    touched: bool,
    /// Something was absorbed that says nothing new: the state is written, and the chain is left as it is otherwise.
    kept: bool,
    /// Stored chains that became part of this one: row and name.
    pub(super) absorbed: Vec<(i64, ChainId)>,
    gone: bool,
}

impl Folding {
    fn beginning(chain: ChainId, integration: &str, source: &str) -> Self {
        Self {
            id: None,
            began: true,
            chain,
            integration: integration.to_owned(),
            source: source.to_owned(),
            state: ChainState::default(),
            inbox: Vec::new(),
            nodes: BTreeSet::new(),
            revision: 0,
            fence: 0,
            owner: None,
            due_at: None,
            parked: false,
            attempts: 0,
            unsettled: false,
            waiting_since: None,
            next_since: None,
            rest_until: None,
            new_nodes: BTreeSet::new(),
            touched: false,
            kept: false,
            absorbed: Vec::new(),
            gone: false,
        }
    }

    fn of_row(id: i64, mut row: Row) -> Result<Self> {
        Ok(Self {
            id: Some(id),
            began: false,
            chain: ChainId::new(row.text(0)?),
            integration: row.text(1)?,
            source: row.text(2)?,
            revision: row.int(3)?,
            fence: row.int(4)?,
            owner: row.opt_text(5)?,
            due_at: row.opt_int(6)?,
            parked: row.int(7)? == 1,
            attempts: row.int(8)?,
            unsettled: row.int(9)? == 1,
            waiting_since: row.opt_int(10)?,
            next_since: row.opt_int(11)?,
            state: row.json(12)?,
            inbox: row.json(13)?,
            nodes: row.json(14)?,
            rest_until: row.opt_int(15)?,
            new_nodes: BTreeSet::new(),
            touched: false,
            kept: false,
            absorbed: Vec::new(),
            gone: false,
        })
    }

    fn is_held(&self, now: i64) -> bool {
        self.owner.is_some() && self.due_at.is_some_and(|until| until > now)
    }

    fn absorb(&mut self, message: &BookingMessage, row: &NewRow, now: i64) {
        // A chain that was just made of several has news of its own.
        let stood = !self.began && self.absorbed.is_empty();
        let before = (row.quiet && stood).then(|| self.state.clone());
        self.state.absorb(message);
        // What a poll repeats is no news, and no reason to ask the CRM again.
        if before.is_some_and(|before| before.view() == self.state.view()) {
            self.remember(row.id);
            self.kept = true;
        } else {
            self.touch(row.id, row.received, now);
        }
        for node in message.ties() {
            if self.nodes.insert(node.as_str().to_owned()) {
                self.new_nodes.insert(node.as_str().to_owned());
            }
        }
    }

    fn remember(&mut self, inbox: i64) {
        if self.inbox.last() != Some(&inbox) && !self.inbox.contains(&inbox) {
            self.inbox.push(inbox);
        }
    }

    /// Makes the chain due as soon as nothing that was sent can arrive any more, however long a retry would have waited;
    /// unless somebody holds it: then its holder finds the greater revision when it settles.
    fn touch(&mut self, inbox: i64, received: i64, now: i64) {
        self.remember(inbox);
        self.revision += 1;
        self.touched = true;
        if self.owner.is_some() {
            self.next_since = Some(self.next_since.map_or(received, |since| since.min(received)));
            return;
        }
        self.due_at = Some(self.rest_until.map_or(now, |until| until.max(now)));
        self.waiting_since = Some(self.waiting_since.map_or(received, |since| since.min(received)));
        if std::mem::take(&mut self.parked) {
            // A message is news: the reason for laying the chain aside may be gone.
            self.attempts = 0;
        }
    }
}

/// All chains that one transaction folds messages into.
#[derive(Default)]
pub(super) struct Fold {
    pub(super) chains: Vec<Folding>,
    by_node: HashMap<(String, String), usize>,
    pub(super) by_id: HashMap<i64, usize>,
    done: Vec<i64>,
    held_back: Vec<i64>,
    set_aside: Vec<(i64, &'static str)>,
    /// Messages about bookings whose person was erased.
    erased: Vec<i64>,
}

struct NewRow {
    id: i64,
    integration: String,
    source: String,
    received: i64,
    messages: Vec<BookingMessage>,
    /// It came from a poll.
    quiet: bool,
}

/// Folds what is new in a workspace; the caller holds the workspace's lock.
pub(super) async fn fold<D: Db>(db: &mut D, workspace: &WorkspaceId, now: Timestamp) -> Result<Fold> {
    let mut fold = Fold::default();
    let new = read_new(db, workspace, now, &mut fold).await?;
    if !new.is_empty() {
        load(db, workspace, &new, &mut fold).await?;
        for row in &new {
            fold_row(db, workspace, row, now.as_microsecond(), &mut fold).await?;
        }
    }
    write(db, workspace, now, &mut fold).await?;
    Ok(fold)
}

async fn read_new<D: Db>(db: &mut D, workspace: &WorkspaceId, now: Timestamp, fold: &mut Fold) -> Result<Vec<NewRow>> {
    let rows = db.rows(&NEW_ROWS, &[P::Text(workspace.as_str()), P::time(now), P::Int(FOLD_MAX)]).await?;
    let mut new = Vec::with_capacity(rows.len());
    for mut row in rows {
        let (id, integration, source, received) = (row.int(0)?, row.text(1)?, row.text(2)?, row.int(3)?);
        let quiet = row.int(5)? == 1;
        match from_json(&row.blob(4)?) {
            Ok(messages) => new.push(NewRow { id, integration, source, received, messages, quiet }),
            // One message that cannot be read must not hold up the workspace.
            Err(_) => fold.set_aside.push((id, "the stored message cannot be read")),
        }
    }
    Ok(new)
}

/// Reads the chains that the new messages tie to.
async fn load<D: Db>(db: &mut D, workspace: &WorkspaceId, new: &[NewRow], fold: &mut Fold) -> Result<()> {
    let ties: BTreeSet<(&str, &str)> = new
        .iter()
        .flat_map(|row| {
            row.messages
                .iter()
                .flat_map(|message| message.ties().into_iter().map(|tie| (row.source.as_str(), tie.as_str())))
        })
        .collect();
    let sets: Vec<_> =
        ties.iter().map(|(source, node)| [P::Text(workspace.as_str()), P::Text(source), P::Text(node)]).collect();
    let found = db.each(&NODE_GET, &sets).await?;
    let mut ids = BTreeSet::new();
    for row in found.iter().flatten() {
        ids.insert(row.int(0)?);
    }
    // In the order of their ids, so that no two transactions wait for each other.
    let sets: Vec<_> = ids.iter().map(|id| [P::Text(workspace.as_str()), P::Int(*id)]).collect();
    for (id, row) in ids.iter().zip(db.each(&CHAIN_LOAD, &sets).await?) {
        if let Some(Ok(chain)) = row.map(|row| Folding::of_row(*id, row)) {
            fold.by_id.insert(*id, fold.chains.len());
            fold.chains.push(chain);
        }
    }
    for ((source, node), row) in ties.into_iter().zip(found) {
        let Some(row) = row else { continue };
        // A chain that cannot be read is left out here; its messages are set aside when they come to it.
        let at = match row.int(0)? {
            ERASED_CHAIN => ERASED,
            id => fold.by_id.get(&id).copied().unwrap_or(UNREADABLE),
        };
        fold.by_node.insert((source.to_owned(), node.to_owned()), at);
    }
    Ok(())
}

/// Stands for a chain whose stored state cannot be read.
const UNREADABLE: usize = usize::MAX;
/// Stands for a booking whose person was erased.
const ERASED: usize = usize::MAX - 1;

async fn fold_row<D: Db>(db: &mut D, workspace: &WorkspaceId, row: &NewRow, now: i64, fold: &mut Fold) -> Result<()> {
    for message in &row.messages {
        let ties = message.ties();
        let mut found: BTreeSet<usize> = BTreeSet::new();
        for tie in &ties {
            if let Some(at) = fold.by_node.get(&(row.source.clone(), tie.as_str().to_owned())) {
                found.insert(*at);
            }
        }
        if found.contains(&ERASED) {
            fold.erased.push(row.id);
            return Ok(());
        }
        if found.contains(&UNREADABLE) {
            fold.set_aside.push((row.id, "the stored state of its booking cannot be read"));
            return Ok(());
        }
        if found.len() > 1 && found.iter().any(|at| fold.chains[*at].is_held(now)) {
            // Whoever holds one of them would overwrite what it gets from the other.
            fold.held_back.push(row.id);
            return Ok(());
        }
        let at = match found.len() {
            0 => begin(workspace, row, message, fold),
            1 => found.into_iter().next().unwrap_or_default(),
            _ => unite(db, workspace, found, fold).await?,
        };
        fold.chains[at].absorb(message, row, now);
        for tie in ties {
            fold.by_node.insert((row.source.clone(), tie.as_str().to_owned()), at);
        }
    }
    fold.done.push(row.id);
    Ok(())
}

fn begin(workspace: &WorkspaceId, row: &NewRow, message: &BookingMessage, fold: &mut Fold) -> usize {
    let chain = ChainId::beginning_with(workspace, &ConnectionId::from(row.source.as_str()), message.root());
    fold.chains.push(Folding::beginning(chain, &row.integration, &row.source));
    fold.chains.len() - 1
}

/// Makes one chain of several: the oldest stays, whose records people have had for longest; of those that begin only
/// now, the one with the smallest name.
async fn unite<D: Db>(db: &mut D, workspace: &WorkspaceId, found: BTreeSet<usize>, fold: &mut Fold) -> Result<usize> {
    let mut order: Vec<usize> = found.into_iter().collect();
    order.sort_by_key(|at| (fold.chains[*at].id.unwrap_or(i64::MAX), fold.chains[*at].chain.clone()));
    let survivor = order[0];
    for &other in &order[1..] {
        let (inbox, nodes) = (fold.chains[other].inbox.clone(), fold.chains[other].nodes.clone());
        // A state is made of messages alone, so reading the other's messages again joins the two.
        let messages = merge::messages_of(db, workspace, &inbox, &nodes).await?;
        let chain = &mut fold.chains[other];
        chain.gone = true;
        let (id, name, new_nodes, waiting) =
            (chain.id, chain.chain.clone(), std::mem::take(&mut chain.new_nodes), chain.waiting_since);
        let inherited = std::mem::take(&mut chain.absorbed);
        let (revision, rest_until) = (chain.revision, chain.rest_until);
        let survivor_chain = &mut fold.chains[survivor];
        for message in &messages {
            survivor_chain.state.absorb(message);
        }
        survivor_chain.inbox.extend(inbox);
        survivor_chain.inbox.sort_unstable();
        survivor_chain.inbox.dedup();
        survivor_chain.nodes.extend(nodes.iter().cloned());
        survivor_chain.new_nodes.extend(new_nodes);
        survivor_chain.revision = survivor_chain.revision.max(revision) + 1;
        // Neither is held, but a holder whose lease ran out must find the door shut.
        survivor_chain.fence += 1;
        survivor_chain.unsettled |= survivor_chain.owner.take().is_some();
        survivor_chain.waiting_since = survivor_chain.waiting_since.into_iter().chain(waiting).min();
        survivor_chain.rest_until = survivor_chain.rest_until.max(rest_until);
        survivor_chain.absorbed.extend(inherited);
        if let Some(id) = id {
            survivor_chain.absorbed.push((id, name));
        }
        for at in fold.by_node.values_mut().filter(|at| **at == other) {
            *at = survivor;
        }
    }
    Ok(survivor)
}

async fn write<D: Db>(db: &mut D, workspace: &WorkspaceId, now: Timestamp, fold: &mut Fold) -> Result<()> {
    let ws = P::Text(workspace.as_str());
    add_chains(db, workspace, now, fold).await?;
    fold.by_id.clear();
    for at in 0..fold.chains.len() {
        let chain = &mut fold.chains[at];
        let Some(id) = chain.id.filter(|_| !chain.gone) else { continue };
        fold.by_id.insert(id, at);
        if !chain.absorbed.is_empty() {
            merge::rows_of(db, workspace, id, chain, now).await?;
        }
    }
    set_chains(db, workspace, now, fold).await?;
    let sets: Vec<_> = fold
        .chains
        .iter()
        .filter(|chain| !chain.gone)
        .flat_map(|chain| {
            let id = P::opt_int(chain.id);
            chain.new_nodes.iter().map(move |node| [ws, P::Text(&chain.source), P::Text(node), id])
        })
        .collect();
    db.each(&NODE_ADD, &sets).await?;
    let through = fold.done.iter().chain(fold.set_aside.iter().map(|(id, _)| id)).chain(&fold.erased);
    let sets: Vec<_> = through.map(|id| [ws, P::Int(*id)]).collect();
    db.each(&NEW_DONE, &sets).await?;
    let sets: Vec<_> =
        fold.erased.iter().map(|id| [ws, P::Int(*id), P::Int(intake::IGNORED), P::Text(person::REASON)]).collect();
    db.each(&ERASED_SET, &sets).await?;
    let after = now.checked_add(HELD_BACK).unwrap_or(now);
    let sets: Vec<_> = fold.held_back.iter().map(|id| [ws, P::Int(*id), P::time(after)]).collect();
    db.each(&NEW_HOLD, &sets).await?;
    set_aside(db, workspace, now, &fold.set_aside).await
}

async fn add_chains<D: Db>(db: &mut D, workspace: &WorkspaceId, now: Timestamp, fold: &mut Fold) -> Result<()> {
    let ws = P::Text(workspace.as_str());
    let begun: Vec<usize> =
        (0..fold.chains.len()).filter(|at| fold.chains[*at].id.is_none() && !fold.chains[*at].gone).collect();
    let sets: Vec<_> = begun
        .iter()
        .map(|at| &fold.chains[*at])
        .map(|chain| {
            let (name, integration, source) =
                (P::Text(chain.chain.as_str()), P::Text(&chain.integration), P::Text(&chain.source));
            [ws, name, integration, source, P::Int(chain.revision), P::time(now), P::opt_int(chain.waiting_since)]
        })
        .collect();
    let ids = db.each(&CHAIN_ADD, &sets).await?;
    for (at, row) in begun.iter().zip(ids) {
        fold.chains[*at].id = row.map(|row| row.int(0)).transpose()?;
    }
    let blobs = blobs_of(begun.iter().map(|at| &fold.chains[*at]))?;
    let sets: Vec<_> = blobs
        .iter()
        .map(|(id, [state, inbox, nodes])| [ws, P::Int(*id), P::Blob(state), P::Blob(inbox), P::Blob(nodes)])
        .collect();
    db.each(&STATE_ADD, &sets).await?;
    Ok(())
}

async fn set_chains<D: Db>(db: &mut D, workspace: &WorkspaceId, now: Timestamp, fold: &Fold) -> Result<()> {
    let ws = P::Text(workspace.as_str());
    let changed = || {
        let stored = |chain: &&Folding| !chain.gone && (!chain.began || !chain.absorbed.is_empty());
        fold.chains.iter().filter(|chain| chain.touched || chain.kept).filter(stored)
    };
    let sets: Vec<_> = changed()
        .filter(|chain| chain.touched)
        .map(|chain| {
            [
                ws,
                P::opt_int(chain.id),
                P::Int(chain.revision),
                P::Int(chain.fence),
                P::opt_text(chain.owner.as_deref()),
                P::opt_int(chain.due_at),
                P::Int(chain.attempts),
                P::Int(chain.unsettled.into()),
                P::opt_int(chain.waiting_since),
                P::opt_int(chain.next_since),
                P::time(now),
                P::opt_int(chain.rest_until),
            ]
        })
        .collect();
    db.each(&CHAIN_SET, &sets).await?;
    let blobs = blobs_of(changed())?;
    let sets: Vec<_> = blobs
        .iter()
        .map(|(id, [state, inbox, nodes])| [ws, P::Int(*id), P::Blob(state), P::Blob(inbox), P::Blob(nodes)])
        .collect();
    db.each(&STATE_SET, &sets).await?;
    Ok(())
}

type Blobs = (i64, [Vec<u8>; 3]);

fn blobs_of<'a>(chains: impl Iterator<Item = &'a Folding>) -> Result<Vec<Blobs>> {
    chains
        .filter_map(|chain| chain.id.map(|id| (id, chain)))
        .map(|(id, chain)| Ok((id, [to_json(&chain.state)?, to_json(&chain.inbox)?, to_json(&chain.nodes)?])))
        .collect()
}

async fn set_aside<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    now: Timestamp,
    rows: &[(i64, &'static str)],
) -> Result<()> {
    let ws = P::Text(workspace.as_str());
    let sets: Vec<_> =
        rows.iter().map(|(id, reason)| [ws, P::Int(*id), P::Int(intake::PARKED), P::Text(reason)]).collect();
    db.each(&SET_ASIDE, &sets).await?;
    let entries: Vec<JournalEntry> = rows
        .iter()
        .map(|(id, reason)| JournalEntry {
            at: now,
            kind: JournalKind::Message,
            text: intake::kept(reason, *id),
            details: json!({ "message": id, "parked": true }),
        })
        .collect();
    let lines: Vec<Line<'_>> =
        entries.iter().map(|entry| Line { workspace, chain: None, integration: None, entry }).collect();
    journal::write(db, &lines).await
}
