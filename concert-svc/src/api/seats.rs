//! The part of `ConcertService` that deals with seats: adding them, what operators do to them, lists, and the map.

use std::future::ready;

use futures_util::StreamExt as _;
use proto::concert::v1 as pb;
use service_kit::db::Tx;
use service_kit::idempotency::Call;
use service_kit::page;
use service_kit::refusal::{Fault, Refusal};
use tonic::codegen::BoxStream;
use uuid::Uuid;

use super::catalogue::expect_performance;
use super::{Api, DOMAIN, IDEMPOTENCY};
use crate::seat::{self, Seat};
use crate::stock::{self, Change};
use crate::wire::{self, catalogue, seats};
use crate::{not_found, store};

/// Seats that a refusal names; it counts the others.
const SEATS_NAMED: usize = 10;

impl Api {
    pub(super) async fn batch_create_seats(
        &self,
        request: &pb::BatchCreateSeatsRequest,
    ) -> Result<pb::BatchCreateSeatsResponse, Fault> {
        let call = Call::new("BatchCreateSeats", wire::request_id(&request.request_id)?, request);
        let performance = wire::performance_name("parent", &request.parent)?;
        let seats = catalogue::new_seats(request, &self.0.config)?;
        let limit = self.0.config.max_seats_per_performance;
        let work = async move |tx: &mut Tx<'_>| {
            let add = async move |tx: &mut Tx<'_>| add_seats(tx, performance, seats, limit).await;
            IDEMPOTENCY.once(tx, &call, add).await
        };
        self.0.host.db.write(work).await
    }

    pub(super) async fn block_seats(&self, request: &pb::BlockSeatsRequest) -> Result<pb::BlockSeatsResponse, Fault> {
        let call = Call::new("BlockSeats", wire::request_id(&request.request_id)?, request);
        let (performance, ids) = seats::of_performance(&request.parent, &request.seats)?;
        let answer = move |seats: &[Seat]| pb::BlockSeatsResponse { seats: seats::seats(performance, seats) };
        self.change_seats(call, performance, (ids, Change::Block), answer).await
    }

    pub(super) async fn unblock_seats(
        &self,
        request: &pb::UnblockSeatsRequest,
    ) -> Result<pb::UnblockSeatsResponse, Fault> {
        let call = Call::new("UnblockSeats", wire::request_id(&request.request_id)?, request);
        let (performance, ids) = seats::of_performance(&request.parent, &request.seats)?;
        let answer = move |seats: &[Seat]| pb::UnblockSeatsResponse { seats: seats::seats(performance, seats) };
        self.change_seats(call, performance, (ids, Change::Unblock), answer).await
    }

    pub(super) async fn change_seat_prices(
        &self,
        request: &pb::ChangeSeatPricesRequest,
    ) -> Result<pb::ChangeSeatPricesResponse, Fault> {
        let call = Call::new("ChangeSeatPrices", wire::request_id(&request.request_id)?, request);
        let (performance, ids) = seats::of_performance(&request.parent, &request.seats)?;
        let price = seats::price("price", request.price, &self.0.config)?;
        let answer = move |seats: &[Seat]| pb::ChangeSeatPricesResponse { seats: seats::seats(performance, seats) };
        self.change_seats(call, performance, (ids, Change::Price(price)), answer).await
    }

    async fn change_seats<R: prost::Message + Default + 'static>(
        &self,
        call: Call,
        performance: (Uuid, Uuid),
        (ids, change): (Vec<String>, Change),
        answer: impl Fn(&[Seat]) -> R + Clone + Send + 'static,
    ) -> Result<R, Fault> {
        let announces_holds = self.0.config.announce_holds;
        let work = async move |tx: &mut Tx<'_>| {
            let change = async move |tx: &mut Tx<'_>| {
                stock::change(tx, performance, (&ids, change), announces_holds).await.map(|changed| answer(&changed))
            };
            IDEMPOTENCY.once(tx, &call, change).await
        };
        self.0.host.db.write(work).await
    }

    pub(super) async fn list_seats(&self, request: &pb::ListSeatsRequest) -> Result<pb::ListSeatsResponse, Fault> {
        let performance = wire::performance_name("parent", &request.parent)?;
        let (size, after) = catalogue::seats_after(request)?;
        let read = async move |tx: &mut Tx<'_>| {
            expect_performance(tx, performance).await?;
            Ok::<_, Fault>(store::seats(tx, &after).await?)
        };
        let rows = self.0.host.db.read(read).await?;
        let (rows, next_page_token) = page::cut(rows, size, |seat| seat.ordinal.to_string());
        Ok(pb::ListSeatsResponse { seats: seats::seats(performance, &rows), next_page_token })
    }

    pub(super) async fn get_seat_availability(
        &self,
        request: &pb::GetSeatAvailabilityRequest,
    ) -> Result<pb::SeatAvailability, Fault> {
        let performance = wire::performance_name("performance", &request.performance)?;
        let longest = self.0.config.seat_map_staleness_ms;
        let staleness_ms = seats::staleness(request.max_staleness, longest)?;
        let known = seats::version("known_version", request.known_version)?;
        let map = self.0.seat_maps.get(&self.0.host, performance, staleness_ms).await?;
        Ok(seats::seat_map(&map, known))
    }

    pub(super) async fn watch_seat_availability(
        &self,
        request: &pb::WatchSeatAvailabilityRequest,
    ) -> Result<BoxStream<pb::SeatAvailabilityDelta>, Fault> {
        let performance = wire::performance_name("performance", &request.performance)?;
        let from = seats::version("from_version", request.from_version)?;
        let changes = self.0.seat_maps.watch(&self.0.host, performance, from).await?;
        let told = changes
            .then(|change| ready(change.map(seats::delta).map_err(|lost| Refusal::from(lost).into_status(DOMAIN))));
        Ok(Box::pin(told))
    }
}

/// Adds all the seats, or none.
async fn add_seats(
    tx: &mut Tx<'_>,
    (concert, id): (Uuid, Uuid),
    mut seats: Vec<Seat>,
    limit: i64,
) -> Result<pb::BatchCreateSeatsResponse, Fault> {
    let found = store::performance_to_fill(tx, concert, id).await?;
    let performance = found.ok_or_else(|| not_found::performance(concert, id))?;
    performance.expect_not_cancelled()?;
    let count = seats.len() as i64;
    if performance.seat_count + count > limit {
        let message = format!("a performance may have {limit} seats");
        return Err(Refusal::precondition("SEAT_LIMIT_EXCEEDED", message).with("limit", limit).into());
    }
    for (seat, ordinal) in seats.iter_mut().zip(performance.seat_count..) {
        seat.ordinal = ordinal;
    }
    let new = store::insert_seats(tx, id, &seats).await?;
    let existing = seats.iter().filter(|seat| !new.contains(&seat.id));
    let existing: Vec<_> = existing.map(|seat| seat::name(concert, id, &seat.id)).collect();
    if !existing.is_empty() {
        return Err(seats_exist(&existing).into());
    }
    store::seats_added(tx, id, count).await?;
    Ok(pb::BatchCreateSeatsResponse { seats: seats::seats((concert, id), &seats) })
}

fn seats_exist(names: &[String]) -> Refusal {
    // A status travels as a header, which has no room for a thousand names.
    let named = names[..names.len().min(SEATS_NAMED)].join(",");
    let count = names.len();
    let message = format!("{count} of the seats exist already: {named}");
    let refusal = Refusal::new(tonic::Code::AlreadyExists, "SEAT_EXISTS", message);
    refusal.with("seats", named).with("count", count)
}
