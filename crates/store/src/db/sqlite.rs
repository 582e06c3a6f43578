//! One SQLite connection: how it is opened, and how statements run on it. Which thread it lives on is decided
//! elsewhere ([`super::threads`]).

use std::{future::ready, path::Path, time::Duration};

use futures::FutureExt;
use rusqlite::{Connection, OpenFlags, Statement, config::DbConfig, types::ValueRef};

use super::{Db, Op, P, Row, Sql, Value, without_nul};
use crate::error::{Error, Result};

/// How long a connection waits for another process' lock.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: more than there are.
const STATEMENTS_KEPT: usize = 256;
/// Page cache per connection in KiB: small, because the operating system caches the file as well.
const CACHE_KIB: u32 = 4096;
/// Pages in the write-ahead log at which SQLite copies them into the database: 8 MiB, so that a burst of group commits
/// pays for it rarely.
const WAL_PAGES: u32 = 2000;
/// The log file is cut to this size after it was copied.
const WAL_KEPT_BYTES: u32 = 16 * 1024 * 1024;

/// Pages that are kept in memory while the log is stretched, so that all others are written to it.
const STRETCH_KEPT: u32 = 16;

/// A connection.
pub(crate) struct SqliteDb {
    connection: Connection,
    /// Whether a commit waits until the disk has it.
    lasting: bool,
}

