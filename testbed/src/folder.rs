//! A server's folder and the keeper that outlives the test process by a moment: a shell that reads a pipe. Every server
//! process that starts writes its number into that pipe; when the last writer is gone, so is the test process, and the
//! keeper ends the server and removes the folder. No way to die leaves either behind.

use std::io::{PipeWriter, Write as _, pipe};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The last line read is the process that runs now; an empty one says that none does.
const KEEPER: &str = r#"
trap '' HUP INT TERM
server=
while read -r line; do server=$line; done
if [ -n "$server" ]; then
    kill -CONT "$server"; kill -QUIT "$server"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$server" || break; sleep 0.1; done
    kill -KILL "$server"
fi
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && break; sleep 0.1; done
"#;
/// PostgreSQL refuses to run as root; root's tests run it as the first of these users that exists.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Who runs a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Whoever runs the tests.
    Same,
    /// Somebody else if that is root.
    NotRoot,
}

/// A temporary folder, owned by whoever runs the server.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    user: Option<(u32, u32)>,
    pipe: Option<PipeWriter>,
    keeper: Child,
}

impl Folder {
    pub(crate) fn new(server: &str, user: User) -> Result<Self> {
        let path = tempfile::Builder::new().prefix(&format!("skald-{server}-")).tempdir()?.keep();
        let (reader, writer) = pipe()?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&path)
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What a terminal sends to the tests must not reach it.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let mut folder = Self { path, user: None, pipe: Some(writer), keeper };
        if user == User::NotRoot && std::fs::metadata(&folder.path)?.uid() == 0 {
            let user = unprivileged()?;
            chown(&folder.path, Some(user.0), Some(user.1))?;
            folder.user = Some(user);
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Runs a program to its end as the server's user and gives what it printed.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let output = self.command(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            bail!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A command that runs as the server's user, apart from the terminal.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path).process_group(0);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Where a server process writes its number as it starts.
    pub(crate) fn announcement(&self) -> Result<Stdio> {
        Ok(self.pipe.as_ref().context("the keeper has been let go")?.try_clone()?.into())
    }

    /// Tells the keeper that no server process is left.
    pub(crate) fn announce_none(&self) -> Result<()> {
        let mut pipe = self.pipe.as_ref().context("the keeper has been let go")?;
        Ok(pipe.write_all(b"\n")?)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.pipe.take());
        drop(self.keeper.wait());
    }
}

fn unprivileged() -> Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read the users of this machine")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    let found = UNPRIVILEGED.iter().copied().find_map(ids);
    found.with_context(|| format!("root cannot run PostgreSQL, and there is none of {}", UNPRIVILEGED.join(", ")))
}
