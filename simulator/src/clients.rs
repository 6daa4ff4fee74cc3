//! Customers: they buy seats, give them back, and buy points. They repeat what was not answered, ask any replica how things
//! stand, and remember what they were told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use oracle::history::{Call, NOT_FOUND, Outcome, State, What};
use orchestrator::journal::{Accepted, Record};
use orchestrator::plans::{cancellation, checkout, point_charge};
use orchestrator::runner::{Error, Intervention, NewSaga, Runner};
use proto::payment::v1::payment::Method;
use saga::{Act, Event};
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
const LAST_LOOK_MS: i64 = 800_000;

/// All that customers asked and were told, in the order of the world's moments.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Vec<Call>>);

impl Answers {
    pub(crate) fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, call: Call) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// One customer.
pub(crate) struct Client {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) place: u64,
    pub(crate) dice: Rng,
    /// The id of the request for the saga.
    key: Uuid,
    /// Where the saga stood when it was last looked at.
    last: Option<State>,
}

impl Client {
    pub(crate) fn new(fleet: &Arc<Fleet>, answers: &Arc<Answers>, place: u64) -> Self {
        let dice = dice(&[fleet.world.seed, word("client"), place]);
        Self { fleet: fleet.clone(), answers: answers.clone(), place, dice, key: Uuid::nil(), last: None }
    }

    fn world(&self) -> &Arc<World> {
        &self.fleet.world
    }

    fn id(&mut self) -> Uuid {
        service_kit::ids::derived(Uuid::from_u128(self.dice.u128(..)), "request")
    }

    /// The id of another request for a saga.
    fn request_id(&mut self) -> Uuid {
        self.key = self.id();
        self.key
    }

    /// Does what this customer came for.
    pub(crate) async fn live(mut self) {
        let swarm = self.world().swarm.clone();
        let start_ms = self.dice.u64(0..=swarm.rage_ms * 3 / 4);
        pause(u32::try_from(start_ms).unwrap_or_default()).await;
        let customer = account(self.dice.u64(0..swarm.accounts));
        if self.dice.u8(..5) == 0 {
            let charge = self.charge(customer);
            self.follow(charge).await;
            return;
        }
        let reservation = seat(self.dice.u64(0..swarm.seats));
        let checkout = self.checkout(customer, reservation);
        let bought = self.follow(checkout).await;
        if bought == Some(true) && self.dice.u8(..3) == 0 {
            let cancellation = self.cancellation(customer, reservation);
            self.follow(cancellation).await;
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
        let new = NewSaga::new(&checkout::Checkout, input.customer.clone(), self.request_id(), &input);
        NewSaga { reference: input.reservation.clone(), skip: checkout::skipped(&input), ..new }
    }

    fn cancellation(&mut self, customer: Uuid, reservation: Uuid) -> NewSaga {
        let input = cancellation::Input {
            reservation: format!("reservations/{reservation}"),
            customer: format!("customers/{customer}"),
            waive_fee: false,
        };
        let new = NewSaga::new(&cancellation::Cancellation, input.customer.clone(), self.request_id(), &input);
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
        NewSaga::new(&point_charge::PointCharge, input.customer.clone(), self.request_id(), &input)
    }

    /// Starts a saga and watches it to its end. Tells whether it completed, once that is known.
    async fn follow(&mut self, new: NewSaga) -> Option<bool> {
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
            if let Some(State::Completed | State::Compensated) = self.look(id).await {
                return Some(self.last == Some(State::Completed));
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
        let wanted = new.clone();
        let accept = async move |_: Arc<Life>, runner: Runner| create(&runner, wanted).await;
        let asked = self.world().moment();
        let answer = self.ask(("start", new.id), accept).await.flatten();
        self.told(Some(new), new.id, asked, answer.map(known).unwrap_or_else(unclear));
        answer.is_some()
    }

    /// Asks for something else under the same id: if both were accepted, two would be told of one saga.
    async fn start_otherwise(&mut self, new: &NewSaga) {
        if self.look(new.id).await.is_none() {
            return;
        }
        let other = NewSaga { request_hash: vec![0; 32], ..new.clone() };
        let accept = async move |_: Arc<Life>, runner: Runner| create(&runner, other).await;
        if self.ask(("other", new.id), accept).await.flatten().is_some() {
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

    /// Where a saga stands, if somebody answers and knows it.
    async fn look(&mut self, id: Uuid) -> Option<State> {
        let asked = self.world().moment();
        let read = async move |life: Arc<Life>, _: Runner| life.link.status(id).await.ok();
        let answer = self.ask(("look", id), read).await.flatten();
        let found = answer.as_ref().and_then(|found| found.as_ref()).map(standing);
        let outcome = match answer {
            None => unclear(),
            Some(None) => Outcome::Fail { reason: NOT_FOUND.to_owned() },
            Some(Some(record)) => known(standing(&record)),
        };
        self.told(None, id, asked, outcome);
        self.last = found.map(|(state, _)| state);
        self.last
    }

    /// Remembers an answer about a saga, or none: to its start, or to how it stands.
    fn told(&self, start: Option<&NewSaga>, saga: Uuid, invoke: u64, outcome: Outcome) {
        let returned = self.world().moment();
        self.world().note(&[9, number(saga), invoke, returned], || {
            format!("customer {} is told of {:x}: {outcome:?}", self.place, number(saga))
        });
        let is_known = !matches!(outcome, Outcome::Info { .. });
        self.answers.note(Call {
            client: self.place,
            what: start.map_or(What::Get, |_| What::Start),
            kind: start.map(|new| new.definition.plan().kind.to_owned()).unwrap_or_default(),
            subject: start.map(|new| new.subject.clone()).unwrap_or_default(),
            key: start.map(|_| self.key),
            saga: Some(saga),
            invoke,
            returned: is_known.then_some(returned),
            outcome,
        });
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
async fn create(runner: &Runner, new: NewSaga) -> Option<(State, i64)> {
    let hash = new.request_hash.clone();
    match runner.accept(new).await {
        Ok(Accepted::New) => Some((State::Running, 1)),
        Ok(Accepted::Existing(record)) => (record.request_hash == hash).then(|| standing(&record)),
        Err(
            Error::Overloaded
            | Error::Stopping
            | Error::Adrift
            | Error::NotFound
            | Error::UnknownPlan { .. }
            | Error::Moved(_)
            | Error::Illegal(_)
            | Error::Journal(_),
        ) => None,
    }
}

/// Where a saga stands, as customers are told.
pub(crate) fn standing(record: &Record) -> (State, i64) {
    (State::parse(record.saga.state().name()).unwrap_or(State::Running), record.version)
}

fn known((state, version): (State, i64)) -> Outcome {
    Outcome::Ok { state, version }
}

/// Nobody answered, or could not tell.
fn unclear() -> Outcome {
    Outcome::Info { reason: "no answer".to_owned() }
}

/// Whether a saga completed, once it has ended.
pub(crate) fn ended(record: &Record) -> Option<bool> {
    record.saga.is_terminal().then(|| *record.saga.state() == saga::State::Completed)
}

/// The account of a number.
pub(crate) fn account(number: u64) -> Uuid {
    Uuid::from_u128(0xacc0_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

/// The reservation of a seat.
pub(crate) fn seat(number: u64) -> Uuid {
    Uuid::from_u128(0x5ea7_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}
