//! What clients were told, kept outside the system: nothing of it may be taken back, whatever dies. A request without an
//! answer may have been accepted or not; repeating it finds out.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::{Checkout, CreateCancellationRequest, CreateCheckoutRequest, CreatePointChargeRequest};
use proto::payment::v1::payment::Method;
use service_kit::clock::Stopwatch;
use service_kit::refusal;
use service_kit::wire::duration;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::shop::Held;

/// How long a saga may take to its end on a busy machine.
const PATIENCE_MS: i64 = 60_000;
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(5);

/// What a customer asks for; the same whenever it is sent.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    Checkout(CreateCheckoutRequest),
    Cancellation(CreateCancellationRequest),
    Charge(CreatePointChargeRequest),
}

/// What a customer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The resource.
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) version: i64,
}

impl Told {
    /// The saga behind it.
    pub(crate) fn saga(&self) -> String {
        format!("sagas/{}", self.name.split('/').next_back().unwrap_or_default())
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Completed | State::Failed)
    }
}

impl Order {
    /// Sends it, again if it is asked for that: where the machine is busy, a lease of a moment may be lost.
    async fn send(&self, channel: &Channel, wait_ms: i64) -> Result<Told, Status> {
        let watch = Stopwatch::start();
        loop {
            let answer = self.send_once(channel, wait_ms).await;
            let is_asked = |status: &Status| status.code() == Code::Unavailable && refusal::reason(status).is_some();
            if !answer.as_ref().is_err_and(is_asked) || watch.elapsed_ms() > PATIENCE_MS {
                return answer;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn send_once(&self, channel: &Channel, wait_ms: i64) -> Result<Told, Status> {
        let mut client = CheckoutServiceClient::new(channel.clone());
        let wait = Some(duration(wait_ms));
        match self {
            Self::Checkout(request) => {
                let request = CreateCheckoutRequest { wait, ..request.clone() };
                let it = client.create_checkout(request).await?.into_inner();
                Ok(Told { state: it.state(), version: it.version, name: it.name })
            }
            Self::Cancellation(request) => {
                let request = CreateCancellationRequest { wait, ..request.clone() };
                let it = client.create_cancellation(request).await?.into_inner();
                Ok(Told { state: it.state(), version: it.version, name: it.name })
            }
            Self::Charge(request) => {
                let request = CreatePointChargeRequest { wait, ..request.clone() };
                let it = client.create_point_charge(request).await?.into_inner();
                Ok(Told { state: it.state(), version: it.version, name: it.name })
            }
        }
    }
}

/// One request and all that is known of it.
#[derive(Debug)]
struct Entry {
    order: Order,
    told: Option<Told>,
}

/// All requests.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
    /// Those before are known to be over.
    settled: usize,
}

impl History {
    /// Sends an order, and keeps what is answered.
    pub(crate) async fn ask(&mut self, channel: &Channel, order: Order, wait_ms: i64) -> Result<Told> {
        self.entries.push(Entry { order: order.clone(), told: None });
        let told = order.send(channel, wait_ms).await?;
        self.hear(self.entries.len() - 1, told)
    }

    /// Has somebody buy what he holds.
    pub(crate) async fn buy(&mut self, channel: &Channel, (id, held): (&str, &Held), wait_ms: i64) -> Result<Told> {
        let checkout = Some(Checkout {
            customer: held.customer.clone(),
            reservation: held.reservation.clone(),
            payment_method: Method::Point.into(),
            queue_token: held.queue_token.clone(),
            ..Default::default()
        });
        let order = CreateCheckoutRequest { checkout, request_id: id.into(), ..Default::default() };
        self.ask(channel, Order::Checkout(order), wait_ms).await
    }

    /// Nothing that was told is unsaid.
    fn hear(&mut self, place: usize, told: Told) -> Result<Told> {
        let entry = &mut self.entries[place];
        if let Some(before) = &entry.told {
            ensure!(before.name == told.name, "one request, two names: {before:?}, then {told:?}");
            ensure!(before.version <= told.version, "an answer goes back: {before:?}, then {told:?}");
            ensure!(!before.is_over() || *before == told, "an end is not final: {before:?}, then {told:?}");
            ensure!(before.state != State::Completing || told.state != State::Failed, "a yes became a no: {told:?}");
        }
        entry.told = Some(told.clone());
        Ok(told)
    }

    /// Waits until every request is over; those that got no answer are sent again.
    pub(crate) async fn settle(&mut self, channel: &Channel) -> Result<()> {
        let watch = Stopwatch::start();
        for place in self.settled..self.entries.len() {
            loop {
                let told = self.entries[place].order.send(channel, 0).await;
                let told = told.with_context(|| format!("{:?} is repeated", self.entries[place]))?;
                if self.hear(place, told)?.is_over() {
                    break;
                }
                ensure!(watch.elapsed_ms() < PATIENCE_MS, "it does not end: {:?}", self.entries[place]);
                tokio::time::sleep(LOOK).await;
            }
        }
        self.settled = self.entries.len();
        Ok(())
    }

    /// Asks about everything once more.
    pub(crate) async fn recite(&mut self, channel: &Channel) -> Result<()> {
        self.settled = 0;
        self.settle(channel).await
    }

    /// Requests, and how many of them came to a good and a bad end.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let ended = |state| {
            let is_it = |entry: &&Entry| entry.told.as_ref().is_some_and(|told| told.state == state);
            self.entries.iter().filter(is_it).count()
        };
        (self.entries.len(), ended(State::Completed), ended(State::Failed))
    }
}
