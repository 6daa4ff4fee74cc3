//! Clients whose calls are recorded as they see them.

use oracle::history::{Answer, Asked, History, Pending, Recorder, State, saga_of};
use proto::orchestrator::v1::{
    CancelCheckoutRequest, Checkout, CreateCheckoutRequest, GetCheckoutRequest, GetSagaRequest, WatchCheckoutRequest,
};
use skald_tests::{Held, World};
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

/// Calls that are kept.
const MOST: usize = 10_000;

/// All clients of a story.
pub(crate) struct Clients {
    recorder: Recorder,
    started: Instant,
    next: u64,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self { recorder: Recorder::new(MOST), started: Instant::now(), next: 0 }
    }

    /// The time on the history's scale.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap()
    }

    /// Another client asks.
    fn begin(&mut self, asked: Asked) -> Pending {
        self.next += 1;
        self.recorder.begin(self.next, asked, self.now())
    }

    /// Orders what is held, waits until all is over, and looks. None if it was not accepted.
    pub(crate) async fn buy(&mut self, world: &World, held: &Held) -> Option<Checkout> {
        let name = self.send(world, world.order(held)).await?.name;
        world.settle().await;
        Some(self.get(world, &name).await)
    }

    /// Sends an order.
    pub(crate) async fn send(&mut self, world: &World, order: CreateCheckoutRequest) -> Option<Checkout> {
        let subject = order.checkout.as_ref().unwrap().customer.clone();
        let key = Uuid::try_parse(&order.request_id).unwrap();
        let call = self.begin(Asked::start("checkout", &subject, key));
        let answer = world.send(order).await;
        match &answer {
            Ok(checkout) => call.ok(self.now(), said(checkout)),
            Err(status) => call.failed(self.now(), status.code().into(), &reason(status)),
        }
        answer.ok()
    }

    /// Looks at a checkout.
    pub(crate) async fn get(&mut self, world: &World, name: &str) -> Checkout {
        let call = self.begin(Asked::get(saga_of(name).unwrap()));
        let request = GetCheckoutRequest { name: name.into() };
        let checkout = world.checkouts().get_checkout(request).await.unwrap().into_inner();
        call.ok(self.now(), said(&checkout));
        checkout
    }

    /// Looks at a saga, whether or not there is one.
    pub(crate) async fn look(&mut self, world: &World, saga: Uuid) {
        let call = self.begin(Asked::get(saga));
        match world.sagas().get_saga(GetSagaRequest { name: format!("sagas/{saga}") }).await {
            Ok(found) => {
                let found = found.into_inner();
                let state = State::parse(found.state().as_str_name()).unwrap();
                call.ok(self.now(), Answer { saga, state, version: found.version });
            }
            Err(status) => call.failed(self.now(), status.code().into(), &reason(&status)),
        }
    }

    /// Watches a checkout until it has ended.
    pub(crate) async fn watch(&mut self, world: &World, name: &str) {
        let call = self.begin(Asked::watch(saga_of(name).unwrap()));
        let request = WatchCheckoutRequest { name: name.into() };
        let mut versions = world.checkouts().watch_checkout(request).await.unwrap().into_inner();
        while let Some(checkout) = versions.message().await.unwrap() {
            call.heard(self.now(), said(&checkout));
        }
        call.ended();
    }

    /// Asks a checkout to turn back.
    pub(crate) async fn cancel(&mut self, world: &World, name: &str) {
        let call = self.begin(Asked::cancel(saga_of(name).unwrap()));
        let request = CancelCheckoutRequest { name: name.into(), ..Default::default() };
        match world.checkouts().cancel_checkout(request).await {
            Ok(checkout) => call.ok(self.now(), said(checkout.get_ref())),
            Err(status) => call.failed(self.now(), status.code().into(), &reason(&status)),
        }
    }

    /// What all of them saw.
    pub(crate) fn history(&self) -> History {
        self.recorder.take()
    }
}

fn said(checkout: &Checkout) -> Answer {
    let state = State::parse(checkout.state().as_str_name()).unwrap();
    Answer { saga: saga_of(&checkout.name).unwrap(), state, version: checkout.version }
}

fn reason(status: &Status) -> String {
    service_kit::refusal::reason(status).unwrap_or_default()
}
