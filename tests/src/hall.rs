//! Performances on sale.

use orchestrator::participants::Participant;
use proto::concert::v1 as concert;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use service_kit::wire::timestamp;

use crate::World;
use crate::world::{NOW_MS, PRICE};

/// Seats of a performance.
const SEATS: usize = 20;
/// What is kept of a seat of the usual hall that is given back.
pub const FEE: i64 = PRICE / 10;

/// What a performance is like.
#[derive(Debug, Clone, Copy)]
pub struct Hall {
    /// What every seat costs.
    pub price: i64,
    /// What is kept of it when it is given back, in percent.
    pub fee_percent: i32,
}

impl Default for Hall {
    fn default() -> Self {
        Self { price: PRICE, fee_percent: 10 }
    }
}

impl World {
    /// Puts a performance on sale: `concerts/{uuid}/performances/{uuid}`.
    pub async fn open(&self, hall: Hall) -> String {
        open(self.concerts(), hall).await
    }

    /// Puts a waiting room before the concert of a performance, or takes it away.
    pub async fn put_behind(&self, room: &str, performance: &str) {
        let name = performance.split("/performances/").next().expect("a name begins with its parent");
        let concert = concert::Concert { name: name.into(), waiting_room: room.into(), ..Default::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["waiting_room".into()] });
        let request = concert::UpdateConcertRequest { concert: Some(concert), update_mask };
        self.concerts().update_concert(request).await.expect("the concert is changed");
    }

    /// Takes all seats of a performance off sale but the first so many.
    pub async fn sell_only(&self, performance: &str, count: usize) {
        let seats = (count..SEATS).map(|number| format!("A-{number}")).collect();
        let request = concert::BlockSeatsRequest { parent: performance.into(), seats, ..Default::default() };
        self.concerts().block_seats(request).await.expect("nobody has them");
    }

    /// A client of the catalogue, past the faults.
    pub fn concerts(&self) -> ConcertServiceClient<Participant> {
        ConcertServiceClient::new(self.server("ticketing.concert.v1"))
    }
}

/// Puts a performance on sale with whoever has the catalogue: `concerts/{uuid}/performances/{uuid}`.
pub async fn open(mut client: ConcertServiceClient<Participant>, hall: Hall) -> String {
    let term = concert::CancellationTerm { days_before: 0, fee_percent: hall.fee_percent };
    let wanted = concert::Concert {
        title: "Winter Night".into(),
        artist: "The Northern Lights".into(),
        booking_open_time: Some(timestamp(NOW_MS - 3_600_000)),
        booking_close_time: Some(timestamp(NOW_MS + 30 * 86_400_000)),
        booking_policy: Some(concert::BookingPolicy {
            max_live_reservations_per_customer: 4,
            max_seats_per_customer: 8,
            cancellation_terms: vec![term],
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = concert::CreateConcertRequest { concert: Some(wanted), ..Default::default() };
    let parent = client.create_concert(request).await.expect("a concert is created").into_inner().name;
    let publish = concert::PublishConcertRequest { name: parent.clone(), ..Default::default() };
    client.publish_concert(publish).await.expect("it is published");
    let evening = concert::Performance { start_time: Some(timestamp(NOW_MS + 40 * 86_400_000)), ..Default::default() };
    let request = concert::CreatePerformanceRequest { parent, performance: Some(evening), ..Default::default() };
    let performance = client.create_performance(request).await.expect("an evening is set").into_inner().name;
    let seat = |number: usize| concert::Seat {
        name: format!("{performance}/seats/A-{number}"),
        section: "Floor".into(),
        row: "A".into(),
        number: number.to_string(),
        grade: "VIP".into(),
        price: hall.price,
        ..Default::default()
    };
    let seats = (0..SEATS).map(seat).collect();
    let request = concert::BatchCreateSeatsRequest { parent: performance.clone(), seats, ..Default::default() };
    client.batch_create_seats(request).await.expect("seats are made");
    performance
}
