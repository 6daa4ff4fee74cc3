//! What the histories of sagas say, each in short: what was intended when, where it turned, how it ended.

use std::collections::BTreeMap;

use saga::{Call, Direction, Fact, State, StepIndex};
use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

/// Entries that are read at once.
const PAGE: i64 = 2_000;

/// The history of one saga.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Each direction of each step that was ever intended, in the order of the first intents.
    pub intents: Vec<Intent>,
    /// Whether its arbiter was asked.
    pub is_arbitrated: bool,
    /// The version that turned it back, if one did.
    pub back: Option<i64>,
    /// How it ended and at which version.
    pub end: Option<(&'static str, i64)>,
    /// The version of its last entry.
    pub last: i64,
    /// Steps of which a person has stated what became.
    pub resolved: Vec<StepIndex>,
}

/// The intents of one direction of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// Which one.
    pub step: StepIndex,
    /// Which way.
    pub direction: Direction,
    /// The owner's epoch at the first.
    pub epoch: i64,
    /// When the first was written.
    pub create_time: i64,
    /// The version that wrote the last.
    pub version: i64,
    /// The number of the last attempt.
    pub attempts: u32,
}

/// One entry.
struct Entry {
    bucket: i64,
    saga: Uuid,
    version: i64,
    position: i64,
    epoch: i64,
    create_time: i64,
    fact: Fact,
}

impl FromRow for Entry {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let fact: String = row.get(6)?;
        Ok(Self {
            bucket: row.get(0)?,
            saga: row.get(1)?,
            version: row.get(2)?,
            position: row.get(3)?,
            epoch: row.get(4)?,
            create_time: row.get(5)?,
            fact: serde_json::from_str(&fact).map_err(|error| row.corrupt(6, error.to_string()))?,
        })
    }
}

/// The histories of all sagas that have one.
///
/// # Errors
/// Of the store.
pub async fn pasts(tx: &mut Tx<'_>) -> Result<BTreeMap<Uuid, Past>, db::Error> {
    const SELECT: &str = "select bucket, saga_id, version, position, epoch, create_time, fact \
        from orchestrator_saga_event where (bucket, saga_id, version, position) > ($1, $2, $3, $4) \
        order by bucket, saga_id, version, position limit $5";
    let mut pasts: BTreeMap<Uuid, Past> = BTreeMap::new();
    let mut after = (-1_i64, Uuid::nil(), 0_i64, 0_i64);
    loop {
        let page: Vec<Entry> = tx.fetch_all(SELECT, args![after.0, after.1, after.2, after.3, PAGE]).await?;
        let Some(last) = page.last() else { return Ok(pasts) };
        after = (last.bucket, last.saga, last.version, last.position);
        for entry in page {
            pasts.entry(entry.saga).or_default().take(&entry);
        }
    }
}

impl Past {
    /// Goes on by one entry; they come in their order.
    fn take(&mut self, entry: &Entry) {
        self.last = entry.version;
        match &entry.fact {
            Fact::Intended(call) => self.intend(*call, entry),
            Fact::Turned { to: State::Compensating, .. } => self.back = self.back.or(Some(entry.version)),
            Fact::Turned { to: to @ (State::Completed | State::Compensated), .. } => {
                self.end = self.end.or(Some((to.name(), entry.version)));
            }
            Fact::Resolved { step, .. } => self.resolved.push(*step),
            Fact::Turned { to: State::Arbitrating, .. } => self.is_arbitrated = true,
            Fact::Turned { to: State::Running | State::Completing | State::Suspended(_), .. }
            | Fact::Started
            | Fact::Skipped(_)
            | Fact::Answered { .. }
            | Fact::Abandoned(_)
            | Fact::Adopted
            | Fact::Intervened { .. }
            | Fact::Alarm(_) => {}
        }
    }

    fn intend(&mut self, call: Call, entry: &Entry) {
        let known = self.intents.iter_mut().find(|known| (known.step, known.direction) == (call.step, call.direction));
        if let Some(known) = known {
            (known.version, known.attempts) = (entry.version, call.attempt);
            return;
        }
        self.intents.push(Intent {
            step: call.step,
            direction: call.direction,
            epoch: entry.epoch,
            create_time: entry.create_time,
            version: entry.version,
            attempts: call.attempt,
        });
    }

    /// The intents of one direction of a step, if there are any.
    pub fn intent(&self, step: StepIndex, direction: Direction) -> Option<&Intent> {
        self.intents.iter().find(|intent| (intent.step, intent.direction) == (step, direction))
    }
}
