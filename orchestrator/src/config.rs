//! The settings of the orchestrator. Every limit stands here or in [`Limits`], with its reason.

use std::time::Duration;

use crate::runner::Limits;

/// The settings; whoever starts the orchestrator reads them.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How much the runner does at once.
    pub limits: Limits,
    /// How long a saga may stay undecided before it is stopped.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub undecided_ms: u64,
    /// How long a customer's call waits for the outcome unless it says otherwise.
    pub wait_ms: u64,
    /// How long a shutdown lets sagas go on.
    pub drain_ms: u64,
    /// How long the sagas of this process stay its own when it is not heard of, where several processes share a database.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub lease_ms: u64,
    /// How long a saga is kept whole after its end, in days. Then its history goes, and the participants may forget it too.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub archive_days: u32,
    /// How long it is kept at all, in days: until then a repeat of its request finds it.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub forget_days: u32,
    /// The fewest points that are charged at a time.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub charge_least: i64,
    /// The most points that are charged at a time.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub charge_most: i64,
    /// The most points that a customer may have after a charge.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub balance_most: i64,
    /// Cancellations that are started a second for cancelled performances.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub cancellations_per_second: u32,
    /// Cancellations that are under way at once for cancelled performances.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub cancellations_at_once: u32,
    /// Sagas that this process takes a second for bulk operations.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub bulk_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            // Four tries of four steps with their back-off fit in.
            undecided_ms: 30_000,
            // Longer than any checkout takes while its participants are up.
            wait_ms: 5_000,
            // Shorter than what a supervisor grants between SIGTERM and SIGKILL.
            drain_ms: 5_000,
            // Three renewals may be late or lost; a replica that dies is missed this long.
            lease_ms: 6_000,
            // Longer than anybody asks what happened to a purchase step by step.
            archive_days: 30,
            // Five years, as purchases are kept.
            forget_days: 1_826,
            charge_least: 1_000,
            charge_most: 1_000_000,
            // What the law allows of prepaid points in a name.
            balance_most: 2_000_000,
            // Slow enough that a sale of another concert hardly notices, and 20,000 seats are given back in 17 minutes.
            cancellations_per_second: 20,
            cancellations_at_once: 16,
            // Each saga that is let go calls its participants at once. At this rate they hardly notice, and whoever sees
            // that it goes wrong can end the operation before it is through.
            bulk_per_second: 50,
        }
    }
}

impl Config {
    /// [`Config::undecided_ms`].
    pub fn undecided_for(&self) -> Duration {
        Duration::from_millis(self.undecided_ms)
    }

    /// [`Config::wait_ms`].
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }

    /// [`Config::lease_ms`].
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// [`Config::drain_ms`].
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}
