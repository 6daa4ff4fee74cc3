//! One connection and the transaction on it. What needs no answer to go on (begin, savepoint, release) is sent at once and
//! looked at later, so it costs no round trip.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use futures_util::poll;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use tokio_util::task::AbortOnDropHandle;

use super::fault::{self, Fate};
use super::{Arg, Error, FromRow, Row};

/// Statements that wait to be looked at before the connection is asked to catch up.
const PENDING: usize = 64;

/// How long an answer may take before the server counts as silent. It ends a statement by itself after 30 s.
const STATEMENT: Duration = Duration::from_secs(35);
/// The same for a script, of which the server bounds every statement.
const SCRIPT: Duration = Duration::from_secs(600);
/// The same for what does no work: begin, savepoint, release, rollback; and for a commit.
const CONTROL: Duration = Duration::from_secs(10);

/// In one message with a question, which the server answers with an error where the transaction is spoiled, and then
/// reads no further. By itself a commit would take the transaction back and report success.
const COMMIT: &str = "select 1; commit";

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

/// Whether a statement takes the rows that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Locking {
    No,
    /// It waits for those who have them.
    Waiting,
    /// It leaves them to those who have them.
    Skipping,
}

impl Locking {
    fn applied_to(self, sql: &str) -> Cow<'_, str> {
        match self {
            Self::No => Cow::Borrowed(sql),
            Self::Waiting => Cow::Owned(format!("{sql} for update")),
            Self::Skipping => Cow::Owned(format!("{sql} for update skip locked")),
        }
    }
}

type Answer<T> = Result<T, tokio_postgres::Error>;
type Sent = MaybeDone<BoxFuture<'static, Answer<()>>>;

/// An open connection.
pub(in crate::db) struct Session {
    client: Arc<Client>,
    /// What moves the bytes: a connection ends with its session, also when the server says nothing any more.
    _driver: AbortOnDropHandle<()>,
    /// Whether the server's clock is the time of a transaction.
    tells_time: bool,
    statements: HashMap<(&'static str, Locking), Statement>,
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
    pub(super) fn new(client: Client, driver: AbortOnDropHandle<()>, tells_time: bool) -> Self {
        let (client, statements, pending) = (Arc::new(client), HashMap::new(), Vec::new());
        let (mode, has_savepoint, fate) = (Mode::Batch, false, None);
        Self { client, _driver: driver, tells_time, statements, pending, mode, has_savepoint, fate }
    }

    /// What became of the transaction since the last restart, if something failed. What is lost stays so.
    pub(super) fn fate(&self) -> Option<Fate> {
        self.fate.or_else(|| self.client.is_closed().then_some(Fate::Lost))
    }

    /// Begins a transaction and tells its time, or zero when somebody else does.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<i64, Error> {
        self.forget()?;
        (self.mode, self.has_savepoint) = (mode, false);
        self.send(mode.begin().to_owned()).await?;
        if !self.tells_time {
            // Without a transaction, what follows would be kept statement by statement.
            return self.catch_up().await.map(|()| 0);
        }
        let time = tokio::time::timeout(CONTROL, self.fetch(CLOCK, &[])).await;
        let time: Vec<(i64,)> = time.unwrap_or_else(|_elapsed| Err(self.lost(silent(CONTROL))))?;
        let (now_ms,) = time.first().ok_or_else(|| self.lost("the server told no time".into()))?;
        Ok(*now_ms)
    }

    /// Sets a mark that the next unit of work can be taken back to.
    pub(super) async fn mark(&mut self) -> Result<(), Error> {
        let mark = if self.has_savepoint { "release savepoint job; savepoint job" } else { "savepoint job" };
        self.has_savepoint = true;
        self.send(mark.to_owned()).await
    }

    pub(in crate::db) async fn restart(&mut self) -> Result<(), Error> {
        self.forget()?;
        let restart = match self.has_savepoint {
            true => "rollback to savepoint job".to_owned(),
            false => format!("rollback; {}", self.mode.begin()),
        };
        self.send(restart).await
    }

