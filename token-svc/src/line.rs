//! The line of a waiting room, behind one trait, so that the load of those who wait can go elsewhere than that of those
//! who are in. What is asked for each second by everybody who waits (a place, how far it is) and what moves the head go
//! through a [`Line`]; what becomes of a single token is decided in its row, whoever keeps the line, and told to the line
//! afterwards.
//!
//! By default the line is the tables themselves, `line/sql.rs`; it may be in Redis, `line/redis.rs`. All lines are held to one suite of scenarios.

use std::fmt::Debug;
use std::sync::Arc;

use proto::token::v1 as pb;
use service_kit::db;
use service_kit::host::Host;
use service_kit::idempotency::Call;
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::queue::{Key, Place, Token};
use crate::room::Room;
use crate::wire::tokens::View;

mod redis;
mod sql;

use self::redis::RedisLine;
use sql::SqlLine;

/// The setting that keeps the line in the tables.
pub(crate) const IN_TABLES: &str = "sql";

/// The line that the settings name.
pub(crate) async fn open(store: &str, host: &Host, view: &View) -> Result<Arc<dyn Line>, db::Error> {
    if store == IN_TABLES {
        let line = SqlLine { db: host.db.clone(), view: view.clone() };
        line.take_back().await?;
        return Ok(Arc::new(line));
    }
    Ok(Arc::new(RedisLine::at(store, host, view.clone()).await?))
}

/// A place that somebody asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The call, of which a repeat gets the same answer.
    pub(crate) call: Call,
    /// The token to be, unless the customer has one.
    pub(crate) key: Key,
    pub(crate) customer: Uuid,
}

/// Who moves the head of a room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticker {
    /// The process.
    pub(crate) owner: Uuid,
    /// A room whose last tick is no longer ago than this is left as it is.
    pub(crate) spacing_ms: i64,
    /// For how long no other process moves it.
    pub(crate) lease_ms: i64,
}

/// The few things that are done to a line, each of them whole or not at all.
#[tonic::async_trait]
pub(crate) trait Line: Debug + Send + Sync {
    /// A room with its counts as they are now, and that now.
    async fn room(&self, id: Uuid) -> Result<(Room, i64), Fault>;

    /// Takes the next place, or shows the live one that the customer has; the answer to the call.
    async fn issue(&self, asked: Asked) -> Result<pb::QueueToken, Fault>;

    /// Where a token is. It costs the same however many wait, and changes nothing.
    async fn look(&self, key: Key) -> Result<Place, Fault>;

    /// Moves the head of a room that is open as far as rate and cap allow, if this process is the one to do so.
    async fn tick(&self, room: &Room, ticker: Ticker) -> Result<(), db::Error>;

    /// Hears what has become of tokens of a room: they were claimed, were extended, were drawn, or have ended. A line that
    /// cannot hear it now catches up by itself.
    async fn settle(&self, room: Uuid, tokens: &[Token]);

    /// Hears that a room was changed.
    async fn changed(&self, room: Uuid);

    /// Mends what got lost between the line and the tables, a batch at most; part of each sweep of a room.
    async fn mend(&self, room: &Room, batch: i64) -> Result<(), db::Error>;
}
