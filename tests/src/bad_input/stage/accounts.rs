//! What `ticketing.customer.v1` and `ticketing.payment.v1` accept.

use crate::world::{NOW_MS, PRICE};
use proto::customer::v1 as customer;
use proto::customer::v1::point_transaction::Kind;
use proto::payment::v1 as payment;
use proto::payment::v1::payment::{Method, Purpose};
use service_kit::wire::timestamp;

use super::{DAY_MS, Stage, encode};

impl Stage {
    pub(super) fn customers(&self, method: &str) -> Option<Vec<u8>> {
        let (name, etag) = (self.held.customer.clone(), "1".to_owned());
        match method {
            "CreateCustomer" => encode(&customer::CreateCustomerRequest {
                customer: Some(customer::Customer {
                    display_name: "Lee".into(),
                    phone_number: "+821012345678".into(),
                    notification_consent: true,
                    ..Default::default()
                }),
                customer_id: self.request_id(),
                request_id: self.request_id(),
            }),
            "GetCustomer" => encode(&customer::GetCustomerRequest { name }),
            "ListCustomers" => encode(&customer::ListCustomersRequest {
                page_size: 1,
                filter: "state = ACTIVE".into(),
                ..Default::default()
            }),
            "UpdateCustomer" => encode(&customer::UpdateCustomerRequest {
                customer: Some(customer::Customer {
                    name,
                    display_name: "Park".into(),
                    phone_number: "+821012345678".into(),
                    ..Default::default()
                }),
                request_id: self.request_id(),
                ..Default::default()
            }),
            "WithdrawCustomer" => encode(&customer::WithdrawCustomerRequest {
                name: self.token_customer.clone(),
                etag,
                request_id: self.request_id(),
                reason: "moving away".into(),
            }),
            "SuspendCustomer" => encode(&customer::SuspendCustomerRequest {
                name,
                etag,
                reason: "fraud".into(),
                request_id: self.request_id(),
            }),
            "ReactivateCustomer" => encode(&customer::ReactivateCustomerRequest { name, etag, ..Default::default() }),
            _ => None,
        }
    }

    pub(super) fn points(&self, method: &str) -> Option<Vec<u8>> {
        let (customer, saga, request_id) = (self.locked.customer.clone(), self.saga.clone(), self.request_id());
        match method {
            "GetPointAccount" => encode(&customer::GetPointAccountRequest { name: format!("{customer}/pointAccount") }),
            "ListPointTransactions" => encode(&customer::ListPointTransactionsRequest {
                parent: customer,
                page_size: 1,
                filter: "kind = ADJUSTMENT".into(),
                ..Default::default()
            }),
            "ReservePoints" => {
                encode(&customer::ReservePointsRequest { customer, saga: self.other_saga(), amount: PRICE, request_id })
            }
            "ReleasePoints" => encode(&customer::ReleasePointsRequest { customer, saga, request_id }),
            "CapturePoints" => {
                let credit_account = format!("revenue/{}", self.concert());
                encode(&customer::CapturePointsRequest { customer, saga, credit_account, request_id })
            }
            "AdjustPoints" => {
                let reason = "goodwill".to_owned();
                encode(&customer::AdjustPointsRequest { customer, amount: PRICE, reason, request_id })
            }
            "CreditPoints" => encode(&customer::CreditPointsRequest {
                customer,
                saga: self.other_saga(),
                amount: PRICE,
                kind: Kind::Refund.into(),
                debit_account: format!("revenue/{}", self.concert()),
                request_id,
                ..Default::default()
            }),
            "ListSagaLocks" => {
                let locked_before = Some(timestamp(NOW_MS + DAY_MS));
                encode(&customer::ListSagaLocksRequest { locked_before, page_size: 1, ..Default::default() })
            }
            "PurgeSagaOperations" => encode(&customer::PurgeSagaOperationsRequest { sagas: vec![saga] }),
            "ListLedgerFindings" => encode(&customer::ListLedgerFindingsRequest { page_size: 1, ..Default::default() }),
            "ListAccountTotals" => encode(&customer::ListAccountTotalsRequest { page_size: 1, ..Default::default() }),
            "GetPointReservation" => encode(&customer::GetPointReservationRequest { customer, saga }),
            _ => None,
        }
    }

    pub(super) fn payments(&self, method: &str) -> Option<Vec<u8>> {
        let (saga, request_id) = (self.saga.clone(), self.request_id());
        match method {
            "AuthorizePayment" => encode(&payment::AuthorizePaymentRequest {
                customer: self.held.customer.clone(),
                saga: self.other_saga(),
                purpose: Purpose::Reservation.into(),
                reference: self.held.reservation.clone(),
                method: Method::Point.into(),
                amount: PRICE,
                currency_code: "KRW".into(),
                request_id,
                ..Default::default()
            }),
            "CancelPayment" => encode(&payment::CancelPaymentRequest { saga, reason: "too dear".into(), request_id }),
            "CapturePayment" => encode(&payment::CapturePaymentRequest { saga, request_id }),
            "GetPayment" => encode(&payment::GetPaymentRequest { name: self.payment() }),
            "ListPayments" => encode(&payment::ListPaymentsRequest {
                filter: format!("customer = \"{}\" AND state = CAPTURED", self.buyer.customer),
                page_size: 1,
                ..Default::default()
            }),
            _ => None,
        }
    }
}
