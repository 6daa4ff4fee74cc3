//! Wall clocks that jump, one a process: libfaketime reads a file for how far the clock is off.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::faketime::precede;

/// Seconds after which a process looks into its file again.
const LOOK: &str = "1";

/// The command's clock follows the file from its start on.
pub(super) fn follow(command: &mut Command, file: &Path) -> Result<()> {
    if !file.is_file() {
        set(file, 0)?;
    }
    precede(command)?.env("FAKETIME_TIMESTAMP_FILE", file).env("FAKETIME_CACHE_DURATION", LOOK);
    Ok(())
}

/// Whoever follows the file is off by so many seconds, within [`LOOK`].
pub(super) fn set(file: &Path, seconds: i64) -> Result<()> {
    // Nobody reads half of it.
    let written = file.with_extension("new");
    std::fs::write(&written, format!("{seconds:+}\n"))?;
    std::fs::rename(written, file).with_context(|| format!("cannot write {}", file.display()))
}

/// How far a process that follows the file is off, as the program `date` sees it.
pub(super) fn ahead(file: &Path) -> Result<i64> {
    let date = |command: &mut Command| -> Result<i64> {
        let output = command.arg("+%s").output().context("cannot run date")?;
        String::from_utf8_lossy(&output.stdout).trim().parse().context("date tells no time")
    };
    let mut command = Command::new("date");
    follow(&mut command, file)?;
    Ok(date(&mut command)? - date(&mut Command::new("date"))?)
}

/// Removes what the library of a killed process has left behind.
pub(super) fn forget(process: u32) {
    for name in [format!("faketime_shm_{process}"), format!("sem.faketime_sem_{process}")] {
        // Most processes leave nothing.
        drop(std::fs::remove_file(Path::new("/dev/shm").join(name)));
    }
}
