//! Carries out a schedule, and counts what really happened: a fault that nobody noticed has not fired.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::link::{Counts, Link, Way};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::Cluster;
use crate::network::{Network, Vanishing};
use crate::schedule::{Act, Kind, Schedule, What};
use crate::takeover::Takeovers;
use crate::who::Who;

/// How long a process that is to die at its start lives.
const SHORT_LIFE_MS: std::ops::Range<u64> = 5..250;
/// How much longer a fault may last that has not hit anybody yet.
const OVERTIME: Duration = Duration::from_secs(6);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(50);
/// How long a clock that jumps may take to do so.
const JUMP_PATIENCE: Duration = Duration::from_secs(5);
/// The text of a commit on its way to the database.
const COMMIT: &[u8] = b"commit";

/// How often each kind of fault was noticed by those whom it hit.
pub type Fired = BTreeMap<Kind, u64>;

/// Whoever makes things go wrong.
#[derive(Debug, Clone)]
pub struct Nemesis {
    cluster: Arc<Cluster>,
    takeovers: Takeovers,
    fired: Arc<Mutex<Fired>>,
    /// Held by whoever ends the database, until it is as it should be again.
    database: Arc<tokio::sync::Mutex<()>>,
}

impl Nemesis {
    /// Nothing has gone wrong yet.
    pub fn new(cluster: Arc<Cluster>, takeovers: Takeovers) -> Self {
        Self { cluster, takeovers, fired: Arc::default(), database: Arc::default() }
    }

