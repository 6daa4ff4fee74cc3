//! Money and points over all sagas. A saga that has not ended excuses a difference of what it is about, and no more.

use std::collections::{BTreeMap, BTreeSet};

use customer_svc::verify::ReservationState as Points;
use orchestrator::plans::{cancellation, checkout, point_charge};
use orchestrator::verify::{Course, SagaFact};
use payment_svc::verify::RefundState;
use uuid::Uuid;

use crate::verify::facts::Facts;

/// The sums that ended sagas come to, and those that are found of them.
pub(super) fn add_up(facts: &Facts) -> Vec<String> {
    // Of a saga whose plan came from elsewhere nobody can tell here what it moves.
    let kinds = [checkout::KIND, point_charge::KIND, cancellation::KIND];
    let has_ended = |saga: &Uuid| {
        let known = facts.sagas.get(saga).filter(|saga| kinds.contains(&saga.kind.as_str()) && !saga.steps.is_empty());
        known.is_some_and(|saga| matches!(saga.course, Course::Completed | Course::Compensated))
    };
    let due = |kind| facts.of_course(kind, Course::Completed).filter_map(|(_, saga)| saga.amount).sum::<i64>();
    let (bought, charged, returned) = (due(checkout::KIND), due(point_charge::KIND), due(cancellation::KIND));
    let fees = facts.of_course(cancellation::KIND, Course::Completed).filter_map(|(_, saga)| saga.fee).sum::<i64>();

    let paid: i64 =
        facts.payments.iter().filter(|(saga, _)| has_ended(saga)).map(|(_, paid)| paid.captured_amount).sum();
    let refunds =
        facts.refunds.iter().filter(|(saga, refund)| has_ended(saga) && refund.state == RefundState::Succeeded);
    let spent = facts.points.iter().filter(|(saga, points)| has_ended(saga) && points.state == Points::Captured);
    let credits: Vec<_> = facts.credits.iter().filter(|(saga, _)| has_ended(saga)).map(|(_, given)| *given).collect();
    let sums = [
        ("captured by payments", paid, bought + charged),
        ("given back of payments", refunds.map(|(_, refund)| refund.amount).sum(), returned),
        ("spent of points", spent.map(|(_, points)| points.amount).sum(), bought),
        ("credited in points", credits.iter().map(|given| given.amount).sum(), charged + returned),
        ("kept as fees", credits.iter().map(|given| given.fee).sum(), fees),
    ];
    let broken = sums.into_iter().filter(|(_, found, due)| found != due);
    broken.map(|(what, found, due)| format!("{what}: {found} instead of {due}")).collect()
}

pub(super) fn payments_are_booked(facts: &Facts) -> Vec<String> {
    let used: i64 = facts.concerts.values().map(|sums| sums.used).sum();
    let refunded: i64 = facts.concerts.values().map(|sums| sums.refunded).sum();
    let under_way: i64 = open(facts).map(at_stake).sum();
    let pairs = [("captured", facts.captured, "used", used), ("refunded", facts.refunded, "gave back", refunded)];
    let broken = pairs.into_iter().filter(|(_, paid, _, booked)| (paid - booked).abs() > under_way);
    broken.map(|(did, paid, has, booked)| format!("payments {did} {paid}, the ledger {has} {booked}")).collect()
}

pub(super) fn revenue_is_of_seats(facts: &Facts) -> Vec<String> {
    // By account: what its seats cost, and what was kept of those given back.
    let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for reservation in facts.reservations.values().filter(|found| ["CONFIRMED", "CANCELLING"].contains(&found.state)) {
        expected.entry(account(reservation.concert)).or_default().0 += reservation.total_amount;
    }
    for (_, saga) in facts.of_course(cancellation::KIND, Course::Completed) {
        let Some(reservation) = facts.reservation_of(saga) else { continue };
        expected.entry(account(reservation.concert)).or_default().1 += saga.fee.unwrap_or_default();
    }
    let mut under_way: BTreeMap<String, i64> = BTreeMap::new();
    for saga in open(facts) {
        let Some(reservation) = facts.reservation_of(saga) else { continue };
        *under_way.entry(account(reservation.concert)).or_default() += at_stake(saga);
    }
    let accounts = expected.keys().chain(facts.concerts.keys()).collect::<BTreeSet<_>>();
    let broken = accounts.into_iter().filter_map(|account| {
        let (has, kept) = facts.concerts.get(account).map_or((0, 0), |sums| (sums.revenue(), sums.fees));
        let (sold, fees) = expected.get(account).copied().unwrap_or_default();
        let excused = under_way.get(account).copied().unwrap_or_default();
        let fits = (has - sold).abs() <= excused && (kept - fees).abs() <= excused;
        (!fits).then(|| format!("{account} has {has} and kept {kept}; its seats cost {sold}, the fees come to {fees}"))
    });
    broken.collect()
}

fn account(concert: Uuid) -> String {
    format!("revenue/concerts/{concert}")
}

fn open(facts: &Facts) -> impl Iterator<Item = &SagaFact> {
    facts.sagas.values().filter(|saga| matches!(saga.course, Course::Open | Course::Completing))
}

/// What a saga may have moved at one place and not yet at another.
fn at_stake(saga: &SagaFact) -> i64 {
    saga.amount.unwrap_or_default() + saga.fee.unwrap_or_default()
}
