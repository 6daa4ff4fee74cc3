//! What may be set for deliveries.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use service_kit::config;

/// The provider of messages to phones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessengerConfig {
    /// `http://host:port`; without one no notices are made.
    #[serde(deserialize_with = "crate::config::url")]
    pub url: String,
    /// How long an answer may take.
    #[serde(deserialize_with = "config::positive")]
    pub timeout_ms: u64,
    /// Messages of a channel under way at a time, at this process.
    #[serde(deserialize_with = "calls")]
    pub concurrency: usize,
}

impl Default for MessengerConfig {
    fn default() -> Self {
        Self { url: String::new(), timeout_ms: 10_000, concurrency: 128 }
    }
}

/// The data platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformConfig {
    /// `http://host:port`; without one nothing is made for it.
    #[serde(deserialize_with = "crate::config::url")]
    pub url: String,
    /// How long an answer may take.
    #[serde(deserialize_with = "config::positive")]
    pub timeout_ms: u64,
    /// Batches under way at a time, at this process.
    #[serde(deserialize_with = "calls")]
    pub concurrency: usize,
    /// Events in a batch at most.
    #[serde(deserialize_with = "batch")]
    pub batch: usize,
    /// Types of events that it does not get.
    pub except: Vec<String>,
    /// How long an event is offered to it.
    #[serde(deserialize_with = "config::positive")]
    pub give_up_days: i64,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        let except = ["ticketing.reservation.held.v1", "ticketing.reservation.expired.v1"].map(str::to_owned).to_vec();
        Self { url: String::new(), timeout_ms: 30_000, concurrency: 2, batch: 500, except, give_up_days: 30 }
    }
}

/// Deliveries of all channels, and the events that they are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveriesConfig {
    /// What events that come to `POST /events` are signed with; without it anybody on this machine may send them.
    pub events_secret: String,
    /// How long the customer service may take to tell a phone number.
    #[serde(deserialize_with = "config::positive")]
    pub customer_timeout_ms: u64,
    /// How long an ended delivery is kept: longer than any event may come again.
    #[serde(deserialize_with = "retention")]
    pub retention_days: i64,
    /// Ended deliveries that are forgotten in one transaction.
    #[serde(deserialize_with = "config::positive")]
    pub purge_batch: i64,
}

impl Default for DeliveriesConfig {
    fn default() -> Self {
        Self { events_secret: String::new(), customer_timeout_ms: 2_000, retention_days: 30, purge_batch: 100 }
    }
}

impl MessengerConfig {
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl PlatformConfig {
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

fn calls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    config::within(deserializer, 1..=1_000)
}

fn batch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    config::within(deserializer, 1..=1_000)
}

/// Events are kept for a week by those who publish them.
fn retention<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    config::within(deserializer, 8..=3_650)
}
