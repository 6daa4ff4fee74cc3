//! A world with something of everything in it, and for each method a request that it accepts there.

use std::time::Duration;

use crate::world::PRICE;
use crate::{Fault, Held, World};
use prost::Message;
use proto::concert::v1 as concert;
use proto::customer::v1 as customer;
use proto::orchestrator::v1 as orchestrator;
use proto::payment::v1 as payment;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use proto::token::v1 as token;
use service_kit::wire::duration;
use tonic::{Request, Status};
use uuid::Uuid;

use super::call::{self, Sent};
use super::contract::Method;

mod accounts;
mod concerts;
mod deliveries;
mod queues;
mod returned;
mod sagas;

use returned::Returned;

const DAY_MS: i64 = 86_400_000;
/// Tables that say who runs and which tables there are, not what happened.
pub const OTHERS: [&str; 2] = ["orchestrator_incarnation", "skald_migration"];

/// The world and what is in it.
pub struct Stage {
    pub world: World,
    /// Holds a seat; nothing has been done with it.
    held: Held,
    /// Holds a seat under the lock of `saga`, which has set his points aside and has authorised his payment.
    locked: Held,
    saga: String,
    /// A checkout that has completed, and who bought.
    checkout: String,
    buyer: Held,
    /// The name of one of his tickets.
    ticket: String,
    returned: Returned,
    /// A point charge; cards are not offered here, so it has failed.
    charge: String,
    /// Waits to be sent to the data platform.
    delivery: String,
    /// A saga that is suspended.
    parked: orchestrator::Saga,
    /// A saga that waits before it tries a step again.
    backing_off: orchestrator::Saga,
    /// A bulk operation that has ended.
    operation: String,
    room: String,
    /// ACTIVE, with its pass.
    token: token::QueueToken,
    token_customer: String,
    request_id: Uuid,
}

impl Stage {
    pub async fn new() -> Self {
        let world = World::new().await;
        let (room, token_customer) = (world.open_room().await, world.customer(0).await);
        let token = world.admit(&room, &token_customer).await;
        let (held, locked, buyer) = (world.held(1).await, world.held(2).await, world.held(3).await);
        let saga = format!("sagas/{}", world.id());
        lock(&world, &locked, &saga).await.expect("it can be locked");
        let bought = world.buy(&buyer).await;
        let (checkout, ticket) = (bought.name, bought.tickets[0].clone());
        let returned = Returned::new(&world).await;
        let charge = world.charge(&buyer.customer).await.name;
        let delivery = deliveries::deliver(&world).await;
        let operation = operate(&world, &buyer.customer).await;
        let parked = park(&world).await;
        let backing_off = back_off(&world).await;
        let request_id = world.id();
        Self {
            world,
            held,
            locked,
            saga,
            checkout,
            buyer,
            ticket,
            returned,
            charge,
            delivery,
            parked,
            backing_off,
            operation,
            room,
            token,
            token_customer,
            request_id,
        }
    }

    /// The accepted request of a method.
    pub fn sample(&self, method: &Method) -> Sent {
        let message = self.message(&method.name).unwrap_or_else(|| panic!("{} has no sample", method.path));
        let step = STEPS.iter().find(|(name, _)| *name == method.name).map(|(_, step)| *step);
        let metadata = step.map(|step| vec![("saga-step", step.to_owned()), ("saga-epoch", "1".to_owned())]);
        Sent { path: method.path.clone(), metadata: metadata.unwrap_or_default(), message }
    }

    /// Encoded; methods of one name in several services take the same.
    fn message(&self, method: &str) -> Option<Vec<u8>> {
        let found = self.catalogue(method).or_else(|| self.reservations(method)).or_else(|| self.customers(method));
        let found = found.or_else(|| self.points(method)).or_else(|| self.payments(method));
        let found = found.or_else(|| self.refunds(method)).or_else(|| self.deliveries(method));
        let found = found.or_else(|| self.rooms(method)).or_else(|| self.tokens(method));
        found.or_else(|| self.checkouts(method)).or_else(|| self.operations(method))
    }

    fn concert(&self) -> String {
        self.world.performance().split('/').take(2).collect::<Vec<_>>().join("/")
    }

    fn seat(&self, seat: &str) -> String {
        format!("{}/seats/{seat}", self.world.performance())
    }

    fn request_id(&self) -> String {
        self.request_id.to_string()
    }

    /// One that has done nothing yet.
    fn other_saga(&self) -> String {
        format!("sagas/{}", self.request_id)
    }

