//! A tick in Redis: a script decides how far the head moves, the tables hear of it, then a script moves it. So nobody is
//! let in whom the tables do not know to be, and what a process decided before it died the next one does.

use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::server::{Call, Keys};
use super::{OVERDUE_MS, RedisLine};
use crate::admission;
use crate::line::Ticker;
use crate::queue::Token;
use crate::room::{Lease, Room};
use crate::store;

/// How a line stands, and how far its head is to move.
#[derive(Debug, Clone, Copy)]
struct Plan {
    from: i64,
    through: i64,
    issued: i64,
    waiting: i64,
    active: i64,
    credit: i64,
    tick_time: i64,
}

type Planned = (i64, i64, i64, i64, i64, i64, i64, i64);

impl RedisLine {
    pub(super) async fn tick_room(&self, room: &Room, ticker: Ticker) -> Result<(), db::Error> {
        let now_ms = self.host.db.read(async |tx| Ok::<_, db::Error>(tx.now_ms())).await?;
        let Some(plan) = self.plan(room, now_ms).await? else {
            return self.reload(room.id).await;
        };
        let stands =
            room.issued_count == plan.issued && room.waiting_count == plan.waiting && room.active_count == plan.active;
        if plan.through == plan.from && plan.waiting == 0 && stands {
            return Ok(());
        }
        let id = room.id;
        let leads = self.host.db.write(async move |tx| note(tx, id, (plan, ticker)).await).await?;
        if !leads || plan.through == plan.from {
            return Ok(());
        }
        let keys = Keys(id);
        let admit = Call::on([keys.line(), keys.admitted(), keys.active(), keys.gone()]);
        let admit = admit.with(plan.from).with(plan.through).with(now_ms + room.settings.claim_ttl_ms);
        self.server.run::<i64>(&self.server.scripts.admit, &admit).await.map(drop)
    }

    /// Nothing when the line is not there, or is older than what the tables have seen of it, as one is that was brought
    /// back from a copy: it is to be loaded then.
    async fn plan(&self, room: &Room, now_ms: i64) -> Result<Option<Plan>, db::Error> {
        let (keys, settings) = (Keys(room.id), &room.settings);
        let plan = Call::on([keys.line(), keys.seq(), keys.admitted(), keys.active(), keys.gone()]);
        let plan = plan.with(now_ms).with(settings.admissions_per_1000_s).with(room.tick_time.max(settings.open_time));
        let plan = plan.with(settings.max_active_tokens).with(admission::most_credit(room));
        let plan = plan.with(admission::ADMISSION).with(super::LIFETIME_MS);
        let planned: Planned = self.server.run(&self.server.scripts.plan, &plan).await?;
        let (generation, from, through, issued, waiting, active, credit, tick_time) = planned;
        if generation >= room.line_generation && through >= room.admitted_through && issued >= room.issued_count {
            return Ok(Some(Plan { from, through, issued, waiting, active, credit, tick_time }));
        }
        if generation >= 0 {
            tracing::warn!(room = %room.id, "the line in Redis is older than the tables; it is loaded anew");
            self.forget(room.id).await?;
        }
        Ok(None)
    }

    /// Lets a line go that is not what it should be.
    pub(super) async fn forget(&self, room: Uuid) -> Result<(), db::Error> {
        let mut forget = redis::cmd("DEL");
        forget.arg(Keys(room).line());
        self.server.command::<i64>(&forget).await.map(drop)
    }

    /// Ends turns that have outlived their tokens: those of places that were never told, as a process died in between.
    pub(super) async fn mend_turns(&self, room: &Room, batch: i64) -> Result<(), db::Error> {
        let (id, active) = (room.id, Keys(room.id).active());
        let now_ms = self.now_ms();
        let mut overdue = redis::cmd("ZRANGEBYSCORE");
        overdue.arg(&active).arg("-inf").arg(now_ms - OVERDUE_MS).arg("LIMIT").arg(0).arg(batch);
        let overdue: Vec<i64> = self.server.command(&overdue).await?;
        if overdue.is_empty() {
            return Ok(());
        }
        let asked = overdue.clone();
        let live = self.host.db.read(async move |tx| store::live_at(tx, id, &asked).await).await?;
        // A live one was extended, and Redis did not hear of it.
        self.tell_all(id, &live).await.map_err(|fault| db::Error::Unavailable(format!("{fault:?}")))?;
        let is_live = |sequence: &i64| live.iter().any(|token: &Token| token.sequence == *sequence);
        let mut end = redis::cmd("ZREM");
        end.arg(&active);
        let ended: Vec<_> = overdue.into_iter().filter(|sequence| !is_live(sequence)).collect();
        if ended.is_empty() {
            return Ok(());
        }
        for sequence in ended {
            end.arg(sequence);
        }
        self.server.command::<i64>(&end).await.map(drop)
    }
}

/// Writes down how far the head moves, before it does; tells whether this process is the one to move it.
async fn note(tx: &mut Tx<'_>, id: Uuid, (plan, ticker): (Plan, Ticker)) -> Result<bool, db::Error> {
    let now_ms = tx.now_ms();
    let locked = store::lock_room(tx, id).await?;
    let leads = |room: &Room| room.lease.owner == Some(ticker.owner) || room.lease.until <= now_ms;
    // What was paused, closed or sold out meanwhile stands still; the plan stays for later.
    let Some(mut room) = locked.filter(|room| leads(room) && room.lets_in(now_ms)) else {
        return Ok(false);
    };
    let came = plan.through - plan.from;
    room.lease = Lease { owner: Some(ticker.owner), until: now_ms + ticker.lease_ms };
    (room.issued_count, room.admitted_through) = (plan.issued, room.admitted_through.max(plan.through));
    (room.waiting_count, room.active_count) = (plan.waiting, plan.active);
    (room.admission_credit, room.tick_time) = (plan.credit, plan.tick_time);
    store::mirror_line(tx, &room, came > 0).await?;
    Ok(true)
}
