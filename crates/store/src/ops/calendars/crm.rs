//! The other way: how far the CRM was asked, and which of its records are meetings of calendars.

use std::collections::BTreeMap;

use jiff::Timestamp;
use syncline_core::{
    calendar::identity::Uid,
    ids::{IntegrationId, RecordId, WorkspaceId},
};

use crate::{
    CrmState, Held, Store,
    db::{Db, Op, P, Scope, statements},
    error::{Error, Result},
    ops::leases::is_held,
};

statements! {
    CRM_MAKE = "insert into calendar_crm (workspace, integration, since, next_at, creating) values (?1, ?2, ?3, ?3, 0) \
        on conflict (workspace, integration) do nothing";
    CRM_GET = "select since, next_at, creating, records_at, confirmed_at from calendar_crm where workspace = ?1 and integration = ?2";
    CRM_SET = "update calendar_crm set since = ?3, next_at = ?4, creating = ?5, records_at = ?6 \
        where workspace = ?1 and integration = ?2";
    CRM_CONFIRM = "update calendar_crm set confirmed_at = ?3, next_at = ?3 where workspace = ?1 and integration = ?2";
    CRM_CONFIRM_END = "update calendar_crm set confirmed_at = null \
        where workspace = ?1 and integration = ?2 and confirmed_at = ?3";
    RECORD_GET = "select uid from calendar_record where workspace = ?1 and integration = ?2 and record = ?3";
    RECORD_PUT = "insert into calendar_record (workspace, integration, record, uid) values (?1, ?2, ?3, ?4) \
        on conflict (workspace, integration, record) do update set uid = excluded.uid";
}

/// Notes which meeting a record is.
pub(super) async fn know_records<D: Db>(
    db: &mut D,
    workspace: &WorkspaceId,
    integration: &IntegrationId,
    records: &[(&RecordId, &Uid)],
) -> Result<()> {
    let [ws, integration] = [P::Text(workspace.as_str()), P::Text(integration.as_str())];
    let sets: Vec<_> = records
        .iter()
        .map(|(record, uid)| [ws, integration, P::Text(record.as_str()), P::Text(uid.as_str())])
        .collect();
    db.each(&RECORD_PUT, &sets).await.map(drop)
}

struct Begin {
    workspace: WorkspaceId,
    integration: IntegrationId,
    from: Timestamp,
}

impl Op for Begin {
    type Out = CrmState;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<CrmState> {
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        db.run(&CRM_MAKE, &[ws, integration, P::time(self.from)]).await?;
        let row = db.row(&CRM_GET, &[ws, integration]).await?;
        let row = row.ok_or_else(|| Error::corrupt("the row of a CRM is gone"))?;
        Ok(CrmState {
            since: row.time(0)?,
            next_at: row.time(1)?,
            creating: row.int(2)? != 0,
            records_at: row.opt_time(3)?,
            confirmed_at: row.opt_time(4)?,
        })
    }
}

struct Set {
    workspace: WorkspaceId,
    integration: IntegrationId,
    held: Held,
    now: Timestamp,
    state: CrmState,
}

impl Op for Set {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        if !is_held(db, &self.workspace, &self.held, self.now).await? {
            return Ok(false);
        }
        // What a person said meanwhile stays.
        let CrmState { since, next_at, creating, records_at, confirmed_at: _ } = self.state;
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let creating = P::Int(creating.into());
        let set = [ws, integration, P::time(since), P::time(next_at), creating, P::opt_time(records_at)];
        Ok(db.run(&CRM_SET, &set).await? > 0)
    }
}

struct Confirm {
    workspace: WorkspaceId,
    integration: IntegrationId,
    from: Timestamp,
    now: Timestamp,
}

impl Op for Confirm {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        db.run(&CRM_MAKE, &[ws, integration, P::time(self.from)]).await?;
        db.run(&CRM_CONFIRM, &[ws, integration, P::time(self.now)]).await.map(drop)
    }
}

struct EndConfirmation {
    workspace: WorkspaceId,
    integration: IntegrationId,
    confirmed: Timestamp,
}

impl Op for EndConfirmation {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        db.run(&CRM_CONFIRM_END, &[ws, integration, P::time(self.confirmed)]).await.map(drop)
    }
}

struct Known {
    workspace: WorkspaceId,
    integration: IntegrationId,
    records: Vec<RecordId>,
}

impl Op for Known {
    type Out = BTreeMap<RecordId, Uid>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let [ws, integration] = [P::Text(self.workspace.as_str()), P::Text(self.integration.as_str())];
        let keys: Vec<_> = self.records.iter().map(|record| [ws, integration, P::Text(record.as_str())]).collect();
        let rows = db.each(&RECORD_GET, &keys).await?;
        let mut known = BTreeMap::new();
        for (record, row) in self.records.iter().zip(rows) {
            if let Some(mut row) = row {
                let uid = Uid::read(&row.text(0)?).ok_or_else(|| Error::corrupt("a meeting's name cannot be read"))?;
                known.insert(record.clone(), uid);
            }
        }
        Ok(known)
    }
}

impl Store {
    /// How far the CRM was asked for what people do there. Where it never was, it begins at `from`.
    pub async fn begin_crm(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        from: Timestamp,
    ) -> Result<CrmState> {
        self.run(Begin { workspace: workspace.clone(), integration: integration.clone(), from }).await
    }

    /// A person says that the records of meetings which are gone from the CRM were deleted on purpose: it is asked at once,
    /// by whoever is next. Where it never was asked, it begins at `from`.
    pub async fn confirm_crm(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        self.run(Confirm { workspace: workspace.clone(), integration: integration.clone(), from, now }).await
    }

    /// What was confirmed then is carried out. A later word stays.
    pub async fn end_crm_confirmation(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        confirmed: Timestamp,
    ) -> Result<()> {
        self.run(EndConfirmation { workspace: workspace.clone(), integration: integration.clone(), confirmed }).await
    }

    /// Keeps how far it was asked, but for what a person confirmed. Nothing, and `false`, where the lease is another's by now.
    pub async fn set_crm(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        held: &Held,
        now: Timestamp,
        state: CrmState,
    ) -> Result<bool> {
        let (workspace, integration, held) = (workspace.clone(), integration.clone(), held.clone());
        self.run(Set { workspace, integration, held, now, state }).await
    }

    /// Which of these records are meetings of calendars, and which.
    pub async fn meetings_of_records(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        records: Vec<RecordId>,
    ) -> Result<BTreeMap<RecordId, Uid>> {
        self.run(Known { workspace: workspace.clone(), integration: integration.clone(), records }).await
    }
}
