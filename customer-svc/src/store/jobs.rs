//! The statements of work that one process does at a time, and of what it does with customers.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::audit;
use crate::audit::{Actor, Cause, Transition};
use crate::customers::State;

/// How far a job has come: the last time and id that it has dealt with.
pub(crate) type Cursor = (i64, Uuid);

/// Takes a job that is due, and tells how far it has come. Until `lease_ms` have passed nobody else takes it.
pub(crate) async fn take(tx: &mut Tx<'_>, job: &'static str, lease_ms: i64) -> Result<Option<Cursor>, db::Error> {
    const CREATE: &str = "insert into customer_jobs (job, due_time, cursor_time, cursor_id) values ($1, 0, 0, $2) \
        on conflict do nothing";
    const TAKE: &str = "update customer_jobs set due_time = $2 where job = $1 and due_time <= $3 \
        returning cursor_time, cursor_id";
    let now_ms = tx.now_ms();
    tx.execute(CREATE, args![job, Uuid::nil()]).await?;
    tx.fetch_optional(TAKE, args![job, now_ms + lease_ms, now_ms]).await
}

/// Notes how far a job has come, and that it is due again after `rest_ms`.
pub(crate) async fn note(
    tx: &mut Tx<'_>,
    job: &'static str,
    (time, id): Cursor,
    rest_ms: i64,
) -> Result<(), db::Error> {
    const NOTE: &str = "update customer_jobs set due_time = $2, cursor_time = $3, cursor_id = $4 where job = $1";
    let now_ms = tx.now_ms();
    tx.execute(NOTE, args![job, now_ms + rest_ms, time, id]).await.map(drop)
}

/// A customer as the walk over all of them sees him.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) customer: Uuid,
    pub(crate) state: State,
    /// When he last changed something or points of his moved.
    pub(crate) active_time: i64,
}

/// The next customers after one of them.
pub(crate) async fn next(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Passed>, db::Error> {
    const SELECT: &str = "select customer_id, state, case when points_time > update_time then points_time \
        else update_time end from customer_customers where customer_id > $1 order by customer_id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// Puts those of the customers to sleep who are awake and have done nothing since `before`; tells how many.
pub(crate) async fn put_to_sleep(tx: &mut Tx<'_>, idle: &[Uuid], before: i64) -> Result<usize, db::Error> {
    const SLEEP: &str = "update customer_customers set state = 2, version = version + 1, update_time = $2 \
        where customer_id = $1 and state = 1 and update_time < $3 and points_time < $3 \
        returning customer_id, version";
    let now_ms = tx.now_ms();
    let updates: Vec<_> = idle.iter().map(|customer| (SLEEP, args![*customer, now_ms, before].to_vec())).collect();
    let asleep: Vec<(Uuid, i64)> = tx.fetch_each(&updates).await?;
    let kept = |(customer, version)| Transition {
        customer,
        version,
        from: Some(State::Active),
        to: State::Dormant,
        cause: Cause { actor: Actor::Job, request_id: None, reason: "idle".into() },
    };
    let kept: Vec<Transition> = asleep.into_iter().map(kept).collect();
    let statements: Vec<_> = kept.iter().map(|transition| audit::transition(transition, now_ms)).collect();
    tx.execute_each(&statements).await.map(|_| kept.len())
}

impl FromRow for Passed {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { customer: row.get(0)?, state: super::state(row, 1)?, active_time: row.get(2)? })
    }
}
