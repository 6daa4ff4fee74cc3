//! What a run is like: how big, and how often which fault strikes. Each seed leaves out about half of the kinds, so that
//! what one of them hides is found without it.

use crate::dice::{dice, word};
use crate::faults::Kind;

/// The size and the faults of one run.
#[derive(Debug, Clone)]
pub(crate) struct Swarm {
    pub(crate) replicas: usize,
    pub(crate) wishes: usize,
    pub(crate) seats: u64,
    pub(crate) accounts: u64,
    /// How long things go wrong.
    pub(crate) rage_ms: u64,
    /// How many things happen by plan: crashes, pauses, outages, operators.
    pub(crate) incidents: u64,
    /// The longest that a message is on its way when nothing is wrong.
    pub(crate) latency_ms: u32,
    pub(crate) latest_ms: u32,
    pub(crate) longest_pause_ms: u32,
    pub(crate) widest_jump_ms: u32,
    /// How long after its end a saga's traces at the participants are forgotten, if they are.
    pub(crate) horizon_ms: Option<i64>,
    rates: Vec<u32>,
}

/// What strikes whole processes, by plan.
pub(crate) const INCIDENTS: &[Kind] = &[
    Kind::Crash,
    Kind::Pause,
    Kind::ClockJump,
    Kind::StoreOutage,
    Kind::ServiceOutage,
    Kind::Suspend,
    Kind::Resume,
    Kind::Retry,
    Kind::Abort,
];

impl Swarm {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = dice(&[seed, word("swarm")]);
        let replicas = dice.choice([1, 1, 2, 2, 3, 4]).unwrap_or(1);
        let wishes = if dice.u8(..10) == 0 { dice.usize(12..30) } else { dice.usize(2..10) };
        let is_slow = dice.u8(..8) == 0;
        let latest_ms = if is_slow { 45_000 } else { dice.choice([300, 3_000, 12_000]).unwrap_or(300) };
        let longest_pause_ms = if is_slow { 40_000 } else { 15_000 };
        let widest_jump_ms = dice.choice([500, 5_000, 3_600_000]).unwrap_or(500);
        let mut rate = |kind: &Kind| match (dice.bool(), kind) {
            (false, _) => 0,
            (true, Kind::Refusal) => dice.u32(200..2_500),
            (true, Kind::Hang | Kind::Overloaded | Kind::Pending | Kind::Garbage | Kind::ServiceCrash) => {
                dice.u32(20..500)
            }
            (true, _) => dice.choice([50, 150, 400, 1_000, 2_000]).unwrap_or(50),
        };
        let rates = Kind::ALL.iter().map(&mut rate).collect();
        let wishes_u64 = wishes as u64;
        Self {
            replicas,
            wishes,
            seats: dice.u64(1..=wishes_u64),
            accounts: dice.u64(1..=wishes_u64.min(4)),
            rage_ms: if is_slow { dice.u64(20_000..60_000) } else { dice.u64(1_000..20_000) },
            incidents: dice.u64(0..8),
            latency_ms: dice.choice([1, 4, 40]).unwrap_or(1),
            latest_ms,
            longest_pause_ms,
            widest_jump_ms,
            horizon_ms: dice.bool().then_some(i64::from(latest_ms) + i64::from(longest_pause_ms) + 5_000),
            rates,
        }
    }

    /// How often a kind strikes where it can, of ten thousand times.
    pub(crate) fn rate(&self, kind: Kind) -> u32 {
        self.rates.get(kind as usize).copied().unwrap_or_default()
    }
}
