//! Bringing a database's tables up to date: each step in a transaction of its own, together with the number it leaves
//! behind, so that a process that dies in the middle leaves a whole step or none.

use crate::{
    db::{postgres::Postgres, sqlite::SqliteDb},
    error::{Error, Result},
};

/// A step, in both languages.
struct Migration {
    version: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sqlite: include_str!("../migrations/0001_base.sqlite.sql"),
        postgres: include_str!("../migrations/0001_base.postgres.sql"),
    },
    Migration {
        version: 2,
        sqlite: include_str!("../migrations/0002_polls.sqlite.sql"),
        postgres: include_str!("../migrations/0002_polls.postgres.sql"),
    },
    Migration {
        version: 3,
        sqlite: include_str!("../migrations/0003_templates.sqlite.sql"),
        postgres: include_str!("../migrations/0003_templates.postgres.sql"),
    },
    Migration {
        version: 4,
        sqlite: include_str!("../migrations/0004_records.sqlite.sql"),
        postgres: include_str!("../migrations/0004_records.postgres.sql"),
    },
    Migration {
        version: 5,
        sqlite: include_str!("../migrations/0005_rest.sqlite.sql"),
        postgres: include_str!("../migrations/0005_rest.postgres.sql"),
    },
    Migration {
        version: 6,
        sqlite: include_str!("../migrations/0006_alerts.sqlite.sql"),
        postgres: include_str!("../migrations/0006_alerts.postgres.sql"),
    },
    Migration {
        version: 7,
        sqlite: include_str!("../migrations/0007_walls.sqlite.sql"),
        postgres: include_str!("../migrations/0007_walls.postgres.sql"),
    },
    Migration {
        version: 8,
        sqlite: include_str!("../migrations/0008_api_tokens.sqlite.sql"),
        postgres: include_str!("../migrations/0008_api_tokens.postgres.sql"),
    },
    Migration {
        version: 9,
        sqlite: include_str!("../migrations/0009_mapping.sqlite.sql"),
        postgres: include_str!("../migrations/0009_mapping.postgres.sql"),
    },
    Migration {
        version: 10,
        sqlite: include_str!("../migrations/0010_asks.sqlite.sql"),
        postgres: include_str!("../migrations/0010_asks.postgres.sql"),
    },
    Migration {
        version: 11,
        sqlite: include_str!("../migrations/0011_calendars.sqlite.sql"),
        postgres: include_str!("../migrations/0011_calendars.postgres.sql"),
    },
    Migration {
        version: 12,
        sqlite: include_str!("../migrations/0012_calendar_rounds.sqlite.sql"),
        postgres: include_str!("../migrations/0012_calendar_rounds.postgres.sql"),
    },
    Migration {
        version: 13,
        sqlite: include_str!("../migrations/0013_calendar_watches.sqlite.sql"),
        postgres: include_str!("../migrations/0013_calendar_watches.postgres.sql"),
    },
    Migration {
        version: 14,
        sqlite: include_str!("../migrations/0014_calendar_mails.sqlite.sql"),
        postgres: include_str!("../migrations/0014_calendar_mails.postgres.sql"),
    },
    Migration {
        version: 15,
        sqlite: include_str!("../migrations/0015_calendar_setups.sqlite.sql"),
        postgres: include_str!("../migrations/0015_calendar_setups.postgres.sql"),
    },
    Migration {
        version: 16,
        sqlite: include_str!("../migrations/0016_calendar_readings.sqlite.sql"),
        postgres: include_str!("../migrations/0016_calendar_readings.postgres.sql"),
    },
    Migration {
        version: 17,
        sqlite: include_str!("../migrations/0017_waits.sqlite.sql"),
        postgres: include_str!("../migrations/0017_waits.postgres.sql"),
    },
    Migration {
        version: 18,
        sqlite: include_str!("../migrations/0018_waiters.sqlite.sql"),
        postgres: include_str!("../migrations/0018_waiters.postgres.sql"),
    },
    Migration {
        version: 19,
        sqlite: include_str!("../migrations/0019_deletes.sqlite.sql"),
        postgres: include_str!("../migrations/0019_deletes.postgres.sql"),
    },
    Migration {
        version: 20,
        sqlite: include_str!("../migrations/0020_calendar_sweeps.sqlite.sql"),
        postgres: include_str!("../migrations/0020_calendar_sweeps.postgres.sql"),
    },
    Migration {
        version: 21,
        sqlite: include_str!("../migrations/0021_written.sqlite.sql"),
        postgres: include_str!("../migrations/0021_written.postgres.sql"),
    },
    Migration {
        version: 22,
        sqlite: include_str!("../migrations/0022_named.sqlite.sql"),
        postgres: include_str!("../migrations/0022_named.postgres.sql"),
    },
    Migration {
        version: 23,
        sqlite: include_str!("../migrations/0023_begun.sqlite.sql"),
        postgres: include_str!("../migrations/0023_begun.postgres.sql"),
    },
    Migration {
        version: 24,
        sqlite: include_str!("../migrations/0024_intake.sqlite.sql"),
        postgres: include_str!("../migrations/0024_intake.postgres.sql"),
    },
    Migration {
        version: 25,
        sqlite: include_str!("../migrations/0025_crm_confirmed.sqlite.sql"),
        postgres: include_str!("../migrations/0025_crm_confirmed.postgres.sql"),
    },
];

/// The advisory lock under which processes that start together take turns: "syncline" in ASCII.
const POSTGRES_LOCK: i64 = 0x7379_6e63_6c69_6e65;

/// Lets a step of PostgreSQL past the walls between workspaces.
const EVERYBODY: &str = "set local syncline.workspace = '*'";

/// Makes or updates SQLite's tables. SQLite itself keeps the number of the last step.
pub(crate) fn sqlite(db: &SqliteDb) -> Result<()> {
    let newest = newest();
    loop {
        db.control("begin immediate")?;
        let step = db.user_version().and_then(|version| step_after(version, newest)).and_then(|step| {
            let Some(step) = step else { return Ok(false) };
            db.batch(step.sqlite)?;
            db.batch(&format!("pragma user_version = {}", step.version))?;
            Ok(true)
        });
        match step {
            Ok(true) => db.control("commit")?,
            Ok(false) => return db.control("commit"),
            Err(error) => {
                db.control("rollback")?;
                return Err(error);
            }
        }
    }
}

/// Makes or updates PostgreSQL's tables, in the schema that the URL leads to.
pub(crate) async fn postgres(pg: &Postgres) -> Result<()> {
    let newest = newest();
    let mut client = pg.client().await?;
    loop {
        let tx = client.transaction().await?;
        // A step may touch everybody's rows.
        tx.batch_execute(EVERYBODY).await?;
        tx.execute("select pg_advisory_xact_lock($1)", &[&POSTGRES_LOCK]).await?;
        tx.batch_execute("create table if not exists schema_version (version bigint primary key)").await?;
        let version: i64 = tx.query_one("select coalesce(max(version), 0) from schema_version", &[]).await?.get(0);
        let Some(step) = step_after(version, newest)? else {
            tx.commit().await?;
            return Ok(());
        };
        tx.batch_execute(step.postgres).await?;
        tx.execute("insert into schema_version (version) values ($1)", &[&step.version]).await?;
        tx.commit().await?;
    }
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0)
}

fn step_after(version: i64, newest: i64) -> Result<Option<&'static Migration>> {
    if version > newest {
        return Err(Error::Other(format!(
            "the database is of a newer Syncline (schema {version}, this one knows {newest})"
        )));
    }
    Ok(MIGRATIONS.iter().find(|step| step.version > version))
}
