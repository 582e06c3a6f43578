//! The vault's rows: canaries, the workspaces' wrapped data keys, and the change of the master key while work goes on.
//!
//! A change of the master key only re-wraps data keys; sealed texts stay as they are. A canary stands for every master
//! key that anything may be wrapped with: the new one's comes first, the old one's goes last, in the transaction that
//! sees that nothing depends on it any more.

use syncline_core::{Entropy, ids::WorkspaceId};

use super::{MasterKey, MasterKeys, keys::DataKey};
use crate::{
    Store,
    db::{Db, Op, P, Scope, statements},
    error::{Error, Result},
};

/// Data keys re-wrapped in one transaction.
const REWRAP_BATCH: i64 = 20;

statements! {
    CANARIES = "select master, sealed from vault_canary order by master";
    CANARY_LOCK = "select master from vault_canary where master = ?1 {lock}";
    CANARY_ADD = "insert into vault_canary (master, sealed) values (?1, ?2) on conflict (master) do nothing";
    CANARY_DROP = "delete from vault_canary where master <> ?1";
    KEY_GET = "select master, data_key from workspace where workspace = ?1";
    KEY_ADD = "insert into workspace (workspace, master, data_key) values (?1, ?2, ?3) on conflict (workspace) do nothing";
    KEY_SET = "update workspace set master = ?2, data_key = ?3 where workspace = ?1 and master = ?4";
    KEYS_OF_OTHERS = "select workspace, master, data_key from workspace where master <> ?1 and workspace > ?2 order by workspace limit ?3 {lock}";
}

/// The canaries that stand.
pub(crate) struct Canaries;

impl Op for Canaries {
    type Out = Vec<(String, Vec<u8>)>;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&CANARIES, &[]).await?;
        rows.into_iter().map(|mut row| Ok((row.text(0)?, row.blob(1)?))).collect()
    }
}

/// Adds the canary of a master key.
pub(crate) struct AddCanary {
    pub(crate) master: String,
    pub(crate) sealed: Vec<u8>,
}

impl Op for AddCanary {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        db.run(&CANARY_ADD, &[P::Text(&self.master), P::Blob(&self.sealed)]).await?;
        Ok(())
    }
}

/// Reads a workspace's wrapped data key; stores the offered one where there is none.
struct WrappedKey {
    workspace: WorkspaceId,
    /// The fingerprint and the wrapped key, where one may be made.
    offer: Option<(String, Vec<u8>)>,
}

impl Op for WrappedKey {
    type Out = Option<(String, Vec<u8>)>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        if let Some((master, wrapped)) = &self.offer {
            // Holds off the end of a change of the master key, which would leave this one unreadable.
            if db.row(&CANARY_LOCK, &[P::Text(master)]).await?.is_none() {
                return Err(Error::WrongKey(
                    "the master key was changed by another process; restart with the new one".to_owned(),
                ));
            }
            db.run(&KEY_ADD, &[P::Text(self.workspace.as_str()), P::Text(master), P::Blob(wrapped)]).await?;
        }
        let row = db.row(&KEY_GET, &[P::Text(self.workspace.as_str())]).await?;
        row.map(|mut row| Ok((row.text(0)?, row.blob(1)?))).transpose()
    }
}

/// Re-wraps one batch of data keys; yields the last workspace of the batch, or nothing at the end.
struct Rewrap {
    keys: std::sync::Arc<MasterKeys>,
    entropy: std::sync::Arc<dyn Entropy>,
    after: String,
}

impl Op for Rewrap {
    type Out = Option<String>;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let current = self.keys.current();
        let rows = db.rows(&KEYS_OF_OTHERS, &[P::Text(current), P::Text(&self.after), P::Int(REWRAP_BATCH)]).await?;
        let mut last = None;
        for mut row in rows {
            let (workspace, master, wrapped) = (WorkspaceId::new(row.text(0)?), row.text(1)?, row.blob(2)?);
            let key: DataKey = self.keys.unwrap(&master, &workspace, &wrapped)?;
            let wrapped = self.keys.wrap(&*self.entropy, &workspace, &key)?;
            db.run(&KEY_SET, &[P::Text(workspace.as_str()), P::Text(current), P::Blob(&wrapped), P::Text(&master)])
                .await?;
            last = Some(workspace.as_str().to_owned());
        }
        Ok(last)
    }
}

