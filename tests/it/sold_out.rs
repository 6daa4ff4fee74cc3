//! Nobody waits for what is sold out: the sale tells the waiting room before it, and tells it again when a seat comes back.

use std::sync::Arc;
use std::time::Duration;

use proto::concert::v1::{
    BatchCreateSeatsRequest, CancelPerformanceRequest, CreatePerformanceRequest, Performance, Seat, UnblockSeatsRequest,
};
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::{CloseWaitingRoomRequest, GetWaitingRoomRequest, IssueQueueTokenRequest, MarkSoldOutRequest};
use service_kit::clock::RuntimeClock;
use service_kit::db::{Error, Tx};
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::peer::Client;
use service_kit::wire::timestamp;
use skald_tests::world::NOW_MS;
use skald_tests::{Hall, Held, World};

/// Longer than from one look to the next.
const LOOK: Duration = Duration::from_secs(11);

/// A world with that many seats for sale behind a waiting room, and a second process that looks after it.
async fn behind_a_room(seats: usize) -> (World, String) {
    let world = World::new().await;
    let host = Host::new(world.db.clone(), Arc::new(RuntimeClock::at(NOW_MS)), Ids::seeded(8));
    let client = Client::new(world.server("ticketing.token.v1"));
    concert_svc::waiting_room::tell_of_stock(&host, &concert_svc::Config::default(), client);
    world.sell_only(world.performance(), seats).await;
    let room = world.open_room().await;
    world.put_behind(&room, world.performance()).await;
    (world, room)
}

/// What the room says at the next look.
async fn is_sold_out(world: &World, room: &str) -> bool {
    tokio::time::sleep(LOOK).await;
    let request = GetWaitingRoomRequest { name: room.into() };
    world.rooms().get_waiting_room(request).await.unwrap().into_inner().sold_out_time.is_some()
}

async fn unblock(world: &World, seat: &str) {
    let (parent, seats) = (world.performance().to_owned(), vec![seat.to_owned()]);
    let request = UnblockSeatsRequest { parent, seats, ..Default::default() };
    world.concerts().unblock_seats(request).await.unwrap();
}

