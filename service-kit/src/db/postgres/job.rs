//! A unit of work on its way through the engine. It can run several times, until its transaction is committed or given up.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::{Error, Tx};

/// One unit of work with somebody who waits for its answer.
pub(super) trait Job: Send {
    /// Runs inside the open transaction and tells whether it wants to be kept. The last run counts.
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> LocalBoxFuture<'a, bool>;
    /// The time that its transaction goes by, unless that is the server's.
    fn now_ms(&self) -> Option<i64>;
    /// Makes `error` the result of the last run.
    fn fail(&mut self, error: Error);
    /// Answers with the result of the last run, or with why it could not be kept.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

/// A unit of work as the callers of the database give it.
pub(super) struct Unit<T, E, F> {
    work: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
    now_ms: Option<i64>,
}

impl<T, E, F> Unit<T, E, F> {
    pub(super) fn new(work: F, answer: oneshot::Sender<Result<T, E>>, now_ms: Option<i64>) -> Self {
        Self { work, result: None, answer, now_ms }
    }
}

impl<T, E, F> Job for Unit<T, E, F>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> LocalBoxFuture<'a, bool> {
        let work = self.work.clone();
        Box::pin(async move {
            let result = AssertUnwindSafe(work(tx)).catch_unwind().await;
            let result = result.unwrap_or_else(|_panic| Err(E::from(Error::Bug("a unit of work panicked".into()))));
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn now_ms(&self) -> Option<i64> {
        self.now_ms
    }

    fn fail(&mut self, error: Error) {
        self.result = Some(Err(E::from(error)));
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let Self { result, answer, .. } = *self;
        let never_ran = || Err(E::from(Error::Unavailable("the database is stopping".into())));
        let result = match committed {
            Ok(()) => result.unwrap_or_else(never_ran),
            Err(error) => Err(E::from(error)),
        };
        // A caller that has gone does not need its answer.
        drop(answer.send(result));
    }
}
