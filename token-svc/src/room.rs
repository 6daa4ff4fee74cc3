//! A waiting room: what its operator sets, the state that the time puts it in, and who may join. How fast its head moves
//! is in `admission.rs`. Pure: reading and writing it is the store's affair.

use std::time::Duration;

use service_kit::refusal::Refusal;
use service_kit::wire::timestamp;
use tonic::Code;
use uuid::Uuid;

use crate::shuffle::Seed;

/// When to ask again at a full room: seldom enough that those outside are no load.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// Whether people may come and are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoomState {
    Scheduled,
    Prequeue,
    Open,
    Paused,
    Closed,
}

impl RoomState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Prequeue => "PREQUEUE",
            Self::Open => "OPEN",
            Self::Paused => "PAUSED",
            Self::Closed => "CLOSED",
        }
    }
}

/// Who is before whom; numbered as in the contract and the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ordering {
    /// Who came first.
    Fifo = 1,
    /// Those who came before the room opened in an order that was drawn; the others behind them, who came first.
    ShuffledPrequeue = 2,
}

/// What an operator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) ordering: Ordering,
    pub(crate) prequeue_open_time: Option<i64>,
    pub(crate) open_time: i64,
    pub(crate) close_time: Option<i64>,
    pub(crate) max_active_tokens: i64,
    pub(crate) admissions_per_1000_s: i64,
    pub(crate) active_ttl_ms: i64,
    pub(crate) claim_ttl_ms: i64,
    pub(crate) max_active_lifetime_ms: i64,
    /// 0: no limit.
    pub(crate) max_waiting: i64,
}

/// A room as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) id: Uuid,
    pub(crate) settings: Settings,
    pub(crate) paused: bool,
    /// The last sequence given out.
    pub(crate) issued_count: i64,
    /// The last sequence whose turn has come.
    pub(crate) admitted_through: i64,
    /// Tokens whose turn has not come.
    pub(crate) waiting_count: i64,
    /// Tokens whose turn has come and has not ended, claimed or not.
    pub(crate) active_count: i64,
    /// What the rate has allowed and nobody has used, in millionths of an admission.
    pub(crate) admission_credit: i64,
    /// Up to when the credit is counted.
    pub(crate) tick_time: i64,
    pub(crate) version: i64,
    pub(crate) create_time: i64,
    /// What a shuffled prequeue is drawn by; nobody outside sees it before the room is closed.
    pub(crate) shuffle_seed: Option<Seed>,
    /// How many places are drawn for, once the draw has begun, and how many of them have been.
    pub(crate) draw: Option<Draw>,
    /// Since when the sale has nothing left.
    pub(crate) sold_out_time: Option<i64>,
    /// How often the line was loaded into another store, which counts it. 0 or less: the counts above are exact.
    pub(crate) line_generation: i64,
    /// The process that moves the head, and until when nobody else does.
    pub(crate) lease: Lease,
    /// Events about the room so far.
    pub(crate) event_count: i64,
    pub(crate) announced: Announced,
}

/// How far the draw of a shuffled prequeue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw {
    /// Places to draw for.
    pub(crate) places: i64,
    /// Of them drawn.
    pub(crate) drawn: i64,
}

/// Who moves the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) owner: Option<Uuid>,
    pub(crate) until: i64,
}

/// What was told of what the time alone brings about; numbered as in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Announced {
    Nothing = 0,
    Opened = 1,
    Closed = 2,
}

/// What an operator wants of a room.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(Settings),
    Pause,
    Resume,
    Close,
    SoldOut,
    OnSale,
}

impl Room {
    pub(crate) fn state(&self, now_ms: i64) -> RoomState {
        let Settings { prequeue_open_time, open_time, close_time, .. } = self.settings;
        let reached = |time: Option<i64>| time.is_some_and(|time| time <= now_ms);
        match self.paused {
            _ if reached(close_time) => RoomState::Closed,
            true if reached(Some(open_time)) => RoomState::Paused,
            false if reached(Some(open_time)) => RoomState::Open,
            _ if reached(prequeue_open_time) => RoomState::Prequeue,
            _ => RoomState::Scheduled,
        }
    }

    /// Refuses whoever comes too early, too late, or when it is full.
    pub(crate) fn expect_joinable(&self, now_ms: i64) -> Result<(), Refusal> {
        match self.state(now_ms) {
            RoomState::Closed => Err(self.closed()),
            RoomState::Scheduled => Err(self.not_open(RoomState::Scheduled)),
            RoomState::Prequeue | RoomState::Open | RoomState::Paused if self.sold_out_time.is_some() => {
                Err(self.sold_out())
            }
            RoomState::Prequeue | RoomState::Open | RoomState::Paused => self.expect_room_for_one(),
        }
    }

    /// Whether whoever joins now takes part in a draw.
    pub(crate) fn is_drawing_lots(&self, now_ms: i64) -> bool {
        self.is_undrawn() && self.draw.is_none() && now_ms < self.settings.open_time
    }

    /// Whether it is to be fixed who takes part in its draw, before anybody joins behind them.
    pub(crate) fn is_draw_due(&self, now_ms: i64) -> bool {
        self.is_undrawn() && self.draw.is_none() && self.settings.open_time <= now_ms
    }

