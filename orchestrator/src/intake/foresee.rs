//! What can be foreseen of a checkout without starting it: whether its reservation can be locked and its customer has the
//! points. Both may change before the checkout is placed, so this promises nothing.

use proto::concert::v1::reservation::State as Held;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::concert::v1::{GetReservationRequest, Reservation};
use proto::orchestrator::v1 as pb;
use service_kit::refusal::Refusal;
use service_kit::wire::millis;
use tonic::Status;

use super::look::{in_time, participant, point_account};
use super::not_owner;
use crate::desk::Desk;
use crate::faults::status;
use crate::plans::checkout::Input;

/// The checkout that would be started, without a name; or the refusal that it would meet.
pub(super) async fn checkout(desk: &Desk, input: &Input) -> Result<pb::Checkout, Status> {
    let reservation = reservation(desk, input).await?;
    check(&reservation, input, desk.clock.now_ms()).map_err(|refusal| status(refusal.into()))?;
    let amount = reservation.total_amount;
    if amount > 0 {
        let available = point_account(desk, &input.customer).await?.available_balance;
        enough(available, amount).map_err(|refusal| status(refusal.into()))?;
    }
    Ok(pb::Checkout {
        customer: input.customer.clone(),
        reservation: input.reservation.clone(),
        payment_method: input.method,
        amount,
        seats: reservation.items.into_iter().map(|item| item.seat).collect(),
        queue_token: input.queue_token.clone(),
        ..Default::default()
    })
}

async fn reservation(desk: &Desk, input: &Input) -> Result<Reservation, Status> {
    let request = GetReservationRequest { name: input.reservation.clone() };
    let mut client = ReservationServiceClient::new(participant(desk, "concert")?);
    in_time(desk, client.get_reservation(request)).await
}

fn check(reservation: &Reservation, input: &Input, now_ms: i64) -> Result<(), Refusal> {
    if reservation.customer != input.customer {
        return Err(not_owner());
    }
    let (name, state) = (&reservation.name, reservation.state());
    let expire_time = reservation.expire_time;
    match state {
        Held::Held if expire_time.is_none_or(|expire_time| now_ms < millis(expire_time)) => {}
        Held::Held | Held::Expired => {
            let refusal = Refusal::precondition("HOLD_EXPIRED", format!("the hold of {name} is over"));
            let refusal = refusal.with("state", state.as_str_name());
            return Err(expire_time.into_iter().fold(refusal, |refusal, time| refusal.with("expire_time", time)));
        }
        Held::Confirming | Held::Cancelling => {
            let message = format!("{name} is locked by {}", reservation.lock_saga);
            return Err(Refusal::precondition("RESERVATION_LOCKED", message).with("saga", &reservation.lock_saga));
        }
        Held::Confirmed | Held::Cancelled | Held::Released | Held::Unspecified => {
            let message = format!("{name} is {} and can no longer be bought", state.as_str_name());
            return Err(Refusal::precondition("RESERVATION_NOT_HELD", message).with("state", state.as_str_name()));
        }
    }
    let actual = reservation.total_amount;
    match input.expected_amount {
        Some(expected) if expected != actual => {
            let message = format!("{name} costs {actual} and not {expected}");
            let refusal = Refusal::precondition("AMOUNT_CHANGED", message);
            Err(refusal.with("expected", expected).with("actual", actual))
        }
        _ => Ok(()),
    }
}

fn enough(available: i64, required: i64) -> Result<(), Refusal> {
    if available >= required {
        return Ok(());
    }
    let shortfall = required.saturating_sub(available);
    let message = format!("{required} points are needed and {available} are there: {shortfall} are missing");
    let refusal = Refusal::precondition("INSUFFICIENT_POINTS", message);
    Err(refusal.with("available", available).with("required", required).with("shortfall", shortfall))
}
