//! Integrations that are written through the API instead of the configuration file, and the text that people agree to.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use syncline_core::ids::IntegrationId;
use syncline_engine::{AGREEMENT_VERSION, records::Written};
use utoipa::IntoParams;

use super::{
    acts::seen_through,
    model::{Agreement, Setup, SetupWritten},
};
use crate::{
    api::{
        Answer, Asked, Given,
        access::{Acting, Admin},
        status::InWorkspace,
        workspace,
    },
    problem::{Code, Problem, ProblemBody},
    shared::Shared,
};

/// The text, with its version in the first line.
const AGREEMENT: &str = include_str!("../../../../../docs/agreement.md");

/// Who writes through the API, for the activity log: whoever bears the admin token.
const WHO: &str = "the API";

/// Sentences of a refusal that are shown.
const REASONS_MAX: usize = 20;

/// Which version is meant to be changed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Edit {
    /// The workspace; the first one where absent.
    workspace: Option<String>,
    /// The version that this change was made from, 0 for a new integration; a change that somebody else made meanwhile is
    /// then not overwritten.
    version: Option<i64>,
}

/// The text that somebody agrees to before an integration starts, and its version.
#[utoipa::path(get, path = "/api/v1/agreement", tag = "records", security(("admin" = [])), responses(
    (status = 200, body = Agreement),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = "5XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn agreement(_: Admin) -> Answer<Agreement> {
    Ok(Json(Agreement { version: AGREEMENT_VERSION.to_owned(), text: AGREEMENT.to_owned() }))
}

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
    Given(mut given): Given<Map<String, Value>>,
) -> Answer<SetupWritten> {
    let workspace = workspace(&shared, edit.workspace.as_deref())?.clone();
    given.entry("name").or_insert_with(|| name.clone().into());
    if given["name"] != name.as_str() {
        return Err(Problem::new(Code::UnreadableRequest).detail("`name` is another one than in the address"));
    }
    let source = Value::from(given).to_string().into_bytes();
    let (engine, id) = (Arc::clone(&shared.engine), IntegrationId::new(name.clone()));
    let whose = workspace.clone();
    let work = async move { engine.write_record_setup(&workspace, &id, source, edit.version, WHO).await };
    match seen_through(&shared, work).await? {
        Written::Saved { version, checked, warnings } => {
            acting.done(&shared, &whose).await?;
            Ok(Json(SetupWritten { name, version, checked, warnings }))
        }
        refused => Err(problem(refused)),
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
    let all = shared.store().record_setups(workspace).await.map_err(|error| Problem::store(&shared, &error))?;
    let found = all.into_iter().find(|setup| setup.integration.as_str() == name);
    let found = found.ok_or_else(|| {
        Problem::new(Code::NotFound).detail("no integration of this name was written through the API")
    })?;
    let integration = serde_json::from_slice(&found.source).map_err(|_| Problem::new(Code::Internal))?;
    Ok(Json(Setup { name, version: found.version, at: found.at, integration }))
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
    let id = IntegrationId::new(name);
    let dropped = shared.engine.drop_record_setup(workspace, &id, edit.version, WHO).await;
    match dropped.map_err(|error| Problem::store(&shared, &error))? {
        Written::Saved { .. } => {
            acting.done(&shared, workspace).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        refused => Err(problem(refused)),
    }
}

fn problem(refused: Written) -> Problem {
    match refused {
        Written::Refused(mut reasons) => {
            let more = reasons.len().saturating_sub(REASONS_MAX);
            reasons.truncate(REASONS_MAX);
            if more > 0 {
                reasons.push(format!("and {more} more"));
            }
            Problem::new(Code::UnusableIntegration).detail(reasons.join("; "))
        }
        Written::InFile => Problem::new(Code::ConfiguredInFile),
        Written::Active => Problem::new(Code::NotPaused),
        Written::Outdated { version } => {
            Problem::new(Code::Outdated).detail(format!("the newest version is {version}"))
        }
        Written::NotThere => Problem::new(Code::NotFound),
        Written::TooMany => {
            Problem::new(Code::UnusableIntegration).detail("a workspace has no more than 200 integrations of this way")
        }
        // It is no refusal; nobody asks for its words.
        Written::Saved { .. } => Problem::new(Code::Internal),
    }
}
