//! Checkouts at a steady rate, and something that happens meanwhile: to the calls to participants, or to those who drive sagas.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::interrupt::interrupt;
use super::{Found, Stand};
use crate::books::{self, Left, Orders};
use crate::client::Client;
use crate::cpu;
use crate::drive::{Volley, fire};
use crate::faults::Trouble;
use crate::findings::{Expected, Ours, Part};
use crate::mix::Mix;
use crate::plan::{Episode, Load, Plan};
use crate::report::Report;
use crate::seed::{Stage, seed};
use crate::settle::settle;
use crate::system::{PARTICIPANTS, Shape, System};
use crate::tally::BOUGHT;
use crate::watch::{Samples, Watch};

mod sections;

pub(crate) use sections::falls_section;

/// One of them.
#[derive(Debug)]
pub(super) struct Exercise {
    pub(super) shape: Shape,
    pub(super) mix: Mix,
    /// How long it lasts as large as life, unless drills say so.
    pub(super) seconds: f64,
    /// What happens to each participant's calls, one after the other.
    pub(super) drills: &'static [Drill],
    /// What happens to all calls all the time.
    pub(super) throughout: Trouble,
    pub(super) interruption: Interruption,
    /// How long customers ask again.
    pub(super) insists: Duration,
}

/// What happens to the calls of each participant in turn.
#[derive(Debug)]
pub(super) struct Drill {
    pub(super) name: &'static str,
    pub(super) trouble: Trouble,
}

/// What happens to those who drive sagas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    None,
    /// One after the other is killed and started again.
    Killed,
    /// One after the other is ended and another started in its place.
    Replaced,
    /// Their clocks differ.
    Skewed,
}

/// One drill, and what it did.
#[derive(Debug, Clone, Serialize)]
pub struct Drilled {
    /// Whose calls.
    pub participant: &'static str,
    /// What happened to them.
    pub what: &'static str,
    /// When it began, since the first arrival.
    pub after_seconds: f64,
    /// How long it lasted.
    pub lasted_seconds: f64,
    /// Most sagas that were open meanwhile.
    pub backlog: u64,
    /// Most seats that they had locked.
    pub locked_seats: u64,
    /// The oldest of them.
    pub oldest_seconds: f64,
    /// From its end until no more sagas were open than before the first of them.
    pub drained_seconds: Option<f64>,
}

/// All drills.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Drills(pub Vec<Drilled>);

/// One of those who drive sagas was away.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Fall {
    /// When, since shortly before the first arrival.
    pub second: f64,
    /// How long until it listened again.
    pub away_seconds: f64,
    /// From then until no saga was open that had been so before.
    pub taken_over_seconds: Option<f64>,
}

/// Shortest load that says something, and the scale from which on it is to say something.
const LEAST_SECONDS: f64 = 30.0;
const LEAST_SCALE: f64 = 0.01;
/// Seconds by which the clocks of three replicas are ahead.
const SKEWED: [i64; 3] = [-5, 0, 5];
/// Before the first drill.
const CALM: f64 = 3.0;
/// Most customers of one load.
const MOST: f64 = 75_000.0;

impl Exercise {
    pub(super) async fn run(&self, stand: &Stand) -> Result<Found> {
        let system = self.start(stand, "load").await?;
        let client = Client::connect(&system.target()).await?;
        let episodes = self.episodes(stand.scale);
        let plan = self.plan(stand, &system, &episodes);
        let stage = seed(&client, &plan, stand.progress).await?;
        let watch = Watch::begin(&client, system.pids(), system.store.directory());
        let before = cpu::seconds_of_all(&plan.pids).unwrap_or_default();
        let (volley, system, mut falls) = self.fire(stand, (&client, &plan, &stage), (system, &watch)).await?;
        let settled = settle(&client, &plan, &stage, &volley).await?;
        // Of processes that were killed nobody knows any more.
        let after = cpu::seconds_of_all(&plan.pids).unwrap_or_default();
        let report = Report::new(&plan, volley, settled, after.zip(before).map(|(after, before)| after - before));
        let samples = watch.samples();
        drop(watch);
        falls.iter_mut().for_each(|fall| fall.taken_over_seconds = samples.taken_over_after(fall.second));
        let verdict = system.store.verify(true, Some(&report.history)).await?;
        let left = if stand.naive { Some(books::look(&client, &stage).await?) } else { None };
        let (_, commits) = system.end()?;

        let bought = report.outcomes.get(BOUGHT);
        let ours = bought.map(|bought| Ours { per_second: report.rates.completed_per_second, p50_ms: bought.p50_ms });
        let mut found = Found { ours, expected: self.expected(&report, &falls, &samples), ..Found::default() };
        found.setting.extend(commits.map(|commits| ("commits in all".to_owned(), commits.to_string())));
        let drilled = drilled(&episodes, &samples);
        found.parts.push(Part::Load { name: String::new(), report: Box::new(report) });
        if !drilled.0.is_empty() {
            found.parts.push(Part::Drills(drilled));
        }
        if !falls.is_empty() {
            found.parts.push(Part::Falls(falls));
        }
        if let Some(left) = left {
            found.parts.push(Part::Orders(self.beside(stand, left).await?));
        }
        found.parts.push(Part::Samples(samples));
        found.verdicts.push(verdict);
        Ok(found)
    }

    /// The same once more, in the naive order.
    async fn beside(&self, stand: &Stand, ours: Left) -> Result<Orders> {
        let system = self.start(stand, "naive").await?;
        let client = Client::connect(&system.target()).await?;
        let plan = Plan { is_naive: true, ..self.plan(stand, &system, &self.episodes(stand.scale)) };
        let stage = seed(&client, &plan, stand.progress).await?;
        let watch = Watch::begin(&client, system.pids(), system.store.directory());
        let faulty = Client::connect(&system.faulty_target()).await?;
        let (volley, system, _) = self.fire(stand, (&faulty, &plan, &stage), (system, &watch)).await?;
        drop(watch);
        let naive = books::look(&client, &stage).await?;
        system.end()?;
        Ok(Orders { ours, naive, undone: volley.undone })
    }

