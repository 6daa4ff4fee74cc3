//! Counts and sums over the open sagas. They are grouped by the database, which walks the index of open sagas and reads a
//! few columns beside it: what has ended costs nothing, and no machine is decoded.

use service_kit::args;
use service_kit::db::{self, Db, FromRow, Row, Tx};

use super::rows;
use crate::exposure::Held;
use crate::journal::statistics::GROUPS;
use crate::journal::{Error, Group, Statistics, Total};

macro_rules! totals {
    ($by:literal, $order:literal) => {
        concat!(
            "select count(*), cast(coalesce(sum(held_amount), 0) as bigint), \
             cast(coalesce(sum(held_seats), 0) as bigint), min(create_time), ",
            $by,
            " from orchestrator_saga where end_time is null and create_time >= $1 group by ",
            $by,
            $order
        )
    };
}

const STATES: &str = totals!("state", "");
/// Of two that are as large, the older.
const LARGEST: &str = totals!("kind, state, step, reason", " order by 1 desc, 4 limit $2");

impl FromRow for Total {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let held = Held { amount: row.get(1)?, seats: row.get(2)? };
        Ok(Self { count: row.get(0)?, held, oldest_ms: row.get(3)? })
    }
}

/// The total of one state.
struct OfState(String, Total);

impl FromRow for OfState {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self(row.get(4)?, Total::from_row(row)?))
    }
}

impl FromRow for Group {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let total = Total::from_row(row)?;
        Ok(Self { kind: row.get(4)?, state: row.get(5)?, step: row.get(6)?, reason: row.get(7)?, total })
    }
}

pub(super) async fn fetch(db: &Db, since_ms: i64) -> Result<Statistics, Error> {
    let work = async move |tx: &mut Tx<'_>| {
        let states: Vec<OfState> = tx.fetch_all(STATES, args![since_ms]).await?;
        let groups = tx.fetch_all(LARGEST, args![since_ms, rows(GROUPS)]).await?;
        let states = states.into_iter().map(|OfState(state, total)| (state, total)).collect();
        Ok::<_, Error>(Statistics::new(states, groups))
    };
    db.read(work).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use service_kit::clock::ManualClock;
    use service_kit::db::Arg;

    use super::*;

    /// How SQLite goes about a statement.
    async fn plan(sql: &str, parameters: usize) -> Vec<String> {
        let db = Db::open_inline(None, Arc::new(ManualClock::at(0))).unwrap();
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        let explain: &'static str = Box::leak(format!("explain query plan {sql}").into_boxed_str());
        let work = async move |tx: &mut Tx<'_>| tx.fetch_all(explain, &vec![Arg::Int(0); parameters]).await;
        let plan: Vec<(i64, i64, i64, String)> = db.read(work).await.unwrap();
        plan.into_iter().map(|(.., detail)| detail).collect()
    }

    #[tokio::test]
    async fn only_the_index_of_open_sagas_is_walked() {
        for (sql, parameters) in [(STATES, 1), (LARGEST, 2)] {
            let plan = plan(sql, parameters).await;
            assert!(plan[0].contains("orchestrator_saga_open "), "{plan:?}");
            assert!(plan[1..].iter().all(|step| step.starts_with("USE TEMP B-TREE")), "{plan:?}");
        }
    }
}
