//! A gate in front of an inline database, for a simulation: it can hold a call up, fail it, or let it never return.
//! Nothing here knows what a call does, and no store outside a simulation has a gate.

use futures::future::BoxFuture;

use crate::{db::Op, error::Result};

/// One call of the store, by the name of its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub name: &'static str,
    /// Whether it changes nothing.
    pub reads: bool,
}

impl Call {
    pub(crate) fn of<O: Op>() -> Self {
        let name = std::any::type_name::<O>();
        Self { name: name.rsplit("::").next().unwrap_or(name), reads: O::READS }
    }
}

/// What stands between one process and its database.
pub trait Gate: Send + Sync {
    /// Before the transaction begins. An error is what the caller gets, and nothing is done.
    fn before(&self, call: Call) -> BoxFuture<'_, Result<()>>;

    /// After the transaction has ended, and before the caller learns of it. An error is what the caller gets although
    /// the transaction may stand.
    fn after(&self, call: Call, done: bool) -> BoxFuture<'_, Result<()>>;
}
