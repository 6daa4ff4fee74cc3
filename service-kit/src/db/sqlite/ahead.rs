//! Answers ahead of the commit. All that one process does to one file goes through one writer, in one order, so what is
//! durable is always a beginning of what happened. Whoever only goes on within the process and that file need not wait for
//! the commit: if it never comes, nothing that followed from it comes either, and the process ends. Whoever tells the
//! world outside waits.

use std::future::Future;

use super::Sqlite;

tokio::task_local! {
    /// The database that the running future is ahead of.
    static AHEAD: usize;
}

/// Runs `future` so that what it writes to `database` is answered once it is applied.
pub(in crate::db) fn within<F: Future>(database: &Sqlite, future: F) -> impl Future<Output = F::Output> {
    AHEAD.scope(address(database), future)
}

pub(super) fn is_within(database: &Sqlite) -> bool {
    AHEAD.try_with(|ahead| *ahead == address(database)).unwrap_or(false)
}

fn address(database: &Sqlite) -> usize {
    std::ptr::from_ref(database).addr()
}
