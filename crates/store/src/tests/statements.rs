//! Every statement is understood by both databases, and none of SQLite's plans reads a table from end to end.

use super::world::*;
use crate::{db::sqlite::SqliteDb, migrate, ops};

/// Statements that read all of a small table (the outbox holds only what is in flight), run once in a process' life, or look for a
/// person wherever one may be.
const MAY_SCAN: &[&str] = &[
    "CANARIES",
    "CANARY_DROP",
    "HEALTH",
    "FIRST_NEW",
    "NEXT_NEW",
    "RECLAIM_CHAINS",
    "RECLAIM_LEASES",
    "RELEASE",
    "KEYS_OF_OTHERS",
    "COUNT",
    "PAIRS",
    "ENTRIES",
    "COPIES",
    "MEETINGS",
    "MAILS",
];

#[test]
fn sqlite_finds_every_row_by_an_index() {
    let db = SqliteDb::open(None).unwrap();
    migrate::sqlite(&db).unwrap();
    let mut scans = Vec::new();
    for (name, sql) in ops::statements() {
        let plan = db.explain(sql).unwrap_or_else(|error| panic!("{name} is not understood: {error}"));
        let bad = plan
            .iter()
            .any(|step| step.starts_with("SCAN") && !step.contains("CONSTANT ROW") || step.contains("TEMP B-TREE"));
        if bad && !MAY_SCAN.contains(name) {
            scans.push(format!("{name}: {plan:?}"));
        }
    }
    assert!(scans.is_empty(), "these read whole tables or sort:\n{}", scans.join("\n"));
}

/// proves: sec:S38
#[test]
fn every_statement_names_the_workspace() {
    // What looks for work, keys or authorisations across all workspaces, on purpose.
    const ACROSS: &[&str] = &[
        "CANARIES",
        "CANARY_LOCK",
        "CANARY_ADD",
        "CANARY_DROP",
        "KEYS_OF_OTHERS",
        "HEALTH",
        "NEXT_PAIR",
        "NEXT_WITH_NEW",
        "FIRST_NEW",
        "NEXT_NEW",
        "RECLAIM_CHAINS",
        "RECLAIM_LEASES",
        "RELEASE",
        "FLOW_TAKE",
        "TOKEN_FIND",
    ];
    for (name, sql) in ops::statements() {
        let text = sql.sqlite();
        let named = text.contains("workspace = ?1") || text.starts_with("insert into") && text.contains("workspace");
        assert!(named || ACROSS.contains(name), "{name} does not name the workspace");
    }
}

#[tokio::test]
async fn postgres_prepares_every_statement() {
    let world = World::new(On::Postgres).await;
    world.store().await.close().await;
    let (client, connection) = tokio_postgres::connect(&world.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut refused = Vec::new();
    for (name, sql) in ops::statements() {
        if let Err(error) = client.prepare(sql.postgres()).await {
            refused.push(format!("{name}: {:?}", error.as_db_error().map(|error| error.message().to_owned())));
        }
    }
    assert!(refused.is_empty(), "PostgreSQL does not understand:\n{}", refused.join("\n"));
}
