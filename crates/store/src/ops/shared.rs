//! Shared records: persons and accounts that several bookings share. Whoever creates one says so first (pending);
//! others wait until it is known.

use std::collections::BTreeSet;

use syncline_core::{
    ids::{ConnectionId, RecordId, SharedKey, WorkspaceId},
    record::Role,
    step::SharedLink,
};

use crate::{
    Store,
    db::{Db, Op, P, Row, Scope, statements},
    error::{Error, Result},
};

/// Keys looked up in one call.
pub(crate) const SHARED_KEYS_MAX: usize = 2000;

statements! {
    SHARED_GET = "select key, role, record, account from shared_link \
        where workspace = ?1 and connection = ?2 and key = ?3 and role is not null";
    SHARED_PUT = "insert into shared_link (workspace, connection, key, role, record, account, pending) \
        values (?1, ?2, ?3, ?4, ?5, ?6, null) on conflict (workspace, connection, key) do update \
        set role = excluded.role, record = excluded.record, account = excluded.account, pending = null";
    SHARED_FORGET = "delete from shared_link where workspace = ?1 and connection = ?2 and key = ?3 and role is not null";
    OUTDATED_DROP = "delete from shared_link where workspace = ?1 and connection = ?2 and key = ?3 and role is not null \
        and record = ?4";
    PENDING_DROP = "delete from shared_link where workspace = ?1 and connection = ?2 and key = ?3 and pending = ?4";
    ANYONE_WAITING = "select 0 from shared_wait where workspace = ?1 limit 1";
    WAITING = "select chain_id from shared_wait where workspace = ?1 and connection = ?2 and key = ?3";
    WAITED = "delete from shared_wait where workspace = ?1 and connection = ?2 and key = ?3";
    PULL = "update chain set due_at = ?3, deferred = 0 where workspace = ?1 and id = ?2 and deferred = 1 and owner is null and due_at > ?3";
}

/// A shared key of a connection of a workspace.
pub(super) type Key<'a> = (&'a WorkspaceId, &'a ConnectionId, &'a SharedKey);

/// What is known of a key of a connection of a workspace.
pub(super) type Known<'a> = (&'a WorkspaceId, &'a ConnectionId, &'a SharedLink);

pub(super) fn params<'a>((workspace, connection, key): Key<'a>) -> [P<'a>; 3] {
    [P::Text(workspace.as_str()), P::Text(connection.as_str()), P::Text(key.as_str())]
}

/// Those of these that are not known yet.
pub(super) async fn news<'a, D: Db>(db: &mut D, links: &[Known<'a>]) -> Result<Vec<Known<'a>>> {
    let sets: Vec<_> =
        links.iter().map(|(workspace, connection, link)| params((workspace, connection, &link.key))).collect();
    let mut news = Vec::new();
    for (one, row) in links.iter().zip(db.each(&SHARED_GET, &sets).await?) {
        let known = row.map(|mut row| row.text(2)).transpose()?;
        if known.as_deref() != Some(one.2.id.as_str()) {
            news.push(*one);
        }
    }
    Ok(news)
}

