//! What the service tells the world, in the transaction of what it tells of.

use prost::Message as _;
use proto::event::v1 as pb;
use service_kit::db::{self, Tx};
use service_kit::ids;
use service_kit::outbox::{Draft, Event, Outbox};
use service_kit::wire::timestamp;
use uuid::Uuid;

use crate::queue::{Token, TokenState};
use crate::room::{self, Room, RoomState};
use crate::store;

const OUTBOX: Outbox = service_kit::outbox!("token");
/// A token has one event in its life: its third change at most.
const ENDED: i64 = 3;

/// Tells of tokens that have been completed or have expired; whoever left or was sent away is no news.
pub(crate) async fn tokens_ended(tx: &mut Tx<'_>, tokens: &[Token], saga: Option<Uuid>) -> Result<(), db::Error> {
    let now_ms = tx.now_ms();
    let bucket = saga.map_or(0, |saga| tx.bucket(saga));
    let ended = tokens.iter().filter_map(|token| ended(token, now_ms));
    let events: Vec<_> = ended.map(|event| Event { bucket, saga, ..event }).collect();
    if !events.is_empty() {
        tx.announces();
    }
    // Many may end at once: over a network their events travel together.
    let rows: Vec<_> = events.iter().map(|event| OUTBOX.insertion(event.bucket, event)).collect();
    tx.execute_each(&rows).await.map(drop)
}

fn ended(token: &Token, now_ms: i64) -> Option<Event> {
    let kind = match token.state {
        TokenState::Completed => "ticketing.queuetoken.completed.v1",
        TokenState::Expired => "ticketing.queuetoken.expired.v1",
        TokenState::Waiting | TokenState::Active | TokenState::Left | TokenState::Revoked => return None,
    };
    let (aggregate, partition) = (token.key.name(), format!("customers/{}", token.customer));
    let data = pb::QueueTokenEnded {
        queue_token: aggregate.clone(),
        customer: partition.clone(),
        state: token.state.name().to_owned(),
        activate_time: token.stay.map(|stay| timestamp(stay.activate_time)),
        end_time: Some(timestamp(now_ms)),
    };
    Some(Event {
        bucket: 0,
        id: ids::derived_at(now_ms, token.key.token, kind),
        aggregate,
        kind: kind.to_owned(),
        saga: None,
        data: data.encode_to_vec(),
        create_time: now_ms,
        partition,
        version: ENDED,
    })
}

/// Tells that a room has opened or closed, if it is time, and has not been told.
pub(crate) async fn room_news(tx: &mut Tx<'_>, room: &mut Room) -> Result<(), db::Error> {
    let Some(news) = room.news(tx.now_ms()) else {
        return Ok(());
    };
    room.announced = news;
    match news {
        room::Announced::Nothing => Ok(()),
        room::Announced::Opened => room_changed(tx, room, "ticketing.waitingroom.opened.v1").await,
        room::Announced::Closed => room_changed(tx, room, "ticketing.waitingroom.closed.v1").await,
    }
}

/// Tells that there is nothing left to sell.
pub(crate) async fn sold_out(tx: &mut Tx<'_>, room: &mut Room) -> Result<(), db::Error> {
    room_changed(tx, room, "ticketing.waitingroom.soldout.v1").await
}

async fn room_changed(tx: &mut Tx<'_>, room: &mut Room, kind: &'static str) -> Result<(), db::Error> {
    room.event_count += 1;
    store::count_event(tx, room).await?;
    let state = room.state(tx.now_ms());
    let state = if room.sold_out_time.is_some() && state != RoomState::Closed { "SOLD_OUT" } else { state.name() };
    let data = pb::WaitingRoomChanged {
        waiting_room: room::name(room.id),
        state: state.to_owned(),
        issued_count: room.issued_count,
        admitted_through: room.admitted_through,
    };
    let draft = Draft {
        kind,
        aggregate: room::name(room.id),
        version: room.event_count,
        partition: room::name(room.id),
        saga: None,
        data: data.encode_to_vec(),
    };
    OUTBOX.announce(tx, draft).await
}
