//! The statements over rooms. What an operator sets and what the queue counts are written apart, so that neither
//! overwrites the other.

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use uuid::Uuid;

use crate::room::{Announced, Draw, Lease, Ordering, Room, Settings};
use crate::shuffle::Seed;

/// How many columns a room has.
pub(super) const ROOM_COLUMNS: usize = 29;

macro_rules! select_rooms {
    ($rest:literal) => {
        concat!(
            "select room_id, prequeue_open_time, open_time, close_time, max_active_tokens, admissions_per_1000_s, \
             active_ttl, claim_ttl, max_active_lifetime, max_waiting, paused, issued_count, admitted_through, \
             waiting_count, active_count, admission_credit, tick_time, version, create_time, ordering, shuffle_seed, \
             prequeued_count, drawn_count, sold_out_time, line_generation, tick_owner, lease_time, event_count, \
             announced from token_rooms ",
            $rest
        )
    };
}
pub(super) use select_rooms;

/// Writes a new, empty room; tells whether its id was free.
pub(crate) async fn insert_room(
    tx: &mut Tx<'_>,
    id: Uuid,
    (settings, seed): (&Settings, Option<Seed>),
) -> Result<bool, db::Error> {
    const INSERT: &str = "insert into token_rooms (room_id, prequeue_open_time, open_time, close_time, \
        max_active_tokens, admissions_per_1000_s, active_ttl, claim_ttl, max_active_lifetime, max_waiting, paused, \
        issued_count, admitted_through, waiting_count, active_count, admission_credit, tick_time, admit_time, version, \
        create_time, update_time, settled, ordering, shuffle_seed) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, 0, 0, 0, $11, null, 1, $11, $11, 0, $12, $13) \
        on conflict do nothing";
    let args = args![
        id,
        settings.prequeue_open_time,
        settings.open_time,
        settings.close_time,
        settings.max_active_tokens,
        settings.admissions_per_1000_s,
        settings.active_ttl_ms,
        settings.claim_ttl_ms,
        settings.max_active_lifetime_ms,
        settings.max_waiting,
        tx.now_ms(),
        settings.ordering as i64,
        seed.as_ref().map(|seed| &seed.0[..])
    ];
    Ok(tx.execute(INSERT, args).await? == 1)
}

const ROOM: &str = select_rooms!("where room_id = $1");

