//! How sagas stand, as far as it concerns anybody else's tables.

use saga::{Direction, Kind, Phase, Plan, Saga, State, StepIndex, StepStatus};
use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use crate::journal::Record;
use crate::plans::{Definition, Plans, cancellation, checkout};

/// One saga.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaFact {
    /// The saga, and the resource that it stands for.
    pub id: Uuid,
    /// Which plan.
    pub kind: String,
    /// `customers/{uuid}`; empty when nobody's.
    pub customer: String,
    /// What it is about, such as `reservations/{uuid}`; may be empty.
    pub reference: String,
    /// What it moves, once that is known.
    pub amount: Option<i64>,
    /// What a cancellation keeps, once that is known.
    pub fee: Option<i64>,
    /// Where it is going, or where it ended.
    pub course: Course,
    /// When it was accepted.
    pub create_time: i64,
    /// Whether it waits for a person.
    pub is_suspended: bool,
    /// Whether its first step is known to have happened, and not known to be taken back.
    pub has_begun: bool,
    /// Whether its pivot is in doubt.
    pub pivot_in_doubt: bool,
    /// What contradicts itself within the row.
    pub broken: Option<String>,
    /// The state's name in the journal.
    pub state: &'static str,
    /// Its version.
    pub version: i64,
    /// Its owners so far.
    pub epoch: i64,
    /// Whether its history is gone, because it ended long ago.
    pub is_archived: bool,
    /// The place in the waiting room that a checkout came from: `waitingRooms/{uuid}/queueTokens/{uuid}`; may be empty.
    pub queue_token: String,
    /// Its steps, in the plan's order; none if the plan did not come with the orchestrator.
    pub steps: Vec<StepFact>,
}

/// How the journal has one step of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepFact {
    /// Its id, at the participant too.
    pub id: &'static str,
    /// Whose it is: `payment`.
    pub participant: &'static str,
    /// What it may do.
    pub kind: Kind,
    /// What is known of it.
    pub status: StepStatus,
    /// Attempts forward.
    pub forward: u32,
    /// Attempts to take it back.
    pub compensation: u32,
    /// Whether its compensation decides a pivot in doubt.
    pub is_arbiter: bool,
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
        let machine: String = row.get(6)?;
        let saga: Saga = serde_json::from_str(&machine).map_err(|error| row.corrupt(6, error.to_string()))?;
        let plan_version = u32::try_from(row.get::<i64>(2)?).map_err(|error| row.corrupt(2, error.to_string()))?;
        let record = Record {
            id: row.get(0)?,
            kind: row.get(1)?,
            plan_version,
            subject: row.get(3)?,
            reference: row.get(4)?,
            request_hash: Vec::new(),
            input: row.get(5)?,
            saga,
            version: row.get(9)?,
            epoch: row.get(10)?,
            owner: Uuid::nil(),
            create_time: row.get(8)?,
            update_time: 0,
        };
        let stored: String = row.get(7)?;
        let archive_time: Option<i64> = row.get(11)?;
        Ok(Self { is_archived: archive_time.is_some(), ..Self::of(record, &stored) })
    }
}

impl SagaFact {
    /// Plans that did not come with the orchestrator are judged by what can be seen without them.
    fn of(record: Record, stored: &str) -> Self {
        let definition = Plans::default().of(&record);
        let plan = definition.map(Definition::plan);
        let saga = &record.saga;
        let status = |step: Option<StepIndex>| step.and_then(|step| saga.steps().get(step.0)).map(|step| step.status);
        let is_cancellation = record.kind == cancellation::KIND;
        Self {
            amount: definition.and_then(|definition| definition.amount(&record)),
            fee: cancellation::begun(&record).filter(|_| is_cancellation).map(|begun| begun.fee),
            course: course(plan, saga),
            create_time: record.create_time,
            is_suspended: saga.is_suspended(),
            has_begun: status(Some(StepIndex(0))) == Some(StepStatus::Succeeded),
            pivot_in_doubt: status(plan.and_then(Plan::pivot)).is_some_and(StepStatus::is_in_doubt),
            broken: broken(plan, saga, stored),
            state: saga.state().name(),
            version: record.version,
            epoch: record.epoch,
            is_archived: false,
            queue_token: queue_token(&record),
            steps: plan.map(|plan| steps(plan, saga)).unwrap_or_default(),
            id: record.id,
            kind: record.kind,
            customer: record.subject,
            reference: record.reference,
        }
    }
}

fn queue_token(record: &Record) -> String {
    if record.kind != checkout::KIND {
        return String::new();
    }
    checkout::input(record).map(|input| input.queue_token).unwrap_or_default()
}

fn steps(plan: &Plan, saga: &Saga) -> Vec<StepFact> {
    let arbiter = plan.arbiter().map(|(step, _)| step);
    let both = plan.steps().iter().zip(saga.steps()).enumerate();
    let fact = |(index, (line, state)): (usize, (&saga::Step, &saga::StepState))| StepFact {
        id: line.id,
        participant: line.participant(),
        kind: line.kind,
        status: state.status,
        forward: state.leg(Direction::Forward).attempts,
        compensation: state.leg(Direction::Compensation).attempts,
        is_arbiter: arbiter == Some(StepIndex(index)),
    };
    both.map(fact).collect()
}

fn course(plan: Option<&Plan>, saga: &Saga) -> Course {
    match saga.phase() {
        // The pivot's answer counts from when it is recorded, also while the saga is suspended.
        Some(_) if plan.is_some_and(|plan| saga.is_past_pivot(plan)) => Course::Completing,
        Some(Phase::Completing) => Course::Completing,
        Some(Phase::Running | Phase::Arbitrating | Phase::Compensating) => Course::Open,
        None if *saga.state() == State::Completed => Course::Completed,
        None => Course::Compensated,
    }
}

fn broken(plan: Option<&Plan>, saga: &Saga, stored: &str) -> Option<String> {
    let violation = plan.and_then(|plan| saga::invariants::check(plan, saga).err());
    let differs = || {
        let name = saga.state().name();
        (stored != name).then(|| format!("the row says {stored}, its machine {name}"))
    };
    violation.map(|violation| format!("{violation:?}")).or_else(differs)
}

/// Reads at most `limit` sagas after `after`, in the order of their ids.
///
/// # Errors
/// Of the store.
pub async fn sagas(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<SagaFact>, db::Error> {
    const SELECT: &str = "select id, kind, plan_version, subject, reference, input, machine, state, create_time, \
        version, epoch, archive_time from orchestrator_saga where id > $1 order by id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// Sagas that were accepted before this may be forgotten; 0 as long as none is.
///
/// # Errors
/// Of the store.
pub async fn forgotten_before(tx: &mut Tx<'_>) -> Result<i64, db::Error> {
    let found = tx.fetch_optional("select forgotten_before from orchestrator_shard where id = 1", &[]).await?;
    Ok(found.map_or(0, |(before,): (i64,)| before))
}
