//! What must hold over this service's tables, and the facts that others compare theirs with. For verification only: it
//! reads, on a snapshot, and nothing of the service depends on it.

use std::collections::BTreeMap;

use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::verify::{Check, Finding};
use uuid::Uuid;

use crate::books::Place;
pub use crate::points::ReservationState;
use crate::store;

/// What an entry changes on the customer's account.
macro_rules! change {
    () => {
        "(case when credit_account like 'customers/%' then amount else 0 end \
         - case when debit_account like 'customers/%' then amount else 0 end)"
    };
}

/// The rules of points.
pub const CHECKS: &[Check] = &[
    Check {
        id: "P1",
        rule: "an entry moves a positive amount from one account to another",
        sql: "select customer_id, 'entry ' || sequence || ' moves ' || amount || ' from ' || debit_account \
            || ' to ' || credit_account \
            from customer_transfers where amount <= 0 or debit_account = credit_account limit 20",
    },
    Check {
        id: "P2",
        rule: "the sum over all accounts is 0",
        sql: concat!(
            "select cast(null as uuid), 'customers hold ' || held || ', the other accounts ' || others from (select \
            (select cast(coalesce(sum(posted), 0) as bigint) from customer_customers) as held, \
            (select cast(coalesce(sum(-",
            change!(),
            "), 0) as bigint) from customer_transfers) as others) as totals where held + others <> 0"
        ),
    },
    Check {
        id: "P3",
        rule: "a balance is the sum of its entries, and what is reserved is the sum of its pending reservations",
        sql: concat!(
            "select customer_id, 'posted ' || posted || ', entries ' || entered || '; reserved ' || reserved \
            || ', pending ' || pending from (select c.customer_id, c.posted, c.reserved, \
            coalesce(t.total, 0) as entered, coalesce(r.total, 0) as pending from customer_customers c \
            left join (select customer_id, cast(sum(",
            change!(),
            ") as bigint) as total from customer_transfers group by customer_id) t on t.customer_id = c.customer_id \
            left join (select customer_id, cast(sum(amount) as bigint) as total \
            from customer_point_reservations where state = 1 group by customer_id) r on r.customer_id = c.customer_id \
            ) as books where posted <> entered or reserved <> pending limit 20"
        ),
    },
    Check {
        id: "P4",
        rule: "what is available is never negative",
        sql: "select customer_id, 'posted ' || posted || ', reserved ' || reserved from customer_customers \
            where reserved < 0 or posted < reserved limit 20",
    },
    Check {
        id: "P5",
        rule: "a saga reserves once, and a captured reservation, no other, has exactly one entry of its amount",
        sql: "select saga_id, reservations || ' reservations, captured ' || captured || '; ' || uses \
            || ' entries, used ' || used from (select saga_id, customer_id, cast(sum(reservation) as bigint) \
            as reservations, cast(sum(captured) as bigint) as captured, cast(sum(entry) as bigint) as uses, \
            cast(sum(used) as bigint) as used from (select saga_id, customer_id, 1 as reservation, \
            case when state = 2 then amount else 0 end as captured, 0 as entry, 0 as used \
            from customer_point_reservations union all select saga_id, customer_id, 0, 0, 1, amount \
            from customer_transfers where kind = 2) as both_sides group by saga_id, customer_id) as sagas \
            where reservations <> 1 or captured <> used or uses > 1 limit 20",
    },
    Check {
        id: "P7",
        rule: "no entry of a chain is missing, and each one's balance follows from the one before",
        sql: concat!(
            "select customer_id, problem from (select c.customer_id, c.transfer_count || ' entries written, ' \
            || coalesce(t.entries, 0) || ' found, the last is ' || coalesce(t.newest, 0) as problem \
            from customer_customers c left join (select customer_id, count(*) as entries, max(sequence) as newest \
            from customer_transfers group by customer_id) t on t.customer_id = c.customer_id \
            where c.transfer_count <> coalesce(t.entries, 0) or c.transfer_count <> coalesce(t.newest, 0) \
            union all select customer_id, 'entry ' || sequence || ' changes ' || balance_earlier || ' by ' || change \
            || ' to ' || balance_after from (select customer_id, sequence, balance_after, ",
            change!(),
            " as change, coalesce(lag(balance_after) over (partition by customer_id order by sequence), 0) \
            as balance_earlier from customer_transfers) as chain \
            where balance_after <> balance_earlier + change) as broken limit 20"
        ),
    },
    Check {
        id: "P9",
        rule: "every entry that a saga has made on a customer's account is told of once",
        // Events are forgotten a week after they were published.
        sql: "select saga_id, entries || ' entries, told of ' || events || ' times' from (select t.saga_id, \
            count(*) as entries, coalesce(o.events, 0) as events from customer_transfers t left join (select saga_id, \
            count(*) as events from customer_outbox where type = 'ticketing.points.posted.v1' group by saga_id) o \
            on o.saga_id = t.saga_id where t.saga_id is not null \
            and (t.debit_account like 'customers/%' or t.credit_account like 'customers/%') \
            and t.create_time > (select coalesce(max(create_time), 0) from customer_outbox) - 518400000 \
            group by t.saga_id, o.events) as told where entries <> events limit 20",
    },
];

/// A rule that no single statement can judge, and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// As of a [`Check`].
    pub id: &'static str,
    /// As of a [`Check`].
    pub rule: &'static str,
    /// What breaks it, a few rows at most.
    pub findings: Vec<Finding>,
}

