//! What the service does unasked: it follows the chains that have grown, and walks over all customers once a day, where it
//! follows what was missed and puts to sleep who has long been idle. It reports and never repairs.
//!
//! Each round can be run by hand. Several processes may run them: one at a time takes a job, and loses it to another one
//! when it does not get on. What was followed is kept in the transaction that counts it, so nothing is counted twice.

use std::collections::BTreeSet;
use std::time::Duration;

use service_kit::crash_point;
use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;
use uuid::Uuid;

use crate::books::{Books, Broken, Followed};
use crate::config::Config;
use crate::customers;
use crate::store::check;
use crate::store::jobs::{self as store, Cursor};

const CHECK: &str = "ledger check";
const WALK: &str = "customer walk";

/// How often it is looked whether the walk is due; when, the database says.
const LOOK_PERIOD: Duration = Duration::from_secs(60);
/// How long one who has taken a job may go on without a word.
const LEASE_MS: i64 = 60_000;
/// Entries of one chain that are followed at once.
const ENTRIES: i64 = 500;

/// Runs the rounds until the host stops.
pub(crate) fn spawn(host: &Host, config: Config) {
    let db = host.db.clone();
    host.every(Duration::from_millis(config.check_period_ms), CHECK, move || {
        let db = db.clone();
        async move { check_ledger(&db, config).await }
    });
    let db = host.db.clone();
    host.every(LOOK_PERIOD, WALK, move || {
        let db = db.clone();
        async move { walk(&db, config).await }
    });
}

/// One round of the ledger check: follows every chain that has grown since the last one.
///
/// An entry may become visible later than its time says, so the newest ones are left to the next round, and one that was
/// late all the same to the walk.
///
/// # Errors
/// Of the store; what was followed until then is kept.
pub async fn check_ledger(db: &Db, config: Config) -> Result<(), db::Error> {
    let Some(mut cursor) = take(db, CHECK).await? else { return Ok(()) };
    loop {
        let (after, batch, settle_ms) = (cursor, config.job_batch, config.settle_ms);
        let grown = db.read(async move |tx| check::grown(tx, after, tx.now_ms() - settle_ms, batch).await).await?;
        let Some(last) = grown.last() else { break };
        cursor = *last;
        let customers: BTreeSet<Uuid> = grown.iter().map(|(_, customer)| *customer).collect();
        follow(db, customers.into_iter().collect()).await?;
        note(db, CHECK, cursor, LEASE_MS).await?;
    }
    // A little less than the period, so that one who comes a little early is not passed over for it.
    let rest_ms = i64::try_from(config.check_period_ms - config.check_period_ms / 10).unwrap_or(i64::MAX);
    note(db, CHECK, cursor, rest_ms).await
}

/// One step of the walk at a time, until it is through all customers; then it rests for a day.
///
/// # Errors
/// Of the store; the next one goes on where this one stopped.
pub async fn walk(db: &Db, config: Config) -> Result<(), db::Error> {
    let Some((_, mut after)) = take(db, WALK).await? else { return Ok(()) };
    loop {
        let batch = config.job_batch;
        let (now_ms, passed) =
            db.read(async move |tx| Ok::<_, db::Error>((tx.now_ms(), store::next(tx, after, batch).await?))).await?;
        let Some(last) = passed.last() else { break };
        after = last.customer;
        let before = now_ms - config.dormancy_ms;
        let idle = passed.iter().filter(|it| it.state == customers::State::Active && it.active_time < before);
        let idle: Vec<Uuid> = idle.map(|it| it.customer).collect();
        if !idle.is_empty() {
            let asleep = db.write(async move |tx| store::put_to_sleep(tx, &idle, before).await).await?;
            tracing::info!(count = asleep, "customers who have long been idle are DORMANT now");
        }
        follow(db, passed.iter().map(|it| it.customer).collect()).await?;
        note(db, WALK, (0, after), LEASE_MS).await?;
    }
    note(db, WALK, (0, Uuid::nil()), config.walk_period_ms).await
}

/// Follows the chains of customers to their ends, and tells of what is broken.
async fn follow(db: &Db, mut customers: Vec<Uuid>) -> Result<(), db::Error> {
    while !customers.is_empty() {
        let wanted = customers.clone();
        let books = db.read(async move |tx| check::books(tx, &wanted, ENTRIES).await).await?;
        customers = books.iter().filter(|books| !books.is_whole).map(|books| books.account.customer).collect();
        let followed: Vec<Followed> = books.into_iter().map(Books::follow).collect();
        if followed.iter().all(|it| it.from == it.to && it.broken.is_empty()) {
            continue;
        }
        crash_point!("ledger.before_keep");
        let found = db.write(async move |tx| check::keep(tx, &followed).await).await?;
        crash_point!("ledger.after_keep");
        for broken in found {
            let Broken { customer, rule, problem, .. } = broken;
            tracing::error!(customer.id = %customer, rule, problem, "the books of a customer do not add up");
        }
    }
    Ok(())
}

async fn take(db: &Db, job: &'static str) -> Result<Option<Cursor>, db::Error> {
    db.write(async move |tx: &mut Tx<'_>| store::take(tx, job, LEASE_MS).await).await
}

async fn note(db: &Db, job: &'static str, cursor: Cursor, rest_ms: i64) -> Result<(), db::Error> {
    db.write(async move |tx: &mut Tx<'_>| store::note(tx, job, cursor, rest_ms).await).await
}
