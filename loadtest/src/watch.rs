//! Looks at a server four times a second while something goes on: sagas that are open, what they hold, memory and files.

use std::fs::read_dir;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::orchestrator::v1::GetSagaStatisticsRequest;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::client::Client;
use crate::machine::kib;
use crate::paper::{Plot, Section, Series, Table, figure};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(250);
/// How long a server may take to tell, before it counts as one that does not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where so many times as many sagas are open as usual, some are held up.
const HELD_UP: f64 = 2.0;
/// And never where there are fewer than these.
const FEW: f64 = 10.0;

/// What was to be seen at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Since the watch began.
    pub second: f64,
    /// Sagas, if the server tells.
    pub sagas: Option<Backlog>,
    /// Memory of its processes.
    pub memory_mib: f64,
    /// Its files, without the next.
    pub files_mib: f64,
    /// What SQLite has written and not yet carried over.
    pub wal_mib: f64,
}

/// Sagas that are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Backlog {
    /// How many.
    pub open: u64,
    /// How long the oldest one has been so.
    pub oldest_seconds: f64,
    /// Seats that they have locked.
    pub locked_seats: u64,
}

/// What was seen, from the first to the last.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Samples(pub Vec<Sample>);

/// What is told of a sample.
type Size = fn(&Sample) -> f64;

/// Somebody who looks; stops when dropped.
#[derive(Debug)]
pub struct Watch {
    seen: Arc<Mutex<Vec<Sample>>>,
    pids: Arc<Mutex<Vec<u32>>>,
    started: Instant,
    _looking: JoinSet<()>,
}

impl Watch {
    /// Begins to look at a server, at its processes and its files.
    pub fn begin(client: &Client, pids: Vec<u32>, directory: &Path) -> Self {
        let (seen, started) = (Arc::new(Mutex::default()), Instant::now());
        let pids = Arc::new(Mutex::new(pids));
        let look = look_on(client.clone(), (pids.clone(), directory.to_owned()), started, Arc::clone(&seen));
        let mut looking = JoinSet::new();
        looking.spawn(look);
        Self { seen, pids, started, _looking: looking }
    }

