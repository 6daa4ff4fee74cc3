//! The rows of bulk operations. A job and its items lie in the job's own bucket, so what belongs together is one commit.

use saga::Verb;
use service_kit::args;
use service_kit::db::{self, Db, FromRow, Row, Tx};
use uuid::Uuid;

use super::{Item, Job, Verdict};

macro_rules! job {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, filter, verb, reason, before_time, before_id, is_listed, matched, applied, refused, create_time, \
             cancel_time, end_time ",
            $after
        )
    };
}

/// Sagas that were accepted later are none of its business.
const INSERT: &str = "insert into orchestrator_bulk (bucket, id, request_hash, filter, verb, reason, claimant, \
    claim_end_time, before_time, before_id, is_listed, matched, applied, refused, create_time, cancel_time, end_time) \
    values ($1, $2, $3, $4, $5, $6, null, 0, $7, $8, 0, 0, 0, 0, $7, null, null) on conflict do nothing";
const HASH: &str = "select request_hash from orchestrator_bulk where bucket = $1 and id = $2";
const LOAD: &str = job!("select", "from orchestrator_bulk where bucket = $1 and id = $2");
const NEWEST: &str = job!(
    "select",
    "from orchestrator_bulk where (create_time, id) < ($1, $2) order by create_time desc, id desc limit $3"
);
const CANCEL: &str = "update orchestrator_bulk set cancel_time = $3 \
    where bucket = $1 and id = $2 and end_time is null and cancel_time is null";

const CLAIMABLE: &str = "select id from orchestrator_bulk where end_time is null and claim_end_time <= $1 \
    order by create_time, id limit $2";
const CLAIM: &str = job!(
    "update orchestrator_bulk set claimant = $3, claim_end_time = $4 \
     where bucket = $1 and id = $2 and end_time is null and claim_end_time <= $5 returning",
    ""
);
const RELEASE: &str = "update orchestrator_bulk set claim_end_time = 0 where bucket = $1 and id = $2 and claimant = $3";
const NOTE: &str = "update orchestrator_bulk set claim_end_time = $4, before_time = $5, before_id = $6, is_listed = $7, \
    matched = matched + $8 where bucket = $1 and id = $2 and claimant = $3 and end_time is null returning cancel_time";
const COUNT: &str = "update orchestrator_bulk set claim_end_time = $4, applied = applied + $5, refused = refused + $6 \
    where bucket = $1 and id = $2 and claimant = $3 and end_time is null returning cancel_time";
const END: &str = "update orchestrator_bulk set end_time = $4 \
    where bucket = $1 and id = $2 and claimant = $3 and end_time is null";

const ITEM: &str = "insert into orchestrator_bulk_item (bucket, bulk_id, saga_id, saga_version, state, status, \
    update_time) values ($1, $2, $3, $4, 'pending', null, $5)";
const PENDING: &str = "select saga_id, saga_version, state, status, update_time from orchestrator_bulk_item \
    where bucket = $1 and bulk_id = $2 and state = 'pending' order by saga_id limit $3";
const ITEMS: &str = "select saga_id, saga_version, state, status, update_time from orchestrator_bulk_item \
    where bucket = $1 and bulk_id = $2 and saga_id > $3 order by saga_id limit $4";
const SETTLE: &str = "update orchestrator_bulk_item set state = $4, status = $5, update_time = $6 \
    where bucket = $1 and bulk_id = $2 and saga_id = $3 and state = 'pending'";

const ENDED: &str = "select id from orchestrator_bulk where end_time < $1 order by create_time, id limit 1";
const FORGET_ITEMS: &str = "delete from orchestrator_bulk_item where bucket = $1 and bulk_id = $2 and saga_id in \
    (select saga_id from orchestrator_bulk_item where bucket = $1 and bulk_id = $2 order by saga_id limit $3)";
const FORGET: &str = "delete from orchestrator_bulk where bucket = $1 and id = $2 and end_time is not null";

/// Items that are forgotten in one transaction.
const FORGOTTEN: u64 = 500;

/// How long a claim lasts that is not kept up. Every saga that is done keeps it up, and the slowest rate is one a second.
pub(super) const CLAIM_MS: i64 = 10_000;

/// The verbs of bulk operations, as rows name them.
const VERBS: [(&str, Verb); 4] =
    [("retry", Verb::Retry), ("abort", Verb::Abort), ("suspend", Verb::Suspend), ("resume", Verb::Resume)];

/// The tables of bulk operations; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store(Db);

