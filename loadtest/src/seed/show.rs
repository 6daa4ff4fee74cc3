//! Concerts to sell: with or without a waiting room, one performance, as many seats as wanted.

use std::time::{Duration, SystemTime};
use std::vec;

use anyhow::Result;
use prost_types::Timestamp;
use proto::concert::v1 as pb;
use proto::token::v1 as token;

use crate::client::{Client, failed};
use crate::clock;

/// Seats of one call: a message may have 64 KiB.
const BATCH: usize = 400;
/// Seats of one row.
const ROW: usize = 50;
/// Grades from the front to the back, with their price in KRW.
const GRADES: [(&str, i64); 5] = [("VIP", 165_000), ("R", 143_000), ("S", 121_000), ("A", 99_000), ("B", 77_000)];
const DAY: Duration = Duration::from_secs(86_400);

/// What distinguishes a concert from another one.
#[derive(Debug)]
pub(crate) struct Bill {
    title: &'static str,
    has_waiting_room: bool,
    hold_seconds: i64,
}

/// What most people come for. Holds last as long as they may, so that a long run does not lose them.
pub(super) const GALA: Bill = Bill { title: "Skald: Gala", has_waiting_room: true, hold_seconds: 1_800 };
/// For those who come too late: holds last as short as they may.
pub(super) const MATINEE: Bill = Bill { title: "Skald: Matinee", has_waiting_room: false, hold_seconds: 60 };

/// For what comes after a sale.
pub(crate) const ENCORE: Bill = Bill { title: "Skald: Encore", has_waiting_room: false, hold_seconds: 300 };

/// A seat that nobody has taken.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) price: i64,
}

/// A concert on sale.
#[derive(Debug)]
pub(crate) struct Show {
    /// Name of the waiting room; empty without one.
    pub(crate) room: String,
    pub(crate) performance: String,
    pub(crate) seats: vec::IntoIter<Seat>,
}

impl Show {
    pub(crate) async fn open(client: &Client, bill: &Bill, seats: usize) -> Result<Self> {
        let now = clock::now();
        let room = if bill.has_waiting_room { open_room(client, now).await? } else { String::new() };
        Self::put_on(client, bill, room, seats).await
    }

    /// One behind a waiting room that is there already.
    pub(crate) async fn behind(client: &Client, room: String, seats: usize) -> Result<Self> {
        Self::put_on(client, &GALA, room, seats).await
    }

    async fn put_on(client: &Client, bill: &Bill, room: String, seats: usize) -> Result<Self> {
        let now = clock::now();
        let concert = publish(client, bill, room.clone(), now).await?;
        let performance = schedule(client, concert, now).await?;
        let seats: Vec<_> = (0..seats).map(|ordinal| seat(&performance, ordinal, seats)).collect();
        for batch in seats.chunks(BATCH) {
            let request = pb::BatchCreateSeatsRequest {
                parent: performance.clone(),
                seats: batch.to_vec(),
                request_id: clock::request_id(),
            };
            client.concerts().batch_create_seats(request).await.map_err(failed("create seats"))?;
        }
        let seats: Vec<_> = seats.into_iter().map(|seat| Seat { name: seat.name, price: seat.price }).collect();
        Ok(Self { room, performance, seats: seats.into_iter() })
    }
}

/// A room that lets everybody in as fast as they come: it is walked through, it is not what is measured.
async fn open_room(client: &Client, now: SystemTime) -> Result<String> {
    let room = token::WaitingRoom {
        open_time: Some(now.into()),
        max_active_tokens: 1_000_000,
        admissions_per_second: 50_000.0,
        active_ttl: Some(seconds(GALA.hold_seconds)),
        claim_ttl: Some(seconds(GALA.hold_seconds)),
        ..Default::default()
    };
    let request = token::CreateWaitingRoomRequest {
        waiting_room: Some(room),
        request_id: clock::request_id(),
        ..Default::default()
    };
    let created = client.rooms().create_waiting_room(request).await.map_err(failed("open a waiting room"))?;
    Ok(created.into_inner().name)
}

async fn publish(client: &Client, bill: &Bill, waiting_room: String, now: SystemTime) -> Result<String> {
    let policy = pb::BookingPolicy { hold_ttl: Some(seconds(bill.hold_seconds)), ..Default::default() };
    let concert = pb::Concert {
        title: bill.title.into(),
        artist: "The Sagas".into(),
        booking_open_time: Some(now.into()),
        booking_close_time: later(now, DAY),
        waiting_room,
        booking_policy: Some(policy),
        ..Default::default()
    };
    let request =
        pb::CreateConcertRequest { concert: Some(concert), request_id: clock::request_id(), ..Default::default() };
    let created = client.concerts().create_concert(request).await.map_err(failed("create a concert"))?;
    let name = created.into_inner().name;
    let request = pb::PublishConcertRequest { name: name.clone(), ..Default::default() };
    client.concerts().publish_concert(request).await.map_err(failed("publish the concert"))?;
    Ok(name)
}

async fn schedule(client: &Client, concert: String, now: SystemTime) -> Result<String> {
    let performance =
        pb::Performance { start_time: later(now, DAY * 30), venue: "Olympic Hall, Seoul".into(), ..Default::default() };
    let request = pb::CreatePerformanceRequest {
        parent: concert,
        performance: Some(performance),
        request_id: clock::request_id(),
        ..Default::default()
    };
    let created = client.concerts().create_performance(request).await.map_err(failed("schedule a performance"))?;
    Ok(created.into_inner().name)
}

fn seat(performance: &str, ordinal: usize, of: usize) -> pb::Seat {
    let (row, number) = (row_name(ordinal / ROW), ordinal % ROW + 1);
    let (grade, price) = GRADES[ordinal * GRADES.len() / of];
    pb::Seat {
        name: format!("{performance}/seats/{row}-{number}"),
        section: "Hall".into(),
        row,
        number: number.to_string(),
        grade: grade.into(),
        price,
        ..Default::default()
    }
}

/// A to Z, AA to ZZ, and so on.
fn row_name(row: usize) -> String {
    let letter = char::from(b'A' + (row % 26) as u8);
    match row / 26 {
        0 => letter.into(),
        before => row_name(before - 1) + &String::from(letter),
    }
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

fn later(now: SystemTime, by: Duration) -> Option<Timestamp> {
    Some((now + by).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_like_columns_of_a_sheet() {
        assert_eq!([0, 1, 25, 26, 51, 52, 701, 702].map(row_name), ["A", "B", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }

    #[test]
    fn a_batch_of_seats_with_the_longest_names_fits_into_a_message() {
        use prost::Message as _;
        let performance = format!("concerts/{0}/performances/{0}", "0".repeat(36));
        let seats = (99_000..99_000 + BATCH).map(|ordinal| seat(&performance, ordinal, 100_000)).collect();
        let request = pb::BatchCreateSeatsRequest { parent: performance, seats, request_id: "0".repeat(36) };
        assert!(request.encoded_len() < 64 * 1024, "{}", request.encoded_len());
    }

    #[test]
    fn seats_get_cheaper_towards_the_back() {
        let prices: Vec<_> = (0..10).map(|ordinal| seat("p", ordinal, 10).price / 1_000).collect();
        assert_eq!(prices, [165, 165, 143, 143, 121, 121, 99, 99, 77, 77]);
    }
}
