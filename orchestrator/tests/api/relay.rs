//! The relay over the real outbox, and the orchestrator over its own tables.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use orchestrator::Config;
use orchestrator::plans::Plans;
use orchestrator::relay::{Relay, Sink, SinkError};
use service_kit::clock::ManualClock;
use service_kit::db::{self, Tx};
use service_kit::ids::Ids;
use service_kit::outbox::{Event, Outbox};

use crate::world::{clients, fakes, host, request};

const OUTBOX: Outbox = service_kit::outbox!("orchestrator");
const DAY_MS: i64 = 86_400_000;

/// Keeps what it is given, and takes nothing of one aggregate.
#[derive(Debug, Default)]
struct Notebook {
    taken: Mutex<Vec<String>>,
    refuses: Mutex<Option<String>>,
}

impl Notebook {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }
}

#[async_trait]
impl Sink for Notebook {
    async fn publish(&self, source: &str, event: &Event) -> Result<(), SinkError> {
        assert_eq!(source, "/ticketing/orchestrator");
        if self.refuses.lock().unwrap().as_ref() == Some(&event.aggregate) {
            return Err(SinkError("not today".into()));
        }
        self.taken.lock().unwrap().push(event.kind.clone());
        Ok(())
    }
}

struct Outside {
    clock: Arc<ManualClock>,
    relay: Relay,
    notebook: Arc<Notebook>,
    ids: Ids,
}

impl Outside {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(100 * DAY_MS));
        let db = testbed::db(clock.clone()).await;
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        let notebook = Arc::new(Notebook::default());
        let relay = Relay { db, outbox: Arc::new(OUTBOX), sink: notebook.clone() };
        Self { clock, relay, notebook, ids: Ids::seeded(1) }
    }

    async fn put(&self, aggregate: &str, kind: &str) {
        use service_kit::clock::Clock as _;
        self.clock.advance(1);
        let now_ms = self.clock.now_ms();
        let id = self.ids.next(now_ms);
        let event = Event {
            bucket: 0,
            id,
            aggregate: aggregate.into(),
            kind: kind.into(),
            saga: None,
            data: Vec::new(),
            create_time: now_ms,
            partition: aggregate.into(),
            version: now_ms,
        };
        let put = async move |tx: &mut Tx<'_>| OUTBOX.put(tx, &event).await;
        self.relay.db.write(put).await.unwrap();
    }

    async fn publish(&self) -> Vec<String> {
        self.relay.publish().await.unwrap();
        self.notebook.taken()
    }

    async fn kept(&self) -> i64 {
        let count =
            async move |tx: &mut Tx<'_>| tx.fetch_one::<(i64,)>("select count(*) from orchestrator_outbox", &[]).await;
        let count: Result<_, db::Error> = self.relay.db.read(count).await;
        count.unwrap().0
    }
}

#[tokio::test]
async fn events_are_published_oldest_first_and_then_left_alone() {
    let outside = Outside::new().await;
    for number in 0..600 {
        outside.put(&format!("checkouts/{}", number % 7), &number.to_string()).await;
    }
    let expected: Vec<_> = (0..600).map(|number| number.to_string()).collect();
    assert_eq!(outside.publish().await, expected);
    assert!(outside.publish().await.is_empty());
}

#[tokio::test]
async fn an_event_that_is_not_taken_holds_back_its_own_aggregate_only() {
    let outside = Outside::new().await;
    *outside.notebook.refuses.lock().unwrap() = Some("a".into());
    for (aggregate, kind) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")] {
        outside.put(aggregate, kind).await;
    }
    assert_eq!(outside.publish().await, ["b1", "b2"]);
    assert!(outside.publish().await.is_empty());
    *outside.notebook.refuses.lock().unwrap() = None;
    outside.put("a", "a3").await;
    assert_eq!(outside.publish().await, ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn only_published_events_are_forgotten_and_only_after_their_days() {
    let outside = Outside::new().await;
    outside.put("a", "published").await;
    outside.publish().await;
    outside.put("b", "waiting").await;
    outside.clock.advance(7 * DAY_MS - 10);
    outside.relay.purge(7).await.unwrap();
    assert_eq!(outside.kept().await, 2);
    outside.clock.advance(20);
    outside.relay.purge(7).await.unwrap();
    assert_eq!(outside.kept().await, 1);
    assert_eq!(outside.publish().await, ["waiting"]);
}

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
