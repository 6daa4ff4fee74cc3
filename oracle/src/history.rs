//! What clients saw: one [`Call`] for everything that they asked, with when they asked, when they heard, and what. Kept as
//! JSON, a line a call, so that histories of several clients can be joined with `cat` as long as they share a scale of time.
//!
//! A call whose outcome the client cannot know is [`Outcome::Info`]: it may have had its effect, now or later. Only answers
//! that the contract gives before anything is done count as [`Outcome::Fail`].

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod judge;
mod recorder;
mod rules;

pub use judge::judge;
pub use recorder::{Asked, Pending, Recorder};
pub use rules::{Broken, Journal, RULES, Row};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A new saga, or the one that the same key had made.
    Start,
    /// A saga as it stands.
    Get,
    /// Each version of a saga; every message is a call of its own that was invoked when the stream was opened.
    Watch,
    /// That it turns back, or any other verb of an operator.
    Cancel,
}

/// Where an answer or a row says that a saga stands. Resources spell COMPENSATED as FAILED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the states of the contract")]
pub enum State {
    Running,
    Arbitrating,
    Suspended,
    Completing,
    Compensating,
    Completed,
    #[serde(alias = "FAILED")]
    Compensated,
}

impl State {
    /// By its name, in the contract or in the journal.
    pub fn parse(name: &str) -> Option<Self> {
        let states = [
            ("RUNNING", Self::Running),
            ("ARBITRATING", Self::Arbitrating),
            ("SUSPENDED", Self::Suspended),
            ("COMPLETING", Self::Completing),
            ("COMPENSATING", Self::Compensating),
            ("COMPLETED", Self::Completed),
            ("COMPENSATED", Self::Compensated),
            ("FAILED", Self::Compensated),
        ];
        states.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, state)| state)
    }

    /// Whether it has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }

    /// Whether the customer gets what he wanted, once that is decided and shows.
    pub fn is_won(self) -> Option<bool> {
        match self {
            Self::Running | Self::Arbitrating | Self::Suspended => None,
            Self::Completing | Self::Completed => Some(true),
            Self::Compensating | Self::Compensated => Some(false),
        }
    }
}

/// What an answer says about a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Which one.
    pub saga: Uuid,
    /// Where it stands.
    pub state: State,
    /// Its version.
    pub version: i64,
}

/// What a client knows after a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered.
    Ok {
        /// Where the saga stands.
        state: State,
        /// Its version.
        version: i64,
    },
    /// It was refused before anything was done.
    Fail {
        /// Why: the reason of the contract, or NOT_FOUND.
        reason: String,
    },
    /// Nobody can tell.
    Info {
        /// What the client was told instead of an answer.
        reason: String,
    },
}

/// The reason of an answer that there is no such saga.
pub const NOT_FOUND: &str = "NOT_FOUND";

impl Outcome {
    /// What an error means, by gRPC's number of its code and the reason of the contract, if there is one.
    pub fn of_error(what: What, code: i32, reason: &str) -> Self {
        let told = |name: &str| if reason.is_empty() { name.to_owned() } else { reason.to_owned() };
        match (code, what) {
            (3, _) => Self::Fail { reason: told("INVALID_ARGUMENT") },
            (7, _) => Self::Fail { reason: told("PERMISSION_DENIED") },
            (9, _) => Self::Fail { reason: told("FAILED_PRECONDITION") },
            // A reason tells that it was the service who was asked for too much, and not a message that was too large.
            (8, _) if reason == "OVERLOADED" => Self::Fail { reason: reason.to_owned() },
            (5, What::Get | What::Watch | What::Cancel) => Self::Fail { reason: NOT_FOUND.to_owned() },
            (code, _) => Self::Info { reason: told(&format!("code {code}")) },
        }
    }
}

/// One call, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Whose.
    pub client: u64,
    /// What he asked for.
    pub what: What,
    /// Of what kind of saga, for a start.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// For whom, for a start: `customers/{uuid}`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Under which request id, for a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Uuid>,
    /// The saga that was asked about, or answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga: Option<Uuid>,
    /// When, in microseconds since any moment that all calls share.
    pub invoke: u64,
    /// When the outcome was there; none if the client went away before.
    #[serde(rename = "return", default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// What he knows now.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What all clients saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// In any order.
    pub calls: Vec<Call>,
    /// Calls that there was no room for. A history with such is no proof.
    pub lost: u64,
}

impl History {
    /// Writes a line a call.
    ///
    /// # Errors
    /// Of the writer.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        for call in &self.calls {
            serde_json::to_writer(&mut to, call)?;
            to.write_all(b"\n")?;
        }
        to.flush()
    }

    /// Reads a line a call; empty lines are none.
    ///
    /// # Errors
    /// Of the reader, and when a line is no call: which one, and why.
    pub fn read(from: impl BufRead) -> io::Result<Self> {
        let mut calls = Vec::new();
        for (number, line) in from.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", number + 1));
            calls.push(serde_json::from_str(&line).map_err(wrong)?);
        }
        Ok(Self { calls, lost: 0 })
    }
}

/// The id at the end of a name such as `checkouts/{uuid}`: resources have the id of their saga.
pub fn saga_of(name: &str) -> Option<Uuid> {
    Uuid::try_parse(name.rsplit('/').next()?).ok()
}
