//! One customer, from his first click to the last time that he looks.

use std::time::Duration;

use fastrand::Rng;
use loadtest::{Behaviour, Order};
use oracle::history::{Asked, saga_of};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout::State;
use proto::payment::v1::payment::Method;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use uuid::Uuid;

use super::desk::{Desk, Shown, Wish};
use super::notebook::{Notebook, is_refusal};

/// How long somebody asks again for what he has got no answer to.
const INSISTS: Duration = Duration::from_secs(40);
/// How long somebody looks how it stands before he does something else; it goes on without him.
const LOOKS: Duration = Duration::from_secs(25);
/// Between two times that he asks or looks.
const PAUSE_MS: std::ops::Range<u64> = 20..150;
/// One in so many who bought returns it, cancels before it is bought, or charges points.
const RETURNS: u8 = 6;
const CANCELS: u8 = 20;
/// One in so many listens to what becomes of it, instead of looking.
const FOLLOWS: u8 = 5;
const CHARGES: u8 = 8;
/// Points that are charged.
const CHARGE: i64 = 10_000;
/// What somebody saw was so much dearer.
const OTHER_PRICE: i64 = 1_000;

/// Everything that a customer needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit<'a> {
    pub(super) desk: &'a Desk,
    pub(super) notebook: &'a Notebook,
    pub(super) client: u64,
}

impl Visit<'_> {
    /// All of it; tells the name of his checkout, if it is known.
    pub(super) async fn run(self, order: &Order, mut random: Rng) -> Option<String> {
        let shown = self.shop(order, random.fork()).await?;
        if !is_bought(&shown) {
            return Some(shown.name);
        }
        if matches!(order.behaviour, Behaviour::LacksPoints { .. } | Behaviour::SawAnotherPrice) {
            self.notebook.violation(format!("{} was bought, though: {:?}", shown.name, order.behaviour));
        }
        if random.u8(..RETURNS) == 0 && shown.state == State::Completed {
            drop(self.settle(returns(order, &mut random), random.fork()).await);
        }
        if random.u8(..CHARGES) == 0 {
            drop(self.settle(charges(order, &mut random), random.fork()).await);
        }
        Some(shown.name)
    }

    async fn shop(self, order: &Order, mut random: Rng) -> Option<Shown> {
        let wish = buys(order, &mut random);
        match order.behaviour {
            Behaviour::DoubleClicks { .. } => {
                let (one, two) = (self.insist(wish.clone(), random.fork()), self.insist(wish, random.fork()));
                let (one, two) = tokio::join!(one, two);
                self.expect_same(one.as_ref(), two.as_ref());
                one.or(two)
            }
            Behaviour::TwoTabs => {
                let other = buys(order, &mut random);
                let (one, two) = (self.settle(wish, random.fork()), self.settle(other, random.fork()));
                let (one, two) = tokio::join!(one, two);
                if [&one, &two].iter().all(|tab| tab.as_ref().is_some_and(is_bought)) {
                    self.notebook.violation(format!("{} was bought twice", order.reservation));
                }
                one.filter(is_bought).or(two)
            }
            Behaviour::GoesAway { after_ms } => {
                let call = self.create(random.usize(..), wish);
                drop(timeout(Duration::from_millis(after_ms * 5), call).await);
                None
            }
            Behaviour::Buys
            | Behaviour::LacksPoints { .. }
            | Behaviour::SawAnotherPrice
            | Behaviour::ComesLate { .. }
            | Behaviour::IsNotTheOwner
            | Behaviour::HasNoCredit => self.settle(wish, random.fork()).await,
        }
    }

    /// Gets something started and sees it through, unless he loses patience.
    async fn settle(self, wish: Wish, mut random: Rng) -> Option<Shown> {
        let may_cancel = matches!(wish, Wish::Checkout(_)) && random.u8(..CANCELS) == 0;
        let follows = matches!(wish, Wish::Checkout(_)) && random.u8(..FOLLOWS) == 0;
        let mut shown = self.insist(wish, random.fork()).await?;
        let until = Instant::now() + LOOKS;
        if follows {
            // A stream that breaks is no reason not to look.
            drop(timeout(LOOKS, self.follow(random.usize(..), &shown.name)).await);
        }
        while !matches!(shown.state, State::Completed | State::Failed) && Instant::now() < until {
            if may_cancel && shown.state == State::Running && random.u8(..4) == 0 {
                drop(self.cancel(random.usize(..), &shown.name).await);
            }
            sleep(Duration::from_millis(random.u64(PAUSE_MS))).await;
            if let Ok(later) = self.get(random.usize(..), &shown.name).await {
                shown = later;
            }
        }
        Some(shown)
    }

    /// Asks one replica after the other until one answers. What is refused is refused everywhere.
    async fn insist(self, wish: Wish, mut random: Rng) -> Option<Shown> {
        let until = Instant::now() + INSISTS;
        let mut replica = random.usize(..1_000);
        while Instant::now() < until {
            match self.create(replica, wish.clone()).await {
                Ok(shown) => return Some(shown),
                Err(status) if is_refusal(status.code()) => return None,
                Err(_) => {}
            }
            replica += 1;
            sleep(Duration::from_millis(random.u64(PAUSE_MS))).await;
        }
        None
    }

    async fn create(self, replica: usize, wish: Wish) -> Result<Shown, Status> {
        let noted = self.notebook.begin(self.client, wish.asked());
        let answer = self.desk.create(replica, wish).await;
        noted.heard(&answer);
        answer
    }

    pub(super) async fn get(self, replica: usize, name: &str) -> Result<Shown, Status> {
        let noted = self.notebook.begin(self.client, Asked::get(id(name)));
        let answer = self.desk.get(replica, name).await;
        noted.heard(&answer);
        answer
    }

    /// Listens until it has ended, or the line breaks.
    async fn follow(self, replica: usize, name: &str) {
        let noted = self.notebook.begin(self.client, Asked::watch(id(name)));
        let mut versions = match self.desk.watch(replica, name).await {
            Ok(versions) => versions,
            Err(status) => return noted.heard(&Err(status)),
        };
        loop {
            match versions.next().await {
                Ok(Some(shown)) => noted.one_more(&shown),
                Ok(None) => return noted.ended(),
                Err(status) => return noted.heard(&Err(status)),
            }
        }
    }

    async fn cancel(self, replica: usize, name: &str) -> Result<Shown, Status> {
        let noted = self.notebook.begin(self.client, Asked::cancel(id(name)));
        let answer = self.desk.cancel(replica, name).await;
        noted.heard(&answer);
        answer
    }

    fn expect_same(self, one: Option<&Shown>, two: Option<&Shown>) {
        if let (Some(one), Some(two)) = (one, two)
            && one.name != two.name
        {
            self.notebook.violation(format!("one request is {} and {}", one.name, two.name));
        }
    }
}

