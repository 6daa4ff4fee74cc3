//! Money and points over the services: what a saga asks for, what was paid and given back, and what the ledger has of it.

use std::collections::{BTreeMap, BTreeSet};

use payment_svc::verify::{Payment, RefundState};

use super::name;
use crate::verify::facts::Facts;

pub(super) fn amounts_agree(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for saga in facts.sagas.values() {
        let Some(amount) = saga.amount else { continue };
        let total = facts.reservation_of(saga).map(|reservation| reservation.total_amount - saga.fee);
        let points = facts.points.get(&saga.id).map(|points| points.amount);
        let payment = facts.payments.get(&saga.id).map(|payment| payment.authorized_amount);
        let refund = facts.refunds.get(&saga.id).map(|refund| refund.amount);
        let others = [("reservation", total), ("points", points), ("payment", payment), ("refund", refund)];
        for (what, other) in others {
            if let Some(other) = other.filter(|other| *other != amount) {
                broken.push(format!("{} is about {amount}, its {what} about {other}", name(saga)));
            }
        }
    }
    broken
}

/// Only with nothing under way: a step that has reached one service is still on its way to another.
pub(super) fn is_booked(facts: &Facts) -> Vec<String> {
    if facts.open() > 0 {
        return Vec::new();
    }
    // Reservations are paid in points, and nothing else is.
    let is_in_points = |payment: &Payment| payment.reference.starts_with("reservations/");
    let paid = |in_points| facts.payments.values().filter(move |payment| is_in_points(payment) == in_points);
    let captured = |in_points| paid(in_points).map(|payment| payment.captured_amount).sum::<i64>();
    let refunded: i64 = paid(true).map(|payment| payment.refunded_amount).sum();
    let succeeded = facts.refunds.values().filter(|refund| refund.state == RefundState::Succeeded);
    let pairs = [
        ("captured in points", captured(true), "used", facts.concerts.values().map(|sums| sums.used).sum()),
        ("given back in points", refunded, "refunded", facts.concerts.values().map(|sums| sums.refunded).sum()),
        ("captured from outside", captured(false), "charged", facts.charged),
        ("given back", refunded, "the sum of refunds", succeeded.map(|refund| refund.amount).sum()),
    ];
    let broken = pairs.into_iter().filter(|(_, paid, _, booked)| paid != booked);
    broken.map(|(what, paid, how, booked)| format!("{what}: {paid}; {how}: {booked}")).collect()
}

/// Likewise.
pub(super) fn is_of_seats(facts: &Facts) -> Vec<String> {
    if facts.open() > 0 {
        return Vec::new();
    }
    let mut kept: BTreeMap<String, i64> = BTreeMap::new();
    let concert = facts.reservations.values().map(|reservation| (reservation.id, reservation.concert));
    let concert: BTreeMap<_, _> = concert.collect();
    for payment in facts.payments.values() {
        let reservation = payment.reference.strip_prefix("reservations/").and_then(|id| id.parse().ok());
        if let Some(concert) = reservation.and_then(|id: uuid::Uuid| concert.get(&id)) {
            let account = format!("revenue/concerts/{concert}");
            *kept.entry(account).or_default() += payment.captured_amount - payment.refunded_amount;
        }
    }
    let mut sold: BTreeMap<String, i64> = BTreeMap::new();
    for reservation in facts.reservations.values() {
        let worth = match reservation.state {
            "CONFIRMED" | "CANCELLING" => reservation.total_amount,
            "CANCELLED" => reservation.fee,
            _ => 0,
        };
        *sold.entry(format!("revenue/concerts/{}", reservation.concert)).or_default() += worth;
    }
    let accounts: BTreeSet<_> = kept.keys().chain(sold.keys()).chain(facts.concerts.keys()).collect();
    let mut broken = Vec::new();
    for account in accounts {
        let of = |amounts: &BTreeMap<String, i64>| amounts.get(account).copied().unwrap_or_default();
        let booked = facts.concerts.get(account).map_or(0, |sums| sums.revenue() + sums.fees);
        if of(&kept) != booked || of(&sold) != booked {
            let (kept, sold) = (of(&kept), of(&sold));
            broken.push(format!("{account} and its fees have {booked}, payments {kept}, seats {sold}"));
        }
    }
    broken
}
