//! Bringing a service's tables up to date, once per step and database.

use super::{Error, Tx};

/// One step of a schema, applied once and never changed afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Position in the service's own list, from 1 without gaps.
    pub version: i64,
    /// What it does, for people.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

const TABLE: &str = "create table if not exists skald_migration (service text not null, version bigint not null, \
     name text not null, applied_time bigint not null, primary key (service, version))";
const SEEN: &str = "select coalesce(max(version), 0) from skald_migration where service = $1";
const NOTE: &str = "insert into skald_migration (service, version, name, applied_time) values ($1, $2, $3, $4)";

pub(super) async fn migrate(tx: &mut Tx<'_>, service: &str, migrations: &[Migration]) -> Result<(), Error> {
    tx.script(TABLE).await?;
    let (seen,): (i64,) = tx.fetch_one(SEEN, crate::args![service]).await?;
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
    if seen > known {
        return Err(Error::Unavailable(format!(
            "the tables of {service} are at version {seen}, this program knows {known}: run a newer one"
        )));
    }
    for migration in migrations.iter().filter(|migration| migration.version > seen) {
        tx.script(migration.sql).await?;
        let note = crate::args![service, migration.version, migration.name, tx.now_ms()];
        tx.execute(NOTE, note).await?;
    }
    Ok(())
}
