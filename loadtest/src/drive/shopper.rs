//! A virtual customer at the checkout: does what his behaviour says, counts what he is told, and looks whether that can
//! be true.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proto::customer::v1::AdjustPointsRequest;
use proto::orchestrator::v1::{Card, Checkout, CreateCheckoutRequest, WatchCheckoutRequest};
use proto::payment::v1::payment::Method;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};

use crate::client::Client;
use crate::clock;
use crate::drive::Naive;
use crate::mix::Behaviour;
use crate::record::Record;
use crate::seed::Order;
use crate::tally::{Tally, is_bought, outcome};

/// By this the processor knows a card that it declines.
const DECLINED: &str = "tok_decline_stolen_card";
/// What a customer does before he asks again.
const PAUSE: Duration = Duration::from_millis(200);
/// How much dearer the price was that somebody saw.
const OTHER_PRICE: i64 = 1_000;

#[derive(Clone)]
pub(super) struct Shopper {
    pub(super) client: Client,
    pub(super) tally: Arc<Tally>,
    pub(super) stranger: String,
    pub(super) wait: Duration,
    pub(super) insists: Duration,
    pub(super) started: Instant,
    pub(super) record: Record,
    /// Where the naive order is taken, and the account of the revenue.
    pub(super) naive: Option<Arc<(Naive, String)>>,
}

impl Shopper {
    /// Comes for an order; should have come at `intended`.
    pub(super) async fn shop(&self, order: &Order, intended: Instant) {
        match order.behaviour {
            Behaviour::Buys | Behaviour::ComesLate { .. } => {
                let checkout = self.submit(self.request(order), intended).await;
                self.expect_right(order, checkout.as_ref());
            }
            Behaviour::LacksPoints { tops_up } => self.lack_points(order, tops_up, intended).await,
            Behaviour::DoubleClicks { times } => self.double_click(order, times, intended).await,
            Behaviour::TwoTabs => self.open_two_tabs(order, intended).await,
            Behaviour::SawAnotherPrice => {
                let expected_amount = Some(order.amount + OTHER_PRICE);
                let request = CreateCheckoutRequest { expected_amount, ..self.request(order) };
                let checkout = self.submit(request, intended).await;
                self.expect_right(order, checkout.as_ref());
            }
            Behaviour::GoesAway { after_ms } => self.go_away(order, Duration::from_millis(after_ms), intended).await,
            Behaviour::HasNoCredit => {
                let mut request = self.request(order);
                request.card = Some(Card { processor_token: DECLINED.into(), last_four: "4242".into() });
                request.checkout.get_or_insert_default().payment_method = Method::Card.into();
                let checkout = self.submit(request, intended).await;
                self.expect_right(order, checkout.as_ref());
            }
            Behaviour::IsNotTheOwner => {
                let mut request = self.request(order);
                request.checkout.get_or_insert_default().customer.clone_from(&self.stranger);
                let checkout = self.submit(request, intended).await;
                self.expect_right(order, checkout.as_ref());
            }
        }
    }

    async fn lack_points(&self, order: &Order, tops_up: bool, intended: Instant) {
        let Some(failed) = self.submit(self.request(order), intended).await else { return };
        self.expect_right(order, Some(&failed));
        if !tops_up {
            return;
        }
        match self.top_up(order, failed).await {
            Ok(()) => drop(self.submit(self.request(order), Instant::now()).await),
            Err(status) => self.count(&Err(status), Instant::now()),
        }
    }

    /// Gets the points that are missing, and sees to it that nothing of the failed checkout is in the way any more.
    async fn top_up(&self, order: &Order, failed: Checkout) -> Result<(), Status> {
        let request = AdjustPointsRequest {
            customer: order.customer.clone(),
            amount: order.amount,
            reason: "top-up in a load test".into(),
            request_id: clock::request_id(),
        };
        self.client.points().adjust_points(request).await?;
        if self.naive.is_some() {
            return Ok(());
        }
        let watch = self.record.watch(&failed.name);
        let request = WatchCheckoutRequest { name: failed.name };
        let mut versions = self.client.checkouts().watch_checkout(request).await?.into_inner();
        while let Some(checkout) = versions.message().await? {
            watch.heard(&checkout);
        }
        watch.ended();
        Ok(())
    }

