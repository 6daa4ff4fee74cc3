//! What may be set for the customer service.

use serde::{Deserialize, Serialize};
use service_kit::retention;

/// The limits of the service, and the times of its jobs.
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
    /// How often chains that have grown are followed.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub check_period_ms: u64,
    /// How old an entry is when it is followed: older than any transaction that may still be under way.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub settle_ms: i64,
    /// How often all customers are walked over.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub walk_period_ms: i64,
    /// How long a customer may be idle before he is put to sleep. Whatever changes him or moves points of his counts; that
    /// something is read does not, as it would cost a write.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub dormancy_ms: i64,
    /// Customers that a job deals with at once.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub job_batch: i64,
    /// When what is kept about steps and calls is forgotten.
    pub retention: retention::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            balance_limit: 2_000_000,
            display_name_limit: 100,
            reason_limit: 500,
            check_period_ms: 60_000,
            settle_ms: 60_000,
            walk_period_ms: 86_400_000,
            dormancy_ms: 365 * 86_400_000,
            job_batch: 200,
            retention: retention::Settings::default(),
        }
    }
}
