//! What is taken back of a cancellation, and what may not be.

use std::time::Duration;

use proto::concert::v1::reservation::State as ReservationState;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::saga::State as SagaState;
use proto::orchestrator::v1::saga::step::State as StepState;
use proto::orchestrator::v1::{AbortSagaRequest, ResumeSagaRequest};
use skald_tests::hall::FEE;
use skald_tests::world::PRICE;
use skald_tests::{Fault, Held, World};

/// The steps before the pivot, with their compensations.
const COMPENSATABLE: [(&str, &str); 2] =
    [("BeginReservationCancellation", "AbortReservationCancellation"), ("CreateRefund", "CancelRefund")];

/// The ticket is as if nobody had asked.
async fn expect_untouched(world: &World, bought: &Held, about: &str) {
    assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Confirmed, "{about}");
    assert_eq!(world.available(&bought.customer).await, PRICE, "{about}");
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_any_step_takes_the_earlier_ones_back_in_reverse() {
    let refusable = ["BeginReservationCancellation", "CreateRefund", "CommitReservationCancellation"];
    for (index, method) in refusable.into_iter().enumerate() {
        let world = World::new().await;
        let bought = world.bought(1).await;
        let before = world.faults.seen().len();
        world.faults.always(method, Fault::Refuse("SOME_REASON"));
        let cancellation = world.cancel(&bought).await;
        assert_eq!(cancellation.state(), State::Failed, "{method}");
        assert_eq!(crate::reason_of(cancellation.failure.as_ref()), "SOME_REASON");
        let sent: Vec<_> = world.faults.seen().into_iter().skip(before).map(|seen| seen.method).collect();
        let earlier = COMPENSATABLE.iter().take(index);
        let forward = earlier.clone().map(|(forward, _)| *forward).chain([method]);
        let back = earlier.rev().map(|(_, compensation)| *compensation);
        assert_eq!(sent, forward.chain(back).collect::<Vec<_>>());
        expect_untouched(&world, &bought, method).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_once_can_be_asked_for_again() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.always("CommitReservationCancellation", Fault::Refuse("NO"));
    assert_eq!(world.cancel(&bought).await.state(), State::Failed);
    world.faults.heal();
    assert_eq!(world.cancel(&bought).await.state(), State::Completed);
    assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_overtakes_its_step_bars_it() {
    for (method, _) in COMPENSATABLE {
        let world = World::new().await;
        let bought = world.bought(1).await;
        world.faults.always(method, Fault::Late(Duration::from_secs(120)));
        let cancellation = world.cancel(&bought).await;
        world.late_messages_arrive().await;
        assert_eq!(cancellation.state(), State::Failed, "{method}");
        expect_untouched(&world, &bought, method).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_of_a_compensated_step_has_no_effect() {
    for (method, _) in COMPENSATABLE {
        let world = World::new().await;
        let bought = world.bought(1).await;
        world.faults.script(move |seen| match seen.method.as_str() {
            seen if seen == method => Fault::Again(Duration::from_secs(50)),
            "CommitReservationCancellation" => Fault::Refuse("NO"),
            _ => Fault::Pass,
        });
        let cancellation = world.cancel(&bought).await;
        world.late_messages_arrive().await;
        assert_eq!(cancellation.state(), State::Failed, "{method}");
        expect_untouched(&world, &bought, method).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_command_may_arrive_twice() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.script(|_| Fault::Twice);
    assert_eq!(world.cancel(&bought).await.state(), State::Completed);
    assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE);
    let bought = world.bought(2).await;
    world.faults.script(|seen| match seen.method.as_str() {
        "CommitReservationCancellation" => Fault::Refuse("NO"),
        _ => Fault::Twice,
    });
    assert_eq!(world.cancel(&bought).await.state(), State::Failed);
    expect_untouched(&world, &bought, "twice").await;
}

#[tokio::test(start_paused = true)]
async fn a_participant_that_is_down_does_not_keep_the_ticket_from_being_valid_again() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.script(|seen| match seen.method.as_str() {
        "CommitReservationCancellation" => Fault::Refuse("NO"),
        "CancelRefund" => Fault::LoseRequest,
        _ => Fault::Pass,
    });
    let cancellation = world.ask_back(world.give_back(&bought)).await.unwrap();
    assert_eq!(cancellation.state(), State::Compensating);
    assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Confirmed);
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.cancellation(&cancellation.name).await.state(), State::Failed);
    expect_untouched(&world, &bought, "down").await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_stops_a_cancellation_before_its_pivot_and_not_after_it() {
    for (method, fault, expected) in [
        ("BeginReservationCancellation", Fault::LoseReply, State::Failed),
        ("CreateRefund", Fault::Hang, State::Failed),
        ("CommitReservationCancellation", Fault::LoseRequest, State::Failed),
        ("CommitReservationCancellation", Fault::LoseReply, State::Completed),
    ] {
        let world = World::new().await;
        let bought = world.bought(1).await;
        world.faults.once(method, fault.clone());
        let mut request = world.give_back(&bought);
        request.wait = Some(service_kit::wire::duration(0));
        let name = world.ask_back(request).await.unwrap().name;
        while world.faults.count(method) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let saga = world.saga(&name).await.name;
        let abort = AbortSagaRequest { name: saga, reason: "not today".into(), expected_version: 0 };
        world.sagas().abort_saga(abort.clone()).await.unwrap();
        world.settle().await;
        assert_eq!(world.cancellation(&name).await.state(), expected, "{method} {fault:?}");
        let status = world.sagas().abort_saga(abort).await.unwrap_err();
        assert_eq!(service_kit::refusal::reason(&status).as_deref(), Some("SAGA_ENDED"));
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_in_doubt_is_itself_compensated() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.always("CreateRefund", Fault::LoseReply);
    let cancellation = world.cancel(&bought).await;
    assert_eq!(cancellation.state(), State::Failed);
    assert_eq!(world.faults.count("CancelRefund"), 1);
    assert_eq!(world.saga(&cancellation.name).await.steps[1].state(), StepState::Compensated);
    expect_untouched(&world, &bought, "in doubt").await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_true_waits_for_a_person_and_goes_on_once_it_is_mended() {
    let lies = ["BeginReservationCancellation", "CreateRefund", "CommitReservationCancellation", "CreditPoints"];
    let lies = lies.map(|method| (method, Fault::Garbage)).into_iter();
    let refusals = ["CreditPoints", "CompleteRefund"].map(|method| (method, Fault::Refuse("IMPOSSIBLE"))).into_iter();
    for (method, fault) in lies.chain(refusals) {
        let world = World::new().await;
        let bought = world.bought(1).await;
        world.faults.always(method, fault.clone());
        let name = world.ask_back(world.give_back(&bought)).await.unwrap().name;
        world.settle().await;
        let saga = world.saga(&name).await;
        assert_eq!(saga.state(), SagaState::Suspended, "{method} {fault:?}");
        world.faults.heal();
        let resume = ResumeSagaRequest { name: saga.name, reason: "mended".into(), expected_version: saga.version };
        world.sagas().resume_saga(resume).await.unwrap();
        world.settle().await;
        assert_eq!(world.cancellation(&name).await.state(), State::Completed, "{method} {fault:?}");
        assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE, "{method} {fault:?}");
        world.verify().await;
    }
}
