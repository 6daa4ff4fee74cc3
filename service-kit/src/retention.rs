//! What a service forgets, so that its tables stay as small as what is going on: rows of the barrier, once the orchestrator
//! has said that their saga is archived and a safe horizon has passed, never by their age alone; and kept answers to calls
//! that people make, by their age.
//!
//! A step that comes again even later finds no row. It is barred then by the unique key of its effect, which stays.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::db::{self, Arg, Db, Tx};
use crate::host::Host;
use crate::refusal::Fault;
use crate::{args, config, crash_point, ids};

/// How often it is looked for what can be forgotten: often enough that it is never much at once.
const PERIOD: Duration = Duration::from_secs(60 * 60);
/// Sagas in one notice: what fits into a message.
const MOST_SAGAS: usize = 1_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// When a service forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long after the notice that its saga is archived what is kept about a step stays: longer than any message can be
    /// under way.
    #[serde(deserialize_with = "config::positive")]
    pub saga_horizon_ms: i64,
    /// How long the answer to a call with a `request_id` is given to its repeats.
    #[serde(deserialize_with = "config::positive")]
    pub request_horizon_ms: i64,
    /// Sagas, or answers, that are forgotten in one transaction: few enough to hold nobody up.
    #[serde(deserialize_with = "config::positive")]
    pub batch: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { saga_horizon_ms: 7 * DAY_MS, request_horizon_ms: 7 * DAY_MS, batch: 100 }
    }
}

/// The statements of one service. Made by [`retention!`](crate::retention!).
#[derive(Debug)]
pub struct Retention {
    /// Finds a saga that has a row of the barrier.
    pub known: &'static str,
    /// Notes that a saga is archived, unless it is noted.
    pub note: &'static str,
    /// The sagas that were noted longest ago.
    pub due: &'static str,
    /// Deletes a saga's rows of the barrier; of a step that somebody outside still decides on, it stays.
    pub forget_steps: &'static str,
    /// Deletes the note.
    pub forget_note: &'static str,
    /// The oldest kept answers.
    pub stale: &'static str,
    /// Deletes one.
    pub forget_answer: &'static str,
}

/// What the service whose tables start with the given prefix forgets. It needs `{prefix}_archived_sagas`, and indexes on
/// the sagas of `{prefix}_saga_op` and the times of `{prefix}_idempotency`.
#[macro_export]
macro_rules! retention {
    ($prefix:literal) => {
        $crate::retention::Retention {
            known: concat!("select saga_id from ", $prefix, "_saga_op where saga_id = $1 limit 1"),
            note: concat!(
                "insert into ",
                $prefix,
                "_archived_sagas (saga_id, archive_time) values ($1, $2) on conflict do nothing"
            ),
            due: concat!(
                "select saga_id from ",
                $prefix,
                "_archived_sagas where archive_time < $1 order by archive_time, saga_id limit $2"
            ),
            forget_steps: concat!("delete from ", $prefix, "_saga_op where saga_id = $1 and state <> 5"),
            forget_note: concat!("delete from ", $prefix, "_archived_sagas where saga_id = $1"),
            stale: concat!(
                "select request_id from ",
                $prefix,
                "_idempotency where create_time < $1 order by create_time, request_id limit $2"
            ),
            forget_answer: concat!("delete from ", $prefix, "_idempotency where request_id = $1"),
        }
    };
}

/// What a round has forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Archived sagas.
    pub sagas: u64,
    /// Kept answers.
    pub answers: u64,
}

impl Retention {
    /// Takes the orchestrator's notice that the sagas of these names are archived, and tells how many of them are known
    /// here. The others are passed over: none of their steps has left anything.
    ///
    /// # Errors
    /// A violation of `sagas`; or of the store.
    pub async fn notice(&'static self, db: &Db, sagas: &[String]) -> Result<i64, Fault> {
        if sagas.is_empty() || sagas.len() > MOST_SAGAS {
            return Err(Fault::field("sagas", format!("must be 1 to {MOST_SAGAS} names, not {}", sagas.len())));
        }
        let sagas: Vec<Uuid> = sagas.iter().map(|name| ids::name("sagas", name, "sagas")).collect::<Result<_, _>>()?;
        db.write(async move |tx| {
            let mut known: Vec<(Uuid,)> = tx.fetch_each(&each(self.known, &sagas)).await?;
            // In one order everywhere, so that no two wait for each other.
            known.sort_unstable();
            known.dedup();
            let now_ms = tx.now_ms();
            crash_point!("notice.before_write");
            let note = |(saga,): &(Uuid,)| (self.note, args![*saga, now_ms].to_vec());
            tx.execute_each(&known.iter().map(note).collect::<Vec<_>>()).await?;
            crash_point!("notice.after_write");
            Ok(known.len() as i64)
        })
        .await
    }

    /// Forgets all that is old enough, batch by batch. Several may do it at once: each takes what the others leave.
    ///
    /// # Errors
    /// Of the store; what was forgotten until then is.
    pub async fn purge(&'static self, db: &Db, settings: Settings) -> Result<Forgotten, db::Error> {
        let mut forgotten = Forgotten::default();
        loop {
            let count = db.write(async move |tx| self.forget_sagas(tx, settings).await).await?;
            forgotten.sagas += count as u64;
            if (count as i64) < settings.batch {
                break;
            }
        }
        loop {
            let count = db.write(async move |tx| self.forget_answers(tx, settings).await).await?;
            forgotten.answers += count as u64;
            if (count as i64) < settings.batch {
                return Ok(forgotten);
            }
        }
    }

    /// Purges until the host stops.
    pub fn spawn(&'static self, host: &Host, settings: Settings) {
        let db = host.db.clone();
        host.every(PERIOD, "data retention", move || {
            let db = db.clone();
            async move { self.purge(&db, settings).await.map(drop) }
        });
    }

    async fn forget_sagas(&self, tx: &mut Tx<'_>, settings: Settings) -> Result<usize, db::Error> {
        let before = tx.now_ms().saturating_sub(settings.saga_horizon_ms);
        let due: Vec<(Uuid,)> = tx.claim_all(self.due, args![before, settings.batch]).await?;
        let due: Vec<Uuid> = due.into_iter().map(|(saga,)| saga).collect();
        tx.execute_each(&each(self.forget_steps, &due)).await?;
        tx.execute_each(&each(self.forget_note, &due)).await?;
        Ok(due.len())
    }

    async fn forget_answers(&self, tx: &mut Tx<'_>, settings: Settings) -> Result<usize, db::Error> {
        let before = tx.now_ms().saturating_sub(settings.request_horizon_ms);
        let stale: Vec<(Uuid,)> = tx.claim_all(self.stale, args![before, settings.batch]).await?;
        let stale: Vec<Uuid> = stale.into_iter().map(|(request,)| request).collect();
        tx.execute_each(&each(self.forget_answer, &stale)).await?;
        Ok(stale.len())
    }
}

fn each(sql: &'static str, ids: &[Uuid]) -> Vec<(&'static str, Vec<Arg<'static>>)> {
    ids.iter().map(|id| (sql, args![*id].to_vec())).collect()
}
