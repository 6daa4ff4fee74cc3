//! Wall clocks of single processes that are off: libfaketime in front of the C library. What measures elapsed time is left
//! alone, as it is where a machine's clock is set.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
/// Where distributions put it.
const FOLDERS: [&str; 4] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/// The library.
///
/// # Errors
/// When it is not installed; the text says how to get it.
pub fn library() -> Result<PathBuf> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY)).find(|file| file.is_file());
    found.with_context(|| format!("{LIBRARY} is not installed; `apt-get install faketime` brings it"))
}

/// Puts it in front of what the command calls; how far the clock is off is the caller's to say.
///
/// # Errors
/// As [`library`].
pub fn precede(command: &mut Command) -> Result<&mut Command> {
    command.env("LD_PRELOAD", library()?);
    for name in ["FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"] {
        command.env(name, "1");
    }
    Ok(command)
}
