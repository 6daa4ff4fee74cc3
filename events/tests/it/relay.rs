//! The relay over a real outbox, with sinks that do as they are told.

use std::sync::Arc;

use events::{Lag, Policy, Receipt, Relay, Sink, dead_letters, offer_again};
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Tx};
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::outbox::{Draft, Event, Outbox};
use uuid::Uuid;

use crate::given::{NOW_MS, Notebook};

pub(crate) static OUTBOX: Outbox = service_kit::outbox!("payment");
const DAY_MS: i64 = 86_400_000;
pub(crate) const POLICY: Policy = Policy { refusals: 3, failures: 4, go_on: true };

pub(crate) async fn migrate(db: &Db) {
    db.migrate("payment", migrations::payment::MIGRATIONS).await.unwrap();
    db.migrate("events", migrations::events::MIGRATIONS).await.unwrap();
    let (name, steps) = migrations::events::outbox("payment").unwrap();
    db.migrate(name, steps).await.unwrap();
}

pub(crate) struct Outside {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) host: Host,
}

impl Outside {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        Self::over(testbed::db(clock.clone()).await, clock).await
    }

    pub(crate) async fn over(db: Db, clock: Arc<ManualClock>) -> Self {
        migrate(&db).await;
        Self { host: Host::new(db, clock.clone(), Ids::seeded(1)), clock }
    }

    pub(crate) fn relay<const N: usize>(&self, sinks: [&Arc<Notebook>; N]) -> Relay {
        self.relay_with(sinks, POLICY)
    }

    fn relay_with<const N: usize>(&self, sinks: [&Arc<Notebook>; N], policy: Policy) -> Relay {
        let sinks = sinks.map(|sink| sink.clone() as Arc<dyn Sink>);
        Relay::new(&self.host, (&self.host.db, &OUTBOX), &sinks, policy)
    }

    /// Announces the next version of an aggregate.
    pub(crate) async fn announce(&self, aggregate: &str, version: i64) {
        self.clock.advance(1);
        announce(&self.host.db, aggregate, version).await;
    }

    async fn announce_at(&self, aggregate: &str, version: i64, create_time: i64) {
        let event = Event {
            bucket: 0,
            id: self.host.ids.next(create_time),
            aggregate: aggregate.into(),
            kind: "ticketing.payment.captured.v1".into(),
            saga: None,
            data: Vec::new(),
            create_time,
            partition: aggregate.into(),
            version,
        };
        self.host.db.write(async move |tx| OUTBOX.put(tx, &event).await).await.unwrap();
    }

    async fn dead(&self) -> Vec<(String, i64, String)> {
        let dead = self.host.db.read(async |tx| dead_letters(tx, 100).await).await.unwrap();
        let told = |dead: events::DeadLetter| (dead.event.aggregate, dead.attempts, dead.last_error);
        dead.into_iter().map(told).collect()
    }

    /// As the lanes do, until nothing is left that will be due.
    async fn catch_up(&self, relay: &Relay) {
        for _ in 0..10 {
            self.clock.advance(120_000);
            relay.catch_up().await.unwrap();
        }
    }
}

pub(crate) async fn announce(db: &Db, aggregate: &str, version: i64) {
    let draft = draft(aggregate, version);
    db.write(async move |tx| OUTBOX.announce(tx, draft).await).await.unwrap();
}

fn draft(aggregate: &str, version: i64) -> Draft {
    Draft {
        kind: "ticketing.payment.captured.v1",
        aggregate: aggregate.into(),
        version,
        partition: aggregate.into(),
        saga: (version % 2 == 0).then(|| Uuid::from_u128(9)),
        data: vec![1],
    }
}

/// Whether the versions of each aggregate only grow.
pub(crate) fn is_ordered(taken: &[String]) -> bool {
    let mut last = std::collections::BTreeMap::new();
    taken.iter().all(|taken| {
        let (aggregate, version) = taken.split_once('@').unwrap();
        let version: i64 = version.parse().unwrap();
        last.insert(aggregate.to_owned(), version).is_none_or(|before| before < version)
    })
}