pub(crate) async fn find_room(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Room>, db::Error> {
    tx.fetch_optional(ROOM, args![id]).await
}

/// A room for a change that nobody else gets in the way of. Its counts agree with its tokens then: whoever changes both is
/// either done, or waits for the room.
pub(crate) async fn lock_room(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Room>, db::Error> {
    tx.lock_optional(ROOM, args![id]).await
}

/// Rooms from `from` (create_time, id) on, oldest first.
pub(crate) async fn list_rooms(tx: &mut Tx<'_>, from: (i64, Uuid), limit: i64) -> Result<Vec<Room>, db::Error> {
    const SELECT: &str =
        select_rooms!("where (create_time, room_id) >= ($1, $2) order by create_time, room_id limit $3");
    tx.fetch_all(SELECT, args![from.0, from.1, limit]).await
}

/// Rooms after `after`, in the order of their ids, in which something may still happen.
pub(crate) async fn unsettled_rooms(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Room>, db::Error> {
    const SELECT: &str = select_rooms!("where settled = 0 and room_id > $1 order by room_id limit $2");
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// Writes what an operator has changed; the room's version counts it.
pub(crate) async fn save_settings(tx: &mut Tx<'_>, room: &mut Room) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set prequeue_open_time = $2, open_time = $3, close_time = $4, \
        max_active_tokens = $5, admissions_per_1000_s = $6, active_ttl = $7, claim_ttl = $8, max_active_lifetime = $9, \
        max_waiting = $10, paused = $11, tick_time = $12, version = version + 1, update_time = $13, settled = 0, \
        ordering = $14, shuffle_seed = $15, sold_out_time = $16 where room_id = $1";
    let settings = &room.settings;
    let args = args![
        room.id,
        settings.prequeue_open_time,
        settings.open_time,
        settings.close_time,
        settings.max_active_tokens,
        settings.admissions_per_1000_s,
        settings.active_ttl_ms,
        settings.claim_ttl_ms,
        settings.max_active_lifetime_ms,
        settings.max_waiting,
        room.paused,
        room.tick_time,
        tx.now_ms(),
        settings.ordering as i64,
        room.shuffle_seed.as_ref().map(|seed| &seed.0[..]),
        room.sold_out_time
    ];
    tx.execute(UPDATE, args).await?;
    room.version += 1;
    Ok(())
}

/// Counts one more who waits, with the next sequence. Something may happen in the room now.
pub(crate) async fn count_in(tx: &mut Tx<'_>, room: &mut Room) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set issued_count = issued_count + 1, waiting_count = waiting_count + 1, \
        settled = 0 where room_id = $1";
    tx.execute(UPDATE, args![room.id]).await?;
    room.issued_count += 1;
    room.waiting_count += 1;
    Ok(())
}

/// Moves the head by the `count` of turns that come, and notes when they came; notes what the rate has allowed until now.
pub(crate) async fn move_head(tx: &mut Tx<'_>, room: &Room, count: i64) -> Result<(), db::Error> {
    const INSERT: &str = "insert into token_turns (room_id, through_sequence, admit_time) values ($1, $2, $3)";
    const UPDATE: &str = "update token_rooms set admitted_through = $2, waiting_count = waiting_count - $3, \
        active_count = active_count + $3, admission_credit = $4, tick_time = $5, tick_owner = $6, lease_time = $7, \
        admit_time = case when $3 > 0 then $5 else admit_time end where room_id = $1";
    let Lease { owner, until } = room.lease;
    let args = args![room.id, room.admitted_through, count, room.admission_credit, room.tick_time, owner, until];
    let mut statements = vec![(UPDATE, args.to_vec())];
    if count > 0 {
        statements.push((INSERT, args![room.id, room.admitted_through, tx.now_ms()].to_vec()));
    }
    tx.execute_each(&statements).await.map(drop)
}

/// Counts off one token that is no longer live, where the line is counted here.
pub(super) fn count_off(room: Uuid, sequence: i64) -> (&'static str, Vec<Arg<'static>>) {
    const UPDATE: &str = "update token_rooms set \
        active_count = active_count - case when $2 between 1 and admitted_through then 1 else 0 end, \
        waiting_count = waiting_count - case when $2 between 1 and admitted_through then 0 else 1 end \
        where room_id = $1 and line_generation <= 0";
    (UPDATE, args![room, sequence].to_vec())
}

/// Counts off many at once.
pub(crate) async fn count_off_many(
    tx: &mut Tx<'_>,
    room: Uuid,
    (active, waiting): (i64, i64),
) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set active_count = active_count - $2, waiting_count = waiting_count - $3 \
        where room_id = $1 and line_generation <= 0";
    tx.execute(UPDATE, args![room, active, waiting]).await.map(drop)
}

/// Notes that nothing can happen any more in a closed room, if nobody is left in it.
pub(crate) async fn settle_room(tx: &mut Tx<'_>, room: Uuid) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set settled = 1, active_count = 0, waiting_count = 0 \
        where room_id = $1 and close_time <= $2 and not exists \
        (select 1 from token_tokens where room_id = $1 and state <= 2) \
        and (line_generation > 0 or (active_count = 0 and waiting_count = 0))";
    tx.execute(UPDATE, args![room, tx.now_ms()]).await.map(drop)
}

/// Notes that one more event of the room was told, and what is not to be told again.
pub(crate) async fn count_event(tx: &mut Tx<'_>, room: &Room) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set event_count = $2, announced = $3 where room_id = $1";
    tx.execute(UPDATE, args![room.id, room.event_count, room.announced as i64]).await.map(drop)
}

impl FromRow for Room {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let settings = Settings {
            ordering: ordering(row, 19)?,
            prequeue_open_time: row.get(1)?,
            open_time: row.get(2)?,
            close_time: row.get(3)?,
            max_active_tokens: row.get(4)?,
            admissions_per_1000_s: row.get(5)?,
            active_ttl_ms: row.get(6)?,
            claim_ttl_ms: row.get(7)?,
            max_active_lifetime_ms: row.get(8)?,
            max_waiting: row.get(9)?,
        };
        let places: Option<i64> = row.get(21)?;
        let drawn = row.get(22)?;
        Ok(Self {
            id: row.get(0)?,
            settings,
            paused: row.get(10)?,
            issued_count: row.get(11)?,
            admitted_through: row.get(12)?,
            waiting_count: row.get(13)?,
            active_count: row.get(14)?,
            admission_credit: row.get(15)?,
            tick_time: row.get(16)?,
            version: row.get(17)?,
            create_time: row.get(18)?,
            shuffle_seed: seed(row, 20)?,
            draw: places.map(|places| Draw { places, drawn }),
            sold_out_time: row.get(23)?,
            line_generation: row.get(24)?,
            lease: Lease { owner: row.get(25)?, until: row.get(26)? },
            event_count: row.get(27)?,
            announced: announced(row, 28)?,
        })
    }
}

fn ordering(row: &Row<'_>, index: usize) -> Result<Ordering, db::Error> {
    let known = [Ordering::Fifo, Ordering::ShuffledPrequeue];
    let number: i64 = row.get(index)?;
    let found = known.into_iter().find(|ordering| *ordering as i64 == number);
    found.ok_or_else(|| row.corrupt(index, format!("no ordering has the number {number}")))
}

fn announced(row: &Row<'_>, index: usize) -> Result<Announced, db::Error> {
    let known = [Announced::Nothing, Announced::Opened, Announced::Closed];
    let number: i64 = row.get(index)?;
    let found = known.into_iter().find(|announced| *announced as i64 == number);
    found.ok_or_else(|| row.corrupt(index, format!("nothing that is told has the number {number}")))
}

fn seed(row: &Row<'_>, index: usize) -> Result<Option<Seed>, db::Error> {
    let Some(seed): Option<Vec<u8>> = row.get(index)? else {
        return Ok(None);
    };
    let length = seed.len();
    let seed = seed.try_into().map_err(|_| row.corrupt(index, format!("it has {length} bytes, not 32")))?;
    Ok(Some(Seed(seed)))
}
