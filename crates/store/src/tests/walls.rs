//! PostgreSQL's own walls between workspaces: they hold where a statement of ours forgets them.

use syncline_core::ids::WorkspaceId;
use tokio_postgres::{Client, NoTls};

use super::world::*;
use crate::{
    Delivery, Error, Store,
    db::{Db, Op, P, Scope, Sql, postgres::EVERY_WORKSPACE},
    ops,
};

fn other() -> WorkspaceId {
    WorkspaceId::new("other")
}

/// A booking in each of two workspaces, as far as its plan, with all that comes along.
async fn two_tenants(store: &Store) {
    for workspace in [ws(), other()] {
        let one = Delivery { workspace: workspace.clone(), ..delivery("d", 0, vec![booked("a", 0)]) };
        store.take_in(one).await.unwrap();
        let claimed = store.claim(&workspace, &worker("w"), at(1), at(400), 10, &[]).await.unwrap();
        let chain = claimed.first().unwrap();
        store.plan(vec![planned(chain, &["person:a"])], at(2)).await.unwrap();
        store.settle(vec![settlement(chain, done("00U1"))], at(3)).await.unwrap();
        store.set_cursor(&workspace, "cursor", "1").await.unwrap();
    }
}

/// A client as a careless statement of ours would be: it has said nothing of any workspace.
async fn careless(world: &World) -> Client {
    let (client, connection) = tokio_postgres::connect(&world.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The tables of the test's schema that have a workspace, and whether their walls stand for their owner, too.
async fn tables(client: &Client) -> Vec<(String, bool)> {
    let rows = client
        .query(
            "select c.relname::text, c.relrowsecurity and c.relforcerowsecurity and exists \
             (select 1 from pg_policy p where p.polrelid = c.oid) from pg_class c \
             join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid \
             where n.nspname = current_schema() and c.relkind = 'r' and a.attname = 'workspace'",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0)
}

/// proves: sec:S38
#[tokio::test]
async fn every_table_of_a_workspace_has_its_wall() {
    let world = World::new(On::Postgres).await;
    world.store().await.close().await;
    let client = careless(&world).await;
    let walls = tables(&client).await;
    assert!(walls.len() > 20, "{walls:?}");
    let open: Vec<&String> = walls.iter().filter(|(_, stands)| !stands).map(|(table, _)| table).collect();
    assert!(open.is_empty(), "these need `force row level security` and a policy, as in 0007: {open:?}");
    let ordinary: bool = client
        .query_one("select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user", &[])
        .await
        .unwrap()
        .get(0);
    assert!(ordinary, "the tests run as a role that the walls hold for");
}

/// proves: sec:S38
#[tokio::test]
async fn a_query_without_the_workspace_shows_nothing_of_another_tenant() {
    let world = World::new(On::Postgres).await;
    let store = world.store().await;
    two_tenants(&store).await;
    let client = careless(&world).await;
    let mut filled = 0;
    for (table, _) in tables(&client).await {
        client.batch_execute("reset syncline.workspace").await.unwrap();
        assert_eq!(count(&client, &table).await, 0, "{table}: nobody said whose rows are meant");
        client.batch_execute("set syncline.workspace = '*'").await.unwrap();
        let all = count(&client, &table).await;
        client.batch_execute("set syncline.workspace = 'acme'").await.unwrap();
        let ours = count(&client, &table).await;
        assert_eq!(ours * 2, all, "{table}: both tenants have the same");
        let foreign = format!("select count(*) from {table} where workspace <> 'acme'");
        assert_eq!(client.query_one(&foreign, &[]).await.unwrap().get::<_, i64>(0), 0, "{table}");
        let changed = client.execute(&format!("delete from {table} where workspace = 'other'"), &[]).await.unwrap();
        assert_eq!(changed, 0, "{table}: nor can they be deleted");
        filled += usize::from(all > 0);
    }
    assert!(filled >= 8, "{filled} tables had something to hide");
    let smuggled = client.execute("insert into cursor_at values ('other', 'smuggled', '1')", &[]).await;
    assert!(smuggled.unwrap_err().as_db_error().unwrap().message().contains("row-level security"));
    let moved = client.execute("update cursor_at set workspace = 'other'", &[]).await;
    assert!(moved.unwrap_err().as_db_error().unwrap().message().contains("row-level security"));
}

static CURSORS: Sql = Sql::new("select workspace from cursor_at order by workspace");
static EMPTY_CURSORS: Sql = Sql::new("update cursor_at set value = ?1");
static CURSOR_OF: Sql = Sql::new("insert into cursor_at (workspace, name, value) values (?1, 'new', '1')");

/// What a statement that forgot its condition would do, in a workspace, reading or writing.
struct Forgetful<const READS: bool>(Option<WorkspaceId>);

impl<const READS: bool> Op for Forgetful<READS> {
    type Out = Vec<String>;
    const READS: bool = READS;

    fn scope(&self) -> Scope<'_> {
        self.0.as_ref().map_or(Scope::All, Scope::One)
    }

    async fn run<D: Db>(&self, db: &mut D) -> crate::Result<Vec<String>> {
        if !READS {
            db.run(&EMPTY_CURSORS, &[P::Text("")]).await?;
        }
        db.rows(&CURSORS, &[]).await?.into_iter().map(|mut row| row.text(0)).collect()
    }
}

/// Writes under the name of somebody else.
struct Stranger;

impl Op for Stranger {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        static ACME: std::sync::LazyLock<WorkspaceId> = std::sync::LazyLock::new(ws);
        Scope::One(&ACME)
    }

    async fn run<D: Db>(&self, db: &mut D) -> crate::Result<()> {
        db.each(&CURSOR_OF, &[[P::Text("acme")], [P::Text("other")]]).await.map(drop)
    }
}

