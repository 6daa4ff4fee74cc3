//! Wall clocks that jump, one a process: libfaketime in front of the C library, which reads a file for how far the clock is
//! off. What measures elapsed time is left alone, as it is where a machine's clock is set.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
/// Where distributions put it.
const FOLDERS: [&str; 4] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
/// Seconds after which a process looks into its file again.
const LOOK: &str = "1";

/// The library.
///
/// # Errors
/// When it is not installed; the text says how to get it.
pub fn library() -> Result<PathBuf> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY)).find(|file| file.is_file());
    found.with_context(|| format!("{LIBRARY} is not installed; `apt-get install faketime` brings it"))
}

/// The command's clock follows the file from its start on.
pub(super) fn follow(command: &mut Command, file: &Path) -> Result<()> {
    if !file.is_file() {
        set(file, 0)?;
    }
    command.env("LD_PRELOAD", library()?).env("FAKETIME_TIMESTAMP_FILE", file);
    command.env("FAKETIME_CACHE_DURATION", LOOK);
    for name in ["FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"] {
        command.env(name, "1");
    }
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
