//! The wall clock and new ids: the only file here that asks for either. What a seed decides comes from elsewhere.

use std::time::SystemTime;

use uuid::Uuid;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// A `request_id` that nobody has used, also not an earlier run with the same seed.
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub(crate) fn request_id() -> String {
    Uuid::now_v7().to_string()
}