    /// Other processes are looked at from now on.
    pub fn follow(&self, pids: Vec<u32>) {
        *self.pids.lock().unwrap_or_else(PoisonError::into_inner) = pids;
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What was seen so far.
    pub fn samples(&self) -> Samples {
        Samples(self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn look_on(
    client: Client,
    (pids, directory): (Arc<Mutex<Vec<u32>>>, PathBuf),
    started: Instant,
    seen: Arc<Mutex<Vec<Sample>>>,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let sagas = timeout(PATIENCE, backlog(&client)).await.ok().flatten();
        let memory_mib = pids.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|pid| memory_mib(*pid)).sum();
        let (files_mib, wal_mib) = files_mib(&directory);
        let sample = Sample { second: started.elapsed().as_secs_f64(), sagas, memory_mib, files_mib, wal_mib };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}

/// How many sagas are open, if the server tells.
pub(crate) async fn backlog(client: &Client) -> Option<Backlog> {
    let told = client.sagas().get_saga_statistics(GetSagaStatisticsRequest::default()).await.ok()?.into_inner();
    let age = told.oldest_open_age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
    let (open, locked_seats) = (told.open_count.unsigned_abs(), told.held_seat_count.unsigned_abs());
    Some(Backlog { open, oldest_seconds: age.as_secs_f64(), locked_seats })
}

fn memory_mib(pid: u32) -> f64 {
    kib(&format!("/proc/{pid}/status"), "VmRSS") / 1024.0
}

/// Of all files below a directory, and of SQLite's logs among them.
fn files_mib(directory: &Path) -> (f64, f64) {
    let (mut files, mut logs) = (0.0, 0.0);
    for entry in read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let size = entry.metadata().map_or(0.0, |data| data.len() as f64 / f64::from(1 << 20));
        if path.is_dir() {
            let below = files_mib(&path);
            (files, logs) = (files + below.0, logs + below.1);
        } else if path.to_string_lossy().ends_with("-wal") {
            logs += size;
        } else {
            files += size;
        }
    }
    (files, logs)
}

impl Samples {
    /// Most sagas that were open at once.
    pub fn backlog_peak(&self) -> u64 {
        self.between(0.0, f64::INFINITY).map(|(_, backlog)| backlog.open).max().unwrap_or_default()
    }

    /// What the server told between two seconds.
    pub fn between(&self, from: f64, to: f64) -> impl Iterator<Item = (f64, Backlog)> {
        let seen = self.0.iter().filter_map(|sample| Some((sample.second, sample.sagas?)));
        seen.filter(move |(second, _)| (from..=to).contains(second))
    }

    /// Seconds from `second` on until no more sagas were open than usual, if that has come. What is usual was to be seen in the
    /// first `calm` seconds.
    pub fn drained_after(&self, second: f64, calm: f64) -> Option<f64> {
        let mut usual: Vec<_> = self.between(0.0, calm).map(|(_, backlog)| backlog.open).collect();
        usual.sort_unstable();
        let usual = usual.get(usual.len() / 2).map_or(0.0, |usual| *usual as f64);
        let is_usual = |(_, backlog): &(f64, Backlog)| backlog.open as f64 <= (usual * HELD_UP).max(FEW);
        self.between(second, f64::INFINITY).find(is_usual).map(|(at, _)| at - second)
    }

    /// Seconds from `second` on until no saga was open that had been so by then, if that has come.
    pub fn taken_over_after(&self, second: f64) -> Option<f64> {
        let is_later = |(at, backlog): &(f64, Backlog)| backlog.oldest_seconds < at - second;
        self.between(second, f64::INFINITY).find(is_later).map(|(at, _)| at - second)
    }

    /// What grew, and the backlog over time.
    pub fn section(&self) -> Section {
        let mut table = Table::new(&["what grew", "first", "last", "most"]);
        let grown: [(&str, Size); 3] = [
            ("memory, MiB", |sample| sample.memory_mib),
            ("files, MiB", |sample| sample.files_mib),
            ("SQLite's logs, MiB", |sample| sample.wal_mib),
        ];
        for (name, of) in grown {
            let values = || self.0.iter().map(of);
            let most = values().fold(0.0, f64::max);
            if most > 0.0 {
                table.row(
                    name,
                    [values().next(), values().next_back(), Some(most)].map(|value| figure(value.unwrap_or(0.0))),
                );
            }
        }
        let line = |name: &str, of: fn(Backlog) -> f64| {
            Series::new(name, self.between(0.0, f64::INFINITY).map(|(second, backlog)| (second, of(backlog))))
        };
        let size = |name: &str, of: Size| {
            let points: Vec<_> = self.0.iter().map(|sample| (sample.second, of(sample))).collect();
            let is_there = points.iter().any(|(_, size)| *size > 0.0);
            Series::new(name, if is_there { points } else { Vec::new() })
        };
        let backlog = Plot::new("Sagas open", "seconds", "sagas").line(line("open", |backlog| backlog.open as f64));
        let age =
            Plot::new("Oldest open saga", "seconds", "seconds").line(line("age", |backlog| backlog.oldest_seconds));
        let sizes = Plot::new("Memory and files", "seconds", "MiB");
        let sizes = grown.into_iter().fold(sizes, |plot, (name, of)| plot.line(size(name, of)));
        let peak = format!("At most {} sagas were open at once.", self.backlog_peak());
        Section::new("Recovery and growth").say(peak).table(table).plot(backlog).plot(age).plot(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_drained_when_no_more_sagas_are_open_than_usual() {
        let sample = |second: f64, oldest_seconds: f64, open| Sample {
            second,
            sagas: Some(Backlog { open, oldest_seconds, locked_seats: 0 }),
            ..Sample::default()
        };
        let silent = Sample { second: 2.5, ..Sample::default() };
        let samples = Samples(vec![sample(1.0, 0.1, 8), sample(2.0, 1.5, 90), silent, sample(3.5, 1.9, 16)]);
        assert_eq!(samples.backlog_peak(), 90);
        assert_eq!((samples.drained_after(2.0, 1.5), samples.drained_after(4.0, 1.5)), (Some(1.5), None));
        assert_eq!((samples.taken_over_after(1.5), samples.taken_over_after(1.7)), (Some(2.0), None));
        assert_eq!(samples.section().plots.len(), 2);
    }

    #[test]
    fn this_process_has_memory_and_a_log_is_told_apart() {
        assert!(memory_mib(std::process::id()) > 0.1);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("skald.db"), vec![0; 1 << 20]).unwrap();
        std::fs::write(directory.path().join("skald.db-wal"), vec![0; 2 << 20]).unwrap();
        assert_eq!(files_mib(directory.path()), (1.0, 2.0));
    }
}
