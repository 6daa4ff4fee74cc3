//! Customers: they buy seats, give them back, and buy points. They repeat what was not answered, ask any replica how things
//! stand, and remember what they were told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use orchestrator::journal::{Accepted, Record};
use orchestrator::plans::{cancellation, checkout, point_charge};
use orchestrator::runner::{Error, Intervention, NewSaga, Runner};
use proto::payment::v1::payment::Method;
use saga::{Act, Event, State};
use uuid::Uuid;

use crate::dice::{dice, mix, number, word};
use crate::faults::Kind;
use crate::replica::{Fleet, Life};
use crate::world::{World, pause};

/// Points that a customer buys.
pub(crate) const CHARGE: i64 = 30;
/// How long a customer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// When a customer who has not heard of the end stops asking.
const LAST_LOOK_MS: i64 = 400_000;

/// What a customer was told of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is accepted.
    Accepted,
    /// It stands so.
    Stands { version: i64, ended: Option<bool> },
    /// There is no such saga.
    Unknown,
}

/// One answer that a customer got: asked before, told after, in the order of all such moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) saga: Uuid,
    pub(crate) asked: u64,
    pub(crate) told: u64,
    pub(crate) what: Told,
}

/// All that customers were told.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Vec<Seen>>);

impl History {
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, seen: Seen) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

/// One customer.
pub(crate) struct Client {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) history: Arc<History>,
    pub(crate) place: u64,
    pub(crate) dice: Rng,
}

impl Client {
    pub(crate) fn new(fleet: &Arc<Fleet>, history: &Arc<History>, place: u64) -> Self {
        let dice = dice(&[fleet.world.seed, word("client"), place]);
        Self { fleet: fleet.clone(), history: history.clone(), place, dice }
    }

    fn world(&self) -> &Arc<World> {
        &self.fleet.world
    }

    fn id(&mut self) -> Uuid {
        service_kit::ids::derived(Uuid::from_u128(self.dice.u128(..)), "request")
    }

    /// Does what this customer came for.
    pub(crate) async fn live(mut self) {
        let swarm = self.world().swarm.clone();
        let start_ms = self.dice.u64(0..=swarm.rage_ms * 3 / 4);
        pause(u32::try_from(start_ms).unwrap_or_default()).await;
        let customer = account(self.dice.u64(0..swarm.accounts));
        if self.dice.u8(..5) == 0 {
            let charge = self.charge(customer);
            self.follow(charge, &point_charge::PointCharge).await;
            return;
        }
        let reservation = seat(self.dice.u64(0..swarm.seats));
        let checkout = self.checkout(customer, reservation);
        let bought = self.follow(checkout, &checkout::Checkout).await;
        if bought == Some(true) && self.dice.u8(..3) == 0 {
            let cancellation = self.cancellation(customer, reservation);
            self.follow(cancellation, &cancellation::Cancellation).await;
        }
    }

    fn checkout(&mut self, customer: Uuid, reservation: Uuid) -> NewSaga {
        let room = if self.dice.bool() { "" } else { "waitingRooms/room/queueTokens/" };
        let queue_token = if room.is_empty() { String::new() } else { format!("{room}{}", self.id()) };
        let method = if self.dice.u8(..4) == 0 { Method::Card } else { Method::Point };
        let input = checkout::Input {
            customer: format!("customers/{customer}"),
            reservation: format!("reservations/{reservation}"),
            method: method.into(),
            queue_token,
            expected_amount: None,
        };
        let new = NewSaga::new(&checkout::Checkout, input.customer.clone(), self.id(), &input);
        NewSaga { reference: input.reservation.clone(), skip: checkout::skipped(&input), ..new }
    }

    fn cancellation(&mut self, customer: Uuid, reservation: Uuid) -> NewSaga {
        let input = cancellation::Input {
            reservation: format!("reservations/{reservation}"),
            customer: format!("customers/{customer}"),
            waive_fee: false,
        };
        let new = NewSaga::new(&cancellation::Cancellation, input.customer.clone(), self.id(), &input);
        NewSaga { reference: input.reservation.clone(), ..new }
    }

    fn charge(&mut self, customer: Uuid) -> NewSaga {
        let input = point_charge::Input {
            customer: format!("customers/{customer}"),
            amount: CHARGE,
            method: Method::Card.into(),
            processor_token: "tok".into(),
            card_last_four: String::new(),
        };
        NewSaga::new(&point_charge::PointCharge, input.customer.clone(), self.id(), &input)
    }

    /// Starts a saga and watches it to its end. Tells whether it completed, once that is known.
    async fn follow(&mut self, new: NewSaga, _: &dyn orchestrator::plans::Definition) -> Option<bool> {
        let id = new.id;
        let start = [word("start"), number(id)];
        self.world()
            .note(&start, || format!("customer {} starts {} {:x}", self.place, new.definition.plan().kind, start[1]));
        while !self.start(&new).await {
            if self.dice.u8(..12) == 0 || self.world().elapsed_ms() > LAST_LOOK_MS {
                return None;
            }
            pause(self.dice.u32(50..2_000)).await;
        }
        if self.world().fault(mix(&[word("cancel"), number(id)]), &[Kind::Cancel]).is_some() {
            pause(self.dice.u32(0..3_000)).await;
            self.cancel(id).await;
        }
        while self.world().elapsed_ms() < LAST_LOOK_MS {
            pause(self.dice.u32(20..4_000)).await;
            if let Some(Told::Stands { ended: Some(completed), .. }) = self.look(id).await {
                return Some(completed);
            }
        }
        None
    }

