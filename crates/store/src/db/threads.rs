//! SQLite's two threads. One writes: it takes every waiting operation, runs all in one transaction, commits once and
//! then answers all (group commit); where one fails, they are run again, each in a savepoint. The other thread reads
//! what is committed. A commit of nothing but fleeting operations does not wait for the disk.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use tokio::sync::oneshot;

use super::{Op, sqlite::SqliteDb};
use crate::error::{Error, Result};

/// Operations that may wait for a thread; above it callers are told that the store is busy.
pub(crate) const WAITING_MAX: usize = 4096;
/// Operations in one commit: enough to make the disk's part of each vanish, few enough to answer within milliseconds.
pub(crate) const COMMIT_MAX: usize = 512;
/// Stack of each thread.
const STACK_BYTES: usize = 1024 * 1024;

/// The way to the threads.
pub(crate) struct Threads {
    writer: SyncSender<Message>,
    reader: Option<SyncSender<Message>>,
}

enum Message {
    Job(Box<dyn Job>),
    /// Ends the thread; the answer is sent when its connection is closed.
    Stop(oneshot::Sender<()>),
}

/// An operation on its way through a thread.
trait Job: Send {
    /// Whether a power cut may take it back.
    fn is_fleeting(&self) -> bool;
    /// Runs it and keeps what came of it; says whether it went well.
    fn run(&mut self, db: &mut SqliteDb) -> bool;
    /// Tells the caller what came of it, once it is known whether the transaction stands.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

struct Waiting<O: Op> {
    op: O,
    out: Option<Result<O::Out>>,
    caller: oneshot::Sender<Result<O::Out>>,
}

impl<O: Op> Job for Waiting<O> {
    fn is_fleeting(&self) -> bool {
        O::FLEETING
    }

    fn run(&mut self, db: &mut SqliteDb) -> bool {
        // A fault in one operation must not take the thread, and with it the whole store, down.
        let out = catch_unwind(AssertUnwindSafe(|| db.operate(&self.op)))
            .unwrap_or_else(|_| Err(Error::Other("an operation of the store broke off".to_owned())));
        let good = out.is_ok();
        self.out = Some(out);
        good
    }

    fn answer(self: Box<Self>, committed: &Result<()>) {
        let out = match (self.out, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
            (Some(out), Ok(())) => out,
            (None, Ok(())) => Err(Error::Other("an operation was not run".to_owned())),
        };
        // Whoever asked may have gone; what was committed stays committed.
        let _ = self.caller.send(out);
    }
}

impl Threads {
    /// Starts the threads. A database in memory has one connection only, so there the writer reads as well.
    pub(crate) fn start(writer: SqliteDb, path: Option<&Path>) -> Result<Self> {
        let (to_writer, from_callers) = sync_channel(WAITING_MAX);
        spawn("store-writer", move || write_loop(writer, &from_callers))?;
        let reader = match path {
            Some(path) => {
                let db = SqliteDb::open_reader(&PathBuf::from(path))?;
                let (to_reader, from_callers) = sync_channel(WAITING_MAX);
                spawn("store-reader", move || read_loop(db, &from_callers))?;
                Some(to_reader)
            }
            None => None,
        };
        Ok(Self { writer: to_writer, reader })
    }

