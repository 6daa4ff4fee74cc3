//! What customers see, kept for whoever can judge it by the tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oracle::history::{Answer, Asked, History, Pending, Recorder, State, saga_of};
use proto::orchestrator::v1::{Checkout, CreateCheckoutRequest, Saga};
use tokio::time::Instant;
use tonic::Status;
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// Calls that are kept: more than any run makes, some hundred megabytes.
const MOST: usize = 2_000_000;
/// The kind of saga that a checkout is.
const CHECKOUT: &str = "checkout";

/// Keeps it; clones keep into the same history.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    recorder: Recorder,
    started: Instant,
    next: Arc<AtomicU64>,
}

/// A call under way. Dropped, it is one that nobody can tell of.
#[derive(Debug)]
pub(crate) struct Call {
    record: Record,
    pending: Option<Pending>,
}

impl Record {
    /// Nothing yet. Times count from `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self { recorder: Recorder::new(MOST), started, next: Arc::default() }
    }

    /// The time on the history's scale.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A customer is about to send an order.
    pub(crate) fn start(&self, request: &CreateCheckoutRequest) -> Call {
        let customer = request.checkout.as_ref().map(|checkout| checkout.customer.as_str()).unwrap_or_default();
        let key = Uuid::try_parse(&request.request_id).ok();
        self.begin(key.map(|key| Asked::start(CHECKOUT, customer, key)))
    }

    /// A customer is about to watch his checkout.
    pub(crate) fn watch(&self, name: &str) -> Call {
        self.begin(saga_of(name).map(Asked::watch))
    }

    /// A saga came in a list that was asked for at `asked`.
    pub(crate) fn listed(&self, asked: u64, saga: &Saga) {
        let (id, state) = (saga_of(&saga.name), State::parse(saga.state().as_str_name()));
        if let Some((id, state)) = id.zip(state) {
            let call = self.recorder.begin(self.client(), Asked::get(id), asked);
            call.ok(self.now(), Answer { saga: id, state, version: saga.version });
        }
    }

    /// What was seen so far.
    pub(crate) fn take(&self) -> History {
        self.recorder.take()
    }

    fn begin(&self, asked: Option<Asked>) -> Call {
        let pending = asked.map(|asked| self.recorder.begin(self.client(), asked, self.now()));
        Call { record: self.clone(), pending }
    }

    /// Every call is another client's: what one customer does after an answer begins after it all the same.
    fn client(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl Call {
    /// It came to this.
    pub(crate) fn answered(self, answer: &Result<Checkout, Status>) {
        let now = self.record.now();
        let Some(pending) = self.pending else { return };
        match answer {
            Ok(checkout) => {
                if let Some(answer) = said(checkout) {
                    pending.ok(now, answer);
                }
            }
            Err(status) => {
                let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
                pending.failed(now, status.code().into(), &reason);
            }
        }
    }

    /// A stream said this, and goes on.
    pub(crate) fn heard(&self, checkout: &Checkout) {
        let now = self.record.now();
        if let Some((pending, answer)) = self.pending.as_ref().zip(said(checkout)) {
            pending.heard(now, answer);
        }
    }

    /// A stream ended in order.
    pub(crate) fn ended(self) {
        if let Some(pending) = self.pending {
            pending.ended();
        }
    }
}

fn said(checkout: &Checkout) -> Option<Answer> {
    let (saga, state) = (saga_of(&checkout.name)?, State::parse(checkout.state().as_str_name())?);
    Some(Answer { saga, state, version: checkout.version })
}