/// Judges the rules of the ledger that take more than a statement: that rows are only added to it, and that each entry
/// fits the hash of the one before.
///
/// # Errors
/// Of the store.
pub async fn judge(tx: &mut Tx<'_>) -> Result<Vec<Judged>, db::Error> {
    let problem = "the engine lets entries be changed and deleted".to_owned();
    let unguarded = !tx.is_append_only("customer_transfers").await?;
    let unguarded = unguarded.then_some(Finding { row: None, problem });
    let guarded = Judged { id: "P6", rule: "entries are only added", findings: unguarded.into_iter().collect() };
    let (id, rule) = ("P8", "each entry fits its hash and the one before");
    Ok(vec![guarded, Judged { id, rule, findings: broken_chains(tx).await? }])
}

/// Entries that are read at once.
const PAGE: i64 = 1_000;
/// Breaks that are told at most.
const MOST: usize = 20;

async fn broken_chains(tx: &mut Tx<'_>) -> Result<Vec<Finding>, db::Error> {
    let (mut findings, mut after) = (Vec::new(), (Uuid::nil(), 0));
    let mut place = Place::default();
    loop {
        let entries = store::ledger::entries_after(tx, after, PAGE).await?;
        let is_last = entries.len() as i64 != PAGE;
        for entry in entries {
            if entry.customer != after.0 {
                place = Place::default();
            }
            let broken = place.break_in_chain(&entry);
            findings.extend(broken.map(|problem| Finding { row: Some(entry.customer), problem }));
            (place, after) = (Place::of(&entry), (entry.customer, entry.sequence));
        }
        if is_last || findings.len() >= MOST {
            findings.truncate(MOST);
            return Ok(findings);
        }
    }
}

/// What a saga has set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointReservation {
    /// The saga.
    pub saga: Uuid,
    /// Whose points.
    pub customer: Uuid,
    /// How many.
    pub amount: i64,
    /// What became of them.
    pub state: ReservationState,
}

/// Reads at most `limit` reservations of the sagas after `after`, in the order of the sagas.
///
/// # Errors
/// Of the store.
pub async fn point_reservations(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<PointReservation>, db::Error> {
    let found = store::points::reservations(tx, after, limit).await?;
    let fact = |reservation: crate::points::Reservation| PointReservation {
        saga: reservation.key.saga,
        customer: reservation.key.customer,
        amount: reservation.amount,
        state: reservation.state,
    };
    Ok(found.into_iter().map(fact).collect())
}

/// Sums what was spent, for each account that it went to (`revenue/concerts/{uuid}`).
///
/// # Errors
/// Of the store.
pub async fn points_used(tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>, db::Error> {
    const SELECT: &str = "select credit_account, cast(sum(amount) as bigint) from customer_transfers where kind = 2 \
        group by credit_account order by credit_account";
    tx.fetch_all(SELECT, args![]).await
}

/// What the ledger booked for one concert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcertSums {
    /// `revenue/concerts/{uuid}`.
    pub account: String,
    /// Spent on it: entries USE.
    pub used: i64,
    /// Given back: entries REFUND.
    pub refunded: i64,
    /// Kept of what was given back: entries CANCELLATION_FEE. They have left the account for the fees.
    pub fees: i64,
}

impl ConcertSums {
    /// What is left on the account.
    pub fn revenue(&self) -> i64 {
        self.used - self.refunded - self.fees
    }
}

/// Sums what was booked, for each concert. With nothing under way `used` is what was captured of payments in points,
/// `refunded` what refunds gave back, and `revenue` and `fees` together what was captured and not refunded.
///
/// # Errors
/// Of the store.
pub async fn concert_sums(tx: &mut Tx<'_>) -> Result<Vec<ConcertSums>, db::Error> {
    const SELECT: &str = "select account, cast(sum(used) as bigint), cast(sum(refunded) as bigint), \
        cast(sum(fees) as bigint) from (select credit_account as account, amount as used, 0 as refunded, 0 as fees \
        from customer_transfers where kind = 2 union all select debit_account collate \"binary\", 0, \
        case when kind = 3 then amount else 0 end, case when kind = 4 then amount else 0 end \
        from customer_transfers where kind in (3, 4)) as sides group by account order by account";
    let rows: Vec<(String, i64, i64, i64)> = tx.fetch_all(SELECT, args![]).await?;
    let sums = |(account, used, refunded, fees)| ConcertSums { account, used, refunded, fees };
    Ok(rows.into_iter().map(sums).collect())
}

/// What a saga has given a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credited {
    /// What he got: entries CHARGE and REFUND.
    pub amount: i64,
    /// What was kept of it: entries CANCELLATION_FEE.
    pub fee: i64,
}

/// What sagas have given, by saga.
///
/// # Errors
/// Of the store.
pub async fn credits(tx: &mut Tx<'_>) -> Result<BTreeMap<Uuid, Credited>, db::Error> {
    const SELECT: &str = "select customer_id, sequence, saga_id, kind, amount from customer_transfers \
        where (customer_id, sequence) > ($1, $2) and saga_id is not null and kind in (1, 3, 4) \
        order by customer_id, sequence limit $3";
    let (mut credits, mut after) = (BTreeMap::<Uuid, Credited>::new(), (Uuid::nil(), 0_i64));
    loop {
        let rows: Vec<(Uuid, i64, Uuid, i64, i64)> = tx.fetch_all(SELECT, args![after.0, after.1, PAGE]).await?;
        let Some((customer, sequence, ..)) = rows.last() else { return Ok(credits) };
        after = (*customer, *sequence);
        for (_, _, saga, kind, amount) in rows {
            let credited = credits.entry(saga).or_default();
            *(if kind == 4 { &mut credited.fee } else { &mut credited.amount }) += amount;
        }
    }
}
