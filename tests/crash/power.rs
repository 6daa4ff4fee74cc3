//! Losses of power under load: the data directory lies on a disk that keeps only what was synced, and now and then fails
//! to read, write or sync for a moment before. Whatever was acknowledged is there afterwards, what had ended stays so, and
//! the file is whole.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use service_kit::clock::Stopwatch;
use skald::settings::Settings;
use skald::verify;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::history::History;
use crate::life::{Life, Place};
use crate::shop::{PRICE, Stage};

mod bite;
mod disk;
mod mount;

use disk::{Asked, Counts, Fate};
use mount::{Mounted, Shared};

/// Exit code where no disk can be mounted: nothing was tried.
const NOT_RUN: i32 = 77;
/// Customers at a time.
const CUSTOMERS: usize = 6;
/// More than they can buy in one life.
const SEATS: usize = 1_000;
/// Longest time until the power goes.
const LONGEST_MS: u64 = 350;
/// After so many cuts everything has failed once.
const ENOUGH: u64 = 150;
/// How many reads, writes or syncs fail at most, one after the other, and after how many at most.
const FAILURES: (u64, u64) = (5, 60);
/// How long a process may take to find out that its disk fails.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Run {
    /// Losses of power.
    #[arg(long, default_value_t = 200)]
    cuts: u64,
    /// What they follow from.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds after which no further one begins.
    #[arg(long)]
    budget: Option<u64>,
}

/// What there was of each.
#[derive(Debug, Default)]
struct Tally {
    gone: u64,
    torn: u64,
    /// Cuts before the process was up.
    early: u64,
    /// Lives in which reads, writes or syncs failed while the power was there, and how many of them ended by that.
    failed: [(u64, u64); 3],
}

/// One disk and all who bought.
struct Bench {
    shared: Shared,
    mounted: Option<Mounted>,
    folder: tempfile::TempDir,
    random: Rng,
    stage: Option<Arc<Stage>>,
    histories: Vec<History>,
    tally: Tally,
}

