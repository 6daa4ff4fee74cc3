//! Statements about seats that are free, whichever they are: the first ones, by ordinal, of a grade, a section or any. Each
//! choice has a text of its own, so that it is served by its own index however many seats before them are sold.

use service_kit::args;
use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::reservations::reservation_columns;
use super::seats::seat_columns;
use crate::best::Best;
use crate::reservation::Reservation;
use crate::seat::Seat;
use crate::state::ReservationState;

macro_rules! free {
    ($of:literal) => {
        concat!(
            "select ",
            seat_columns!(),
            " from concert_performance_seats where performance_id = $1 and state = 1 and ordinal > $2",
            $of,
            " order by ordinal limit $3"
        )
    };
}

const FREE: &str = free!("");
const FREE_OF_GRADE: &str = free!(" and grade collate \"binary\" = $4");
const FREE_OF_SECTION: &str = free!(" and section collate \"binary\" = $4");
const FREE_OF_BOTH: &str = free!(" and grade collate \"binary\" = $4 and section collate \"binary\" = $5");

/// The statement that finds what may be chosen, and what it is given.
macro_rules! find {
    ($tx:ident.$how:ident, $performance:ident, $best:ident, $after:ident, $limit:ident) => {
        match (&$best.grade, &$best.section) {
            (None, None) => $tx.$how(FREE, args![$performance, $after, $limit]).await,
            (Some(grade), None) => $tx.$how(FREE_OF_GRADE, args![$performance, $after, $limit, grade]).await,
            (None, Some(section)) => $tx.$how(FREE_OF_SECTION, args![$performance, $after, $limit, section]).await,
            (Some(grade), Some(section)) => {
                $tx.$how(FREE_OF_BOTH, args![$performance, $after, $limit, grade, section]).await
            }
        }
    };
}

/// The first free seats that may be chosen after that ordinal.
pub(crate) async fn free(
    tx: &mut Tx<'_>,
    performance: Uuid,
    best: &Best,
    (after, limit): (i64, i64),
) -> Result<Vec<Seat>, db::Error> {
    find!(tx.fetch_all, performance, best, after, limit)
}

/// The same without those that somebody else is about to change; from here on nobody else can.
pub(crate) async fn claim_free(
    tx: &mut Tx<'_>,
    performance: Uuid,
    best: &Best,
    (after, limit): (i64, i64),
) -> Result<Vec<Seat>, db::Error> {
    find!(tx.claim_all, performance, best, after, limit)
}

/// Takes up to `limit` holds that have lapsed, those first that lapsed first, and notes that they have; of one performance
/// or of all. Those that somebody else is about to change are passed over.
pub(crate) async fn expire_lapsed(
    tx: &mut Tx<'_>,
    performance: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Reservation>, db::Error> {
    macro_rules! lapsed {
        ($of:literal) => {
            concat!(
                "select ",
                reservation_columns!(),
                " from concert_reservations where state = 1 and expire_time <= $1",
                $of,
                " order by expire_time limit $2"
            )
        };
    }
    let now_ms = tx.now_ms();
    let mut lapsed: Vec<Reservation> = match performance {
        None => tx.claim_all(lapsed!(""), args![now_ms, limit]).await?,
        Some(performance) => {
            tx.claim_all(lapsed!(" and performance_id = $3"), args![now_ms, limit, performance]).await?
        }
    };
    let sql =
        "update concert_reservations set state = 6, version = version + 1 where reservation_id = $1 and state = 1";
    let expire: Vec<_> = lapsed.iter().map(|lapsed| (sql, args![lapsed.id].to_vec())).collect();
    tx.execute_each(&expire).await?;
    for ended in &mut lapsed {
        ended.state = ReservationState::Expired;
        ended.version += 1;
    }
    Ok(lapsed)
}

/// Whether a hold of the performance has lapsed and nobody has noted it.
pub(crate) async fn has_lapsed(tx: &mut Tx<'_>, performance: Uuid) -> Result<bool, db::Error> {
    let sql = "select reservation_id from concert_reservations where state = 1 and expire_time <= $1 \
               and performance_id = $2 limit 1";
    let now_ms = tx.now_ms();
    let found: Option<(Uuid,)> = tx.fetch_optional(sql, args![now_ms, performance]).await?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use service_kit::clock::ManualClock;
    use service_kit::db::Db;

    use super::*;

    /// How SQLite finds what a statement asks for.
    async fn plan(db: &Db, sql: &str, args: usize) -> String {
        let sql: &'static str = format!("explain query plan {sql}").leak();
        let explain = async move |tx: &mut Tx<'_>| {
            let args = vec![service_kit::db::Arg::Int(0); args];
            let rows: Vec<(i64, i64, i64, String)> = tx.fetch_all(sql, &args).await?;
            Ok::<_, db::Error>(rows.into_iter().map(|(.., detail)| detail).collect::<Vec<_>>().join("; "))
        };
        db.read(explain).await.unwrap()
    }

    #[tokio::test]
    async fn free_seats_are_found_without_a_look_at_those_that_are_not() {
        let db = Db::open_inline(None, Arc::new(ManualClock::at(0))).unwrap();
        db.migrate("concert", migrations::concert::MIGRATIONS).await.unwrap();
        for (sql, args, index) in [
            (FREE, 3, "concert_performance_seats_free "),
            (FREE_OF_GRADE, 4, "concert_performance_seats_free_of_grade "),
            (FREE_OF_SECTION, 4, "concert_performance_seats_free_of_section "),
            (FREE_OF_BOTH, 5, "concert_performance_seats_free_of_"),
        ] {
            let plan = plan(&db, sql, args).await;
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
