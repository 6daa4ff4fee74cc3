//! The runs of the orchestrator and how long they live, and what is true of a whole database of sagas. Leases go by the database's time, whatever the clocks of the
//! processes say.

use std::ops::RangeInclusive;
use std::time::Duration;

use service_kit::args;
use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::super::after;

/// A database whose lock this process holds has no other living owner of sagas.
const VOID_ALL: &str = "delete from orchestrator_incarnation";
/// Those that ran out long ago own nothing any more that somebody has not looked for.
const FORGET: &str = "delete from orchestrator_incarnation where expire_time < $1";
const REGISTER: &str = "insert into orchestrator_incarnation (id, create_time, expire_time) values ($1, $2, $3)";
const RENEW: &str = "update orchestrator_incarnation set expire_time = $2 where id = $1 and expire_time > $3";
const RELEASE: &str = "delete from orchestrator_incarnation where id = $1";
const LIVING: &str = "select id from orchestrator_incarnation where expire_time > $1";
const ELDEST: &str = "select id from orchestrator_incarnation where expire_time > $1 order by create_time, id limit 1";
/// Walks the owners one by one: each is one step down the index, however many sagas he has.
const NEXT_OWNER: &str = "select owner from orchestrator_saga where owner > $1 and end_time is null \
    and problem is null order by owner limit 1";

const FORGET_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

const TAKE_BUCKETS: &str = "insert into orchestrator_shard (id, first_bucket, last_bucket) values (1, $1, $2) \
    on conflict do nothing";
const FORGOTTEN: &str = "update orchestrator_shard set forgotten_before = $1 where id = 1 and forgotten_before < $1";
const BUCKETS: &str = "select first_bucket, last_bucket from orchestrator_shard where id = 1";

/// The buckets of this database: `wanted`, if it was never given any.
pub(super) async fn buckets(tx: &mut Tx<'_>, wanted: RangeInclusive<i64>) -> Result<RangeInclusive<i64>, db::Error> {
    tx.execute(TAKE_BUCKETS, args![*wanted.start(), *wanted.end()]).await?;
    let (first, last) = tx.fetch_one(BUCKETS, &[]).await?;
    Ok(first..=last)
}

/// Notes that sagas that were accepted before `before_ms` may be forgotten.
pub(super) async fn forgotten(tx: &mut Tx<'_>, before_ms: i64) -> Result<(), db::Error> {
    tx.execute(FORGOTTEN, args![before_ms]).await.map(drop)
}

/// None as a lease: until the next one is registered.
pub(super) async fn register(tx: &mut Tx<'_>, id: Uuid, lease: Option<Duration>) -> Result<(), db::Error> {
    let now_ms = tx.now_ms();
    let expire_time = match lease {
        Some(lease) => {
            tx.execute(FORGET, args![now_ms - FORGET_AFTER_MS]).await?;
            after(now_ms, lease)
        }
        None => {
            tx.execute(VOID_ALL, &[]).await?;
            i64::MAX
        }
    };
    tx.execute(REGISTER, args![id, now_ms, expire_time]).await.map(drop)
}

pub(super) async fn renew(tx: &mut Tx<'_>, id: Uuid, lease: Duration) -> Result<bool, db::Error> {
    let now_ms = tx.now_ms();
    Ok(tx.execute(RENEW, args![id, after(now_ms, lease), now_ms]).await? == 1)
}

pub(super) async fn release(tx: &mut Tx<'_>, id: Uuid) -> Result<(), db::Error> {
    tx.execute(RELEASE, args![id]).await.map(drop)
}

pub(super) async fn is_eldest(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, db::Error> {
    let eldest: Option<(Uuid,)> = tx.fetch_optional(ELDEST, args![tx.now_ms()]).await?;
    Ok(eldest == Some((id,)))
}

/// The owners of open sagas who live no more; never `asking`, so that adopting comes to an end even if his own lease has.
pub(super) async fn dead_owners(tx: &mut Tx<'_>, asking: Uuid) -> Result<Vec<Uuid>, db::Error> {
    let mut owners = Vec::new();
    let mut last = Uuid::nil();
    while let Some((owner,)) = tx.fetch_optional(NEXT_OWNER, args![last]).await? {
        owners.push(owner);
        last = owner;
    }
    if owners.iter().all(|owner| *owner == asking) {
        return Ok(Vec::new());
    }
    let living: Vec<(Uuid,)> = tx.fetch_all(LIVING, args![tx.now_ms()]).await?;
    owners.retain(|owner| *owner != asking && !living.contains(&(*owner,)));
    Ok(owners)
}
