//! Real brokers between a relay and a handler: what they do to events when they fail, and what arrives in the end.

use std::sync::Arc;

use events::{Handler, Lag, Relay, Sink, dead_letters, kafka, nats};
use service_kit::clock::SystemClock;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::outbox::Draft;
use tempfile::TempDir;
use testbed::broker::Broker;

use crate::given::Notebook;
use crate::relay::{OUTBOX, POLICY, announce, is_ordered, migrate};

const AGGREGATES: i64 = 40;

/// A service, in a database as it is in production.
struct Service {
    host: Host,
    _directory: TempDir,
}

impl Service {
    async fn new() -> Self {
        let (clock, directory) = (Arc::new(SystemClock), tempfile::tempdir().unwrap());
        let db = testbed::threaded(directory.path(), clock.clone()).await;
        migrate(&db).await;
        Self { host: Host::new(db, clock, Ids::system()), _directory: directory }
    }

    fn relay(&self, sink: impl Sink) -> Relay {
        Relay::new(&self.host, (&self.host.db, &OUTBOX), &[Arc::new(sink) as Arc<dyn Sink>], POLICY)
    }

    /// Announces events of all aggregates in turn.
    async fn announce(&self, versions: std::ops::Range<i64>) {
        for version in versions {
            announce(&self.host.db, &format!("payments/{}", version % AGGREGATES), version).await;
        }
    }

    async fn announce_large(&self, aggregate: &str) {
        let draft = Draft {
            kind: "ticketing.payment.captured.v1",
            aggregate: aggregate.into(),
            version: 1,
            partition: aggregate.into(),
            saga: None,
            data: vec![7; 2 << 20],
        };
        self.host.db.write(async move |tx| OUTBOX.announce(tx, draft).await).await.unwrap();
    }
}

fn stream(broker: &Broker) -> nats::Place {
    nats::Place { url: format!("nats://{}", broker.address()), stream: "ticketing".into() }
}

fn topic(broker: &Broker) -> kafka::Place {
    kafka::Place { brokers: vec![broker.address()], topic: "ticketing.events".into(), partitions: 3, replicas: 1 }
}

fn handler(notebook: &Arc<Notebook>) -> Arc<dyn Handler> {
    notebook.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_nats_server_that_is_killed_everything_arrives_in_order() {
    let (service, broker, notebook) = (Service::new().await, Broker::nats().unwrap(), Notebook::of("notices", ""));
    service.relay(nats::Nats::new(stream(&broker))).start(&service.host, 7);
    nats::consume(&service.host, stream(&broker), handler(&notebook));
    service.announce(0..200).await;
    notebook.has(50).await;
    broker.kill9().unwrap();
    service.announce(200..400).await;
    broker.restart().unwrap();
    service.announce(400..600).await;
    notebook.has(600).await;
    let taken = notebook.first_times();
    assert!(is_ordered(&taken), "{taken:?}");
    assert_eq!(taken.len(), 600);
    let event = notebook.taken().remove(0);
    assert_eq!((event.source.as_str(), event.data.as_ref()), ("/ticketing/payment", [1].as_slice()));
    service.host.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_relays_publish_to_nats_is_stored_once_and_a_reader_goes_on_where_it_was() {
    let (service, broker) = (Service::new().await, Broker::nats().unwrap());
    service.announce(0..100).await;
    let (one, other) =
        (service.relay(nats::Nats::new(stream(&broker))), service.relay(nats::Nats::new(stream(&broker))));
    let (first, second) = tokio::join!(one.publish(), other.publish());
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    let notebook = Notebook::of("notices", "");
    let reader = Host::new(service.host.db.clone(), service.host.clock.clone(), service.host.ids.clone());
    nats::consume(&reader, stream(&broker), handler(&notebook));
    notebook.has(100).await;
    reader.shut_down().await;
    assert_eq!(notebook.taken().len(), 100, "nothing was stored twice");
    service.announce(100..101).await;
    // One of them has the lease.
    one.publish().await.unwrap();
    other.publish().await.unwrap();
    let next = Notebook::of("notices", "");
    nats::consume(&service.host, stream(&broker), handler(&next));
    // What the reader had not acknowledged at its end comes again; all else does not.
    next.has_new(&notebook).await;
    assert!(next.taken().len() <= 100, "it began anew");
    service.host.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_no_broker_takes_becomes_a_dead_letter() {
    let (service, broker) = (Service::new().await, Broker::nats().unwrap());
    service.relay(nats::Nats::new(stream(&broker))).start(&service.host, 7);
    service.announce_large("payments/large").await;
    service.announce(0..10).await;
    announce(&service.host.db, "payments/large", 2).await;
    let notebook = Notebook::of("notices", "");
    nats::consume(&service.host, stream(&broker), handler(&notebook));
    notebook.has(11).await;
    let dead = service.host.db.read(async |tx| dead_letters(tx, 10).await).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].event.aggregate.as_str(), dead[0].sink.as_str()), ("payments/large", "nats"));
    assert!(dead[0].last_error.contains("payload"), "{}", dead[0].last_error);
    service.host.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_kafka_broker_that_freezes_everything_arrives_in_order() {
    let (service, broker, notebook) = (Service::new().await, Broker::kafka().unwrap(), Notebook::of("notices", ""));
    let relay = service.relay(kafka::Kafka::new(topic(&broker)));
    relay.start(&service.host, 7);
    kafka::consume(&service.host, topic(&broker), handler(&notebook));
    service.announce(0..200).await;
    notebook.has(50).await;
    broker.sigstop().unwrap();
    service.announce(200..400).await;
    while relay.lag().await.unwrap().queued.is_empty() {
        tokio::task::yield_now().await;
    }
    broker.sigcont().unwrap();
    service.announce(400..600).await;
    notebook.has(600).await;
    let taken = notebook.first_times();
    assert!(is_ordered(&taken), "{taken:?}");
    assert_eq!(taken.len(), 600);
    service.host.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_kafka_goes_on_where_it_was_and_over_a_broker_that_has_lost_everything() {
    let (service, broker, first) = (Service::new().await, Broker::kafka().unwrap(), Notebook::of("notices", ""));
    let relay = service.relay(kafka::Kafka::new(topic(&broker)));
    relay.start(&service.host, 7);
    service.announce(0..100).await;
    let reader = Host::new(service.host.db.clone(), service.host.clock.clone(), service.host.ids.clone());
    kafka::consume(&reader, topic(&broker), handler(&first));
    first.has(100).await;
    let stored = "select cast(coalesce(sum(next_offset), 0) as bigint) from event_offset";
    let progress = async || {
        let read = async move |tx: &mut service_kit::db::Tx<'_>| tx.fetch_one::<(i64,)>(stored, &[]).await;
        service.host.db.read(read).await.unwrap().0
    };
    while progress().await < 100 {
        tokio::task::yield_now().await;
    }
    reader.shut_down().await;
    let second = Notebook::of("notices", "");
    kafka::consume(&service.host, topic(&broker), handler(&second));
    service.announce(100..150).await;
    second.has(50).await;
    assert_eq!(second.taken().len(), 50);
    // What it keeps in memory is gone with it. That is its affair; ours is to go on.
    broker.kill9().unwrap();
    service.announce(150..200).await;
    broker.restart().unwrap();
    second.has(100).await;
    let taken = second.first_times();
    assert!(is_ordered(&taken), "{taken:?}");
    while relay.lag().await.unwrap() != Lag::default() {
        tokio::task::yield_now().await;
    }
    service.host.shut_down().await;
}
