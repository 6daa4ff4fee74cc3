//! Rules that span services. Each takes the facts and says what contradicts it; a checkout that has not ended excuses
//! what it may be in the middle of, and nothing else.

use std::collections::BTreeMap;

use customer_svc::verify::ReservationState as Points;
use orchestrator::verify::{CheckoutFact, Course};
use payment_svc::verify::State as Paid;

use super::Rule;
use super::facts::Facts;

type Judge = fn(&Facts) -> Vec<String>;

/// The rules, in the order of the report.
const RULES: &[(&str, &str, Judge)] = &[
    ("S6b", "a reservation is locked exactly while an open saga has locked it", locks_are_of_open_sagas),
    ("Y3", "checkout, reservation, points and payment speak of the same amount", amounts_agree),
    ("Y4", "what payments captured in points is what the ledger booked as used", captures_are_booked),
    ("Y5", "revenue of a concert is what its confirmed reservations cost", revenue_is_of_seats),
    ("X1", "COMPLETED: reservation confirmed, points and payment captured", completed_is_whole),
    ("X2", "FAILED: nothing of it is left", failed_left_nothing),
    ("X3", "every confirmed reservation belongs to exactly one checkout past its pivot", confirmed_is_bought),
    ("X4", "at most one open checkout has locked a reservation", one_lock_a_reservation),
    ("X7", "no effect belongs to a saga that nobody knows", no_orphans),
    ("J4", "every saga's row agrees with itself", rows_agree),
];

/// Judges all of them.
pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    RULES.iter().map(|(id, text, judge)| Rule { id, text, findings: judge(facts) }).collect()
}

fn locks_are_of_open_sagas(facts: &Facts) -> Vec<String> {
    let locked = facts.reservations.values().filter(|reservation| reservation.state == "CONFIRMING");
    let broken = locked.filter(|reservation| {
        let checkout = reservation.saga.and_then(|saga| facts.checkouts.get(&saga));
        !checkout.is_some_and(|checkout| checkout.course == Course::Open)
    });
    broken.map(|reservation| format!("reservations/{} is locked by {:?}", reservation.id, reservation.saga)).collect()
}

fn amounts_agree(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, checkout) in &facts.checkouts {
        let Some(amount) = checkout.amount else { continue };
        let reservation = facts.reservation_of(checkout).map(|reservation| reservation.total_amount);
        let points = facts.points.get(id).map(|points| points.amount);
        let payment = facts.payments.get(id).map(|payment| payment.authorized_amount);
        for (what, other) in [("reservation", reservation), ("points", points), ("payment", payment)] {
            if let Some(other) = other.filter(|other| *other != amount) {
                broken.push(format!("checkouts/{id} is about {amount}, its {what} about {other}"));
            }
        }
    }
    broken
}

fn captures_are_booked(facts: &Facts) -> Vec<String> {
    let used: i64 = facts.revenue.values().sum();
    if facts.open() > 0 || used == facts.captured {
        return Vec::new();
    }
    vec![format!("payments captured {}, the ledger used {used}", facts.captured)]
}

fn revenue_is_of_seats(facts: &Facts) -> Vec<String> {
    if facts.open() > 0 {
        return Vec::new();
    }
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for reservation in facts.reservations.values().filter(|reservation| reservation.state == "CONFIRMED") {
        *expected.entry(format!("revenue/concerts/{}", reservation.concert)).or_default() += reservation.total_amount;
    }
    expected.retain(|_, amount| *amount != 0);
    let accounts = expected.keys().chain(facts.revenue.keys()).collect::<std::collections::BTreeSet<_>>();
    let booked = |account: &String| facts.revenue.get(account).copied().unwrap_or_default();
    let sold = |account: &String| expected.get(account).copied().unwrap_or_default();
    let broken = accounts.into_iter().filter(|account| booked(account) != sold(account));
    broken.map(|account| format!("{account} has {}, its seats cost {}", booked(account), sold(account))).collect()
}