    /// Hands an operation over and waits for its outcome. It is done even where the caller stops waiting.
    pub(crate) async fn run<O: Op>(&self, op: O) -> Result<O::Out> {
        let (caller, answer) = oneshot::channel();
        let job = Message::Job(Box::new(Waiting { op, out: None, caller }));
        let thread = self.reader.as_ref().filter(|_| O::READS).unwrap_or(&self.writer);
        thread.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => closed(),
        })?;
        answer.await.map_err(|_| closed())?
    }

    /// Ends the threads after what is waiting now.
    pub(crate) async fn stop(&self) {
        for thread in self.reader.iter().chain([&self.writer]) {
            let (done, ended) = oneshot::channel();
            let mut message = Message::Stop(done);
            // A full queue drains; nothing else may be pushed in front for ever, since callers are being turned away.
            loop {
                match thread.try_send(message) {
                    Ok(()) => {
                        let _ = ended.await;
                        break;
                    }
                    Err(TrySendError::Full(back)) => {
                        message = back;
                        tokio::task::yield_now().await;
                    }
                    Err(TrySendError::Disconnected(_)) => break,
                }
            }
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("the store is closed".to_owned())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map(drop)
        .map_err(|error| Error::Unavailable(format!("a thread cannot be started: {error}")))
}

fn write_loop(mut db: SqliteDb, callers: &Receiver<Message>) {
    if let Err(error) = db.stretch_log() {
        tracing::warn!(%error, "Could not stretch the database's log; the first commits take longer");
    }
    let mut jobs: Vec<Box<dyn Job>> = Vec::new();
    let mut stop = None;
    while stop.is_none() {
        let Ok(first) = callers.recv() else { break };
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Stop(done) => {
                    stop = Some(done);
                    break;
                }
            }
            next = if jobs.len() < COMMIT_MAX { callers.try_recv().ok() } else { None };
        }
        commit(&mut db, &mut jobs);
    }
    // Leaves one file behind rather than three. Nothing is lost where it fails: the log is read at the next start.
    if let Err(error) = db.batch("pragma optimize; pragma wal_checkpoint(truncate)") {
        tracing::warn!(%error, "Could not tidy up the database at the end");
    }
    drop(db);
    if let Some(done) = stop {
        let _ = done.send(());
    }
}

fn read_loop(mut db: SqliteDb, callers: &Receiver<Message>) {
    while let Ok(message) = callers.recv() {
        match message {
            Message::Job(mut job) => {
                job.run(&mut db);
                job.answer(&Ok(()));
            }
            Message::Stop(done) => {
                drop(db);
                let _ = done.send(());
                return;
            }
        }
    }
}

/// Runs the jobs in one transaction, commits, answers.
fn commit(db: &mut SqliteDb, jobs: &mut Vec<Box<dyn Job>>) {
    let mut committed = together(db, jobs, Undo::All);
    if matches!(committed, Ok(false)) && jobs.len() > 1 {
        // One of them failed, which is rare: all are done again, each so that it can be undone by itself.
        committed = together(db, jobs, Undo::One);
    }
    let committed = committed.map(drop);
    for job in jobs.drain(..) {
        job.answer(&committed);
    }
}

/// What is undone where one job fails. Savepoints cost a copy of every page that is changed.
#[derive(Clone, Copy)]
enum Undo {
    All,
    One,
}

/// One transaction; `false` where a job failed and everything was undone.
fn together(db: &mut SqliteDb, jobs: &mut [Box<dyn Job>], undo: Undo) -> Result<bool> {
    let lasting = !jobs.iter().all(|job| job.is_fleeting());
    let committed = db.set_lasting(lasting).and_then(|()| db.control("begin immediate")).and_then(|()| {
        let stands = match undo {
            Undo::All => jobs.iter_mut().all(|job| job.run(db)),
            Undo::One => in_savepoints(db, jobs).map(|()| true)?,
        };
        if !stands {
            if db.in_transaction() {
                db.control("rollback")?;
            }
            return Ok(false);
        }
        db.control("commit")?;
        Ok(true)
    });
    if committed.is_err()
        && db.in_transaction()
        && let Err(error) = db.control("rollback")
    {
        tracing::error!(%error, "Could not undo a failed transaction");
    }
    committed
}

fn in_savepoints(db: &mut SqliteDb, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    for job in jobs {
        db.control("savepoint job")?;
        if !job.run(db) {
            if !db.in_transaction() {
                // Out of disk, for one: SQLite has already undone everything, the earlier jobs too.
                return Err(Error::Unavailable("the database undid the transaction".to_owned()));
            }
            db.control("rollback to job")?;
        }
        db.control("release job")?;
    }
    Ok(())
}