    async fn start(&self, stand: &Stand, name: &str) -> Result<System> {
        if self.interruption == Interruption::Skewed {
            return stand.makings.start_skewed(name, &SKEWED).await;
        }
        if self.mix.declined_card == 0.0 {
            return stand.makings.start(name, self.shape, &[]).await;
        }
        let (processor, setting) = stand.makings.processor()?;
        let mut system = stand.makings.start(name, self.shape, &[setting]).await?;
        system.keep(processor);
        Ok(system)
    }

    /// Which drill when.
    fn episodes(&self, scale: f64) -> Vec<(&'static str, Episode)> {
        let lengths: &[u64] = match scale {
            large if large >= 1.0 => &[5, 60, 600],
            middle if middle >= 0.1 => &[5],
            _ => &[2],
        };
        let mut episodes = Vec::new();
        let mut after = Duration::from_secs_f64(CALM);
        for lasts in lengths.iter().map(|seconds| Duration::from_secs(*seconds)) {
            for (drill, participant) in self.drills.iter().flat_map(|drill| PARTICIPANTS.map(|who| (drill, who))) {
                let (participant, trouble) = (Some(participant), drill.trouble);
                episodes.push((drill.name, Episode { participant, trouble, after, lasts }));
                // As long again to drain, and a moment.
                after += lasts * 2 + Duration::from_secs(1);
            }
        }
        episodes
    }

    fn plan(&self, stand: &Stand, system: &System, episodes: &[(&'static str, Episode)]) -> Plan {
        let least = LEAST_SECONDS * (stand.scale / LEAST_SCALE).min(1.0);
        let last = episodes.last().map(|(_, episode)| episode.after + episode.lasts * 2 + Duration::from_secs(1));
        let seconds = last.map_or((self.seconds * stand.scale).max(least), |last| last.as_secs_f64());
        let customers = (stand.rate * seconds).min(MOST) as usize;
        let mut episodes: Vec<_> = episodes.iter().map(|(_, episode)| *episode).collect();
        if self.throughout != Trouble::default() {
            let lasts = Duration::from_secs(86_400);
            episodes.push(Episode { participant: None, trouble: self.throughout, after: Duration::ZERO, lasts });
        }
        Plan {
            mix: self.mix,
            seed: stand.seed,
            pids: system.pids(),
            episodes,
            insists: self.insists,
            ..Plan::clean(customers, Load::Open { rate: stand.rate, rush: 0 })
        }
    }

    /// Sends the customers, and meanwhile does to those who drive sagas what is to be done.
    async fn fire(
        &self,
        stand: &Stand,
        (client, plan, stage): (&Client, &Plan, &Stage),
        (system, watch): (System, &Watch),
    ) -> Result<(Volley, System, Vec<Fall>)> {
        let faults = system.faults.clone();
        let (over, is_over) = tokio::sync::watch::channel(false);
        let load = async {
            let volley = fire(client, plan, stage, stand.progress, faults.as_ref()).await;
            over.send_replace(true);
            volley
        };
        let interrupted = interrupt(self.interruption, (system, stand.next.as_deref()), watch, is_over);
        let (volley, interrupted) = tokio::join!(load, interrupted);
        let (system, falls) = interrupted?;
        Ok((volley?, system, falls))
    }

    fn expected(&self, report: &Report, falls: &[Fall], samples: &Samples) -> Vec<Expected> {
        let missing = report.coverage.missing().join(", ");
        let mut expected = vec![
            Expected::new("sagas lost or still open: 0", report.open_sagas, report.open_sagas == 0),
            Expected::new("promises broken: 0", report.violation_count, report.violation_count == 0),
            Expected::new(
                "what had to happen did",
                if missing.is_empty() { "all" } else { &missing },
                missing.is_empty(),
            ),
        ];
        if matches!(self.interruption, Interruption::Killed | Interruption::Replaced) {
            let left = falls.iter().filter(|fall| fall.taken_over_seconds.is_none()).count();
            expected.push(Expected::new("falls whose sagas nobody took over: 0", left, left == 0));
            expected.push(Expected::new(
                "those who drive sagas were away at least once",
                falls.len(),
                !falls.is_empty(),
            ));
        }
        if !self.drills.is_empty() {
            let left = samples.between(f64::NEG_INFINITY, f64::INFINITY).last().map_or(0, |(_, backlog)| backlog.open);
            expected.push(Expected::new("sagas held up in the end: 0", left, left == 0));
        }
        expected
    }
}

fn drilled(episodes: &[(&'static str, Episode)], samples: &Samples) -> Drills {
    let drilled = episodes.iter().filter_map(|(what, episode)| {
        let (from, to) = (episode.after.as_secs_f64(), (episode.after + episode.lasts).as_secs_f64());
        let seen = || samples.between(from, to + 1.0).map(|(_, backlog)| backlog);
        Some(Drilled {
            participant: episode.participant?,
            what,
            after_seconds: from,
            lasted_seconds: to - from,
            backlog: seen().map(|backlog| backlog.open).max().unwrap_or_default(),
            oldest_seconds: seen().map(|backlog| backlog.oldest_seconds).fold(0.0, f64::max),
            locked_seats: seen().map(|backlog| backlog.locked_seats).max().unwrap_or_default(),
            drained_seconds: samples.drained_after(to, CALM),
        })
    });
    Drills(drilled.collect())
}
