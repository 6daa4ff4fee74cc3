//! What all parts of a run share: time, faults, the trace, and what was found to be wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_kit::clock::{Clock as _, Stopwatch};

use crate::dice::{mix, word};
use crate::faults::{Fault, Faults, Kind};
use crate::mutants::Mutant;
use crate::shelf::Dial;
use crate::swarm::Swarm;
use crate::trace::Trace;

/// When the world begins.
pub(crate) const NOW_MS: i64 = 1_800_000_000_000;

/// The surroundings of one run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) swarm: Swarm,
    pub(crate) mutant: Option<Mutant>,
    /// The true time, which the databases go by.
    pub(crate) clock: Arc<Dial>,
    watch: Stopwatch,
    faults: Mutex<Faults>,
    trace: Mutex<Trace>,
    violations: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<u64, u64>>,
    /// Orders what clients see.
    moments: AtomicU64,
    /// Messages that nobody waits for any more.
    underway: AtomicUsize,
}

impl World {
    pub(crate) fn new((seed, swarm): (u64, Swarm), mutant: Option<Mutant>, faults: Faults, trace: Trace) -> Self {
        Self {
            seed,
            swarm,
            mutant,
            clock: Dial::here(),
            watch: Stopwatch::start(),
            faults: Mutex::new(faults),
            trace: Mutex::new(trace),
            violations: Mutex::default(),
            counts: Mutex::default(),
            moments: AtomicU64::new(0),
            underway: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Milliseconds since the beginning.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.watch.elapsed_ms()
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn violations(&self) -> MutexGuard<'_, Vec<String>> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A promise was broken.
    pub(crate) fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(&[word("violation")], || format!("VIOLATION {what}"));
        self.violations().push(what);
    }

    pub(crate) fn note(&self, words: &[u64], line: impl FnOnce() -> String) {
        let at_ms = self.elapsed_ms();
        self.trace().note(at_ms, words, line);
    }

    /// What goes wrong this time at a place.
    pub(crate) fn fault(&self, place: u64, kinds: &[Kind]) -> Option<Fault> {
        self.faults().at(place, kinds)
    }

    /// How long a message is on its way when nothing is wrong: what is sent first need not arrive first.
    pub(crate) fn latency(&self, place: u64) -> u32 {
        let any = self.number(&[word("latency"), place, self.elapsed_ms().unsigned_abs()]);
        1 + u32::try_from(any % u64::from(self.swarm.latency_ms)).unwrap_or_default()
    }

    /// The next number in the order of everything that is seen from outside.
    pub(crate) fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::Relaxed)
    }

    /// Any number, the same for the same purpose.
    pub(crate) fn number(&self, purpose: &[u64]) -> u64 {
        mix(&[self.seed, mix(purpose)])
    }

    /// How often it was asked for this place, this time included.
    pub(crate) fn count(&self, place: &[u64]) -> u64 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(mix(place)).or_default();
        *count += 1;
        *count
    }

    /// Does something later, whatever becomes of whoever wanted it.
    #[expect(clippy::disallowed_methods, reason = "a message in the network outlives whoever sent it")]
    pub(crate) fn later(self: &Arc<Self>, ms: u32, work: impl Future<Output = ()> + Send + 'static) {
        self.underway.fetch_add(1, Ordering::Relaxed);
        let world = self.clone();
        tokio::spawn(async move {
            pause(ms).await;
            work.await;
            world.underway.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Whether something is still to be done later.
    pub(crate) fn is_busy(&self) -> bool {
        self.underway.load(Ordering::Relaxed) > 0
    }
}

/// Lets so many milliseconds pass.
pub(crate) async fn pause(ms: u32) {
    tokio::time::sleep(Duration::from_millis(ms.into())).await;
}