#[tokio::test]
async fn events_are_published_once_the_oldest_first() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay([&sink]);
    let mut expected = Vec::new();
    for version in 1..=600 {
        outside.announce(&format!("p{}", version % 7), version).await;
        expected.push(format!("p{}@{version}", version % 7));
    }
    relay.publish().await.unwrap();
    let taken = sink.drain();
    // Side by side within a batch, in order for each aggregate.
    assert!(is_ordered(&taken), "{taken:?}");
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    assert_eq!(sorted(taken), sorted(expected));
    relay.publish().await.unwrap();
    assert!(sink.drain().is_empty());
}

#[tokio::test]
async fn versions_decide_where_ages_lie_and_a_batch_ends_between_them() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    // The transaction of the second version began first and was committed last; 300 others lie between the two.
    outside.announce_at("late", 1, NOW_MS + 1_000).await;
    outside.announce_at("late", 2, NOW_MS).await;
    for other in 0..300 {
        outside.announce_at(&format!("other{other}"), 1, NOW_MS + 1 + other).await;
    }
    outside.relay([&sink]).publish().await.unwrap();
    let taken = sink.drain();
    assert_eq!(taken.len(), 302);
    assert!(is_ordered(&taken), "{taken:?}");
}

#[tokio::test]
async fn two_connections_that_commit_against_their_ages_keep_the_order_of_versions() {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let outside = Outside::over(testbed::connected(clock.clone()).await, clock).await;
    let db = &outside.host.db;
    let lock = async |tx: &mut Tx<'_>| {
        tx.lock_optional::<(i64,)>("select until_time from event_lease where name = 'aggregate'", &[]).await
    };
    let make = "insert into event_lease (name, holder, until_time) values ('aggregate', $1, 0)";
    db.write(async move |tx| tx.execute(make, service_kit::args![Uuid::nil()]).await).await.unwrap();
    // The first transaction begins, and waits; the second comes later and is through before it.
    let (began, has_begun) = tokio::sync::oneshot::channel();
    let (go, may_go) = tokio::sync::oneshot::channel::<()>();
    let gates = Arc::new(std::sync::Mutex::new(Some((began, may_go))));
    let slow = async move |tx: &mut Tx<'_>| {
        tx.fetch_one::<(i64,)>("select count(*) from event_lease", &[]).await?;
        let gates = gates.lock().unwrap().take();
        if let Some((began, may_go)) = gates {
            began.send(()).unwrap();
            may_go.await.unwrap();
        }
        lock(tx).await?;
        OUTBOX.announce(tx, draft("contended", 2)).await
    };
    let first = {
        let db = db.clone();
        tokio_util::task::TaskTracker::new().spawn(async move { db.write::<_, Error, _>(slow).await })
    };
    has_begun.await.unwrap();
    outside.clock.advance(1_000);
    let quick = async move |tx: &mut Tx<'_>| {
        lock(tx).await?;
        OUTBOX.announce(tx, draft("contended", 1)).await
    };
    db.write(quick).await.unwrap();
    go.send(()).unwrap();
    first.await.unwrap().unwrap();
    for other in 0..300 {
        outside.announce_at(&format!("other{other}"), 1, NOW_MS + 1 + other).await;
    }
    let sink = Notebook::of("sink", "");
    outside.relay([&sink]).publish().await.unwrap();
    let taken = sink.drain();
    assert_eq!(taken.len(), 302);
    assert!(is_ordered(&taken), "{taken:?}");
}

