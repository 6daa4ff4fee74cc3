//! Sends the customers of a run, each at his time, while faults come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use futures_util::future::join_all;
use indicatif::ProgressBar;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{CALLS, Client};
use crate::faults::{Faults, Fired, Trouble};
use crate::mix::Behaviour;
use crate::plan::{Episode, Load, Plan};
use crate::progress::Progress;
use crate::record::Record;
use crate::seed::{Order, Stage};
use crate::tally::{Counts, Live, Tally, Times};

mod naive;
mod shopper;

pub(crate) use naive::Naive;
pub use naive::Undone;

/// How often what is shown beside the bar changes.
const LIVE: Duration = Duration::from_millis(500);

use shopper::Shopper;
pub(crate) use shopper::is_in_doubt;

/// What customers were told.
#[derive(Debug)]
pub struct Volley {
    pub(crate) counts: Counts,
    /// From the first arrival to the last answer.
    pub(crate) lasted: Duration,
    pub(crate) faults: BTreeMap<&'static str, Fired>,
    /// Keeps what customers see.
    pub(crate) record: Record,
    /// What calls took, by name, those before it included.
    pub(crate) calls: BTreeMap<String, Times>,
    /// What was moved in vain, in the naive order.
    pub(crate) undone: Undone,
}

/// Sends all customers and returns once each of them has got his answer or gone away. Afterwards no fault is left.
///
/// # Errors
/// When a virtual customer panics. What he is told is no error.
pub async fn fire(
    client: &Client,
    plan: &Plan,
    stage: &Stage,
    progress: Progress,
    faults: Option<&Faults>,
) -> Result<Volley> {
    let started = Instant::now();
    let bar = progress.bar("checkouts", stage.orders.len() as u64);
    let shopper = Shopper {
        client: client.clone(),
        tally: Arc::new(Tally::default()),
        stranger: stage.stranger.clone(),
        wait: plan.wait,
        insists: plan.insists,
        started,
        record: Record::new(started),
        naive: plan.is_naive.then(|| Arc::new((Naive::default(), revenue(&stage.performance)))),
    };
    let ended = tokio::select! {
        ended = send_all(plan, &shopper, schedule(plan, stage, started), &bar) => ended,
        never = trouble(plan, faults) => match never {},
        never = show(&shopper.tally, &bar) => match never {},
    };
    bar.finish();
    faults.inspect(|faults| faults.heal());
    ended?;
    Ok(Volley {
        counts: shopper.tally.snapshot(),
        lasted: started.elapsed(),
        faults: faults.map(Faults::fired).unwrap_or_default(),
        record: shopper.record,
        calls: client.calls(),
        undone: shopper.naive.map(|naive| naive.0.undone()).unwrap_or_default(),
    })
}

/// The account of what a performance's concert brings in.
fn revenue(performance: &str) -> String {
    format!("revenue/{}", performance.split_once("/performances/").map_or(performance, |(concert, _)| concert))
}

/// Who comes when, in that order.
fn schedule(plan: &Plan, stage: &Stage, started: Instant) -> Vec<(Instant, Arc<Order>)> {
    // Another seed than that of the mix, which would tie arrivals to behaviours.
    let mut random = Rng::with_seed(!plan.seed);
    let offsets = arrivals(plan.load, stage.orders.len(), &mut random);
    let due = |(order, offset): (&Arc<Order>, Duration)| (expected(order, started + offset), order.clone());
    let mut schedule: Vec<_> = stage.orders.iter().zip(offsets).map(due).collect();
    schedule.sort_by_key(|(due, _)| *due);
    schedule
}

/// When so many customers arrive, counted from the first one's earliest time.
fn arrivals(load: Load, count: usize, random: &mut Rng) -> Vec<Duration> {
    let Load::Open { rate, rush } = load else {
        return vec![Duration::ZERO; count];
    };
    let rush = count.min(rush as usize);
    let mut steady = if rush == 0 { 0.0 } else { 1.0 };
    let offset = |turn| {
        if turn < rush {
            return Duration::from_secs_f64(random.f64());
        }
        // Of people who do not know of each other, the gaps are distributed exponentially.
        steady -= (1.0 - random.f64()).ln() / rate;
        Duration::from_secs_f64(steady)
    };
    (0..count).map(offset).collect()
}

/// Those who come too late come in relation to the end of their hold, all others when it is their turn.
fn expected(order: &Order, turn: Instant) -> Instant {
    let Behaviour::ComesLate { after_ms } = order.behaviour else {
        return turn;
    };
    let distance = Duration::from_millis(after_ms.unsigned_abs());
    let due = if after_ms < 0 { order.hold_end - distance } else { order.hold_end + distance };
    turn.max(due)
}

