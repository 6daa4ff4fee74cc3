//! Turns away those who ask for their place more often than they are told to, before anything is looked up for them. It
//! costs no write: each process remembers for a bounded number of tokens when their next poll is due, and forgets one for
//! another. Whoever asks often enough to be a load is remembered again at once.
//!
//! With several processes behind one address each lets its share through.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use service_kit::refusal::Refusal;
use tonic::Code;
use uuid::Uuid;

/// A poll that comes a little early is not the fault of its sender.
const SLACK: i64 = 5;

/// When polls are due.
#[derive(Debug)]
pub(crate) struct Polls {
    slots: Box<[Mutex<Slot>]>,
    /// Nobody can choose an id to meet another one in its slot.
    hasher: RandomState,
    burst: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    token: Uuid,
    /// When the polls made so far would have come, each at its time.
    due: i64,
    /// How far before that one may come.
    ahead: i64,
}

impl Polls {
    /// Remembers that many tokens, and lets each poll so often beyond what it is told.
    pub(crate) fn new(memory: i64, burst: i64) -> Self {
        let slots = (0..memory.max(1)).map(|_| Mutex::default()).collect();
        Self { slots, hasher: RandomState::new(), burst }
    }

    /// Refuses a poll that comes too soon after the ones before it.
    pub(crate) fn expect_due(&self, token: Uuid, now_ms: i64) -> Result<(), Refusal> {
        let slot = self.slot(token, |slot| *slot);
        let early = slot.due - slot.ahead - now_ms;
        if slot.token != token || early <= 0 {
            return Ok(());
        }
        let delay = Duration::from_millis(early.unsigned_abs());
        let message = format!("the place is asked for too often; ask again in {} ms", delay.as_millis());
        Err(Refusal::new(Code::ResourceExhausted, "POLL_TOO_FAST", message).retry_after(delay))
    }

    /// Remembers a poll whose sender was told to ask again after `interval_ms`.
    pub(crate) fn told(&self, token: Uuid, interval_ms: i64, now_ms: i64) {
        self.slot(token, |slot| {
            let before = if slot.token == token { slot.due.max(now_ms) } else { now_ms };
            let ahead = interval_ms.saturating_mul(self.burst).saturating_add(interval_ms / SLACK);
            *slot = Slot { token, due: before.saturating_add(interval_ms), ahead };
        });
    }

    fn slot<T>(&self, token: Uuid, with: impl FnOnce(&mut Slot) -> T) -> T {
        let index = self.hasher.hash_one(token) % self.slots.len() as u64;
        match self.slots.get(index as usize) {
            Some(slot) => with(&mut slot.lock().unwrap_or_else(PoisonError::into_inner)),
            None => with(&mut Slot::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Uuid = Uuid::from_u128(1);

    /// Polls at the given times, told 2 s each; tells which got through.
    fn polls(polls: &Polls, times: &[i64]) -> Vec<bool> {
        let poll = |now_ms: &i64| {
            let due = polls.expect_due(TOKEN, *now_ms).is_ok();
            if due {
                polls.told(TOKEN, 2_000, *now_ms);
            }
            due
        };
        times.iter().map(poll).collect()
    }

    #[test]
    fn who_asks_when_told_is_never_turned_away() {
        let times: Vec<_> = (0..100).map(|n| n * 2_000 - (n % 2) * 300).collect();
        assert!(polls(&Polls::new(8, 1), &times).into_iter().all(|through| through));
    }

    #[test]
    fn who_asks_ten_times_a_second_gets_through_when_told() {
        let times: Vec<_> = (0..1_000).map(|n| n * 100).collect();
        let through = polls(&Polls::new(8, 5), &times).into_iter().filter(|through| *through).count();
        assert!((50..=57).contains(&through), "{through} of 1,000 in 100 s");
    }

    #[test]
    fn a_reload_or_two_does_no_harm_and_is_forgiven() {
        let remembered = Polls::new(8, 3);
        assert_eq!(polls(&remembered, &[0, 10, 20, 30, 40]), [true, true, true, true, false]);
        let refusal = remembered.expect_due(TOKEN, 40).unwrap_err();
        assert_eq!((refusal.reason, refusal.retry_after), ("POLL_TOO_FAST", Some(Duration::from_millis(1_560))));
        assert_eq!(polls(&remembered, &[1_599, 1_600, 20_000, 20_001, 20_002]), [false, true, true, true, true]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_gets_through() {
        let remembered = Polls::new(1, 1);
        assert_eq!(polls(&remembered, &[0, 0, 0]), [true, true, false]);
        remembered.told(Uuid::from_u128(2), 2_000, 0);
        assert_eq!(polls(&remembered, &[0]), [true]);
    }
}