/// What became of a request for a job.
#[derive(Debug)]
pub(crate) enum Created {
    /// It is there, now or since an earlier request.
    Job(Job),
    /// The id stands for another request.
    Reused,
}

/// A new job.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) id: Uuid,
    pub(crate) request_hash: Vec<u8>,
    pub(crate) filter: String,
    pub(crate) verb: Verb,
    pub(crate) reason: String,
}

/// A job that this process works on, as long as the claim is kept up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) job: Uuid,
    /// Not of the process but of this one claim, so that the one before it is void.
    pub(super) claimant: Uuid,
}

/// Whether the job is to go on after what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    On,
    Cancelled,
}

/// Why nothing was written to a claimed job.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Somebody else works on it by now.
    #[error("the claim has run out")]
    Lost,
    #[error(transparent)]
    Store(#[from] db::Error),
}

impl Store {
    pub(crate) fn new(db: Db) -> Self {
        Self(db)
    }

    /// Forgets operations that ended before `before_ms`, with what became of their sagas.
    pub(crate) async fn forget(&self, before_ms: i64) -> Result<(), db::Error> {
        let forget = async move |tx: &mut Tx<'_>| {
            let Some((id,)) = tx.fetch_optional::<(Uuid,)>(ENDED, args![before_ms]).await? else { return Ok(false) };
            let bucket = tx.bucket(id);
            if tx.execute(FORGET_ITEMS, args![bucket, id, FORGOTTEN.cast_signed()]).await? < FORGOTTEN {
                tx.execute(FORGET, args![bucket, id]).await?;
            }
            Ok::<_, db::Error>(true)
        };
        while self.0.write(forget).await? {}
        Ok(())
    }

    pub(crate) async fn create(&self, new: New) -> Result<Created, db::Error> {
        let create = async move |tx: &mut Tx<'_>| {
            let (bucket, now_ms) = (tx.bucket(new.id), tx.now_ms());
            let verb = VERBS.iter().find(|(_, verb)| *verb == new.verb).map_or("", |(name, _)| name);
            let (hash, latest) = (&new.request_hash, Uuid::max());
            let row = args![bucket, new.id, hash, &new.filter, verb, &new.reason, now_ms, latest];
            if tx.execute(INSERT, row).await? == 0 {
                let (earlier,): (Vec<u8>,) = tx.fetch_one(HASH, args![bucket, new.id]).await?;
                if earlier != new.request_hash {
                    return Ok(Created::Reused);
                }
            }
            tx.fetch_one(LOAD, args![bucket, new.id]).await.map(Created::Job)
        };
        self.0.write(create).await
    }

    pub(crate) async fn load(&self, id: Uuid) -> Result<Option<Job>, db::Error> {
        self.0.read(async move |tx| tx.fetch_optional(LOAD, args![tx.bucket(id), id]).await).await
    }

    /// Newest first, from beyond `before`.
    pub(crate) async fn newest(&self, before: (i64, Uuid), limit: i64) -> Result<Vec<Job>, db::Error> {
        self.0.read(async move |tx| tx.fetch_all(NEWEST, args![before.0, before.1, limit]).await).await
    }

    /// By the ids of their sagas, from beyond `after`.
    pub(crate) async fn items(&self, job: Uuid, after: Uuid, limit: i64) -> Result<Vec<Item>, db::Error> {
        self.0.read(async move |tx| tx.fetch_all(ITEMS, args![tx.bucket(job), job, after, limit]).await).await
    }

    /// Asks a job to end. One that has ended stays as it is.
    pub(crate) async fn cancel(&self, id: Uuid) -> Result<Option<Job>, db::Error> {
        let cancel = async move |tx: &mut Tx<'_>| {
            let now_ms = tx.now_ms();
            tx.execute(CANCEL, args![tx.bucket(id), id, now_ms]).await?;
            tx.fetch_optional(LOAD, args![tx.bucket(id), id]).await
        };
        self.0.write(cancel).await
    }

    /// Jobs that nobody works on, oldest first.
    pub(super) async fn claimable(&self, limit: i64) -> Result<Vec<Uuid>, db::Error> {
        let find = async move |tx: &mut Tx<'_>| tx.fetch_all(CLAIMABLE, args![tx.now_ms(), limit]).await;
        let ids: Vec<(Uuid,)> = self.0.read(find).await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// Nothing if somebody else was faster.
    pub(super) async fn claim(&self, claim: Claim) -> Result<Option<Job>, db::Error> {
        let take = async move |tx: &mut Tx<'_>| {
            let Claim { job, claimant } = claim;
            let now_ms = tx.now_ms();
            tx.fetch_optional(CLAIM, args![tx.bucket(job), job, claimant, now_ms + CLAIM_MS, now_ms]).await
        };
        self.0.write(take).await
    }

    /// Lets the next one have the job at once.
    pub(super) async fn release(&self, claim: Claim) -> Result<(), db::Error> {
        let Claim { job, claimant } = claim;
        let release = async move |tx: &mut Tx<'_>| tx.execute(RELEASE, args![tx.bucket(job), job, claimant]).await;
        self.0.write(release).await.map(drop)
    }

    pub(super) async fn pending(&self, job: Uuid, limit: i64) -> Result<Vec<Item>, db::Error> {
        self.0.read(async move |tx| tx.fetch_all(PENDING, args![tx.bucket(job), job, limit]).await).await
    }

    /// Writes down sagas that were found, and from where to look on; nowhere when these were the last.
    pub(super) async fn note(
        &self,
        claim: Claim,
        found: Vec<(Uuid, i64)>,
        before: Option<(i64, Uuid)>,
    ) -> Result<Go, Error> {
        let note = async move |tx: &mut Tx<'_>| {
            let Claim { job, claimant } = claim;
            let (bucket, now_ms) = (tx.bucket(job), tx.now_ms());
            let (is_listed, (time, id)) = (i64::from(before.is_none()), before.unwrap_or_default());
            let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
            let row = args![bucket, job, claimant, now_ms + CLAIM_MS, time, id, is_listed, count];
            let go = tx.fetch_optional(NOTE, row).await?.ok_or(Error::Lost)?;
            for (saga, version) in found {
                tx.execute(ITEM, args![bucket, job, saga, version, now_ms]).await?;
            }
            Ok(go)
        };
        self.0.write(note).await
    }

    /// Writes down what became of a saga, once.
    pub(super) async fn settle(&self, claim: Claim, saga: Uuid, verdict: Verdict) -> Result<Go, Error> {
        let settle = async move |tx: &mut Tx<'_>| {
            let Claim { job, claimant } = claim;
            let (bucket, now_ms) = (tx.bucket(job), tx.now_ms());
            let (state, status) = match &verdict {
                Verdict::Applied => ("applied", None),
                Verdict::Refused(status) => ("refused", Some(status)),
            };
            let settled = tx.execute(SETTLE, args![bucket, job, saga, state, status, now_ms]).await?;
            let counts = match verdict {
                _ if settled == 0 => (0, 0),
                Verdict::Applied => (1, 0),
                Verdict::Refused(_) => (0, 1),
            };
            let row = args![bucket, job, claimant, now_ms + CLAIM_MS, counts.0, counts.1];
            tx.fetch_optional(COUNT, row).await?.ok_or(Error::Lost)
        };
        self.0.write(settle).await
    }

    pub(super) async fn end(&self, claim: Claim) -> Result<(), db::Error> {
        let end = async move |tx: &mut Tx<'_>| {
            let Claim { job, claimant } = claim;
            let now_ms = tx.now_ms();
            tx.execute(END, args![tx.bucket(job), job, claimant, now_ms]).await
        };
        self.0.write(end).await.map(drop)
    }
}

