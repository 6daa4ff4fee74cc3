//! What the tests start from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use events::{CloudEvent, Handler, Receipt, Sink};
use prost::Message as _;
use proto::event::v1::CheckoutCompleted;
use service_kit::outbox::Event;
use tokio::sync::watch;
use uuid::Uuid;

/// A day in 2027, and some milliseconds.
pub(crate) const NOW_MS: i64 = 1_800_000_000_123;

/// Longer than anything takes, on a busy machine too.
const LONG: Duration = Duration::from_secs(120);
/// Stands for every subject.
const ALL: &str = "*";

/// The event of a checkout that is through, as it lies in the outbox.
pub(crate) fn completed() -> Event {
    let data =
        CheckoutCompleted { concert_title: "겨울 나그네".into(), amount: 132_000, ..CheckoutCompleted::default() };
    Event {
        bucket: 3,
        id: Uuid::from_u128(7),
        aggregate: "checkouts/ä 1%".into(),
        kind: "ticketing.checkout.completed.v1".into(),
        saga: Some(Uuid::from_u128(8)),
        data: data.encode_to_vec(),
        create_time: NOW_MS,
        partition: "reservations/2".into(),
        version: 12,
    }
}

/// A handler that keeps what it is given, and may be told to do otherwise.
#[derive(Debug)]
pub(crate) struct Notebook {
    name: &'static str,
    wants: &'static str,
    taken: Mutex<Vec<CloudEvent>>,
    changed: watch::Sender<()>,
    answers: Mutex<Vec<(String, Receipt)>>,
}

impl Notebook {
    /// One that wants the kinds that start so.
    pub(crate) fn of(name: &'static str, wants: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            wants,
            taken: Mutex::default(),
            changed: watch::Sender::default(),
            answers: Mutex::default(),
        })
    }

    /// Answers so to the events of a subject, until told otherwise.
    pub(crate) fn answer(&self, subject: &str, receipt: Receipt) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, _)| known != subject);
        answers.push((subject.into(), receipt));
    }

    /// Answers so to all events of whatever subject, until told otherwise.
    pub(crate) fn answer_all(&self, receipt: Receipt) {
        self.answer(ALL, receipt);
    }

    /// What it took of each, as `subject@version`, and forgets it.
    pub(crate) fn drain(&self) -> Vec<String> {
        let taken = std::mem::take(&mut *self.taken.lock().unwrap());
        taken.iter().map(|event| format!("{}@{}", event.subject, event.version)).collect()
    }

    /// What it took, without repeats.
    pub(crate) fn ids(&self) -> BTreeSet<Uuid> {
        self.taken.lock().unwrap().iter().map(|event| event.id).collect()
    }

    /// Waits until it has taken so many, repeats not counted.
    pub(crate) async fn has(&self, count: usize) {
        let waited = tokio::time::timeout(LONG, self.all(count));
        assert!(waited.await.is_ok(), "{} of {count}", self.ids().len());
    }

    /// Waits until it has taken an event of this version.
    pub(crate) async fn has_version(&self, version: i64) {
        let mut changed = self.changed.subscribe();
        while !self.taken().iter().any(|event| event.version == version) {
            tokio::time::timeout(LONG, changed.changed()).await.unwrap().unwrap();
        }
    }

    /// Waits until it has taken so many, repeats not counted, for as long as it takes.
    pub(crate) async fn all(&self, count: usize) {
        let mut changed = self.changed.subscribe();
        while self.ids().len() < count {
            changed.changed().await.unwrap();
        }
    }

    /// What it took, each the first time only, as `subject@version`.
    pub(crate) fn first_times(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let taken = self.taken();
        let first = taken.iter().filter(|event| known.insert((event.source.clone(), event.id)));
        first.map(|event| format!("{}@{}", event.subject, event.version)).collect()
    }

    pub(crate) fn taken(&self) -> Vec<CloudEvent> {
        self.taken.lock().unwrap().clone()
    }
}

#[async_trait]
impl Handler for Notebook {
    fn name(&self) -> &'static str {
        self.name
    }

    fn wants(&self, kind: &str) -> bool {
        kind.starts_with(self.wants)
    }

    async fn handle(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        let answers = self.answers.lock().unwrap().clone();
        let answer = |event: &CloudEvent| {
            let told = answers.iter().find(|(subject, _)| *subject == event.subject || subject == ALL);
            let receipt = told.map_or(Receipt::Taken, |(_, receipt)| receipt.clone());
            if receipt.is_taken() {
                self.taken.lock().unwrap().push(event.clone());
            }
            receipt
        };
        let receipts = events.iter().map(answer).collect();
        self.changed.send_replace(());
        receipts
    }
}

#[async_trait]
impl Sink for Notebook {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        let subjects: BTreeSet<_> = events.iter().map(|event| &event.subject).collect();
        assert_eq!(subjects.len(), events.len(), "two of one subject side by side");
        self.handle(events).await
    }
}
