//! Authorisations in progress: from the redirect to the vendor until it sends the person back.

use jiff::{SignedDuration, Timestamp};
use syncline_core::ids::{ConnectionId, WorkspaceId};
use zeroize::Zeroizing;

use crate::{
    Store,
    db::{Db, Op, P, Scope, statements},
    error::{Error, Result},
    vault::{self, Place},
};

/// How long an authorisation may take (RFC 9700 wants such state short-lived; ten minutes is a code's own longest life
/// in RFC 6749, section 4.1.2).
pub const OAUTH_FLOW_MAX: SignedDuration = SignedDuration::from_mins(10);

statements! {
    FLOW_ADD = "insert into oauth_flow (state_hash, workspace, connection, session_hash, expires, verifier) values (?1, ?2, ?3, ?4, ?5, ?6)";
    // The vendor's answer names no workspace: the random state does.
    FLOW_TAKE = "delete from oauth_flow where state_hash = ?1 and session_hash = ?2 and expires > ?3 and expires <= ?4 \
        returning workspace, connection, verifier";
}

struct Begin {
    workspace: WorkspaceId,
    connection: ConnectionId,
    state_hash: [u8; 32],
    session_hash: [u8; 32],
    expires: Timestamp,
    sealed: Vec<u8>,
}

impl Op for Begin {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let params = [
            P::Blob(&self.state_hash),
            P::Text(self.workspace.as_str()),
            P::Text(self.connection.as_str()),
            P::Blob(&self.session_hash),
            P::time(self.expires),
            P::Blob(&self.sealed),
        ];
        db.run(&FLOW_ADD, &params).await?;
        Ok(())
    }
}

struct Take {
    state_hash: [u8; 32],
    session_hash: [u8; 32],
    now: Timestamp,
}

impl Op for Take {
    type Out = Option<(WorkspaceId, ConnectionId, Vec<u8>)>;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let latest = self.now.checked_add(OAUTH_FLOW_MAX).unwrap_or(self.now);
        let params = [P::Blob(&self.state_hash), P::Blob(&self.session_hash), P::time(self.now), P::time(latest)];
        let Some(mut row) = db.row(&FLOW_TAKE, &params).await? else { return Ok(None) };
        Ok(Some((WorkspaceId::new(row.text(0)?), ConnectionId::new(row.text(1)?), row.blob(2)?)))
    }
}

impl Store {
    /// Remembers an authorisation that begins, its verifier sealed. Only hashes of state and session are stored.
    pub async fn begin_oauth(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        state_hash: [u8; 32],
        verifier: &str,
        session_hash: [u8; 32],
        expires: Timestamp,
    ) -> Result<()> {
        let key = self.data_key(workspace).await?;
        let row = [connection.as_str(), &hex::encode(state_hash)];
        let place = Place { workspace, row: &row, column: "verifier" };
        let sealed = vault::seal(&key, &*self.inner.entropy, &place, verifier.as_bytes())?;
        let (workspace, connection) = (workspace.clone(), connection.clone());
        self.run(Begin { workspace, connection, state_hash, session_hash, expires, sealed }).await
    }

    /// Takes an authorisation out: once, from the session that began it, and within [`OAUTH_FLOW_MAX`].
    pub async fn take_oauth(
        &self,
        state_hash: [u8; 32],
        session_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<(WorkspaceId, ConnectionId, String)>> {
        let Some((workspace, connection, sealed)) = self.run(Take { state_hash, session_hash, now }).await? else {
            return Ok(None);
        };
        let key = self.data_key(&workspace).await?;
        let row = [connection.as_str(), &hex::encode(state_hash)];
        let place = Place { workspace: &workspace, row: &row, column: "verifier" };
        let open = Zeroizing::new(vault::open(&key, &place, &sealed)?);
        let verifier = std::str::from_utf8(&open).map_err(|_| Error::corrupt("a verifier is not text"))?.to_owned();
        Ok(Some((workspace, connection, verifier)))
    }
}
