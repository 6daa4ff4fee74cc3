//! What `ticketing.concert.v1` accepts.

use crate::world::{NOW_MS, PRICE};
use proto::concert::v1 as pb;
use service_kit::wire::{duration, timestamp};

use super::{DAY_MS, Stage, encode};

/// All that can be changed of a concert.
const UPDATABLE: [&str; 6] =
    ["title", "artist", "booking_open_time", "booking_close_time", "waiting_room", "booking_policy"];

impl Stage {
    pub(super) fn catalogue(&self, method: &str) -> Option<Vec<u8>> {
        let name = self.concert();
        // It has been created and published.
        let etag = "2".to_owned();
        match method {
            "CreateConcert" => encode(&pb::CreateConcertRequest {
                concert: Some(self.new_concert()),
                concert_id: self.request_id(),
                request_id: self.request_id(),
            }),
            "GetConcert" => encode(&pb::GetConcertRequest { name }),
            "ListConcerts" => encode(&pb::ListConcertsRequest {
                page_size: 1,
                filter: "state = ACTIVE".into(),
                order_by: "create_time".into(),
                ..Default::default()
            }),
            "UpdateConcert" => encode(&pb::UpdateConcertRequest {
                concert: Some(pb::Concert { name, etag, ..self.new_concert() }),
                update_mask: Some(prost_types::FieldMask { paths: UPDATABLE.map(String::from).into() }),
            }),
            "CloseConcert" => encode(&pb::CloseConcertRequest { name, etag }),
            "PublishConcert" => encode(&pb::PublishConcertRequest { name, etag }),
            "SuspendConcert" => encode(&pb::SuspendConcertRequest { name, etag }),
            _ => self.performances(method),
        }
    }

    fn performances(&self, method: &str) -> Option<Vec<u8>> {
        let (parent, performance) = (self.concert(), self.world.performance().to_owned());
        match method {
            "CreatePerformance" => encode(&pb::CreatePerformanceRequest {
                parent,
                performance: Some(new_performance()),
                performance_id: self.request_id(),
                request_id: self.request_id(),
            }),
            "GetPerformance" => encode(&pb::GetPerformanceRequest { name: performance }),
            "ListPerformances" => encode(&pb::ListPerformancesRequest {
                parent,
                page_size: 1,
                filter: "state = SCHEDULED AND start_time < '2100-01-01T00:00:00Z'".into(),
                ..Default::default()
            }),
            "CancelPerformance" => encode(&pb::CancelPerformanceRequest {
                name: performance,
                reason: "the singer is ill".into(),
                // It has been created, and has got its seats.
                etag: "2".into(),
                request_id: self.request_id(),
            }),
            _ => self.stock(method),
        }
    }

    fn stock(&self, method: &str) -> Option<Vec<u8>> {
        let performance = self.world.performance().to_owned();
        match method {
            "BatchCreateSeats" => encode(&pb::BatchCreateSeatsRequest {
                parent: performance,
                seats: vec![self.new_seat("B-1"), self.new_seat("B-2")],
                request_id: self.request_id(),
            }),
            "BlockSeats" => encode(&pb::BlockSeatsRequest {
                parent: performance,
                seats: vec![self.seat("A-10"), self.seat("A-11")],
                request_id: self.request_id(),
            }),
            "UnblockSeats" => encode(&pb::UnblockSeatsRequest {
                parent: performance,
                seats: vec![self.seat("A-10")],
                request_id: self.request_id(),
            }),
            "ChangeSeatPrices" => encode(&pb::ChangeSeatPricesRequest {
                parent: performance,
                seats: vec![self.seat("A-10")],
                price: PRICE,
                request_id: self.request_id(),
            }),
            "ListSeats" => encode(&pb::ListSeatsRequest {
                parent: performance,
                page_size: 1,
                filter: "state = AVAILABLE AND grade = VIP".into(),
                ..Default::default()
            }),
            "GetSeatAvailability" => encode(&pb::GetSeatAvailabilityRequest {
                performance,
                max_staleness: Some(duration(500)),
                known_version: 1,
            }),
            "WatchSeatAvailability" => encode(&pb::WatchSeatAvailabilityRequest { performance, ..Default::default() }),
            _ => None,
        }
    }

