//! Alerts: an outbox of what people are to be told. A row is written in the transaction of the event that it tells of, and
//! is worked off by whoever holds the lease.

use jiff::{Timestamp, tz::TimeZone};
use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::leases::is_held;
use crate::{
    Alert, AlertKind, AlertProgress, AlertRow, Held, NewAlert, PAGE_MAX, Store,
    db::{Db, Op, P, Row, Scope, statements, to_json},
    error::Result,
};

statements! {
    ALERT_ADD = "insert into alert (workspace, event, at, due_at, tries, told, alert) values (?1, ?2, ?3, ?3, 0, ?4, ?5) \
        on conflict (workspace, event) do nothing";
    ALERTS_DUE = "select id, event, at, tries, told, alert from alert \
        where workspace = ?1 and due_at is not null and due_at <= ?2 order by due_at, id limit ?3";
    ALERT_SET = "update alert set told = ?3, tries = ?4, problem = ?5, due_at = ?6 where workspace = ?1 and id = ?2";
    ALERTS_DROP = "delete from alert where workspace = ?1 and due_at is null and at < ?2";
}

/// Writes alerts in the transaction of what they tell of; one whose event is known already is passed over.
pub(super) async fn add<D: Db>(db: &mut D, workspace: &WorkspaceId, alerts: &[NewAlert]) -> Result<()> {
    let nothing = to_json(&Vec::<crate::AlertWay>::new())?;
    let mut blobs = Vec::with_capacity(alerts.len());
    for new in alerts {
        blobs.push(to_json(&new.alert)?);
    }
    let ws = P::Text(workspace.as_str());
    for (new, alert) in alerts.iter().zip(&blobs) {
        db.run(&ALERT_ADD, &[ws, P::Text(&new.event), P::time(new.at), P::Blob(&nothing), P::Blob(alert)]).await?;
    }
    Ok(())
}

/// The alert about work that was laid aside: one an hour and integration, however much it is.
pub(super) fn parked(integration: &str, now: Timestamp) -> NewAlert {
    let hour = now.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H");
    NewAlert {
        event: format!("parked:{integration}:{hour}"),
        at: now,
        alert: Alert {
            kind: AlertKind::Parked,
            integration: Some(IntegrationId::new(integration)),
            connection: None,
            reason: "bookings were laid aside because they cannot be written as they are".to_owned(),
            fix: "look at them on the page of bookings, mend what their reasons name, and have them done again"
                .to_owned(),
        },
    }
}

/// The alert about records of which something is held back: one a day and integration, however many they are.
pub(super) fn held(integration: &str, now: Timestamp) -> NewAlert {
    NewAlert {
        event: format!("held:{integration}:{}", now.to_zoned(TimeZone::UTC).date()),
        at: now,
        alert: Alert {
            kind: AlertKind::Held,
            integration: Some(IntegrationId::new(integration)),
            connection: None,
            reason: "something of records is held back and waits for a person; everything else goes on".to_owned(),
            fix: "look at the integration's page or at `syncline status`, mend what the reasons name, and retry or resolve"
                .to_owned(),
        },
    }
}

/// Drops what was told or given up before a time.
pub(super) async fn drop_old<D: Db>(db: &mut D, workspace: &WorkspaceId, before: Timestamp) -> Result<u64> {
    db.run(&ALERTS_DROP, &[P::Text(workspace.as_str()), P::time(before)]).await
}

struct Add {
    workspace: WorkspaceId,
    alert: NewAlert,
}

impl Op for Add {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        add(db, &self.workspace, std::slice::from_ref(&self.alert)).await
    }
}

struct Due {
    workspace: WorkspaceId,
    now: Timestamp,
    limit: usize,
}

impl Op for Due {
    type Out = Vec<AlertRow>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let limit = P::Int(self.limit.min(PAGE_MAX) as i64);
        let rows = db.rows(&ALERTS_DUE, &[P::Text(self.workspace.as_str()), P::time(self.now), limit]).await?;
        rows.into_iter().map(row_of).collect()
    }
}

fn row_of(mut row: Row) -> Result<AlertRow> {
    Ok(AlertRow {
        id: row.int(0)?,
        event: row.text(1)?,
        at: row.time(2)?,
        tries: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
        told: row.json(4)?,
        alert: row.json(5)?,
    })
}

struct Told {
    workspace: WorkspaceId,
    held: Held,
    now: Timestamp,
    progress: AlertProgress,
}

impl Op for Told {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        if !is_held(db, &self.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        let progress = &self.progress;
        let told = to_json(&progress.told)?;
        let params = [
            P::Text(self.workspace.as_str()),
            P::Int(progress.id),
            P::Blob(&told),
            P::Int(progress.tries.into()),
            P::opt_text(progress.problem.as_deref()),
            P::opt_time(progress.due_at),
        ];
        db.run(&ALERT_SET, &params).await?;
        Ok(true)
    }
}

impl Store {
    /// Has people told of something that has no other change to go with.
    pub async fn add_alert(&self, workspace: &WorkspaceId, alert: NewAlert) -> Result<()> {
        self.run(Add { workspace: workspace.clone(), alert }).await
    }

    /// Alerts that are to be told now, the oldest first.
    pub async fn due_alerts(&self, workspace: &WorkspaceId, now: Timestamp, limit: usize) -> Result<Vec<AlertRow>> {
        self.run(Due { workspace: workspace.clone(), now, limit }).await
    }

    /// Notes how far telling an alert has come. `false`, and nothing is done, where the lease is somebody else's by now.
    pub async fn set_alert(
        &self,
        workspace: &WorkspaceId,
        held: &Held,
        now: Timestamp,
        progress: AlertProgress,
    ) -> Result<bool> {
        self.run(Told { workspace: workspace.clone(), held: held.clone(), now, progress }).await
    }
}
