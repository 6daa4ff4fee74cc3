//! The Redis server as this service uses it: its scripts, each of them one atomic move, and the names of the keys. All keys
//! of a room share the hash tag `{room}`, so that a cluster keeps them in one place.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{FromRedisValue, RedisError, Script};
use service_kit::db;
use uuid::Uuid;

use crate::queue::Key;

/// How long a server may take to answer, and to be found. A poll that waits for longer is better asked again.
const PATIENCE: Duration = Duration::from_secs(2);
const RECONNECTS: usize = 2;

/// The moves.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) issue: Script,
    pub(super) look: Script,
    pub(super) counts: Script,
    pub(super) plan: Script,
    pub(super) admit: Script,
    pub(super) put: Script,
    pub(super) drop: Script,
    pub(super) begin: Script,
    pub(super) load: Script,
    pub(super) finish: Script,
}

/// A connection that is made anew when it breaks; cheap to clone.
#[derive(Clone)]
pub(super) struct Server {
    connection: ConnectionManager,
    pub(super) scripts: Arc<Scripts>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server(..)")
    }
}

/// The keys and arguments of one move.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<String>,
}

impl Call {
    /// A move on these keys.
    pub(super) fn on(keys: impl IntoIterator<Item = String>) -> Self {
        Self { keys: keys.into_iter().collect(), args: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub(super) fn with(mut self, arg: impl ToString) -> Self {
        self.args.push(arg.to_string());
        self
    }
}

impl Server {
    /// The server at that address. It is found when it is needed, and need not be there yet.
    pub(super) fn at(url: &str) -> Result<Self, db::Error> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(PATIENCE))
            .set_number_of_retries(RECONNECTS);
        let client = redis::Client::open(url).map_err(failed)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(failed)?;
        let scripts = Scripts {
            issue: Script::new(include_str!("issue.lua")),
            look: Script::new(include_str!("look.lua")),
            counts: Script::new(include_str!("counts.lua")),
            plan: Script::new(include_str!("plan.lua")),
            admit: Script::new(include_str!("admit.lua")),
            put: Script::new(include_str!("put.lua")),
            drop: Script::new(include_str!("drop.lua")),
            begin: Script::new(include_str!("begin.lua")),
            load: Script::new(include_str!("load.lua")),
            finish: Script::new(include_str!("finish.lua")),
        };
        Ok(Self { connection, scripts: Arc::new(scripts) })
    }

    /// Makes one move.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &Script, call: &Call) -> Result<T, db::Error> {
        let mut invocation = script.prepare_invoke();
        for key in &call.keys {
            invocation.key(key);
        }
        for arg in &call.args {
            invocation.arg(arg);
        }
        let mut connection = self.connection.clone();
        match invocation.invoke_async(&mut connection).await {
            // The server was started anew. Whoever makes a move again finds what the first one did.
            Err(error) if error.is_connection_dropped() => invocation.invoke_async(&mut connection).await,
            result => result,
        }
        .map_err(failed)
    }

    /// Runs one command.
    pub(super) async fn command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, db::Error> {
        let mut connection = self.connection.clone();
        match command.query_async(&mut connection).await {
            Err(error) if error.is_connection_dropped() => command.query_async(&mut connection).await,
            result => result,
        }
        .map_err(failed)
    }
}

/// As a move may be made again, it may be said to have failed whatever became of it.
fn failed(error: RedisError) -> db::Error {
    db::Error::Unavailable(format!("Redis: {error}"))
}

/// The names of a room's keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys(pub(super) Uuid);

impl Keys {
    /// Generation, credit and time of the last tick, and how far the head is to move. Without it the line is lost.
    pub(super) fn line(self) -> String {
        format!("wr:{{{}}}:line", self.0)
    }

    /// Who loads the line.
    pub(super) fn loading(self) -> String {
        format!("wr:{{{}}}:loading", self.0)
    }

    /// The last sequence given out.
    pub(super) fn seq(self) -> String {
        format!("wr:{{{}}}:seq", self.0)
    }

    /// The head.
    pub(super) fn admitted(self) -> String {
        format!("wr:{{{}}}:admitted", self.0)
    }

    /// Sequences whose turn has come and has not ended, by the time at which it does.
    pub(super) fn active(self) -> String {
        format!("wr:{{{}}}:active", self.0)
    }

    /// Sequences beyond the head that nobody waits for any more.
    pub(super) fn gone(self) -> String {
        format!("wr:{{{}}}:gone", self.0)
    }

    /// A live token.
    pub(super) fn token(self, token: Uuid) -> String {
        format!("wr:{{{}}}:t:{token}", self.0)
    }

    /// The live token of a customer.
    pub(super) fn customer(self, customer: Uuid) -> String {
        format!("wr:{{{}}}:c:{customer}", self.0)
    }
}

/// The keys of a token's room.
pub(super) fn keys(key: Key) -> Keys {
    Keys(key.room)
}
