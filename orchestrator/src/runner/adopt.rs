//! Finds open sagas that nobody drives and takes them up: at the start, when another process has died or given up, and
//! when a task of this process is gone. There is no other way to resume a saga.

use std::sync::Arc;

use saga::Illegal;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::drive::Start;
use super::{Error, Runner, Signal};
use crate::journal::{self, Adopted, Orphans};
use crate::plans;

/// Sagas taken over in one go; the next go follows at once.
const ADOPTION_BATCH: usize = 256;

impl Runner {
    /// Takes over one saga that is not driven here.
    pub(super) async fn take_over(&self, id: Uuid) -> Result<mpsc::Sender<Signal>, Error> {
        let record = self
            .0
            .parts
            .journal
            .load(id)
            .await?
            .ok_or(Error::NotFound)?;
        if record.saga.is_terminal() {
            return Err(Error::Illegal(Illegal::Ended));
        }
        for adopted in self
            .0
            .parts
            .journal
            .adopt(self.0.incarnation, Orphans::One(id))
            .await?
        {
            self.go_on(adopted);
        }
        self.signals(id).ok_or(Error::Illegal(Illegal::Ended))
    }

    /// One round of the watch: sagas of dead incarnations, then own ones that no task drives.
    pub(super) async fn look_for_work(&self) -> Result<(), journal::Error> {
        self.adopt_orphans().await?;
        let mut after = None;
        loop {
            let page = self
                .0
                .parts
                .journal
                .owned(self.0.incarnation, after, ADOPTION_BATCH)
                .await?;
            for id in page
                .iter()
                .copied()
                .filter(|id| self.signals(*id).is_none())
            {
                self.rescue(id).await?;
            }
            match page.last() {
                Some(last) if page.len() == ADOPTION_BATCH => after = Some(*last),
                _ => return Ok(()),
            }
        }
    }

    /// Drives an own saga whose task is gone: it panicked, or its acceptance was in doubt.
    async fn rescue(&self, id: Uuid) -> Result<(), journal::Error> {
        // It may have ended, or begun, since the page was read.
        let still_open = self
            .0
            .parts
            .journal
            .load(id)
            .await?
            .is_some_and(|record| record.saga.is_open());
        if still_open && self.signals(id).is_none() {
            tracing::warn!(saga.id = %id, "nobody drives this saga; taking it up again");
            for adopted in self
                .0
                .parts
                .journal
                .adopt(self.0.incarnation, Orphans::One(id))
                .await?
            {
                self.go_on(adopted);
            }
        }
        Ok(())
    }

    pub(super) async fn adopt_orphans(&self) -> Result<(), journal::Error> {
        loop {
            let adopted = self
                .0
                .parts
                .journal
                .adopt(self.0.incarnation, Orphans::Any(ADOPTION_BATCH))
                .await?;
            let count = adopted.len();
            if count > 0 {
                tracing::info!(count, "took over open sagas");
            }
            adopted.into_iter().for_each(|adopted| self.go_on(adopted));
            if count < ADOPTION_BATCH {
                return Ok(());
            }
        }
    }

    fn go_on(&self, adopted: Adopted) {
        match adopted {
            Adopted::Saga(record) => match plans::find(&record.kind, record.plan_version) {
                Some(definition) => self.drive(definition, Arc::new(*record), Start::Adopting),
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
