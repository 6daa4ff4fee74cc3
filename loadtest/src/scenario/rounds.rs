//! The same load again and again: rounds of it alone, and rounds beside something that goes on.

use anyhow::Result;
use serde::Serialize;

use super::Stand;
use crate::client::Client;
use crate::drive::fire;
use crate::paper::{Plot, Section, Series, Table, figure};
use crate::plan::{Load, Plan};
use crate::progress::Progress;
use crate::report::Latency;
use crate::seed::seed;
use crate::tally::{BOUGHT, Times};

/// How long a round lasts.
const SECONDS: f64 = 5.0;
/// Rounds of a kind as large as life, and at least.
const ROUNDS: f64 = 60.0;
const LEAST_ROUNDS: usize = 3;

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

    /// Rounds of each kind.
    pub(super) fn each(&self) -> usize {
        ((ROUNDS * self.stand.scale) as usize).max(LEAST_ROUNDS)
    }

    /// How long the rounds of a kind last.
    pub(super) fn seconds(&self) -> f64 {
        self.each() as f64 * SECONDS
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
        let plan = Plan { seed: seed_of_round, ..Plan::clean((self.stand.rate * SECONDS) as usize, load) };
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

impl Comparison {
    /// A row for each round, and what else was counted.
    pub fn section(&self, counts: &[(String, u64)]) -> Section {
        let mut table = Table::new(&["round", "answers", "p50 ms", "p99 ms", "max ms"]);
        let rounds =
            |name: &'static str, rounds: &[Latency]| rounds.iter().map(|latency| (name, *latency)).collect::<Vec<_>>();
        for (name, latency) in rounds("alone", &self.alone).into_iter().chain(rounds("beside", &self.beside)) {
            let times = [latency.p50_ms, latency.p99_ms, latency.max_ms].map(figure);
            table.row(name, [latency.count.to_string()].into_iter().chain(times));
        }
        let mut others = Table::new(&["what else was counted", "count"]);
        counts.iter().for_each(|(what, count)| others.row(what, [count]));
        let (p50, p99) = (figure(self.p50_ratio), figure(self.p99_ratio));
        let words = format!("The median round beside it is {p50} × the median round alone at p50, {p99} × at p99.");
        let points = |of: &[Latency]| {
            of.iter().enumerate().map(|(number, latency)| (number as f64, latency.p99_ms)).collect::<Vec<_>>()
        };
        let plot = Plot::new("p99 round by round", "round", "ms")
            .line(Series::new("alone", points(&self.alone)))
            .line(Series::new("beside", points(&self.beside)));
        Section::new("Alone and beside").say(words).table(table).table(others).plot(plot)
    }
}

fn median(rounds: &[Latency], of: fn(&Latency) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
