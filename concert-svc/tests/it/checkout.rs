//! The steps of a checkout saga, in and out of order.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use service_kit::db::Tx;
use service_kit::refusal::SagaOutcome;
use service_kit::wire::{duration, timestamp};
use tonic::{Code, Request};

use crate::world::{LOCK, NOW_MS, World, concert, customer, fact, id, reason, refused, step};

const TTL: i64 = 300_000;
const SAGA: u128 = 0x5a6a;
const OTHER_SAGA: u128 = 0x07e4;
const PAYMENT: Option<u128> = Some(0xba1d);

#[tokio::test]
async fn a_locked_and_confirmed_reservation_has_its_tickets() {
    let mut world = World::new().await;
    let held = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    let locked = world.lock(SAGA, &held).await.unwrap();
    assert_eq!((locked.amount, locked.saga.clone()), (2_000, format!("sagas/{}", id(SAGA))));
    assert_eq!(locked.seat_labels, ["Floor A 1", "Floor A 2"]);
    assert_eq!((locked.concert_title.as_str(), locked.artist.as_str()), ("Winter", "Seo"));
    assert_eq!(locked.reservation.as_ref().unwrap().lock_saga, locked.saga);
    assert!(world.performance.starts_with(&locked.concert));
    world.verify().await;

    let confirmed = world.confirm(SAGA, &held, PAYMENT).await.unwrap();
    assert_eq!(confirmed.amount, 2_000);
    let reservation = confirmed.reservation.unwrap();
    assert_eq!(reservation.state(), State::Confirmed);
    assert_eq!(reservation.payment, format!("payments/{}", id(PAYMENT.unwrap())));
    assert_eq!((reservation.lock_saga.as_str(), reservation.expire_time), ("", None));
    assert_eq!(world.seats().await, "SS.......");
    let list = pb::ListTicketsRequest { parent: held.name, ..Default::default() };
    let listed = world.reservations.list_tickets(list).await.unwrap().into_inner();
    assert_eq!(listed.tickets, confirmed.tickets);
    assert_eq!(listed.tickets.len(), 2);
    assert_eq!(listed.tickets[1].seat_label, "Floor A 2");
    world.verify().await;
}

#[tokio::test]
async fn every_step_answers_a_repeat_as_it_answered_the_first_time() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let locked = world.lock(SAGA, &held).await.unwrap();
    assert_eq!(world.lock(SAGA, &held).await.unwrap(), locked);
    let confirmed = world.confirm(SAGA, &held, PAYMENT).await.unwrap();
    world.clock.advance(1);
    assert_eq!(world.confirm(SAGA, &held, PAYMENT).await.unwrap(), confirmed);
    assert_eq!(world.lock(SAGA, &held).await.unwrap(), locked);

    let free = world.hold(2, &["A-2"]).await.unwrap();
    world.lock(OTHER_SAGA, &free).await.unwrap();
    let unlocked = world.unlock(OTHER_SAGA, &free).await.unwrap();
    assert_eq!((unlocked.amount, unlocked.reservation.unwrap().state()), (1_000, State::Held));
    assert_eq!(world.unlock(OTHER_SAGA, &free).await.unwrap().reservation, None);
    assert_eq!(world.state(&free).await, State::Held);
    world.verify().await;
}

