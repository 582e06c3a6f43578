//! A dry run: what a message would do, record by record and field by field, with real look-ups and no write.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    booking::{chain::ChainState, diff::decide, facts::Facts, message::BookingMessage},
    ids::{ChainId, ConnectionId, IntegrationId, WorkspaceId},
    record::{Field, Fields, Role, Value},
    step::Write,
};
use syncline_store::{Claimed, Known, Links};

use crate::{
    engine::Engine,
    job::{InVain, Job, as_text, context},
    journal,
    push::crm,
    templates::TemplateSource,
};

/// What a message would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DryRun {
    /// The booking that it belongs to, where there is one already.
    pub booking: Option<String>,
    pub records: Vec<RecordChange>,
    /// Why it is so: a stable word and a sentence each.
    pub notes: Vec<(String, String)>,
    /// Calls that the look-ups took.
    pub calls: f64,
}

/// What would happen to one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordChange {
    pub slot: String,
    pub role: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    pub id: Option<String>,
    /// By field: what stands there now, where that was looked up, and what would be written.
    pub fields: Map<String, Json>,
}

/// Why there is no dry run.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    #[error("there is no integration `{0}`")]
    NoIntegration(IntegrationId),
    #[error("the template cannot be used: {0}")]
    Template(String),
    #[error(transparent)]
    Store(#[from] syncline_store::Error),
    #[error(transparent)]
    Crm(#[from] Error),
}

impl Engine {
    /// Works out what these messages of one delivery would do, and does nothing. Messages of several bookings give one
    /// dry run each. `body` is the delivery as it came; `trial` is a template that is tried instead of what is in force of its kind.
    pub async fn dry_run(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        source: &ConnectionId,
        messages: &[BookingMessage],
        body: &[u8],
        trial: Option<TemplateSource<'_>>,
    ) -> Result<Vec<DryRun>, DryRunError> {
        let mut bookings: Vec<Claimed> = Vec::new();
        let mut known_before: Vec<bool> = Vec::new();
        let now = self.world.clock.now();
        self.refresh_templates(workspace, now).await?;
        for message in messages {
            let known = self.world.store.known(workspace, source, message).await?;
            let is_known = known.is_some();
            let known = known.unwrap_or_else(|| Known {
                chain: ChainId::beginning_with(workspace, source, message.root()),
                state: ChainState::default(),
                links: Links::new(),
                unsettled: None,
            });
            let at = bookings.iter().position(|booking| booking.chain == known.chain).unwrap_or_else(|| {
                bookings.push(claimed(workspace, integration, source, known, now));
                known_before.push(is_known);
                bookings.len() - 1
            });
            bookings[at].state.absorb(message);
        }
        let mut runs = Vec::new();
        for (booking, is_known) in bookings.iter().zip(known_before) {
            runs.push(self.dry_run_of(booking, is_known, (messages, body), now, trial).await?);
        }
        Ok(runs)
    }

    async fn dry_run_of(
        &self,
        booking: &Claimed,
        is_known: bool,
        (messages, body): (&[BookingMessage], &[u8]),
        now: Timestamp,
        trial: Option<TemplateSource<'_>>,
    ) -> Result<DryRun, DryRunError> {
        let integration = self.setup.integration(&booking.workspace, &booking.integration);
        let integration = integration.ok_or_else(|| DryRunError::NoIntegration(booking.integration.clone()))?;
        let setup = self.setup.connection(&booking.workspace, &integration.crm).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, Retry::Never, "dry run", "the integration's CRM is not configured")
        })?;
        let crm = crm(setup)?;
        let name = is_known.then(|| booking.chain.as_str().to_owned());
        let Some(view) = booking.state.view() else {
            let text = "the message speaks of a booking that is still to come; it would be kept until then";
            let notes = vec![("waits".to_owned(), text.to_owned())];
            return Ok(DryRun { booking: name, records: Vec::new(), notes, calls: 0.0 });
        };
        let effective = match trial {
            Some(trial) => {
                self.on_trial(integration, (&view.content.meeting_type, &view.content.meeting_type_name), trial)
            }
            None => self.effective(integration, &view),
        };
        let effective = effective.map_err(DryRunError::Template)?;
        let mut jobs = vec![Job::new(booking, view, effective)];
        let mut facts = Facts::default();
        self.recall(setup, &mut jobs, &mut facts, now).await?;
        for job in &mut jobs {
            if messages.iter().any(|message| message.booked.as_deref() == Some(job.view.content)) {
                job.raw = Some(as_text(body));
            }
        }
        if let Some(InVain { error, .. }) =
            self.look_at(setup, crm, &mut jobs, &mut facts, now).await.into_iter().next()
        {
            return Err(error.into());
        }
        let job = jobs.first().expect("what was looked at without a failure is still there");
        let identify = |text: &str| crm.identify(text);
        let normalise = |role: Role, field: &Field, value: Value| crm.normalise(role, field, value);
        let decision =
            decide(&context(setup, job, &facts, now, &identify), &job.view, job.claimed.unsettled.as_ref(), &normalise);
        let records = decision.plan.steps.iter().map(|step| {
            let (action, id, fields) = match &step.write {
                Write::Upsert { fields, .. } => ("create", None, Some(fields)),
                Write::Patch { id, fields } => ("update", Some(id), Some(fields)),
                Write::Delete { id } => ("delete", Some(id), None),
            };
            let present = id.and_then(|id| facts.record(id)).map(|record| &record.fields);
            RecordChange {
                slot: step.slot.to_string(),
                role: step.object.as_ref().map_or_else(|| step.role.as_str().to_owned(), ToString::to_string),
                action: action.to_owned(),
                id: id.map(|id| id.as_str().to_owned()),
                fields: fields.map(|fields| changes(fields, present)).unwrap_or_default(),
            }
        });
        let notes = decision.notes.iter().map(|note| (note.code.to_owned(), note.text.clone())).collect();
        Ok(DryRun { booking: name, records: records.collect(), notes, calls: job.looks })
    }
}

fn changes(fields: &Fields, present: Option<&Fields>) -> Map<String, Json> {
    let change = |(field, value): (&Field, &Value)| {
        let mut change = Map::from_iter([("then".to_owned(), journal::value(value, &Links::new()))]);
        if let Some(now) = present.and_then(|present| present.get(field)) {
            change.insert("now".to_owned(), journal::value(now, &Links::new()));
        }
        (field.to_string(), Json::Object(change))
    };
    fields.iter().map(change).collect()
}

/// A booking as a worker would hold it.
fn claimed(
    workspace: &WorkspaceId,
    integration: &IntegrationId,
    source: &ConnectionId,
    known: Known,
    now: Timestamp,
) -> Claimed {
    Claimed {
        workspace: workspace.clone(),
        integration: integration.clone(),
        source: source.clone(),
        chain: known.chain,
        fence: 0,
        revision: 0,
        state: known.state,
        links: known.links,
        attempts: 0,
        unsettled: known.unsettled,
        waiting_since: now,
    }
}
