//! The service's face: each method reads its message, runs its rule in one transaction and writes the answer.

use std::sync::Arc;
use std::time::Duration;

use service_kit::barrier::Barrier;
use service_kit::host::Host;
use service_kit::idempotency::Idempotency;
use service_kit::pass::VerifyingKeys;
use service_kit::refusal::Fault;
use tokio::sync::mpsc;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::availability::SeatMaps;
use crate::config::Config;
use crate::record::Cause;
use crate::start::HoldPlaced;
use crate::wire::reservations::Step;

mod cancellation;
mod catalogue;
mod reservations;
mod seats;

/// The package, as errors name it.
const DOMAIN: &str = "ticketing.concert.v1";

static BARRIER: Barrier = service_kit::barrier!("concert", "ticketing.concert.v1");
static IDEMPOTENCY: Idempotency = service_kit::idempotency!("concert");

/// What the methods work with; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    host: Host,
    config: Config,
    keys: VerifyingKeys,
    held: mpsc::Sender<HoldPlaced>,
    seat_maps: SeatMaps,
}

impl Api {
    pub(crate) fn new(host: Host, config: Config, keys: VerifyingKeys, held: mpsc::Sender<HoldPlaced>) -> Self {
        let seat_maps = SeatMaps::new(Duration::from_millis(config.seat_map_watch_period_ms));
        Self(Arc::new(Parts { host, config, keys, held, seat_maps }))
    }
}

impl Api {
    /// The cause of what a customer asks for, or an operator.
    fn word_of(&self, customer: Option<Uuid>) -> Cause {
        Cause::word_of(customer, self.0.config.announce_holds)
    }

    /// The cause of a saga's step, which may have begun with a customer's word.
    fn step_cause(&self, step: &Step, customer: Option<Uuid>) -> Cause {
        let cause = match customer {
            Some(_) => self.word_of(customer),
            None => Cause::saga(self.0.config.announce_holds),
        };
        Cause { request_id: Some(step.request_id), saga: Some(step.saga), ..cause }
    }
}

fn answer<T>(result: Result<T, Fault>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(refuse)
}

fn refuse(fault: Fault) -> Status {
    fault.into_status(DOMAIN)
}

/// The one answer of every method of the contract that this version does not offer.
fn not_offered<T>(method: &str) -> Result<Response<T>, Status> {
    Err(Status::unimplemented(format!("{method} is not offered by this version")))
}
