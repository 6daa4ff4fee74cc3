//! Finds open sagas that nobody drives and takes them up: at the start, when another process has died or given up, and
//! when a task of this process is gone. There is no other way to resume a saga.

use std::collections::BTreeSet;
use std::sync::Arc;

use saga::{Event, Illegal};
use service_kit::crash_point;
use uuid::Uuid;

use super::drive::Start;
use super::life::Life;
use super::{Error, Intervention, Runner, Signal};
use crate::journal::{self, Adopted, Orphans, Record};
use crate::plans::Definition;

/// Sagas taken over in one go; the next go follows at once.
const ADOPTION_BATCH: usize = 256;

impl Runner {
    /// Takes over a saga that is not driven here, and has it obey.
    pub(super) async fn take_over(&self, id: Uuid, signal: Signal) -> Result<(), Error> {
        let record = self.0.parts.journal.load(id).await?.ok_or(Error::NotFound)?;
        if record.saga.is_terminal() {
            return Err(Error::Illegal(Illegal::Ended));
        }
        let Some(definition) = self.0.parts.plans.of(&record) else {
            return Err(Error::UnknownPlan { kind: record.kind, version: record.plan_version });
        };
        saga::invariants::check(definition.plan(), &record.saga).map_err(unfit)?;
        self.expect_willing(definition, &record, &signal.intervention)?;
        let life = self.0.alive()?;
        let adopted = self.0.parts.journal.adopt(life.incarnation, Orphans::One(id)).await?;
        let mut signal = Some(signal);
        for adopted in adopted {
            self.go_on(&life, adopted, signal.take()).await?;
        }
        Ok(())
    }

    /// A wish that is refused leaves no trace, so it is tried on the saga before that is taken over for it.
    fn expect_willing(
        &self,
        definition: &dyn Definition,
        record: &Record,
        intervention: &Intervention,
    ) -> Result<(), Error> {
        if intervention.expected_version.is_some_and(|version| version != record.version) {
            return Err(Error::Moved(record.version));
        }
        let (plan, at) = (definition.plan(), self.0.moment());
        let adopted = saga::decide(plan, &record.saga, &Event::Adopted, at).map_err(Error::Illegal)?;
        adopted.then(plan, &intervention.event, at).map(drop).map_err(Error::Illegal)
    }

    /// Drives own sagas whose tasks are gone: they panicked, or the acceptance was in doubt. One that was found twice in
    /// a row is certain not to be on its way into or out of its task.
    pub(super) async fn watch(&self) -> Result<(), journal::Error> {
        let life = self.0.life();
        let foreign = self.0.foreign().clone();
        let mut idle = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.0.parts.journal.owned(life.incarnation, after, ADOPTION_BATCH).await?;
            let undriven = |id: &Uuid| self.signals(*id).is_none() && !foreign.contains(id);
            idle.extend(page.iter().copied().filter(undriven));
            match page.last() {
                Some(last) if page.len() == ADOPTION_BATCH => after = Some(*last),
                _ => break,
            }
        }
        let before = std::mem::replace(&mut *self.0.suspects(), idle.clone());
        for id in idle.intersection(&before).copied().filter(|id| self.signals(*id).is_none()) {
            if self.has_failed_too_often(id) {
                self.give_up_on(life.incarnation, id).await?;
                continue;
            }
            tracing::warn!(saga.id = %id, "nobody drives this saga; taking it up again");
            for adopted in self.0.parts.journal.adopt(life.incarnation, Orphans::One(id)).await? {
                self.go_on(&life, adopted, None).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn adopt_orphans(&self) -> Result<(), journal::Error> {
        loop {
            let life = self.0.life();
            if life.is_over() {
                return Ok(());
            }
            crash_point!("adopt.before_write");
            let adopted = self.0.parts.journal.adopt(life.incarnation, Orphans::Any(ADOPTION_BATCH)).await?;
            let count = adopted.len();
            if count > 0 {
                crash_point!("adopt.after_write");
                tracing::info!(count, "took over open sagas");
            }
            for adopted in adopted {
                self.go_on(&life, adopted, None).await?;
            }
            if count < ADOPTION_BATCH {
                return Ok(());
            }
        }
    }

    async fn go_on(&self, life: &Arc<Life>, adopted: Adopted, signal: Option<Signal>) -> Result<(), journal::Error> {
        match adopted {
            Adopted::Saga(record) => match self.0.parts.plans.of(&record) {
                Some(definition) => match saga::invariants::check(definition.plan(), &record.saga) {
                    Ok(()) => self.drive(life, definition, Arc::new(*record), Start::Adopting(signal)),
                    Err(violation) => self.park_unfit(&record, &violation).await?,
                },
                None => {
                    let (kind, version) = (&record.kind, record.plan_version);
                    tracing::error!(saga.id = %record.id, kind, version, "this build does not know the saga's plan; it waits");
                    self.0.foreign().insert(record.id);
                }
            },
            Adopted::Broken { id, problem } => {
                tracing::error!(saga.id = %id, problem, "a saga's row cannot be read; it is parked until somebody mends it");
            }
        }
        Ok(())
    }
}

/// Nobody can want anything of a saga that does not fit its plan.
fn unfit(violation: saga::invariants::Violation) -> Error {
    Error::Journal(journal::Error::Corrupt(violation.to_string()))
}
