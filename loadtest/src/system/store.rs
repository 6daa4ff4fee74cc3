//! The place of a system's tables, and the look at them.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use oracle::history::History;
use testbed::postgres;
use tokio::task::spawn_blocking;

use crate::verdict::Verdict;

/// The place; given back with the last who has it, if it is one of our own.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) skald: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) url: Option<String>,
    pub(super) _server: Option<Arc<postgres::Server>>,
}

impl Store {
    /// The address of the database, where it is PostgreSQL.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The directory of its files, whether or not there are any.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Flags of `skald` that lead here.
    pub(super) fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--data-dir".to_owned(), self.directory.display().to_string()];
        flags.extend(self.url.iter().flat_map(|url| ["--postgres".to_owned(), url.clone()]));
        flags
    }

    pub(super) fn command(&self, command: &str) -> Command {
        let mut program = Command::new(&self.skald);
        program.arg(command);
        program
    }

    /// Deadlocks that PostgreSQL has had to break; nothing of SQLite, which has none.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn deadlocks(&self) -> Result<Option<i64>> {
        let Some(url) = &self.url else { return Ok(None) };
        let client = crate::floor::postgres::connect(url).await?;
        let query = "select deadlocks from pg_stat_database where datname = current_database()";
        Ok(Some(client.query_one(query, &[]).await?.try_get(0)?))
    }

    /// Looks at every rule, and at what customers saw; where everything has had time to come to an end, also at what is left.
    ///
    /// # Errors
    /// When it cannot look.
    pub async fn verify(&self, is_at_rest: bool, history: Option<&History>) -> Result<Verdict> {
        let mut command = self.command("verify");
        command.arg("--json").args(is_at_rest.then_some("--at-rest")).args(self.flags());
        let kept = tempfile::NamedTempFile::new()?;
        if let Some(history) = history {
            history.write(BufWriter::new(File::create(kept.path())?))?;
            command.arg("--history").arg(kept.path());
        }
        let checked = spawn_blocking(move || command.output()).await?.context("cannot run verify")?;
        drop(kept);
        let error = || String::from_utf8_lossy(&checked.stderr).trim().to_owned();
        ensure!(matches!(checked.status.code(), Some(0 | 1)), "verify cannot look: {}", error());
        serde_json::from_slice(&checked.stdout).with_context(|| format!("verify does not tell: {}", error()))
    }
}
