//! The requests of the checkout's steps, from its input and the replies so far.

use prost::Message as _;
use proto::concert::v1 as concert;
use proto::customer::v1 as customer;
use proto::payment::v1 as payment;
use proto::token::v1 as token;

use super::{CAPTURE_PAYMENT, CAPTURE_POINTS, CONFIRM, Input, LOCK, Locked, PAYMENT, POINTS, TOKEN};
use crate::plans::Ask;

pub(super) fn forward(ask: Ask<'_>) -> Result<Vec<u8>, String> {
    let (saga, request_id) = (ask.saga(), ask.request_id());
    let Input { customer, reservation, method, queue_token, expected_amount } = ask.input()?;
    let locked = || ask.output::<Locked>(LOCK);
    Ok(match ask.step {
        LOCK => {
            let expected_total_amount = expected_amount;
            concert::LockReservationRequest { name: reservation, customer, saga, expected_total_amount, request_id }
                .encode_to_vec()
        }
        POINTS => {
            customer::ReservePointsRequest { customer, saga, amount: locked()?.amount, request_id }.encode_to_vec()
        }
        PAYMENT => payment::AuthorizePaymentRequest {
            customer,
            saga,
            purpose: payment::payment::Purpose::Reservation.into(),
            reference: reservation,
            method,
            amount: locked()?.amount,
            currency_code: "KRW".into(),
            request_id,
            ..Default::default()
        }
        .encode_to_vec(),
        CONFIRM => {
            let payment = super::payment(ask.record).unwrap_or_default();
            concert::ConfirmReservationRequest { name: reservation, saga, payment, request_id }.encode_to_vec()
        }
        CAPTURE_POINTS => {
            let credit_account = format!("revenue/{}", locked()?.concert);
            customer::CapturePointsRequest { customer, saga, credit_account, request_id }.encode_to_vec()
        }
        CAPTURE_PAYMENT => payment::CapturePaymentRequest { saga, request_id }.encode_to_vec(),
        TOKEN => token::CompleteQueueTokenRequest { name: queue_token, saga, request_id, customer }.encode_to_vec(),
        _ => return ask.unknown(),
    })
}

pub(super) fn compensation(ask: Ask<'_>) -> Result<Vec<u8>, String> {
    let (saga, request_id) = (ask.saga(), ask.request_id());
    let Input { customer, reservation, .. } = ask.input()?;
    Ok(match ask.step {
        LOCK => concert::UnlockReservationRequest { name: reservation, saga, request_id }.encode_to_vec(),
        POINTS => customer::ReleasePointsRequest { customer, saga, request_id }.encode_to_vec(),
        PAYMENT => payment::CancelPaymentRequest { saga, reason: ask.reason(), request_id }.encode_to_vec(),
        _ => return ask.unknown(),
    })
}