#[tokio::test]
async fn an_event_that_is_not_taken_holds_back_its_aggregate_at_that_sink_and_nothing_else() {
    let (outside, first, second) = (Outside::new().await, Notebook::of("first", ""), Notebook::of("second", ""));
    let relay = outside.relay([&first, &second]);
    first.answer("a", Receipt::Failed("not today".into()));
    for version in 1..=2 {
        outside.announce("a", version).await;
        outside.announce("b", version).await;
    }
    relay.publish().await.unwrap();
    assert_eq!(
        (first.drain(), second.drain()),
        (vec!["b@1".into(), "b@2".into()], ["a@1", "b@1", "a@2", "b@2"].map(String::from).into())
    );
    first.answer("a", Receipt::Taken);
    outside.announce("a", 3).await;
    relay.publish().await.unwrap();
    // Its turn has not come: two wait before it.
    assert!(first.drain().is_empty());
    outside.catch_up(&relay).await;
    assert_eq!((first.drain(), second.drain()), (["a@1", "a@2", "a@3"].map(String::from).into(), vec!["a@3".into()]));
    outside.announce("a", 4).await;
    relay.publish().await.unwrap();
    assert_eq!((first.drain(), second.drain()), (vec!["a@4".into()], vec!["a@4".into()]));
}

#[tokio::test]
async fn more_than_a_batch_that_is_not_taken_keeps_nobody_waiting() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay([&sink]);
    for poison in 0..300 {
        let aggregate = format!("poison{poison}");
        sink.answer(&aggregate, Receipt::Refused("bad".into()));
        outside.announce(&aggregate, 1).await;
    }
    outside.announce("good", 1).await;
    relay.publish().await.unwrap();
    assert_eq!(sink.drain(), ["good@1"]);
    outside.catch_up(&relay).await;
    assert_eq!(relay.lag().await.unwrap(), Lag { dead: 300, ..Lag::default() });
}

#[tokio::test]
async fn a_sink_that_is_down_loses_nothing_and_nobody_waits_for_it_not_even_over_a_restart() {
    let (outside, up, down) = (Outside::new().await, Notebook::of("up", ""), Notebook::of("down", ""));
    down.answer_all(Receipt::Unavailable("connection refused".into()));
    let mut expected = Vec::new();
    for version in 1..=400 {
        outside.announce(&format!("p{}", version % 50), version).await;
        expected.push(format!("p{}@{version}", version % 50));
    }
    let relay = outside.relay([&up, &down]);
    relay.publish().await.unwrap();
    relay.catch_up().await.unwrap();
    assert_eq!((up.drain().len(), down.drain().len()), (400, 0));
    let lag = relay.lag().await.unwrap();
    assert_eq!((lag.unpublished, lag.queued, lag.dead), (0, vec![("down".into(), 400)], 0));
    drop(relay);
    // Where several may relay, the next one waits until the lease of the one before it is over.
    outside.clock.advance(11_000);
    let relay = outside.relay([&up, &down]);
    down.answer_all(Receipt::Taken);
    outside.announce("p1", 401).await;
    expected.push("p1@401".into());
    relay.publish().await.unwrap();
    outside.catch_up(&relay).await;
    let mut taken = down.drain();
    assert!(is_ordered(&taken), "{taken:?}");
    taken.sort();
    expected.sort();
    assert_eq!(taken, expected);
    assert_eq!(up.drain(), ["p1@401"]);
    assert_eq!(relay.lag().await.unwrap(), Lag::default());
}

#[tokio::test]
async fn an_event_that_is_refused_becomes_a_dead_letter_and_its_aggregate_goes_on() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay([&sink]);
    sink.answer("a", Receipt::Refused("too large".into()));
    outside.announce("a", 1).await;
    relay.publish().await.unwrap();
    assert!(outside.dead().await.is_empty());
    for _ in 1..POLICY.refusals {
        outside.clock.advance(60_000);
        relay.catch_up().await.unwrap();
    }
    assert_eq!(outside.dead().await, [("a".into(), 3, "too large".into())]);
    sink.answer("a", Receipt::Taken);
    outside.announce("a", 2).await;
    relay.publish().await.unwrap();
    assert_eq!(sink.drain(), ["a@2"]);
    // A person has seen to it.
    let dead = outside.host.db.read(async |tx| dead_letters(tx, 1).await).await.unwrap().remove(0);
    let again = async move |tx: &mut Tx<'_>| offer_again(tx, &dead.source, &dead.sink, dead.event.id).await;
    assert!(outside.host.db.write(again.clone()).await.unwrap());
    assert!(!outside.host.db.write(again).await.unwrap());
    relay.catch_up().await.unwrap();
    assert_eq!(sink.drain(), ["a@1"]);
    assert!(outside.dead().await.is_empty());
}

