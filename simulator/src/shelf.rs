//! The participants' database: one in memory for each thread, made once and emptied for each run, so that its tables and
//! its prepared statements are there already.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use service_kit::args;
use service_kit::clock::{Clock, RuntimeClock};
use service_kit::db::{Db, Error, Migration, Tx};

use crate::world::NOW_MS;

/// The true time of the run that is under way on this thread.
#[derive(Debug, Default)]
pub(crate) struct Dial(Mutex<Option<RuntimeClock>>);

impl Dial {
    /// This thread's, set to the beginning.
    pub(crate) fn here() -> Arc<Self> {
        let dial = DIAL.with(Arc::clone);
        *dial.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(RuntimeClock::at(NOW_MS));
        dial
    }
}

impl Clock for Dial {
    fn now_ms(&self) -> i64 {
        let clock = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clock.map_or(NOW_MS, |clock| clock.now_ms())
    }
}

thread_local! {
    static DIAL: Arc<Dial> = Arc::default();
    static DB: RefCell<Option<Db>> = const { RefCell::new(None) };
}

/// This thread's database, empty.
///
/// # Errors
/// When it cannot be made.
pub(crate) async fn db() -> Result<Db, Error> {
    if let Some(db) = DB.with(|kept| kept.borrow_mut().take()) {
        db.write(async move |tx| clear(tx).await).await?;
        return Ok(db);
    }
    let db = Db::open_inline(None, DIAL.with(Arc::clone))?;
    db.migrate("sim", TABLES).await?;
    Ok(db)
}

/// Puts it back for the next run.
pub(crate) fn keep(db: Db) {
    DB.with(|kept| *kept.borrow_mut() = Some(db));
}

async fn clear(tx: &mut Tx<'_>) -> Result<(), Error> {
    for sql in CLEAR {
        tx.execute(sql, args![]).await?;
    }
    Ok(())
}

const CLEAR: &[&str] = &[
    "delete from sim_saga_op",
    "delete from sim_archived_sagas",
    "delete from sim_seat",
    "delete from sim_account",
    "delete from sim_payment",
    "delete from sim_ledger",
];

const fn table(version: i64, sql: &'static str) -> Migration {
    Migration { version, name: "table", sql }
}

const TABLES: &[Migration] = &[
    table(
        1,
        "create table sim_saga_op (aggregate_id uuid not null, saga_id uuid not null, step text not null, \
         state bigint not null, request_hash bytea not null, reply bytea, epoch bigint not null, \
         create_time bigint not null, primary key (aggregate_id, saga_id, step))",
    ),
    table(2, "create index sim_saga_op_saga on sim_saga_op (saga_id)"),
    table(3, "create table sim_archived_sagas (saga_id uuid not null primary key, archive_time bigint not null)"),
    table(4, "create table sim_idempotency (request_id uuid not null primary key, create_time bigint not null)"),
    // 0 free, 1 locked, 2 sold, 3 being given back
    table(
        5,
        "create table sim_seat (reservation uuid not null primary key, state bigint not null, \
         locked_by uuid, sold_by uuid)",
    ),
    table(
        6,
        "create table sim_account (customer uuid not null primary key, balance bigint not null, \
         reserved bigint not null)",
    ),
    // 1 asked, 2 authorized, 3 captured, 4 cancelled, 5 declined
    table(
        7,
        "create table sim_payment (saga_id uuid not null primary key, state bigint not null, amount bigint not null, \
         voided bigint not null)",
    ),
    table(
        8,
        "create table sim_ledger (saga_id uuid not null, step text not null, undo bigint not null, \
         amount bigint not null)",
    ),
    table(9, "create index sim_ledger_saga on sim_ledger (saga_id, step)"),
];
