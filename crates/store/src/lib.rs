//! All SQL of Syncline: inbox, chains, shared links, outbox, records in step, leases with their fences, cursors, journal
//! and vault, in SQLite or PostgreSQL. What a row means to the outside, and when to claim or settle, is not decided here.

mod alerts;
mod calendars;
mod db;
mod error;
mod gate;
mod migrate;
mod ops;
mod options;
mod person;
mod records;
mod types;
mod vault;
mod views;

// The benchmark's rounds run as a test, too, and know this crate by its name.
#[cfg(test)]
extern crate self as syncline_store;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use syncline_core::Entropy;

pub use self::{
    alerts::*,
    calendars::*,
    error::{Error, Result},
    gate::{Call, Gate},
    options::StoreOptions,
    person::*,
    records::*,
    types::*,
    vault::MasterKey,
    views::*,
};
use self::{
    db::{Op, postgres::Postgres, sqlite::SqliteDb, threads::Threads},
    options::Place,
    vault::{DataKeys, MasterKeys, rotation},
};

/// The store. Clones share everything.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    database: Database,
    entropy: Arc<dyn Entropy>,
    master_keys: RwLock<Arc<MasterKeys>>,
    data_keys: DataKeys,
}

enum Database {
    Sqlite(Threads),
    /// Every call at once, on the caller's thread; nothing once it is closed.
    Inline(Arc<Mutex<Option<SqliteDb>>>, Option<Arc<dyn Gate>>),
    Postgres(Postgres),
}

