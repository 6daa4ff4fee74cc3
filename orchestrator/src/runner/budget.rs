//! How much a participant gets at once. A limit on calls keeps a slow participant from holding everything; a breaker
//! spares one that is down; and retries may not grow beyond a share of the calls, so that they never become the load.
//! Compensations have room of their own: they free what others wait for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use saga::{Call, Direction};
use serde::Deserializer;
use service_kit::clock::Stopwatch;
use service_kit::config;
use tokio::sync::Semaphore;
use tonic::Status;

use crate::participants::{self, not_sent};

/// Bounds of a runner.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Sagas under way; a new one beyond that is turned away.
    #[serde(deserialize_with = "config::positive")]
    pub sagas: usize,
    /// Calls under way at one participant, 800 at most.
    #[serde(deserialize_with = "calls")]
    pub calls: usize,
    /// Of those, calls that only compensations may use.
    pub compensation_calls: usize,
    /// How long one call may take.
    #[serde(deserialize_with = "config::positive")]
    pub call_timeout_ms: u64,
    /// Retries of undecided sagas per hundred calls of a participant, beyond the burst.
    pub retry_percent: u32,
    /// Such retries that may be saved up.
    pub retry_burst: u32,
    /// Failures in a row that open a participant's breaker.
    #[serde(deserialize_with = "config::positive")]
    pub breaker_failures: u32,
    /// How long an open breaker lets nothing through before it tries one call.
    pub breaker_pause_ms: u64,
}

/// Calls to all four participants must fit into the queue of the database's writer (4,096) with room to spare, or a saga
/// that waits to be written could wait behind its own calls.
pub(super) const MOST_CALLS: usize = 800;

fn calls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    config::within(deserializer, 1..=MOST_CALLS)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Each holds a few kilobytes: a tenth of a gigabyte at the most.
            sagas: 20_000,
            // What a service answers within its timeout even when each call takes 100 ms.
            calls: 512,
            compensation_calls: 128,
            call_timeout_ms: 1_000,
            retry_percent: 20,
            retry_burst: 500,
            // Enough that a burst of unlucky calls does not open it.
            breaker_failures: 50,
            breaker_pause_ms: 500,
        }
    }
}

/// Whether a call may be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Its saga may still turn back instead.
    Undecided,
    /// The same, and its saga was taken over: this process has not sent it before, so it tells nothing of how the
    /// participant is. Thousands that come back after an outage would spend all retries at once, and fail for want of more.
    TakenOver,
    /// Its saga ends in no other way, so its retries are bounded by their back-off alone: were they turned away for want
    /// of other calls to take a share of, they would be so for ever.
    Decided,
}

/// A gate for each participant.
#[derive(Debug)]
pub(super) struct Gates(BTreeMap<&'static str, Gate>);

#[derive(Debug)]
struct Gate {
    limits: Limits,
    all: Semaphore,
    ordinary: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In hundredths of a retry.
    retries: u32,
    failures: u32,
    /// Set while the breaker is open: since when, or since its last probe.
    opened: Option<Stopwatch>,
}

impl Gates {
    pub(super) fn new(participants: impl Iterator<Item = &'static str>, limits: Limits) -> Self {
        Self(participants.map(|name| (name, Gate::new(limits))).collect())
    }

    /// Lets one call through when there is room, or turns it away without having sent it.
    pub(super) async fn pass(
        &self,
        participant: &str,
        (call, urgency): (Call, Urgency),
        sending: impl Future<Output = Result<Bytes, Status>>,
    ) -> Result<Bytes, Status> {
        match self.0.get(participant) {
            Some(gate) => gate.pass((call, urgency), sending).await,
            None => sending.await,
        }
    }
}

impl Gate {
    fn new(limits: Limits) -> Self {
        let state = State { retries: limits.retry_burst.saturating_mul(100), failures: 0, opened: None };
        let calls = limits.calls.clamp(1, Semaphore::MAX_PERMITS);
        let ordinary = calls.saturating_sub(limits.compensation_calls).max(1);
        Self { limits, all: Semaphore::new(calls), ordinary: Semaphore::new(ordinary), state: Mutex::new(state) }
    }

    async fn pass(
        &self,
        (call, urgency): (Call, Urgency),
        sending: impl Future<Output = Result<Bytes, Status>>,
    ) -> Result<Bytes, Status> {
        let closed = |_| not_sent("the orchestrator is shutting down");
        let _ordinary = match call.direction {
            Direction::Forward => Some(self.ordinary.acquire().await.map_err(closed)?),
            Direction::Compensation => None,
        };
        let _any = self.all.acquire().await.map_err(closed)?;
        self.admit(call, urgency)?;
        let result = sending.await;
        self.note(&result);
        result
    }

    fn admit(&self, call: Call, urgency: Urgency) -> Result<(), Status> {
        let mut state = self.state();
        let pause_ms = i64::try_from(self.limits.breaker_pause_ms).unwrap_or(i64::MAX);
        if state.opened.is_some_and(|opened| opened.elapsed_ms() < pause_ms) {
            return Err(not_sent("the participant is failing; its breaker is open"));
        }
        if call.attempt == 1 {
            let full = self.limits.retry_burst.saturating_mul(100);
            state.retries = state.retries.saturating_add(self.limits.retry_percent).min(full);
        } else if urgency == Urgency::Undecided {
            let left = state.retries.checked_sub(100);
            state.retries = left.ok_or_else(|| not_sent("the participant's retry budget is spent"))?;
        }
        if state.opened.is_some() {
            // This call is the probe; the next one has to wait for its answer, or for another pause.
            state.opened = Some(Stopwatch::start());
        }
        Ok(())
    }

    fn note(&self, result: &Result<Bytes, Status>) {
        let failed = result.as_ref().is_err_and(|status| participants::classify(status).class().spends_budget());
        let mut state = self.state();
        if !failed {
            state.failures = 0;
            state.opened = None;
        } else {
            state.failures = state.failures.saturating_add(1);
            if state.failures >= self.limits.breaker_failures && state.opened.is_none() {
                state.opened = Some(Stopwatch::start());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
