//! What may be set for the payment service.

use serde::{Deserialize, Serialize};

/// The limits of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// KRW of one payment at most: far above any order, and far below where sums overflow.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub amount_limit: i64,
    /// Characters of the reason for a cancellation at most.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub reason_limit: usize,
    /// When what is kept about steps and calls is forgotten.
    pub retention: service_kit::retention::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self { amount_limit: 1_000_000_000, reason_limit: 500, retention: Default::default() }
    }
}