#[tokio::test]
async fn a_hold_can_be_locked_until_just_before_it_lapses_and_then_has_no_clock() {
    let world = World::new().await;
    let (held, late) = (world.hold(1, &["A-1"]).await.unwrap(), world.hold(2, &["A-2"]).await.unwrap());
    world.clock.advance(TTL - 1);
    world.lock(SAGA, &held).await.unwrap();
    world.clock.advance(1);
    let answer = world.lock(OTHER_SAGA, &late).await;
    assert_eq!(refused(&answer), "HOLD_EXPIRED");
    assert_eq!(fact(&answer, "expire_time"), timestamp(NOW_MS + TTL).to_string());

    world.clock.advance(10 * TTL);
    assert_eq!(reason(&world.hold(3, &["A-1"]).await), "SEAT_TAKEN");
    world.sweep().await;
    world.confirm(SAGA, &held, PAYMENT).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_lock_of_a_hold_that_another_buyer_took_over_is_refused_for_good() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.clock.advance(TTL);
    world.hold(2, &["A-2"]).await.unwrap();
    assert_eq!(refused(&world.lock(SAGA, &held).await), "HOLD_EXPIRED");
    world.clock.advance(-TTL);
    assert_eq!(refused(&world.lock(SAGA, &held).await), "HOLD_EXPIRED");
    assert_eq!(world.seats().await, ".h.......");
}

#[tokio::test]
async fn a_lock_is_refused_to_strangers_to_a_second_saga_and_at_another_amount() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let stranger = pb::LockReservationRequest { customer: customer(2), ..World::lock_request(SAGA, &held) };
    assert_eq!(refused(&world.lock_with(stranger).await), "NOT_OWNER");

    let mut dear = World::lock_request(OTHER_SAGA, &held);
    dear.expected_total_amount = Some(999);
    let answer = world.lock_with(dear).await;
    assert_eq!(refused(&answer), "AMOUNT_CHANGED");
    assert_eq!([fact(&answer, "expected"), fact(&answer, "actual")], ["999", "1000"]);

    let mut right = World::lock_request(3, &held);
    right.expected_total_amount = Some(1_000);
    world.lock_with(right).await.unwrap();
    let answer = world.lock(4, &held).await;
    assert_eq!(refused(&answer), "RESERVATION_LOCKED");
    assert_eq!(fact(&answer, "saga"), format!("sagas/{}", id(3)));

    world.confirm(3, &held, PAYMENT).await.unwrap();
    let answer = world.lock(5, &held).await;
    assert_eq!(refused(&answer), "RESERVATION_NOT_HELD");
    assert_eq!(fact(&answer, "state"), "CONFIRMED");

    let unknown = pb::Reservation { name: format!("reservations/{}", id(6)), ..held };
    assert_eq!(refused(&world.lock(6, &unknown).await), "RESERVATION_NOT_FOUND");
    world.verify().await;
}

