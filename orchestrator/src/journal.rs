//! The journal: the one durable memory of every saga. It offers the few atomic moves that its callers make, not tables.
//! One row holds a saga's whole machine and is what every decision reads; the history beside it is for people.
//!
//! A saga has one writer at a time, the replica whose epoch stands in the row. Whoever else writes changes nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use saga::{Fact, Saga};
use service_kit::{db, outbox};
use tokio::sync::watch;
use uuid::Uuid;

use crate::exposure::Exposure;

mod hub;
mod memory;
mod sql;
mod statistics;

pub use memory::MemoryJournal;
pub(crate) use memory::fits;
pub use sql::{Ended, SqlJournal};
pub use statistics::{Group, Statistics, Total};

/// How long an incarnation usually lives unless it is renewed.
pub const LEASE: Duration = Duration::from_secs(6);

/// One saga as the journal keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Also the id of the resource that it stands for.
    pub id: Uuid,
    /// Which plan: `checkout`.
    pub kind: String,
    /// The plan's version; a saga stays on the one that it started with.
    pub plan_version: u32,
    /// Whose it is: `customers/{customer}`.
    pub subject: String,
    /// What it is about: `reservations/{reservation}`.
    pub reference: String,
    /// Hash of the request that started it, so that a repeat with another body is told apart.
    pub request_hash: Vec<u8>,
    /// The plan's input, as its request builders read it.
    pub input: Vec<u8>,
    /// The machine.
    pub saga: Saga,
    /// Counts the writes, from 1.
    pub version: i64,
    /// Counts the owners, from 1.
    pub epoch: i64,
    /// The incarnation of the orchestrator that drives it.
    pub owner: Uuid,
    /// When it was accepted.
    pub create_time: i64,
    /// When it was last written.
    pub update_time: i64,
}

/// What happened in one write, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The version that the write produced.
    pub version: i64,
    /// The place among the entries of that version, from 1.
    pub position: i64,
    /// The owner's epoch.
    pub epoch: i64,
    /// When.
    pub time: i64,
    /// What.
    pub fact: Fact,
}

/// One write: the next state of a saga with what led to it and what it announces.
#[derive(Debug, Clone)]
pub struct Append {
    /// The whole record as it shall stand; its version is one above the stored one, its epoch is the stored one.
    pub next: Arc<Record>,
    /// The history of this step.
    pub facts: Vec<Fact>,
    /// Events, published only because this write is durable.
    pub events: Vec<outbox::Event>,
    /// Where the saga stands then and what it holds, to be counted without being read.
    pub exposure: Exposure,
}

/// What became of an acceptance.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// The saga is new and durable.
    New,
    /// The same id was accepted before; this is how that saga stands.
    Existing(Box<Record>),
}

/// A saga that was taken over.
#[derive(Debug, Clone, PartialEq)]
pub enum Adopted {
    /// It is the caller's now, under a new epoch.
    Saga(Box<Record>),
    /// Its row cannot be read; it was parked alone.
    Broken {
        /// Which.
        id: Uuid,
        /// What is wrong with it.
        problem: String,
    },
}

/// Which sagas to take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// Open ones whose owner lives no more, this many at most.
    Any(usize),
    /// This one, whoever owns it.
    One(Uuid),
}

/// Which sagas to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this customer's.
    pub subject: Option<String>,
    /// Only about this resource.
    pub reference: Option<String>,
    /// Only in one of these states, by `State::name`; empty for all.
    pub states: Vec<&'static str>,
    /// Only older than this one: the last of the previous page, by `(create_time, id)`.
    pub before: Option<(i64, Uuid)>,
    /// So many at most.
    pub limit: usize,
}

/// Why a move did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The row has another version or epoch than expected, or is gone. Nothing was written.
    #[error("the saga was changed by somebody else")]
    Fenced,
    /// The stored row cannot be read.
    #[error("the saga's row cannot be read: {0}")]
    Corrupt(String),
    /// The store failed; [`db::Error::InDoubt`] says that the write may have landed.
    #[error(transparent)]
    Store(#[from] db::Error),
}

/// The moment `by` after `now_ms`.
fn after(now_ms: i64, by: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

/// The atomic moves. A move that failed changed nothing, unless it failed with [`db::Error::InDoubt`]: then only
/// [`Journal::load`] can tell. One that succeeded is durable, or will be before anything is that follows from it: whoever
/// tells the world outside of it waits for [`Journal::settled`], or has it from a load or a watch.
#[async_trait]
pub trait Journal: std::fmt::Debug + Send + Sync + 'static {
    /// How long an incarnation lives unless it is renewed. None where this process alone holds the whole store: then the
    /// one that was registered last lives until the next one.
    fn lease(&self) -> Option<Duration>;

    /// Registers a new incarnation of this orchestrator, which then may own sagas.
    async fn register(&self, incarnation: Uuid) -> Result<(), Error>;

    /// Begins the lease of an incarnation anew. False when it has run out: it never lives again, and what it owns may have
    /// been adopted.
    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error>;

    /// Gives the incarnation up: whatever it owns may be adopted at once.
    async fn release(&self, incarnation: Uuid) -> Result<(), Error>;

    /// Whether of all incarnations that live this one is the eldest: it does the chores that one is enough for.
    async fn is_eldest(&self, incarnation: Uuid) -> Result<bool, Error>;

    /// Returns once every move that has succeeded is durable.
    async fn settled(&self) -> Result<(), Error>;

    /// Makes a saga durable unless its id is known. Version and epoch of `first.next` are 1.
    async fn accept(&self, first: Append) -> Result<Accepted, Error>;

    /// Replaces the record by `append.next` if the stored one has the version before it and the same epoch, and is open;
    /// history and events land in the same commit. Only machine, version and update time may differ from what is stored:
    /// the rest never changes, or only by adoption. Watchers see it once this has returned.
    async fn append(&self, append: Append) -> Result<(), Error>;

    /// Takes open sagas over for `owner`: the epoch goes up by one, version and machine stay. From then on the former
    /// owner's appends are fenced. Sagas that ended or were taken by somebody else meanwhile are left out. One that
    /// cannot be read is parked instead: it counts as suspended, and no [`Orphans::Any`] brings it up again, but
    /// [`Orphans::One`] takes it over once it can be read.
    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error>;

    /// Parks a saga that can be read, but not driven, as [`Journal::adopt`] parks one that cannot be read. Tells whether it
    /// was there and open.
    async fn park(&self, id: Uuid, problem: &str) -> Result<bool, Error>;

    /// The record as it is durable, with every move that has succeeded before the call.
    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error>;

    /// A page of records, newest first. Rows that cannot be read are left out.
    async fn list(&self, query: &Query) -> Result<Vec<Record>, Error>;

    /// The history of a saga, oldest first, from beyond the entry `after` = (version, position within the version).
    async fn history(&self, id: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error>;

    /// The ids of open sagas of `owner` that are not suspended, ascending from beyond `after`.
    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error>;

    /// Counts the open sagas that were accepted since `since_ms`, and adds up what they hold. Reads nothing of those that
    /// have ended.
    async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error>;

    /// Follows a saga: the receiver sees records that are written through this journal, once they are durable, and never an
    /// older one after a newer one. A hint: it may skip some, and it knows nothing of other processes.
    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>>;
}
