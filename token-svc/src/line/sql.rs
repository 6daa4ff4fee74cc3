//! The line in the tables: a place is a counter in the room's row, and so is the head.

use proto::token::v1 as pb;
use service_kit::crash_point;
use service_kit::db::{self, Db, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::{Asked, Line, Ticker};
use crate::admission::{self, Admission};
use crate::api::IDEMPOTENCY;
use crate::queue::{Key, Place, Token};
use crate::room::{Lease, Room};
use crate::wire::tokens::View;
use crate::{store, tokens};

/// The line of every room of a database.
#[derive(Debug, Clone)]
pub(crate) struct SqlLine {
    pub(super) db: Db,
    pub(super) view: View,
}

impl SqlLine {
    /// Counts the rooms whose line was kept elsewhere, so that it goes on here where it stood.
    pub(super) async fn take_back(&self) -> Result<(), db::Error> {
        for room in self.db.read(async |tx| store::rooms_elsewhere(tx).await).await? {
            self.db.write(async move |tx| store::recount(tx, room).await).await?;
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Line for SqlLine {
    async fn room(&self, id: Uuid) -> Result<(Room, i64), Fault> {
        self.db.read(async move |tx| Ok((tokens::expect_room(tx, id).await?, tx.now_ms()))).await
    }

    async fn issue(&self, Asked { call, key, customer }: Asked) -> Result<pb::QueueToken, Fault> {
        let view = self.view.clone();
        let issue = async move |tx: &mut Tx<'_>| Ok(view.place(&tokens::issue(tx, key, customer).await?));
        self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, issue).await).await
    }

    async fn look(&self, key: Key) -> Result<Place, Fault> {
        self.db.read(async move |tx| tokens::look(tx, key).await).await
    }

    async fn tick(&self, room: &Room, ticker: Ticker) -> Result<(), db::Error> {
        if room.waiting_count == 0 {
            return Ok(());
        }
        let id = room.id;
        crash_point!("room.before_tick");
        self.db.write(async move |tx| tick_in(tx, id, ticker).await).await?;
        crash_point!("room.after_tick");
        Ok(())
    }

    async fn settle(&self, _room: Uuid, _tokens: &[Token]) {}

    async fn changed(&self, _room: Uuid) {}

    async fn mend(&self, _room: &Room, _batch: i64) -> Result<(), db::Error> {
        Ok(())
    }
}

async fn tick_in(tx: &mut Tx<'_>, id: Uuid, ticker: Ticker) -> Result<(), db::Error> {
    let now_ms = tx.now_ms();
    // Several may tick at once: each finds what the ones before it have used up.
    let locked = store::lock_room(tx, id).await?;
    let due = |room: &Room| room.waiting_count > 0 && admission::is_due(room, ticker, now_ms);
    let Some(mut room) = locked.filter(due) else {
        return Ok(());
    };
    let Admission { count, credit, tick_time } = admission::admission(&room, now_ms);
    (room.admission_credit, room.tick_time) = (credit, tick_time);
    room.lease = Lease { owner: Some(ticker.owner), until: now_ms + ticker.lease_ms };
    if count > 0 {
        let (found, through) = store::first_waiting(tx, id, room.admitted_through, count).await?;
        if found < count {
            return Err(miscounted(&room, found));
        }
        room.admitted_through = through;
    }
    crash_point!("room.in_tick");
    store::move_head(tx, &room, count).await
}

fn miscounted(room: &Room, found: i64) -> db::Error {
    let counted = room.waiting_count;
    let problem = format!("room {} counts {counted} who wait, and {found} were found", room.id);
    db::Error::Corrupt { column: "waiting_count".into(), problem }
}
