//! Rules that span services. Each takes the facts and says what contradicts it; a saga that has not ended excuses what it may
//! be in the middle of, and nothing else. Those of cancellations and point charges are in `returns.rs`; those that hold the
//! journal's history against the participants in `steps.rs` and `course.rs`.

use std::collections::BTreeMap;

use customer_svc::verify::ReservationState as Points;
use orchestrator::plans::{cancellation, checkout};
use orchestrator::verify::{Course, SagaFact};
use payment_svc::verify::State as Paid;

use super::Rule;
use super::facts::Facts;

mod course;
mod notices;
mod passes;
mod returns;
mod steps;
mod tokens;
mod told;
mod totals;

type Judge = fn(&Facts) -> Vec<String>;

/// The rules, in the order of the report.
const RULES: &[(&str, &str, Judge)] = &[
    ("S6b", "a reservation is locked exactly while an open saga has locked it", locks_are_of_open_sagas),
    (
        "Q5",
        "no reservation of a concert behind a waiting room without a pass of that customer",
        passes::opened_the_sale,
    ),
    ("Y3", "checkout, reservation, points and payment speak of the same amount", amounts_agree),
    (
        "Y4",
        "what payments captured and refunded in points is what the ledger booked, but for what is under way",
        totals::payments_are_booked,
    ),
    (
        "Y5",
        "revenue of a concert is what its confirmed reservations cost, and it kept the fees of the cancelled",
        totals::revenue_is_of_seats,
    ),
    ("F1", "over all ended sagas, what was taken, moved and given back is what they were about", totals::add_up),
    ("X1", "COMPLETED: reservation confirmed, points and payment captured", completed_is_whole),
    ("X2", "FAILED: nothing of it is left", failed_left_nothing),
    ("X3", "every confirmed reservation belongs to exactly one checkout past its pivot", confirmed_is_bought),
    ("X4", "at most one open saga has locked a reservation", one_lock_a_reservation),
    (
        "X1c",
        "a completed cancellation or charge is whole: reservation, refund or payment, and points",
        returns::completed_is_whole,
    ),
    ("X2c", "of a failed cancellation or charge nothing is left", returns::failed_left_nothing),
    (
        "X3c",
        "every cancelled reservation belongs to exactly one cancellation past its pivot",
        returns::cancelled_is_returned,
    ),
    ("X5", "no saga stays open for a minute, or at rest, unless it waits for a person", none_stays_open),
    ("X6", "only checkouts past their pivot are told of, each once a channel", notices::tell_of_what_is_bought),
    ("X7", "no effect belongs to a saga that nobody knows", no_orphans),
    ("X9", "a purchase, and nothing else, has ended the place in line that it came from", tokens::end_with_purchases),
    ("W1", "no participant did anything that the journal had not intended before", steps::were_intended),
    ("W2", "the journal and the participants agree on what became of every step", steps::agree),
    ("J5", "every saga's row agrees with itself", rows_agree),
    ("J6", "a saga's row ends as its history does, and nothing follows the end", course::ends_once),
    ("J7", "a saga that turned back sends nothing forward, and takes back in reverse order", course::turns_once),
    ("J8", "the row of a saga has as many attempts as its history", course::counts_attempts),
    ("D4", "at rest, every event has reached everybody who wants it", told::everybody),
];

/// How long a saga may take whose participants are up.
const LONG_MS: i64 = 60_000;

/// Judges all of them.
pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    RULES.iter().map(|(id, text, judge)| Rule { id, text, findings: judge(facts) }).collect()
}

fn locks_are_of_open_sagas(facts: &Facts) -> Vec<String> {
    let broken = facts.reservations.values().filter(|reservation| {
        let locker = match reservation.state {
            "CONFIRMING" => facts.find(checkout::KIND, reservation.saga),
            "CANCELLING" => facts.find(cancellation::KIND, reservation.saga),
            _ => return false,
        };
        locker.is_none_or(|saga| saga.course != Course::Open)
    });
    broken.map(|reservation| format!("reservations/{} is locked by {:?}", reservation.id, reservation.saga)).collect()
}

