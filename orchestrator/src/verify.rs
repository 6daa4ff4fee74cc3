//! What must hold over the journal's tables, and the facts that the participants' are compared with. For verification
//! only: it reads, on a snapshot, and nothing of the orchestrator depends on it.

use saga::{Phase, Saga, State, StepStatus};
use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::verify::Check;
use uuid::Uuid;

use crate::plans::{self, checkout};

/// The rules of the journal.
pub const CHECKS: &[Check] = &[
    Check {
        id: "J1",
        rule: "until it is archived, a saga's history has an entry for every write, and none beyond",
        sql: "select id, 'version ' || version || ', history up to ' || coalesce(last, 0) || ' with ' \
            || coalesce(versions, 0) || ' writes' from (select s.id, s.version, max(e.version) as last, \
            count(distinct e.version) as versions from orchestrator_saga s left join orchestrator_saga_event e \
            on e.bucket = s.bucket and e.saga_id = s.id where s.archive_time is null \
            group by s.bucket, s.id, s.version) as books \
            where version <> coalesce(last, 0) or version <> coalesce(versions, 0) limit 20",
    },
    Check {
        id: "J2",
        rule: "epochs never go back",
        sql: "select saga_id, 'version ' || version || ' has epoch ' || epoch || ' after ' || earlier from (select \
            saga_id, version, epoch, lag(epoch) over (partition by bucket, saga_id order by version, position) as earlier \
            from orchestrator_saga_event) as history where epoch < earlier limit 20",
    },
    Check {
        id: "J3",
        rule: "no step goes forward once the saga compensates",
        sql: "select e.saga_id, 'step ' || e.step || ' was sent at version ' || e.version from orchestrator_saga_event e \
            join orchestrator_saga s on s.bucket = e.bucket and s.id = e.saga_id \
            where s.state = 'compensated' and e.kind = 'intended' and e.direction = 'forward' and exists (select 1 \
            from orchestrator_saga_event c where c.bucket = e.bucket and c.saga_id = e.saga_id \
            and c.kind = 'intended' and c.direction = 'compensation' and c.version < e.version) limit 20",
    },
    Check {
        id: "X8",
        rule: "every ended saga has exactly one event, every open one none",
        sql: "select id, state || ', ' || events || ' events' from (select s.id, s.state, s.end_time, \
            count(o.id) as events from orchestrator_saga s left join orchestrator_outbox o on o.bucket = s.bucket \
            and o.saga_id = s.id and o.type not in ('ticketing.saga.suspended.v1', 'ticketing.saga.resumed.v1') group by s.bucket, s.id, s.state, \
            s.end_time) as books where events <> case when end_time is null then 0 else 1 end \
            and not (events = 0 and end_time < (select max(create_time) from orchestrator_saga) - 518400000) limit 20",
    },
    Check {
        id: "J4",
        rule: "a bulk operation counts what became of the sagas that it found",
        sql: "select id, 'counts ' || matched || ', ' || applied || ', ' || refused || ' instead of ' || found || ', ' \
            || done || ', ' || denied from (select b.id, b.matched, b.applied, b.refused, count(i.saga_id) as found, \
            count(case when i.state = 'applied' then 1 end) as done, \
            count(case when i.state = 'refused' then 1 end) as denied from orchestrator_bulk b \
            left join orchestrator_bulk_item i on i.bucket = b.bucket and i.bulk_id = b.id \
            group by b.bucket, b.id, b.matched, b.applied, b.refused) as books \
            where matched <> found or applied <> done or refused <> denied limit 20",
    },
];

/// How a checkout stands, as far as it concerns anybody else's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutFact {
    /// The saga, and the checkout.
    pub id: Uuid,
    /// `customers/{uuid}`.
    pub customer: String,
    /// `reservations/{uuid}`.
    pub reservation: String,
    /// What is to be paid, once that is known.
    pub amount: Option<i64>,
    /// Where it is going, or where it ended.
    pub course: Course,
    /// Whether its lock is known to be taken, and not known to be given back.
    pub has_locked: bool,
    /// Whether its confirmation is in doubt.
    pub pivot_in_doubt: bool,
    /// What contradicts itself within the row.
    pub broken: Option<String>,
}

/// Where a saga is going, or where it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Undecided, or turning back.
    Open,
    /// Past the pivot, with work left.
    Completing,
    /// All done.
    Completed,
    /// Nothing left.
    Compensated,
}

impl FromRow for CheckoutFact {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let machine: String = row.get(1)?;
        let saga: Saga = serde_json::from_str(&machine).map_err(|error| row.corrupt(1, error.to_string()))?;
        let lock = saga.steps().first().map_or(StepStatus::Pending, |step| step.status);
        let pivot = saga.steps().get(checkout::PIVOT.0).map_or(StepStatus::Pending, |step| step.status);
        let course = match saga.phase() {
            // The pivot's answer counts from when it is recorded, also while the saga is suspended.
            Some(_) if saga.is_past_pivot(&checkout::PLAN) => Course::Completing,
            Some(Phase::Completing) => Course::Completing,
            Some(Phase::Running | Phase::Arbitrating | Phase::Compensating) => Course::Open,
            None if *saga.state() == State::Completed => Course::Completed,
            None => Course::Compensated,
        };
        let stored: String = row.get(4)?;
        let invariants =
            saga::invariants::check(&checkout::PLAN, &saga).err().map(|violation| format!("{violation:?}"));
        let state = (stored != saga.state().name())
            .then(|| format!("the row says {stored}, its machine {}", saga.state().name()));
        Ok(Self {
            id: row.get(0)?,
            customer: row.get(2)?,
            reservation: row.get(3)?,
            amount: checkout::amount(&saga),
            course,
            has_locked: lock == StepStatus::Succeeded,
            pivot_in_doubt: pivot.is_in_doubt(),
            broken: invariants.or(state),
        })
    }
}

/// Reads at most `limit` checkouts after `after`, in the order of their ids.
///
/// # Errors
/// Of the store.
pub async fn checkouts(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<CheckoutFact>, db::Error> {
    const SELECT: &str = "select id, machine, subject, reference, state from orchestrator_saga \
        where id > $1 and kind = $3 order by id limit $2";
    tx.fetch_all(SELECT, args![after, limit, plans::checkout::KIND]).await
}