/// Stores what is known now.
pub(super) async fn put<D: Db>(db: &mut D, links: &[Known<'_>]) -> Result<()> {
    let sets: Vec<_> = links
        .iter()
        .map(|(workspace, connection, link)| {
            let [ws, connection, key] = params((workspace, connection, &link.key));
            let account = P::opt_text(link.account.as_ref().map(RecordId::as_str));
            [ws, connection, key, P::Text(link.role.as_str()), P::Text(link.id.as_str()), account]
        })
        .collect();
    db.each(&SHARED_PUT, &sets).await?;
    Ok(())
}

/// Forgets records that are gone.
pub(super) async fn forget<D: Db>(db: &mut D, keys: &[Key<'_>]) -> Result<()> {
    let sets: Vec<_> = keys.iter().map(|key| params(*key)).collect();
    db.each(&SHARED_FORGET, &sets).await?;
    Ok(())
}

/// Forgets records that were looked for and are gone, unless others have taken their places meanwhile.
pub(super) async fn forget_outdated<D: Db>(db: &mut D, outdated: &[(Key<'_>, &RecordId)]) -> Result<()> {
    let sets: Vec<_> = outdated
        .iter()
        .map(|(key, record)| {
            let [ws, connection, key] = params(*key);
            [ws, connection, key, P::Text(record.as_str())]
        })
        .collect();
    db.each(&OUTDATED_DROP, &sets).await?;
    Ok(())
}

/// Gives up what a chain said it would create and has not.
pub(super) async fn release<D: Db>(db: &mut D, keys: &[(Key<'_>, i64)]) -> Result<()> {
    let sets: Vec<_> = keys
        .iter()
        .map(|(key, chain)| {
            let [ws, connection, key] = params(*key);
            [ws, connection, key, P::Int(*chain)]
        })
        .collect();
    db.each(&PENDING_DROP, &sets).await?;
    Ok(())
}

/// Makes the chains due that were put off because of these keys. Mostly nobody waits, which one look tells.
pub(super) async fn wake<D: Db>(db: &mut D, keys: &[Key<'_>], now: i64) -> Result<()> {
    let workspaces: BTreeSet<&WorkspaceId> = keys.iter().map(|(workspace, ..)| *workspace).collect();
    let mut waited_in = BTreeSet::new();
    for workspace in workspaces {
        if db.row(&ANYONE_WAITING, &[P::Text(workspace.as_str())]).await?.is_some() {
            waited_in.insert(workspace);
        }
    }
    let keys: Vec<Key<'_>> = keys.iter().filter(|(workspace, ..)| waited_in.contains(workspace)).copied().collect();
    let sets: Vec<_> = keys.iter().map(|key| params(*key)).collect();
    let first = db.each(&WAITING, &sets).await?;
    for (key, _) in keys.iter().zip(first).filter(|(_, first)| first.is_some()) {
        let mut ids = Vec::new();
        for row in db.rows(&WAITING, &params(*key)).await? {
            ids.push(row.int(0)?);
        }
        ids.sort_unstable();
        let pulls: Vec<_> = ids.iter().map(|id| [P::Text(key.0.as_str()), P::Int(*id), P::Int(now)]).collect();
        db.each(&PULL, &pulls).await?;
        db.run(&WAITED, &params(*key)).await?;
    }
    Ok(())
}

struct SharedLinks {
    workspace: WorkspaceId,
    connection: ConnectionId,
    keys: Vec<SharedKey>,
}

impl Op for SharedLinks {
    type Out = Vec<SharedLink>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let sets: Vec<_> = self.keys.iter().map(|key| params((&self.workspace, &self.connection, key))).collect();
        db.each(&SHARED_GET, &sets).await?.into_iter().flatten().map(link_of).collect()
    }
}

fn link_of(mut row: Row) -> Result<SharedLink> {
    let role = row.text(1)?;
    Ok(SharedLink {
        key: SharedKey::new(row.text(0)?),
        role: role_of(&role).ok_or_else(|| Error::corrupt("an unknown role"))?,
        id: RecordId::new(row.text(2)?),
        account: row.opt_text(3)?.map(RecordId::new),
    })
}

fn role_of(word: &str) -> Option<Role> {
    [Role::Account, Role::Contact, Role::Lead, Role::Case, Role::Opportunity, Role::Meeting, Role::User]
        .into_iter()
        .find(|role| role.as_str() == word)
}

impl Store {
    /// What is known of these shared records; those that somebody is still creating are not among them.
    pub async fn shared_links(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        keys: &[SharedKey],
    ) -> Result<Vec<SharedLink>> {
        let mut found = Vec::new();
        for keys in keys.chunks(SHARED_KEYS_MAX) {
            let (workspace, connection, keys) = (workspace.clone(), connection.clone(), keys.to_vec());
            found.extend(self.run(SharedLinks { workspace, connection, keys }).await?);
        }
        Ok(found)
    }
}