/// On one connection, so that each operation finds what the one before it left behind.
///
/// proves: sec:S38
#[tokio::test]
async fn an_operation_that_forgets_the_workspace_stays_within_its_own() {
    let world = World::new(On::Postgres).await;
    let store = world.store_with(crate::StoreOptions { pool: 1, ..options() }).await.unwrap();
    for workspace in [ws(), other()] {
        store.set_cursor(&workspace, "cursor", "1").await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(store.run(Forgetful::<true>(Some(ws()))).await.unwrap(), ["acme"]);
        assert_eq!(store.run(Forgetful::<true>(None)).await.unwrap(), ["acme", "other"]);
        assert_eq!(store.run(Forgetful::<false>(Some(other()))).await.unwrap(), ["other"]);
        assert_eq!(store.run(Forgetful::<true>(Some(other()))).await.unwrap(), ["other"]);
    }
    assert_eq!(store.cursor(&ws(), "cursor").await.unwrap().as_deref(), Some("1"), "not emptied");
    assert_eq!(store.cursor(&other(), "cursor").await.unwrap().as_deref(), Some(""));
    // What a connection was told in a transaction that is undone is undone, too.
    assert!(store.run(Stranger).await.is_err());
    assert_eq!(store.run(Forgetful::<true>(Some(ws()))).await.unwrap(), ["acme"]);
    assert!(store.run(Stranger).await.is_err());
    assert_eq!(store.run(Forgetful::<false>(Some(other()))).await.unwrap(), ["other"]);
    assert_eq!(store.cursor(&ws(), "new").await.unwrap(), None, "nothing of it stays");
    let everybody = WorkspaceId::new(EVERY_WORKSPACE);
    assert!(matches!(store.cursor(&everybody, "cursor").await, Err(Error::Other(_))), "no way around it");
}

#[test]
fn rows_of_one_workspace_are_its_own_scope() {
    let (acme, other) = (ws(), other());
    assert_eq!(Scope::of([&acme, &acme]), Scope::One(&acme));
    assert_eq!(Scope::of([&acme, &other]), Scope::All);
    assert_eq!(Scope::of([]), Scope::All);
}

/// The walls leave PostgreSQL its indexes: with all that is to be found by one, none of the daily statements reads a
/// table from end to end.
#[tokio::test]
async fn the_walls_leave_the_indexes_in_use() {
    let world = World::new(On::Postgres).await;
    world.store().await.close().await;
    let client = careless(&world).await;
    client
        .batch_execute(
            "set syncline.workspace = 'acme'; set enable_seqscan = off; set plan_cache_mode = force_generic_plan",
        )
        .await
        .unwrap();
    let mut scans = Vec::new();
    for (at, (name, sql)) in ops::statements().enumerate() {
        let statement = client.prepare(sql.postgres()).await.unwrap();
        let nulls = vec!["null"; statement.params().len()].join(", ");
        let arguments = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
        client.batch_execute(&format!("prepare s{at} as {}", sql.postgres())).await.unwrap();
        let plan = client.query(&format!("explain execute s{at}{arguments}"), &[]).await.unwrap();
        let lines: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        if lines.iter().any(|line| line.contains("Seq Scan")) {
            scans.push((*name, lines.join("\n")));
        }
    }
    let unexpected: Vec<_> = scans.iter().filter(|(name, _)| !MAY_SCAN.contains(name)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

/// Statements across all workspaces over what is small or has no index of its own.
const MAY_SCAN: &[&str] = &[
    "CANARIES",
    "CANARY_DROP",
    "FIRST_NEW",
    "NEXT_NEW",
    "RECLAIM_CHAINS",
    "RECLAIM_LEASES",
    "RELEASE",
    "KEYS_OF_OTHERS",
];
