//! A small disk of its own for the one process, which can be filled up. It takes the right to mount.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Room for what a run writes.
const SIZE: &str = "size=256m";
/// Written at once, until nothing fits any more: the last piece is smaller than a page of the database.
const PIECES: [usize; 2] = [1 << 16, 512];
/// The same for every piece.
static ZEROS: [u8; PIECES[0]] = [0; PIECES[0]];

/// The disk. Dropped, it is gone.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// A new one at that place.
    ///
    /// # Errors
    /// When this user may not mount one.
    pub fn mount(place: &Path) -> Result<Self> {
        std::fs::create_dir_all(place)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "skald-chaos"]).arg(place).output()?;
        ensure!(mounted.status.success(), "a full disk takes the right to mount one; run it as root");
        Ok(Self(place.to_owned()))
    }

    /// Fills it up to the last byte.
    ///
    /// # Errors
    /// When it cannot be filled.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast())?;
        for piece in PIECES {
            loop {
                match ballast.write_all(&ZEROS[..piece]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => bail!("the disk cannot be filled: {error}"),
                }
            }
        }
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When what fills it cannot be removed.
    pub fn free(&self) -> Result<()> {
        std::fs::remove_file(self.ballast()).context("the disk cannot be freed")
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Also while somebody still has a file open there.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
