//! What the service does unasked: it moves the heads of open rooms, and ends what has lapsed. Each round can be run by
//! hand; several processes may run them, for what is due is decided in the transaction that does it.

use std::time::Duration;

use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;
use uuid::Uuid;

use crate::admission::{Admission, admission};
use crate::config::Config;
use crate::room::{Room, RoomState};
use crate::store;

/// Rooms that are read at once.
const PAGE: i64 = 100;

/// Runs the rounds until the host stops.
pub(crate) fn spawn(host: &Host, config: Config) {
    let db = host.db.clone();
    // A little less than the period, so that one who comes a little early is not passed over for it.
    let spacing_ms = i64::try_from(config.tick_period_ms - config.tick_period_ms / 10).unwrap_or(i64::MAX);
    host.every(Duration::from_millis(config.tick_period_ms), "admission tick", move || {
        let db = db.clone();
        async move { admit(&db, spacing_ms).await }
    });
    let db = host.db.clone();
    host.every(Duration::from_millis(config.sweep_period_ms), "token sweeper", move || {
        let db = db.clone();
        async move { sweep(&db, config.sweep_batch).await }
    });
}

/// One tick: moves the head of every open room in which somebody waits, by one write for everybody in it. A room whose
/// last tick is less than `spacing_ms` ago is left as it is: another process has served it.
///
/// # Errors
/// The last failure; the other rooms have been served.
pub async fn admit(db: &Db, spacing_ms: i64) -> Result<(), db::Error> {
    let mut result = Ok(());
    for (room, now_ms) in unsettled(db).await? {
        if is_due(&room, now_ms, spacing_ms) {
            let id = room.id;
            result = db.write(async move |tx| admit_in(tx, id, spacing_ms).await).await.and(result);
        }
    }
    result
}

fn is_due(room: &Room, now_ms: i64, spacing_ms: i64) -> bool {
    let waited = now_ms - room.tick_time >= spacing_ms;
    waited && room.state(now_ms) == RoomState::Open && room.waiting_count > 0
}

/// One sweep: ends tokens that are no longer in time, those inside and those that have not claimed their turn, and gives
/// their places to others; empties closed rooms.
///
/// # Errors
/// The last failure; the other rooms have been served.
pub async fn sweep(db: &Db, batch: i64) -> Result<(), db::Error> {
    let mut result = Ok(());
    for (room, now_ms) in unsettled(db).await? {
        if room.active_count > 0 || room.state(now_ms) == RoomState::Closed {
            result = sweep_room(db, room.id, batch).await.and(result);
        }
    }
    result
}

/// Every room in which something may still happen, as it was at a time.
async fn unsettled(db: &Db) -> Result<Vec<(Room, i64)>, db::Error> {
    db.read(async |tx| {
        let (mut rooms, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let page = store::unsettled_rooms(tx, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(rooms);
            };
            after = last.id;
            rooms.extend(page.into_iter().map(|room| (room, tx.now_ms())));
        }
    })
    .await
}

async fn admit_in(tx: &mut Tx<'_>, id: Uuid, spacing_ms: i64) -> Result<(), db::Error> {
    let now_ms = tx.now_ms();
    // Several may tick at once: each finds what the ones before it have used up.
    let locked = store::lock_room(tx, id).await?;
    let Some(mut room) = locked.filter(|room| is_due(room, now_ms, spacing_ms)) else {
        return Ok(());
    };
    let Admission { count, credit, tick_time } = admission(&room, now_ms);
    (room.admission_credit, room.tick_time) = (credit, tick_time);
    if count > 0 {
        let (found, through) = store::first_waiting(tx, id, room.admitted_through, count).await?;
        if found < count {
            return Err(miscounted(&room, found));
        }
        room.admitted_through = through;
    }
    store::move_head(tx, &room, count).await
}

fn miscounted(room: &Room, found: i64) -> db::Error {
    let counted = room.waiting_count;
    let problem = format!("room {} counts {counted} who wait, and {found} were found", room.id);
    db::Error::Corrupt { column: "waiting_count".into(), problem }
}

async fn sweep_room(db: &Db, id: Uuid, batch: i64) -> Result<(), db::Error> {
    while db.write(async move |tx| sweep_in(tx, id, batch.max(1)).await).await? {}
    Ok(())
}

/// Ends a batch; tells whether there may be more.
async fn sweep_in(tx: &mut Tx<'_>, id: Uuid, batch: i64) -> Result<bool, db::Error> {
    let now_ms = tx.now_ms();
    let Some(room) = store::find_room(tx, id).await? else {
        return Ok(false);
    };
    let closed = room.state(now_ms) == RoomState::Closed;
    let through = match closed {
        true => i64::MAX,
        false => store::turns_through(tx, id, now_ms - room.settings.claim_ttl_ms).await?,
    };
    let inside = store::expire_active(tx, id, batch).await?;
    let in_line = store::expire_waiting(tx, id, through, batch).await?;
    if inside > 0 || !in_line.is_empty() {
        count_off(tx, id, inside, &in_line).await?;
    }
    if inside >= batch || in_line.len() as i64 >= batch {
        return Ok(true);
    }
    if through > 0 {
        store::delete_turns(tx, id, through).await?;
    }
    if closed {
        store::settle_room(tx, id).await?;
    }
    Ok(false)
}

/// Counts off those whose time inside is over, and those in line, whose turn may have come until now.
async fn count_off(tx: &mut Tx<'_>, id: Uuid, inside: i64, in_line: &[i64]) -> Result<(), db::Error> {
    let Some(room) = store::lock_room(tx, id).await? else {
        return Ok(());
    };
    let unclaimed = in_line.iter().filter(|sequence| **sequence <= room.admitted_through).count() as i64;
    store::count_off_many(tx, id, (inside + unclaimed, in_line.len() as i64 - unclaimed)).await
}
