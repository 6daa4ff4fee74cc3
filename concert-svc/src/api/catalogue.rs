//! `ConcertService`: concerts, performances, seats.

use proto::concert::v1 as pb;
use proto::concert::v1::concert_service_server::ConcertService;
use service_kit::db::Tx;
use service_kit::idempotency::Call;
use service_kit::page;
use service_kit::refusal::{Fault, Refusal};
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{Api, IDEMPOTENCY, answer, not_offered};
use crate::concert::{Concert, Performance};
use crate::wire::{self, catalogue, listing, update};
use crate::{not_found, store};

#[tonic::async_trait]
impl ConcertService for Api {
    async fn create_concert(
        &self,
        request: Request<pb::CreateConcertRequest>,
    ) -> Result<Response<pb::Concert>, Status> {
        answer(self.create_concert(request.get_ref()).await)
    }

    async fn get_concert(&self, request: Request<pb::GetConcertRequest>) -> Result<Response<pb::Concert>, Status> {
        answer(self.get_concert(&request.get_ref().name).await)
    }

    async fn list_concerts(
        &self,
        request: Request<pb::ListConcertsRequest>,
    ) -> Result<Response<pb::ListConcertsResponse>, Status> {
        answer(self.list_concerts(request.get_ref()).await)
    }

    async fn update_concert(
        &self,
        request: Request<pb::UpdateConcertRequest>,
    ) -> Result<Response<pb::Concert>, Status> {
        answer(self.update_concert(request.into_inner()).await)
    }

    async fn publish_concert(
        &self,
        request: Request<pb::PublishConcertRequest>,
    ) -> Result<Response<pb::Concert>, Status> {
        let pb::PublishConcertRequest { name, etag } = request.into_inner();
        answer(self.change_concert(&name, etag, |concert| Ok(concert.publish()?)).await)
    }

    async fn suspend_concert(
        &self,
        request: Request<pb::SuspendConcertRequest>,
    ) -> Result<Response<pb::Concert>, Status> {
        let pb::SuspendConcertRequest { name, etag } = request.into_inner();
        answer(self.change_concert(&name, etag, |concert| Ok(concert.suspend()?)).await)
    }

    async fn close_concert(&self, request: Request<pb::CloseConcertRequest>) -> Result<Response<pb::Concert>, Status> {
        let pb::CloseConcertRequest { name, etag } = request.into_inner();
        let close = |concert: &mut Concert| {
            concert.close();
            Ok(())
        };
        answer(self.change_concert(&name, etag, close).await)
    }

    async fn create_performance(
        &self,
        request: Request<pb::CreatePerformanceRequest>,
    ) -> Result<Response<pb::Performance>, Status> {
        answer(self.create_performance(request.get_ref()).await)
    }

    async fn get_performance(
        &self,
        request: Request<pb::GetPerformanceRequest>,
    ) -> Result<Response<pb::Performance>, Status> {
        answer(self.get_performance(&request.get_ref().name).await)
    }

    async fn list_performances(
        &self,
        request: Request<pb::ListPerformancesRequest>,
    ) -> Result<Response<pb::ListPerformancesResponse>, Status> {
        answer(self.list_performances(request.get_ref()).await)
    }

    async fn cancel_performance(
        &self,
        _: Request<pb::CancelPerformanceRequest>,
    ) -> Result<Response<pb::Performance>, Status> {
        not_offered("CancelPerformance")
    }

    async fn batch_create_seats(
        &self,
        request: Request<pb::BatchCreateSeatsRequest>,
    ) -> Result<Response<pb::BatchCreateSeatsResponse>, Status> {
        answer(self.batch_create_seats(request.get_ref()).await)
    }

    async fn block_seats(
        &self,
        request: Request<pb::BlockSeatsRequest>,
    ) -> Result<Response<pb::BlockSeatsResponse>, Status> {
        answer(self.block_seats(request.get_ref()).await)
    }

    async fn unblock_seats(
        &self,
        request: Request<pb::UnblockSeatsRequest>,
    ) -> Result<Response<pb::UnblockSeatsResponse>, Status> {
        answer(self.unblock_seats(request.get_ref()).await)
    }

    async fn change_seat_prices(
        &self,
        request: Request<pb::ChangeSeatPricesRequest>,
    ) -> Result<Response<pb::ChangeSeatPricesResponse>, Status> {
        answer(self.change_seat_prices(request.get_ref()).await)
    }

    async fn list_seats(
        &self,
        request: Request<pb::ListSeatsRequest>,
    ) -> Result<Response<pb::ListSeatsResponse>, Status> {
        answer(self.list_seats(request.get_ref()).await)
    }

    async fn get_seat_availability(
        &self,
        request: Request<pb::GetSeatAvailabilityRequest>,
    ) -> Result<Response<pb::SeatAvailability>, Status> {
        answer(self.get_seat_availability(request.get_ref()).await)
    }

    type WatchSeatAvailabilityStream = BoxStream<pb::SeatAvailabilityDelta>;

    async fn watch_seat_availability(
        &self,
        request: Request<pb::WatchSeatAvailabilityRequest>,
    ) -> Result<Response<Self::WatchSeatAvailabilityStream>, Status> {
        answer(self.watch_seat_availability(request.get_ref()).await)
    }
}

