//! What may be set for the payment service.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use service_kit::http::Client;

use crate::deliver::{DeliveriesConfig, MessengerConfig, PlatformConfig};

/// The limits of the service, and those outside whom it calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// KRW of one payment at most: far above any order, and far below where sums overflow.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub amount_limit: i64,
    /// Characters of the reason for a cancellation at most.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub reason_limit: usize,
    /// URL of the card processor, such as `http://127.0.0.1:7081`. Without one, payments by card are not offered.
    #[serde(deserialize_with = "url")]
    pub processor: String,
    /// What the processor signs its webhooks with. Without a secret, webhooks are not taken.
    pub processor_secret: String,
    /// How long the processor may take for one answer.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub processor_timeout_ms: u64,
    /// How long a step waits for the processor before it answers that it is pending. Well below the time that the
    /// orchestrator gives a call; 0 does not wait.
    pub processor_patience_ms: u64,
    /// What the processor is asked at the same time at most.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub processor_concurrency: usize,
    /// How often one looks for what the processor has not answered.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub processor_poll_ms: u64,
    /// How many of those are taken at a time.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub processor_batch: usize,
    /// Who sends messages to phones.
    pub messenger: MessengerConfig,
    /// The data platform.
    pub platform: PlatformConfig,
    /// What is sent to either.
    pub deliveries: DeliveriesConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            amount_limit: 1_000_000_000,
            reason_limit: 500,
            processor: String::new(),
            processor_secret: String::new(),
            processor_timeout_ms: 2_000,
            processor_patience_ms: 400,
            processor_concurrency: 32,
            processor_poll_ms: 10_000,
            processor_batch: 64,
            messenger: MessengerConfig::default(),
            platform: PlatformConfig::default(),
            deliveries: DeliveriesConfig::default(),
        }
    }
}

impl Config {
    /// How long the processor may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.processor_timeout_ms)
    }

    /// How long a step waits for it.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.processor_patience_ms)
    }
}

/// An address to call, or none.
pub(crate) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let url = String::deserialize(deserializer)?;
    if url.is_empty() {
        return Ok(url);
    }
    Client::new(&url).map(|_| url).map_err(D::Error::custom)
}
