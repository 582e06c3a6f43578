//! What was acknowledged stays: crashes, busy databases, clashes, faults in single operations.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::future::join_all;

use super::world::*;
use crate::{
    Database, Error, Store, TakenIn,
    db::{Db, Op, Scope, Sql, postgres::Postgres},
};

/// A copy of the files as they are on disk is what a killed process leaves behind.
///
/// proves: V1
/// proves: fault:C1
#[tokio::test]
async fn a_killed_process_has_kept_what_it_acknowledged() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    let mut acknowledged = 0;
    for round in 0..5 {
        let deliveries = (0..20)
            .map(|number| delivery(&format!("{round}-{number}"), 0, vec![booked(&format!("b{round}-{number}"), 0)]));
        for taken in join_all(deliveries.map(|delivery| store.take_in(delivery))).await {
            assert_eq!(taken.unwrap(), TakenIn::Stored);
            acknowledged += 1;
        }
        let left = World::new(On::Sqlite).await;
        for ending in ["", "-wal"] {
            std::fs::copy(format!("{}{ending}", world.path().display()), format!("{}{ending}", left.path().display()))
                .unwrap();
        }
        let after = left.store().await;
        assert_eq!(after.counts(&ws()).await.unwrap().inbox_new, acknowledged);
        assert_eq!(claim(&after, "w", 1).await.len(), acknowledged.min(100) as usize);
    }
}

static SYNCHRONOUS: Sql = Sql::new("pragma synchronous");

/// Says how its commit is synced.
struct Synced<const FLEETING: bool>;

impl<const FLEETING: bool> Op for Synced<FLEETING> {
    type Out = i64;
    const FLEETING: bool = FLEETING;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> crate::Result<i64> {
        db.row(&SYNCHRONOUS, &[]).await?.map_or(Ok(-1), |row| row.int(0))
    }
}

/// SQLite's numbers: 1 leaves a commit in the log to the next sync, 2 waits for the disk.
///
/// proves: V1
#[tokio::test]
async fn only_what_is_as_good_as_not_done_is_not_waited_for() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    for _ in 0..2 {
        assert_eq!(store.run(Synced::<false>).await.unwrap(), 2);
        assert_eq!(store.run(Synced::<true>).await.unwrap(), 1);
    }
    // In one commit: the writer waits for the lock while both queue behind the one that it has in hand.
    let other = rusqlite::Connection::open(world.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let unlock = async {
        tokio::task::yield_now().await;
        other.execute_batch("rollback").unwrap();
    };
    let (_, fleeting, lasting, ()) =
        futures::join!(store.run(Synced::<true>), store.run(Synced::<true>), store.run(Synced::<false>), unlock);
    assert_eq!(lasting.unwrap(), 2);
    assert!([1, 2].contains(&fleeting.unwrap()));
}

/// The log has its usual length from the first commit on, and holds nothing that was not committed.
#[tokio::test]
async fn commits_overwrite_the_log() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    store.set_cursor(&ws(), "c", "1").await.unwrap();
    let log = std::fs::metadata(format!("{}-wal", world.path().display())).unwrap().len();
    assert!(log > 8_000_000, "{log}");
    store.close().await;
    let tables: i64 = rusqlite::Connection::open(world.path())
        .unwrap()
        .query_row("select count(*) from sqlite_schema where name = 'stretched'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
    assert!(std::fs::metadata(world.path()).unwrap().len() < 1_000_000);
}

/// A claim that never comes back, in the middle of everything: the next process finds the plan.
///
/// proves: fault:C1
#[tokio::test]
async fn a_process_that_dies_with_a_plan_sent_leaves_it_behind() {
    let world = World::new(On::Sqlite).await;
    {
        let store = world.store().await;
        let chain = take_and_claim(&store, "a", 0).await;
        store.plan(vec![planned(&chain, &["person:a"])], at(1)).await.unwrap();
        // Dropped, not closed.
    }
    let store = world.store().await;
    store.reclaim_all().await.unwrap();
    assert!(claim(&store, "w2", 400).await.remove(0).unsettled.is_some());
}

