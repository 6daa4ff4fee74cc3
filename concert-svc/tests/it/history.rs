//! What is written down of each change of a reservation: its history, and the events that tell others.

use proto::concert::v1 as pb;
use proto::event::v1 as event;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::ids;
use service_kit::pass::Claims;
use service_kit::wire::timestamp;
use uuid::Uuid;

use crate::world::{LOCK, NOW_MS, World, concert, customer, id};

const TTL: i64 = 300_000;

/// One row of a history.
#[derive(Debug, PartialEq)]
struct Transition {
    version: i64,
    from: Option<i64>,
    to: i64,
    actor: String,
    request_id: Option<Uuid>,
    saga: Option<Uuid>,
    reason: String,
    time: i64,
}

impl FromRow for Transition {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            version: row.get(0)?,
            from: row.get(1)?,
            to: row.get(2)?,
            actor: row.get(3)?,
            request_id: row.get(4)?,
            saga: row.get(5)?,
            reason: row.get(6)?,
            time: row.get(7)?,
        })
    }
}

async fn history(world: &World, of: &pb::Reservation) -> Vec<Transition> {
    let id: Uuid = of.name.rsplit('/').next().unwrap().parse().unwrap();
    let read = async move |tx: &mut Tx<'_>| {
        let sql = "select version, from_state, to_state, actor, request_id, saga_id, reason, create_time \
                   from concert_reservation_transitions where reservation_id = $1 order by version";
        tx.fetch_all(sql, service_kit::args![id]).await
    };
    world.host.db.read(read).await.unwrap()
}

