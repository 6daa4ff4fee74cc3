//! Records calls while they are made. Any number of tasks share one recorder; a call costs one lock and one push when it
//! ends, and what there is no room for is counted, not kept.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{Answer, Call, History, Outcome, What};

/// What a client is about to ask.
#[derive(Debug, Clone)]
pub struct Asked {
    what: What,
    kind: String,
    subject: String,
    key: Option<Uuid>,
    saga: Option<Uuid>,
}

impl Asked {
    /// A saga of a kind, by its name in the journal (`checkout`, `cancellation`, `pointCharge`), for the customer that the
    /// request names, under its request id.
    pub fn start(kind: &str, subject: &str, key: Uuid) -> Self {
        Self { kind: kind.into(), subject: subject.into(), key: Some(key), ..Self::about(What::Start, None) }
    }

    /// How a saga stands.
    pub fn get(saga: Uuid) -> Self {
        Self::about(What::Get, Some(saga))
    }

    /// Each version of a saga.
    pub fn watch(saga: Uuid) -> Self {
        Self::about(What::Watch, Some(saga))
    }

    /// That a saga turns back, or any other verb.
    pub fn cancel(saga: Uuid) -> Self {
        Self::about(What::Cancel, Some(saga))
    }

    fn about(what: What, saga: Option<Uuid>) -> Self {
        Self { what, kind: String::new(), subject: String::new(), key: None, saga }
    }
}

/// Keeps what clients see. Clones keep into the same history.
#[derive(Debug, Clone)]
pub struct Recorder {
    history: Arc<Mutex<History>>,
    most: usize,
}

impl Recorder {
    /// Keeps so many calls at most.
    pub fn new(most: usize) -> Self {
        Self { history: Arc::default(), most }
    }

    /// A client asks at `now`, in microseconds on the history's scale.
    pub fn begin(&self, client: u64, asked: Asked, now: u64) -> Pending {
        let Asked { what, kind, subject, key, saga } = asked;
        let outcome = Outcome::Info { reason: "went away".into() };
        let call = Call { client, what, kind, subject, key, saga, invoke: now, returned: None, outcome };
        Pending { recorder: self.clone(), call: Some(call) }
    }

    /// What was seen so far, and begins anew.
    pub fn take(&self) -> History {
        mem::take(&mut *self.history())
    }

    fn push(&self, call: Call) {
        let mut history = self.history();
        if history.calls.len() < self.most {
            history.calls.push(call);
        } else {
            history.lost += 1;
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way. Dropped without an outcome it is one that nobody can tell of, and that may yet arrive.
#[derive(Debug)]
#[must_use = "a call that is dropped at once counts as one whose client went away"]
pub struct Pending {
    recorder: Recorder,
    call: Option<Call>,
}

impl Pending {
    /// It was answered.
    pub fn ok(mut self, now: u64, answer: Answer) {
        if let Some(call) = self.call.take() {
            self.recorder.push(answered(call, now, answer));
        }
    }

    /// It ended in an error: gRPC's number of its code, and the reason of the contract or nothing.
    pub fn failed(mut self, now: u64, code: i32, reason: &str) {
        if let Some(call) = self.call.take() {
            let outcome = Outcome::of_error(call.what, code, reason);
            self.recorder.push(Call { returned: Some(now), outcome, ..call });
        }
    }

    /// One message of a stream came; more may.
    pub fn heard(&self, now: u64, answer: Answer) {
        if let Some(call) = &self.call {
            self.recorder.push(answered(call.clone(), now, answer));
        }
    }

    /// A stream ended in order: its messages were all.
    pub fn ended(mut self) {
        self.call = None;
    }
}

fn answered(call: Call, now: u64, answer: Answer) -> Call {
    let Answer { saga, state, version } = answer;
    Call { saga: Some(saga), returned: Some(now), outcome: Outcome::Ok { state, version }, ..call }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.recorder.push(call);
        }
    }
}
