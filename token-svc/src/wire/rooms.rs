//! Rooms on the wire and within.

use proto::token::v1 as pb;
use proto::token::v1::waiting_room::{Ordering, State};
use service_kit::idempotency::Call;
use service_kit::refusal::Fault;
use service_kit::wire::{duration, timestamp};
use service_kit::{ids, page};
use uuid::Uuid;

use super::{length_ms, optional_time, request_id, time};
use crate::config::Config;
use crate::room::{self, Room, RoomState, Settings};

/// A new room: the call, its id and what is set.
pub(crate) fn create(
    request: &pb::CreateWaitingRoomRequest,
    new_id: Uuid,
    config: &Config,
) -> Result<(Call, Uuid, Settings), Fault> {
    let call = Call::new("CreateWaitingRoom", request_id(&request.request_id)?, request);
    let id = match request.waiting_room_id.as_str() {
        "" => new_id,
        id => ids::uuid("waiting_room_id", id)?,
    };
    let room = request.waiting_room.as_ref().ok_or_else(|| Fault::field("waiting_room", "is required"))?;
    Ok((call, id, settings(room, config)?))
}

/// Which room an update is about.
pub(crate) fn updated_id(request: &pb::UpdateWaitingRoomRequest) -> Result<Uuid, Fault> {
    let room = request.waiting_room.as_ref().ok_or_else(|| Fault::field("waiting_room", "is required"))?;
    super::room_id("waiting_room.name", &room.name)
}

/// What an update makes of a room: the fields of the mask from the request, the others as they are.
pub(crate) fn update(
    before: &Room,
    request: &pb::UpdateWaitingRoomRequest,
    now_ms: i64,
    config: &Config,
) -> Result<Settings, Fault> {
    let new = request.waiting_room.clone().unwrap_or_default();
    before.expect_changeable(&new.etag, now_ms)?;
    let merged = match &request.update_mask {
        None => new,
        Some(mask) => merge(room(before, now_ms), &new, &mask.paths)?,
    };
    let after = settings(&merged, config)?;
    let opened = before.settings.open_time <= now_ms;
    if opened && after.open_time != before.settings.open_time {
        return Err(Fault::field("waiting_room.open_time", "cannot change once the room has opened"));
    }
    let somebody_came = before.issued_count > 0 || before.state(now_ms) != RoomState::Scheduled;
    if somebody_came && after.ordering != before.settings.ordering {
        return Err(Fault::field("waiting_room.ordering", "cannot change once people may come"));
    }
    Ok(after)
}

fn merge(mut into: pb::WaitingRoom, new: &pb::WaitingRoom, paths: &[String]) -> Result<pb::WaitingRoom, Fault> {
    for path in paths {
        match path.as_str() {
            "ordering" => into.ordering = new.ordering,
            "prequeue_open_time" => into.prequeue_open_time = new.prequeue_open_time,
            "open_time" => into.open_time = new.open_time,
            "close_time" => into.close_time = new.close_time,
            "max_active_tokens" => into.max_active_tokens = new.max_active_tokens,
            "admissions_per_second" => into.admissions_per_second = new.admissions_per_second,
            "active_ttl" => into.active_ttl = new.active_ttl,
            "claim_ttl" => into.claim_ttl = new.claim_ttl,
            "max_active_lifetime" => into.max_active_lifetime = new.max_active_lifetime,
            "max_waiting" => into.max_waiting = new.max_waiting,
            _ => {
                return Err(Fault::field(
                    "update_mask",
                    "must name among: ordering, prequeue_open_time, open_time, close_time, max_active_tokens, \
                     admissions_per_second, active_ttl, claim_ttl, max_active_lifetime, max_waiting",
                ));
            }
        }
    }
    Ok(into)
}

fn settings(room: &pb::WaitingRoom, config: &Config) -> Result<Settings, Fault> {
    let ordering = ordering(room.ordering)?;
    let open_time = time("waiting_room.open_time", room.open_time)?;
    let prequeue_open_time = optional_time("waiting_room.prequeue_open_time", room.prequeue_open_time)?;
    let close_time = optional_time("waiting_room.close_time", room.close_time)?;
    if prequeue_open_time.is_some_and(|time| time > open_time) {
        return Err(Fault::field("waiting_room.prequeue_open_time", "must not be after open_time"));
    }
    if close_time.is_some_and(|time| time <= open_time) {
        return Err(Fault::field("waiting_room.close_time", "must be after open_time"));
    }
    let length = |field: &str, length, default| {
        length_ms(&format!("waiting_room.{field}"), length, default, config.longest_ttl_ms)
    };
    let max_active_lifetime_ms =
        length("max_active_lifetime", room.max_active_lifetime, config.max_active_lifetime_ms)?;
    let active_ttl_ms = length("active_ttl", room.active_ttl, config.active_ttl_ms.min(max_active_lifetime_ms))?;
    if active_ttl_ms > max_active_lifetime_ms {
        return Err(Fault::field("waiting_room.active_ttl", "must not be longer than max_active_lifetime"));
    }
    if ordering == room::Ordering::ShuffledPrequeue && prequeue_open_time.is_none() {
        return Err(Fault::field("waiting_room.prequeue_open_time", "is required where the prequeue is shuffled"));
    }
    Ok(Settings {
        ordering,
        prequeue_open_time,
        open_time,
        close_time,
        max_active_tokens: max_active_tokens(room.max_active_tokens, config)?,
        admissions_per_1000_s: rate(room.admissions_per_second, config)?,
        active_ttl_ms,
        claim_ttl_ms: length("claim_ttl", room.claim_ttl, config.claim_ttl_ms)?,
        max_active_lifetime_ms,
        max_waiting: max_waiting(room.max_waiting)?,
    })
}

