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
        rule: "a reservation that is CONFIRMED or CANCELLING has a valid ticket for every seat, and no other has one; it \
               counts those that have opened the door, and they say when",
        sql: "select r.reservation_id, 'in state ' || cast(r.state as text) || ' it has ' \
              || cast(coalesce(t.tickets, 0) as text) || ' valid tickets' from concert_reservations r \
              left join (select reservation_id, count(*) as tickets from concert_tickets where state in (1, 2) \
              group by reservation_id) t on t.reservation_id = r.reservation_id \
              where coalesce(t.tickets, 0) <> case when r.state in (3, 4) then r.seat_count else 0 end \
              union all select r.reservation_id, 'it counts ' || cast(r.checked_in_count as text) || ' of its ' \
              || cast(coalesce(t.tickets, 0) as text) || ' tickets that have opened the door' \
              from concert_reservations r left join (select reservation_id, count(*) as tickets from concert_tickets \
              where check_in_time is not null group by reservation_id) t on t.reservation_id = r.reservation_id \
              where coalesce(t.tickets, 0) <> r.checked_in_count \
              union all select ticket_id, 'it is checked in, and does not say when, or the reverse' from concert_tickets \
              where (state = 2 and check_in_time is null) or (state = 1 and check_in_time is not null) limit 20",
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
        rule: "a confirmed reservation was locked while its hold lasted, and stayed locked until then; it had not ended \
               before",
        sql: "select reservation_id, 'it was confirmed without a lock taken in time' from concert_reservations \
              where state in (3, 4, 5) and (confirm_saga_id is null or confirm_time is null or lock_time is null \
              or lock_time >= expire_time or lock_time > confirm_time) \
              union all select r.reservation_id, 'by its history it was not locked when it was confirmed, or had ended' \
              from concert_reservations r join concert_reservation_transitions t \
              on t.reservation_id = r.reservation_id and t.version = 1 where r.state in (3, 4, 5) \
              and (not exists (select 1 from concert_reservation_transitions c \
              where c.reservation_id = r.reservation_id and c.from_state = 2 and c.to_state = 3) \
              or exists (select 1 from concert_reservation_transitions e \
              where e.reservation_id = r.reservation_id and e.to_state in (6, 7))) limit 20",
    },
    Check {
        id: "S9",
        rule: "the history of a reservation leads without a gap from its hold to where it stands",
        // One from before histories were kept has none, or the end of one.
        sql: "select t.reservation_id, 'version ' || cast(t.version as text) || ' does not follow from the one before' \
              from concert_reservation_transitions t left join concert_reservation_transitions p \
              on p.reservation_id = t.reservation_id and p.version = t.version - 1 \
              where (t.version = 1) <> (t.from_state is null) or p.to_state <> t.from_state \
              union all select r.reservation_id, 'its history is not that of version ' || cast(r.version as text) \
              || ' in state ' || cast(r.state as text) from concert_reservations r \
              join (select reservation_id, count(*) as changes, min(version) as first, max(version) as last \
              from concert_reservation_transitions group by reservation_id) h on h.reservation_id = r.reservation_id \
              left join concert_reservation_transitions t \
              on t.reservation_id = r.reservation_id and t.version = h.last \
              where h.last <> r.version or h.changes <> h.last - h.first + 1 or t.to_state <> r.state limit 20",
    },
    Check {
        id: "S10",
        rule: "a reservation says since when and by whom it is cancelled exactly while it is; the fee is a part of its total",
        sql: "select reservation_id, 'in state ' || cast(state as text) || ' it is wrong about its cancellation' \
              from concert_reservations where (state in (4, 5)) <> (cancel_begin_time is not null) \
              or (state = 5) <> (cancel_saga_id is not null) or (state = 5) <> (cancel_time is not null) \
              or cancellation_fee < 0 or cancellation_fee > total_amount \
              or (state not in (4, 5) and cancellation_fee <> 0) limit 20",
    },
    Check {
        id: "S11",
        rule: "every reservation that was confirmed, and every one that was cancelled, is told of once",
        // Events are forgotten a week after they were published.
        sql: "select r.reservation_id, 'it is told of as confirmed ' || cast(coalesce(o.events, 0) as text) || ' times' \
              from concert_reservations r left join (select saga_id, count(*) as events from concert_outbox \
              where type = 'ticketing.reservation.confirmed.v1' group by saga_id) o on o.saga_id = r.confirm_saga_id \
              where r.confirm_saga_id is not null and coalesce(o.events, 0) <> 1 \
              and r.confirm_time > (select coalesce(max(create_time), 0) from concert_outbox) - 518400000 \
              union all select r.reservation_id, 'it is told of as cancelled ' || cast(coalesce(o.events, 0) as text) \
              || ' times' from concert_reservations r left join (select saga_id, count(*) as events from concert_outbox \
              where type = 'ticketing.reservation.cancelled.v1' group by saga_id) o on o.saga_id = r.cancel_saga_id \
              where r.cancel_saga_id is not null and coalesce(o.events, 0) <> 1 \
              and r.cancel_time > (select coalesce(max(create_time), 0) from concert_outbox) - 518400000 limit 20",
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
    /// The saga that has locked it, or else the checkout that has confirmed it.
    pub saga: Option<Uuid>,
    /// The cancellation that has locked it, or else the one that has cancelled it.
    pub cancellation: Option<Uuid>,
    /// Sum of its prices.
    pub total_amount: i64,
    /// What is kept of that, once a cancellation has begun; the rest is given back when it is CANCELLED.
    pub fee: i64,
    /// What paid it.
    pub payment: Option<Uuid>,
    /// When its seats were held.
    pub create_time: i64,
    /// The place in the waiting room that they were held from, by its name; empty when no pass was asked for. None when
    /// that was not written down yet.
    pub queue_token: Option<String>,
    /// The waiting room of its concert, if that stood before it at the hold beyond doubt.
    pub waiting_room: Option<Uuid>,
}

/// A hold takes no longer from when it looks at its concert until it is written, whichever clocks tell its time.
const HOLD_MS: i64 = 60_000;

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
            cancellation: row.get(7)?,
            fee: row.get(8)?,
            create_time: row.get(9)?,
            queue_token: row.get(10)?,
            waiting_room: row.get(11)?,
        })
    }
}

/// A page of all reservations in order of their ids, those after `after`.
///
/// # Errors
/// Of the store.
pub async fn reservations(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<ReservationFact>, db::Error> {
    let sql = "select r.reservation_id, r.customer_id, r.concert_id, r.state, \
               coalesce(r.lock_saga_id, r.confirm_saga_id), r.total_amount, r.payment_id, \
               case when r.state = 4 then r.lock_saga_id else r.cancel_saga_id end, r.cancellation_fee, \
               r.create_time, r.queue_token, \
               case when k.waiting_room_time <= r.create_time - $3 then k.waiting_room_id end \
               from concert_reservations r join concert_concerts k on k.concert_id = r.concert_id \
               where r.reservation_id > $1 order by r.reservation_id limit $2";
    tx.fetch_all(sql, args![after, limit, HOLD_MS]).await
}
