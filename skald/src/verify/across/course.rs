//! What must be there of a saga that has completed, and what must not be left of one that has not.

use customer_svc::verify::ReservationState as Points;
use orchestrator::verify::{Course, SagaFact};
use payment_svc::verify::{RefundState, State as Paid};

use super::name;
use crate::verify::facts::Facts;

pub(super) fn completed_is_whole(facts: &Facts) -> Vec<String> {
    let is_completed = |saga: &&SagaFact| saga.course == Course::Completed;
    let checkouts = facts.checkouts().filter(is_completed).filter_map(|saga| missing_of_checkout(facts, saga));
    let cancellations = facts.cancellations().filter(is_completed);
    let cancellations = cancellations.filter_map(|saga| missing_of_cancellation(facts, saga));
    let charges = facts.charges().filter(is_completed).filter_map(|saga| missing_of_charge(facts, saga));
    checkouts.chain(cancellations).chain(charges).collect()
}

fn missing_of_checkout(facts: &Facts, saga: &SagaFact) -> Option<String> {
    let reservation = facts.reservation_of(saga);
    let bought = |state| matches!(state, "CONFIRMED" | "CANCELLING" | "CANCELLED");
    if !reservation.is_some_and(|it| bought(it.state) && it.saga == Some(saga.id)) {
        return Some(format!("{}: its reservation is {:?}", name(saga), reservation.map(|found| found.state)));
    }
    let points = facts.points.get(&saga.id).map(|points| points.state);
    let payment = facts.payments.get(&saga.id).map(|payment| payment.state);
    let is_whole = saga.amount == Some(0) || (points == Some(Points::Captured) && payment == Some(Paid::Captured));
    (!is_whole).then(|| format!("{}: points {points:?}, payment {payment:?}", name(saga)))
}

fn missing_of_cancellation(facts: &Facts, saga: &SagaFact) -> Option<String> {
    let reservation = facts.reservation_of(saga);
    if !reservation.is_some_and(|it| it.state == "CANCELLED" && it.cancellation == Some(saga.id)) {
        return Some(format!("{}: its reservation is {:?}", name(saga), reservation.map(|found| found.state)));
    }
    let refund = facts.refunds.get(&saga.id).map(|refund| refund.state);
    let is_whole = saga.amount == Some(0) || refund == Some(RefundState::Succeeded);
    (!is_whole).then(|| format!("{}: refund {refund:?}", name(saga)))
}

fn missing_of_charge(facts: &Facts, saga: &SagaFact) -> Option<String> {
    let payment = facts.payments.get(&saga.id).map(|payment| payment.state);
    (payment != Some(Paid::Captured)).then(|| format!("{}: payment {payment:?}", name(saga)))
}

/// Of a saga of any kind: whatever it may have done, nothing of that is left.
pub(super) fn failed_left_nothing(facts: &Facts) -> Vec<String> {
    let failed = facts.sagas.values().filter(|saga| saga.course == Course::Compensated);
    failed.filter_map(|saga| left_of(facts, saga)).collect()
}

fn left_of(facts: &Facts, saga: &SagaFact) -> Option<String> {
    let points = facts.points.get(&saga.id).map(|points| points.state).filter(|state| *state != Points::Released);
    let payment = facts.payments.get(&saga.id).map(|payment| payment.state);
    let payment = payment.filter(|state| !matches!(state, Paid::Cancelled | Paid::Failed));
    let refund = facts.refunds.get(&saga.id).map(|refund| refund.state);
    let refund = refund.filter(|state| !matches!(state, RefundState::Cancelled | RefundState::Failed));
    let is_its = |id: Option<uuid::Uuid>| id == Some(saga.id);
    let reservation = facts.reservation_of(saga).filter(|it| is_its(it.saga) || is_its(it.cancellation));
    let token = facts.tokens.get(&saga.id).map(|token| token.token);
    let is_left = points.is_some() || payment.is_some() || refund.is_some() || reservation.is_some() || token.is_some();
    is_left.then(|| {
        let reservation = reservation.map(|reservation| reservation.state);
        format!(
            "{} left points {points:?}, payment {payment:?}, refund {refund:?}, reservation {reservation:?}, token {token:?}",
            name(saga)
        )
    })
}
