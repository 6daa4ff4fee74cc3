//! Limits of the service, and what a room gets whose operator does not say.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::line;

/// What the address of a Redis server starts with.
const REDIS: [&str; 3] = ["redis://", "redis+unix://", "unix://"];

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the line is kept: "sql", in the tables, or "redis://host:port/database", where polls and newcomers are no load
    /// on the tables. It may be changed at a restart, and the lines go on where they stood.
    #[serde(deserialize_with = "store")]
    pub store: String,
    /// How long a token is ACTIVE, unless its room says otherwise.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub active_ttl_ms: i64,
    /// How long a turn waits to be claimed, unless its room says otherwise.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub claim_ttl_ms: i64,
    /// How long a token is ACTIVE with all its extensions, unless its room says otherwise.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub max_active_lifetime_ms: i64,
    /// Longest of these times that a room may set. A pass cannot be called back before its end.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub longest_ttl_ms: i64,
    /// Most tokens that a room may have ACTIVE at once.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub max_active_tokens: i64,
    /// Fastest head that a room may have. Each admission becomes a write when it is claimed.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub max_admissions_per_second: i64,
    /// How often those near the head are told to ask.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub nearest_poll_ms: i64,
    /// How often those far away are told to ask.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub farthest_poll_ms: i64,
    /// How often the heads of rooms move.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub tick_period_ms: u64,
    /// How often what has lapsed is swept. Until then it counts as ACTIVE towards the room's cap.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub sweep_period_ms: u64,
    /// Tokens that are swept in one transaction: few enough to hold nobody up.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub sweep_batch: i64,
    /// Places of a shuffled prequeue that are drawn in one transaction.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub draw_batch: i64,
    /// Polls beyond what they are told that a token may make at once, as somebody does who reloads a page.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub poll_burst: i64,
    /// Tokens whose polls a process remembers, so that it can turn away those who ask too often; 40 bytes each, which are
    /// taken at the start.
    #[serde(deserialize_with = "memory")]
    pub poll_memory: i64,
    /// How long the tokens of a room are kept after it has closed.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub keep_tokens_ms: i64,
    /// Tokens that are forgotten in one transaction.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub purge_batch: i64,
    /// When what is kept about steps and calls is forgotten.
    pub retention: service_kit::retention::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: line::IN_TABLES.to_owned(),
            active_ttl_ms: 600_000,
            claim_ttl_ms: 60_000,
            max_active_lifetime_ms: 1_800_000,
            longest_ttl_ms: 86_400_000,
            max_active_tokens: 1_000_000,
            max_admissions_per_second: 100_000,
            nearest_poll_ms: 2_000,
            farthest_poll_ms: 60_000,
            tick_period_ms: 1_000,
            sweep_period_ms: 5_000,
            sweep_batch: 200,
            retention: Default::default(),
            draw_batch: 2_000,
            poll_burst: 5,
            poll_memory: 131_072,
            keep_tokens_ms: 2_592_000_000,
            purge_batch: 1_000,
        }
    }
}

fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    service_kit::config::within(deserializer, 1..=10_000_000)
}

fn store<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let store = String::deserialize(deserializer)?;
    let is_address = || REDIS.iter().any(|scheme| store.starts_with(scheme)) && redis::Client::open(&*store).is_ok();
    if store == line::IN_TABLES || is_address() {
        return Ok(store);
    }
    Err(D::Error::custom("it must be \"sql\" or an address such as redis://host:port/0"))
}