fn id(name: &str) -> Uuid {
    saga_of(name).unwrap_or_default()
}

fn is_bought(shown: &Shown) -> bool {
    matches!(shown.state, State::Completing | State::Completed)
}

/// A new request, also when the same seed has made one before. Only what follows from it must follow from the seed.
#[expect(clippy::disallowed_methods, reason = "customers make their ids themselves")]
fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Some want an answer at once, others wait.
fn wait(random: &mut Rng) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: random.i64(0..4), nanos: 0 })
}

fn buys(order: &Order, random: &mut Rng) -> Wish {
    let dearer = if order.behaviour == Behaviour::SawAnotherPrice { OTHER_PRICE } else { 0 };
    Wish::Checkout(pb::CreateCheckoutRequest {
        checkout: Some(pb::Checkout {
            customer: order.customer.clone(),
            reservation: order.reservation.clone(),
            queue_token: order.queue_token.clone(),
            payment_method: Method::Point.into(),
            ..Default::default()
        }),
        expected_amount: Some(order.amount + dearer),
        wait: wait(random),
        request_id: request_id(),
        ..Default::default()
    })
}

fn returns(order: &Order, random: &mut Rng) -> Wish {
    Wish::Cancellation(pb::CreateCancellationRequest {
        cancellation: Some(pb::Cancellation {
            reservation: order.reservation.clone(),
            customer: order.customer.clone(),
            ..Default::default()
        }),
        wait: wait(random),
        request_id: request_id(),
        ..Default::default()
    })
}

fn charges(order: &Order, random: &mut Rng) -> Wish {
    Wish::Charge(pb::CreatePointChargeRequest {
        point_charge: Some(pb::PointCharge {
            customer: order.customer.clone(),
            amount: CHARGE,
            payment_method: Method::Card.into(),
            ..Default::default()
        }),
        card: Some(pb::Card { processor_token: "tok_demo".into(), last_four: "4242".into() }),
        wait: wait(random),
        request_id: request_id(),
    })
}
