//! Sagas that cannot be driven: one whose task fails again and again, and one that does not fit its plan. Each is parked,
//! alone and for a person to see; the others go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use saga::{Act, Event};
use uuid::Uuid;

use super::Runner;
use super::write::Writing;
use crate::journal::{self, Adopted, Orphans, Record};
use crate::plans::Definition;

/// Times that a saga is taken up again after its task has failed. An outage of the journal is none: tasks wait for it.
const CHANCES: u32 = 4;

impl Runner {
    /// Notes that a saga's task has failed once more, and tells whether that was too often.
    pub(super) fn has_failed_too_often(&self, id: Uuid) -> bool {
        let mut failed = self.0.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = failed.entry(id).or_default();
        *times += 1;
        *times > CHANCES
    }

    /// Forgets how often a saga's task has failed.
    pub(super) fn is_well(&self, id: Uuid) {
        self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Suspends a saga of this incarnation whose task fails again and again. It is let go like any other that is suspended.
    pub(super) async fn give_up_on(&self, incarnation: Uuid, id: Uuid) -> Result<(), journal::Error> {
        let problem = "its task has failed again and again; the log tells more";
        tracing::error!(saga.id = %id, problem, "parking a saga");
        for adopted in self.0.parts.journal.adopt(incarnation, Orphans::One(id)).await? {
            let Adopted::Saga(record) = adopted else { continue };
            let suspended =
                self.0.parts.plans.of(&record).and_then(|definition| self.suspended(definition, &record, problem));
            match suspended {
                Some(writing) => self.0.parts.journal.append(writing.append).await?,
                None => drop(self.0.parts.journal.park(id, problem).await?),
            }
        }
        self.is_well(id);
        Ok(())
    }

    /// None if it is just that which fails.
    fn suspended(&self, definition: &dyn Definition, record: &Record, problem: &str) -> Option<Writing> {
        let act = Act { by: "orchestrator".into(), reason: problem.into() };
        let at = self.0.moment();
        let suspended = || {
            let decision = saga::decide(definition.plan(), &record.saga, &Event::Suspend(act), at).ok()?;
            Some(Writing::new(record, definition, decision, at, self.0.ids()))
        };
        catch_unwind(AssertUnwindSafe(suspended)).ok().flatten()
    }

    /// Parks a saga that can be read, but does not fit its plan: nothing that is decided about it could be right.
    pub(super) async fn park_unfit(
        &self,
        record: &Record,
        problem: &saga::invariants::Violation,
    ) -> Result<(), journal::Error> {
        let (id, problem) = (record.id, format!("it does not fit its plan: {problem}"));
        tracing::error!(saga.id = %id, problem, "parking a saga");
        self.0.parts.journal.park(id, &problem).await.map(drop)
    }
}