    /// Carries it all out and mends it. Tells each act as it begins.
    ///
    /// # Errors
    /// When something cannot be made to fail, or to come back.
    pub async fn run(&self, schedule: &Schedule, tell: impl Fn(&Act)) -> Result<()> {
        let started = Instant::now();
        let mut acts = JoinSet::new();
        for act in schedule.acts.clone() {
            sleep_until(started + act.at).await;
            tell(&act);
            let nemesis = self.clone();
            acts.spawn(async move { nemesis.perform(&act).await.with_context(|| act.to_string()) });
            while let Some(ended) = acts.try_join_next() {
                ended??;
            }
        }
        while let Some(ended) = acts.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// What has happened so far.
    pub fn fired(&self) -> Fired {
        self.fired.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn perform(&self, act: &Act) -> Result<()> {
        let times = match act.what.clone() {
            What::Kill(Who::Database) => self.kill_database(act.lasts).await?,
            What::Kill(who) => self.kill(who, act.lasts).await?,
            What::Freeze(who) => self.freeze(who, act.lasts).await?,
            What::CrashLoop(who) => self.crash_loop(who, act.lasts).await?,
            What::Jump(who, seconds) => self.jump(who, seconds, act.lasts).await?,
            What::Hold(pair, ways) if self.cluster.network.is_some() => {
                self.vanish(pair, |network| network.hold(pair, &ways), act.lasts).await?
            }
            What::Forget(pair) => {
                let clients = self.cluster.link(pair).clients();
                self.vanish(pair, |network| network.forget(pair, &clients), act.lasts).await?
            }
            What::Hold(pair, ways) => {
                let begin = |link: &Link| ways.iter().for_each(|way| link.hold(*way));
                self.links(&[self.cluster.link(pair)], begin, act.lasts, |counts| counts.held).await
            }
            What::Cut(pair) => {
                self.links(&[self.cluster.link(pair)], Link::take_down, act.lasts, |counts| counts.cut).await
            }
            What::Slow(pair, late) => {
                let begin = |link: &Link| [Way::There, Way::Back].into_iter().for_each(|way| link.delay(way, late));
                self.links(&[self.cluster.link(pair)], begin, act.lasts, |counts| counts.late).await
            }
            What::Hang(who) => {
                let links: Vec<_> = self.cluster.links_to(who).collect();
                self.links(&links, |link| link.hold(Way::Back), act.lasts, |counts| counts.held).await
            }
            What::LoseReplies(pair, times) => {
                let begin = |link: &Link| link.lose_replies(b"", times);
                self.links(&[self.cluster.link(pair)], begin, act.lasts, |counts| counts.lost).await
            }
            What::LoseCommits(who, times) => {
                let begin = |link: &Link| link.lose_replies(COMMIT, times);
                let link = self.cluster.link((who, Who::Database));
                self.links(&[link], begin, act.lasts, |counts| counts.lost).await
            }
            What::FailOver => self.fail_over().await?,
            What::Roll => self.roll().await?,
            What::FullDisk => {
                self.cluster.disk()?.fill()?;
                sleep(act.lasts).await;
                self.cluster.disk()?.free()?;
                1
            }
        };
        let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
        *fired.entry(act.kind).or_default() += times;
        Ok(())
    }

    /// Once if what it counts went up meanwhile. Somebody who has nothing to say just then is waited for a bit longer.
    async fn links(&self, links: &[&Link], begin: impl Fn(&Link), lasts: Duration, count: fn(Counts) -> u64) -> u64 {
        let sum = || links.iter().map(|link| count(link.counts())).sum::<u64>();
        let before = sum();
        links.iter().for_each(|link| begin(link));
        let begun = Instant::now();
        sleep(lasts).await;
        while sum() == before && begun.elapsed() < lasts + OVERTIME {
            sleep(LOOK).await;
        }
        links.iter().for_each(|link| link.heal());
        u64::from(sum() > before)
    }

    /// The same for packets that vanish.
    async fn vanish(
        &self,
        pair: (Who, Who),
        begin: impl FnOnce(&Network) -> Result<Vanishing>,
        lasts: Duration,
    ) -> Result<u64> {
        let network = self.cluster.network.as_ref().context("packets cannot vanish here")?;
        let before = network.vanished(pair)?;
        let vanishing = begin(network)?;
        let begun = Instant::now();
        sleep(lasts).await;
        while network.vanished(pair)? == before && begun.elapsed() < lasts + OVERTIME {
            sleep(LOOK).await;
        }
        network.end(vanishing)?;
        Ok(u64::from(network.vanished(pair)? > before))
    }

    async fn kill(&self, who: Who, down: Duration) -> Result<u64> {
        let _turn = self.cluster.part(who).turn.lock().await;
        let watched = self.takeovers.watch(who).await;
        let ran = self.cluster.part(who).kill()?;
        self.takeovers.begin(watched, "kill");
        sleep(down).await;
        self.cluster.bring_up(who).await?;
        self.takeovers.born(who).await;
        Ok(u64::from(ran))
    }

    async fn kill_database(&self, down: Duration) -> Result<u64> {
        let _turn = self.database.lock().await;
        let database = self.cluster.store.server()?.clone();
        spawn_blocking(move || database.kill()).await??;
        sleep(down).await;
        let database = self.cluster.store.server()?.clone();
        spawn_blocking(move || database.restart()).await??;
        Ok(1)
    }

    async fn freeze(&self, who: Who, lasts: Duration) -> Result<u64> {
        let part = self.cluster.part(who);
        let watched = self.takeovers.watch(who).await;
        let _turn = part.turn.lock().await;
        part.freeze()?;
        self.takeovers.begin(watched, "freeze");
        sleep(lasts).await;
        part.thaw()?;
        self.takeovers.forget(who);
        Ok(u64::from(!part.has_ended()?))
    }

    async fn crash_loop(&self, who: Who, lasts: Duration) -> Result<u64> {
        let part = self.cluster.part(who);
        let _turn = part.turn.lock().await;
        let until = Instant::now() + lasts;
        let mut deaths = 0;
        while Instant::now() < until {
            deaths += u64::from(part.kill()?);
            part.spawn()?;
            sleep(Duration::from_millis(fastrand::u64(SHORT_LIFE_MS))).await;
        }
        part.kill()?;
        self.cluster.bring_up(who).await?;
        self.takeovers.born(who).await;
        Ok(u64::from(deaths > 2))
    }

    async fn jump(&self, who: Who, seconds: i64, lasts: Duration) -> Result<u64> {
        let part = self.cluster.part(who);
        part.jump(seconds)?;
        let asked = Instant::now();
        // A second may pass between the two that are compared.
        while part.ahead()?.abs_diff(seconds) > 1 {
            ensure!(asked.elapsed() < JUMP_PATIENCE, "the clock does not jump");
        }
        sleep(lasts).await;
        part.jump(0)?;
        Ok(1)
    }

    async fn fail_over(&self) -> Result<u64> {
        let _turn = self.database.lock().await;
        let database = self.cluster.store.server()?.clone();
        if !spawn_blocking(move || database.fail_over()).await?? {
            return Ok(0);
        }
        self.cluster.follow_database();
        let database = self.cluster.store.server()?.clone();
        spawn_blocking(move || database.stand_by()).await??;
        Ok(1)
    }

    /// All replicas become the other version.
    async fn roll(&self) -> Result<u64> {
        let first = self.cluster.makings.cast.replicas().into_iter().next().context("there are no replicas")?;
        let is_next = Some(self.cluster.part(first).path()) == self.cluster.makings.next;
        self.roll_to(!is_next).await?;
        Ok(1)
    }

    /// Each replica in turn becomes that version, as an upgrade does; those that are it already go on.
    ///
    /// # Errors
    /// When there is none, or one does not end or start.
    pub async fn roll_to(&self, next: bool) -> Result<()> {
        let makings = &self.cluster.makings;
        let (path, command) = match next {
            true => (makings.next.as_ref().context("there is no other version")?, None),
            false => (&makings.skald, Some("orchestrator")),
        };
        for who in makings.cast.replicas() {
            let part = self.cluster.part(who);
            if part.path() != *path {
                let _turn = part.turn.lock().await;
                // Without a database it cannot hand over, says so, and is waited for as if it had been killed.
                let _badly = part.terminate().await?;
                part.becomes(path, command);
                self.cluster.bring_up(who).await?;
                self.takeovers.born(who).await;
            }
        }
        Ok(())
    }
}
