//! The requests of the cancellation's steps, from its input and the replies so far.

use prost::Message as _;
use proto::concert::v1 as concert;
use proto::customer::v1 as customer;
use proto::customer::v1::point_transaction::Kind;
use proto::payment::v1 as payment;

use super::{BEGIN, Begun, COMMIT, COMPLETE, CREDIT, Input, REFUND};
use crate::plans::Ask;

/// Where fees go.
const FEES: &str = "fees/cancellation";

pub(super) fn forward(ask: Ask<'_>) -> Result<Vec<u8>, String> {
    let (saga, request_id) = (ask.saga(), ask.request_id());
    let Input { reservation: name, customer, waive_fee } = ask.input()?;
    let begun = || ask.output::<Begun>(BEGIN);
    Ok(match ask.step {
        BEGIN => {
            concert::BeginReservationCancellationRequest { name, customer, saga, waive_fee, request_id }.encode_to_vec()
        }
        REFUND => {
            let Begun { payment: parent, refund: amount, .. } = begun()?;
            let reason = format!("cancellation of {name}");
            payment::CreateRefundRequest { parent, saga, amount, reason, request_id }.encode_to_vec()
        }
        COMMIT => concert::CommitReservationCancellationRequest { name, saga, request_id }.encode_to_vec(),
        CREDIT => {
            let Begun { refund: amount, fee: fee_amount, customer, concert, .. } = begun()?;
            customer::CreditPointsRequest {
                customer,
                saga,
                amount,
                kind: Kind::Refund.into(),
                debit_account: format!("revenue/{concert}"),
                request_id,
                fee_amount,
                fee_credit_account: if fee_amount > 0 { FEES.into() } else { String::new() },
            }
            .encode_to_vec()
        }
        COMPLETE => payment::CompleteRefundRequest { saga, request_id }.encode_to_vec(),
        _ => return ask.unknown(),
    })
}

pub(super) fn compensation(ask: Ask<'_>) -> Result<Vec<u8>, String> {
    let (saga, request_id) = (ask.saga(), ask.request_id());
    Ok(match ask.step {
        BEGIN => {
            let name = ask.input::<Input>()?.reservation;
            concert::AbortReservationCancellationRequest { name, saga, request_id }.encode_to_vec()
        }
        REFUND => payment::CancelRefundRequest { saga, request_id }.encode_to_vec(),
        _ => return ask.unknown(),
    })
}
