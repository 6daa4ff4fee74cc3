//! What can be counted on when points are bought by card.

use std::time::Duration;

use outside::processor::Faults as Processing;
use proto::customer::v1::WithdrawCustomerRequest;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::orchestrator::v1::checkout::State;
use skald_tests::charges::AMOUNT;
use skald_tests::world::PRICE;
use skald_tests::{CrashPoint, Fault, Held, World};
use tonic::{Code, Status};

mod crash;
mod doubt;
mod steps;

/// A world with cards, and a customer without points.
async fn world() -> (World, String) {
    let world = World::with_cards(CrashPoint::Never).await;
    let customer = world.customer(0).await;
    (world, customer)
}

/// The card's money is with us exactly once, as points.
async fn expect_charged(world: &World, customer: &str, about: &str) {
    assert_eq!(world.available(customer).await, AMOUNT, "{about}");
    assert_eq!(world.taken_and_held(), (AMOUNT, 0), "{about}");
    world.verify().await;
}

/// Nothing was taken of the card, nothing is held, and nobody has points.
async fn expect_nothing(world: &World, customer: &str, about: &str) {
    assert_eq!(world.available(customer).await, 0, "{about}");
    assert_eq!(world.taken_and_held(), (0, 0), "{about}");
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_card_pays_the_customer_has_in_points_and_buys_a_seat_with() {
    let (world, customer) = world().await;
    for _ in 0..2 {
        let charge = world.charge(&customer).await;
        assert_eq!((charge.state(), charge.amount), (State::Completed, AMOUNT));
        assert!(charge.payment.starts_with("payments/"), "{charge:?}");
    }
    assert_eq!(world.taken_and_held(), (2 * AMOUNT, 0));
    let reservation = world.hold(&customer, 1).await.unwrap();
    let held = Held { customer, reservation };
    assert_eq!(world.buy(&held).await.state(), State::Completed);
    assert_eq!(world.available(&held.customer).await, 2 * AMOUNT - PRICE);
    assert_eq!(world.cancel(&held).await.state(), State::Completed);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_answered_when_the_money_is_taken_and_not_later() {
    let (world, customer) = world().await;
    world.faults.always("CreditPoints", Fault::Hang);
    let charge = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap();
    assert_eq!(charge.state(), State::Completing);
    world.faults.heal();
    world.settle().await;
    expect_charged(&world, &customer, "late").await;
}

#[tokio::test(start_paused = true)]
async fn the_same_request_many_times_at_once_takes_the_money_once() {
    let (world, customer) = world().await;
    let request = world.charge_of(&customer, AMOUNT);
    let answers = futures_util::future::join_all((0..100).map(|_| world.ask_charge(request.clone()))).await;
    let first = answers[0].as_ref().unwrap().name.clone();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().name == first));
    world.settle().await;
    expect_charged(&world, &customer, "many").await;
    let other = proto::orchestrator::v1::CreatePointChargeRequest { card: None, ..request.clone() };
    assert_eq!(world.ask_charge(other).await.unwrap_err().code(), Code::InvalidArgument);
    let mut other = request;
    other.point_charge.as_mut().unwrap().amount += 1;
    let status = world.ask_charge(other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
}

#[tokio::test(start_paused = true)]
async fn a_card_that_is_declined_at_either_step_gives_no_points() {
    let declines = [
        Processing { decline: 1000, ..Processing::default() },
        Processing { decline_capture: 1000, ..Processing::default() },
    ];
    for faults in declines {
        let (world, customer) = world().await;
        world.processor.as_ref().unwrap().set(faults.clone());
        let charge = world.charge(&customer).await;
        assert_eq!(charge.state(), State::Failed, "{faults:?}");
        assert_eq!(crate::reason_of(charge.failure.as_ref()), "PAYMENT_DECLINED");
        expect_nothing(&world, &customer, &format!("{faults:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_charges_beyond_what_he_may_have_and_a_repeat_still_reads_its_charge() {
    let (world, customer) = world().await;
    world.give(&customer, 2_000_000 - AMOUNT).await;
    let request = world.charge_of(&customer, AMOUNT);
    let charge = world.ask_charge(request.clone()).await.unwrap();
    world.settle().await;
    let status = world.ask_charge(world.charge_of(&customer, 1_000)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "POINT_BALANCE_LIMIT".into()));
    assert_eq!(world.ask_charge(request).await.unwrap().name, charge.name);
    // The limit is no rule of the credit: what was paid is given.
    assert_eq!(world.available(&customer).await, 2_000_000);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeat_that_is_overtaken_by_the_charge_itself_reads_it_too() {
    let (world, customer) = world().await;
    world.give(&customer, 2_000_000 - AMOUNT).await;
    let request = world.charge_of(&customer, AMOUNT);
    // The first of the two looks before there is a charge, and sees the balance after it.
    world.faults.once("GetPointAccount", Fault::Slow(Duration::from_millis(900)));
    let overtaken = world.ask_charge(request.clone());
    let first = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.ask_charge(request.clone()).await
    };
    let (overtaken, first) = tokio::join!(overtaken, first);
    assert_eq!(overtaken.unwrap().name, first.unwrap().name);
    world.settle().await;
    assert_eq!(world.available(&customer).await, 2_000_000);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_or_was_never_here_charges_nothing() {
    let (world, customer) = world().await;
    let mut customers = CustomerServiceClient::new(world.server("ticketing.customer.v1"));
    let withdraw = WithdrawCustomerRequest { name: customer.clone(), ..Default::default() };
    customers.withdraw_customer(withdraw).await.unwrap();
    let status = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "CUSTOMER_NOT_ACTIVE".into()));
    let nobody = format!("customers/{}", world.id());
    let status = world.ask_charge(world.charge_of(&nobody, AMOUNT)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::NotFound, "CUSTOMER_NOT_FOUND".into()));
    assert_eq!(world.taken_and_held(), (0, 0));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_is_slow_or_forgets_its_answers_is_asked_until_it_tells() {
    for faults in [
        Processing { delay_ms: 5_000, ..Processing::default() },
        Processing { lose_reply: 500, ..Processing::default() },
        Processing { unavailable: 500, ..Processing::default() },
        Processing { twice: 1000, delay_ms: 500, ..Processing::default() },
    ] {
        let (world, customer) = world().await;
        let processor = world.processor.as_ref().unwrap();
        processor.set(faults.clone());
        let charge = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        processor.set(Processing::default());
        world.settle().await;
        processor.settle().await;
        let state = world.point_charge(&charge.name).await.state();
        let about = format!("{faults:?}");
        if state == State::Completed {
            expect_charged(&world, &customer, &about).await;
        } else {
            assert_eq!(state, State::Failed, "{about}");
            expect_nothing(&world, &customer, &about).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_is_down_for_long_costs_nobody_anything() {
    let (world, customer) = world().await;
    let processor = world.processor.as_ref().unwrap();
    processor.set(Processing { down: true, ..Processing::default() });
    let charge = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    processor.set(Processing::default());
    world.settle().await;
    assert_eq!(world.point_charge(&charge.name).await.state(), State::Failed);
    expect_nothing(&world, &customer, "down").await;
}

fn reason(status: &Status) -> String {
    service_kit::refusal::reason(status).unwrap_or_default()
}
