//! Counts of what an engine has done, for people and for tests, and word of what its commits announced.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;

use super::tx::Aftermath;

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
    ahead: AtomicBool,
    announced: watch::Sender<()>,
}

impl Counters {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// So many units of work are durable: what they left to be done then is done.
    pub(super) fn committed(&self, units: usize, kept: impl IntoIterator<Item = Aftermath>) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.units.fetch_add(units as u64, Ordering::Relaxed);
        let mut announces = false;
        for aftermath in kept {
            announces |= aftermath.run();
        }
        if announces {
            self.announced.send_replace(());
        }
    }

    /// Whether somebody has been answered ahead of a commit that is still to come.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.load(Ordering::Acquire)
    }

    pub(super) fn set_ahead(&self, is_ahead: bool) {
        self.ahead.store(is_ahead, Ordering::Release);
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
}
