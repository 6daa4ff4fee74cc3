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
