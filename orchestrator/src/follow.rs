//! Waiting for a saga to get somewhere. The journal's hints tell at once what happens in this process; a look at the
//! journal every half second finds what happened in another one, or what a hint missed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::journal::{Journal, Record};

/// How often the journal is looked at: what another process wrote is seen within a second, even if its hint was lost.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// Follows one saga.
#[derive(Debug)]
pub(crate) struct Follow {
    journal: Arc<dyn Journal>,
    id: Uuid,
    hints: watch::Receiver<Option<Arc<Record>>>,
}

impl Follow {
    /// Begins to follow. Whoever does so before he looks at the saga misses nothing.
    pub(crate) fn new(journal: &Arc<dyn Journal>, id: Uuid) -> Self {
        Self { journal: journal.clone(), id, hints: journal.watch(id) }
    }

    /// The last hint.
    pub(crate) fn hint(&self) -> Option<Arc<Record>> {
        self.hints.borrow().clone()
    }

    /// Waits until the saga is as wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Record) -> bool) -> Arc<Record> {
        loop {
            let hinted = hinted(&mut self.hints, &wanted);
            if let Ok(record) = tokio::time::timeout(LOOK_PERIOD, hinted).await {
                return record;
            }
            match self.journal.load(self.id).await {
                Ok(Some(record)) if wanted(&record) => return Arc::new(record),
                Ok(_) => {}
                Err(error) => tracing::debug!(saga.id = %self.id, %error, "a followed saga could not be looked at"),
            }
        }
    }

    /// `first` and each newer version that is seen, until the saga has ended or `stop` fires.
    pub(crate) fn versions(
        self,
        first: Arc<Record>,
        stop: CancellationToken,
    ) -> impl Stream<Item = Arc<Record>> + Send + 'static {
        let later = stream::unfold((self, first.clone()), move |(mut follow, last)| {
            let stop = stop.clone();
            async move {
                if last.saga.is_terminal() {
                    return None;
                }
                let newer = follow.until(|record| record.version > last.version);
                let next = stop.run_until_cancelled(newer).await?;
                Some((next.clone(), (follow, next)))
            }
        });
        stream::once(std::future::ready(first)).chain(later)
    }
}

async fn hinted(hints: &mut watch::Receiver<Option<Arc<Record>>>, wanted: impl Fn(&Record) -> bool) -> Arc<Record> {
    let hint = hints.wait_for(|hint| hint.as_deref().is_some_and(&wanted)).await;
    match hint.ok().and_then(|hint| hint.clone()) {
        Some(record) => record,
        // Nobody gives hints any more.
        None => std::future::pending().await,
    }
}
