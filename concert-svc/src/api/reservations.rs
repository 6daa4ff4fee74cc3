//! `ReservationService`: holds, the steps of a checkout, tickets.

use std::time::Duration;

use proto::concert::v1 as pb;
use proto::concert::v1::reservation_service_server::ReservationService;
use service_kit::barrier::{Operation, Refusals};
use service_kit::db::Tx;
use service_kit::idempotency::Call;
use service_kit::page;
use service_kit::pass::Claims;
use service_kit::refusal::{Fault, Refusal};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{Api, BARRIER, IDEMPOTENCY, answer, not_offered, refuse};
use crate::hold::{self, Order, Wanted};
use crate::record::Cause;
use crate::reservation::Reservation;
use crate::wire::{self, listing, reservations};
use crate::{HoldPlaced, checkout, not_found, store};

#[tonic::async_trait]
impl ReservationService for Api {
    async fn create_reservation(
        &self,
        request: Request<pb::CreateReservationRequest>,
    ) -> Result<Response<pb::Reservation>, Status> {
        answer(self.hold_named(request.get_ref()).await)
    }

    async fn hold_best_available_seats(
        &self,
        request: Request<pb::HoldBestAvailableSeatsRequest>,
    ) -> Result<Response<pb::Reservation>, Status> {
        answer(self.hold_best(request.get_ref()).await)
    }

    async fn get_reservation(
        &self,
        request: Request<pb::GetReservationRequest>,
    ) -> Result<Response<pb::Reservation>, Status> {
        answer(self.get_reservation(&request.get_ref().name).await)
    }

    async fn list_reservations(
        &self,
        request: Request<pb::ListReservationsRequest>,
    ) -> Result<Response<pb::ListReservationsResponse>, Status> {
        answer(self.list_reservations(request.get_ref()).await)
    }

    async fn release_reservation(
        &self,
        request: Request<pb::ReleaseReservationRequest>,
    ) -> Result<Response<pb::Reservation>, Status> {
        answer(self.release(request.get_ref()).await)
    }

    async fn lock_reservation(
        &self,
        request: Request<pb::LockReservationRequest>,
    ) -> Result<Response<pb::LockReservationResponse>, Status> {
        self.lock(&request).await
    }

    async fn unlock_reservation(
        &self,
        request: Request<pb::UnlockReservationRequest>,
    ) -> Result<Response<pb::UnlockReservationResponse>, Status> {
        self.unlock(&request).await
    }

    async fn confirm_reservation(
        &self,
        request: Request<pb::ConfirmReservationRequest>,
    ) -> Result<Response<pb::ConfirmReservationResponse>, Status> {
        self.confirm(&request).await
    }

    async fn begin_reservation_cancellation(
        &self,
        request: Request<pb::BeginReservationCancellationRequest>,
    ) -> Result<Response<pb::BeginReservationCancellationResponse>, Status> {
        self.begin_cancellation(&request).await
    }

    async fn abort_reservation_cancellation(
        &self,
        request: Request<pb::AbortReservationCancellationRequest>,
    ) -> Result<Response<pb::AbortReservationCancellationResponse>, Status> {
        self.abort_cancellation(&request).await
    }

    async fn commit_reservation_cancellation(
        &self,
        request: Request<pb::CommitReservationCancellationRequest>,
    ) -> Result<Response<pb::CommitReservationCancellationResponse>, Status> {
        self.commit_cancellation(&request).await
    }

    async fn list_tickets(
        &self,
        request: Request<pb::ListTicketsRequest>,
    ) -> Result<Response<pb::ListTicketsResponse>, Status> {
        answer(self.list_tickets(request.get_ref()).await)
    }

    async fn check_in_ticket(&self, _: Request<pb::CheckInTicketRequest>) -> Result<Response<pb::Ticket>, Status> {
        not_offered("CheckInTicket")
    }

    async fn list_reservations_to_cancel(
        &self,
        _: Request<pb::ListReservationsToCancelRequest>,
    ) -> Result<Response<pb::ListReservationsToCancelResponse>, Status> {
        not_offered("ListReservationsToCancel")
    }

    async fn list_saga_locks(
        &self,
        _: Request<pb::ListSagaLocksRequest>,
    ) -> Result<Response<pb::ListSagaLocksResponse>, Status> {
        not_offered("ListSagaLocks")
    }

    async fn purge_saga_operations(
        &self,
        _: Request<pb::PurgeSagaOperationsRequest>,
    ) -> Result<Response<pb::PurgeSagaOperationsResponse>, Status> {
        not_offered("PurgeSagaOperations")
    }
}

