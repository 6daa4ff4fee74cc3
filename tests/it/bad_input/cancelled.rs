//! Callers who go away in the middle of a call, at every point at which the call waits for something: it has happened or
//! it has not, never half, and whoever repeats it is answered as if nothing had been.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use service_kit::crash;
use testbed::Engine;
use testbed::books::Reader;
use tonic::Status;

use super::contract::{Contract, Method};
use super::stage::{OTHERS, Stage};

/// Methods that change nothing begin so.
const ONLY_LOOKS: [&str; 3] = ["Get", "List", "Watch"];
/// One method of so many is tried.
const PARTS: u8 = 6;
/// More than any call waits.
const MOST: usize = 200;

/// Rows of each table, and what is found to break each rule: the stage itself has sagas that no journal knows.
type Counts = BTreeMap<&'static str, usize>;

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_wherever_it_waits_has_happened_once_or_not_at_all() {
    let (mut dropped, mut problems) = (0, Vec::new());
    // There each unit of work is done in one go whatever is asked for, so only those wait who wait for a saga.
    let is_on_file = Engine::named() == Engine::Sqlite;
    let mut random = Random::of_this_run();
    let mut changes = |method: &Method| {
        let is_checkout = method.package == "ticketing.orchestrator.v1";
        let is_chosen = is_checkout || is_on_file && random.takes();
        is_chosen && !ONLY_LOOKS.iter().any(|start| method.name.starts_with(start))
    };
    for method in Contract::read().methods.into_iter().filter(|method| changes(method)) {
        let mut whole = None;
        for polls in 1..MOST {
            let stage = Stage::new().await;
            let sent = stage.sample(&method);
            crash::breathes(true);
            let answered = polled(polls, stage.call(&method, &sent)).await;
            crash::breathes(false);
            if answered.is_some() {
                break;
            }
            dropped += 1;
            let again = answer(&stage.call(&method, &sent).await);
            let counts = counts(&stage).await;
            if whole.is_none() {
                whole = Some(Whole::of(&method).await);
            }
            if !whole.as_ref().is_some_and(|whole| whole.allows(&again, &counts)) {
                let differs = whole.as_ref().map(|whole| whole.differs(&counts));
                problems.push(format!("{} dropped after {polls} polls: {again}; {differs:?}", method.path));
            }
        }
    }
    println!("{dropped} calls dropped");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(dropped > 5, "only {dropped} calls waited for anything");
}

/// Which methods are tried: a few of them every time, all of them with `SKALD_TEST_CANCELS=all`, and the same few again
/// with the seed that was printed in its place.
struct Random(Option<fastrand::Rng>);

impl Random {
    fn of_this_run() -> Self {
        let asked = std::env::var("SKALD_TEST_CANCELS").ok();
        if asked.as_deref() == Some("all") {
            return Self(None);
        }
        let seed = asked.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..1_000_000));
        println!("SKALD_TEST_CANCELS={seed}");
        Self(Some(fastrand::Rng::with_seed(seed)))
    }

    fn takes(&mut self) -> bool {
        self.0.as_mut().is_none_or(|random| random.u8(..PARTS) == 0)
    }
}

/// What a call comes to that is made once, and made twice.
#[derive(Debug)]
struct Whole {
    answers: [String; 2],
    counts: [Counts; 2],
}

impl Whole {
    async fn of(method: &Method) -> Self {
        let stage = Stage::new().await;
        let first = answer(&stage.call(method, &stage.sample(method)).await);
        let once = counts(&stage).await;
        let stage = Stage::new().await;
        let sent = stage.sample(method);
        drop(stage.call(method, &sent).await);
        let second = answer(&stage.call(method, &sent).await);
        Self { answers: [first, second], counts: [once, counts(&stage).await] }
    }

    /// What there is more or less of than after one call, with the answers that there may be.
    fn differs(&self, counts: &Counts) -> (Vec<(&'static str, usize, usize)>, &[String; 2]) {
        let pairs = counts.iter().zip(&self.counts[0]);
        let differs = pairs.filter(|(now, once)| now != once).map(|(now, once)| (*now.0, *now.1, *once.1));
        (differs.collect(), &self.answers)
    }

    /// Whether the call that was dropped, and repeated, came to as much as one or both of them. That the saga has moved on
    /// meanwhile is how a verb says that it has happened.
    fn allows(&self, again: &String, counts: &Counts) -> bool {
        let has_happened = again.contains("ETAG_MISMATCH") && self.counts[0] == *counts;
        has_happened || self.answers.contains(again) && self.counts.contains(counts)
    }
}

/// The output of `call`, if it needs no more polls than that; dropped else, just when it waits.
async fn polled<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut count) = (pin!(call), 0);
    std::future::poll_fn(move |context| {
        count += 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if count == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What was answered, without what differs from time to time.
fn answer(answer: &Result<Bytes, Status>) -> String {
    match answer {
        Ok(_) => "ok".into(),
        Err(status) => format!("{:?} {:?}", status.code(), service_kit::refusal::reason(status)),
    }
}

/// How many rows there are once nothing is under way, and how many findings.
async fn counts(stage: &Stage) -> Counts {
    stage.world.settle().await;
    let reader = Reader::new(&stage.world.db, &OTHERS).await.unwrap();
    let mut counts = reader.read(&stage.world.db).await.unwrap().counts();
    counts.extend(stage.world.report().await.rules.into_iter().map(|rule| (rule.id, rule.findings.len())));
    counts
}
