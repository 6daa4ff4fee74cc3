//! Many sagas over two processes and a processor with every fault there is. In the end both books say the same, and what
//! each saga was told is what has become of its money.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use outside::processor::{self, Faults, Processor, State};
use proto::payment::v1 as pb;
use service_kit::clock::ManualClock;
use service_kit::refusal::{self, SagaOutcome};
use tokio::task::JoinSet;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{Cards, charge, checkout};
use crate::harness::Service;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=4;
const SAGAS: u128 = 50;

/// Everything that goes wrong, often.
const FAULTS: Faults = Faults {
    delay_ms: 3,
    hold: false,
    down: false,
    reset: false,
    unavailable: 100,
    lose_request: 100,
    lose_reply: 150,
    twice: 150,
    decline: 100,
    decline_capture: 150,
    webhook_delay_ms: 20,
    webhook_twice: 200,
    webhook_lost: 200,
};

/// What a saga was told in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its money is taken.
    Completed,
    /// Nothing is held or taken.
    Compensated,
}

/// One saga, which calls now the one process and now the other, as its messages get through.
struct Saga {
    id: u128,
    processes: [Service; 2],
    random: Rng,
}

impl Saga {
    async fn run(mut self) -> (u128, End) {
        let decides = self.id.is_multiple_of(3);
        let end = if decides { self.charge().await } else { self.checkout().await };
        if end == End::Completed && self.id.is_multiple_of(5) {
            self.refund().await;
        }
        (self.id, end)
    }

    /// A charge of points: its capture is the decision.
    async fn charge(&mut self) -> End {
        let order = charge(self.id, "tok_1");
        if !self.authorize(order).await {
            return self.compensate().await;
        }
        match self.capture(true).await {
            Some(true) => End::Completed,
            Some(false) => self.compensate().await,
            None => self.arbitrate().await,
        }
    }

    /// A checkout: the decision falls between, and after it the capture succeeds some day.
    async fn checkout(&mut self) -> End {
        let order = checkout(self.id, self.id, "tok_1");
        if !self.authorize(order).await || self.random.u8(0..4) == 0 {
            return self.compensate().await;
        }
        assert_eq!(self.capture(false).await, Some(true));
        End::Completed
    }

