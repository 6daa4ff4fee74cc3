//! Where PostgreSQL is installed. Debian keeps its servers off the path, one folder a version.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Names the folder of the binaries and goes before everything else.
const VARIABLE: &str = "SKALD_POSTGRES_BIN";
const DEBIAN: &str = "/usr/lib/postgresql";
const NEEDED: [&str; 4] = ["initdb", "postgres", "psql", "pg_basebackup"];

/// The folder of one installation.
#[derive(Debug, Clone)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The installation that the environment names, else the one on the path, else the newest of Debian's.
    pub(super) fn find() -> Result<Self> {
        if let Some(named) = std::env::var_os(VARIABLE).map(PathBuf::from) {
            if !is_complete(&named) {
                bail!("{VARIABLE} is {}, where some of {} are missing", named.display(), NEEDED.join(", "));
            }
            return Ok(Self(named));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).chain(debian()).find(|folder| is_complete(folder));
        let Some(folder) = found else {
            bail!(
                "PostgreSQL is not installed: no {} on the path nor in {DEBIAN}/*/bin; install it \
                 (`apt-get install postgresql`), or name the folder of its binaries in {VARIABLE}",
                NEEDED.join(", ")
            );
        };
        Ok(Self(folder))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Debian's folders, the newest version first.
fn debian() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, folder)| folder).collect()
}

fn is_complete(folder: &Path) -> bool {
    NEEDED.iter().all(|name| folder.join(name).is_file())
}