fn amounts_agree(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, saga) in &facts.sagas {
        let Some(amount) = saga.amount else { continue };
        let is_checkout = saga.kind == checkout::KIND;
        let reservation = facts.reservation_of(saga).filter(|_| is_checkout);
        let others = [
            ("reservation", reservation.map(|reservation| reservation.total_amount)),
            ("points", facts.points.get(id).map(|points| points.amount)),
            ("payment", facts.payments.get(id).map(|payment| payment.authorized_amount)),
            ("refund", facts.refunds.get(id).map(|refund| refund.amount)),
            ("credit", facts.credits.get(id).map(|credited| credited.amount)),
        ];
        for (what, other) in others {
            if let Some(other) = other.filter(|other| *other != amount) {
                broken.push(format!("sagas/{id} ({}) is about {amount}, its {what} about {other}", saga.kind));
            }
        }
    }
    broken
}

fn completed_is_whole(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, saga) in facts.of_course(checkout::KIND, Course::Completed) {
        let reservation = facts.reservation_of(saga);
        // Later it may have been cancelled, or be about to be.
        let is_bought = reservation.is_some_and(|reservation| match reservation.state {
            "CONFIRMED" | "CANCELLED" => reservation.saga == Some(*id),
            "CANCELLING" => facts.find(cancellation::KIND, reservation.saga).is_some(),
            _ => false,
        });
        if !is_bought {
            broken.push(format!("checkouts/{id}: its reservation is {:?}", reservation.map(|found| found.state)));
        }
        if saga.amount == Some(0) {
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
    for (id, saga) in facts.of_course(checkout::KIND, Course::Compensated) {
        let points = facts.points.get(id).map(|points| points.state).filter(|state| *state != Points::Released);
        let payment = facts.payments.get(id).map(|payment| payment.state).filter(|state| *state != Paid::Cancelled);
        let reservation = facts.reservation_of(saga).filter(|reservation| reservation.saga == Some(*id));
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
    let bought = facts.reservations.values().filter(|found| ["CONFIRMED", "CANCELLED"].contains(&found.state));
    let broken = bought.filter(|reservation| {
        let Some(checkout) = facts.find(checkout::KIND, reservation.saga) else {
            return !reservation.saga.is_some_and(|saga| facts.may_be_forgotten(saga));
        };
        match checkout.course {
            Course::Completed | Course::Completing => false,
            Course::Open => !checkout.pivot_in_doubt,
            Course::Compensated => true,
        }
    });
    broken
        .map(|reservation| format!("reservations/{} was confirmed by {:?}", reservation.id, reservation.saga))
        .collect()
}

fn one_lock_a_reservation(facts: &Facts) -> Vec<String> {
    let mut lockers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let open = facts.sagas.values().filter(|saga| saga.course == Course::Open && saga.has_begun);
    for saga in open.filter(|saga| !saga.reference.is_empty()) {
        lockers.entry(&saga.reference).or_default().push(saga.id.to_string());
    }
    let broken = lockers.into_iter().filter(|(_, sagas)| sagas.len() > 1);
    broken.map(|(reservation, sagas)| format!("{reservation} is locked by {}", sagas.join(", "))).collect()
}

fn none_stays_open(facts: &Facts) -> Vec<String> {
    let open = facts.sagas.values().filter(|saga| matches!(saga.course, Course::Open | Course::Completing));
    let is_long = |saga: &&SagaFact| facts.is_at_rest || facts.now_ms - saga.create_time > LONG_MS;
    let long = open.filter(|saga| !saga.is_suspended).filter(is_long);
    long.map(|saga| format!("sagas/{} ({}) is open since {} ms", saga.id, saga.kind, saga.create_time)).collect()
}

fn no_orphans(facts: &Facts) -> Vec<String> {
    let points = facts.points.keys().map(|saga| ("points", *saga));
    let payments = facts.payments.keys().map(|saga| ("payment", *saga));
    let refunds = facts.refunds.keys().map(|saga| ("refund", *saga));
    let credits = facts.credits.keys().map(|saga| ("credit", *saga));
    let reservations = facts.reservations.values().filter_map(|reservation| Some(("reservation", reservation.saga?)));
    let tokens = facts.tokens.keys().map(|saga| ("token", *saga));
    let kept = facts.operations.keys().map(|saga| ("step", *saga));
    let effects = points.chain(payments).chain(refunds).chain(credits).chain(reservations).chain(tokens).chain(kept);
    let orphans = effects.filter(|(_, saga)| !facts.sagas.contains_key(saga) && !facts.may_be_forgotten(*saga));
    orphans.map(|(what, saga)| format!("{what} of sagas/{saga}, which is not in the journal")).collect()
}

fn rows_agree(facts: &Facts) -> Vec<String> {
    let broken = facts.sagas.values().filter_map(|saga| Some((saga.id, saga.broken.as_ref()?)));
    broken.map(|(id, problem)| format!("sagas/{id}: {problem}")).collect()
}
