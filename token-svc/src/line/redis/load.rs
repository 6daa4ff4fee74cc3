//! Loads a line that Redis does not have, or does not have any more, from the tables. They hold every place that anybody
//! was told of, and the head before anybody saw it: so no sequence and no head falls, who is in stays in, and whoever had
//! his turn has it still, with the whole time to claim it.

use futures_util::future::try_join;
use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::RedisLine;
use super::server::{Call, Keys};
use crate::queue::{Token, TokenState};
use crate::room::Room;
use crate::store;

/// Tokens that are read and loaded at once.
const PAGE: i64 = 1_000;
/// How long one who loads may be silent before somebody else begins anew.
const LOADING_MS: i64 = 10_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loaded {
    /// The line is there.
    Here,
    /// Somebody else loads it.
    Elsewhere,
}

/// One who loads a line.
struct Loader {
    id: Uuid,
    room: Room,
    issued: i64,
    claim_until: i64,
}

impl RedisLine {
    /// Loads the line of a room unless it is there.
    pub(super) async fn load(&self, room: Uuid) -> Result<Loaded, db::Error> {
        let (id, keys) = (self.host.ids.next(self.host.clock.now_ms()), Keys(room));
        let line = [keys.line(), keys.loading(), keys.seq(), keys.admitted(), keys.active(), keys.gone()];
        let begin = Call::on(line).with(id).with(LOADING_MS);
        match self.server.run(&self.server.scripts.begin, &begin).await? {
            0_i64 => return Ok(Loaded::Here),
            1 => return Ok(Loaded::Elsewhere),
            _ => {}
        }
        let read = self.host.db.write(async move |tx| begin_load(tx, room).await).await?;
        // A room that is gone has no line; whoever asks for it finds that out.
        let Some((room, issued, now_ms)) = read else {
            return Ok(Loaded::Here);
        };
        tracing::warn!(room = %room.id, generation = room.line_generation, "loads the line of a room into Redis");
        let claim_until = now_ms + room.settings.claim_ttl_ms;
        let loader = Loader { id, room, issued, claim_until };
        self.load_all(loader).await
    }

    async fn load_all(&self, loader: Loader) -> Result<Loaded, db::Error> {
        let room = loader.room.id;
        let read =
            async |after| self.host.db.read(async move |tx| store::live_tokens(tx, room, after, PAGE).await).await;
        let (mut page, mut waiting) = (read(Uuid::nil()).await?, Vec::new());
        while let Some(last) = page.last() {
            if self.host.tasks.is_closed() {
                return Err(db::Error::Unavailable("the process ends; another one loads the line".into()));
            }
            let ahead = |token: &&Token| token.sequence > loader.room.admitted_through;
            waiting.extend(page.iter().filter(ahead).map(|token| token.sequence));
            // The tables read ahead while Redis loads.
            let (mine, next) = try_join(self.load_some(&loader, &page), read(last.customer)).await?;
            if !mine {
                return Ok(Loaded::Elsewhere);
            }
            page = next;
        }
        self.load_gone(&loader, waiting).await?;
        self.finish(&loader).await
    }

    async fn load_some(&self, loader: &Loader, page: &[Token]) -> Result<bool, db::Error> {
        let keys = Keys(loader.room.id);
        let mut load = Call::on([keys.loading(), keys.active()]);
        for token in page {
            load.keys.extend([keys.token(token.key.token), keys.customer(token.customer)]);
        }
        load = load.with(loader.id).with(LOADING_MS).with(super::LIFETIME_MS);
        load = load.with(loader.room.admitted_through).with(loader.claim_until);
        for token in page {
            load.args.extend(super::fields(token));
        }
        Ok(self.server.run::<i64>(&self.server.scripts.load, &load).await? == 0)
    }

    /// The sequences beyond the head that nobody waits for.
    async fn load_gone(&self, loader: &Loader, mut waiting: Vec<i64>) -> Result<(), db::Error> {
        waiting.sort_unstable();
        let mut next = loader.room.admitted_through + 1;
        let mut gone = Vec::new();
        for sequence in waiting.into_iter().chain([loader.issued + 1]) {
            gone.extend(next..sequence);
            next = sequence + 1;
        }
        for some in gone.chunks(PAGE as usize) {
            let mut add = redis::cmd("ZADD");
            add.arg(Keys(loader.room.id).gone());
            for sequence in some {
                add.arg(sequence).arg(sequence);
            }
            self.server.command::<i64>(&add).await?;
        }
        Ok(())
    }

    async fn finish(&self, loader: &Loader) -> Result<Loaded, db::Error> {
        let (keys, room) = (Keys(loader.room.id), &loader.room);
        let finish = Call::on([keys.line(), keys.loading(), keys.seq(), keys.admitted()]);
        let finish = finish.with(loader.id).with(loader.issued).with(room.admitted_through);
        let finish = finish.with(room.line_generation).with(room.admission_credit).with(room.tick_time);
        let finish = finish.with(super::LIFETIME_MS);
        self.rooms.forget(room.id);
        match self.server.run(&self.server.scripts.finish, &finish).await? {
            0_i64 => Ok(Loaded::Here),
            _ => Ok(Loaded::Elsewhere),
        }
    }
}

/// Counts one more load of the line, and gives those who have their turn the whole time to claim it. The room, the last
/// sequence that anybody was told, and the time.
async fn begin_load(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<(Room, i64, i64)>, db::Error> {
    store::count_load(tx, id).await?;
    store::renew_turns(tx, id).await?;
    let last = store::last_sequence(tx, id).await?;
    let room = store::find_room(tx, id).await?;
    Ok(room.map(|room| {
        let issued = last.max(room.issued_count);
        (room, issued, tx.now_ms())
    }))
}

/// A token as the scripts take it.
pub(super) fn fields(token: &Token) -> [String; 7] {
    let state = if token.state == TokenState::Active { 2 } else { 1 };
    let time = |time: Option<i64>| time.map(|time| time.to_string()).unwrap_or_default();
    [
        token.key.token.to_string(),
        token.customer.to_string(),
        token.sequence.to_string(),
        state.to_string(),
        token.create_time.to_string(),
        time(token.stay.map(|stay| stay.activate_time)),
        time(token.stay.map(|stay| stay.expire_time)),
    ]
}
