//! Waiting rooms as gRPC sees them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use proto::token::v1 as pb;
use proto::token::v1::waiting_room_service_server::WaitingRoomService;
use service_kit::db::Tx;
use service_kit::refusal::Fault;
use tonic::{Request, Response, Status};

use super::{Api, IDEMPOTENCY, answer, status};
use crate::room::{self, Change, Room};
use crate::{store, tokens, wire};

#[tonic::async_trait]
impl WaitingRoomService for Api {
    type WatchWaitingRoomStream = Pin<Box<dyn Stream<Item = Result<pb::WaitingRoomProgress, Status>> + Send>>;

    async fn create_waiting_room(
        &self,
        request: Request<pb::CreateWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let (call, id, settings) =
            wire::rooms::create(request.get_ref(), self.new_id(), &self.config).map_err(status)?;
        let create = async move |tx: &mut Tx<'_>| {
            if !store::insert_room(tx, id, &settings).await? {
                return Err(room::already_exists(id).into());
            }
            Ok(wire::rooms::room(&tokens::expect_room(tx, id).await?, tx.now_ms()))
        };
        answer(self.host.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, create).await).await)
    }

    async fn get_waiting_room(
        &self,
        request: Request<pb::GetWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        let id = wire::room_id("name", &request.get_ref().name).map_err(status)?;
        let found = self.host.db.read(async move |tx| {
            let room = tokens::expect_room(tx, id).await?;
            Ok(wire::rooms::room(&room, tx.now_ms()))
        });
        answer(found.await)
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
        let (request, config) = (request.into_inner(), self.config);
        let id = wire::rooms::updated_id(&request).map_err(status)?;
        let updated = self.host.db.write(async move |tx| {
            let room = tokens::lock_room(tx, id).await?;
            let settings = wire::rooms::update(&room, &request, tx.now_ms(), &config)?;
            apply(tx, room, Change::Set(settings)).await
        });
        answer(updated.await)
    }

    async fn pause_waiting_room(
        &self,
        request: Request<pb::PauseWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        self.change(&request.get_ref().name, Change::Pause).await
    }

    async fn resume_waiting_room(
        &self,
        request: Request<pb::ResumeWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        self.change(&request.get_ref().name, Change::Resume).await
    }

    async fn close_waiting_room(
        &self,
        request: Request<pb::CloseWaitingRoomRequest>,
    ) -> Result<Response<pb::WaitingRoom>, Status> {
        self.change(&request.get_ref().name, Change::Close).await
    }

    async fn watch_waiting_room(
        &self,
        request: Request<pb::WatchWaitingRoomRequest>,
    ) -> Result<Response<Self::WatchWaitingRoomStream>, Status> {
        let id = wire::room_id("name", &request.get_ref().name).map_err(status)?;
        let now = self.host.db.read(async move |tx| {
            let room = tokens::expect_room(tx, id).await?;
            Ok::<_, Fault>(wire::rooms::progress(&room, tx.now_ms()))
        });
        let progress = self.watchers.follow(id, now.await.map_err(status)?);
        let until_stop = progress.map(Ok).take_until(self.host.stop.clone().cancelled_owned());
        Ok(Response::new(Box::pin(until_stop)))
    }
}

impl Api {
    async fn change(&self, name: &str, change: Change) -> Result<Response<pb::WaitingRoom>, Status> {
        let id = wire::room_id("name", name).map_err(status)?;
        let changed = self.host.db.write(async move |tx| {
            let room = tokens::lock_room(tx, id).await?;
            apply(tx, room, change).await
        });
        answer(changed.await)
    }
}

async fn apply(tx: &mut Tx<'_>, mut room: Room, change: Change) -> Result<pb::WaitingRoom, Fault> {
    let now_ms = tx.now_ms();
    if room.apply(change, now_ms)? {
        store::save_settings(tx, &mut room).await?;
    }
    Ok(wire::rooms::room(&room, now_ms))
}
