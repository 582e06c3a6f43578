//! Calls to an account whose records are kept in step: with a token that is refreshed once, within the number in
//! flight, their cost noted. The same for every call of the facet.

use syncline_connect::{Answered, Error, ErrorKind, Mirror, Retry};
use syncline_core::merge::Side;

use super::RecordFlow;
use crate::{
    engine::{Called, Engine},
    setup::ConnectionSetup,
};

/// Makes a call on behalf of a connection, once more with a new token where the old one was refused.
macro_rules! mirrored {
    ($engine:expr, $setup:expr, |$mirror:ident, $cx:ident| $call:expr) => {{
        let (engine, setup) = ($engine, $setup);
        match $crate::records::call::mirror(setup) {
            Err(error) => Err(error),
            Ok($mirror) => {
                let mut stale = None;
                loop {
                    let token = match engine.token(setup, stale).await {
                        Ok(token) => token,
                        Err(error) => break Err(error),
                    };
                    let answer = {
                        let cx = engine.cx(setup, &token);
                        let $cx = &cx;
                        engine.timed(setup, $crate::push::Op::Mirror, $call).await
                    };
                    let refused = answer.as_ref().is_err_and(|error: &syncline_connect::Error| {
                        error.retry == syncline_connect::Retry::Reauthorise
                    });
                    if refused && stale.is_none() {
                        stale = Some(token.version);
                        continue;
                    }
                    engine.note_usage(setup, &answer).await;
                    if let Err(error) = &answer
                        && error.kind == syncline_connect::ErrorKind::Revoked
                    {
                        engine.lose(setup, error).await;
                    }
                    break answer;
                }
            }
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
