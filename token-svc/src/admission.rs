//! How far a room's head moves at one tick: as far as the rate has allowed since the last one, as there are places
//! inside, and as there are people who wait. Pure.

use crate::line::Ticker;
use crate::room::Room;

/// One admission in the unit of credit: the rate per 1,000 s times milliseconds.
pub(crate) const ADMISSION: i64 = 1_000_000;
/// What late or missed ticks may be made up for. More would be a rush that the rate is there to prevent.
const CATCH_UP_MS: i64 = 2_000;

/// What a tick allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    /// How many turns come.
    pub(crate) count: i64,
    /// What is left for the next tick: at most one admission, so that an idle room does not save up for a rush.
    pub(crate) credit: i64,
    /// Up to when the rate has been counted. It never goes back, so that no time counts twice when several tick.
    pub(crate) tick_time: i64,
}

/// Whether the head may move now, and this process is the one to move it.
pub(crate) fn is_due(room: &Room, ticker: Ticker, now_ms: i64) -> bool {
    let leads = room.lease.owner == Some(ticker.owner) || room.lease.until <= now_ms;
    leads && now_ms - room.tick_time >= ticker.spacing_ms && room.lets_in(now_ms)
}

/// What an open room's tick at `now_ms` allows.
pub(crate) fn admission(room: &Room, now_ms: i64) -> Admission {
    let rate = room.settings.admissions_per_1000_s;
    let since = room.tick_time.max(room.settings.open_time);
    let earned = rate.saturating_mul((now_ms - since).max(0)).min(most_credit(room));
    let credit = room.admission_credit.saturating_add(earned);
    let places = room.settings.max_active_tokens - room.active_count;
    let count = (credit / ADMISSION).min(places).min(room.waiting_count).max(0);
    Admission { count, credit: (credit - count * ADMISSION).min(ADMISSION), tick_time: room.tick_time.max(now_ms) }
}

/// The most that one tick earns.
pub(crate) fn most_credit(room: &Room) -> i64 {
    room.settings.admissions_per_1000_s.saturating_mul(CATCH_UP_MS).max(ADMISSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::tests::room;

    /// Ticks a room of 2 admissions a second at the given times; tells how many turns came at each.
    fn ticks(mut room: Room, times: &[i64]) -> Vec<i64> {
        let tick = |now_ms: &i64| {
            let Admission { count, credit, tick_time } = admission(&room, *now_ms);
            (room.admission_credit, room.tick_time) = (credit, tick_time);
            room.waiting_count -= count;
            room.active_count += count;
            count
        };
        times.iter().map(tick).collect()
    }

    fn crowded() -> Room {
        let mut room = room();
        room.waiting_count = 100;
        room.settings.max_active_tokens = 100;
        room
    }

    #[test]
    fn one_process_moves_the_head_until_it_is_not_heard_of() {
        let ticker = |owner| Ticker { owner: uuid::Uuid::from_u128(owner), spacing_ms: 900, lease_ms: 3_000 };
        let mut room = crowded();
        room.lease = crate::room::Lease { owner: Some(ticker(1).owner), until: 5_000 };
        assert_eq!([1, 2].map(|owner| is_due(&room, ticker(owner), 4_999)), [true, false]);
        assert_eq!([1, 2].map(|owner| is_due(&room, ticker(owner), 5_000)), [true, true]);
        room.tick_time = 4_500;
        assert_eq!([5_399, 5_400].map(|now_ms| is_due(&room, ticker(1), now_ms)), [false, true]);
    }

    #[test]
    fn the_rate_is_kept_whatever_the_rhythm_of_the_ticks() {
        assert_eq!(ticks(crowded(), &[2_000, 3_000, 4_000]), [2, 2, 2]);
        assert_eq!(ticks(crowded(), &[1_300, 1_600, 1_900, 2_000]), [0, 1, 0, 1]);
    }

    #[test]
    fn no_time_counts_twice_when_a_tick_comes_late() {
        assert_eq!(ticks(crowded(), &[2_000, 1_500, 2_500, 2_000, 3_000]), [2, 0, 1, 0, 1]);
    }

    #[test]
    fn nobody_is_let_through_at_the_moment_of_opening_or_before() {
        assert_eq!(ticks(crowded(), &[0, 1_000]), [0, 0]);
    }

    #[test]
    fn a_slow_rate_adds_up() {
        let mut room = crowded();
        room.settings.admissions_per_1000_s = 400;
        assert_eq!(ticks(room, &[2_000, 3_000, 4_000, 5_000, 6_000]), [0, 0, 1, 0, 1]);
    }

    #[test]
    fn never_more_are_inside_than_the_cap() {
        let mut room = crowded();
        room.settings.max_active_tokens = 3;
        assert_eq!(ticks(room.clone(), &[2_000, 3_000, 4_000]), [2, 1, 0]);
        room.active_count = 8;
        assert_eq!(ticks(room, &[2_000]), [0]);
    }

    #[test]
    fn never_more_are_let_through_than_wait() {
        let mut room = crowded();
        room.waiting_count = 1;
        assert_eq!(ticks(room, &[2_000, 3_000]), [1, 0]);
    }

    #[test]
    fn missed_ticks_are_made_up_for_two_seconds_only() {
        assert_eq!(ticks(crowded(), &[60_000, 61_000]), [4, 2]);
    }

    #[test]
    fn the_fastest_rate_over_the_longest_time_does_not_overflow() {
        let mut room = crowded();
        room.settings.admissions_per_1000_s = i64::MAX;
        room.settings.open_time = 0;
        assert_eq!(admission(&room, i64::MAX).count, 100);
    }
}
