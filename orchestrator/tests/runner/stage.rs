//! A runner between a journal and participants that do as they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use orchestrator::journal::{Accepted, Journal as _, LEASE, MemoryJournal, Record};
use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::Plans;
use orchestrator::runner::{Error, Limits, Parts, Runner};
use prost::Message as _;
use proto::concert::v1::LockReservationResponse;
use service_kit::clock::RuntimeClock;
use service_kit::host::Host;
use service_kit::ids::Ids;
use tonic::Status;
use tonic::body::Body;
use uuid::Uuid;

use crate::journal::Told;
use crate::{order, reply};

const NOW_MS: i64 = 1_800_000_000_000;
const AMOUNT: i64 = 50_000;
/// What every checkout calls, in this order but for the last three.
pub(crate) const METHODS: [&str; 6] =
    ["LockReservation", "ReservePoints", "AuthorizePayment", "ConfirmReservation", "CapturePoints", "CapturePayment"];

/// Each orchestrator makes ids of its own.
static LIVES: AtomicU64 = AtomicU64::new(1);

/// What participants are told, and what they were asked.
#[derive(Debug, Default)]
pub(crate) struct Script {
    down: BTreeSet<&'static str>,
    hanging: BTreeSet<&'static str>,
    /// How many bytes an answer is to have.
    large: BTreeMap<&'static str, usize>,
    calls: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) journal: Arc<Told>,
    pub(crate) runner: Runner,
    script: Arc<Mutex<Script>>,
}

impl Stage {
    /// One that has the journal for itself.
    pub(crate) async fn alone(limits: Limits) -> Self {
        Self::over(Told::over(MemoryJournal::default()), limits).await
    }

    /// One that shares the journal with others.
    pub(crate) async fn sharing() -> Self {
        let clock = Arc::new(RuntimeClock::at(NOW_MS));
        Self::over(Told::over(MemoryJournal::shared(LEASE, clock)), Limits::default()).await
    }

    pub(crate) async fn over(journal: Arc<Told>, limits: Limits) -> Self {
        let script = Arc::<Mutex<Script>>::default();
        let clock = Arc::new(RuntimeClock::at(NOW_MS));
        let ids = Ids::seeded(LIVES.fetch_add(1, Ordering::Relaxed));
        let host = Host::new(testbed::db(clock.clone()).await, clock, ids);
        let names = ["concert", "customer", "payment", "token"];
        let participants = Participants::new(names.map(|name| (name, participant(&script))));
        let parts = Parts {
            journal: journal.clone(),
            plans: Plans::default(),
            participants: Arc::new(participants),
            host,
            limits,
        };
        Self { journal, runner: Runner::start(parts).await.unwrap(), script }
    }

    /// The participants forget how they answered `method`.
    pub(crate) fn heal(&self, method: &'static str) {
        let mut script = self.script.lock().unwrap();
        script.down.remove(method);
        script.hanging.remove(method);
    }

    /// They answer `method` that they are not there.
    pub(crate) fn fail(&self, method: &'static str) {
        self.script.lock().unwrap().down.insert(method);
    }

    /// They never answer it.
    pub(crate) fn hang(&self, method: &'static str) {
        self.script.lock().unwrap().hanging.insert(method);
    }

    /// They answer it as they should, in a message of so many bytes.
    pub(crate) fn bloat(&self, method: &'static str, bytes: usize) {
        self.script.lock().unwrap().large.insert(method, bytes);
    }

    /// How often they were asked for it.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.script.lock().unwrap().calls.get(method).copied().unwrap_or_default()
    }

    pub(crate) async fn accept(&self, id: u128) -> Result<Accepted, Error> {
        self.runner.accept(order::checkout(id)).await
    }

    pub(crate) async fn record(&self, id: u128) -> Record {
        self.journal.memory.load(Uuid::from_u128(id)).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: u128) -> &'static str {
        self.record(id).await.saga.state().name()
    }
}

fn participant(script: &Arc<Mutex<Script>>) -> Participant {
    let script = script.clone();
    Participant::new(tower::service_fn(move |request: http::Request<Body>| {
        let script = script.clone();
        async move {
            let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let bytes = request.into_body().collect().await.unwrap().to_bytes();
            let start = bytes.windows(6).position(|window| window == b"sagas/").unwrap();
            let saga = String::from_utf8(bytes[start..start + 42].to_vec()).unwrap();
            let (is_down, is_hanging, large) = {
                let mut script = script.lock().unwrap();
                *script.calls.entry(method.clone()).or_default() += 1;
                let large = script.large.get(&*method).copied();
                (script.down.contains(&*method), script.hanging.contains(&*method), large)
            };
            if is_hanging {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(match large {
                _ if is_down => Status::unavailable("down").into_http(),
                Some(bytes) => reply::framed(padded(saga, bytes)),
                None => reply::done(saga, AMOUNT),
            })
        }
    }))
}

/// The answer of a step, with a field that nobody knows.
fn padded(saga: String, bytes: usize) -> Vec<u8> {
    let mut message = LockReservationResponse { saga, amount: AMOUNT, ..Default::default() }.encode_to_vec();
    // Two bytes of key and three of length.
    let padding = vec![0_u8; bytes - message.len() - 5];
    prost::encoding::bytes::encode(1_000, &padding, &mut message);
    assert_eq!(message.len(), bytes);
    message
}

/// Lets so many seconds pass.
pub(crate) async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
