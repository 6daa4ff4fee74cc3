//! What a runner must do where nobody looks: after an outage, at a full house, with a parked saga.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use orchestrator::journal::{Accepted, Journal, MemoryJournal, Record};
use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::Plans;
use orchestrator::runner::{Error, Intervention, Limits, Parts, Runner};
use saga::{Act, Event};
use service_kit::clock::RuntimeClock;
use service_kit::host::Host;
use service_kit::ids::Ids;
use tonic::Status;
use tonic::body::Body;
use uuid::Uuid;

#[path = "isolation/order.rs"]
mod order;
#[path = "isolation/reply.rs"]
mod reply;

const AMOUNT: i64 = 50_000;

/// Participants that say yes to everything, unless one method is down or lies.
#[derive(Debug, Default)]
struct Script {
    down: AtomicBool,
    lying: AtomicBool,
    panicking: AtomicBool,
    calls: AtomicUsize,
}

impl Script {
    fn answer(&self, method: &str, saga: String) -> http::Response<Body> {
        if method == "CapturePayment" {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.down.load(Ordering::SeqCst) {
                return Status::unavailable("down").into_http();
            }
        }
        let panics = ["ReservePoints", "ReleasePoints"].contains(&method) && self.panicking.load(Ordering::SeqCst);
        assert!(!panics, "scripted");
        let lies = method == "ReservePoints" && self.lying.load(Ordering::SeqCst);
        let saga = if lies { "x".repeat(1 << 20) } else { saga };
        reply::done(saga, AMOUNT)
    }
}

/// The `sagas/{uuid}` in an encoded request.
fn saga_in(request: &[u8]) -> String {
    let start = request.windows(6).position(|window| window == b"sagas/").unwrap();
    String::from_utf8(request[start..start + 42].to_vec()).unwrap()
}

fn participant(script: &Arc<Script>) -> Participant {
    let script = script.clone();
    Participant::new(tower::service_fn(move |request: http::Request<Body>| {
        let script = script.clone();
        async move {
            let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let bytes = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(script.answer(&method, saga_in(&bytes)))
        }
    }))
}

struct World {
    script: Arc<Script>,
    journal: Arc<MemoryJournal>,
    runner: Runner,
}

impl World {
    async fn new(limits: Limits) -> Self {
        let script = Arc::new(Script::default());
        let clock = Arc::new(RuntimeClock::at(1_800_000_000_000));
        let db = testbed::db(clock.clone()).await;
        let names = ["concert", "customer", "payment", "token"];
        let participants = Participants::new(names.map(|name| (name, participant(&script))));
        let journal = Arc::new(MemoryJournal::default());
        let parts = Parts {
            journal: journal.clone(),
            plans: Plans::default(),
            participants: Arc::new(participants),
            host: Host::new(db, clock, Ids::seeded(1)),
            limits,
        };
        Self { script, journal, runner: Runner::start(parts).await.unwrap() }
    }

    async fn accept(&self, id: u128) -> Result<Accepted, Error> {
        self.runner.accept(order::checkout(id)).await
    }

    async fn record(&self, id: u128) -> Record {
        self.journal.load(Uuid::from_u128(id)).await.unwrap().unwrap()
    }

    async fn states(&self, count: u128) -> Vec<&'static str> {
        let mut states = Vec::new();
        for id in 0..count {
            states.push(self.record(id).await.saga.state().name());
        }
        states.sort_unstable();
        states.dedup();
        states
    }
}

fn act() -> Act {
    Act { by: "operator".into(), reason: "test".into() }
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_completes_after_a_long_outage_although_nothing_new_comes() {
    let world = World::new(Limits { retry_burst: 20, ..Limits::default() }).await;
    world.script.down.store(true, Ordering::SeqCst);
    for id in 0..100 {
        world.accept(id).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.states(100).await, ["completing"]);
    world.script.down.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.states(100).await, ["completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_verb_decided_on_a_parked_saga_as_it_stands_is_obeyed() {
    let world = World::new(Limits::default()).await;
    world.script.lying.store(true, Ordering::SeqCst);
    world.accept(0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let parked = world.record(0).await;
    assert_eq!(parked.saga.state().name(), "suspended");
    let wish = |version| Intervention { event: Event::Abort(act()), expected_version: Some(version) };
    let early = world.runner.intervene(parked.id, wish(parked.version - 1)).await;
    assert!(matches!(early, Err(Error::Moved(_))), "{early:?}");
    let parked = world.record(0).await;
    world.runner.intervene(parked.id, wish(parked.version)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.states(1).await, ["compensated"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_journal_keeps_of_an_impossible_reply_is_bounded() {
    let world = World::new(Limits::default()).await;
    world.script.lying.store(true, Ordering::SeqCst);
    world.accept(0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let size = serde_json::to_string(&world.record(0).await.saga).unwrap().len();
    assert!(size < 20_000, "{size}");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_finds_its_saga_even_when_the_house_is_full() {
    let world = World::new(Limits { sagas: 1, ..Limits::default() }).await;
    world.script.down.store(true, Ordering::SeqCst);
    assert!(!world.runner.is_full());
    world.accept(0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.runner.is_full());
    assert!(matches!(world.accept(0).await, Ok(Accepted::Existing(_))));
    assert!(matches!(world.accept(1).await, Err(Error::Overloaded)));
}

#[tokio::test(start_paused = true)]
async fn a_participant_that_panics_is_an_attempt_in_doubt_and_no_more() {
    let world = World::new(Limits::default()).await;
    world.script.panicking.store(true, Ordering::SeqCst);
    world.accept(0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    // The task that drives it has not come to harm.
    assert_eq!(world.record(0).await.epoch, 1);
    world.script.panicking.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.states(1).await, ["compensated"]);
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_only_waits_does_not_spin() {
    let world = World::new(Limits::default()).await;
    world.script.down.store(true, Ordering::SeqCst);
    world.accept(0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let calls = world.script.calls.load(Ordering::SeqCst);
    assert!((20..80).contains(&calls), "{calls}");
}
