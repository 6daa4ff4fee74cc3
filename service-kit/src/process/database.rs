//! The database of a service: a file of this process, or a schema on a PostgreSQL server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Database, Error};
use crate::clock::Clock;
use crate::db::{Db, Postgres};

/// How often it is looked whether a database still takes writes.
const WATCH_PERIOD: Duration = Duration::from_millis(200);

/// Opens the tables of `service`: in `directory`, unless the settings name a server.
///
/// # Errors
/// When they cannot be opened, with what to do about it.
pub async fn open(
    directory: &Path,
    (database, service): (&Database, &'static str),
    clock: Arc<dyn Clock>,
) -> Result<Db, Error> {
    let opened = if database.is_remote() {
        let options = Postgres::new(&database.url, database.schema(service));
        Db::connect(&Postgres { connections: database.connections, ..options }).await
    } else {
        Db::open(directory, clock)
    };
    opened.map_err(|error| Error::Database { service, place: database.shown(directory, service), error })
}

/// Returns once one of the databases takes no writes any more. Ending the process is then the only way on: a start looks
/// at the file afresh.
pub async fn fails(databases: &[Db]) {
    while !databases.iter().any(Db::is_out_of_service) {
        tokio::time::sleep(WATCH_PERIOD).await;
    }
}
