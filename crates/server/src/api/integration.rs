//! What integrations that run by themselves have in common, whatever they do: how they stand, starting and pausing them,
//! how one is written through the API, and the text that people agree to.

use std::{future::Future, time::Duration};

use axum::{Json, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};
use syncline_engine::{AGREEMENT_VERSION, Flow, Written};
use syncline_store::{ConnectionRow, FlowStanding, FlowState, SetupKind};
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer,
    access::{Acting, Admin},
};
use crate::{
    problem::{Code, Problem, ProblemBody, RETRY_AFTER},
    shared::Shared,
};

/// The text, with its version in the first line.
const AGREEMENT: &str = include_str!("../../../../docs/agreement.md");

/// Who writes through the API, for the activity log: whoever bears the admin token.
pub(crate) const WHO: &str = "the API";

/// Sentences of a refusal that are shown.
const REASONS_MAX: usize = 20;

/// Characters of a name that agrees.
const AGREED_BY_MAX: usize = 200;

/// How long a caller waits for a round; one that takes longer goes on by itself.
pub(crate) const RUN_WAITS: Duration = Duration::from_secs(15);

/// How an integration stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IntegrationStanding)]
pub(crate) enum Standing {
    /// Nothing is written yet.
    Draft,
    Active,
    /// By a person.
    Paused,
    /// By itself; `reason` says why and what to do.
    Stopped,
}

impl From<FlowStanding> for Standing {
    fn from(standing: FlowStanding) -> Self {
        match standing {
            FlowStanding::Draft => Standing::Draft,
            FlowStanding::Active => Standing::Active,
            FlowStanding::Paused => Standing::Paused,
            FlowStanding::Stopped => Standing::Stopped,
        }
    }
}

