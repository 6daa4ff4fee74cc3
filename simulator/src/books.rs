//! The participants: seats, points, payments and tokens, each in its own few tables behind the real barrier. Their rules are
//! as simple as can be; what the barrier guards them from is what is tested.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use prost::Message as _;
use saga::Direction;
use service_kit::barrier::{Barrier, Operation, SAGA_STEP};
use service_kit::db::{self, Db, Tx};
use service_kit::refusal::{Fault, Refusal};
use service_kit::{args, barrier, ids};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::dice::{number, word};
use crate::faults::Kind;
use crate::store::Store;
use crate::world::World;

mod concert;
mod customer;
mod payment;
mod repeat;
mod token;

pub(crate) use concert::{FEE, PRICE};

pub(crate) static BARRIER: Barrier = barrier!("sim", "ticketing.simulated.v1");

/// One call, as it arrives.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) metadata: MetadataMap,
    pub(crate) body: Bytes,
}

/// What every request of a step says; the tag of the field differs.
#[derive(Clone, PartialEq, prost::Message)]
struct Echo {
    #[prost(string, tag = "1")]
    saga: String,
}

impl Message {
    pub(crate) fn step(&self) -> String {
        let step = self.metadata.get(SAGA_STEP).and_then(|step| step.to_str().ok());
        step.unwrap_or_default().to_owned()
    }

    /// The step as its plan calls it, whatever a mutant made of its key.
    pub(crate) fn plain_step(&self) -> String {
        self.step().split('~').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_compensation(&self) -> bool {
        self.direction() == Direction::Compensation
    }

    fn direction(&self) -> Direction {
        match self.method.as_str() {
            "UnlockReservation"
            | "ReleasePoints"
            | "CancelPayment"
            | "AbortReservationCancellation"
            | "CancelRefund" => Direction::Compensation,
            _ => Direction::Forward,
        }
    }

    /// The saga that it speaks of: the one text field that names one.
    pub(crate) fn saga(&self) -> Uuid {
        let at = self.body.windows(6).position(|part| part == b"sagas/");
        let text = at.and_then(|at| self.body.get(at + 6..at + 42));
        text.and_then(|text| Uuid::try_parse_ascii(text).ok()).unwrap_or_default()
    }

    /// A reply that says nothing but whom it is about.
    pub(crate) fn echo(&self) -> Vec<u8> {
        Echo { saga: format!("sagas/{}", self.saga()) }.encode_to_vec()
    }

    fn read<M: prost::Message + Default>(&self) -> Result<Request<M>, Status> {
        let message = M::decode(self.body.clone()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Request::from_parts(self.metadata.clone(), tonic::Extensions::default(), message))
    }
}

/// All participants over one database.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) world: Arc<World>,
    pub(crate) db: Db,
    pub(crate) store: Arc<Store>,
    away: Mutex<BTreeMap<&'static str, i64>>,
}

impl Books {
    pub(crate) fn new(world: Arc<World>, db: Db, store: Arc<Store>) -> Self {
        Self { world, db, store, away: Mutex::default() }
    }

    /// A participant goes away for so long.
    pub(crate) fn away(&self, service: &'static str, ms: u32) {
        let until_ms = self.world.now_ms() + i64::from(ms);
        self.away.lock().unwrap_or_else(PoisonError::into_inner).insert(service, until_ms);
    }