#[tokio::test]
async fn where_the_aggregate_is_to_wait_a_refused_event_holds_it_for_ever() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay_with([&sink], Policy { go_on: false, ..POLICY });
    sink.answer("a", Receipt::Refused("too large".into()));
    outside.announce("a", 1).await;
    outside.announce("a", 2).await;
    relay.publish().await.unwrap();
    outside.catch_up(&relay).await;
    assert!(outside.dead().await.is_empty());
    assert!(sink.drain().is_empty());
    sink.answer("a", Receipt::Taken);
    outside.catch_up(&relay).await;
    assert_eq!(sink.drain(), ["a@1", "a@2"]);
}

#[tokio::test]
async fn failures_count_against_an_event_only_while_the_sink_takes_others() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay([&sink]);
    sink.answer("a", Receipt::Failed("500".into()));
    outside.announce("a", 1).await;
    relay.publish().await.unwrap();
    outside.catch_up(&relay).await;
    assert!(outside.dead().await.is_empty());
    outside.announce("b", 1).await;
    relay.publish().await.unwrap();
    outside.catch_up(&relay).await;
    assert_eq!(outside.dead().await, [("a".into(), 4, "500".into())]);
}

#[tokio::test]
async fn published_events_are_forgotten_after_their_days_and_no_others() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay([&sink]);
    for version in 1..=600 {
        outside.announce("published", version).await;
    }
    relay.publish().await.unwrap();
    outside.announce("waits", 1).await;
    let kept = async || {
        let count = async |tx: &mut Tx<'_>| tx.fetch_one::<(i64,)>("select count(*) from payment_outbox", &[]).await;
        outside.host.db.read(count).await.unwrap().0
    };
    outside.clock.advance(7 * DAY_MS - 1_000);
    relay.purge(7).await.unwrap();
    assert_eq!(kept().await, 601);
    outside.clock.advance(2_000);
    relay.purge(7).await.unwrap();
    assert_eq!(kept().await, 1);
    sink.drain();
    relay.publish().await.unwrap();
    assert_eq!(sink.drain(), ["waits@1"]);
}

#[tokio::test]
async fn the_lag_is_the_age_of_the_oldest_event_that_somebody_has_not_got() {
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let relay = outside.relay([&sink]);
    assert_eq!(relay.lag().await.unwrap(), Lag::default());
    outside.announce("a", 1).await;
    outside.clock.advance(5_000);
    outside.announce("b", 1).await;
    outside.clock.advance(1_000);
    let lag = Lag { unpublished: 2, oldest_ms: 6_001, ..Lag::default() };
    assert_eq!(relay.lag().await.unwrap(), lag);
    sink.answer("b", Receipt::Failed("not today".into()));
    relay.publish().await.unwrap();
    let lag = Lag { queued: vec![("sink".into(), 1)], oldest_ms: 1_000, ..Lag::default() };
    assert_eq!(relay.lag().await.unwrap(), lag);
}

#[tokio::test]
async fn the_rule_about_the_outbox_finds_what_stays_behind() {
    let check = service_kit::outbox_check!("payment");
    let (outside, sink) = (Outside::new().await, Notebook::of("sink", ""));
    let findings = async || outside.host.db.read(async move |tx| check.findings(tx).await).await.unwrap().len();
    outside.announce("a", 2).await;
    assert_eq!(findings().await, 0);
    outside.relay([&sink]).publish().await.unwrap();
    outside.announce("b", 1).await;
    assert_eq!(findings().await, 0);
    outside.announce("a", 1).await;
    assert_eq!(findings().await, 1);
    outside.clock.advance(5_001);
    outside.announce_at("c", 1, NOW_MS - 10_000).await;
    assert_eq!(findings().await, 2);
}
