//! Where all tables are: on a server, or in a file of the one process.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use service_kit::clock::SystemClock;
use service_kit::db::{Db, Error};
use tokio::task::spawn_blocking;

use super::Database;

/// The tables; cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// On PostgreSQL.
    Server(Database),
    /// In this directory.
    File(PathBuf),
}

impl Store {
    /// The rows of a statement that selects one text of the orchestrator's tables.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn rows(&self, sql: &'static str) -> Result<Vec<String>> {
        match self.clone() {
            Self::Server(database) => {
                spawn_blocking(move || database.lines(&format!("set search_path to orchestrator; {sql}"))).await?
            }
            Self::File(directory) => {
                let db = Db::open_read_only(&directory, Arc::new(SystemClock))?;
                let rows: Result<Vec<(String,)>, Error> = db.read(async move |tx| tx.fetch_all(sql, &[]).await).await;
                Ok(rows?.into_iter().map(|(row,)| row).collect())
            }
        }
    }

    /// What leads `skald` to it.
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Server(database) => vec!["--postgres".into(), database.url()],
            Self::File(directory) => vec!["--data-dir".into(), directory.display().to_string()],
        }
    }

    /// The server.
    ///
    /// # Errors
    /// When there is none.
    pub fn server(&self) -> Result<&Database> {
        match self {
            Self::Server(database) => Ok(database),
            Self::File(_) => None.context("there is no server"),
        }
    }
}
