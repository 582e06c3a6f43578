//! Telling people what they must know though they look at no page: a quota that runs out, an account that has to be
//! connected again, work that was laid aside, an integration that stopped.
//!
//! The store holds what is to be told since the moment it happened; here it is put into words and sent, by whoever holds
//! the lease, with pauses that grow while nobody takes it. How mail is carried is handed in ([`Mailer`]).

mod webhook;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    backoff,
    ids::{IntegrationId, WorkspaceId},
};
use syncline_store::{Alert, AlertKind, AlertProgress, AlertRow, AlertWay, Held, NewAlert, Result as StoreResult};
use tokio_util::sync::CancellationToken;
use url::Url;

pub use self::webhook::AlertHook;
use crate::{
    engine::Engine,
    mail::{Mail, Mailer},
};

/// Alerts that are told in one go; with more waiting, the next go follows at once.
const AT_ONCE: usize = 20;

/// How often to see whether there is something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// For how long it is tried: what nobody could be told within three days is on the pages, and no longer news.
const TELL_FOR: SignedDuration = SignedDuration::from_hours(72);

/// How long one way may take for one alert; carriers give up sooner.
const TELL_TAKES: SignedDuration = SignedDuration::from_secs(60);

/// Characters of a reason in a subject line.
const SUBJECT_MAX: usize = 120;

/// The ways by which people are told.
#[derive(Clone, Default)]
pub struct AlertWays {
    pub mail: Option<Arc<dyn Mailer>>,
    pub webhook: Option<AlertHook>,
    /// Where the pages are, for links.
    pub pages: Option<Url>,
}

impl AlertWays {
    fn all(&self) -> Vec<AlertWay> {
        let mail = self.mail.as_ref().map(|_| AlertWay::Mail);
        mail.into_iter().chain(self.webhook.as_ref().map(|_| AlertWay::Webhook)).collect()
    }
}

impl Engine {
    /// Tells what is to be told until `stop`.
    pub async fn tell_alerts(self: &Arc<Self>, ways: AlertWays, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut more = false;
            for workspace in self.told_workspaces() {
                match self.alerts_round(&workspace, &ways).await {
                    Ok(told) => more |= told >= AT_ONCE,
                    Err(error) => tracing::warn!(%error, "The database did not answer; alerts wait"),
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(if more { Duration::ZERO } else { LOOK_EVERY }) => {}
            }
        }
    }

    /// Tells what is due now, once; says how many alerts were tried.
    pub async fn alerts_round(&self, workspace: &WorkspaceId, ways: &AlertWays) -> StoreResult<usize> {
        let now = self.world.clock.now();
        if self.world.store.due_alerts(workspace, now, 1).await?.is_empty() {
            return Ok(0);
        }
        let all = i32::try_from(AT_ONCE * ways.all().len().max(1)).unwrap_or(i32::MAX);
        let lease = TELL_TAKES.saturating_mul(all);
        let Some(held) = self.hold(workspace, "alerts".to_owned(), lease).await? else { return Ok(0) };
        let told = self.tell_due(workspace, ways, &held).await;
        self.let_go(workspace, &held).await;
        told
    }

    async fn tell_due(&self, workspace: &WorkspaceId, ways: &AlertWays, held: &Held) -> StoreResult<usize> {
        let due = self.world.store.due_alerts(workspace, self.world.clock.now(), AT_ONCE).await?;
        for row in &due {
            let progress = self.tell(workspace, row, ways).await;
            if !self.world.store.set_alert(workspace, held, self.world.clock.now(), progress).await? {
                break;
            }
        }
        Ok(due.len())
    }

