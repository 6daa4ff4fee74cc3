//! Leads the process through the cases: it dies at each, and after each death the next life has to find everything in
//! order. One database serves for many deaths, as it would in a bad year.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use outside::processor::{Arguments, Processor};
use skald::settings::Settings;
use skald::verify::{self, Books};
use testbed::postgres::{DATABASE, Options, Server};
use tonic::transport::Channel;

use crate::cases::Case;
use crate::history::History;
use crate::life::{Life, Place};
use crate::shop::Stage;
use crate::stories::Actor;

/// How long a process may go on after its story has been told.
const PATIENCE: Duration = Duration::from_secs(20);

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
    books: Option<Books>,
    /// Deaths by point.
    pub(crate) deaths: BTreeMap<String, usize>,
    _processor: Processor,
    _server: Option<Server>,
}

impl Matrix {
    /// An empty world.
    pub(crate) async fn new(engine: Engine, directory: &Path, seed: u64) -> Result<Self> {
        let processor = Processor::start(Arguments::loopback(seed)).await?;
        let server = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Server::start(Options { fsync: true, ..Options::default() })?),
        };
        let settings = [
            format!("payment.processor={}", processor.url()),
            "payment.processor_poll_ms=100".into(),
            "token.tick_period_ms=50".into(),
            "orchestrator.lease_ms=600".into(),
        ];
        let place = Place {
            data_dir: directory.to_owned(),
            postgres: server.as_ref().map(|server| server.url(DATABASE)),
            settings: settings.into(),
        };
        let mut life = Life::begin(&place, None)?;
        let channel = life.channel().await?;
        let stage = Stage::open(&channel, seed).await?;
        let (history, deaths) = (History::default(), BTreeMap::new());
        Ok(Self { place, life, channel, stage, history, books: None, deaths, _processor: processor, _server: server })
    }

    /// One death, and the life after it.
    pub(crate) async fn run(&mut self, case: &Case) -> Result<()> {
        let Self { life, channel, stage, history, .. } = self;
        stage.renew(channel, 1).await?;
        let mut actor = Actor { life, channel, stage, history };
        let held = actor.prepare(case.story).await.context("before anything happens")?;
        actor.life.tell(&format!("arm {}", case.point)).await?;
        let acted = actor.act(case.story, &held).await;
        if let Err(error) = &acted
            && self.life.is_alive()?
        {
            // What it has failed by may only be a first sign of its death.
            let died = self.life.dies(&case.point, PATIENCE).await;
            died.with_context(|| format!("the story failed: {error:#}"))?;
        } else {
            self.life.dies(&case.point, PATIENCE).await?;
        }
        *self.deaths.entry(case.name().to_owned()).or_default() += 1;
        self.live_on().await
    }

    /// Begins the next life, and has everything in order.
    async fn live_on(&mut self) -> Result<()> {
        self.life = Life::begin(&self.place, None)?;
        self.channel = self.life.channel().await?;
        self.history.settle(&self.channel).await.context("in the life after it")?;
        self.verify().await
    }

    async fn verify(&mut self) -> Result<()> {
        if self.books.is_none() {
            let settings: Option<Settings> = self.place.arguments().settings()?;
            self.books = Some(Books::open(&settings.context("they are not to be printed")?).await?);
        }
        let books = self.books.as_ref().context("they were opened")?;
        let report = verify::check(books).await?;
        ensure!(report.is_clean(), "{report}");
        Ok(())
    }

    /// Ends in good order, after everything that was ever told has been asked about again.
    pub(crate) async fn end(mut self) -> Result<(usize, usize, usize)> {
        self.history.recite(&self.channel).await?;
        self.verify().await?;
        self.life.terminate()?;
        let status = self.life.ends(PATIENCE).await?;
        ensure!(status.success(), "it ended with {status}: {}", self.life.complaints());
        Ok(self.history.counts())
    }
}
