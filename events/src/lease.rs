//! What one process of several does at a time: a row that names it and is renewed, by the database's clock. Two may think
//! for a moment that it is theirs; so whoever writes down what he has done under a lease locks its row, and the one who
//! has lost it is told.

use std::time::Duration;

use service_kit::args;
use service_kit::clock::Stopwatch;
use service_kit::db::{self, Db, Tx};
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long nobody else takes it after it was last renewed.
const LENGTH: Duration = Duration::from_secs(10);
/// How old it may be before it is renewed; well before others take it.
const RENEWAL_MS: i64 = 3_000;

const TAKE: &str = "insert into event_lease as l (name, holder, until_time) values ($1, $2, $3) \
    on conflict (name) do update set holder = excluded.holder, until_time = excluded.until_time \
    where l.holder = excluded.holder or l.until_time <= $4";
const HOLDER: &str = "select holder from event_lease where name = $1";
const RELEASE: &str = "delete from event_lease where name = $1 and holder = $2";

/// Waits until nobody is writing under the lease of that name, and keeps everybody from it until the transaction has ended.
pub(crate) async fn wait(tx: &mut Tx<'_>, name: &str) -> Result<(), db::Error> {
    tx.lock_optional::<(Uuid,)>(HOLDER, args![name]).await.map(drop)
}

/// Why something was not written down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else does it now. Nothing was written.
    #[error("another process has taken over")]
    Lost,
    /// Of the store.
    #[error(transparent)]
    Store(#[from] db::Error),
}

/// The right of one holder to do one thing.
#[derive(Debug)]
pub struct Lease {
    db: Db,
    name: String,
    holder: Uuid,
    renewed: Mutex<Option<Stopwatch>>,
}

impl Lease {
    /// A lease that is not held yet. No two holders have the same id.
    pub fn new(db: Db, name: String, holder: Uuid) -> Self {
        Self { db, name, holder, renewed: Mutex::default() }
    }

    /// Takes it when nobody has it, or renews it in time. Tells whether it is held.
    ///
    /// # Errors
    /// Of the store.
    pub async fn hold(&self) -> Result<bool, db::Error> {
        // No other process can write to this database.
        if self.db.is_exclusive() {
            return Ok(true);
        }
        let mut renewed = self.renewed.lock().await;
        if renewed.as_ref().is_some_and(|since| since.elapsed_ms() < RENEWAL_MS) {
            return Ok(true);
        }
        let (name, holder, asked) = (self.name.clone(), self.holder, Stopwatch::start());
        let take = async move |tx: &mut Tx<'_>| {
            let (now_ms, length_ms) = (tx.now_ms(), i64::try_from(LENGTH.as_millis()).unwrap_or(i64::MAX));
            tx.execute(TAKE, args![&name, holder, now_ms.saturating_add(length_ms), now_ms]).await
        };
        *renewed = None;
        let is_held = self.db.write(take).await? == 1;
        *renewed = is_held.then_some(asked);
        Ok(is_held)
    }

    /// Goes on only as the holder: no other does anything under this lease before the transaction has ended.
    ///
    /// # Errors
    /// When somebody else has taken it, or of the store.
    pub(crate) async fn check(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if self.db.is_exclusive() {
            return Ok(());
        }
        let holder: Option<(Uuid,)> = tx.lock_optional(HOLDER, args![&self.name]).await?;
        if holder == Some((self.holder,)) { Ok(()) } else { Err(Error::Lost) }
    }

    /// Forgets that it is held, so that the next [`Lease::hold`] asks.
    pub(crate) async fn forget(&self) {
        *self.renewed.lock().await = None;
    }

    /// Lets the next one have it at once.
    ///
    /// # Errors
    /// Of the store; then it ends by itself.
    pub async fn release(&self) -> Result<(), db::Error> {
        let was_held = self.renewed.lock().await.take().is_some();
        if !was_held {
            return Ok(());
        }
        let (name, holder) = (self.name.clone(), self.holder);
        self.db.write(async move |tx| tx.execute(RELEASE, args![&name, holder]).await.map(drop)).await
    }
}
