//! Whether the processor is there, as far as this process has seen. While it is not, nothing new is begun with it: what is
//! begun can only be given up with its help, and sagas that wait for it would pile up.

use std::sync::atomic::{AtomicI64, Ordering};

/// Failures in a row that make it count as down.
const FAILURES: i64 = 3;
/// How long after the last failure the next one may try.
const PAUSE_MS: i64 = 2_000;

/// What this process has seen of the processor.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// In a row.
    failures: AtomicI64,
    failed_ms: AtomicI64,
}

impl Health {
    /// The processor has answered, or not.
    pub(crate) fn note(&self, is_there: bool, now_ms: i64) {
        if is_there {
            self.failures.store(0, Ordering::Relaxed);
        } else {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.failed_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Whether it is not worth asking. After a pause it is, whatever was before.
    pub(crate) fn is_down(&self, now_ms: i64) -> bool {
        let since_ms = now_ms - self.failed_ms.load(Ordering::Relaxed);
        self.failures.load(Ordering::Relaxed) >= FAILURES && (0..PAUSE_MS).contains(&since_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_down_after_failures_in_a_row_until_an_answer_or_a_pause() {
        let health = Health::default();
        for now_ms in [1, 2] {
            health.note(false, now_ms);
            assert!(!health.is_down(now_ms));
        }
        health.note(false, 3);
        assert!(health.is_down(3) && health.is_down(2_002));
        assert!(!health.is_down(2_003), "the next one finds out");
        health.note(false, 2_003);
        assert!(health.is_down(2_004));
        health.note(true, 2_005);
        assert!(!health.is_down(2_005));
    }
}
