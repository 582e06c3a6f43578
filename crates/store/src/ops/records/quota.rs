//! How many records an integration transferred in a month, and who was told that they become many.

use syncline_core::ids::{IntegrationId, WorkspaceId};

use super::{Flow, columns::count_of};
use crate::{
    JournalEntry, NewAlert, QuotaUse, Store,
    db::{Db, Op, P, Scope, statements},
    error::Result,
    ops::{
        alerts,
        journal::{self, Line},
    },
};

statements! {
    USED_ADD = "insert into record_quota (workspace, integration, month, used, told) values (?1, ?2, ?3, ?4, 0) \
        on conflict (workspace, integration, month) do update set used = record_quota.used + excluded.used";
    USED = "select used, told from record_quota where workspace = ?1 and integration = ?2 and month = ?3";
    TOLD = "insert into record_quota (workspace, integration, month, used, told) values (?1, ?2, ?3, 0, ?4) \
        on conflict (workspace, integration, month) do update set told = excluded.told where record_quota.told < excluded.told";
}

/// Counts tasks.
pub(super) async fn add<D: Db>(db: &mut D, flow: &Flow, month: &str, tasks: u32) -> Result<()> {
    if tasks > 0 {
        let [ws, integration] = flow.key();
        db.run(&USED_ADD, &[ws, integration, P::Text(month), P::Int(tasks.into())]).await?;
    }
    Ok(())
}

struct Used {
    flow: Flow,
    month: String,
}

impl Op for Used {
    type Out = QuotaUse;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<QuotaUse> {
        let [ws, integration] = self.flow.key();
        let Some(row) = db.row(&USED, &[ws, integration, P::Text(&self.month)]).await? else {
            return Ok(QuotaUse::default());
        };
        Ok(QuotaUse { used: row.int(0)?.unsigned_abs(), told_percent: count_of(row.int(1)?) })
    }
}

struct Told {
    flow: Flow,
    month: String,
    percent: u32,
    news: Option<(JournalEntry, NewAlert)>,
}

impl Op for Told {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let [ws, integration] = self.flow.key();
        let params = [ws, integration, P::Text(&self.month), P::Int(self.percent.into())];
        if self.percent == 0 || db.run(&TOLD, &params).await? == 0 {
            return Ok(false);
        }
        if let Some((entry, alert)) = &self.news {
            journal::write(db, &[Line::of_integration(&self.flow.workspace, &self.flow.integration, entry)]).await?;
            alerts::add(db, &self.flow.workspace, std::slice::from_ref(alert)).await?;
        }
        Ok(true)
    }
}

impl Store {
    /// What a month's quota was used for so far.
    pub async fn quota_use(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        month: &str,
    ) -> Result<QuotaUse> {
        self.run(Used { flow: Flow::new(workspace, integration), month: month.to_owned() }).await
    }

    /// Notes that somebody is told of this share. `true` for exactly one caller per share and month, however many
    /// processes ask; shares below one that was told of already are not told any more.
    pub async fn quota_told(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        month: &str,
        percent: u32,
    ) -> Result<bool> {
        let (flow, month) = (Flow::new(workspace, integration), month.to_owned());
        self.run(Told { flow, month, percent, news: None }).await
    }

    /// The same, together with the line of the activity log and what people are told.
    pub async fn tell_quota(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        month: &str,
        percent: u32,
        journal: JournalEntry,
        alert: NewAlert,
    ) -> Result<bool> {
        let (flow, month) = (Flow::new(workspace, integration), month.to_owned());
        self.run(Told { flow, month, percent, news: Some((journal, alert)) }).await
    }
}
