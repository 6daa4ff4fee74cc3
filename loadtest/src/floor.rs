//! What this machine can do at best, measured in the same minute as the figures that are compared with it: syncs of a file,
//! commits of SQLite and PostgreSQL, and gRPC calls that do nothing. A figure of ours says little without them.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::Instant;

use crate::findings::floor_section;
use crate::paper::{Section, text};

mod calls;
mod files;
pub(crate) mod postgres;

/// How long each thing is done.
const LASTS: Duration = Duration::from_secs(2);
/// Rows of a batch, and calls or connections at a time.
const BATCH: usize = 64;

/// One thing, and how often it was done in a second.
#[derive(Debug, Clone, Serialize)]
pub struct Floor {
    /// What.
    pub what: &'static str,
    /// How often in a second.
    pub per_second: f64,
    /// How long it took, one after the other.
    pub microseconds: f64,
}

/// All of them.
#[derive(Debug, Clone, Serialize)]
pub struct Floors(pub Vec<Floor>);

/// Measures, one after the other. Files are made in `directory` and taken away again; PostgreSQL is measured where there is
/// an address of it, in a temporary table.
///
/// # Errors
/// When something cannot be measured here.
pub async fn floors(directory: &Path, postgres: Option<&str>) -> Result<Floors> {
    let place = tempfile::tempdir_in(directory)?;
    let own = place.path().to_owned();
    let mut floors = tokio::task::spawn_blocking(move || files::floors(&own)).await??;
    floors.extend(calls::floors().await?);
    if let Some(address) = postgres {
        floors.extend(postgres::floors(address).await?);
    }
    Ok(Floors(floors))
}

impl Floor {
    /// `count` of something that went on `at_once` at a time since `started`.
    fn of(what: &'static str, count: usize, at_once: usize, started: Instant) -> Self {
        let seconds = started.elapsed().as_secs_f64();
        let per_second = count as f64 / seconds;
        Self { what, per_second, microseconds: seconds * 1e6 * at_once as f64 / count.max(1) as f64 }
    }
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let untitled = Section { title: String::new(), ..floor_section(self, None) };
        f.write_str(text::section_text(&untitled).trim_end())
    }
}
