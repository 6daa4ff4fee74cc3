//! What operators do to seats: blocked, unblocked, dearer, cheaper. Nobody's hold feels it.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use proto::concert::v1::seat::State as Seat;
use tonic::Status;

use crate::world::{World, fact, id, reason, seat};

const TTL: i64 = 300_000;

fn named(seats: &[&str]) -> Vec<String> {
    seats.iter().map(|seat| (*seat).to_owned()).collect()
}

async fn block(world: &World, seats: &[&str]) -> Result<Vec<pb::Seat>, Status> {
    let parent = world.performance.clone();
    let request = pb::BlockSeatsRequest { parent, seats: named(seats), request_id: String::new() };
    Ok(world.concerts.clone().block_seats(request).await?.into_inner().seats)
}

async fn unblock(world: &World, seats: &[&str]) -> Result<Vec<pb::Seat>, Status> {
    let parent = world.performance.clone();
    let request = pb::UnblockSeatsRequest { parent, seats: named(seats), request_id: String::new() };
    Ok(world.concerts.clone().unblock_seats(request).await?.into_inner().seats)
}

async fn reprice(world: &World, seats: &[&str], price: i64) -> Result<Vec<pb::Seat>, Status> {
    let parent = world.performance.clone();
    let request = pb::ChangeSeatPricesRequest { parent, seats: named(seats), price, request_id: String::new() };
    Ok(world.concerts.clone().change_seat_prices(request).await?.into_inner().seats)
}