/// How often an order for whatever seats fit is tried while others are in the way.
const ROUNDS: usize = 50;
/// When to come back after that.
const LATER: Duration = Duration::from_secs(1);

/// Who wants seats, and where.
struct Buyer<'a> {
    customer: Uuid,
    concert: Uuid,
    performance: Uuid,
    pass: Option<&'a str>,
    request_id: Option<Uuid>,
}

impl<'a> Buyer<'a> {
    fn new((customer, performance): (&str, &str), pass: &'a str, request_id: Option<Uuid>) -> Result<Self, Fault> {
        let (concert, performance) = wire::performance_name("performance", performance)?;
        let customer = reservations::customer_name("customer", customer)?;
        Ok(Self { customer, concert, performance, pass: Some(pass).filter(|pass| !pass.is_empty()), request_id })
    }
}

impl Api {
    async fn hold_named(&self, request: &pb::CreateReservationRequest) -> Result<pb::Reservation, Fault> {
        let request_id = wire::request_id(&request.request_id)?;
        let call = Call::new("CreateReservation", request_id, request);
        let buyer = Buyer::new((&request.customer, &request.performance), &request.admission_pass, request_id)?;
        let wanted = Wanted::Named(reservations::seats(&request.performance, &request.seats)?);
        self.hold(call, self.order(buyer, wanted)).await
    }

    async fn hold_best(&self, request: &pb::HoldBestAvailableSeatsRequest) -> Result<pb::Reservation, Fault> {
        let request_id = wire::request_id(&request.request_id)?;
        let call = Call::new("HoldBestAvailableSeats", request_id, request);
        let buyer = Buyer::new((&request.customer, &request.performance), &request.admission_pass, request_id)?;
        let order = self.order(buyer, Wanted::Best(reservations::best(request)?));
        for _ in 1..ROUNDS {
            match self.hold(call.clone(), order.clone()).await {
                Err(Fault::Pending(soon)) => tokio::time::sleep(soon).await,
                answer => return answer,
            }
        }
        match self.hold(call, order).await {
            Err(Fault::Pending(_)) => {
                let message = "others are taking what is left; ask again to see what they leave";
                Err(Refusal::new(Code::ResourceExhausted, "OVERLOADED", message).retry_after(LATER).into())
            }
            answer => answer,
        }
    }

