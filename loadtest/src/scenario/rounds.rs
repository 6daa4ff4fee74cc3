//! The same load again and again: rounds of it alone, and rounds beside something that goes on.

use anyhow::Result;
use serde::Serialize;

use super::Stand;
use crate::client::Client;
use crate::drive::fire;
use crate::plan::{Load, Plan};
use crate::progress::Progress;
use crate::report::Latency;
use crate::seed::seed;
use crate::tally::{BOUGHT, Times};

/// Rounds against one server or another.
pub(super) struct Rounds<'a> {
    stand: &'a Stand,
    alone: Vec<Latency>,
    beside: Vec<Latency>,
}

/// What answers took, round by round.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Of the load on its own.
    pub alone: Vec<Latency>,
    /// Of the load beside what goes on.
    pub beside: Vec<Latency>,
    /// The median round beside, in terms of the median round alone.
    pub p50_ratio: f64,
    /// The same of what 99 of 100 did not exceed.
    pub p99_ratio: f64,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(stand: &'a Stand) -> Self {
        Self { stand, alone: Vec::new(), beside: Vec::new() }
    }

    /// One round of the load alone.
    pub(super) async fn alone(&mut self, client: &Client) -> Result<()> {
        let latency = self.go(client, self.alone.len()).await?;
        self.alone.push(latency);
        Ok(())
    }

    /// One round beside what goes on.
    pub(super) async fn beside(&mut self, client: &Client) -> Result<()> {
        let latency = self.go(client, self.beside.len()).await?;
        self.beside.push(latency);
        Ok(())
    }

    async fn go(&self, client: &Client, round: usize) -> Result<Latency> {
        let seed_of_round = self.stand.seed + round as u64;
        let load = Load::Open { rate: self.stand.rate, rush: 0 };
        let plan = Plan { seed: seed_of_round, ..Plan::clean(self.stand.customers, load) };
        let stage = seed(client, &plan, Progress::Hidden).await?;
        let volley = fire(client, &plan, &stage, Progress::Hidden, None).await?;
        let bought = volley.counts.outcomes.get(BOUGHT).map_or_else(|| Latency::from(&Times::default()), Latency::from);
        Ok(bought)
    }

    pub(super) fn compare(self) -> Comparison {
        let ratio = |of: fn(&Latency) -> f64| median(&self.beside, of) / median(&self.alone, of);
        let (p50_ratio, p99_ratio) = (ratio(|latency| latency.p50_ms), ratio(|latency| latency.p99_ms));
        Comparison { p50_ratio, p99_ratio, alone: self.alone, beside: self.beside }
    }
}

fn median(rounds: &[Latency], of: fn(&Latency) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
