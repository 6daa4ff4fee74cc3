//! Leads the process through the cases: it dies at each, and after each death the next life has to find everything in
//! order. One database serves for many deaths, as it would in a bad year.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use outside::listen::Listening;
use outside::messenger::Messenger;
use outside::platform::Platform;
use outside::processor::{Arguments, Processor};
use service_kit::clock::{Stopwatch, SystemClock};
use service_kit::db::{self, Tx};
use skald::settings::Settings;
use skald::verify::{self, Books};
use tempfile::TempDir;
use testbed::postgres::{DATABASE, Options, ROLE, Server};
use tonic::transport::Channel;

use crate::cases::Case;
use crate::history::History;
use crate::life::{Life, Place};
use crate::shop::{Held, Stage};
use crate::stories::{Actor, Way};

/// How long a process may go on after its story has been told.
const PATIENCE: Duration = Duration::from_secs(25);
/// The same where it has to wait for the claim of another one that has died.
const LONG_PATIENCE: Duration = Duration::from_secs(90);
/// How long it may take until everything is published and delivered that was left behind by many deaths.
const DRAIN_MS: i64 = 120_000;
/// What a process that has died still keeps others from, though nobody waits for it in life for so long.
const LEASES: &str = "delete from orchestrator.event_lease; delete from customer.event_lease; \
    delete from concert.event_lease; delete from payment.event_lease; delete from token.event_lease";
const UNDELIVERED: &str = "select count(*) from payment_deliveries where state in (1, 3)";

/// Where the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// The world that outlives the process.
pub(crate) struct Matrix {
    place: Place,
    life: Life,
    channel: Channel,
    stage: Stage,
    history: History,
    books: Books,
    /// Databases that were begun anew.
    anew: usize,
    server: Option<Server>,
    _directory: TempDir,
    _processor: Processor,
    _others: [Listening; 2],
}

