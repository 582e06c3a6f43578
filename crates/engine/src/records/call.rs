//! Calls to an account whose records are kept in step.

use syncline_connect::{Answered, Error, ErrorKind, Mirror, Retry};
use syncline_core::merge::Side;

use super::RecordFlow;
use crate::{
    engine::{Called, Engine},
    setup::ConnectionSetup,
};

/// Makes a call of the facet on behalf of a connection.
macro_rules! mirrored {
    ($engine:expr, $setup:expr, |$mirror:ident, $cx:ident| $call:expr) => {{
        let (engine, setup) = ($engine, $setup);
        match $crate::records::call::mirror(setup) {
            Err(error) => Err(error),
            Ok($mirror) => $crate::call::with_token!(engine, setup, $crate::push::Op::Mirror, |$cx| $call),
        }
    }};
}
pub(crate) use mirrored;

/// The facet, or an error that says there is none.
pub(crate) fn mirror(setup: &ConnectionSetup) -> Called<&'static dyn Mirror> {
    setup.connector.mirror().ok_or_else(|| {
        let name = setup.connector.manifest().display_name;
        Error::new(ErrorKind::Configuration, Retry::Never, "read", format!("records of {name} cannot be kept in step"))
    })
}

impl Engine {
    /// The connection of one side.
    pub(crate) fn side_setup<'a>(&'a self, flow: &RecordFlow, side: Side) -> Called<&'a ConnectionSetup> {
        let connection = &flow.side(side).connection;
        self.setup.connection(&flow.workspace, connection).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, Retry::Never, "read", format!("there is no connection {connection}"))
        })
    }
}

/// Counts the calls of an answer and yields what it says.
pub(crate) fn paid<T>(answer: Called<Answered<T>>, calls: &mut u32) -> Called<T> {
    match answer {
        Ok(answered) => {
            *calls = calls.saturating_add(answered.calls);
            Ok(answered.value)
        }
        Err(error) => {
            *calls = calls.saturating_add(1);
            Err(error)
        }
    }
}
