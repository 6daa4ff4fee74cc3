//! Counts of what an engine has done, for people and for tests, and word of what its commits announced.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;

/// What has been written since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Commits, each of them one fsync.
    pub commits: u64,
    /// Units of work that they covered.
    pub units: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    units: AtomicU64,
    statements: AtomicU64,
    broken: AtomicBool,
    announced: watch::Sender<()>,
}

impl Counters {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// A commit announced something.
    pub(super) fn announce(&self) {
        self.announced.send_replace(());
    }

    pub(super) fn announcements(&self) -> watch::Receiver<()> {
        self.announced.subscribe()
    }

    pub(super) fn stats(&self) -> Stats {
        Stats { commits: self.commits.load(Ordering::Relaxed), units: self.units.load(Ordering::Relaxed) }
    }

    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(super) fn count_statements(&self, statements: usize) {
        self.statements.fetch_add(statements as u64, Ordering::Relaxed);
    }

    pub(super) fn count(&self, units: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.units.fetch_add(units as u64, Ordering::Relaxed);
    }
}
