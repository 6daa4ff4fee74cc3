//! One connection and the transaction on it. What needs no answer to go on (begin, savepoint, release) is sent at once and
//! looked at later, so it costs no round trip.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use futures_util::poll;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::fault::{self, Fate};
use super::{Arg, Error, FromRow, Row};

/// Statements that wait to be looked at before the connection is asked to catch up.
const PENDING: usize = 64;

/// The server's time in milliseconds.
const CLOCK: &str = "select floor(extract(epoch from clock_timestamp()) * 1000)::int8";

/// The kinds of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Units of work that share a commit, each under a savepoint.
    Batch,
    /// One unit of work, which may wait for locks a little longer.
    Alone,
    /// One snapshot.
    Read,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Self::Batch => "begin",
            Self::Alone => "begin; set local lock_timeout = '3s'",
            Self::Read => "begin isolation level repeatable read, read only",
        }
    }
}

type Sent = MaybeDone<BoxFuture<'static, Result<(), tokio_postgres::Error>>>;

/// An open connection.
pub(in crate::db) struct Session {
    client: Arc<Client>,
    /// Whether the server's clock is the time of a transaction.
    tells_time: bool,
    statements: HashMap<(&'static str, bool), Statement>,
    pending: Vec<Sent>,
    mode: Mode,
    has_savepoint: bool,
    fate: Option<Fate>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("mode", &self.mode).field("fate", &self.fate).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(client: Client, tells_time: bool) -> Self {
        let (client, statements, pending) = (Arc::new(client), HashMap::new(), Vec::new());
        Self { client, tells_time, statements, pending, mode: Mode::Batch, has_savepoint: false, fate: None }
    }

    /// What became of the transaction since the last restart, if something failed.
    pub(super) fn fate(&self) -> Option<Fate> {
        self.fate.or_else(|| self.client.is_closed().then_some(Fate::Lost))
    }

    /// Begins a transaction and tells its time, or zero when somebody else does.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<i64, Error> {
        (self.mode, self.has_savepoint, self.fate) = (mode, false, None);
        self.send(mode.begin().to_owned()).await?;
        if !self.tells_time {
            return Ok(0);
        }
        let time: Vec<(i64,)> = self.fetch(CLOCK, &[]).await?;
        let (now_ms,) = time.first().ok_or_else(|| Error::Bug("the server told no time".into()))?;
        Ok(*now_ms)
    }

    /// Sets a mark that the next unit of work can be taken back to.
    pub(super) async fn mark(&mut self) -> Result<(), Error> {
        let mark = if self.has_savepoint { "release savepoint job; savepoint job" } else { "savepoint job" };
        self.has_savepoint = true;
        self.send(mark.to_owned()).await
    }

