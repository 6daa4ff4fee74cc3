//! Times and lengths on the wire, to and from the milliseconds that everything else counts in.

use prost_types::{Duration, Timestamp};

/// A point in time, from milliseconds since the Unix epoch.
pub fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

/// Milliseconds since the Unix epoch, rounded down; far times are clamped.
pub fn millis(time: Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos / 1_000_000))
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
