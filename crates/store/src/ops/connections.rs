//! Connections: their grant, sealed, and their health.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use syncline_core::ids::{ConnectionId, WorkspaceId};
use zeroize::Zeroizing;

use crate::{
    ConnectionRow, ConnectionStatus, NewAlert, Store, StoredTokens,
    db::{Db, Op, P, Row, Scope, from_json, statements, time_of, to_json},
    error::{Error, Result},
    ops::alerts,
    vault::{self, Place},
};

/// Connections of one workspace that are listed.
const CONNECTIONS_MAX: i64 = 1000;

statements! {
    CONNECTION_ADD = "insert into connection (workspace, connection, vendor, status, version) values (?1, ?2, ?3, 'not_connected', 0) \
        on conflict (workspace, connection) do update set vendor = excluded.vendor where connection.vendor <> excluded.vendor";
    CONNECTION_GET = "select connection, vendor, status, paused_until, reason, version, api_used, api_max, tokens \
        from connection where workspace = ?1 and connection = ?2";
    CONNECTION_LIST = "select connection, vendor, status, paused_until, reason, version, api_used, api_max, tokens \
        from connection where workspace = ?1 order by connection limit ?2";
    TOKENS_SET = "update connection set tokens = ?3, version = version + 1, status = 'connected', \
        reason = case when paused_until is null then null else reason end \
        where workspace = ?1 and connection = ?2 and (cast(?4 as bigint) is null or version = ?4)";
    STATUS_SET = "update connection set status = ?3, reason = ?4 where workspace = ?1 and connection = ?2";
    LOST_SET = "update connection set status = 'needs_reconnect', reason = ?3 \
        where workspace = ?1 and connection = ?2 and status <> 'needs_reconnect'";
    PAUSE_SET = "update connection set paused_until = ?3, reason = ?4 where workspace = ?1 and connection = ?2";
    RESUME_SET = "update connection set paused_until = null, reason = case when status = 'connected' then null else reason end \
        where workspace = ?1 and connection = ?2";
    USAGE_SET = "update connection set api_used = ?3, api_max = ?4 where workspace = ?1 and connection = ?2";
    DISCONNECT = "update connection set tokens = null, version = version + 1, status = 'not_connected', paused_until = null, \
        reason = null, api_used = null, api_max = null where workspace = ?1 and connection = ?2";
}

impl ConnectionStatus {
    /// The stable word in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionStatus::NotConnected => "not_connected",
            ConnectionStatus::Connected => "connected",
            ConnectionStatus::NeedsReconnect => "needs_reconnect",
        }
    }

    fn parse(word: &str) -> Result<Self> {
        [ConnectionStatus::NotConnected, ConnectionStatus::Connected, ConnectionStatus::NeedsReconnect]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| Error::corrupt("an unknown connection status"))
    }
}

/// A grant in the form in which it is sealed.
#[derive(Serialize, Deserialize)]
struct SealedTokens {
    access: String,
    refresh: Option<String>,
    base_url: String,
    expires_at: Option<i64>,
    account: Option<String>,
}

/// A change of one row with up to two values.
struct Change {
    sql: &'static crate::db::Sql,
    workspace: WorkspaceId,
    connection: ConnectionId,
    values: [Option<Column>; 2],
}

enum Column {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Column {
    fn param(&self) -> P<'_> {
        match self {
            Column::Null => P::Null,
            Column::Int(value) => P::Int(*value),
            Column::Text(text) => P::Text(text),
            Column::Blob(blob) => P::Blob(blob),
        }
    }
}

impl Op for Change {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let ids = [P::Text(self.workspace.as_str()), P::Text(self.connection.as_str())];
        let params: Vec<P<'_>> = ids.into_iter().chain(self.values.iter().flatten().map(Column::param)).collect();
        Ok(db.run(self.sql, &params).await? > 0)
    }
}

/// A connection that does not work any more, and what people are told of it.
struct Lose {
    workspace: WorkspaceId,
    connection: ConnectionId,
    reason: String,
    alert: NewAlert,
}

impl Op for Lose {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let params = [P::Text(self.workspace.as_str()), P::Text(self.connection.as_str()), P::Text(&self.reason)];
        if db.run(&LOST_SET, &params).await? == 0 {
            return Ok(false);
        }
        alerts::add(db, &self.workspace, std::slice::from_ref(&self.alert)).await?;
        Ok(true)
    }
}

struct Connections {
    workspace: WorkspaceId,
    /// One of them, or all.
    connection: Option<ConnectionId>,
}

impl Op for Connections {
    type Out = Vec<(ConnectionRow, Option<Vec<u8>>)>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let ws = P::Text(self.workspace.as_str());
        let rows = match &self.connection {
            Some(connection) => db.rows(&CONNECTION_GET, &[ws, P::Text(connection.as_str())]).await?,
            None => db.rows(&CONNECTION_LIST, &[ws, P::Int(CONNECTIONS_MAX)]).await?,
        };
        rows.into_iter().map(|row| row_of(&self.workspace, row)).collect()
    }
}

fn row_of(workspace: &WorkspaceId, mut row: Row) -> Result<(ConnectionRow, Option<Vec<u8>>)> {
    let connection = ConnectionRow {
        workspace: workspace.clone(),
        connection: ConnectionId::new(row.text(0)?),
        vendor: row.text(1)?,
        status: ConnectionStatus::parse(&row.text(2)?)?,
        paused_until: row.opt_time(3)?,
        reason: row.opt_text(4)?,
        tokens: None,
        version: row.int(5)?,
        api_used: row.opt_int(6)?,
        api_max: row.opt_int(7)?,
    };
    Ok((connection, row.opt_blob(8)?))
}

