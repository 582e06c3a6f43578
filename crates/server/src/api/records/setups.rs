//! Integrations that are written through the API instead of the configuration file.

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
        integration::{Edit, Setup, WHO, read_setup, refusal, remove_setup, seen_through, source},
        status::InWorkspace,
        workspace,
    },
    problem::{Problem, ProblemBody},
    shared::Shared,
};

/// Writes an integration down as a draft, or changes one that is not active. It is looked at as one of the configuration
/// file is, and both accounts are asked whether its mapping works; nothing is carried over before it is activated. All
/// servers of the installation take it up within seconds.
#[utoipa::path(put, path = "/api/v1/records/{name}", operation_id = "write_records", tag = "records",
    security(("admin" = [])),
    params(("name" = String, Path, description = "1 to 40 lower-case letters, digits and dashes"), Edit),
    request_body(content = Object, description = "The settings of `[[records]]` as JSON; `name` may be left out",
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
    let workspace = workspace(&shared, edit.workspace.as_deref())?.clone();
    let source = source(&name, given)?;
    let (engine, id) = (Arc::clone(&shared.engine), IntegrationId::new(name.clone()));
    let whose = workspace.clone();
    let work = async move { engine.write_record_setup(&workspace, &id, source, edit.version, WHO).await };
    match seen_through(&shared, work).await? {
        Written::Saved { version, checked, warnings } => {
            acting.done(&shared, &whose).await?;
            Ok(Json(SetupWritten { name, version, checked, warnings }))
        }
        refused => Err(refusal(refused)),
    }
}

/// An integration as it was written through the API, to be changed and written again.
#[utoipa::path(get, path = "/api/v1/records/{name}/setup", operation_id = "read_records_setup", tag = "records",
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
    read_setup(&shared, workspace, SetupKind::Records, name).await
}

/// Drops an integration that was written through the API and is not active. Nothing is deleted in either account, and what
/// is known of its records is kept: written again under the same name, it goes on where it stopped.
#[utoipa::path(delete, path = "/api/v1/records/{name}", operation_id = "drop_records", tag = "records",
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
    remove_setup(&shared, acting, workspace, (SetupKind::Records, name), edit.version).await
}
