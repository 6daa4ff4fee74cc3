//! The line in Redis: it numbers those who come, moves the head, and answers those who ask how far they are, so that a
//! million who wait are no load on the tables. What becomes of a token is decided in its row as ever, and Redis hears of
//! it afterwards.
//!
//! Losing Redis loses nothing that anybody was told. Each place is in the tables before it is told (the row of the token
//! is the log, written by many at once without a lock on the room), and so is each move of the head before it is seen.
//! When a line is missing it is loaded from there, whoever notices.

use std::time::Duration;

use futures_util::future::try_join_all;
use proto::token::v1 as pb;
use service_kit::db;
use service_kit::host::Host;
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::{Asked, Line, Ticker};
use crate::queue::{Key, Place, Stay, Token, TokenState};
use crate::room::Room;
use crate::store;
use crate::wire::tokens::View;

mod issue;
mod load;
mod rooms;
mod server;
mod tick;

use load::{Loaded, fields};
use rooms::Rooms;
use server::{Call, Keys, Server, keys};

/// How long a token that nobody does anything with stays in Redis, and a line that nobody moves. The tables have them still.
const LIFETIME_MS: i64 = 86_400_000;
/// How often it is looked whether somebody else has loaded a line, and how many times.
const LOAD_PAUSE: Duration = Duration::from_millis(100);
const LOAD_TRIES: usize = 50;
/// How often it is looked whether a server that was not there at the start is there.
const LATER: Duration = Duration::from_secs(1);
/// Tokens that the line is told of at once.
const AT_ONCE: usize = 256;
/// A turn that should have ended so long ago has no token.
const OVERDUE_MS: i64 = 15_000;

/// The lines of all rooms of a database, in Redis.
#[derive(Debug, Clone)]
pub(crate) struct RedisLine {
    host: Host,
    view: View,
    server: Server,
    rooms: Rooms,
}

/// A token in its line, as Redis tells: the last sequence, the head, and the token's fields.
type Seen = (i64, i64, Vec<Option<String>>);
/// A line, as Redis tells: generation, last sequence, head, how many wait, how many are inside.
type Counts = (i64, i64, i64, i64, i64);

impl RedisLine {
    /// The lines on the server at that address.
    pub(crate) async fn at(url: &str, host: &Host, view: View) -> Result<Self, db::Error> {
        let line = Self { host: host.clone(), view, server: Server::at(url)?, rooms: Rooms::default() };
        // What is left from before the lines were taken back into the tables is out of date.
        let left = host.db.read(async |tx| store::rooms_here(tx).await).await?;
        if let Err(error) = line.forget_all(&left).await {
            tracing::warn!(%error, "the service starts without its lines; those who are in can buy");
            let (late, stop) = (line.clone(), host.stop.clone());
            host.tasks.spawn(async move { stop.run_until_cancelled(late.forget_later(left)).await });
        }
        Ok(line)
    }

    async fn forget_all(&self, rooms: &[Uuid]) -> Result<(), db::Error> {
        for room in rooms {
            self.forget(*room).await?;
        }
        Ok(())
    }

    /// The same once the server is there.
    async fn forget_later(&self, rooms: Vec<Uuid>) {
        while self.forget_all(&rooms).await.is_err() {
            tokio::time::sleep(LATER).await;
        }
    }

    fn now_ms(&self) -> i64 {
        self.host.clock.now_ms()
    }

    /// Loads a line that was missed; returns once it is there. A long line takes longer than anybody waits for an answer:
    /// it is loaded to its end even if nobody does.
    async fn reload(&self, room: Uuid) -> Result<(), db::Error> {
        for _ in 0..LOAD_TRIES {
            let line = self.clone();
            let loaded = self.host.tasks.spawn(async move { line.load(room).await }).await;
            match loaded.map_err(|error| db::Error::Unavailable(error.to_string()))?? {
                Loaded::Here => return Ok(()),
                Loaded::Elsewhere => tokio::time::sleep(LOAD_PAUSE).await,
            }
        }
        Err(db::Error::Unavailable(format!("the line of room {room} is being loaded; try again")))
    }

    async fn counts(&self, room: Uuid) -> Result<Counts, db::Error> {
        let keys = Keys(room);
        let call = Call::on([keys.line(), keys.seq(), keys.admitted(), keys.active(), keys.gone()]);
        self.server.run(&self.server.scripts.counts, &call).await
    }

    /// A room as it was set a moment ago, with counts of now.
    async fn room_with(&self, id: Uuid, (issued, admitted): (i64, i64)) -> Result<Room, Fault> {
        let room = self.rooms.get(&self.host.db, id, self.now_ms()).await?;
        Ok(Room { issued_count: issued, admitted_through: admitted, ..room })
    }

