//! A saga's row: a record on its way in and out, and the statements that touch exactly one.

use std::sync::Arc;

use saga::Phase;
use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use service_kit::outbox::Event;
use uuid::Uuid;

use super::history::{self, Line};
use super::{OUTBOX, park, rows};
use crate::exposure::Exposure;
use crate::journal::{Adopted, Append, Error, Record};

/// The columns of a record, in the order in which it is read. Closed by what they are selected from.
macro_rules! select {
    ($rest:expr) => {
        concat!(
            "select id, kind, plan_version, subject, reference, request_hash, input, machine, version, epoch, owner, \
             create_time, update_time from orchestrator_saga ",
            $rest
        )
    };
}
pub(super) use select;

const INSERT: &str = "insert into orchestrator_saga (bucket, id, kind, plan_version, state, version, epoch, owner, \
    subject, reference, create_time, update_time, due_time, end_time, problem, request_hash, input, machine, \
    step, reason, held_amount, held_seats) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, null, \
    $15, $16, $17, $18, $19, $20, $21) on conflict do nothing";

/// Names no column of an index: not even `end_time`, which the indexes of open sagas ask for.
const UPDATE: &str = "update orchestrator_saga set version = version + 1, state = $5, machine = $6, due_time = $7, \
    update_time = $8, step = $9, reason = $10, held_amount = $11, held_seats = $12, problem = null \
    where bucket = $1 and id = $2 and version = $3 and epoch = $4 and end_time is null";
const UPDATE_LAST: &str = "update orchestrator_saga set version = version + 1, state = $5, machine = $6, due_time = $7, \
    update_time = $8, step = $9, reason = $10, held_amount = $11, held_seats = $12, problem = null, end_time = $8 \
    where bucket = $1 and id = $2 and version = $3 and epoch = $4 and end_time is null";

const LOAD: &str = select!("where bucket = $1 and id = $2");
const OPEN: &str = select!("where bucket = $1 and id = $2 and end_time is null");
/// Of the plans that are named, or of all; a version that cannot be one is adopted to be parked.
const OPEN_OF: &str = select!(
    "where owner = $1 and end_time is null and problem is null \
    and ($3 = '' or $3 like '%|' || kind || ' ' || cast(plan_version as text) || '|%' \
    or not (plan_version between 1 and 1000000)) order by id limit $2"
);

/// The owner and the epoch that were seen must still stand. A row that was parked and can be read again is whole again.
const ADOPT: &str = "update orchestrator_saga set epoch = epoch + 1, owner = $5, state = $6, problem = null \
    where bucket = $1 and id = $2 and version = $3 and epoch = $4 and end_time is null";

/// One write, encoded.
#[derive(Debug)]
pub(super) struct Write {
    is_first: bool,
    next: Arc<Record>,
    machine: String,
    exposure: Exposure,
    lines: Vec<Line>,
    events: Vec<Event>,
}

impl Write {
    /// The write of a saga that must be new.
    pub(super) fn first(append: Append) -> Result<Self, Error> {
        Self::encode(true, append)
    }

    /// The write of a saga that must stand one version before, under the same epoch.
    pub(super) fn later(append: Append) -> Result<Self, Error> {
        Self::encode(false, append)
    }

    fn encode(is_first: bool, append: Append) -> Result<Self, Error> {
        let machine = serde_json::to_string(&append.next.saga);
        let lines = append.facts.iter().map(Line::encode).collect::<Result<_, _>>();
        Ok(Self {
            is_first,
            machine: machine.map_err(unwritable)?,
            exposure: append.exposure,
            lines: lines.map_err(unwritable)?,
            next: append.next,
            events: append.events,
        })
    }

    pub(super) fn id(&self) -> Uuid {
        self.next.id
    }

    /// The saga as it stands then.
    pub(super) fn next(&self) -> &Arc<Record> {
        &self.next
    }

    /// Whether those who follow the saga are likely to wait for this: its outcome is decided, or it goes on no more.
    pub(super) fn is_awaited(&self) -> bool {
        let saga = &self.next.saga;
        saga.is_terminal() || saga.is_suspended() || saga.phase() == Some(Phase::Completing)
    }

    /// The statement on the saga's row, which counts one row if the saga stands as it must.
    pub(super) fn on_row(&self, bucket: i64) -> (&'static str, Vec<Arg<'_>>) {
        if self.is_first { self.insert(bucket) } else { self.update(bucket) }
    }

    fn insert(&self, bucket: i64) -> (&'static str, Vec<Arg<'_>>) {
        let next = &*self.next;
        let row = args![
            bucket,
            next.id,
            &next.kind,
            i64::from(next.plan_version),
            next.saga.state().name(),
            next.version,
            next.epoch,
            next.owner,
            &next.subject,
            &next.reference,
            next.create_time,
            next.update_time,
            next.saga.next_wake_ms(),
            next.saga.is_terminal().then_some(next.update_time),
            &next.request_hash,
            &next.input,
            &self.machine,
            self.exposure.step,
            &self.exposure.reason,
            self.exposure.held.amount,
            self.exposure.held.seats,
        ];
        (INSERT, row.to_vec())
    }

    fn update(&self, bucket: i64) -> (&'static str, Vec<Arg<'_>>) {
        let next = &*self.next;
        let sql = if next.saga.is_terminal() { UPDATE_LAST } else { UPDATE };
        let row = args![
            bucket,
            next.id,
            next.version - 1,
            next.epoch,
            next.saga.state().name(),
            &self.machine,
            next.saga.next_wake_ms(),
            next.update_time,
            self.exposure.step,
            &self.exposure.reason,
            self.exposure.held.amount,
            self.exposure.held.seats,
        ];
        (sql, row.to_vec())
    }

