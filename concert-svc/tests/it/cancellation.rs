//! The steps of a cancellation saga, in and out of order.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use proto::concert::v1::ticket;
use service_kit::refusal::SagaOutcome;
use service_kit::wire::timestamp;
use tonic::Code;

use crate::world::{BEGIN, NOW_MS, World, concert, customer, fact, id, reason, refused, step};

const DAY_MS: i64 = 86_400_000;
const SAGA: u128 = 0xca5a;
const OTHER_SAGA: u128 = 0xc0de;

/// One whose performance starts in so many days, with sold for 2,000.
async fn sold_and_days_left(days: i64) -> (World, pb::Reservation) {
    let world = World::new().await;
    world.postpone(days - 1).await;
    let sold = world.buy(1, &["A-1", "A-2"]).await;
    (world, sold)
}

fn states(tickets: &[pb::Ticket]) -> Vec<ticket::State> {
    tickets.iter().map(pb::Ticket::state).collect()
}

#[tokio::test]
async fn a_cancelled_reservation_gives_its_seats_back_and_its_tickets_are_void() {
    let (world, sold) = sold_and_days_left(7).await;
    world.clock.advance(1);
    let begun = world.begin(SAGA, &sold).await.unwrap();
    assert_eq!((begun.saga.clone(), begun.amount), (format!("sagas/{}", id(SAGA)), 1_600));
    assert!(world.performance.starts_with(&begun.concert));
    let locked = begun.reservation.unwrap();
    assert_eq!((locked.state(), locked.lock_saga), (State::Cancelling, begun.saga.clone()));
    assert_eq!((locked.cancellation_fee, locked.payment), (400, sold.payment.clone()));
    // Nothing is anybody else's yet.
    assert_eq!(world.seats().await, "SS.......");
    assert_eq!(states(&world.tickets(&sold).await), [ticket::State::Issued; 2]);
    world.verify().await;

    world.clock.advance(1);
    let committed = world.commit(SAGA, &sold).await.unwrap();
    assert_eq!((committed.saga, committed.amount), (begun.saga, 1_600));
    let cancelled = committed.reservation.unwrap();
    assert_eq!((cancelled.state(), cancelled.lock_saga.as_str()), (State::Cancelled, ""));
    assert_eq!((cancelled.cancellation_fee, cancelled.cancel_time), (400, Some(timestamp(NOW_MS + 2))));
    assert_eq!(world.reservation(&sold).await, cancelled);
    assert_eq!(world.seats().await, ".........");
    assert_eq!(states(&world.tickets(&sold).await), [ticket::State::Voided; 2]);
    world.verify().await;

    // The seats are for sale, and do not count against their old customer.
    world.buy(2, &["A-1"]).await;
    world.hold(1, &["A-2", "A-3", "A-4", "A-5"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn every_step_answers_a_repeat_as_it_answered_the_first_time() {
    let (world, sold) = sold_and_days_left(3).await;
    let begun = world.begin(SAGA, &sold).await.unwrap();
    // By now it would cost more.
    world.clock.advance(1);
    assert_eq!(world.begin(SAGA, &sold).await.unwrap(), begun);
    let committed = world.commit(SAGA, &sold).await.unwrap();
    world.buy(2, &["A-1"]).await;
    world.clock.advance(1);
    assert_eq!(world.commit(SAGA, &sold).await.unwrap(), committed);
    assert_eq!(world.begin(SAGA, &sold).await.unwrap(), begun);
    assert_eq!(world.seats().await, "S........");
    world.verify().await;
}

#[tokio::test]
async fn an_aborted_cancellation_leaves_the_customer_what_he_had_and_he_may_try_again() {
    let (world, sold) = sold_and_days_left(1).await;
    world.begin(SAGA, &sold).await.unwrap();
    let aborted = world.abort(SAGA, &sold).await.unwrap();
    assert_eq!((aborted.saga, aborted.amount), (format!("sagas/{}", id(SAGA)), 1_400));
    let kept = aborted.reservation.unwrap();
    assert_eq!((kept.state(), kept.cancellation_fee, kept.lock_saga.as_str()), (State::Confirmed, 0, ""));
    assert_eq!(world.seats().await, "SS.......");
    assert_eq!(states(&world.tickets(&sold).await), [ticket::State::Issued; 2]);
    world.verify().await;

    let again = world.abort(SAGA, &sold).await.unwrap();
    assert_eq!((again.amount, again.reservation), (0, None));
    // The saga that has stopped is barred; the next one is not.
    assert_eq!(refused(&world.begin(SAGA, &sold).await), "SAGA_COMPENSATED");
    assert_eq!(refused(&world.commit(SAGA, &sold).await), "LOCK_LOST");
    world.begin(OTHER_SAGA, &sold).await.unwrap();
    world.commit(OTHER_SAGA, &sold).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn an_abort_that_comes_before_its_beginning_bars_it() {
    let (world, sold) = sold_and_days_left(7).await;
    let echo = world.abort(SAGA, &sold).await.unwrap();
    assert_eq!((echo.amount, echo.reservation), (0, None));
    assert_eq!(refused(&world.begin(SAGA, &sold).await), "SAGA_COMPENSATED");
    assert_eq!(refused(&world.commit(SAGA, &sold).await), "LOCK_LOST");
    assert_eq!(world.reservation(&sold).await, sold);
    world.verify().await;
}

#[tokio::test]
async fn an_abort_after_the_commit_is_refused_and_leaves_everything_cancelled() {
    let (world, sold) = sold_and_days_left(7).await;
    let begun = world.begin(SAGA, &sold).await.unwrap();
    world.commit(SAGA, &sold).await.unwrap();
    for _ in 0..2 {
        let answer = world.abort(SAGA, &sold).await;
        assert_eq!(refused(&answer), "CANCELLATION_COMMITTED");
        assert_eq!(fact(&answer, "state"), "CANCELLED");
    }
    // The step stays applied: that is how the saga goes forward.
    assert_eq!(world.begin(SAGA, &sold).await.unwrap(), begun);
    assert_eq!(world.state(&sold).await, State::Cancelled);
    world.verify().await;
}

#[tokio::test]
async fn a_commit_is_refused_to_a_saga_that_does_not_hold_the_lock() {
    let (world, sold) = sold_and_days_left(7).await;
    let early = world.commit(SAGA, &sold).await;
    assert_eq!((refused(&early), fact(&early, "state")), ("LOCK_LOST".into(), "CONFIRMED".into()));
    world.begin(OTHER_SAGA, &sold).await.unwrap();
    // Nor does it succeed later: a refusal is a reply.
    assert_eq!(refused(&world.commit(SAGA, &sold).await), "LOCK_LOST");
    assert_eq!(world.state(&sold).await, State::Cancelling);
    // Who aborts what he has not begun frees nobody's lock.
    assert_eq!(world.abort(SAGA, &sold).await.unwrap().reservation, None);
    assert_eq!(world.state(&sold).await, State::Cancelling);
    world.commit(OTHER_SAGA, &sold).await.unwrap();
}

#[tokio::test]
async fn a_beginning_is_refused_to_strangers_to_a_second_saga_and_of_what_is_not_confirmed() {
    let (world, sold) = sold_and_days_left(7).await;
    let stranger = pb::BeginReservationCancellationRequest { customer: customer(2), ..World::begin_request(3, &sold) };
    assert_eq!(refused(&world.begin_with(stranger).await), "NOT_OWNER");

    world.begin(SAGA, &sold).await.unwrap();
    let second = world.begin(OTHER_SAGA, &sold).await;
    assert_eq!(refused(&second), "RESERVATION_LOCKED");
    assert_eq!(fact(&second, "saga"), format!("sagas/{}", id(SAGA)));
    world.commit(SAGA, &sold).await.unwrap();
    // As it was refused once, it stays refused, also when there would be another reason.
    assert_eq!(refused(&world.begin(OTHER_SAGA, &sold).await), "RESERVATION_LOCKED");
    let again = world.begin(4, &sold).await;
    assert_eq!((refused(&again), fact(&again, "state")), ("RESERVATION_NOT_CONFIRMED".into(), "CANCELLED".into()));

    let held = world.hold(5, &["A-3"]).await.unwrap();
    assert_eq!(refused(&world.begin(5, &held).await), "RESERVATION_NOT_CONFIRMED");
    world.lock(6, &held).await.unwrap();
    assert_eq!(refused(&world.begin(7, &held).await), "RESERVATION_LOCKED");
    let unknown = pb::Reservation { name: format!("reservations/{}", id(6)), ..held };
    assert_eq!(refused(&world.begin(8, &unknown).await), "RESERVATION_NOT_FOUND");
    world.verify().await;
}

#[tokio::test]
async fn while_one_is_being_cancelled_nobody_else_gets_at_it() {
    let (world, sold) = sold_and_days_left(7).await;
    world.begin(SAGA, &sold).await.unwrap();
    assert_eq!(refused(&world.lock(OTHER_SAGA, &sold).await), "RESERVATION_LOCKED");
    assert_eq!(reason(&world.release(1, &sold).await), "RESERVATION_LOCKED");
    assert_eq!(reason(&world.hold(2, &["A-1"]).await), "SEAT_TAKEN");
    // The checkout that is over: its compensation still finds that it has won.
    let unlock = world.unlock(1, &sold).await;
    assert_eq!((refused(&unlock), fact(&unlock, "state")), ("RESERVATION_CONFIRMED".into(), "CANCELLING".into()));
    world.clock.advance(30 * DAY_MS);
    world.sweep().await;
    assert_eq!(world.state(&sold).await, State::Cancelling);
    world.verify().await;
}

#[tokio::test]
async fn a_customer_may_cancel_until_a_day_before_and_an_operator_ever() {
    let (world, sold) = sold_and_days_left(1).await;
    world.clock.advance(1);
    let late = world.begin(SAGA, &sold).await;
    assert_eq!(refused(&late), "CANCELLATION_CLOSED");
    assert_eq!(fact(&late, "close_time"), timestamp(NOW_MS).to_string());
    let waived = pb::BeginReservationCancellationRequest { waive_fee: true, ..World::begin_request(2, &sold) };
    assert_eq!(refused(&world.begin_with(waived.clone()).await), "CANCELLATION_CLOSED");

    let operator =
        pb::BeginReservationCancellationRequest { customer: String::new(), ..World::begin_request(3, &sold) };
    assert_eq!(world.begin_with(operator).await.unwrap().amount, 1_400);
    world.abort(3, &sold).await.unwrap();
    let generous = pb::BeginReservationCancellationRequest {
        customer: String::new(),
        waive_fee: true,
        ..World::begin_request(4, &sold)
    };
    assert_eq!(world.begin_with(generous).await.unwrap().amount, 2_000);
    world.verify().await;
}

#[tokio::test]
async fn when_the_performance_is_off_the_whole_total_is_given_back_however_late() {
    let (world, sold) = sold_and_days_left(1).await;
    world.clock.advance(2 * DAY_MS);
    world.run("update concert_performances set state = 2").await;
    let begun = world.begin(SAGA, &sold).await.unwrap();
    assert_eq!((begun.amount, begun.reservation.unwrap().cancellation_fee), (2_000, 0));
    world.commit(SAGA, &sold).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_reservation_that_was_free_is_cancelled_for_nothing() {
    let world = World::new().await;
    let sold = world.buy(1, &["F-1"]).await;
    let begun = world.begin(SAGA, &sold).await.unwrap();
    assert_eq!((begun.amount, begun.reservation.unwrap().payment.as_str()), (0, ""));
    assert_eq!(world.commit(SAGA, &sold).await.unwrap().amount, 0);
    assert_eq!(world.seats().await, ".........");
    world.verify().await;
}

fn terms(terms: &[(i32, i32)]) -> pb::Concert {
    let term = |(days_before, fee_percent): &(i32, i32)| pb::CancellationTerm {
        days_before: *days_before,
        fee_percent: *fee_percent,
    };
    let cancellation_terms = terms.iter().map(term).collect();
    pb::Concert { booking_policy: Some(pb::BookingPolicy { cancellation_terms, ..Default::default() }), ..concert() }
}

#[tokio::test]
async fn the_concert_says_what_a_cancellation_costs_and_a_reservation_keeps_what_it_said() {
    let mut world = World::with(terms(&[(0, 55), (2, 5)])).await;
    let name = world.performance.split("/performances").next().unwrap().to_owned();
    let found = world.concerts.get_concert(pb::GetConcertRequest { name }).await.unwrap().into_inner();
    assert_eq!(
        found.booking_policy,
        terms(&[(2, 5), (0, 55)]).booking_policy.map(|policy| {
            let told = found.booking_policy.clone().unwrap();
            pb::BookingPolicy { cancellation_terms: policy.cancellation_terms, ..told }
        })
    );
    let sold = world.buy(1, &["A-1"]).await;
    world.run("update concert_concerts set cancellation_terms = '[[5,100]]'").await;
    world.clock.advance(DAY_MS);
    assert_eq!(world.begin(SAGA, &sold).await.unwrap().amount, 450);
    world.abort(SAGA, &sold).await.unwrap();
    world.clock.advance(1);
    let late = world.begin(OTHER_SAGA, &sold).await;
    assert_eq!(
        (refused(&late), fact(&late, "close_time")),
        ("CANCELLATION_CLOSED".into(), timestamp(NOW_MS + DAY_MS).to_string())
    );
}

#[tokio::test]
async fn a_concert_that_says_nothing_has_the_default_table() {
    let mut world = World::new().await;
    let name = world.performance.split("/performances").next().unwrap().to_owned();
    let found = world.concerts.get_concert(pb::GetConcertRequest { name }).await.unwrap().into_inner();
    let told = found.booking_policy.unwrap().cancellation_terms;
    let expected = terms(&[(10, 0), (7, 10), (3, 20), (1, 30)]).booking_policy.unwrap();
    assert_eq!(told, expected.cancellation_terms);
}

#[tokio::test]
async fn a_table_that_makes_no_sense_is_refused_by_its_field() {
    let mut world = World::new().await;
    let many: Vec<_> = (0..21).map(|days| (days, 0)).collect();
    for (wrong, field) in [
        (&[(1, 101)][..], "[0].fee_percent"),
        (&[(1, 0), (0, -1)], "[1].fee_percent"),
        (&[(-1, 0)], "[0].days_before"),
        (&[(3_651, 0)], "[0].days_before"),
        (&[(3, 0), (1, 10), (3, 20)], "[2].days_before"),
        (&many, ""),
    ] {
        let request = pb::CreateConcertRequest { concert: Some(terms(wrong)), ..Default::default() };
        let answer = world.concerts.create_concert(request).await;
        assert_eq!(fact(&answer, "field"), format!("concert.booking_policy.cancellation_terms{field}"));
        assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_malformed_step_says_which_field_and_decides_nothing() {
    let (mut world, sold) = sold_and_days_left(7).await;
    let right = World::begin_request(SAGA, &sold);
    let wrong = [
        ("name", pb::BeginReservationCancellationRequest { name: "x".into(), ..right.clone() }),
        ("saga", pb::BeginReservationCancellationRequest { saga: "x".into(), ..right.clone() }),
        ("customer", pb::BeginReservationCancellationRequest { customer: "x".into(), ..right.clone() }),
        ("request_id", pb::BeginReservationCancellationRequest { request_id: String::new(), ..right.clone() }),
    ];
    for (field, request) in wrong {
        let answer = world.reservations.begin_reservation_cancellation(step(BEGIN, request)).await;
        assert_eq!(fact(&answer, "field"), field);
        let status = answer.unwrap_err();
        assert_eq!((status.code(), SagaOutcome::of(&status)), (Code::InvalidArgument, None));
    }
    world.begin_with(right.clone()).await.unwrap();
    let other = world.begin_with(pb::BeginReservationCancellationRequest { waive_fee: true, ..right }).await;
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    assert_eq!(world.reservation(&sold).await.cancellation_fee, 200);
}