/// How often the rooms were marked, and cleared.
async fn marks(world: &World) -> (i64, i64) {
    let count = async |tx: &mut Tx<'_>| {
        let sql = "select cast(coalesce(sum(case when method = 'MarkSoldOut' then 1 else 0 end), 0) as bigint), \
                   cast(coalesce(sum(case when method = 'ClearSoldOut' then 1 else 0 end), 0) as bigint) from token_audit";
        tx.fetch_one::<(i64, i64)>(sql, &[]).await
    };
    world.db.read::<_, Error, _>(count).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_last_seat_that_is_sold_stops_the_line_until_it_comes_back() {
    let (world, room) = behind_a_room(1).await;
    assert!(!is_sold_out(&world, &room).await, "a seat is available");
    let customer = world.customer(100_000).await;
    let pass = world.admit(&room, &customer).await.admission_pass;
    let reservation = world.hold_with(&pass, world.performance(), &customer, 0).await.unwrap();
    assert!(!is_sold_out(&world, &room).await, "who holds the last seat may yet give it back");
    let held = Held { customer, reservation };
    world.buy(&held).await;
    assert!(is_sold_out(&world, &room).await);

    let late = world.customer(0).await;
    let request = IssueQueueTokenRequest { parent: room.clone(), customer: late.clone(), request_id: String::new() };
    let mut tokens = QueueTokenServiceClient::new(world.server("ticketing.token.v1"));
    let refused = tokens.issue_queue_token(request).await.unwrap_err();
    assert_eq!(service_kit::refusal::reason(&refused).as_deref(), Some("SOLD_OUT"));

    world.cancel(&held).await;
    assert!(!is_sold_out(&world, &room).await);
    let pass = world.admit(&room, &late).await.admission_pass;
    world.hold_with(&pass, world.performance(), &late, 0).await.unwrap();
    assert_eq!(marks(&world).await, (1, 1), "two processes tell as much as one");
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn seats_that_come_on_sale_again_let_the_line_go_on() {
    let (world, room) = behind_a_room(0).await;
    assert!(is_sold_out(&world, &room).await);
    unblock(&world, "A-3").await;
    assert!(!is_sold_out(&world, &room).await);
    world.sell_only(world.performance(), 0).await;
    assert!(is_sold_out(&world, &room).await);
}

#[tokio::test(start_paused = true)]
async fn a_room_before_two_concerts_is_sold_out_when_both_are() {
    let (world, room) = behind_a_room(0).await;
    let other = world.open(Hall::default()).await;
    world.put_behind(&room, &other).await;
    assert!(!is_sold_out(&world, &room).await);
    world.sell_only(&other, 0).await;
    assert!(is_sold_out(&world, &room).await);
    unblock(&world, "A-3").await;
    assert!(!is_sold_out(&world, &room).await);
}

/// More than are read at once.
const MANY: usize = 120;

#[tokio::test(start_paused = true)]
async fn one_seat_among_many_evenings_keeps_the_line_going() {
    let (world, room) = behind_a_room(0).await;
    assert!(is_sold_out(&world, &room).await);
    let concert = world.performance().split("/performances/").next().unwrap();
    let mut last = String::new();
    for evening in 0..MANY as i64 {
        let start_time = Some(timestamp(NOW_MS + (41 + evening) * 86_400_000));
        let performance = Some(Performance { start_time, ..Default::default() });
        let request = CreatePerformanceRequest { parent: concert.into(), performance, ..Default::default() };
        last = world.concerts().create_performance(request).await.unwrap().into_inner().name;
    }
    assert!(is_sold_out(&world, &room).await, "they have no seats yet");
    let seats = vec![Seat { name: format!("{last}/seats/A-1"), ..Default::default() }];
    let request = BatchCreateSeatsRequest { parent: last, seats, ..Default::default() };
    world.concerts().batch_create_seats(request).await.unwrap();
    assert!(!is_sold_out(&world, &room).await);
}

#[tokio::test(start_paused = true)]
async fn one_seat_among_many_concerts_keeps_the_line_going() {
    let (world, room) = behind_a_room(0).await;
    assert!(is_sold_out(&world, &room).await);
    for number in 0..MANY {
        let performance = world.open(Hall::default()).await;
        world.sell_only(&performance, usize::from(number + 1 == MANY)).await;
        world.put_behind(&room, &performance).await;
    }
    assert!(!is_sold_out(&world, &room).await);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_marked_stays_marked() {
    let (world, room) = behind_a_room(1).await;
    let request = MarkSoldOutRequest { name: room.clone(), reason: "the rest is for the press".into() };
    world.rooms().mark_sold_out(request).await.unwrap();
    assert!(is_sold_out(&world, &room).await);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_died_before_it_wrote_down_what_it_told_tells_it_again() {
    let (world, room) = behind_a_room(0).await;
    assert!(is_sold_out(&world, &room).await);
    let forget = async |tx: &mut Tx<'_>| tx.execute("delete from concert_rooms_sold_out", &[]).await;
    world.db.write::<_, Error, _>(forget).await.unwrap();
    assert!(is_sold_out(&world, &room).await);
    unblock(&world, "A-3").await;
    assert!(!is_sold_out(&world, &room).await);
    assert_eq!(marks(&world).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_performance_that_is_cancelled_is_not_sold_out() {
    let (world, room) = behind_a_room(1).await;
    let (name, reason) = (world.performance().to_owned(), "the singer is ill".to_owned());
    let request = CancelPerformanceRequest { name, reason, ..Default::default() };
    world.concerts().cancel_performance(request).await.unwrap();
    assert!(!is_sold_out(&world, &room).await);
}

#[tokio::test(start_paused = true)]
async fn rooms_change_their_concerts() {
    let (world, room) = behind_a_room(0).await;
    assert!(is_sold_out(&world, &room).await);
    let other = world.open_room().await;
    world.put_behind(&other, world.performance()).await;
    assert!(is_sold_out(&world, &other).await);
    let next = world.open(Hall::default()).await;
    world.put_behind(&room, &next).await;
    assert!(!is_sold_out(&world, &room).await);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_told_keeps_no_other_from_hearing() {
    let (world, closed) = behind_a_room(0).await;
    let request = CloseWaitingRoomRequest { name: closed.clone(), reason: "a fire alarm".into() };
    world.rooms().close_waiting_room(request).await.unwrap();
    let (other, room) = (world.open(Hall::default()).await, world.open_room().await);
    world.put_behind(&room, &other).await;
    world.sell_only(&other, 0).await;
    assert!(is_sold_out(&world, &room).await);
    assert!(!is_sold_out(&world, &closed).await);
}
