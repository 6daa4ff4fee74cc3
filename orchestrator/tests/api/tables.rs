//! The orchestrator over its own tables.

use orchestrator::plans::Plans;
use orchestrator::{Config, OUTBOX};
use service_kit::db::{self, Tx};
use service_kit::outbox::Event;

use crate::world::{clients, fakes, host, request};

#[tokio::test]
async fn the_orchestrator_runs_on_its_own_tables() {
    let host = host().await;
    let started = orchestrator::start(&host, Config::default(), Plans::default(), fakes().participants(), Vec::new())
        .await
        .unwrap();
    let (mut checkouts, _) = clients(&started);
    let placed = checkouts.create_checkout(request(1)).await.unwrap().into_inner();
    let journal = started.shards.iter().next().unwrap().journal.clone();
    started.shards.shut_down(std::time::Duration::from_secs(5)).await.unwrap();
    let id = placed.name.rsplit('/').next().unwrap().parse().unwrap();
    assert!(journal.load(id).await.unwrap().unwrap().saga.is_terminal());
    let take = async move |tx: &mut Tx<'_>| OUTBOX.take(tx, 10).await;
    let events: Result<Vec<Event>, db::Error> = host.db.read(take).await;
    let kinds: Vec<_> = events.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["ticketing.checkout.completed.v1"]);
}
