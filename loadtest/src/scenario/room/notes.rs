//! What entrants were told, and what comes of it for all of them together.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::fairness::{chi_square, kendall_tau};
use super::look::Look;
use crate::report::{Latency, by_name};
use crate::tally::{BOUGHT, Times};

/// Somebody got in.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) sequence: i64,
    /// On the clock of the machine.
    pub(super) activated: f64,
    pub(super) waited: Duration,
    /// What he was told first, and how long it then took.
    pub(super) estimated: Option<(Duration, Duration)>,
}

#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    admitted: Vec<Admitted>,
    ends: BTreeMap<String, u64>,
    checkouts: BTreeMap<String, u64>,
    buying: Times,
    seats: usize,
    too_fast: u64,
    draws: Vec<(usize, i64)>,
}

/// What came of a waiting room and the sale behind it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Room {
    /// People who came.
    pub entrants: u64,
    /// How it ended for each.
    pub ends: BTreeMap<String, u64>,
    /// What checkouts came to, those without points included.
    pub checkouts: BTreeMap<String, u64>,
    /// What buying took.
    pub buying: Latency,
    /// Seats in all.
    pub seats: u64,
    /// Seats sold.
    pub seats_sold: u64,
    /// People who got in.
    pub admitted: u64,
    /// From coming to getting in.
    pub waited: Latency,
    /// How far the first estimate was off, in terms of the wait: the median, and what nine of ten did not exceed.
    pub estimate_error: Option<(f64, f64)>,
    /// People who got in before their turn.
    pub inversions: u64,
    /// How far the order of getting in was that of the places.
    pub kendall_tau: Option<f64>,
    /// Whether the draw favoured anybody; a fair one seldom exceeds 132.
    pub shuffle_chi_square: Option<f64>,
    /// Turns that came and that nobody took.
    pub turns_lost: u64,
    /// Times that somebody asked how it stands, in a second.
    pub polls_per_second: f64,
    /// Times that somebody was told that he asks too often.
    pub polls_too_fast: u64,
    /// Calls over gRPC.
    pub calls: BTreeMap<String, Latency>,
    /// The room over time.
    pub looks: Vec<Look>,
}

impl Notes {
    pub(super) fn admit(&self, admitted: Admitted) {
        self.noted().admitted.push(admitted);
    }

    /// Somebody who came before the opening sees the place that was drawn for him.
    pub(super) fn draw(&self, arrived: usize, place: i64) {
        self.noted().draws.push((arrived, place));
    }

    pub(super) fn end(&self, how: String) {
        *self.noted().ends.entry(how).or_default() += 1;
    }

    pub(super) fn too_fast(&self) {
        self.noted().too_fast += 1;
    }

    /// A checkout came to this; if it is the one that counts, after so long and for so many seats.
    pub(super) fn buy(&self, told: String, took: Option<(Duration, usize)>) {
        let mut noted = self.noted();
        if let Some((took, seats)) = took.filter(|_| told == BOUGHT) {
            noted.buying.record(took);
            noted.seats += seats;
        }
        *noted.checkouts.entry(told).or_default() += 1;
    }

    /// How it goes, in a few words.
    pub(super) fn live(&self) -> String {
        let noted = self.noted();
        format!(
            "{} in, {} bought, p99 {:.1} ms",
            noted.admitted.len(),
            noted.buying.count(),
            noted.buying.percentile_ms(99.0)
        )
    }

    pub(super) fn sum_up(
        &self,
        looks: Vec<Look>,
        calls: &BTreeMap<String, Times>,
        (entrants, seats, lasted): (usize, usize, Duration),
    ) -> Room {
        let noted = self.noted();
        let mut admitted = noted.admitted.clone();
        admitted.sort_by(|one, other| one.activated.total_cmp(&other.activated));
        let mut waited = Times::default();
        admitted.iter().for_each(|one| waited.record(one.waited));
        let places: Vec<_> = admitted.iter().map(|one| one.sequence).collect();
        let polls = calls.get("QueueTokenService/GetQueueToken").map_or(0, Times::count);
        let through = looks.last().map_or(0, |look| look.admitted_through.unsigned_abs());
        Room {
            entrants: entrants as u64,
            ends: noted.ends.clone(),
            checkouts: noted.checkouts.clone(),
            buying: (&noted.buying).into(),
            seats: seats as u64,
            seats_sold: noted.seats as u64,
            admitted: admitted.len() as u64,
            waited: (&waited).into(),
            estimate_error: estimate_error(&admitted),
            inversions: inversions(&admitted, &looks),
            kendall_tau: kendall_tau(&places),
            shuffle_chi_square: chi_square(&noted.draws),
            turns_lost: through.saturating_sub(admitted.len() as u64),
            polls_per_second: polls as f64 / lasted.as_secs_f64(),
            polls_too_fast: noted.too_fast,
            calls: by_name(calls),
            looks,
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room was looked at after he had got in, and his turn had not come yet by then.
fn inversions(admitted: &[Admitted], looks: &[Look]) -> u64 {
    let is_early = |one: &&Admitted| {
        let later = looks.iter().find(|look| look.seen > one.activated);
        later.is_some_and(|look| look.admitted_through < one.sequence)
    };
    admitted.iter().filter(is_early).count() as u64
}

fn estimate_error(admitted: &[Admitted]) -> Option<(f64, f64)> {
    let error = |one: &Admitted| {
        let (told, took) = one.estimated?;
        Some((told.as_secs_f64() - took.as_secs_f64()).abs() / took.as_secs_f64().max(0.1))
    };
    let mut errors: Vec<_> = admitted.iter().filter_map(error).collect();
    errors.sort_by(f64::total_cmp);
    let at = |percent: usize| errors.get(errors.len() * percent / 100).copied();
    at(50).zip(at(90))
}

impl Room {
    /// When there was nothing left first, in seconds since the first entrant.
    pub fn sold_out(&self) -> Option<f64> {
        self.looks.iter().find(|look| look.sold_out).map(|look| look.second)
    }

    /// Seats that nobody had in the end although somebody still wanted one.
    pub fn unsold_though_wanted(&self) -> u64 {
        let is_wanted = self.ends.contains_key("NEVER_HAD_HIS_TURN") || self.ends.contains_key("SOLD_OUT");
        if is_wanted { self.seats.saturating_sub(self.seats_sold) } else { 0 }
    }

    /// How many bought.
    pub fn bought(&self) -> u64 {
        self.buying.count
    }

    /// What buying took, if anybody did.
    pub fn buying(&self) -> Option<Latency> {
        (self.buying.count > 0).then_some(self.buying)
    }
}
