//! What operators do with rooms.

use proto::token::v1 as pb;
use proto::token::v1::waiting_room::{Ordering, State};
use service_kit::wire::{duration, timestamp};
use tonic::{Code, Response};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::world::{T0, World, counts_in_tables, refusal, refused, small_room};

#[tokio::test]
async fn the_time_takes_a_room_from_scheduled_to_closed() {
    let world = World::new().await;
    let room = pb::WaitingRoom {
        prequeue_open_time: Some(timestamp(T0 + 1_000)),
        open_time: Some(timestamp(T0 + 2_000)),
        close_time: Some(timestamp(T0 + 3_000)),
        ..small_room()
    };
    let room = world.open(room).await;
    let early = world.issue(&room, 1).await;
    assert_eq!(refusal(early), refused(Code::FailedPrecondition, "WAITING_ROOM_NOT_OPEN"));
    assert_eq!(refusal(world.pause(&room).await), refused(Code::FailedPrecondition, "WAITING_ROOM_NOT_OPEN"));
    let mut states = vec![world.room(&room).await.state()];
    for customer in 1..=3 {
        world.clock.advance(1_000);
        states.push(world.room(&room).await.state());
        assert_eq!(world.issue(&room, customer).await.is_ok(), customer < 3);
    }
    assert_eq!(states, [State::Scheduled, State::Prequeue, State::Open, State::Closed]);
    let late = world.issue(&room, 4).await;
    assert_eq!(refusal(late), refused(Code::FailedPrecondition, "WAITING_ROOM_CLOSED"));
    world.verify().await;
}

#[tokio::test]
async fn a_closed_room_sends_those_who_wait_away_and_lets_those_inside_finish() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 9).await;
    world.tick(2).await;
    assert_eq!(world.states(&tokens[..2]).await, "AA");
    for _ in 0..2 {
        assert_eq!(world.close(&room).await.state(), State::Closed);
    }
    assert_eq!(world.states(&tokens).await, "AAEEEEEEE");
    world.sweep().await;
    assert_eq!(world.room(&room).await.active_count, 2);
    assert_eq!(refusal(world.issue(&room, 3).await), refused(Code::FailedPrecondition, "WAITING_ROOM_CLOSED"));
    assert!(world.extend(&tokens[0], T0 + 900_000).await.is_ok());
    world.complete(&tokens[0], 1).await.unwrap();
    world.clock.advance(600_000);
    world.sweep().await;
    world.sweep().await;
    assert_eq!(world.states(&tokens).await, "CEEEEEEEE");
    assert_eq!(world.room(&room).await.active_count, 0);
    world.verify().await;
}

#[tokio::test]
async fn pausing_and_resuming_twice_is_no_fault_and_counts_once() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    for _ in 0..2 {
        let paused = world.pause(&room).await.unwrap();
        assert_eq!((paused.state(), paused.etag.as_str()), (State::Paused, "2"));
    }
    for _ in 0..2 {
        let resumed = world.resume(&room).await.unwrap();
        assert_eq!((resumed.state(), resumed.etag.as_str()), (State::Open, "3"));
    }
}

#[tokio::test]
async fn what_is_not_said_has_its_default() {
    let world = World::new().await;
    let room = pb::WaitingRoom { active_ttl: None, claim_ttl: None, max_active_lifetime: None, ..small_room() };
    let room = world.create(room).await.unwrap();
    assert_eq!(room.active_ttl, Some(duration(600_000)));
    assert_eq!(room.claim_ttl, Some(duration(60_000)));
    assert_eq!(room.max_active_lifetime, Some(duration(1_800_000)));
    assert_eq!(room.ordering(), Ordering::Fifo);
    assert_eq!(world.room(&room.name).await, room);
}

#[tokio::test]
async fn a_room_that_cannot_be_is_refused_by_its_field() {
    type Spoil = fn(&mut pb::WaitingRoom);
    let cases: [(&str, Spoil); 15] = [
        ("prequeue_open_time", |room| room.ordering = Ordering::ShuffledPrequeue.into()),
        ("ordering", |room| room.ordering = 77),
        ("open_time", |room| room.open_time = None),
        ("open_time", |room| room.open_time = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 })),
        ("prequeue_open_time", |room| room.prequeue_open_time = Some(timestamp(T0 + 1))),
        ("close_time", |room| room.close_time = Some(timestamp(T0))),
        ("max_active_tokens", |room| room.max_active_tokens = 0),
        ("max_active_tokens", |room| room.max_active_tokens = i32::MAX),
        ("admissions_per_second", |room| room.admissions_per_second = 0.0),
        ("admissions_per_second", |room| room.admissions_per_second = f64::NAN),
        ("admissions_per_second", |room| room.admissions_per_second = f64::INFINITY),
        ("active_ttl", |room| room.active_ttl = Some(duration(1_800_001))),
        ("claim_ttl", |room| room.claim_ttl = Some(duration(-60_000))),
        ("max_active_lifetime", |room| room.max_active_lifetime = Some(duration(i64::MAX / 2))),
        ("max_waiting", |room| room.max_waiting = -1),
    ];
    let world = World::new().await;
    for (field, spoil) in cases {
        let mut room = small_room();
        spoil(&mut room);
        let status = world.create(room).await.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!((status.code(), &*violations[0].field), (Code::InvalidArgument, &*format!("waiting_room.{field}")));
    }
    let rooms = world.rooms.clone().list_waiting_rooms(pb::ListWaitingRoomsRequest::default()).await.unwrap();
    assert_eq!(rooms.into_inner().waiting_rooms, []);
}

