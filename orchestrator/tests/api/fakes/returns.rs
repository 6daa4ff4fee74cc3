//! How participants answer when something is given back, or points are bought.

use prost::Message as _;
use proto::{concert::v1 as concert, customer::v1 as customer, payment::v1 as payment};

use super::{AMOUNT, read};
use crate::world::CUSTOMER;

/// What every cancellation costs.
pub(crate) const FEE: i64 = 5_000;
/// What every customer has after a credit.
pub(crate) const BALANCE: i64 = 123_000;

pub(super) fn reply(method: &str, bytes: &[u8]) -> Vec<u8> {
    match method {
        "BeginReservationCancellation" => begun(&read(bytes)).encode_to_vec(),
        "AbortReservationCancellation" => concert::AbortReservationCancellationResponse {
            saga: read::<concert::AbortReservationCancellationRequest>(bytes).saga,
            ..Default::default()
        }
        .encode_to_vec(),
        "CommitReservationCancellation" => concert::CommitReservationCancellationResponse {
            saga: read::<concert::CommitReservationCancellationRequest>(bytes).saga,
            amount: AMOUNT - FEE,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListReservationsToCancel" => concert::ListReservationsToCancelResponse::default().encode_to_vec(),
        "CreateRefund" => {
            let payment::CreateRefundRequest { parent, saga, amount, .. } = read(bytes);
            let refund = Some(payment::Refund { name: format!("{parent}/refunds/f"), ..Default::default() });
            payment::CreateRefundResponse { saga, amount, refund }.encode_to_vec()
        }
        "CancelRefund" => payment::CancelRefundResponse {
            saga: read::<payment::CancelRefundRequest>(bytes).saga,
            ..Default::default()
        }
        .encode_to_vec(),
        "CompleteRefund" => payment::CompleteRefundResponse {
            saga: read::<payment::CompleteRefundRequest>(bytes).saga,
            amount: AMOUNT - FEE,
            ..Default::default()
        }
        .encode_to_vec(),
        "CreditPoints" => {
            let customer::CreditPointsRequest { saga, amount, .. } = read(bytes);
            let entry = customer::PointTransaction { balance_after: BALANCE, ..Default::default() };
            customer::CreditPointsResponse { saga, amount, point_transaction: Some(entry) }.encode_to_vec()
        }
        "GetCustomer" => {
            let name = read::<customer::GetCustomerRequest>(bytes).name;
            let state = customer::customer::State::Active.into();
            customer::Customer { name, state, ..Default::default() }.encode_to_vec()
        }
        other => panic!("nobody fakes {other}"),
    }
}

fn begun(request: &concert::BeginReservationCancellationRequest) -> concert::BeginReservationCancellationResponse {
    let fee = if request.waive_fee { 0 } else { FEE };
    let reservation = concert::Reservation {
        name: request.name.clone(),
        customer: CUSTOMER.into(),
        total_amount: AMOUNT - FEE + fee,
        cancellation_fee: fee,
        payment: "payments/p".into(),
        items: vec![concert::reservation::Item::default()],
        ..Default::default()
    };
    concert::BeginReservationCancellationResponse {
        saga: request.saga.clone(),
        amount: AMOUNT - FEE,
        reservation: Some(reservation),
        concert: "concerts/c".into(),
    }
}
