//! Waiting rooms as gRPC sees them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use proto::token::v1 as pb;
use proto::token::v1::waiting_room_service_server::WaitingRoomService;
use service_kit::db::{self, Tx};
use service_kit::ids;
use service_kit::refusal::Fault;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Api, IDEMPOTENCY, answer, status};
use crate::room::{self, Change, Ordering, Room, Settings};
use crate::shuffle::Seed;
use crate::store::{self, Act};
use crate::{events, tokens, wire};

#[tonic::async_trait]
impl WaitingRoomService for Api {
    type WatchWaitingRoomStream = Pin<Box<dyn Stream<Item = Result<pb::WaitingRoomProgress, Status>> + Send>>;

    async fn create_waiting_room(
        &self,
        request: Request<pb::CreateWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let (call, id, settings) =
            wire::rooms::create(request.get_ref(), self.new_id(), &self.config).map_err(status)?;
        let seed = seed_for(&settings);
        let create = async move |tx: &mut Tx<'_>| {
            if !store::insert_room(tx, id, (&settings, seed)).await? {
                return Err(room::already_exists(id).into());
            }
            let room = tokens::expect_room(tx, id).await?;
            note(tx, &room, Verb { method: "CreateWaitingRoom", reason: "", from: "" }).await?;
            Ok(wire::rooms::room(&room, tx.now_ms()))
        };
        answer(self.host.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, create).await).await)
    }

    async fn get_waiting_room(
        &self,
        request: Request<pb::GetWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let id = wire::room_id("name", &request.get_ref().name).map_err(status)?;
        answer(self.line.room(id).await.map(|(room, now_ms)| wire::rooms::room(&room, now_ms)))
    }

    async fn list_waiting_rooms(
        &self,
        request: Request<pb::ListWaitingRoomsRequest>,
    ) -> Result<Response<pb::ListWaitingRoomsResponse>, Status> {
        let (from, size) = wire::rooms::page_of(request.get_ref()).map_err(status)?;
        let page = self.host.db.read(async move |tx| {
            let rooms = store::list_rooms(tx, from, size + 1).await?;
            Ok(wire::rooms::list(&rooms, size, tx.now_ms()))
        });
        answer(page.await)
    }

    async fn update_waiting_room(
        &self,
        request: Request<pb::UpdateWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let (request, config) = (request.into_inner(), self.config.clone());
        let id = wire::rooms::updated_id(&request).map_err(status)?;
        let seed = Seed(ids::secret());
        let updated = self.host.db.write(async move |tx| {
            let mut room = tokens::lock_room(tx, id).await?;
            let settings = wire::rooms::update(&room, &request, tx.now_ms(), &config)?;
            let shuffled = settings.ordering == Ordering::ShuffledPrequeue;
            room.shuffle_seed = room.shuffle_seed.or(shuffled.then_some(seed));
            apply(tx, room, Change::Set(settings), ("UpdateWaitingRoom", "")).await
        });
        self.changed(id, updated.await).await
    }

    async fn pause_waiting_room(
        &self,
        request: Request<pb::PauseWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let pb::PauseWaitingRoomRequest { name, reason } = request.into_inner();
        self.change(&name, Change::Pause, ("PauseWaitingRoom", reason)).await
    }

    async fn resume_waiting_room(
        &self,
        request: Request<pb::ResumeWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let pb::ResumeWaitingRoomRequest { name, reason } = request.into_inner();
        self.change(&name, Change::Resume, ("ResumeWaitingRoom", reason)).await
    }

    async fn close_waiting_room(
        &self,
        request: Request<pb::CloseWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let pb::CloseWaitingRoomRequest { name, reason } = request.into_inner();
        self.change(&name, Change::Close, ("CloseWaitingRoom", reason)).await
    }

    async fn mark_sold_out(
        &self,
        request: Request<pb::MarkSoldOutRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let pb::MarkSoldOutRequest { name, reason } = request.into_inner();
        self.change(&name, Change::SoldOut, ("MarkSoldOut", reason)).await
    }

    async fn clear_sold_out(
        &self,
        request: Request<pb::ClearSoldOutRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let pb::ClearSoldOutRequest { name, reason } = request.into_inner();
        self.change(&name, Change::OnSale, ("ClearSoldOut", reason)).await
    }

    async fn watch_waiting_room(
        &self,
        request: Request<pb::WatchWaitingRoomRequest>,
    ) -> Result<Response<Self::WatchWaitingRoomStream>, Status> {
        let id = wire::room_id("name", &request.get_ref().name).map_err(status)?;
        let (room, now_ms) = self.line.room(id).await.map_err(status)?;
        let progress = self.watchers.follow(id, wire::rooms::progress(&room, now_ms));
        let until_stop = progress.map(Ok).take_until(self.host.stop.clone().cancelled_owned());
        Ok(Response::new(Box::pin(until_stop)))
    }
}

impl Api {
    async fn change(
        &self,
        name: &str,
        change: Change,
        (method, reason): (&'static str, String),
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let id = wire::room_id("name", name).map_err(status)?;
        wire::optional_reason(&reason).map_err(status)?;
        let changed = self.host.db.write(async move |tx| {
            let room = tokens::lock_room(tx, id).await?;
            apply(tx, room, change, (method, &reason)).await
        });
        self.changed(id, changed.await).await
    }

    /// Tells the line of a change, and answers with its counts.
    async fn changed(&self, id: Uuid, result: Result<(), Fault>) -> Result<Response<pb::WaitingRoom>, Status> {
        result.map_err(status)?;
        self.line.changed(id).await;
        answer(self.line.room(id).await.map(|(room, now_ms)| wire::rooms::room(&room, now_ms)))
    }
}

/// What an operator did.
struct Verb<'a> {
    method: &'static str,
    reason: &'a str,
    /// The state that he did it in.
    from: &'static str,
}

async fn apply(
    tx: &mut Tx<'_>,
    mut room: Room,
    change: Change,
    (method, reason): (&'static str, &str),
) -> Result<(), Fault> {
    let (now_ms, was_sold_out) = (tx.now_ms(), room.sold_out_time.is_some());
    let from = room.state(now_ms).name();
    if !room.apply(change, now_ms)? {
        return Ok(());
    }
    store::save_settings(tx, &mut room).await?;
    note(tx, &room, Verb { method, reason, from }).await?;
    if room.sold_out_time.is_some() && !was_sold_out {
        events::sold_out(tx, &mut room).await?;
    }
    Ok(events::room_news(tx, &mut room).await?)
}

async fn note(tx: &mut Tx<'_>, room: &Room, Verb { method, reason, from }: Verb<'_>) -> Result<(), db::Error> {
    let to_state = room.state(tx.now_ms()).name();
    let act = Act { room: room.id, token: None, method, from_state: from, to_state, reason, version: room.version };
    store::note(tx, act).await
}

/// What a shuffled prequeue will be drawn by: made before anybody can come.
fn seed_for(settings: &Settings) -> Option<Seed> {
    (settings.ordering == Ordering::ShuffledPrequeue).then(|| Seed(ids::secret()))
}