    /// Whether events land with the row.
    pub(super) fn announces(&self) -> bool {
        !self.events.is_empty()
    }

    /// What lands with the row: its history and its events.
    pub(super) fn beside_row(&self, bucket: i64) -> impl Iterator<Item = (&'static str, Vec<Arg<'_>>)> {
        let events = self.events.iter().map(move |event| OUTBOX.insertion(bucket, event));
        history::insertions(bucket, &self.next, &self.lines).chain(events)
    }
}

/// A row as it was found: what is wrong with it, if something is, concerns it alone.
#[derive(Clone)]
pub(super) struct Known {
    id: Uuid,
    record: Result<Record, db::Error>,
}

impl FromRow for Known {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { id: row.get(0)?, record: decode(row) })
    }
}

/// Reads what [`select!`] selects.
pub(super) fn decode(row: &Row<'_>) -> Result<Record, db::Error> {
    let machine: String = row.get(7)?;
    Ok(Record {
        id: row.get(0)?,
        kind: row.get(1)?,
        plan_version: u32::try_from(row.get::<i64>(2)?).map_err(|error| row.corrupt(2, error.to_string()))?,
        subject: row.get(3)?,
        reference: row.get(4)?,
        request_hash: row.get(5)?,
        input: row.get(6)?,
        saga: serde_json::from_str(&machine).map_err(|error| row.corrupt(7, error.to_string()))?,
        version: row.get(8)?,
        epoch: row.get(9)?,
        owner: row.get(10)?,
        create_time: row.get(11)?,
        update_time: row.get(12)?,
    })
}

pub(super) async fn load(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Record>, Error> {
    match tx.fetch_optional(LOAD, args![tx.bucket(id), id]).await? {
        Some(Known { record, .. }) => record.map(Some).map_err(|error| Error::Corrupt(problem(id, &error))),
        None => Ok(None),
    }
}

/// Takes over one saga as it stands, unless it has ended.
pub(super) async fn adopt_one(tx: &mut Tx<'_>, id: Uuid, owner: Uuid) -> Result<Vec<Adopted>, Error> {
    let known: Vec<Known> = tx.lock_all(OPEN, args![tx.bucket(id), id]).await?;
    if let [Known { record: Ok(record), .. }] = &known[..] {
        park::release(tx, record).await?;
    }
    adopt(tx, &known, owner).await
}

/// Open sagas of one owner that can be read, this many at most.
pub(super) async fn open_of(
    tx: &mut Tx<'_>,
    owner: Uuid,
    (plans, limit): (&str, usize),
) -> Result<Vec<Known>, db::Error> {
    tx.fetch_all(OPEN_OF, args![owner, rows(limit), plans]).await
}

/// Takes over the sagas that still stand as they were found, and parks those that cannot be read.
pub(super) async fn adopt(tx: &mut Tx<'_>, known: &[Known], owner: Uuid) -> Result<Vec<Adopted>, Error> {
    let mut adopted = Vec::with_capacity(known.len());
    let (mut records, mut updates) = (Vec::new(), Vec::new());
    for Known { id, record } in known {
        match record {
            Ok(record) => {
                let state = record.saga.state().name();
                let (version, epoch) = (record.version, record.epoch);
                updates.push((ADOPT, args![tx.bucket(*id), *id, version, epoch, owner, state].to_vec()));
                records.push(record);
            }
            Err(_) => {
                // It may have been mended, or taken, since it was seen.
                let known: Option<Known> = tx.lock_optional(OPEN, args![tx.bucket(*id), *id]).await?;
                let still = known.and_then(|known| known.record.err());
                let Some(error) = still else { continue };
                let problem = problem(*id, &error);
                if park::park(tx, *id, &problem).await? {
                    adopted.push(Adopted::Broken { id: *id, problem });
                }
            }
        }
    }
    let updated = tx.execute_each(&updates).await?;
    let taken = records.into_iter().zip(updated).filter(|(_, updated)| *updated == 1);
    adopted.extend(taken.map(|(record, _)| {
        let epoch = record.epoch + 1;
        Adopted::Saga(Box::new(Record { owner, epoch, ..record.clone() }))
    }));
    Ok(adopted)
}

fn problem(id: Uuid, error: &db::Error) -> String {
    format!("orchestrator_saga {id}: {error}")
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::Store(db::Error::Bug(format!("a saga cannot be encoded: {error}")))
}

#[cfg(test)]
mod tests {
    use service_kit::clock::ManualClock;
    use service_kit::db::{Arg, Db};

    use super::*;

    /// The instructions that the statement is made of.
    async fn program(sql: &str, parameters: usize) -> Vec<String> {
        let db = Db::open_inline(None, Arc::new(ManualClock::at(0))).unwrap();
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        let explain: &'static str = Box::leak(format!("explain {sql}").into_boxed_str());
        let work = async move |tx: &mut Tx<'_>| tx.fetch_all(explain, &vec![Arg::Null; parameters]).await;
        let program: Vec<(i64, String)> = db.read(work).await.unwrap();
        program.into_iter().map(|(_, instruction)| instruction).collect()
    }

    #[tokio::test]
    async fn an_append_writes_to_no_index_until_the_saga_ends() {
        let writes =
            |program: Vec<String>| program.iter().filter(|it| *it == "IdxInsert" || *it == "IdxDelete").count();
        assert_eq!(writes(program(UPDATE, 12).await), 0);
        assert!(writes(program(UPDATE_LAST, 12).await) > 0);
    }
}
