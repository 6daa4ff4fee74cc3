//! Cancellations and what they cost, on the wire.

use std::collections::BTreeSet;

use proto::concert::v1 as pb;
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::reservations::{customer_name, reservation, saga_name};
use super::{optional, within};
use crate::reservation::{Begin, Reservation};
use crate::terms::{MAX_DAYS, MAX_TERMS, Term, Terms};

/// The table that a policy asks for; the default one when it asks for none.
pub(crate) fn new_terms(field: &str, terms: &[pb::CancellationTerm]) -> Result<Terms, Fault> {
    if terms.is_empty() {
        return Ok(Terms::default());
    }
    if terms.len() > MAX_TERMS {
        let problem = format!("must be at most {MAX_TERMS} terms, not {}", terms.len());
        return Err(Fault::field(field, problem));
    }
    let mut days = BTreeSet::new();
    let read = terms.iter().enumerate().map(|(index, term)| {
        let path = |name: &str| format!("{field}[{index}].{name}");
        let days_before = within(&path("days_before"), term.days_before.into(), 0..=MAX_DAYS)?;
        let fee_percent = within(&path("fee_percent"), term.fee_percent.into(), 0..=100)?;
        if days.insert(days_before) {
            return Ok(Term { days_before, fee_percent });
        }
        Err(Fault::field(path("days_before"), "has a term already"))
    });
    Ok(Terms::new(read.collect::<Result<_, _>>()?))
}

/// A table for the caller.
pub(crate) fn terms(terms: &Terms) -> Vec<pb::CancellationTerm> {
    // The limits keep both small.
    let int32 = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    let term = |term: Term| pb::CancellationTerm {
        days_before: int32(term.days_before),
        fee_percent: int32(term.fee_percent),
    };
    terms.iter().map(term).collect()
}

/// The cancellation that is asked for.
pub(crate) fn begin(request: &pb::BeginReservationCancellationRequest, saga: Uuid) -> Result<Begin, Fault> {
    let customer = optional(&request.customer, |name| customer_name("customer", name))?;
    Ok(Begin { customer, saga, waive_fee: request.waive_fee })
}

/// Answer to the beginning of a cancellation.
pub(crate) fn begun(saga: Uuid, locked: &Reservation) -> pb::BeginReservationCancellationResponse {
    pb::BeginReservationCancellationResponse {
        saga: saga_name(saga),
        amount: locked.refund(),
        reservation: Some(reservation(locked)),
        concert: format!("concerts/{}", locked.concert),
    }
}

/// Answer to an abort, with what will not be refunded; without a reservation when there was nothing to abort.
pub(crate) fn aborted(saga: Uuid, kept: Option<(&Reservation, i64)>) -> pb::AbortReservationCancellationResponse {
    pb::AbortReservationCancellationResponse {
        saga: saga_name(saga),
        amount: kept.map_or(0, |(_, amount)| amount),
        reservation: kept.map(|(kept, _)| reservation(kept)),
    }
}

/// Answer to a commit.
pub(crate) fn committed(saga: Uuid, cancelled: &Reservation) -> pb::CommitReservationCancellationResponse {
    pb::CommitReservationCancellationResponse {
        saga: saga_name(saga),
        amount: cancelled.refund(),
        reservation: Some(reservation(cancelled)),
    }
}
