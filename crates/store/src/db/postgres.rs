//! PostgreSQL behind the same waist: a pool, pipelined statements, and transactions that are repeated when they clash.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, ObjectId, Pool, PoolError, RecyclingMethod,
    Runtime, Transaction,
};
use futures::future::{try_join, try_join_all};
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Db, Op, P, Row, Scope, Sql, Value, tls::Place, without_nul};
use crate::error::{Error, Result};

/// How often a transaction is repeated that PostgreSQL undid because it clashed with another.
const CLASHES_MAX: u32 = 8;
/// How long to wait for a free connection, or for a new one.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// What each session is told: no statement may hang on a lock or by itself, and a process that stopped in the middle
/// of a transaction loses it, so that others go on.
const SESSION: &str = "set lock_timeout = '10s'; set statement_timeout = '60s'; \
     set idle_in_transaction_session_timeout = '60s'; set timezone = 'UTC'";

/// Tells PostgreSQL whose rows may be touched on this connection, until it is told otherwise.
const SCOPE: &str = "select set_config('syncline.workspace', $1, false)";
/// Connections of which it is remembered what they were told: more than a pool has open. Those that were closed are
/// forgotten by forgetting all, which costs each of the others to be told once more.
const TOLD_MAX: usize = 256;
/// What the policies take for every workspace; no workspace is called that.
pub(crate) const EVERY_WORKSPACE: &str = "*";
/// Whether the policies hold for whoever is connected.
const OBEYS_POLICIES: &str = "select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user";

/// A pool of connections.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    /// What each connection that nobody uses just now was told last. Being told costs as much as a statement.
    told: Arc<Mutex<HashMap<ObjectId, String>>>,
}

