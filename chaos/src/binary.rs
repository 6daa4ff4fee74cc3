//! Finds the `skald` binary of the same build as this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The `skald` binary beside this program, or beside the folder of tests. Where it has not been built yet, Cargo does so,
/// if Cargo has started this program.
///
/// # Errors
/// When there is none, or it cannot be built.
pub fn find() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program is in no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join("skald");
    if let Some(cargo) = std::env::var_os("CARGO").filter(|_| !path.is_file()) {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--package", "skald"]);
        if folder.ends_with("release") {
            command.arg("--release");
        }
        ensure!(command.status().context("cannot run cargo")?.success(), "skald cannot be built");
    }
    checked(&path)
}

/// The orchestrator of another version, if it was built.
pub fn next() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let folder = own.parent()?;
    let folder = if folder.ends_with("deps") { folder.parent()? } else { folder };
    Some(folder.join("skald-next")).filter(|path| path.is_file())
}

/// That path, if there is a binary.
///
/// # Errors
/// When there is none.
pub fn checked(path: &Path) -> Result<PathBuf> {
    let wanted =
        || format!("there is no {}; build it with `cargo build -p skald`, or name it by --skald", path.display());
    path.canonicalize().with_context(wanted)
}