    fn forget(&mut self) -> Result<(), Error> {
        if self.fate() == Some(Fate::Lost) {
            return Err(Error::Unavailable("the connection to the database was lost".into()));
        }
        self.fate = None;
        Ok(())
    }

    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        self.send("rollback".to_owned()).await
    }

    /// An error other than [`Error::InDoubt`] means that nothing was kept; after any, the connection is of no use.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        let committed = self.try_commit().await;
        if committed.is_err() {
            self.fate = Some(Fate::Lost);
        }
        committed
    }

    async fn try_commit(&mut self) -> Result<(), Error> {
        self.catch_up().await?;
        if let Some(fate) = self.fate() {
            return Err(Error::Unavailable(format!("the transaction cannot be committed: {fate:?}")));
        }
        match tokio::time::timeout(CONTROL, self.client.batch_execute(COMMIT)).await {
            Ok(committed) => committed.map_err(|error| fault::of_commit(&error)),
            Err(_elapsed) => Err(Error::InDoubt(silent(CONTROL))),
        }
    }

    pub(in crate::db) async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let statement = self.prepare(sql, Locking::No).await?;
        let client = self.client.clone();
        self.answered(STATEMENT, client.execute_raw(&statement, params(args))).await
    }

    pub(in crate::db) async fn execute_each(
        &mut self,
        statements: &[(&'static str, Vec<Arg<'_>>)],
    ) -> Result<Vec<u64>, Error> {
        let prepared = self.prepare_each(statements).await?;
        let client = self.client.clone();
        let changed = together(prepared.iter().map(|(statement, args)| client.execute_raw(statement, params(args))));
        self.all_answered(changed).await
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
        let fetched = together(prepared.iter().map(|(statement, args)| query(statement, args)));
        let mut all = Vec::new();
        for rows in self.all_answered(fetched).await? {
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
            prepared.push((self.prepare(sql, Locking::No).await?, args.as_slice()));
        }
        Ok(prepared)
    }

    pub(in crate::db) async fn fetch<T: FromRow>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, Error> {
        let statement = self.prepare(sql, Locking::No).await?;
        self.rows(&statement, args).await
    }

    pub(in crate::db) async fn lock<T: FromRow>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, Error> {
        let statement = self.prepare(sql, Locking::Waiting).await?;
        self.rows(&statement, args).await
    }

    pub(in crate::db) async fn claim<T: FromRow>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, Error> {
        let statement = self.prepare(sql, Locking::Skipping).await?;
        self.rows(&statement, args).await
    }

    pub(in crate::db) async fn script(&mut self, sql: &str) -> Result<(), Error> {
        let client = self.client.clone();
        self.answered(SCRIPT, client.batch_execute(sql)).await
    }

    async fn rows<T: FromRow>(&mut self, statement: &Statement, args: &[Arg<'_>]) -> Result<Vec<T>, Error> {
        let args: Vec<_> = params(args).collect();
        let client = self.client.clone();
        let rows = self.answered(STATEMENT, client.query(statement, &args)).await?;
        rows.iter().map(|row| T::from_row(&Row::Postgres(row))).collect()
    }

    async fn prepare(&mut self, sql: &'static str, locking: Locking) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(&(sql, locking)) {
            return Ok(statement.clone());
        }
        let client = self.client.clone();
        let statement = self.answered(STATEMENT, client.prepare(&locking.applied_to(sql))).await?;
        self.statements.insert((sql, locking), statement.clone());
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

    /// Waits for the answer of a statement and looks at it, after those that came before it.
    async fn answered<T>(&mut self, limit: Duration, answer: impl Future<Output = Answer<T>>) -> Result<T, Error> {
        let answer = tokio::time::timeout(limit, answer).await;
        self.catch_up().await?;
        match answer {
            Ok(answer) => self.check(answer),
            Err(_elapsed) => Err(self.lost(silent(limit))),
        }
    }

    /// The same for several; looks at each of them.
    async fn all_answered<T>(&mut self, answers: impl Future<Output = Vec<Answer<T>>>) -> Result<Vec<T>, Error> {
        let answers = self.answered(STATEMENT, async { Ok(answers.await) }).await?;
        let answers: Vec<_> = answers.into_iter().map(|answer| self.check(answer)).collect();
        answers.into_iter().collect()
    }

    /// Looks at the answers that nobody has waited for. Where one of them is an error, the transaction is not what the
    /// units of work take it for, so it is lost to all of them.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let sent = std::mem::take(&mut self.pending);
        if sent.is_empty() {
            return Ok(());
        }
        let done = tokio::time::timeout(CONTROL, futures_util::future::join_all(sent.into_iter().map(observed))).await;
        let done = done.map_err(|_elapsed| self.lost(silent(CONTROL)))?;
        match done.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(error) => Err(self.lost(fault::text(&error))),
        }
    }

    fn lost(&mut self, why: String) -> Error {
        self.fate = Some(Fate::Lost);
        Error::Unavailable(why)
    }

    fn check<T>(&mut self, result: Answer<T>) -> Result<T, Error> {
        result.map_err(|error| {
            let (error, fate) = fault::of_statement(&error);
            // The first failure tells why; what follows only says that the transaction is spoiled.
            self.fate = self.fate.filter(|_| fate != Fate::Lost).or(Some(fate));
            error
        })
    }
}

async fn observed(mut sent: Sent) -> Answer<()> {
    output(Pin::new(&mut sent)).await
}

/// What a future that may be done already comes to.
async fn output<F: Future>(mut sent: Pin<&mut MaybeDone<F>>) -> F::Output {
    sent.as_mut().await;
    sent.take_output().expect("a future that was awaited has its output")
}

fn silent(limit: Duration) -> String {
    format!("the server has not answered for {} s", limit.as_secs())
}

/// Sends them all, in their order, before it waits for the first.
async fn together<F: Future>(sent: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut sent: Vec<_> = sent.map(|sent| Box::pin(maybe_done(sent))).collect();
    for sent in &mut sent {
        let _is_done = poll!(sent.as_mut());
    }
    let mut outputs = Vec::with_capacity(sent.len());
    for mut sent in sent {
        outputs.push(output(sent.as_mut()).await);
    }
    outputs
}

fn params<'a>(args: &'a [Arg<'_>]) -> impl ExactSizeIterator<Item = &'a (dyn ToSql + Sync)> {
    args.iter().map(|arg| arg as &(dyn ToSql + Sync))
}
