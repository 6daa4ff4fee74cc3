//! Opening a connection: settings of the session, and the questions that a server must answer before it is trusted.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use super::fault::text;
use super::{Durability, Error, Postgres, Session};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a peer may keep silent before the connection counts as cut.
const SILENCE: Duration = Duration::from_secs(5);

/// - A transaction whose client has stopped in the middle gives its locks up before the others' leases run out.
/// - Nobody waits long for a lock while others wait for his batch; by himself he may wait longer.
/// - The plans of our statements are walks along an index; statistics of tables that were empty a moment ago mislead.
///   Where only a scan will do, its cost looks forbidding, and nobody shall compile machine code for that.
const SESSION: &str = "set idle_in_transaction_session_timeout = '3s'; set lock_timeout = '100ms'; \
    set statement_timeout = '30s'; set synchronous_commit = on; \
    set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";
const TRUST: &str = "select current_setting('fsync'), current_setting('full_page_writes'), \
    current_setting('transaction_read_only'), current_setting('server_version_num')::int8";
/// The oldest version that is tested, PostgreSQL 14.
const OLDEST: i64 = 140_000;

/// Opens connections to one server.
pub(super) struct Connector {
    config: Config,
    schema: String,
    durability: Durability,
    tells_time: bool,
}

impl Connector {
    pub(super) fn new(options: &Postgres, tells_time: bool) -> Result<Self, Error> {
        let config = options.url.parse::<Config>();
        let mut config = config
            .map_err(|error| Error::Unavailable(format!("the URL of the database is wrong: {}", text(&error))))?;
        let fits = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if !fits(&options.schema) {
            let schema = &options.schema;
            return Err(Error::Unavailable(format!("the schema {schema:?} must be lower-case letters, digits and _")));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name(format!("skald-{}", options.schema));
        }
        config.keepalives_idle(SILENCE).tcp_user_timeout(SILENCE);
        Ok(Self { config, schema: options.schema.clone(), durability: options.durability, tells_time })
    }

    /// Where the server is.
    pub(super) fn config(&self) -> Config {
        self.config.clone()
    }

    /// A connection that is ready for transactions. Expects to be called on the thread of the pool.
    pub(super) async fn connect(&self) -> Result<Session, Error> {
        let unreachable =
            |error: &tokio_postgres::Error| Error::Unavailable(format!("PostgreSQL cannot be used: {}", text(error)));
        let (client, connection) = self.config.connect(NoTls).await.map_err(|error| unreachable(&error))?;
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = text(&error), "a connection to the database ended");
            }
        });
        let session = format!("set search_path = \"{}\"; {SESSION}", self.schema);
        client.batch_execute(&session).await.map_err(|error| unreachable(&error))?;
        self.trust(&client).await?;
        Ok(Session::new(client, self.tells_time))
    }

    async fn trust(&self, client: &Client) -> Result<(), Error> {
        let row = client.query_one(TRUST, &[]).await;
        let row = row.map_err(|error| Error::Unavailable(format!("PostgreSQL cannot be asked: {}", text(&error))))?;
        let [fsync, full_page_writes, read_only]: [&str; 3] = [row.get(0), row.get(1), row.get(2)];
        let version: i64 = row.get(3);
        let refuse = |what: &str| Err(Error::Unavailable(format!("this PostgreSQL server is not usable: {what}")));
        if version < OLDEST {
            return refuse(&format!("its version is {version}, which is older than 14"));
        }
        if read_only == "on" {
            return refuse(
                "it takes no writes; with several hosts in the URL and target_session_attrs=read-write, \
                the one that does is found",
            );
        }
        if self.durability == Durability::Unchecked {
            return Ok(());
        }
        if fsync != "on" {
            return refuse("fsync is off, so a crash loses what was acknowledged; set fsync = on in postgresql.conf");
        }
        if full_page_writes != "on" {
            return refuse(
                "full_page_writes is off, so a crash may tear pages; set full_page_writes = on in postgresql.conf",
            );
        }
        Ok(())
    }
}
