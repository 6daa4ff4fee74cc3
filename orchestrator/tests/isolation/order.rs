//! A checkout as a runner takes it, of a customer who came from no waiting room.

use std::time::Duration;

use orchestrator::plans::checkout::{Checkout, Input, skipped};
use orchestrator::runner::NewSaga;
use uuid::Uuid;

pub(crate) fn checkout(id: u128) -> NewSaga {
    let input = Input {
        customer: format!("customers/{}", Uuid::nil()),
        reservation: format!("reservations/{}", Uuid::nil()),
        method: 1,
        queue_token: String::new(),
        expected_amount: None,
    };
    NewSaga {
        id: Uuid::from_u128(id),
        definition: &Checkout,
        subject: input.customer.clone(),
        reference: input.reservation.clone(),
        request_hash: Vec::new(),
        skip: skipped(&input),
        input: serde_json::to_vec(&input).unwrap(),
        undecided_for: Duration::from_secs(30),
    }
}
