//! Reads the books when all is over, and says which promises were broken. It knows the plans, what the journal holds, what
//! the participants did, and what customers were told; it knows nothing of how any of it came about.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator::plans::Plans;
use saga::{Kind, State, StepStatus};
use service_kit::args;
use service_kit::db::{self, Db, Tx};
use uuid::Uuid;

use crate::clients::Answers;
use crate::run::{POINTS, Report};
use crate::store::{Row, Store};
use crate::world::World;

mod history;

/// How often a step happened and was taken back.
type Effects = BTreeMap<(Uuid, String), (u64, u64)>;

/// Checks everything, and counts what there was.
pub(crate) async fn judge(
    (world, db): (&World, &Db),
    store: &Store,
    answers: &Answers,
    report: &mut Report,
) -> Result<(), db::Error> {
    let effects = effects(db).await?;
    let plans = Plans::default();
    let mut known = BTreeSet::new();
    let mut event_ids = BTreeSet::new();
    let (mut sold, mut points) = (0, 0);
    store.each(|row| {
        known.insert(row.record.id);
        report.sagas += 1;
        report.completed += u64::from(*row.record.saga.state() == State::Completed);
        report.compensated += u64::from(*row.record.saga.state() == State::Compensated);
        check_saga(world, &plans, row, &effects);
        for event in &row.events {
            if !event_ids.insert(event.id) {
                world.violated(format!("saga {}: two events have one id", row.record.id));
            }
        }
        if *row.record.saga.state() == State::Completed {
            let (seats, moved) = moved(&row.record.kind);
            sold += seats;
            points += moved;
        }
    });
    for (saga, step) in effects.keys() {
        if !known.contains(saga) {
            world.violated(format!("saga {saga}: {step} happened, and nobody knows the saga"));
        }
    }
    history::check(world, store, answers.all());
    check_books(world, db, (sold, points)).await?;
    check_barrier(world, db, store).await
}

/// Seats that a completed saga sells, and points that it brings.
fn moved(kind: &str) -> (i64, i64) {
    use crate::books::{FEE, PRICE};
    match kind {
        "checkout" => (1, -PRICE),
        "cancellation" => (-1, PRICE - FEE),
        "pointCharge" => (0, crate::clients::CHARGE),
        _ => (0, 0),
    }
}

async fn effects(db: &Db) -> Result<Effects, db::Error> {
    const ALL: &str = "select saga_id, step, undo from sim_ledger";
    let rows: Vec<(Uuid, String, i64)> = db.read(async move |tx: &mut Tx<'_>| tx.fetch_all(ALL, args![]).await).await?;
    let mut effects = Effects::new();
    for (saga, step, undo) in rows {
        let (done, undone) = effects.entry((saga, step)).or_default();
        *if undo == 0 { done } else { undone } += 1;
    }
    Ok(effects)
}

/// All or nothing, each effect once, and one event of the end.
fn check_saga(world: &World, plans: &Plans, row: &Row, effects: &Effects) {
    let (record, saga) = (&row.record, &row.record.saga);
    let Some(plan) = plans.plan_of(record) else { return };
    let completed = match saga.state() {
        State::Completed => true,
        State::Compensated => false,
        State::Running | State::Completing | State::Arbitrating | State::Compensating | State::Suspended(_) => return,
    };
    for (line, step) in plan.steps().iter().zip(saga.steps()) {
        let found = effects.get(&(record.id, line.id.to_owned())).copied().unwrap_or_default();
        let is_right = match (completed, line.kind) {
            (true, _) => found == (u64::from(step.status != StepStatus::Skipped), 0),
            (false, Kind::Compensatable) => found == (0, 0) || found == (1, 1),
            (false, Kind::Pivot | Kind::Retriable) => found == (0, 0),
        };
        if !is_right {
            let (done, undone) = found;
            let state = saga.state().name();
            world.violated(format!(
                "saga {} is {state}: {} happened {done} times and was taken back {undone} times",
                record.id, line.id
            ));
        }
    }
    let told = |what: &str| row.events.iter().filter(|event| event.kind.ends_with(what)).count();
    let expected = if completed { (1, 0) } else { (0, 1) };
    if (told(".completed.v1"), told(".failed.v1")) != expected {
        world.violated(format!("saga {} does not announce its end once", record.id));
    }
}

/// Points and seats are what the completed sagas made of them, and nothing is set aside any more.
async fn check_books(world: &World, db: &Db, (sold, points): (i64, i64)) -> Result<(), db::Error> {
    const SUMS: &str = "select coalesce(sum(balance), 0), coalesce(sum(reserved), 0), coalesce(min(balance), 0) \
         from sim_account";
    const SEATS: &str = "select coalesce(sum(case when state = 2 then 1 else 0 end), 0), \
         coalesce(sum(case when state = 1 or state = 3 then 1 else 0 end), 0) from sim_seat";
    let look = async move |tx: &mut Tx<'_>| {
        let sums: (i64, i64, i64) = tx.fetch_one(SUMS, args![]).await?;
        let seats: (i64, i64) = tx.fetch_one(SEATS, args![]).await?;
        Ok::<_, db::Error>((sums, seats))
    };
    let ((balance, reserved, least), (taken, locked)) = db.read(look).await?;
    if !world.violations().is_empty() {
        return Ok(());
    }
    let rules = [
        (balance == POINTS * world.swarm.accounts as i64 + points, "points are neither made nor lost"),
        (reserved == 0, "no points stay set aside"),
        (least >= 0, "no account is below zero"),
        (taken == sold, "a seat is sold to one completed checkout"),
        (locked == 0, "no seat stays locked"),
    ];
    for (_, rule) in rules.iter().filter(|(holds, _)| !holds) {
        world.violated(format!(
            "{rule}: {balance} points, {reserved} set aside, {taken} sold for {sold}, {locked} locked"
        ));
    }
    Ok(())
}

/// The barrier and the journal tell the same story.
async fn check_barrier(world: &World, db: &Db, store: &Store) -> Result<(), db::Error> {
    const ALL: &str = "select saga_id, step, state from sim_saga_op";
    let rows: Vec<(Uuid, String, i64)> = db.read(async move |tx: &mut Tx<'_>| tx.fetch_all(ALL, args![]).await).await?;
    let mut ends = BTreeMap::new();
    store.each(|row| {
        ends.insert(row.record.id, crate::clients::ended(&row.record));
    });
    for (saga, step, state) in rows {
        // 1 applied, 5 in progress
        let is_right = match ends.get(&saga).copied().flatten() {
            Some(true) => state == 1,
            Some(false) => state != 1 && state != 5,
            None => true,
        };
        if !is_right {
            world.violated(format!("saga {saga}: the barrier holds {step} in state {state}"));
        }
    }
    Ok(())
}