impl FromRow for Job {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let verb: String = row.get(2)?;
        let known = VERBS.into_iter().find(|(name, _)| *name == verb).map(|(_, verb)| verb);
        Ok(Self {
            id: row.get(0)?,
            filter: row.get(1)?,
            verb: known.ok_or_else(|| row.corrupt(2, format!("{verb} is no verb")))?,
            reason: row.get(3)?,
            before: (row.get(4)?, row.get(5)?),
            is_listed: row.get::<i64>(6)? != 0,
            matched: row.get(7)?,
            applied: row.get(8)?,
            refused: row.get(9)?,
            create_time: row.get(10)?,
            cancel_time: row.get(11)?,
            end_time: row.get(12)?,
        })
    }
}

impl FromRow for Item {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let state: String = row.get(2)?;
        let status: Option<Vec<u8>> = row.get(3)?;
        let verdict = match state.as_str() {
            "pending" => None,
            "applied" => Some(Verdict::Applied),
            _ => Some(Verdict::Refused(status.unwrap_or_default())),
        };
        Ok(Self { saga: row.get(0)?, version: row.get(1)?, verdict, update_time: row.get(4)? })
    }
}

impl FromRow for Go {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(if row.get::<Option<i64>>(0)?.is_some() { Self::Cancelled } else { Self::On })
    }
}
