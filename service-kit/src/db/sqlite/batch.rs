//! Which units of work share a commit: whatever has queued when somebody waits for it, so that nobody waits for others to
//! come; when all have been answered ahead, whatever comes within a moment.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::mpsc;

use super::writer::{Job, Jobs};
use crate::clock::Stopwatch;
use crate::db::queue::Placed;

/// Units of work in one commit: enough to share an fsync widely, few enough to answer within milliseconds.
const BATCH: usize = 256;
/// How long a commit that nobody waits for may be put off, in milliseconds: readers see what is committed.
const MOMENT_MS: i64 = 2;

type Taken = mpsc::Receiver<Placed<Box<dyn Job>>>;

/// A batch that grows while it runs.
pub(super) struct Batch<'a> {
    first: Option<Box<dyn Job>>,
    taken: &'a mut Taken,
    left: usize,
    since: Stopwatch,
}

impl<'a> Batch<'a> {
    pub(super) fn new(first: Box<dyn Job>, taken: &'a mut Taken) -> Self {
        Self { first: Some(first), taken, left: BATCH, since: Stopwatch::start() }
    }
}

impl Jobs for Batch<'_> {
    fn next(&mut self, hurries: bool) -> Option<Box<dyn Job>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        self.left = self.left.checked_sub(1)?;
        let queued = self.taken.try_recv().ok();
        let next = if hurries { queued } else { queued.or_else(|| wait(self.taken, &self.since)) };
        next.map(Placed::take)
    }
}

/// Waits for the next one, until the moment is over.
fn wait(taken: &mut Taken, since: &Stopwatch) -> Option<Placed<Box<dyn Job>>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(next) = taken.poll_recv(&mut context) {
            return next;
        }
        let left = u64::try_from(MOMENT_MS - since.elapsed_ms()).ok().filter(|left| *left > 0)?;
        thread::park_timeout(Duration::from_millis(left));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