impl Matrix {
    /// An empty world.
    pub(crate) async fn new(engine: Engine, seed: u64) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let processor = Processor::start(Arguments::loopback(seed)).await?;
        let messenger = Messenger::new(Default::default(), seed, Arc::new(SystemClock)).listen("127.0.0.1:0").await?;
        let platform = Platform::new(Default::default(), seed).listen("127.0.0.1:0").await?;
        let server = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Server::start(Options { fsync: true, ..Options::default() })?),
        };
        let settings = [
            format!("payment.processor={}", processor.url()),
            format!("payment.messenger.url={}", messenger.url()),
            format!("payment.platform.url={}", platform.url()),
            // Nobody has to wait long for what a dead process has claimed.
            "payment.processor_timeout_ms=200".into(),
            "payment.messenger.timeout_ms=1000".into(),
            "payment.platform.timeout_ms=1000".into(),
            "orchestrator.lease_ms=1000".into(),
            "orchestrator.drain_ms=200".into(),
            // What is done now and then is done often.
            "payment.processor_poll_ms=100".into(),
            "token.tick_period_ms=50".into(),
            "customer.check_period_ms=200".into(),
            "customer.settle_ms=100".into(),
        ];
        let postgres = server.as_ref().map(|server| server.url(DATABASE));
        let place = Place { data_dir: directory.path().to_owned(), postgres, settings: settings.into() };
        let mut life = Life::begin(&place, None)?;
        let channel = life.channel().await?;
        let stage = Stage::open(&channel, seed).await?;
        let settings: Option<Settings> = place.arguments().settings()?;
        let books = Books::open(&settings.context("they are not to be printed")?).await?;
        let (history, _directory) = (History::default(), directory);
        let (_processor, _others) = (processor, [messenger, platform]);
        Ok(Self { place, life, channel, stage, history, books, anew: 0, server, _directory, _processor, _others })
    }

    /// One death, and the life after it.
    pub(crate) async fn run(&mut self, case: &Case) -> Result<()> {
        self.stage.renew(&self.channel, 4).await?;
        let held = self.actor().prepare(case.story).await.context("before anything happens")?;
        match case.story.way() {
            Way::Told => self.die(case, &held).await?,
            Way::Born => self.die_in_the_next_life(case, &held).await?,
            Way::BornAnew => return self.die_anew(case).await,
        }
        self.live_on().await?;
        self.actor().after(case.story, &held).await.context("after it")
    }

    fn actor(&mut self) -> Actor<'_> {
        let Self { life, channel, stage, history, .. } = self;
        Actor { life, channel, stage, history }
    }

    async fn die(&mut self, case: &Case, held: &Held) -> Result<()> {
        self.life.tell(&format!("arm {}", case.point)).await?;
        self.act(case, held).await
    }

    async fn die_in_the_next_life(&mut self, case: &Case, held: &Held) -> Result<()> {
        self.life.kill()?;
        self.forget_leases()?;
        self.life = Life::begin_with(&self.place, case.story.settings(), Some(&case.point))?;
        // It may die before anybody can connect.
        if let Ok(channel) = self.life.channel().await {
            self.channel = channel;
            return self.act(case, held).await;
        }
        self.life.dies(&case.point, PATIENCE).await
    }

    async fn act(&mut self, case: &Case, held: &Held) -> Result<()> {
        let acted = self.actor().act(case.story, held).await;
        let patience = if case.story.is_slow() { LONG_PATIENCE } else { PATIENCE };
        let died = self.life.dies(&case.point, patience).await;
        // What the story has failed by may only be a first sign of the death.
        died.with_context(|| format!("the story came to {acted:?}"))
    }

    /// Begins on an empty database, and once more on what that has left.
    async fn die_anew(&mut self, case: &Case) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let mut place = Place { data_dir: directory.path().to_owned(), ..self.place.clone() };
        if let Some(server) = &self.server {
            self.anew += 1;
            let name = format!("anew_{}", self.anew);
            server.execute(&format!("create database {name} owner {ROLE}"))?;
            place.postgres = Some(server.url(&name));
        }
        Life::begin(&place, Some(&case.point))?.dies(&case.point, PATIENCE).await?;
        let mut next = Life::begin(&place, None)?;
        let channel = next.channel().await.context("in the life after it")?;
        Stage::open(&channel, 1).await.context("in the life after it")?;
        Ok(())
    }

    /// Begins the next life, and has everything in order.
    async fn live_on(&mut self) -> Result<()> {
        self.forget_leases()?;
        self.life = Life::begin(&self.place, None)?;
        self.channel = self.life.channel().await?;
        self.history.settle(&self.channel).await.context("in the life after it")?;
        self.verify().await
    }

    fn forget_leases(&self) -> Result<()> {
        self.server.as_ref().map_or(Ok(()), |server| server.execute(LEASES).map(drop))
    }

    async fn verify(&self) -> Result<()> {
        let report = verify::check(&self.books).await?;
        ensure!(report.is_clean(), "{report}");
        Ok(())
    }

    /// Ends in good order, after everything that was ever told has been asked about again, published and delivered.
    pub(crate) async fn end(mut self) -> Result<(usize, usize, usize)> {
        self.history.recite(&self.channel).await?;
        let watch = Stopwatch::start();
        while let left @ 1.. = self.left().await? {
            ensure!(watch.elapsed_ms() < DRAIN_MS, "{left} events or deliveries are left behind");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.verify().await?;
        self.life.terminate()?;
        let status = self.life.ends(PATIENCE).await?;
        ensure!(status.success(), "it ended with {status}: {}", self.life.complaints());
        Ok(self.history.counts())
    }

    /// Events that are not published, and deliveries that are not made.
    async fn left(&self) -> Result<i64, db::Error> {
        let Books { concert, customer, payment, token, orchestrator } = &self.books;
        let mut left = 0;
        let mut all = vec![
            (concert, &concert_svc::OUTBOX),
            (customer, &customer_svc::OUTBOX),
            (payment, &payment_svc::OUTBOX),
            (token, &token_svc::OUTBOX),
        ];
        all.extend(orchestrator.iter().map(|db| (db, &orchestrator::OUTBOX)));
        for (db, outbox) in all {
            left += db.read(async move |tx: &mut Tx<'_>| outbox.waiting(tx).await).await?.0;
        }
        let undelivered = async |tx: &mut Tx<'_>| tx.fetch_one::<(i64,)>(UNDELIVERED, &[]).await;
        let (undelivered,): (i64,) = payment.read(undelivered).await?;
        Ok(left + undelivered)
    }
}