/// The states that a reservation has gone through.
async fn path(world: &World, of: &pb::Reservation) -> String {
    let history = history(world, of).await;
    let versions: Vec<_> = history.iter().map(|row| row.version).collect();
    assert_eq!(versions, (1..=history.len() as i64).collect::<Vec<_>>());
    let from: Vec<_> = history.iter().map(|row| row.from).collect();
    let mut expected = vec![None];
    expected.extend(history.iter().map(|row| Some(row.to)));
    assert_eq!(from, expected[..from.len()]);
    let name = |row: &Transition| pb::reservation::State::try_from(row.to as i32).unwrap().as_str_name();
    history.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// The events, in the order in which they are published.
async fn events(world: &World) -> Vec<service_kit::outbox::Event> {
    static OUTBOX: service_kit::outbox::Outbox = service_kit::outbox!("concert");
    world.host.db.read(async |tx: &mut Tx<'_>| OUTBOX.take(tx, 1_000).await).await.unwrap()
}

/// What the events of a reservation tell, in the order of its versions.
async fn told(world: &World, of: &pb::Reservation) -> String {
    let mut events = events(world).await;
    events.retain(|event| event.aggregate == of.name);
    events.sort_by_key(|event| event.version);
    assert!(events.iter().all(|event| event.partition == of.name));
    let kind = |event: &service_kit::outbox::Event| {
        event.kind.strip_prefix("ticketing.reservation.").unwrap().strip_suffix(".v1").unwrap().to_owned()
    };
    events.iter().map(kind).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_change_of_a_reservation_is_written_down_and_the_locks_are_told_to_nobody() {
    let world = World::new().await;
    let mut order = world.order(1, &["A-1", "A-2"]);
    order.request_id = id(77).to_string();
    let sold = world.place(order).await.unwrap();
    world.clock.advance(1);
    world.lock(2, &sold).await.unwrap();
    world.unlock(2, &sold).await.unwrap();
    world.lock(3, &sold).await.unwrap();
    world.confirm(3, &sold, Some(3)).await.unwrap();
    world.begin(4, &sold).await.unwrap_err();
    world.postpone(30).await;
    world.begin(5, &sold).await.unwrap();
    world.abort(5, &sold).await.unwrap();
    world.begin(6, &sold).await.unwrap();
    world.commit(6, &sold).await.unwrap();
    let expected = "HELD CONFIRMING HELD CONFIRMING CONFIRMED CANCELLING CONFIRMED CANCELLING CANCELLED";
    assert_eq!(path(&world, &sold).await, expected);
    assert_eq!(told(&world, &sold).await, "held confirmed cancelled");

    let history = history(&world, &sold).await;
    assert_eq!((history[0].actor.clone(), history[0].request_id), (customer(1), Some(id(77))));
    assert_eq!((history[0].saga, history[0].time), (None, NOW_MS));
    let lock = ids::operation_id(id(2), LOCK, "forward");
    assert_eq!((history[1].actor.clone(), history[1].request_id), (customer(1), Some(lock)));
    assert_eq!((history[1].saga, history[1].time), (Some(id(2)), NOW_MS + 1));
    assert_eq!((history[2].actor.as_str(), history[2].saga), ("orchestrator", Some(id(2))));
    assert_eq!(history[8].saga, Some(id(6)));
    world.verify().await;
}

#[tokio::test]
async fn a_repeated_or_refused_step_writes_nothing_down() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.lock(2, &held).await.unwrap();
    world.lock(2, &held).await.unwrap();
    world.lock(3, &held).await.unwrap_err();
    world.confirm(3, &held, Some(3)).await.unwrap_err();
    world.confirm(2, &held, Some(2)).await.unwrap();
    world.confirm(2, &held, Some(2)).await.unwrap();
    world.unlock(2, &held).await.unwrap_err();
    assert_eq!(path(&world, &held).await, "HELD CONFIRMING CONFIRMED");
    assert_eq!(told(&world, &held).await, "held confirmed");
}

#[tokio::test]
async fn events_say_what_others_need_to_know() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.lock(2, &held).await.unwrap();
    world.confirm(2, &held, Some(3)).await.unwrap();
    let other = world.hold(4, &["A-3"]).await.unwrap();
    world.release(4, &other).await.unwrap();
    let mut events = events(&world).await;
    events.sort_by_key(|event| (event.aggregate != held.name, event.version));
    let seats: Vec<String> = held.items.iter().map(|item| item.seat.clone()).collect();
    let read: event::ReservationHeld = prost::Message::decode(events[0].data.as_slice()).unwrap();
    let expected = event::ReservationHeld {
        reservation: held.name.clone(),
        customer: customer(1),
        performance: world.performance.clone(),
        seats: seats.clone(),
        expire_time: Some(timestamp(NOW_MS + TTL)),
        queue_token: String::new(),
    };
    assert_eq!((read, events[0].saga, events[0].version), (expected, None, 1));
    let read: event::ReservationConfirmed = prost::Message::decode(events[1].data.as_slice()).unwrap();
    let expected = event::ReservationConfirmed {
        reservation: held.name.clone(),
        customer: customer(1),
        performance: world.performance.clone(),
        seats,
        total_amount: 2_000,
    };
    assert_eq!((read, events[1].saga, events[1].version), (expected, Some(id(2)), 3));
    let read: event::ReservationEnded = prost::Message::decode(events[3].data.as_slice()).unwrap();
    let expected = event::ReservationEnded {
        reservation: other.name.clone(),
        customer: customer(4),
        performance: world.performance.clone(),
        seats: vec![other.items[0].seat.clone()],
        state: "RELEASED".into(),
    };
    assert_eq!(read, expected);
}

#[tokio::test]
async fn whoever_ends_a_hold_that_has_lapsed_writes_it_down_once() {
    let world = World::new().await;
    let (first, second) = (world.hold(1, &["A-1"]).await.unwrap(), world.hold(2, &["A-2"]).await.unwrap());
    let third = world.hold(3, &["A-3"]).await.unwrap();
    world.clock.advance(TTL);
    // Its seat's next buyer, its own customer, the sweeper.
    world.hold(4, &["A-1"]).await.unwrap();
    world.hold(2, &["A-4"]).await.unwrap();
    world.sweep().await;
    for lapsed in [&first, &second, &third] {
        assert_eq!(path(&world, lapsed).await, "HELD EXPIRED");
        assert_eq!(told(&world, lapsed).await, "held expired");
        assert_eq!(history(&world, lapsed).await[1].actor, "time");
    }
    world.verify().await;
}

#[tokio::test]
async fn the_event_of_a_hold_names_the_place_in_the_waiting_room_that_came_with_it() {
    let room = format!("waitingRooms/{}", id(50));
    let world = World::with(pb::Concert { waiting_room: room.clone(), ..concert() }).await;
    let claims = Claims {
        room: room.clone(),
        customer: customer(1),
        queue_token: format!("{room}/queueTokens/{}", id(51)),
        expire_time_s: NOW_MS / 1_000 + 60,
    };
    let mut order = world.order(1, &["A-1"]);
    order.admission_pass = world.trusted_key().sign(&claims);
    world.place(order).await.unwrap();
    let read: event::ReservationHeld = prost::Message::decode(events(&world).await[0].data.as_slice()).unwrap();
    assert_eq!(read.queue_token, claims.queue_token);
}

#[tokio::test]
async fn holds_and_their_lapse_are_not_told_when_that_is_too_much() {
    let world = World::configured(concert_svc::Config { announce_holds: false, ..Default::default() }).await;
    let sold = world.buy(1, &["A-1"]).await;
    let released = world.hold(2, &["A-2"]).await.unwrap();
    world.release(2, &released).await.unwrap();
    let lapsed = world.hold(3, &["A-3"]).await.unwrap();
    world.clock.advance(TTL);
    world.hold(4, &["A-3"]).await.unwrap();
    assert_eq!(told(&world, &sold).await, "confirmed");
    assert_eq!(told(&world, &released).await, "released");
    assert_eq!(told(&world, &lapsed).await, "");
    // They are written down all the same.
    assert_eq!(path(&world, &lapsed).await, "HELD EXPIRED");
}