/// Drops the canaries of all other master keys, if no data key depends on them any more.
struct Retire {
    master: String,
}

impl Op for Retire {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        db.run(&CANARY_DROP, &[P::Text(&self.master)]).await?;
        // Looked at after the canaries are locked, so that no other process can add one meanwhile; undone where it did.
        let left = db.row(&KEYS_OF_OTHERS, &[P::Text(&self.master), P::Text(""), P::Int(1)]).await?;
        if left.is_some() {
            return Err(Error::Other(LEFT_OVER.to_owned()));
        }
        Ok(true)
    }
}

const LEFT_OVER: &str = "a data key is still wrapped with the old master key";
/// Rounds over workspaces that appear while the key is being changed.
const ROUNDS_MAX: usize = 16;

/// The beginning of a change of the master key: the new canary and one batch, as if the process then died.
#[cfg(test)]
pub(crate) async fn begin_and_stop(store: &Store, new: MasterKey) -> Result<()> {
    let keys = store.begin_rotation(new).await?;
    let entropy = std::sync::Arc::clone(&store.inner.entropy);
    store.run(Rewrap { keys, entropy, after: String::new() }).await.map(drop)
}

impl Store {
    async fn begin_rotation(&self, new: MasterKey) -> Result<std::sync::Arc<MasterKeys>> {
        let keys = std::sync::Arc::new(self.master_keys().with_current(new));
        let sealed = keys.canary(&*self.inner.entropy)?;
        self.run(AddCanary { master: keys.current().to_owned(), sealed }).await?;
        self.set_master_keys(std::sync::Arc::clone(&keys));
        Ok(keys)
    }

    /// The data key of a workspace, made where there is none.
    pub(crate) async fn data_key(&self, workspace: &WorkspaceId) -> Result<std::sync::Arc<DataKey>> {
        if let Some(key) = self.inner.data_keys.get(workspace) {
            return Ok(key);
        }
        let mut keys = self.master_keys();
        let mut found = self.run(WrappedKey { workspace: workspace.clone(), offer: None }).await?;
        if found.is_none() {
            let mut key = DataKey::default();
            self.inner.entropy.fill(key.as_mut_slice());
            found = match self.offer_key(workspace, &keys, &key).await {
                // The master key was changed between the two steps; this process knows the new one.
                Err(Error::WrongKey(_)) if self.master_keys().current() != keys.current() => {
                    keys = self.master_keys();
                    self.offer_key(workspace, &keys, &key).await?
                }
                found => found?,
            };
        }
        let (master, wrapped) = found.ok_or_else(|| Error::corrupt("a workspace has no data key"))?;
        let key = self.master_keys().unwrap(&master, workspace, &wrapped)?;
        Ok(self.inner.data_keys.keep(workspace, key))
    }

    async fn offer_key(
        &self,
        workspace: &WorkspaceId,
        keys: &MasterKeys,
        key: &DataKey,
    ) -> Result<Option<(String, Vec<u8>)>> {
        let wrapped = keys.wrap(&*self.inner.entropy, workspace, key)?;
        let offer = Some((keys.current().to_owned(), wrapped));
        self.run(WrappedKey { workspace: workspace.clone(), offer }).await
    }

    /// Changes the master key while work goes on. A crash at any point leaves everything readable to a process that is
    /// given both keys; run it again then. Once it returns, the old key opens nothing.
    pub async fn rotate_master_key(&self, new: MasterKey) -> Result<()> {
        let keys = self.begin_rotation(new).await?;
        for _ in 0..ROUNDS_MAX {
            let mut after = String::new();
            loop {
                let batch = Rewrap {
                    keys: std::sync::Arc::clone(&keys),
                    entropy: std::sync::Arc::clone(&self.inner.entropy),
                    after,
                };
                match self.run(batch).await? {
                    Some(last) => after = last,
                    None => break,
                }
            }
            match self.run(Retire { master: keys.current().to_owned() }).await {
                Ok(_) => return Ok(()),
                Err(Error::Other(text)) if text == LEFT_OVER => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Other("workspaces are added with the old master key faster than they can be re-wrapped".to_owned()))
    }
}
