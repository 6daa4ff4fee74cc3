//! One run, from the first process to the verdict.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Makings, Store};
use crate::crowd::Crowd;
use crate::judge::judge;
use crate::nemesis::Nemesis;
use crate::network::Carrier;
use crate::report::{Report, Sagas};
use crate::schedule::{Kind, Schedule, draw};
use crate::supervisor::Supervisor;
use crate::takeover::Takeovers;
use crate::who::Cast;

/// Customers a second that there are seats for; more than come.
const CUSTOMERS_PER_SECOND: usize = 25;
/// How long sagas may take to end once everything is mended.
const SETTLE: Duration = Duration::from_secs(90);
/// What is left of the time of a run for its end: customers leave, sagas end, the books are looked at.
const TAIL: Duration = Duration::from_secs(15);

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long it is to last, from the first customer to the last saga.
    pub length: Duration,
    /// What everything is drawn from.
    pub seed: u64,
    /// What the system consists of.
    pub cast: Cast,
    /// What may go wrong.
    pub kinds: Vec<Kind>,
    /// The `skald` binary.
    pub skald: PathBuf,
    /// What processes reach each other by.
    pub carrier: Carrier,
    /// An orchestrator of another version.
    pub next: Option<PathBuf>,
    /// Whether to say what happens while it does.
    pub is_loud: bool,
}

impl Settings {
    /// What goes wrong, and when.
    pub fn schedule(&self) -> Schedule {
        draw(self.seed, self.length.saturating_sub(TAIL), (self.cast, &self.kinds))
    }
}

impl Settings {
    fn makings(&self, folder: PathBuf) -> Makings {
        Makings {
            cast: self.cast,
            skald: self.skald.clone(),
            next: self.next.clone(),
            folder,
            clocks: self.kinds.contains(&Kind::Clock),
            standby: self.kinds.contains(&Kind::FailOver),
            disk: self.kinds.contains(&Kind::FullDisk),
            carrier: self.carrier,
            seed: self.seed,
        }
    }
}

/// Runs it and tells what came of it. Logs are removed if all is well, and stay if anything is not.
///
/// # Errors
/// When it could not be run to its end.
pub async fn run(settings: &Settings) -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("skald-chaos-").tempdir()?.keep();
    let stop = service_kit::serve::shutdown_signal()?;
    let ran = tokio::select! {
        ran = all(settings, folder.clone()) => ran,
        () = stop => Err(anyhow::anyhow!("it was interrupted")),
    };
    match ran {
        Ok(mut report) if report.is_clean() => {
            std::fs::remove_dir_all(&folder)?;
            report.logs = None;
            Ok(report)
        }
        Ok(report) => Ok(report),
        Err(error) => Err(error.context(format!("logs are in {}", folder.display()))),
    }
}

async fn all(settings: &Settings, folder: PathBuf) -> Result<Report> {
    let schedule = settings.schedule();
    let tell = |text: &dyn std::fmt::Display| {
        if settings.is_loud {
            println!("{text}");
        }
    };
    tell(&schedule);
    let begun = Instant::now();
    let cluster = Arc::new(Cluster::start(settings.makings(folder.clone())).await?);
    let customers = CUSTOMERS_PER_SECOND * usize::try_from(settings.length.as_secs()).unwrap_or(usize::MAX);
    let mut crowd = Crowd::start(&cluster.target(), customers, settings.seed).await?;
    tell(&format!("everything is up after {:.1} s", begun.elapsed().as_secs_f64()));
    let takeovers = Takeovers::new(cluster.store.clone());
    let nemesis = Nemesis::new(cluster.clone(), takeovers.clone());
    let supervisor = Supervisor::new(cluster.clone(), takeovers.clone());
    let started = Instant::now();
    let worked = async {
        nemesis.run(&schedule, |act| tell(&act)).await?;
        cluster.heal()?;
        if settings.kinds.contains(&Kind::Roll) {
            // Sagas of the other version wait for a replica that knows it.
            nemesis.roll_to(true).await?;
        }
        crowd.leave().await.context("customers do not leave")?;
        tell(&format!("customers have left after {:.1} s", started.elapsed().as_secs_f64()));
        settle(&cluster.store).await
    };
    let open = tokio::select! {
        open = worked => open?,
        never = supervisor.run() => match never? {},
    };
    let lasted = started.elapsed();
    supervisor.look().await?;
    let rest = crowd.notebook().now();
    crowd.look_once_more().await;
    let (history, calls) = crowd.notebook().take();
    history.write(BufWriter::new(File::create(folder.join("calls.jsonl"))?))?;
    let verdict = judge(&cluster.store, &history, rest, (SETTLE, settings.kinds.contains(&Kind::Clock))).await?;
    let kinds = settings.kinds.iter().map(|kind| (*kind, 0));
    let mut report = Report {
        seed: settings.seed,
        carrier: settings.carrier,
        seconds: lasted.as_secs_f64(),
        faults: kinds.chain(nemesis.fired()).collect(),
        calls,
        unlucky: crowd.unlucky(),
        sagas: sagas(&cluster.store).await?,
        open,
        takeovers: takeovers.all().await,
        ended: supervisor.ended(),
        verdict,
        problems: problems(&cluster),
        logs: Some(folder),
    };
    for who in settings.cast.parts().into_iter().rev() {
        if let Some(status) = cluster.part(who).terminate().await? {
            report.problems.push(format!("{who} ended with {status}"));
        }
    }
    Ok(report)
}

/// Waits until no saga is open that could go on; tells how many still are.
async fn settle(store: &Store) -> Result<u64> {
    const OPEN: &str = "select cast(count(*) as text) from orchestrator_saga where end_time is null";
    let started = Instant::now();
    loop {
        let open = store.rows(OPEN).await?.first().context("the sagas cannot be counted")?.parse()?;
        if open == 0 || started.elapsed() > SETTLE {
            return Ok(open);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn sagas(store: &Store) -> Result<Sagas> {
    const COUNTS: &str = "select kind || ' ' || cast(plan_version as text) || ' ' || state || ' ' \
        || cast(count(*) as text) from orchestrator_saga group by kind, plan_version, state";
    let rows = store.rows(COUNTS).await?;
    let count = |row: &String| {
        let (name, count) = row.rsplit_once(' ').context("the sagas cannot be counted")?;
        Ok((name.to_owned(), count.parse()?))
    };
    rows.iter().map(count).collect()
}

/// What must not stand in any log.
fn problems(cluster: &Cluster) -> Vec<String> {
    let mut problems = Vec::new();
    for part in cluster.parts() {
        let said = part.said();
        let bad = said.lines().filter(|line| line.contains("panicked at") || line.contains("nobody can have written"));
        problems.extend(bad.map(|line| format!("{}: {line}", part.who)));
    }
    problems
}
