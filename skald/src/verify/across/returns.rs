//! The rules of cancellations and point charges that span services.

use std::collections::BTreeMap;

use customer_svc::verify::Credited;
use orchestrator::plans::{cancellation, point_charge};
use orchestrator::verify::{Course, SagaFact};
use payment_svc::verify::{RefundState, State as Paid};
use uuid::Uuid;

use crate::verify::facts::Facts;

pub(super) fn completed_is_whole(facts: &Facts) -> Vec<String> {
    let cancellations = facts.of_course(cancellation::KIND, Course::Completed);
    let cancellations =
        cancellations.filter_map(|(id, saga)| Some(format!("cancellations/{id}: {}", not_returned(facts, id, saga)?)));
    let charges = facts.of_course(point_charge::KIND, Course::Completed);
    let charges =
        charges.filter_map(|(id, saga)| Some(format!("pointCharges/{id}: {}", not_charged(facts, id, saga)?)));
    cancellations.chain(charges).collect()
}

/// What is missing of a cancellation.
fn not_returned(facts: &Facts, id: &Uuid, saga: &SagaFact) -> Option<String> {
    let state = facts.reservation_of(saga).map(|reservation| reservation.state);
    if state != Some("CANCELLED") {
        return Some(format!("its reservation is {state:?}"));
    }
    let due = Credited { amount: saga.amount.unwrap_or_default(), fee: saga.fee.unwrap_or_default() };
    let credited = facts.credits.get(id).copied().unwrap_or_default();
    if credited != due {
        return Some(format!("booked {credited:?} instead of {due:?}"));
    }
    let refund = facts.refunds.get(id).map(|refund| refund.state);
    let wanted = (due.amount > 0).then_some(RefundState::Succeeded);
    (refund != wanted).then(|| format!("its refund is {refund:?} instead of {wanted:?}"))
}

/// What is missing of a point charge.
fn not_charged(facts: &Facts, id: &Uuid, saga: &SagaFact) -> Option<String> {
    let payment = facts.payments.get(id).map(|payment| payment.state);
    if payment != Some(Paid::Captured) {
        return Some(format!("its payment is {payment:?}"));
    }
    let due = Credited { amount: saga.amount.unwrap_or_default(), fee: 0 };
    let credited = facts.credits.get(id).copied().unwrap_or_default();
    (credited != due).then(|| format!("booked {credited:?} instead of {due:?}"))
}

pub(super) fn failed_left_nothing(facts: &Facts) -> Vec<String> {
    let kinds = [cancellation::KIND, point_charge::KIND];
    let failed = kinds.into_iter().flat_map(|kind| facts.of_course(kind, Course::Compensated));
    let left = failed.filter_map(|(id, saga)| {
        let refund = facts.refunds.get(id).map(|refund| refund.state).filter(|state| *state != RefundState::Cancelled);
        let payment = facts.payments.get(id).map(|payment| payment.state);
        let payment = payment.filter(|state| !matches!(state, Paid::Cancelled | Paid::Failed));
        let locked = facts.reservation_of(saga).filter(|reservation| reservation.saga == Some(*id));
        let locked = locked.map(|reservation| reservation.state);
        let credited = facts.credits.get(id);
        let nothing = refund.is_none() && payment.is_none() && locked.is_none() && credited.is_none();
        (!nothing).then(|| {
            let kind = &saga.kind;
            format!("sagas/{id} ({kind}) left refund {refund:?}, payment {payment:?}, lock {locked:?}, {credited:?}")
        })
    });
    left.collect()
}

/// A cancellation whose pivot is in doubt may or may not have done it.
pub(super) fn cancelled_is_returned(facts: &Facts) -> Vec<String> {
    let mut returns: BTreeMap<Uuid, (usize, usize)> = BTreeMap::new();
    for (_, saga) in facts.of_kind(cancellation::KIND) {
        let Some(reservation) = facts.reservation_of(saga) else { continue };
        let (certain, possible) = returns.entry(reservation.id).or_default();
        match saga.course {
            Course::Completed | Course::Completing => *certain += 1,
            Course::Open if saga.pivot_in_doubt => *possible += 1,
            Course::Open | Course::Compensated => {}
        }
    }
    let broken = facts.reservations.values().filter_map(|reservation| {
        let (certain, possible) = returns.get(&reservation.id).copied().unwrap_or_default();
        let is_cancelled = reservation.state == "CANCELLED";
        let fits = if is_cancelled { certain == 1 || certain == 0 && possible == 1 } else { certain == 0 };
        (!fits)
            .then(|| format!("reservations/{} is {}, with {certain} cancellations", reservation.id, reservation.state))
    });
    broken.collect()
}