    pub(in crate::db) async fn restart(&mut self) -> Result<(), Error> {
        if self.fate() == Some(Fate::Lost) {
            return Err(Error::Unavailable("the connection to the database was lost".into()));
        }
        self.fate = None;
        let restart = match self.has_savepoint {
            true => "rollback to savepoint job".to_owned(),
            false => format!("rollback; {}", self.mode.begin()),
        };
        self.send(restart).await
    }

    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        self.send("rollback".to_owned()).await
    }

    /// An error other than [`Error::InDoubt`] means that nothing was kept.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.catch_up().await?;
        // A transaction that is spoiled would be taken back by a commit that reports success.
        debug_assert_eq!(self.fate, None);
        self.client.batch_execute("commit").await.map_err(|error| fault::of_commit(&error))
    }

    pub(in crate::db) async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let statement = self.prepare(sql, false).await?;
        let changed = self.client.execute_raw(&statement, params(args)).await;
        self.check(changed)
    }

    pub(in crate::db) async fn execute_each(
        &mut self,
        statements: &[(&'static str, Vec<Arg<'_>>)],
    ) -> Result<Vec<u64>, Error> {
        let prepared = self.prepare_each(statements).await?;
        let client = self.client.clone();
        let changed =
            together(prepared.iter().map(|(statement, args)| client.execute_raw(statement, params(args)))).await;
        changed.into_iter().map(|changed| self.check(changed)).collect()
    }

    pub(in crate::db) async fn fetch_each<T: FromRow>(
        &mut self,
        statements: &[(&'static str, Vec<Arg<'_>>)],
    ) -> Result<Vec<T>, Error> {
        let prepared = self.prepare_each(statements).await?;
        let client = self.client.clone();
        let query = async |statement: &Statement, args: &[Arg<'_>]| {
            let args: Vec<_> = params(args).collect();
            client.query(statement, &args).await
        };
        let fetched = together(prepared.iter().map(|(statement, args)| query(statement, args))).await;
        let mut all = Vec::new();
        for rows in fetched {
            let rows = self.check(rows)?;
            all.extend(rows.iter().map(|row| T::from_row(&Row::Postgres(row))).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(all)
    }

    async fn prepare_each<'s, 'a>(
        &mut self,
        statements: &'s [(&'static str, Vec<Arg<'a>>)],
    ) -> Result<Vec<(Statement, &'s [Arg<'a>])>, Error> {
        let mut prepared = Vec::with_capacity(statements.len());
        for (sql, args) in statements {
            prepared.push((self.prepare(sql, false).await?, args.as_slice()));
        }
        Ok(prepared)
    }

    pub(in crate::db) async fn fetch<T: FromRow>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, Error> {
        let statement = self.prepare(sql, false).await?;
        self.rows(&statement, args).await
    }

    pub(in crate::db) async fn lock<T: FromRow>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, Error> {
        let statement = self.prepare(sql, true).await?;
        self.rows(&statement, args).await
    }

    pub(in crate::db) async fn script(&mut self, sql: &str) -> Result<(), Error> {
        let done = self.client.batch_execute(sql).await;
        self.check(done)
    }

    async fn rows<T: FromRow>(&mut self, statement: &Statement, args: &[Arg<'_>]) -> Result<Vec<T>, Error> {
        let args: Vec<_> = params(args).collect();
        let rows = self.client.query(statement, &args).await;
        let rows = self.check(rows)?;
        rows.iter().map(|row| T::from_row(&Row::Postgres(row))).collect()
    }

    async fn prepare(&mut self, sql: &'static str, is_locking: bool) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(&(sql, is_locking)) {
            return Ok(statement.clone());
        }
        let prepared = match is_locking {
            true => self.client.prepare(&format!("{sql} for update")).await,
            false => self.client.prepare(sql).await,
        };
        let statement = self.check(prepared)?;
        self.statements.insert((sql, is_locking), statement.clone());
        Ok(statement)
    }

    /// Sends a statement without waiting for its answer.
    async fn send(&mut self, sql: String) -> Result<(), Error> {
        if self.pending.len() >= PENDING {
            self.catch_up().await?;
        }
        let client = self.client.clone();
        let mut sent: Sent = maybe_done(Box::pin(async move { client.batch_execute(&sql).await }));
        let _is_done = poll!(&mut sent);
        self.pending.push(sent);
        Ok(())
    }

    /// Looks at the answers that nobody has waited for.
    async fn catch_up(&mut self) -> Result<(), Error> {
        for mut sent in std::mem::take(&mut self.pending) {
            (&mut sent).await;
            let done = std::pin::Pin::new(&mut sent).take_output();
            self.check(done.expect("a future that was awaited has its output"))?;
        }
        Ok(())
    }

    fn check<T>(&mut self, result: Result<T, tokio_postgres::Error>) -> Result<T, Error> {
        result.map_err(|error| {
            let (error, fate) = fault::of_statement(&error);
            // The first failure tells why; what follows only says that the transaction is spoiled.
            self.fate = self.fate.filter(|_| fate != Fate::Lost).or(Some(fate));
            error
        })
    }
}

/// Sends them all, in their order, before it waits for the first.
async fn together<F: Future>(sent: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut sent: Vec<_> = sent.map(|sent| Box::pin(maybe_done(sent))).collect();
    for sent in &mut sent {
        let _is_done = poll!(sent.as_mut());
    }
    let mut outputs = Vec::with_capacity(sent.len());
    for mut sent in sent {
        sent.as_mut().await;
        outputs.push(sent.as_mut().take_output().expect("a future that was awaited has its output"));
    }
    outputs
}

fn params<'a>(args: &'a [Arg<'_>]) -> impl ExactSizeIterator<Item = &'a (dyn ToSql + Sync)> {
    args.iter().map(|arg| arg as &(dyn ToSql + Sync))
}