/// Runs as many losses of power as are asked for.
pub(crate) fn run(run: &Run) -> Result<()> {
    if let Err(error) = Shared::default().mount(tempfile::tempdir()?.path()).and_then(Mounted::end) {
        eprintln!("NOT RUN: a disk of our own cannot be mounted here ({error}); no power was cut");
        std::process::exit(NOT_RUN);
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(cuts(run))
}

async fn cuts(run: &Run) -> Result<()> {
    let seed = run.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("power: seed {seed}");
    bite::prove(seed)?;
    let watch = Stopwatch::start();
    let mut bench = Bench::new(seed)?;
    let mut done = 0;
    while done < run.cuts
        && run.budget.is_none_or(|budget| watch.elapsed_ms() < i64::try_from(budget * 1_000).unwrap_or(i64::MAX))
    {
        let cut = bench.cut(seed).await;
        cut.with_context(|| {
            format!("cut {done} of cargo run -p skald-tests --bin crash-matrix -- power --seed {seed}")
        })?;
        done += 1;
        if done % 50 == 0 {
            println!("power: {done} cuts in {} ms", watch.elapsed_ms());
        }
    }
    bench.end().await?;
    let Counts { syncs, failed: failures, lost_writes } = bench.shared.disk().counts;
    let counts = bench.histories.iter().map(History::counts);
    let (requests, completed, failed) = counts.fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
    let Tally { gone, torn, early, failed: lives } = bench.tally;
    for ((what, times), (lives, ended)) in ["reads", "writes", "syncs"].iter().zip(failures).zip(lives) {
        println!("power: {times} {what} failed in {lives} lives, of which {ended} ended by that");
        ensure!(done < ENOUGH || times > 0, "no {what} failed");
    }
    println!(
        "power: {done} cuts in {} ms ({gone} gone, {torn} torn, {early} before it was up); {syncs} syncs, {lost_writes} \
         unsynced writes at the cuts; {requests} checkouts acknowledged or in doubt, {completed} completed, {failed} failed: 0 lost",
        watch.elapsed_ms()
    );
    ensure!(lost_writes > 0 && completed > 0 && failed > 0, "there was nothing to lose");
    Ok(())
}

impl Bench {
    fn new(seed: u64) -> Result<Self> {
        let histories = (0..CUSTOMERS).map(|_| History::default()).collect();
        let (folder, random) = (tempfile::tempdir()?, Rng::with_seed(seed));
        let mut bench = Self {
            shared: Shared::default(),
            mounted: None,
            folder,
            random,
            stage: None,
            histories,
            tally: Tally::default(),
        };
        bench.mount()?;
        Ok(bench)
    }

    fn mount(&mut self) -> Result<()> {
        self.mounted = Some(self.shared.mount(self.folder.path()).context("the disk is mounted")?);
        Ok(())
    }

    fn place(&self) -> Result<Place> {
        let mounted = self.mounted.as_ref().context("the disk is mounted")?;
        Ok(Place { data_dir: mounted.folder().to_owned(), postgres: None, settings: Vec::new() })
    }

    /// One life under load, and what is left of it.
    async fn cut(&mut self, seed: u64) -> Result<()> {
        let is_early = self.stage.is_some() && self.random.u8(..5) == 0;
        let asked = (is_early && self.random.bool()).then(|| self.fail());
        let mut life = Life::begin(&self.place()?, None)?;
        if is_early {
            tokio::time::sleep(Duration::from_millis(self.random.u64(..40))).await;
            self.tally.early += 1;
            self.ends_by(asked, &mut life).await?;
            return self.lose_power(life);
        }
        let channel = life.channel().await?;
        self.find_all(&channel).await?;
        self.check_now().await?;
        self.open(&channel, seed).await?;
        let asked = (self.random.u8(..2) == 0).then(|| self.fail());
        let load = self.load(&channel);
        tokio::time::sleep(Duration::from_millis(self.random.u64(10..LONGEST_MS))).await;
        self.ends_by(asked, &mut life).await?;
        self.lose_power(life)?;
        self.histories = load.join_all().await;
        Ok(())
    }

    /// What was acknowledged is there, and comes to its end.
    async fn find_all(&mut self, channel: &Channel) -> Result<()> {
        for history in &mut self.histories {
            history.settle(channel).await.context("after the power came back")?;
        }
        Ok(())
    }

    /// All books balance; looked at in a copy, so that nobody holds the disk.
    async fn check_now(&self) -> Result<()> {
        let copy = tempfile::tempdir()?;
        self.shared.disk().export(copy.path())?;
        let mut settings = Settings::default();
        settings.server.data_dir = copy.path().display().to_string();
        let report = verify::run(&settings).await?;
        ensure!(report.is_clean(), "{report}");
        Ok(())
    }

    async fn open(&mut self, channel: &Channel, seed: u64) -> Result<()> {
        match &mut self.stage {
            None => self.stage = Some(Arc::new(Stage::open(channel, seed).await?)),
            Some(stage) => {
                let stage = Arc::get_mut(stage).context("all customers have gone")?;
                stage.renew(channel, SEATS).await?;
            }
        }
        Ok(())
    }

    /// Customers who buy until there is nobody to buy from.
    fn load(&mut self, channel: &Channel) -> JoinSet<History> {
        let mut load = JoinSet::new();
        for (place, history) in std::mem::take(&mut self.histories).into_iter().enumerate() {
            let (channel, stage) = (channel.clone(), self.stage.clone());
            load.spawn(async move { shop(history, &channel, stage, place).await });
        }
        load
    }

    /// The disk is about to fail for a moment.
    fn fail(&mut self) -> Asked {
        let asked = [Asked::Read, Asked::Write, Asked::Sync][self.random.usize(..3)];
        let (after, times) = (self.random.u64(..FAILURES.1), self.random.u64(1..=FAILURES.0));
        // There are fewer syncs, and one of them is enough.
        let (after, times) = if asked == Asked::Sync { (after / 10, 1) } else { (after, times) };
        self.shared.disk().fail(asked, after, times);
        asked
    }

    /// A process whose disk fails says so and ends; it may also have gone unnoticed, in what is tried again anyway.
    async fn ends_by(&mut self, asked: Option<Asked>, life: &mut Life) -> Result<()> {
        let Some(asked) = asked.filter(|_| self.shared.disk().take_failed() > 0) else { return Ok(()) };
        let (lives, ended) = &mut self.tally.failed[asked as usize];
        *lives += 1;
        if let Ok(status) = life.ends(PATIENCE).await {
            ensure!(status.code() == Some(1), "a failed {asked:?} ended it with {status}: {}", life.complaints());
            *ended += 1;
        }
        Ok(())
    }

    /// First the power and then the process, so that it lives to see what that is like.
    fn lose_power(&mut self, mut life: Life) -> Result<()> {
        self.shared.disk().switch_off();
        life.kill()?;
        self.mounted.take().context("the disk is mounted")?.end().context("the disk is unmounted")?;
        let fate = if self.random.bool() { Fate::Gone } else { Fate::Torn };
        match fate {
            Fate::Gone => self.tally.gone += 1,
            Fate::Torn => self.tally.torn += 1,
        }
        self.shared.disk().switch_on(fate, &mut self.random);
        let copy = tempfile::tempdir()?;
        self.shared.disk().export(copy.path())?;
        whole(copy.path())?;
        self.mount()
    }

    /// After the last cut everything is asked about again.
    async fn end(&mut self) -> Result<()> {
        let mut life = Life::begin(&self.place()?, None)?;
        let channel = life.channel().await?;
        for history in &mut self.histories {
            history.recite(&channel).await.context("at the end")?;
        }
        self.check_now().await?;
        life.kill()?;
        drop(channel);
        self.mounted.take().context("the disk is mounted")?.end()?;
        std::io::stdout().flush()?;
        Ok(())
    }
}

async fn shop(mut history: History, channel: &Channel, stage: Option<Arc<Stage>>, place: usize) -> History {
    let Some(stage) = stage else { return history };
    // Some wait for the outcome, and some cannot pay.
    let wait_ms = if place.is_multiple_of(2) { 0 } else { 2_000 };
    let points = if place.is_multiple_of(3) { 0 } else { PRICE };
    while let Ok(held) = stage.held(channel, points).await {
        if history.buy(channel, (&stage.id(), &held), wait_ms).await.is_err() {
            break;
        }
    }
    history
}

/// Whether SQLite finds the file in order.
fn whole(folder: &Path) -> Result<()> {
    let file = folder.join("skald.db");
    if !file.exists() {
        return Ok(());
    }
    let connection = rusqlite::Connection::open(file)?;
    let found: String = connection.query_row("pragma integrity_check", [], |row| row.get(0))?;
    if found != "ok" {
        bail!("the file is corrupt: {found}");
    }
    Ok(())
}
