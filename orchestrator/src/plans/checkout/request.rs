//! The requests of the checkout's steps, from its input and the replies so far.

use prost::Message as _;
use proto::concert::v1 as concert;
use proto::customer::v1 as customer;
use proto::payment::v1 as payment;
use proto::token::v1 as token;
use saga::{Direction, StepIndex};
use service_kit::ids;

use super::{CAPTURE_PAYMENT, CAPTURE_POINTS, CONFIRM, Checkout, Input, LOCK, PAYMENT, POINTS, TOKEN, locked};
use crate::journal::Record;

/// Makes the request of one step.
pub(super) struct Ask<'a> {
    pub(super) record: &'a Record,
    pub(super) input: Input,
    pub(super) step: StepIndex,
    pub(super) direction: Direction,
}

impl Ask<'_> {
    pub(super) fn forward(self) -> Result<Vec<u8>, String> {
        let (saga, request_id) = (self.saga(), self.request_id());
        let Input { customer, reservation, method, queue_token, expected_amount } = self.input;
        let locked = || locked(self.record).ok_or("the lock's reply is missing");
        Ok(match self.step {
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
                let payment = super::payment(self.record).unwrap_or_default();
                concert::ConfirmReservationRequest { name: reservation, saga, payment, request_id }.encode_to_vec()
            }
            CAPTURE_POINTS => {
                let credit_account = format!("revenue/{}", locked()?.concert);
                customer::CapturePointsRequest { customer, saga, credit_account, request_id }.encode_to_vec()
            }
            CAPTURE_PAYMENT => payment::CapturePaymentRequest { saga, request_id }.encode_to_vec(),
            TOKEN => token::CompleteQueueTokenRequest { name: queue_token, saga, request_id, customer }.encode_to_vec(),
            StepIndex(other) => return Err(format!("the plan has no step {other}")),
        })
    }

    pub(super) fn compensation(self) -> Result<Vec<u8>, String> {
        let (saga, request_id) = (self.saga(), self.request_id());
        Ok(match self.step {
            LOCK => {
                concert::UnlockReservationRequest { name: self.input.reservation, saga, request_id }.encode_to_vec()
            }
            POINTS => {
                customer::ReleasePointsRequest { customer: self.input.customer, saga, request_id }.encode_to_vec()
            }
            PAYMENT => {
                let reason = self.record.saga.failure().map(|failure| failure.reason.clone()).unwrap_or_default();
                payment::CancelPaymentRequest { saga, reason, request_id }.encode_to_vec()
            }
            StepIndex(other) => return Err(format!("step {other} has no compensation")),
        })
    }

    fn saga(&self) -> String {
        format!("sagas/{}", self.record.id)
    }

    fn request_id(&self) -> String {
        let direction = match self.direction {
            Direction::Forward => "forward",
            Direction::Compensation => "compensation",
        };
        ids::operation_id(self.record.id, crate::plans::step(&Checkout, self.step).id, direction).to_string()
    }
}