    /// Whether it is authorised; it may lose patience.
    async fn authorize(&mut self, order: pb::AuthorizePaymentRequest) -> bool {
        loop {
            let request = crate::harness::step("authorize-payment", order.clone());
            match self.process().payments.authorize_payment(request).await {
                Ok(_) => return true,
                Err(status) if decided(&status) => return false,
                Err(_) if self.gives_up() => return false,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// Whether it is captured; nothing if it may lose patience and does.
    async fn capture(&mut self, may_give_up: bool) -> Option<bool> {
        loop {
            let id = self.id;
            match self.process().capture(id).await {
                Ok(_) => return Some(true),
                Err(status) if decided(&status) => return Some(false),
                Err(_) if may_give_up && self.gives_up() => return None,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    async fn compensate(&mut self) -> End {
        let end = self.arbitrate().await;
        assert_eq!(end, End::Compensated, "a compensation is not refused");
        end
    }

    /// The pivot may have happened: whoever is refused goes forward.
    async fn arbitrate(&mut self) -> End {
        loop {
            let id = self.id;
            match self.process().cancel(id).await {
                Ok(_) => return End::Compensated,
                Err(status) if decided(&status) => {
                    assert_eq!(refusal::reason(&status).unwrap(), "PAYMENT_CAPTURED");
                    return End::Completed;
                }
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    async fn refund(&mut self) {
        let (id, refund) = (self.id, 1_000 + self.id);
        while let Err(status) = self.process().create_refund(refund, id, 100).await {
            assert!(!decided(&status), "{status:?}");
        }
        while let Err(status) = self.process().complete_refund(refund).await {
            assert!(!decided(&status), "{status:?}");
            tokio::task::yield_now().await;
        }
    }

    fn process(&mut self) -> &mut Service {
        let index = self.random.usize(0..2);
        &mut self.processes[index]
    }

    fn gives_up(&mut self) -> bool {
        self.random.u8(0..30) == 0
    }
}

/// Whether an answer is a definite no. Anything else must be one that a repeat may follow.
fn decided(status: &Status) -> bool {
    match SagaOutcome::of(status) {
        Some(SagaOutcome::Refused) => true,
        Some(SagaOutcome::Pending | SagaOutcome::NotApplied) => false,
        None => {
            assert_ne!(status.code(), Code::Internal, "{status:?}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_both_books_agree_and_no_money_is_held_or_taken_for_nothing() {
    for seed in SEEDS {
        println!("seed {seed}");
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(1_000));
        let db = testbed::threaded(directory.path(), clock.clone()).await;
        let arguments = processor::Arguments { faults: FAULTS, ..processor::Arguments::loopback(seed) };
        let processor = Arc::new(Processor::start(arguments).await.unwrap());
        let one = Cards::over(db, clock, processor, 5).await;
        let other = one.another(0).await;
        let mut servers = JoinSet::new();
        let url = one.serve(&mut servers).await;
        one.processor.send_webhooks(&url, super::SECRET).unwrap();

        let mut sagas = JoinSet::new();
        for id in 1..=SAGAS {
            let processes = [one.service.clone(), other.service.clone()];
            let random = Rng::with_seed(seed << 32 | u64::try_from(id).unwrap());
            sagas.spawn(Saga { id, processes, random }.run());
        }
        let mut ends = BTreeMap::new();
        while !sagas.is_empty() {
            one.service.clock.advance(500);
            let (first, second) = tokio::join!(one.desk.round(), other.desk.round());
            first.and(second).unwrap();
            while let Some(end) = sagas.try_join_next() {
                let (saga, end) = end.unwrap();
                ends.insert(saga, end);
            }
        }
        one.behave();
        one.drain().await;
        one.processor.settle().await;
        compare(&one, &ends).await;
        one.service.expect_sound().await;
    }
}

/// Our books against the processor's, and both against what the sagas were told.
async fn compare(cards: &Cards, ends: &BTreeMap<u128, End>) {
    let theirs = cards.processor.books();
    let mut payments = cards.service.payments.clone();
    let request = pb::ListPaymentsRequest { page_size: 1_000, ..Default::default() };
    let ours = payments.list_payments(request).await.unwrap().into_inner().payments;
    let mut counts = BTreeMap::new();
    for payment in &ours {
        let id = Uuid::try_parse(payment.name.strip_prefix("payments/").unwrap()).unwrap();
        let (name, end) = (&payment.name, ends[&id.as_u128()]);
        *counts.entry((payment.state().as_str_name(), end == End::Completed)).or_insert(0) += 1;
        let found = theirs.get(&id.to_string());
        let (captured, refunded) = found.map_or((0, 0), |found| (found.captured, found.refunded));
        assert_eq!((payment.captured_amount, payment.refunded_amount), (captured, refunded), "{name} {end:?}");
        match payment.state() {
            pb::payment::State::Captured => assert_eq!(end, End::Completed, "{name}"),
            pb::payment::State::Cancelled | pb::payment::State::Failed => {
                let state = found.map(|found| found.state);
                assert!(matches!(state, Some(State::Voided | State::Declined)), "{name} is {state:?} there");
                assert_eq!(end, End::Compensated, "{name}");
            }
            other
            @ (pb::payment::State::Unspecified | pb::payment::State::Pending | pb::payment::State::Authorized) => {
                unreachable!("{name} is {other:?} for a saga that has {end:?}")
            }
        }
    }
    let known: Vec<_> = ours.iter().map(|payment| payment.name.replace("payments/", "")).collect();
    assert!(theirs.keys().all(|id| known.contains(id)), "the processor knows of what we do not");
    println!("{counts:?}");
}