fn completed_is_whole(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, checkout) in of_course(facts, Course::Completed) {
        let reservation = facts.reservation_of(checkout);
        if !reservation.is_some_and(|reservation| reservation.state == "CONFIRMED" && reservation.saga == Some(*id)) {
            broken.push(format!("checkouts/{id}: its reservation is {:?}", reservation.map(|found| found.state)));
        }
        if checkout.amount == Some(0) {
            continue;
        }
        let points = facts.points.get(id).map(|points| points.state);
        let payment = facts.payments.get(id).map(|payment| payment.state);
        if points != Some(Points::Captured) || payment != Some(Paid::Captured) {
            broken.push(format!("checkouts/{id}: points {points:?}, payment {payment:?}"));
        }
    }
    broken
}

fn failed_left_nothing(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, checkout) in of_course(facts, Course::Compensated) {
        let points = facts.points.get(id).map(|points| points.state).filter(|state| *state != Points::Released);
        let payment = facts.payments.get(id).map(|payment| payment.state).filter(|state| *state != Paid::Cancelled);
        let reservation = facts.reservation_of(checkout).filter(|reservation| reservation.saga == Some(*id));
        let token = facts.tokens.get(id).map(|token| token.token);
        if points.is_some() || payment.is_some() || reservation.is_some() || token.is_some() {
            let reservation = reservation.map(|reservation| reservation.state);
            broken.push(format!(
                "checkouts/{id} left points {points:?}, payment {payment:?}, reservation {reservation:?}, token {token:?}"
            ));
        }
    }
    broken
}

fn confirmed_is_bought(facts: &Facts) -> Vec<String> {
    let confirmed = facts.reservations.values().filter(|reservation| reservation.state == "CONFIRMED");
    let broken = confirmed.filter(|reservation| {
        let checkout = reservation.saga.and_then(|saga| facts.checkouts.get(&saga));
        !checkout.is_some_and(|checkout| match checkout.course {
            Course::Completed | Course::Completing => true,
            Course::Open => checkout.pivot_in_doubt,
            Course::Compensated => false,
        })
    });
    broken
        .map(|reservation| format!("reservations/{} is confirmed by {:?}", reservation.id, reservation.saga))
        .collect()
}

fn one_lock_a_reservation(facts: &Facts) -> Vec<String> {
    let mut lockers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, checkout) in of_course(facts, Course::Open).filter(|(_, checkout)| checkout.has_locked) {
        lockers.entry(&checkout.reservation).or_default().push(id.to_string());
    }
    let broken = lockers.into_iter().filter(|(_, sagas)| sagas.len() > 1);
    broken.map(|(reservation, sagas)| format!("{reservation} is locked by {}", sagas.join(", "))).collect()
}

fn no_orphans(facts: &Facts) -> Vec<String> {
    let points = facts.points.keys().map(|saga| ("points", *saga));
    let payments = facts.payments.keys().map(|saga| ("payment", *saga));
    let reservations = facts.reservations.values().filter_map(|reservation| Some(("reservation", reservation.saga?)));
    let tokens = facts.tokens.keys().map(|saga| ("token", *saga));
    let effects = points.chain(payments).chain(reservations).chain(tokens);
    let orphans = effects.filter(|(_, saga)| !facts.checkouts.contains_key(saga));
    orphans.map(|(what, saga)| format!("{what} of sagas/{saga}, which is not in the journal")).collect()
}

fn rows_agree(facts: &Facts) -> Vec<String> {
    let broken = facts.checkouts.values().filter_map(|checkout| Some((checkout.id, checkout.broken.as_ref()?)));
    broken.map(|(id, problem)| format!("sagas/{id}: {problem}")).collect()
}

fn of_course(facts: &Facts, course: Course) -> impl Iterator<Item = (&uuid::Uuid, &CheckoutFact)> {
    facts.checkouts.iter().filter(move |(_, checkout)| checkout.course == course)
}