impl Store {
    async fn change(
        &self,
        sql: &'static crate::db::Sql,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        values: [Option<Column>; 2],
    ) -> Result<bool> {
        self.run(Change { sql, workspace: workspace.clone(), connection: connection.clone(), values }).await
    }

    async fn unseal_row(&self, (mut row, sealed): (ConnectionRow, Option<Vec<u8>>)) -> Result<ConnectionRow> {
        let Some(sealed) = sealed else { return Ok(row) };
        let key = self.data_key(&row.workspace).await?;
        let place = Place { workspace: &row.workspace, row: &[row.connection.as_str()], column: "tokens" };
        let json = Zeroizing::new(vault::open(&key, &place, &sealed)?);
        let tokens: SealedTokens = from_json(&json)?;
        row.tokens = Some(StoredTokens {
            access: tokens.access,
            refresh: tokens.refresh,
            base_url: tokens.base_url,
            expires_at: tokens.expires_at.map(time_of).transpose()?,
            account: tokens.account,
        });
        Ok(row)
    }

    /// One connection with its grant in the clear.
    pub async fn connection(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
    ) -> Result<Option<ConnectionRow>> {
        let op = Connections { workspace: workspace.clone(), connection: Some(connection.clone()) };
        match self.run(op).await?.into_iter().next() {
            Some(found) => self.unseal_row(found).await.map(Some),
            None => Ok(None),
        }
    }

    /// All connections of a workspace, by name.
    pub async fn connections(&self, workspace: &WorkspaceId) -> Result<Vec<ConnectionRow>> {
        let mut rows = Vec::new();
        for found in self.run(Connections { workspace: workspace.clone(), connection: None }).await? {
            rows.push(self.unseal_row(found).await?);
        }
        Ok(rows)
    }

    /// Makes the connection's row where it is absent.
    pub async fn ensure_connection(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        vendor: &str,
    ) -> Result<()> {
        self.change(&CONNECTION_ADD, workspace, connection, [Some(Column::Text(vendor.to_owned())), None])
            .await
            .map(drop)
    }

    /// The same without their grants, which stay sealed.
    pub async fn connection_states(&self, workspace: &WorkspaceId) -> Result<Vec<ConnectionRow>> {
        let rows = self.run(Connections { workspace: workspace.clone(), connection: None }).await?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    /// Stores a grant, sealed, and calls the connection connected. With an expected version only if nobody stored
    /// another one meanwhile; `false` where somebody did, or where there is no such connection. Durable on return.
    pub async fn store_tokens(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        tokens: &StoredTokens,
        expected_version: Option<i64>,
    ) -> Result<bool> {
        let key = self.data_key(workspace).await?;
        let json = Zeroizing::new(to_json(&SealedTokens {
            access: tokens.access.clone(),
            refresh: tokens.refresh.clone(),
            base_url: tokens.base_url.clone(),
            expires_at: tokens.expires_at.map(Timestamp::as_microsecond),
            account: tokens.account.clone(),
        })?);
        let place = Place { workspace, row: &[connection.as_str()], column: "tokens" };
        let sealed = vault::seal(&key, &*self.inner.entropy, &place, &json)?;
        let expected = expected_version.map_or(Column::Null, Column::Int);
        self.change(&TOKENS_SET, workspace, connection, [Some(Column::Blob(sealed)), Some(expected)]).await
    }

    /// Says how a connection does, and why where it does not.
    pub async fn set_status(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        status: ConnectionStatus,
        reason: Option<&str>,
    ) -> Result<bool> {
        let reason = reason.map_or(Column::Null, |reason| Column::Text(reason.to_owned()));
        self.change(&STATUS_SET, workspace, connection, [Some(Column::Text(status.as_str().to_owned())), Some(reason)])
            .await
    }

    /// Says that a connection has to be made anew, together with what people are told of it. `false`, and nobody is told,
    /// where that was said before.
    pub async fn lose_connection(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        reason: &str,
        alert: NewAlert,
    ) -> Result<bool> {
        let (workspace, connection) = (workspace.clone(), connection.clone());
        self.run(Lose { workspace, connection, reason: reason.to_owned(), alert }).await
    }

    /// Has nothing sent to a connection before a time.
    pub async fn pause(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        until: Timestamp,
        reason: &str,
    ) -> Result<bool> {
        let values = [Some(Column::Int(until.as_microsecond())), Some(Column::Text(reason.to_owned()))];
        self.change(&PAUSE_SET, workspace, connection, values).await
    }

    /// Ends a connection's pause.
    pub async fn resume(&self, workspace: &WorkspaceId, connection: &ConnectionId) -> Result<bool> {
        self.change(&RESUME_SET, workspace, connection, [None, None]).await
    }

    /// Remembers how much of the vendor's allowance is used.
    pub async fn record_usage(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        used: i64,
        max: i64,
    ) -> Result<bool> {
        self.change(&USAGE_SET, workspace, connection, [Some(Column::Int(used)), Some(Column::Int(max))]).await
    }

    /// Forgets a connection's grant; what was synced stays.
    pub async fn disconnect(&self, workspace: &WorkspaceId, connection: &ConnectionId) -> Result<bool> {
        self.change(&DISCONNECT, workspace, connection, [None, None]).await
    }
}
