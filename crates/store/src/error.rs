//! What can go wrong with the store, by what a caller can do about it. "Not found" is an `Option`, never an error.

/// The result of every call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed call. Texts never hold stored values: they may be logged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// More is asked for than can be taken on; the same call may be made again a little later.
    #[error("the store is busy; try again")]
    Busy,
    /// The database cannot be reached, or its disk does not take any more. What was acknowledged before is safe; whether
    /// this very call took effect may be unknown.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The master key is not the one that the stored secrets are sealed with. Nothing was changed.
    #[error("wrong master key: {0}")]
    WrongKey(String),
    /// What is stored cannot be read.
    #[error("stored content cannot be read: {0}")]
    Corrupt(String),
    /// Another process holds the database for longer than we wait.
    #[error("the database is locked by another process")]
    Locked,
    /// The caller asked for something that cannot be, or there is a fault in the store itself.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Content that is not what was once written there.
    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Error::Corrupt(what.to_string())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::corrupt("the database file is damaged or none")
            }
            Some(ErrorCode::DiskFull) => Error::Unavailable("the disk is full".to_owned()),
            Some(ErrorCode::SystemIoFailure) => Error::Unavailable("the disk failed".to_owned()),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Error::Unavailable("the database file cannot be opened for writing".to_owned())
            }
            // Only the code: SQLite's texts may quote values.
            Some(code) => Error::Other(format!("database error: {code:?}")),
            None => Error::Other(format!("database error: {error}")),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;
        let Some(answer) = error.as_db_error() else {
            return Error::Unavailable(error.to_string());
        };
        match answer.code() {
            code if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED => Error::Locked,
            code if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
                Error::Busy
            }
            code if *code == SqlState::TOO_MANY_CONNECTIONS => Error::Busy,
            // Classes 08 (connection), 53 (resources), 57 (operator), 58 (system): the server's trouble, not ours.
            code if ["08", "53", "57", "58"].iter().any(|class| code.code().starts_with(class)) => {
                Error::Unavailable(format!("postgres answered {}", code.code()))
            }
            // Only the code and the server's short text, never its detail, which quotes rows.
            code => Error::Other(format!("database error {}: {}", code.code(), answer.message())),
        }
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            deadpool_postgres::PoolError::Timeout(_) => Error::Busy,
            other => Error::Unavailable(other.to_string()),
        }
    }
}
