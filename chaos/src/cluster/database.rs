//! PostgreSQL: one server, or a primary with a standby that has what it acknowledges.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use testbed::postgres::{DATABASE, Options, ROLE, Server};

/// Looks at what waits for the standby, and at nothing else.
const SYNCHRONOUS: &str = "alter system set synchronous_standby_names = '*'";
const ALONE: &str = "alter system reset synchronous_standby_names";
const RELOAD: &str = "select pg_reload_conf()";
const IN_STEP: &str = "select count(*) from pg_stat_replication where sync_state = 'sync'";

/// The database. Everything here blocks.
#[derive(Debug, Clone)]
pub struct Database(Arc<Mutex<Servers>>);

#[derive(Debug)]
struct Servers {
    primary: Arc<Server>,
    standby: Option<Server>,
}

impl Database {
    pub(super) fn start(standby: bool) -> Result<Self> {
        let options = Options { fsync: true, max_connections: 200, ..Options::default() };
        let primary = Arc::new(Server::start(options)?);
        let standby = if standby { Some(follower(&primary)?) } else { None };
        Ok(Self(Arc::new(Mutex::new(Servers { primary, standby }))))
    }

    /// The URL of the database behind a link.
    pub(super) fn url_at(address: &str) -> String {
        format!("postgres://{ROLE}@{address}/{DATABASE}?sslmode=disable")
    }

    /// The URL of the database itself.
    pub fn url(&self) -> String {
        self.server().url(DATABASE)
    }

    /// Where the primary listens.
    pub fn address(&self) -> String {
        self.server().address()
    }

    /// `kill -9` of all its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> Result<()> {
        self.server().kill9()
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&self) -> Result<()> {
        self.server().restart()
    }

    /// Kills the primary; its standby takes over, and everything is to be led there. Does nothing while there is no
    /// standby, and says so.
    ///
    /// # Errors
    /// When the standby does not take over.
    pub fn fail_over(&self) -> Result<bool> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(standby) = servers.standby.take() else { return Ok(false) };
        servers.primary.kill9()?;
        standby.promote()?;
        // It has nobody to wait for yet.
        standby.execute(ALONE)?;
        standby.execute(RELOAD)?;
        servers.primary = Arc::new(standby);
        Ok(true)
    }

    /// A new standby, in step with the primary.
    ///
    /// # Errors
    /// When it does not come into step.
    pub fn stand_by(&self) -> Result<()> {
        let primary = self.server();
        let standby = follower(&primary)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).standby = Some(standby);
        Ok(())
    }

    /// Runs SQL; rows are lines.
    ///
    /// # Errors
    /// When it cannot be reached or a statement fails.
    pub fn lines(&self, sql: &str) -> Result<Vec<String>> {
        Ok(self.server().execute(sql)?.lines().map(str::to_owned).collect())
    }

    fn server(&self) -> Arc<Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).primary.clone()
    }
}

/// A standby of a primary that from now on acknowledges nothing that it does not have.
fn follower(primary: &Server) -> Result<Server> {
    let standby = primary.standby()?;
    primary.execute(SYNCHRONOUS)?;
    primary.execute(RELOAD)?;
    for _ in 0..600 {
        if primary.execute(IN_STEP)? == "1" {
            return Ok(standby);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    anyhow::bail!("the standby does not come into step")
}
