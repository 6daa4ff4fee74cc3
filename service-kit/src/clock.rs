//! The time, as an argument. This is the only file that may ask the operating system for it.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the wall-clock time in milliseconds since the Unix epoch.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now_ms`.
    pub fn at(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A wall clock that follows the runtime's own time: when a test pauses that and lets it jump, this clock jumps along.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClock {
    started: Stopwatch,
    epoch_ms: i64,
}

impl RuntimeClock {
    /// A clock that shows `now_ms` at this moment.
    pub fn at(now_ms: i64) -> Self {
        Self { started: Stopwatch::start(), epoch_ms: now_ms }
    }
}

impl Clock for RuntimeClock {
    fn now_ms(&self) -> i64 {
        self.epoch_ms.saturating_add(self.started.elapsed_ms())
    }
}

/// Measures elapsed time; wall-clock jumps do not touch it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// Whole milliseconds since the start.
    pub fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
