//! Faults in front of participants that are served in this process. Whoever puts the parts together wraps each
//! participant in a [`layer`](Faults::layer); from then on the handle switches what happens to its calls, while they
//! are made. What a call means is unknown here: requests and answers pass through as they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;

mod service;

pub use service::{BoxError, FaultLayer, Faulty};

/// What happens to the calls of one participant. By default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Trouble {
    /// No call arrives.
    pub cut_off: bool,
    /// Some calls arrive so much later.
    pub delay: Duration,
    /// Probability that a call does.
    pub delayed: f64,
    /// Probability that a call arrives twice.
    pub duplicate: f64,
    /// Probability that the answer is lost, once the call has had its effect.
    pub lose_reply: f64,
    /// Probability that a call goes astray: the caller is told that the connection is lost, and after `stray_for` it arrives.
    pub stray: f64,
    /// How long: past what the caller does next, such as a compensation.
    pub stray_for: Duration,
}

/// How often each fault has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fired {
    /// Calls in all, with a fault or without.
    pub calls: u64,
    /// Calls that did not arrive.
    pub cut_off: u64,
    /// Calls that arrived late.
    pub delayed: u64,
    /// Calls that arrived twice.
    pub duplicated: u64,
    /// Answers lost.
    pub replies_lost: u64,
    /// Calls that went astray and arrived when nobody waited for them any more.
    pub strayed: u64,
}

/// Switches the faults of all participants. Clones switch the same.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    random: Rng,
    participants: BTreeMap<&'static str, (Trouble, Fired)>,
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    arrives: bool,
    delay: Duration,
    twice: bool,
    answered: bool,
    /// Arrives so much later, and the caller does not wait for it.
    strays: Option<Duration>,
}

impl Faults {
    /// Everything passes; what chance decides later follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { random: Rng::with_seed(seed), participants: BTreeMap::new() })))
    }

    /// The layer to put in front of a participant. From now on it is one of [`Faults::switch_all`]'s.
    pub fn layer(&self, participant: &'static str) -> FaultLayer {
        self.state().participants.entry(participant).or_default();
        FaultLayer { faults: self.clone(), participant }
    }

    /// Changes what happens to the calls of one participant from now on.
    pub fn switch(&self, participant: &'static str, change: impl FnOnce(&mut Trouble)) {
        change(&mut self.state().participants.entry(participant).or_default().0);
    }

    /// Changes what happens to the calls of every participant from now on.
    pub fn switch_all(&self, change: impl Fn(&mut Trouble)) {
        self.state().participants.values_mut().for_each(|(trouble, _)| change(trouble));
    }

    /// Lets everything pass from now on.
    pub fn heal(&self) {
        self.switch_all(|trouble| *trouble = Trouble::default());
    }

    /// What has happened so far, by participant.
    pub fn fired(&self) -> BTreeMap<&'static str, Fired> {
        self.state().participants.iter().map(|(name, (_, fired))| (*name, *fired)).collect()
    }

    fn next(&self, participant: &'static str) -> Fate {
        let mut state = self.state();
        let State { random, participants } = &mut *state;
        let (trouble, fired) = participants.entry(participant).or_default();
        let mut happens = |probability| random.f64() < probability;
        let (twice, lost) = (happens(trouble.duplicate), happens(trouble.lose_reply));
        let (is_late, strays) = (happens(trouble.delayed), happens(trouble.stray));
        let arrives = !trouble.cut_off;
        fired.calls += 1;
        fired.cut_off += u64::from(!arrives);
        fired.delayed += u64::from(arrives && is_late);
        fired.strayed += u64::from(arrives && strays);
        fired.duplicated += u64::from(arrives && twice);
        fired.replies_lost += u64::from(arrives && lost);
        let delay = if is_late { trouble.delay } else { Duration::ZERO };
        Fate { arrives, delay, twice, answered: !lost, strays: strays.then_some(trouble.stray_for) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
