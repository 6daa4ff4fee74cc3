//! Commits of PostgreSQL: of one row, one after the other and on many connections, and of many rows at once.

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

use super::{BATCH, Floor, LASTS};

/// Connections at a time.
const CONNECTIONS: usize = 16;
const TABLE: &str = "skald_floor";

pub(super) async fn floors(address: &str) -> Result<Vec<Floor>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(address).await?);
    }
    // Not a temporary table: those are not written to the log.
    let create = format!("drop table if exists {TABLE}; create table {TABLE} (id bigserial primary key, data bytea)");
    clients[0].batch_execute(&create).await.context("cannot make a table")?;
    let floors = vec![
        commits(&clients[..1], "PostgreSQL commit, one row", 1).await?,
        commits(&clients, "PostgreSQL commits, 16 connections", 1).await?,
        commits(&clients[..1], "PostgreSQL commit, 64 rows", BATCH).await?,
    ];
    clients[0].batch_execute(&format!("drop table {TABLE}")).await?;
    Ok(floors)
}

pub(crate) async fn connect(address: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.context("cannot reach PostgreSQL")?;
    // It ends with its client.
    #[expect(clippy::disallowed_methods, reason = "nothing is lost when it ends with the program")]
    tokio::spawn(connection);
    Ok(client)
}

/// Each is one statement, and so one commit.
async fn commits(clients: &[Client], what: &'static str, rows: usize) -> Result<Floor> {
    let values = vec!["($1)"; rows].join(", ");
    let insert = format!("insert into {TABLE} (data) values {values}");
    let started = Instant::now();
    let callers = clients.iter().map(|client| async {
        let (statement, data) = (client.prepare(&insert).await?, [1_u8; 200].to_vec());
        let mut count = 0;
        while started.elapsed() < LASTS {
            client.execute(&statement, &[&data]).await?;
            count += 1;
        }
        Ok::<_, tokio_postgres::Error>(count)
    });
    let count = try_join_all(callers).await?.into_iter().sum();
    Ok(Floor::of(what, count, clients.len(), started))
}
