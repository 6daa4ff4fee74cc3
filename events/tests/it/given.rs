//! What the tests start from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use events::{CloudEvent, Handler, Receipt};
use prost::Message as _;
use proto::event::v1::CheckoutCompleted;
use service_kit::outbox::Event;
use uuid::Uuid;

/// A day in 2027, and some milliseconds.
pub(crate) const NOW_MS: i64 = 1_800_000_000_123;

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
    answers: Mutex<Vec<(String, Receipt)>>,
}

impl Notebook {
    /// One that wants the kinds that start so.
    pub(crate) fn of(name: &'static str, wants: &'static str) -> Arc<Self> {
        Arc::new(Self { name, wants, taken: Mutex::default(), answers: Mutex::default() })
    }

    /// Answers so to the events of a subject, until told otherwise.
    pub(crate) fn answer(&self, subject: &str, receipt: Receipt) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, _)| known != subject);
        answers.push((subject.into(), receipt));
    }

    /// What it took, without repeats.
    pub(crate) fn ids(&self) -> BTreeSet<Uuid> {
        self.taken.lock().unwrap().iter().map(|event| event.id).collect()
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
            let told = answers.iter().find(|(subject, _)| *subject == event.subject);
            let receipt = told.map_or(Receipt::Taken, |(_, receipt)| receipt.clone());
            if receipt.is_taken() {
                self.taken.lock().unwrap().push(event.clone());
            }
            receipt
        };
        events.iter().map(answer).collect()
    }
}