#[tokio::test]
async fn a_room_is_made_once_for_each_request_and_id() {
    let world = World::new().await;
    let create = async |id: u128, request_id: u128| {
        let request = pb::CreateWaitingRoomRequest {
            waiting_room: Some(small_room()),
            waiting_room_id: Uuid::from_u128(id).into(),
            request_id: Uuid::from_u128(request_id).into(),
        };
        world.rooms.clone().create_waiting_room(request).await.map(Response::into_inner)
    };
    let room = create(1, 1).await.unwrap();
    assert_eq!(room.name, format!("waitingRooms/{}", Uuid::from_u128(1)));
    assert_eq!(create(1, 1).await.unwrap(), room);
    assert_eq!(refusal(create(1, 2).await), refused(Code::AlreadyExists, "WAITING_ROOM_ALREADY_EXISTS"));
    assert_eq!(refusal(create(2, 1).await), refused(Code::InvalidArgument, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_nothing_else() {
    let world = World::new().await;
    let before = world.create(small_room()).await.unwrap();
    let new = pb::WaitingRoom {
        name: before.name.clone(),
        max_active_tokens: 50,
        admissions_per_second: 7.5,
        max_waiting: 9,
        ..Default::default()
    };
    let after = world.update(new, &["max_active_tokens", "admissions_per_second"]).await.unwrap();
    let expected =
        pb::WaitingRoom { max_active_tokens: 50, admissions_per_second: 7.5, etag: "2".into(), ..before.clone() };
    assert_eq!(after, expected);
    assert_eq!(world.room(&before.name).await, expected);
}

#[tokio::test]
async fn an_update_of_what_was_not_read_or_cannot_change_is_refused() {
    let world = World::new().await;
    let room = world.create(small_room()).await.unwrap();
    let update = async |change: pb::WaitingRoom, path: &str| refusal(world.update(change, &[path]).await);
    let invalid = refused(Code::InvalidArgument, "FIELD_INVALID");
    let stale = pb::WaitingRoom { etag: "7".into(), ..room.clone() };
    assert_eq!(update(stale, "max_waiting").await, refused(Code::Aborted, "ETAG_MISMATCH"));
    assert_eq!(update(room.clone(), "active_count").await, invalid);
    let later = pb::WaitingRoom { open_time: Some(timestamp(T0 + 1)), ..room.clone() };
    assert_eq!(update(later, "open_time").await, invalid);
    let shuffled = pb::WaitingRoom { ordering: Ordering::ShuffledPrequeue.into(), ..room.clone() };
    assert_eq!(update(shuffled, "ordering").await, invalid);
    assert_eq!(world.room(&room.name).await, room);

    world.close(&room.name).await;
    assert_eq!(update(room, "max_waiting").await, refused(Code::FailedPrecondition, "WAITING_ROOM_CLOSED"));
}

#[tokio::test]
async fn rooms_are_listed_oldest_first_page_by_page() {
    let world = World::new().await;
    let mut names = Vec::new();
    for _ in 0..5 {
        names.push(world.open(small_room()).await);
        world.clock.advance(1);
    }
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListWaitingRoomsRequest { page_size: 2, page_token };
        let page = world.rooms.clone().list_waiting_rooms(request).await.unwrap().into_inner();
        assert!(page.waiting_rooms.len() <= 2);
        listed.extend(page.waiting_rooms.into_iter().map(|room| room.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, names);
    for (page_size, page_token) in [(-1, ""), (0, "x"), (0, "1/x")] {
        let request = pb::ListWaitingRoomsRequest { page_size, page_token: page_token.into() };
        let answer = world.rooms.clone().list_waiting_rooms(request).await;
        assert_eq!(refusal(answer), refused(Code::InvalidArgument, "FIELD_INVALID"));
    }
}

#[tokio::test]
async fn a_room_that_does_not_exist_is_not_found() {
    let world = World::new().await;
    let nowhere = format!("waitingRooms/{}", Uuid::from_u128(7));
    let missing = refused(Code::NotFound, "WAITING_ROOM_NOT_FOUND");
    let room = pb::WaitingRoom { name: nowhere.clone(), ..small_room() };
    assert_eq!(refusal(world.pause(&nowhere).await), missing);
    assert_eq!(refusal(world.update(room, &["max_waiting"]).await), missing);
    let watch = pb::WatchWaitingRoomRequest { name: nowhere };
    assert_eq!(refusal(world.rooms.clone().watch_waiting_room(watch).await), missing);
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_room_hears_of_it_until_the_service_stops() {
    // Time that is paused does not wait for a server.
    if !counts_in_tables() {
        return;
    }
    let world = World::with_jobs().await;
    let room = world.open(small_room()).await;
    world.join(&room, 3).await;
    let watch = pb::WatchWaitingRoomRequest { name: room };
    let mut news = world.rooms.clone().watch_waiting_room(watch).await.unwrap().into_inner();
    let first = news.message().await.unwrap().unwrap();
    assert_eq!((first.issued_count, first.admitted_through), (3, 0));
    world.tick(1).await;
    let mut next = news.message().await.unwrap().unwrap();
    while next.admitted_through == 0 {
        next = news.message().await.unwrap().unwrap();
    }
    assert_eq!((next.admitted_through, next.state()), (2, State::Open));
    world.host.shut_down().await;
    while news.message().await.unwrap().is_some() {}
}
