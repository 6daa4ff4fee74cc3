//! Times and lengths on the wire, to and from the milliseconds that everything else counts in.

use prost_types::{Duration, Timestamp};

/// The years 1 to 9999, as in the definition of Timestamp.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// Of one second.
const NANOS: i32 = 1_000_000_000;

/// A point in time, from milliseconds since the Unix epoch.
pub fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

/// Milliseconds since the Unix epoch, rounded down; far times are clamped.
pub fn millis(time: Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos / 1_000_000))
}

/// [`millis`] of what a caller sent; nothing if that is no Timestamp.
pub fn millis_of(time: Timestamp) -> Option<i64> {
    (SECONDS.contains(&time.seconds) && (0..NANOS).contains(&time.nanos)).then(|| millis(time))
}

/// A length of time, from milliseconds.
pub fn duration(ms: i64) -> Duration {
    let nanos = i32::try_from(ms % 1000 * 1_000_000).unwrap_or_default();
    Duration { seconds: ms / 1000, nanos }
}

/// Milliseconds of a length of time, rounded towards zero; long ones are clamped.
pub fn duration_ms(length: Duration) -> i64 {
    length.seconds.saturating_mul(1000).saturating_add(i64::from(length.nanos / 1_000_000))
}

/// [`duration_ms`] of what a caller sent; nothing if that is no Duration.
pub fn duration_ms_of(length: Duration) -> Option<i64> {
    let nanos = i64::from(length.nanos);
    let is_one = nanos.abs() < i64::from(NANOS) && nanos.signum() * length.seconds.signum() >= 0;
    is_one.then(|| duration_ms(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_of_the_years_1_to_9999_with_parts_of_one_second() {
        let read = |seconds, nanos| millis_of(Timestamp { seconds, nanos });
        assert_eq!(read(1, 999_999_999), Some(1_999));
        assert_eq!(read(*SECONDS.start(), 0), Some(-62_135_596_800_000));
        for (seconds, nanos) in
            [(i64::MIN, 0), (i64::MAX, 0), (*SECONDS.end() + 1, 0), (0, -1), (0, NANOS), (0, i32::MIN)]
        {
            assert_eq!(read(seconds, nanos), None, "{seconds} {nanos}");
        }
    }

    #[test]
    fn both_parts_of_a_length_have_one_sign_and_a_long_one_is_clamped() {
        let read = |seconds, nanos| duration_ms_of(Duration { seconds, nanos });
        assert_eq!(read(1, 5_000_000), Some(1_005));
        assert_eq!(read(-1, -5_000_000), Some(-1_005));
        assert_eq!((read(i64::MAX, 0), read(i64::MIN, 0)), (Some(i64::MAX), Some(i64::MIN)));
        for (seconds, nanos) in [(1, -1), (-1, 1), (0, NANOS), (0, i32::MIN)] {
            assert_eq!(read(seconds, nanos), None, "{seconds} {nanos}");
        }
    }
}