#[tokio::test]
async fn a_blocked_seat_is_not_for_sale_until_it_is_unblocked() {
    let world = World::new().await;
    let full = format!("{}/seats/A-3", world.performance);
    let blocked = block(&world, &["A-5", &full]).await.unwrap();
    let seen: Vec<_> = blocked.iter().map(|seat| (seat.ordinal, seat.state())).collect();
    assert_eq!(seen, [(2, Seat::Blocked), (4, Seat::Blocked)]);
    let held = world.hold(1, &["A-2", "A-3"]).await;
    assert_eq!((reason(&held), fact(&held, "seats")), ("SEAT_TAKEN".into(), full));
    assert_eq!(world.seats().await, "..x.x....");
    // Blocked twice is blocked, and what is not blocked stays as it is.
    block(&world, &["A-3"]).await.unwrap();
    world.hold(1, &["A-2"]).await.unwrap();
    let unblocked = unblock(&world, &["A-2", "A-3"]).await.unwrap();
    assert_eq!((unblocked[0].state(), unblocked[1].state()), (Seat::Held, Seat::Available));
    assert_eq!(world.seats().await, ".h..x....");
    world.hold(2, &["A-3"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn of_seats_of_which_one_is_somebodys_none_is_blocked() {
    let world = World::new().await;
    world.hold(1, &["A-2"]).await.unwrap();
    let sold = world.hold(2, &["A-3"]).await.unwrap();
    world.lock(9, &sold).await.unwrap();
    world.confirm(9, &sold, Some(1)).await.unwrap();
    let answer = block(&world, &["A-1", "A-2", "A-3"]).await;
    let name = |seat| format!("{}/seats/{seat}", world.performance);
    assert_eq!((reason(&answer), fact(&answer, "seats")), ("SEAT_TAKEN".into(), [name("A-2"), name("A-3")].join(",")));
    assert_eq!(world.seats().await, ".hS......");
    world.verify().await;
}

#[tokio::test]
async fn seats_of_a_lapsed_hold_can_be_blocked_and_its_others_are_free() {
    let world = World::new().await;
    let lapsed = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.clock.advance(TTL - 1);
    assert_eq!(reason(&block(&world, &["A-1"]).await), "SEAT_TAKEN");
    world.clock.advance(1);
    block(&world, &["A-1", "A-4"]).await.unwrap();
    assert_eq!(world.state(&lapsed).await, State::Expired);
    assert_eq!(world.seats().await, "x..x.....");
    assert_eq!(world.sweep().await, 0);
    world.verify().await;
}

#[tokio::test]
async fn whoever_holds_a_seat_keeps_the_price_of_his_hold() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    let changed = reprice(&world, &["A-1", "A-3"], 5_000).await.unwrap();
    assert_eq!(changed.iter().map(|seat| seat.price).collect::<Vec<_>>(), [5_000, 5_000]);
    world.verify().await;
    assert_eq!(world.reservation(&held).await, held);
    assert_eq!(world.lock(9, &held).await.unwrap().amount, 2_000);
    world.verify().await;
    let confirmed = world.confirm(9, &held, Some(1)).await.unwrap();
    assert_eq!(confirmed.tickets.iter().map(|ticket| ticket.price).collect::<Vec<_>>(), [1_000, 1_000]);
    assert_eq!(world.hold(2, &["A-3"]).await.unwrap().total_amount, 5_000);
    world.verify().await;
}

#[tokio::test]
async fn who_comes_after_a_lapsed_hold_pays_the_new_price() {
    let world = World::new().await;
    world.hold(1, &["A-1"]).await.unwrap();
    reprice(&world, &["A-1"], 10_000_000).await.unwrap();
    world.clock.advance(TTL);
    assert_eq!(world.hold(2, &["A-1"]).await.unwrap().total_amount, 10_000_000);
    world.verify().await;
}

#[tokio::test]
async fn a_bad_seat_spoils_the_whole_change() {
    let world = World::new().await;
    for (seats, field) in [(&[][..], "seats"), (&["A-1", "A-1"], "seats[1]"), (&["A-1", "a b"], "seats[1]")] {
        assert_eq!(fact(&block(&world, seats).await, "field"), field);
        assert_eq!(fact(&unblock(&world, seats).await, "field"), field);
        assert_eq!(fact(&reprice(&world, seats, 1).await, "field"), field);
    }
    let unknown = ["A-1", "Z-9"];
    for answer in [block(&world, &unknown).await, unblock(&world, &unknown).await, reprice(&world, &unknown, 1).await] {
        assert_eq!(reason(&answer), "SEAT_NOT_FOUND");
        assert_eq!(fact(&answer, "name"), format!("{}/seats/Z-9", world.performance));
    }
    for price in [-1, 10_000_001] {
        let answer = reprice(&world, &["A-1"], price).await;
        assert_eq!((reason(&answer), fact(&answer, "field")), ("AMOUNT_OUT_OF_RANGE".into(), "price".into()));
    }
    assert_eq!(world.seats().await, ".........");
    assert_eq!(world.hold(1, &["A-1"]).await.unwrap().total_amount, 1_000);
    world.verify().await;
}

#[tokio::test]
async fn a_thousand_seats_are_changed_at_once_and_one_more_is_refused() {
    let world = World::new().await;
    let ids: Vec<_> = (1..=1_000).map(|number| format!("B-{number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    world.create_seats(ids.iter().map(|id| seat(id)).collect()).await.unwrap();
    assert_eq!(block(&world, &ids).await.unwrap().len(), 1_000);
    assert_eq!(reprice(&world, &ids, 0).await.unwrap().len(), 1_000);
    assert_eq!(unblock(&world, &ids).await.unwrap().len(), 1_000);
    let more = [&ids[..], &["A-1"]].concat();
    assert_eq!(fact(&block(&world, &more).await, "field"), "seats");
    world.verify().await;
}

#[tokio::test]
async fn a_repeated_change_answers_as_the_first_and_changes_nothing_more() {
    let world = World::new().await;
    let request = pb::BlockSeatsRequest {
        parent: world.performance.clone(),
        seats: named(&["A-1"]),
        request_id: id(6).to_string(),
    };
    let mut concerts = world.concerts.clone();
    let blocked = concerts.block_seats(request.clone()).await.unwrap().into_inner();
    unblock(&world, &["A-1"]).await.unwrap();
    assert_eq!(concerts.block_seats(request.clone()).await.unwrap().into_inner(), blocked);
    assert_eq!(world.seats().await, ".........");
    let other = pb::BlockSeatsRequest { seats: named(&["A-2"]), ..request };
    assert_eq!(reason(&concerts.block_seats(other).await), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn nothing_is_changed_for_an_evening_that_is_off() {
    let world = World::new().await;
    world.run("update concert_performances set state = 2").await;
    for answer in [block(&world, &["A-1"]).await, unblock(&world, &["A-1"]).await, reprice(&world, &["A-1"], 1).await] {
        assert_eq!(reason(&answer), "PERFORMANCE_CANCELLED");
    }
}
