//! Word between replicas: each tells the others which sagas it has just written, and shows its own followers what it hears
//! of. Whoever misses something finds it when he looks.

use std::sync::Arc;

use service_kit::db::{Db, Tx};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::super::hub::Hub;
use super::row;

/// Sagas in one hint: those of a large batch of writes still fit into what a hint may hold.
const SAGAS: usize = 200;

/// Tells the other replicas; there may be none.
#[derive(Debug)]
pub(super) struct Word(Option<mpsc::Sender<String>>);

impl Word {
    /// Begins to listen for the followers in `hub`.
    pub(super) fn new(db: &Db, hub: &Arc<Hub>) -> Self {
        let Some(hints) = db.hints() else {
            return Self(None);
        };
        let (db, hub, mut heard) = (db.clone(), hub.clone(), hints.heard);
        TaskTracker::new().spawn(async move {
            while let Some(sagas) = heard.recv().await {
                show(&db, &hub, &sagas).await;
            }
        });
        Self(Some(hints.say))
    }

    /// Tells that these sagas were written.
    pub(super) fn written(&self, sagas: &[Uuid]) {
        let Some(say) = &self.0 else { return };
        for sagas in sagas.chunks(SAGAS) {
            let ids: Vec<_> = sagas.iter().map(|saga| saga.simple().to_string()).collect();
            // More words than can be said at the moment are dropped.
            drop(say.try_send(ids.join(" ")));
        }
    }
}

async fn show(db: &Db, hub: &Hub, sagas: &str) {
    let sagas = sagas.split(' ').filter_map(|id| Uuid::try_parse(id).ok());
    for id in sagas.filter(|id| hub.is_followed(*id)) {
        match db.read(async move |tx: &mut Tx<'_>| row::load(tx, id).await).await {
            Ok(Some(record)) => hub.feed(&Arc::new(record)),
            Ok(None) => {}
            Err(error) => tracing::debug!(saga.id = %id, %error, "a followed saga could not be looked at"),
        }
    }
}
