//! Tokens of the API's callers. Only their hashes are kept; who made and who took back one is in the journal.

use jiff::Timestamp;
use serde_json::json;
use syncline_core::ids::WorkspaceId;

use super::journal::{self, Line};
use crate::{
    ApiToken, JournalEntry, JournalKind, Store, TokenScope,
    db::{Db, Op, P, Row, Scope, statements},
    error::{Error, Result},
};

/// Tokens of one workspace: a few programs, each with one and its successor.
const TOKENS_MAX: i64 = 200;

statements! {
    TOKEN_COUNT = "select count(*) from api_token where workspace = ?1";
    TOKEN_ADD = "insert into api_token (workspace, id, name, hash, scope, created_at, expires_at) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    // A request names no workspace yet: the random token does.
    TOKEN_FIND = "select workspace, id, name, scope, created_at, expires_at from api_token where hash = ?1";
    TOKENS = "select workspace, id, name, scope, created_at, expires_at from api_token where workspace = ?1 \
        order by id limit ?2";
    TOKEN_DROP = "delete from api_token where workspace = ?1 and id = ?2 returning name";
    TOKENS_OLD_DROP = "delete from api_token where workspace = ?1 and expires_at < ?2";
}

fn token(mut row: Row) -> Result<ApiToken> {
    let scope = row.text(3)?;
    Ok(ApiToken {
        workspace: WorkspaceId::new(row.text(0)?),
        id: row.text(1)?,
        name: row.text(2)?,
        scope: TokenScope::parse(&scope).ok_or_else(|| Error::corrupt("a token has no known scope"))?,
        created_at: row.time(4)?,
        expires_at: row.time(5)?,
    })
}

async fn tell<D: Db>(db: &mut D, workspace: &WorkspaceId, at: Timestamp, text: String, id: &str) -> Result<()> {
    let entry = JournalEntry { at, kind: JournalKind::Operator, text, details: json!({ "token": id }) };
    journal::write(db, &[Line { workspace, chain: None, integration: None, entry: &entry }]).await
}

struct Add {
    token: ApiToken,
    hash: [u8; 32],
}

impl Op for Add {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.token.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        let ApiToken { workspace, id, name, scope, created_at, expires_at } = &self.token;
        let ws = P::Text(workspace.as_str());
        db.run(&TOKENS_OLD_DROP, &[ws, P::time(*created_at)]).await?;
        let count = db.row(&TOKEN_COUNT, &[ws]).await?.map_or(Ok(0), |row| row.int(0))?;
        if count >= TOKENS_MAX {
            return Err(Error::Other(format!("there are {TOKENS_MAX} tokens already; take some back first")));
        }
        let params = [
            ws,
            P::Text(id),
            P::Text(name),
            P::Blob(&self.hash),
            P::Text(scope.as_str()),
            P::time(*created_at),
            P::time(*expires_at),
        ];
        db.run(&TOKEN_ADD, &params).await?;
        let text = format!("A token for the API was made for {name}, to {}, until {expires_at:.0}", scope.as_str());
        tell(db, workspace, *created_at, text, id).await
    }
}

struct Find {
    hash: [u8; 32],
}

impl Op for Find {
    type Out = Option<ApiToken>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::All
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        db.row(&TOKEN_FIND, &[P::Blob(&self.hash)]).await?.map(token).transpose()
    }
}

struct List {
    workspace: WorkspaceId,
}

impl Op for List {
    type Out = Vec<ApiToken>;
    const READS: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let rows = db.rows(&TOKENS, &[P::Text(self.workspace.as_str()), P::Int(TOKENS_MAX)]).await?;
        rows.into_iter().map(token).collect()
    }
}

struct Revoke {
    workspace: WorkspaceId,
    id: String,
    now: Timestamp,
}

impl Op for Revoke {
    type Out = bool;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<bool> {
        let dropped = db.row(&TOKEN_DROP, &[P::Text(self.workspace.as_str()), P::Text(&self.id)]).await?;
        let Some(mut row) = dropped else { return Ok(false) };
        let text = format!("The API token of {} was taken back", row.text(0)?);
        tell(db, &self.workspace, self.now, text, &self.id).await?;
        Ok(true)
    }
}

impl Store {
    /// Keeps a token by its hash.
    pub async fn add_api_token(&self, token: ApiToken, hash: [u8; 32]) -> Result<()> {
        self.run(Add { token, hash }).await
    }

    /// Whose token has this hash, run out or not.
    pub async fn api_token(&self, hash: [u8; 32]) -> Result<Option<ApiToken>> {
        self.run(Find { hash }).await
    }

    /// All tokens of a workspace.
    pub async fn api_tokens(&self, workspace: &WorkspaceId) -> Result<Vec<ApiToken>> {
        self.run(List { workspace: workspace.clone() }).await
    }

    /// Takes a token back, at once. `false` where there is none.
    pub async fn revoke_api_token(&self, workspace: &WorkspaceId, id: &str, now: Timestamp) -> Result<bool> {
        self.run(Revoke { workspace: workspace.clone(), id: id.to_owned(), now }).await
    }
}
