//! What the journal says of each saga, as far as it concerns anybody else's tables.

use saga::{Phase, Plan, State, StepStatus};
use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use crate::journal::{Record, decode};
use crate::plans::{Plans, cancellation};

/// How a saga stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaFact {
    /// The saga, and the resource that it stands for.
    pub id: Uuid,
    /// Which plan.
    pub kind: String,
    /// `customers/{uuid}`.
    pub customer: String,
    /// What it is about: `reservations/{uuid}`.
    pub reference: String,
    /// What it moves, once that is known: the price, the refund, the charge.
    pub amount: Option<i64>,
    /// What a cancellation keeps, once that is known.
    pub fee: i64,
    /// Where it is going, or where it ended.
    pub course: Course,
    /// When it was accepted.
    pub create_time: i64,
    /// Whether it waits for a person.
    pub is_suspended: bool,
    /// Whether its first step is known to have happened, and not known to be taken back: its lock.
    pub has_locked: bool,
    /// Whether its pivot is in doubt.
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

impl FromRow for SagaFact {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let record = decode(row)?;
        let stored: String = row.get(13)?;
        let state = record.saga.state().name();
        let differs = (stored != state).then(|| format!("the row says {stored}, its machine {state}"));
        let definition = Plans::default().of(&record);
        let plan = definition.map(|definition| definition.plan());
        let status = |index: usize| record.saga.steps().get(index).map_or(StepStatus::Pending, |step| step.status);
        let pivot = plan.and_then(Plan::pivot).map_or(StepStatus::Pending, |pivot| status(pivot.0));
        let violated = plan.and_then(|plan| saga::invariants::check(plan, &record.saga).err());
        Ok(Self {
            id: record.id,
            amount: definition.and_then(|definition| definition.amount(&record)),
            fee: fee(&record),
            create_time: record.create_time,
            is_suspended: record.saga.is_suspended(),
            course: course(&record, plan),
            has_locked: status(0) == StepStatus::Succeeded,
            pivot_in_doubt: pivot.is_in_doubt(),
            broken: violated.map(|violation| format!("{violation:?}")).or(differs),
            kind: record.kind,
            customer: record.subject,
            reference: record.reference,
        })
    }
}

fn fee(record: &Record) -> i64 {
    let begun = (record.kind == cancellation::KIND).then(|| cancellation::begun(record)).flatten();
    begun.map_or(0, |begun| begun.fee)
}

fn course(record: &Record, plan: Option<&'static Plan>) -> Course {
    match record.saga.phase() {
        // The pivot's answer counts from when it is recorded, also while the saga is suspended.
        Some(_) if plan.is_some_and(|plan| record.saga.is_past_pivot(plan)) => Course::Completing,
        Some(Phase::Completing) => Course::Completing,
        Some(Phase::Running | Phase::Arbitrating | Phase::Compensating) => Course::Open,
        None if *record.saga.state() == State::Completed => Course::Completed,
        None => Course::Compensated,
    }
}

/// Reads at most `limit` sagas after `after`, in the order of their ids.
///
/// # Errors
/// Of the store.
pub async fn sagas(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<SagaFact>, db::Error> {
    const SELECT: &str = "select id, kind, plan_version, subject, reference, request_hash, input, machine, version, epoch, \
        owner, create_time, update_time, state from orchestrator_saga where id > $1 order by id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// Since when sagas are complete: those that were accepted before may be forgotten.
///
/// # Errors
/// Of the store.
pub async fn forgotten_before(tx: &mut Tx<'_>) -> Result<i64, db::Error> {
    let found = tx.fetch_optional("select forgotten_before from orchestrator_shard where id = 1", &[]).await?;
    Ok(found.map_or(0, |(before,): (i64,)| before))
}