on_all! {
    /// proves: B2
    async fn of_parallel_deliveries_one_is_stored(world: &World) {
        let store = world.store().await;
        let taken = join_all((0..10).map(|_| store.take_in(delivery("same", 0, vec![booked("a", 0)])))).await;
        let stored = taken.into_iter().filter(|taken| *taken.as_ref().unwrap() == TakenIn::Stored).count();
        assert_eq!(stored, 1);
        assert_eq!(claim(&store, "w", 1).await.len(), 1);
    }

    async fn one_failing_operation_undoes_no_other(world: &World) {
        let store = world.store().await;
        let begin = || store.begin_oauth(&HOME.0, &HOME.1, [1; 32], "verifier", [2; 32], at(600));
        begin().await.unwrap();
        // In one commit: good ones around one that breaks a rule of the database, and one that breaks off.
        let (home, name) = &*HOME;
        let (before, twice, broken, after) = futures::join!(
            store.set_cursor(home, "before", "1"),
            store.begin_oauth(home, name, [1; 32], "verifier", [2; 32], at(600)),
            store.run(BreaksOff),
            store.set_cursor(home, "after", "1"),
        );
        before.unwrap();
        after.unwrap();
        assert!(matches!(twice, Err(Error::Other(_))));
        assert!(broken.is_err());
        for cursor in ["before", "after"] {
            assert_eq!(store.cursor(home, cursor).await.unwrap().as_deref(), Some("1"));
        }
        assert_eq!(store.cursor(home, "broken").await.unwrap(), None, "what it had written is undone");
    }

    async fn a_closed_store_says_so(world: &World) {
        let store = world.store().await;
        let clone = store.clone();
        store.close().await;
        assert!(matches!(clone.health().await, Err(Error::Unavailable(_))));
        assert!(matches!(clone.take_in(delivery("d", 0, Vec::new())).await, Err(Error::Unavailable(_))));
    }

    async fn opening_again_changes_nothing(world: &World) {
        let store = world.store().await;
        take_and_claim(&store, "a", 0).await;
        store.close().await;
        for _ in 0..2 {
            let store = world.store().await;
            store.health().await.unwrap();
            assert_eq!(store.counts(&ws()).await.unwrap().leased, 1);
            store.close().await;
        }
    }
}

static HOME: std::sync::LazyLock<(syncline_core::ids::WorkspaceId, syncline_core::ids::ConnectionId)> =
    std::sync::LazyLock::new(|| (ws(), crm()));

static WRITE: Sql = Sql::new("insert into cursor_at (workspace, name, value) values ('acme', 'broken', '1')");

/// Writes a row and then fails.
struct BreaksOff;

impl Op for BreaksOff {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> crate::Result<()> {
        db.run(&WRITE, &[]).await?;
        Err(Error::Other("on purpose".to_owned()))
    }
}

/// proves: fault:D1
#[tokio::test]
async fn a_database_that_is_locked_for_a_moment_is_waited_for() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    store.set_cursor(&ws(), "c", "0").await.unwrap();
    let other = rusqlite::Connection::open(world.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let write = tokio::spawn(async move { store.set_cursor(&ws(), "c", "1").await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!write.is_finished());
    other.execute_batch("commit").unwrap();
    write.await.unwrap().unwrap();
}

static CLASH: Sql = Sql::new("do $$ begin raise sqlstate '40001'; end $$");
static DEADLOCK: Sql = Sql::new("do $$ begin raise sqlstate '40P01'; end $$");

/// Clashes as often as it is told to.
struct Clashes {
    times: u32,
    tried: AtomicU32,
}

impl Op for Clashes {
    type Out = u32;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> crate::Result<u32> {
        let tried = self.tried.fetch_add(1, Ordering::SeqCst);
        db.run(&WRITE, &[]).await?;
        if tried < self.times {
            db.run(if tried.is_multiple_of(2) { &CLASH } else { &DEADLOCK }, &[]).await?;
        }
        Ok(tried)
    }
}

/// proves: fault:D5
#[tokio::test]
async fn a_transaction_that_postgres_undid_is_repeated() {
    let world = World::new(On::Postgres).await;
    let store = world.store().await;
    let hopeless = Clashes { times: u32::MAX, tried: AtomicU32::new(0) };
    assert!(matches!(store.run(hopeless).await, Err(Error::Busy)), "not for ever");
    assert_eq!(store.cursor(&ws(), "broken").await.unwrap(), None);
    assert_eq!(store.run(Clashes { times: 3, tried: AtomicU32::new(0) }).await.unwrap(), 3);
    assert_eq!(store.cursor(&ws(), "broken").await.unwrap().as_deref(), Some("1"), "written once");
}

#[tokio::test]
async fn processes_that_start_together_make_the_tables_once() {
    let world = World::new(On::Postgres).await;
    let stores = join_all((0..6).map(|_| world.store_with(options()))).await;
    for store in stores {
        store.unwrap().health().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let pg = Postgres::open("postgres://nobody@127.0.0.1:1/none", 1).unwrap();
    assert!(matches!(pg.client().await.map(drop), Err(Error::Unavailable(_))));
    assert!(matches!(Store::open("mysql://x", options()).await.map(drop), Err(Error::Other(_))));
}

/// proves: fault:D1
#[tokio::test]
async fn a_full_queue_is_busy_rather_than_endless() {
    let world = World::new(On::Sqlite).await;
    let store = world.store().await;
    let Database::Sqlite(threads) = &store.inner.database else { panic!("it runs on threads") };
    let other = rusqlite::Connection::open(world.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    // The writer waits for the lock, so nothing leaves the queue.
    let writes = join_all((0..crate::db::threads::WAITING_MAX + 2000).map(|_| threads.run(BreaksOff)));
    let unlock = async { other.execute_batch("rollback").unwrap() };
    let (outcomes, ()) = futures::join!(writes, unlock);
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(Error::Busy))));
    assert!(
        outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Other(_)))).count()
            >= crate::db::threads::WAITING_MAX
    );
}
