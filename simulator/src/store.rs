//! The journal's store, as the journal over SQL promises to behave: one place that all replicas share and that never
//! forgets. It watches its own rules: whatever is written must follow from what was there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator::journal::{Accepted, Adopted, Append, Error, Orphans, Record};
use orchestrator::plans::Plans;
use saga::{Direction, Fact, State};
use service_kit::{db, outbox};
use uuid::Uuid;

use crate::dice::number;
use crate::mutants::Mutant;
use crate::surgery;
use crate::world::World;

/// One saga's row, and all that it ever was.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) record: Arc<Record>,
    pub(crate) past: Vec<Version>,
    pub(crate) events: Vec<outbox::Event>,
}

/// What a row was from some moment on.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) since_ms: i64,
    pub(crate) record: Arc<Record>,
}

#[derive(Debug)]
pub(crate) struct Store {
    world: Arc<World>,
    plans: Plans,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// Incarnations, and when their leases run out.
    leases: BTreeMap<Uuid, i64>,
    rows: BTreeMap<Uuid, Row>,
}

const LEASE_MS: i64 = orchestrator::journal::LEASE.as_millis() as i64;

impl Store {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, plans: Plans::default(), tables: Mutex::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at all rows, by their ids.
    pub(crate) fn each(&self, mut look: impl FnMut(&Row)) {
        self.tables().rows.values().for_each(&mut look);
    }

    pub(crate) fn register(&self, incarnation: Uuid, now_ms: i64) {
        self.tables().leases.insert(incarnation, now_ms + LEASE_MS);
    }

    pub(crate) fn renew(&self, incarnation: Uuid, now_ms: i64) -> bool {
        let mut tables = self.tables();
        let lease = tables.leases.get_mut(&incarnation).filter(|lease| **lease > now_ms);
        lease.map(|lease| *lease = now_ms + LEASE_MS).is_some()
    }

    pub(crate) fn release(&self, incarnation: Uuid) {
        self.tables().leases.remove(&incarnation);
    }

    pub(crate) fn accept(&self, first: Append) -> Accepted {
        let id = first.next.id;
        let mut tables = self.tables();
        if let Some(row) = tables.rows.get(&id) {
            return Accepted::Existing(Box::new(Record::clone(&row.record)));
        }
        if first.next.version != 1 || first.next.epoch != 1 {
            self.world.violated(format!("saga {id} begins at version {}", first.next.version));
        }
        let row = Row { record: first.next.clone(), past: Vec::new(), events: Vec::new() };
        tables.rows.insert(id, row);
        self.land(&mut tables, first);
        Accepted::New
    }

    pub(crate) fn append(&self, append: Append) -> Result<(), Error> {
        let mut append = append;
        let mut tables = self.tables();
        let stored = &tables.rows.get(&append.next.id).ok_or(Error::Fenced)?.record;
        if stored.version != append.next.version - 1 || stored.epoch != append.next.epoch || !stored.saga.is_open() {
            if !self.world.is(Mutant::NoFence) || !stored.saga.is_open() {
                return Err(Error::Fenced);
            }
            let mut next = Record::clone(&append.next);
            (next.version, next.epoch, next.owner) = (stored.version + 1, stored.epoch, stored.owner);
            append.next = Arc::new(next);
        }
        self.land(&mut tables, append);
        Ok(())
    }

    pub(crate) fn adopt(&self, owner: Uuid, orphans: Orphans, now_ms: i64) -> Vec<Adopted> {
        let mut tables = self.tables();
        let found: Vec<Arc<Record>> = {
            let lives = |owner: &Uuid| tables.leases.get(owner).is_some_and(|lease| *lease > now_ms);
            let open = tables.rows.values().map(|row| &row.record).filter(|record| record.saga.is_open());
            match orphans {
                Orphans::One(id) => open.filter(|record| record.id == id).cloned().collect(),
                Orphans::Any(limit) => {
                    let mut found: Vec<_> =
                        open.filter(|record| record.owner != owner && !lives(&record.owner)).cloned().collect();
                    found.sort_unstable_by_key(|record| (record.owner, record.id));
                    found.truncate(limit);
                    found
                }
            }
        };
        let mut adopted = Vec::new();
        for record in found {
            let mut record = Record::clone(&record);
            record.owner = owner;
            record.epoch += 1;
            if self.world.is(Mutant::RecoveryForgets) && record.saga.deadline_ms() < now_ms {
                surgery::forget_what_was_in_flight(&mut record.saga);
            }
            let id = number(record.id);
            self.world.note(&[2, id, record.epoch as u64], || format!("{:x} adopted, epoch {}", id, record.epoch));
            if let Some(row) = tables.rows.get_mut(&record.id) {
                row.record = Arc::new(record.clone());
            }
            adopted.push(Adopted::Saga(Box::new(record)));
        }
        adopted
    }

    pub(crate) fn load(&self, id: Uuid) -> Option<Record> {
        self.tables().rows.get(&id).map(|row| Record::clone(&row.record))
    }

