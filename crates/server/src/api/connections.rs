//! `/api/v1/connections`: health of every connection, and taking one back.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};

use super::{
    Answer, Asked,
    access::{Acting, Admin},
    model::{ConnectLink, Connection, ConnectionList, Disconnected, Health},
    status::InWorkspace,
    workspace,
};
use crate::{
    oauth,
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// Connections and booking sources, with their health and their use of the vendor's API.
#[utoipa::path(get, path = "/api/v1/connections", tag = "connections", params(InWorkspace), security(("admin" = [])), responses(
    (status = 200, body = ConnectionList),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<ConnectionList> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let rows = shared.store().connections(workspace).await.map_err(|error| Problem::store(&shared, &error))?;
    let now = shared.now();
    let setups = shared.engine.setup().connections.iter().filter(|setup| setup.workspace == *workspace);
    let connected = setups.map(|setup| {
        let row = rows.iter().find(|row| row.connection == setup.id);
        Connection {
            id: setup.id.as_str().to_owned(),
            vendor: setup.connector.manifest().vendor.to_owned(),
            health: Health::of(row, now),
            reason: row.and_then(|row| row.reason.clone()),
            paused_until: row.and_then(|row| row.paused_until),
            account: row.and_then(|row| row.tokens.as_ref()?.account.clone()),
            api_used: row.and_then(|row| row.api_used),
            api_max: row.and_then(|row| row.api_max),
        }
    });
    let sources = shared.sources(workspace);
    let receiving = sources.iter().map(|source| Connection {
        id: source.id.as_str().to_owned(),
        vendor: source.vendor.to_owned(),
        health: Health::Receiving,
        reason: None,
        paused_until: None,
        account: None,
        api_used: None,
        api_max: None,
    });
    Ok(Json(ConnectionList { connections: connected.chain(receiving).collect() }))
}

/// Withdraws the grant at the vendor and destroys our copy of it. Bookings wait until it is connected again.
#[utoipa::path(post, path = "/api/v1/connections/{id}/disconnect", tag = "connections", security(("admin" = [])),
    params(("id" = String, Path, description = "The configured connection"), InWorkspace),
    responses(
        (status = 200, body = Disconnected),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn disconnect(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(id): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Disconnected> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let setup = shared.connection(workspace, &id).ok_or_else(|| Problem::new(Code::NotFound))?;
    let revoked = oauth::disconnect(&shared, setup).await?;
    acting.done(&shared, workspace).await?;
    Ok(Json(Disconnected { revoked }))
}

/// Makes an address by which the owner of an account that is not connected connects it, without any other access.
#[utoipa::path(post, path = "/api/v1/connections/{id}/connect-link", tag = "connections", security(("admin" = [])),
    params(("id" = String, Path, description = "The configured connection"), InWorkspace),
    responses(
        (status = 200, body = ConnectLink),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn connect_link(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(id): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<ConnectLink> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    let setup = shared.connection(workspace, &id).ok_or_else(|| Problem::new(Code::NotFound))?;
    let made = oauth::connect_link::make(&shared, setup).await?;
    acting.done(&shared, workspace).await?;
    Ok(Json(ConnectLink { url: made.url.into(), expires_at: made.expires_at }))
}
