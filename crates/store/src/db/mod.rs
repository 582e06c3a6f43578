//! The narrow waist between operations and databases: a statement, its parameters, its rows. Operations are written
//! once against [`Db`]; nothing here knows a table.

pub(crate) mod dialect;
pub(crate) mod postgres;
pub(crate) mod sqlite;
pub(crate) mod threads;
mod tls;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use syncline_core::ids::WorkspaceId;

pub(crate) use self::dialect::{Sql, statements};
use crate::error::{Error, Result};

/// A parameter. Numbers, times and truth values are integers; JSON and sealed text are blobs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum P<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl<'a> P<'a> {
    /// A time, in microseconds.
    pub(crate) fn time(time: Timestamp) -> Self {
        P::Int(time.as_microsecond())
    }

    /// A time or nothing.
    pub(crate) fn opt_time(time: Option<Timestamp>) -> Self {
        time.map_or(P::Null, P::time)
    }

    /// A text or nothing.
    pub(crate) fn opt_text(text: Option<&'a str>) -> Self {
        text.map_or(P::Null, P::Text)
    }

    /// A blob or nothing.
    pub(crate) fn opt_blob(blob: Option<&'a [u8]>) -> Self {
        blob.map_or(P::Null, P::Blob)
    }

    /// An integer or nothing.
    pub(crate) fn opt_int(value: Option<i64>) -> Self {
        value.map_or(P::Null, P::Int)
    }
}

/// Neither database need keep a NUL inside text (PostgreSQL refuses it), so both store the replacement character.
pub(crate) fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.as_bytes().contains(&0) { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// A stored value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One row of an answer; columns are taken out by their place.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    fn take(&mut self, at: usize) -> Result<Value> {
        let value = self.0.get_mut(at).ok_or_else(|| Error::corrupt("a row is too short"))?;
        Ok(std::mem::replace(value, Value::Null))
    }

    pub(crate) fn opt_int(&self, at: usize) -> Result<Option<i64>> {
        match self.0.get(at) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(Error::corrupt("a number was expected")),
        }
    }

    pub(crate) fn int(&self, at: usize) -> Result<i64> {
        self.opt_int(at)?.ok_or_else(|| Error::corrupt("a number is missing"))
    }

    pub(crate) fn opt_text(&mut self, at: usize) -> Result<Option<String>> {
        match self.take(at)? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            Value::Int(_) | Value::Blob(_) => Err(Error::corrupt("a text was expected")),
        }
    }

    pub(crate) fn text(&mut self, at: usize) -> Result<String> {
        self.opt_text(at)?.ok_or_else(|| Error::corrupt("a text is missing"))
    }

    pub(crate) fn opt_blob(&mut self, at: usize) -> Result<Option<Vec<u8>>> {
        match self.take(at)? {
            Value::Blob(blob) => Ok(Some(blob)),
            Value::Null => Ok(None),
            Value::Int(_) | Value::Text(_) => Err(Error::corrupt("a blob was expected")),
        }
    }

    pub(crate) fn blob(&mut self, at: usize) -> Result<Vec<u8>> {
        self.opt_blob(at)?.ok_or_else(|| Error::corrupt("a blob is missing"))
    }

    pub(crate) fn opt_time(&self, at: usize) -> Result<Option<Timestamp>> {
        self.opt_int(at)?.map(time_of).transpose()
    }

    pub(crate) fn time(&self, at: usize) -> Result<Timestamp> {
        time_of(self.int(at)?)
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self, at: usize) -> Result<T> {
        from_json(&self.blob(at)?)
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self, at: usize) -> Result<Option<T>> {
        self.opt_blob(at)?.map(|blob| from_json(&blob)).transpose()
    }
}

/// The time behind stored microseconds.
pub(crate) fn time_of(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| Error::corrupt("a time is out of range"))
}

/// What most of what is stored as JSON takes up, so that it need not be moved while it grows.
const JSON_BYTES: usize = 1000;

/// JSON as it is stored.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut json = Vec::with_capacity(JSON_BYTES);
    // The error's text may quote the value, so it stays here.
    serde_json::to_writer(&mut json, value).map_err(|_| Error::Other("a value has no JSON form".to_owned()))?;
    Ok(json)
}

/// What was stored as JSON.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        Error::corrupt(format!("stored JSON does not fit at line {} column {}", error.line(), error.column()))
    })
}

/// A database inside one transaction (or, for reads, on one connection). SQLite's futures are ready at once.
pub(crate) trait Db: Send {
    /// Runs a statement and says how many rows it touched.
    fn run(&mut self, sql: &'static Sql, params: &[P<'_>]) -> impl Future<Output = Result<u64>> + Send;

    /// Runs a statement and returns its rows.
    fn rows(&mut self, sql: &'static Sql, params: &[P<'_>]) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// Runs a statement once per parameter set, in order, and returns the first row of each. One round trip.
    /// A statement with the mark `{written}` yields the id of the row that it wrote, and nothing where it wrote none.
    fn each<const N: usize>(
        &mut self,
        sql: &'static Sql,
        sets: &[[P<'_>; N]],
    ) -> impl Future<Output = Result<Vec<Option<Row>>>> + Send;

    /// Runs a statement and returns its first row.
    fn row(&mut self, sql: &'static Sql, params: &[P<'_>]) -> impl Future<Output = Result<Option<Row>>> + Send {
        async move { Ok(self.rows(sql, params).await?.into_iter().next()) }
    }
}

/// Whose rows an operation may touch. PostgreSQL keeps all others from it, whatever its statements say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope<'a> {
    One(&'a WorkspaceId),
    /// Looks for work, keys or authorisations wherever they are.
    All,
}

impl<'a> Scope<'a> {
    /// The scope of an operation on rows that each say whose they are.
    pub(crate) fn of(workspaces: impl IntoIterator<Item = &'a WorkspaceId>) -> Self {
        let mut workspaces = workspaces.into_iter();
        match workspaces.next() {
            Some(first) if workspaces.all(|other| other == first) => Scope::One(first),
            Some(_) | None => Scope::All,
        }
    }
}

/// One operation: a transaction with everything that it needs to know. It may be run again after a clash.
pub(crate) trait Op: Send + Sync + 'static {
    /// What it yields.
    type Out: Send + 'static;

    /// Whether it only reads; such operations see committed rows and hold up no writer.
    const READS: bool = false;

    /// Whether a power cut may take it back after it was answered. Only for what is as good as not done then, and whose
    /// later writes are all lasting: these carry it with them, because the log is kept in order.
    const FLEETING: bool = false;

    /// Whose rows it may touch.
    fn scope(&self) -> Scope<'_>;

    /// Does it.
    fn run<D: Db>(&self, db: &mut D) -> impl Future<Output = Result<Self::Out>> + Send;
}