    async fn hold(&self, call: Call, order: Order) -> Result<pb::Reservation, Fault> {
        let admitted = order.pass.clone().and_then(Result::ok);
        let work = async move |tx: &mut Tx<'_>| {
            let place =
                async move |tx: &mut Tx<'_>| hold::hold(tx, &order).await.map(|held| reservations::reservation(&held));
            IDEMPOTENCY.once(tx, &call, place).await
        };
        let held = self.0.host.db.write(work).await?;
        if let Some(claims) = admitted.filter(|claims| claims.customer == held.customer) {
            self.tell_of_hold(claims, &held);
        }
        Ok(held)
    }

    fn order(&self, buyer: Buyer<'_>, wanted: Wanted) -> Order {
        let now_ms = self.0.host.clock.now_ms();
        let Buyer { customer, concert, performance, pass, request_id } = buyer;
        let id = self.0.host.ids.next(now_ms);
        let pass = pass.map(|pass| self.0.keys.verify(pass, now_ms));
        let claims = pass.as_ref().and_then(|pass| pass.as_ref().ok());
        let queue_token = claims.map(|claims| claims.queue_token.clone()).unwrap_or_default();
        let cause = Cause { request_id, queue_token, ..self.word_of(Some(customer)) };
        Order { id, customer, concert, performance, wanted, cause, pass }
    }

    /// So that the pass outlives the hold. Best effort: a hold is proof enough at the checkout.
    fn tell_of_hold(&self, claims: Claims, held: &pb::Reservation) {
        let placed = held.expire_time.map(|expire_time| HoldPlaced {
            queue_token: claims.queue_token,
            customer: claims.customer,
            hold_expire_ms: service_kit::wire::millis(expire_time),
        });
        if placed.is_some_and(|placed| self.0.held.try_send(placed).is_err()) {
            tracing::debug!(reservation = held.name, "nobody was told of a hold");
        }
    }

    async fn get_reservation(&self, name: &str) -> Result<pb::Reservation, Fault> {
        let id = wire::reservation_name("name", name)?;
        let found = self.0.host.db.read(async move |tx| store::reservation(tx, id).await).await?;
        let found = found.as_ref().map(reservations::reservation);
        found.ok_or_else(|| not_found::reservation(id).into())
    }

    async fn list_reservations(
        &self,
        request: &pb::ListReservationsRequest,
    ) -> Result<pb::ListReservationsResponse, Fault> {
        let (size, before) = reservations::reservations_before(request)?;
        let read = async move |tx: &mut Tx<'_>| store::reservations(tx, &before).await;
        let rows = self.0.host.db.read(read).await?;
        let (rows, next_page_token) = page::cut(rows, size, |row: &Reservation| row.id.to_string());
        let reservations = rows.iter().map(reservations::reservation).collect();
        Ok(pb::ListReservationsResponse { reservations, next_page_token })
    }

    async fn release(&self, request: &pb::ReleaseReservationRequest) -> Result<pb::Reservation, Fault> {
        let id = wire::reservation_name("name", &request.name)?;
        let customer = reservations::customer_name("customer", &request.customer)?;
        let cause = self.word_of(Some(customer));
        let work = async move |tx: &mut Tx<'_>| hold::release(tx, id, customer, &cause).await;
        let released = self.0.host.db.write(work).await?;
        Ok(reservations::reservation(&released))
    }

    async fn lock(
        &self,
        request: &Request<pb::LockReservationRequest>,
    ) -> Result<Response<pb::LockReservationResponse>, Status> {
        let message = request.get_ref();
        let step = reservations::step(&message.name, &message.saga, &message.request_id);
        let step = step.map_err(refuse)?;
        let lock = reservations::lock(message, step.saga).map_err(refuse)?;
        let op = Operation::of(request, step.saga, step.reservation).map_err(refuse)?;
        let cause = self.step_cause(&step, Some(lock.customer));
        let work = async move |tx: &mut Tx<'_>| {
            let locked = checkout::lock(tx, step.reservation, &lock, &cause).await?;
            Ok(reservations::locked(step.saga, &locked))
        };
        BARRIER.forward(&self.0.host.db, op, Refusals::Kept, work).await
    }

    async fn unlock(
        &self,
        request: &Request<pb::UnlockReservationRequest>,
    ) -> Result<Response<pb::UnlockReservationResponse>, Status> {
        let message = request.get_ref();
        let step = reservations::step(&message.name, &message.saga, &message.request_id);
        let step = step.map_err(refuse)?;
        let op = Operation::of(request, step.saga, step.reservation).map_err(refuse)?;
        let echo = reservations::unlocked(step.saga, None);
        let cause = self.step_cause(&step, None);
        let work = async move |tx: &mut Tx<'_>| {
            let unlocked = checkout::unlock(tx, step.reservation, step.saga, &cause).await?;
            Ok(reservations::unlocked(step.saga, Some(&unlocked.reservation)))
        };
        BARRIER.compensate(&self.0.host.db, op, echo, work).await
    }

    async fn confirm(
        &self,
        request: &Request<pb::ConfirmReservationRequest>,
    ) -> Result<Response<pb::ConfirmReservationResponse>, Status> {
        let message = request.get_ref();
        let step = reservations::step(&message.name, &message.saga, &message.request_id);
        let step = step.map_err(refuse)?;
        let payment = reservations::payment(&message.payment).map_err(refuse)?;
        let cause = self.step_cause(&step, None);
        let op = Operation::of(request, step.saga, step.reservation).map_err(refuse)?;
        let work = async move |tx: &mut Tx<'_>| {
            let (sold, tickets) = checkout::confirm(tx, step.reservation, (step.saga, payment), &cause).await?;
            Ok(reservations::confirmed(step.saga, &sold.reservation, &tickets))
        };
        BARRIER.forward(&self.0.host.db, op, Refusals::Kept, work).await
    }

    async fn list_tickets(&self, request: &pb::ListTicketsRequest) -> Result<pb::ListTicketsResponse, Fault> {
        let id = wire::reservation_name("parent", &request.parent)?;
        let size = page::size(request.page_size)?;
        let after = listing::after_seat(&request.page_token)?;
        let read = async move |tx: &mut Tx<'_>| {
            let found = store::reservation(tx, id).await?;
            let found = found.ok_or_else(|| not_found::reservation(id))?;
            Ok::<_, Fault>((found, store::tickets(tx, id, &after, page::limit(size)).await?))
        };
        let (sold, rows) = self.0.host.db.read(read).await?;
        let (tickets, next_page_token) = page::cut(rows, size, |ticket| ticket.seat.clone());
        let tickets = tickets.iter().map(|ticket| reservations::ticket(&sold, ticket)).collect();
        Ok(pb::ListTicketsResponse { tickets, next_page_token })
    }
}
