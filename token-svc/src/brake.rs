//! A brake on admissions: while whoever serves the customers inside is overloaded, nobody is let in who would add to it.
//! It is for the host of the service to pull, who knows of the overload; the service asks nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The brake of one process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Brake(Arc<AtomicI64>);

impl Brake {
    /// Stops admissions until a time, unless they are stopped for longer already. It lets go by itself, so that whoever
    /// pulled it and died does not stop the sale.
    pub fn pull_until(&self, time_ms: i64) {
        self.0.fetch_max(time_ms, Ordering::Relaxed);
    }

    /// Whether nobody is let in at that time.
    pub fn is_on(&self, now_ms: i64) -> bool {
        now_ms < self.0.load(Ordering::Relaxed)
    }
}
