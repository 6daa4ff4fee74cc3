//! A runner over the model of the journal, with participants that answer at once, late, or never.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use orchestrator::journal::{Accepted, Journal, MemoryJournal, Query, Record};
use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::checkout::Checkout;
use orchestrator::plans::{Definition, Plans};
use orchestrator::runner::{Error, Limits, NewSaga, Parts, Runner};
use service_kit::clock::RuntimeClock;
use service_kit::host::Host;
use service_kit::ids::Ids;
use tonic::body::Body;
use uuid::Uuid;

use crate::{order, reply};

pub(crate) const NOW_MS: i64 = 1_800_000_000_000;
const AMOUNT: i64 = 50_000;
pub(crate) const PARTICIPANTS: [&str; 4] = ["concert", "customer", "payment", "token"];

/// Each orchestrator makes ids of its own.
static LIVES: AtomicU64 = AtomicU64::new(1);

/// How a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It takes this long for an answer.
    Takes(Duration),
    /// It never answers.
    Hangs,
    /// It says no to whatever goes forward, and yes to what takes back.
    Refuses,
}

/// What was seen of calls.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    moods: BTreeMap<&'static str, Mood>,
    /// By participant: calls under way, and how many there were at once at most.
    pub(crate) under_way: BTreeMap<&'static str, (usize, usize)>,
    /// Methods and sagas, in the order in which they arrived.
    pub(crate) calls: Vec<(String, u128)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Seen>>);

/// A call under way, until it is answered or dropped.
struct UnderWay(Script, &'static str);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.seen(|seen| seen.under_way.entry(self.1).or_default().0 -= 1);
    }
}

impl Script {
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    pub(crate) fn set(&self, participant: &'static str, mood: Mood) {
        self.seen(|seen| seen.moods.insert(participant, mood));
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        self.seen(|seen| seen.calls.iter().filter(|(called, _)| called == method).count())
    }

    async fn answer(self, participant: &'static str, method: String, saga: String) -> http::Response<Body> {
        let id: Uuid = saga.trim_start_matches("sagas/").parse().unwrap();
        let mood = self.seen(|seen| {
            seen.calls.push((method.clone(), id.as_u128()));
            let (now, most) = seen.under_way.entry(participant).or_default();
            *now += 1;
            *most = (*most).max(*now);
            seen.moods.get(participant).copied().unwrap_or(Mood::Takes(Duration::ZERO))
        });
        let _under_way = UnderWay(self, participant);
        match mood {
            Mood::Takes(time) => tokio::time::sleep(time).await,
            Mood::Hangs => std::future::pending().await,
            Mood::Refuses if !["CancelPayment", "ReleasePoints", "UnlockReservation"].contains(&&*method) => {
                let refusal = service_kit::refusal::Refusal::precondition("NO", "scripted").into_status("tests");
                return service_kit::refusal::SagaOutcome::Refused.mark(refusal).into_http();
            }
            Mood::Refuses => {}
        }
        // Every second reservation is free.
        reply::done(saga, if id.as_u128().is_multiple_of(2) { AMOUNT } else { 0 })
    }

    fn participant(&self, name: &'static str) -> Participant {
        let script = self.clone();
        Participant::new(tower::service_fn(move |request: http::Request<Body>| {
            let script = script.clone();
            async move {
                let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
                let bytes = request.into_body().collect().await.unwrap().to_bytes();
                let start = bytes.windows(6).position(|window| window == b"sagas/").unwrap();
                let saga = String::from_utf8(bytes[start..start + 42].to_vec()).unwrap();
                Ok::<_, Infallible>(script.answer(name, method, saga).await)
            }
        }))
    }
}

pub(crate) struct House {
    pub(crate) script: Script,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) host: Host,
    pub(crate) runner: Runner,
}

impl House {
    pub(crate) async fn new(limits: Limits) -> Self {
        Self::over(Arc::default(), limits, Plans::default()).await
    }

    /// An orchestrator that finds what another one has left in the journal.
    pub(crate) async fn over(journal: Arc<MemoryJournal>, limits: Limits, plans: Plans) -> Self {
        let script = Script::default();
        Self::with(script, journal, limits, plans).await
    }

    pub(crate) async fn with(script: Script, journal: Arc<MemoryJournal>, limits: Limits, plans: Plans) -> Self {
        let clock = Arc::new(RuntimeClock::at(NOW_MS));
        let host =
            Host::new(testbed::db(clock.clone()).await, clock, Ids::seeded(LIVES.fetch_add(1, Ordering::Relaxed)));
        let participants = Participants::new(PARTICIPANTS.map(|name| (name, script.participant(name))));
        let parts =
            Parts { journal: journal.clone(), plans, participants: Arc::new(participants), host: host.clone(), limits };
        Self { script, journal, host, runner: Runner::start(parts).await.unwrap() }
    }

    pub(crate) async fn accept(&self, id: u128) -> Result<Accepted, Error> {
        self.accept_as(&Checkout, id).await
    }

    pub(crate) async fn accept_as(&self, definition: &'static dyn Definition, id: u128) -> Result<Accepted, Error> {
        // Every participant is asked, the waiting room too.
        let new = NewSaga { definition, skip: Vec::new(), ..order::checkout(id) };
        self.runner.accept(new).await
    }

    pub(crate) async fn record(&self, id: u128) -> Record {
        self.journal.load(Uuid::from_u128(id)).await.unwrap().unwrap()
    }

    /// How many sagas of these are in each state.
    pub(crate) async fn states(&self, which: impl Fn(&Record) -> bool) -> BTreeMap<&'static str, usize> {
        let all = self.journal.list(&Query { limit: usize::MAX, ..Query::default() }).await.unwrap();
        let mut states = BTreeMap::new();
        for record in all.iter().filter(|record| which(record)) {
            *states.entry(record.saga.state().name()).or_default() += 1;
        }
        states
    }
}

/// Whether nobody pays anything for it.
pub(crate) fn is_free(record: &Record) -> bool {
    record.id.as_u128() % 2 == 1
}
