//! When the next attempt is due: a pure function of how many there were and of one random number.

/// The first attempt's longest wait.
const BASE_MS: i64 = 50;

/// The longest back-off while the saga may still turn back: somebody is waiting for the answer.
pub const UNDECIDED_CAP_MS: i64 = 2_000;

/// The longest back-off once the saga is decided: it goes on until it succeeds, so it must not be a burden.
pub const DECIDED_CAP_MS: i64 = 30_000;

/// The longest wait that a participant may ask for; beyond it a mistaken RetryInfo would park the saga unseen.
pub const RETRY_AFTER_CAP_MS: i64 = 300_000;

/// The longest wait that is ever decided on. One that seems longer was decided on by a clock that was wrong since.
pub const LONGEST_WAIT_MS: i64 = RETRY_AFTER_CAP_MS + DECIDED_CAP_MS;

/// Tries of a step whose every failure looks like a broken contract: one more than proves that it was no accident.
pub const CONTRACT_TRIES: u32 = 2;

/// Failed tries after which a decided step raises an alarm and goes on.
pub const ALARM_TRIES: u32 = 20;

/// Compensations wait for one another, but not for one that this many attempts could not settle.
pub const BACKGROUND_TRIES: u32 = 3;

/// Full jitter: anything from nothing to twice the last ceiling, which never passes the cap.
pub fn backoff_ms(attempts: u32, cap_ms: i64, jitter: u64) -> i64 {
    let doublings = attempts.saturating_sub(1).min(20);
    let ceiling = (BASE_MS << doublings).min(cap_ms);
    below(ceiling + 1, jitter)
}

/// For a failure that time alone will hardly mend: between half the cap and the cap.
pub fn slow_ms(jitter: u64) -> i64 {
    DECIDED_CAP_MS / 2 + below(DECIDED_CAP_MS / 2 + 1, jitter)
}

/// What a participant asked for, within reason.
pub fn retry_after_ms(asked_ms: i64) -> i64 {
    asked_ms.clamp(0, RETRY_AFTER_CAP_MS)
}

/// A number from 0 up to, but not including, `limit`, which is small and positive.
fn below(limit: i64, jitter: u64) -> i64 {
    (jitter % limit.unsigned_abs().max(1)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceiling = |attempts, cap| (0..100_000).map(|jitter| backoff_ms(attempts, cap, jitter)).max().unwrap();
        let ceilings: Vec<i64> = (1..=8).map(|attempts| ceiling(attempts, UNDECIDED_CAP_MS)).collect();
        assert_eq!(ceilings, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(ceiling(u32::MAX, DECIDED_CAP_MS), DECIDED_CAP_MS);
    }

    #[test]
    fn every_jitter_gives_a_wait_within_bounds() {
        for jitter in [0, 1, u64::MAX, u64::MAX / 2] {
            for attempts in [0, 1, 2, 30, u32::MAX] {
                assert!((0..=DECIDED_CAP_MS).contains(&backoff_ms(attempts, DECIDED_CAP_MS, jitter)));
            }
            assert!((DECIDED_CAP_MS / 2..=DECIDED_CAP_MS).contains(&slow_ms(jitter)));
        }
        let waits: Vec<i64> = (0..40_000).map(slow_ms).collect();
        let extremes = (waits.iter().min(), waits.iter().max());
        assert_eq!(extremes, (Some(&(DECIDED_CAP_MS / 2)), Some(&DECIDED_CAP_MS)));
    }

    #[test]
    fn what_a_participant_asks_for_is_bounded() {
        assert_eq!(retry_after_ms(-5), 0);
        assert_eq!(retry_after_ms(1_500), 1_500);
        assert_eq!(retry_after_ms(i64::MAX), RETRY_AFTER_CAP_MS);
    }
}