/// An integration that cannot be used as it is written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntegrationUnusable)]
pub(crate) struct Unusable {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Who agreed that people's data travels between the accounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntegrationAgreed)]
pub(crate) struct Agreed {
    pub(crate) by: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// The version of the text that they agreed to (`/api/v1/agreement`).
    pub(crate) agreement: Option<String>,
}

impl Agreed {
    pub(crate) fn of(state: &FlowState) -> Option<Self> {
        let (by, at) = state.agreed.clone()?;
        Some(Self { by, at, agreement: state.agreed_text.clone() })
    }
}

/// Who agrees.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IntegrationActivate)]
pub(crate) struct Activate {
    /// Who agrees that people's data may travel between the accounts. Needed once; it is kept with the time.
    #[serde(default)]
    pub(crate) agreed_by: Option<String>,
    /// The version of the text that they read (`/api/v1/agreement`); where it is given it has to be the present one.
    #[serde(default)]
    pub(crate) agreement: Option<String>,
}

/// How to run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IntegrationRun)]
pub(crate) struct RunNow {
    /// Whatever is missing was deleted on purpose; an integration that stopped over that goes on.
    #[serde(default)]
    pub(crate) confirm_deletes: bool,
}

/// The text that people agree to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agreement)]
pub(crate) struct Agreement {
    pub(crate) version: String,
    /// Markdown.
    pub(crate) text: String,
}

/// An integration as it was written through the API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntegrationSetup)]
pub(crate) struct Setup {
    pub(crate) name: String,
    /// Grows with every change.
    pub(crate) version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// In the words of the configuration file, as JSON.
    #[schema(value_type = Object)]
    pub(crate) integration: serde_json::Value,
}

/// Which version is meant to be changed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Edit {
    /// The workspace; the first one where absent.
    pub(crate) workspace: Option<String>,
    /// The version that this change was made from, 0 for a new integration; a change that somebody else made meanwhile is
    /// then not overwritten.
    pub(crate) version: Option<i64>,
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

/// Starts an integration. Somebody has to agree, once, that people's data travels between the accounts.
pub(crate) async fn activate(
    shared: &Shared,
    acting: Acting,
    flow: &impl Flow,
    given: &Activate,
) -> Result<StatusCode, Problem> {
    let agreed_by = given.agreed_by.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if agreed_by.is_some_and(|name| name.chars().count() > AGREED_BY_MAX) {
        let detail = format!("`agreed_by` has at most {AGREED_BY_MAX} characters");
        return Err(Problem::new(Code::UnreadableRequest).detail(detail));
    }
    if given.agreement.as_deref().is_some_and(|version| version != AGREEMENT_VERSION) {
        let detail =
            format!("the text that is agreed to has version {AGREEMENT_VERSION}; read it at /api/v1/agreement");
        return Err(Problem::new(Code::AgreementMissing).detail(detail));
    }
    let agreed = shared.engine.activate(flow, agreed_by).await.map_err(|error| Problem::store(shared, &error))?;
    if !agreed {
        return Err(Problem::new(Code::AgreementMissing));
    }
    acting.done(shared, flow.workspace()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses an integration.
pub(crate) async fn pause(shared: &Shared, acting: Acting, flow: &impl Flow) -> Result<StatusCode, Problem> {
    let paused = shared.engine.set_standing(flow, FlowStanding::Paused, None, None).await;
    paused.map_err(|error| Problem::store(shared, &error))?;
    acting.done(shared, flow.workspace()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why an integration that stands so is not run.
pub(crate) fn not_active(standing: FlowStanding) -> Problem {
    Problem::new(Code::NotActive).detail(match standing {
        FlowStanding::Stopped => "it has stopped by itself; its `reason` says why and what to do",
        _ => "activate it first",
    })
}

/// Why a connection that rests is not asked.
pub(crate) fn resting(connection: &ConnectionId) -> Problem {
    Problem::new(Code::AccountUnavailable).detail(format!("connection {connection} rests; its `reason` says why"))
}

/// Another process has the integration.
pub(crate) fn busy() -> Problem {
    Problem::new(Code::Busy).later(Code::Busy.status().as_u16(), RETRY_AFTER)
}

/// Sees a call to vendors through, whether or not the caller waits for it.
pub(crate) async fn seen_through<T: Send + 'static>(
    shared: &Shared,
    work: impl Future<Output = syncline_store::Result<T>> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(|error| Problem::store(shared, &error)),
        Err(_) => Err(Problem::new(Code::Internal)),
    }
}

/// What is written down of an integration's settings as they were sent.
pub(crate) fn source(name: &str, mut given: Map<String, Value>) -> Result<Vec<u8>, Problem> {
    given.entry("name").or_insert_with(|| name.into());
    if given["name"] != name {
        return Err(Problem::new(Code::UnreadableRequest).detail("`name` is another one than in the address"));
    }
    Ok(Value::from(given).to_string().into_bytes())
}

/// An integration as it was written through the API.
pub(crate) async fn read_setup(
    shared: &Shared,
    workspace: &WorkspaceId,
    kind: SetupKind,
    name: String,
) -> Answer<Setup> {
    let all = shared.store().setups(workspace, kind).await.map_err(|error| Problem::store(shared, &error))?;
    let found = all.into_iter().find(|setup| setup.integration.as_str() == name);
    let found = found.ok_or_else(|| {
        Problem::new(Code::NotFound).detail("no integration of this name was written through the API")
    })?;
    let integration = serde_json::from_slice(&found.source).map_err(|_| Problem::new(Code::Internal))?;
    Ok(Json(Setup { name, version: found.version, at: found.at, integration }))
}

/// Drops an integration that was written through the API.
pub(crate) async fn remove_setup(
    shared: &Shared,
    acting: Acting,
    workspace: &WorkspaceId,
    (kind, name): (SetupKind, String),
    version: Option<i64>,
) -> Result<StatusCode, Problem> {
    let dropped = shared.engine.drop_setup(workspace, (kind, &IntegrationId::new(name)), version, WHO).await;
    match dropped.map_err(|error| Problem::store(shared, &error))? {
        Written::Saved { .. } => {
            acting.done(shared, workspace).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        refused => Err(refusal(refused)),
    }
}

/// The accounts of a workspace, as they are known.
pub(crate) async fn connections(shared: &Shared, workspace: &WorkspaceId) -> Result<Vec<ConnectionRow>, Problem> {
    shared.store().connections(workspace).await.map_err(|error| Problem::store(shared, &error))
}

/// Those that cannot be used as they are written.
pub(crate) fn unusable(shared: &Shared, workspace: &WorkspaceId, kind: SetupKind) -> Vec<Unusable> {
    let unusable = shared.engine.unusable_flows(workspace, kind).into_iter();
    unusable.map(|(name, reason)| Unusable { name: name.as_str().to_owned(), reason }).collect()
}

/// Why an integration was not written or dropped.
pub(crate) fn refusal(refused: Written) -> Problem {
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