    /// Whether there is still to be drawn, so that nobody knows who is first.
    pub(crate) fn is_undrawn(&self) -> bool {
        let left = self.draw.is_none_or(|draw| draw.drawn < draw.places);
        self.settings.ordering == Ordering::ShuffledPrequeue && left
    }

    /// Whether its head may move.
    pub(crate) fn lets_in(&self, now_ms: i64) -> bool {
        self.state(now_ms) == RoomState::Open && self.sold_out_time.is_none() && !self.is_undrawn()
    }

    /// What is to be told of what the time alone has brought about, if it has not been.
    pub(crate) fn news(&self, now_ms: i64) -> Option<Announced> {
        let now = match self.state(now_ms) {
            RoomState::Scheduled | RoomState::Prequeue => Announced::Nothing,
            // One that is paused at its opening has not let anybody in yet.
            RoomState::Paused => self.announced,
            RoomState::Open => Announced::Opened,
            RoomState::Closed => Announced::Closed,
        };
        (now > self.announced).then_some(now)
    }

    /// Does what the operator wants; tells whether that changed anything.
    pub(crate) fn apply(&mut self, change: Change, now_ms: i64) -> Result<bool, Refusal> {
        match (self.state(now_ms), change) {
            (RoomState::Closed, Change::Close) => Ok(false),
            (_, Change::Close) => {
                self.settings.close_time = Some(now_ms);
                Ok(true)
            }
            (RoomState::Closed, Change::Set(_)) => Err(self.closed()),
            (_, Change::Set(settings)) => {
                let changed = self.settings != settings;
                self.settings = settings;
                Ok(changed)
            }
            (RoomState::Open, Change::Pause) => {
                self.paused = true;
                Ok(true)
            }
            (RoomState::Paused, Change::Resume) => {
                // What the rate would have allowed meanwhile is lost.
                self.paused = false;
                self.tick_time = now_ms;
                Ok(true)
            }
            (RoomState::Closed, Change::SoldOut | Change::OnSale) => Err(self.closed()),
            (_, Change::SoldOut) => {
                let new = self.sold_out_time.is_none();
                self.sold_out_time = self.sold_out_time.or(Some(now_ms));
                Ok(new)
            }
            (_, Change::OnSale) => {
                // Nor is what the rate would have allowed while there was nothing to sell.
                let was = self.sold_out_time.take().is_some();
                self.tick_time = if was { self.tick_time.max(now_ms) } else { self.tick_time };
                Ok(was)
            }
            (RoomState::Paused, Change::Pause) | (RoomState::Open, Change::Resume) => Ok(false),
            (state, Change::Pause | Change::Resume) => Err(self.not_open(state)),
        }
    }

    /// Refuses a change to a room that is closed, and whoever has looked at another version.
    pub(crate) fn expect_changeable(&self, seen: &str, now_ms: i64) -> Result<(), Refusal> {
        if self.state(now_ms) == RoomState::Closed {
            return Err(self.closed());
        }
        if seen.is_empty() || seen == self.version.to_string() {
            return Ok(());
        }
        let message = format!("{} has changed; read it again", name(self.id));
        Err(Refusal::new(Code::Aborted, "ETAG_MISMATCH", message))
    }

    /// How long it takes until the head has moved by `places`, if nothing but the rate holds it back.
    pub(crate) fn wait_ms(&self, places: i64, now_ms: i64) -> i64 {
        let until_open = (self.settings.open_time - now_ms).max(0);
        let moving = places.saturating_mul(1_000_000) / self.settings.admissions_per_1000_s;
        until_open.saturating_add(moving)
    }

    fn expect_room_for_one(&self) -> Result<(), Refusal> {
        let limit = self.settings.max_waiting;
        if limit == 0 || self.waiting_count < limit {
            return Ok(());
        }
        let message = format!("{limit} are waiting in {}, and it holds no more; try again later", name(self.id));
        let full = Refusal::new(Code::ResourceExhausted, "WAITING_ROOM_FULL", message);
        Err(full.with("limit", limit).retry_after(FULL_RETRY))
    }

    fn not_open(&self, state: RoomState) -> Refusal {
        let open_time = self.settings.prequeue_open_time.unwrap_or(self.settings.open_time);
        let message = format!("{} is {}; it opens at {}", name(self.id), state.name(), timestamp(open_time));
        Refusal::precondition("WAITING_ROOM_NOT_OPEN", message)
            .with("open_time", timestamp(open_time))
            .with("state", state.name())
    }

    fn sold_out(&self) -> Refusal {
        let message = format!("what {} is for is sold out", name(self.id));
        Refusal::precondition("SOLD_OUT", message)
    }

    fn closed(&self) -> Refusal {
        let message = format!("{} is closed for good", name(self.id));
        Refusal::precondition("WAITING_ROOM_CLOSED", message)
    }
}

pub(crate) fn name(room: Uuid) -> String {
    format!("waitingRooms/{room}")
}

pub(crate) fn not_found(room: Uuid) -> Refusal {
    Refusal::not_found("WAITING_ROOM_NOT_FOUND", name(room))
}

pub(crate) fn already_exists(room: Uuid) -> Refusal {
    let name = name(room);
    let message = format!("{name} exists already; choose another waiting_room_id");
    Refusal::new(Code::AlreadyExists, "WAITING_ROOM_ALREADY_EXISTS", message).with("name", name)
}

#[cfg(test)]
pub(crate) mod tests;
