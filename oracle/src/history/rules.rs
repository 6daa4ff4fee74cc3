//! The rules of histories, and what they are held against.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::State;

/// The rules by their short names, with what must hold.
pub const RULES: &[(&str, &str)] = &[
    ("H0", "the history is whole, and each of its lines can be true"),
    ("H1", "whoever asks after another was answered hears of no older version"),
    ("H2", "an answer that something is decided, or has ended, is never taken back"),
    ("H3", "nobody is told that there is no such saga after somebody was told of it"),
    (
        "H4",
        "no answer is of a version that the journal has not, or says of one what it does not; at rest, none is behind",
    ),
    ("H5", "a request id of a customer is never answered with two sagas"),
    ("H6", "every saga that anybody was told of is in the journal"),
    ("H7", "at rest, every saga that anybody was told of has ended or is visibly parked"),
    ("H8", "what was refused was not begun"),
];

/// What breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule's short name.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

/// How the journal has a saga in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where it stands; SUSPENDED is visibly parked.
    pub state: State,
    /// Its version: it has had each from 1 on.
    pub version: i64,
}

/// What a history is held against. It must have been read after the last call of the history.
pub trait Journal {
    /// How a saga stands.
    fn row(&self, saga: Uuid) -> Option<Row>;

    /// Whether a saga that is not there may be one that was forgotten in time.
    fn may_be_forgotten(&self, _saga: Uuid) -> bool {
        false
    }

    /// The saga that a start makes, if that follows from what was asked.
    fn id_of(&self, _kind: &str, _subject: &str, _key: Uuid) -> Option<Uuid> {
        None
    }
}

impl Journal for BTreeMap<Uuid, Row> {
    fn row(&self, saga: Uuid) -> Option<Row> {
        self.get(&saga).copied()
    }
}
