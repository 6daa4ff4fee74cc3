//! Group commit of the journal. On a database behind a network the writes of all sagas go through one task: it takes what
//! has queued, at most one a saga, writes it in two round trips and one commit, and then answers all. On a file the
//! engine's own writer does as much for everybody, and a write is handed to it as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use service_kit::crash_point;
use service_kit::db::{self, Db, Tx};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::super::hub::Hub;
use super::row::Write;
use super::word::Word;
use crate::journal::Error;

/// Writes that may wait; callers beyond that wait for a place.
const QUEUE: usize = 4096;
/// Writes in one commit: beyond that, sharing it saves nothing more.
const BATCH: usize = 128;

/// A write, and who waits to hear whether it has landed.
#[derive(Debug)]
pub(super) struct Waiting {
    write: Arc<Write>,
    answer: oneshot::Sender<Result<bool, Error>>,
}

#[derive(Debug)]
pub(super) enum Group {
    /// The engine groups, and answers ahead of its commits if it may.
    Engine { db: Db, hub: Arc<Hub>, is_ahead: bool },
    /// A task of this journal groups; it ends with the journal.
    Task(mpsc::Sender<Waiting>),
}

impl Group {
    /// What is written is shown to those who follow it in `hub`; other replicas hear of it through `word`.
    pub(super) fn new(db: &Db, word: Word, hub: &Arc<Hub>) -> Self {
        if db.is_exclusive() {
            return Self::Engine { db: db.clone(), hub: hub.clone(), is_ahead: false };
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        TaskTracker::new().spawn(run(db.clone(), (word, hub.clone()), waiting));
        Self::Task(queue)
    }

    /// The same, that answers ahead of commits where the engine can.
    pub(super) fn ahead(self) -> Self {
        match self {
            Self::Engine { db, hub, .. } => Self::Engine { db, hub, is_ahead: true },
            Self::Task(queue) => Self::Task(queue),
        }
    }

    /// Tells whether the write has landed: not, if its saga stood otherwise than the write expects.
    pub(super) async fn write(&self, write: Write) -> Result<bool, Error> {
        let write = Arc::new(write);
        let queue = match self {
            Self::Engine { db, hub, is_ahead: true } => return db.ahead(alone(db, hub, write)).await,
            Self::Engine { db, hub, is_ahead: false } => return alone(db, hub, write).await,
            Self::Task(queue) => queue,
        };
        let stopped = |_| Error::Store(db::Error::Unavailable("the journal is stopping".into()));
        let (answer, answered) = oneshot::channel();
        queue.send(Waiting { write, answer }).await.map_err(|_| stopped(()))?;
        let lost = |_| Err(Error::Store(db::Error::InDoubt("the journal stopped before it answered".into())));
        answered.await.unwrap_or_else(lost)
    }
}

async fn run(db: Db, followers: (Word, Arc<Hub>), mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && queue.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        while waiting.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            waiting.push(next);
        }
        let mut sagas = BTreeSet::new();
        let (batch, later) = waiting.into_iter().partition(|waiting| sagas.insert(waiting.write.id()));
        waiting = later;
        commit(&db, &followers, batch).await;
    }
}

async fn commit(db: &Db, (word, hub): &(Word, Arc<Hub>), batch: Vec<Waiting>) {
    let writes: Arc<[_]> = batch.iter().map(|waiting| waiting.write.clone()).collect();
    let shown = hub.clone();
    match db.write(async move |tx| land(tx, &shown, &writes).await).await {
        Ok(landed) => {
            let sagas: Vec<_> =
                batch.iter().zip(&landed).filter(|(_, landed)| **landed).map(|(it, _)| it.write.id()).collect();
            word.written(&sagas);
            for (waiting, landed) in batch.into_iter().zip(landed) {
                tell(waiting.answer, Ok(landed));
            }
        }
        // Each of them may have landed.
        Err(Error::Store(error @ db::Error::InDoubt(_))) => {
            batch.into_iter().for_each(|waiting| tell(waiting.answer, Err(Error::Store(error.clone()))));
        }
        // None has, and only the culprit shall suffer.
        Err(error) => {
            if batch.len() > 1 {
                tracing::warn!(%error, writes = batch.len(), "a batch of writes was taken back; writing them one by one");
            }
            one_by_one(db, hub, batch).await;
        }
    }
}

/// Two in a row that the database could not take mean that it takes none at the moment: the rest need not wait to hear so.
async fn one_by_one(db: &Db, hub: &Arc<Hub>, batch: Vec<Waiting>) {
    let mut outages = 0;
    let mut last = None;
    for Waiting { write, answer } in batch {
        if outages >= 2
            && let Some(error) = &last
        {
            tell(answer, Err(Error::clone(error)));
            continue;
        }
        let landed = alone(db, hub, write).await;
        last = landed.as_ref().err().cloned();
        let is_outage = matches!(last, Some(Error::Store(db::Error::Unavailable(_))));
        outages = if is_outage { outages + 1 } else { 0 };
        tell(answer, landed);
    }
}

async fn alone(db: &Db, hub: &Arc<Hub>, write: Arc<Write>) -> Result<bool, Error> {
    let hub = hub.clone();
    let landed = db.write(async move |tx| land(tx, &hub, std::slice::from_ref(&write)).await).await?;
    Ok(landed.first().is_some_and(|landed| *landed))
}

/// Writes the sagas' rows, and what lies beside those that stood as expected. Tells which did, and once they are durable
/// shows them to those who follow them.
async fn land(tx: &mut Tx<'_>, hub: &Arc<Hub>, writes: &[Arc<Write>]) -> Result<Vec<bool>, Error> {
    let rows: Vec<_> = writes.iter().map(|write| write.on_row(tx.bucket(write.id()))).collect();
    let landed: Vec<_> = tx.execute_each(&rows).await?.into_iter().map(|changed| changed == 1).collect();
    let those = writes.iter().zip(&landed).filter(|(_, landed)| **landed);
    if those.clone().any(|(write, _)| write.announces()) {
        tx.announces();
    }
    for (write, _) in those.clone().filter(|(write, _)| hub.is_followed(write.id())) {
        let (hub, next) = (hub.clone(), write.next().clone());
        tx.after_commit(move || hub.feed(&next));
        if write.is_awaited() {
            tx.hurries();
        }
    }
    crash_point!("journal.beside_row");
    let beside: Vec<_> = those.flat_map(|(write, _)| write.beside_row(tx.bucket(write.id()))).collect();
    tx.execute_each(&beside).await?;
    Ok(landed)
}

fn tell(answer: oneshot::Sender<Result<bool, Error>>, result: Result<bool, Error>) {
    // Whoever asked may have gone.
    drop(answer.send(result));
}
