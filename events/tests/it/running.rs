//! Relays that run by themselves: woken by commits, alone among several, and asked by slow sinks to be patient.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use events::{CloudEvent, Error, Receipt, Relay, Sink};
use service_kit::clock::{ManualClock, RuntimeClock, Stopwatch, SystemClock};
use service_kit::host::Host;
use service_kit::ids::Ids;
use tokio::sync::watch;

use crate::given::{NOW_MS, Notebook};
use crate::relay::{OUTBOX, Outside, POLICY, announce, migrate};

/// Takes everything and says so; when it is told to, it never answers.
#[derive(Debug)]
struct Bell {
    name: &'static str,
    rung: watch::Sender<usize>,
    sleeps: Mutex<bool>,
}

impl Bell {
    fn new(name: &'static str, sleeps: bool) -> Arc<Self> {
        Arc::new(Self { name, rung: watch::Sender::default(), sleeps: sleeps.into() })
    }

    async fn rings(&self, times: usize) {
        self.rung.subscribe().wait_for(|rung| *rung >= times).await.unwrap();
    }
}

#[async_trait]
impl Sink for Bell {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        if *self.sleeps.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        self.rung.send_modify(|rung| *rung += events.len());
        vec![Receipt::Taken; events.len()]
    }
}

/// Whose clock follows the runtime's.
async fn host() -> Host {
    let clock = Arc::new(RuntimeClock::at(NOW_MS));
    let db = testbed::db(clock.clone()).await;
    migrate(&db).await;
    Host::new(db, clock, Ids::seeded(1))
}