impl Api {
    async fn create_concert(&self, request: &pb::CreateConcertRequest) -> Result<pb::Concert, Fault> {
        let call = Call::new("CreateConcert", wire::request_id(&request.request_id)?, request);
        let host = &self.0.host;
        let now_ms = host.clock.now_ms();
        let concert = catalogue::new_concert(request, host.ids.next(now_ms), now_ms)?;
        let work = async move |tx: &mut Tx<'_>| {
            IDEMPOTENCY.once(tx, &call, async move |tx| add_concert(tx, &concert).await).await
        };
        host.db.write(work).await
    }

    async fn get_concert(&self, name: &str) -> Result<pb::Concert, Fault> {
        let id = wire::concert_name("name", name)?;
        let found = self.0.host.db.read(async move |tx| store::concert(tx, id).await).await?;
        found.as_ref().map(catalogue::concert).ok_or_else(|| not_found::concert(id).into())
    }

    async fn list_concerts(&self, request: &pb::ListConcertsRequest) -> Result<pb::ListConcertsResponse, Fault> {
        let (size, after) = catalogue::concerts_after(request)?;
        let order = after.order;
        let rows = self.0.host.db.read(async move |tx| store::concerts(tx, &after).await).await?;
        let (concerts, next_page_token) =
            page::cut(rows, size, |concert| listing::time_token(order.time(concert), concert.id));
        let concerts = concerts.iter().map(catalogue::concert).collect();
        Ok(pb::ListConcertsResponse { concerts, next_page_token })
    }

    async fn change_concert(
        &self,
        name: &str,
        etag: String,
        change: impl Fn(&mut Concert) -> Result<(), Fault> + Clone + Send + 'static,
    ) -> Result<pb::Concert, Fault> {
        let id = wire::concert_name("name", name)?;
        self.0.host.db.write(async move |tx: &mut Tx<'_>| change_concert(tx, id, &etag, change).await).await
    }

    async fn update_concert(&self, request: pb::UpdateConcertRequest) -> Result<pb::Concert, Fault> {
        let concert = request.concert.as_ref().ok_or_else(|| Fault::field("concert", "is required"))?;
        let id = wire::concert_name("concert.name", &concert.name)?;
        let etag = concert.etag.clone();
        let change = move |concert: &mut Concert| {
            *concert = update::updated(concert, &request)?;
            Ok(())
        };
        self.0.host.db.write(async move |tx: &mut Tx<'_>| change_concert(tx, id, &etag, change).await).await
    }

    async fn create_performance(&self, request: &pb::CreatePerformanceRequest) -> Result<pb::Performance, Fault> {
        let call = Call::new("CreatePerformance", wire::request_id(&request.request_id)?, request);
        let host = &self.0.host;
        let now_ms = host.clock.now_ms();
        let performance = catalogue::new_performance(request, host.ids.next(now_ms), now_ms)?;
        let work = async move |tx: &mut Tx<'_>| {
            let add = async move |tx: &mut Tx<'_>| add_performance(tx, &performance).await;
            IDEMPOTENCY.once(tx, &call, add).await
        };
        host.db.write(work).await
    }

    async fn get_performance(&self, name: &str) -> Result<pb::Performance, Fault> {
        let (concert, id) = wire::performance_name("name", name)?;
        let read = async move |tx: &mut Tx<'_>| expect_performance(tx, (concert, id)).await;
        self.0.host.db.read(read).await.map(|found| catalogue::performance(&found))
    }

    async fn list_performances(
        &self,
        request: &pb::ListPerformancesRequest,
    ) -> Result<pb::ListPerformancesResponse, Fault> {
        let (size, after) = catalogue::performances_after(request)?;
        let read = async move |tx: &mut Tx<'_>| {
            expect_concert(tx, after.concert).await?;
            Ok::<_, Fault>(store::performances(tx, &after).await?)
        };
        let rows = self.0.host.db.read(read).await?;
        let (performances, next_page_token) = page::cut(rows, size, |row| listing::time_token(row.start_time, row.id));
        let performances = performances.iter().map(catalogue::performance).collect();
        Ok(pb::ListPerformancesResponse { performances, next_page_token })
    }
}

async fn add_concert(tx: &mut Tx<'_>, concert: &Concert) -> Result<pb::Concert, Fault> {
    if store::insert_concert(tx, concert).await? {
        return Ok(catalogue::concert(concert));
    }
    let name = format!("concerts/{}", concert.id);
    Err(exists("CONCERT_EXISTS", &name).with("name", name).into())
}

async fn change_concert(
    tx: &mut Tx<'_>,
    id: Uuid,
    etag: &str,
    change: impl Fn(&mut Concert) -> Result<(), Fault>,
) -> Result<pb::Concert, Fault> {
    let found = store::concert_to_change(tx, id).await?;
    let mut concert = found.ok_or_else(|| not_found::concert(id))?;
    concert.expect_version(etag)?;
    let before = concert.clone();
    change(&mut concert)?;
    if concert != before {
        concert.version += 1;
        concert.update_time = tx.now_ms();
        store::save_concert(tx, &concert).await?;
    }
    Ok(catalogue::concert(&concert))
}

async fn add_performance(tx: &mut Tx<'_>, performance: &Performance) -> Result<pb::Performance, Fault> {
    expect_concert(tx, performance.concert).await?;
    if store::insert_performance(tx, performance).await? {
        return Ok(catalogue::performance(performance));
    }
    let name = format!("concerts/{}/performances/{}", performance.concert, performance.id);
    Err(exists("PERFORMANCE_EXISTS", &name).with("name", name).into())
}

fn exists(reason: &'static str, what: &str) -> Refusal {
    Refusal::new(Code::AlreadyExists, reason, format!("{what} exists already"))
}

async fn expect_concert(tx: &mut Tx<'_>, id: Uuid) -> Result<Concert, Fault> {
    Ok(store::concert(tx, id).await?.ok_or_else(|| not_found::concert(id))?)
}

pub(super) async fn expect_performance(tx: &mut Tx<'_>, (concert, id): (Uuid, Uuid)) -> Result<Performance, Fault> {
    let found = store::performance(tx, concert, id).await?;
    Ok(found.ok_or_else(|| not_found::performance(concert, id))?)
}
