//! Rows that cannot be read: parked until somebody has mended them. That one was parked, or can be read again, is
//! announced in the transaction that finds it so.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::{ids, outbox};
use uuid::Uuid;

use super::OUTBOX;
use crate::alerts;
use crate::journal::Record;
use crate::plans::Announced;

const PARK: &str = "update orchestrator_saga set state = 'suspended', reason = $4, problem = $3 \
    where bucket = $1 and id = $2 and end_time is null and problem is null returning kind, epoch, version";
const PARKED: &str = "update orchestrator_saga set problem = $3 \
    where bucket = $1 and id = $2 and end_time is null";
const RELEASE: &str = "update orchestrator_saga set problem = null \
    where bucket = $1 and id = $2 and problem is not null returning kind, epoch, version";

/// What is known of a saga whose row may hold anything.
struct Parked {
    kind: String,
    epoch: i64,
    version: i64,
}

impl FromRow for Parked {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            kind: row.get(0).unwrap_or_default(),
            epoch: row.get(1).unwrap_or_default(),
            version: row.get(2).unwrap_or_default(),
        })
    }
}

/// Parks a saga, unless it has ended, and keeps what is wrong with it.
pub(super) async fn park(tx: &mut Tx<'_>, id: Uuid, problem: &str) -> Result<bool, db::Error> {
    let row = args![tx.bucket(id), id, problem, alerts::UNREADABLE];
    let Some(Parked { kind, epoch, version }) = tx.fetch_optional(PARK, row).await? else {
        return Ok(tx.execute(PARKED, args![tx.bucket(id), id, problem]).await? == 1);
    };
    announce(tx, (id, epoch), version, alerts::unreadable(id, kind, problem)).await?;
    Ok(true)
}

/// Lets a saga go that was parked and can be read again.
pub(super) async fn release(tx: &mut Tx<'_>, record: &Record) -> Result<(), db::Error> {
    let was_parked: Option<Parked> = tx.fetch_optional(RELEASE, args![tx.bucket(record.id), record.id]).await?;
    // What waits for a person by its own account goes on waiting.
    if was_parked.is_none() || record.saga.is_suspended() {
        return Ok(());
    }
    announce(tx, (record.id, record.epoch), record.version, alerts::mended(record)).await
}

async fn announce(
    tx: &mut Tx<'_>,
    (saga, epoch): (Uuid, i64),
    version: i64,
    announced: Announced,
) -> Result<(), db::Error> {
    let now_ms = tx.now_ms();
    let event = outbox::Event {
        bucket: 0,
        // Whoever lets a parked saga go takes it over, so it is parked and let go once in an epoch.
        id: ids::derived_at(now_ms, saga, &format!("{} in epoch {epoch}", announced.kind)),
        aggregate: announced.aggregate,
        kind: announced.kind.to_owned(),
        saga: Some(saga),
        data: announced.data,
        create_time: now_ms,
        partition: format!("sagas/{saga}"),
        version,
    };
    OUTBOX.put(tx, &event).await
}
