//! What must hold of seats and reservations at every moment, and what others need to know of reservations to judge the
//! rules that span services.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::verify::Check;
use uuid::Uuid;

use crate::state::{ReservationState, State as _};

/// The rules, by their statements. States are numbers: of seats 1 AVAILABLE, 2 HELD, 3 SOLD, 4 BLOCKED; of reservations
/// 1 HELD, 2 CONFIRMING, 3 CONFIRMED, 4 CANCELLING, and above those that have ended.
pub const CHECKS: &[Check] = &[
    Check {
        id: "S1",
        rule: "a seat that is held or sold names one reservation, which exists and is of its performance",
        sql: "select s.performance_id, s.seat_id || ' names no reservation of its performance' \
              from concert_performance_seats s \
              left join concert_reservations r on r.reservation_id = s.reservation_id \
              where (s.state in (2, 3)) <> (s.reservation_id is not null) \
              or (s.reservation_id is not null and (r.reservation_id is null or r.performance_id <> s.performance_id)) \
              limit 20",
    },
    Check {
        id: "S2",
        rule: "a seat is HELD while its reservation is HELD or CONFIRMING, SOLD while it is CONFIRMED or CANCELLING",
        sql: "select s.performance_id, s.seat_id || ' is in state ' || cast(s.state as text) || ', its reservation in ' \
              || cast(r.state as text) from concert_performance_seats s \
              join concert_reservations r on r.reservation_id = s.reservation_id \
              where not ((s.state = 2 and r.state in (1, 2)) or (s.state = 3 and r.state in (3, 4))) limit 20",
    },
    Check {
        id: "S3",
        rule: "a live reservation has all its seats, at its total, and one that has ended has none",
        sql: "select r.reservation_id, 'in state ' || cast(r.state as text) || ' it has ' \
              || cast(coalesce(s.seats, 0) as text) || ' of ' || cast(r.seat_count as text) || ' seats' \
              from concert_reservations r left join (select reservation_id, count(*) as seats, sum(coalesce(held_price, price)) as total \
              from concert_performance_seats where reservation_id is not null group by reservation_id) s \
              on s.reservation_id = r.reservation_id \
              where (r.state in (1, 2, 3, 4) and (s.seats is null or s.seats <> r.seat_count or s.total <> r.total_amount)) \
              or (r.state in (5, 6, 7) and s.seats is not null) limit 20",
    },
    Check {
        id: "S4",
        rule: "a reservation that is CONFIRMED or CANCELLING has a ticket for every seat, and no other has one",
        sql: "select r.reservation_id, 'in state ' || cast(r.state as text) || ' it has ' \
              || cast(coalesce(t.tickets, 0) as text) || ' valid tickets' from concert_reservations r \
              left join (select reservation_id, count(*) as tickets from concert_tickets where state in (1, 2) \
              group by reservation_id) t on t.reservation_id = r.reservation_id \
              where coalesce(t.tickets, 0) <> case when r.state in (3, 4) then r.seat_count else 0 end limit 20",
    },
    Check {
        id: "S5",
        rule: "a performance has as many seats as it counts, with the ordinals from 0 on",
        sql: "select p.performance_id, 'it counts ' || cast(p.seat_count as text) || ' seats and has ' \
              || cast(coalesce(s.seats, 0) as text) from concert_performances p \
              left join (select performance_id, count(*) as seats, min(ordinal) as first, max(ordinal) as last \
              from concert_performance_seats group by performance_id) s on s.performance_id = p.performance_id \
              where coalesce(s.seats, 0) <> p.seat_count \
              or (s.seats is not null and (s.first <> 0 or s.last <> p.seat_count - 1)) limit 20",
    },
    Check {
        id: "S6",
        rule: "a reservation names the saga that has locked it while it is CONFIRMING or CANCELLING, and only then; \
               its seats' clock stands still meanwhile, and only then",
        sql: "select r.reservation_id, 'in state ' || cast(r.state as text) || ' its lock is wrong' \
              from concert_reservations r where (r.state in (2, 4)) <> (r.lock_saga_id is not null) \
              union all select r.reservation_id, 'its seat ' || s.seat_id || ' has another clock' \
              from concert_performance_seats s join concert_reservations r on r.reservation_id = s.reservation_id \
              where (r.state = 1 and (s.hold_expire_time is null or s.hold_expire_time <> r.expire_time)) \
              or (r.state <> 1 and s.hold_expire_time is not null) limit 20",
    },
    Check {
        id: "S7",
        rule: "no customer has more live reservations of a performance, or seats of a concert, than its policy allows or \
               has ever allowed",
        // As of the newest reservation: holds that had lapsed by then do not count.
        sql: "select r.customer_id, 'too many live reservations of a performance' from concert_reservations r \
              join concert_concerts k on k.concert_id = r.concert_id where r.state = 2 \
              or (r.state = 1 and r.expire_time > (select max(create_time) from concert_reservations)) \
              group by r.customer_id, r.performance_id, k.max_live_reservations_per_customer, k.top_live_reservations_per_customer \
              having count(*) > k.max_live_reservations_per_customer and count(*) > k.top_live_reservations_per_customer \
              union all select r.customer_id, 'too many seats of a concert' from concert_reservations r \
              join concert_concerts k on k.concert_id = r.concert_id where r.state in (2, 3, 4) \
              or (r.state = 1 and r.expire_time > (select max(create_time) from concert_reservations)) \
              group by r.customer_id, r.concert_id, k.max_seats_per_customer, k.top_seats_per_customer \
              having sum(r.seat_count) > k.max_seats_per_customer and sum(r.seat_count) > k.top_seats_per_customer limit 20",
    },
    Check {
        id: "S8",
        rule: "a confirmed reservation was locked while its hold lasted, and stayed locked until then",
        sql: "select reservation_id, 'it was confirmed without a lock taken in time' from concert_reservations \
              where state in (3, 4) and (confirm_saga_id is null or confirm_time is null or lock_time is null \
              or lock_time >= expire_time or lock_time > confirm_time) limit 20",
    },
];

/// What a reservation says to those who compare it with its saga and its payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationFact {
    /// The reservation.
    pub id: Uuid,
    /// Whose it is.
    pub customer: Uuid,
    /// What it is for; its revenue is the concert's.
    pub concert: Uuid,
    /// The state's name in the contract, as stored: a hold that has lapsed may still be HELD.
    pub state: &'static str,
    /// The saga that has locked it, or else the one that has confirmed it.
    pub saga: Option<Uuid>,
    /// Sum of its prices.
    pub total_amount: i64,
    /// What paid it.
    pub payment: Option<Uuid>,
}

impl FromRow for ReservationFact {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            id: row.get(0)?,
            customer: row.get(1)?,
            concert: row.get(2)?,
            state: ReservationState::read(row, 3)?.name(),
            saga: row.get(4)?,
            total_amount: row.get(5)?,
            payment: row.get(6)?,
        })
    }
}

/// A page of all reservations in order of their ids, those after `after`.
///
/// # Errors
/// Of the store.
pub async fn reservations(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<ReservationFact>, db::Error> {
    let sql = "select reservation_id, customer_id, concert_id, state, coalesce(lock_saga_id, confirm_saga_id), \
               total_amount, payment_id from concert_reservations where reservation_id > $1 \
               order by reservation_id limit $2";
    tx.fetch_all(sql, args![after, limit]).await
}
