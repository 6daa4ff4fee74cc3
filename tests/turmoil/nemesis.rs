//! What goes wrong between and with the hosts, by a seed: whole and one-way partitions, streams that stand still, crashes,
//! and crashes that nobody hears of because the line was cut before.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use turmoil::Sim;

use crate::town::{CUSTOMERS, ORCHESTRATORS, SERVICES};

/// Milliseconds between two faults.
const PAUSE_MS: Range<u64> = 100..1_500;
/// How long one lasts, in milliseconds: from less than a call may take to more than a lease.
const LENGTH_MS: Range<u64> = 50..8_000;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing goes through between two hosts, either way.
    Partition,
    /// Nothing goes through one way.
    OneWay,
    /// All that is sent between two hosts arrives, but much later.
    Hold,
    /// A host dies, and another starts in its place.
    Crash,
    /// A host dies behind a cut line, so that the others take its connections for open.
    HalfOpen,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Partition, Self::OneWay, Self::Hold, Self::Crash, Self::HalfOpen];
}

/// A fault that is to end.
#[derive(Debug)]
struct Fault {
    kind: Kind,
    between: (&'static str, &'static str),
    end: Duration,
}

/// Whoever brings the faults about.
#[derive(Debug)]
pub(crate) struct Nemesis {
    random: Rng,
    /// Each seed leaves some kinds out.
    kinds: Vec<Kind>,
    next: Duration,
    faults: Vec<Fault>,
    /// How many there were.
    pub(crate) count: BTreeMap<Kind, usize>,
}

impl Nemesis {
    pub(crate) fn new(mut random: Rng) -> Self {
        let mut kinds: Vec<_> = Kind::ALL.into_iter().filter(|_| random.bool()).collect();
        if kinds.is_empty() {
            kinds.push(Kind::ALL[random.usize(..Kind::ALL.len())]);
        }
        Self { random, kinds, next: Duration::ZERO, faults: Vec::new(), count: BTreeMap::new() }
    }

    /// Ends what is over by now, and begins something now and then.
    pub(crate) fn step(&mut self, sim: &mut Sim<'_>) {
        self.end_until(sim, sim.elapsed());
        if sim.elapsed() < self.next {
            return;
        }
        self.next = sim.elapsed() + self.millis(PAUSE_MS);
        let kind = self.kinds[self.random.usize(..self.kinds.len())];
        let between = self.link(kind);
        // One fault at a time for a link, and for a host.
        let (a, b) = between;
        let busy = |fault: &Fault| {
            let (c, d) = fault.between;
            (a, b) == (c, d) || (a, b) == (d, c) || self.is_of_host(kind, fault.kind) && a == c
        };
        if !self.faults.iter().any(busy) {
            let end = sim.elapsed() + self.millis(LENGTH_MS);
            *self.count.entry(kind).or_default() += 1;
            begin(sim, kind, between);
            self.faults.push(Fault { kind, between, end });
        }
    }

    /// Ends all faults for good.
    pub(crate) fn heal(&mut self, sim: &mut Sim<'_>) {
        self.end_until(sim, Duration::MAX);
    }

    fn is_of_host(&self, one: Kind, other: Kind) -> bool {
        [one, other].iter().all(|kind| matches!(kind, Kind::Crash | Kind::HalfOpen))
    }

    fn end_until(&mut self, sim: &mut Sim<'_>, now: Duration) {
        for fault in self.faults.extract_if(.., |fault| fault.end <= now) {
            end(sim, fault.kind, fault.between);
        }
    }

    fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.random.u64(range))
    }

    /// Two hosts that talk to each other; the first one is what a crash hits.
    fn link(&mut self, kind: Kind) -> (&'static str, &'static str) {
        let orchestrator = ORCHESTRATORS[self.random.usize(..ORCHESTRATORS.len())];
        let other = match self.random.usize(..SERVICES.len() + 1) {
            number if number < SERVICES.len() => SERVICES[number],
            _ => CUSTOMERS,
        };
        let service_dies = matches!(kind, Kind::Crash | Kind::HalfOpen | Kind::OneWay) && self.random.bool();
        if service_dies && (other != CUSTOMERS || kind == Kind::OneWay) {
            (other, orchestrator)
        } else {
            (orchestrator, other)
        }
    }
}

fn begin(sim: &mut Sim<'_>, kind: Kind, (a, b): (&'static str, &'static str)) {
    match kind {
        Kind::Partition => sim.partition(a, b),
        Kind::OneWay => sim.partition_oneway(a, b),
        Kind::Hold => sim.hold(a, b),
        Kind::Crash => sim.crash(a),
        Kind::HalfOpen => {
            sim.partition(a, b);
            sim.crash(a);
        }
    }
}

fn end(sim: &mut Sim<'_>, kind: Kind, (a, b): (&'static str, &'static str)) {
    match kind {
        Kind::Partition => sim.repair(a, b),
        Kind::OneWay => sim.repair_oneway(a, b),
        Kind::Hold => sim.release(a, b),
        Kind::Crash => sim.bounce(a),
        Kind::HalfOpen => {
            sim.bounce(a);
            sim.repair(a, b);
        }
    }
}