fn ordering(ordering: i32) -> Result<room::Ordering, Fault> {
    match Ordering::try_from(ordering) {
        Ok(Ordering::Unspecified | Ordering::Fifo) => Ok(room::Ordering::Fifo),
        Ok(Ordering::ShuffledPrequeue) => Ok(room::Ordering::ShuffledPrequeue),
        Err(_) => Err(Fault::field("waiting_room.ordering", "must be FIFO or SHUFFLED_PREQUEUE")),
    }
}

fn max_active_tokens(count: i32, config: &Config) -> Result<i64, Fault> {
    let (count, most) = (i64::from(count), config.max_active_tokens);
    if (1..=most).contains(&count) {
        return Ok(count);
    }
    Err(Fault::field("waiting_room.max_active_tokens", format!("must be between 1 and {most}, not {count}")))
}

fn max_waiting(count: i64) -> Result<i64, Fault> {
    if count >= 0 {
        return Ok(count);
    }
    Err(Fault::field("waiting_room.max_waiting", "must not be negative; 0 sets no limit"))
}

/// Admissions in 1,000 s, from admissions a second.
fn rate(per_second: f64, config: &Config) -> Result<i64, Fault> {
    let most = config.max_admissions_per_second;
    let per_1000_s = (per_second * 1_000.0).round();
    if per_1000_s >= 1.0 && per_1000_s <= most as f64 * 1_000.0 {
        return Ok(per_1000_s as i64);
    }
    let problem = format!("must be between 0.001 and {most}, not {per_second}");
    Err(Fault::field("waiting_room.admissions_per_second", problem))
}

/// A room as the contract shows it.
pub(crate) fn room(room: &Room, now_ms: i64) -> pb::WaitingRoom {
    let settings = &room.settings;
    let seed = room.shuffle_seed.filter(|_| settings.ordering == room::Ordering::ShuffledPrequeue);
    let closed = room.state(now_ms) == RoomState::Closed;
    pb::WaitingRoom {
        name: room::name(room.id),
        state: state(room.state(now_ms)).into(),
        ordering: match settings.ordering {
            room::Ordering::Fifo => Ordering::Fifo.into(),
            room::Ordering::ShuffledPrequeue => Ordering::ShuffledPrequeue.into(),
        },
        prequeue_open_time: settings.prequeue_open_time.map(timestamp),
        open_time: Some(timestamp(settings.open_time)),
        close_time: settings.close_time.map(timestamp),
        max_active_tokens: int32(settings.max_active_tokens),
        admissions_per_second: per_second(room),
        active_ttl: Some(duration(settings.active_ttl_ms)),
        claim_ttl: Some(duration(settings.claim_ttl_ms)),
        max_active_lifetime: Some(duration(settings.max_active_lifetime_ms)),
        max_waiting: settings.max_waiting,
        issued_count: room.issued_count,
        admitted_through: room.admitted_through,
        active_count: int32(room.active_count),
        shuffle_commitment: seed.map(|seed| seed.commitment().to_vec()).unwrap_or_default(),
        shuffle_seed: seed.filter(|_| closed).map(|seed| seed.0.to_vec()).unwrap_or_default(),
        etag: room.version.to_string(),
        sold_out_time: room.sold_out_time.map(timestamp),
        waiting_count: room.waiting_count,
        prequeued_count: room.draw.map(|draw| draw.places),
    }
}

/// How far a room is at a time.
pub(crate) fn progress(room: &Room, now_ms: i64) -> pb::WaitingRoomProgress {
    pb::WaitingRoomProgress {
        admitted_through: room.admitted_through,
        admissions_per_second: per_second(room),
        issued_count: room.issued_count,
        state: state(room.state(now_ms)).into(),
        as_of_time: Some(timestamp(now_ms)),
        sold_out: room.sold_out_time.is_some(),
    }
}

fn per_second(room: &Room) -> f64 {
    room.settings.admissions_per_1000_s as f64 / 1_000.0
}

fn state(state: RoomState) -> State {
    match state {
        RoomState::Scheduled => State::Scheduled,
        RoomState::Prequeue => State::Prequeue,
        RoomState::Open => State::Open,
        RoomState::Paused => State::Paused,
        RoomState::Closed => State::Closed,
    }
}

fn int32(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Where a page starts (create_time, id), and how many rooms fill it.
pub(crate) fn page_of(request: &pb::ListWaitingRoomsRequest) -> Result<((i64, Uuid), i64), Fault> {
    let size = page::size(request.page_size)? as i64;
    let foreign = page::foreign_token;
    let from = match request.page_token.as_str() {
        "" => (i64::MIN, Uuid::nil()),
        token => {
            let (time, id) = token.split_once('/').ok_or_else(foreign)?;
            (time.parse().map_err(|_| foreign())?, ids::uuid("page_token", id).map_err(|_| foreign())?)
        }
    };
    Ok((from, size))
}

/// A page of `size` rooms; a further one begins the next page.
pub(crate) fn list(rooms: &[Room], size: i64, now_ms: i64) -> pb::ListWaitingRoomsResponse {
    let size = size as usize;
    let next = rooms.get(size).map(|next| format!("{}/{}", next.create_time, next.id));
    pb::ListWaitingRoomsResponse {
        waiting_rooms: rooms.iter().take(size).map(|each| room(each, now_ms)).collect(),
        next_page_token: next.unwrap_or_default(),
    }
}
