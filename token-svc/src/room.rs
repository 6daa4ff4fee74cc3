//! A waiting room: what its operator sets, the state that the time puts it in, and who may join. How fast its head moves
//! is in `admission.rs`. Pure: reading and writing it is the store's affair.

use std::time::Duration;

use service_kit::refusal::Refusal;
use service_kit::wire::timestamp;
use tonic::Code;
use uuid::Uuid;

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

/// What an operator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
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
}

/// What an operator wants of a room.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(Settings),
    Pause,
    Resume,
    Close,
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
            RoomState::Prequeue | RoomState::Open | RoomState::Paused => self.expect_room_for_one(),
        }
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
pub(crate) mod tests {
    use super::*;

    /// Opens at 1,000, prequeue from 500, closes at 9,000; lets 2 a second through, 5 at once.
    pub(crate) fn room() -> Room {
        let settings = Settings {
            prequeue_open_time: Some(500),
            open_time: 1_000,
            close_time: Some(9_000),
            max_active_tokens: 5,
            admissions_per_1000_s: 2_000,
            active_ttl_ms: 600_000,
            claim_ttl_ms: 60_000,
            max_active_lifetime_ms: 1_800_000,
            max_waiting: 0,
        };
        Room {
            id: Uuid::nil(),
            settings,
            paused: false,
            issued_count: 0,
            admitted_through: 0,
            waiting_count: 0,
            active_count: 0,
            admission_credit: 0,
            tick_time: 0,
            version: 1,
            create_time: 0,
        }
    }

    #[test]
    fn the_time_opens_and_closes_a_room() {
        let states = [499, 500, 999, 1_000, 8_999, 9_000].map(|now_ms| room().state(now_ms).name());
        assert_eq!(states, ["SCHEDULED", "PREQUEUE", "PREQUEUE", "OPEN", "OPEN", "CLOSED"]);
    }

    #[test]
    fn only_an_open_room_can_be_paused_and_only_a_paused_one_resumed() {
        let mut room = room();
        assert_eq!(room.apply(Change::Pause, 999).unwrap_err().reason, "WAITING_ROOM_NOT_OPEN");
        assert_eq!(room.apply(Change::Resume, 1_000), Ok(false));
        assert_eq!(room.apply(Change::Pause, 1_000), Ok(true));
        assert_eq!(room.state(1_000), RoomState::Paused);
        assert_eq!(room.apply(Change::Pause, 2_000), Ok(false));
        assert_eq!(room.apply(Change::Resume, 2_000), Ok(true));
        assert_eq!((room.state(2_000), room.tick_time), (RoomState::Open, 2_000));
        assert_eq!(room.apply(Change::Pause, 9_000).unwrap_err().reason, "WAITING_ROOM_NOT_OPEN");
    }

    #[test]
    fn a_closed_room_stays_closed() {
        let mut room = room();
        let before = room.settings.clone();
        assert_eq!(room.apply(Change::Close, 100), Ok(true));
        assert_eq!(room.state(100), RoomState::Closed);
        assert_eq!(room.apply(Change::Close, 200), Ok(false));
        assert_eq!(room.apply(Change::Set(before), 200).unwrap_err().reason, "WAITING_ROOM_CLOSED");
    }

    #[test]
    fn the_wait_is_the_time_to_opening_and_then_the_rates() {
        assert_eq!(room().wait_ms(4, 400), 600 + 2_000);
        assert_eq!(room().wait_ms(4, 5_000), 2_000);
    }
}