    /// As it stood so long ago.
    pub(crate) fn load_as_of(&self, id: Uuid, ago_ms: i64) -> Option<Record> {
        let then_ms = self.world.now_ms() - ago_ms;
        let tables = self.tables();
        let past = &tables.rows.get(&id)?.past;
        past.iter().rev().find(|version| version.since_ms <= then_ms).map(|version| Record::clone(&version.record))
    }

    pub(crate) fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Vec<Uuid> {
        let tables = self.tables();
        let owned = tables.rows.values().map(|row| &row.record).filter(|record| {
            record.owner == owner
                && record.saga.is_open()
                && !record.saga.is_suspended()
                && after.is_none_or(|after| record.id > after)
        });
        owned.take(limit).map(|record| record.id).collect()
    }

    /// Whether it is written down that a step is, or was, to be sent that way.
    pub(crate) fn intends(&self, id: Uuid, step: &str, direction: Direction) -> bool {
        let tables = self.tables();
        let Some(row) = tables.rows.get(&id) else { return false };
        let Some(plan) = self.plans.plan_of(&row.record) else { return false };
        let place = plan.steps().iter().position(|line| line.id == step);
        place.and_then(|place| row.record.saga.steps().get(place)).is_some_and(|step| step.leg(direction).attempts > 0)
    }

    /// Takes a saga that was turning back for one that goes forward, as a mistaken operator might.
    pub(crate) fn turn_forward(&self, id: Uuid) {
        if let Some(row) = self.tables().rows.get_mut(&id) {
            let mut record = Record::clone(&row.record);
            if surgery::turn_forward(&mut record.saga, self.world.now_ms()) {
                row.record = Arc::new(record);
            }
        }
    }

    fn land(&self, tables: &mut Tables, append: Append) {
        let Append { next, facts, events, .. } = append;
        let Some(row) = tables.rows.get_mut(&next.id) else { return };
        if !row.past.is_empty() {
            self.check_step(&row.record, &next);
        }
        if let Some(plan) = self.plans.plan_of(&next)
            && let Err(broken) = saga::invariants::check(plan, &next.saga)
        {
            self.world.violated(format!("saga {}: {broken}", next.id));
        }
        let (id, state) = (number(next.id), next.saga.state().name());
        self.world.note(&[1, id, next.version as u64, next.epoch as u64, crate::dice::word(state)], || {
            format!("{id:x} version {} epoch {} {state}: {}", next.version, next.epoch, told(&facts))
        });
        row.record = next.clone();
        row.past.push(Version { since_ms: self.world.now_ms(), record: next });
        row.events.extend(events);
    }

    fn check_step(&self, before: &Record, after: &Record) {
        let is_same = (before.id, &before.kind, &before.request_hash, &before.input, before.create_time)
            == (after.id, &after.kind, &after.request_hash, &after.input, after.create_time);
        let rules = [
            (after.version == before.version + 1, "versions have no gap"),
            (after.epoch >= before.epoch, "epochs never go back"),
            (before.saga.is_open(), "what has ended never changes"),
            (is_same, "what a saga is never changes"),
            (after.update_time >= before.update_time, "the times of a saga do not go back"),
            (!turns_round(before.saga.state(), after.saga.state()), "a saga that turned does not turn again"),
        ];
        for (_, rule) in rules.iter().filter(|(holds, _)| !holds) {
            if !self.world.is(Mutant::ResumeForward) {
                self.world.violated(format!("saga {} version {}: {rule}", after.id, after.version));
            }
        }
    }
}

/// Whether the direction that was decided changes.
fn turns_round(before: &State, after: &State) -> bool {
    let goes_back = |state: &State| matches!(state, State::Compensating | State::Compensated);
    let goes_on = |state: &State| matches!(state, State::Completing | State::Completed);
    (goes_back(before) && goes_on(after)) || (goes_on(before) && goes_back(after))
}

/// What happened, for people.
fn told(facts: &[Fact]) -> String {
    let told = facts.iter().map(|fact| match fact {
        Fact::Intended(call) => format!("send {:?} {} #{}", call.direction, call.step.0, call.attempt),
        Fact::Answered { call, class, .. } => {
            format!("{:?} {} #{} {class:?}", call.direction, call.step.0, call.attempt)
        }
        Fact::Turned { to, .. } => format!("turn {}", to.name()),
        Fact::Intervened { verb, .. } => format!("{verb:?}"),
        Fact::Started
        | Fact::Skipped(_)
        | Fact::Abandoned(_)
        | Fact::Adopted
        | Fact::Resolved { .. }
        | Fact::Alarm(_) => fact.name().to_owned(),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The journal does not answer.
pub(crate) fn unavailable() -> Error {
    Error::Store(db::Error::Unavailable("simulated".into()))
}

/// The journal did not answer in time.
pub(crate) fn in_doubt() -> Error {
    Error::Store(db::Error::InDoubt("simulated".into()))
}

#[cfg(test)]
mod tests;