    async fn double_click(&self, order: &Order, times: u8, intended: Instant) {
        let request = self.request(order);
        let clicks = (0..times).map(|_| self.submit(request.clone(), intended));
        let checkouts: Vec<_> = join_all(clicks).await.into_iter().flatten().collect();
        if checkouts.windows(2).any(|pair| pair[0].name != pair[1].name) {
            self.tally.violation(format!("request {} became more than one checkout", request.request_id));
        }
    }

    async fn open_two_tabs(&self, order: &Order, intended: Instant) {
        let tabs = [(); 2].map(|()| self.submit(self.request(order), intended));
        let bought = join_all(tabs).await.into_iter().flatten().filter(is_bought).count();
        if bought > 1 {
            self.tally.violation(format!("{} was bought twice", order.reservation));
        }
    }

    async fn go_away(&self, order: &Order, after: Duration, intended: Instant) {
        if self.naive.is_some() {
            // It goes on without him.
            drop(self.ask(self.request(order)).await);
            return self.tally.went_away(intended.elapsed());
        }
        let mut client = self.client.dropped_checkouts();
        let request = self.request(order);
        let call = self.record.start(&request);
        match timeout(after, client.create_checkout(request)).await {
            Ok(answer) => {
                let answer = answer.map(tonic::Response::into_inner);
                call.answered(&answer);
                self.count(&answer, intended);
            }
            Err(_) => self.tally.went_away(intended.elapsed()),
        }
    }

    async fn submit(&self, request: CreateCheckoutRequest, intended: Instant) -> Option<Checkout> {
        let until = Instant::now() + self.insists;
        let answer = loop {
            let answer = self.ask(request.clone()).await;
            match &answer {
                Err(status) if is_in_doubt(status) && Instant::now() < until => {
                    self.tally.repeated();
                    sleep(PAUSE).await;
                }
                Ok(_) | Err(_) => break answer,
            }
        };
        self.count(&answer, intended);
        answer.ok()
    }

    async fn ask(&self, request: CreateCheckoutRequest) -> Result<Checkout, Status> {
        if let Some((naive, revenue)) = self.naive.as_deref() {
            return naive.check_out(&self.client, &request, revenue).await;
        }
        let call = self.record.start(&request);
        let answer = self.client.checkouts().create_checkout(request).await;
        let answer = answer.map(tonic::Response::into_inner);
        call.answered(&answer);
        answer
    }

    fn count(&self, answer: &Result<Checkout, Status>, intended: Instant) {
        self.tally.answer(outcome(answer), intended.elapsed(), self.started.elapsed().as_secs());
    }

    fn expect_right(&self, order: &Order, checkout: Option<&Checkout>) {
        if let Some(checkout) = checkout.filter(|checkout| is_bought(checkout) && order.behaviour.must_fail()) {
            self.tally.violation(format!("{} was bought, though: {:?}", checkout.name, order.behaviour));
        }
    }

    /// A new request, for what the order says.
    fn request(&self, order: &Order) -> CreateCheckoutRequest {
        let checkout = Checkout {
            customer: order.customer.clone(),
            reservation: order.reservation.clone(),
            queue_token: order.queue_token.clone(),
            payment_method: Method::Point.into(),
            ..Default::default()
        };
        CreateCheckoutRequest {
            checkout: Some(checkout),
            expected_amount: Some(order.amount),
            wait: prost_types::Duration::try_from(self.wait).ok(),
            request_id: clock::request_id(),
            ..Default::default()
        }
    }
}

/// Whether nobody knows what has become of a request, or it was turned away for the moment: the same again is right.
pub(crate) fn is_in_doubt(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::ResourceExhausted
    )
}
