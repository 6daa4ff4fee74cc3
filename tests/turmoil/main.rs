//! The real servers and peers, with the real services and two orchestrators over one journal, on a simulated network that
//! cuts, delays and stands still, with hosts that die. A seed decides everything: the same seed is the same run. After the
//! faults everybody must hear how his checkout ended, and all books must be in order.
//!
//! `SKALD_SEEDS=0..1000` runs other seeds than the usual ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod customers;
mod nemesis;
mod net;
mod town;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use proto::orchestrator::v1::checkout::State;
use skald::verify::Books;
use tokio_util::task::TaskTracker;
use turmoil::Builder;

use customers::Told;
use nemesis::{Kind, Nemesis};
use town::{CUSTOMERS, Town};

/// Those who buy in one run.
const BUYERS: usize = 6;
/// How long things go wrong.
const FAULTS: Duration = Duration::from_secs(15);
/// By then everything has ended, or it never will: undecided sagas are stopped after 30 s, and the longest pause is 30 s.
const END: Duration = Duration::from_secs(200);
const TICK: Duration = Duration::from_millis(10);

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    ends: BTreeMap<String, usize>,
    faults: BTreeMap<Kind, usize>,
    trace: Vec<String>,
}

/// Says which seed it was that failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!("to see it again: SKALD_SEEDS={seed}..{} cargo test -p skald-tests --test turmoil", seed + 1);
        }
    }
}

/// One run at a time: a runtime that dies drops its tasks in an order that follows from their ids, and those are counted
/// through the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Begins the count of tasks anew, as far as runtimes look at it.
async fn align() {
    loop {
        let id = TaskTracker::new().spawn(async { tokio::task::id() }).await.unwrap();
        if id.to_string().parse::<u64>().unwrap().is_multiple_of(1_024) {
            return;
        }
    }
}

fn run(seed: u64) -> Run {
    let _seed = Seed(seed);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(align());
    let (town, buyers) = runtime.block_on(Town::found(seed, BUYERS));
    let mut random = Rng::with_seed(seed);
    let told = Told::default();
    let mut sim = Builder::new()
        .rng_seed(seed)
        .simulation_duration(END)
        .tick_duration(TICK)
        .max_message_latency(Duration::from_millis(random.u64(1..60)))
        .build();
    town.inhabit(&mut sim);
    sim.client(CUSTOMERS, customers::all(buyers, random.fork(), (told.clone(), town.trace.clone())));
    let mut nemesis = Nemesis::new(random);
    let mut done = false;
    while sim.elapsed() < FAULTS && !done {
        nemesis.step(&mut sim);
        done = sim.step().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    nemesis.heal(&mut sim);
    if !done {
        sim.run().unwrap_or_else(|error| panic!("not everybody has heard how it ended: {error}\n{}", last(&town)));
    }
    drop(sim);
    runtime.block_on(in_order(&town, &told));
    let mut ends = BTreeMap::new();
    for heard in told.borrow().iter() {
        *ends.entry(heard.state.as_str_name().to_owned()).or_default() += 1;
    }
    let trace = town.trace.lock().unwrap().clone();
    Run { ends, faults: nemesis.count, trace }
}

/// What happened last.
fn last(town: &Town) -> String {
    let trace = town.trace.lock().unwrap();
    trace[trace.len().saturating_sub(40)..].join("\n")
}

/// Every rule of all services holds, every saga has ended, and as its customer was told.
async fn in_order(town: &Town, told: &Told) {
    let report = skald::verify::check(&Books::in_one(&town.db)).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.checkouts.1, 0, "some sagas are open");
    let sagas = town
        .db
        .read(async |tx| tx.fetch_all::<(uuid::Uuid, String)>("select id, state from orchestrator_saga", &[]).await);
    let sagas: BTreeMap<_, _> = sagas.await.unwrap().into_iter().collect();
    for heard in told.borrow().iter() {
        let id = heard.name.trim_start_matches("checkouts/").parse().unwrap();
        let state = sagas.get(&id).map(String::as_str);
        let said = if heard.state == State::Completed { "completed" } else { "compensated" };
        assert_eq!(state, Some(said), "{heard:?}");
    }
}

/// Seeds to run: those that the environment names, or `usual`.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(wanted) = std::env::var("SKALD_SEEDS") else { return usual };
    let (from, to) = wanted.split_once("..").expect("SKALD_SEEDS is like 0..1000");
    from.parse().unwrap()..to.parse().unwrap()
}

/// Runs them, and makes sure that something came of it.
fn run_all(seeds: Range<u64>) {
    let (mut ends, mut faults, mut calls) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new(), 0);
    for seed in seeds.clone() {
        let run = run(seed);
        run.ends.into_iter().for_each(|(end, count)| *ends.entry(end).or_default() += count);
        run.faults.into_iter().for_each(|(kind, count)| *faults.entry(kind).or_default() += count);
        calls += run.trace.len();
    }
    println!("seeds {seeds:?}: {ends:?} after {faults:?} in {calls} calls");
    if seeds.end - seeds.start >= 10 {
        assert_eq!(ends.len(), 2, "nothing completed, or nothing failed: {ends:?}");
        assert_eq!(faults.len(), Kind::ALL.len(), "some faults never were: {faults:?}");
    }
}

#[test]
fn whatever_the_network_does_every_checkout_ends_and_all_books_are_in_order() {
    run_all(seeds(0..40));
}

#[test]
fn a_seed_is_a_run() {
    for seed in seeds(40..44) {
        let (first, second) = (run(seed), run(seed));
        let differs = first.trace.iter().zip(&second.trace).position(|(one, other)| one != other);
        let shown = differs.map(|at| (&first.trace[at], &second.trace[at]));
        assert_eq!(shown, None, "seed {seed}, after {differs:?} calls");
        assert_eq!(first, second, "seed {seed}");
    }
}
