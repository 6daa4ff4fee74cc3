//! Opening a connection: settings of the session, and the questions that a server must answer before it is trusted.

use std::time::Duration;

use tokio_postgres::config::{Host, LoadBalanceHosts};
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::task::AbortOnDropHandle;

use super::fault::text;
use super::{Durability, Error, Postgres, Session};

/// How long a server may take until its connection is ready for transactions.
const READY: Duration = Duration::from_secs(5);
/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a peer may keep silent before the connection counts as cut.
const SILENCE: Duration = Duration::from_secs(5);
/// How often, and in which pauses, a peer that keeps silent is asked whether it is there.
const PROBES: (u32, Duration) = (3, Duration::from_secs(1));

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
        config.keepalives_idle(SILENCE).keepalives_retries(PROBES.0).keepalives_interval(PROBES.1);
        config.tcp_user_timeout(SILENCE);
        Ok(Self { config, schema: options.schema.clone(), durability: options.durability, tells_time })
    }

    /// Where the server is.
    pub(super) fn config(&self) -> Config {
        self.config.clone()
    }

    /// A connection that is ready for transactions, to the first server that will do. Expects to be called on the thread
    /// of the pool.
    pub(super) async fn connect(&self) -> Result<Session, Error> {
        let mut problems = Vec::new();
        for server in each_host(&self.config) {
            // One that accepts and then says nothing must not stand before one that would answer.
            let session = tokio::time::timeout(READY, self.connect_to(&server)).await;
            match session {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(Error::Unavailable(problem))) => problems.push(problem),
                Ok(Err(error)) => return Err(error),
                Err(_elapsed) => {
                    problems.push(format!("PostgreSQL cannot be used: it said nothing for {} s", READY.as_secs()));
                }
            }
        }
        Err(Error::Unavailable(problems.join("; ")))
    }

    async fn connect_to(&self, server: &Config) -> Result<Session, Error> {
        let unreachable =
            |error: &tokio_postgres::Error| Error::Unavailable(format!("PostgreSQL cannot be used: {}", text(error)));
        let (client, connection) = server.connect(NoTls).await.map_err(|error| unreachable(&error))?;
        let driver = AbortOnDropHandle::new(tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = text(&error), "a connection to the database ended");
            }
        }));
        let session = format!("set search_path = \"{}\"; {SESSION}", self.schema);
        client.batch_execute(&session).await.map_err(|error| unreachable(&error))?;
        self.trust(&client).await?;
        Ok(Session::new(client, driver, self.tells_time))
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

/// The same for each host by itself. The driver walks through several in one go, which nobody can bound for each.
fn each_host(all: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (all.get_hosts(), all.get_hostaddrs(), all.get_ports());
    let count = hosts.len().max(addresses.len());
    let fits = |given: usize| given <= 1 || given == count;
    if count < 2 || !fits(ports.len()) || !addresses.is_empty() && !hosts.is_empty() && addresses.len() != hosts.len() {
        // The driver says what is wrong, if anything is.
        return vec![all.clone()];
    }
    let one = |at: usize| {
        let mut one = without_hosts(all);
        match hosts.get(at) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        addresses.get(at).map(|address| one.hostaddr(*address));
        ports.get(at).or(ports.first()).map(|port| one.port(*port));
        one
    };
    let mut each: Vec<_> = (0..count).map(one).collect();
    if all.get_load_balance_hosts() == LoadBalanceHosts::Random {
        fastrand::shuffle(&mut each);
    }
    each
}

/// All that a URL can say but where its servers are.
fn without_hosts(all: &Config) -> Config {
    let mut config = Config::new();
    all.get_user().map(|user| config.user(user));
    all.get_password().map(|password| config.password(password));
    all.get_dbname().map(|name| config.dbname(name));
    all.get_options().map(|options| config.options(options));
    all.get_application_name().map(|name| config.application_name(name));
    all.get_connect_timeout().map(|limit| config.connect_timeout(*limit));
    all.get_tcp_user_timeout().map(|limit| config.tcp_user_timeout(*limit));
    all.get_keepalives_interval().map(|pause| config.keepalives_interval(pause));
    all.get_keepalives_retries().map(|probes| config.keepalives_retries(probes));
    config
        .keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle())
        .ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .target_session_attrs(all.get_target_session_attrs())
        .channel_binding(all.get_channel_binding())
        .load_balance_hosts(all.get_load_balance_hosts());
    config
}
