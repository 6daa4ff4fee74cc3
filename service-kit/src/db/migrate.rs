//! Bringing a service's tables up to date, once per step and database, forward only.

use super::{Db, Error, Tx, append_only};
use crate::crash_point;

/// One step of a schema, applied once and never changed afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Position in the service's own list, from 1 without gaps.
    pub version: i64,
    /// What it does, for people.
    pub name: &'static str,
    /// The statement, or `append only {table};`, which each engine is told in its own words.
    pub sql: &'static str,
}

const TABLE: &str = "create table if not exists skald_migration (service text not null, version bigint not null, \
     name text not null, applied_time bigint not null, primary key (service, version))";
const SEEN: &str = "select coalesce(max(version), 0) from skald_migration where service = $1";
const NOTE: &str = "insert into skald_migration (service, version, name, applied_time) values ($1, $2, $3, $4)";

/// Processes that start together wait for the one that came first, however long its migration takes.
const ALONE: &str =
    "set local lock_timeout = 0; set local statement_timeout = 0; select pg_advisory_xact_lock(7202751)";

/// What SQLite calls its order by bytes, under the same name: tables say it of text in a key.
const BINARY: &str = "create collation if not exists \"binary\" (locale = 'C')";

/// All steps in one transaction.
pub(super) async fn all(tx: &mut Tx<'_>, service: &str, migrations: &[Migration]) -> Result<Vec<&'static str>, Error> {
    tx.script(TABLE).await?;
    let mut applied = Vec::new();
    for migration in unseen(tx, service, migrations).await? {
        apply(tx, service, migration).await?;
        applied.push(migration.name);
    }
    Ok(applied)
}

/// Each step in a transaction of its own, as an engine wants it that spreads its tables over several servers.
pub(super) async fn one_by_one(
    db: &Db,
    schema: &str,
    service: &'static str,
    migrations: &'static [Migration],
) -> Result<Vec<&'static str>, Error> {
    let create = format!("create schema if not exists \"{schema}\"; {BINARY}");
    let prepare = async move |tx: &mut Tx<'_>| {
        tx.script(ALONE).await?;
        tx.script(&create).await?;
        tx.script(TABLE).await?;
        unseen(tx, service, migrations).await.map(|unseen| !unseen.is_empty())
    };
    let mut applied = Vec::new();
    let mut goes_on = db.write(prepare).await?;
    while goes_on {
        let step = async move |tx: &mut Tx<'_>| {
            tx.script(ALONE).await?;
            let next = unseen(tx, service, migrations).await?.first().copied();
            if let Some(migration) = next {
                apply(tx, service, migration).await?;
            }
            Ok::<_, Error>(next)
        };
        let step = db.write(step).await?;
        applied.extend(step.map(|migration| migration.name));
        goes_on = step.is_some();
    }
    Ok(applied)
}

async fn unseen<'a>(tx: &mut Tx<'_>, service: &str, migrations: &'a [Migration]) -> Result<Vec<&'a Migration>, Error> {
    let (seen,): (i64,) = tx.fetch_one(SEEN, crate::args![service]).await?;
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
    if seen > known {
        return Err(Error::Unavailable(format!(
            "the tables of {service} are at version {seen}, this program knows {known}: run a newer one"
        )));
    }
    Ok(migrations.iter().filter(|migration| migration.version > seen).collect())
}

async fn apply(tx: &mut Tx<'_>, service: &str, migration: &Migration) -> Result<(), Error> {
    crash_point!("migrate.before_step", service, migration.name);
    match append_only::table(migration.sql) {
        Some(table) => append_only::guard(tx, table).await?,
        None => tx.script(migration.sql).await?,
    }
    crash_point!("migrate.before_note", service, migration.name);
    let note = crate::args![service, migration.version, migration.name, tx.now_ms()];
    tx.execute(NOTE, note).await.map(drop)
}
