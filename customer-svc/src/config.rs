//! What may be set for the customer service.

use serde::{Deserialize, Serialize};

/// The limits of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Points that a customer may own at most; what is given beyond it is refused.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub balance_limit: i64,
    /// Characters of a display name at most.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub display_name_limit: usize,
    /// Characters of an operator's reason at most.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub reason_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { balance_limit: 2_000_000, display_name_limit: 100, reason_limit: 500 }
    }
}
