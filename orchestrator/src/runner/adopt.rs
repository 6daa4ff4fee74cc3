//! Finds open sagas that nobody drives and takes them up: at the start, when another process has died or given up, and
//! when a task of this process is gone. There is no other way to resume a saga.

use std::collections::BTreeSet;
use std::sync::Arc;

use saga::Illegal;
use uuid::Uuid;

use super::drive::Start;
use super::{Error, Runner, Signal};
use crate::journal::{self, Adopted, Orphans};
use crate::plans;

/// Sagas taken over in one go; the next go follows at once.
const ADOPTION_BATCH: usize = 256;

impl Runner {
    /// Takes over a saga that is not driven here, and has it obey.
    pub(super) async fn take_over(&self, id: Uuid, signal: Signal) -> Result<(), Error> {
        let record = self.0.parts.journal.load(id).await?.ok_or(Error::NotFound)?;
        if record.saga.is_terminal() {
            return Err(Error::Illegal(Illegal::Ended));
        }
        let adopted = self.0.parts.journal.adopt(self.0.incarnation, Orphans::One(id)).await?;
        let mut signal = Some(signal);
        adopted.into_iter().for_each(|adopted| self.go_on(adopted, signal.take()));
        Ok(())
    }

    /// Drives own sagas whose tasks are gone: they panicked, or the acceptance was in doubt. One that was found twice in
    /// a row is certain not to be on its way into or out of its task.
    pub(super) async fn watch(&self) -> Result<(), journal::Error> {
        let mut idle = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.0.parts.journal.owned(self.0.incarnation, after, ADOPTION_BATCH).await?;
            idle.extend(page.iter().copied().filter(|id| self.signals(*id).is_none()));
            match page.last() {
                Some(last) if page.len() == ADOPTION_BATCH => after = Some(*last),
                _ => break,
            }
        }
        let before = std::mem::replace(&mut *self.0.suspects(), idle.clone());
        for id in idle.intersection(&before).copied().filter(|id| self.signals(*id).is_none()) {
            tracing::warn!(saga.id = %id, "nobody drives this saga; taking it up again");
            for adopted in self.0.parts.journal.adopt(self.0.incarnation, Orphans::One(id)).await? {
                self.go_on(adopted, None);
            }
        }
        Ok(())
    }

    pub(super) async fn adopt_orphans(&self) -> Result<(), journal::Error> {
        loop {
            let adopted = self.0.parts.journal.adopt(self.0.incarnation, Orphans::Any(ADOPTION_BATCH)).await?;
            let count = adopted.len();
            if count > 0 {
                tracing::info!(count, "took over open sagas");
            }
            adopted.into_iter().for_each(|adopted| self.go_on(adopted, None));
            if count < ADOPTION_BATCH {
                return Ok(());
            }
        }
    }

    fn go_on(&self, adopted: Adopted, signal: Option<Signal>) {
        match adopted {
            Adopted::Saga(record) => match plans::find(&record.kind, record.plan_version) {
                Some(definition) => self.drive(definition, Arc::new(*record), Start::Adopting(signal)),
                None => {
                    let (kind, version) = (&record.kind, record.plan_version);
                    tracing::error!(saga.id = %record.id, kind, version, "this build does not know the saga's plan");
                }
            },
            Adopted::Broken { id, problem } => {
                tracing::error!(saga.id = %id, problem, "a saga's row cannot be read; it is parked until somebody mends it");
            }
        }
    }
}
