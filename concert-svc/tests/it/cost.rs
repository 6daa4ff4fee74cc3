//! What holds and the steps of sagas cost, in statements; the same on both engines. Those of one reservation's seats travel
//! together, with those that write down what became of it.

use proto::concert::v1 as pb;
use service_kit::ids::Ids;

use crate::best::{any, best};
use crate::world::{World, concert, seat};

const TTL: i64 = 300_000;

/// A turn, the offer, the reservation with its history and its event, and the kept answer.
const FRAME: u64 = 6;

/// Time is paused, so that no job of the service asks for anything meanwhile.
async fn world() -> World {
    let policy = pb::BookingPolicy {
        max_live_reservations_per_customer: 1_000,
        max_seats_per_customer: 10_000,
        ..Default::default()
    };
    let world = World::with(pb::Concert { booking_policy: Some(policy), ..concert() }).await;
    world.create_seats((0..200).map(|number| seat(&format!("B-{number}"))).collect()).await.unwrap();
    world
}

async fn statements<T>(world: &World, call: impl Future<Output = T>) -> u64 {
    let before = world.host.db.statements();
    call.await;
    world.host.db.statements() - before
}

fn request_id(number: u64) -> String {
    Ids::seeded(number).next(0).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_hold_costs_one_statement_a_seat_and_six_more() {
    let world = world().await;
    for (count, seats) in
        [&["B-1"][..], &["B-2", "B-3"], &["B-4", "B-5", "B-6"], &["B-7", "B-8", "B-9", "B-10"]].into_iter().enumerate()
    {
        let request = pb::CreateReservationRequest { request_id: request_id(count as u64), ..world.order(1, seats) };
        let cost = statements(&world, async { world.place(request).await.unwrap() }).await;
        assert_eq!(cost, FRAME + seats.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_costs_one_statement_for_each_seat_that_it_changes_and_few_more() {
    let world = world().await;
    world.postpone(30).await;
    for (saga, seats) in [&["B-1"][..], &["B-2", "B-3"], &["B-4", "B-5", "B-6", "B-7"]].into_iter().enumerate() {
        let (saga, count) = (saga as u128 + 1, seats.len() as u64);
        let held = world.hold(saga, seats).await.unwrap();
        // A look, the reservation with its history, and the row of the step: four. Its compensation has a row to mark
        // instead. What is told of costs an event, and tickets are written together.
        let lock = statements(&world, async { world.lock(saga, &held).await.unwrap() }).await;
        let unlock = statements(&world, async { world.unlock(saga, &held).await.unwrap() }).await;
        world.lock(10 + saga, &held).await.unwrap();
        let confirm = statements(&world, async { world.confirm(10 + saga, &held, Some(saga)).await.unwrap() }).await;
        assert_eq!([lock, unlock, confirm], [4 + count, 4 + count, 6 + count]);

        let begin = statements(&world, async { world.begin(20 + saga, &held).await.unwrap() }).await;
        let abort = statements(&world, async { world.abort(20 + saga, &held).await.unwrap() }).await;
        world.begin(30 + saga, &held).await.unwrap();
        let commit = statements(&world, async { world.commit(30 + saga, &held).await.unwrap() }).await;
        assert_eq!([begin, abort, commit], [4, 4, 6 + count]);
    }
}

#[tokio::test(start_paused = true)]
async fn to_look_for_what_is_left_to_give_back_costs_one_statement_when_nothing_is() {
    let world = world().await;
    let sold = world.buy(1, &["B-1"]).await;
    assert_eq!(statements(&world, world.to_cancel(50)).await, 1);
    world.cancel_performance(world.cancel_request()).await.unwrap();
    assert_eq!(statements(&world, world.to_cancel(50)).await, 3);
    world.begin(2, &sold).await.unwrap();
    assert_eq!(statements(&world, world.to_cancel(50)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_best_seats_cost_two_statements_more_and_side_by_side_three() {
    let world = world().await;
    for seat_count in 1..=4 {
        for (adjacent, choice) in [(false, 2), (true, 3)] {
            let request_id = request_id(seat_count as u64 + if adjacent { 10 } else { 0 });
            let request = pb::HoldBestAvailableSeatsRequest { adjacent, request_id, ..any(&world, 1, seat_count) };
            let cost = statements(&world, async { best(&world, request).await.unwrap() }).await;
            assert_eq!(cost, FRAME + choice + seat_count as u64, "{seat_count} {adjacent}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sold_out_performance_says_so_in_a_handful_of_statements() {
    let world = world().await;
    world.run("update concert_performance_seats set state = 4").await;
    let cost = statements(&world, async { best(&world, any(&world, 1, 4)).await.unwrap_err() }).await;
    assert_eq!(cost, 7);
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_ends_a_batch_in_three_statements_a_hold_and_one_a_seat() {
    let world = world().await;
    for number in 0..10 {
        let seats = [format!("B-{}", 2 * number), format!("B-{}", 2 * number + 1)];
        world.hold(1, &seats.each_ref().map(String::as_str)).await.unwrap();
    }
    world.clock.advance(TTL);
    let sweep = async { concert_svc::jobs::sweep(&world.host.db, 100, true).await.unwrap() };
    assert_eq!(statements(&world, sweep).await, 1 + 10 * 3 + 20);
    let idle = async { concert_svc::jobs::sweep(&world.host.db, 100, true).await.unwrap() };
    assert_eq!(statements(&world, idle).await, 1);
}
