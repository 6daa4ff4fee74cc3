//! How fast a channel may go: at full speed while the other side answers, and one attempt now and then while it does not,
//! so that a long outage costs neither side anything to speak of.

use std::time::Duration;

use service_kit::clock::Stopwatch;

/// Attempts in a row that must fail before the others wait: more than bad luck brings about.
const FAILURES: u32 = 5;
/// The first pause, which doubles with each attempt after it that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: so much later than the other side is it noticed that all is well.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pace of one channel at this process.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    failures: u32,
    pauses: u32,
    paused: Option<(Stopwatch, Duration)>,
}

impl Pace {
    /// Takes note of an attempt: whether it met an outage. Returns the pause that begins with it, if one does. Those that
    /// were under way when a pause began and fail, too, tell nothing new.
    pub(crate) fn note(&mut self, is_outage: bool) -> Option<Duration> {
        if !is_outage {
            *self = Self::default();
            return None;
        }
        if !self.pause().is_zero() {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_PAUSE);
        self.pauses = self.pauses.saturating_add(1);
        self.paused = Some((Stopwatch::start(), pause));
        Some(pause)
    }

    /// How many may be under way, of so many.
    pub(crate) fn slots(&self, all: usize) -> usize {
        if self.is_probing() { 1 } else { all }
    }

    /// Whether only one attempt is made, to see whether the other side is back.
    pub(crate) fn is_probing(&self) -> bool {
        self.paused.is_some()
    }

    /// How long nothing is tried at all.
    pub(crate) fn pause(&self) -> Duration {
        let left = |(since, pause): &(Stopwatch, Duration)| {
            pause.saturating_sub(Duration::from_millis(since.elapsed_ms().unsigned_abs()))
        };
        self.paused.as_ref().map_or(Duration::ZERO, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_met_with_pauses_that_grow_and_end() {
        let mut pace = Pace::default();
        for _ in 1..FAILURES {
            assert_eq!(pace.note(true), None);
        }
        assert_eq!((pace.slots(8), pace.pause()), (8, Duration::ZERO));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.push(pace.note(true).map(|pause| pause.as_secs()));
            assert_eq!(pace.note(true), None, "it was under way and tells nothing new");
            tokio::time::advance(pace.pause()).await;
            assert_eq!((pace.slots(8), pace.pause()), (1, Duration::ZERO), "one may try");
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30].map(Some));
        pace.note(false);
        assert_eq!((pace.slots(8), pace.is_probing()), (8, false));
    }

    #[test]
    fn a_failure_now_and_then_slows_nothing_down() {
        let mut pace = Pace::default();
        for _ in 0..50 {
            assert_eq!((pace.note(true), pace.note(false)), (None, None));
        }
        assert_eq!(pace.slots(8), 8);
    }
}
