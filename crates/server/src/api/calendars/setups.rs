//! Integrations of calendars that are written through the API instead of the configuration file.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value};
use syncline_core::ids::IntegrationId;
use syncline_engine::Written;
use syncline_store::SetupKind;

use super::model::SetupWritten;
use crate::{
    api::{
        Answer, Asked, Given,
        access::{Acting, Admin},
        integration::{Edit, Setup, WHO, read_setup, refusal, remove_setup, source},
        status::InWorkspace,
        workspace,
    },
    problem::{Problem, ProblemBody},
    shared::Shared,
};

/// Writes an integration down as a draft, or changes one that is not active, by adding a person for example. It is looked at
/// as one of the configuration file is; `check` asks the accounts. All servers of the installation take it up within
/// seconds.
#[utoipa::path(put, path = "/api/v1/calendars/{name}", operation_id = "write_calendars", tag = "calendars",
    security(("admin" = [])),
    params(("name" = String, Path, description = "1 to 40 lower-case letters, digits and dashes"), Edit),
    request_body(content = Object, description = "The settings of `[[calendars]]` as JSON; `name` may be left out",
        content_type = "application/json"),
    responses(
        (status = 200, body = SetupWritten),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn write(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(edit): Asked<Edit>,
    Given(given): Given<Map<String, Value>>,
) -> Answer<SetupWritten> {
    let workspace = workspace(&shared, edit.workspace.as_deref())?;
    let (source, id) = (source(&name, given)?, IntegrationId::new(name.clone()));
    let written = shared.engine.write_calendar_setup(workspace, &id, source, edit.version, WHO).await;
    match written.map_err(|error| Problem::store(&shared, &error))? {
        Written::Saved { version, .. } => {
            acting.done(&shared, workspace).await?;
            Ok(Json(SetupWritten { name, version }))
        }
        refused => Err(refusal(refused)),
    }
}

/// An integration as it was written through the API, to be changed and written again.
#[utoipa::path(get, path = "/api/v1/calendars/{name}/setup", operation_id = "read_calendars_setup", tag = "calendars",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), InWorkspace),
    responses(
        (status = 200, body = Setup),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn read(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(name): Path<String>,
    Asked(asked): Asked<InWorkspace>,
) -> Answer<Setup> {
    let workspace = workspace(&shared, asked.workspace.as_deref())?;
    read_setup(&shared, workspace, SetupKind::Calendars, name).await
}

/// Drops an integration that was written through the API and is not active. Nothing is deleted in the CRM or in a calendar,
/// and what is known of its events is kept: written again under the same name, it goes on where it stopped.
#[utoipa::path(delete, path = "/api/v1/calendars/{name}", operation_id = "drop_calendars", tag = "calendars",
    security(("admin" = [])),
    params(("name" = String, Path, description = "The integration's name"), Edit),
    responses(
        (status = 204, description = "It is gone"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(crate) async fn remove(
    State(shared): State<Arc<Shared>>,
    acting: Acting,
    Path(name): Path<String>,
    Asked(edit): Asked<Edit>,
) -> Result<StatusCode, Problem> {
    let workspace = workspace(&shared, edit.workspace.as_deref())?;
    remove_setup(&shared, acting, workspace, (SetupKind::Calendars, name), edit.version).await
}
