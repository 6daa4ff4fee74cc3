//! The lives of this process as an owner of sagas. One lasts as long as its incarnation's lease is renewed; when that has
//! run out, or may have, the process stops sending, drops what it drove, and begins another life. The journal's fence makes
//! this safe; ending in time only saves work that somebody else is about to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use service_kit::clock::Stopwatch;
use service_kit::crash_point;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Runner;
use crate::journal;

/// Renewals in the time of one lease.
const RENEWALS: u32 = 3;
/// Tries of one renewal. One that hangs takes half of the time until the next, so two of three may hang.
const TRIES: u32 = 3;
/// How often a life looks whether it has ended.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// One life.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) incarnation: Uuid,
    /// Fires when it has ended.
    pub(super) lost: CancellationToken,
    watch: Stopwatch,
    /// When it ends unless it is prolonged, in milliseconds since its beginning.
    end_ms: AtomicI64,
}

impl Life {
    /// A life that begins now, before its incarnation is registered, so that it ends no later than its lease.
    fn new(incarnation: Uuid, lease: Option<Duration>) -> Self {
        let life = Self {
            incarnation,
            lost: CancellationToken::new(),
            watch: Stopwatch::start(),
            end_ms: AtomicI64::new(i64::MAX),
        };
        if let Some(lease) = lease {
            life.prolong(0, lease);
        }
        life
    }

    /// Whether nothing may be sent any more.
    pub(super) fn is_over(&self) -> bool {
        self.lost.is_cancelled() || self.watch.elapsed_ms() >= self.end_ms.load(Ordering::Relaxed)
    }

    fn prolong(&self, from_ms: i64, lease: Duration) {
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        self.end_ms.store(from_ms.saturating_add(lease_ms), Ordering::Relaxed);
    }
}

impl Runner {
    /// The first life, registered.
    pub(super) async fn born(parts: &super::Parts) -> Result<Arc<Life>, journal::Error> {
        let incarnation = parts.host.ids.next(parts.host.clock.now_ms());
        let life = Life::new(incarnation, parts.journal.lease());
        crash_point!("lease.before_register");
        parts.journal.register(incarnation).await?;
        crash_point!("lease.after_register");
        Ok(Arc::new(life))
    }

    /// Whether this orchestrator is the one that does what one of them is enough for. Not if that cannot be found out.
    pub async fn is_eldest(&self) -> bool {
        let life = self.0.life();
        let eldest = self.0.parts.journal.is_eldest(life.incarnation).await;
        let unknown =
            |error: &journal::Error| tracing::debug!(%error, "whether the chores are ours cannot be found out");
        !life.is_over() && eldest.inspect_err(unknown).unwrap_or(false)
    }

    /// Renews the lease from now on, if there is one.
    pub(super) fn stay_alive(&self) {
        let Some(lease) = self.0.parts.journal.lease() else {
            return;
        };
        let period = lease / RENEWALS;
        let host = &self.0.parts.host;
        let runner = self.clone();
        host.every(period, "renewal of the lease", move || {
            let runner = runner.clone();
            async move { runner.renew(lease, period / 2).await }
        });
        let runner = self.clone();
        host.every(LOOK_PERIOD, "end of the lease", move || {
            let runner = runner.clone();
            async move { runner.end_in_time().await }
        });
    }

    async fn renew(&self, lease: Duration, patience: Duration) -> Result<(), journal::Error> {
        let life = self.0.life();
        if life.is_over() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let asked_ms = life.watch.elapsed_ms();
            let renewal = self.0.parts.journal.renew(life.incarnation);
            crash_point!("lease.before_renew");
            let Ok(renewed) = tokio::time::timeout(patience, renewal).await else {
                tracing::warn!("the lease could not be renewed in time; trying again");
                continue;
            };
            crash_point!("lease.after_renew");
            if renewed? {
                life.prolong(asked_ms, lease);
            } else {
                life.lost.cancel();
            }
            break;
        }
        Ok(())
    }

    /// Ends a life whose lease has run out, and begins another.
    async fn end_in_time(&self) -> Result<(), journal::Error> {
        let life = self.0.life();
        if !life.is_over() {
            return Ok(());
        }
        if !life.lost.is_cancelled() {
            tracing::warn!(incarnation = %life.incarnation, "the lease has run out; what was driven here is given up");
            life.lost.cancel();
        }
        let next = Self::born(&self.0.parts).await?;
        tracing::info!(incarnation = %next.incarnation, "registered anew");
        self.0.begin(next);
        // Nobody has to wait for the old lease, should the database think that it lasts.
        self.0.parts.journal.release(life.incarnation).await
    }
}
