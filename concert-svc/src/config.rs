//! Limits of the service.

use serde::{Deserialize, Serialize};

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seats that a performance may have. The map of so many is 25 kB.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub max_seats_per_performance: i64,
    /// Dearest seat, in KRW.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub max_price: i64,
    /// How old a seat map may be when it is shown. It costs a scan of all seats.
    pub seat_map_staleness_ms: i64,
    /// How often the seats of a performance are looked at for those who watch its map. It must show within a second what a
    /// lapsed hold gives back.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub seat_map_watch_period_ms: u64,
    /// How often lapsed holds are swept. The next buyer takes a lapsed hold's seat without waiting for that.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub sweep_period_ms: u64,
    /// Lapsed holds that are swept in one transaction: few enough to hold nobody up.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub sweep_batch: i64,
    /// Whether events tell of holds and of their lapse. They are most of all events.
    pub announce_holds: bool,
    /// How often performances that are over are closed.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub close_period_ms: u64,
    /// How often waiting rooms are told whether anything is left behind them. It costs a few reads, and a call when that
    /// has changed.
    #[serde(deserialize_with = "service_kit::config::positive")]
    pub sold_out_period_ms: u64,
    /// When what is kept about steps and calls is forgotten.
    pub retention: service_kit::retention::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_seats_per_performance: 100_000,
            max_price: 10_000_000,
            seat_map_staleness_ms: 1_000,
            seat_map_watch_period_ms: 500,
            sweep_period_ms: 5_000,
            sweep_batch: 100,
            announce_holds: true,
            retention: Default::default(),
            close_period_ms: 60_000,
            sold_out_period_ms: 5_000,
        }
    }
}
