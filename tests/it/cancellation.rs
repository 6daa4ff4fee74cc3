//! What can be counted on when tickets are given back.

use std::time::Duration;

use proto::concert::v1::reservation::State as ReservationState;
use proto::concert::v1::ticket::State as TicketState;
use proto::orchestrator::v1::CreateCancellationRequest;
use proto::orchestrator::v1::checkout::State;
use skald_tests::hall::FEE;
use skald_tests::world::PRICE;
use skald_tests::{Fault, Hall, Held, World};
use tonic::{Code, Status};

mod crash;
mod doubt;
mod steps;

#[tokio::test(start_paused = true)]
async fn what_is_given_back_is_paid_back_less_the_fee_and_can_be_sold_again() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    let cancellation = world.cancel(&bought).await;
    assert_eq!(cancellation.state(), State::Completed);
    assert_eq!((cancellation.refund_amount, cancellation.fee_amount), (PRICE - FEE, FEE));
    assert!(cancellation.refund.starts_with("payments/"), "{cancellation:?}");
    assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE);
    assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Cancelled);
    assert_eq!(world.tickets(&bought.reservation).await, [TicketState::Voided]);
    let next = world.held(1).await;
    assert_eq!(world.buy(&next).await.state(), State::Completed);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_answered_when_the_seat_is_free_and_not_later() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.always("CreditPoints", Fault::Hang);
    let cancellation = world.ask_back(world.give_back(&bought)).await.unwrap();
    assert_eq!(cancellation.state(), State::Completing);
    world.held(1).await;
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.cancellation(&cancellation.name).await.state(), State::Completed);
    world.verify().await;
}

/// A customer who has bought a seat in a hall of his own.
async fn bought_in(world: &World, hall: Hall) -> Held {
    let performance = world.open(hall).await;
    let customer = world.customer(PRICE * 2).await;
    let reservation = world.hold_at(&performance, &customer, 1).await.unwrap();
    let held = Held { customer, reservation };
    assert_eq!(world.buy(&held).await.state(), State::Completed);
    held
}

#[tokio::test(start_paused = true)]
async fn every_fee_from_nothing_to_all_of_it_is_kept_to_the_won() {
    let world = World::new().await;
    for (fee_percent, fee) in [(0, 0), (10, PRICE / 10), (33, PRICE * 33 / 100), (99, PRICE * 99 / 100), (100, PRICE)] {
        let bought = bought_in(&world, Hall { fee_percent, ..Hall::default() }).await;
        let calls = world.faults.count("CreateRefund");
        let cancellation = world.cancel(&bought).await;
        assert_eq!(cancellation.state(), State::Completed, "{fee_percent} %");
        assert_eq!((cancellation.refund_amount, cancellation.fee_amount), (PRICE - fee, fee), "{fee_percent} %");
        assert_eq!(world.available(&bought.customer).await, PRICE * 2 - fee, "{fee_percent} %");
        // Where nothing is paid back, no refund is made of the payment.
        assert_eq!(world.faults.count("CreateRefund") > calls, fee < PRICE, "{fee_percent} %");
        assert_eq!(cancellation.refund.is_empty(), fee == PRICE, "{fee_percent} %");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_free_ticket_is_given_back_without_a_word_about_money() {
    let world = World::new().await;
    let bought = bought_in(&world, Hall { price: 0, ..Hall::default() }).await;
    let cancellation = world.cancel(&bought).await;
    assert_eq!((cancellation.state(), cancellation.refund_amount, cancellation.fee_amount), (State::Completed, 0, 0));
    for method in ["CreateRefund", "CreditPoints", "CompleteRefund"] {
        assert_eq!(world.faults.count(method), 0, "{method}");
    }
    assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Cancelled);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_gives_back_for_anybody_and_may_waive_the_fee() {
    let world = World::new().await;
    for (seat, waive_fee, fee) in [(1, true, 0), (2, false, FEE)] {
        let bought = world.bought(seat).await;
        let mut request = CreateCancellationRequest { waive_fee, ..world.give_back(&bought) };
        request.cancellation.as_mut().unwrap().customer.clear();
        let cancellation = world.ask_back(request).await.unwrap();
        world.settle().await;
        assert_eq!(world.cancellation(&cancellation.name).await.fee_amount, fee);
        assert_eq!(world.available(&bought.customer).await, PRICE * 2 - fee);
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_gives_back_what_is_anothers_or_was_never_bought_or_is_gone() {
    let world = World::new().await;
    let (bought, held) = (world.bought(1).await, world.held(2).await);
    let thief = Held { customer: held.customer.clone(), reservation: bought.reservation.clone() };
    let unknown = Held { customer: held.customer.clone(), reservation: format!("reservations/{}", world.id()) };
    let refusals = [(&thief, "NOT_OWNER"), (&held, "RESERVATION_NOT_CONFIRMED"), (&unknown, "RESERVATION_NOT_FOUND")];
    for (who, reason) in refusals {
        let cancellation = world.cancel(who).await;
        assert_eq!(cancellation.state(), State::Failed, "{reason}");
        assert_eq!(super::reason_of(cancellation.failure.as_ref()), reason);
    }
    assert_eq!(world.cancel(&bought).await.state(), State::Completed);
    let again = world.cancel(&bought).await;
    assert_eq!(super::reason_of(again.failure.as_ref()), "RESERVATION_NOT_CONFIRMED");
    assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_cancellations_of_one_reservation_one_wins_and_pays_back_once() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    let asked = futures_util::future::join_all((0..10).map(|_| world.ask_back(world.give_back(&bought)))).await;
    world.settle().await;
    let mut completed = 0;
    for cancellation in asked {
        let ended = world.cancellation(&cancellation.unwrap().name).await;
        completed += usize::from(ended.state() == State::Completed);
    }
    assert_eq!(completed, 1);
    assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_request_many_times_at_once_is_one_cancellation() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    let request = world.give_back(&bought);
    let answers = futures_util::future::join_all((0..200).map(|_| world.ask_back(request.clone()))).await;
    let first = answers[0].as_ref().unwrap().name.clone();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().name == first));
    world.settle().await;
    assert_eq!(world.faults.count("BeginReservationCancellation"), 1);
    let mut other = request;
    other.cancellation.as_mut().unwrap().reservation = format!("reservations/{}", world.id());
    let status = world.ask_back(other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn points_that_were_paid_back_are_spent_and_paid_back_again() {
    let world = World::new().await;
    let mut held = world.held(1).await;
    let mut left = PRICE * 2;
    for _ in 0..3 {
        assert_eq!(world.buy(&held).await.state(), State::Completed);
        assert_eq!(world.cancel(&held).await.state(), State::Completed);
        left -= FEE;
        assert_eq!(world.available(&held.customer).await, left);
        held.reservation = world.hold(&held.customer, 1).await.unwrap();
    }
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_payment_service_that_is_down_leaves_the_ticket_as_it_was() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.script(|seen| match seen.method.as_str() {
        "CreateRefund" | "CancelRefund" => Fault::NotSent,
        _ => Fault::Pass,
    });
    let cancellation = world.ask_back(world.give_back(&bought)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.cancellation(&cancellation.name).await.state(), State::Failed);
    assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Confirmed);
    assert_eq!(world.tickets(&bought.reservation).await, [TicketState::Issued]);
    assert_eq!(world.available(&bought.customer).await, PRICE);
    world.verify().await;
}

fn reason(status: &Status) -> String {
    service_kit::refusal::reason(status).unwrap_or_default()
}