#[tokio::test(start_paused = true)]
async fn a_commit_wakes_the_relay() {
    let (host, bell) = (host().await, Bell::new("bell", false));
    let sinks: [Arc<dyn Sink>; 1] = [bell.clone()];
    Relay::new(&host, (&host.db, &OUTBOX), &sinks, POLICY).start(&host, 7);
    for version in 1..=20 {
        // It has come to rest.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let since = Stopwatch::start();
        announce(&host.db, "a", version).await;
        bell.rings(version as usize).await;
        assert!(since.elapsed_ms() < 50, "{} ms", since.elapsed_ms());
    }
    host.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_the_relay_as_it_runs_in_production() {
    let (clock, directory) = (Arc::new(SystemClock), tempfile::tempdir().unwrap());
    let db = testbed::threaded(directory.path(), clock.clone()).await;
    migrate(&db).await;
    let (host, bell) = (Host::new(db, clock, Ids::system()), Bell::new("bell", false));
    let sinks: [Arc<dyn Sink>; 1] = [bell.clone()];
    Relay::new(&host, (&host.db, &OUTBOX), &sinks, POLICY).start(&host, 7);
    let since = Stopwatch::start();
    for version in 1..=40 {
        announce(&host.db, "a", version).await;
        bell.rings(version as usize).await;
    }
    // Looks without a wake are a second apart.
    assert!(since.elapsed_ms() < 20_000, "{} ms", since.elapsed_ms());
    println!("{} ms an event", since.elapsed_ms() / 40);
    host.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_does_not_answer_keeps_nobody_waiting_for_long_and_then_not_at_all() {
    let (host, slow, quick) = (host().await, Bell::new("slow", true), Bell::new("quick", false));
    let sinks: [Arc<dyn Sink>; 2] = [slow.clone(), quick.clone()];
    let relay = Relay::new(&host, (&host.db, &OUTBOX), &sinks, POLICY);
    relay.start(&host, 7);
    let since = Stopwatch::start();
    announce(&host.db, "a", 1).await;
    quick.rings(1).await;
    // While it is asked, nothing is held open: others write.
    announce(&host.db, "b", 1).await;
    quick.rings(2).await;
    assert!(since.elapsed_ms() < 3_000, "{} ms", since.elapsed_ms());
    let since = Stopwatch::start();
    announce(&host.db, "a", 2).await;
    quick.rings(3).await;
    assert!(since.elapsed_ms() < 50, "{} ms", since.elapsed_ms());
    *slow.sleeps.lock().unwrap() = false;
    slow.rings(3).await;
    host.shut_down().await;
}

/// Takes events one after the other, and for each of them longer than anybody would like.
#[derive(Debug)]
struct Plodder(Arc<Notebook>);

#[async_trait]
impl Sink for Plodder {
    fn name(&self) -> &'static str {
        "plodder"
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        tokio::time::sleep(Duration::from_secs(4) * u32::try_from(events.len()).unwrap()).await;
        Sink::publish(&*self.0, events).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_too_slow_for_many_gets_few_at_a_time_and_gets_all() {
    const EVENTS: usize = 300;
    let (host, notebook) = (host().await, Notebook::of("plodder", ""));
    let sinks: [Arc<dyn Sink>; 1] = [Arc::new(Plodder(notebook.clone()))];
    let relay = Relay::new(&host, (&host.db, &OUTBOX), &sinks, POLICY);
    relay.start(&host, 7);
    for number in 0..EVENTS {
        announce(&host.db, &format!("a{number}"), 1).await;
    }
    // Four seconds each, and some more to find out how many it can take.
    tokio::time::timeout(Duration::from_secs(4 * 3 * EVENTS as u64), notebook.all(EVENTS)).await.unwrap();
    host.shut_down().await;
}

#[tokio::test]
async fn of_two_processes_one_relays_and_the_other_takes_over() {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let first = Outside::over(testbed::connected(clock.clone()).await, clock.clone()).await;
    let second = Host::new(first.host.db.clone(), clock.clone(), Ids::seeded(2));
    let (one, other) = (Notebook::of("sink", ""), Notebook::of("sink", ""));
    let relay = |host: &Host, sink: &Arc<Notebook>| {
        Relay::new(host, (&host.db, &OUTBOX), &[sink.clone() as Arc<dyn Sink>], POLICY)
    };
    let (here, there) = (relay(&first.host, &one), relay(&second, &other));
    first.announce("a", 1).await;
    here.publish().await.unwrap();
    first.announce("a", 2).await;
    there.publish().await.unwrap();
    assert_eq!((one.drain(), other.drain()), (vec!["a@1".into()], vec![]));
    // The first has not been heard of for too long, and does not know.
    clock.advance(11_000);
    assert!(there.publish().await.is_ok());
    assert_eq!(other.drain(), ["a@2"]);
    announce(&first.host.db, "a", 3).await;
    assert!(matches!(here.publish().await, Err(Error::Lost)));
    there.publish().await.unwrap();
    // Twice, but nothing is lost; it was told, and holds still now.
    assert_eq!((one.drain(), other.drain()), (vec!["a@3".into()], vec!["a@3".into()]));
    announce(&first.host.db, "a", 4).await;
    here.publish().await.unwrap();
    there.publish().await.unwrap();
    assert_eq!((one.drain(), other.drain()), (vec![], vec!["a@4".into()]));
}

#[tokio::test]
async fn a_relay_that_ends_in_good_order_is_followed_at_once() {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let first = Outside::over(testbed::connected(clock.clone()).await, clock.clone()).await;
    let second = Host::new(first.host.db.clone(), clock, Ids::seeded(2));
    let (one, other) = (Bell::new("bell", false), Bell::new("bell", false));
    let relay = |host: &Host, bell: &Arc<Bell>| {
        Relay::new(host, (&host.db, &OUTBOX), &[bell.clone() as Arc<dyn Sink>], POLICY).start(host, 7);
    };
    relay(&first.host, &one);
    first.announce("a", 1).await;
    one.rings(1).await;
    relay(&second, &other);
    first.host.shut_down().await;
    announce(&first.host.db, "a", 2).await;
    other.rings(1).await;
    assert_eq!(*one.rung.borrow(), 1);
    second.shut_down().await;
}
