//! A performance is cancelled: whoever bought gets everything back, without asking.

use std::time::Duration;

use proto::concert::v1::reservation::State as ReservationState;
use proto::concert::v1::{CancelPerformanceRequest, CheckInTicketRequest, ListTicketsRequest};
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::saga::State as SagaState;
use proto::orchestrator::v1::{CreateCheckoutRequest, ListSagasRequest, Saga};
use service_kit::wire::millis;
use skald_tests::world::PRICE;
use skald_tests::{Fault, Held, World};

/// Customers who have bought a seat each.
async fn audience(world: &World, count: usize) -> Vec<Held> {
    let mut all = Vec::new();
    for seat in 0..count {
        all.push(world.bought(seat).await);
    }
    all
}

async fn cancel_performance(world: &World) {
    let request = CancelPerformanceRequest {
        name: world.performance().into(),
        reason: "the hall has burnt down".into(),
        ..Default::default()
    };
    world.concerts().cancel_performance(request).await.unwrap();
}

/// Waits until every one of them is cancelled.
async fn all_is_given_back(world: &World, all: &[Held]) {
    for _ in 0..3_600 {
        let mut left = 0;
        for bought in all {
            let state = world.reservation(&bought.reservation).await.state();
            left += usize::from(state != ReservationState::Cancelled);
        }
        if left == 0 {
            return world.settle().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("something is left after an hour");
}

/// All cancellations, the newest first.
async fn cancellations(world: &World) -> Vec<Saga> {
    let request = ListSagasRequest { filter: "kind = cancellation".into(), page_size: 1000, ..Default::default() };
    world.sagas().list_sagas(request).await.unwrap().into_inner().sagas
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_everything_back_even_who_has_gone_in() {
    let world = World::new().await;
    let all = audience(&world, 8).await;
    let request = ListTicketsRequest { parent: all[0].reservation.clone(), ..Default::default() };
    let ticket = world.reservations().list_tickets(request).await.unwrap().into_inner().tickets.remove(0);
    // The doors open before the evening.
    let request = CheckInTicketRequest { name: ticket.name, ..Default::default() };
    let checked_in = world.reservations().check_in_ticket(request).await;
    cancel_performance(&world).await;
    all_is_given_back(&world, &all).await;
    for bought in &all {
        assert_eq!(world.available(&bought.customer).await, PRICE * 2, "{bought:?}, {checked_in:?}");
    }
    let found = cancellations(&world).await;
    assert_eq!(found.len(), all.len());
    assert!(found.iter().all(|saga| saga.state() == SagaState::Completed && saga.amount == PRICE));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn they_are_started_one_after_the_other_at_the_rate_that_is_set() {
    let world = World::new().await;
    let all = audience(&world, 10).await;
    cancel_performance(&world).await;
    all_is_given_back(&world, &all).await;
    let mut starts: Vec<_> = cancellations(&world).await.iter().map(|saga| millis(saga.create_time.unwrap())).collect();
    starts.sort_unstable();
    let gaps: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= 45), "20 a second: {gaps:?}");
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_stays_and_is_tried_again_later_and_not_at_once() {
    let world = World::new().await;
    let all = audience(&world, 3).await;
    world.faults.always("BeginReservationCancellation", Fault::Refuse("TICKET_CHECKED_IN"));
    cancel_performance(&world).await;
    tokio::time::sleep(Duration::from_secs(25 * 60)).await;
    let tries = world.faults.count("BeginReservationCancellation");
    assert!((all.len() * 3..=all.len() * 4).contains(&tries), "{tries} tries in 25 minutes");
    world.faults.heal();
    all_is_given_back(&world, &all).await;
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_checkout_that_is_under_way_ends_first_and_is_given_back_if_it_has_won() {
    for (fault, won) in [(Fault::LoseReply, true), (Fault::Late(Duration::from_secs(20)), false)] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.once("ConfirmReservation", fault.clone());
        let order = CreateCheckoutRequest { wait: Some(service_kit::wire::duration(0)), ..world.order(&held) };
        let checkout = world.send(order).await.unwrap();
        while world.faults.count("ConfirmReservation") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancel_performance(&world).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        world.settle().await;
        let ended = world.checkout(&checkout.name).await;
        let expected = if won { State::Completed } else { State::Failed };
        assert_eq!(ended.state(), expected, "{fault:?}: {ended:?}");
        assert_eq!(cancellations(&world).await.len(), usize::from(won), "{fault:?}");
        assert_eq!(world.available(&held.customer).await, PRICE * 2, "{fault:?}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_goes_on_where_the_other_one_died() {
    let mut world = World::new().await;
    let all = audience(&world, 12).await;
    cancel_performance(&world).await;
    for _ in 0..4 {
        // Some have been started, some have not.
        loop {
            let found = cancellations(&world).await;
            if found.len() == all.len() || found.iter().any(|saga| saga.state() != SagaState::Completed) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.restart().await;
    }
    all_is_given_back(&world, &all).await;
    let completed = cancellations(&world).await.into_iter().filter(|saga| saga.state() == SagaState::Completed);
    assert_eq!(completed.count(), all.len(), "each is given back once");
    for bought in &all {
        assert_eq!(world.available(&bought.customer).await, PRICE * 2);
    }
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn who_gives_back_himself_meanwhile_is_paid_once() {
    let world = World::new().await;
    let all = audience(&world, 4).await;
    cancel_performance(&world).await;
    let asked = futures_util::future::join_all(all.iter().map(|bought| world.ask_back(world.give_back(bought)))).await;
    assert!(asked.iter().all(Result::is_ok));
    all_is_given_back(&world, &all).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    for bought in &all {
        // A cancelled performance costs its audience nothing, whoever asks.
        assert_eq!(world.available(&bought.customer).await, PRICE * 2);
    }
    world.verify().await;
}
