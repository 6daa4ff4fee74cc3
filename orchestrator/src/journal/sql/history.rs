//! The history of sagas: one row per fact, all facts of one write in one statement. The columns beside the fact itself
//! repeat what people ask for.

use std::sync::LazyLock;

use saga::{Class, Direction, Fact};
use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use uuid::Uuid;

use super::rows;
use crate::journal::{Entry, Error, Record};

/// Rows of one statement. Hardly a write has more facts; one that has takes several statements.
const CHUNK: usize = 8;

/// The statements for 1, 2, … rows.
static INSERTS: LazyLock<[String; CHUNK]> = LazyLock::new(|| std::array::from_fn(|index| insert_of(index + 1)));

const PAGE: &str = "select version, position, epoch, create_time, fact from orchestrator_saga_event \
    where bucket = $1 and saga_id = $2 and (version, position) > ($3, $4) order by version, position limit $5";

/// One fact, encoded.
#[derive(Debug)]
pub(super) struct Line {
    kind: &'static str,
    step: Option<i64>,
    direction: Option<&'static str>,
    attempt: Option<i64>,
    outcome: Option<&'static str>,
    reason: Option<String>,
    fact: String,
}

impl Line {
    pub(super) fn encode(fact: &Fact) -> Result<Self, serde_json::Error> {
        let call = fact.call();
        Ok(Self {
            kind: fact.name(),
            step: fact.step().and_then(|step| i64::try_from(step.0).ok()),
            direction: call.map(|call| direction(call.direction)),
            attempt: call.map(|call| i64::from(call.attempt)),
            outcome: outcome(fact),
            reason: reason(fact),
            fact: serde_json::to_string(fact)?,
        })
    }

    fn args(&self, position: i64) -> [Arg<'_>; 8] {
        [
            position.into(),
            self.kind.into(),
            self.step.into(),
            self.direction.into(),
            self.attempt.into(),
            self.outcome.into(),
            self.reason.as_ref().into(),
            (&self.fact).into(),
        ]
    }
}

/// The statements that add the lines to the history of the version that `record` is.
pub(super) fn insertions<'a>(
    bucket: i64,
    record: &'a Record,
    lines: &'a [Line],
) -> impl Iterator<Item = (&'static str, Vec<Arg<'a>>)> {
    let mut positions = 1..;
    lines.chunks(CHUNK).map(move |chunk| {
        let mut values = args![bucket, record.id, record.version, record.epoch, record.update_time].to_vec();
        for (line, position) in chunk.iter().zip(positions.by_ref()) {
            values.extend(line.args(position));
        }
        (INSERTS[chunk.len() - 1].as_str(), values)
    })
}

/// The entries beyond `after`.
pub(super) async fn page(tx: &mut Tx<'_>, saga: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
    let from = args![tx.bucket(saga), saga, after.0, after.1, rows(limit)];
    match tx.fetch_all(PAGE, from).await {
        Err(error @ db::Error::Corrupt { .. }) => {
            Err(Error::Corrupt(format!("orchestrator_saga_event {saga}: {error}")))
        }
        page => Ok(page?),
    }
}

impl FromRow for Entry {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let fact: String = row.get(4)?;
        Ok(Self {
            version: row.get(0)?,
            position: row.get(1)?,
            epoch: row.get(2)?,
            time: row.get(3)?,
            fact: serde_json::from_str(&fact).map_err(|error| row.corrupt(4, error.to_string()))?,
        })
    }
}

/// What all rows of a write share is bound once.
fn insert_of(rows: usize) -> String {
    let row = |index: usize| {
        let own: Vec<_> = (6 + 8 * index..14 + 8 * index).map(|place| format!("${place}")).collect();
        format!("($1, $2, $3, $4, $5, {})", own.join(", "))
    };
    let values: Vec<_> = (0..rows).map(row).collect();
    format!(
        "insert into orchestrator_saga_event (bucket, saga_id, version, epoch, create_time, position, kind, step, \
         direction, attempt, outcome, reason, fact) values {}",
        values.join(", ")
    )
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Compensation => "compensation",
    }
}

fn outcome(fact: &Fact) -> Option<&'static str> {
    let Fact::Answered { class, .. } = fact else {
        return None;
    };
    Some(match class {
        Class::Done => "done",
        Class::Refused => "refused",
        Class::NotExecuted => "not_executed",
        Class::InDoubt => "in_doubt",
        Class::Overloaded => "overloaded",
        Class::Pending => "pending",
        Class::Contract => "contract",
        Class::Lie => "lie",
    })
}

/// The machine-readable reason of a failure.
fn reason(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Answered { failure, .. } | Fact::Turned { cause: failure, .. } => {
            failure.as_ref().map(|failure| failure.reason.clone())
        }
        Fact::Started
        | Fact::Skipped(_)
        | Fact::Intended(_)
        | Fact::Abandoned(_)
        | Fact::Adopted
        | Fact::Intervened { .. }
        | Fact::Resolved { .. }
        | Fact::Alarm(_) => None,
    }
}