    fn new_concert(&self) -> pb::Concert {
        pb::Concert {
            title: "Spring Night".into(),
            artist: "The Southern Lights".into(),
            booking_open_time: Some(timestamp(NOW_MS)),
            booking_close_time: Some(timestamp(NOW_MS + DAY_MS)),
            waiting_room: self.room.clone(),
            booking_policy: Some(pb::BookingPolicy {
                cancellation_terms: Vec::new(),
                hold_ttl: Some(duration(60_000)),
                max_hold_lifetime: Some(duration(600_000)),
                retry_grace: Some(duration(30_000)),
                max_seats_per_reservation: 1,
                max_live_reservations_per_customer: 1,
                max_seats_per_customer: 1,
            }),
            ..Default::default()
        }
    }

    pub fn new_seat(&self, id: &str) -> pb::Seat {
        pb::Seat {
            name: self.seat(id),
            section: "Floor".into(),
            row: "B".into(),
            number: "1".into(),
            grade: "VIP".into(),
            price: PRICE,
            ..Default::default()
        }
    }

    pub(super) fn reservations(&self, method: &str) -> Option<Vec<u8>> {
        let (held, locked) = (self.held.clone(), self.locked.clone());
        let (saga, request_id) = (self.saga.clone(), self.request_id());
        match method {
            "CreateReservation" => encode(&pb::CreateReservationRequest {
                customer: held.customer,
                performance: self.world.performance().into(),
                seats: vec![self.seat("A-10"), self.seat("A-11")],
                request_id,
                ..Default::default()
            }),
            "HoldBestAvailableSeats" => encode(&pb::HoldBestAvailableSeatsRequest {
                customer: held.customer,
                performance: self.world.performance().into(),
                seat_count: 2,
                grade: "VIP".into(),
                section: "Floor".into(),
                request_id,
                ..Default::default()
            }),
            "GetReservation" => encode(&pb::GetReservationRequest { name: held.reservation }),
            "ListReservations" => encode(&pb::ListReservationsRequest {
                filter: format!("customer = \"{}\" AND state = HELD", held.customer),
                page_size: 1,
                ..Default::default()
            }),
            "ReleaseReservation" => {
                encode(&pb::ReleaseReservationRequest { name: held.reservation, customer: held.customer })
            }
            "LockReservation" => encode(&pb::LockReservationRequest {
                name: held.reservation,
                customer: held.customer,
                saga: self.other_saga(),
                expected_total_amount: Some(PRICE),
                request_id,
            }),
            "UnlockReservation" => encode(&pb::UnlockReservationRequest { name: locked.reservation, saga, request_id }),
            "ConfirmReservation" => encode(&pb::ConfirmReservationRequest {
                name: locked.reservation,
                payment: saga.replace("sagas/", "payments/"),
                saga,
                request_id,
            }),
            "ListTickets" => {
                let parent = self.buyer.reservation.clone();
                encode(&pb::ListTicketsRequest { parent, page_size: 1, ..Default::default() })
            }
            "GetTicket" => encode(&pb::GetTicketRequest { name: self.ticket.clone() }),
            "CheckInTicket" => encode(&pb::CheckInTicketRequest { name: self.ticket.clone(), request_id }),
            _ => self.cancellations(method),
        }
    }

    fn cancellations(&self, method: &str) -> Option<Vec<u8>> {
        let (name, saga) = (self.returned.held.reservation.clone(), self.returned.saga.clone());
        let request_id = self.request_id();
        match method {
            "BeginReservationCancellation" => encode(&pb::BeginReservationCancellationRequest {
                name: self.buyer.reservation.clone(),
                customer: self.buyer.customer.clone(),
                saga: self.other_saga(),
                request_id,
                ..Default::default()
            }),
            "AbortReservationCancellation" => {
                encode(&pb::AbortReservationCancellationRequest { name, saga, request_id })
            }
            "CommitReservationCancellation" => {
                encode(&pb::CommitReservationCancellationRequest { name, saga, request_id })
            }
            "ListReservationsToCancel" => {
                encode(&pb::ListReservationsToCancelRequest { page_size: 1, ..Default::default() })
            }
            _ => None,
        }
    }
}

fn new_performance() -> pb::Performance {
    let start_time = Some(timestamp(NOW_MS + 60 * DAY_MS));
    pb::Performance { start_time, venue: "Hall".into(), ..Default::default() }
}