async fn send_all(
    plan: &Plan,
    shopper: &Shopper,
    schedule: Vec<(Instant, Arc<Order>)>,
    bar: &ProgressBar,
) -> Result<()> {
    let (is_open, at_once) = match plan.load {
        Load::Open { .. } => (true, CALLS),
        Load::Closed { concurrency } => (false, concurrency.clamp(1, CALLS)),
    };
    let gate = Arc::new(Semaphore::new(at_once));
    let mut customers = JoinSet::new();
    for (due, order) in schedule {
        sleep_until(due).await;
        let permit = gate.clone().acquire_owned().await.expect("the gate is never closed");
        let intended = if is_open { due } else { Instant::now() };
        let (shopper, bar) = (shopper.clone(), bar.clone());
        customers.spawn(async move {
            shopper.shop(&order, intended).await;
            bar.inc(1);
            drop(permit);
        });
        while let Some(ended) = customers.try_join_next() {
            ended.context("a virtual customer panicked")?;
        }
    }
    while let Some(ended) = customers.join_next().await {
        ended.context("a virtual customer panicked")?;
    }
    Ok(())
}

/// Tells beside the bar how it goes; does not end by itself.
async fn show(tally: &Tally, bar: &ProgressBar) -> std::convert::Infallible {
    loop {
        sleep(LIVE).await;
        if let Some(Live { answers, p50_ms, p99_ms }) = tally.live() {
            bar.set_prefix(format!("{answers}/s  p50 {p50_ms:.1} ms  p99 {p99_ms:.1} ms"));
        }
    }
}

/// Switches faults on and off as the plan says; does not end by itself.
async fn trouble(plan: &Plan, faults: Option<&Faults>) -> std::convert::Infallible {
    if let Some(faults) = faults {
        let usual = Trouble { lose_reply: plan.lost_replies, ..Trouble::default() };
        faults.switch_all(|trouble| *trouble = usual);
        join_all(plan.episodes.iter().map(|episode| happen(faults, episode, usual))).await;
    }
    std::future::pending().await
}

async fn happen(faults: &Faults, episode: &Episode, usual: Trouble) {
    let switch = |to: Trouble| match episode.participant {
        Some(participant) => faults.switch(participant, |trouble| *trouble = to),
        None => faults.switch_all(|trouble| *trouble = to),
    };
    sleep(episode.after).await;
    switch(Trouble { lose_reply: usual.lose_reply.max(episode.trouble.lose_reply), ..episode.trouble });
    sleep(episode.lasts).await;
    switch(usual);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(behaviour: Behaviour, hold_end: Instant) -> Order {
        Order {
            behaviour,
            customer: String::new(),
            queue_token: String::new(),
            reservation: String::new(),
            amount: 0,
            hold_end,
        }
    }

    #[test]
    fn an_open_load_comes_at_its_rate_after_the_rush() {
        let load = Load::Open { rate: 100.0, rush: 500 };
        let mut offsets = arrivals(load, 10_500, &mut Rng::with_seed(1));
        offsets.sort();
        let in_first_second = offsets.iter().filter(|offset| offset.as_secs() == 0).count();
        assert_eq!(in_first_second, 500);
        let last = offsets.last().unwrap().as_secs_f64();
        assert!((95.0..107.0).contains(&last), "{last}");
    }

    #[test]
    fn the_same_seed_brings_customers_at_the_same_times() {
        let load = Load::Open { rate: 10.0, rush: 3 };
        let of_seed = |seed| arrivals(load, 100, &mut Rng::with_seed(seed));
        assert_eq!(of_seed(5), of_seed(5));
        assert_ne!(of_seed(5), of_seed(6));
    }

    #[test]
    fn a_closed_load_is_all_there_from_the_beginning() {
        assert_eq!(arrivals(Load::Closed { concurrency: 4 }, 3, &mut Rng::with_seed(1)), [Duration::ZERO; 3]);
    }

    #[test]
    fn who_comes_too_late_waits_for_the_end_of_his_hold_and_others_do_not() {
        let now = Instant::now();
        let (turn, hold_end) = (now + Duration::from_secs(5), now + Duration::from_secs(60));
        let late = |after_ms| expected(&order(Behaviour::ComesLate { after_ms }, hold_end), turn);
        assert_eq!(late(700), hold_end + Duration::from_millis(700));
        assert_eq!(late(-90), hold_end - Duration::from_millis(90));
        assert_eq!(expected(&order(Behaviour::Buys, hold_end), turn), turn);
        let missed = now + Duration::from_secs(70);
        assert_eq!(expected(&order(Behaviour::ComesLate { after_ms: 700 }, hold_end), missed), missed);
    }
}