impl Postgres {
    /// Prepares the pool; the first operation opens the first connection.
    pub(crate) fn open(url: &str, size: usize) -> Result<Self> {
        let Place { mut config, tls } = Place::parse(url)?;
        if config.get_application_name().is_none() {
            config.application_name("syncline");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, MakeRustlsConnect::new(tls), recycling);
        let pool = Pool::builder(manager)
            .max_size(size.max(1))
            .wait_timeout(Some(CONNECTION_WAIT))
            .create_timeout(Some(CONNECTION_WAIT))
            .recycle_timeout(Some(CONNECTION_WAIT))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client: &mut ClientWrapper, _| {
                Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok(Self { pool, told: Arc::default() })
    }

    /// A connection for work that is not an operation.
    pub(crate) async fn client(&self) -> Result<Client> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
            other => other.into(),
        })
    }

    /// Runs an operation in a transaction; again, where PostgreSQL undid it because of a clash.
    pub(crate) async fn run<O: Op>(&self, op: O) -> Result<O::Out> {
        let scope = setting(op.scope())?;
        let mut client = self.client().await?;
        let id = Client::id(&client);
        // Taken out while it is in use: who breaks off in the middle leaves nobody knows what behind.
        let known = self.told().remove(&id).is_some_and(|told| told == scope);
        let untold = (!known).then_some(scope);
        if O::READS {
            let mut db = OnClient { on: &client, untold };
            let out = op.run(&mut db).await?;
            self.remember(id, scope, db.untold);
            return Ok(out);
        }
        let mut clashes = 0;
        loop {
            let mut tx = InTransaction { on: client.transaction().await?, untold };
            let out = match op.run(&mut tx).await {
                Ok(out) => {
                    let left = tx.untold;
                    let committed = tx.on.commit().await.map_err(Error::from);
                    committed.map(|()| self.remember(id, scope, left)).map(|()| out)
                }
                Err(error) => {
                    // What the connection was told in here is undone as well.
                    tx.on.rollback().await?;
                    Err(error)
                }
            };
            match out {
                // Only a clash maps to this inside a transaction; nothing of the try has stayed.
                Err(Error::Busy) if clashes < CLASHES_MAX => clashes += 1,
                out => return out,
            }
        }
    }

    fn told(&self) -> MutexGuard<'_, HashMap<ObjectId, String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a connection was told, if it was.
    fn remember(&self, id: ObjectId, scope: &str, untold: Option<&str>) {
        if untold.is_some() {
            return;
        }
        let mut told = self.told();
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert(id, scope.to_owned());
    }

    /// Whether the vault's tables are there, that is, whether this database was ever opened.
    pub(crate) async fn has_vault(&self) -> Result<bool> {
        let row = self.client().await?.query_one("select to_regclass('vault_canary') is not null", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// Whether PostgreSQL itself keeps workspaces apart: it does not for superusers and those that it lets through.
    pub(crate) async fn obeys_policies(&self) -> Result<bool> {
        let row = self.client().await?.query_opt(OBEYS_POLICIES, &[]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
    }

    /// Closes all connections.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// What the policies are told of a scope.
fn setting(scope: Scope<'_>) -> Result<&str> {
    match scope {
        Scope::All => Ok(EVERY_WORKSPACE),
        Scope::One(workspace) if workspace.as_str() == EVERY_WORKSPACE => {
            Err(Error::Other("a workspace cannot be called `*`".to_owned()))
        }
        Scope::One(workspace) => Ok(workspace.as_str()),
    }
}

/// `untold` is what the policies are to be told with the first statement, in the same round trip.
struct InTransaction<'a> {
    on: Transaction<'a>,
    untold: Option<&'a str>,
}

struct OnClient<'a> {
    on: &'a Client,
    untold: Option<&'a str>,
}

/// What statements answer, sent behind the scope where that is still to be told. Polled together they go out together, in
/// this order, and PostgreSQL does them in this order.
macro_rules! told {
    ($db:expr, $statements:expr) => {
        match $db.untold {
            None => $statements.await?,
            Some(scope) => {
                // Prepared beforehand: while that is waited for, the others must not overtake it.
                let tell = $db.on.prepare_cached(SCOPE).await?;
                let params: [&(dyn ToSql + Sync); 1] = [&scope];
                let (_, answer) = try_join($db.on.execute(&tell, &params), $statements).await?;
                $db.untold = None;
                answer
            }
        }
    };
}

macro_rules! db {
    ($name:ident) => {
        impl Db for $name<'_> {
            async fn run(&mut self, sql: &'static Sql, params: &[P<'_>]) -> Result<u64> {
                let statement = self.on.prepare_cached(sql.postgres()).await?;
                Ok(told!(self, self.on.execute_raw(&statement, params)))
            }

            async fn rows(&mut self, sql: &'static Sql, params: &[P<'_>]) -> Result<Vec<Row>> {
                let statement = self.on.prepare_cached(sql.postgres()).await?;
                let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
                told!(self, self.on.query(&statement, &params)).iter().map(read).collect()
            }

            async fn each<const N: usize>(
                &mut self,
                sql: &'static Sql,
                sets: &[[P<'_>; N]],
            ) -> Result<Vec<Option<Row>>> {
                if sets.is_empty() {
                    return Ok(Vec::new());
                }
                let statement = self.on.prepare_cached(sql.postgres()).await?;
                let params: Vec<[&(dyn ToSql + Sync); N]> =
                    sets.iter().map(|set| std::array::from_fn(|at| &set[at] as &(dyn ToSql + Sync))).collect();
                // One round trip for all.
                let all = try_join_all(params.iter().map(|set| self.on.query(&statement, set)));
                let answers = told!(self, all);
                answers.iter().map(|rows| rows.first().map(read).transpose()).collect()
            }
        }
    };
}

db!(InTransaction);
db!(OnClient);

fn read(row: &tokio_postgres::Row) -> Result<Row> {
    let mut values = Vec::with_capacity(row.len());
    for (at, column) in row.columns().iter().enumerate() {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(at)?.map(Value::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(at)?.map(|value| Value::Int(value.into())),
            Type::TEXT => row.try_get::<_, Option<String>>(at)?.map(Value::Text),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Value::Blob),
            ref other => return Err(Error::corrupt(format!("a column of type {other} was not expected"))),
        };
        values.push(value.unwrap_or(Value::Null));
    }
    Ok(Row(values))
}

impl ToSql for P<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            P::Null => Ok(IsNull::Yes),
            P::Int(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            P::Int(value) if *ty == Type::INT8 => value.to_sql(ty, out),
            P::Text(text) if *ty == Type::TEXT => without_nul(text).to_sql(ty, out),
            P::Blob(blob) if *ty == Type::BYTEA => blob.to_sql(ty, out),
            P::Int(_) | P::Text(_) | P::Blob(_) => Err(format!("a parameter does not fit the type {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
