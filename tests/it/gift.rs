//! A saga of a fourth kind, which the orchestrator knows because it is told of it: the worked example of
//! `docs/a-new-saga.md`, under the faults that every saga has to bear.

use std::time::Duration;

use orchestrator::journal::{Accepted, Record};
use orchestrator::plans::{Plans, Unsound};
use orchestrator::runner::NewSaga;
use proto::orchestrator::v1::ListSagasRequest;
use proto::orchestrator::v1::saga::State;
use skald_tests::{CrashPoint, Fault, World};

use crate::doubt::faults;
use plan::{Gift, Input};

mod plan;

/// What the giver has, and what he gives.
const HAS: i64 = 10_000;
const GIVES: i64 = 4_000;

/// A world whose orchestrator knows gifts.
async fn world() -> World {
    let mut world = World::new().await;
    world.plans = Plans::with(&[&Gift]).unwrap();
    world.restart().await;
    world
}

/// A gift that is about to be made, between two new customers.
async fn gift(world: &World, amount: i64) -> (NewSaga, Input) {
    let (giver, receiver) = (world.customer(HAS).await, world.customer(0).await);
    let input = Input { giver, receiver, amount };
    (plan::order(world.id(), &input), input)
}

async fn start(world: &World, new: &NewSaga) -> String {
    world.started().shards.accept(new.clone()).await.unwrap();
    format!("gifts/{}", new.id)
}

/// What giver and receiver can spend.
async fn have(world: &World, input: &Input) -> (i64, i64) {
    (world.available(&input.giver).await, world.available(&input.receiver).await)
}

/// Makes a gift under `fault` of `method`, which then is mended, and tells how it ended.
async fn give(world: &World, method: &'static str, fault: Fault) -> (State, (i64, i64)) {
    let (new, input) = gift(world, GIVES).await;
    world.faults.always(method, fault);
    let name = start(world, &new).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    world.faults.heal();
    world.late_messages_arrive().await;
    let state = world.saga(&name).await.state();
    world.verify().await;
    (state, have(world, &input).await)
}

#[tokio::test(start_paused = true)]
async fn a_gift_moves_points_from_one_customer_to_another_once() {
    let world = world().await;
    let (new, input) = gift(&world, GIVES).await;
    let name = start(&world, &new).await;
    assert!(matches!(world.started().shards.accept(new).await, Ok(Accepted::Existing(_))));
    world.settle().await;
    let saga = world.saga(&name).await;
    assert_eq!((saga.state(), saga.kind.as_str(), saga.resource.as_str()), (State::Completed, "gift", name.as_str()));
    assert_eq!(have(&world, &input).await, (HAS - GIVES, GIVES));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_gives_more_than_he_has() {
    let world = world().await;
    let (new, input) = gift(&world, HAS + 1).await;
    let name = start(&world, &new).await;
    world.settle().await;
    let saga = world.saga(&name).await;
    assert_eq!(saga.state(), State::Compensated);
    assert_eq!(crate::reason_of(saga.failure.as_ref()), "INSUFFICIENT_POINTS");
    assert_eq!(have(&world, &input).await, (HAS, 0));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_stays_in_doubt_is_released_and_what_comes_after_is_tried_until_it_succeeds() {
    let world = world().await;
    for fault in faults() {
        let ended = give(&world, "ReservePoints", fault.clone()).await;
        assert_eq!(ended, (State::Compensated, (HAS, 0)), "{fault:?}");
        for method in ["CapturePoints", "CreditPoints"] {
            let ended = give(&world, method, fault.clone()).await;
            assert_eq!(ended, (State::Completed, (HAS - GIVES, GIVES)), "{method} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_gift_changes_nothing() {
    for write in 1..=4 {
        for point in [CrashPoint::Before(write), CrashPoint::After(write)] {
            let mut world = World::with(point).await;
            world.plans = Plans::with(&[&Gift]).unwrap();
            let (new, input) = gift(&world, GIVES).await;
            // This life does not know the kind, and yet whoever accepts a saga says what it is.
            tokio::select! {
                biased;
                died = world.dies() => assert!(died, "{point:?}"),
                () = async { start(&world, &new).await; world.settle().await } => {}
            }
            world.restart().await;
            start(&world, &new).await;
            world.settle().await;
            assert_eq!(have(&world, &input).await, (HAS - GIVES, GIVES), "{point:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_that_does_not_know_gifts_leaves_them_to_one_that_does() {
    let mut world = world().await;
    let (new, input) = gift(&world, GIVES).await;
    world.faults.always("CapturePoints", Fault::Hang);
    let name = start(&world, &new).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.faults.heal();
    let knowing = std::mem::take(&mut world.plans);
    world.restart().await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let saga = world.saga(&name).await;
    assert_eq!((saga.state(), saga.steps.len()), (State::Completing, 0));
    assert_eq!(have(&world, &input).await, (HAS - GIVES, 0));
    world.plans = knowing;
    world.restart().await;
    world.settle().await;
    assert_eq!(world.saga(&name).await.state(), State::Completed);
    assert_eq!(have(&world, &input).await, (HAS - GIVES, GIVES));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn gifts_are_listed_and_shown_as_every_saga_is() {
    let world = world().await;
    let (new, _) = gift(&world, GIVES).await;
    let name = start(&world, &new).await;
    world.settle().await;
    let list = ListSagasRequest { filter: "kind = gift AND state = COMPLETED".into(), ..Default::default() };
    let found = world.sagas().list_sagas(list).await.unwrap().into_inner().sagas;
    assert_eq!(found.iter().map(|saga| saga.resource.as_str()).collect::<Vec<_>>(), [name.as_str()]);
    let steps: Vec<_> = found[0].steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["reserve-points", "capture-points", "credit-points"]);
    let record: Record = world.started().shards.load(new.id).await.unwrap().unwrap();
    assert_eq!(record.kind, "gift");
}

#[test]
fn a_kind_is_known_once_and_only_if_its_plan_holds_together() {
    assert_eq!(Plans::with(&[&Gift, &Gift]).map(drop), Err(Unsound::Twice { kind: "gift", version: 1 }));
}

/// The code that the document shows is the code that is tested, all of it and in its order.
#[test]
fn the_document_shows_this_very_code() {
    let (document, code) = (include_str!("../../docs/a-new-saga.md"), include_str!("gift/plan.rs"));
    let mut shown = Vec::new();
    let mut within = false;
    for line in document.lines() {
        match line {
            "```rust" => within = true,
            "```" => within = false,
            line if within => shown.push(line),
            _ => {}
        }
    }
    let lines = |text: Vec<&'static str>| text.into_iter().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(shown), lines(code.lines().collect()));
}