    pub async fn call(&self, method: &Method, sent: &Sent) -> Result<bytes::Bytes, Status> {
        call::call(self.world.server(&method.package), sent).await
    }
}

/// Methods that are steps, or compensations of one, with the id of the step.
pub const STEPS: [(&str, &str); 17] = [
    ("LockReservation", "lock-reservation"),
    ("UnlockReservation", "lock-reservation"),
    ("ConfirmReservation", "confirm-reservation"),
    ("ReservePoints", "reserve-points"),
    ("ReleasePoints", "reserve-points"),
    ("CapturePoints", "capture-points"),
    ("CreditPoints", "credit-points"),
    ("AuthorizePayment", "authorize-payment"),
    ("CancelPayment", "authorize-payment"),
    ("CapturePayment", "capture-payment"),
    ("CompleteQueueToken", "complete-token"),
    ("BeginReservationCancellation", "begin-cancellation"),
    ("AbortReservationCancellation", "begin-cancellation"),
    ("CommitReservationCancellation", "commit-cancellation"),
    ("CreateRefund", "create-refund"),
    ("CancelRefund", "create-refund"),
    ("CompleteRefund", "complete-refund"),
];

/// The first steps of a checkout, by hand.
async fn lock(world: &World, held: &Held, saga: &str) -> Result<(), Status> {
    let request_id = world.id().to_string();
    let lock = concert::LockReservationRequest {
        name: held.reservation.clone(),
        customer: held.customer.clone(),
        saga: saga.into(),
        request_id: request_id.clone(),
        ..Default::default()
    };
    world.reservations().lock_reservation(step("lock-reservation", lock)).await?;
    let reserve = customer::ReservePointsRequest {
        customer: held.customer.clone(),
        saga: saga.into(),
        amount: PRICE,
        request_id: request_id.clone(),
    };
    world.points().reserve_points(step("reserve-points", reserve)).await?;
    let authorize = payment::AuthorizePaymentRequest {
        customer: held.customer.clone(),
        saga: saga.into(),
        purpose: payment::payment::Purpose::Reservation.into(),
        reference: held.reservation.clone(),
        method: payment::payment::Method::Point.into(),
        amount: PRICE,
        request_id,
        ..Default::default()
    };
    let mut payments = PaymentServiceClient::new(world.server("ticketing.payment.v1"));
    payments.authorize_payment(step("authorize-payment", authorize)).await?;
    Ok(())
}

fn step<T>(id: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("saga-step", id.parse().expect("ids of steps are plain"));
    request.metadata_mut().insert("saga-epoch", "1".parse().expect("a number is plain"));
    request
}

/// A saga that waits for a person, after an answer that nobody understands.
async fn park(world: &World) -> orchestrator::Saga {
    let held = world.held(4).await;
    world.faults.always("ReservePoints", Fault::Garbage);
    let order = orchestrator::CreateCheckoutRequest { wait: Some(duration(0)), ..world.order(&held) };
    let name = world.send(order).await.expect("the order is accepted").name;
    world.settle().await;
    world.faults.heal();
    world.saga(&name).await
}

/// A bulk operation over the sagas of somebody who has none that is open.
async fn operate(world: &World, customer: &str) -> String {
    let request = orchestrator::StartBulkOperationRequest {
        filter: format!("customer = \"{customer}\""),
        verb: orchestrator::bulk_operation::Verb::Retry.into(),
        reason: "to have one".into(),
        request_id: world.id().to_string(),
        validate_only: false,
    };
    let name = world.sagas().start_bulk_operation(request).await.expect("it is accepted").into_inner().name;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let request = orchestrator::GetBulkOperationRequest { name: name.clone() };
    let operation = world.sagas().get_bulk_operation(request).await.expect("it is there").into_inner();
    assert!(operation.end_time.is_some(), "{operation:?}");
    name
}

/// A saga whose participant could not be reached just now. No time passes here, so it stays so.
async fn back_off(world: &World) -> orchestrator::Saga {
    let held = world.held(5).await;
    world.faults.always("ReservePoints", Fault::NotSent);
    let order = orchestrator::CreateCheckoutRequest { wait: Some(duration(1)), ..world.order(&held) };
    let name = world.send(order).await.expect("the order is accepted").name;
    world.faults.heal();
    world.saga(&name).await
}

fn encode(message: &impl Message) -> Option<Vec<u8>> {
    Some(message.encode_to_vec())
}
