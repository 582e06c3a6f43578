//! Calls of any facet: with a token that is refreshed once, within the number in flight, their cost noted.

/// Makes a call on behalf of a connection, once more with a new token where the old one was refused.
macro_rules! with_token {
    ($engine:expr, $setup:expr, $op:expr, |$cx:ident| $call:expr) => {{
        let (engine, setup) = ($engine, $setup);
        let mut stale = None;
        loop {
            let token = match engine.token(setup, stale).await {
                Ok(token) => token,
                Err(error) => break Err(error),
            };
            let answer = {
                let paced = engine.paced(setup, &*engine.world.http);
                let cx = syncline_connect::Cx { http: &paced, ..engine.cx(setup, &token) };
                let $cx = &cx;
                engine.timed(setup, $op, $call).await
            };
            let refused = answer
                .as_ref()
                .is_err_and(|error: &syncline_connect::Error| error.retry == syncline_connect::Retry::Reauthorise);
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
    }};
}
pub(crate) use with_token;
