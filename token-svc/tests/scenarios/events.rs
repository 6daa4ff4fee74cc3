//! What the service tells the world, and what it keeps about its operators.

use prost::Message as _;
use proto::event::v1 as pb;
use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::outbox::{Event, Outbox};

use crate::world::{World, small_room};

const OUTBOX: Outbox = service_kit::outbox!("token");

async fn told(world: &World) -> Vec<Event> {
    let told: Result<_, db::Error> = world.host.db.read(async |tx: &mut Tx<'_>| OUTBOX.take(tx, 1_000).await).await;
    told.unwrap()
}

/// Kinds of events, without their common beginning and end.
fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.trim_start_matches("ticketing.").trim_end_matches(".v1")).collect()
}

#[tokio::test]
async fn a_room_tells_that_it_opened_sold_out_and_closed_each_once_and_in_order() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    world.join(&room, 3).await;
    world.tick(3).await;
    for _ in 0..2 {
        let request = proto::token::v1::MarkSoldOutRequest { name: room.clone(), reason: String::new() };
        world.rooms.clone().mark_sold_out(request).await.unwrap();
    }
    world.clock.advance(1);
    world.close(&room).await;
    world.tick(2).await;
    world.sweep().await;
    let events: Vec<_> = told(&world).await.into_iter().filter(|event| event.aggregate == room).collect();
    assert_eq!(kinds(&events), ["waitingroom.opened", "waitingroom.soldout", "waitingroom.closed"]);
    assert_eq!(events.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3]);
    let sold_out = pb::WaitingRoomChanged::decode(events[1].data.as_slice()).unwrap();
    let expected =
        pb::WaitingRoomChanged { waiting_room: room, state: "SOLD_OUT".into(), issued_count: 3, admitted_through: 3 };
    assert_eq!(sold_out, expected);
}

#[tokio::test]
async fn a_token_tells_its_end_once_when_it_was_completed_or_expired() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 12).await;
    world.tick(2).await;
    assert_eq!(world.states(&tokens[..4]).await, "AAAA");
    let announced = world.host.db.announcements();
    for _ in 0..2 {
        world.complete(&tokens[0], 1).await.unwrap();
    }
    assert!(announced.has_changed().unwrap(), "the relay is not woken");
    world.leave(&tokens[1]).await;
    world.revoke(&tokens[2]).await;
    world.revoke(&tokens[0]).await;
    world.clock.advance(600_000);
    world.sweep().await;
    world.close(&room).await;
    world.sweep().await;
    world.sweep().await;
    let events: Vec<_> = told(&world).await.into_iter().filter(|event| event.aggregate != room).collect();
    let ended = |kind: &str| events.iter().filter(|event| event.kind.contains(kind)).count();
    // Of twelve one was completed, one left, one was sent away.
    assert_eq!((ended("queuetoken.completed"), ended("queuetoken.expired"), events.len()), (1, 9, 10));
    let completed = pb::QueueTokenEnded::decode(events[0].data.as_slice()).unwrap();
    assert_eq!((completed.queue_token.as_str(), completed.state.as_str()), (tokens[0].as_str(), "COMPLETED"));
    assert!(completed.activate_time.is_some() && completed.end_time.is_some());
    assert_eq!((events[0].partition.as_str(), events[0].saga.is_some()), (completed.customer.as_str(), true));
    world.verify().await;
}

#[tokio::test]
async fn what_operators_do_is_kept_with_its_reason() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let token = world.join(&room, 1).await.remove(0);
    for _ in 0..2 {
        world.pause(&room).await.unwrap();
    }
    world.resume(&room).await.unwrap();
    world.revoke(&token).await;
    world.close(&room).await;
    const SELECT: &str = "select method, from_state, to_state, reason from token_audit order by create_time, id";
    let acts: Result<Vec<Act>, db::Error> =
        world.host.db.read(async |tx: &mut Tx<'_>| tx.fetch_all(SELECT, args![]).await).await;
    let mut acts: Vec<_> = acts.unwrap().into_iter().map(|Act(all)| all.join(" ")).collect();
    acts.sort_unstable();
    let expected = [
        "CloseWaitingRoom OPEN CLOSED rain",
        "CreateWaitingRoom  OPEN ",
        "PauseWaitingRoom OPEN PAUSED rain",
        "ResumeWaitingRoom PAUSED OPEN rain",
        "RevokeQueueToken WAITING REVOKED a bot",
    ];
    assert_eq!(acts, expected);
}

struct Act([String; 4]);

impl db::FromRow for Act {
    fn from_row(row: &db::Row<'_>) -> Result<Self, db::Error> {
        Ok(Self([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
    }
}

#[tokio::test]
async fn tokens_are_forgotten_a_month_after_their_room_has_closed() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 5).await;
    world.close(&room).await;
    world.sweep().await;
    world.clock.advance(2_591_999_999);
    world.jobs.purge().await.unwrap();
    assert_eq!(world.states(&tokens).await, "EEEEE");
    world.clock.advance(1);
    for _ in 0..2 {
        world.jobs.purge().await.unwrap();
    }
    let request = proto::token::v1::GetQueueTokenRequest { name: tokens[0].clone() };
    assert!(world.tokens.clone().get_queue_token(request).await.is_err());
    assert_eq!(world.room(&room).await.issued_count, 5);
    world.verify().await;
}