    /// Tries every way by which it was not told yet.
    async fn tell(&self, workspace: &WorkspaceId, row: &AlertRow, ways: &AlertWays) -> AlertProgress {
        let (mut told, mut problems) = (row.told.clone(), Vec::new());
        for way in ways.all() {
            if told.contains(&way) {
                continue;
            }
            let sent = self.tell_by(way, workspace, row, ways).await;
            let outcome = if sent.is_ok() { "told" } else { "failed" };
            metrics::counter!("syncline_alerts_total", "kind" => row.alert.kind.as_str(), "outcome" => outcome)
                .increment(1);
            match sent {
                Ok(()) => told.push(way),
                Err(problem) => problems.push(problem),
            }
        }
        let now = self.world.clock.now();
        let tries = row.tries.saturating_add(1);
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        let mut due_at = None;
        if let Some(problem) = &problem {
            let pause = backoff::next_delay(tries, self.random());
            let next = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
            if next.duration_since(row.at) < TELL_FOR {
                tracing::warn!(alert.id = row.id, "An alert could not be told, and is tried again: {problem}");
                due_at = Some(next);
            } else {
                tracing::error!(alert.id = row.id, "An alert could not be told and is given up: {problem}");
            }
        }
        AlertProgress { id: row.id, told, tries, problem, due_at }
    }

    async fn tell_by(
        &self,
        way: AlertWay,
        workspace: &WorkspaceId,
        row: &AlertRow,
        ways: &AlertWays,
    ) -> Result<(), String> {
        match (way, &ways.mail, &ways.webhook) {
            (AlertWay::Mail, Some(mailer), _) => {
                mailer.send(&mail(workspace, row, ways.pages.as_ref())).await.map_err(|error| error.to_string())
            }
            (AlertWay::Webhook, _, Some(hook)) => hook.send(&self.world, workspace, row).await,
            (AlertWay::Mail, None, _) | (AlertWay::Webhook, _, None) => Ok(()),
        }
    }

    /// Tells something at once by every way and says what became of it; nothing is kept.
    pub async fn try_alert(
        &self,
        workspace: &WorkspaceId,
        new: &NewAlert,
        ways: &AlertWays,
    ) -> Vec<(AlertWay, Result<(), String>)> {
        let NewAlert { event, at, alert } = new.clone();
        let row = AlertRow { id: 0, event, at, alert, tries: 0, told: Vec::new() };
        let mut tried = Vec::new();
        for way in ways.all() {
            tried.push((way, self.tell_by(way, workspace, &row, ways).await));
        }
        tried
    }

    /// Workspaces that something may happen in.
    pub(crate) fn told_workspaces(&self) -> Vec<WorkspaceId> {
        let mut all: Vec<WorkspaceId> =
            self.setup.connections.iter().map(|connection| connection.workspace.clone()).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// The mail about an alert.
fn mail(workspace: &WorkspaceId, row: &AlertRow, pages: Option<&Url>) -> Mail {
    let alert = &row.alert;
    let mut text = format!("{}.\n\nWhat to do: {}.\n", sentence(&alert.reason), alert.fix);
    if let Some(link) = pages.and_then(|pages| link(pages, alert)) {
        text.push_str(&format!("\n{link}\n"));
    }
    text.push_str(&format!("\nAt {:.0}, in workspace {workspace}.\n", row.at));
    // Letters that mail servers take as they are.
    let id: String = row.event.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '.' }).collect();
    let (id, subject) = (format!("{id}.{workspace}"), format!("[Syncline] {}", subject(alert)));
    Mail { id, subject, text, guest: None }
}