impl SqliteDb {
    /// Opens the database for reading and writing; makes it where it is absent, for the owner's eyes only.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let connection = match path {
            Some(path) => {
                make_private(path)?;
                Connection::open_with_flags(
                    path,
                    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )?
            }
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(BUSY_WAIT)?;
        // FULL: a commit that was acknowledged outlives a power cut, not only a crash of this process. What may be lost
        // says so (see [`Op::FLEETING`]).
        connection.execute_batch(&format!(
            "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory; \
             pragma secure_delete = fast; pragma trusted_schema = off; pragma cache_size = -{CACHE_KIB}; \
             pragma wal_autocheckpoint = {WAL_PAGES}; pragma journal_size_limit = {WAL_KEPT_BYTES};"
        ))?;
        Self::ready(connection)
    }

    /// What both kinds of connections have in common.
    fn ready(connection: Connection) -> Result<Self> {
        // Else the planner looks at the values of limits, and every statement with one is made anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(Self { connection, lasting: true })
    }

    /// Opens the database for reading only.
    pub(crate) fn open_reader(path: &Path) -> Result<Self> {
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.execute_batch(&format!(
            "pragma query_only = on; pragma temp_store = memory; pragma trusted_schema = off; pragma cache_size = -{CACHE_KIB};"
        ))?;
        Self::ready(connection)
    }

    /// Runs statements that have neither parameters nor rows.
    pub(crate) fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.connection.execute_batch(sql)?)
    }

    /// Takes every row out of every table, and has numbers begin anew: the database is as its migrations left it.
    pub(crate) fn empty(&self) -> Result<()> {
        self.control("begin immediate")?;
        let mut tables = self.connection.prepare_cached("select name from sqlite_schema where type = 'table'")?;
        let names = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        for name in names {
            self.connection.prepare_cached(&format!("delete from \"{name}\""))?.execute([])?;
        }
        self.control("commit")
    }

    /// Has the log's file take up its usual room, so that commits overwrite it: while it grows, each sync has the file
    /// system write a journal of its own, which takes many times as long. What is written is undone again; all that
    /// stays is the file's length.
    pub(crate) fn stretch_log(&self) -> Result<()> {
        let bytes: i64 = self.connection.query_row("pragma page_size", [], |row| row.get(0))?;
        let bytes = bytes * i64::from(WAL_PAGES);
        let stretched = self.batch(&format!(
            "pragma cache_size = {STRETCH_KEPT}; begin immediate; create table stretched (filler blob); \
             insert into stretched values (zeroblob({bytes}));"
        ));
        let undone = if self.in_transaction() { self.batch("rollback") } else { Ok(()) };
        self.batch(&format!("pragma cache_size = -{CACHE_KIB}"))?;
        stretched.and(undone)
    }

    /// Says whether the next commits wait until the disk has them. Where they do not, they still outlive a crash of this
    /// process, and the next one that waits brings them to the disk as well.
    pub(crate) fn set_lasting(&mut self, lasting: bool) -> Result<()> {
        if self.lasting != lasting {
            // Takes effect while it is prepared, so it must not be kept prepared.
            self.batch(if lasting { "pragma synchronous = full" } else { "pragma synchronous = normal" })?;
            self.lasting = lasting;
        }
        Ok(())
    }

    /// Runs one short statement of the transaction machinery.
    pub(crate) fn control(&self, sql: &'static str) -> Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// The number of the last migration.
    pub(crate) fn user_version(&self) -> Result<i64> {
        Ok(self.connection.query_row("pragma user_version", [], |row| row.get(0))?)
    }

    /// Whether a transaction is open; SQLite itself ends one on some failures.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Runs an operation as it is, without a transaction of its own.
    pub(crate) fn operate<O: Op>(&mut self, op: &O) -> Result<O::Out> {
        op.run(self).now_or_never().expect("no future of SQLite ever waits")
    }

    /// Runs an operation in a transaction of its own.
    pub(crate) fn transact<O: Op>(&mut self, op: &O) -> Result<O::Out> {
        self.control("begin immediate")?;
        let out = self.operate(op);
        let ended = if out.is_ok() { self.control("commit") } else { Ok(()) };
        if (out.is_err() || ended.is_err()) && self.in_transaction() {
            self.control("rollback")?;
        }
        ended?;
        out
    }

    /// The plan that SQLite makes for a statement, one step a line.
    #[cfg(test)]
    pub(crate) fn explain(&self, sql: &Sql) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare(&format!("explain query plan {}", sql.sqlite()))?;
        let steps = statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>()?;
        Ok(steps)
    }

    fn execute_now(&mut self, sql: &Sql, params: &[P<'_>]) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(sql.sqlite())?;
        bind(&mut statement, params)?;
        Ok(statement.raw_execute()? as u64)
    }

    fn rows_now(&mut self, sql: &Sql, params: &[P<'_>]) -> Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(sql.sqlite())?;
        bind(&mut statement, params)?;
        let columns = statement.column_count();
        let mut found = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read(row, columns)?);
        }
        Ok(rows)
    }

    fn each_now<const N: usize>(&mut self, sql: &Sql, sets: &[[P<'_>; N]]) -> Result<Vec<Option<Row>>> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(sql.sqlite())?;
        let columns = statement.column_count();
        let mut answers = Vec::with_capacity(sets.len());
        for set in sets {
            bind(&mut statement, set)?;
            if columns == 0 {
                let changed = statement.raw_execute()? > 0;
                answers.push(changed.then(|| Row(vec![Value::Int(self.connection.last_insert_rowid())])));
                continue;
            }
            let mut found = statement.raw_query();
            let first = found.next()?.map(|row| read(row, columns)).transpose()?;
            // A statement that returns what it changed has to be run to its end.
            while found.next()?.is_some() {}
            answers.push(first);
        }
        Ok(answers)
    }
}

impl Db for SqliteDb {
    fn run(&mut self, sql: &'static Sql, params: &[P<'_>]) -> impl Future<Output = Result<u64>> + Send {
        ready(self.execute_now(sql, params))
    }

    fn rows(&mut self, sql: &'static Sql, params: &[P<'_>]) -> impl Future<Output = Result<Vec<Row>>> + Send {
        ready(self.rows_now(sql, params))
    }

    fn each<const N: usize>(
        &mut self,
        sql: &'static Sql,
        sets: &[[P<'_>; N]],
    ) -> impl Future<Output = Result<Vec<Option<Row>>>> + Send {
        ready(self.each_now(sql, sets))
    }
}

fn bind(statement: &mut Statement<'_>, params: &[P<'_>]) -> Result<()> {
    for (at, param) in params.iter().enumerate() {
        let at = at + 1;
        match param {
            P::Null => statement.raw_bind_parameter(at, rusqlite::types::Null)?,
            P::Int(value) => statement.raw_bind_parameter(at, value)?,
            P::Text(text) => statement.raw_bind_parameter(at, without_nul(text).as_ref())?,
            P::Blob(blob) => statement.raw_bind_parameter(at, blob)?,
        }
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row> {
    let mut values = Vec::with_capacity(columns);
    for at in 0..columns {
        values.push(match row.get_ref(at)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Text(text) => {
                Value::Text(std::str::from_utf8(text).map_err(|_| Error::corrupt("a text is not UTF-8"))?.to_owned())
            }
            ValueRef::Blob(blob) => Value::Blob(blob.to_owned()),
            ValueRef::Real(_) => return Err(Error::corrupt("a fraction was not expected")),
        });
    }
    Ok(Row(values))
}

/// Makes an absent file with rights for the owner alone; one that is there keeps its rights.
fn make_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::Unavailable(format!("the database file cannot be made: {}", error.kind()))),
    }
}
