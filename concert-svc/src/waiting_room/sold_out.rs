//! Tells a waiting room when nothing is left behind it, so that nobody waits in vain, and when something is for sale again.
//!
//! What a room was told is kept, so only a change is told, by whichever process sees it first. Two may
//! tell the same, which is as good as once; one that tells what has changed meanwhile is corrected by the next look. A room
//! that operators have marked by hand is left alone as long as nothing changes here.

use std::collections::BTreeMap;

use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use proto::token::v1::{ClearSoldOutRequest, MarkSoldOutRequest};
use service_kit::db::{self, Db, Tx};
use service_kit::peer::Client;
use tonic::Status;
use uuid::Uuid;

use super::answered;
use crate::state::PerformanceState;
use crate::store::{self, PerformancesAfter, Roomed};

/// Concerts, and performances of one, that are read at once.
const PAGE: i64 = 100;

/// What a room is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Notice {
    room: Uuid,
    is_sold_out: bool,
}

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stock {
    /// There are no seats at all.
    Nothing,
    /// Every seat is sold, or not for sale.
    Gone,
    /// None is available; somebody holds one and may yet give it back.
    Held,
    Available,
}

/// Looks at what is left behind all waiting rooms, and tells those for which that is news.
///
/// # Errors
/// Of the store; rooms that cannot be told are told at the next look.
pub(super) async fn tell_of_stock(db: &Db, rooms: &WaitingRoomServiceClient<Client>) -> Result<(), db::Error> {
    for notice in db.read(notices).await? {
        match tell(rooms.clone(), notice).await {
            Ok(()) => db.write(async move |tx| store::note_sold_out(tx, notice.room, notice.is_sold_out).await).await?,
            Err(status) => tracing::debug!(%status, room = %notice.room, "a waiting room was not told what is left"),
        }
    }
    Ok(())
}

async fn tell(mut rooms: WaitingRoomServiceClient<Client>, notice: Notice) -> Result<(), Status> {
    let name = format!("waitingRooms/{}", notice.room);
    if notice.is_sold_out {
        let request = MarkSoldOutRequest { name, reason: "no seat is left".into() };
        answered(rooms.mark_sold_out(request)).await.map(drop)
    } else {
        let request = ClearSoldOutRequest { name, reason: "seats are for sale again".into() };
        answered(rooms.clear_sold_out(request)).await.map(drop)
    }
}

async fn notices(tx: &mut Tx<'_>) -> Result<Vec<Notice>, db::Error> {
    let mut notices = Vec::new();
    for (room, behind) in concerts_by_room(tx).await? {
        // Nobody is let in for what is not on sale.
        if !behind.iter().any(|concert| concert.is_open) {
            continue;
        }
        let is_told = store::is_told_sold_out(tx, room).await?;
        let is_sold_out = match stock(tx, &behind, is_told).await? {
            Stock::Gone if !is_told => true,
            Stock::Available if is_told => false,
            Stock::Nothing | Stock::Gone | Stock::Held | Stock::Available => continue,
        };
        notices.push(Notice { room, is_sold_out });
    }
    Ok(notices)
}

/// Several concerts may share a room.
async fn concerts_by_room(tx: &mut Tx<'_>) -> Result<BTreeMap<Uuid, Vec<Roomed>>, db::Error> {
    let (mut rooms, mut after) = (BTreeMap::<_, Vec<_>>::new(), Some(Uuid::nil()));
    while let Some(start) = after {
        let page = store::roomed_concerts(tx, start, PAGE).await?;
        after = page.last().filter(|_| page.len() as i64 == PAGE).map(|last| last.concert);
        page.into_iter().for_each(|concert| rooms.entry(concert.room).or_default().push(concert));
    }
    Ok(rooms)
}

/// What is left of the concerts. A room that knows that nothing is left waits for a seat that can be had, so nobody looks
/// for holds then.
async fn stock(tx: &mut Tx<'_>, concerts: &[Roomed], is_told: bool) -> Result<Stock, db::Error> {
    let mut performances = Vec::new();
    for concert in concerts {
        performances.extend(scheduled(tx, concert.concert).await?);
    }
    for performance in &performances {
        if store::has_available(tx, *performance).await? {
            return Ok(Stock::Available);
        }
    }
    for performance in performances.iter().filter(|_| !is_told) {
        if store::has_held(tx, *performance).await? {
            return Ok(Stock::Held);
        }
    }
    Ok(if performances.is_empty() { Stock::Nothing } else { Stock::Gone })
}

/// The performances of a concert that take place and have seats.
async fn scheduled(tx: &mut Tx<'_>, concert: Uuid) -> Result<Vec<Uuid>, db::Error> {
    let (mut all, mut after) = (Vec::new(), Some((i64::MIN, Uuid::nil())));
    let state = Some(PerformanceState::Scheduled);
    while let Some(start) = after {
        let (start_from, start_below) = (i64::MIN, i64::MAX);
        let wanted = PerformancesAfter { concert, after: start, state, start_from, start_below, limit: PAGE };
        let page = store::performances(tx, &wanted).await?;
        after = page.last().filter(|_| page.len() as i64 == PAGE).map(|last| (last.start_time, last.id));
        all.extend(page.iter().filter(|performance| performance.seat_count > 0).map(|performance| performance.id));
    }
    Ok(all)
}