#[tokio::test]
async fn an_unlocked_hold_keeps_what_it_had_and_at_least_the_grace() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.lock(SAGA, &held).await.unwrap();
    let unlocked = world.unlock(SAGA, &held).await.unwrap().reservation.unwrap();
    assert_eq!(unlocked.expire_time, Some(timestamp(NOW_MS + TTL)));

    world.clock.advance(TTL - 1);
    world.lock(OTHER_SAGA, &held).await.unwrap();
    world.clock.advance(100_000);
    let unlocked = world.unlock(OTHER_SAGA, &held).await.unwrap().reservation.unwrap();
    let grace_end = NOW_MS + TTL - 1 + 100_000 + 60_000;
    assert_eq!(unlocked.expire_time, Some(timestamp(grace_end)));
    world.verify().await;

    world.clock.advance(59_999);
    assert_eq!(reason(&world.hold(2, &["A-1"]).await), "SEAT_TAKEN");
    world.clock.advance(1);
    world.hold(2, &["A-1"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn no_number_of_unlocks_makes_a_hold_outlive_its_lifetime() {
    let policy = pb::BookingPolicy { max_hold_lifetime: Some(duration(310_000)), ..Default::default() };
    let world = World::with(pb::Concert { booking_policy: Some(policy), ..concert() }).await;
    let held = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.clock.advance(299_000);
    world.lock(SAGA, &held).await.unwrap();
    let unlocked = world.unlock(SAGA, &held).await.unwrap().reservation.unwrap();
    assert_eq!(unlocked.expire_time, Some(timestamp(NOW_MS + 310_000)));

    world.lock(OTHER_SAGA, &held).await.unwrap();
    world.clock.advance(11_000);
    let unlocked = world.unlock(OTHER_SAGA, &held).await.unwrap().reservation.unwrap();
    assert_eq!(unlocked.state(), State::Expired);
    assert_eq!(world.seats().await, ".........");
    world.verify().await;
}

#[tokio::test]
async fn a_confirmation_that_comes_after_the_unlock_has_lost_the_lock() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.lock(SAGA, &held).await.unwrap();
    world.unlock(SAGA, &held).await.unwrap();
    let late = world.confirm(SAGA, &held, PAYMENT).await;
    assert_eq!(refused(&late), "LOCK_LOST");
    assert_eq!(fact(&late, "state"), "HELD");

    // Nor does it succeed when another saga has the lock.
    world.lock(OTHER_SAGA, &held).await.unwrap();
    assert_eq!(refused(&world.confirm(SAGA, &held, PAYMENT).await), "LOCK_LOST");
    world.confirm(OTHER_SAGA, &held, PAYMENT).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_saga_without_the_lock_cannot_confirm() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.lock(SAGA, &held).await.unwrap();
    assert_eq!(refused(&world.confirm(OTHER_SAGA, &held, PAYMENT).await), "LOCK_LOST");
    assert_eq!(world.state(&held).await, State::Confirming);
}

#[tokio::test]
async fn an_unlock_after_the_confirmation_is_refused_and_leaves_everything_confirmed() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let locked = world.lock(SAGA, &held).await.unwrap();
    world.confirm(SAGA, &held, PAYMENT).await.unwrap();
    for _ in 0..2 {
        let answer = world.unlock(SAGA, &held).await;
        assert_eq!(refused(&answer), "RESERVATION_CONFIRMED");
        assert_eq!(fact(&answer, "state"), "CONFIRMED");
    }
    assert_eq!(world.lock(SAGA, &held).await.unwrap(), locked);
    assert_eq!(world.state(&held).await, State::Confirmed);
    assert_eq!(world.seats().await, "S........");
    world.verify().await;
}

#[tokio::test]
async fn an_unlock_that_comes_before_its_lock_bars_it() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let echo = world.unlock(SAGA, &held).await.unwrap();
    assert_eq!((echo.saga, echo.amount), (format!("sagas/{}", id(SAGA)), 0));
    assert_eq!(echo.reservation, None);
    assert_eq!(refused(&world.lock(SAGA, &held).await), "SAGA_COMPENSATED");
    assert_eq!(refused(&world.confirm(SAGA, &held, PAYMENT).await), "LOCK_LOST");
    assert_eq!(world.state(&held).await, State::Held);
    world.lock(OTHER_SAGA, &held).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn an_unlock_of_a_refused_lock_frees_nobody_elses_lock() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.lock(SAGA, &held).await.unwrap();
    assert_eq!(refused(&world.lock(OTHER_SAGA, &held).await), "RESERVATION_LOCKED");
    assert_eq!(world.unlock(OTHER_SAGA, &held).await.unwrap().reservation, None);
    assert_eq!(world.state(&held).await, State::Confirming);
    world.confirm(SAGA, &held, PAYMENT).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_performance_is_neither_locked_nor_confirmed() {
    let world = World::new().await;
    let (first, second) = (world.hold(1, &["A-1"]).await.unwrap(), world.hold(2, &["A-2"]).await.unwrap());
    world.lock(SAGA, &first).await.unwrap();
    world.run("update concert_performances set state = 2").await;
    assert_eq!(refused(&world.confirm(SAGA, &first, PAYMENT).await), "PERFORMANCE_CANCELLED");
    assert_eq!(refused(&world.lock(OTHER_SAGA, &second).await), "PERFORMANCE_CANCELLED");
    world.unlock(SAGA, &first).await.unwrap();
    assert_eq!(world.state(&first).await, State::Expired);
    world.verify().await;
}