impl Store {
    /// Opens `sqlite:path`, `sqlite::memory:` or `postgres://…` and brings its tables up to date. With the wrong master
    /// key nothing is touched.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Store> {
        match Place::parse(url)? {
            Place::Sqlite(path) => {
                let keys = options.master_keys();
                let db = open_sqlite(path.as_deref(), &keys, &*options.entropy)?;
                Ok(Self::with(Database::Sqlite(Threads::start(db, path.as_deref())?), keys, options.entropy))
            }
            Place::Postgres => {
                let keys = options.master_keys();
                let pg = Postgres::open(url, options.pool)?;
                if pg.has_vault().await? {
                    check_canaries(&keys, &pg.run(rotation::Canaries).await?)?;
                }
                migrate::postgres(&pg).await?;
                if !pg.obeys_policies().await? {
                    tracing::warn!("{UNWALLED}");
                }
                let canaries = pg.run(rotation::Canaries).await?;
                if let Some(canary) = missing_canary(&keys, &canaries, &*options.entropy)? {
                    pg.run(canary).await?;
                }
                Ok(Self::with(Database::Postgres(pg), keys, options.entropy))
            }
        }
    }

    /// Opens SQLite without threads: every call runs at once on the caller's thread and its future is ready when first
    /// polled. For a simulation that must not depend on scheduling.
    pub fn open_inline(url: &str, options: StoreOptions) -> Result<Store> {
        let Place::Sqlite(path) = Place::parse(url)? else {
            return Err(Error::Other("only SQLite runs inline".to_owned()));
        };
        let keys = options.master_keys();
        let db = open_sqlite(path.as_deref(), &keys, &*options.entropy)?;
        Ok(Self::with(Database::Inline(Arc::new(Mutex::new(Some(db))), None), keys, options.entropy))
    }

    /// The same inline database as another process would have it open: with nothing remembered, its own source of
    /// chance, and a gate that every call passes. Nothing for a store that does not run inline.
    pub fn gated(&self, entropy: Arc<dyn Entropy>, gate: Arc<dyn Gate>) -> Option<Store> {
        let Database::Inline(db, _) = &self.inner.database else { return None };
        let keys = self.master_keys();
        let master_keys = RwLock::new(keys);
        let database = Database::Inline(Arc::clone(db), Some(gate));
        Some(Self { inner: Arc::new(Inner { database, entropy, master_keys, data_keys: DataKeys::default() }) })
    }

    /// The same inline database as if it had just been made: empty, with its own source of chance. Its tables and prepared
    /// statements are kept, which is what making one costs; a simulation plays run after run over it. Nothing for a store
    /// that does not run inline or was closed.
    pub fn renewed(&self, entropy: Arc<dyn Entropy>) -> Option<Result<Store>> {
        let Database::Inline(db, _) = &self.inner.database else { return None };
        let keys = self.master_keys();
        let mut open = db.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_mut()?;
        let ready = open.empty().and_then(|()| keep_canary(open, &keys, &*entropy));
        Some(ready.map(|()| Self::with(Database::Inline(Arc::clone(db), None), keys, entropy)))
    }

    fn with(database: Database, keys: impl Into<Arc<MasterKeys>>, entropy: Arc<dyn Entropy>) -> Self {
        let master_keys = RwLock::new(keys.into());
        Self { inner: Arc::new(Inner { database, entropy, master_keys, data_keys: DataKeys::default() }) }
    }

    /// Finishes what is waiting and closes the database. Clones get an error from then on.
    pub async fn close(self) {
        match &self.inner.database {
            Database::Sqlite(threads) => threads.stop().await,
            Database::Inline(db, _) => drop(db.lock().unwrap_or_else(PoisonError::into_inner).take()),
            Database::Postgres(pg) => pg.close(),
        }
    }

    pub(crate) async fn run<O: Op>(&self, op: O) -> Result<O::Out> {
        match &self.inner.database {
            Database::Sqlite(threads) => threads.run(op).await,
            Database::Inline(db, None) => run_inline(db, &op),
            Database::Inline(db, Some(gate)) => {
                let call = Call::of::<O>();
                gate.before(call).await?;
                let out = run_inline(db, &op);
                gate.after(call, out.is_ok()).await?;
                out
            }
            Database::Postgres(pg) => pg.run(op).await,
        }
    }

    pub(crate) fn master_keys(&self) -> Arc<MasterKeys> {
        Arc::clone(&self.inner.master_keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_master_keys(&self, keys: Arc<MasterKeys>) {
        *self.inner.master_keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

/// What is said where PostgreSQL's own walls do not stand.
const UNWALLED: &str = "The database role is a superuser or bypasses row-level security, so PostgreSQL does not keep \
    workspaces apart by itself: give Syncline a role of its own that owns its tables";

fn run_inline<O: Op>(db: &Mutex<Option<SqliteDb>>, op: &O) -> Result<O::Out> {
    let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
    let db = db.as_mut().ok_or_else(|| Error::Unavailable("the store is closed".to_owned()))?;
    if O::READS { db.operate(op) } else { db.transact(op) }
}

fn open_sqlite(path: Option<&std::path::Path>, keys: &MasterKeys, entropy: &dyn Entropy) -> Result<SqliteDb> {
    // Looked at before anything is written, the journal mode included.
    if let Some(path) = path.filter(|path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0)) {
        let mut reader = SqliteDb::open_reader(path)?;
        if reader.user_version()? > 0 {
            check_canaries(keys, &reader.operate(&rotation::Canaries)?)?;
        }
    }
    let mut db = SqliteDb::open(path)?;
    migrate::sqlite(&db)?;
    keep_canary(&mut db, keys, entropy)?;
    Ok(db)
}

fn keep_canary(db: &mut SqliteDb, keys: &MasterKeys, entropy: &dyn Entropy) -> Result<()> {
    let canaries = db.operate(&rotation::Canaries)?;
    match missing_canary(keys, &canaries, entropy)? {
        Some(canary) => db.transact(&canary),
        None => Ok(()),
    }
}

/// Rewrites an SQLite file, so that nothing of what was deleted is left in it. A server that works on it meanwhile may be
/// in the way; then it says so, and nothing is lost.
pub fn compact(file: &std::path::Path) -> Result<()> {
    SqliteDb::open(Some(file))?.batch("pragma secure_delete = on; vacuum; pragma wal_checkpoint(truncate)")
}

fn check_canaries(keys: &MasterKeys, canaries: &[(String, Vec<u8>)]) -> Result<()> {
    canaries.iter().try_for_each(|(master, sealed)| keys.check_canary(master, sealed))
}

/// The canary of the current master key, where it is not there yet and all that are there are known.
fn missing_canary(
    keys: &MasterKeys,
    canaries: &[(String, Vec<u8>)],
    entropy: &dyn Entropy,
) -> Result<Option<rotation::AddCanary>> {
    check_canaries(keys, canaries)?;
    if canaries.iter().any(|(master, _)| master == keys.current()) {
        return Ok(None);
    }
    Ok(Some(rotation::AddCanary { master: keys.current().to_owned(), sealed: keys.canary(entropy)? }))
}