    /// All are there again.
    pub(crate) fn heal(&self) {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn is_away(&self, service: &'static str) -> bool {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.get(service).is_some_and(|until_ms| self.world.now_ms() < *until_ms)
    }

    /// Does what a message asks for, and tells the encoded reply.
    pub(crate) async fn serve(&self, message: &Message) -> Result<Vec<u8>, Status> {
        let (saga, step) = (message.saga(), message.plain_step());
        if !self.store.intends(saga, &step, message.direction()) {
            self.world.violated(format!("saga {saga}: {} arrived before its intent was durable", message.method));
        }
        let answer = self.dispatch(message).await;
        self.world.note(&[6, number(saga), word(&message.method), u64::from(answer.is_ok())], || {
            let said = match &answer {
                Ok(_) => "ok".to_owned(),
                Err(status) => format!("{:?} {}", status.code(), status.message()),
            };
            format!("{:x} {} has {} {said}", number(saga), message.method, message.step())
        });
        answer
    }

    async fn dispatch(&self, message: &Message) -> Result<Vec<u8>, Status> {
        match message.method.as_str() {
            "LockReservation" => encoded(self.lock(message).await),
            "UnlockReservation" => encoded(self.unlock(message).await),
            "ConfirmReservation" => encoded(self.confirm(message).await),
            "BeginReservationCancellation" => encoded(self.begin(message).await),
            "AbortReservationCancellation" => encoded(self.abort(message).await),
            "CommitReservationCancellation" => encoded(self.commit(message).await),
            "ReservePoints" => encoded(self.reserve(message).await),
            "ReleasePoints" => encoded(self.release(message).await),
            "CapturePoints" => encoded(self.capture_points(message).await),
            "CreditPoints" => encoded(self.credit(message).await),
            "AuthorizePayment" => encoded(self.authorize(message).await),
            "CancelPayment" => encoded(self.cancel(message).await),
            "CapturePayment" => encoded(self.capture(message).await),
            "CreateRefund" => encoded(self.create_refund(message).await),
            "CancelRefund" => encoded(self.cancel_refund(message).await),
            "CompleteRefund" => encoded(self.complete_refund(message).await),
            "CompleteQueueToken" => encoded(self.complete_token(message).await),
            other => Err(Status::unimplemented(other.to_owned())),
        }
    }

    /// Which row of the barrier a request belongs to.
    fn operation<M: prost::Message>(
        &self,
        request: &Request<M>,
        aggregate: Uuid,
        saga: &str,
    ) -> Result<Operation, Status> {
        let operation = saga_of(saga).and_then(|saga| Operation::of(request, saga, aggregate));
        operation.map_err(|fault| fault.into_step_status(BARRIER.domain))
    }

    /// Whether a step of a saga is refused, this time and every time.
    fn refuses(&self, saga: Uuid, step: &str) -> bool {
        let place = crate::dice::mix(&[word("refusal"), number(saga), word(step)]);
        self.world.faults().always_at(place, &[Kind::Refusal]).is_some()
    }
}

fn encoded<R: prost::Message>(answer: Result<Response<R>, Status>) -> Result<Vec<u8>, Status> {
    answer.map(|reply| reply.get_ref().encode_to_vec())
}

fn saga_of(name: &str) -> Result<Uuid, Fault> {
    ids::name("saga", name, "sagas")
}

/// The id at the end of a name.
fn id_of(name: &str) -> Uuid {
    name.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_default()
}

/// A refusal by plan.
fn unwilling(step: &str) -> Fault {
    Refusal::precondition("UNWILLING", format!("{step} is refused")).into()
}

/// Notes an effect, once for each time that it happens.
async fn record(tx: &mut Tx<'_>, saga: Uuid, step: &str, (undo, amount): (bool, i64)) -> Result<(), db::Error> {
    const RECORD: &str = "insert into sim_ledger (saga_id, step, undo, amount) values ($1, $2, $3, $4)";
    tx.execute(RECORD, args![saga, step, undo, amount]).await.map(drop)
}

/// What a step of a saga moved.
async fn recorded(tx: &mut Tx<'_>, saga: Uuid, step: &str) -> Result<i64, db::Error> {
    const RECORDED: &str = "select amount from sim_ledger where saga_id = $1 and step = $2 and undo = 0 limit 1";
    let row: Option<(i64,)> = tx.fetch_optional(RECORDED, args![saga, step]).await?;
    Ok(row.map_or(0, |(amount,)| amount))
}