    /// Whether the saga is known to be accepted.
    async fn start(&mut self, new: &NewSaga) -> bool {
        let place = mix(&[word("other body"), number(new.id)]);
        if self.world().fault(place, &[Kind::OtherBody]).is_some() {
            self.start_otherwise(new).await;
        }
        let (id, wanted) = (new.id, new.clone());
        let accept = async move |life: Arc<Life>, runner: Runner| {
            drop(life);
            create(&runner, wanted).await
        };
        let asked = self.world().moment();
        match self.ask(("start", id), accept).await {
            Some(Ok(())) => {
                self.told(id, asked, Told::Accepted);
                true
            }
            Some(Err(())) | None => false,
        }
    }

    /// Asks for something else under the same id: if both were accepted, two would be told of one saga.
    async fn start_otherwise(&mut self, new: &NewSaga) {
        let known = self.look(new.id).await;
        if !matches!(known, Some(Told::Stands { .. })) {
            return;
        }
        let other = NewSaga { request_hash: vec![0; 32], ..new.clone() };
        let accept = async move |_: Arc<Life>, runner: Runner| create(&runner, other).await;
        if self.ask(("other", new.id), accept).await == Some(Ok(())) {
            self.world().violated(format!("saga {}: another request under the same id was accepted", new.id));
        }
    }

    async fn cancel(&mut self, id: Uuid) {
        let event = Event::CancelRequested(Act { by: "customer".into(), reason: "no more".into() });
        let wish = async move |_: Arc<Life>, runner: Runner| {
            drop(runner.intervene(id, Intervention { event, expected_version: None }).await);
        };
        self.ask(("cancel", id), wish).await;
    }

    /// How a saga stands, if somebody answers.
    async fn look(&mut self, id: Uuid) -> Option<Told> {
        let asked = self.world().moment();
        let read = async move |life: Arc<Life>, _: Runner| life.link.status(id).await.ok();
        let what = match self.ask(("look", id), read).await?? {
            Some(record) => Told::Stands { version: record.version, ended: ended(&record) },
            None => Told::Unknown,
        };
        self.told(id, asked, what);
        Some(what)
    }

    fn told(&self, saga: Uuid, asked: u64, what: Told) {
        let told = self.world().moment();
        self.world().note(&[9, number(saga), asked, told], || {
            format!("customer {} is told {what:?} of {:x}", self.place, number(saga))
        });
        self.history.note(Seen { saga, asked, told, what });
    }

    /// One call of a replica, which may get lost on its way there or back.
    async fn ask<T: Send + 'static, F>(
        &mut self,
        (what, about): (&str, Uuid),
        work: impl FnOnce(Arc<Life>, Runner) -> F + Clone,
    ) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let replica = self.dice.u64(..);
        let place = mix(&[word(what), number(about)]);
        let fault = self.world().fault(place, &[Kind::AskLost, Kind::AnswerLost, Kind::AskTwice]);
        pause(1).await;
        let life = self.fleet.life(replica);
        let (Some(runner), true) = (life.runner(), fault.map(|fault| fault.kind) != Some(Kind::AskLost)) else {
            pause(500).await;
            return None;
        };
        let answer = life.host.tasks.spawn(work.clone()(life.clone(), runner.clone()));
        if fault.map(|fault| fault.kind) == Some(Kind::AskTwice) {
            drop(life.host.tasks.spawn(work(life.clone(), runner)));
        }
        let answer = tokio::time::timeout(PATIENCE, answer).await.ok()?.ok();
        pause(1).await;
        answer.filter(|_| fault.map(|fault| fault.kind) != Some(Kind::AnswerLost))
    }
}

/// What a face of the orchestrator does with a request: one saga for one id, whatever the body.
async fn create(runner: &Runner, new: NewSaga) -> Result<(), ()> {
    let hash = new.request_hash.clone();
    match runner.accept(new).await {
        Ok(Accepted::New) => Ok(()),
        Ok(Accepted::Existing(record)) if record.request_hash == hash => Ok(()),
        Ok(Accepted::Existing(_)) => Err(()),
        Err(
            Error::Overloaded
            | Error::Stopping
            | Error::Adrift
            | Error::NotFound
            | Error::UnknownPlan { .. }
            | Error::Moved(_)
            | Error::Illegal(_)
            | Error::Journal(_),
        ) => Err(()),
    }
}

/// Whether a saga completed, once it has ended.
pub(crate) fn ended(record: &Record) -> Option<bool> {
    record.saga.is_terminal().then(|| *record.saga.state() == State::Completed)
}

/// The account of a number.
pub(crate) fn account(number: u64) -> Uuid {
    Uuid::from_u128(0xacc0_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

/// The reservation of a seat.
pub(crate) fn seat(number: u64) -> Uuid {
    Uuid::from_u128(0x5ea7_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}
