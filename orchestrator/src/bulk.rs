//! One verb for many sagas, as a job of the server. The job and each saga that it has found are rows, so it goes on where it
//! was when a process dies; a claim that has to be kept up sees to it that one process at a time works on it.
//!
//! What a verb means to a saga is not known here: each is applied as if a person had called it.

use saga::Verb;
use uuid::Uuid;

mod store;
mod work;

pub(crate) use store::{Created, New, Store};
pub(crate) use work::start;

/// A bulk operation as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    /// As the caller wrote it.
    pub(crate) filter: String,
    pub(crate) verb: Verb,
    pub(crate) reason: String,
    /// Sagas older than this one are still to be looked for.
    pub(crate) before: (i64, Uuid),
    /// Nothing is left to be looked for.
    pub(crate) is_listed: bool,
    pub(crate) matched: i64,
    pub(crate) applied: i64,
    pub(crate) refused: i64,
    pub(crate) create_time: i64,
    pub(crate) cancel_time: Option<i64>,
    pub(crate) end_time: Option<i64>,
}

impl Job {
    /// Its name: `bulkOperations/{uuid}`.
    pub(crate) fn name(&self) -> String {
        format!("bulkOperations/{}", self.id)
    }
}

/// A saga that a job has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) saga: Uuid,
    /// The version that it had then.
    pub(crate) version: i64,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) update_time: i64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Applied,
    /// With an encoded `google.rpc.Status`.
    Refused(Vec<u8>),
}