/// What the alert is about, in one line.
pub(crate) fn subject(alert: &Alert) -> String {
    let name = match (&alert.integration, &alert.connection) {
        (Some(integration), _) => integration.as_str(),
        (None, Some(connection)) => connection.as_str(),
        (None, None) => "Syncline",
    };
    let text = match alert.kind {
        AlertKind::QuotaNear => format!("{name} has used most of this month's transfers"),
        AlertKind::QuotaUsed => format!("{name} has used all of this month's transfers and rests"),
        AlertKind::ConnectionLost => format!("{name} needs to be connected again"),
        AlertKind::Parked => format!("{name} has laid work aside for you"),
        AlertKind::Held => format!("{name} holds something back for you"),
        AlertKind::Stopped => format!("{name} has stopped: {}", alert.reason),
        AlertKind::Test => "this is a test".to_owned(),
    };
    let one_line = text.replace(['\r', '\n'], " ");
    match one_line.char_indices().nth(SUBJECT_MAX) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The page that shows more.
pub(crate) fn link(pages: &Url, alert: &Alert) -> Option<Url> {
    match (alert.kind, &alert.integration) {
        (AlertKind::Parked, _) => pages.join("bookings").ok(),
        (AlertKind::ConnectionLost | AlertKind::Test, _) | (_, None) => Some(pages.clone()),
        (_, Some(integration)) => pages.join(&format!("integrations/{integration}")).ok(),
    }
}

/// The alert about a share of the month's transfers.
pub(crate) fn quota(integration: &IntegrationId, month: &str, percent: u32, limit: u64, now: Timestamp) -> NewAlert {
    let (kind, reason, fix) = if percent >= 100 {
        (
            AlertKind::QuotaUsed,
            format!(
                "the integration {integration} has used its {limit} transfers of {month} and transfers nothing more"
            ),
            "raise `tasks_per_month` where it is set up, or wait: it goes on by itself when the month turns".to_owned(),
        )
    } else {
        (
            AlertKind::QuotaNear,
            format!("the integration {integration} has used {percent} % of its {limit} transfers of {month}"),
            "raise `tasks_per_month` where it is set up if the rest will not do".to_owned(),
        )
    };
    let (integration, connection) = (Some(integration.clone()), None);
    let event = format!("quota:{}:{month}:{percent}", integration.as_ref().map_or("", IntegrationId::as_str));
    NewAlert { event, at: now, alert: Alert { kind, integration, connection, reason, fix } }
}

/// The alert about an integration that stopped by itself.
pub(crate) fn stopped(integration: &IntegrationId, reason: &str, now: Timestamp) -> NewAlert {
    let alert = Alert {
        kind: AlertKind::Stopped,
        integration: Some(integration.clone()),
        connection: None,
        reason: reason.to_owned(),
        fix: "look at what it was about to do; nothing more is written until a person lets it go on".to_owned(),
    };
    NewAlert { event: format!("stopped:{integration}:{}", now.as_microsecond()), at: now, alert }
}

/// The alert about a calendar that no longer shows much of what was in it.
pub(crate) fn missing(integration: &IntegrationId, calendar: &str, reason: &str, now: Timestamp) -> NewAlert {
    let alert = Alert {
        kind: AlertKind::Held,
        integration: Some(integration.clone()),
        connection: None,
        reason: reason.to_owned(),
        fix: format!(
            "look into the calendar; if its events are gone on purpose, run `syncline calendars run {integration} \
             --confirm-deletes`; nothing is called off until then, and everything else goes on"
        ),
    };
    NewAlert { event: format!("missing:{integration}:{calendar}:{}", now.as_microsecond()), at: now, alert }
}

/// The alert about many records of meetings to come that were deleted at once.
pub(crate) fn deleted(integration: &IntegrationId, reason: &str, now: Timestamp) -> NewAlert {
    let alert = Alert {
        kind: AlertKind::Held,
        integration: Some(integration.clone()),
        connection: None,
        reason: reason.to_owned(),
        fix: format!(
            "restore the records in the CRM, or run `syncline calendars run {integration} --confirm-deletes` where their \
             events are to go, too; no event is deleted until then"
        ),
    };
    NewAlert { event: format!("deleted:{integration}:{}", now.as_microsecond()), at: now, alert }
}

/// The alert about an account that has to be connected again.
pub(crate) fn connection_lost(setup: &crate::ConnectionSetup, reason: &str, now: Timestamp) -> NewAlert {
    let id = &setup.id;
    let alert = Alert {
        kind: AlertKind::ConnectionLost,
        integration: None,
        connection: Some(id.clone()),
        reason: format!(
            "the connection {id} to {} does not work any more: {reason}",
            setup.connector.manifest().display_name
        ),
        fix:
            "connect the account again on the overview page or with `syncline connect`; what waits for it goes on then"
                .to_owned(),
    };
    NewAlert { event: format!("connection:{id}:{}", now.as_microsecond()), at: now, alert }
}

/// The alert by which somebody tries the ways.
pub fn test_alert(now: Timestamp) -> NewAlert {
    let alert = Alert {
        kind: AlertKind::Test,
        integration: None,
        connection: None,
        reason: "somebody tried whether alerts arrive, and this one has".to_owned(),
        fix: "nothing".to_owned(),
    };
    NewAlert { event: format!("test:{}", now.as_microsecond()), at: now, alert }
}