#[tokio::test]
async fn a_suspended_concert_still_sells_what_is_held() {
    let mut world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let name = world.performance.split("/performances").next().unwrap().to_owned();
    let suspend = pb::SuspendConcertRequest { name, etag: String::new() };
    world.concerts.suspend_concert(suspend).await.unwrap();
    world.lock(SAGA, &held).await.unwrap();
    world.confirm(SAGA, &held, PAYMENT).await.unwrap();
}

#[tokio::test]
async fn only_a_free_reservation_is_confirmed_without_a_payment() {
    let world = World::new().await;
    let dear = world.hold(1, &["A-1"]).await.unwrap();
    world.lock(SAGA, &dear).await.unwrap();
    let answer = world.confirm(SAGA, &dear, None).await;
    assert_eq!((reason(&answer), fact(&answer, "field")), ("FIELD_INVALID".into(), "payment".into()));
    assert_eq!(SagaOutcome::of(answer.as_ref().unwrap_err()), None);
    world.confirm(SAGA, &dear, PAYMENT).await.unwrap();

    let free = world.hold(2, &["F-1"]).await.unwrap();
    assert_eq!(world.lock(OTHER_SAGA, &free).await.unwrap().amount, 0);
    let confirmed = world.confirm(OTHER_SAGA, &free, None).await.unwrap();
    assert_eq!(confirmed.reservation.unwrap().payment, "");
    assert_eq!(confirmed.tickets.len(), 1);
    world.verify().await;
}

#[tokio::test]
async fn a_step_without_its_metadata_or_with_a_wrong_field_changes_nothing() {
    let mut world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let right = World::lock_request(SAGA, &held);
    let bare = world.reservations.lock_reservation(Request::new(right.clone())).await;
    assert_eq!(fact(&bare, "field"), "saga-step");
    let wrong = [
        ("name", pb::LockReservationRequest { name: "x".into(), ..right.clone() }),
        ("saga", pb::LockReservationRequest { saga: "x".into(), ..right.clone() }),
        ("customer", pb::LockReservationRequest { customer: "x".into(), ..right.clone() }),
        ("request_id", pb::LockReservationRequest { request_id: String::new(), ..right }),
    ];
    for (field, request) in wrong {
        let answer = world.reservations.lock_reservation(step(LOCK, request)).await;
        assert_eq!(fact(&answer, "field"), field);
        let status = answer.unwrap_err();
        assert_eq!((status.code(), SagaOutcome::of(&status)), (Code::InvalidArgument, None));
    }
    assert_eq!(world.state(&held).await, State::Held);
}

#[tokio::test]
async fn others_can_compare_a_reservation_with_its_saga_and_payment() {
    let world = World::new().await;
    let (sold, locked) = (world.hold(1, &["A-1"]).await.unwrap(), world.hold(2, &["A-2"]).await.unwrap());
    world.lock(SAGA, &sold).await.unwrap();
    world.confirm(SAGA, &sold, PAYMENT).await.unwrap();
    world.lock(OTHER_SAGA, &locked).await.unwrap();
    let all = async |tx: &mut Tx<'_>| {
        let first = concert_svc::verify::reservations(tx, uuid::Uuid::nil(), 1).await?;
        let rest = concert_svc::verify::reservations(tx, first[0].id, 10).await?;
        Ok::<_, service_kit::db::Error>([first, rest].concat())
    };
    let facts = world.host.db.read(all).await.unwrap();
    assert_eq!(facts.len(), 2);
    let of = |name: &str| facts.iter().find(|fact| name.ends_with(&fact.id.to_string())).unwrap();
    let (sold, locked) = (of(&sold.name), of(&locked.name));
    assert_eq!((sold.state, sold.saga, sold.payment), ("CONFIRMED", Some(id(SAGA)), PAYMENT.map(id)));
    assert_eq!((locked.state, locked.saga, locked.payment), ("CONFIRMING", Some(id(OTHER_SAGA)), None));
    assert_eq!((sold.customer, sold.total_amount), (id(1), 1_000));
}
