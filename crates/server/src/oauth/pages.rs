//! The page after an account was connected.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use crate::{
    page::{self, Frame, Signed},
    problem::{Code, Problem},
    shared::Shared,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "connected.html")]
struct Connected {
    frame: Frame,
    vendor: &'static str,
    id: Shown,
    account: Option<Shown>,
    /// Whether calendars are read of it.
    calendars: bool,
}

/// `GET /connected/{connection}`.
pub(super) async fn connected(State(shared): State<Arc<Shared>>, signed: Signed, Path(id): Path<String>) -> Response {
    let Some(setup) = shared.connection(&signed.workspace, &id) else {
        return page::problem(Problem::new(Code::NotFound));
    };
    match shared.store().connection(&setup.workspace, &setup.id).await {
        Ok(row) => {
            let vendor = setup.connector.manifest().display_name;
            let account = row.and_then(|row| row.tokens).and_then(|tokens| tokens.account);
            let frame = signed.frame(&shared, format!("{vendor} is connected"));
            let page = Connected {
                frame,
                vendor,
                id: Shown::new(setup.id.as_str()),
                account: account.as_deref().map(Shown::value),
                calendars: setup.connector.calendars().is_some(),
            };
            page::html(StatusCode::OK, &page)
        }
        Err(error) => page::problem(Problem::store(&shared, &error)),
    }
}
