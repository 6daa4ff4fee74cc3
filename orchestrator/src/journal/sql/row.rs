//! A saga's row: a record on its way in and out, and the statements that touch exactly one.

use std::sync::Arc;

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::outbox::Event;
use uuid::Uuid;

use super::OUTBOX;
use super::history::{self, Line};
use crate::journal::{Adopted, Append, Error, Orphans, Record};

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
    subject, reference, create_time, update_time, due_time, end_time, problem, request_hash, input, machine) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, null, $15, $16, $17) on conflict do nothing";

/// Names no column of an index: not even `end_time`, which the indexes of open sagas ask for.
const UPDATE: &str = "update orchestrator_saga set version = version + 1, state = $5, machine = $6, due_time = $7, \
    update_time = $8, problem = null \
    where bucket = $1 and id = $2 and version = $3 and epoch = $4 and end_time is null";
const UPDATE_LAST: &str = "update orchestrator_saga set version = version + 1, state = $5, machine = $6, due_time = $7, \
    update_time = $8, problem = null, end_time = $8 \
    where bucket = $1 and id = $2 and version = $3 and epoch = $4 and end_time is null";

const LOAD: &str = select!("where bucket = $1 and id = $2");
const OPEN: &str = select!("where bucket = $1 and id = $2 and end_time is null");
const ORPHANED: &str = select!(
    "where bucket = $1 and id = $2 and end_time is null and problem is null \
     and owner not in (select id from orchestrator_incarnation)"
);

/// A row that was parked and can be read again is whole again.
const ADOPT: &str = "update orchestrator_saga set epoch = epoch + 1, owner = $5, state = $6, problem = null \
    where bucket = $1 and id = $2 and version = $3 and epoch = $4";
const PARK: &str = "update orchestrator_saga set state = 'suspended', problem = $3 where bucket = $1 and id = $2";

/// One write, encoded.
pub(super) struct Write {
    next: Arc<Record>,
    machine: String,
    lines: Vec<Line>,
    events: Vec<Event>,
}

impl Write {
    pub(super) fn encode(append: Append) -> Result<Self, Error> {
        let machine = serde_json::to_string(&append.next.saga);
        let lines = append.facts.iter().map(Line::encode).collect::<Result<_, _>>();
        Ok(Self {
            machine: machine.map_err(unwritable)?,
            lines: lines.map_err(unwritable)?,
            next: append.next,
            events: append.events,
        })
    }

    /// Tells whether the saga was new.
    pub(super) async fn insert(&self, tx: &mut Tx<'_>) -> Result<bool, db::Error> {
        let next = &*self.next;
        let row = args![
            tx.bucket(next.id),
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
        ];
        Ok(tx.execute(INSERT, row).await? == 1)
    }

    /// Tells whether the row stood one version before, under the same epoch.
    pub(super) async fn update(&self, tx: &mut Tx<'_>) -> Result<bool, db::Error> {
        let next = &*self.next;
        let sql = if next.saga.is_terminal() { UPDATE_LAST } else { UPDATE };
        let row = args![
            tx.bucket(next.id),
            next.id,
            next.version - 1,
            next.epoch,
            next.saga.state().name(),
            &self.machine,
            next.saga.next_wake_ms(),
            next.update_time,
        ];
        Ok(tx.execute(sql, row).await? == 1)
    }

    /// What lands with the row: its history and its events.
    pub(super) async fn follow_up(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        history::insert(tx, &self.next, &self.lines).await?;
        for event in &self.events {
            OUTBOX.put(tx, event).await?;
        }
        Ok(())
    }
}

/// A row that may hold anything: what is wrong with it, if something is, concerns it alone.
struct Stored(Result<Record, db::Error>);

impl FromRow for Stored {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self(decode(row)))
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
        Some(Stored(record)) => record.map(Some).map_err(|error| Error::Corrupt(problem(id, &error))),
        None => Ok(None),
    }
}

/// Takes over one saga, or parks it. None if it has ended, or is nobody's orphan any more.
pub(super) async fn adopt(tx: &mut Tx<'_>, id: Uuid, owner: Uuid, orphans: Orphans) -> Result<Option<Adopted>, Error> {
    let sql = match orphans {
        Orphans::Any(_) => ORPHANED,
        Orphans::One(_) => OPEN,
    };
    let Some(Stored(record)) = tx.fetch_optional(sql, args![tx.bucket(id), id]).await? else {
        return Ok(None);
    };
    let mut record = match record {
        Ok(record) => record,
        Err(error) => {
            let problem = problem(id, &error);
            tx.execute(PARK, args![tx.bucket(id), id, &problem]).await?;
            return Ok(Some(Adopted::Broken { id, problem }));
        }
    };
    let (version, epoch) = (record.version, record.epoch);
    let state = record.saga.state().name();
    let row = args![tx.bucket(id), id, version, epoch, owner, state];
    if tx.execute(ADOPT, row).await? == 0 {
        return Ok(None);
    }
    record.owner = owner;
    record.epoch += 1;
    Ok(Some(Adopted::Saga(Box::new(record))))
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
        assert_eq!(writes(program(UPDATE, 8).await), 0);
        assert!(writes(program(UPDATE_LAST, 8).await) > 0);
    }
}
