//! Where and with what a run was made: without that, no two of its figures can be compared.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::clock;

/// Where, when and with what.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in all.
    pub memory_gib: f64,
    /// Operating system and its version.
    pub kernel: String,
    /// The commit that was measured, if somebody has told.
    pub commit: String,
    /// Versions of the programs, by name.
    pub versions: BTreeMap<&'static str, String>,
    /// Seconds since 1970, at the start.
    pub started: u64,
}

const UNKNOWN: &str = "unknown";

impl Machine {
    /// Looks. The commit is what was passed, or what the variable `SKALD_COMMIT` held when this was built.
    pub fn look(skald: Option<&Path>, commit: Option<String>) -> Self {
        let commit = commit.or(option_env!("SKALD_COMMIT").map(str::to_owned)).unwrap_or_else(|| UNKNOWN.into());
        let mut versions = BTreeMap::from([
            ("loadtest", env!("CARGO_PKG_VERSION").to_owned()),
            ("sqlite", rusqlite::version().to_owned()),
        ]);
        if let Some(version) = skald.and_then(version_of) {
            versions.insert("skald", version);
        }
        let started = clock::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| UNKNOWN.into()),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            memory_gib: kib("/proc/meminfo", "MemTotal") / f64::from(1 << 20),
            kernel: kernel(),
            commit,
            versions,
            started,
        }
    }

    /// Each thing with its name, for people.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("processor", format!("{}, {} cores", self.cpu, self.cores)),
            ("memory", format!("{:.1} GiB", self.memory_gib)),
            ("system", self.kernel.clone()),
            ("commit", self.commit.clone()),
        ];
        lines.extend(self.versions.iter().map(|(name, version)| (*name, version.clone())));
        lines
    }
}

fn kernel() -> String {
    let read = |name: &str| read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_else(|_| UNKNOWN.into());
    format!("{} {}", read("ostype").trim(), read("osrelease").trim())
}

/// A size as the kernel tells it; none is there of what does not exist.
pub(crate) fn kib(path: &str, name: &str) -> f64 {
    let told = field(path, name).unwrap_or_default();
    told.trim_end_matches(" kB").parse().unwrap_or_default()
}

fn version_of(binary: &Path) -> Option<String> {
    let told = Command::new(binary).arg("--version").output().ok()?;
    let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    Some(told.rsplit_once(' ').map_or(told.clone(), |(_, version)| version.to_owned()))
}

/// What stands behind a name and a colon.
fn field(path: &str, name: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_and_memory_and_a_commit_that_was_passed() {
        let machine = Machine::look(None, Some("v1-3-gabc".into()));
        assert!(machine.cores > 0 && machine.memory_gib > 0.0, "{machine:?}");
        assert_eq!(machine.commit, "v1-3-gabc");
        assert!(machine.lines().iter().any(|(name, version)| *name == "sqlite" && version.starts_with('3')));
    }
}
