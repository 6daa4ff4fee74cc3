//! A shell that outlives this process by a moment and ends, by their numbers, the processes that it has left behind. They
//! write their numbers into the shell's pipe as they start; when the last writer is gone, so is this process.

use std::io::{PipeWriter, Write as _, pipe};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

const KEEPER: &str = r#"
trap '' HUP INT TERM
all=' '
while read -r sign number; do
    case $sign in
        +) all="$all$number " ;;
        # Cutting out a number that is not there would double the list.
        -) case $all in *" $number "*) all="${all%% "$number" *} ${all#* "$number" }" ;; esac ;;
    esac
done
for number in $all; do
    kill -KILL "$number"
    rm -f "/dev/shm/faketime_shm_$number" "/dev/shm/sem.faketime_sem_$number"
done
"#;

/// The shell. Dropped, it ends what still runs.
#[derive(Debug)]
pub(super) struct Keeper {
    pipe: Option<PipeWriter>,
    shell: Child,
}

impl Keeper {
    pub(super) fn start() -> Result<Self> {
        let (reader, writer) = pipe()?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
        // What a terminal sends to this process must not reach it.
        let shell = command.process_group(0).spawn().context("cannot start sh")?;
        Ok(Self { pipe: Some(writer), shell })
    }

    /// Where numbers are written.
    pub(super) fn pipe(&self) -> Result<PipeWriter> {
        Ok(self.pipe.as_ref().context("the keeper has been let go")?.try_clone()?)
    }
}

/// Tells that a process has ended.
pub(super) fn ended(mut pipe: &PipeWriter, number: u32) -> Result<()> {
    Ok(writeln!(pipe, "- {number}")?)
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.pipe.take());
        drop(self.shell.wait());
    }
}
