//! A token, and its place in its room at a moment: how far it is from the head, and whether its time is over. Pure:
//! what happens to it is in `tokens.rs`.

use service_kit::refusal::Refusal;
use uuid::Uuid;

use crate::room::{Room, RoomState};

/// How far its customer is; numbered as in the contract and the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// In line.
    Waiting = 1,
    /// In: has a pass.
    Active = 2,
    /// Has bought.
    Completed = 3,
    /// Did not claim the turn, or did not buy in time.
    Expired = 4,
    /// Went away.
    Left = 5,
    /// Sent away by an operator.
    Revoked = 6,
}

impl TokenState {
    pub(crate) const ALL: [Self; 6] =
        [Self::Waiting, Self::Active, Self::Completed, Self::Expired, Self::Left, Self::Revoked];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Active => "ACTIVE",
            Self::Completed => "COMPLETED",
            Self::Expired => "EXPIRED",
            Self::Left => "LEFT",
            Self::Revoked => "REVOKED",
        }
    }

    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Active)
    }
}

/// Which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) room: Uuid,
    pub(crate) token: Uuid,
}

impl Key {
    pub(crate) fn name(self) -> String {
        format!("waitingRooms/{}/queueTokens/{}", self.room, self.token)
    }
}

/// From when until when a token is, or was, ACTIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) activate_time: i64,
    pub(crate) expire_time: i64,
}

/// A token as it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) key: Key,
    pub(crate) customer: Uuid,
    /// From 1; below 0 until it is drawn.
    pub(crate) sequence: i64,
    pub(crate) state: TokenState,
    pub(crate) create_time: i64,
    /// Once it has been ACTIVE.
    pub(crate) stay: Option<Stay>,
}

/// A token in its room at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) room: Room,
    pub(crate) token: Token,
    pub(crate) now_ms: i64,
}

impl Place {
    /// How many turns from now its own comes, 0 or less once it has come; nothing until its place is drawn.
    pub(crate) fn position(&self) -> Option<i64> {
        (self.token.sequence > 0).then_some(self.token.sequence - self.room.admitted_through)
    }

    /// The state that the time has put it in, stored or not. A turn that nobody claimed in time is not seen here.
    pub(crate) fn state(&self) -> TokenState {
        let over = match self.token.state {
            TokenState::Waiting => self.is_closed(),
            TokenState::Active => self.token.stay.is_none_or(|stay| stay.expire_time <= self.now_ms),
            TokenState::Completed | TokenState::Expired | TokenState::Left | TokenState::Revoked => false,
        };
        if over { TokenState::Expired } else { self.token.state }
    }

    /// Whether its turn has come and has not been claimed.
    pub(crate) fn is_unclaimed(&self) -> bool {
        self.state() == TokenState::Waiting && self.position().is_some_and(|position| position <= 0)
    }

    /// From when until when it would be ACTIVE, claimed now.
    pub(crate) fn claimed(&self) -> Stay {
        Stay { activate_time: self.now_ms, expire_time: self.now_ms + self.room.settings.active_ttl_ms }
    }

    /// The stay made longer, as far as the room lets it; never shorter.
    pub(crate) fn extended(&self, min_expire_time: i64) -> Result<Stay, Refusal> {
        let (TokenState::Active, Some(stay)) = (self.state(), self.token.stay) else {
            return Err(self.not_active());
        };
        let latest = stay.activate_time.saturating_add(self.room.settings.max_active_lifetime_ms);
        Ok(Stay { expire_time: stay.expire_time.max(min_expire_time.min(latest)), ..stay })
    }

    fn is_closed(&self) -> bool {
        self.room.state(self.now_ms) == RoomState::Closed
    }

    fn not_active(&self) -> Refusal {
        let state = self.state().name();
        let message = format!("{} is {state}, not ACTIVE", self.token.key.name());
        Refusal::precondition("QUEUE_TOKEN_NOT_ACTIVE", message).with("state", state)
    }
}

pub(crate) fn not_found(key: Key) -> Refusal {
    Refusal::not_found("QUEUE_TOKEN_NOT_FOUND", key.name())
}