    /// Tells the line of one token; -1 when it is lost.
    async fn tell(&self, room: &Room, token: &Token, now_ms: i64) -> Result<i64, db::Error> {
        let keys = keys(token.key);
        let (own, customer) = (keys.token(token.key.token), keys.customer(token.customer));
        if !token.state.is_live() {
            let call = Call::on([keys.line(), keys.admitted(), keys.active(), keys.gone(), own, customer]);
            return self.server.run(&self.server.scripts.drop, &call.with(token.key.token).with(token.sequence)).await;
        }
        let line = [keys.line(), keys.seq(), keys.admitted(), keys.active(), keys.gone(), own, customer];
        let mut put = Call::on(line);
        put.args.extend(fields(token));
        let put = put.with(LIFETIME_MS).with(now_ms + room.settings.claim_ttl_ms);
        self.server.run(&self.server.scripts.put, &put).await
    }

    async fn tell_all(&self, room: Uuid, tokens: &[Token]) -> Result<(), Fault> {
        let now_ms = self.now_ms();
        let set = self.rooms.get(&self.host.db, room, now_ms).await?;
        for some in tokens.chunks(AT_ONCE) {
            let told = try_join_all(some.iter().map(|token| self.tell(&set, token, now_ms))).await?;
            if told.into_iter().any(|told| told < 0) {
                self.reload(room).await?;
                try_join_all(some.iter().map(|token| self.tell(&set, token, now_ms))).await?;
            }
        }
        Ok(())
    }

    /// A token that Redis does not have: one that has ended, or that it missed.
    async fn look_up(&self, key: Key, counts: (i64, i64)) -> Result<Place, Fault> {
        let token = self.host.db.read(async move |tx| store::find_token(tx, key).await).await?;
        let token = token.ok_or_else(|| crate::queue::not_found(key))?;
        if token.state.is_live() {
            self.settle(key.room, &[token]).await;
        }
        Ok(Place { room: self.room_with(key.room, counts).await?, token, now_ms: self.now_ms() })
    }
}

#[tonic::async_trait]
impl Line for RedisLine {
    async fn room(&self, id: Uuid) -> Result<(Room, i64), Fault> {
        let (room, now_ms) = self
            .host
            .db
            .read(async move |tx| Ok::<_, Fault>((crate::tokens::expect_room(tx, id).await?, tx.now_ms())))
            .await?;
        // Without Redis the room is shown as of its last tick.
        match self.counts(id).await {
            Ok((generation, issued_count, admitted_through, waiting_count, active_count)) if generation >= 0 => {
                Ok((Room { issued_count, admitted_through, waiting_count, active_count, ..room }, now_ms))
            }
            Ok(_) | Err(_) => Ok((room, now_ms)),
        }
    }

    async fn issue(&self, asked: Asked) -> Result<pb::QueueToken, Fault> {
        self.take_place(asked).await
    }

    async fn look(&self, key: Key) -> Result<Place, Fault> {
        let names = keys(key);
        let call = Call::on([names.line(), names.seq(), names.admitted(), names.token(key.token)]);
        let mut seen: Seen = self.server.run(&self.server.scripts.look, &call).await?;
        if seen.0 < 0 {
            self.reload(key.room).await?;
            seen = self.server.run(&self.server.scripts.look, &call).await?;
        }
        let (issued, admitted, found) = seen;
        match token(key, &found) {
            Some(token) => {
                Ok(Place { room: self.room_with(key.room, (issued, admitted)).await?, token, now_ms: self.now_ms() })
            }
            None => self.look_up(key, (issued, admitted)).await,
        }
    }

    async fn tick(&self, room: &Room, ticker: Ticker) -> Result<(), db::Error> {
        self.tick_room(room, ticker).await
    }

    async fn settle(&self, room: Uuid, tokens: &[Token]) {
        // What it does not hear it finds out: a live token when it is asked for, an ended one when its time is over.
        if let Err(fault) = self.tell_all(room, tokens).await {
            tracing::warn!(%room, ?fault, "Redis could not be told what became of tokens; it will find out");
        }
    }

    async fn changed(&self, room: Uuid) {
        self.rooms.forget(room);
    }

    async fn mend(&self, room: &Room, batch: i64) -> Result<(), db::Error> {
        self.mend_turns(room, batch).await
    }
}

/// A token as Redis has it; nothing when it has none.
fn token(key: Key, found: &[Option<String>]) -> Option<Token> {
    let [Some(sequence), Some(state), Some(customer), Some(create_time), activate_time, expire_time] = found else {
        return None;
    };
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
    let stay = number(activate_time).zip(number(expire_time));
    Some(Token {
        key,
        customer: Uuid::try_parse(customer).ok()?,
        sequence: sequence.parse().ok()?,
        state: if state == "2" { TokenState::Active } else { TokenState::Waiting },
        create_time: create_time.parse().ok()?,
        stay: stay.map(|(activate_time, expire_time)| Stay { activate_time, expire_time }),
    })
}
